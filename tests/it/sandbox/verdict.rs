//! Holds an answer of the sandbox against the recorded one.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::compare::{Comparison, Leeway, TOLERANCE};
use super::exceptions::Exception;
use super::recording::Recording;

/// What an answer must not have if the recorded one has not.
const MEANINGFUL: &[&str] =
    &["content-type", "allow", "location", "www-authenticate", "retry-after", "set-cookie"];

/// The leeways that were taken, or the first difference.
pub fn judge(
    recording: &Recording,
    response: &Response<Bytes>,
) -> Result<BTreeSet<Leeway>, String> {
    let mut comparison = Comparison {
        creates: recording.status == 201 || recording.path == "/batch/",
        at: recording.at,
        leeways: BTreeSet::new(),
    };
    if Exception::ProtectedUser.holds(&recording.name) {
        comparison.excuse(Leeway::StandIns);
    }
    let found = difference(&mut comparison, recording, response);
    found.map_or(Ok(comparison.leeways), Err)
}

fn difference(
    comparison: &mut Comparison,
    recording: &Recording,
    response: &Response<Bytes>,
) -> Option<String> {
    let status = response.status().as_u16();
    let text = String::from_utf8_lossy(response.body()).into_owned();
    if status != recording.status {
        return Some(format!("recorded status {}, given {status} {text:.200}", recording.status));
    }
    headers(comparison, recording, response).or_else(|| body(comparison, recording, &text))
}

fn headers(
    comparison: &mut Comparison,
    recording: &Recording,
    response: &Response<Bytes>,
) -> Option<String> {
    let recorded = recording.answer_headers.iter().map(|(name, _)| name.as_str());
    let names: BTreeSet<&str> = recorded.chain(MEANINGFUL.iter().copied()).collect();
    for name in names {
        let given = response.headers().get_all(name).iter();
        let given: Vec<&str> = given.map(|value| value.to_str().unwrap()).collect();
        let recorded = recording.answer_headers.iter().filter(|(key, _)| key == name);
        let recorded: Vec<&str> = recorded.map(|(_, value)| value.as_str()).collect();
        if given == recorded {
            continue;
        }
        let specification = recording.path.starts_with("/openapi/");
        if name == "content-length" && recording.method == "HEAD" && specification {
            comparison.excuse(Leeway::Prose);
            continue;
        }
        if name == "strict-transport-security" {
            comparison.excuse(Leeway::Operator);
            continue;
        }
        if name == "content-length" && is_page_head(recording, &recorded, &given) {
            comparison.excuse(Leeway::Page);
            continue;
        }
        let cookies = name == "set-cookie" && given.len() == recorded.len();
        if !cookies {
            return Some(format!("{name}: recorded {recorded:?}, given {given:?}"));
        }
        for (recorded, given) in recorded.iter().zip(given) {
            let (left, right) = (plain_cookie(recorded), plain_cookie(given));
            let ends = [recorded, given].map(end_of);
            let [Some(recorded_end), Some(given_end)] = ends else {
                return Some(format!("{name}: recorded {recorded}, given {given}"));
            };
            let same_end = recorded_end.duration_since(given_end).abs() <= TOLERANCE;
            if left != right || !same_end {
                return Some(format!("{name}: recorded {recorded}, given {given}"));
            }
        }
        comparison.excuse(Leeway::Secrets);
        comparison.excuse(Leeway::Times);
    }
    None
}

/// Whether an answer to HEAD would be a page whose length differs by the digits of its count.
fn is_page_head(recording: &Recording, recorded: &[&str], given: &[&str]) -> bool {
    let length = |values: &[&str]| values.first().and_then(|it| it.parse::<i64>().ok());
    let both = length(recorded).zip(length(given));
    recording.method == "HEAD"
        && recording.raw_query.contains("_limit=")
        && both.is_some_and(|(recorded, given)| (recorded - given).abs() <= 3)
}

/// When a cookie ends: one without an end does at once.
fn end_of(cookie: &str) -> Option<Timestamp> {
    let Some(day) = cookie.split("; ").find_map(|part| part.strip_prefix("expires=")) else {
        return Some(Timestamp::UNIX_EPOCH);
    };
    jiff::fmt::rfc2822::parse(day).ok().map(|day| day.timestamp())
}

