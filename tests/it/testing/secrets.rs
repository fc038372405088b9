//! Secrets and personal data in places where they are easily overlooked.

use std::fs;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response};
use keystone_client::blocking::HttpBackend;
use keystone_client::body::{Body, Multipart};
use keystone_client::testing::{Recorder, Redaction, Replay, from_fn};
use keystone_client::upload::Upload;
use serde_json::{Value, json};

use crate::support::BASE;

fn request(method: Method, target: &str, body: &Value) -> Request<Bytes> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Request::builder().method(method).uri(format!("{BASE}{target}")).body(body.into()).unwrap()
}

fn get(target: &str) -> Request<Bytes> {
    request(Method::GET, target, &Value::Null)
}

fn answer(status: u16, body: &Value) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(body.to_string().into())
        .unwrap()
}

/// Records these exchanges, and returns the cassette.
fn recorded(redaction: Redaction, exchanges: Vec<(Request<Bytes>, Response<Bytes>)>) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.json");
    let (requests, answers): (Vec<_>, Vec<_>) = exchanges.into_iter().unzip();
    let answers = std::sync::Mutex::new(answers.into_iter());
    let inner = from_fn(move |_| Ok(answers.lock().unwrap().next().unwrap()));
    let recorder = Recorder::new(inner, &path).with_redaction(redaction);
    for request in requests {
        recorder.execute(request).unwrap();
    }
    recorder.save().unwrap();
    serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap()
}

fn one(redaction: Redaction, sent: Request<Bytes>, answer: Response<Bytes>) -> Value {
    recorded(redaction, vec![(sent, answer)])
}

#[track_caller]
fn without(cassette: &Value, words: &[&str]) {
    let text = cassette.to_string();
    for word in words {
        assert!(!text.contains(word), "{word} is in {text}");
    }
}

#[test]
fn a_refusal_keeps_no_value_that_it_quotes() {
    let sent = request(
        Method::POST,
        "/users/users/",
        &json!({ "password": "12345678", "short": "given value" }),
    );
    let refusal = json!({
        "password": ["This password 12345678 is too common: 12345678", "This password is too common."],
        "short": "12345678", "otp_token": "123456", "phone": ["phone 4155551234 exists"],
        "code": "JBSWY3DPEHPK3PXP", "detail": "text/ada.lovelace at /home/ada is not valid.",
        "grade": ["Invalid value."], "number": 4_155_551_234_u64, "token": 7_755_331
    });
    let rules = Redaction::new().redact_field("grade");
    let cassette = one(rules, sent, answer(400, &refusal));
    without(
        &cassette,
        &["12345678", "123456", "4155551234\"", "JBSWY", "ada", "7755331", "Invalid"],
    );
    let body = &cassette["entries"][0]["response"]["body"]["json"];
    assert_eq!(body["password"], json!(["[redacted]", "This password is too common."]));
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.starts_with("[redacted] at /segment-"), "{detail}");
    assert!(detail.ends_with(" is not valid."), "{detail}");

    let refusal = json!({ "code": "token_not_valid", "detail": "Invalid token." });
    let cassette = one(Redaction::new(), get("/users/users/"), answer(401, &refusal));
    assert_eq!(cassette["entries"][0]["response"]["body"]["json"], refusal);
}

#[test]
fn what_a_secret_is_of_several_words_is_not_told_either() {
    let sent = request(Method::POST, "/users/users/", &json!({ "password": "correct the value" }));
    let refusal = json!({ "detail": "Please correct the value again." });
    without(&one(Redaction::new(), sent, answer(400, &refusal)), &["correct"]);
}

