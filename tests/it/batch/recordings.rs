//! Every recorded job is made by the typed builder, or is one that it does not let through; and every
//! recorded answer is understood.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use jiff::civil::date;
use keystone_client::batch::{BatchFailure, BatchOutcome};
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::{
    Cluster, Grant, Membership, MembershipRole, NewAllocationRequest, NewAttachment, NewGrant,
    NewTeam, NotificationStats, Team,
};
use keystone_client::testing::from_fn;
use keystone_client::upload::Upload;
use keystone_client::{Batch, Error, ErrorKind, Id, RetryPolicy};
use serde_json::{Map, Value, json};

pub(super) type Job = Batch<KeystoneClient>;

pub(super) struct Recording {
    name: String,
    request: Value,
    status: StatusCode,
    answer: Value,
}

fn recordings() -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/v0.10.9");
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().unwrap().to_str().unwrap().strip_suffix(".json") else {
            continue;
        };
        if !name.contains("batch") {
            continue;
        }
        let exchange: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let status = exchange["response"]["status"].as_u64().unwrap();
        all.push(Recording {
            name: name.to_owned(),
            request: exchange["request"].clone(),
            status: StatusCode::from_u16(status.try_into().unwrap()).unwrap(),
            answer: exchange["response"]["body"].clone(),
        });
    }
    all.sort_by(|left, right| left.name.cmp(&right.name));
    all
}

impl Recording {
    fn response(&self) -> http::Response<Bytes> {
        let (body, content_type) = match &self.answer {
            Value::Null => (String::new(), "application/json"),
            Value::String(page) => (page.clone(), "text/html; charset=utf-8"),
            json => (renamed(&json.to_string(), &self.aliases()), "application/json"),
        };
        let mut response = http::Response::new(Bytes::from(body));
        *response.status_mut() = self.status;
        response.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
        response
    }

    /// A client of a server that answers so, and what it is sent.
    fn client(&self) -> (KeystoneClient, Arc<Mutex<Vec<http::Request<Bytes>>>>) {
        let sent = Arc::new(Mutex::new(Vec::new()));
        let (response, log) = (self.response(), Arc::clone(&sent));
        let backend = from_fn(move |request: http::Request<Bytes>| {
            // It does not say what files it takes.
            if request.uri().path() == "/config/" {
                let mut unknown = http::Response::new(Bytes::from("<html>"));
                *unknown.status_mut() = StatusCode::NOT_FOUND;
                return Ok(unknown);
            }
            log.lock().unwrap().push(request);
            Ok(response.clone())
        });
        let client = KeystoneClient::builder("https://keystone.test")
            .api_token("token")
            .server_version("0.10.9")
            .retry(RetryPolicy::never())
            .backend(backend)
            .build()
            .unwrap();
        (client, sent)
    }

    /// The names of steps, and the names that the client gives them.
    fn aliases(&self) -> BTreeMap<String, String> {
        let has_job = self.request["body"].get("job").is_some_and(Value::is_object);
        if has_job { aliases(&self.job()) } else { BTreeMap::new() }
    }

    /// The files that were sent with it, in the order in which the job names them.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let parts = self.request["body"]["$multipart"].as_array().into_iter().flatten();
        let text = |part: &Value, key: &str| part[key].as_str().unwrap().to_owned();
        parts
            .filter(|part| part.get("filename").is_some())
            .map(|part| (text(part, "filename"), text(part, "content").into_bytes()))
            .collect()
    }

    /// The recorded job without its envelope.
    fn job(&self) -> Value {
        let body = &self.request["body"];
        let job = match body.get("$multipart") {
            Some(parts) => {
                let parts = parts.as_array().unwrap();
                parts.iter().find(|part| part["name"] == "job").unwrap()["value"].clone()
            }
            None => body["job"].clone(),
        };
        match job {
            Value::String(text) => serde_json::from_str(&text).unwrap(),
            job => job,
        }
    }
}

