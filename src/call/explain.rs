use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use url::form_urlencoded;

use super::Call;
use crate::batch;
use crate::body::{Body, Content, Multipart, Part, sent_name};
use crate::capability::adapt;
use crate::client::Client;
use crate::error::Error;

const REDACTED: &str = "[redacted]";

/// Names under which Keystone takes secrets, in bodies and queries.
const SECRET_NAMES: [&str; 5] = ["password", "refresh", "access", "token", "key"];

/// Headers that carry credentials, also where a caller has not marked them.
const SECRET_HEADERS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-csrftoken"];

#[allow(private_bounds, reason = "there are two clients and no more")]
impl<T, C: Client> Call<T, C> {
    /// The HTTP request of this call as a `curl` command line. Nothing is sent. Credentials,
    /// passwords and write-only fields are left out.
    ///
    /// ```
    /// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// let line = client.create_cluster(NewCluster::new("atlas")).explain()?;
    /// assert!(line.starts_with("curl --request POST"));
    /// assert!(line.contains("--header 'cookie: [redacted]'"));
    /// assert!(line.ends_with(r#"--data '{"name":"atlas"}'"#));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with the call.
    pub fn explain(self) -> Result<String, Error> {
        let request = self.request?;
        let core = self.client.core();
        let credential = core.auth.snapshot().credential;
        let mut parts = adapt(&request.parts, core.server()).into_owned();
        // Files are not read for this: `curl` is told which.
        let form = match &parts.body {
            Body::Multipart(multipart) => Some(multipart.clone()),
            _ => None,
        };
        if form.is_some() {
            parts.body = Body::Empty;
        }
        let http = core.http_request(&parts, &credential, Duration::ZERO)?;
        let secrets: Vec<&str> =
            SECRET_NAMES.iter().chain(request.parts.secrets.iter()).copied().collect();
        let is_job = parts.path.trim_start_matches('/') == batch::PATH;
        let mut line = curl(&http, &secrets);
        for part in form.iter().flat_map(Multipart::parts) {
            // Writing to a `String` cannot fail.
            let _ = write!(line, " {}", form_option(part, is_job, &secrets));
        }
        Ok(line)
    }
}

fn curl(request: &http::Request<Bytes>, secrets: &[&str]) -> String {
    let mut line =
        format!("curl --request {} {}", request.method(), quoted(&url(request, secrets)));
    for (name, value) in request.headers() {
        let is_secret = value.is_sensitive() || SECRET_HEADERS.contains(&name.as_str());
        let value = match value.to_str() {
            Ok(value) if !is_secret => value,
            _ => REDACTED,
        };
        // Writing to a `String` cannot fail.
        let _ = write!(line, " --header {}", quoted(&format!("{name}: {value}")));
    }
    if !request.body().is_empty() {
        let _ = write!(line, " --data {}", quoted(&body(request.body(), secrets)));
    }
    line
}

/// The URL with the values of secret parameters left out.
fn url(request: &http::Request<Bytes>, secrets: &[&str]) -> String {
    let whole = request.uri().to_string();
    let Some((path, query)) = whole.split_once('?') else { return whole };
    let is_secret = |name: &str| secrets.contains(&name);
    if !form_urlencoded::parse(query.as_bytes()).any(|(name, _)| is_secret(&name)) {
        return whole;
    }
    let mut shown = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        shown.append_pair(&name, if is_secret(&name) { REDACTED } else { &value });
    }
    format!("{path}?{}", shown.finish())
}

fn body(bytes: &Bytes, secrets: &[&str]) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut value) => {
            redact(&mut value, secrets);
            value.to_string()
        }
        Err(_) => format!("[{} bytes]", bytes.len()),
    }
}

fn redact(value: &mut Value, secrets: &[&str]) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if secrets.contains(&name.as_str()) {
                    *value = REDACTED.into();
                } else {
                    redact(value, secrets);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, secrets)),
        Value::String(text) => {
            if let Some(redacted) = redacted(text, secrets) {
                *text = redacted;
            }
        }
        _ => {}
    }
}

/// JSON in a text without the secrets that are in it; none if there are none.
fn redacted(text: &str, secrets: &[&str]) -> Option<String> {
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let mut shown = value.clone();
    redact(&mut shown, secrets);
    (shown != value).then(|| shown.to_string())
}

/// The option of `curl` that adds a field or a file.
fn form_option(part: &Part, is_job: bool, secrets: &[&str]) -> String {
    let name = part.name();
    let file = match part.content() {
        Content::Text(_) if secrets.contains(&name) => {
            return format!("--form-string {}", quoted(&format!("{name}={REDACTED}")));
        }
        Content::Text(text) => {
            // A job is JSON within a part.
            let text = redacted(text, secrets).map_or(Cow::Borrowed(text.as_str()), Cow::Owned);
            return format!("--form-string {}", quoted(&format!("{name}={text}")));
        }
        Content::File(file) => file,
    };
    let in_quotes = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let sent_as = sent_name(file, is_job).unwrap_or_default();
    let origin = match file.at_path() {
        Some(path) => format!("@{}", in_quotes(&path.to_string_lossy())),
        // There is no file that `curl` could read.
        None => "[from memory or a reader]".to_owned(),
    };
    let option =
        format!("{name}={origin};filename={};type={}", in_quotes(&sent_as), file.content_type());
    format!("--form {}", quoted(&option))
}

/// In single quotes for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
