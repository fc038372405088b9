//! What of an exchange is in a cassette.

use std::fs;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use keystone_client::blocking::HttpBackend;
use keystone_client::body::{Body, Multipart};
use keystone_client::testing::{Exchange, Recorder, Redaction, Replay, Scripted, from_fn};
use keystone_client::upload::Upload;
use serde_json::{Value, json};

use crate::support::BASE;

fn request(method: Method, target: &str, body: &Value) -> Request<Bytes> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Request::builder().method(method).uri(format!("{BASE}{target}")).body(body.into()).unwrap()
}

/// Records one exchange, and returns its entry and the whole cassette.
fn entry_of(redaction: Redaction, sent: Request<Bytes>, answer: Exchange) -> (Value, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.json");
    let recorder = Recorder::new(Scripted::new([answer]), &path).with_redaction(redaction);
    recorder.execute(sent).unwrap();
    recorder.save().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let cassette: Value = serde_json::from_str(&text).unwrap();
    (cassette["entries"][0].clone(), text)
}

fn answered(redaction: Redaction, status: StatusCode, body: &Value) -> Value {
    let answer = Exchange::get("/a/").reply_json(status, body);
    let (entry, _) = entry_of(redaction, request(Method::GET, "/a/", &Value::Null), answer);
    entry["response"]["body"]["json"].clone()
}

#[test]
fn only_what_is_known_to_be_harmless_is_kept() {
    let body = json!({
        "id": 7, "username": "ada", "email": "ada@example.edu", "role": "Faculty",
        "status": "AP", "is_active": true, "department": null, "notes": "", "date_joined":
        "2025-09-01T08:00:00.500000Z", "amount": "12.50", "unheard_of": "who knows",
        "remote_addr": "10.1.2.3", "home": "https://ada.example.edu/", "access_mode": "OP",
        "count": 3, "owner": { "username": "ada", "role": "OW" }, "tags": ["ada", "new"],
        "meta": "{\"user\": \"ada\", \"count\": 3}", "Ada Lovelace": 1
    });
    let seen = answered(Redaction::new(), StatusCode::OK, &body);
    for kept in [
        "id",
        "status",
        "is_active",
        "department",
        "notes",
        "date_joined",
        "amount",
        "access_mode",
        "count",
    ] {
        assert_eq!(seen[kept], body[kept], "{kept}");
    }
    assert_eq!(seen["owner"]["role"], "OW");
    for (name, begins, ends) in [
        ("email", "email-", "@example.invalid"),
        ("role", "role-", ""),
        ("unheard_of", "unheard_of-", ""),
        ("remote_addr", "2001:db8::", ""),
        ("home", "https://example.invalid/home-", ""),
    ] {
        let seen = seen[name].as_str().unwrap();
        assert!(seen.starts_with(begins) && seen.ends_with(ends), "{name}: {seen}");
    }
    // One value has one placeholder wherever it is.
    let username = &seen["username"];
    let meta: Value = serde_json::from_str(seen["meta"].as_str().unwrap()).unwrap();
    assert_eq!(meta, json!({ "user": username, "count": 3 }));
    assert_eq!((&seen["owner"]["username"], &seen["tags"][0]), (username, username));
    assert!(seen.as_object().unwrap().keys().any(|key| key.starts_with("key-")), "{seen}");
    let text = seen.to_string();
    for word in ["ada", "Ada", "Faculty", "who knows", "10.1.2.3", "new"] {
        assert!(!text.contains(word), "{word} is in {text}");
    }
}

#[test]
fn the_same_value_has_the_same_placeholder_in_all_entries() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.json");
    let recorder = Recorder::new(
        from_fn(|request| {
            let body = json!({ "username": "ada", "seen": request.uri().path() });
            Ok(http::Response::new(body.to_string().into()))
        }),
        &path,
    );
    recorder.execute(request(Method::GET, "/a/?username=ada&_search=bob", &Value::Null)).unwrap();
    let body = json!({ "name": "bob", "password": "ada" });
    recorder.execute(request(Method::POST, "/b/", &body)).unwrap();
    recorder.save().unwrap();
    let cassette: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let first = &cassette["entries"][0];
    let second = &cassette["entries"][1];
    assert_eq!(first["request"]["query"], json!(["username=username-1", "_search=search-2"]));
    assert_eq!(first["response"]["body"]["json"]["username"], "username-1");
    assert_eq!(second["response"]["body"]["json"]["username"], "username-1");
    let sent = &second["request"]["body"]["json"];
    assert_eq!(*sent, json!({ "name": "search-2", "password": "[redacted]" }));
}

