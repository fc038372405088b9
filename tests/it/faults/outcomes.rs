//! What each fault comes to: as long as it lasts, once, and for a write.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, StatusCode, header};
use keystone_client::ErrorKind;
use keystone_client::sandbox::Sandbox;
use serde_json::json;

use super::{SLACK, about_clusters, timed, with_each};
use crate::support::callers::{Setup, Subject, direct};
use crate::support::fault::{At, Fault};
use crate::support::faulty::{Faulty, RequestSeen};

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

    fn rule(&self, fault: &Fault) -> impl Fn(&RequestSeen) -> Fault + Clone + Send + Sync + use<> {
        let (armed, fault) = (Arc::clone(&self.0), fault.clone());
        move |request| {
            about_clusters(|| {
                let less = |left: usize| left.checked_sub(1);
                match armed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less) {
                    Ok(_) => fault.clone(),
                    Err(_) => Fault::None,
                }
            })(request)
        }
    }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.insert("allocations/clusters", json!({ "name": "atlas" })).unwrap();
    sandbox
}

/// How many writes of clusters the server has carried out.
fn created(sandbox: &Sandbox) -> usize {
    let requests = sandbox.requests();
    let is_create = |method: &Method, path: &str| {
        *method == Method::POST && path.starts_with("/allocations/clusters/")
    };
    requests.iter().filter(|request| is_create(request.method(), request.path())).count()
}

/// Holds every client against a server with this fault.
fn check(fault: &Fault, expected: Expected) {
    check_with(&Setup::quick(), fault, expected);
}

fn check_with(setup: &Setup, fault: &Fault, expected: Expected) {
    with_each(|make| {
        let (sandbox, armed) = (sandbox(), Armed::default());
        let server = Faulty::start(&sandbox, armed.rule(fault));
        hold(&make(&server.url(), setup), setup, &sandbox, &armed, fault, expected);
    });
    let (sandbox, armed) = (sandbox(), Armed::default());
    for subject in direct(&sandbox, setup, armed.rule(fault)) {
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

macro_rules! outcomes {
    ($($name:ident: $fault:expr => $expected:expr;)+) => {
        $(#[test]
        fn $name() {
            check(&$fault, $expected);
        })+
    };
}

outcomes! {
    no_fault: Fault::None => harmless();
    closed_before_it_was_carried_out: Fault::Lost { executed: false } => doubtful(ErrorKind::Transport);
    closed_after_it_was_carried_out: Fault::Lost { executed: true } => doubtful(ErrorKind::Transport);
    closed_within_the_head: Fault::Cut(At::Head) => doubtful(ErrorKind::Transport);
    closed_within_the_body: Fault::Cut(At::Body) => doubtful(ErrorKind::Transport);
    silent_before_it_was_carried_out: Fault::Stall { executed: false, at: At::Head }
        => doubtful(ErrorKind::Timeout);
    silent_after_it_was_carried_out: Fault::Stall { executed: true, at: At::Head }
        => doubtful(ErrorKind::Timeout);
    silent_within_the_body: Fault::Stall { executed: true, at: At::Body }
        => doubtful(ErrorKind::Timeout);
    a_head_drop_by_drop: Fault::Drip(At::Head) => doubtful(ErrorKind::Timeout);
    a_body_drop_by_drop: Fault::Drip(At::Body) => doubtful(ErrorKind::Timeout);
    more_than_was_announced: Fault::Overlong => harmless();
    an_answer_that_nobody_asked_for: Fault::Smuggled => harmless();
    chunks_without_size: Fault::BadChunks => doubtful(ErrorKind::Transport);
    not_http: Fault::NotHttp => doubtful(ErrorKind::Transport);
    a_page_of_an_error: Fault::status(500, false) => hopeless(ErrorKind::Server);
    a_page_of_an_error_after_the_fact: Fault::status(500, true) => hopeless(ErrorKind::Server);
    bad_gateway: Fault::status(502, false) => doubtful(ErrorKind::Server);
    bad_gateway_after_the_fact: Fault::status(502, true) => doubtful(ErrorKind::Server);
    unavailable: Fault::status(503, false) => doubtful(ErrorKind::Server);
    unavailable_after_the_fact: Fault::status(503, true) => doubtful(ErrorKind::Server);
    gateway_timeout: Fault::status(504, false) => doubtful(ErrorKind::Server);
    gateway_timeout_after_the_fact: Fault::status(504, true) => doubtful(ErrorKind::Server);
    unavailable_for_a_second: Fault::status(503, false).with_header(header::RETRY_AFTER, "1")
        => doubtful(ErrorKind::Server);
    too_many: Fault::status(429, false) => throttled();
    too_many_for_a_second: Fault::status(429, false).with_header(header::RETRY_AFTER, "1")
        => throttled();
    too_many_until_a_date_gone_by: Fault::status(429, false)
        .with_header(header::RETRY_AFTER, "Sun, 06 Nov 1994 08:49:37 GMT") => throttled();
    some_useless_cookies: Fault::Cookies { number: 60, length: 60 } => harmless();
    a_flood_of_cookies: Fault::Cookies { number: 200, length: 500 }
        => Expected { either: true, ..harmless() };
    cookies_beyond_every_limit: Fault::Cookies { number: 1_000, length: 2_000 }
        => Expected { either: true, ..harmless() };
    a_body_that_is_no_text: Fault::InvalidText => hopeless(ErrorKind::Decode);
    a_header_that_is_no_text: Fault::InvalidHeader => harmless();
    a_body_announced_too_large: Fault::Announced(2 * 1024 * 1024) => hopeless(ErrorKind::TooLarge);
    a_body_without_end: Fault::Endless => hopeless(ErrorKind::TooLarge);
    json_within_json: Fault::Deep => hopeless(ErrorKind::Decode);
}

/// Longer than the call may take: the error comes at once, and says when to try again.
#[test]
fn too_many_for_an_hour() {
    let date = httpdate::fmt_http_date(Sandbox::new().now() + Duration::from_secs(3_600));
    for retry_after in ["3600", &date] {
        let fault = Fault::status(429, false).with_header(header::RETRY_AFTER, retry_after);
        with_each(|make| {
            let fault = fault.clone();
            let server = Faulty::start(&sandbox(), about_clusters(move || fault.clone()));
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
        let server = Faulty::start(&sandbox, armed.rule(&Fault::Lost { executed: true }));
        let subject = make(&server.url(), &Setup::quick());
        subject.wait(subject.client.log_in()).unwrap();
        armed.set(1);
        let error = subject.wait(subject.client.delete(1)).unwrap_err();
        assert_eq!(error.status(), Some(StatusCode::NOT_FOUND), "{}", subject.name);
        assert_eq!(error.attempts(), 2, "{}", subject.name);
        assert!(error.may_have_been_sent(), "{}", subject.name);
    });
}
