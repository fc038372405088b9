//! Clocks that are put right, or wrong, between two calls.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, header};
use keystone_client::backend::{BackendError, BackendErrorKind, HttpBackend, Now, RequestTimeout};
use keystone_client::resources::NewCluster;
use keystone_client::sandbox::{Dialect, Sandbox};
use keystone_client::{KeystoneClient, RetryPolicy, blocking};

use crate::support::{BASE, awaited, finished};

const DAY: Duration = Duration::from_secs(86_400);

/// A machine whose wall clock goes forward a day, and back two, and so on; its other clock is steady.
#[derive(Clone)]
struct Jumping {
    sandbox: Sandbox,
    /// Whether the server tells the time.
    dated: bool,
    readings: Arc<AtomicI64>,
}

impl Jumping {
    fn new(dialect: Dialect, dated: bool) -> Self {
        let sandbox = Sandbox::builder().dialect(dialect).staff("admin", "admin-password").build();
        Self { sandbox, dated, readings: Arc::default() }
    }

    fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let mut response = blocking::HttpBackend::execute(&self.sandbox, request).unwrap();
        if !self.dated {
            response.headers_mut().remove(header::DATE);
        }
        response
    }

    fn read_clocks(&self) -> Now {
        let now = Now::system();
        let wall = match self.readings.fetch_add(1, Ordering::SeqCst) % 3 {
            0 => now.wall,
            1 => now.wall + DAY,
            _ => now.wall - DAY,
        };
        Now { wall, ..now }
    }

    /// How often the client has logged in or refreshed its token.
    fn renewals(&self) -> usize {
        let requests = self.sandbox.requests();
        let is_renewal = |path: &str| {
            ["/authentication/login/", "/authentication/new/", "/authentication/refresh/"]
                .contains(&path)
        };
        requests
            .iter()
            .filter(|request| *request.method() == http::Method::POST && is_renewal(request.path()))
            .count()
    }
}

impl HttpBackend for Jumping {
    async fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        Ok(self.answer(request))
    }

    async fn sleep(&self, _: Duration) {}

    fn now(&self) -> Now {
        self.read_clocks()
    }
}

impl blocking::HttpBackend for Jumping {
    fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        Ok(self.answer(request))
    }

    fn sleep(&self, _: Duration) {}

    fn now(&self) -> Now {
        self.read_clocks()
    }
}

/// A client that has logged in once stays logged in, and does not do so again.
macro_rules! stays_logged_in {
    ($client:ty, $go:ident, $jumping:expr) => {{
        let jumping: Jumping = $jumping;
        let client = <$client>::with_backend(BASE, jumping.clone()).unwrap();
        $go!(client.login("admin", "admin-password")).unwrap();
        for number in 0..50 {
            assert!(client.is_authenticated());
            let name = format!("cluster {number}");
            let cluster = $go!(client.create_cluster(NewCluster::new(&name))).unwrap();
            assert_eq!($go!(client.retrieve_cluster(cluster.id)).unwrap().name, name);
        }
        assert_eq!(jumping.renewals(), 1);
    }};
}

#[test]
fn a_login_outlives_every_jump() {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        for dated in [true, false] {
            for readings in 0..3 {
                let jumping = || {
                    let jumping = Jumping::new(dialect, dated);
                    jumping.readings.store(readings, Ordering::SeqCst);
                    jumping
                };
                pollster::block_on(async {
                    stays_logged_in!(KeystoneClient, awaited, jumping());
                });
                stays_logged_in!(blocking::KeystoneClient, finished, jumping());
            }
        }
    }
}

/// A token that is over by the server's word is renewed all the same.
#[test]
fn an_expiry_is_noticed_whatever_the_clock_says() {
    for readings in 0..3 {
        let jumping = Jumping::new(Dialect::Jwt, true);
        jumping.readings.store(readings, Ordering::SeqCst);
        let client = blocking::KeystoneClient::with_backend(BASE, jumping.clone()).unwrap();
        client.login("admin", "admin-password").unwrap();
        for expiries in 1..=10 {
            jumping.sandbox.expire_access_tokens();
            client.users().list().all().unwrap();
            assert_eq!(jumping.renewals(), 1 + expiries);
        }
    }
}

/// A server that answers at once, except that it never answers a refresh, nor what version it is of.
/// Time passes only there.
#[derive(Clone)]
struct Hanging {
    sandbox: Sandbox,
    started: Now,
    passed: Arc<Mutex<Duration>>,
}

impl Hanging {
    fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap() += time;
    }
}

impl blocking::HttpBackend for Hanging {
    fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        if ["/authentication/refresh/", "/version/"].contains(&request.uri().path()) {
            self.pass(RequestTimeout::of(&request).unwrap());
            return Err(BackendError::new(BackendErrorKind::Timeout, "it hangs"));
        }
        blocking::HttpBackend::execute(&self.sandbox, request)
    }

    fn sleep(&self, time: Duration) {
        self.pass(time);
    }

    fn now(&self) -> Now {
        let passed = *self.passed.lock().unwrap();
        Now { wall: self.started.wall + passed, monotonic: self.started.monotonic + passed }
    }
}

/// The present token is good for a while yet, and a call does with it, in the time that it has.
#[test]
fn an_early_refresh_that_hangs_keeps_no_call_from_its_answer() {
    let sandbox = Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "admin-password").build();
    for seconds in [3, 8, 60] {
        let passed = Arc::default();
        let hanging = Hanging { sandbox: sandbox.clone(), started: Now::system(), passed };
        let total = Duration::from_secs(seconds);
        let client = blocking::KeystoneClient::builder(BASE)
            .retry(RetryPolicy::default().with_total(total))
            .backend(hanging.clone())
            .build()
            .unwrap();
        client.login("admin", "admin-password").unwrap();
        hanging.pass(Duration::from_secs(275));
        let before = *hanging.passed.lock().unwrap();
        client.users().list().all().unwrap();
        let took = *hanging.passed.lock().unwrap() - before;
        assert!(!took.is_zero() && took < total, "{took:?} of {total:?}");
    }
}

/// A call that would rather know the server's version first does without it, in the time that it has.
#[test]
fn a_question_about_the_version_that_hangs_keeps_no_call_from_its_answer() {
    for seconds in [3, 8, 60] {
        let passed = Arc::default();
        let hanging = Hanging { sandbox: Sandbox::new(), started: Now::system(), passed };
        let total = Duration::from_secs(seconds);
        let client = blocking::KeystoneClient::builder(BASE)
            .retry(RetryPolicy::default().with_total(total))
            .backend(hanging.clone())
            .build()
            .unwrap();
        client.login("admin", "admin-password").unwrap();
        let clusters = client.clusters().filter(|c| c.name.not_eq("x")).all().unwrap();
        assert_eq!(clusters, []);
        let took = *hanging.passed.lock().unwrap();
        assert!(!took.is_zero() && took < total, "{took:?} of {total:?}");
    }
}
