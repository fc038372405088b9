//! The words in which a script says what is different.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use keystone_client::blocking::HttpBackend;
use keystone_client::body::{Body, Multipart};
use keystone_client::testing::Exchange;
use keystone_client::upload::Upload;
use serde_json::{Value, json};

use super::{message_of, whole};
use crate::support::{BASE, script};

fn request(method: Method, target: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::builder().method(method).uri(format!("{BASE}{target}")).body(body.into()).unwrap()
}

fn post(body: &Value) -> Request<Bytes> {
    request(Method::POST, "/users/teams/", body.to_string())
}

fn form(form: Multipart) -> Request<Bytes> {
    let Body::Raw { content_type, bytes } = form.encode().unwrap() else { panic!() };
    let mut request = request(Method::POST, "/files/", bytes);
    request.headers_mut().insert(header::CONTENT_TYPE, content_type);
    request
}

/// What is said of `request` where `expected` is, without the first line.
#[track_caller]
fn difference(expected: Exchange, request: Request<Bytes>) -> String {
    let script = script([expected]);
    let error = script.execute(request).unwrap_err();
    let said = whole(&error);
    let message = message_of(|| script.verify());
    assert!(said.contains(message.split("\n1 request").next().unwrap()), "{said}");
    drop(script);
    let lines: Vec<&str> =
        message.lines().skip(1).take_while(|it| it.starts_with("  ")).map(str::trim).collect();
    lines.join("\n")
}

#[test]
fn the_whole_message() {
    let script = script([
        Exchange::get("/version/"),
        Exchange::post("/users/teams/").with_json(json!({ "name": "Folding" })).times(2),
        Exchange::get("/users/teams/").with_query("slug", "folding"),
    ]);
    script.execute(request(Method::GET, "/version/", "")).unwrap();
    script.execute(post(&json!({ "name": "Folding" }))).unwrap();
    script.execute(post(&json!({ "name": "Folded", "is_active": true }))).unwrap_err();
    assert_eq!(
        message_of(|| script.verify()),
        "POST /users/teams/ is not the next request, which is POST /users/teams/ (expected 2 times, \
         came 1)\n  \
           body.name: expected \"Folding\", seen \"Folded\"\n  \
           body.is_active: not expected, seen true\n  \
           still to come besides:\n    \
             GET /users/teams/?slug=folding\n\
         2 requests did not come:\n  \
           POST /users/teams/ (expected 2 times, came 1)\n  \
           GET /users/teams/?slug=folding"
    );
}

#[test]
fn in_any_order_the_nearest_is_shown() {
    let script = script([
        Exchange::get("/users/users/"),
        Exchange::post("/users/teams/").with_json(json!({ "name": "Folding" })),
        Exchange::post("/users/teams/").with_json(json!({ "name": "Stars", "is_active": true })),
        Exchange::delete("/users/teams/7/"),
    ])
    .in_any_order();
    script.execute(post(&json!({ "name": "Stars", "is_active": false }))).unwrap_err();
    assert_eq!(
        message_of(|| script.verify()).split("\n4 requests").next().unwrap(),
        "POST /users/teams/ is not expected; the nearest is POST /users/teams/\n  \
           body.is_active: expected true, seen false\n  \
           still to come besides:\n    \
             GET /users/users/\n    \
             DELETE /users/teams/7/"
    );
}

#[test]
fn in_any_order_once_too_often() {
    let script = script([Exchange::get("/a/"), Exchange::get("/b/").times(..)]).in_any_order();
    script.execute(request(Method::GET, "/a/", "")).unwrap();
    script.execute(request(Method::GET, "/a/", "")).unwrap_err();
    assert_eq!(
        message_of(|| script.verify()),
        "GET /a/ came once more than expected: GET /a/ (expected 1 time, came 1)"
    );
}

#[test]
fn method_and_path() {
    let seen = request(Method::PUT, "/users/teams/7/", "");
    assert_eq!(
        difference(Exchange::patch("/users/users/*/"), seen),
        "method: expected PATCH, seen PUT\npath: expected /users/users/*/, seen /users/teams/7/"
    );
}

#[test]
fn parameters() {
    let expected = Exchange::get("/a/")
        .with_query("team", "3")
        .with_query("user", "1")
        .with_query("user", "2")
        .with_query("gone", "x");
    let seen = request(Method::GET, "/a/?user=2&team=4&more=y&user=1&user=5", "");
    assert_eq!(
        difference(expected, seen),
        "query `gone`: missing, expected \"x\"\n\
         query `team`: expected \"3\", seen \"4\"\n\
         query `user`: not expected, seen \"5\"\n\
         query `more`: not expected, seen \"y\""
    );
}

