use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use super::Call;
use crate::client::Client;
use crate::error::Error;

const REDACTED: &str = "[redacted]";

/// Names of JSON members that hold secrets, in any request that Keystone takes.
const SECRET_MEMBERS: [&str; 5] = ["password", "refresh", "access", "token", "key"];

#[allow(private_bounds, reason = "there are two clients and no more")]
impl<T, C: Client> Call<T, C> {
    /// The HTTP request of this call as a `curl` command line. Nothing is sent. Credentials and
    /// passwords are left out.
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
        core.http_request(&request.parts, &credential, Duration::ZERO).map(|http| curl(&http))
    }
}

fn curl(request: &http::Request<Bytes>) -> String {
    let mut line =
        format!("curl --request {} {}", request.method(), quoted(&request.uri().to_string()));
    for (name, value) in request.headers() {
        let value = match value.to_str() {
            Ok(value) if !value.is_empty() && !is_sensitive(request, name) => value,
            _ => REDACTED,
        };
        // Writing to a `String` cannot fail.
        let _ = write!(line, " --header {}", quoted(&format!("{name}: {value}")));
    }
    if !request.body().is_empty() {
        let _ = write!(line, " --data {}", quoted(&body(request.body())));
    }
    line
}

fn is_sensitive(request: &http::Request<Bytes>, name: &http::HeaderName) -> bool {
    request.headers().get_all(name).iter().any(http::HeaderValue::is_sensitive)
}

fn body(bytes: &Bytes) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(mut value) => {
            redact(&mut value);
            value.to_string()
        }
        Err(_) => format!("[{} bytes]", bytes.len()),
    }
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if SECRET_MEMBERS.contains(&name.as_str()) {
                    *value = REDACTED.into();
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

/// In single quotes for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
