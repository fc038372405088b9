use std::fmt;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;

use crate::backend::{BackendError, ExecuteResult, HttpBackend};
use crate::blocking;

/// A backend that answers by a function, for either client; made by [`from_fn`].
#[derive(Clone)]
pub struct FromFn<F>(F);

/// A backend that answers each request by calling `answer`. Waiting takes no time.
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use keystone_client::blocking::KeystoneClient;
/// use keystone_client::testing::from_fn;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let backend = from_fn(|request| {
///     assert_eq!(request.uri().path(), "/version/");
///     Ok(Response::new(Bytes::from_static(b"0.10.9")))
/// });
/// let client = KeystoneClient::with_backend("https://keystone.example.edu", backend)?;
/// assert_eq!(client.version().send()?, "0.10.9");
/// # Ok(()) }
/// ```
pub fn from_fn<F>(answer: F) -> FromFn<F>
where
    F: Fn(http::Request<Bytes>) -> Result<http::Response<Bytes>, BackendError>
        + Send
        + Sync
        + 'static,
{
    FromFn(answer)
}

impl<F> HttpBackend for FromFn<F>
where
    F: Fn(http::Request<Bytes>) -> Result<http::Response<Bytes>, BackendError>
        + Send
        + Sync
        + 'static,
{
    async fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        (self.0)(request)
    }

    async fn sleep(&self, _duration: Duration) {}
}

impl<F> blocking::HttpBackend for FromFn<F>
where
    F: Fn(http::Request<Bytes>) -> Result<http::Response<Bytes>, BackendError>
        + Send
        + Sync
        + 'static,
{
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        (self.0)(request)
    }

    fn sleep(&self, _duration: Duration) {}
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromFn").finish_non_exhaustive()
    }
}

/// A backend that answers by an async function, for the async client; made by [`from_async_fn`].
#[derive(Clone)]
pub struct FromAsyncFn<F>(F);

/// A backend that answers each request by awaiting `answer`, for doubles that have to wait for
/// something: a channel, a lock, another task. Waiting between attempts takes no time.
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use keystone_client::KeystoneClient;
/// use keystone_client::testing::from_async_fn;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # pollster::block_on(async {
/// let backend = from_async_fn(async |request: http::Request<Bytes>| {
///     assert_eq!(request.uri().path(), "/version/");
///     Ok(Response::new(Bytes::from_static(b"0.10.9")))
/// });
/// let client = KeystoneClient::with_backend("https://keystone.example.edu", backend)?;
/// assert_eq!(client.version().await?, "0.10.9");
/// # Ok(()) }) }
/// ```
pub fn from_async_fn<F, A>(answer: F) -> FromAsyncFn<F>
where
    F: Fn(http::Request<Bytes>) -> A + Send + Sync + 'static,
    A: Future<Output = Result<http::Response<Bytes>, BackendError>> + Send,
{
    FromAsyncFn(answer)
}

impl<F, A> HttpBackend for FromAsyncFn<F>
where
    F: Fn(http::Request<Bytes>) -> A + Send + Sync + 'static,
    A: Future<Output = Result<http::Response<Bytes>, BackendError>> + Send,
{
    async fn execute(&self, request: http::Request<Bytes>) -> ExecuteResult {
        (self.0)(request).await
    }

    async fn sleep(&self, _duration: Duration) {}
}

impl<F> fmt::Debug for FromAsyncFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromAsyncFn").finish_non_exhaustive()
    }
}
