//! Takes secrets and personal data out of what is recorded.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, header};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::format::{Body, Part, Received, Sent, join_parameter};
use super::harmless;
use super::headers::{content_type, harmless_header, is_harmless_attribute};
use super::redaction::Redaction;
use super::secrets::Secrets;
use crate::recorded::{FormPart, RecordedRequest};
use crate::redact::{REDACTED, is_secret_header, redact};
use crate::testing::difference::structure;

/// Redacts one recording. It has to have [learned](Redactor::learn_request) all that is in it first:
/// what is secret in one place is so in all, and no placeholder may be what is somewhere data.
pub(super) struct Redactor {
    rules: Redaction,
    secrets: Arc<Secrets>,
    /// Placeholders by what they stand for.
    known: HashMap<String, String>,
    /// The same of secrets.
    known_secrets: HashMap<String, String>,
    count: usize,
    pub(super) placeholders: Vec<String>,
    pub(super) redacted_fields: BTreeSet<String>,
}

/// Where a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
    /// An answer that refuses the request.
    Refusal,
}

impl Redactor {
    pub(super) fn new(rules: Redaction) -> Self {
        let secrets = Arc::new(Secrets::new(rules.secret_fields()));
        Self {
            rules,
            secrets,
            known: HashMap::new(),
            known_secrets: HashMap::new(),
            count: 0,
            placeholders: Vec::new(),
            redacted_fields: BTreeSet::new(),
        }
    }

    /// The names of secrets that are in no list come first, then what they have.
    pub(super) fn learn_names(&mut self, request: &RecordedRequest) {
        Arc::make_mut(&mut self.secrets).learn_names(request.secrets());
    }

    pub(super) fn learn_request(&mut self, request: &RecordedRequest) {
        Arc::make_mut(&mut self.secrets).learn_request(request);
    }

    pub(super) fn learn_response(&mut self, response: &http::Response<Bytes>) {
        Arc::make_mut(&mut self.secrets).learn_response(response);
    }

    pub(super) fn request(&mut self, request: &RecordedRequest) -> Sent {
        let query = request.query_pairs().into_iter().map(|(name, value)| {
            let value = self.text(&name, &value, Side::Request);
            join_parameter(&self.key(name), &value)
        });
        let query = query.collect();
        let content_type = request.header(header::CONTENT_TYPE).unwrap_or_default();
        let body = match request.form() {
            Some(parts) => Some(Body::Form(parts.iter().map(|part| self.part(part)).collect())),
            None => self.body(content_type, request.body(), Side::Request),
        };
        Sent { method: request.method().to_string(), path: self.path(request.path()), query, body }
    }

    pub(super) fn response(&mut self, response: &http::Response<Bytes>) -> Received {
        let status = response.status();
        let side = match status.is_client_error() || status.is_server_error() {
            true => Side::Refusal,
            false => Side::Response,
        };
        let headers = response.headers();
        let content_type =
            headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let headers = self.headers(headers);
        let body = self.body(content_type, response.body(), side);
        Received { status: status.as_u16(), headers, body }
    }

    fn headers(&mut self, headers: &HeaderMap) -> Vec<String> {
        let mut kept = Vec::new();
        for (name, value) in headers {
            let Ok(text) = value.to_str() else { continue };
            let text = match name.as_str() {
                "set-cookie" => Some(self.cookie(text)),
                "location" => Some(self.target(text)),
                _ if is_secret_header(name, value) => None,
                name if self.rules.is_kept_header(name) => Some(self.secrets.without(text)),
                name => harmless_header(name, text).filter(|text| !self.secrets.are_in(text)),
            };
            kept.extend(text.map(|text| format!("{name}: {text}")));
        }
        kept
    }

    /// A cookie with what clients go by.
    fn cookie(&mut self, text: &str) -> String {
        let mut pieces = text.split(';').map(str::trim);
        let (name, value) = pieces.next().and_then(|it| it.split_once('=')).unwrap_or_default();
        let value = match value.trim_matches('"') {
            "" => value.to_owned(),
            value => self.secret(value),
        };
        let mut cookie = format!("{}={value}", self.key(name.to_owned()));
        for piece in pieces {
            let path = piece.split_once('=').filter(|(name, _)| name.eq_ignore_ascii_case("path"));
            if let Some((name, path)) = path {
                cookie.push_str(&format!("; {name}={}", self.path(path)));
            } else if is_harmless_attribute(piece) {
                cookie.push_str(&format!("; {piece}"));
            }
        }
        cookie
    }

    fn body(&mut self, content_type: &str, bytes: &Bytes, side: Side) -> Option<Body> {
        if bytes.is_empty() {
            return None;
        }
        if let Ok(mut value) = serde_json::from_slice::<Value>(bytes) {
            // A version may be a number.
            if content_type.contains("json") || value.is_object() || value.is_array() {
                self.json("body", &mut value, side);
                return Some(Body::Json(value));
            }
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Some(self.bytes("body", bytes));
        };
        let is_version = harmless::is_version(text.trim()) && !self.secrets.are_in(text);
        let kept = self.kept("body", text).or_else(|| is_version.then(|| text.to_owned()));
        Some(match kept {
            Some(text) => Body::Text(text),
            None if content_type.starts_with("text/") => Body::Text(REDACTED.to_owned()),
            None => Body::Omitted(bytes.len()),
        })
    }