#[test]
fn json_in_a_text_that_is_kept_has_no_secrets() {
    let job = r#"{"title":"Folding","password":"abc","inner":{"token":{"status":"hunter2"}}}"#;
    let form = Multipart::new().text("job", job);
    let Body::Raw { content_type, bytes } = form.encode().unwrap() else { panic!() };
    let mut sent = request(Method::POST, "/batch/", &Value::Null);
    sent.headers_mut().insert("content-type", content_type);
    *sent.body_mut() = bytes;
    for rules in [Redaction::new().keep_field("job"), Redaction::new().keep_if(|_, _| true)] {
        let cassette = one(rules, sent.clone(), answer(200, &json!({ "job": job })));
        without(&cassette, &["abc", "hunter2"]);
        assert_eq!(cassette.to_string().matches("Folding").count(), 2, "{cassette}");
    }
}

#[test]
fn a_secret_is_left_out_of_what_came_before_it() {
    let keep = || Redaction::new().keep_if(|_, _| true).keep_header("x-note");
    let mut first = answer(200, &json!({ "note": "is hunter2", "number": 77_553_311 }));
    first.headers_mut().insert("x-note", HeaderValue::from_static("it is hunter2, ok"));
    let cassette = recorded(
        keep(),
        vec![
            (
                request(
                    Method::POST,
                    "/a/?note=hunter2",
                    &json!({ "note": "my hunter2", "password": "hunter2" }),
                ),
                first,
            ),
            (get("/a/?token=77553311"), answer(200, &json!({}))),
        ],
    );
    without(&cassette, &["hunter2", "77553311"]);
    assert!(cassette.to_string().contains("x-note: it is [redacted], ok"), "{cassette}");
}

#[test]
fn files_and_bytes_are_kept_by_their_name_only() {
    let form = Multipart::new().file("file", Upload::bytes("a.txt", "words of Ada"));
    let Body::Raw { content_type, bytes } = form.encode().unwrap() else { panic!() };
    let mut sent = request(Method::POST, "/a/", &Value::Null);
    sent.headers_mut().insert("content-type", content_type);
    *sent.body_mut() = bytes;
    let binary = Response::new(Bytes::from_static(b"\xff\x00"));
    let is_kept = |rules| one(rules, sent.clone(), binary.clone()).to_string().contains("base64");
    assert!(!is_kept(Redaction::new().keep_if(|_, value| value.is_empty())));
    assert!(!is_kept(Redaction::new().keep_if(|_, _| true)));
    assert!(is_kept(Redaction::new().keep_field("file")));
    assert!(is_kept(Redaction::new().keep_field("body")));
    // Not with a secret inside.
    sent.headers_mut().insert("authorization", HeaderValue::from_static("Token words of Ada"));
    let cassette = one(Redaction::new().keep_field("file"), sent, answer(200, &json!({})));
    assert!(!cassette.to_string().contains("base64"), "{cassette}");
}

#[test]
fn parameters_are_judged_by_the_last_name_in_them() {
    let target = "/a/?user__phone=4155551&user__id__in=7,8&team=9&user__password=abc&__token=xyz\
                  &user__title__contains=kept";
    let cassette = one(Redaction::new().keep_field("title"), get(target), answer(200, &json!({})));
    assert_eq!(
        cassette["entries"][0]["request"]["query"],
        json!([
            "user__phone=phone-1",
            "user__id__in=7,8",
            "team=9",
            "user__password=[redacted]",
            "__token=[redacted]",
            "user__title__contains=kept"
        ])
    );
}

#[test]
fn what_is_below_a_secret_is_secret() {
    let body = json!({ "token": { "status": "hunter2", "pin": 1234, "hunter3": [true, null] } });
    let cassette = one(Redaction::new(), request(Method::POST, "/a/", &body), answer(200, &body));
    without(&cassette, &["hunter", "1234", "true"]);
    let entry = &cassette["entries"][0];
    assert_eq!(entry["request"]["body"]["json"], json!({ "token": "[redacted]" }));
    let token = &entry["response"]["body"]["json"]["token"];
    assert!(token["status"].as_str().unwrap().starts_with("redacted-"), "{token}");
    assert_eq!(token["pin"], 0);
    // And replayed with any.
    let replay = Replay::from_json(&cassette.to_string()).unwrap();
    replay.execute(request(Method::POST, "/a/", &json!({ "token": ["other"] }))).unwrap();
    // Nor is it told.
    let replay = Replay::from_json(&cassette.to_string()).unwrap();
    let other = json!({ "token": "x", "tokens": { "status": "hunter4" } });
    let said = super::whole(&replay.execute(request(Method::POST, "/a/", &other)).unwrap_err());
    assert!(!said.contains("hunter4") && said.contains("body.tokens: not expected"), "{said}");
    super::message_of(|| replay.verify());
}

