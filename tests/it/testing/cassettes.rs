//! Cassettes: what is in them, and what is answered from them.

mod journey;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::StatusCode;
use keystone_client::backend::BackendErrorKind;
use keystone_client::blocking::{self, KeystoneClient};
use keystone_client::resources::{AuditLogEntry, Grant, NewTeam, Team};
use keystone_client::sandbox::{Dialect, Sandbox};
use keystone_client::testing::{Exchange, Fixture, Recorder, Redaction, Replay, Scripted, page};
use keystone_client::{ErrorKind, RetryPolicy};
use serde_json::{Value, json};

use super::{message_of, whole};
use crate::support::{BASE, both_colours};

const USERNAME: &str = "Zq7lovelace";
const PASSWORD: &str = "Zq7-vault-of-ada";

fn sandbox(dialect: Dialect) -> Sandbox {
    let sandbox = Sandbox::builder()
        .dialect(dialect)
        .staff(USERNAME, PASSWORD)
        .user("Zq7turing", "Zq7-enigma-enigma")
        .build();
    sandbox.insert("allocations/clusters", json!({ "name": "Zq7atlas" })).unwrap();
    sandbox
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cassettes").join("journey.json");
    (folder, path)
}

/// A program that makes a team and looks for a user, recorded.
fn small(path: &Path, redaction: Redaction) -> String {
    let recorder = Recorder::new(sandbox(Dialect::Session), path).with_redaction(redaction);
    let client = KeystoneClient::with_backend(BASE, recorder).unwrap();
    client.login(USERNAME, PASSWORD).unwrap();
    client.create_team(NewTeam::new("Zq7 Folding").is_active(true)).send().unwrap();
    client.users().filter(|u| u.username.eq(USERNAME)).all().unwrap();
    // Without `save` the last handle writes the file.
    drop(client);
    fs::read_to_string(path).unwrap()
}

fn replaying(text: &str) -> (Replay, KeystoneClient) {
    let replay = Replay::from_json(text).unwrap();
    let client = KeystoneClient::builder(BASE).retry(RetryPolicy::never());
    let client = client.backend(replay.clone()).build().unwrap();
    client.login("somebody", "a password").unwrap();
    (replay, client)
}

#[test]
fn a_program_that_has_changed_is_told_how() {
    let (_folder, path) = folder();
    let text = small(&path, Redaction::new());

    let (replay, client) = replaying(&text);
    let changed = client.create_team(NewTeam::new("Unfolding").is_active(false));
    let said = whole(&changed.send().unwrap_err());
    assert!(said.contains("POST /users/teams/ was not recorded; the nearest is entry 3"), "{said}");
    let message = message_of(|| replay.verify());
    assert_eq!(
        message,
        "POST /users/teams/ was not recorded; the nearest is entry 3, POST /users/teams/\n  \
           body.is_active: expected true, seen false\n\
         2 recorded requests did not come:\n  \
           entry 3, POST /users/teams/\n  \
           entry 4, GET /users/users/?username=username-1&_order=id&_limit=1000"
    );

    // One value for one placeholder.
    let (replay, client) = replaying(&text);
    let other = client.users().filter(|u| u.username.eq("nobody"));
    other.all().unwrap_err();
    let message = message_of(|| replay.verify());
    assert!(
        message.contains(
            "query `username`: expected \"username-1\", seen \"nobody\" (\"username-1\" stood for \
             \"somebody\" before)"
        ),
        "{message}"
    );
    let (replay, client) = replaying(&text);
    client.create_team(NewTeam::new("somebody").is_active(true)).send().unwrap_err();
    assert!(message_of(|| replay.verify()).contains("body.name: expected \"name-"), "{message}");
    drop((replay, client));
}

#[test]
fn messages_of_a_replay_show_no_secret() {
    let (_folder, path) = folder();
    let text = small(&path, Redaction::new());
    let replay = Replay::from_json(&text).unwrap();
    let client = KeystoneClient::with_backend(BASE, replay.clone()).unwrap();
    let body = json!({ "username": 5, "password": "hunter2", "token": "hunter2" });
    let said = client.http_post("authentication/login").json(&body).send().unwrap_err();
    let said = format!("{} {}", whole(&said), message_of(|| replay.verify()));
    assert!(!said.contains("hunter2") && said.contains("body.token: not expected"), "{said}");
}

