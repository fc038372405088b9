//! The adapter for [`isahc`](https://docs.rs/isahc).

use std::error::Error as StdError;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::iter;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ::isahc::config::{Configurable, ExpectContinue, RedirectPolicy, VersionNegotiation};
use ::isahc::error::ErrorKind;
#[cfg(feature = "rustls")]
use ::isahc::tls::{TlsConfig, TrustStore};
use ::isahc::{AsyncBody, Error, HttpClient, HttpClientBuilder};
use bytes::Bytes;
use futures_io::AsyncRead;
use futures_timer::Delay;
use http::{HeaderValue, Method, Version, header, request, response};

use super::body::{self, BodyBuffer};
use super::exchange;
#[cfg(feature = "rustls")]
use super::trust;
use super::{BackendError, BackendErrorKind, HttpBackend, TransportSettings};
use crate::blocking;

/// Sends requests with `isahc`, that is with libcurl: async on any executor, and blocking.
///
/// Transfers run on background threads of their own; neither Tokio nor another runtime is needed.
///
/// Clones share one connection pool. The proxy variables of the environment are not read. The
/// certificate authorities that the operating system trusts are trusted. A `POST` without
/// `Content-Type` gets `application/octet-stream`, which means the same; libcurl would call it a
/// form.
///
/// ```
/// use bytes::Bytes;
/// use keystone_client::backend::{BackendErrorKind, HttpBackend, IsahcBackend};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backend = IsahcBackend::new()?;
/// let request = http::Request::get("ftp://keystone.example.edu/").body(Bytes::new())?;
/// let error = pollster::block_on(backend.execute(request)).unwrap_err();
/// assert_eq!(error.kind(), BackendErrorKind::Request);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct IsahcBackend {
    /// Keeps connections.
    client: HttpClient,
    /// Keeps none, see [`may_repeat`].
    single_use: HttpClient,
    settings: Arc<TransportSettings>,
}

impl IsahcBackend {
    /// A backend with the default [`TransportSettings`].
    ///
    /// # Errors
    ///
    /// [`BackendErrorKind::Request`] if libcurl cannot be initialised.
    pub fn new() -> Result<Self, BackendError> {
        Self::with_settings(&TransportSettings::default())
    }

    /// A backend with these settings. The idle time-out is rounded down to whole seconds; below
    /// one second no connection is kept. The time-out of the response ends with the first byte of
    /// the body.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and if isahc or this build cannot do what is set, such as a client
    /// identity.
    pub fn with_settings(settings: &TransportSettings) -> Result<Self, BackendError> {
        exchange::check_settings(settings)?;
        if settings.identity.is_some() {
            return Err(exchange::refuse(
                "isahc takes no `identity`, as libcurl reads keys for rustls from files only: leave \
                 it out, or take `ReqwestBackend` or `UreqBackend`",
            ));
        }
        #[cfg(feature = "rustls")]
        let tls = tls_config(settings)?;
        #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
        exchange::refuse_certificates("isahc", settings)?;
        let client = |idle| {
            let builder = client_builder(settings, idle);
            #[cfg(feature = "rustls")]
            let builder = builder.tls_config(tls.clone());
            builder.build().map_err(failed)
        };
        Ok(Self {
            client: client(settings.idle_timeout)?,
            single_use: client(Duration::ZERO)?,
            settings: Arc::new(settings.clone()),
        })
    }

