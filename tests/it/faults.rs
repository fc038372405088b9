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

use keystone_client::{Error, ErrorKind, RetryPolicy};

use crate::support::callers::{BACKENDS, Make, Setup};
use crate::support::fault::Fault;
use crate::support::faulty::RequestSeen;

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

/// A rule that does something to requests about clusters and nothing to others.
fn about_clusters(fault: impl Fn() -> Fault) -> impl Fn(&RequestSeen) -> Fault {
    move |request| match request.is_about("/allocations/clusters/") {
        true => fault(),
        false => Fault::None,
    }
}
