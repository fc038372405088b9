use http::{Method, StatusCode, header};
use keystone_client::backend::{BackendError, BackendErrorKind};
use keystone_client::body::Multipart;
use keystone_client::resources::{NewTeam, NewUser, Team, User};
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::{Capture, Fixture, from_fn, page};
use keystone_client::upload::Upload;
use serde_json::json;

use super::message_of;
use crate::support::both_colours;

both_colours! {
    fn one_answer_for_all() {
        let sent = Capture::json(StatusCode::CREATED, &Team::fixture_json(7));
        let client = client!(sent.clone());
        go!(client.create_team(NewTeam::new("Folding").is_active(false))).unwrap();
        let request = sent.only();
        assert_eq!(request.method(), Method::POST);
        assert_eq!((request.path(), request.query()), ("/users/teams/", None));
        assert_eq!(request.header(header::CONTENT_TYPE), Some("application/json"));
        assert_eq!(request.json(), Some(json!({ "name": "Folding", "is_active": false })));
        assert_eq!(request.status(), Some(StatusCode::CREATED));
        assert_eq!(request.form(), None);
    }

    fn parameters_are_decoded() {
        let sent = Capture::json(StatusCode::OK, &page([]));
        let client = client!(sent.clone());
        let list = client.teams().filter(|t| t.name.eq("A & B")).filter(|t| t.is_active.eq(true));
        assert!(go!(list.all()).unwrap().is_empty());
        let request = sent.only();
        assert_eq!(request.parameter("name").as_deref(), Some("A & B"));
        assert_eq!(request.parameter("nope"), None);
        let pairs = request.query_pairs();
        assert!(pairs.contains(&("is_active".into(), "true".into())), "{pairs:?}");
    }

    fn a_sandbox_may_answer() {
        let sent = Capture::new(Sandbox::new());
        let client = client!(sent.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let before = sent.take().len();
        assert!(before > 0);
        go!(client.create_team(NewTeam::new("Folding"))).unwrap();
        assert_eq!(sent.only().status(), Some(StatusCode::CREATED));
    }

    fn files_are_parts_of_a_form() {
        let sent = Capture::text(StatusCode::OK, "");
        let client = client!(sent.clone());
        let form = Multipart::new()
            .text("request", "1")
            .file("file", Upload::bytes("plan.txt", "fold"));
        go!(client.http_post("files").multipart(form)).unwrap();
        let parts = sent.only().form().unwrap();
        assert_eq!((parts[0].name(), parts[0].text()), ("request", Some("1")));
        assert_eq!((parts[1].name(), parts[1].file_name()), ("file", Some("plan.txt")));
        assert_eq!(parts[1].content_type(), Some("text/plain"));
        assert_eq!(parts[1].content(), "fold");
    }

    fn failures_have_no_status() {
        let failing = from_fn(|_| Err(BackendError::new(BackendErrorKind::Request, "no")));
        let sent = Capture::new(failing);
        let client = client!(sent.clone());
        go!(client.version()).unwrap_err();
        assert_eq!(sent.only().status(), None);
    }
}

#[test]
fn debug_shows_no_secret() {
    let sent = Capture::json(StatusCode::CREATED, &User::fixture_json(7));
    let client =
        keystone_client::blocking::KeystoneClient::with_backend("https://k.test", sent.clone());
    let client = client.unwrap();
    client.create_user(NewUser::new("bob", "hunter2")).send().unwrap();
    let get = client.http_get("a").query("token", "hunter2");
    get.send().unwrap();
    let shown = format!("{sent:?} {:?}", sent.requests());
    assert!(!shown.contains("hunter2") && shown.contains("token"), "{shown}");
    // The methods give everything.
    assert_eq!(sent.requests()[0].json().unwrap()["password"], "hunter2");
}

#[test]
fn only_one_is_only_one() {
    let sent = Capture::text(StatusCode::OK, "0.10.9");
    assert_eq!(message_of(|| sent.only()), "there were 0 requests and not one:");
    let client =
        keystone_client::blocking::KeystoneClient::with_backend("https://k.test", sent.clone());
    let client = client.unwrap();
    client.version().send().unwrap();
    client.version().send().unwrap();
    assert_eq!(
        message_of(|| sent.only()),
        "there were 2 requests and not one:\n  GET /version/\n  GET /version/"
    );
}

#[test]
fn the_status_is_that_of_the_request_also_after_taking() {
    use std::sync::{Arc, Mutex};
    let slot: Arc<Mutex<Option<Ask>>> = Arc::default();
    let own = Arc::clone(&slot);
    let sent = Capture::new(from_fn(move |request: http::Request<bytes::Bytes>| {
        if request.uri().path() == "/slow/" {
            // What is under way is taken, and another request comes.
            own.lock().unwrap().take().unwrap()();
        }
        let status = if request.uri().path() == "/slow/" { 201 } else { 404 };
        Ok(http::Response::builder().status(status).body(bytes::Bytes::new()).unwrap())
    }));
    let ask: Ask = {
        let sent = sent.clone();
        Box::new(move || {
            assert_eq!(sent.take().len(), 1);
            execute(&sent, "/quick/");
        })
    };
    *slot.lock().unwrap() = Some(ask);
    execute(&sent, "/slow/");
    assert_eq!(sent.only().status(), Some(StatusCode::NOT_FOUND));
}

type Ask = Box<dyn FnOnce() + Send>;

fn execute<B: keystone_client::blocking::HttpBackend>(sent: &Capture<B>, path: &str) {
    let uri = format!("https://k.test{path}");
    let request = http::Request::builder().uri(uri).body(bytes::Bytes::new()).unwrap();
    keystone_client::blocking::HttpBackend::execute(sent, request).unwrap();
}
