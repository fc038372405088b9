//! What the feature `tracing` tells, and what it does not.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use keystone_client::RetryPolicy;
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::NewUser;
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::from_fn;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, subscriber};

/// Keeps each event of one thread as one line.
///
/// It is the subscriber of the whole process: one for a thread alone misses events when another
/// thread comes first to where they are made.
#[derive(Clone)]
struct Lines(Arc<Mutex<Vec<String>>>, ThreadId);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("keystone_client")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if thread::current().id() != self.1 {
            return;
        }
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

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
    let lines = Lines(Arc::default(), thread::current().id());
    subscriber::set_global_default(lines.clone()).unwrap();
    client.login("admin", "admin-password").unwrap();
    client.create_user(NewUser::new("ada", "correct-horse-battery")).send().unwrap();
    client.version().send().unwrap();
    let lines = lines.0.lock().unwrap();
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
