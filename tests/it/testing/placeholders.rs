//! What placeholders stand for when a cassette is replayed.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use keystone_client::blocking::HttpBackend;
use keystone_client::testing::Replay;
use serde_json::{Value, json};

use super::message_of;
use crate::support::BASE;

fn request(method: Method, target: &str, body: &str) -> Request<Bytes> {
    let url = format!("{BASE}{target}");
    Request::builder().method(method).uri(url).body(body.to_owned().into()).unwrap()
}

fn get(target: &str) -> Request<Bytes> {
    request(Method::GET, target, "")
}

fn post(body: &Value) -> Request<Bytes> {
    request(Method::POST, "/a/", &body.to_string())
}

/// A replay of a cassette with these placeholders and entries.
fn replay(placeholders: &[&str], entries: &Value) -> Replay {
    let cassette = json!({
        "format": "keystone-client cassette", "version": 1, "recorded": "2026-03-01T09:30:00Z",
        "placeholders": placeholders, "entries": entries,
    });
    Replay::from_json(&cassette.to_string()).unwrap()
}

fn entry(at: u64, request: Value, body: Value) -> Value {
    json!({
        "at_ms": at, "took_ms": 10, "request": request,
        "response": { "status": 200, "body": { "json": body } },
    })
}

fn asked(path: &str, query: &[&str]) -> Value {
    json!({ "method": "GET", "path": path, "query": query })
}

fn posted(body: Value) -> Value {
    json!({ "method": "POST", "path": "/a/", "body": { "json": body } })
}

fn json_of(response: &http::Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn what_the_server_gave_has_to_be_sent_as_it_was() {
    let entries = json!([
        entry(0, asked("/a/", &[]), json!({ "slug": "slug-1", "deep": "{\"name\": \"name-2\"}" })),
        entry(20, asked("/a/", &["slug=slug-1"]), json!({})),
        entry(40, asked("/a/", &["name=name-2"]), json!({})),
    ]);
    let given = replay(&["slug-1", "name-2"], &entries);
    given.execute(get("/a/")).unwrap();
    let said = super::whole(&given.execute(get("/a/?slug=WRONG")).unwrap_err());
    assert!(said.contains("(\"slug-1\" is what an answer had before)"), "{said}");
    given.execute(get("/a/?name=WRONG")).unwrap_err();
    given.execute(get("/a/?slug=slug-1")).unwrap();
    given.execute(get("/a/?name=name-2")).unwrap();
    message_of(|| given.verify());

    // What the program has sent first is its own.
    let own = replay(&["slug-1", "name-2"], &entries);
    own.execute(get("/a/?slug=mine")).unwrap();
    assert_eq!(json_of(&own.execute(get("/a/")).unwrap())["slug"], "mine");
    own.execute(get("/a/?name=name-2")).unwrap();
}

#[test]
fn values_of_the_program_come_back_within_links() {
    let mut second = entry(
        20,
        asked("/a/", &[]),
        json!({ "next": "https://keystone.invalid/segment-2/?name=name-1&_limit=5" }),
    );
    second["response"]["headers"] = json!(["location: /segment-2/x/?name=name-1"]);
    let entries = json!([entry(0, asked("/segment-2/", &["name=name-1"]), json!({})), second]);
    let replay = replay(&["name-1", "segment-2"], &entries);
    replay.execute(get("/prefix/?name=A+%26+B")).unwrap();
    let answer = replay.execute(get("/a/")).unwrap();
    let next = "https://keystone.invalid/prefix/?name=A+%26+B&_limit=5";
    assert_eq!(json_of(&answer)["next"], next);
    assert_eq!(answer.headers()["location"], "/prefix/x/?name=A+%26+B");
}

#[test]
fn a_text_that_was_left_out_may_be_any() {
    let sent = json!({ "method": "POST", "path": "/a/", "body": { "text": "[redacted]" } });
    let entries = json!([entry(0, sent, json!({}))]);
    replay(&[], &entries).execute(request(Method::POST, "/a/", "plain words")).unwrap();
    let none = replay(&[], &entries);
    none.execute(request(Method::POST, "/a/", "")).unwrap_err();
    message_of(|| none.verify());
}

#[test]
fn one_value_for_two_placeholders_is_told() {
    let entries = json!([
        entry(0, posted(json!({ "name": "name-1" })), json!({})),
        entry(20, posted(json!({ "title": "title-2" })), json!({})),
    ]);
    let replay = replay(&["name-1", "title-2"], &entries);
    replay.execute(post(&json!({ "name": "same" }))).unwrap();
    let said = super::whole(&replay.execute(post(&json!({ "title": "same" }))).unwrap_err());
    assert!(said.contains("(\"same\" stands for \"name-1\" already)"), "{said}");
    message_of(|| replay.verify());
}

#[test]
fn a_comparison_that_failed_binds_nothing() {
    // The first item does not fit the first expected: what it would have bound must not count.
    let first = "[\"name-1\",\"x\"]";
    let second = "[\"name-1\",\"y\"]";
    let query = [format!("pair={second}"), format!("pair={first}")];
    let query: Vec<&str> = query.iter().map(String::as_str).collect();
    let entries = json!([entry(0, asked("/a/", &query), json!({}))]);
    let replay = replay(&["name-1"], &entries);
    let target = "/a/?pair=%5B%22Z%22%2C%22x%22%2C1%5D".replace("%2C1", "")
        + "&pair=%5B%22Z%22%2C%22y%22%5D";
    replay.execute(get(&target)).unwrap();
    let other = |a: &str, b: &str| {
        format!("/a/?pair=%5B%22{a}%22%2C%22x%22%5D&pair=%5B%22{b}%22%2C%22y%22%5D")
    };
    let replay = self::replay(&["name-1"], &entries);
    replay.execute(get(&other("A", "B"))).unwrap_err();
    replay.execute(get(&other("B", "B"))).unwrap();
    message_of(|| replay.verify());
}

#[test]
fn the_clock_waits_for_the_first_that_did_not_come() {
    let entries = json!([
        entry(0, asked("/a/", &[]), json!({})),
        entry(1000, asked("/b/", &[]), json!({})),
        entry(9000, asked("/c/", &[]), json!({})),
    ]);
    let replay = replay(&[], &entries);
    let passed = || HttpBackend::now(&replay).wall.duration_since(replay.recorded_at()).unwrap();
    replay.execute(get("/c/")).unwrap();
    assert_eq!(passed(), Duration::ZERO);
    replay.execute(get("/a/")).unwrap();
    assert_eq!(passed(), Duration::from_millis(1000));
    replay.execute(get("/b/")).unwrap();
    assert_eq!(passed(), Duration::from_millis(9010));
}

#[test]
fn an_answer_that_was_left_out_has_a_bounded_length() {
    let mut huge = entry(0, asked("/a/", &[]), json!({}));
    huge["response"]["body"] = json!({ "omitted": u64::MAX });
    let replay = replay(&[], &json!([huge]));
    assert!(replay.execute(get("/a/")).unwrap().body().len() <= 16 * 1024 * 1024);
}

#[test]
fn only_what_is_new_is_told_after_verifying() {
    let replay = replay(&[], &json!([entry(0, asked("/a/", &[]), json!({}))]));
    replay.execute(get("/b/")).unwrap_err();
    assert!(message_of(|| replay.verify()).contains("GET /b/"));
    replay.execute(get("/c/")).unwrap_err();
    let message = message_of(|| replay.verify());
    assert!(message.contains("GET /c/") && !message.contains("GET /b/"), "{message}");
}
