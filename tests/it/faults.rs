//! Servers that fail in every way there is, over real sockets, with every backend in each colour:
//! each fault is an error of its kind, says whether the call may have been carried out, and is never
//! answered by a second write.

mod clocks;
mod logins;
mod outcomes;
mod restarts;
mod strangers;

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use keystone_client::sandbox::{Fault, FaultRule, Sandbox, SandboxServer};
use keystone_client::{Error, ErrorKind, RetryPolicy};

use crate::support::callers::{BACKENDS, Make, Setup};

/// Asks the same of every backend in each colour, at the same time.
fn with_each(test: impl Fn(Make) + Sync) {
    let test = &test;
    thread::scope(|scope| {
        for make in BACKENDS {
            scope.spawn(move || test(make));
        }
    });
}

/// What a call came to, and how long it took.
fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    #[allow(clippy::disallowed_methods, reason = "deadlines are of real time")]
    let started = Instant::now();
    let outcome = act();
    (outcome, started.elapsed())
}

/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_secs(2);

/// The address of a port on which nothing listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn nobody_listens() {
    let url = nobody();
    let setup = Setup { retry: RetryPolicy::default().with_max_attempts(2), ..Setup::quick() };
    for make in BACKENDS {
        let subject = make(&url, &setup);
        let backend = subject.name;
        let error: Error = subject.wait(subject.client.delete(1)).unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 2), "{backend}");
        assert!(!error.may_have_been_sent(), "{backend}");
        assert!(error.to_string().contains(&url), "{backend}: {error}");
        let causes = format!("{error:#}").to_lowercase();
        let says_why = causes.contains("refused") || causes.contains("connect to server");
        assert!(says_why, "{backend}: {causes}");
    }
}

/// The faults of a function for requests about clusters, and none for others.
fn about_clusters(fault: impl Fn() -> Option<Fault>) -> impl Fn(&Request<Bytes>) -> Option<Fault> {
    move |request| {
        let is_about_clusters = request.uri().path().starts_with("/allocations/clusters/");
        is_about_clusters.then(&fault).flatten()
    }
}

/// A server that does this to all requests about clusters.
fn failing(sandbox: &Sandbox, fault: &Fault) -> SandboxServer {
    sandbox.inject(FaultRule::new(fault.clone()).path("/allocations/clusters/"));
    sandbox.serve().unwrap()
}
