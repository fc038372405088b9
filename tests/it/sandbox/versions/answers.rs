//! What servers of each version answer, without any client.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::{Value, json};

use super::super::client::{Client, body, cookie};
use super::{builder, server};

/// An answer in short: its status, `H` before those that are pages, and behind it what it asks for.
fn answer(version: &str, method: &str, path: &str) -> String {
    let response = Client::anonymous(&server(version)).send(method, path, None);
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
    let is_page = response.status().as_u16() > 400
        && header("content-type").is_some_and(|it| it.starts_with("text/html"));
    let scheme = header("www-authenticate").and_then(|it| it.split(' ').next());
    let empty = if response.status() == 401 && response.body().is_empty() { " empty" } else { "" };
    let scheme = scheme.map(|scheme| format!(" {scheme}")).unwrap_or_default();
    format!("{}{}{scheme}{empty}", if is_page { "H" } else { "" }, response.status().as_u16())
}

/// Answers without credentials as real servers gave them. The first letter is of the method.
#[rustfmt::skip]
const PROBES: &[(&str, &[(&[&str], &str)])] = &[
    ("GET /authentication/new/", &[(&["0.3.26"], "405"), (LATER, "H404")]),
    ("GET /authentication/login/", &[(&["0.3.26"], "H404"), (LATER, "405")]),
    ("GET /authentication/whoami/", &[
        (&["0.3.26"], "H404"),
        (&["0.4.1", "0.5.17", "0.6.3.1"], "401 empty"),
        (TOKENS, "401 Token"),
    ]),
    ("GET /allocations/clusters/", &[
        (&["0.3.26"], "401 Bearer"), (&["0.4.1", "0.5.17", "0.6.3.1"], "403"), (TOKENS, "401 Token"),
    ]),
    ("GET /users/researchgroups/", &[
        (&["0.3.26"], "401 Bearer"), (&["0.4.1"], "403"), (&["0.5.17", "0.6.3.1"], "H404"), (TOKENS, "H404"),
    ]),
    ("GET /users/teams/", &[
        (&["0.3.26", "0.4.1"], "H404"), (&["0.5.17", "0.6.3.1"], "403"), (TOKENS, "401 Token"),
    ]),
    ("GET /users/membership/", &[
        (&["0.3.26", "0.4.1"], "H404"),
        (&["0.5.17", "0.6.3.1"], "403"),
        (&["0.6.11", "0.6.21", "0.7.3"], "401 Token"),
        (PAGED, "H404"),
    ]),
    ("GET /users/memberships/", &[
        (&["0.3.26", "0.4.1", "0.5.17", "0.6.3.1", "0.6.11", "0.6.21", "0.7.3"], "H404"),
        (PAGED, "401 Token"),
    ]),
    ("GET /notifications/notifications/", &[
        (&["0.3.26", "0.4.1", "0.5.17", "0.6.3.1", "0.6.7"], "H404"), (TOKENS, "401 Token"),
    ]),
    ("GET /notifications/", &[(&["0.5.17", "0.6.7"], "H404"), (TOKENS, "401 Token")]),
    ("GET /logs/apps/", &[
        (&["0.3.26"], "401 Bearer"),
        (&["0.4.1", "0.5.17", "0.6.3.1"], "403"),
        (&["0.6.11", "0.6.21"], "401 Token"),
        (&["0.7.3"], "H404"),
        (PAGED, "H404"),
    ]),
    ("GET /stats/requests/", &[
        (&["0.3.26", "0.5.17", "0.6.21", "0.7.5", "0.8.1"], "H404"),
        (&["0.8.2", "0.8.7", "0.9.5", "0.10.9"], "401 Token"),
    ]),
    ("GET /config/", &[
        (&["0.3.26", "0.5.17", "0.7.5", "0.8.7", "0.9.4"], "H404"), (&["0.9.5", "0.10.9"], "401 Token"),
    ]),
    ("GET /batch/", &[
        (&["0.3.26", "0.5.17", "0.7.5", "0.8.7", "0.9.5"], "H404"), (&["0.10.0", "0.10.9"], "401 Token"),
    ]),
    (
        "GET /logs/feed/",
        &[
            (&["0.3.26", "0.4.1", "0.6.21", "0.9.5", "0.10.6"], "H404"),
            (&["0.10.7", "0.10.9"], "401 Token"),
        ],
    ),
    ("GET /openapi/json", &[
        (&["0.3.26"], "401 Bearer"),
        (&["0.4.1", "0.5.17", "0.6.3.1"], "403"),
        (&["0.6.11", "0.6.21", "0.7.3", "0.7.5", "0.8.1"], "401 Token"),
        (&["0.8.2", "0.8.7", "0.9.5", "0.10.9"], "301"),
    ]),
    ("GET /openapi/json/", &[
        (&["0.3.26", "0.4.1", "0.6.11", "0.7.5", "0.8.1"], "H404"),
        (&["0.8.2", "0.8.7", "0.9.5", "0.10.9"], "200"),
    ]),
    ("GET /metrics/", &[
        (&["0.3.26", "0.4.1", "0.5.17", "0.6.3.1", "0.6.11", "0.6.20"], "200"),
        (&["0.6.21", "0.7.3", "0.7.5", "0.8.7", "0.10.9"], "H404"),
    ]),
    ("GET /version/", &[(&["0.3.26"], "200"), (LATER, "200")]),
    ("POST /version/", &[(&["0.3.26", "0.4.1", "0.5.17", "0.6.3.1"], "H403"), (TOKENS, "405")]),
];