#[test]
fn refusals_keep_the_words_of_the_server() {
    let body = json!({
        "detail": "Method \"GET\" not allowed.", "code": "token_not_valid",
        "name": ["team with this name already exists.", "\"Lovelace\" is not a valid choice."],
        "password": ["This password is too common."]
    });
    assert_eq!(
        answered(Redaction::new(), StatusCode::BAD_REQUEST, &body),
        json!({
            "detail": "Method \"GET\" not allowed.", "code": "token_not_valid",
            "name": ["team with this name already exists.", "\"[redacted]\" is not a valid choice."],
            "password": ["This password is too common."]
        })
    );
}

#[test]
fn fields_can_be_kept_and_left_out() {
    let body = json!({ "title": "Folding", "name": "gpu-1", "agency": "NSF", "amount": "12.50",
        "count": 5, "is_active": true, "other": "x" });
    let redaction = Redaction::new()
        .keep_field("title")
        .keep_if(|field, value| field == "name" && value.starts_with("gpu-"))
        .redact_field("amount")
        .redact_field("count")
        .redact_field("is_active");
    let seen = answered(redaction, StatusCode::OK, &body);
    assert_eq!(seen["title"], "Folding");
    assert_eq!(seen["name"], "gpu-1");
    assert!(seen["agency"].as_str().unwrap().starts_with("agency-"));
    assert!(seen["amount"].as_str().unwrap().ends_with(".00"), "{seen}");
    assert_eq!((&seen["count"], &seen["is_active"]), (&json!(0), &json!(false)));
}

#[test]
fn secrets_are_left_out_whatever_is_asked_for() {
    let keep =
        || Redaction::new().keep_if(|_, _| true).keep_header("set-cookie").keep_field("password");
    let mut sent = request(
        Method::POST,
        "/a/?note=my+hunter2",
        &json!({ "password": "hunter2", "inner": "{\"password\": \"hunter2\"}", "note": "is hunter2" }),
    );
    for (name, value) in [
        ("authorization", "Token Zq7-of-the-api"),
        ("cookie", "a=b; sessionid=Zq7-of-the-session"),
        ("x-csrftoken", "hunter2"),
    ] {
        sent.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let answer = Exchange::post("/a/")
        .with_any_query()
        .reply_json(
            StatusCode::OK,
            &json!({
                "access": "hunter2", "key": 12345, "x": "kept", "y": "is Zq7-of-the-api",
                "z": "is Zq7-of-the-session"
            }),
        )
        .reply_header(
            header::SET_COOKIE,
            HeaderValue::from_static("a=hunter2; Path=/; Domain=x.edu"),
        )
        .reply_header("x-token".parse().unwrap(), HeaderValue::from_static("hunter2"));
    let (entry, text) = entry_of(keep(), sent, answer);
    assert!(!["hunter2", "12345", "Zq7"].iter().any(|it| text.contains(it)), "{text}");
    assert!(text.contains("kept"));
    let cookie = entry["response"]["headers"].to_string();
    assert!(cookie.contains("set-cookie: a=redacted-") && cookie.contains("; Path=/"), "{cookie}");
    assert!(!cookie.contains("Domain"), "{cookie}");
}

#[test]
fn tokens_keep_the_claims_that_clients_go_by() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = json!({ "exp": 1_900_000_000, "user_id": 7, "token_type": "access",
        "email": "ada@example.edu", "jti": "0123456789abcdef" });
    let access = crate::support::token(&claims);
    let seen = answered(Redaction::new(), StatusCode::OK, &json!({ "access": access, "again": 1 }));
    let seen = seen["access"].as_str().unwrap();
    assert_ne!(seen, access);
    let payload = seen.split('.').nth(1).unwrap();
    let mut kept: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let id = kept["jti"].take();
    assert!(id.as_str().unwrap().starts_with("redacted-"), "{id}");
    assert_eq!(
        kept,
        json!({ "exp": 1_900_000_000, "user_id": 7, "token_type": "access", "jti": null })
    );
}

#[test]
fn headers_are_kept_if_clients_go_by_them() {
    let answer = || {
        let value = HeaderValue::from_static;
        Exchange::get("/a/")
            .reply(StatusCode::MOVED_PERMANENTLY, "")
            .reply_header(header::LOCATION, value("/b/?name=ada&_limit=5"))
            .reply_header(header::RETRY_AFTER, value("7"))
            .reply_header(header::SERVER, value("keystone-of-ada"))
    };
    let sent = || request(Method::GET, "/a/", &Value::Null);
    let (entry, _) = entry_of(Redaction::new(), sent(), answer());
    assert_eq!(
        entry["response"]["headers"],
        json!(["location: /b/?name=name-1&_limit=5", "retry-after: 7"])
    );
    let (entry, _) = entry_of(Redaction::new().keep_header("Server"), sent(), answer());
    assert!(entry.to_string().contains("server: keystone-of-ada"));
}

