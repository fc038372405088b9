use std::fmt;
use std::io;
use std::mem;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use ::reqwest::blocking::{Client, ClientBuilder, Request, Response};
use bytes::Bytes;
use tokio::runtime::Handle;

use super::HttpBackend;
use crate::backend::body::{self, BodyBuffer};
use crate::backend::exchange;
use crate::backend::reqwest::{FirstServer, client_builder, failed, head_of, outgoing};
use crate::backend::{BackendError, BackendErrorKind, TransportSettings};

/// Sends requests with the blocking client of `reqwest`.
///
/// That client runs a Tokio runtime of its own on a thread of its own. It must not be used where
/// blocking would hold up another runtime: inside of one, `spawn_blocking` included, making a
/// backend and executing a request fail with [`BackendErrorKind::Request`]. There, take
/// [`backend::ReqwestBackend`](crate::backend::ReqwestBackend), or a blocking backend without a
/// runtime: `UreqBackend`, `IsahcBackend`.
///
/// Clones share one connection pool. The proxy variables of the environment are not read. The
/// certificate authorities that the operating system trusts are trusted.
///
/// ```
/// use bytes::Bytes;
/// use keystone_client::backend::BackendErrorKind;
/// use keystone_client::blocking::{HttpBackend, ReqwestBackend};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backend = ReqwestBackend::new()?;
/// let request = http::Request::get("ftp://keystone.example.edu/").body(Bytes::new())?;
/// assert_eq!(backend.execute(request).unwrap_err().kind(), BackendErrorKind::Request);
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
    /// [`BackendErrorKind::Request`] inside a Tokio runtime, or if TLS cannot be initialised, as
    /// where the operating system has no certificate authorities.
    pub fn new() -> Result<Self, BackendError> {
        Self::with_settings(&TransportSettings::default())
    }

    /// A backend with these settings. With a time-out of the response, each request waits for it on
    /// a thread of its own.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new), and if this build cannot do what is set.
    pub fn with_settings(settings: &TransportSettings) -> Result<Self, BackendError> {
        refuse_inside_runtime()?;
        // The blocking client has a time-out of its own, 30 seconds unless it is set.
        let timeout = exchange::bounded(settings.timeout);
        let builder = ClientBuilder::from(client_builder(settings)?).timeout(timeout);
        let client = builder.build().map_err(failed)?;
        Ok(Self { client, settings: settings.clone(), server: FirstServer::default() })
    }

    /// What the request comes to, unless `limit` is up before its head is there.
    ///
    /// The client knows one time-out, which is that of the whole exchange, and its read time-out
    /// panics outside of a runtime.
    fn execute_within(
        &self,
        limit: Duration,
        request: Request,
    ) -> Result<Result<Response, ::reqwest::Error>, BackendError> {
        let (sender, receiver) = mpsc::channel();
        let client = self.client.clone();
        thread::Builder::new()
            .name("keystone-response".into())
            .spawn(move || {
                // Who waited may have gone.
                let _ = sender.send(client.execute(request));
            })
            .map_err(|error| BackendError::new(BackendErrorKind::Other, error).not_sent())?;
        receiver.recv_timeout(limit).map_err(|error| match error {
            RecvTimeoutError::Timeout => exchange::no_response_within(limit),
            error @ RecvTimeoutError::Disconnected => {
                BackendError::new(BackendErrorKind::Other, error)
            }
        })
    }
}

impl HttpBackend for ReqwestBackend {
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        refuse_inside_runtime()?;
        let outgoing = outgoing(request, &self.settings, &self.server)?;
        let mut request = Request::new(outgoing.method, outgoing.url);
        if outgoing.timeout.is_some() {
            *request.timeout_mut() = outgoing.timeout;
        }
        *request.headers_mut() = outgoing.headers;
        *request.body_mut() = outgoing.body.map(Into::into);

        let mut response = match self.settings.response_timeout {
            Some(limit) => self.execute_within(exchange::bounded(limit), request)?,
            None => self.client.execute(request),
        }
        .map_err(failed)?;
        let headers = mem::take(response.headers_mut());
        let mut head = head_of(response.status(), response.version(), headers);
        let mut buffer = BodyBuffer::new(&outgoing.asked, &head, &self.settings)?;
        if buffer.takes_whole() {
            // Bounded by what is announced, and so by the limit.
            buffer.push_owned(response.bytes().map_err(failed)?)?;
        } else {
            body::read_to_end(&mut response, &mut buffer, read_failed)?;
        }
        let body = buffer.finish(&mut head)?;
        Ok(http::Response::from_parts(head, body))
    }

    #[allow(clippy::disallowed_methods, reason = "an adapter is where waiting is done")]
    fn sleep(&self, duration: Duration) {
        thread::sleep(duration);
    }
}

impl fmt::Debug for ReqwestBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestBackend").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// reqwest panics there in debug builds, and holds up the runtime in the others.
fn refuse_inside_runtime() -> Result<(), BackendError> {
    if Handle::try_current().is_ok() {
        return Err(exchange::refuse(
            "the blocking reqwest backend cannot be used inside a Tokio runtime: take the async \
             client there, or `UreqBackend`, or call it from a thread of its own",
        ));
    }
    Ok(())
}

/// While reading, reqwest hides its error in an I/O error.
fn read_failed(error: io::Error) -> BackendError {
    match error.downcast::<::reqwest::Error>() {
        Ok(error) => failed(error),
        Err(error) => BackendError::new(BackendErrorKind::Closed, error),
    }
}
