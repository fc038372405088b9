//! How a reference to a step stands in text before the job is put together, and how the server wants
//! it then.

use std::borrow::Cow;
use std::fmt::{self, Write};

use serde_json::Value;
use serde_json::value::RawValue;
use url::form_urlencoded;

/// What tells a job from all others of this process and, as it is drawn at random, from what anybody
/// writes by accident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JobId(u64);

impl JobId {
    pub(super) fn draw() -> Self {
        Self(fastrand::u64(..))
    }
}

/// How every reference begins that was not put into a job yet. No alias of a job begins so.
const START: &str = "@ref{pending_";

/// How one to a key begins that a filter made of it.
const KEY_START: &str = "@ref{pending_key_";

/// The reference to what the answer of a step has at a path.
pub(super) fn write(job: JobId, index: usize, path: &str) -> String {
    // A brace would end the reference before its end; as it is no path either way, anything will do.
    let path = path.replace('}', "?");
    format!("{START}{:016x}_{index}.{path}}}", job.0)
}

/// The same reference in a parameter, where only keys can be: the server puts the value in as it is.
pub(crate) fn as_key(reference: &str) -> String {
    match reference.strip_prefix(START) {
        Some(rest) => format!("{KEY_START}{rest}"),
        None => reference.to_owned(),
    }
}

/// Whether there is a reference in text that was not put into a job yet.
pub(crate) fn is_in(text: &str) -> bool {
    // Hardly any text has the letter that it begins with, which is looked for much faster.
    text.as_bytes().contains(&b'@') && text.contains(START)
}

/// The name of a step on the wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alias(pub(super) usize);

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step{}", self.0.saturating_add(1))
    }
}

/// The same text as the server wants it, and the steps that it refers to; or what is wrong with it.
pub(super) fn resolve(text: &str, job: JobId) -> Result<(Cow<'_, str>, Vec<usize>), String> {
    let (mut resolved, mut steps) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, reference, behind)) = next(rest) {
        resolved.push_str(before);
        let (index, path) = read(reference, job)?;
        // Writing to a `String` cannot fail.
        let _ = write!(resolved, "@ref{{{}.{path}}}", Alias(index));
        steps.push(index);
        rest = behind;
    }
    if steps.is_empty() {
        return Ok((Cow::Borrowed(text), steps));
    }
    resolved.push_str(rest);
    Ok((Cow::Owned(resolved), steps))
}

/// The same JSON with its texts as the server wants them, and the steps that these refer to; or what is
/// wrong with one of them. Names of members stay as they are, which the server does not look through.
pub(super) fn resolve_json(
    json: Box<RawValue>,
    job: JobId,
) -> Result<(Box<RawValue>, Vec<usize>), String> {
    let mut referred = Vec::new();
    // What has nothing to rewrite travels as it was written.
    if !may_refer(json.get()) {
        return Ok((json, referred));
    }
    let invalid = |error| format!("within a job a body is read for references: {error}");
    let mut value = serde_json::from_str(json.get()).map_err(invalid)?;
    resolve_value(&mut value, job, &mut referred)?;
    if referred.is_empty() {
        return Ok((json, referred));
    }
    let json = serde_json::value::to_raw_value(&value).map_err(invalid)?;
    Ok((json, referred))
}

