//! Any number of callers cause one refresh, and share what comes of it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use keystone_client::backend::{BackendError, HttpBackend, Now};
use keystone_client::credentials::Credentials;
use keystone_client::sandbox::{self, Sandbox};
use keystone_client::session_store::FileSessionStore;
use keystone_client::testing::from_fn;
use keystone_client::{ErrorKind, KeystoneClient, RetryPolicy, blocking};

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

/// A server behind a door: requests to `path` wait until it is opened.
#[derive(Clone)]
struct Gated<B = Sandbox> {
    server: B,
    path: &'static str,
    door: Arc<Mutex<Door>>,
}

#[derive(Default)]
struct Door {
    is_open: bool,
    /// How many requests have come to it.
    came: usize,
    wakers: Vec<Waker>,
}

impl<B> Gated<B> {
    fn new(server: B, path: &'static str) -> Self {
        Self { server, path, door: Arc::default() }
    }

    fn open(&self) {
        let mut door = self.door.lock().unwrap();
        door.is_open = true;
        door.wakers.drain(..).for_each(Waker::wake);
    }

    fn came(&self) -> usize {
        self.door.lock().unwrap().came
    }
}

impl<B: HttpBackend> HttpBackend for Gated<B> {
    async fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        if request.uri().path() == self.path {
            self.door.lock().unwrap().came += 1;
            poll_fn(|context| {
                let mut door = self.door.lock().unwrap();
                if door.is_open {
                    return Poll::Ready(());
                }
                door.wakers.push(context.waker().clone());
                Poll::Pending
            })
            .await;
        }
        self.server.execute(request).await
    }

    async fn sleep(&self, duration: Duration) {
        self.server.sleep(duration).await;
    }

    fn now(&self) -> Now {
        self.server.now()
    }
}

/// A client whose access token is refused, and the door before the refresh.
fn gated_client() -> (KeystoneClient, Gated) {
    let sandbox =
        Sandbox::builder().dialect(sandbox::Dialect::Jwt).staff("admin", "admin-password").build();
    let gated = Gated::new(sandbox.clone(), "/authentication/refresh/");
    let client =
        KeystoneClient::builder("https://keystone.test").backend(gated.clone()).build().unwrap();
    pollster::block_on(client.login("admin", "admin-password")).unwrap();
    sandbox.expire_access_tokens();
    (client, gated)
}

fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_caller_that_is_dropped_hands_over() {
    let (client, gated) = gated_client();
    let mut leader = client.users().list().count().send();
    let mut follower = client.users().list().count().send();
    assert!(poll_once(&mut leader).is_pending());
    assert!(poll_once(&mut follower).is_pending());
    drop(leader);
    gated.open();
    assert_eq!(pollster::block_on(follower).unwrap(), 1);
    assert_eq!(gated.came(), 1, "the same refresh goes on");
}

/// As when a task waits for something else and keeps the future of a call.
#[test]
fn a_caller_that_is_not_polled_holds_up_nobody() {
    let (client, gated) = gated_client();
    let mut idle = client.users().list().count().send();
    assert!(poll_once(&mut idle).is_pending());
    gated.open();
    let other = client.users().list().count().send();
    assert_eq!(pollster::block_on(other).unwrap(), 1);
    assert_eq!(pollster::block_on(idle).unwrap(), 1);
    assert_eq!(gated.came(), 1);
}

/// Nobody waits for the refresh any more, so it is given up; who comes later begins anew.
#[test]
fn when_all_are_dropped_the_next_begins_anew() {
    let (client, gated) = gated_client();
    let mut calls = [client.users().list().count().send(), client.users().list().count().send()];
    calls.iter_mut().for_each(|call| assert!(poll_once(call).is_pending()));
    drop(calls);
    gated.open();
    assert_eq!(pollster::block_on(client.users().list().count()).unwrap(), 1);
    assert_eq!(gated.came(), 2);
}

#[test]
fn many_tasks_cause_one_login() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let sandbox = Sandbox::new();
    let gated = Gated::new(sandbox.clone(), "/authentication/login/");
    let client = KeystoneClient::builder("https://keystone.test")
        .credentials(Credentials::new("admin", "admin-password"))
        .backend(gated.clone())
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..5 {
            let calls: Vec<_> = (0..64)
                .map(|_| {
                    let client = client.clone();
                    tokio::spawn(async move { client.users().list().count().await })
                })
                .collect();
            gated.open();
            for call in calls {
                assert_eq!(call.await.unwrap().unwrap(), 1);
            }
            sandbox.expire_sessions();
        }
    });
    let requests = sandbox.requests();
    let logins = requests.iter().filter(|it| it.path() == "/authentication/login/");
    assert_eq!(logins.filter(|it| it.method() == "POST").count(), 5);
}

