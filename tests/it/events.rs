//! What the feature `tracing` tells, and what it does not.

use std::sync::Mutex;

use keystone_client::RetryPolicy;
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::NewUser;
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::from_fn;

use crate::watch;

#[test]
fn each_attempt_is_an_event_without_secrets() {
    let sandbox = Sandbox::new();
    let failures = Mutex::new(1);
    let server = sandbox.clone();
    let backend = from_fn(move |request| {
        let mut left = failures.lock().unwrap();
        if request.uri().path() == "/version/" && *left > 0 {
            *left -= 1;
            let mut response = http::Response::new(bytes::Bytes::new());
            *response.status_mut() = http::StatusCode::BAD_GATEWAY;
            return Ok(response);
        }
        Ok(server.handle(request))
    });
    let client = KeystoneClient::builder("https://keystone.test")
        .retry(RetryPolicy::default())
        .backend(backend)
        .build()
        .unwrap();
    watch::take_lines();
    client.login("admin", "admin-password").unwrap();
    client.create_user(NewUser::new("ada", "correct-horse-battery")).send().unwrap();
    client.version().send().unwrap();
    let lines = watch::take_lines();
    let statuses: Vec<&str> =
        lines.iter().filter_map(|line| line.split("status=").nth(1)?.split(' ').next()).collect();
    assert_eq!(statuses, ["405", "200", "201", "502", "200"], "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("operation=create user")), "{lines:#?}");
    let of_version: Vec<&String> = lines.iter().filter(|line| line.contains("version")).collect();
    assert!(of_version[0].contains("attempt=1"), "{of_version:?}");
    assert!(of_version[1].contains("wait_ms="), "{of_version:?}");
    assert!(of_version[2].contains("attempt=2"), "{of_version:?}");

    let mut secrets = vec!["admin-password".to_owned(), "correct-horse-battery".to_owned()];
    for request in sandbox.requests() {
        for name in ["cookie", "x-csrftoken"] {
            secrets.extend(request.headers().get(name).map(|v| v.to_str().unwrap().to_owned()));
        }
    }
    assert!(secrets.len() > 2);
    for secret in secrets {
        assert!(lines.iter().all(|line| !line.contains(&secret)), "{secret} is in {lines:#?}");
    }
}
