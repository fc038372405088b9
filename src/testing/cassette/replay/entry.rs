//! One entry of a cassette: what came compared with it, and its answer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::super::bindings::{Added, Bindings};
use super::super::format::{Body, Entry, Part, Sent, split_parameter};
use super::super::headers::parse_headers;
use super::super::recorder::{GIVEN_UP, kind_of};
use crate::backend::{BackendError, BackendErrorKind, ExecuteResult};
use crate::recorded::{FormPart, RecordedRequest};
use crate::redact::REDACTED;
use crate::testing::difference::{Comparison, Differences, show, show_without};
use crate::testing::exchange::response;

/// More zeros than this do not stand for bytes that were left out.
const LONGEST_OMITTED: usize = 16 * 1024 * 1024;

/// What is different between what was recorded and what came, and what that says of placeholders.
pub(super) fn compare(
    sent: &Sent,
    request: &RecordedRequest,
    bindings: &Bindings,
) -> (Differences, Added) {
    let mut added = Added::default();
    let same_path = bindings.same_text("path", &sent.path, request.path(), &mut added);
    let mut same = |name: &str, recorded: &Value, seen: &Value| {
        bindings.same(name, recorded, seen, &mut added)
    };
    let mut comparison = Comparison::new(&mut same, request.secrets());
    if sent.method != request.method().as_str() {
        let (expected, seen) = (&sent.method, request.method());
        comparison.found.add(20, format!("method: recorded {expected}, seen {seen}"));
    }
    if !same_path {
        comparison.found.path(&sent.path, request.path());
    }
    let query: Vec<(String, String)> = sent.query.iter().map(|it| split_parameter(it)).collect();
    comparison.pairs("query", &query, &request.query_pairs());
    compare_body(sent.body.as_ref(), request, &mut comparison);
    let mut found = comparison.found;
    found.explain(|recorded, seen| bindings.reason(recorded, seen));
    (found, added)
}

fn compare_body(body: Option<&Body>, request: &RecordedRequest, comparison: &mut Comparison<'_>) {
    let bytes = request.body();
    let mut differ = |expected: &str| {
        let seen = match (bytes.is_empty(), request.json()) {
            (true, _) => "no body".to_owned(),
            (_, Some(json)) => show_without("", &json, request.secrets()),
            _ => format!("{} bytes", bytes.len()),
        };
        comparison.found.add(5, format!("body: expected {expected}, seen {seen}"));
    };
    match body {
        None if bytes.is_empty() => {}
        None => differ("none"),
        Some(Body::Json(expected)) => match request.json() {
            Some(seen) => comparison.json("body", "", expected, &seen),
            None => differ(&show("", expected)),
        },
        Some(Body::Form(parts)) => match request.form() {
            Some(seen) => compare_form(parts, &seen, comparison),
            None => differ("a form"),
        },
        Some(Body::Text(text)) if text.as_bytes() == bytes => {}
        // What it was is not known.
        Some(Body::Text(text)) if text == REDACTED && !bytes.is_empty() => {}
        Some(Body::Base64(text)) if *text == STANDARD.encode(bytes) => {}
        Some(Body::Text(_) | Body::Base64(_)) => differ("another text"),
        // What it was is not known.
        Some(Body::Omitted(_)) if bytes.is_empty() => differ("a body"),
        Some(Body::Omitted(_)) => {}
    }
}

fn compare_form(expected: &[Part], seen: &[FormPart], comparison: &mut Comparison<'_>) {
    let fields = expected.iter().filter_map(|part| match (&part.file_name, &part.content) {
        (None, Body::Text(text)) => Some((part.name.clone(), text.clone())),
        _ => None,
    });
    let seen_fields = seen
        .iter()
        .filter_map(|part| part.text().map(|text| (part.name().to_owned(), text.to_owned())));
    comparison.pairs("field", &fields.collect::<Vec<_>>(), &seen_fields.collect::<Vec<_>>());
    let mut seen: Vec<&FormPart> = seen.iter().filter(|part| part.file_name().is_some()).collect();
    for part in expected.iter().filter(|part| part.file_name.is_some()) {
        let name = &part.name;
        let Some(at) = seen.iter().position(|seen| seen.name() == name) else {
            comparison.found.add(1, format!("file `{name}`: missing"));
            continue;
        };
        let seen = seen.remove(at);
        let pair = |text: Option<&str>| -> Value { text.unwrap_or_default().into() };
        let place = format!("file `{name}`");
        let (file_name, seen_name) = (part.file_name.as_deref(), seen.file_name());
        comparison.json(&format!("{place}, name"), "file_name", &pair(file_name), &pair(seen_name));
        let (kind, seen_kind) = (part.content_type.as_deref(), seen.content_type());
        comparison.json(
            &format!("{place}, content type"),
            "content_type",
            &pair(kind),
            &pair(seen_kind),
        );
        if let Body::Base64(content) = &part.content {
            if *content != STANDARD.encode(seen.content()) {
                comparison.found.add(1, format!("file `{name}`: its content is another"));
            }
        }
    }
    for part in seen {
        comparison.found.add(1, format!("file `{}`: not expected", part.name()));
    }
}

pub(super) fn answer_of(entry: &Entry, bindings: &mut Bindings) -> ExecuteResult {
    if let Some(failure) = &entry.failure {
        let problem = match failure.kind == GIVEN_UP {
            true => "it was given up when it was recorded",
            false => "so it was recorded",
        };
        let error = BackendError::new(kind_of(&failure.kind), problem);
        return Err(match failure.may_have_been_sent {
            true => error,
            false => error.not_sent(),
        });
    }
    let Some(received) = &entry.response else {
        return Err(BackendError::new(BackendErrorKind::Other, "the cassette has no answer"));
    };
    let mut headers: HeaderMap = parse_headers(&received.headers);
    if let Some(location) = headers.get_mut(header::LOCATION) {
        let filled = location.to_str().map(|target| bindings.filled(target));
        if let Some(filled) = filled.ok().and_then(|it| HeaderValue::try_from(it).ok()) {
            *location = filled;
        }
    }
    let body = match &received.body {
        None | Some(Body::Form(_)) => Bytes::new(),
        Some(Body::Json(value)) => {
            let mut value = value.clone();
            bindings.fill(&mut value);
            value.to_string().into()
        }
        Some(Body::Text(text)) => text.clone().into(),
        Some(Body::Base64(text)) => STANDARD.decode(text).unwrap_or_default().into(),
        Some(Body::Omitted(length)) => vec![0; (*length).min(LONGEST_OMITTED)].into(),
    };
    let status = StatusCode::from_u16(received.status)
        .map_err(|error| BackendError::new(BackendErrorKind::Protocol, error.to_string()))?;
    let mut answer = response(status, &HeaderMap::new(), body)?;
    // A head without a body announces no length that is not there.
    *answer.headers_mut() = headers;
    answer.headers_mut().remove(header::CONTENT_LENGTH);
    Ok(answer)
}