/// A job as the server reads it: steps under names by their places, where names are used at all;
/// parameters as pairs of texts, wherever they stand; files by their order; what goes with a file as
/// text, which is how it gets there; nothing said that holds anyway.
fn as_read(job: &Value) -> Value {
    let mut job = job.clone();
    let members = job.as_object_mut().unwrap();
    if members.get("dry_run") == Some(&json!(false)) {
        members.remove("dry_run");
    }
    let aliases = aliases(&job);
    let text = renamed(&job.to_string(), &aliases);
    let mut job: Value = serde_json::from_str(&text).unwrap();
    let mut files = 0;
    for step in job["actions"].as_array_mut().unwrap() {
        let step = step.as_object_mut().unwrap();
        let alias = step.remove("ref").and_then(|alias| aliases.get(alias.as_str()?).cloned());
        if let Some(alias) = alias.filter(|alias| text.contains(&format!("@ref{{{alias}."))) {
            step.insert("ref".to_owned(), alias.into());
        }
        put_parameters_together(step);
        if let Some(Value::Object(payload)) = step.get_mut("payload") {
            put_files_in_order(payload, &mut files);
        }
    }
    job
}

fn put_files_in_order(payload: &mut Map<String, Value>, files: &mut usize) {
    let is_file = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("@file{"));
    if payload.values().any(is_file) {
        for value in payload.values_mut() {
            if is_file(value) {
                *files += 1;
                *value = format!("file {files}").into();
            } else if value.is_number() {
                *value = value.to_string().into();
            }
        }
    }
}

fn aliases(job: &Value) -> BTreeMap<String, String> {
    let steps = job["actions"].as_array().into_iter().flatten().enumerate();
    steps
        .filter_map(|(index, step)| {
            Some((step["ref"].as_str()?.to_owned(), format!("step{}", index + 1)))
        })
        .collect()
}

fn renamed(text: &str, aliases: &BTreeMap<String, String>) -> String {
    aliases.iter().fold(text.to_owned(), |text, (alias, name)| {
        text.replace(&format!("@ref{{{alias}."), &format!("@ref{{{name}."))
    })
}

fn put_parameters_together(step: &mut Map<String, Value>) {
    let path = step["path"].as_str().unwrap().to_owned();
    let (path, query) = path.split_once('?').unwrap_or((&path, ""));
    let mut parameters: Vec<(String, String)> =
        url_pairs(query).chain(json_pairs(step.remove("query_params"))).collect();
    parameters.sort();
    step.insert("path".to_owned(), path.into());
    step.insert("parameters".to_owned(), json!(parameters));
}

fn url_pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    })
}

fn json_pairs(parameters: Option<Value>) -> impl Iterator<Item = (String, String)> {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    let members = parameters.and_then(|it| it.as_object().cloned()).unwrap_or_default();
    members.into_iter().flat_map(move |(name, value)| match value {
        Value::Array(items) => {
            items.iter().map(|item| (name.clone(), text(item))).collect::<Vec<_>>()
        }
        value => vec![(name, text(&value))],
    })
}

/// Builds the job of a recording, and says what to expect of its answer.
type Build = fn(&KeystoneClient) -> (Job, Expect);

enum Expect {
    Outcome(Box<dyn Fn(BatchOutcome)>),
    Failure(ErrorKind, fn(&Error)),
}

fn outcome(check: impl Fn(BatchOutcome) + 'static) -> Expect {
    Expect::Outcome(Box::new(check))
}

/// The step by which the job failed, from 0, and the status of that.
fn at_step(error: &Error, index: usize, status: u16) {
    match error.batch_failure() {
        Some(BatchFailure::Step(step)) => {
            assert_eq!((step.index, step.status.map(|it| it.as_u16())), (index, Some(status)));
        }
        other => panic!("{other:?}"),
    }
    assert!(!error.may_have_been_sent());
    assert!(error.to_string().ends_with("; everything was rolled back"), "{error}");
}

fn at_reference(error: &Error, step: usize, token: &str, reason: &str) {
    match error.batch_failure() {
        Some(BatchFailure::Reference(reference)) => assert_eq!(
            (reference.step, reference.token.as_str(), reference.reason.as_str()),
            (Some(step), token, reason)
        ),
        other => panic!("{other:?}"),
    }
}

fn grant() -> NewGrant {
    NewGrant::new(
        "Batch grant",
        "NSF",
        "5.00".parse::<rust_decimal::Decimal>().unwrap(),
        date(2026, 3, 1),
        Id::new(1),
    )
}