#[test]
fn paths_keep_words_of_the_api_and_numbers() {
    let mut sent = get("/users/adalovelace/reset/mq-3xhunter/12/");
    sent.headers_mut().insert("cookie", HeaderValue::from_static("sessionid=mq-3xhunter"));
    let mut redirect =
        answer(302, &json!({ "path": "/users/adalovelace/", "endpoint": "/users/teams/7/" }));
    let location = HeaderValue::from_static("/sessions/mq-3xhunter/?a%26b%3Dc=1");
    redirect.headers_mut().insert("location", location);
    let cassette = one(Redaction::new(), sent.clone(), redirect.clone());
    without(&cassette, &["ada", "hunter", "a&b"]);
    let entry = &cassette["entries"][0];
    assert!(entry["request"]["path"].as_str().unwrap().ends_with("/12/"));
    assert_eq!(entry["response"]["body"]["json"]["endpoint"], "/users/teams/7/");
    // What else is needed can be kept, but no secret.
    let rules =
        Redaction::new().keep_if(|field, value| field == "segment" && value != "adalovelace");
    let cassette = one(rules, sent, redirect);
    without(&cassette, &["ada", "hunter"]);
    assert!(cassette.to_string().contains("/reset/"), "{cassette}");
}

#[test]
fn a_known_secret_is_not_kept_for_its_shape() {
    let sent = request(Method::POST, "/a/", &json!({ "password": "SUCCESS", "pin": 20_260_101 }));
    let body = json!({
        "status": "SUCCESS", "other": { "status": "PENDING" }, "count": 20_260_101, "level": "WARNING"
    });
    let cassette = one(Redaction::new(), sent, answer(200, &body));
    without(&cassette, &["SUCCESS", "20260101"]);
    assert!(cassette.to_string().contains("PENDING"));
}

#[test]
fn names_that_are_data_are_left_out() {
    let sent = request(
        Method::POST,
        "/a/?ada%40example.edu&flag&hunter2=1",
        &json!({ "Ada Lovelace": 1, "password": "hunter2", "hunter2": 2, "plain": 3 }),
    );
    let cassette = one(Redaction::new(), sent.clone(), answer(200, &json!({ "hunter2": 1 })));
    without(&cassette, &["Ada", "ada", "hunter2"]);
    assert!(cassette["entries"][0]["request"]["query"].to_string().contains("flag="));
    // Such a request can be replayed.
    Replay::from_json(&cassette.to_string()).unwrap().execute(sent).unwrap();
}

