//! Batch jobs: what a recording of one exchange cannot show.

use keystone_client::sandbox::{Database, Dialect, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin, body};

fn run(client: &Client, status: u16, steps: Value) -> Value {
    client.expect(status, "POST", "/batch/", Some(json!({"job": {"actions": steps}})))
}

fn step(method: &str, path: &str, payload: Value) -> Value {
    json!({"method": method, "path": path, "payload": payload})
}

fn get(path: &str) -> Value {
    json!({"method": "GET", "path": path})
}

/// All that a server shows of its records and its change log.
fn everything(client: &Client) -> Vec<Value> {
    let lists = [
        "/users/teams/",
        "/users/users/",
        "/users/memberships/",
        "/allocations/requests/",
        "/allocations/attachments/",
        "/logs/audit/",
    ];
    lists.map(|path| client.get(path)).to_vec()
}

/// Steps that create, change and delete, each with entries in the change log.
fn writes() -> Vec<Value> {
    vec![
        json!({"ref": "new", "method": "POST", "path": "/users/teams/",
            "payload": {"name": "New"}}),
        step(
            "POST",
            "/users/memberships/",
            json!({"user": 1, "team": "@ref{new.id}", "role": "MB"}),
        ),
        step("PATCH", "/users/teams/1/", json!({"is_active": false})),
        step("DELETE", "/users/teams/2/", json!({})),
    ]
}

/// A server with teams 1 and 2, whose memberships go with them.
fn furnished(database: Database) -> (Sandbox, Client) {
    let sandbox = Sandbox::builder().database(database).staff("admin", "admin-password").build();
    let client = admin(&sandbox);
    for name in ["Stars", "Moons"] {
        client.expect(201, "POST", "/users/teams/", Some(json!({"name": name})));
    }
    let membership = json!({"user": 1, "team": 2, "role": "OW"});
    client.expect(201, "POST", "/users/memberships/", Some(membership));
    (sandbox, client)
}

#[test]
fn a_job_that_fails_leaves_nothing() {
    let failing = [
        (422, step("POST", "/users/teams/", json!({}))),
        (422, get("/nope/")),
        (422, get("/users/teams/@ref{new.nope}/")),
        (500, step("DELETE", "/users/users/1/", json!({}))),
        (500, step("POST", "/authentication/logout/", json!({}))),
        (500, step("POST", "/users/teams/", json!({"name": "@ref{new._history.0.action}"}))),
        (422, step("POST", "/batch/", json!({"job": {"actions": [get("/nope/")]}}))),
    ];
    for (status, last) in failing {
        let (_, client) = furnished(Database::Sqlite);
        let before = everything(&client);
        let mut steps = writes();
        steps.push(last.clone());
        run(&client, status, json!(steps));
        assert_eq!(everything(&client), before, "{last}");
        // The login goes on, and new records get the ids that the job had given.
        assert_eq!(
            client.expect(201, "POST", "/users/teams/", Some(json!({"name": "N"})))["id"],
            3
        );
    }
}

