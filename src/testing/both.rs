//! Backends for both clients from one body.

/// Implements both traits for a type with `answer(&self, &http::Request<Bytes>) -> ExecuteResult` and
/// `clock(&self)`, which has `sleep` and `now`.
macro_rules! both_backends {
    ($name:ty) => {
        impl $crate::backend::HttpBackend for $name {
            async fn execute(
                &self,
                request: http::Request<bytes::Bytes>,
            ) -> $crate::backend::ExecuteResult {
                self.answer(&request)
            }

            async fn sleep(&self, duration: std::time::Duration) {
                self.clock().sleep(duration);
            }

            fn now(&self) -> $crate::backend::Now {
                self.clock().now()
            }
        }

        impl $crate::blocking::HttpBackend for $name {
            fn execute(
                &self,
                request: http::Request<bytes::Bytes>,
            ) -> $crate::backend::ExecuteResult {
                self.answer(&request)
            }

            fn sleep(&self, duration: std::time::Duration) {
                self.clock().sleep(duration);
            }

            fn now(&self) -> $crate::backend::Now {
                self.clock().now()
            }
        }
    };
}

pub(super) use both_backends;