#[test]
fn headers_are_kept_without_what_may_be_data() {
    let mut seen = answer(200, &json!({}));
    for (name, value) in [
        ("www-authenticate", "Bearer realm=\"ada\""),
        ("content-type", "application/json; charset=utf-8; profile=ada"),
        ("set-cookie", "sessionid=hunter2; Path=/~ada/; SameSite=Lax"),
        ("x-api-key", "hunter3"),
        ("x-note", "of hunter2"),
    ] {
        seen.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let rules = ["x-api-key", "x-note", "set-cookie"]
        .iter()
        .fold(Redaction::new(), |it, name| it.keep_header(name));
    let cassette = one(rules, get("/a/"), seen);
    without(&cassette, &["ada", "hunter"]);
    let headers = cassette["entries"][0]["response"]["headers"].to_string();
    for kept in [
        "\"www-authenticate: Bearer\"",
        "\"content-type: application/json; charset=utf-8\"",
        "; SameSite=Lax\"",
        "\"x-note: of [redacted]\"",
    ] {
        assert!(headers.contains(kept), "{kept} is not in {headers}");
    }
}

#[test]
fn a_key_of_an_api_is_a_credential() {
    let mut sent = get("/a/");
    sent.headers_mut().insert("x-api-key", HeaderValue::from_static("hunter2"));
    let keep = Redaction::new().keep_if(|_, _| true);
    without(&one(keep, sent, answer(200, &json!({ "note": "my hunter2" }))), &["hunter2"]);
}

#[test]
fn a_field_is_redacted_whatever_is_in_it() {
    let body = json!({ "pairs": [{ "note": 5 }], "tree": { "x": 5 }, "number": 5, "none": null });
    let rules = ["pairs", "tree", "number", "none"]
        .iter()
        .fold(Redaction::new(), |it, name| it.redact_field(*name));
    let cassette = one(rules, request(Method::POST, "/a/", &body), answer(200, &body));
    let entry = &cassette["entries"][0];
    let left = json!({ "pairs": [], "tree": {}, "number": 0, "none": null });
    assert_eq!(entry["response"]["body"]["json"], left);
    assert_eq!(entry["request"]["body"]["json"], left);
    let replay = || Replay::from_json(&cassette.to_string()).unwrap();
    replay().execute(request(Method::POST, "/a/", &body)).unwrap();
    let other = json!({ "pairs": [1, 2], "tree": { "y": 1 }, "number": 7, "none": null });
    replay().execute(request(Method::POST, "/a/", &other)).unwrap();
}

#[test]
fn fields_can_be_named_secret() {
    let body = json!({ "serial": "hunter2", "note": "my hunter2" });
    let rules = Redaction::new().secret_field("serial").keep_if(|_, _| true);
    without(&one(rules, request(Method::POST, "/a/", &body), answer(200, &body)), &["hunter2"]);
}

keystone_client::resource! {
    /// A thing with a secret of its own.
    pub struct Device("device", "site/devices");
    fields DeviceFields;
    new NewDevice;
    verbs [];

    read_only {
        /// Primary key.
        id: keystone_client::Id<Device>,
    }
    required {
        /// What it is called.
        label: String,
    }
    write_only {
        /// With what it is opened.
        combination: String,
    }
}

#[test]
fn write_only_fields_of_custom_resources_are_secret_to_doubles() {
    use keystone_client::blocking::KeystoneClient;
    use keystone_client::testing::{Exchange, Scripted};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devices.json");
    let inner = from_fn(|_| Ok(answer(201, &json!({ "id": 1, "label": "is hunter2" }))));
    let rules = Redaction::new().keep_if(|_, _| true);
    let recorder = Recorder::new(inner, &path).with_redaction(rules);
    let create = |client: &KeystoneClient, label: &str| {
        client.resource::<Device>().create(NewDevice::new(label, "hunter2")).send()
    };
    create(&KeystoneClient::with_backend(BASE, recorder).unwrap(), "Door").unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"Door\"") && !text.contains("hunter2"), "{text}");

    // Nor do messages tell it.
    let replay = Replay::from_json(&text).unwrap();
    let client = KeystoneClient::with_backend(BASE, replay.clone()).unwrap();
    create(&client, "Gate").unwrap_err();
    let message = super::message_of(|| replay.verify());
    assert!(message.contains("body.label") && !message.contains("hunter2"), "{message}");
    let expected = json!({ "label": "Gate" });
    let script = Scripted::new([Exchange::post("/site/devices/").with_json(expected)]);
    let client = KeystoneClient::with_backend(BASE, script.clone()).unwrap();
    create(&client, "Gate").unwrap_err();
    let message = super::message_of(|| script.verify());
    assert!(message.contains("body.combination: not expected, seen [redacted]"), "{message}");
}
