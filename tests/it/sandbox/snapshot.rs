//! Servers that are set back, and copies that go their own ways.

use std::time::{Duration, SystemTime};

use keystone_client::http::Method;
use keystone_client::resources::NewTeam;
use keystone_client::sandbox::{Dialect, Population, Sandbox};
use keystone_client::{ErrorKind, Id, RetryPolicy};
use serde_json::json;

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_770_033_600)
}

#[test]
fn a_snapshot_brings_back_records_history_and_ids() {
    let sandbox = Sandbox::builder()
        .staff("admin", "admin-password")
        .population(Population::small(1))
        .build();
    let client = sandbox.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    let audit = || client.audit_log().list().count().send().unwrap();
    let (teams, entries) = (client.teams().list().count().send().unwrap(), audit());
    let team = client.teams().list().first().send().unwrap().unwrap();
    let snapshot = sandbox.snapshot();

    for _ in 0..2 {
        let made = client.create_team(NewTeam::new("Folding")).send().unwrap();
        client.delete_request(Id::new(1)).send().unwrap();
        let left = client.update_team(team.id, |t| [t.is_active.set(false)]).send().unwrap();
        assert!(!left.is_active);
        assert_ne!(audit(), entries);
        sandbox.restore(&snapshot);
        assert_eq!((client.teams().list().count().send().unwrap(), audit()), (teams, entries));
        assert_eq!(client.retrieve_team(team.id).send().unwrap(), team);
        assert!(client.retrieve_request(Id::new(1)).send().is_ok());
        assert!(client.retrieve_team(made.id).send().unwrap_err().is_not_found());
        // The name and the id are free again.
        let again = client.create_team(NewTeam::new("Folding")).send().unwrap();
        assert_eq!(again.id, made.id);
        sandbox.restore(&snapshot);
    }
}

#[test]
fn a_snapshot_brings_back_logins_and_the_time() {
    // Longer than logins hold; a client that holds a refresh token would not even try later.
    let days = Duration::from_secs(86_400);
    for (dialect, lifetime) in [(Dialect::Session, 60 * days), (Dialect::Jwt, days / 2)] {
        let sandbox = Sandbox::builder()
            .dialect(dialect)
            .staff("admin", "admin-password")
            .start_at(start())
            .freeze_clock()
            .build();
        let before = sandbox.snapshot();
        let client = sandbox.blocking_client().unwrap();
        client.login("admin", "admin-password").unwrap();
        let within = sandbox.snapshot();
        sandbox.advance(lifetime);
        sandbox.restore(&within);
        assert_eq!(sandbox.now(), start());
        assert!(client.retrieve_user(Id::new(1)).send().is_ok(), "{dialect:?}");
        sandbox.restore(&before);
        let error = client.retrieve_user(Id::new(1)).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionExpired, "{dialect:?}");
    }
}

#[test]
fn a_snapshot_brings_back_what_counts_towards_rate_limits() {
    let minute = Duration::from_secs(60);
    let sandbox = Sandbox::builder()
        .staff("admin", "admin-password")
        .api_token("admin", "token-of-the-admin")
        .user_rate_limit(2, minute)
        .start_at(start())
        .freeze_clock()
        .build();
    let client = keystone_client::blocking::KeystoneClient::builder("https://keystone.test")
        .api_token("token-of-the-admin")
        .backend(sandbox.clone())
        .build()
        .unwrap();
    let ask = || {
        let call = client.retrieve_user(Id::new(1)).retry(RetryPolicy::never());
        call.send().map(drop).map_err(|error| error.kind())
    };
    ask().unwrap();
    let snapshot = sandbox.snapshot();
    for _ in 0..3 {
        assert_eq!([ask(), ask()], [Ok(()), Err(ErrorKind::Throttled)]);
        // The client waits no longer than the server asks.
        sandbox.advance(minute);
        assert_eq!(ask(), Ok(()));
        sandbox.restore(&snapshot);
    }
}

#[test]
fn forks_go_their_own_ways() {
    let sandbox = Sandbox::builder()
        .staff("admin", "admin-password")
        .population(Population::small(1))
        .start_at(start())
        .freeze_clock()
        .build();
    let client = sandbox.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    let teams = client.teams().list().count().send().unwrap();
    let fork = sandbox.fork();
    assert_eq!(fork.request_count(), 0);

    let other = fork.blocking_client().unwrap();
    other.login("admin", "admin-password").unwrap();
    other.create_team(NewTeam::new("Folding")).send().unwrap();
    fork.advance(Duration::from_secs(60));
    sandbox.insert("users/teams", json!({ "name": "Stars" })).unwrap();
    sandbox.insert("users/teams", json!({ "name": "Folding" })).unwrap();
    assert_eq!(other.teams().list().count().send().unwrap(), teams + 1);
    assert_eq!(client.teams().list().count().send().unwrap(), teams + 2);
    assert_eq!(sandbox.now(), start());
    assert_eq!(fork.now(), start() + Duration::from_secs(60));
    assert_eq!(sandbox.requests_to(Method::POST, "/users/teams/").len(), 0);
    assert_eq!(fork.requests_to(Method::POST, "/users/teams/").len(), 1);
    // A fork of a fork, which outlives what it was made from.
    let third = fork.fork();
    drop((sandbox, client, fork, other));
    let client = third.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    assert_eq!(client.teams().list().count().send().unwrap(), teams + 1);
    assert_eq!(third.now(), start() + Duration::from_secs(60));
}

#[test]
fn a_snapshot_of_another_sandbox_can_be_brought_in() {
    let filled = Sandbox::builder().population(Population::small(1)).path_prefix("a").build();
    let sandbox = Sandbox::builder().dialect(Dialect::Jwt).path_prefix("b").build();
    sandbox.restore(&filled.snapshot());
    sandbox
        .insert("users/users", json!({ "username": "admin", "password": "admin-password" }))
        .unwrap();
    let client = sandbox.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    assert_eq!(client.users().list().count().send().unwrap(), 21);
    assert_eq!(sandbox.requests()[0].path(), "/b/authentication/login/");
}
