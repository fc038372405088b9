//! Requests as doubles keep them, for tests to look at.

mod form;

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode, header};
use serde_json::Value;
use url::form_urlencoded;

pub use self::form::FormPart;
use crate::redact::SecretNames;

/// A request that a double of a server has answered: the [sandbox](crate::sandbox), or one of the
/// backends of [`testing`](crate::testing).
///
/// Its `Debug` form shows neither bodies nor the values of headers and parameters, which may be
/// secret; the methods give everything.
///
/// ```
/// use keystone_client::resources::NewTeam;
/// use keystone_client::sandbox::Sandbox;
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sandbox = Sandbox::new();
/// let client = sandbox.blocking_client()?;
/// client.login("admin", "admin-password")?;
/// client.create_team(NewTeam::new("Folding")).send()?;
/// client.teams().filter(|t| t.name.starts_with("F")).all()?;
///
/// let requests = sandbox.requests();
/// let (create, list) = (&requests[requests.len() - 2], &requests[requests.len() - 1]);
/// assert_eq!((create.method().as_str(), create.path()), ("POST", "/users/teams/"));
/// assert_eq!(create.json(), Some(json!({ "name": "Folding" })));
/// assert_eq!(list.parameter("name__startswith").as_deref(), Some("F"));
/// assert_eq!(list.status().unwrap(), 200);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RecordedRequest {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Bytes,
    status: Option<StatusCode>,
    fault: Option<String>,
    /// Further names of secrets in it.
    #[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "for what the kit shows"))]
    secrets: Cow<'static, [&'static str]>,
}

impl RecordedRequest {
    pub(crate) fn new(request: Request<Bytes>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            body,
            status: None,
            fault: None,
            secrets: parts
                .extensions
                .get()
                .map_or_else(Cow::default, |it: &SecretNames| it.0.clone()),
        }
    }

    /// The same with the status of its answer.
    pub(crate) fn answered(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// The same with what went wrong on purpose, in words.
    #[cfg(feature = "sandbox")]
    pub(crate) fn with_fault(mut self, fault: String) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Names of secrets in it, beside those that are known by themselves.
    #[cfg(feature = "testing")]
    pub(crate) fn secrets(&self) -> &[&'static str] {
        &self.secrets
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, with the prefix under which the server is mounted.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query as it was sent, without question mark.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The parameters of the query in order, decoded.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        let query = self.query.as_deref().unwrap_or_default();
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    /// The value of a parameter; of several the last, which is the one that the server goes by.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let pairs = self.query_pairs().into_iter().rev();
        pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The value of a header, if it is there and text.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body of the request.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as JSON; `None` if it is something else.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The fields and files of a form, URL-encoded or multipart, in order; `None` if the body is
    /// something else.
    pub fn form(&self) -> Option<Vec<FormPart>> {
        form::read(self.header(header::CONTENT_TYPE)?, &self.body)
    }

    /// The status of the answer, whether or not it arrived; `None` if there was none, as after a failure
    /// of the backend.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The [fault](crate::sandbox::Fault) that the exchange met, in words; such are only in sandboxes.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<String> =
            self.query_pairs().into_iter().map(|(name, _)| name).collect();
        let headers: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        formatter
            .debug_struct("RecordedRequest")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("parameters", &parameters)
            .field("headers", &headers)
            .field("body_length", &self.body.len())
            .field("status", &self.status)
            .field("fault", &self.fault)
            .finish()
    }
}