    /// The request with the settings in which it differs from the client, which cost something to carry
    /// along.
    fn configured(
        &self,
        mut parts: request::Parts,
        body: AsyncBody,
    ) -> Result<http::Request<AsyncBody>, BackendError> {
        let timeout = exchange::timeout_of(&parts.extensions, &self.settings);
        let proxy = proxy_for(&parts.uri, &self.settings)?;
        if proxy.is_none() && timeout == exchange::bounded(self.settings.timeout) {
            // Settings of isahc's own among them are not the caller's to make.
            parts.extensions.clear();
            return Ok(http::Request::from_parts(parts, body));
        }
        let mut builder = http::Request::builder()
            .timeout(timeout)
            .proxy(proxy)
            .method(parts.method)
            .uri(parts.uri);
        if let Some(headers) = builder.headers_mut() {
            *headers = parts.headers;
        }
        builder.body(body).map_err(|error| BackendError::new(BackendErrorKind::Request, error))
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        let (mut parts, body, asked) = exchange::prepare(request, &self.settings)?;
        check(&parts)?;
        let method = parts.method.clone();
        if method == Method::POST && !parts.headers.contains_key(header::CONTENT_TYPE) {
            let unspecified = HeaderValue::from_static("application/octet-stream");
            parts.headers.insert(header::CONTENT_TYPE, unspecified);
        }
        let client =
            if may_repeat(&method) || !body.is_empty() { &self.client } else { &self.single_use };
        let request = self.configured(parts, request_body(&method, body))?;

        let response = client.send_async(request);
        let response = match self.settings.response_timeout.map(exchange::bounded) {
            Some(limit) => within(limit, response).await?,
            None => response.await,
        };
        let (mut head, body) = response.map_err(failed)?.into_parts();
        // Handles of isahc, among them the request's body, which must not be cloned.
        head.extensions.clear();
        let mut buffer = BodyBuffer::new(&asked, &head, &self.settings)?;
        read_to_end(body, &mut buffer).await?;
        if is_cut_short(&method, &head, buffer.received()) {
            let reason = "the connection was closed within the head of the response";
            return Err(BackendError::new(BackendErrorKind::Closed, reason));
        }
        let body = buffer.finish(&mut head)?;
        Ok(http::Response::from_parts(head, body))
    }
}

impl HttpBackend for IsahcBackend {
    async fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        self.exchange(request).await
    }

    async fn sleep(&self, duration: Duration) {
        Delay::new(duration).await;
    }
}

impl blocking::HttpBackend for IsahcBackend {
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        pollster::block_on(self.exchange(request))
    }

    #[allow(clippy::disallowed_methods, reason = "an adapter is where waiting is done")]
    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

impl fmt::Debug for IsahcBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IsahcBackend").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn client_builder(settings: &TransportSettings, idle: Duration) -> HttpClientBuilder {
    let version = if settings.http2 {
        VersionNegotiation::latest_compatible()
    } else {
        VersionNegotiation::http11()
    };
    let builder = HttpClient::builder()
        .timeout(exchange::bounded(settings.timeout))
        .connect_timeout(exchange::bounded(settings.connect_timeout))
        .redirect_policy(RedirectPolicy::None)
        .automatic_decompression(false)
        .expect_continue(ExpectContinue::disabled())
        .version_negotiation(version)
        .metrics(false)
        .proxy(None)
        // Left to itself, libcurl reads the list from the environment.
        .proxy_blacklist(iter::empty::<String>());
    // libcurl counts in seconds, and to it zero seconds means no limit.
    if idle < Duration::from_secs(1) {
        builder.connection_cache_size(0)
    } else {
        builder.connection_cache_ttl(idle)
    }
}

#[cfg(feature = "rustls")]
fn tls_config(settings: &TransportSettings) -> Result<TlsConfig, BackendError> {
    if settings.root_certificates.is_empty() {
        return Ok(TlsConfig::default());
    }
    let roots = trust::with_those_of_the_system(&settings.root_certificates)?;
    let store =
        roots.iter().fold(TrustStore::builder(), |store, root| store.certificate_from_der(root));
    Ok(TlsConfig::builder().trust_store(store.build()).build())
}

fn proxy_for(
    uri: &http::Uri,
    settings: &TransportSettings,
) -> Result<Option<http::Uri>, BackendError> {
    settings
        .proxy_for(uri)
        .map(|url| url.parse().map_err(|_| exchange::refuse("isahc cannot use this proxy URL")))
        .transpose()
}

/// What `response` comes to, unless `limit` is up before.
async fn within<T>(limit: Duration, response: impl Future<Output = T>) -> Result<T, BackendError> {
    let (mut response, mut delay) = (pin!(response), pin!(Delay::new(limit)));
    poll_fn(|context| {
        if let Poll::Ready(response) = response.as_mut().poll(context) {
            return Poll::Ready(Ok(response));
        }
        delay.as_mut().poll(context).map(|()| Err(exchange::no_response_within(limit)))
    })
    .await
}