#[test]
fn surplus_parameters_may_be_accepted_but_none_may_be_missing() {
    let expected = || Exchange::get("/a/").with_query("team", "3").with_any_query();
    let script = script([expected()]);
    script.execute(request(Method::GET, "/a/?_limit=5&team=3", "")).unwrap();
    script.verify();
    let seen = request(Method::GET, "/a/?_limit=5", "");
    assert_eq!(difference(expected(), seen), "query `team`: missing, expected \"3\"");
}

#[test]
fn headers() {
    let mut seen = request(Method::GET, "/a/", "");
    seen.headers_mut().insert("accept", HeaderValue::from_static("text/plain"));
    seen.headers_mut().insert("x-extra", HeaderValue::from_static("1"));
    let expected = Exchange::get("/a/")
        .with_header(header::ACCEPT, HeaderValue::from_static("application/json"))
        .with_header(header::ETAG, HeaderValue::from_static("\"1\""))
        .without_header("x-extra".parse().unwrap())
        .without_header("x-other".parse().unwrap());
    assert_eq!(
        difference(expected, seen),
        "header `accept`: expected \"application/json\", seen \"text/plain\"\n\
         header `etag`: missing, expected \"\\\"1\\\"\"\n\
         header `x-extra`: not expected, seen \"1\""
    );
}

#[test]
fn members_of_json() {
    let expected = json!({
        "name": "Folding", "members": [{ "user": 1, "role": "OW" }, { "user": 2, "role": "MB" }],
        "gone": null, "odd name": 1, "nested": { "deep": [1, 2, 3] }
    });
    let seen = json!({
        "name": 7, "members": [{ "user": 1, "role": "AD" }, { "user": 2, "role": "MB", "x": [] }],
        "odd name": 2, "nested": { "deep": [1, 2] }, "more": {}
    });
    assert_eq!(
        difference(Exchange::post("/users/teams/").with_json(expected), post(&seen)),
        "body.gone: missing, expected null\n\
         body.members[0].role: expected \"OW\", seen \"AD\"\n\
         body.members[1].x: not expected, seen []\n\
         body.name: expected \"Folding\", seen 7\n\
         body.nested.deep: expected 3 items, seen 2\n\
         body[\"odd name\"]: expected 1, seen 2\n\
         body.more: not expected, seen {}"
    );
}

#[test]
fn json_may_have_more_if_it_only_has_to_contain() {
    let seen = json!({ "a": { "b": 1, "c": 2 }, "d": [{ "e": 3, "f": 4 }], "g": 5 });
    let contained = json!({ "a": { "b": 1 }, "d": [{ "e": 3 }] });
    let exchange = |body| Exchange::post("/users/teams/").with_json_containing(body);
    let script = script([exchange(contained)]);
    script.execute(post(&seen)).unwrap();
    script.verify();
    assert_eq!(
        difference(exchange(json!({ "a": { "b": 2, "x": 1 }, "d": [] })), post(&seen)),
        "body.a.b: expected 1, seen 2".replace("1, seen 2", "2, seen 1")
            + "\nbody.a.x: missing, expected 1\nbody.d: expected 0 items, seen 1"
    );
}

#[test]
fn bodies_that_are_no_json() {
    let expected = || Exchange::post("/users/teams/").with_json(json!({ "a": 1 }));
    let seen = |body: &'static str| request(Method::POST, "/users/teams/", body);
    assert_eq!(difference(expected(), seen("")), "body: expected {\"a\":1}, seen no body");
    assert_eq!(
        difference(expected(), seen("a=1")),
        "body: expected {\"a\":1}, seen 3 bytes that are no JSON"
    );
    let empty = Exchange::post("/users/teams/").with_body("");
    assert_eq!(difference(empty, seen("{}")), "body: expected no body, seen {}");
}

