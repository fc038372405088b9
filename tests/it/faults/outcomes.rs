//! What each fault comes to: as long as it lasts, once, and for a write.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use keystone_client::ErrorKind;
use keystone_client::sandbox::{Fault, Sandbox};
use serde_json::json;

use super::{SLACK, about_clusters, failing, timed, with_each};
use crate::support::callers::{Setup, Subject, direct};

/// What calls are expected to come to.
#[derive(Debug, Clone, Copy)]
struct Expected {
    /// `None` where the fault does no harm.
    kind: Option<ErrorKind>,
    /// Whether a backend may take the response or refuse it.
    either: bool,
    /// How often a read is sent, and how often a write.
    attempts: (u32, u32),
    may_have_been_sent: bool,
}

/// Calls succeed.
fn harmless() -> Expected {
    Expected { kind: None, either: false, attempts: (1, 1), may_have_been_sent: true }
}

/// A write is in doubt and not repeated; a read is.
fn doubtful(kind: ErrorKind) -> Expected {
    Expected { kind: Some(kind), attempts: (3, 1), ..harmless() }
}

/// Asking again would bring the same, and a write was or may have been carried out.
fn hopeless(kind: ErrorKind) -> Expected {
    Expected { kind: Some(kind), ..harmless() }
}

/// The server did nothing.
fn refused(kind: ErrorKind) -> Expected {
    Expected { may_have_been_sent: false, ..hopeless(kind) }
}

/// The server did nothing and may do it later.
fn throttled() -> Expected {
    Expected { attempts: (3, 3), ..refused(ErrorKind::Throttled) }
}

/// How many requests from now on meet the fault.
#[derive(Clone, Default)]
struct Armed(Arc<AtomicUsize>);

impl Armed {
    fn set(&self, requests: usize) {
        self.0.store(requests, Ordering::SeqCst);
    }

    /// Lets requests about clusters meet a fault as long as it is armed.
    fn inject(&self, sandbox: &Sandbox, fault: &Fault) {
        let (armed, fault) = (Arc::clone(&self.0), fault.clone());
        sandbox.inject_with(about_clusters(move || {
            let less = |left: usize| left.checked_sub(1);
            let is_armed = armed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
            is_armed.then(|| fault.clone())
        }));
    }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.insert("allocations/clusters", json!({ "name": "atlas" })).unwrap();
    sandbox
}

/// How many clusters the server has created.
fn created(sandbox: &Sandbox) -> usize {
    let requests = sandbox.requests();
    let creations = requests.iter().filter(|it| it.status() == Some(StatusCode::CREATED));
    creations.filter(|it| it.path() == "/allocations/clusters/").count()
}

/// Holds every client against a server with this fault.
fn check(fault: &Fault, expected: Expected) {
    check_with(&Setup::quick(), fault, expected);
}

fn check_with(setup: &Setup, fault: &Fault, expected: Expected) {
    with_each(|make| {
        let (sandbox, armed) = (sandbox(), Armed::default());
        armed.inject(&sandbox, fault);
        let server = sandbox.serve().unwrap();
        hold(&make(&server.url(), setup), setup, &sandbox, &armed, fault, expected);
    });
    let (sandbox, armed) = (sandbox(), Armed::default());
    armed.inject(&sandbox, fault);
    for subject in direct(&sandbox, setup) {
        hold(&subject, setup, &sandbox, &armed, fault, expected);
    }
}

