//! The backend traits can be mocked by mockall.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use keystone_client::backend::{BackendError, HttpBackend};
use keystone_client::{KeystoneClient, blocking};
use mockall::mock;

mock! {
    Backend {}

    impl HttpBackend for Backend {
        async fn execute(
            &self,
            request: http::Request<Bytes>,
        ) -> Result<Response<Bytes>, BackendError>;
        async fn sleep(&self, duration: Duration);
    }
}

mock! {
    BlockingBackend {}

    impl blocking::HttpBackend for BlockingBackend {
        fn execute(&self, request: http::Request<Bytes>) -> Result<Response<Bytes>, BackendError>;
        fn sleep(&self, duration: Duration);
    }
}

fn version(request: &http::Request<Bytes>) -> bool {
    request.uri().path() == "/version/"
}

#[test]
fn the_async_backend() {
    let mut backend = MockBackend::new();
    backend
        .expect_execute()
        .withf(version)
        .once()
        .returning(|_| Ok(Response::new(Bytes::from_static(b"0.10.9\n"))));
    backend.expect_sleep().never();
    let client = KeystoneClient::with_backend("https://keystone.test", backend).unwrap();
    assert_eq!(pollster::block_on(client.version().send()).unwrap(), "0.10.9");
}

#[test]
fn the_blocking_backend() {
    let mut backend = MockBlockingBackend::new();
    backend
        .expect_execute()
        .withf(version)
        .once()
        .returning(|_| Ok(Response::new(Bytes::from_static(b"0.10.9"))));
    let client = blocking::KeystoneClient::with_backend("https://keystone.test", backend).unwrap();
    assert_eq!(client.version().send().unwrap(), "0.10.9");
}