#[test]
fn links_and_paths_keep_what_is_no_data() {
    let body = json!({
        "next": "https://keystone.example.edu/users/users/?_limit=5&_offset=5&username=ada",
        "endpoint": "/users/teams/?name=ada", "path": "/media/Ada%20Lovelace/x.pdf"
    });
    let seen = answered(Redaction::new(), StatusCode::OK, &body);
    let next = seen["next"].as_str().unwrap();
    assert!(
        next.starts_with("https://keystone.invalid/users/users/?_limit=5&_offset=5&username="),
        "{next}"
    );
    assert!(!seen.to_string().to_lowercase().contains("ada"), "{seen}");
    assert!(seen["path"].as_str().unwrap().starts_with("/media/segment-"));
}

#[test]
fn texts_and_bytes_are_left_out_unless_they_are_asked_for() {
    let text = |body: &'static [u8]| {
        Exchange::get("/a/")
            .reply(StatusCode::OK, body)
            .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("text/html"))
    };
    let sent = || request(Method::GET, "/a/", &Value::Null);
    let body =
        |redaction, answer| entry_of(redaction, sent(), answer).0["response"]["body"].clone();
    let keep = || Redaction::new().keep_field("body");
    assert_eq!(body(Redaction::new(), text(b"0.10.9\n")), json!({ "text": "0.10.9\n" }));
    assert_eq!(body(Redaction::new(), text(b"<p>Ada")), json!({ "text": "[redacted]" }));
    assert_eq!(body(keep(), text(b"<p>Ada")), json!({ "text": "<p>Ada" }));
    assert_eq!(body(Redaction::new(), text(b"\xff\x00")), json!({ "omitted": 2 }));
    assert_eq!(body(keep(), text(b"\xff\x00")), json!({ "base64": "/wA=" }));
    assert_eq!(body(keep(), text(b"")), Value::Null);
}

fn form() -> Request<Bytes> {
    let form = Multipart::new()
        .text("request", "1")
        .text("name", "Ada's plan")
        .text("job", r#"{"actions":[{"method":"POST","path":"/users/users/","payload":{"username":"ada"}}]}"#)
        .file("file", Upload::bytes("ada.txt", "Ada's own words"));
    let Body::Raw { content_type, bytes } = form.encode().unwrap() else { panic!() };
    let mut request = request(Method::POST, "/a/", &Value::Null);
    request.headers_mut().insert(header::CONTENT_TYPE, content_type);
    *request.body_mut() = bytes;
    request
}

#[test]
fn forms_are_kept_part_by_part() {
    let (entry, text) = entry_of(Redaction::new(), form(), Exchange::post("/a/"));
    assert!(!text.contains("Ada") && !text.contains("ada"), "{text}");
    let parts = &entry["request"]["body"]["form"];
    assert_eq!(parts[0], json!({ "name": "request", "content": { "text": "1" } }));
    assert_eq!(parts[3]["content"], json!({ "omitted": 15 }));
    assert_eq!(parts[3]["content_type"], "text/plain");
    assert_eq!(parts[3]["file_name"], "file_name-3");
    let (entry, text) =
        entry_of(Redaction::new().keep_field("file"), form(), Exchange::post("/a/"));
    assert_eq!(entry["request"]["body"]["form"][3]["content"]["base64"], "QWRhJ3Mgb3duIHdvcmRz");

    // And compared so.
    Replay::from_json(&text).unwrap().execute(form()).unwrap();
    let replay = Replay::from_json(&text).unwrap();
    let mut other = form();
    let bytes = String::from_utf8(other.body().to_vec()).unwrap();
    *other.body_mut() = bytes
        .replace("own words", "own deeds")
        .replace("POST", "PATCH")
        .replace("text/plain", "text/csv")
        .replace("name=\"request\"\r\n\r\n1", "name=\"request\"\r\n\r\n2")
        .into();
    replay.execute(other).unwrap_err();
    assert_eq!(
        super::message_of(|| replay.verify()),
        "POST /a/ was not recorded; the nearest is entry 1, POST /a/\n  \
           field `job`.actions[0].method: expected \"POST\", seen \"PATCH\"\n  \
           field `request`: expected \"1\", seen \"2\"\n  \
           file `file`, content type: expected \"text/plain\", seen \"text/csv\"\n  \
           file `file`: its content is another\n\
         1 recorded request did not come:\n  \
           entry 1, POST /a/"
    );
}

#[test]
fn numbers_that_were_left_out_may_be_any() {
    let sent = |count: u64, other: u64| {
        request(Method::POST, "/a/", &json!({ "count": count, "other": other }))
    };
    let redaction = Redaction::new().redact_field("count");
    let (_, text) = entry_of(redaction, sent(5, 6), Exchange::post("/a/"));
    Replay::from_json(&text).unwrap().execute(sent(7, 6)).unwrap();
    let replay = Replay::from_json(&text).unwrap();
    replay.execute(sent(5, 7)).unwrap_err();
    assert!(super::message_of(|| replay.verify()).contains("body.other: expected 6, seen 7"));
}

#[test]
fn lists_in_parameters_are_compared_item_by_item() {
    let sent = |list: &str| {
        request(Method::GET, &format!("/a/?username__in={list}&id__in=1,2"), &Value::Null)
    };
    let answer = || Exchange::get("/a/").with_any_query();
    let (entry, text) = entry_of(Redaction::new(), sent("ada,bob"), answer());
    assert_eq!(
        entry["request"]["query"],
        json!(["username__in=username-1,username-2", "id__in=1,2"])
    );
    Replay::from_json(&text).unwrap().execute(sent("carl,dora")).unwrap();
    for other in ["carl,carl", "carl", "carl,dora,emil"] {
        let replay = Replay::from_json(&text).unwrap();
        replay.execute(sent(other)).unwrap_err();
        super::message_of(|| replay.verify());
    }
}

/// All strings in JSON, with the members that they are in.
fn strings(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::String(text) => into.push((name.to_owned(), text.clone())),
        Value::Array(items) => items.iter().for_each(|item| strings(name, item, into)),
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| strings(name, value, into));
        }
        _ => {}
    }
}

