//! Real servers' answers are understood: every recorded record decodes, every recorded failure
//! becomes an error of the right kind.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::{
    Allocation, AllocationRequest, AuditLogEntry, Cluster, Comment, FeedEntry, Grant, Membership,
    Notification, Preference, Publication, RequestLogEntry, Review, TaskResult, Team, User, legacy,
};
use keystone_client::testing::from_fn;
use keystone_client::{Error, ErrorKind, Resource, Response};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Recording {
    name: String,
    request: Request,
    response: RecordedResponse,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    path: String,
}

#[derive(Deserialize)]
struct RecordedResponse {
    status: u16,
    headers: BTreeMap<String, Value>,
    body: Value,
}

impl Recording {
    fn is_json(&self) -> bool {
        self.response
            .headers
            .get("content-type")
            .is_some_and(|value| value.as_str().is_some_and(|value| value.contains("json")))
    }

    /// The response as a client would have got it.
    fn replay(&self) -> Response {
        let body = match &self.response.body {
            Value::Null => String::new(),
            Value::String(text) if !self.is_json() => text.clone(),
            json => json.to_string(),
        };
        let mut response = http::Response::new(Bytes::from(body));
        *response.status_mut() = StatusCode::from_u16(self.response.status).unwrap();
        for (name, value) in &self.response.headers {
            let values = match value {
                Value::Array(values) => values.clone(),
                value => vec![value.clone()],
            };
            for value in values {
                let name: HeaderName = name.parse().unwrap();
                let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
                response.headers_mut().append(name, value);
            }
        }
        let backend = from_fn(move |_| Ok(response.clone()));
        let client = KeystoneClient::builder("http://keystone.test")
            .retry(keystone_client::RetryPolicy::never())
            .backend(backend)
            .build()
            .unwrap();
        client.http_get("replayed").send().unwrap()
    }
}

fn recordings(version: &str) -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(version);
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).unwrap();
            all.push(
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}")),
            );
        }
    }
    all
}

/// Reads a record, or a list of any shape, and says how many records there were.
fn read<R: Resource>(response: &Response) -> Result<usize, Error> {
    #[derive(Deserialize)]
    struct Page<T> {
        results: Vec<T>,
    }
    let value: Value = response.json()?;
    Ok(match value {
        Value::Array(_) => response.json::<Vec<R::Model>>()?.len(),
        Value::Object(map) if map.contains_key("results") => {
            response.json::<Page<R::Model>>()?.results.len()
        }
        _ => response.json::<R::Model>().map(|_| 1)?,
    })
}

type Read = fn(&Response) -> Result<usize, Error>;

fn check(version: &str, readers: &[(&str, Read, usize)]) {
    let mut counts = vec![0; readers.len()];
    let mut recorded = 0;
    for recording in recordings(version) {
        let reads = (200..300).contains(&recording.response.status)
            && recording.is_json()
            && !matches!(recording.request.method.as_str(), "HEAD" | "OPTIONS");
        let reader = readers.iter().position(|(path, ..)| recording.request.path.starts_with(path));
        let (true, Some(reader)) = (reads, reader) else { continue };
        recorded += 1;
        counts[reader] += readers[reader].1(&recording.replay())
            .unwrap_or_else(|error| panic!("{version}/{}: {error}", recording.name));
    }
    assert!(recorded > 50, "only {recorded} recordings were read");
    for ((path, _, at_least), count) in readers.iter().zip(counts) {
        assert!(count >= *at_least, "{path}: only {count} records");
    }
}

#[test]
fn records_of_0_10_9() {
    check(
        "v0.10.9",
        &[
            ("/allocations/allocations/", read::<Allocation>, 5),
            ("/allocations/clusters/", read::<Cluster>, 10),
            ("/allocations/comments/", read::<Comment>, 5),
            ("/allocations/requests/", read::<AllocationRequest>, 20),
            ("/allocations/reviews/", read::<Review>, 5),
            ("/logs/audit/", read::<AuditLogEntry>, 10),
            ("/logs/feed/", read::<FeedEntry>, 5),
            ("/logs/requests/", read::<RequestLogEntry>, 5),
            ("/logs/tasks/", read::<TaskResult>, 3),
            ("/notifications/notifications/", read::<Notification>, 5),
            ("/notifications/preferences/", read::<Preference>, 5),
            ("/research/grants/", read::<Grant>, 10),
            ("/research/publications/", read::<Publication>, 10),
            ("/users/memberships/", read::<Membership>, 10),
            ("/users/teams/", read::<Team>, 10),
            ("/users/users/", read::<User>, 20),
            ("/authentication/whoami/", read::<User>, 2),
            ("/authentication/login/", read::<User>, 2),
        ],
    );
}

#[test]
fn records_of_0_3_26() {
    check(
        "v0.3.26",
        &[
            ("/allocations/allocations/", read::<Allocation>, 5),
            ("/allocations/clusters/", read::<Cluster>, 10),
            ("/allocations/requests/", read::<legacy::AllocationRequest>, 20),
            ("/users/researchgroups/", read::<legacy::ResearchGroup>, 5),
            ("/users/users/", read::<User>, 10),
        ],
    );
}

#[test]
fn failures_of_both() {
    for version in ["v0.10.9", "v0.3.26"] {
        let mut failures = 0;
        for recording in recordings(version) {
            if recording.response.status < 300 || recording.request.method == "HEAD" {
                continue;
            }
            failures += 1;
            let name = format!("{version}/{}", recording.name);
            let error = recording.replay().error_for_status().unwrap_err();
            let has_page = error.body_json().is_none();
            let kind = match recording.response.status {
                301 => ErrorKind::Redirected,
                400 | 422 => ErrorKind::Validation,
                401 => ErrorKind::NotLoggedIn,
                403 if error.detail().is_some_and(|text| text.starts_with("CSRF")) => {
                    ErrorKind::CsrfRejected
                }
                403 => ErrorKind::Denied,
                404 if has_page => ErrorKind::UnknownEndpoint,
                404 => ErrorKind::NotFound,
                405 => ErrorKind::MethodNotAllowed,
                429 => ErrorKind::Throttled,
                500 => ErrorKind::Server,
                _ => ErrorKind::Status,
            };
            assert_eq!(error.kind(), kind, "{name}");
            assert_eq!(error.status().unwrap().as_u16(), recording.response.status, "{name}");
            assert!(!error.to_string().contains("<html"), "{name}: {error}");
            if recording.response.status == 429 {
                assert!(error.retry_after().is_some(), "{name}");
            }
            if recording.response.status == 400 && !has_page {
                let explained = error.detail().is_some() || error.field_errors().next().is_some();
                assert!(explained, "{name}: {error}");
            }
        }
        assert!(failures > 80, "{version}: only {failures} failures");
    }
}
