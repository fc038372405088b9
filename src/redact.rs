//! What of a request is secret, and what is shown in its place.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use url::form_urlencoded;

pub(crate) const REDACTED: &str = "[redacted]";

/// Names under which Keystone takes secrets, in bodies and queries.
const SECRET_NAMES: [&str; 5] = ["password", "refresh", "access", "token", "key"];

/// Headers that carry credentials, also where a caller has not marked them.
const SECRET_HEADERS: [&str; 5] =
    ["authorization", "cookie", "proxy-authorization", "set-cookie", "x-csrftoken"];

/// Whether a field or parameter of this name is secret. A lookup behind the name does not matter.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.split("__").next().unwrap_or(name).to_ascii_lowercase();
    SECRET_NAMES.contains(&name.as_str())
        || name.contains("password")
        || name.contains("secret")
        || name.ends_with("token")
        || name.ends_with("_key")
}

pub(crate) fn is_secret_header(name: &HeaderName, value: &HeaderValue) -> bool {
    value.is_sensitive() || SECRET_HEADERS.contains(&name.as_str())
}

/// Puts [`REDACTED`] in the place of secrets: of what has such a name, or one of `more`.
pub(crate) fn redact(value: &mut Value, more: &[&str]) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if is_secret_name(name) || more.contains(&name.as_str()) {
                    *value = REDACTED.into();
                } else {
                    redact(value, more);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, more)),
        Value::String(text) => {
            if let Some(redacted) = redacted_text(text, more) {
                *text = redacted;
            }
        }
        _ => {}
    }
}

/// JSON in a text without the secrets that are in it; none if there are none.
pub(crate) fn redacted_text(text: &str, more: &[&str]) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let mut shown = value.clone();
    redact(&mut shown, more);
    (shown != value).then(|| shown.to_string())
}

/// A query, or a form of the same kind, with the values of secret parameters left out; none if there
/// are none.
pub(crate) fn redacted_query(query: &str, more: &[&str]) -> Option<String> {
    let is_secret = |name: &str| is_secret_name(name) || more.contains(&name);
    if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| is_secret(&name)) {
        return None;
    }
    let mut shown = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        shown.append_pair(&name, if is_secret(&name) { REDACTED } else { &value });
    }
    Some(shown.finish())
}

/// A body without its secrets. What is not JSON is told by its length.
pub(crate) fn redacted_body(bytes: &Bytes, more: &[&str]) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut value) => {
            redact(&mut value, more);
            value.to_string()
        }
        Err(_) => format!("[{} bytes]", bytes.len()),
    }
}
