//! Attachments: what a recording of one exchange cannot show.

use std::time::Duration;

use keystone_client::sandbox::{Database, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin};

/// A server with a request of a team, and a member of it.
fn sandbox(database: Database) -> Sandbox {
    let sandbox = Sandbox::builder()
        .database(database)
        .staff("admin", "admin-password")
        .user("member", "p")
        .build();
    sandbox.insert("users/teams", json!({"name": "Stars"})).unwrap();
    sandbox.insert("users/memberships", json!({"user": 2, "team": 1, "role": "MB"})).unwrap();
    let request = json!({"title": "t", "description": "d", "submitter": 1, "team": 1});
    sandbox.insert("allocations/requests", request).unwrap();
    sandbox
}

fn text(name: &str, value: &str) -> String {
    format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn file(name: &str, content: &str) -> String {
    let disposition = format!("form-data; name=\"file\"; filename=\"{name}\"");
    format!("--x\r\nContent-Disposition: {disposition}\r\n\r\n{content}\r\n")
}

fn upload(client: &Client, status: u16, method: &str, path: &str, parts: &[String]) -> Value {
    let response = client.send_form(method, path, format!("{}--x--\r\n", parts.concat()));
    let text = String::from_utf8_lossy(response.body());
    assert_eq!(response.status().as_u16(), status, "{text}");
    serde_json::from_slice(response.body()).unwrap_or_default()
}

const LIST: &str = "/allocations/attachments/";

#[test]
fn attachments_show_at_their_request_and_go_with_it() {
    let sandbox = sandbox(Database::Sqlite);
    let client = admin(&sandbox);
    let stored = json!({"file": "allocations/a.csv", "request": 1});
    assert_eq!(sandbox.insert("allocations/attachments", stored), Ok(1));
    let parts = [text("request", "1"), text("name", ""), file("a.csv", "1;2")];
    let second = upload(&client, 201, "POST", LIST, &parts);
    let path = second["file"].as_str().unwrap();
    assert_ne!(path, "allocations/a.csv", "the name is taken");
    let expected = json!([
        {"file": "allocations/a.csv", "name": "a.csv"},
        {"file": path, "name": "a.csv"},
    ]);
    assert_eq!(client.get("/allocations/requests/1/")["_attachments"], expected);
    let member = Client::session(&sandbox, "member", "p");
    assert_eq!(member.get(LIST)["count"], 2);
    assert_eq!(member.get("/allocations/attachments/1/")["name"], "a.csv");
    upload(&member, 403, "POST", LIST, &parts);
    member.expect(403, "DELETE", "/allocations/attachments/1/", None);
    client.expect(204, "DELETE", "/allocations/requests/1/", None);
    assert_eq!(client.get(LIST)["count"], 0);
    let log = client.get("/logs/audit/?action=2");
    let names: Vec<_> =
        log["results"].as_array().unwrap().iter().map(|it| &it["record_name"]).collect();
    let deleted = "allocations | Attachment";
    assert_eq!(names, ["allocations | AllocationRequest", deleted, deleted]);
}

#[test]
fn every_change_moves_the_time_of_upload() {
    let sandbox = sandbox(Database::Sqlite);
    let client = admin(&sandbox);
    let parts = [text("request", "1"), file("first.txt", "1"), file("dir/my report.pdf", "2")];
    let first = upload(&client, 201, "POST", LIST, &parts);
    assert_eq!(first["file"], "allocations/my_report.pdf", "the last file counts");
    let path = "/allocations/attachments/1/";
    let mut times = vec![first["uploaded"].clone()];
    for change in [json!({}), json!({"name": "Report"}), json!({"request": 1})] {
        sandbox.advance(Duration::from_secs(1));
        times.push(client.expect(200, "PATCH", path, Some(change))["uploaded"].clone());
    }
    times.dedup();
    assert_eq!(times.len(), 4);
    let replaced = upload(&client, 200, "PATCH", path, &[file("new one.txt", "3")]);
    assert_eq!(replaced["file"], "allocations/new_one.txt");
    assert_eq!(replaced["name"], "Report");
    let changes: Vec<_> =
        replaced["_history"].as_array().unwrap().iter().map(|entry| &entry["changes"]).collect();
    assert_eq!(changes[0], &json!({"file": ["allocations/my_report.pdf", "new one.txt"]}));
    assert_eq!(changes[1], &json!({"name": ["my report.pdf", "Report"]}));
    assert_eq!(changes.len(), 3, "changes without effect are not logged");
    client.expect(204, "DELETE", path, None);
    let parts = [text("request", "1"), file("new one.txt", "4")];
    let again = upload(&client, 201, "POST", LIST, &parts);
    assert_ne!(again["file"], "allocations/new_one.txt", "files of deleted records stay");
}

#[test]
fn what_is_no_file_is_refused() {
    let sandbox = sandbox(Database::Sqlite);
    let client = admin(&sandbox);
    let refusal = |parts: &[String]| upload(&client, 400, "POST", LIST, parts)["file"][0].clone();
    let request = text("request", "1");
    let not_a_file = "The submitted data was not a file. Check the encoding type on the form.";
    assert_eq!(refusal(&[request.clone(), file("", "x")]), not_a_file);
    assert_eq!(refusal(&[request.clone(), file("a/", "x")]), "No file was submitted.");
    assert_eq!(
        refusal(&[request.clone(), file("a.tex", "x")]),
        "File type 'text/x-tex' is not allowed."
    );
    assert_eq!(refusal(&[request.clone(), file("a.pdf", "")]), "The submitted file is empty.");
    let parts = [text("request", "7"), file("a.pdf", "x")];
    let unknown = upload(&client, 400, "POST", LIST, &parts);
    assert_eq!(unknown, json!({"request": ["Invalid pk \"7\" - object does not exist."]}));
    upload(&client, 201, "POST", LIST, &[request, file("a.pdf", "x")]);
    for change in [json!({"file": "a.pdf"}), json!({"file": 1}), json!({"file": null})] {
        client.expect(400, "PATCH", "/allocations/attachments/1/", Some(change));
    }
    let unknown = sandbox.insert("allocations/attachments", json!({"request": 1}));
    assert_eq!(unknown.unwrap_err().to_string(), "file: No file was submitted.");
}

#[test]
fn one_database_refuses_long_names() {
    for (database, status) in [(Database::Sqlite, 201), (Database::Postgres, 500)] {
        let sandbox = sandbox(database);
        let parts = [text("request", "1"), text("name", &"n".repeat(251)), file("a.pdf", "x")];
        upload(&admin(&sandbox), status, "POST", LIST, &parts);
    }
}

#[test]
fn any_bytes_in_parts_have_an_answer() {
    let sandbox = sandbox(Database::Sqlite);
    let client = admin(&sandbox);
    let whole = [text("request", "1"), file("ä \\\"q\\\".pdf", "x"), text("name", "")].concat();
    let whole = format!("{whole}--x--\r\n").into_bytes();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..2_000 {
        let mut body = whole.clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..body.len());
            match random.u8(..4) {
                0 => body.truncate(at.max(1)),
                1 => body.insert(at, random.u8(..)),
                2 => drop(body.remove(at)),
                _ => body[at] = random.choice(b"\r\n-x\";=\\\0\xff".iter().copied()).unwrap(),
            }
            if body.len() < 2 {
                break;
            }
        }
        let status = client.send_form("POST", LIST, body).status().as_u16();
        assert!([201, 400].contains(&status), "{status}");
    }
}
