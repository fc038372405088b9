//! Many rows, many threads, strange input, and secrets that must not show.

use bytes::Bytes;
use http::Request;
use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::json;

use super::client::{Client, admin};

#[test]
fn many_rows_stay_quick() {
    let sandbox = Sandbox::new();
    for number in 0..30_000 {
        sandbox.insert("users/teams", json!({"name": format!("Team {number}")})).unwrap();
    }
    let client = admin(&sandbox);
    for number in 0..100 {
        let id = number * 289 + 1;
        assert_eq!(client.get(&format!("/users/teams/{id}/"))["id"], id);
        let page = client.get(&format!("/users/teams/?_order=id&_limit=10&id__gt={id}"));
        assert_eq!(page["results"][0]["id"], id + 1);
    }
}

#[test]
fn debug_forms_show_no_secrets() {
    let builder = Sandbox::builder().staff("admin", "open-sesame").api_token("admin", "0123abcd");
    let shown = format!("{builder:?}");
    let sandbox = builder.build();
    let client = Client::session(&sandbox, "admin", "open-sesame");
    client.get("/users/users/?password=open-sesame");
    let shown = format!("{shown}{sandbox:?}{:?}", sandbox.requests());
    let cookies = &client.headers[0].1;
    let session = cookies.split(['=', ';']).nth(1).unwrap();
    for secret in ["open-sesame", "0123abcd", session] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert_eq!(sandbox.requests().len(), 2);
    assert_eq!(sandbox.requests()[1].path(), "/users/users/");
    sandbox.clear_requests();
    assert!(sandbox.requests().is_empty());
}

#[test]
fn no_record_shows_a_password() {
    let sandbox = Sandbox::builder().staff("admin", "open-sesame").build();
    let client = Client::session(&sandbox, "admin", "open-sesame");
    let user = client.get("/users/users/1/").to_string();
    assert!(!user.contains("open-sesame") && !user.contains("sandbox$"), "{user}");
}

#[test]
fn one_sandbox_for_many_threads() {
    fn is_shareable<T: Send + Sync + Clone>() {}
    is_shareable::<Sandbox>();
    let sandbox = Sandbox::new();
    let client = admin(&sandbox);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let client = client.clone();
            scope.spawn(move || {
                for number in 0..50 {
                    let team = json!({"name": format!("Team {thread} {number}")});
                    client.expect(201, "POST", "/users/teams/", Some(team));
                }
            });
        }
    });
    assert_eq!(client.get("/users/teams/")["count"], 200);
}

#[test]
fn any_request_has_an_answer() {
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"];
    let paths = [
        "/",
        "//",
        "/users/teams/",
        "/users/teams/1/",
        "/users/users/01/",
        "/users/users/-1/",
        "/users/users/99999999999999999999999/",
        "/users/users/%00/",
        "/users/users/1.json",
        "/allocations/requests/1/",
        "/allocations/allocations/",
        "/research/grants/",
        "/notifications/preferences/",
        "/authentication/login/",
        "/authentication/logout/",
        "/authentication/new/",
        "/batch/",
        "/users/",
        "/health/prom/",
        "*",
    ];
    let queries = [
        "",
        "?",
        "?_limit=99999999999999999999999&_offset=18446744073709551615",
        "?id__in=,,",
        "?id=1e400",
        "?id=1e49",
        "?amount=1e-99999",
        "?amount__gt=79228162514264337593543950336",
        "?_order=,-,--id,-id,users",
        "?_search=%22a%20'b",
        "?%FF=%FF&&=&===",
        "?id__year=2",
        "?start_date__year=99999999999",
        "?submitted=0001-01-01T00:00:00%2B23:59",
        "?start_date=99/99/9999",
        "?user__in=1,%201,x",
        "?name__contains=%F0%9F%A6%80",
        "?format=xml",
        "?request=9223372036854775808",
    ];
    let bodies = [
        "",
        "null",
        "[]",
        "\"",
        "{",
        "{\"name\":",
        "{\"name\":1e400}",
        "{\"amount\":\"1e999999999\"}",
        "{\"amount\":\"-\",\"team\":\"\"}",
        "{\"amount\":-0.001,\"team\":[[]]}",
        "{\"team\":1e300,\"request\":-1e300,\"user\":true}",
        "{\"name\":\"\\ud800\"}",
        "{\"start_date\":\"2026-W54-9\",\"end_date\":\"€€€€\"}",
        "{\"requested\":1e18,\"awarded\":\"٣\"}",
        "{\"username\":\"\\u0000\",\"password\":\"\",\"email\":\"@.\"}",
        "\u{feff}{}",
        "1",
    ];
    let types = [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
        "",
    ];
    let names = [
        "authorization",
        "cookie",
        "accept",
        "host",
        "origin",
        "referer",
        "x-csrftoken",
        "transfer-encoding",
        "x-keystone-cid",
        "x-forwarded-for",
        "access-control-request-method",
    ];
    let values = [
        "",
        "Token",
        "Bearer",
        "Token é",
        "Bearer a.b.c",
        "sessionid",
        "sessionid=;csrftoken",
        "csrftoken=%%%;=;;",
        "*/*;q=0",
        "[::1]:80",
        "://",
        "https://",
        "chunked",
        "{}",
        ",",
        "null",
        "\"\"",
        "ééééééééééééééééééééééééééééééé",
    ];
    for dialect in [Dialect::Session, Dialect::Jwt] {
        let sandbox =
            Sandbox::builder().dialect(dialect).staff("admin", "p").user("u", "p").build();
        let clients: Vec<Client> = match dialect {
            Dialect::Session => {
                vec![Client::session(&sandbox, "admin", "p"), Client::session(&sandbox, "u", "p")]
            }
            _ => vec![Client::jwt(&sandbox, "admin", "p").0, Client::jwt(&sandbox, "u", "p").0],
        };
        for round in 0..40_000_usize {
            let pick = |list: &[&'static str]| list[fastrand::usize(..list.len())];
            let uri = format!("{}{}", pick(&paths), pick(&queries));
            let Ok(uri) = uri.parse::<http::Uri>() else {
                continue;
            };
            let mut request = Request::builder().method(pick(&methods)).uri(uri);
            for (name, value) in &clients[round % 2].headers {
                request = request.header(*name, value);
            }
            request = request.header("content-type", pick(&types));
            if round % 3 == 0 {
                request = request.header(pick(&names), pick(&values));
            }
            let response = sandbox.handle(request.body(Bytes::from(pick(&bodies))).unwrap());
            assert!(response.status().as_u16() >= 200);
        }
    }
}

#[test]
fn json_nested_too_deeply_is_a_server_error() {
    let sandbox = Sandbox::new();
    let client = admin(&sandbox);
    let mut request = Request::post("/users/teams/").header("content-type", "application/json");
    for (name, value) in &client.headers {
        request = request.header(*name, value);
    }
    let response = sandbox.handle(request.body(Bytes::from("[".repeat(1_000_000))).unwrap());
    assert_eq!(response.status(), 500);
}