#[test]
fn forms() {
    let job = r#"{"actions":[{"method":"POST","path":"/users/teams/"}]}"#;
    let sent = || {
        Multipart::new()
            .text("request", "1")
            .text("job", job)
            .file("file", Upload::bytes("plan.txt", "fold"))
    };
    let whole = Exchange::post("/files/")
        .with_field("request", "1")
        .with_field("job", job.replace(':', ": "))
        .with_file("file", "plan.txt", "fold");
    let script =
        script([whole, Exchange::post("/files/").with_field("request", "1").with_any_fields()]);
    script.execute(form(sent())).unwrap();
    script.execute(form(sent())).unwrap();
    script.verify();

    let other = Exchange::post("/files/")
        .with_field("request", "2")
        .with_field("name", "Plan")
        .with_field("job", r#"{"actions":[{"method":"PUT","path":"/users/teams/"}]}"#)
        .with_file("file", "budget.csv", "folds")
        .with_file("second", "b.txt", "");
    assert_eq!(
        difference(other, form(sent())),
        "field `job`.actions[0].method: expected \"PUT\", seen \"POST\"\n\
         field `name`: missing, expected \"Plan\"\n\
         field `request`: expected \"2\", seen \"1\"\n\
         file `file`: expected \"budget.csv\", seen \"plan.txt\"\n\
         file `file`: expected 5 bytes, seen 4 others\n\
         file `second`: missing, expected \"b.txt\""
    );
    let fewer = Exchange::post("/files/").with_field("request", "1");
    assert_eq!(
        difference(fewer, form(sent())),
        format!(
            "field `job`: not expected, seen {:?}\nfile `file`: not expected, seen \"plan.txt\"",
            job
        )
    );
}

#[test]
fn forms_in_the_form_of_a_query() {
    let mut seen = request(Method::POST, "/files/", "name=Plan+B&team=1");
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    seen.headers_mut().insert(header::CONTENT_TYPE, kind);
    let expected = Exchange::post("/files/").with_field("team", "1").with_field("name", "Plan A");
    assert_eq!(difference(expected, seen), "field `name`: expected \"Plan A\", seen \"Plan B\"");
}

#[test]
fn what_a_test_demands_in_its_own_words() {
    let expected =
        Exchange::get("/a/").with("a host that is local", |request| request.headers().len() > 1);
    assert_eq!(
        difference(expected, request(Method::GET, "/a/", "")),
        "expected a host that is local"
    );
}

#[test]
fn long_values_are_cut() {
    let expected = json!({ "text": "a".repeat(500) });
    let seen = json!({ "text": "ä".repeat(500) });
    let shown = difference(Exchange::post("/users/teams/").with_json(expected), post(&seen));
    assert!(shown.contains("(342 more characters)"), "{shown}");
    assert!(shown.len() < 700, "{shown}");
}

#[test]
fn secrets_are_not_shown() {
    const SECRET: &str = "hunter2";
    let other = format!("{SECRET}-again");
    let secret = |value: &str| json!({ "username": "ada", "password": value, "inner": { "token": [value] } });
    let mut seen = request(
        Method::POST,
        &format!("/users/teams/?token={other}&password__contains={other}"),
        secret(&other).to_string(),
    );
    for name in ["authorization", "cookie", "x-csrftoken"] {
        seen.headers_mut().insert(name, HeaderValue::from_str(&other).unwrap());
    }
    let value = |name: &str| (name.parse().unwrap(), HeaderValue::from_static(SECRET));
    let mut expected = Exchange::post("/users/teams/")
        .with_query("token", SECRET)
        .with_json(secret(SECRET))
        .reply(StatusCode::OK, SECRET);
    for name in ["authorization", "cookie", "x-csrftoken", "proxy-authorization"] {
        let (name, value) = value(name);
        expected = expected.with_header(name, value);
    }
    let debug = format!("{expected:?}");
    assert!(!debug.contains(SECRET), "{debug}");
    let shown = difference(expected, seen);
    assert!(!shown.contains(SECRET), "{shown}");
    for line in [
        "query `token`: expected [redacted], seen another",
        "query `password__contains`: not expected, seen [redacted]",
        "header `cookie`: expected [redacted], seen another",
        "header `proxy-authorization`: missing, expected [redacted]",
        "body.inner.token[0]: expected [redacted], seen another",
        "body.password: expected [redacted], seen another",
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }

    // Wherever a whole body or a value with secrets inside is shown.
    let nested = difference(
        Exchange::post("/users/teams/").with_json(json!([])),
        post(&json!({ "job": secret(SECRET).to_string() })),
    );
    assert!(!nested.contains(SECRET) && nested.contains("ada"), "{nested}");
    let fields = Multipart::new()
        .text("password", SECRET)
        .text("job", secret(SECRET).to_string())
        .file("file", Upload::bytes("a.txt", SECRET));
    let shown = difference(Exchange::post("/files/").with_field("a", "1"), form(fields));
    assert!(!shown.contains(SECRET), "{shown}");
    let plain = request(Method::POST, "/users/teams/", format!("password={SECRET}"));
    let shown = difference(Exchange::post("/users/teams/").with_json(json!({})), plain);
    assert!(!shown.contains(SECRET), "{shown}");
    let script = script([Exchange::get("/a/").with_query("token", SECRET)]);
    let shown = format!("{script:?} {:?}", script.remaining());
    assert!(!shown.contains(SECRET), "{shown}");
    let message = message_of(|| script.verify());
    assert_eq!(message, "1 request did not come:\n  GET /a/?token=[redacted]");
}
