//! The adapter for [`ureq`](https://docs.rs/ureq).

use std::fmt;
use std::io;
use std::time::Duration;

use ::ureq::config::AutoHeaderValue;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
use ::ureq::tls::TlsConfig;
#[cfg(feature = "rustls")]
use ::ureq::tls::{Certificate, ClientCert, PrivateKey, TlsConfigBuilder};
use ::ureq::{Agent, AsSendBody, Error, Timeout};
use bytes::Bytes;
use http::request;
#[cfg(feature = "rustls")]
use pki_types::CertificateDer;

use super::body::{self, BodyBuffer};
use super::exchange;
#[cfg(feature = "rustls")]
use super::trust;
use super::{BackendError, BackendErrorKind, TransportSettings};
use crate::blocking::HttpBackend;

/// How many connections are kept for the next request. Left to itself, ureq keeps three of a host, and of
/// more threads than that most connect anew for each call.
const MOST_IDLE: usize = 64;

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

    /// A backend with these settings. The time-out of the response counts for each of connecting,
    /// sending, and waiting by itself; to a proxy, `http` too goes through a tunnel.
    ///
    /// # Errors
    ///
    /// [`BackendErrorKind::Request`] if ureq or this build cannot do what is set.
    pub fn with_settings(settings: &TransportSettings) -> Result<Self, BackendError> {
        exchange::check_settings(settings)?;
        if settings.http2 {
            return Err(exchange::refuse(
                "ureq speaks HTTP/1.1 only: leave `http2` off, or take `ReqwestBackend`",
            ));
        }
        let response_timeout = settings.response_timeout.map(exchange::bounded);
        let connect_timeout = exchange::bounded(settings.connect_timeout);
        let connect_timeout = response_timeout.unwrap_or(connect_timeout).min(connect_timeout);
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
            .timeout_send_request(response_timeout)
            .timeout_send_body(response_timeout)
            .timeout_recv_response(response_timeout)
            .max_idle_age(settings.idle_timeout)
            .max_idle_connections(MOST_IDLE)
            .max_idle_connections_per_host(MOST_IDLE);
        #[cfg(any(feature = "rustls", feature = "native-tls"))]
        let config = config.tls_config(tls_config(settings)?);
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
        let proxy = self.settings.proxy_for(request.uri()).map(::ureq::Proxy::new).transpose()?;
        let request = self.agent.configure_request(request).timeout_global(Some(timeout));
        self.agent.run(request.proxy(proxy).build())
    }
}

impl HttpBackend for UreqBackend {
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        let (parts, body, asked) = exchange::prepare(request, &self.settings)?;
        let (mut head, response) = self.send(parts, &body).map_err(failed)?.into_parts();
        let mut buffer = BodyBuffer::new(&asked, &head, &self.settings)?;
        let read_failed = |error: io::Error| failed(Error::from(error));
        body::read_to_end(&mut response.into_reader(), &mut buffer, read_failed)?;
        let body = buffer.finish(&mut head)?;
        Ok(http::Response::from_parts(head, body))
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
fn tls_config(settings: &TransportSettings) -> Result<TlsConfig, BackendError> {
    use ::ureq::tls::{RootCerts, TlsProvider};

    let provider =
        if cfg!(feature = "rustls") { TlsProvider::Rustls } else { TlsProvider::NativeTls };
    let config = TlsConfig::builder().provider(provider).root_certs(RootCerts::PlatformVerifier);
    #[cfg(feature = "rustls")]
    let config = with_certificates(config, settings)?;
    #[cfg(not(feature = "rustls"))]
    exchange::refuse_certificates("ureq", settings)?;
    Ok(config.build())
}

#[cfg(feature = "rustls")]
fn with_certificates(
    mut config: TlsConfigBuilder,
    settings: &TransportSettings,
) -> Result<TlsConfigBuilder, BackendError> {
    if !settings.root_certificates.is_empty() {
        let roots = trust::with_those_of_the_system(&settings.root_certificates)?;
        config = config.root_certs(roots.iter().map(owned).into());
    }
    if let Some(identity) = &settings.identity {
        check_identity(identity)?;
        let chain: Vec<_> = identity.chain().iter().map(owned).collect();
        let key = PrivateKey::from_pem(identity.key_pem().as_bytes()).map_err(failed)?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(config)
}

#[cfg(feature = "rustls")]
fn owned(certificate: &CertificateDer<'static>) -> Certificate<'static> {
    Certificate::from_der(certificate).to_owned()
}

/// ureq panics at a key that does not fit, when it connects.
#[cfg(feature = "rustls")]
fn check_identity(identity: &super::Identity) -> Result<(), BackendError> {
    use pki_types::PrivateKeyDer;
    use pki_types::pem::PemObject;
    use rustls::crypto::{CryptoProvider, ring};
    use rustls::sign::CertifiedKey;

    let no_key = |_| exchange::refuse("`identity` has a private key that ureq cannot use");
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes()).map_err(no_key)?;
    let provider = CryptoProvider::get_default().cloned();
    let provider = provider.unwrap_or_else(|| ring::default_provider().into());
    CertifiedKey::from_der(identity.chain().to_vec(), key, &provider)
        .map(drop)
        .map_err(|error| exchange::refuse(format!("ureq does not take `identity`: {error}")))
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
        Error::Http(_) | Error::InvalidProxyUrl => BackendErrorKind::Request,
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::ConnectProxyFailed(_)
        | Error::Tls(_)
        | Error::TlsRequired => BackendErrorKind::Connect,
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