/// What real servers have answered, as if it were recorded here.
#[test]
fn nothing_personal_is_left_of_what_real_servers_answer() {
    const PERSONAL: &[&str] = &[
        "username",
        "first_name",
        "last_name",
        "display_name",
        "email",
        "department",
        "slug",
        "title",
        "description",
        "content",
        "abstract",
        "journal",
        "subject",
        "message_html",
        "private_comments",
        "public_comments",
        "agency",
        "pi",
        "grant_number",
        "doi",
        "file",
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.json");
    let mut answers = Vec::new();
    let mut personal = Vec::new();
    let recordings = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    for version in ["v0.3.26", "v0.10.9"] {
        for file in fs::read_dir(recordings.join(version)).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_none_or(|it| it != "json") {
                continue;
            }
            let recording: Value =
                serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
            // Descriptions of the API have names of things where records have those of people.
            if recording["request"]["method"] == "OPTIONS" {
                continue;
            }
            let response = &recording["response"];
            let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
            let status = StatusCode::from_u16(status).unwrap();
            let body = &response["body"];
            if status.is_success() {
                strings("", body, &mut personal);
            }
            answers.push(match body.as_str() {
                Some(text) => Exchange::get("/a/").reply(status, text.to_owned()),
                None => Exchange::get("/a/").reply_json(status, body),
            });
        }
    }
    let number = answers.len();
    assert!(number > 800, "{number}");
    let recorder = Recorder::new(Scripted::new(answers), &path);
    for _ in 0..number {
        recorder.execute(request(Method::GET, "/a/", &Value::Null)).unwrap();
    }
    recorder.save().unwrap();
    let cassette: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let mut kept = Vec::new();
    strings("", &cassette["entries"], &mut kept);
    let is_telling = |text: &str| {
        text.len() >= 6 && text.chars().any(char::is_alphabetic) && !text.ends_with(".None")
    };
    personal.retain(|(name, text)| PERSONAL.contains(&name.as_str()) && is_telling(text));
    assert!(personal.len() > 1000, "{}", personal.len());
    personal.sort();
    personal.dedup();
    let all: Vec<&str> = kept.iter().map(|(_, text)| text.as_str()).collect();
    let all = all.join("\n");
    for (name, text) in personal {
        assert!(!all.contains(&text), "{name}: {text:?}");
    }
    // Most refusals are still to be read.
    let refusals: Vec<&String> = kept
        .iter()
        .filter(|(name, text)| name == "detail" || text.ends_with('.'))
        .map(|(_, text)| text)
        .collect();
    let lost: Vec<&&String> = refusals.iter().filter(|text| text.contains("[redacted]")).collect();
    assert!(lost.iter().all(|text| text.matches("[redacted]").count() == 1), "{lost:#?}");
    assert!(lost.len() * 15 < refusals.len(), "{} of {}: {lost:#?}", lost.len(), refusals.len());
}
