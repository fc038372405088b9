//! Logins that the client brings by itself, at a real server.

use std::env;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use keystone_client::Dialect;
use keystone_client::backend::UreqBackend;
use keystone_client::blocking::KeystoneClient;
use keystone_client::credentials::Credentials;
use keystone_client::observe::{Event, EventKind};
use keystone_client::session_store::FileSessionStore;

use super::variable;

fn credentials() -> Credentials {
    Credentials::new(variable("KEYSTONE_TEST_USERNAME"), variable("KEYSTONE_TEST_PASSWORD"))
}

#[test]
#[ignore = "needs a real server, see the head of `live.rs`"]
fn a_login_is_kept_for_the_next_client_until_it_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let build = |with_credentials: bool| {
        let builder = KeystoneClient::builder(&variable("KEYSTONE_TEST_URL"))
            .session_store(FileSessionStore::at(folder.path()), variable("KEYSTONE_TEST_USERNAME"))
            .backend(UreqBackend::new().unwrap());
        match with_credentials {
            true => builder.credentials(credentials()).build().unwrap(),
            false => builder.build().unwrap(),
        }
    };
    build(true).users().list().count().send().unwrap();
    let next = build(false);
    let me = next.whoami().unwrap().unwrap();
    assert_eq!(me.username, variable("KEYSTONE_TEST_USERNAME"));
    // A write, for which a session has to prove where it comes from.
    next.update_user(me.id, |u| [u.department.set("Testing")]).send().unwrap();
    next.logout().unwrap();
    assert!(build(false).whoami().unwrap().is_none());
}

/// `KEYSTONE_TEST_EXPIRY_SECONDS` states how long a session, or an access token, lives there.
#[test]
#[ignore = "needs a real server with short-lived logins, see the head of `live.rs`"]
fn any_number_of_callers_cause_one_renewal_for_each_expiry() {
    let seconds: u64 = variable("KEYSTONE_TEST_EXPIRY_SECONDS").parse().unwrap();
    let callers: usize = env::var("KEYSTONE_TEST_CALLERS").map_or(16, |it| it.parse().unwrap());
    let renewals = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&renewals);
    let start = now();
    let client = KeystoneClient::builder(&variable("KEYSTONE_TEST_URL"))
        .credentials(credentials())
        .observer(move |event: &Event| {
            if matches!(event.kind, EventKind::Login | EventKind::Refresh) {
                seen.lock().unwrap().push((event.kind.clone(), now().duration_since(start)));
            }
        })
        .backend(UreqBackend::new().unwrap())
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

#[allow(clippy::disallowed_methods, reason = "a real login has to expire")]
fn now() -> Instant {
    Instant::now()
}
