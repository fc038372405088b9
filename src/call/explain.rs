use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;

use super::Call;
use crate::batch;
use crate::body::{Body, Content, Multipart, Part, sent_name};
use crate::capability::adapt;
use crate::client::Client;
use crate::error::Error;
use crate::redact::{
    REDACTED, is_secret_header, is_secret_name, redacted_body, redacted_query, redacted_text,
};

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
        let adapted = adapt(&request.parts, core.server());
        let mut parts = adapted.unwrap_or_else(|| request.parts.clone());
        // Files are not read for this: `curl` is told which.
        let form = match &parts.body {
            Body::Multipart(multipart) => Some(multipart.clone()),
            _ => None,
        };
        if form.is_some() {
            parts.body = Body::Empty;
        }
        let http = core.http_request(&parts, &credential, Duration::ZERO)?;
        let secrets: &[&str] = &request.parts.secrets;
        let is_job = parts.path.trim_start_matches('/') == batch::PATH;
        let mut line = curl(&http, secrets);
        for part in form.iter().flat_map(Multipart::parts) {
            // Writing to a `String` cannot fail.
            let _ = write!(line, " {}", form_option(part, is_job, secrets));
        }
        Ok(line)
    }
}

fn curl(request: &http::Request<Bytes>, secrets: &[&str]) -> String {
    let mut line =
        format!("curl --request {} {}", request.method(), quoted(&url(request, secrets)));
    for (name, sent) in request.headers() {
        let value = match sent.to_str() {
            Ok(value) if !is_secret_header(name, sent) => value,
            _ => REDACTED,
        };
        // Writing to a `String` cannot fail.
        let _ = write!(line, " --header {}", quoted(&format!("{name}: {value}")));
    }
    if !request.body().is_empty() {
        let _ = write!(line, " --data {}", quoted(&redacted_body(request.body(), secrets)));
    }
    line
}

/// The URL with the values of secret parameters left out.
fn url(request: &http::Request<Bytes>, secrets: &[&str]) -> String {
    let whole = request.uri().to_string();
    let shown = whole.split_once('?').and_then(|(path, query)| {
        redacted_query(query, secrets).map(|query| format!("{path}?{query}"))
    });
    shown.unwrap_or(whole)
}

/// The option of `curl` that adds a field or a file.
fn form_option(part: &Part, is_job: bool, secrets: &[&str]) -> String {
    let name = part.name();
    let file = match part.content() {
        Content::Text(_) if is_secret_name(name) || secrets.contains(&name) => {
            return format!("--form-string {}", quoted(&format!("{name}={REDACTED}")));
        }
        Content::Text(text) => {
            // A job is JSON within a part.
            let text =
                redacted_text(text, secrets).map_or(Cow::Borrowed(text.as_str()), Cow::Owned);
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