/// Versions with sessions.
const LATER: &[&str] = &[
    "0.4.1", "0.5.17", "0.6.3.1", "0.6.11", "0.6.21", "0.7.3", "0.7.5", "0.8.7", "0.9.5", "0.10.9",
];
/// Versions that take static tokens, as far as they were probed.
const TOKENS: &[&str] = &["0.6.11", "0.6.21", "0.7.3", "0.7.5", "0.8.7", "0.9.5", "0.10.9"];
/// Versions that send lists page by page.
const PAGED: &[&str] = &["0.7.5", "0.8.7", "0.9.5", "0.10.9"];

#[test]
fn probes_are_answered_as_by_real_servers() {
    for (probe, expected) in PROBES {
        let (method, path) = probe.split_once(' ').unwrap();
        for (versions, expected) in *expected {
            for version in *versions {
                assert_eq!(answer(version, method, path), *expected, "{probe} of {version}");
            }
        }
    }
}

#[test]
fn what_is_reported_need_not_be_what_it_is() {
    let reported = |sandbox: &Sandbox| {
        let response = Client::anonymous(sandbox).send("GET", "/version/", None);
        String::from_utf8(response.body().to_vec()).unwrap()
    };
    let paths = |sandbox: &Sandbox, path: &str| {
        Client::anonymous(sandbox).send("GET", path, None).status().as_u16()
    };
    let hidden = Sandbox::builder().version("0.8.7").reported_version("0.0.0").build();
    assert_eq!(reported(&hidden), "0.0.0");
    assert_eq!((paths(&hidden, "/stats/requests/"), paths(&hidden, "/config/")), (401, 404));

    // These say nothing of what the server is.
    for (version, dialect, path) in [
        ("0.0.0", Dialect::Session, "/batch/"),
        ("0.0.0", Dialect::Jwt, "/users/researchgroups/"),
        ("local", Dialect::Session, "/batch/"),
        ("0.8.7", Dialect::Jwt, "/users/researchgroups/"),
    ] {
        let sandbox = Sandbox::builder().dialect(dialect).version(version).build();
        assert_eq!(reported(&sandbox), version);
        assert_eq!(paths(&sandbox, path), 401, "{version}");
    }
    assert_eq!(reported(&Sandbox::builder().dialect(Dialect::Jwt).build()), "0.3.26");
    assert_eq!(reported(&Sandbox::new()), "0.10.9");
    assert_eq!(reported(&server("0.3.27.rc1")), "0.3.27.rc1");
    assert_eq!(paths(&server("0.3.27.rc1"), "/authentication/login/"), 405);
    assert!(format!("{:?}", server("0.8.9")).contains("0.8.7"));
}

fn log_in(sandbox: &Sandbox, password: &str) -> http::Response<bytes::Bytes> {
    let credentials = json!({ "username": "admin", "password": password });
    Client::anonymous(sandbox).send("POST", "/authentication/login/", Some(credentials))
}

