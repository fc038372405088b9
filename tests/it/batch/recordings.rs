//! Every recorded job is made by the typed builder, or is one that it does not let through; and every
//! recorded answer is understood.

mod jobs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use keystone_client::RetryPolicy;
use keystone_client::blocking::KeystoneClient;
use keystone_client::testing::from_fn;
use serde_json::{Map, Value, json};

use self::jobs::{BUILT, Expect, NOT_BUILT};

struct Recording {
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
