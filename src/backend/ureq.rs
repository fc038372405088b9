//! The adapter for [`ureq`](https://docs.rs/ureq).

use std::fmt;
use std::io;
use std::time::Duration;

use ::ureq::config::AutoHeaderValue;
use ::ureq::{Agent, AsSendBody, Error, Timeout};
use bytes::Bytes;
use http::request;

use super::exchange::{self, BodyBuffer};
use super::{BackendError, BackendErrorKind, TransportSettings};
use crate::blocking::HttpBackend;

/// Sends requests with `ureq`: blocking, without any runtime or background thread.
///
/// It may be used anywhere, but inside an async runtime it holds up the thread that it runs on.
///
/// Clones share one connection pool. The proxy variables of the environment are not read. The
/// certificate authorities that the operating system trusts are trusted.
///
/// ```
/// use bytes::Bytes;
/// use keystone_client::backend::{BackendErrorKind, UreqBackend};
/// use keystone_client::blocking::HttpBackend;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backend = UreqBackend::new()?;
/// let request = http::Request::get("ftp://keystone.example.edu/").body(Bytes::new())?;
/// assert_eq!(backend.execute(request).unwrap_err().kind(), BackendErrorKind::Request);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct UreqBackend {
    agent: Agent,
    settings: TransportSettings,
}

impl UreqBackend {
    /// A backend with the default [`TransportSettings`].
    ///
    /// # Errors
    ///
    /// None at present; the signature is that of the other backends.
    pub fn new() -> Result<Self, BackendError> {
        Self::with_settings(&TransportSettings::default())
    }

    /// A backend with these settings.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_settings(settings: &TransportSettings) -> Result<Self, BackendError> {
        let connect_timeout = exchange::bounded(settings.connect_timeout);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .allow_non_standard_methods(true)
            .user_agent(AutoHeaderValue::None)
            .accept_encoding(AutoHeaderValue::None)
            .timeout_resolve(Some(connect_timeout))
            .timeout_connect(Some(connect_timeout))
            .max_idle_age(settings.idle_timeout);
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        let config = config.tls_config(tls_config());
        Ok(Self { agent: config.build().new_agent(), settings: settings.clone() })
    }

    fn send(
        &self,
        parts: request::Parts,
        body: &Bytes,
    ) -> Result<http::Response<::ureq::Body>, Error> {
        if exchange::sends_body(&parts.method, body) {
            self.run(http::Request::from_parts(parts, body.as_ref()))
        } else {
            self.run(http::Request::from_parts(parts, ()))
        }
    }

    fn run(
        &self,
        request: http::Request<impl AsSendBody>,
    ) -> Result<http::Response<::ureq::Body>, Error> {
        let timeout = exchange::timeout_of(request.extensions(), &self.settings);
        let request = self.agent.configure_request(request).timeout_global(Some(timeout)).build();
        self.agent.run(request)
    }
}

impl HttpBackend for UreqBackend {
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        let (parts, body) = exchange::prepare(request)?;
        let method = parts.method.clone();
        let (head, body) = self.send(parts, &body).map_err(failed)?.into_parts();
        let mut buffer = BodyBuffer::new(&method, &head, &self.settings)?;
        let read_failed = |error: io::Error| failed(Error::from(error));
        exchange::read_to_end(&mut body.into_reader(), &mut buffer, read_failed)?;
        Ok(http::Response::from_parts(head, buffer.finish()))
    }

    #[allow(clippy::disallowed_methods, reason = "an adapter is where waiting is done")]
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

impl fmt::Debug for UreqBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UreqBackend").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn tls_config() -> ::ureq::tls::TlsConfig {
    use ::ureq::tls::{RootCerts, TlsConfig, TlsProvider};

    let provider =
        if cfg!(feature = "rustls") { TlsProvider::Rustls } else { TlsProvider::NativeTls };
    TlsConfig::builder().provider(provider).root_certs(RootCerts::PlatformVerifier).build()
}

fn failed(error: Error) -> BackendError {
    let kind = match &error {
        // The text of the error is the URL, with its query.
        Error::BadUri(_) => return exchange::refuse("ureq cannot send to this URL"),
        Error::Timeout(reason) => {
            let connecting = matches!(reason, Timeout::Resolve | Timeout::Connect);
            let error = BackendError::new(BackendErrorKind::Timeout, error);
            return if connecting { error.not_sent() } else { error };
        }
        Error::Http(_) => BackendErrorKind::Request,
        Error::HostNotFound | Error::ConnectionFailed | Error::Tls(_) | Error::TlsRequired => {
            BackendErrorKind::Connect
        }
        #[cfg(feature = "rustls")]
        Error::Rustls(_) => BackendErrorKind::Connect,
        #[cfg(feature = "native-tls")]
        Error::NativeTls(_) => BackendErrorKind::Connect,
        Error::Protocol(_) | Error::LargeResponseHeader(..) => BackendErrorKind::Protocol,
        // The connection ended within a chunk size.
        Error::BodyStalled => BackendErrorKind::Closed,
        Error::Io(error) if is_lookup(error) || is_handshake(error) => BackendErrorKind::Connect,
        Error::Io(error) => exchange::kind_of_io(error),
        _ => BackendErrorKind::Other,
    };
    BackendError::new(kind, error)
}

/// Whether the name was not resolved, for which the standard library has no error kind.
fn is_lookup(error: &io::Error) -> bool {
    /// `WSAHOST_NOT_FOUND` to `WSANO_DATA`.
    const WINDOWS_LOOKUP: std::ops::RangeInclusive<i32> = 11001..=11004;

    if cfg!(windows) && error.raw_os_error().is_some_and(|code| WINDOWS_LOOKUP.contains(&code)) {
        return true;
    }
    error.to_string().starts_with("failed to lookup address information")
}

/// Whether it is an error that rustls can only have while it shakes hands. Others of its errors
/// may come later, so they count as sent.
fn is_handshake(error: &io::Error) -> bool {
    const HANDSHAKE: [&str; 5] = [
        "invalid peer certificate",
        "peer is incompatible",
        "received corrupt message of type InvalidContentType",
        "received fatal alert: HandshakeFailure",
        "received fatal alert: ProtocolVersion",
    ];

    let text = error.to_string();
    error.kind() == io::ErrorKind::InvalidData
        && HANDSHAKE.iter().any(|prefix| text.starts_with(prefix))
}
