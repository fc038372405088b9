use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::backend::{BackendError, HttpBackend};
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