/// The login that is under way comes too late for whoever has logged out meanwhile.
#[test]
fn who_logs_out_while_the_client_logs_in_stays_out() {
    let sandbox = Sandbox::new();
    let gated = Gated::new(sandbox.clone(), "/authentication/login/");
    let client = KeystoneClient::builder("https://keystone.test")
        .credentials(Credentials::new("admin", "admin-password"))
        .backend(gated.clone())
        .build()
        .unwrap();
    let mut call = client.users().list().count().send();
    assert!(poll_once(&mut call).is_pending());
    pollster::block_on(client.logout()).unwrap();
    gated.open();
    assert_eq!(pollster::block_on(call).unwrap_err().kind(), ErrorKind::NotLoggedIn);
    assert!(!client.is_authenticated());
    let requests = sandbox.requests();
    let seen: Vec<&str> = requests.iter().map(|request| request.path()).collect();
    assert_eq!(
        seen,
        [
            "/authentication/login/",
            "/authentication/login/",
            "/authentication/logout/",
            "/users/users/"
        ],
        "the session that nobody wants any more is ended"
    );
}

/// The refresh that is under way must not bring the login back into the store.
#[test]
fn who_logs_out_while_the_token_is_refreshed_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox =
        Sandbox::builder().dialect(sandbox::Dialect::Jwt).staff("admin", "admin-password").build();
    let gated = Gated::new(sandbox.clone(), "/authentication/refresh/");
    let client = KeystoneClient::builder("https://keystone.test")
        .session_store(FileSessionStore::at(folder.path()), "admin")
        .backend(gated.clone())
        .build()
        .unwrap();
    pollster::block_on(client.login("admin", "admin-password")).unwrap();
    let kept = || std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(kept(), 1);
    sandbox.expire_access_tokens();
    let mut call = client.users().list().count().send();
    assert!(poll_once(&mut call).is_pending());
    pollster::block_on(client.logout()).unwrap();
    gated.open();
    assert!(pollster::block_on(call).unwrap_err().is_unauthenticated());
    assert_eq!(kept(), 0);
    assert!(!client.is_authenticated());
}

/// A client whose access token is refused and whose first refresh fails, and the doors before its
/// lists and before the refresh.
fn failing_client() -> (KeystoneClient, Sandbox, Gated<Failing>, Gated) {
    let sandbox =
        Sandbox::builder().dialect(sandbox::Dialect::Jwt).staff("admin", "admin-password").build();
    let refreshes = Gated::new(sandbox.clone(), "/authentication/refresh/");
    let failing = Failing { inner: refreshes.clone(), failures: Arc::new(AtomicUsize::new(1)) };
    let lists = Gated::new(failing, "/users/users/");
    let client = KeystoneClient::builder("https://keystone.test")
        .retry(RetryPolicy::never().with_total(Duration::from_secs(600)))
        .backend(lists.clone())
        .build()
        .unwrap();
    pollster::block_on(client.login("admin", "admin-password")).unwrap();
    sandbox.expire_access_tokens();
    (client, sandbox, lists, refreshes)
}

/// Who needs the refresh is not content with the one short attempt of who does not.
#[test]
fn a_refresh_in_a_hurry_is_not_the_last_word() {
    let (client, sandbox, lists, refreshes) = failing_client();
    // One call is on its way with a token that the server will refuse, …
    let mut needs = client.users().list().count().send();
    assert!(poll_once(&mut needs).is_pending());
    // … and by now it is time for a refresh anyway, which another call begins.
    sandbox.advance(Duration::from_secs(285));
    let mut early = client.clusters().list().count().send();
    assert!(poll_once(&mut early).is_pending());
    lists.open();
    assert!(poll_once(&mut needs).is_pending());
    assert_eq!(refreshes.came(), 1);
    refreshes.open();
    assert_eq!(pollster::block_on(needs).unwrap(), 1);
    assert_eq!(pollster::block_on(early).unwrap(), 0);
    assert_eq!(refreshes.came(), 2);
}

/// It was under way when the refresh failed, and is refused for the same reason.
#[test]
fn who_comes_late_shares_the_failure() {
    let (client, _, lists, refreshes) = failing_client();
    let mut calls = [client.users().list().count().send(), client.users().list().count().send()];
    calls.iter_mut().for_each(|call| assert!(poll_once(call).is_pending()));
    lists.open();
    refreshes.open();
    for call in calls {
        assert_eq!(pollster::block_on(call).unwrap_err().kind(), ErrorKind::Server);
    }
    assert_eq!(refreshes.came(), 1);
    // Whoever comes after that tries again.
    assert_eq!(pollster::block_on(client.users().list().count()).unwrap(), 1);
}

/// Fails the first refreshes after they were let through.
#[derive(Clone)]
struct Failing {
    inner: Gated,
    failures: Arc<AtomicUsize>,
}

