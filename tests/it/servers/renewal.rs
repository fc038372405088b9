//! Logins that the client brings by itself.

use std::env;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use keystone_client::Dialect;
use keystone_client::backend::UreqBackend;
use keystone_client::blocking::{HttpBackend, KeystoneClient};
use keystone_client::credentials::Credentials;
use keystone_client::observe::{Event, EventKind};
use keystone_client::sandbox::Sandbox;
use keystone_client::session_store::FileSessionStore;

use crate::support::BASE;
use crate::support::target::{Target, on_each_server};

fn credentials(server: &Target) -> Credentials {
    Credentials::new(server.username(), server.password())
}

on_each_server! {
    fn a_login_is_kept_for_the_next_client_until_it_is_ended(server) {
        let folder = tempfile::tempdir().unwrap();
        let build = |with_credentials: bool| {
            let builder = KeystoneClient::builder(&server.url())
                .session_store(FileSessionStore::at(folder.path()), server.username())
                .backend(UreqBackend::new().unwrap());
            match with_credentials {
                true => builder.credentials(credentials(server)).build().unwrap(),
                false => builder.build().unwrap(),
            }
        };
        build(true).users().list().count().send().unwrap();
        let next = build(false);
        let me = next.whoami().unwrap().unwrap();
        assert_eq!(me.username, server.username());
        // A write, for which a session has to prove where it comes from.
        next.update_user(me.id, |u| [u.department.set("Testing")]).send().unwrap();
        next.logout().unwrap();
        assert!(build(false).whoami().unwrap().is_none());
    }
}

/// How long a login lives on the sandboxes.
const SECONDS: u64 = 10;

/// Ends the clock, however its use ends.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn any_number_of_callers_cause_one_renewal_for_each_expiry() {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        let sandbox = Sandbox::builder()
            .dialect(dialect)
            .staff("admin", "admin-password")
            .session_lifetime(Duration::from_secs(SECONDS))
            .access_token_lifetime(Duration::from_secs(SECONDS))
            .freeze_clock()
            .build();
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            // Some twenty times as fast as the clock on the wall.
            scope.spawn(|| {
                while !is_done.load(Ordering::SeqCst) {
                    sandbox.advance(Duration::from_millis(100));
                    wait(Duration::from_millis(5));
                }
            });
            let _done = Done(&is_done);
            renewals_of_callers(&Target::from_sandbox(&sandbox, dialect), SECONDS);
        });
    }
}

/// `KEYSTONE_TEST_EXPIRY_SECONDS` states how long a session, or an access token, lives there.
#[test]
#[ignore = "needs a real server with short-lived logins, whose end takes minutes to be seen"]
fn any_number_of_callers_cause_one_renewal_for_each_expiry_on_a_real_server() {
    let seconds: u64 = env::var("KEYSTONE_TEST_EXPIRY_SECONDS").unwrap().parse().unwrap();
    let server = Target::session().or_else(Target::jwt).unwrap();
    renewals_of_callers(&server, seconds);
}

fn renewals_of_callers(server: &Target, seconds: u64) {
    let callers: usize = env::var("KEYSTONE_TEST_CALLERS").map_or(16, |it| it.parse().unwrap());
    let renewals = Arc::new(Mutex::new(Vec::new()));
    let (seen, clock) = (Arc::clone(&renewals), server.clone());
    let now = || server.now().monotonic;
    let start: Instant = now();
    let client = KeystoneClient::builder(BASE)
        .credentials(credentials(server))
        .observer(move |event: &Event| {
            if matches!(event.kind, EventKind::Login | EventKind::Refresh) {
                let at = clock.now().monotonic.duration_since(start);
                seen.lock().unwrap().push((event.kind.clone(), at));
            }
        })
        .backend(server.clone())
        .build()
        .unwrap();
    let end = start + Duration::from_secs(seconds * 4 + seconds / 2);
    let calls = thread::scope(|scope| {
        let callers: Vec<_> = (0..callers)
            .map(|_| {
                scope.spawn(|| {
                    let mut calls = 0;
                    while now() < end {
                        client.clusters().list().count().send().unwrap();
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum::<usize>()
    });
    let renewals = renewals.lock().unwrap();
    println!("{calls} calls of {callers} callers, renewals: {renewals:?}");
    let life = match client.dialect() {
        // Renewed at four fifths of a short life.
        Some(Dialect::Jwt) => seconds as f64 * 0.8,
        _ => seconds as f64,
    };
    let expected = (end.duration_since(start).as_secs_f64() / life) as usize;
    assert!((expected..=expected + 1).contains(&(renewals.len())), "{expected} expected");
}

#[allow(clippy::disallowed_methods, reason = "the clock of the sandbox is to run by itself")]
fn wait(duration: Duration) {
    thread::sleep(duration);
}
