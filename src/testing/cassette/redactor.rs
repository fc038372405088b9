//! Takes secrets and personal data out of what is recorded.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::format::{Body, Part, Received, Sent, join_parameter};
use super::harmless;
use super::redaction::Redaction;
use crate::recorded::{FormPart, RecordedRequest};
use crate::redact::{REDACTED, is_secret_header, is_secret_name};
use crate::testing::difference::structure;

/// Shorter secrets are found in any text.
const SHORTEST_SECRET: usize = 4;

#[derive(Debug, Default)]
pub(super) struct Redactor {
    pub(super) rules: Redaction,
    /// Placeholders by what they stand for.
    known: HashMap<String, String>,
    /// The same of secrets.
    known_secrets: HashMap<String, String>,
    secrets: HashSet<String>,
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
    pub(super) fn request(&mut self, request: &RecordedRequest) -> Sent {
        self.remember_headers(request.headers());
        let query = request.query_pairs().into_iter().map(|(name, value)| {
            let value = self.text(&name, &value, Side::Request);
            join_parameter(&name, &value)
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
        // Cookies first: what they bring is secret wherever else it is.
        let headers = self.headers(headers);
        let body = self.body(content_type, response.body(), side);
        Received { status: status.as_u16(), headers, body }
    }

    fn headers(&mut self, headers: &HeaderMap) -> Vec<String> {
        let mut kept = Vec::new();
        for (name, value) in headers {
            let Ok(text) = value.to_str() else { continue };
            let text = match name.as_str() {
                "set-cookie" => self.cookie(text),
                "location" => self.target(text),
                name if self.rules.is_kept_header(name) => text.to_owned(),
                _ => continue,
            };
            kept.push(format!("{name}: {text}"));
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
        let attributes = pieces.filter(|piece| {
            let name = piece.split('=').next().unwrap_or_default().to_ascii_lowercase();
            matches!(
                name.as_str(),
                "expires" | "max-age" | "path" | "samesite" | "secure" | "httponly"
            )
        });
        let mut cookie = format!("{name}={value}");
        for attribute in attributes {
            cookie.push_str("; ");
            cookie.push_str(attribute);
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
        Some(match std::str::from_utf8(bytes) {
            Ok(text) if self.keeps("body", text) => Body::Text(text.to_owned()),
            Ok(text) if harmless::is_version(text.trim()) => Body::Text(text.to_owned()),
            Ok(_) if content_type.starts_with("text/") => Body::Text(REDACTED.to_owned()),
            Err(_) if self.rules.is_kept("body", "") => Body::Base64(STANDARD.encode(bytes)),
            _ => Body::Omitted(bytes.len()),
        })
    }

    fn part(&mut self, part: &FormPart) -> Part {
        let content = match (part.file_name(), part.text()) {
            (None, Some(text)) => Body::Text(self.text(part.name(), text, Side::Request)),
            _ if self.rules.is_kept("file", "") => Body::Base64(STANDARD.encode(part.content())),
            _ => Body::Omitted(part.content().len()),
        };
        Part {
            name: part.name().to_owned(),
            file_name: part.file_name().map(|name| self.text("file_name", name, Side::Request)),
            content_type: part.content_type().map(str::to_owned),
            content,
        }
    }

    /// `name` is the member that the value is in.
    fn json(&mut self, name: &str, value: &mut Value, side: Side) {
        match value {
            Value::Object(members) => {
                // A step of a job has a status of its own.
                let status = members.get("status").and_then(Value::as_u64);
                let side = match (side, status) {
                    (Side::Response, Some(400..)) => Side::Refusal,
                    _ => side,
                };
                let mut redacted = Map::new();
                for (name, mut value) in std::mem::take(members) {
                    self.json(&name, &mut value, side);
                    let name = match harmless::is_harmless_key(&name) || side == Side::Request {
                        true => name,
                        false => self.placeholder("key", &name),
                    };
                    redacted.insert(name, value);
                }
                *members = redacted;
            }
            Value::Array(items) => {
                items.iter_mut().for_each(|item| self.json(name, item, side));
            }
            Value::String(text) => *text = self.text(name, text, side),
            Value::Number(_) | Value::Bool(_) if self.rules.is_redacted(name) => {
                self.redacted_fields.insert(name.to_owned());
                *value = if value.is_boolean() { Value::Bool(false) } else { 0.into() };
            }
            Value::Number(_) if is_secret_name(name) => *value = 0.into(),
            Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    /// A text as it may be kept. `name` is the field or parameter that it is in.
    fn text(&mut self, name: &str, value: &str, side: Side) -> String {
        let base = name.split("__").next().unwrap_or(name);
        if value.is_empty() || harmless::is_reference(value) {
            return value.to_owned();
        }
        if side == Side::Refusal || (side == Side::Response && base == "detail") {
            return match base == "code" && harmless::is_code(value) {
                true => value.to_owned(),
                false => harmless::message(value, REDACTED, &mut |path| self.target(path)),
            };
        }
        if is_secret_name(base) {
            self.remember(value);
            return match side {
                Side::Request => REDACTED.to_owned(),
                _ => self.secret(value),
            };
        }
        let is_redacted = self.rules.is_redacted(base);
        if !is_redacted && (self.keeps(base, value) || harmless::is_harmless(name, value)) {
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

    /// Whether it was asked for to keep a text, and no secret is in it.
    fn keeps(&self, name: &str, value: &str) -> bool {
        self.rules.is_kept(name, value)
            && !self.secrets.iter().any(|secret| value.contains(secret.as_str()))
    }

    /// Remembers the credentials of a request, of which nothing is kept.
    fn remember_headers(&mut self, headers: &HeaderMap) {
        for (name, value) in headers.iter().filter(|(name, value)| is_secret_header(name, value)) {
            let Ok(text) = value.to_str() else { continue };
            let is_cookie = *name == header::COOKIE;
            for piece in text.split(';').filter(|_| is_cookie) {
                self.remember(piece.split_once('=').map_or("", |(_, value)| value.trim()));
            }
            if !is_cookie {
                // Behind the scheme, such as `Bearer`, if there is one.
                self.remember(text.split_once(' ').map_or(text, |(_, secret)| secret.trim()));
            }
        }
    }

    fn remember(&mut self, secret: &str) {
        if secret.len() >= SHORTEST_SECRET {
            self.secrets.insert(secret.to_owned());
        }
    }

    fn path(&mut self, path: &str) -> String {
        let segments: Vec<String> = path
            .split('/')
            .map(|segment| match harmless::is_harmless_segment(segment) {
                true => segment.to_owned(),
                false => self.placeholder("segment", segment),
            })
            .collect();
        segments.join("/")
    }

    /// A path and a query.
    fn target(&mut self, target: &str) -> String {
        if target.starts_with("http") {
            return self.link(target);
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut redacted = self.path(path);
        let mut separator = '?';
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = self.text(&name, &value, Side::Request);
            let value = match harmless::is_reference(&value) {
                true => value,
                false => form_urlencoded::byte_serialize(value.as_bytes()).collect(),
            };
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
        self.remember(value);
        if let Some(known) = self.known_secrets.get(value) {
            return known.clone();
        }
        self.count += 1;
        let number = self.count;
        let placeholder = token(value, number).unwrap_or_else(|| format!("redacted-{number}"));
        self.known_secrets.insert(value.to_owned(), placeholder.clone());
        placeholder
    }

    /// What stands for a text from now on.
    fn placeholder(&mut self, name: &str, value: &str) -> String {
        if let Some(known) = self.known.get(value) {
            return known.clone();
        }
        self.count += 1;
        let number = self.count;
        let kind: String =
            name.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '_').collect();
        let kind = match kind.trim_matches('_') {
            "" => "text",
            kind => kind,
        };
        let placeholder = if value.parse::<IpAddr>().is_ok() {
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
        };
        self.known.insert(value.to_owned(), placeholder.clone());
        self.placeholders.push(placeholder.clone());
        placeholder
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
            "user_id" => value.is_number() || value.as_str().is_some_and(harmless::is_number),
            "token_type" => value.as_str().is_some_and(|it| harmless::is_harmless(name, it)),
            _ => false,
        })
        .collect();
    kept.insert("jti".to_owned(), format!("redacted-{number}").into());
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let head = encode(&json!({ "alg": "none", "typ": "JWT" }));
    Some(format!("{head}.{}.{}", encode(&kept.into()), URL_SAFE_NO_PAD.encode("redacted")))
}

/// The headers of an answer, without those that cannot be.
pub(super) fn parse_headers(lines: &[String]) -> HeaderMap {
    let headers = lines.iter().filter_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let name = http::HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::try_from(value).ok()?))
    });
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name, value);
    }
    map
}
