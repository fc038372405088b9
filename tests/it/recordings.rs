//! Real servers' answers are understood: every recorded record decodes, every recorded failure
//! becomes an error of the right kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::{
    AccessMode, Allocation, AllocationRequest, Attachment, AuditLogEntry, Cluster, Comment,
    FeedEntry, Grant, GrantStats, Health, History, Membership, MembershipRole, Notification,
    NotificationStats, NotificationType, Preference, Publication, PublicationStats,
    RequestLogEntry, RequestStats, RequestStatus, Review, ReviewStatus, ServerConfig, TaskResult,
    Team, User, legacy,
};
use keystone_client::testing::from_fn;
use keystone_client::{Error, ErrorKind, Resource, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::{Difference, differences};

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
        let client = KeystoneClient::builder("https://keystone.test")
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

/// Reads a record, or a list of any shape, and writes it again; says how many records there were,
/// and which places of the JSON came out otherwise.
fn copy<R: Resource<Model: Serialize>>(response: &Response) -> Result<Copied, Error> {
    let original: Value = response.json()?;
    let records = match &original {
        Value::Array(records) => records,
        Value::Object(map) if map.contains_key("results") => map["results"].as_array().unwrap(),
        record => std::slice::from_ref(record),
    };
    let text = Value::from(records).to_string();
    let mut reply = http::Response::new(Bytes::from(text));
    reply.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    let client = KeystoneClient::builder("https://keystone.test")
        .backend(from_fn(move |_| Ok(reply.clone())))
        .watch_drift(true)
        .build()?;
    let models = client.resource::<R>().list().page_size(1_000).all();
    let models = models.or_else(|error| match error.kind() {
        // The feed is walked by offset, and some lists came in another order.
        ErrorKind::Decode if error.to_string().contains("order of keys") => response.json(),
        _ => Err(error),
    })?;
    let drift = client.drift();
    assert!(drift.is_empty(), "{drift}");
    let mut copies = serde_json::to_value(&models).unwrap();
    let mut originals = Value::from(records);
    let key = |record: &Value| record["id"].to_string();
    copies.as_array_mut().unwrap().sort_by_key(key);
    originals.as_array_mut().unwrap().sort_by_key(key);
    Ok(Copied { records: records.len(), differences: differences(&originals, &copies) })
}

struct Copied {
    records: usize,
    differences: Vec<Difference>,
}

/// Differences between what was read and what was written that are none.
const PERMITTED: &[(&str, &str)] = &[
    // The server runs in another time zone. Both are the same instant, which is all that a
    // timestamp holds; the server's zone is not a property of the record.
    ("v0.3.26/users-retrieve-server-in-other-time-zone", "[].date_joined"),
    ("v0.3.26/users-retrieve-server-in-other-time-zone", "[].last_login"),
];

type Copy = fn(&Response) -> Result<Copied, Error>;

fn check(version: &str, readers: &[(&str, Copy, usize)]) {
    let mut counts = vec![0; readers.len()];
    let mut recorded = 0;
    let mut wrong = Vec::new();
    for recording in recordings(version) {
        let reads = (200..300).contains(&recording.response.status)
            && recording.is_json()
            && !matches!(recording.request.method.as_str(), "HEAD" | "OPTIONS");
        let path = &recording.request.path;
        let reader = readers.iter().position(|(prefix, ..)| path.starts_with(prefix));
        let (true, Some(reader)) = (reads, reader) else { continue };
        recorded += 1;
        let name = format!("{version}/{}", recording.name);
        let copied = readers[reader].1(&recording.replay())
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        counts[reader] += copied.records;
        wrong.extend(copied.differences.into_iter().filter_map(
            |Difference { place, read, written }| {
                let permitted = PERMITTED.contains(&(name.as_str(), place.as_str()));
                (!permitted).then(|| format!("{name}: {place}: {read} became {written}"))
            },
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(recorded > 50, "only {recorded} recordings were read");
    for ((path, _, at_least), count) in readers.iter().zip(counts) {
        assert!(count >= *at_least, "{path}: only {count} records");
    }
}

#[test]
fn records_of_0_10_9_survive_reading_and_writing() {
    check(
        "v0.10.9",
        &[
            ("/allocations/allocations/", copy::<Allocation>, 5),
            ("/allocations/attachments/", copy::<Attachment>, 10),
            ("/allocations/clusters/", copy::<Cluster>, 10),
            ("/allocations/comments/", copy::<Comment>, 5),
            ("/allocations/requests/", copy::<AllocationRequest>, 20),
            ("/allocations/reviews/", copy::<Review>, 5),
            ("/logs/audit/", copy::<AuditLogEntry>, 10),
            ("/logs/feed/", copy::<FeedEntry>, 5),
            ("/logs/requests/", copy::<RequestLogEntry>, 5),
            ("/logs/tasks/", copy::<TaskResult>, 3),
            ("/notifications/notifications/", copy::<Notification>, 5),
            ("/notifications/preferences/", copy::<Preference>, 5),
            ("/research/grants/", copy::<Grant>, 10),
            ("/research/publications/", copy::<Publication>, 10),
            ("/users/memberships/", copy::<Membership>, 10),
            ("/users/teams/", copy::<Team>, 10),
            ("/users/users/", copy::<User>, 20),
            ("/authentication/whoami/", copy::<User>, 2),
            ("/authentication/login/", copy::<User>, 2),
        ],
    );
}

#[test]
fn records_of_0_3_26_survive_reading_and_writing() {
    check(
        "v0.3.26",
        &[
            ("/allocations/allocations/", copy::<legacy::Allocation>, 5),
            ("/allocations/clusters/", copy::<legacy::Cluster>, 10),
            ("/allocations/requests/", copy::<legacy::AllocationRequest>, 20),
            ("/allocations/reviews/", copy::<legacy::Review>, 5),
            ("/logs/apps/", copy::<legacy::AppLogEntry>, 2),
            ("/logs/requests/", copy::<legacy::RequestLogEntry>, 5),
            ("/logs/tasks/", copy::<legacy::TaskResult>, 3),
            ("/research/grants/", copy::<legacy::Grant>, 5),
            ("/research/publications/", copy::<legacy::Publication>, 5),
            ("/users/researchgroups/", copy::<legacy::ResearchGroup>, 5),
            ("/users/users/", copy::<legacy::User>, 10),
        ],
    );
}

/// Clusters, allocations and users of old servers can be read as the present types too.
#[test]
fn records_that_have_hardly_changed() {
    for recording in recordings("v0.3.26") {
        let methods = ["GET", "PUT", "PATCH"];
        let reads = methods.contains(&recording.request.method.as_str());
        if recording.response.status != 200 || !recording.is_json() || !reads {
            continue;
        }
        let path = &recording.request.path;
        let response = recording.replay();
        let name = &recording.name;
        let is_list = recording.response.body.is_array();
        let outcome = match path.split('/').nth(2) {
            Some("clusters") if is_list => response.json::<Vec<Cluster>>().map(drop),
            Some("clusters") => response.json::<Cluster>().map(drop),
            Some("allocations") if is_list => response.json::<Vec<Allocation>>().map(drop),
            Some("users") if is_list => response.json::<Vec<User>>().map(drop),
            _ => continue,
        };
        outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Every history of every recording can be read, and is what the server sent.
#[test]
fn histories() {
    fn collect(value: &Value, into: &mut Vec<Value>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Object(map) => {
                into.extend(map.get("_history").cloned());
                map.values().for_each(|value| collect(value, into));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    // What OPTIONS tells of a history is no history.
    let answers = recordings("v0.10.9").into_iter().filter(|it| it.request.method != "OPTIONS");
    for recording in answers {
        collect(&recording.response.body, &mut found);
    }
    let mut entries = 0;
    for original in found {
        let history: History = serde_json::from_str(&original.to_string()).unwrap();
        let read = history.entries().unwrap();
        entries += read.len();
        assert_eq!(history.is_empty(), read.is_empty());
        assert_eq!(serde_json::to_value(&read).unwrap(), original);
        assert_eq!(serde_json::from_value::<History>(original).unwrap(), history);
    }
    assert!(entries > 200, "only {entries} entries");
}

/// What else is recorded of 0.10.9 and is not a record.
#[test]
fn answers_that_are_no_records() {
    fn same<T: DeserializeOwned + Serialize>(recording: &Recording) -> T {
        let value: T = recording.replay().json().unwrap();
        let written = serde_json::to_value(&value).unwrap();
        assert_eq!(written, recording.response.body, "{}", recording.name);
        value
    }
    let mut seen = BTreeMap::<String, usize>::new();
    for recording in recordings("v0.10.9") {
        if recording.response.status != 200 || recording.request.method != "GET" {
            continue;
        }
        match recording.request.path.as_str() {
            "/stats/requests/" => drop(same::<RequestStats>(&recording)),
            "/stats/grants/" => drop(same::<GrantStats>(&recording)),
            "/stats/publications/" => drop(same::<PublicationStats>(&recording)),
            "/stats/notifications/" => drop(same::<NotificationStats>(&recording)),
            "/config/" => drop(same::<ServerConfig>(&recording)),
            "/allocations/request-choices/status/" => labels::<RequestStatus>(&recording),
            "/allocations/review-choices/status/" => labels::<ReviewStatus>(&recording),
            "/allocations/cluster-choices/access-mode/" => labels::<AccessMode>(&recording),
            "/users/membership-choices/role/" => labels::<MembershipRole>(&recording),
            "/notifications/notification-choices/type/" => labels::<NotificationType>(&recording),
            "/health/json/" => {
                let health: Health = recording.replay().json().unwrap();
                assert_eq!(health.is_healthy(), !recording.name.contains("unhealthy"));
                assert!(health.checks.iter().all(|check| check.time_taken.is_some()));
                assert!(
                    health.checks.iter().all(|check| check.is_healthy == check.error.is_none())
                );
            }
            _ => continue,
        }
        *seen.entry(recording.request.path).or_default() += 1;
    }
    assert_eq!(seen.len(), 11, "{seen:?}");

    let legacy = recordings("v0.3.26");
    let health = legacy.iter().find(|recording| recording.name == "health-json").unwrap();
    let health: Health = health.replay().json().unwrap();
    assert!(!health.is_healthy());
    let failing: Vec<_> = health.checks.iter().filter(|check| !check.is_healthy).collect();
    assert_eq!(failing[0].error.as_deref(), Some("unavailable: Unknown error"));
}

/// The labels of the server are those of this crate, and there is no code that it does not know.
fn labels<K: DeserializeOwned + Ord + Clone + Label + 'static>(recording: &Recording) {
    let labels: BTreeMap<K, String> = recording.replay().json().unwrap();
    assert!(!labels.is_empty());
    for (code, label) in &labels {
        assert!(code.is_known(), "{label}");
        assert_eq!(code.label(), label);
        assert!(K::from_label(&label.to_uppercase()).as_ref() == Some(code), "{label}");
    }
    assert!(labels.into_keys().collect::<BTreeSet<_>>() == K::known().iter().cloned().collect());
    assert!(K::from_label("no such label").is_none());
}

trait Label: Sized {
    fn known() -> &'static [Self];
    fn from_label(label: &str) -> Option<Self>;
    fn label(&self) -> &str;
    fn is_known(&self) -> bool;
}

macro_rules! label {
    ($($name:ident)+) => {
        $(impl Label for $name {
            fn known() -> &'static [Self] {
                $name::KNOWN
            }

            fn from_label(label: &str) -> Option<Self> {
                $name::from_label(label)
            }

            fn label(&self) -> &str {
                $name::label(self)
            }

            fn is_known(&self) -> bool {
                !matches!(self, $name::Other(_))
            }
        })+
    };
}

label!(RequestStatus ReviewStatus AccessMode MembershipRole NotificationType);

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