#[test]
fn a_dry_run_shows_results_and_leaves_nothing() {
    for (database, next) in [(Database::Sqlite, 3), (Database::Postgres, 4)] {
        let (_, client) = furnished(database);
        let before = everything(&client);
        let job = json!({"job": {"actions": writes(), "dry_run": true}});
        let answer = client.expect(200, "POST", "/batch/", Some(job));
        let statuses: Vec<_> =
            answer["results"].as_array().unwrap().iter().map(|it| &it["status"]).collect();
        assert_eq!(statuses, [201, 201, 200, 204]);
        assert_eq!(answer["results"][1]["body"]["team"], 3);
        assert_eq!(everything(&client), before);
        let team = client.expect(201, "POST", "/users/teams/", Some(json!({"name": "New"})));
        assert_eq!(team["id"], next, "{database:?}");
        assert_eq!(team["_history"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn a_dry_run_within_a_job_takes_back_its_own_steps_only() {
    let (_, client) = furnished(Database::Sqlite);
    let team = |name: &str| step("POST", "/users/teams/", json!({"name": name}));
    let entries = || client.get("/logs/audit/?action=0")["count"].as_u64().unwrap();
    let before = entries();
    let inner = json!({"job": {"actions": [team("Within")], "dry_run": true}});
    let steps = json!([team("Before"), step("POST", "/batch/", inner), team("After")]);
    let answer = run(&client, 200, steps);
    assert_eq!(answer["results"][1]["body"], Value::Null);
    let teams = client.get("/users/teams/?_order=id");
    let names: Vec<_> =
        teams["results"].as_array().unwrap().iter().map(|team| &team["name"]).collect();
    assert_eq!(names, ["Stars", "Moons", "Before", "After"]);
    assert_eq!(entries(), before + 2);
}

#[test]
fn all_entries_of_a_job_have_one_correlation_id() {
    let (_, mut client) = furnished(Database::Sqlite);
    let cid = "0a1b2c3d-0000-4000-8000-00000000abcd";
    client.headers.push(("x-keystone-cid", cid.to_owned()));
    client.headers.push(("x-forwarded-for", "192.0.2.7, 10.0.0.1".to_owned()));
    run(&client, 200, json!(writes()));
    let entries = client.get(&format!("/logs/audit/?cid={cid}"));
    let entries = entries["results"].as_array().unwrap();
    assert_eq!(entries.len(), 5, "the deleted team had a membership");
    assert!(entries.iter().all(|it| it["remote_addr"] == "192.0.2.7" && it["actor"] == 1));
    // Without one, the server makes one up for the whole job.
    client.headers.truncate(2);
    run(
        &client,
        200,
        json!([
            step("POST", "/users/teams/", json!({"name": "A"})),
            step("POST", "/users/teams/", json!({"name": "B"})),
        ]),
    );
    let newest = client.get("/logs/audit/?_order=-id&_limit=2");
    let cids: Vec<_> = (0..2).map(|index| newest["results"][index]["cid"].clone()).collect();
    assert!(cids[0] == cids[1] && cids[0].is_string() && cids[0] != cid, "{cids:?}");
}

#[test]
fn each_step_is_checked_against_what_the_earlier_ones_left() {
    let sandbox = Sandbox::builder().user("ada", "p").build();
    sandbox.insert("users/teams", json!({"name": "Stars"})).unwrap();
    sandbox.insert("users/memberships", json!({"user": 1, "team": 1, "role": "OW"})).unwrap();
    let client = Client::session(&sandbox, "ada", "p");
    let grant = json!({"title": "t", "agency": "a", "amount": 1, "start_date": "2026-01-01",
        "team": 1});
    let create = step("POST", "/research/grants/", grant);
    let leave = json!({"method": "DELETE", "path": "/users/memberships/1/"});
    let refused = run(&client, 422, json!([create, leave, create]));
    assert_eq!((&refused["step"], &refused["status"]), (&json!(3), &json!(403)));
    run(&client, 200, json!([create, leave]));
    assert_eq!(client.get("/users/memberships/")["count"], 0);
}

#[test]
fn text_and_types_of_references() {
    let (_, client) = furnished(Database::Sqlite);
    let answer = run(
        &client,
        200,
        json!([
            {"ref": "t", "method": "GET", "path": "/users/teams/?_order=id"},
            step("POST", "/users/teams/", json!({
                "name": "@ref{t.previous} @ref{t.results.0.is_active} @ref{t.results.0.users}",
                "is_active": "@ref{t.results.01.is_active}",
            })),
        ]),
    );
    let team = &answer["results"][1]["body"];
    assert_eq!(team["name"], "None True []");
    assert_eq!(team["is_active"], true);
    let refused =
        run(&client, 422, json!([step("POST", "/users/teams/", json!({"name": "@ref{é.id}"}))]));
    assert_eq!(refused["token"], "@ref{é.id}");
}

#[test]
fn what_goes_past_the_framework_is_not_shown() {
    let (_, client) = furnished(Database::Sqlite);
    let paths = ["/", "/version/", "/health/", "/health/json/", "/health/prom/", "/config/"];
    let answer = run(&client, 200, json!(paths.map(get)));
    let shown: Vec<bool> =
        answer["results"].as_array().unwrap().iter().map(|it| !it["body"].is_null()).collect();
    assert_eq!(shown, [false, false, false, false, false, true]);
}

#[test]
fn one_dialect_has_no_batches() {
    let sandbox = Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "p").build();
    let (client, _) = Client::jwt(&sandbox, "admin", "p");
    client.expect(404, "POST", "/batch/", Some(json!({"job": {"actions": []}})));
}

#[test]
fn a_job_that_runs_itself_ends() {
    let (_, client) = furnished(Database::Sqlite);
    let title = json!([
        {"ref": "g", "method": "GET", "path": "/research/grants/1/"},
        {"method": "POST", "path": "/batch/", "payload": {"job": "@ref{g.description}"}},
    ]);
    let job = json!({"actions": title}).to_string();
    let grant = json!({"title": "t", "agency": "a", "amount": 1, "start_date": "2026-01-01",
        "team": 1, "description": job});
    client.expect(201, "POST", "/research/grants/", Some(grant));
    client.expect(500, "POST", "/batch/", Some(json!({"job": job})));
}

fn part(disposition: &str, content: &str) -> String {
    format!("--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
}

/// Sends a job with files, which are parts of the same names.
fn upload(client: &Client, status: u16, job: &Value, files: &[(&str, &str)]) -> Value {
    let mut parts = part("name=\"job\"", &job.to_string());
    for (name, content) in files {
        parts += &part(&format!("name=\"{name}\"; filename=\"{name}.txt\""), content);
    }
    let response = client.send_form("POST", "/batch/", format!("{parts}--x--\r\n"));
    let text = String::from_utf8_lossy(response.body());
    assert_eq!(response.status().as_u16(), status, "{text}");
    body(&response)
}

fn attach(payload: Value) -> Value {
    step("POST", "/allocations/attachments/", payload)
}

fn with_request() -> Client {
    let (sandbox, client) = furnished(Database::Sqlite);
    let request = json!({"title": "t", "description": "d", "submitter": 1, "team": 1});
    sandbox.insert("allocations/requests", request).unwrap();
    client
}

#[test]
fn a_file_stays_stored_when_its_job_is_taken_back() {
    let client = with_request();
    let upload_one = attach(json!({"request": 1, "file": "@file{up}"}));
    let failing = json!({"actions": [upload_one, get("/nope/")]});
    let dry = json!({"actions": [upload_one], "dry_run": true});
    let real = json!({"actions": [upload_one]});
    let before = everything(&client);
    upload(&client, 422, &failing, &[("up", "x")]);
    assert_eq!(everything(&client), before);
    let file = |answer: &Value| answer["results"][0]["body"]["file"].as_str().unwrap().to_owned();
    let second = file(&upload(&client, 200, &dry, &[("up", "x")]));
    assert_eq!(everything(&client), before);
    let third = file(&upload(&client, 200, &real, &[("up", "x")]));
    for path in [&second, &third] {
        assert!(path.starts_with("allocations/up_") && path.len() == 26, "{path}");
    }
    assert_ne!(second, third);
    assert_eq!(client.get("/allocations/attachments/")["results"][0]["id"], 1);
}

#[test]
fn beside_a_file_values_are_fields_of_a_form() {
    let client = with_request();
    let name = |name: Value| {
        let step = attach(json!({"request": 1, "file": "@file{up}", "name": name}));
        let answer = upload(&client, 200, &json!({"actions": [step]}), &[("up", "x")]);
        answer["results"][0]["body"]["name"].clone()
    };
    assert_eq!(name(json!(true)), "True");
    assert_eq!(name(json!(1.5)), "1.5");
    assert_eq!(name(json!(["a", "b"])), "b");
    assert_eq!(name(json!({"key": "value"})), "key");
    let words = "[<InMemoryUploadedFile: up.txt ()>]";
    assert_eq!(name(json!("file @file{up}")), format!("file {words}"));
    // The boundary of the forms of steps is always the same, and ends a part wherever it stands.
    assert_eq!(name(json!("a\r\n--BoUnDaRyStRiNg\r\nb")), "a");
    let listed = json!({"actions": [attach(json!({"request": 1, "file": ["@file{up}"]}))]});
    let problem = "The submitted data was not a file. Check the encoding type on the form.";
    assert_eq!(upload(&client, 422, &listed, &[("up", "x")])["body"]["file"][0], problem);
    let lost = json!({"actions": [attach(json!({"request": 1, "file": "@file{up}"}))]});
    let refused = upload(&client, 422, &lost, &[("up", "--BoUnDaRyStRiNg")]);
    assert_eq!(refused["body"]["file"][0], "No file was submitted.");
    let refused = upload(&client, 422, &lost, &[("up", "\r\n--BoUnDaRyStRiNg")]);
    assert_eq!(refused["body"]["file"][0], "The submitted file is empty.");
    let empty = attach(json!({"request": 1, "file": "@file{up}"}));
    let twice = json!({"actions": [empty, empty]});
    let refused = upload(&client, 422, &twice, &[("up", "x")]);
    assert_eq!(refused["step"], 2);
    assert_eq!(refused["body"], json!({"file": ["The submitted file is empty."]}));
    let nested = json!({"actions": [attach(json!({"request": 1, "file": {"a": "@file{up}"}}))]});
    assert_eq!(upload(&client, 422, &nested, &[("up", "x")])["status"], 400);
}

#[test]
fn so_many_files_and_no_more() {
    let client = with_request();
    let job = json!({"actions": [get("/users/teams/")]});
    let names: Vec<String> = (0..101).map(|number| format!("f{number}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    upload(&client, 200, &job, &files[..100]);
    let form = files.iter().map(|(name, _)| part(&format!("name={name}; filename=a.txt"), "x"));
    let form = form.collect::<String>() + "--x--\r\n";
    let response = client.send_form("POST", "/batch/", form);
    assert_eq!(response.status(), 400);
    assert!(response.body().starts_with(b"\n<!doctype html>"));
}

/// Who asks is settled when the request comes; only teams are looked up anew.
#[test]
fn steps_know_their_caller_as_he_was() {
    let sandbox = Sandbox::new();
    let client = Client::session(&sandbox, "admin", "admin-password");
    let me = client.get("/authentication/whoami/")["id"].clone();
    let own = format!("/users/users/{me}/");
    let demote = step("PATCH", &own, json!({"is_staff": false}));
    let staff_only = step("POST", "/allocations/clusters/", json!({"name": "c"}));
    let answer = run(&client, 200, json!([demote, staff_only]));
    assert_eq!(answer["results"][1]["status"], 201);
    client.expect(403, "POST", "/allocations/clusters/", Some(json!({"name": "d"})));
    sandbox
        .insert("users/users", json!({"username": "eve", "password": "p", "is_staff": true}))
        .unwrap();
    let client = Client::session(&sandbox, "eve", "p");
    let own = format!("/users/users/{}/", client.get("/authentication/whoami/")["id"]);
    // The log would name somebody who is gone.
    let delete = step("DELETE", &own, json!({}));
    client.expect(
        500,
        "POST",
        "/batch/",
        Some(json!({"job": {"actions": [delete, get("/users/teams/")]}})),
    );
    let refused = run(&client, 422, json!([delete, get(&own)]));
    assert_eq!((refused["step"].clone(), refused["status"].clone()), (json!(2), json!(404)));
    client.get("/users/teams/");
}

#[test]
fn the_root_takes_every_method_within_a_job() {
    let client = with_request();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let answer = run(&client, 200, json!([step(method, "/", json!({}))]));
        assert_eq!(answer["results"][0]["body"], Value::Null);
    }
}

#[test]
fn any_job_has_an_answer() {
    let client = with_request();
    let whole = json!({"actions": [
        {"ref": "t", "method": "GET", "path": "/users/teams/", "query_params": {"_limit": [1]}},
        attach(json!({"request": "@ref{t.count}", "file": "@file{up}", "name": "é@ref{t.next}"})),
        {"method": "POST", "path": "/batch/", "payload": {"job": {"actions": [get("/")]}}},
    ], "dry_run": false});
    let whole = whole.to_string().into_bytes();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..2_000 {
        let mut job = whole.clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..job.len());
            match random.u8(..3) {
                0 => drop(job.remove(at)),
                1 => job[at] = random.choice(b"{}[]\",:@.1-?\\n".iter().copied()).unwrap(),
                _ => job.insert(at, random.u8(..)),
            }
        }
        let content = String::from_utf8_lossy(&job).into_owned();
        let parts = part("name=\"job\"", &content) + &part("name=\"up\"; filename=\"u.txt\"", "x");
        let response = client.send_form("POST", "/batch/", format!("{parts}--x--\r\n"));
        let status = response.status().as_u16();
        assert!([200, 400, 422, 500].contains(&status), "{status} for {content}");
    }
}