#[test]
fn logins_are_answered_by_a_key_at_first() {
    for version in ["0.4.1", "0.5.17", "0.6.3", "0.6.4", "0.6.11"] {
        let sandbox = server(version);
        let response = log_in(&sandbox, "admin-password");
        let answer = body(&response);
        let key = answer["key"].as_str().unwrap();
        assert_eq!(key.len(), 40, "{version}");
        assert_eq!(answer.as_object().unwrap().len(), 1);
        assert!(
            cookie(&response, "sessionid").is_some() && cookie(&response, "csrftoken").is_some()
        );
        let again = body(&log_in(&sandbox, "admin-password"));
        assert_eq!(again["key"], *key);

        let mut client = Client::anonymous(&sandbox);
        client.headers.push(("authorization", format!("Token {key}")));
        let by_key = client.send("GET", "/users/users/", None).status().as_u16();
        let takes_keys = matches!(version, "0.6.4" | "0.6.11");
        assert_eq!(by_key, if takes_keys { 200 } else { 403 }, "{version}");

        let refused = log_in(&sandbox, "wrong");
        let expected = json!(["Unable to log in with provided credentials."]);
        assert_eq!(
            (refused.status().as_u16(), &body(&refused)["non_field_errors"]),
            (400, &expected)
        );

        // Logging out is for everybody, and ends the key.
        let client = Client::session(&sandbox, "admin", "admin-password");
        let goodbye = json!({ "detail": "Successfully logged out." });
        for caller in [client.clone(), Client::anonymous(&sandbox)] {
            assert_eq!(caller.expect(200, "POST", "/authentication/logout/", None), goodbye);
        }
        assert_ne!(body(&log_in(&sandbox, "admin-password"))["key"], *key, "{version}");
        assert_eq!(client.expect(401, "GET", "/authentication/whoami/", None)["key"], Value::Null);
    }
}

#[test]
fn logins_are_answered_by_the_user_since_0_6_12() {
    for version in ["0.6.12", "0.7.5", "0.8.7", "0.10.9"] {
        let sandbox = server(version);
        assert_eq!(body(&log_in(&sandbox, "admin-password"))["username"], "admin");
        let refused = log_in(&sandbox, "wrong");
        let expected = json!(["Invalid username or password."]);
        assert_eq!(
            (refused.status().as_u16(), &body(&refused)["non_field_errors"]),
            (400, &expected)
        );
        let client = Client::session(&sandbox, "admin", "admin-password");
        assert_eq!(client.expect(200, "POST", "/authentication/logout/", None), Value::Null);
        client.expect(401, "POST", "/authentication/logout/", None);
    }
}

#[test]
fn passwords_in_headers_are_taken_before_tokens_are() {
    let encoded = |text: &str| format!("Basic {}", STANDARD.encode(text));
    for (version, right, wrong) in [("0.4.1", 200, 403), ("0.6.3.1", 200, 403), ("0.6.4", 401, 401)]
    {
        let sandbox = builder(version).api_token("admin", "t0ken").build();
        let mut client = Client::anonymous(&sandbox);
        for (header, status) in [
            (encoded("admin:admin-password"), right),
            (encoded("admin:wrong"), wrong),
            (encoded("admin"), wrong),
            ("Basic".to_owned(), wrong),
            ("Basic %%".to_owned(), wrong),
        ] {
            client.headers = vec![("authorization", header)];
            client.expect(status, "GET", "/users/users/", None);
        }
        // No cookie, no danger of forgery.
        client.headers = vec![("authorization", encoded("admin:admin-password"))];
        let created = if right == 200 { 201 } else { 401 };
        client.expect(created, "POST", "/allocations/clusters/", Some(json!({ "name": "atlas" })));
        client.headers = vec![("authorization", "Token t0ken".to_owned())];
        let by_token = if right == 200 { 403 } else { 200 };
        client.expect(by_token, "GET", "/users/users/", None);
    }
    let sandbox = server("0.5.17");
    let mut client = Client::anonymous(&sandbox);
    client.headers.push(("authorization", encoded("admin:wrong")));
    let refusal = client.expect(403, "GET", "/users/users/", None);
    assert_eq!(refusal["detail"], "Invalid username/password.");
}

#[test]
fn writes_of_sessions_want_their_token_in_all_versions() {
    for version in ["0.4.1", "0.6.3", "0.7.5"] {
        let mut client = Client::session(&server(version), "admin", "admin-password");
        client.headers.retain(|(name, _)| *name != "x-csrftoken");
        let refusal = client.expect(403, "POST", "/authentication/logout/", None);
        assert_eq!(refusal["detail"], "CSRF Failed: CSRF token missing.", "{version}");
    }
}

#[test]
fn health_is_an_object_by_name_up_to_0_9_5() {
    for version in ["0.3.26", "0.4.1", "0.6.21", "0.9.5"] {
        let report = Client::anonymous(&server(version)).get("/health/json/");
        assert_eq!(report["DatabaseBackend"]["status"], 200, "{version}");
    }
    let report = Client::anonymous(&server("0.10.0")).get("/health/json/");
    assert!(report["data"].is_array());
}
