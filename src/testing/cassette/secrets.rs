//! What is secret in a recording, wherever it is.

use std::collections::{BTreeSet, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::Value;
use url::form_urlencoded;

use super::harmless::{is_number, is_reference};
use crate::recorded::RecordedRequest;
use crate::redact::{REDACTED, is_secret_header, is_secret_name};
use crate::testing::difference::structure;

/// Shorter secrets are found in any text.
const SHORTEST: usize = 4;

/// Numbers that are not longer are found in any longer number.
const LONGEST_SHORT_NUMBER: usize = 8;

/// The secrets of a recording, with all the texts that are in it.
#[derive(Clone)]
pub(super) struct Secrets {
    /// Names of secrets, beside those that are known by themselves.
    names: BTreeSet<String>,
    values: BTreeSet<String>,
    texts: HashSet<String>,
}

impl Secrets {
    pub(super) fn new(names: &BTreeSet<String>) -> Self {
        Self { names: names.clone(), values: BTreeSet::new(), texts: HashSet::new() }
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    /// Whether what has this name is secret.
    pub(super) fn is_name(&self, name: &str) -> bool {
        is_secret_name(name) || name.split("__").any(|part| self.names.contains(part))
    }

    /// Whether there is a secret in a text.
    pub(super) fn are_in(&self, text: &str) -> bool {
        self.values.iter().any(|secret| places(text, secret).next().is_some())
    }

    pub(super) fn are_in_bytes(&self, bytes: &[u8]) -> bool {
        self.values
            .iter()
            .any(|secret| bytes.windows(secret.len()).any(|it| it == secret.as_bytes()))
    }

    /// A text with something else in the place of secrets.
    pub(super) fn without(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // The longest first: others may be in them.
        let mut secrets: Vec<&String> = self.values.iter().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for secret in secrets {
            if places(&text, secret).next().is_some() {
                text = text.replace(secret.as_str(), REDACTED);
            }
        }
        text
    }

    /// Whether a text is somewhere in the recording.
    pub(super) fn has_seen(&self, text: &str) -> bool {
        self.texts.contains(text)
    }

    pub(super) fn learn_names(&mut self, names: &[&str]) {
        self.names.extend(names.iter().map(|name| (*name).to_owned()));
    }

    pub(super) fn learn_request(&mut self, request: &RecordedRequest) {
        self.credentials(request.headers());
        self.target(request.path());
        for (name, value) in request.query_pairs() {
            self.pair(&name, &value);
        }
        match request.form() {
            Some(parts) => {
                for part in parts {
                    let file_name = part.file_name().unwrap_or_default().to_owned();
                    self.texts.insert(file_name);
                    self.pair(part.name(), part.text().unwrap_or_default());
                }
            }
            None => self.body(request.body(), false),
        }
    }

    pub(super) fn learn_response(&mut self, response: &http::Response<Bytes>) {
        let headers = response.headers();
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap_or_default();
            let value = cookie.split(';').next().and_then(|it| it.split_once('='));
            self.add(value.map_or("", |(_, value)| value.trim().trim_matches('"')));
        }
        let others = headers.iter().filter(|(name, _)| *name != header::SET_COOKIE);
        for (name, value) in others {
            let text = value.to_str().unwrap_or_default();
            match is_secret_header(name, value) {
                true => self.add(text),
                false => self.target(text),
            }
        }
        let status = response.status();
        self.body(response.body(), status.is_client_error() || status.is_server_error());
    }

    /// The credentials of a request, of which nothing is kept.
    fn credentials(&mut self, headers: &HeaderMap) {
        for (name, value) in headers.iter().filter(|(name, value)| is_secret_header(name, value)) {
            let Ok(text) = value.to_str() else { continue };
            if *name == header::COOKIE {
                for piece in text.split(';') {
                    self.add(piece.split_once('=').map_or("", |(_, value)| value.trim()));
                }
                continue;
            }
            // Behind the scheme, such as `Bearer`, if there is one.
            let (scheme, secret) = text.split_once(' ').unwrap_or(("", text));
            self.add(secret.trim());
            let decoded = STANDARD.decode(secret.trim()).ok().filter(|_| scheme == "Basic");
            let decoded = decoded.and_then(|it| String::from_utf8(it).ok());
            if let Some((_, password)) = decoded.as_deref().and_then(|it| it.split_once(':')) {
                self.add(password);
            }
        }
    }

    fn body(&mut self, bytes: &Bytes, is_refusal: bool) {
        match serde_json::from_slice::<Value>(bytes) {
            Ok(value) => self.json("body", &value, is_refusal),
            Err(_) => {
                if let Ok(text) = std::str::from_utf8(bytes) {
                    self.texts.insert(text.to_owned());
                }
            }
        }
    }

    /// What is in a secret has the name of the secret.
    fn json(&mut self, name: &str, value: &Value, is_refusal: bool) {
        let is_secret = self.is_name(name);
        match value {
            Value::Object(members) => {
                let status = members.get("status").and_then(Value::as_u64);
                let is_refusal = is_refusal || status.is_some_and(|status| status >= 400);
                for (member, value) in members {
                    self.texts.insert(member.clone());
                    self.json(if is_secret { name } else { member }, value, is_refusal);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.json(name, item, is_refusal)),
            // A refusal speaks of secrets and has none that the request did not have.
            Value::String(text) if is_refusal => drop(self.texts.insert(text.clone())),
            Value::String(text) => self.pair(name, text),
            Value::Number(number) if is_secret && !is_refusal => self.add(&number.to_string()),
            Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    fn pair(&mut self, name: &str, value: &str) {
        self.texts.insert(name.to_owned());
        if self.is_name(name) {
            self.add(value);
        } else if let Some(inside) = structure(value) {
            self.json(name, &inside, false);
        } else {
            self.target(value);
        }
    }

    /// A text that may have a path or a query in it.
    fn target(&mut self, text: &str) {
        self.texts.insert(text.to_owned());
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        self.texts.extend(path.split(['/', ',']).map(str::to_owned));
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if self.is_name(&name) {
                self.add(&value);
            }
            self.texts.insert(value.into_owned());
            self.texts.insert(name.into_owned());
        }
    }

    fn add(&mut self, secret: &str) {
        self.texts.insert(secret.to_owned());
        if secret.len() >= SHORTEST && !is_reference(secret) {
            self.values.insert(secret.to_owned());
        }
    }
}

/// Where a secret is in a text. A short number is not in a longer one.
fn places<'t>(text: &'t str, secret: &'t str) -> impl Iterator<Item = usize> + 't {
    let is_short_number = secret.len() <= LONGEST_SHORT_NUMBER && is_number(secret);
    text.match_indices(secret).map(|(at, _)| at).filter(move |at| {
        let is_digit = |letter: Option<char>| letter.is_some_and(|it| it.is_ascii_digit());
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + secret.len()..).and_then(|after| after.chars().next());
        !is_short_number || !(is_digit(before) || is_digit(after))
    })
}