fn hold(
    subject: &Subject,
    setup: &Setup,
    sandbox: &Sandbox,
    armed: &Armed,
    fault: &Fault,
    expected: Expected,
) {
    let at = format!("{}, {fault:?}", subject.name);
    let deadline = setup.retry.total() + SLACK;
    subject.wait(subject.client.log_in()).unwrap();

    // As long as it lasts.
    armed.set(usize::MAX);
    let (read, took) = timed(|| subject.wait(subject.client.retrieve(1)));
    assert!(took < deadline, "{at}: {took:?}");
    match (expected.kind, read) {
        (None, Ok(cluster)) => assert_eq!(cluster.name, "atlas", "{at}"),
        (Some(kind), Err(error)) => {
            assert_eq!(error.kind(), kind, "{at}: {error:?}");
            assert_eq!(error.attempts(), expected.attempts.0, "{at}: {error:?}");
            assert_eq!(error.may_have_been_sent(), expected.may_have_been_sent, "{at}: {error:?}");
        }
        (None, Err(error)) if expected.either => {
            assert_eq!(error.kind(), ErrorKind::Transport, "{at}: {error:?}");
        }
        (_, read) => panic!("{at}: {read:?}"),
    }

    // Once.
    armed.set(1);
    let read = subject.wait(subject.client.retrieve(1));
    match expected.kind {
        Some(kind) if expected.attempts.0 == 1 => {
            assert_eq!(read.unwrap_err().kind(), kind, "{at}");
        }
        _ => assert_eq!(read.unwrap().name, "atlas", "{at}"),
    }

    // A write: one request that is carried out, or none.
    armed.set(usize::MAX);
    sandbox.clear_requests();
    let (write, took) = timed(|| subject.wait(subject.client.create(subject.name)));
    assert!(took < deadline, "{at}: {took:?}");
    let executed = usize::from(fault.executes());
    assert_eq!(created(sandbox), executed, "{at}: {write:?}");
    match (expected.kind, write) {
        (None, Ok(cluster)) => assert_eq!(cluster.name, subject.name, "{at}"),
        (Some(kind), Err(error)) => {
            assert_eq!(error.kind(), kind, "{at}: {error:?}");
            assert_eq!(error.attempts(), expected.attempts.1, "{at}: {error:?}");
            assert_eq!(error.may_have_been_sent(), expected.may_have_been_sent, "{at}: {error:?}");
        }
        (None, Err(error)) if expected.either => {
            assert_eq!(error.kind(), ErrorKind::Transport, "{at}: {error:?}");
            assert!(error.may_have_been_sent(), "{at}: {error:?}");
        }
        (_, write) => panic!("{at}: {write:?}"),
    }

    // Then all is well, and each answer is that to its own question.
    armed.set(0);
    for _ in 0..2 {
        let found = subject.wait(subject.client.named(subject.name)).unwrap();
        assert_eq!(found.len(), executed, "{at}: {found:?}");
        assert_eq!(subject.wait(subject.client.retrieve(1)).unwrap().name, "atlas", "{at}");
    }
    assert!(subject.client.is_authenticated(), "{at}");
}

fn status(code: u16) -> Fault {
    Fault::status(StatusCode::from_u16(code).unwrap())
}

/// Between two bytes of a reply that comes byte by byte.
const DRIP: Duration = Duration::from_millis(25);

macro_rules! outcomes {
    ($($name:ident: $fault:expr => $expected:expr;)+) => {
        $(#[test]
        fn $name() {
            check(&$fault, $expected);
        })+
    };
}

