//! What of a request is secret, and what is shown in its place.

#[cfg(any(feature = "sandbox", feature = "testing"))]
use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use url::form_urlencoded;

pub(crate) const REDACTED: &str = "[redacted]";

/// Names under which secrets are taken, in bodies and queries.
const SECRET_NAMES: [&str; 3] = ["access", "key", "refresh"];

/// Words that make the name that they are in one of a secret.
const SECRET_WORDS: [&str; 12] = [
    "apikey",
    "apikeys",
    "csrfmiddlewaretoken",
    "jwt",
    "otp",
    "passphrase",
    "passphrases",
    "passwd",
    "pin",
    "pwd",
    "sessionid",
    "totp",
];

/// How names of secrets end.
const SECRET_ENDS: [&str; 4] = ["token", "tokens", "_key", "_keys"];

/// Headers that carry credentials, also where a caller has not marked them.
const SECRET_HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

/// Whether a field or parameter of this name is secret: if a part of it is, of those between which a
/// lookup has `__`.
pub(crate) fn is_secret_name(name: &str) -> bool {
    snake_case(name).split("__").any(is_secret_part)
}

fn is_secret_part(part: &str) -> bool {
    let part = part.trim_matches('_');
    SECRET_NAMES.contains(&part)
        || part.contains("password")
        || (part.contains("secret") && !part.contains("secretar"))
        || part.split('_').any(|word| SECRET_WORDS.contains(&word))
        || SECRET_ENDS.iter().any(|end| part.ends_with(end))
}

/// A name as Keystone would write it: `apiKey` and `Api-Key` are `api_key`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len());
    let mut before = ' ';
    for letter in name.chars() {
        if letter.is_uppercase() && (before.is_lowercase() || before.is_ascii_digit()) {
            snake.push('_');
        }
        match letter {
            '-' | '.' | ' ' => snake.push('_'),
            letter => snake.extend(letter.to_lowercase()),
        }
        before = letter;
    }
    snake
}

pub(crate) fn is_secret_header(name: &HeaderName, value: &HeaderValue) -> bool {
    value.is_sensitive() || is_secret_header_name(name.as_str())
}

pub(crate) fn is_secret_header_name(name: &str) -> bool {
    SECRET_HEADERS.contains(&name) || is_secret_name(name)
}

/// Further names of secrets, which are known of one kind of record: those of its write-only fields.
/// A request has them among its extensions, for doubles of servers.
#[cfg(any(feature = "sandbox", feature = "testing"))]
#[derive(Debug, Clone)]
pub(crate) struct SecretNames(pub(crate) Cow<'static, [&'static str]>);

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_all_spellings() {
        for name in [
            "password",
            "old_password",
            "user__password",
            "__token",
            "token__in",
            "apiKey",
            "APIKey",
            "api-key",
            "x-api-key",
            "X-Auth-Token",
            "accessToken",
            "passwd",
            "db_passwd",
            "pwd",
            "passphrase",
            "pin",
            "pin_code",
            "userPin",
            "otp",
            "otp_token",
            "tokens",
            "api_keys",
            "client_secret",
            "clientsecret",
            "access",
            "refresh",
            "key",
            "csrfmiddlewaretoken",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "pinned",
            "opening",
            "shipping",
            "spin",
            "access_mode",
            "access_teams",
            "secretary",
            "keyword",
            "keystone",
            "monkey",
            "user__name",
            "token_type",
            "option",
            "pi",
            "pk",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn headers_of_secrets_are_known_by_their_names() {
        let value = HeaderValue::from_static("x");
        for name in ["x-api-key", "x-auth-token", "x-csrftoken", "cookie", "x-client-secret"] {
            assert!(is_secret_header(&HeaderName::from_static(name), &value), "{name}");
        }
        for name in ["accept", "www-authenticate", "x-keystone-cid", "location"] {
            assert!(!is_secret_header(&HeaderName::from_static(name), &value), "{name}");
        }
    }
}
