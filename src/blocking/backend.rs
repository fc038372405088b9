use std::time::Duration;

use bytes::Bytes;

use crate::backend::{BackendError, Now};

/// Carries HTTP requests for the blocking client; the twin of
/// [`HttpBackend`](crate::backend::HttpBackend), with the same contract.
///
/// ```
/// use std::time::Duration;
///
/// use bytes::Bytes;
/// use keystone_client::backend::BackendError;
/// use keystone_client::blocking::HttpBackend;
///
/// /// Answers every request with `200 OK` and an empty body.
/// struct AlwaysOk;
///
/// impl HttpBackend for AlwaysOk {
///     fn execute(
///         &self,
///         _request: http::Request<Bytes>,
///     ) -> Result<http::Response<Bytes>, BackendError> {
///         Ok(http::Response::new(Bytes::new()))
///     }
///
///     fn sleep(&self, _duration: Duration) {}
/// }
/// ```
pub trait HttpBackend: Send + Sync + 'static {
    /// Sends one request and returns the response, whatever its status.
    ///
    /// # Errors
    ///
    /// As for [`HttpBackend::execute`](crate::backend::HttpBackend::execute).
    fn execute(&self, request: http::Request<Bytes>)
    -> Result<http::Response<Bytes>, BackendError>;

    /// Waits; doubles record the time instead.
    fn sleep(&self, duration: Duration);

    /// Reads the clocks. Doubles with a virtual clock override it.
    fn now(&self) -> Now {
        Now::system()
    }
}
