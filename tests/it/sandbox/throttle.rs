//! Limits on how often a sandbox is asked.

use std::time::Duration;

use http::StatusCode;
use keystone_client::sandbox::{Dialect, Sandbox, SandboxBuilder};
use serde_json::json;

use super::client::{Client, body};

const MINUTE: Duration = Duration::from_secs(60);

fn builder() -> SandboxBuilder {
    Sandbox::builder().staff("admin", "p").user("ada", "p")
}

fn login(client: &Client) -> StatusCode {
    let credentials = json!({"username": "ada", "password": "wrong"});
    client.send("POST", "/authentication/login/", Some(credentials)).status()
}

#[test]
fn nothing_is_limited_unless_asked_for() {
    let sandbox = builder().build();
    let client = Client::session(&sandbox, "admin", "p");
    for _ in 0..400 {
        client.get("/authentication/whoami/");
        Client::anonymous(&sandbox).expect(200, "GET", "/version/", None);
    }
}

#[test]
fn a_wait_is_told_and_ends() {
    let sandbox = builder().user_rate_limit(2, MINUTE).build();
    let client = Client::session(&sandbox, "admin", "p");
    client.get("/users/teams/");
    sandbox.advance(Duration::from_secs(20));
    client.get("/users/teams/");
    sandbox.advance(Duration::from_secs(39));
    for _ in 0..2 {
        let refused = client.send("GET", "/users/teams/", None);
        assert_eq!(refused.status(), 429);
        assert_eq!(refused.headers()["retry-after"], "1");
        let text = "Request was throttled. Expected available in 1 second.";
        assert_eq!(body(&refused)["detail"], text);
    }
    // Others have limits of their own.
    let other = Client::session(&sandbox, "ada", "p");
    other.get("/users/teams/");
    sandbox.advance(Duration::from_secs(1));
    client.get("/users/teams/");
    let refused = client.send("GET", "/users/teams/", None);
    assert_eq!(refused.headers()["retry-after"], "20");
}

#[test]
fn what_counts_and_what_does_not() {
    let sandbox = builder().user_rate_limit(4, MINUTE).anonymous_rate_limit(3, MINUTE).build();
    let client = Client::session(&sandbox, "ada", "p");
    let mut forged = client.clone();
    forged.headers.truncate(1);
    for _ in 0..10 {
        client.expect(403, "GET", "/logs/audit/", None);
        forged.expect(403, "POST", "/users/teams/", Some(json!({})));
        client.expect(404, "GET", "/nope/", None);
        client.expect(301, "GET", "/users/teams", None);
        client.expect(200, "GET", "/", None);
        Client::anonymous(&sandbox).expect(401, "GET", "/users/teams/", None);
    }
    client.expect(405, "PUT", "/users/teams/", None);
    client.expect(404, "GET", "/users/teams/7/", None);
    client.expect(400, "POST", "/users/teams/", Some(json!({})));
    client.get("/users/teams/");
    client.expect(429, "PUT", "/users/teams/", None);
    client.expect(403, "GET", "/logs/audit/", None);
    // Without login: the login of before, and two that fail.
    let anonymous = Client::anonymous(&sandbox);
    assert_eq!([login(&anonymous), login(&anonymous), login(&anonymous)], [400, 400, 429]);
    anonymous.expect(429, "GET", "/version/", None);
    let mut elsewhere = Client::anonymous(&sandbox);
    elsewhere.headers.push(("x-forwarded-for", "192.0.2.7".to_owned()));
    assert_eq!(login(&elsewhere), 400);
}

/// Those without login count as such and as users of their address.
#[test]
fn who_is_not_logged_in_is_counted_twice() {
    let sandbox = builder().user_rate_limit(2, MINUTE).anonymous_rate_limit(5, MINUTE).build();
    let anonymous = Client::anonymous(&sandbox);
    for status in [200, 200, 429, 429, 429] {
        anonymous.expect(status, "GET", "/version/", None);
    }
    sandbox.advance(MINUTE / 2);
    anonymous.expect(429, "GET", "/version/", None);
    sandbox.advance(MINUTE / 2);
    anonymous.expect(200, "GET", "/version/", None);
}

#[test]
fn a_job_counts_with_each_of_its_steps() {
    let sandbox = builder().user_rate_limit(5, MINUTE).build();
    let client = Client::session(&sandbox, "admin", "p");
    let job = |steps: usize| {
        let step = |number| json!({"method": "POST", "path": "/users/teams/", "payload": {"name": number}});
        Some(json!({"job": {"actions": (0..steps).map(step).collect::<Vec<_>>()}}))
    };
    let refused = client.send("POST", "/batch/", job(5));
    assert_eq!(refused.status(), 422);
    assert!(!refused.headers().contains_key("retry-after"));
    assert_eq!(
        (body(&refused)["step"].clone(), body(&refused)["status"].clone()),
        (json!(5), json!(429))
    );
    client.expect(429, "POST", "/batch/", job(1));
    sandbox.advance(MINUTE);
    client.expect(200, "POST", "/batch/", job(4));
    sandbox.advance(MINUTE);
    assert_eq!(client.get("/users/teams/")["count"], 4);
}

#[test]
fn each_dialect_has_its_defaults() {
    let sandbox = builder().default_rate_limits().build();
    let client = Client::session(&sandbox, "admin", "p");
    (0..300).for_each(|_| drop(client.get("/authentication/whoami/")));
    client.expect(429, "GET", "/authentication/whoami/", None);
    let anonymous = Client::anonymous(&sandbox);
    (1..120).for_each(|_| drop(anonymous.expect(200, "GET", "/version/", None)));
    anonymous.expect(429, "GET", "/version/", None);

    // What is set goes before, in either order; paths outside the API are free.
    let sandbox = builder()
        .anonymous_rate_limit(2, MINUTE)
        .default_rate_limits()
        .dialect(Dialect::Jwt)
        .build();
    let (client, pair) = Client::jwt(&sandbox, "admin", "p");
    let refresh = Some(json!({"refresh": pair["refresh"]}));
    client.expect(200, "POST", "/authentication/refresh/", refresh.clone());
    client.expect(429, "POST", "/authentication/refresh/", refresh);
    client.expect(200, "GET", "/version/", None);
    (0..10_000).for_each(|_| drop(client.send("GET", "/users/users/1/", None)));
    let refused = client.send("GET", "/users/users/1/", None);
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((86_000..=86_400).contains(&wait), "{wait}");
}