impl HttpBackend for Failing {
    async fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        let is_refresh = request.uri().path() == self.inner.path;
        let response = self.inner.execute(request).await?;
        let fails = |left: usize| left.checked_sub(1);
        let order = Ordering::SeqCst;
        if is_refresh && self.failures.fetch_update(order, order, fails).is_ok() {
            let mut failure = http::Response::new(Bytes::new());
            *failure.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return Ok(failure);
        }
        Ok(response)
    }

    async fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration).await;
    }

    fn now(&self) -> Now {
        self.inner.now()
    }
}

#[test]
fn a_backend_that_panics_hurts_one_caller() {
    let sandbox = Sandbox::new();
    let server = sandbox.clone();
    let panics = AtomicUsize::new(1);
    let backend = from_fn(move |request| {
        let is_login = request.method() == "POST" && request.uri().path().ends_with("/login/");
        if is_login && panics.swap(0, Ordering::SeqCst) == 1 {
            panic!("as the test wants it");
        }
        Ok(server.handle(request))
    });
    let client = blocking::KeystoneClient::builder("https://keystone.test")
        .credentials(Credentials::new("admin", "admin-password"))
        .backend(backend)
        .build()
        .unwrap();
    let other = client.clone();
    assert!(thread::spawn(move || other.users().list().count().send()).join().is_err());
    assert_eq!(client.users().list().count().send().unwrap(), 1);
}

/// One call finds that the login is over for good while another is under way, which then finds none
/// and brings a new one.
#[test]
fn a_login_that_another_call_ended_is_replaced() {
    let sandbox =
        Sandbox::builder().dialect(sandbox::Dialect::Jwt).staff("admin", "admin-password").build();
    let server = sandbox.clone();
    let client = Arc::new(OnceLock::<blocking::KeystoneClient>::new());
    let (other, times) = (Arc::clone(&client), AtomicUsize::new(0));
    let backend = from_fn(move |request| {
        if request.uri().path() == "/allocations/clusters/"
            && times.fetch_add(1, Ordering::SeqCst) == 0
        {
            let error = other.get().unwrap().users().list().all().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SessionExpired);
        }
        if request.uri().path() == "/users/users/" {
            server.expire_access_tokens();
        }
        Ok(server.handle(request))
    });
    let built = blocking::KeystoneClient::builder("https://keystone.test")
        .credentials(Credentials::new("admin", "admin-password"))
        .backend(backend)
        .build()
        .unwrap();
    let client = client.get_or_init(|| built);
    client.authenticate().unwrap();
    assert_eq!(client.clusters().list().all().unwrap(), []);
}

/// The login ends twice while a call is under way. It is renewed each time, and no more than that.
#[test]
fn a_login_that_ends_again_is_renewed_again() {
    let sandbox =
        Sandbox::builder().dialect(sandbox::Dialect::Jwt).staff("admin", "admin-password").build();
    let server = sandbox.clone();
    let client = Arc::new(OnceLock::<blocking::KeystoneClient>::new());
    let (other, times) = (Arc::clone(&client), AtomicUsize::new(0));
    let backend = from_fn(move |request| {
        if request.uri().path() == "/allocations/clusters/" {
            match times.fetch_add(1, Ordering::SeqCst) {
                0 => server.expire_access_tokens(),
                1 => {
                    // Others do well with the new one, for a while.
                    other.get().unwrap().users().list().all().unwrap();
                    server.expire_access_tokens();
                }
                _ => {}
            }
        }
        Ok(server.handle(request))
    });
    let built = blocking::KeystoneClient::with_backend("https://keystone.test", backend).unwrap();
    let client = client.get_or_init(|| built);
    client.login("admin", "admin-password").unwrap();
    assert_eq!(client.clusters().list().all().unwrap(), []);
    let renewals = sandbox.requests();
    let renewals = renewals.iter().filter(|it| it.path() == "/authentication/refresh/");
    assert_eq!(renewals.count(), 2);
}

/// A server that accepts every login elsewhere and never here is not asked for ever.
#[test]
fn a_call_that_is_refused_again_and_again_gives_up() {
    let sandbox = Sandbox::new();
    let client = Arc::new(OnceLock::<blocking::KeystoneClient>::new());
    let (server, other) = (sandbox.clone(), Arc::clone(&client));
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&refused);
    let backend = from_fn(move |request| {
        if request.uri().path() == "/allocations/clusters/" {
            counted.fetch_add(1, Ordering::SeqCst);
            other.get().unwrap().users().list().count().send().unwrap();
            server.expire_sessions();
        }
        Ok(server.handle(request))
    });
    let built = blocking::KeystoneClient::builder("https://keystone.test")
        .credentials(Credentials::new("admin", "admin-password"))
        .backend(backend)
        .build()
        .unwrap();
    let client = client.get_or_init(|| built);
    let error = client.clusters().list().all().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionExpired);
    assert_eq!(refused.load(Ordering::SeqCst), 4);
}