/// A job of generic calls, for what has no typed ones.
fn gets(client: &KeystoneClient, endpoints: &[&str]) -> Job {
    let mut job = client.batch();
    for endpoint in endpoints {
        job.add(client.http_get(endpoint));
    }
    job
}

const BUILT: &[(&str, Build)] = &[
    ("batch-dry-run", |client| {
        let mut job = client.batch();
        let team = job.add(client.teams().create(NewTeam::new("Dry Team")));
        (
            job,
            outcome(move |outcome| {
                assert!(outcome.is_dry_run());
                assert_eq!(outcome.get(team).unwrap().name, "Dry Team");
            }),
        )
    }),
    ("batch-job-as-json-string", |client| {
        (gets(client, &["version"]), outcome(|outcome| assert_eq!(outcome.len(), 1)))
    }),
    ("batch-json-references", |client| {
        let mut job = client.batch();
        let grant = job.add(client.grants().create(grant()));
        let (team, amount) = (grant.path::<String>("_team.name"), grant.field(|g| g.amount));
        let title = format!("Grant {} of {team}", grant.field(|g| g.id));
        let patched = job.add(
            client
                .grants()
                .update(grant, |g| [g.title.set(title), g.description.set(amount.to_string())]),
        );
        let gone = job.add(client.grants().delete(grant));
        (
            job,
            outcome(move |outcome| {
                let (grant, patched): (Grant, Grant) =
                    (outcome.get(grant).unwrap(), outcome.get(patched).unwrap());
                assert_eq!(patched.title, format!("Grant {} of Team 1", grant.id));
                assert_eq!(patched.description.as_deref(), Some("5.00"));
                outcome.get(gone).unwrap();
                assert_eq!(outcome.status(gone).unwrap(), 204);
            }),
        )
    }),
    ("batch-list-index-reference", |client| {
        let mut job = client.batch();
        let members = client.memberships().filter(|m| m.team.eq(Id::new(1)));
        let first = job.add(members.first());
        let read = job.add(client.memberships().retrieve(first.record()));
        (
            job,
            outcome(move |outcome| {
                let first: Membership = outcome.get(first).unwrap().unwrap();
                assert_eq!(first.id, outcome.get(read).unwrap().id);
            }),
        )
    }),
    ("batch-multipart-disallowed-file", |client| {
        let mut job = client.batch();
        let file = Upload::bytes("x.exe", "x");
        job.add(client.attachments().create(NewAttachment::new(Id::new(1224), file)));
        (
            job,
            Expect::Failure(ErrorKind::Validation, |error| {
                at_step(error, 0, 400);
                assert!(error.is_validation("file"));
            }),
        )
    }),
    ("batch-multipart-dry-run", |client| {
        let mut job = client.batch();
        let file = Upload::bytes("dry.txt", "x");
        let new = NewAttachment::new(Id::new(1224), file);
        let attachment = job.add(client.attachments().create(new));
        (
            job,
            outcome(move |outcome| {
                assert!(outcome.is_dry_run());
                assert_eq!(outcome.get(attachment).unwrap().name, "dry.txt");
            }),
        )
    }),
    ("batch-multipart-file", |client| {
        let mut job = client.batch();
        let new = NewAllocationRequest::new("With file", "d", Id::new(102), Id::new(1));
        let request = job.add(client.requests().create(new));
        let new = NewAttachment::new(request, Upload::bytes("plan ü.txt", "hello")).name("Upload");
        let attachment = job.add(client.attachments().create(new));
        (
            job,
            outcome(move |outcome| {
                let attachment = outcome.get(attachment).unwrap();
                assert_eq!(attachment.request, outcome.get(request).unwrap().id);
                assert_eq!(attachment.name, "Upload");
            }),
        )
    }),
    ("batch-multipart-two-files", |client| {
        let mut job = client.batch();
        let steps = [("one.txt", "1"), ("two.txt", "2")].map(|(name, content)| {
            let new = NewAttachment::new(Id::new(1224), Upload::bytes(name, content));
            job.add(client.attachments().create(new))
        });
        (
            job,
            outcome(move |outcome| {
                let names = steps.map(|step| outcome.get(step).unwrap().name);
                assert_eq!(names, ["one.txt", "two.txt"]);
            }),
        )
    }),
    ("batch-nested", |client| {
        let inner = json!({ "job": { "actions": [{ "method": "GET", "path": "/version/" }] } });
        let mut job = client.batch();
        let nested = job.add(client.http_post("batch").json(&inner));
        (
            job,
            outcome(move |outcome| {
                assert!(outcome.get(nested).unwrap().bytes().is_empty());
            }),
        )
    }),
    ("batch-query-string-in-path", |client| {
        let mut job = client.batch();
        let first = job.add(client.memberships().list().first());
        (
            job,
            outcome(move |outcome| {
                assert!(outcome.get(first).unwrap().is_some());
            }),
        )
    }),
    ("batch-reference-bad-index", |client| {
        let mut job = client.batch();
        let team = job.add(client.teams().retrieve(Id::new(1)));
        job.add(client.teams().retrieve(team.path::<Id<Team>>("users.99")));
        (
            job,
            Expect::Failure(ErrorKind::UnresolvedReference, |error| {
                at_reference(error, 0, "@ref{step1.users.99}", "Invalid list index \"99\"");
            }),
        )
    }),
    ("batch-reference-into-empty-body", |client| {
        let mut job = client.batch();
        let grant = job.add(client.grants().create(grant()));
        let gone = job.add(client.grants().delete(grant));
        job.add(client.grants().retrieve(gone.path::<Id<Grant>>("id")));
        (
            job,
            Expect::Failure(ErrorKind::UnresolvedReference, |error| {
                let reason = "Cannot traverse into NoneType with \"id\"";
                at_reference(error, 1, "@ref{step2.id}", reason);
            }),
        )
    }),
    ("batch-reference-into-scalar", |client| {
        let mut job = client.batch();
        let team = job.add(client.teams().retrieve(Id::new(1)));
        job.add(client.teams().retrieve(team.path::<Id<Team>>("id.x")));
        (
            job,
            Expect::Failure(ErrorKind::UnresolvedReference, |error| {
                at_reference(error, 0, "@ref{step1.id.x}", "Cannot traverse into int with \"x\"");
            }),
        )
    }),
    ("batch-reference-unknown-key", |client| {
        let mut job = client.batch();
        let team = job.add(client.teams().retrieve(Id::new(1)));
        job.add(client.teams().retrieve(team.path::<Id<Team>>("nope")));
        (
            job,
            Expect::Failure(ErrorKind::UnresolvedReference, |error| {
                at_reference(error, 0, "@ref{step1.nope}", "Key \"nope\" not found in response");
            }),
        )
    }),
    ("batch-step-failure-rolls-back", |client| {
        let mut job = client.batch();
        job.add(client.teams().create(NewTeam::new("Rolled Back")));
        job.add(client.http_post("users/teams").json(&json!({})));
        (
            job,
            Expect::Failure(ErrorKind::Validation, |error| {
                at_step(error, 1, 400);
                assert!(error.is_validation("name"));
                assert_eq!(error.status().unwrap(), 422);
            }),
        )
    }),
    ("batch-step-forbidden", |client| {
        let mut job = gets(client, &["authentication/whoami"]);
        job.add(client.http_get("logs/audit"));
        (job, Expect::Failure(ErrorKind::Denied, |error| at_step(error, 1, 403)))
    }),
    ("batch-step-method-not-allowed", |client| {
        let mut job = client.batch();
        job.add(client.http_delete("users/teams"));
        (job, Expect::Failure(ErrorKind::MethodNotAllowed, |error| at_step(error, 0, 405)))
    }),
    ("batch-step-missing-slash", |client| {
        let mut job = client.batch();
        let path = keystone_client::request::Request::empty(
            keystone_client::request::Operation::new("list", "team"),
            http::Method::GET,
            "users/teams",
        );
        job.add(client.request(path));
        (job, Expect::Failure(ErrorKind::UnknownEndpoint, |error| at_step(error, 0, 404)))
    }),
    ("batch-step-not-found", |client| {
        let mut job = client.batch();
        job.add(client.teams().retrieve(Id::new(999_999)));
        (
            job,
            Expect::Failure(ErrorKind::NotFound, |error| {
                at_step(error, 0, 404);
                assert_eq!(error.detail(), Some("No Team matches the given query."));
            }),
        )
    }),
    ("batch-step-server-error", |client| {
        let mut job = client.batch();
        job.add(client.clusters().delete(Id::<Cluster>::new(1)));
        (
            job,
            Expect::Failure(ErrorKind::Server, |error| {
                assert!(error.batch_failure().is_none());
                assert!(error.to_string().contains("rolls such a job back"), "{error}");
            }),
        )
    }),
    ("batch-step-unknown-route", |client| {
        (
            gets(client, &["nope"]),
            Expect::Failure(ErrorKind::UnknownEndpoint, |error| {
                at_step(error, 0, 404);
            }),
        )
    }),
    ("batch-text-endpoints-have-null-body", |client| {
        let mut job = client.batch();
        let version = job.add(client.version());
        let roles = job.add(client.choices::<MembershipRole>());
        let read = job.add(client.http_get("stats/notifications"));
        (
            job,
            outcome(move |outcome| {
                let error = outcome.get(version).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Decode);
                assert!(error.to_string().contains("call it by itself"), "{error}");
                assert_eq!(outcome.get(roles).unwrap()[&MembershipRole::Owner], "Owner");
                outcome.get(read).unwrap().json::<NotificationStats>().unwrap();
            }),
        )
    }),
    ("https-batch-list-links-are-http", |client| {
        let mut job = client.batch();
        let page = job.add(client.http_get("users/memberships?_limit=1"));
        (
            job,
            outcome(move |outcome| {
                let page: Value = outcome.get(page).unwrap().json().unwrap();
                assert_eq!(page["results"].as_array().unwrap().len(), 1);
            }),
        )
    }),
    ("throttled-batch-step", |client| {
        let mut job = client.batch();
        for _ in 0..5 {
            job.add(client.choices::<MembershipRole>());
        }
        (
            job,
            Expect::Failure(ErrorKind::Throttled, |error| {
                at_step_throttled(error);
            }),
        )
    }),
];

