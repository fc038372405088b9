//! Faults that hit what the client asks by itself: logins and refreshes.

use http::{Method, StatusCode};
use keystone_client::ErrorKind;
use keystone_client::sandbox::{Dialect, Fault, FaultRule, Sandbox, SandboxServer};

use super::with_each;
use crate::support::callers::Setup;

const REFRESH: &str = "/authentication/refresh/";

fn jwt() -> Sandbox {
    Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "admin-password").build()
}

/// A server that does this to the first so many requests to a path.
fn failing_at(sandbox: &Sandbox, path: &str, fault: &Fault, times: usize) -> SandboxServer {
    sandbox.inject(FaultRule::new(fault.clone()).path(path).times(times));
    sandbox.serve().unwrap()
}

/// How many requests to a path the server has answered.
fn answered(sandbox: &Sandbox, path: &str) -> usize {
    let requests = sandbox.requests();
    let is_answered = |status: Option<StatusCode>| status == Some(StatusCode::OK);
    requests.iter().filter(|it| it.path() == path && is_answered(it.status())).count()
}

fn status(code: u16) -> Fault {
    Fault::status(StatusCode::from_u16(code).unwrap())
}

#[test]
fn a_refresh_is_asked_for_until_it_comes() {
    let faults = [
        Fault::disconnect().after_execution(),
        Fault::disconnect(),
        Fault::cut_body(),
        Fault::not_http(),
        status(503),
        status(429),
    ];
    with_each(|make| {
        for fault in &faults {
            let sandbox = jwt();
            let server = failing_at(&sandbox, REFRESH, fault, 2);
            let subject = make(&server.url(), &Setup::quick());
            subject.wait(subject.client.log_in()).unwrap();
            sandbox.expire_access_tokens();
            subject.wait(subject.client.create("atlas")).unwrap();
            let expected = if fault.executes() { 3 } else { 1 };
            assert_eq!(answered(&sandbox, REFRESH), expected, "{}, {fault:?}", subject.name);
            assert_eq!(subject.wait(subject.client.named("atlas")).unwrap().len(), 1);
        }
    });
}

/// The call that needed it was never sent, and says so; the login is as good as before.
#[test]
fn a_refresh_that_does_not_come_ends_no_login() {
    with_each(|make| {
        for fault in [Fault::disconnect(), status(500), Fault::deep_json()] {
            let sandbox = jwt();
            let server = failing_at(&sandbox, REFRESH, &fault, 3);
            let subject = make(&server.url(), &Setup::quick());
            let at = format!("{}, {fault:?}", subject.name);
            subject.wait(subject.client.log_in()).unwrap();
            sandbox.expire_access_tokens();
            let error = subject.wait(subject.client.create("atlas")).unwrap_err();
            assert_ne!(error.kind(), ErrorKind::SessionExpired, "{at}: {error:?}");
            assert!(!error.may_have_been_sent(), "{at}: {error:?}");
            assert!(subject.client.is_authenticated(), "{at}");
            // One of the three may be used up by it, or all.
            while subject.wait(subject.client.create("atlas")).is_err() {}
            assert_eq!(subject.wait(subject.client.named("atlas")).unwrap().len(), 1, "{at}");
        }
    });
}

/// A login is sent again: the first may have left a session behind, which harms nobody.
#[test]
fn a_login_whose_reply_is_lost_is_repeated() {
    for (dialect, path) in
        [(Dialect::Session, "/authentication/login/"), (Dialect::Jwt, "/authentication/new/")]
    {
        with_each(|make| {
            let sandbox = Sandbox::builder().dialect(dialect).staff("admin", "admin-password");
            let sandbox = sandbox.build();
            let lost = FaultRule::new(Fault::disconnect().after_execution());
            sandbox.inject(lost.method(Method::POST).path(path).nth(1));
            let server = sandbox.serve().unwrap();
            let subject = make(&server.url(), &Setup { logs_in: true, ..Setup::quick() });
            subject.wait(subject.client.create("atlas")).unwrap();
            assert_eq!(answered(&sandbox, path), 2, "{}", subject.name);
        });
    }
}

/// Before the client knows how the server wants a login.
#[test]
fn a_server_that_cannot_be_asked_how_to_log_in_is_a_keystone_all_the_same() {
    let faults = [
        (status(429), ErrorKind::Throttled),
        (status(500), ErrorKind::Server),
        (status(503), ErrorKind::Server),
        (Fault::not_http(), ErrorKind::Transport),
        (Fault::oversized_body(2 * 1024 * 1024), ErrorKind::TooLarge),
    ];
    with_each(|make| {
        for (fault, kind) in &faults {
            let sandbox = jwt();
            let server = failing_at(&sandbox, "/authentication/", fault, usize::MAX);
            let subject = make(&server.url(), &Setup::quick());
            let error = subject.wait(subject.client.log_in()).unwrap_err();
            assert_eq!(error.kind(), *kind, "{}, {fault:?}: {error:?}", subject.name);
        }
    });
}