    /// Bytes that may not be text, so that only their name tells whether they may be kept.
    fn bytes(&self, name: &str, bytes: &Bytes) -> Body {
        match self.rules.is_kept_field(name) && !self.secrets.are_in_bytes(bytes) {
            true => Body::Base64(STANDARD.encode(bytes)),
            false => Body::Omitted(bytes.len()),
        }
    }

    fn part(&mut self, part: &FormPart) -> Part {
        let content = match (part.file_name(), part.text()) {
            (None, Some(text)) => Body::Text(self.text(part.name(), text, Side::Request)),
            _ => self.bytes("file", part.content()),
        };
        Part {
            name: self.key(part.name().to_owned()),
            file_name: part.file_name().map(|name| self.text("file_name", name, Side::Request)),
            content_type: part.content_type().and_then(content_type),
            content,
        }
    }

    /// `name` is the member that the value is in; what is in a secret has the name of the secret.
    fn json(&mut self, name: &str, value: &mut Value, side: Side) {
        let is_secret = self.secrets.is_name(name);
        if is_secret && side == Side::Request && !value.is_null() {
            *value = REDACTED.into();
            return;
        }
        if self.rules.is_redacted(name) && !value.is_string() && !value.is_null() {
            self.redacted_fields.insert(name.to_owned());
            *value = match value {
                Value::Bool(_) => false.into(),
                Value::Array(_) => json!([]),
                Value::Object(_) => json!({}),
                _ => 0.into(),
            };
            return;
        }
        match value {
            Value::Object(members) => {
                // A step of a job has a status of its own.
                let status = members.get("status").and_then(Value::as_u64);
                let side = match (side, status) {
                    (Side::Response, Some(400..)) => Side::Refusal,
                    _ => side,
                };
                let mut redacted = Map::new();
                for (member, mut value) in std::mem::take(members) {
                    self.json(if is_secret { name } else { &member }, &mut value, side);
                    let is_known =
                        harmless::is_known_field(&member) || self.secrets.is_name(&member);
                    let member = match is_secret && !is_known {
                        true => self.secret(&member),
                        false => self.key(member),
                    };
                    redacted.insert(member, value);
                }
                *members = redacted;
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.json(name, item, side));
            }
            Value::String(text) => *text = self.text(name, text, side),
            Value::Number(number) if is_secret || self.secrets.are_in(&number.to_string()) => {
                *value = 0.into();
            }
            Value::Bool(_) if is_secret => *value = false.into(),
            Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    /// A text as it may be kept. `name` is the field or parameter that it is in.
    fn text(&mut self, name: &str, value: &str, side: Side) -> String {
        let base = harmless::judged_name(name);
        let is_redacted = self.rules.is_redacted(name);
        if value.is_empty() {
            return value.to_owned();
        }
        if side == Side::Refusal || (side == Side::Response && base == "detail") {
            return match is_redacted {
                true => REDACTED.to_owned(),
                false => self.refusal(name, value),
            };
        }
        if self.secrets.is_name(name) {
            return match side {
                Side::Request => REDACTED.to_owned(),
                _ => self.secret(value),
            };
        }
        if is_redacted {
            return self.placeholder(base, value);
        }
        if let Some(kept) = self.kept(base, value) {
            return kept;
        }
        if harmless::is_harmless(name, value) && !self.secrets.are_in(value) {
            return value.to_owned();
        }
        match base {
            "path" | "endpoint" | "summary" if value.starts_with('/') => self.target(value),
            "next" | "previous" if value.starts_with("http") => self.link(value),
            _ if name.ends_with("__in") && value.contains(',') => {
                let pieces: Vec<String> =
                    value.split(',').map(|piece| self.text(base, piece, side)).collect();
                pieces.join(",")
            }
            _ => match structure(value) {
                Some(mut inside) => {
                    self.json(base, &mut inside, side);
                    inside.to_string()
                }
                None => self.placeholder(base, value),
            },
        }
    }

    /// What is kept of the words in which a server refuses a request.
    fn refusal(&mut self, name: &str, value: &str) -> String {
        let is_plain = harmless::is_plain_sentence(value);
        if (name == "code" && harmless::is_refusal_code(value)) || is_plain {
            return match self.secrets.are_in(value) {
                true => REDACTED.to_owned(),
                false => value.to_owned(),
            };
        }
        if self.secrets.is_name(name) {
            return REDACTED.to_owned();
        }
        let secrets = Arc::clone(&self.secrets);
        let is_secret = |word: &str| secrets.are_in(word);
        let shown = harmless::message(value, REDACTED, &is_secret, &mut |path| self.target(path));
        // A secret may be of several words.
        match self.secrets.are_in(&shown.replace(REDACTED, "")) {
            true => REDACTED.to_owned(),
            false => shown,
        }
    }

    /// A text that it was asked for to keep, without the secrets that are in it; none if it was not, or
    /// if they cannot be told from the rest.
    fn kept(&self, name: &str, value: &str) -> Option<String> {
        if !self.rules.is_kept(name, value) {
            return None;
        }
        let kept = structure(value).and_then(|mut inside| {
            let before = inside.clone();
            redact(&mut inside, &self.secrets.names());
            (inside != before).then(|| inside.to_string())
        });
        Some(kept.unwrap_or_else(|| value.to_owned())).filter(|kept| !self.secrets.are_in(kept))
    }

    /// The name of a member or a parameter, unless it is data.
    fn key(&mut self, name: String) -> String {
        match harmless::is_harmless_key(&name) && !self.secrets.are_in(&name) {
            true => name,
            false => self.placeholder("key", &name),
        }
    }

    fn path(&mut self, path: &str) -> String {
        let segments: Vec<String> = path
            .split('/')
            .map(|segment| match harmless::is_harmless_segment(segment) {
                true => segment.to_owned(),
                false => match self.kept("segment", segment) {
                    Some(kept) => kept,
                    None => self.placeholder("segment", segment),
                },
            })
            .collect();
        segments.join("/")
    }

    /// A path and a query.
    fn target(&mut self, target: &str) -> String {
        if target.starts_with("http") {
            return self.link(target);
        }
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut redacted = self.path(path);
        let mut separator = '?';
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = self.text(&name, &value, Side::Request);
            let value: String = match harmless::is_reference(&value) {
                true => value,
                false => encoded(&value),
            };
            let name: String = encoded(&self.key(name.into_owned()));
            redacted.push_str(&format!("{separator}{name}={value}"));
            separator = '&';
        }
        redacted
    }

