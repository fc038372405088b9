//! Clocks that stand still, and runs that repeat themselves.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use keystone_client::Id;
use keystone_client::resources::NewUser;
use keystone_client::sandbox::{Dialect, Sandbox, SandboxBuilder};
use serde_json::Value;

use crate::support::both_colours;

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_770_033_600)
}

fn frozen() -> SandboxBuilder {
    Sandbox::builder().staff("admin", "admin-password").start_at(start()).freeze_clock()
}

/// Everything the server says in a run of its own.
fn run(dialect: Dialect, seed: u64) -> Vec<(u16, Vec<(String, String)>, Vec<u8>)> {
    let sandbox = frozen().dialect(dialect).seed(seed).build();
    let list = match dialect {
        Dialect::Session => "/users/teams/",
        _ => "/allocations/clusters/",
    };
    let login = r#"{"username": "admin", "password": "admin-password"}"#;
    let mut answers = Vec::new();
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut ask = |method: &str, path: &str, body: &str, headers: &[(String, String)]| {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.header("content-type", "application/json");
        let body = Bytes::copy_from_slice(body.as_bytes());
        let response = sandbox.handle(request.body(body).unwrap());
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), text(value))).collect::<Vec<_>>();
        answers.push((response.status().as_u16(), headers, response.body().to_vec()));
        answers.last().unwrap().clone()
    };
    match dialect {
        Dialect::Session => {
            let (_, answered, _) = ask("POST", "/authentication/login/", login, &headers);
            let cookies = answered.iter().filter(|(name, _)| name == "set-cookie");
            let cookies: Vec<&str> =
                cookies.map(|(_, value)| value.split(';').next().unwrap()).collect();
            let csrf = cookies.iter().find_map(|it| it.strip_prefix("csrftoken=")).unwrap();
            headers.push(("cookie".into(), cookies.join("; ")));
            headers.push(("x-csrftoken".into(), csrf.into()));
        }
        _ => {
            let (_, _, body) = ask("POST", "/authentication/new/", login, &headers);
            let tokens: Value = serde_json::from_slice(&body).unwrap();
            let access = tokens["access"].as_str().unwrap();
            headers.push(("authorization".into(), format!("Bearer {access}")));
        }
    }
    for path in ["/users/users/", list, "/logs/audit/", "/logs/requests/"] {
        ask("POST", list, r#"{"name": "Folding"}"#, &headers);
        ask("GET", path, "", &headers);
    }
    answers
}

#[test]
fn a_seed_and_a_frozen_clock_repeat_a_run() {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        let first = run(dialect, 5);
        assert!(first.iter().any(|(status, ..)| *status == 201));
        assert!(first == run(dialect, 5), "{dialect:?}");
        assert!(first != run(dialect, 6), "{dialect:?}");
    }
}

both_colours! {
    fn a_frozen_clock_moves_by_waiting_clients_alone() {
        let sandbox = frozen()
            .api_token("admin", "token-of-the-admin")
            .user_rate_limit(2, Duration::from_secs(60))
            .build();
        let client =
            client!(sandbox.clone(), |builder| builder.api_token("token-of-the-admin"));
        go!(client.retrieve_user(Id::new(1))).unwrap();
        go!(client.retrieve_user(Id::new(1))).unwrap();
        assert_eq!(sandbox.now(), start());
        go!(client.retrieve_user(Id::new(1))).unwrap();
        assert!(sandbox.now() >= start() + Duration::from_secs(60));
    }
}

#[test]
fn records_of_a_frozen_clock_have_the_same_times() {
    let sandbox = frozen().build();
    let client = sandbox.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    let times = |name: &str| {
        let user = NewUser::new(name, "a-long-password");
        client.create_user(user).send().unwrap().date_joined.to_string()
    };
    assert_eq!([times("ada"), times("grace")], ["2026-02-02T12:00:00Z"; 2]);
    sandbox.advance(Duration::from_millis(1500));
    assert_eq!(times("emmy"), "2026-02-02T12:00:01.5Z");
}

#[test]
fn a_clock_does_not_go_back() {
    let sandbox = frozen().build();
    sandbox.advance_to(start() + Duration::from_secs(60));
    sandbox.advance_to(start());
    assert_eq!(sandbox.now(), start() + Duration::from_secs(60));
}
