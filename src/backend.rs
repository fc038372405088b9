//! The transport: a small trait over [`http`] types, and what the adapters share.
//!
//! A backend moves one HTTP request to the server and brings one HTTP response back. It knows
//! nothing of Keystone: no authentication, no retries, no decoding. The adapters are
//! [`ReqwestBackend`], [`IsahcBackend`] and [`UreqBackend`], each with the feature of its library.
//! Time-outs, proxies, certificates and limits of all of them are [`TransportSettings`].
//!
//! One of your own implements [`HttpBackend`], or [`blocking::HttpBackend`](crate::blocking::HttpBackend)
//! for the blocking client. The contract is written clause by clause in
//! [docs/backends.md](https://docs.rs/crate/keystone-client/latest/source/docs/backends.md); each clause
//! is a test of the public conformance suite
//! ([`testing::conformance`](crate::testing::conformance), feature `testing`).

pub(crate) mod body;
mod certificates;
pub(crate) mod exchange;
#[cfg(feature = "isahc")]
mod isahc;
mod proxy;
#[cfg(feature = "reqwest")]
pub(crate) mod reqwest;
mod settings;
#[cfg(all(feature = "rustls", any(feature = "isahc", feature = "ureq")))]
mod trust;
#[cfg(feature = "ureq")]
mod ureq;

use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

pub use self::certificates::{Identity, RootCertificates};
#[cfg(feature = "isahc")]
pub use self::isahc::IsahcBackend;
pub use self::proxy::Proxy;
#[cfg(feature = "reqwest")]
pub use self::reqwest::ReqwestBackend;
pub use self::settings::{InvalidSetting, TransportSettings};
#[cfg(feature = "ureq")]
pub use self::ureq::UreqBackend;

/// Carries HTTP requests for the async client.
///
/// Implement it with plain `async fn`s. The client keeps any backend behind one shared handle, so
/// no type parameter reaches the code that uses the client.
///
/// ```
/// use std::time::Duration;
///
/// use bytes::Bytes;
/// use keystone_client::backend::{BackendError, HttpBackend};
///
/// /// Answers every request with `200 OK` and an empty body.
/// struct AlwaysOk;
///
/// impl HttpBackend for AlwaysOk {
///     async fn execute(
///         &self,
///         _request: http::Request<Bytes>,
///     ) -> Result<http::Response<Bytes>, BackendError> {
///         Ok(http::Response::new(Bytes::new()))
///     }
///
///     async fn sleep(&self, _duration: Duration) {}
/// }
/// ```
pub trait HttpBackend: Send + Sync + 'static {
    /// Sends one request and returns the response, whatever its status.
    ///
    /// A [`RequestTimeout`] in the request's extensions bounds this one exchange.
    ///
    /// # Errors
    ///
    /// A [`BackendError`] whose [kind](BackendError::kind) says whether the server may have seen
    /// the request. A response with a status of 400 or above is not an error.
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> impl Future<Output = Result<http::Response<Bytes>, BackendError>> + Send;

    /// Waits. Only the backend knows its runtime; doubles record the time instead.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;

    /// Reads the clocks. Doubles with a virtual clock override it.
    fn now(&self) -> Now {
        Now::system()
    }
}

/// The object-safe twin of [`HttpBackend`], which lets the client hide the backend's type.
pub(crate) trait DynHttpBackend: Send + Sync + 'static {
    fn execute(&self, request: http::Request<Bytes>) -> BoxFuture<'_, ExecuteResult>;
    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()>;
    fn now(&self) -> Now;
}

pub(crate) type ExecuteResult = Result<http::Response<Bytes>, BackendError>;
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl<B: HttpBackend> DynHttpBackend for B {
    fn execute(&self, request: http::Request<Bytes>) -> BoxFuture<'_, ExecuteResult> {
        Box::pin(HttpBackend::execute(self, request))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(HttpBackend::sleep(self, duration))
    }

    fn now(&self) -> Now {
        HttpBackend::now(self)
    }
}

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, for what the server dates: token expiry, `Retry-After` dates.
    pub wall: SystemTime,
    /// The monotonic clock, for deadlines.
    pub monotonic: Instant,
}

impl Now {
    /// Reads the clocks of this machine.
    #[allow(clippy::disallowed_methods, reason = "the one place where the clocks are read")]
    pub fn system() -> Self {
        Self { wall: SystemTime::now(), monotonic: Instant::now() }
    }
}

/// The longest time one exchange may take, from the first byte sent to the last byte received.
///
/// The client puts it into the request's extensions; it takes precedence over
/// [`TransportSettings::timeout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestTimeout(pub Duration);

impl RequestTimeout {
    /// The time-out of `request`, if it carries one.
    pub fn of<B>(request: &http::Request<B>) -> Option<Duration> {
        request.extensions().get::<Self>().map(|timeout| timeout.0)
    }
}

/// What went wrong between this machine and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendErrorKind {
    /// The transport cannot send this request, or cannot run here. Nothing was sent.
    Request,
    /// No connection: name resolution, TCP, proxy or TLS handshake failed. Nothing was sent.
    Connect,
    /// The exchange took too long.
    Timeout,
    /// The connection broke after it was established.
    Closed,
    /// What came back is not HTTP.
    Protocol,
    /// The response body is larger than [`TransportSettings::max_response_bytes`].
    TooLarge,
    /// Anything else.
    Other,
}

impl BackendErrorKind {
    fn describe(self) -> &'static str {
        match self {
            Self::Request => "the request could not be handed to the transport",
            Self::Connect => "no connection to the server",
            Self::Timeout => "the server took too long",
            Self::Closed => "the connection broke",
            Self::Protocol => "the reply was not HTTP",
            Self::TooLarge => "the response body is over the size limit",
            Self::Other => "the transport failed",
        }
    }
}

/// The failure of one exchange.
///
/// ```
/// use keystone_client::backend::{BackendError, BackendErrorKind};
///
/// let error = BackendError::new(BackendErrorKind::Timeout, "no reply within 60 s");
/// assert!(error.may_have_been_sent());
/// assert!(!error.not_sent().may_have_been_sent());
/// ```
#[derive(Debug, thiserror::Error)]
#[error("{}", kind.describe())]
pub struct BackendError {
    kind: BackendErrorKind,
    may_have_been_sent: bool,
    source: Box<dyn StdError + Send + Sync>,
}

impl BackendError {
    /// An error of this kind. `source` is the transport's own error or a sentence.
    pub fn new(kind: BackendErrorKind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let may_have_been_sent =
            !matches!(kind, BackendErrorKind::Request | BackendErrorKind::Connect);
        Self { kind, may_have_been_sent, source: source.into() }
    }

    /// States that no byte of the request left this machine, as with a time-out while connecting.
    #[must_use]
    pub fn not_sent(mut self) -> Self {
        self.may_have_been_sent = false;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> BackendErrorKind {
        self.kind
    }

    /// The transport's own error, without what this one adds to it.
    pub(crate) fn into_source(self) -> Box<dyn StdError + Send + Sync> {
        self.source
    }

    /// Whether the server may have seen, and so carried out, the request.
    pub fn may_have_been_sent(&self) -> bool {
        self.may_have_been_sent
    }
}
