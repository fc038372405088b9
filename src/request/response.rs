use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::Operation;
use crate::capability::Needs;
use crate::drift::DriftLog;
use crate::error::{Carried, Error, ErrorKind, Explanation, shortened};

/// Where a response comes from: what its errors are about.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) operation: Operation,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) attempts: u32,
    pub(crate) correlation_id: Uuid,
    pub(crate) carried: Carried,
    /// What the server has to be able to do.
    pub(crate) needs: Needs,
    /// Whether the server may have carried out an earlier attempt.
    pub(crate) in_doubt: bool,
    /// How long the server asked to wait, by the clock at that time.
    pub(crate) retry_after: Option<Duration>,
    /// Where to note what is not known.
    pub(crate) drift: Option<Arc<DriftLog>>,
}

/// What the server answered: status, headers and bytes.
///
/// ```
/// # use keystone_client::{KeystoneClient, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
/// # let client = Sandbox::new().client()?;
/// client.login("admin", "admin-password").await?;
/// let response = client.http_get("users/users").query("username", "admin").await?;
/// assert_eq!(response.status(), 200);
/// let page: serde_json::Value = response.json()?;
/// assert_eq!(page["count"], 1);
/// # Ok(()) }) }
/// ```
#[derive(Clone)]
pub struct Response {
    status: StatusCode,
    headers: Cow<'static, HeaderMap>,
    body: Bytes,
    pub(crate) origin: Box<Origin>,
}

impl Response {
    pub(crate) fn new(response: http::Response<Bytes>, origin: Origin) -> Self {
        let (parts, body) = response.into_parts();
        let headers = Cow::Owned(parts.headers);
        Self { status: parts.status, headers, body, origin: Box::new(origin) }
    }

    /// An answer that says nothing but this JSON.
    pub(crate) fn of_json(status: StatusCode, json: Bytes, origin: Origin) -> Self {
        static HEADERS: LazyLock<HeaderMap> = LazyLock::new(|| {
            let content_type = HeaderValue::from_static("application/json");
            HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)])
        });
        Self { status, headers: Cow::Borrowed(&HEADERS), body: json, origin: Box::new(origin) }
    }

    /// The answer to a request that the server need not be asked.
    pub(crate) fn settled(json: &'static str, origin: Origin) -> Self {
        Self::of_json(StatusCode::OK, Bytes::from_static(json.as_bytes()), origin)
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The response headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body as it came.
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] when the body is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.body).map_err(|error| {
            self.error(ErrorKind::Decode).with_note("the body is not UTF-8 text").with_source(error)
        })
    }

    /// The body read as JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] when the body is not JSON of this shape; the error names the place.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        parse(&self.body).map_err(|error| self.decode_error::<T>(&error))
    }

    /// The body read as what this crate takes the answer to be.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Error> {
        match &self.origin.drift {
            None => parse(&self.body),
            Some(drift) => drift.read(self.origin.operation.object(), &self.body),
        }
        .map_err(|error| self.decode_error::<T>(&error))
    }

    /// The response itself if its status is a success.
    ///
    /// # Errors
    ///
    /// The error that the status and body stand for.
    pub fn error_for_status(self) -> Result<Self, Error> {
        if self.status.is_success() { Ok(self) } else { Err(self.into_error()) }
    }

    /// Whether the server says that there is no such record. An unknown path is something else:
    /// it is answered with an HTML page.
    pub(crate) fn is_missing_record(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.is_json()
    }

    /// Whether the server says that it does not accept who is asking. Proxies say so with pages of
    /// their own.
    pub(crate) fn denies_login(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED && (self.is_json() || self.body.is_empty())
    }

    /// Whether the server says that it does not know the path, by an HTML page.
    pub(crate) fn is_unknown_path(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && !self.is_json()
    }

    /// Whether this is a list without an envelope.
    pub(crate) fn is_bare_list(&self) -> bool {
        let first = self.body.iter().find(|byte| !byte.is_ascii_whitespace());
        self.status.is_success() && first == Some(&b'[')
    }

    /// Whether this is a list that says nothing of pages.
    pub(crate) fn is_whole_list(&self) -> bool {
        self.is_bare_list() && self.total_header().is_none()
    }

    /// How many records there are in all: servers 0.7.4 and 0.7.5 send one page as a bare array
    /// and say so in a header.
    pub(crate) fn total_header(&self) -> Option<u64> {
        self.headers.get("x-total-count")?.to_str().ok()?.trim().parse().ok()
    }

    pub(crate) fn is_json(&self) -> bool {
        self.content_type().is_some_and(|value| value.contains("json"))
    }

    fn content_type(&self) -> Option<&str> {
        self.headers.get(header::CONTENT_TYPE)?.to_str().ok()
    }

    pub(crate) fn meta(&self) -> ResponseMeta {
        ResponseMeta {
            status: self.status,
            headers: self.headers.clone().into_owned(),
            correlation_id: self.origin.correlation_id,
            attempts: self.origin.attempts,
        }
    }

    pub(crate) fn explanation(&self) -> Explanation {
        Explanation::read(&self.body, self.is_json())
    }

    /// An error about this response.
    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.origin.operation).with_origin(&self.origin).with_status(self.status)
    }

    fn into_error(self) -> Error {
        Error::from_response(&self)
    }

    // Reading a second time with the path recorded costs nothing where reading succeeds.
    #[cold]
    fn decode_error<'a, T: Deserialize<'a>>(&'a self, plain: &serde_json::Error) -> Error {
        let error = self.error(ErrorKind::Decode);
        let expected = short_name(std::any::type_name::<T>());
        if !self.is_json() && plain.is_syntax() {
            let found = self.content_type().unwrap_or("no content type").to_owned();
            // A page that says "well done" comes from a portal in between, not from the API.
            let is_page = self.status.is_success() && found.starts_with("text/html");
            let error = if is_page { self.error(ErrorKind::NotKeystone) } else { error };
            return error
                .with_note(format!("expected JSON, the server sent {found}"))
                .with_source(Unreadable::new(plain));
        }
        let deserializer = &mut serde_json::Deserializer::from_slice(&self.body);
        match serde_path_to_error::deserialize::<_, T>(deserializer) {
            Err(located) if located.path().iter().next().is_some() => {
                let path = located.path().to_string();
                let cause = located.into_inner();
                let reason = missing_field(&cause);
                error
                    .with_note(format!("cannot read `{path}` of {expected}{reason}"))
                    .with_source(Unreadable::new(&cause))
            }
            _ => {
                let reason = missing_field(plain);
                error
                    .with_note(format!("cannot read {expected}{reason}"))
                    .with_source(Unreadable::new(plain))
            }
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, serde_json::Error> {
    // Checked once as a whole, which is faster than each string by itself.
    match std::str::from_utf8(json) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(json),
    }
}

/// A type's name without the modules that it is in, and without lifetimes.
fn short_name(name: &str) -> String {
    let is_boundary = |letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':');
    name.split_inclusive(is_boundary)
        .map(|part| part.rsplit_once("::").map_or(part, |(_, last)| last))
        .collect::<String>()
        .replace("<'_>", "")
}

