//! The adapter for [`reqwest`](https://docs.rs/reqwest).

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::mem;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::reqwest::{Client, ClientBuilder, Request, Response, Url, redirect, retry};
use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header, response};
use tokio::runtime::Handle;
use url::ParseError;

use super::body::BodyBuffer;
use super::exchange::{self, Asked};
use super::{BackendError, BackendErrorKind, HttpBackend, TransportSettings};

/// Sends requests with the async client of `reqwest`; needs a Tokio runtime.
///
/// The runtime must have its I/O and time drivers enabled, as `#[tokio::main]` does. Without a
/// runtime every request fails with [`BackendErrorKind::Request`] and nothing is sent. Connections
/// are bound to the runtime that made them, so a backend belongs into one runtime.
///
/// Clones share one connection pool. The proxy variables of the environment are not read. The
/// certificate authorities that the operating system trusts are trusted.
///
/// ```
/// use bytes::Bytes;
/// use keystone_client::backend::{BackendErrorKind, HttpBackend, ReqwestBackend};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backend = ReqwestBackend::new()?;
/// let request = http::Request::get("http://127.0.0.1:9/version").body(Bytes::new())?;
///
/// // Outside of a Tokio runtime there is an error, not a panic.
/// let error = pollster::block_on(backend.execute(request)).unwrap_err();
/// assert_eq!(error.kind(), BackendErrorKind::Request);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ReqwestBackend {
    client: Client,
    settings: TransportSettings,
    server: FirstServer,
}

impl ReqwestBackend {
    /// A backend with the default [`TransportSettings`].
    ///
    /// # Errors
    ///
    /// [`BackendErrorKind::Request`] if TLS cannot be initialised, as where the operating system
    /// has no certificate authorities.
    pub fn new() -> Result<Self, BackendError> {
        Self::with_settings(&TransportSettings::default())
    }

    /// A backend with these settings.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and if this build cannot do what is set.
    pub fn with_settings(settings: &TransportSettings) -> Result<Self, BackendError> {
        let client = client_builder(settings)?.build().map_err(failed)?;
        Ok(Self { client, settings: settings.clone(), server: FirstServer::default() })
    }
}

impl ReqwestBackend {
    async fn read(
        &self,
        mut response: Response,
        asked: &Asked,
    ) -> Result<http::Response<Bytes>, BackendError> {
        let headers = mem::take(response.headers_mut());
        let mut head = head_of(response.status(), response.version(), headers);
        let mut buffer = BodyBuffer::new(asked, &head, &self.settings)?;
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            buffer.push_owned(chunk)?;
        }
        let body = buffer.finish(&mut head)?;
        Ok(http::Response::from_parts(head, body))
    }
}

impl HttpBackend for ReqwestBackend {
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> impl Future<Output = Result<http::Response<Bytes>, BackendError>> + Send {
        // Translated before the future is made, so that it holds the translated request only.
        let outgoing = outgoing(request, &self.settings, &self.server).map(|outgoing| {
            let mut request = Request::new(outgoing.method, outgoing.url);
            if outgoing.timeout.is_some() {
                *request.timeout_mut() = outgoing.timeout;
            }
            *request.headers_mut() = outgoing.headers;
            *request.body_mut() = outgoing.body.map(Into::into);
            (request, outgoing.asked)
        });
        async move {
            if Handle::try_current().is_err() {
                return Err(exchange::refuse(
                    "the reqwest backend needs a Tokio runtime: call it from one, as under \
                     `#[tokio::main]`, or take `IsahcBackend`, which needs none",
                ));
            }
            let (request, asked) = outgoing?;
            let response = self.client.execute(request);
            let response = match self.settings.response_timeout.map(exchange::bounded) {
                Some(limit) => Box::pin(tokio::time::timeout(limit, response))
                    .await
                    .map_err(|_| exchange::no_response_within(limit))?,
                None => response.await,
            };
            self.read(response.map_err(failed)?, &asked).await
        }
    }

