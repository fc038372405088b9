//! Jobs that bring files.

use keystone_client::sandbox::Database;
use serde_json::{Value, json};

use super::super::client::{Client, body};
use super::{Place, furnished, get, step};
use crate::support::target::{Target, uuid};

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

/// A place with a request of the staff user.
fn with_request(place: &Place) -> u64 {
    let request =
        json!({"title": "t", "description": "d", "submitter": place.user, "team": place.teams[0]});
    place.server.insert("allocations/requests", request)
}

#[test]
fn a_file_stays_stored_when_its_job_is_taken_back() {
    let Some(place) = Place::new() else {
        return;
    };
    let request = with_request(&place);
    let client = &place.client;
    // Names of files are taken for good.
    let name = place.server.name("up").replace('-', "_");
    let upload_one = attach(json!({"request": request, "file": format!("@file{{{name}}}")}));
    let failing = json!({"actions": [upload_one, get("/nope/")]});
    let dry = json!({"actions": [upload_one], "dry_run": true});
    let real = json!({"actions": [upload_one]});
    let files = [(name.as_str(), "x")];
    let cid = uuid();
    let before = place.everything(&cid);
    upload(client, 422, &failing, &files);
    assert_eq!(place.everything(&cid), before);
    let file = |answer: &Value| answer["results"][0]["body"]["file"].as_str().unwrap().to_owned();
    let second = file(&upload(client, 200, &dry, &files));
    assert_eq!(place.everything(&cid), before);
    let third = file(&upload(client, 200, &real, &files));
    let begin = format!("allocations/{name}_");
    for path in [&second, &third] {
        assert!(path.starts_with(&begin) && path.len() == begin.len() + 11, "{path}");
    }
    assert_ne!(second, third);
    assert_eq!(client.get(&format!("/allocations/attachments/?request={request}"))["count"], 1);
}

#[test]
fn beside_a_file_values_are_fields_of_a_form() {
    let Some(place) = Place::new() else {
        return;
    };
    let request = with_request(&place);
    let client = &place.client;
    let name = |name: Value| {
        let step = attach(json!({"request": request, "file": "@file{up}", "name": name}));
        let answer = upload(client, 200, &json!({"actions": [step]}), &[("up", "x")]);
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
    let listed = json!({"actions": [attach(json!({"request": request, "file": ["@file{up}"]}))]});
    let problem = "The submitted data was not a file. Check the encoding type on the form.";
    assert_eq!(upload(client, 422, &listed, &[("up", "x")])["body"]["file"][0], problem);
    let lost = json!({"actions": [attach(json!({"request": request, "file": "@file{up}"}))]});
    let refused = upload(client, 422, &lost, &[("up", "--BoUnDaRyStRiNg")]);
    assert_eq!(refused["body"]["file"][0], "No file was submitted.");
    let refused = upload(client, 422, &lost, &[("up", "\r\n--BoUnDaRyStRiNg")]);
    assert_eq!(refused["body"]["file"][0], "The submitted file is empty.");
    let empty = attach(json!({"request": request, "file": "@file{up}"}));
    let twice = json!({"actions": [empty, empty]});
    let refused = upload(client, 422, &twice, &[("up", "x")]);
    assert_eq!(refused["step"], 2);
    assert_eq!(refused["body"], json!({"file": ["The submitted file is empty."]}));
    let nested =
        json!({"actions": [attach(json!({"request": request, "file": {"a": "@file{up}"}}))]});
    assert_eq!(upload(client, 422, &nested, &[("up", "x")])["status"], 400);
}

#[test]
fn so_many_files_and_no_more() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = server.admin();
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

#[test]
fn any_job_has_an_answer() {
    let place = furnished(Database::Sqlite);
    with_request(&place);
    let client = place.client;
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
