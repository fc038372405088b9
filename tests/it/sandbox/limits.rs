//! Ids that are taken or run out, transactions that leave nothing, and memory that stays bounded.

use std::time::{Duration, Instant};

use keystone_client::resources::MembershipRole::{Member, Owner};
use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin};

fn entry(id: i64) -> Value {
    json!({"id": id, "timestamp": "2026-01-02T03:04:05Z", "action": "update", "changes": {},
        "record_name": "users | Team", "record_id": 1})
}

#[test]
fn an_entry_of_the_log_does_not_replace_another() {
    let sandbox = Sandbox::new();
    sandbox.insert("users/teams", json!({"name": "Stars"})).unwrap();
    let client = admin(&sandbox);
    let before = client.get("/logs/audit/?id=2");
    assert_eq!(before["results"][0]["action"], "create");
    let error = sandbox.insert("logs/audit", entry(2)).unwrap_err();
    assert_eq!(error.to_string(), "id: log entry with this id already exists.");
    assert_eq!(client.get("/logs/audit/?id=2"), before);
    let team = json!({"name": "Moons", "_history": [entry(2)]});
    sandbox.insert("users/teams", team).unwrap_err();
    for id in [0, -1, i64::MAX] {
        sandbox.insert("logs/audit", entry(id)).unwrap_err();
    }
}

#[test]
fn refused_records_leave_no_history() {
    let sandbox = Sandbox::new();
    sandbox.insert("users/teams", json!({"name": "Stars", "_history": [entry(70)]})).unwrap();
    sandbox.insert_all("logs/audit", [entry(10), json!({})]).unwrap_err();
    let client = admin(&sandbox);
    let team = client.get("/users/teams/1/");
    assert_eq!(team["_history"].as_array().unwrap().len(), 1, "{team}");
    // What comes to this id later is another entry.
    sandbox.insert("logs/audit", entry(10)).unwrap();
    assert_eq!(client.get("/users/teams/1/")["_history"].as_array().unwrap().len(), 2);
}

#[test]
fn ids_run_out_before_rows_overwrite_each_other() {
    let sandbox = Sandbox::new();
    let cluster = |id: i64, name: &str| json!({"id": id, "name": name});
    sandbox.insert("allocations/clusters", cluster(i64::MAX, "a")).unwrap_err();
    let last = cluster(i64::MAX - 1, "b");
    assert_eq!(sandbox.insert("allocations/clusters", last), Ok(i64::MAX.unsigned_abs() - 1));
    sandbox.insert("allocations/clusters", json!({"name": "c"})).unwrap_err();
    let client = admin(&sandbox);
    client.expect(500, "POST", "/allocations/clusters/", Some(json!({"name": "d"})));
    let list = client.get("/allocations/clusters/");
    assert_eq!((&list["count"], &list["results"][0]["name"]), (&json!(1), &json!("b")));
    sandbox.insert("logs/audit", entry(i64::MAX - 1)).unwrap();
    client.expect(500, "POST", "/users/teams/", Some(json!({"name": "Stars"})));
    assert_eq!(client.get("/users/teams/")["count"], 0);
}

#[test]
fn nobody_is_in_a_team_twice() {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        let sandbox = Sandbox::builder().dialect(dialect).user("ada", "p").build();
        let error = sandbox.insert_team("Stars", &[("ada", Owner), ("ada", Member)]).unwrap_err();
        assert_eq!(error.to_string(), "the user `ada` is named twice");
    }
}

#[test]
fn keys_of_logins_repeat_with_the_seed() {
    let key = || {
        let sandbox = Sandbox::builder().version("0.6.4").user("ada", "p").seed(7).build();
        let login = json!({"username": "ada", "password": "p"});
        Client::anonymous(&sandbox).expect(200, "POST", "/authentication/login/", Some(login))
    };
    assert_eq!(key(), key());
}

#[test]
fn the_request_log_keeps_a_bounded_number_of_bytes() {
    let sandbox = Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "admin-password").build();
    let (client, _) = Client::jwt(&sandbox, "admin", "admin-password");
    let bulky = "x".repeat(900_000);
    let group = json!({"name": bulky, "pi": 1});
    // The message about the name is short; the path that is not there gets the body unread.
    for _ in 0..100 {
        client.send("POST", "/nowhere/", Some(group.clone()));
    }
    let log = client.get("/logs/requests/");
    let log = log.as_array().unwrap();
    let bytes: usize = log.iter().map(|it| it["body_request"].as_str().unwrap().len()).sum();
    assert!((50_000_000..64_000_000).contains(&bytes), "{bytes}");
    assert_eq!(log.last().unwrap()["endpoint"], "/nowhere/");
}

#[test]
#[allow(clippy::disallowed_methods, reason = "the test measures real time")]
fn the_feed_is_made_quickly() {
    let sandbox = Sandbox::new();
    let request = |number: i64| json!({"method": "GET", "endpoint": format!("/{number}/"), "response_code": 200, "user": 1});
    sandbox.insert_all("logs/requests", (0..80_000).map(request)).unwrap();
    let client = admin(&sandbox);
    let start = Instant::now();
    let feed = client.get("/logs/feed/?_limit=1");
    let took = start.elapsed();
    assert!(feed["count"].as_u64().unwrap() > 80_000);
    // Of the tenth of a second and more that it takes, no part grows with the square of the rows.
    assert!(took < Duration::from_secs(5), "{took:?}");
    println!("feed of 80,000 entries: {took:?}");
    assert_eq!(
        client.get("/logs/feed/?_limit=1")["count"].as_u64(),
        feed["count"].as_u64().map(|it| it + 1)
    );
}