    /// A link to the server, whose name is left out.
    fn link(&mut self, link: &str) -> String {
        let behind = link.split_once("://").map_or("", |(_, behind)| behind);
        let target = behind.find('/').and_then(|at| behind.get(at..)).unwrap_or("/").to_owned();
        format!("https://keystone.invalid{}", self.target(&target))
    }

    /// What stands for a secret that a client gets and has to be able to use.
    fn secret(&mut self, value: &str) -> String {
        if let Some(known) = self.known_secrets.get(value) {
            return known.clone();
        }
        let placeholder = self.new_placeholder(|number| {
            token(value, number).unwrap_or_else(|| format!("redacted-{number}"))
        });
        self.known_secrets.insert(value.to_owned(), placeholder.clone());
        placeholder
    }

    /// What stands for a text from now on.
    fn placeholder(&mut self, name: &str, value: &str) -> String {
        if let Some(known) = self.known.get(value) {
            return known.clone();
        }
        let is_telling = !harmless::is_harmless_key(name) || self.secrets.are_in(name);
        let kind = match name.trim_matches('_') {
            "" => "text",
            _ if is_telling => "text",
            kind => kind,
        };
        let placeholder = self.new_placeholder(|number| {
            if value.parse::<IpAddr>().is_ok() {
                // Addresses that are set aside for documentation.
                format!("2001:db8::{number:x}")
            } else if value.contains('@') && !value.contains(char::is_whitespace) {
                format!("{kind}-{number}@example.invalid")
            } else if value.starts_with("http://") || value.starts_with("https://") {
                format!("https://example.invalid/{kind}-{number}")
            } else if value.contains('.') && harmless::is_number(&value.replacen('.', "", 1)) {
                format!("{number}.00")
            } else {
                format!("{kind}-{number}")
            }
        });
        self.known.insert(value.to_owned(), placeholder.clone());
        self.placeholders.push(placeholder.clone());
        placeholder
    }

    /// The first of these, by a number that was not used yet, that is nowhere in the recording.
    fn new_placeholder(&mut self, of: impl Fn(usize) -> String) -> String {
        loop {
            self.count += 1;
            let placeholder = of(self.count);
            if !self.secrets.has_seen(&placeholder) {
                return placeholder;
            }
        }
    }
}

/// A token of the same form, with the claims that clients go by; `None` if it is of no known form.
fn token(value: &str, number: usize) -> Option<String> {
    let mut parts = value.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Map<String, Value> = serde_json::from_slice(&claims).ok()?;
    let mut kept: Map<String, Value> = claims
        .into_iter()
        .filter(|(name, value)| match name.as_str() {
            "exp" | "iat" | "nbf" => value.is_number(),
            "user_id" => {
                value.is_number()
                    || value.as_str().is_some_and(|it| harmless::is_harmless("id", it))
            }
            "token_type" => value.as_str().is_some_and(|it| harmless::is_harmless(name, it)),
            _ => false,
        })
        .collect();
    kept.insert("jti".to_owned(), format!("redacted-{number}").into());
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = encode(&json!({ "alg": "none", "typ": "JWT" }));
    Some(format!("{head}.{}.{}", encode(&kept.into()), URL_SAFE_NO_PAD.encode("redacted")))
}