    #[allow(clippy::disallowed_methods, reason = "an adapter is where waiting is done")]
    async fn sleep(&self, duration: Duration) {
        if Handle::try_current().is_ok() {
            tokio::time::sleep(duration).await;
        } else {
            // No request gets through without a runtime, so there is hardly anything to hold up.
            std::thread::sleep(duration);
        }
    }
}

impl fmt::Debug for ReqwestBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestBackend").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The set-up of the client, which the blocking one shares.
pub(crate) fn client_builder(settings: &TransportSettings) -> Result<ClientBuilder, BackendError> {
    exchange::check_settings(settings)?;
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(exchange::bounded(settings.connect_timeout))
        .timeout(exchange::bounded(settings.timeout))
        .pool_idle_timeout(settings.idle_timeout);
    let builder = if settings.http2 { builder } else { builder.http1_only() };
    let builder = match settings.proxy.clone() {
        Some(proxy) => builder.proxy(::reqwest::Proxy::custom(move |url| {
            proxy.for_target(url.scheme(), url.host_str()?, url.port()).map(str::to_owned)
        })),
        None => builder.no_proxy(),
    };
    #[cfg(feature = "rustls")]
    let builder = builder.tls_backend_rustls();
    #[cfg(all(feature = "native-tls", not(feature = "rustls")))]
    let builder = builder.tls_backend_native();
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    let builder = with_certificates(builder, settings)?;
    Ok(builder)
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn with_certificates(
    mut builder: ClientBuilder,
    settings: &TransportSettings,
) -> Result<ClientBuilder, BackendError> {
    let refused = |setting: &str, error: ::reqwest::Error| {
        exchange::refuse(format!("reqwest does not take `{setting}`: {}", causes(&error)))
    };
    for certificate in settings.root_certificates.iter() {
        let certificate = ::reqwest::Certificate::from_der(certificate)
            .map_err(|error| refused("root_certificates", error))?;
        builder = builder.tls_certs_merge([certificate]);
    }
    if let Some(identity) = &settings.identity {
        let (chain, key) = (identity.chain_pem(), identity.key_pem());
        #[cfg(feature = "rustls")]
        let identity = ::reqwest::Identity::from_pem(format!("{chain}{key}").as_bytes());
        #[cfg(not(feature = "rustls"))]
        let identity = ::reqwest::Identity::from_pkcs8_pem(chain.as_bytes(), key.as_bytes());
        builder = builder.identity(identity.map_err(|error| refused("identity", error))?);
    }
    Ok(builder)
}

/// What both clients of reqwest are to send.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    /// Where it is another one than that of the client, as it costs something to carry it along.
    pub(crate) timeout: Option<Duration>,
    pub(crate) asked: Asked,
}

pub(crate) fn outgoing(
    request: http::Request<Bytes>,
    settings: &TransportSettings,
    server: &FirstServer,
) -> Result<Outgoing, BackendError> {
    let (mut parts, body, asked) = exchange::prepare(request, settings)?;
    if body.is_empty() && exchange::sends_body(&parts.method, &body) {
        // Left to itself, reqwest takes an empty body for none.
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    }
    let timeout = exchange::timeout_of(&parts.extensions, settings);
    Ok(Outgoing {
        url: server.url_of(&parts.uri)?,
        timeout: Some(timeout).filter(|timeout| *timeout != exchange::bounded(settings.timeout)),
        method: parts.method,
        headers: parts.headers,
        body: Some(body).filter(|body| !body.is_empty()),
        asked,
    })
}

/// The server that was asked first, in both of its forms. There hardly ever is another, and to read
/// its name is the larger part of reading a URL.
#[derive(Clone, Default)]
pub(crate) struct FirstServer(Arc<OnceLock<(Scheme, Authority, Url)>>);

impl FirstServer {
    /// `uri` as reqwest takes it; refused if its parser would send something else.
    fn url_of(&self, uri: &http::Uri) -> Result<Url, BackendError> {
        let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let url = match self.0.get() {
            // Two slashes begin the name of a server; so do a slash and a backslash, but then the path
            // below differs.
            Some((scheme, authority, url))
                if uri.scheme() == Some(scheme)
                    && uri.authority() == Some(authority)
                    && !target.starts_with("//") =>
            {
                url.join(target)
            }
            _ => self.parse(uri, target),
        };
        let url = url.map_err(|error| BackendError::new(BackendErrorKind::Request, error))?;
        if url.path() != uri.path() || url.query() != uri.query() {
            return Err(exchange::refuse("reqwest would rewrite this path or query"));
        }
        Ok(url)
    }