outcomes! {
    an_unchanged_answer: Fault::alter(|response| response) => harmless();
    an_answer_in_time: Fault::delay(Duration::from_millis(50)) => harmless();
    an_answer_too_late: Fault::delay(Duration::from_secs(30)) => doubtful(ErrorKind::Timeout);
    closed_before_it_was_carried_out: Fault::disconnect() => doubtful(ErrorKind::Transport);
    closed_after_it_was_carried_out: Fault::disconnect().after_execution() => doubtful(ErrorKind::Transport);
    closed_within_the_head: Fault::cut_head() => doubtful(ErrorKind::Transport);
    closed_within_the_body: Fault::cut_body() => doubtful(ErrorKind::Transport);
    silent_before_it_was_carried_out: Fault::silence()
        => doubtful(ErrorKind::Timeout);
    silent_after_it_was_carried_out: Fault::silence().after_execution()
        => doubtful(ErrorKind::Timeout);
    silent_within_the_body: Fault::stall_body()
        => doubtful(ErrorKind::Timeout);
    a_head_drop_by_drop: Fault::drip(DRIP) => doubtful(ErrorKind::Timeout);
    a_body_drop_by_drop: Fault::drip_body(DRIP) => doubtful(ErrorKind::Timeout);
    more_than_was_announced: Fault::excess_bytes() => harmless();
    an_answer_that_nobody_asked_for: Fault::second_response() => harmless();
    chunks_without_size: Fault::malformed_chunks() => doubtful(ErrorKind::Transport);
    not_http: Fault::not_http() => doubtful(ErrorKind::Transport);
    a_page_of_an_error: status(500) => hopeless(ErrorKind::Server);
    a_page_of_an_error_after_the_fact: status(500).after_execution() => hopeless(ErrorKind::Server);
    bad_gateway: status(502) => doubtful(ErrorKind::Server);
    bad_gateway_after_the_fact: status(502).after_execution() => doubtful(ErrorKind::Server);
    unavailable: status(503) => doubtful(ErrorKind::Server);
    unavailable_after_the_fact: status(503).after_execution() => doubtful(ErrorKind::Server);
    gateway_timeout: status(504) => doubtful(ErrorKind::Server);
    gateway_timeout_after_the_fact: status(504).after_execution() => doubtful(ErrorKind::Server);
    unavailable_for_a_second: status(503)
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        => doubtful(ErrorKind::Server);
    too_many: status(429) => throttled();
    too_many_for_a_second: status(429)
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        => throttled();
    too_many_until_a_date_gone_by: status(429)

        .with_header(header::RETRY_AFTER, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT")) => throttled();
    some_useless_cookies: Fault::cookies(60, 60) => harmless();
    a_flood_of_cookies: Fault::cookies(200, 500)
        => Expected { either: true, ..harmless() };
    cookies_beyond_every_limit: Fault::cookies(1_000, 2_000)
        => Expected { either: true, ..harmless() };
    a_body_that_is_no_text: Fault::invalid_text() => hopeless(ErrorKind::Decode);
    a_header_that_is_no_text: Fault::invalid_header() => harmless();
    a_body_announced_too_large: Fault::oversized_body(2 * 1024 * 1024) => hopeless(ErrorKind::TooLarge);
    a_body_without_end: Fault::endless_body() => hopeless(ErrorKind::TooLarge);
    json_within_json: Fault::deep_json() => hopeless(ErrorKind::Decode);
}

/// Longer than the call may take: the error comes at once, and says when to try again.
#[test]
fn too_many_for_an_hour() {
    let date = httpdate::fmt_http_date(Sandbox::new().now() + Duration::from_secs(3_600));
    for retry_after in ["3600", &date] {
        let fault = status(429).with_header(header::RETRY_AFTER, retry_after.parse().unwrap());
        with_each(|make| {
            let server = failing(&sandbox(), &fault);
            let subject = make(&server.url(), &Setup::quick());
            subject.wait(subject.client.log_in()).unwrap();
            let (error, took) = timed(|| subject.wait(subject.client.create("x")).unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Throttled, "{}", subject.name);
            assert_eq!(error.attempts(), 1, "{}", subject.name);
            let wait = error.retry_after().unwrap().as_secs();
            assert!((3_500..=3_600).contains(&wait), "{}: {wait}", subject.name);
            assert!(!error.may_have_been_sent() && took < SLACK, "{}: {took:?}", subject.name);
        });
    }
}

/// The first of two deletes was carried out and nobody heard of it: the second finds nothing, which
/// does not mean that there was nothing.
#[test]
fn a_delete_whose_reply_was_lost_is_in_doubt() {
    with_each(|make| {
        let (sandbox, armed) = (sandbox(), Armed::default());
        armed.inject(&sandbox, &Fault::disconnect().after_execution());
        let server = sandbox.serve().unwrap();
        let subject = make(&server.url(), &Setup::quick());
        subject.wait(subject.client.log_in()).unwrap();
        armed.set(1);
        let error = subject.wait(subject.client.delete(1)).unwrap_err();
        assert_eq!(error.status(), Some(StatusCode::NOT_FOUND), "{}", subject.name);
        assert_eq!(error.attempts(), 2, "{}", subject.name);
        assert!(error.may_have_been_sent(), "{}", subject.name);
    });
}