fn at_step_throttled(error: &Error) {
    let Some(BatchFailure::Step(step)) = error.batch_failure() else { panic!("{error}") };
    assert_eq!((step.index, step.status.unwrap().as_u16()), (4, 429));
    assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(60)));
    assert!(!error.may_have_been_sent());
}

/// Jobs that the typed builder does not let through, or that are none; and what their answers are.
const NOT_BUILT: &[(&str, ErrorKind, &str)] = &[
    ("batch-anonymous", ErrorKind::InvalidCredentials, "no job in it"),
    ("batch-form-unsupported", ErrorKind::Status, "jobs are JSON or multipart"),
    ("batch-get-not-allowed", ErrorKind::MethodNotAllowed, "jobs are posted"),
    ("batch-invalid-actions-empty", ErrorKind::Validation, "an error before it is sent"),
    ("batch-invalid-actions-not-list", ErrorKind::Validation, "steps are a list"),
    ("batch-invalid-actions-null", ErrorKind::Validation, "steps are a list"),
    ("batch-invalid-dry-run", ErrorKind::Validation, "a boolean"),
    ("batch-invalid-duplicate-refs", ErrorKind::Validation, "aliases are generated"),
    ("batch-invalid-empty-object", ErrorKind::Validation, "the envelope is generated"),
    ("batch-invalid-job-list", ErrorKind::Validation, "the envelope is generated"),
    ("batch-invalid-job-null", ErrorKind::Validation, "the envelope is generated"),
    ("batch-invalid-job-string-not-json", ErrorKind::Validation, "the envelope is generated"),
    ("batch-invalid-no-actions", ErrorKind::Validation, "the envelope is generated"),
    ("batch-invalid-step-fields", ErrorKind::Validation, "steps are typed"),
    ("batch-list-body-server-error", ErrorKind::Server, "the envelope is generated"),
    ("batch-malformed-json", ErrorKind::Validation, "the envelope is generated"),
    ("batch-multipart-file-used-twice", ErrorKind::Validation, "each file is a part of its own"),
    ("batch-multipart-job-in-envelope", ErrorKind::Validation, "the envelope is generated"),
    ("batch-multipart-job-not-json", ErrorKind::Validation, "the envelope is generated"),
    ("batch-multipart-missing-file", ErrorKind::Validation, "files come with their steps"),
    ("batch-multipart-no-job", ErrorKind::Validation, "the envelope is generated"),
    ("batch-multipart-null-in-file-payload-server-error", ErrorKind::Server, "fields are text"),
    ("batch-query-string-and-params-clash", ErrorKind::Validation, "never both"),
    ("batch-reference-file-in-json", ErrorKind::Validation, "files make it multipart"),
    ("batch-reference-in-query-params-not-resolved", ErrorKind::Validation, "put in the address"),
    ("batch-reference-malformed", ErrorKind::Validation, "references have paths"),
    ("batch-reference-unknown-alias", ErrorKind::Validation, "steps come before references"),
    ("batch-step-login-server-error", ErrorKind::Server, "an error before it is sent"),
    ("batch-without-csrf", ErrorKind::CsrfRejected, "no job in it"),
];