/// Refuses what isahc panics at or libcurl would rewrite.
fn check(parts: &request::Parts) -> Result<(), BackendError> {
    for (name, value) in &parts.headers {
        if value.to_str().is_err() {
            let reason = format!("isahc cannot send the value of `{name}`, it is not ASCII");
            return Err(exchange::refuse(reason));
        }
    }
    if exchange::has_dot_segment(parts.uri.path()) {
        return Err(exchange::refuse("libcurl would resolve the dot segments of this path"));
    }
    Ok(())
}

/// Whether a request with this method and no body may go over a kept connection.
///
/// If a kept connection turns out dead, libcurl repeats the request on a fresh one, whatever the
/// method, and has no option against it. Who reads twice does not notice; a second `DELETE` finds
/// nothing, and says so of a record that the first has deleted. Bodies cannot be rewound, see
/// [`request_body`]; what has none, and is no mere reading, must not have a kept connection.
fn may_repeat(method: &Method) -> bool {
    method.is_safe()
}

/// The body as a reader, which libcurl cannot rewind and so not send twice.
fn request_body(method: &Method, body: Bytes) -> AsyncBody {
    if !exchange::sends_body(method, &body) {
        return AsyncBody::empty();
    }
    let length = body.len() as u64;
    AsyncBody::from_reader_sized(AsyncBody::from(Vec::from(body)), length)
}

async fn read_to_end(mut body: AsyncBody, buffer: &mut BodyBuffer) -> Result<(), BackendError> {
    let mut chunk = buffer.chunk();
    loop {
        let read = poll_fn(|context| Pin::new(&mut body).poll_read(context, &mut chunk)).await;
        match read {
            Ok(0) => return Ok(()),
            Ok(length) => buffer.push(chunk.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(Error::from(error))),
        }
    }
}

/// Whether the connection may have been closed within the head, which libcurl takes for its end.
/// HTTP/2 has frames for that.
///
/// So a head without any framing needs a body to be believed. What remains unseen is a head cut
/// after its `Transfer-Encoding`, which comes out as an empty body.
fn is_cut_short(method: &Method, head: &response::Parts, length: usize) -> bool {
    if head.version == Version::HTTP_2 {
        return false;
    }
    match body::announced_length(method, head) {
        Some(announced) => announced != length as u64,
        None => {
            length == 0
                && !body::is_bodiless(method, head)
                && !head.headers.contains_key(header::TRANSFER_ENCODING)
        }
    }
}

fn failed(error: Error) -> BackendError {
    let curl = error.source().and_then(|source| source.downcast_ref::<curl::Error>());
    let kind = match (error.kind(), curl) {
        (ErrorKind::Timeout, Some(_)) if error.remote_addr().is_none() => {
            // Without a peer there was no connection yet.
            return BackendError::new(BackendErrorKind::Timeout, error).not_sent();
        }
        (ErrorKind::Timeout, _) => BackendErrorKind::Timeout,
        (
            ErrorKind::ConnectionFailed
            | ErrorKind::NameResolution
            | ErrorKind::BadServerCertificate
            | ErrorKind::BadClientCertificate
            | ErrorKind::InvalidTlsConfiguration
            | ErrorKind::TlsEngine,
            _,
        ) => BackendErrorKind::Connect,
        (ErrorKind::InvalidRequest | ErrorKind::ClientInitialization, _) => {
            BackendErrorKind::Request
        }
        (ErrorKind::ProtocolViolation, Some(curl)) if curl.is_got_nothing() => {
            BackendErrorKind::Closed
        }
        (ErrorKind::ProtocolViolation | ErrorKind::InvalidContentEncoding, _) => {
            BackendErrorKind::Protocol
        }
        (ErrorKind::Io, _) => BackendErrorKind::Closed,
        _ => BackendErrorKind::Other,
    };
    BackendError::new(kind, error)
}