    fn parse(&self, uri: &http::Uri, target: &str) -> Result<Url, ParseError> {
        let scheme = uri.scheme().map_or("", Scheme::as_str);
        let authority = uri.authority().map_or("", Authority::as_str);
        // What is kept is read from the name of the server alone, whatever comes behind it.
        let server = Url::parse(&format!("{scheme}://{authority}/"))?;
        let url = Url::parse(&format!("{scheme}://{authority}{target}"))?;
        if let Some((scheme, authority)) = uri.scheme().zip(uri.authority()) {
            // If another call has set it meanwhile, that one stays.
            let _ = self.0.set((scheme.clone(), authority.clone(), server));
        }
        Ok(url)
    }
}

pub(crate) fn head_of(status: StatusCode, version: Version, headers: HeaderMap) -> response::Parts {
    let mut response = http::Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = version;
    *response.headers_mut() = headers;
    response.into_parts().0
}

pub(crate) fn failed(error: ::reqwest::Error) -> BackendError {
    // The URL may carry a query that is nobody's business in a log.
    let error = error.without_url();
    if error.is_timeout() {
        let connecting = error.is_connect();
        let error = BackendError::new(BackendErrorKind::Timeout, error);
        return if connecting { error.not_sent() } else { error };
    }
    let kind = if error.is_builder() {
        BackendErrorKind::Request
    } else if error.is_connect() {
        BackendErrorKind::Connect
    } else {
        kind_of_cause(&error)
    };
    BackendError::new(kind, error)
}

/// What is behind `error`, which says little by itself.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn causes(error: &::reqwest::Error) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn kind_of_cause(error: &::reqwest::Error) -> BackendErrorKind {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>() {
            if error.is_user() {
                return BackendErrorKind::Request;
            }
            if error.is_parse() {
                return BackendErrorKind::Protocol;
            }
            if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
                return BackendErrorKind::Closed;
            }
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match exchange::kind_of_io(error) {
                // The connection was there: what fails now may have been sent.
                BackendErrorKind::Connect => BackendErrorKind::Closed,
                kind => kind,
            };
        }
        cause = error.source();
    }
    BackendErrorKind::Other
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> http::Uri {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_server_does_not_stand_for_others() {
        for first in ["http://one.example/a", "http://one.example", "http://one.example/a?b=c"] {
            let server = FirstServer::default();
            for text in [
                first,
                "http://one.example/users/?a=%20b&c",
                "http://one.example:8000/users/",
                "https://one.example/users/",
                "http://two.example/users/",
                "http://[::1]/users/",
                "http://[::1]:80/users/",
                "http://one.example//two.example/users/",
                "http://one.example/users//two.example",
                "http://one.example/",
                "http://one.example/?a=b",
                "http://one.example/a:b/http://two.example/",
            ] {
                let url = server.url_of(&uri(text)).unwrap();
                assert_eq!(url, Url::parse(text).unwrap(), "{text} after {first}");
            }
            let url = server.url_of(&uri("http://ONE.example/users/")).unwrap();
            assert_eq!(url.as_str(), "http://one.example/users/");
        }
    }

    #[test]
    fn what_would_be_rewritten_is_refused_and_leaves_nothing_behind() {
        let server = FirstServer::default();
        let star = http::Uri::builder().scheme("http").authority("one.example");
        let star = star.path_and_query("*").build().unwrap();
        for _ in 0..2 {
            assert!(server.url_of(&star).is_err());
            for text in ["http://one.example/a/../b/", "http://one.example/%2e%2e/b/"] {
                assert!(server.url_of(&uri(text)).is_err(), "{text}");
            }
            let url = server.url_of(&uri("http://one.example/users/")).unwrap();
            assert_eq!(url.as_str(), "http://one.example/users/");
        }
    }
}