/// Reads beside jobs, which are recorded to show what these have left.
const NO_JOBS: [&str; 2] = ["batch-dry-run-left-nothing", "batch-step-failure-left-nothing"];

/// The job of a request without its envelope, and its files.
fn sent_job(request: &http::Request<Bytes>) -> (Value, Vec<(String, Vec<u8>)>) {
    let content_type = request.headers()["content-type"].to_str().unwrap();
    if content_type == "application/json" {
        let mut body: Value = serde_json::from_slice(request.body()).unwrap();
        return (body["job"].take(), Vec::new());
    }
    let mut parts = crate::attachments::form::parts(content_type, request.body()).into_iter();
    let job = parts.next().unwrap();
    assert_eq!((job.name.as_str(), &job.file_name), ("job", &None));
    let files = parts.map(|part| (part.file_name.unwrap(), part.content)).collect();
    (serde_json::from_slice(&job.content).unwrap(), files)
}

#[test]
fn jobs_are_sent_as_recorded_and_their_answers_are_understood() {
    let mut built = BTreeSet::new();
    for recording in recordings() {
        let Some((name, build)) = BUILT.iter().find(|(name, _)| *name == recording.name) else {
            continue;
        };
        built.insert(*name);
        let (client, sent) = recording.client();
        let (job, expect) = build(&client);
        let is_dry_run = recording.job()["dry_run"] == json!(true);
        let call = if is_dry_run { job.dry_run() } else { job.run() };
        let result = call.send();
        let sent = sent.lock().unwrap();
        let [request] = &sent[..] else { panic!("{name}: {result:?}") };
        assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/batch/"));
        let (job, files) = sent_job(request);
        assert_eq!(as_read(&job), as_read(&recording.job()), "{name}");
        assert_eq!(files, recording.files(), "{name}");
        match (result, expect) {
            (Ok(outcome), Expect::Outcome(check)) => check(outcome),
            (Err(error), Expect::Failure(kind, check)) => {
                assert_eq!(error.kind(), kind, "{name}: {error}");
                check(&error);
            }
            (result, _) => panic!("{name}: {result:?}"),
        }
    }
    assert_eq!(built.len(), BUILT.len(), "a recording is missing");
}

#[test]
fn answers_to_what_is_no_job_are_understood() {
    for recording in recordings() {
        let Some((name, kind, _)) = NOT_BUILT.iter().find(|(name, ..)| *name == recording.name)
        else {
            continue;
        };
        let (client, _) = recording.client();
        let response = client.http_post("batch").json(&json!({})).send().unwrap();
        let error = response.error_for_status().unwrap_err();
        assert_eq!(error.kind(), *kind, "{name}: {error}");
        // The same answer to a job.
        let mut job = client.batch();
        job.add(client.http_get("users/teams"));
        let error = job.run().send().unwrap_err();
        assert!(!error.to_string().contains("<html"), "{name}: {error}");
    }
}

#[test]
fn no_recording_is_left_out() {
    for recording in recordings() {
        let is_known = BUILT.iter().any(|(name, _)| *name == recording.name)
            || NOT_BUILT.iter().any(|(name, ..)| *name == recording.name)
            || NO_JOBS.contains(&recording.name.as_str());
        assert!(is_known, "{}", recording.name);
    }
}
