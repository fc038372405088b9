use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;

use crate::recorded::{FormPart, RecordedRequest};
use crate::redact::{REDACTED, is_secret_header};
use crate::testing::difference::{Comparison, Differences, shorten, show, show_without};

type Check = dyn Fn(&RecordedRequest) -> bool + Send + Sync;

/// What is expected of a request.
#[derive(Clone)]
pub(super) struct Expectation {
    method: Method,
    path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) any_query: bool,
    /// Headers with their values; without one the header must not be there.
    pub(super) headers: Vec<(HeaderName, Option<HeaderValue>)>,
    body: Body,
    pub(super) checks: Vec<(String, Arc<Check>)>,
}

#[derive(Clone)]
enum Body {
    Any,
    Json { value: Value, contained: bool },
    Form(Form),
    Bytes(Bytes),
}

/// The fields and files of a form.
#[derive(Clone, Default)]
pub(super) struct Form {
    pub(super) fields: Vec<(String, String)>,
    pub(super) files: Vec<(String, String, Bytes)>,
    pub(super) any: bool,
}

impl Expectation {
    pub(super) fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            query: Vec::new(),
            any_query: false,
            headers: Vec::new(),
            body: Body::Any,
            checks: Vec::new(),
        }
    }

    pub(super) fn expect_json(&mut self, value: Value, contained: bool) {
        self.body = Body::Json { value, contained };
    }

    pub(super) fn expect_bytes(&mut self, bytes: Bytes) {
        self.body = Body::Bytes(bytes);
    }

    /// Changes the form that is expected, an empty one if it was something else before.
    pub(super) fn expect_form(&mut self, change: impl FnOnce(&mut Form)) {
        let mut form = match mem::replace(&mut self.body, Body::Any) {
            Body::Form(form) => form,
            _ => Form::default(),
        };
        change(&mut form);
        self.body = Body::Form(form);
    }

    /// How much is demanded: the exact path counts most, then an exact query, then each demand.
    pub(super) fn strictness(&self) -> usize {
        let any_segments = self.path.split('/').filter(|segment| *segment == "*").count();
        let body = match &self.body {
            Body::Any => 0,
            Body::Json { contained: true, .. } => 1,
            Body::Form(form) if form.any => 1,
            Body::Json { .. } | Body::Form(_) | Body::Bytes(_) => 2,
        };
        let demands = self.query.len() + self.headers.len() + self.checks.len() + body;
        let path = 1_000_usize.saturating_sub(any_segments) * 10_000;
        path + if self.any_query { 0 } else { 1_000 } + demands
    }

    pub(super) fn summary(&self) -> String {
        let mut summary = format!("{} {}", self.method, self.path);
        for (index, (name, value)) in self.query.iter().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            let value = show(name, &value.as_str().into());
            summary.push_str(&format!("{separator}{name}={}", value.trim_matches('"')));
        }
        summary
    }

    /// What is different about `request`; empty if it is the one expected.
    pub(super) fn differences(&self, request: &RecordedRequest) -> Differences {
        let same = &mut |_: &str, expected: &Value, seen: &Value| expected == seen;
        let mut comparison = Comparison::new(same, request.secrets());
        comparison.found.method(&self.method, request.method());
        comparison.found.path(&self.path, request.path());
        comparison.contains = self.any_query;
        comparison.pairs("query", &self.query, &request.query_pairs());
        for (name, value) in &self.headers {
            compare_header(name, value.as_ref(), request, &mut comparison.found);
        }
        match &self.body {
            Body::Any => {}
            Body::Json { value, contained } => match request.json() {
                Some(seen) => {
                    comparison.contains = *contained;
                    comparison.json("body", "", value, &seen);
                }
                None => {
                    let (expected, seen) = (
                        show_without("", value, request.secrets()),
                        describe(request.body(), request.secrets()),
                    );
                    comparison.found.add(5, format!("body: expected {expected}, seen {seen}"));
                }
            },
            Body::Form(form) => match request.form() {
                Some(parts) => form.compare(&parts, &mut comparison),
                None => {
                    let seen = describe(request.body(), request.secrets());
                    comparison.found.add(5, format!("body: expected a form, seen {seen}"));
                }
            },
            Body::Bytes(bytes) if bytes == request.body() => {}
            Body::Bytes(bytes) => {
                let (expected, seen) = (
                    describe(bytes, request.secrets()),
                    describe(request.body(), request.secrets()),
                );
                let seen = if expected == seen { "others".to_owned() } else { seen };
                comparison.found.add(5, format!("body: expected {expected}, seen {seen}"));
            }
        }
        for (what, holds) in &self.checks {
            if !holds(request) {
                comparison.found.add(1, format!("expected {what}"));
            }
        }
        comparison.found
    }
}

fn compare_header(
    name: &HeaderName,
    expected: Option<&HeaderValue>,
    request: &RecordedRequest,
    found: &mut Differences,
) {
    let seen: Vec<&HeaderValue> = request.headers().get_all(name).iter().collect();
    let shown = |value: &HeaderValue| match is_secret_header(name, value) {
        true => REDACTED.to_owned(),
        false => shorten(format!("{value:?}")),
    };
    match (expected, seen.as_slice()) {
        (Some(expected), seen) if seen.contains(&expected) => {}
        (None, []) => {}
        (Some(expected), []) => {
            found.add(1, format!("header `{name}`: missing, expected {}", shown(expected)));
        }
        (Some(expected), [seen, ..]) => {
            let (expected, seen) = (shown(expected), shown(seen));
            let seen = if expected == seen { "another".to_owned() } else { seen };
            found.add(1, format!("header `{name}`: expected {expected}, seen {seen}"));
        }
        (None, [seen, ..]) => {
            found.add(1, format!("header `{name}`: not expected, seen {}", shown(seen)));
        }
    }
}

impl Form {
    fn compare(&self, parts: &[FormPart], comparison: &mut Comparison<'_>) {
        let fields: Vec<(String, String)> = parts
            .iter()
            .filter(|part| part.file_name().is_none())
            .map(|part| {
                (part.name().to_owned(), String::from_utf8_lossy(part.content()).into_owned())
            })
            .collect();
        comparison.contains = self.any;
        comparison.pairs("field", &self.fields, &fields);
        let mut files: Vec<&FormPart> =
            parts.iter().filter(|part| part.file_name().is_some()).collect();
        for (name, file_name, content) in &self.files {
            let Some(at) = files.iter().position(|part| part.name() == name) else {
                comparison.found.add(1, format!("file `{name}`: missing, expected {file_name:?}"));
                continue;
            };
            let seen = files.remove(at);
            let seen_name = seen.file_name().unwrap_or_default();
            if seen_name != file_name {
                comparison
                    .found
                    .add(1, format!("file `{name}`: expected {file_name:?}, seen {seen_name:?}"));
            }
            if seen.content() != content {
                let (expected, seen) = (content.len(), seen.content().len());
                comparison.found.add(
                    1,
                    format!("file `{name}`: expected {expected} bytes, seen {seen} others"),
                );
            }
        }
        for part in files.iter().filter(|_| !self.any) {
            let (name, file_name) = (part.name(), part.file_name().unwrap_or_default());
            comparison.found.add(1, format!("file `{name}`: not expected, seen {file_name:?}"));
        }
    }
}

/// A body whose form is not known, so that anything in it may be secret.
pub(super) fn describe(body: &Bytes, secrets: &[&str]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => show_without("", &value, secrets),
        Err(_) if body.is_empty() => "no body".to_owned(),
        Err(_) => format!("{} bytes that are no JSON", body.len()),
    }
}