#[test]
fn each_recorded_request_is_answered_once() {
    let (_folder, path) = folder();
    let recorder = Recorder::new(Sandbox::new(), &path);
    let client = KeystoneClient::with_backend(BASE, recorder).unwrap();
    client.version().send().unwrap();
    client.version().send().unwrap();
    drop(client);

    let replay = Replay::from_file(&path).unwrap();
    let client = KeystoneClient::with_backend(BASE, replay.clone()).unwrap();
    client.version().send().unwrap();
    assert_eq!(replay.remaining(), ["entry 2, GET /version/"]);
    client.version().send().unwrap();
    replay.verify();
    client.version().send().unwrap_err();
    assert_eq!(
        message_of(|| replay.verify()),
        "GET /version/ came more often than it was recorded; the last is entry 2, GET /version/"
    );
    drop((replay, client));

    let replay = Replay::from_file(&path).unwrap().allow_repeats();
    let client = KeystoneClient::with_backend(BASE, replay).unwrap();
    for _ in 0..5 {
        client.version().send().unwrap();
    }
}

#[test]
fn order_counts_only_if_it_is_demanded() {
    let (_folder, path) = folder();
    let recorder = Recorder::new(Sandbox::new(), &path);
    let client = KeystoneClient::with_backend(BASE, recorder).unwrap();
    client.version().send().unwrap();
    client.http_get("health").send().unwrap();
    drop(client);

    let backwards = |replay: Replay| {
        let client = KeystoneClient::with_backend(BASE, replay).unwrap();
        let first = client.http_get("health").send().map(drop);
        first.and(client.version().send().map(drop))
    };
    backwards(Replay::from_file(&path).unwrap()).unwrap();
    let message = message_of(|| backwards(Replay::from_file(&path).unwrap().in_order()));
    assert!(
        message.contains(
            "GET /health/ is not the next request that was recorded, which is entry 1, GET \
             /version/\n  path: expected /version/, seen /health/"
        ),
        "{message}"
    );
}

#[test]
fn what_is_left_fails_the_test_unless_it_may_be() {
    let (_folder, path) = folder();
    let text = small(&path, Redaction::new());
    let (replay, client) = replaying(&text);
    drop(replay);
    assert!(
        message_of(|| drop(client)).starts_with("2 recorded requests did not come:\n  entry 3")
    );
    let replay = Replay::from_json(&text).unwrap().allow_unused();
    drop(replay);
    let message = message_of(|| {
        let _replay = Replay::from_json(&text).unwrap();
        panic!("what the test says");
    });
    assert_eq!(message, "what the test says");
}

#[test]
fn values_of_the_program_come_back_and_those_of_the_server_are_placeholders() {
    let (_folder, path) = folder();
    let text = small(&path, Redaction::new());
    let (replay, client) = replaying(&text);
    let team = client.create_team(NewTeam::new("Mine").is_active(true)).send().unwrap();
    assert_eq!(team.name, "Mine");
    assert!(team.slug.starts_with("slug-"), "{}", team.slug);
    let user = client.users().filter(|u| u.username.eq("somebody")).all().unwrap().remove(0);
    assert_eq!(user.username, "somebody");
    replay.verify();
}

