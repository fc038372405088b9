//! Faults that hit what the client asks by itself: logins and refreshes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keystone_client::ErrorKind;
use keystone_client::sandbox::{Dialect, Sandbox};

use super::with_each;
use crate::support::callers::Setup;
use crate::support::fault::{At, Fault};
use crate::support::faulty::Faulty;

const REFRESH: &str = "/authentication/refresh/";

fn jwt() -> Sandbox {
    Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "admin-password").build()
}

/// A server that does this to the first so many requests to a path.
fn failing_at(sandbox: &Sandbox, path: &'static str, fault: &Fault, times: usize) -> Faulty {
    let (left, fault) = (AtomicUsize::new(times), fault.clone());
    Faulty::start(sandbox, move |request| {
        let less = |left: usize| left.checked_sub(1);
        let is_hit = request.is_about(path)
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok();
        if is_hit { fault.clone() } else { Fault::None }
    })
}

/// How many requests to a path the server has carried out.
fn executed(sandbox: &Sandbox, path: &str) -> usize {
    sandbox.requests().iter().filter(|request| request.path() == path).count()
}

#[test]
fn a_refresh_is_asked_for_until_it_comes() {
    let faults = [
        Fault::Lost { executed: true },
        Fault::Lost { executed: false },
        Fault::Cut(At::Body),
        Fault::NotHttp,
        Fault::status(503, false),
        Fault::status(429, false),
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
            assert_eq!(executed(&sandbox, REFRESH), expected, "{}, {fault:?}", subject.name);
            assert_eq!(subject.wait(subject.client.named("atlas")).unwrap().len(), 1);
        }
    });
}

/// The call that needed it was never sent, and says so; the login is as good as before.
#[test]
fn a_refresh_that_does_not_come_ends_no_login() {
    with_each(|make| {
        for fault in [Fault::Lost { executed: false }, Fault::status(500, false), Fault::Deep] {
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
            let posts = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&posts);
            let server = Faulty::start(&sandbox, move |request| {
                let is_first = request.method == http::Method::POST
                    && request.is_about(path)
                    && counted.fetch_add(1, Ordering::SeqCst) == 0;
                if is_first { Fault::Lost { executed: true } } else { Fault::None }
            });
            let subject = make(&server.url(), &Setup { logs_in: true, ..Setup::quick() });
            subject.wait(subject.client.create("atlas")).unwrap();
            assert_eq!(posts.load(Ordering::SeqCst), 2, "{}", subject.name);
        });
    }
}

/// Before the client knows how the server wants a login.
#[test]
fn a_server_that_cannot_be_asked_how_to_log_in_is_a_keystone_all_the_same() {
    let faults = [
        (Fault::status(429, false), ErrorKind::Throttled),
        (Fault::status(500, false), ErrorKind::Server),
        (Fault::status(503, false), ErrorKind::Server),
        (Fault::NotHttp, ErrorKind::Transport),
        (Fault::Announced(2 * 1024 * 1024), ErrorKind::TooLarge),
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
