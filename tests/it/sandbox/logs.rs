//! The logs of the session dialect.

use http::Request;
use keystone_client::sandbox::Sandbox;
use serde_json::{Value, json};

use super::client::{Client, admin, body};

const CID: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

fn create_team(client: &Client, name: &str, cid: &str) {
    let request = Request::post("/users/teams/")
        .header("content-type", "application/json")
        .header("x-keystone-cid", cid);
    let sent = serde_json::to_vec(&json!({"name": name})).unwrap().into();
    assert_eq!(client.handle(request.body(sent).unwrap()).status(), 201);
}

#[test]
fn a_correlation_id_ties_the_entries_of_a_request_together() {
    let sandbox = Sandbox::new();
    let client = admin(&sandbox);
    create_team(&client, "Stars", CID);
    create_team(&client, "Moons", "not-a-uuid");
    let requests = client.get(&format!("/logs/requests/?cid={CID}"));
    let entry = &requests["results"][0];
    assert_eq!(requests["count"], 1);
    assert_eq!(
        (&entry["endpoint"], &entry["response_code"]),
        (&json!("/users/teams/"), &json!(201))
    );
    assert_eq!(entry["_user"]["username"], "admin");
    let feed = client.get(&format!("/logs/feed/?cid={CID}"));
    let shown: Vec<&Value> =
        feed["results"].as_array().unwrap().iter().map(|entry| &entry["summary"]).collect();
    assert_eq!(shown, ["/users/teams/", "Team #1 - Stars"]);
    let made_up = client.get("/logs/requests/?method=POST&_order=-id&_limit=1");
    assert_eq!(made_up["results"][0]["cid"].as_str().map(str::len), Some(36));
}

#[test]
fn requests_are_logged_with_who_sent_them() {
    let sandbox = Sandbox::new();
    let client = admin(&sandbox);
    client.send("GET", "/nowhere/", None);
    client.send("POST", "/authentication/logout/", None);
    Client::anonymous(&sandbox).send("GET", "/config/?x=1", None);
    let client = admin(&sandbox);
    let logged = client.get("/logs/requests/?_order=id");
    let entries = logged["results"].as_array().unwrap().iter();
    let entries: Vec<Value> =
        entries.map(|it| json!([it["endpoint"], it["response_code"], it["user"]])).collect();
    let login = json!(["/authentication/login/", 200, 1]);
    let (unknown, logout) =
        (json!(["/nowhere/", 404, 1]), json!(["/authentication/logout/", 200, null]));
    assert_eq!(
        entries,
        [login.clone(), unknown, logout, json!(["/config/?x=1", 401, null]), login]
    );
    assert_eq!(client.get("/logs/requests/?_search=404,nowhere")["count"], 1);
}

#[test]
fn tasks_are_stored_by_tests_and_show_in_the_feed() {
    let sandbox = Sandbox::new();
    for (id, status) in [("a", "SUCCESS"), ("b", "FAILURE")] {
        let task = json!({"task_id": id, "task_name": format!("task {id}"), "status": status});
        sandbox.insert("logs/tasks", task).unwrap();
    }
    let client = admin(&sandbox);
    let tasks = client.get("/logs/tasks/");
    assert_eq!((&tasks["count"], &tasks["results"][0]["date_started"]), (&json!(2), &json!(null)));
    let feed = client.get("/logs/feed/?record_type=task&status=FAILURE");
    let entry = &feed["results"][0];
    assert_eq!((&entry["id"], &entry["summary"]), (&json!("t2"), &json!("task b")));
    assert_eq!(client.send("GET", "/logs/feed/t2/", None).status(), 404);
    client.expect(405, "POST", "/logs/tasks/", Some(json!({})));
    // What the feed shows is stored elsewhere.
    let count = client.get("/logs/feed/")["count"].as_u64().unwrap();
    assert_eq!(client.get("/logs/feed/")["count"], count + 1);
}

#[test]
fn histories_can_be_given() {
    let sandbox = Sandbox::new();
    let entry = json!({"id": 70, "timestamp": "2026-01-02T03:04:05Z", "action": "update", "actor": 1,
        "changes": {"name": ["Moons", "Stars"]}});
    let team = json!({"name": "Stars", "_history": [entry]});
    sandbox.insert("users/teams", team).unwrap();
    let read = json!({"record_name": "users | Team", "record_id": 1, "action": "access", "cid": CID,
        "timestamp": "2026-01-03T03:04:05Z"});
    assert_eq!(sandbox.insert("logs/audit", read), Ok(71));
    let client = admin(&sandbox);
    let history = client.get("/users/teams/1/")["_history"].clone();
    assert_eq!(history[1]["changes"], json!({"name": ["Moons", "Stars"]}));
    assert_eq!((&history[0]["action"], &history[0]["changes"]), (&json!("access"), &json!(null)));
    assert_eq!(client.get(&format!("/logs/audit/?cid={CID}"))["results"][0]["id"], 71);
    client.expect(200, "PATCH", "/users/teams/1/", Some(json!({"is_active": false})));
    assert_eq!(client.get("/users/teams/1/")["_history"][0]["id"], 72);
    for (history, message) in [
        (json!(1), "_history: A list of entries is required."),
        (json!([{}]), "action: \"\" is not a valid choice."),
    ] {
        let team = json!({"name": "Moons", "_history": history});
        assert_eq!(sandbox.insert("users/teams", team).unwrap_err().to_string(), message);
    }
    assert_eq!(client.get("/users/teams/")["count"], 1);
    let strange = sandbox.insert("logs/audit", json!({"record_name": "x"})).unwrap_err();
    assert_eq!(strange.to_string(), "record_name: \"x\" is not a valid choice.");
}

#[test]
fn pages_of_trusted_origins_may_read_answers() {
    let origin = "https://portal.example.edu";
    let sandbox = Sandbox::builder().trusted_origin(origin).build();
    let send = |from: &str| {
        let request = Request::get("/version/").header("origin", from);
        sandbox.handle(request.body(bytes::Bytes::new()).unwrap())
    };
    let trusted = send(origin);
    assert_eq!(trusted.headers()["access-control-allow-origin"], origin);
    assert_eq!(trusted.headers()["access-control-allow-credentials"], "true");
    assert!(!send("https://x.test").headers().contains_key("access-control-allow-origin"));
    assert!(body(&trusted).is_null());
}