both_colours! {
    fn failures_and_waits_are_replayed() {
        let (_folder, path) = folder();
        let script = Scripted::new([
            Exchange::get("/version/").fail(BackendErrorKind::Closed),
            Exchange::get("/version/").reply(StatusCode::SERVICE_UNAVAILABLE, "Zq7 page")
                .reply_header(http::header::RETRY_AFTER, "7".parse().unwrap()),
            Exchange::get("/version/").reply(StatusCode::OK, "0.10.9\n"),
        ]);
        let client = client!(Recorder::new(script.clone(), &path));
        assert_eq!(go!(client.version()).unwrap(), "0.10.9");
        drop(client);
        assert!(!fs::read_to_string(&path).unwrap().contains("Zq7"));

        let replay = Replay::from_file(&path).unwrap();
        let client = client!(replay.clone());
        assert_eq!(go!(client.version()).unwrap(), "0.10.9");
        let passed = blocking::HttpBackend::now(&replay).wall;
        let passed = passed.duration_since(replay.recorded_at()).unwrap();
        assert_eq!(passed, script.sleeps().iter().sum::<Duration>());
    }

    fn a_session_ends_in_a_replay_when_it_ended() {
        let (_folder, path) = folder();
        let sandbox = sandbox(Dialect::Session);
        let client = client!(Recorder::new(sandbox.clone(), &path));
        go!(client.login(USERNAME, PASSWORD)).unwrap();
        sandbox.expire_sessions();
        let error = go!(client.teams().list().all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionExpired);
        drop(client);

        let client = client!(Replay::from_file(&path).unwrap());
        go!(client.login("somebody", "a password")).unwrap();
        let error = go!(client.teams().list().all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionExpired);
        assert!(!client.is_authenticated());
    }
}

#[test]
fn a_test_that_fails_does_not_replace_a_good_cassette() {
    let (_folder, path) = folder();
    let good = small(&path, Redaction::new());
    message_of(|| {
        let recorder = Recorder::new(Sandbox::new(), &path);
        let client = KeystoneClient::with_backend(BASE, recorder).unwrap();
        client.version().send().unwrap();
        panic!("midway");
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), good);
}

#[test]
fn what_cannot_be_written_is_reported() {
    let (folder, _) = folder();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let path = file.join("below.json");
    let recorder = Recorder::new(Sandbox::new(), &path);
    let client = KeystoneClient::with_backend(BASE, recorder.clone()).unwrap();
    client.version().send().unwrap();
    let error = recorder.save().unwrap_err();
    assert_eq!(error.path(), path);
    assert!(error.to_string().contains("it cannot be written"), "{error}");
    // Told once; the next request is there to be lost again.
    client.version().send().unwrap();
    drop(recorder);
    assert!(message_of(|| drop(client)).contains("it cannot be written"));
}