/// The longest reason worth reading.
const REASON_LIMIT: usize = 300;

/// Why JSON could not be read, in serde's words but without values of the body: they can be secret,
/// and of any length.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreadable(String);

impl Unreadable {
    fn new(error: &serde_json::Error) -> Self {
        let reason = error.to_string();
        let reason = match (reason.split_once('"'), reason.rsplit_once('"')) {
            (Some((before, _)), Some((_, after))) => format!("{before}…{after}"),
            _ => reason,
        };
        Self(shortened(&reason, REASON_LIMIT))
    }
}

/// The part of serde's reason that may be shown; others can repeat values of the body.
fn missing_field(error: &serde_json::Error) -> String {
    let reason = error.to_string();
    match reason.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        Some((field, _)) => format!(": there is no `{field}`"),
        None => String::new(),
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither headers nor bodies are shown: both may hold credentials.
        f.debug_struct("Response")
            .field("operation", &self.origin.operation)
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What came with an answer.
#[derive(Clone)]
#[non_exhaustive]
pub struct ResponseMeta {
    /// The HTTP status.
    pub status: StatusCode,
    /// The response headers.
    pub headers: HeaderMap,
    /// The correlation id under which the server logged the call.
    pub correlation_id: Uuid,
    /// How often the call was sent, 1 for a call without retries.
    pub attempts: u32,
}

impl fmt::Debug for ResponseMeta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseMeta")
            .field("status", &self.status)
            .field("correlation_id", &self.correlation_id)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// A value and what came with it; see [`Call::with_meta`](crate::Call::with_meta).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WithMeta<T> {
    /// The answer.
    pub value: T,
    /// Status, headers, correlation id.
    pub meta: ResponseMeta,
}

impl<T> WithMeta<T> {
    pub(crate) fn new(value: T, meta: ResponseMeta) -> Self {
        Self { value, meta }
    }
}