fn resolve_value(value: &mut Value, job: JobId, referred: &mut Vec<usize>) -> Result<(), String> {
    match value {
        Value::String(text) => {
            let (resolved, steps) = resolve(text, job)?;
            referred.extend(steps);
            if let Cow::Owned(resolved) = resolved {
                *text = resolved;
            }
            Ok(())
        }
        Value::Array(items) => {
            items.iter_mut().try_for_each(|item| resolve_value(item, job, referred))
        }
        Value::Object(members) => {
            members.values_mut().try_for_each(|member| resolve_value(member, job, referred))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Whether there can be something in text as JSON writes it that the server takes for a reference.
fn may_refer(json: &str) -> bool {
    // Most bodies are so short that to look at each byte is faster than to search.
    json.bytes().fold(false, |found, byte| found | (byte == b'@') | (byte == b'\\'))
}

/// The value of a parameter as it stands in an address, and the steps that it refers to; or what is
/// wrong with it.
pub(super) fn resolve_parameter(text: &str, job: JobId) -> Result<(String, Vec<usize>), String> {
    let (mut encoded, mut steps) = (String::new(), Vec::new());
    let mut rest = text;
    while let Some((before, reference, behind)) = next(rest) {
        // What only looks like a reference is none when it is encoded.
        if !is_in(reference) {
            let (head, tail) = rest.split_at(before.len() + 1);
            encoded.extend(form_urlencoded::byte_serialize(head.as_bytes()));
            rest = tail;
            continue;
        }
        let Some(key) = reference.strip_prefix(KEY_START) else {
            return Err(
                "a parameter can refer to keys of earlier steps, and by typed filters only: the \
                        server puts in what a reference stands for as it is"
                    .to_owned(),
            );
        };
        let plain = format!("{START}{key}");
        let (index, path) = read(&plain, job)?;
        encoded.extend(form_urlencoded::byte_serialize(before.as_bytes()));
        let _ = write!(encoded, "@ref{{{}.{path}}}", Alias(index));
        steps.push(index);
        rest = behind;
    }
    encoded.extend(form_urlencoded::byte_serialize(rest.as_bytes()));
    Ok((encoded, steps))
}

/// The first place of text that the server takes for a reference, between what is before and behind.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let at = from + text.get(from..)?.find('@')?;
        let (before, rest) = text.split_at(at);
        let is_one = rest.starts_with("@ref{") || rest.starts_with("@file{");
        if let Some(end) = rest.find('}').filter(|_| is_one) {
            let (reference, behind) = rest.split_at(end + 1);
            return Some((before, reference, behind));
        }
        from = at + 1;
    }
}

/// The step and the path that a reference names.
fn read(reference: &str, job: JobId) -> Result<(usize, &str), String> {
    let ours = reference.strip_prefix(START).and_then(|rest| {
        let (id, rest) = rest.split_once('_')?;
        let (index, path) = rest.strip_suffix('}')?.split_once('.')?;
        Some((u64::from_str_radix(id, 16).ok()?, index.parse().ok()?, path))
    });
    let Some((id, index, path)) = ours else {
        // It is not repeated: it may be part of a password.
        return Err("the server would take a text for a reference of its own, which begin with `@ref{` \
                    and `@file{`, and there is no way to write it otherwise; send this call by itself"
            .to_owned());
    };
    if JobId(id) != job {
        return Err("it refers to a step of another job".to_owned());
    }
    if path.is_empty() {
        return Err(format!(
            "the client finds the record of step {} in its answer, when the job is over; ask for \
             `first`, or for a page and its `item`",
            index + 1
        ));
    }
    let fits = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if !path.split('.').all(fits) {
        return Err(format!(
            "`{path}` is no path into an answer: names and places joined by dots, such as `users.0`"
        ));
    }
    Ok((index, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: JobId = JobId(0xfeed);

    #[test]
    fn references_are_found_as_the_server_finds_them() {
        let id = write(JOB, 0, "id");
        let name = write(JOB, 2, "_team.name");
        let text = format!("a@b.c @ref {id} of {name}@ref{{");
        let (resolved, steps) = resolve(&text, JOB).unwrap();
        assert_eq!(resolved, "a@b.c @ref @ref{step1.id} of @ref{step3._team.name}@ref{");
        assert_eq!(steps, [0, 2]);
    }

    #[test]
    fn what_only_looks_like_a_reference_is_refused() {
        let within = format!("@ref{{{}", write(JOB, 0, "id"));
        for text in ["@ref{}", "x @file{upload} y", "@ref{\n}", "@@ref{step1.id}", &within] {
            assert!(resolve(text, JOB).unwrap_err().contains("of its own"), "{text}");
        }
        assert!(resolve(&write(JobId(1), 0, "id"), JOB).unwrap_err().contains("another job"));
        for path in ["a..b", ".", "a b", "é", "a}b"] {
            assert!(resolve(&write(JOB, 0, path), JOB).is_err(), "{path}");
        }
    }

    #[test]
    fn what_the_server_does_not_take_for_a_reference_stays() {
        for text in ["", "@", "@ref", "@ref{", "@file{", "@REF{x}", "@ ref{x}", "ref{x}", "é@ö"] {
            assert_eq!(resolve(text, JOB), Ok((text.into(), vec![])));
        }
    }
}