#[test]
fn what_is_no_cassette_is_refused() {
    for (text, said) in [
        ("", "it is no cassette"),
        ("{}", "it is no cassette"),
        (r#"{"format": "other", "version": 1}"#, "its format is \"other\""),
        (
            r#"{"format": "keystone-client cassette", "version": 2}"#,
            "its version is 2, and this crate reads 1",
        ),
        (r#"{"format": "keystone-client cassette", "version": 1}"#, "it is damaged"),
    ] {
        let error = Replay::from_json(text).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let error = Replay::from_file("/nonexistent/cassette.json").unwrap_err();
    assert!(error.to_string().contains("cassette /nonexistent/cassette.json: it cannot be read"));
}

#[test]
fn a_cassette_without_entries_answers_nothing() {
    let text = r#"{"format": "keystone-client cassette", "version": 1,
        "recorded": "2026-03-01T09:30:00Z", "entries": []}"#;
    let replay = Replay::from_json(text).unwrap();
    let client = KeystoneClient::with_backend(BASE, replay.clone()).unwrap();
    client.version().send().unwrap_err();
    assert_eq!(
        message_of(|| replay.verify()),
        "GET /version/ was not recorded: the cassette is empty"
    );
}

/// What is asked for by type reaches the right records also when all text is replaced.
#[test]
fn records_can_be_read_from_placeholders() {
    let (_folder, path) = folder();
    let record = |path: &str, json: &Value| {
        Exchange::get(path).with_any_query().reply_json(StatusCode::OK, json)
    };
    let script = Scripted::new([
        record("/users/teams/", &page([Team::fixture_json(1)])),
        record("/research/grants/", &page([Grant::fixture_json(1)])),
        record("/logs/audit/", &page([AuditLogEntry::fixture_json(1)])),
    ]);
    let walk = |client: &KeystoneClient| {
        client.teams().list().all().unwrap();
        let grant = client.grants().list().all().unwrap().remove(0);
        assert_eq!(grant.amount.to_string(), "250000.00");
        let entry = client.audit_log().list().all().unwrap().remove(0);
        assert!(entry.remote_addr.is_some());
    };
    walk(&KeystoneClient::with_backend(BASE, Recorder::new(script, &path)).unwrap());
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("192.0.2.7") && text.contains("2001:db8::"));
    walk(&KeystoneClient::with_backend(BASE, Replay::from_file(&path).unwrap()).unwrap());
}

#[test]
fn requests_that_were_given_up_are_recorded() {
    use std::future::Future;
    use std::task::{Context, Waker};
    let (_folder, path) = folder();
    let inner = keystone_client::testing::from_async_fn(|request| async move {
        if request.uri().path() == "/slow/" {
            std::future::pending::<()>().await;
        }
        Ok(http::Response::new(bytes::Bytes::new()))
    });
    let recorder = Recorder::new(inner, &path);
    let ask = |target: &str| {
        let request = http::Request::builder().uri(format!("{BASE}{target}"));
        let request = request.body(bytes::Bytes::new()).unwrap();
        let mut future =
            Box::pin(keystone_client::backend::HttpBackend::execute(&recorder, request));
        let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    };
    ask("/slow/");
    ask("/a/");
    drop(recorder);
    let text = fs::read_to_string(&path).unwrap();
    let cassette: Value = serde_json::from_str(&text).unwrap();
    let failure = json!({ "kind": "given_up", "may_have_been_sent": true });
    assert_eq!(cassette["entries"][0]["failure"], failure);
    assert_eq!(cassette["entries"][1]["response"]["status"], 200);
    let replay = Replay::from_json(&text).unwrap().allow_unused();
    let request = http::Request::builder()
        .uri(format!("{BASE}{}", cassette["entries"][0]["request"]["path"].as_str().unwrap()));
    let error = blocking::HttpBackend::execute(&replay, request.body(bytes::Bytes::new()).unwrap());
    assert!(whole(&error.unwrap_err()).contains("it was given up when it was recorded"));
}

#[test]
fn rules_may_use_the_recorder() {
    let (_folder, path) = folder();
    let slot = std::sync::Arc::new(std::sync::OnceLock::<Recorder<Sandbox>>::new());
    let own = std::sync::Arc::clone(&slot);
    let rules = Redaction::new()
        .keep_if(move |_, _| own.get().is_some_and(|recorder| format!("{recorder:?}").is_empty()));
    let recorder = Recorder::new(Sandbox::new(), &path).with_redaction(rules);
    slot.set(recorder.clone()).unwrap();
    let client = KeystoneClient::with_backend(BASE, recorder.clone()).unwrap();
    client.login("admin", "admin-password").unwrap();
    recorder.save().unwrap();
    assert!(fs::read_to_string(&path).unwrap().contains("username-"));
}

/// A placeholder for an amount must not be an amount that is somewhere else.
#[test]
fn placeholders_are_nowhere_in_what_was_recorded() {
    let (_folder, path) = folder();
    let body = json!({ "price": "9.99", "amount": "1.00", "other": "2.00", "username": "ada",
        "title": "username-4", "ip": "192.0.2.7", "second": "2001:db8::6" });
    let recorder = Recorder::new(
        Scripted::new([Exchange::post("/a/").reply_json(StatusCode::OK, &json!({}))]),
        &path,
    );
    let request = http::Request::builder().method("POST").uri(format!("{BASE}/a/"));
    let request = request.body(body.to_string().into()).unwrap();
    blocking::HttpBackend::execute(&recorder, request).unwrap();
    recorder.save().unwrap();
    let cassette: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(cassette["entries"][0]["request"]["body"]["json"]["amount"], "1.00");
    let placeholders = cassette["placeholders"].as_array().unwrap();
    assert_eq!(placeholders.len(), 6, "{placeholders:?}");
    for value in body.as_object().unwrap().values() {
        assert!(!placeholders.contains(value), "{value} is in {placeholders:?}");
    }
}
