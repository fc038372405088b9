//! Any number of callers cause one refresh, and share what comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bytes::Bytes;
use http::StatusCode;
use keystone_client::sandbox::{self, Sandbox};
use keystone_client::testing::from_fn;
use keystone_client::{ErrorKind, RetryPolicy, blocking};

/// How many callers there are in the tests of threads.
const CALLERS: usize = 16;

/// A sandbox whose access tokens are no longer accepted, a client of it that has logged in, and the
/// number of refreshes. A refresh is answered, by `answer`, once every caller has met its 401.
fn refused_client(
    answer: fn(&Sandbox, http::Request<Bytes>) -> http::Response<Bytes>,
) -> (blocking::KeystoneClient, Arc<AtomicUsize>) {
    let sandbox =
        Sandbox::builder().dialect(sandbox::Dialect::Jwt).staff("admin", "admin-password").build();
    let refreshes = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refreshes);
    let refused = AtomicUsize::new(0);
    let server = sandbox.clone();
    let backend = from_fn(move |request| {
        if request.uri().path() == "/authentication/refresh/" {
            counted.fetch_add(1, Ordering::SeqCst);
            while refused.load(Ordering::SeqCst) < CALLERS {
                thread::yield_now();
            }
            return Ok(answer(&server, request));
        }
        let response = server.handle(request);
        if response.status() == StatusCode::UNAUTHORIZED {
            refused.fetch_add(1, Ordering::SeqCst);
        }
        Ok(response)
    });
    let client = blocking::KeystoneClient::builder("https://keystone.test")
        .retry(RetryPolicy::never())
        .backend(backend)
        .build()
        .unwrap();
    client.login("admin", "admin-password").unwrap();
    sandbox.expire_access_tokens();
    (client, refreshes)
}

#[test]
fn many_threads_cause_one_refresh() {
    let (client, refreshes) = refused_client(|sandbox, request| sandbox.handle(request));
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| client.users().list().all().unwrap());
        }
    });
    assert_eq!(refreshes.load(Ordering::SeqCst), 1);
}

#[test]
fn many_threads_share_the_failure_of_one_refresh() {
    let (client, refreshes) = refused_client(|_, _| {
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response
    });
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let error = client.users().list().all().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Server);
                assert_eq!(error.status(), Some(StatusCode::SERVICE_UNAVAILABLE));
                assert!(error.is_transient());
            });
        }
    });
    assert_eq!(refreshes.load(Ordering::SeqCst), 1);
    assert!(client.is_authenticated(), "the refresh token may still be good");
}
