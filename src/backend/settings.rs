//! The settings that all adapters understand.

use std::time::Duration;

use super::{Identity, Proxy, RootCertificates};

/// Settings that all adapters understand.
///
/// An adapter that cannot do what is set says so when it is made, with
/// [`BackendErrorKind::Request`](super::BackendErrorKind::Request) and a sentence; no setting is
/// ignored. Which adapter does what is a table in `docs/backends.md`.
///
/// ```
/// use std::time::Duration;
/// use keystone_client::backend::TransportSettings;
///
/// let settings = TransportSettings::default()
///     .with_connect_timeout(Duration::from_secs(3))
///     .with_response_timeout(Duration::from_secs(20));
/// assert_eq!(settings.timeout, Duration::from_secs(60));
/// assert_eq!(settings.response_timeout, Some(Duration::from_secs(20)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportSettings {
    /// The longest time to establish a connection, TLS included. Default: 10 s.
    pub connect_timeout: Duration,
    /// The longest time until the head of the response has arrived, connecting and sending
    /// included. Default: none but [`timeout`](Self::timeout).
    ///
    /// Two adapters come close to it: for isahc the head is there with the first byte of the body,
    /// and ureq measures connecting, sending and waiting one by one.
    pub response_timeout: Option<Duration>,
    /// The longest time for one exchange, used where the request carries no
    /// [`RequestTimeout`](super::RequestTimeout). Default: 60 s.
    pub timeout: Duration,
    /// How long an idle connection is kept. The server closes them after 5 s, and a write on a
    /// dying connection is in doubt, so it must be shorter. Default: 4 s.
    pub idle_timeout: Duration,
    /// The largest response body accepted, in bytes, decoded. Default: 256 MiB.
    pub max_response_bytes: usize,
    /// Certificate authorities that are trusted beside those of the operating system. Default:
    /// none.
    pub root_certificates: RootCertificates,
    /// Who the client is to a server that asks for a certificate. Default: nobody.
    pub identity: Option<Identity>,
    /// The proxy that requests go through. Default: none, also if the environment names one.
    pub proxy: Option<Proxy>,
    /// Whether HTTP/2 is used over TLS where the server offers it. Needs the feature `http2`.
    /// Default: no.
    pub http2: bool,
    /// Whether bodies are asked for in gzip, and decoded. Needs the feature `gzip`. Default: no.
    ///
    /// A request that says by its own `Accept-Encoding` what it takes, or asks for a `Range`, gets
    /// the body as it comes.
    pub gzip: bool,
}

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            response_timeout: None,
            timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(4),
            max_response_bytes: 256 * 1024 * 1024,
            root_certificates: RootCertificates::default(),
            identity: None,
            proxy: None,
            http2: false,
            gzip: false,
        }
    }
}

impl TransportSettings {
    /// Sets [`connect_timeout`](Self::connect_timeout).
    #[must_use]
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets [`response_timeout`](Self::response_timeout).
    #[must_use]
    pub fn with_response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = Some(timeout);
        self
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`idle_timeout`](Self::idle_timeout).
    #[must_use]
    pub fn with_idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Sets [`max_response_bytes`](Self::max_response_bytes).
    #[must_use]
    pub fn with_max_response_bytes(mut self, bytes: usize) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Sets [`root_certificates`](Self::root_certificates).
    #[must_use]
    pub fn with_root_certificates(mut self, certificates: RootCertificates) -> Self {
        self.root_certificates = certificates;
        self
    }

    /// Sets [`identity`](Self::identity).
    #[must_use]
    pub fn with_identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Sets [`proxy`](Self::proxy); `None` for what [`Proxy::from_environment`] did not find.
    #[must_use]
    pub fn with_proxy(mut self, proxy: impl Into<Option<Proxy>>) -> Self {
        self.proxy = proxy.into();
        self
    }

    /// Sets [`http2`](Self::http2).
    #[must_use]
    pub fn with_http2(mut self, http2: bool) -> Self {
        self.http2 = http2;
        self
    }

    /// Sets [`gzip`](Self::gzip).
    #[must_use]
    pub fn with_gzip(mut self, gzip: bool) -> Self {
        self.gzip = gzip;
        self
    }
}

#[cfg(any(feature = "isahc", feature = "ureq"))]
impl TransportSettings {
    /// The URL of the proxy for a request to `uri`, credentials in it.
    pub(crate) fn proxy_for(&self, uri: &http::Uri) -> Option<&str> {
        self.proxy.as_ref()?.for_target(uri.scheme_str()?, uri.host()?, uri.port_u16())
    }
}

/// Why a setting is not what it should be: a sentence, which repeats neither keys nor passwords.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidSetting(String);

impl InvalidSetting {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
