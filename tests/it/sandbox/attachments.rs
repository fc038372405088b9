//! Attachments: what a recording of one exchange cannot show.

use std::time::Duration;

use keystone_client::sandbox::{Database, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin};
use crate::support::target::{PASSWORD, Target, uuid};

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

/// A request of a team with a member.
struct Place {
    server: Target,
    client: Client,
    request: u64,
    member: String,
}

impl Place {
    fn new() -> Option<Self> {
        let server = Target::session()?;
        let (boss, name) = server.staff("boss");
        let (user, member) = server.user("member");
        let team = server.insert("users/teams", json!({"name": server.name("Stars")}));
        let membership = json!({"user": user, "team": team, "role": "MB"});
        server.insert("users/memberships", membership);
        let request = json!({"title": "t", "description": "d", "submitter": boss, "team": team});
        let request = server.insert("allocations/requests", request);
        let client = Client::session(&server, &name, PASSWORD);
        Some(Self { server, client, request, member })
    }

    fn request(&self) -> String {
        text("request", &self.request.to_string())
    }

    /// Names of files are taken for good.
    fn file(&self, name: &str, content: &str) -> (String, String) {
        let (root, extension) = name.rsplit_once('.').unwrap();
        let name = format!("{}.{extension}", self.server.name(root));
        (file(&name, content), name)
    }
}

#[test]
fn attachments_show_at_their_request_and_go_with_it() {
    let Some(place) = Place::new() else {
        return;
    };
    let cid = uuid();
    let mut client = place.client.clone();
    client.headers.push(("x-keystone-cid", cid.clone()));
    let (file, name) = place.file("a.csv", "1;2");
    let parts = [place.request(), text("name", ""), file];
    let first = upload(&client, 201, "POST", LIST, &parts);
    assert_eq!(first["file"], format!("allocations/{name}"));
    let second = upload(&client, 201, "POST", LIST, &parts);
    let path = second["file"].as_str().unwrap();
    assert_ne!(second["file"], first["file"], "the name is taken");
    let expected = json!([
        {"file": first["file"], "name": name},
        {"file": path, "name": name},
    ]);
    let request = format!("/allocations/requests/{}/", place.request);
    assert_eq!(client.get(&request)["_attachments"], expected);
    let member = Client::session(&place.server, &place.member, PASSWORD);
    assert_eq!(member.get(LIST)["count"], 2);
    let one = format!("{LIST}{}/", first["id"]);
    assert_eq!(member.get(&one)["name"], name);
    upload(&member, 403, "POST", LIST, &parts);
    member.expect(403, "DELETE", &one, None);
    client.expect(204, "DELETE", &request, None);
    assert_eq!(member.get(LIST)["count"], 0);
    client.expect(400, "GET", &format!("{LIST}?request={}", place.request), None);
    let log = client.get(&format!("/logs/audit/?action=2&cid={cid}"));
    let names: Vec<_> =
        log["results"].as_array().unwrap().iter().map(|it| &it["record_name"]).collect();
    let deleted = "allocations | Attachment";
    assert_eq!(names, ["allocations | AllocationRequest", deleted, deleted]);
}

#[test]
fn every_change_moves_the_time_of_upload() {
    let Some(place) = Place::new() else {
        return;
    };
    let client = &place.client;
    let name = place.server.name("dir/my report");
    let name = format!("{name}.pdf");
    let parts = [place.request(), file("first.txt", "1"), file(&name, "2")];
    let first = upload(client, 201, "POST", LIST, &parts);
    let kept = format!("allocations/{}", name[4..].replace(' ', "_"));
    assert_eq!(first["file"], kept, "the last file counts");
    let path = format!("{LIST}{}/", first["id"]);
    let mut times = vec![first["uploaded"].clone()];
    for change in [json!({}), json!({"name": "Report"}), json!({"request": place.request})] {
        if let Some(sandbox) = place.server.sandbox() {
            sandbox.advance(Duration::from_secs(1));
        }
        times.push(client.expect(200, "PATCH", &path, Some(change))["uploaded"].clone());
    }
    times.dedup();
    assert_eq!(times.len(), 4);
    let (file, name) = place.file("new one.txt", "3");
    let replaced = upload(client, 200, "PATCH", &path, &[file]);
    let stored = format!("allocations/{}", name.replace(' ', "_"));
    assert_eq!(replaced["file"], stored);
    assert_eq!(replaced["name"], "Report");
    let changes: Vec<_> =
        replaced["_history"].as_array().unwrap().iter().map(|entry| &entry["changes"]).collect();
    assert_eq!(changes[0], &json!({"file": [kept, name]}));
    assert_eq!(changes[1], &json!({"name": [kept[12..].replace('_', " "), "Report"]}));
    assert_eq!(changes.len(), 3, "changes without effect are not logged");
    client.expect(204, "DELETE", &path, None);
    let parts = [place.request(), place.file("new one.txt", "4").0];
    let again = upload(client, 201, "POST", LIST, &parts);
    assert_ne!(again["file"], stored, "files of deleted records stay");
}

#[test]
fn what_is_no_file_is_refused() {
    let Some(place) = Place::new() else {
        return;
    };
    let client = &place.client;
    let refusal = |parts: &[String]| upload(client, 400, "POST", LIST, parts)["file"][0].clone();
    let request = place.request();
    let not_a_file = "The submitted data was not a file. Check the encoding type on the form.";
    assert_eq!(refusal(&[request.clone(), file("", "x")]), not_a_file);
    assert_eq!(refusal(&[request.clone(), file("a/", "x")]), "No file was submitted.");
    assert_eq!(
        refusal(&[request.clone(), file("a.tex", "x")]),
        "File type 'text/x-tex' is not allowed."
    );
    assert_eq!(refusal(&[request.clone(), file("a.pdf", "")]), "The submitted file is empty.");
    let parts = [text("request", "999999"), file("a.pdf", "x")];
    let unknown = upload(client, 400, "POST", LIST, &parts);
    assert_eq!(unknown, json!({"request": ["Invalid pk \"999999\" - object does not exist."]}));
    let made = upload(client, 201, "POST", LIST, &[request, file("a.pdf", "x")]);
    let path = format!("{LIST}{}/", made["id"]);
    for change in [json!({"file": "a.pdf"}), json!({"file": 1}), json!({"file": null})] {
        client.expect(400, "PATCH", &path, Some(change));
    }
}

#[test]
fn inserts_name_a_file() {
    let sandbox = sandbox(Database::Sqlite);
    let unknown = sandbox.insert("allocations/attachments", json!({"request": 1}));
    assert_eq!(unknown.unwrap_err().to_string(), "file: No file was submitted.");
    let stored = json!({"file": "allocations/a.csv", "request": 1});
    assert_eq!(sandbox.insert("allocations/attachments", stored), Ok(1));
    let parts = [text("request", "1"), file("a.csv", "1;2")];
    let second = upload(&admin(&sandbox), 201, "POST", LIST, &parts);
    assert_ne!(second["file"], "allocations/a.csv", "the name is taken");
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