/// A cookie without its value, if it has one, and without the day on which it ends.
fn plain_cookie(cookie: &str) -> String {
    let parts = cookie.split("; ").enumerate().map(|(index, part)| match part.split_once('=') {
        Some((name, value)) if index == 0 && value != "\"\"" => format!("{name}=…"),
        Some(("expires", value)) if !value.contains("1970") => "expires=…".to_owned(),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("; ")
}

fn body(comparison: &mut Comparison, recording: &Recording, text: &str) -> Option<String> {
    let differs = || Some(format!("given {text:?}"));
    if recording.method == "HEAD" {
        return if text.is_empty() { None } else { differs() };
    }
    let json = recording.answer_header("content-type").is_some_and(|it| it.ends_with("json"));
    if json {
        let given = serde_json::from_str(text).unwrap();
        return json_body(comparison, recording, recording.answer.clone(), given);
    }
    let recorded = recording.answer.as_str().unwrap_or_default();
    if recorded == text {
        return None;
    }
    match recording.path.as_str() {
        "/metrics/" if is_prometheus(text) => comparison.excuse(Leeway::Figures),
        "/health/prom/" if without_durations(recorded) == without_durations(text) => {
            comparison.excuse(Leeway::Durations)
        }
        _ if recording.status == 403 && recording.cut && text.contains("CSRF") => {
            comparison.excuse(Leeway::Prose)
        }
        _ => differs(),
    }
}

/// Whether each line is a comment or a name and a number.
fn is_prometheus(text: &str) -> bool {
    let is_sample = |line: &str| {
        let sample = line.rsplit_once(' ');
        sample.is_some_and(|(name, value)| !name.is_empty() && value.parse::<f64>().is_ok())
    };
    !text.is_empty() && text.lines().all(|line| line.starts_with("# ") || is_sample(line))
}

fn without_durations(text: &str) -> String {
    let plain = |line: &str| match line.split_once("} ") {
        Some((name, value)) if name.contains("_seconds") && value.parse::<f64>().is_ok() => {
            format!("{name}}}\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(plain).collect()
}

fn json_body(
    comparison: &mut Comparison,
    recording: &Recording,
    mut recorded: Value,
    mut given: Value,
) -> Option<String> {
    if recording.path == "/batch/" {
        return batch(comparison, recording, recorded, given);
    }
    if recorded.get("count").is_some() {
        if let Some(found) = trim_page(comparison, recording, &mut recorded, &mut given) {
            return Some(found);
        }
    }
    if !recording.raw_query.contains("_order") {
        sort(comparison, &mut recorded, &mut given);
    }
    comparison.difference(&recorded, &given)
}

/// The first difference in the answer to a batch.
fn batch(
    comparison: &mut Comparison,
    recording: &Recording,
    mut recorded: Value,
    mut given: Value,
) -> Option<String> {
    for (index, step) in recording.steps().iter().enumerate() {
        let place = format!("/results/{index}/body");
        let pair = (recorded.pointer_mut(&place), given.pointer_mut(&place));
        let (Some(left), Some(right)) = pair else {
            continue;
        };
        if left.get("next").is_some() {
            if let Some(found) = trim_page(comparison, step, left, right) {
                return Some(found);
            }
        }
    }
    comparison.difference(&recorded, &given)
}

/// Brings the records of a list in one order if they are not in the same.
fn sort(comparison: &mut Comparison, recorded: &mut Value, given: &mut Value) {
    let ids = |answer: &Value| -> Option<Vec<Value>> {
        let list = answer.get("results").unwrap_or(answer).as_array()?;
        Some(list.iter().map(|record| record["id"].clone()).collect())
    };
    if ids(recorded) == ids(given) {
        return;
    }
    comparison.excuse(Leeway::Order);
    for answer in [recorded, given] {
        let list = match answer {
            Value::Object(page) => page.get_mut("results"),
            list => Some(list),
        };
        if let Some(Value::Array(records)) = list {
            records.sort_by_key(|record| record["id"].as_i64());
        }
    }
}

/// A recorded page of a longer list shows too little of the data to rebuild the list, of which the
/// sandbox then has a part. The first page is the same all the same; of later ones what is compared is
/// each record that is in both.
fn trim_page(
    comparison: &mut Comparison,
    recording: &Recording,
    recorded: &mut Value,
    given: &mut Value,
) -> Option<String> {
    let results = recorded["results"].as_array().unwrap();
    if recorded["count"] == given["count"] || recorded["count"] == results.len() {
        return None;
    }
    comparison.excuse(Leeway::Page);
    let offset = number(recording, "_offset").unwrap_or_default();
    let limit = number(recording, "_limit").unwrap_or(100).min(1000);
    let count = |page: &Value| page["count"].as_u64().unwrap();
    let (longer, shorter) = (count(recorded), count(given));
    if shorter > longer {
        return Some(format!("/count: recorded {longer}, given {shorter}"));
    }
    if given["next"].is_null() != (shorter <= offset + limit) {
        return Some(format!("/next: given {} of {shorter}", given["next"]));
    }
    let records = |page: &Value| page["results"].as_array().unwrap().clone();
    let (mut left, mut right) = (records(recorded), records(given));
    if offset > 0 || !by_id(recording) {
        let ids = |page: &[Value]| -> Vec<i64> {
            page.iter().filter_map(|record| record["id"].as_i64()).collect()
        };
        let (shown, found) = (ids(&left), ids(&right));
        let range = shown.iter().min().zip(shown.iter().max());
        let within = |id: &i64| range.is_some_and(|(first, last)| (first..=last).contains(&id));
        let strange = found.iter().find(|id| within(id) && !shown.contains(id));
        if let Some(id) = strange.filter(|_| by_id(recording)) {
            return Some(format!("the page has record {id}"));
        }
        let in_both = |record: &Value| {
            record["id"].as_i64().is_some_and(|id| shown.contains(&id) && found.contains(&id))
        };
        left.retain(in_both);
        right.retain(in_both);
        if left.is_empty() && !shown.is_empty() {
            return Some("the pages have no record in common".to_owned());
        }
    }
    let goes_on = shorter > offset + limit;
    for (page, records) in [(recorded, left), (given, right)] {
        let next = if goes_on { page["next"].take() } else { Value::Null };
        *page = json!({"previous": page["previous"], "next": next, "results": records});
    }
    None
}

fn number(recording: &Recording, name: &str) -> Option<u64> {
    let value = recording.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value);
    value?.trim().trim_start_matches('+').parse().ok()
}

/// Whether a list is in the order of ids, or in the opposite one.
fn by_id(recording: &Recording) -> bool {
    let order = recording.query.iter().rev().find(|(key, _)| key == "_order");
    order.is_none_or(|(_, order)| matches!(order.as_str(), "" | "id" | "-id"))
}
