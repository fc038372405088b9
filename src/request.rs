//! A call as a value: what to ask of the server, and how to read the answer.
//!
//! The methods of the clients make requests and bind them to their client, which gives a
//! [`Call`](crate::Call). A [`Request`] by itself is for endpoints that this crate does not know
//! ([`KeystoneClient::request`](crate::KeystoneClient::request)), and for tests that look at what would be
//! sent ([`Call::into_request`](crate::Call::into_request)). A [`Response`] is the answer before it is
//! read, and [`WithMeta`] one with its status and headers.

mod response;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use uuid::Uuid;

pub(crate) use self::response::Origin;
pub use self::response::{Response, ResponseMeta, WithMeta};
use crate::batch::{Place, holds_reference};
use crate::body::{Body, Part, ToBody};
use crate::capability::{Capability, FieldName, Needs};
use crate::error::{Error, ErrorKind};
use crate::redact::redacted_query;
use crate::retry::RetryPolicy;

/// What a call is about, in words: `create cluster`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    verb: &'static str,
    object: &'static str,
}

impl Operation {
    /// The operation that does `verb` to `object`.
    pub const fn new(verb: &'static str, object: &'static str) -> Self {
        Self { verb, object }
    }
}

impl Operation {
    pub(crate) fn object(self) -> &'static str {
        self.object
    }

    /// Whether it is one of the generic HTTP calls, which are named by their method alone.
    pub(crate) fn is_generic(self) -> bool {
        self.object.is_empty() && self.verb.chars().all(|letter| letter.is_ascii_uppercase())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.object {
            "" => f.write_str(self.verb),
            object => write!(f, "{} {object}", self.verb),
        }
    }
}

/// What the server counts for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    pub(crate) requests: usize,
    /// Whether it keeps to the usual limit where none is stated: it is part of more than fits into a
    /// minute.
    pub(crate) planned: bool,
}

impl Cost {
    pub(crate) const ONE: Self = Self { requests: 1, planned: false };
}

/// What a call wants otherwise than its client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) correlation_id: Option<Uuid>,
}

/// The part of a [`Request`] that does not depend on the type of its answer.
#[derive(Debug, Clone)]
pub(crate) struct RequestParts {
    pub(crate) operation: Operation,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(Cow<'static, str>, String)>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Body,
    pub(crate) idempotent: bool,
    pub(crate) options: CallOptions,
    pub(crate) needs: Needs,
    /// Sent without credentials whatever the client holds.
    pub(crate) anonymous: bool,
    /// Members of the body and query parameters that are never shown.
    pub(crate) secrets: Cow<'static, [&'static str]>,
    /// Sent as it is, whatever is known of the server.
    pub(crate) verbatim: bool,
    /// The JSON that stands for the answer where the server need not be asked.
    pub(crate) settled: Option<&'static str>,
    /// Where in the answer its record is.
    pub(crate) answers: Place,
    pub(crate) cost: Cost,
}

/// A call that refers to a step of a batch job, and is none of that job.
fn refers_to_step(operation: Operation) -> Error {
    Error::new(ErrorKind::InvalidRequest, operation)
        .with_note("it refers to a step of a batch job, and so can only be a step of that job")
}

impl RequestParts {
    /// Whether the caller has put a credential in, which then is not the client's to judge.
    pub(crate) fn brings_credential(&self) -> bool {
        let credentials = [header::AUTHORIZATION, header::COOKIE];
        self.headers.iter().any(|(name, _)| credentials.contains(name))
    }

    /// Whether it refers to a step of a batch job, outside of which that means nothing.
    pub(crate) fn holds_reference(&self) -> bool {
        let in_body = match &self.body {
            Body::Json(bytes) => std::str::from_utf8(bytes).is_ok_and(holds_reference),
            Body::Multipart(multipart) => {
                multipart.parts().iter().filter_map(Part::as_text).any(holds_reference)
            }
            Body::Empty | Body::Raw { .. } => false,
        };
        in_body
            || holds_reference(&self.path)
            || self.query.iter().any(|(_, value)| holds_reference(value))
    }

    /// Refuses what means nothing outside of a batch job, in the name of the call that it is part of.
    pub(crate) fn refuse_reference(&self, operation: Operation) -> Result<(), Error> {
        match self.holds_reference() {
            true => Err(refers_to_step(operation)),
            false => Ok(()),
        }
    }

    /// How many bytes the path as it is and the query as it travels have, if that is more than `limit`.
    pub(crate) fn length_above(&self, limit: usize) -> Option<usize> {
        /// No byte takes more when it is encoded.
        const ENCODED: usize = 3;

        let pairs = self.query.iter().map(|(name, value)| name.len() + value.len() + 2);
        let plain = self.path.len() + pairs.sum::<usize>();
        // Mostly it need not be encoded to know.
        if plain.saturating_mul(ENCODED) <= limit {
            return None;
        }
        Some(self.path.len() + self.query_string().len()).filter(|length| *length > limit)
    }

    /// The query as it travels, without the question mark.
    pub(crate) fn query_string(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish()
    }
}

/// A call: operation, method, path, query, body, and the type `T` of its answer.
///
/// Verbs of [`Crud`](crate::Crud) build requests; nothing is sent until a client sends them. A
/// request of your own is for endpoints that this crate does not know:
///
/// ```
/// use http::Method;
/// use keystone_client::request::{Operation, Request};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Quota {
///     used: u64,
/// }
///
/// let request: Request<Quota> =
///     Request::json(Operation::new("retrieve", "quota"), Method::GET, "site/quota/")
///         .with_query("team", "7");
/// assert_eq!(request.path(), "site/quota/");
/// assert_eq!(request.query_string(), "team=7");
/// ```
#[must_use = "a request does nothing until a client sends it"]
pub struct Request<T> {
    // Boxed, as calls are moved about a lot while they are put together.
    pub(crate) parts: Box<RequestParts>,
    decode: Decode<T>,
}

/// How the answer to a request is read.
pub(crate) enum Decode<T> {
    Plain(fn(Response) -> Result<T, Error>),
    // Shared rather than owned so that requests can be cloned.
    Adapted(Arc<dyn Fn(Response) -> Result<T, Error> + Send + Sync>),
}

impl<T> Decode<T> {
    pub(crate) fn read(&self, response: Response) -> Result<T, Error> {
        match self {
            Self::Plain(decode) => decode(response),
            Self::Adapted(decode) => decode(response),
        }
    }
}

impl<T> Clone for Decode<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Plain(decode) => Self::Plain(*decode),
            Self::Adapted(decode) => Self::Adapted(Arc::clone(decode)),
        }
    }
}

impl<T> Clone for Request<T> {
    fn clone(&self) -> Self {
        Self { parts: self.parts.clone(), decode: self.decode.clone() }
    }
}

impl<T> fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Bodies may hold passwords, and so may parameters of calls without types.
        let query = self.parts.query_string();
        let shown = redacted_query(&query, &self.parts.secrets).unwrap_or(query);
        f.debug_struct("Request")
            .field("operation", &self.parts.operation)
            .field("method", &self.parts.method)
            .field("path", &self.parts.path)
            .field("query", &shown)
            .field("body", &self.parts.body)
            .finish_non_exhaustive()
    }
}

impl<T> Request<T> {
    /// A request whose answer is read by `decode`, which also sees answers that are not successes.
    ///
    /// `path` is relative to the base URL and sent as given, slashes included; of a path that older
    /// servers had under another name, they get that.
    pub fn new(
        operation: Operation,
        method: Method,
        path: impl Into<String>,
        decode: fn(Response) -> Result<T, Error>,
    ) -> Self {
        let idempotent = method.is_idempotent();
        Self {
            parts: Box::new(RequestParts {
                operation,
                method,
                path: path.into(),
                query: Vec::new(),
                headers: Vec::new(),
                body: Body::Empty,
                idempotent,
                options: CallOptions::default(),
                needs: Needs::default(),
                anonymous: false,
                secrets: Cow::Borrowed(&[]),
                verbatim: false,
                settled: None,
                answers: Place::Whole,
                cost: Cost::ONE,
            }),
            decode: Decode::Plain(decode),
        }
    }

    /// Adds a query parameter; a name may be given more than once.
    pub fn with_query(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
    ) -> Self {
        self.parts.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header. Headers of the client's own, authentication among them, are added when the
    /// request is sent; one of the same name given here takes their place.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.parts.headers.push((name, value));
        self
    }

    /// Sets the body.
    pub fn with_body(mut self, body: Body) -> Self {
        self.parts.body = body;
        self
    }

    /// Sets `value`, serialised as JSON, as the body.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] when `value` has no JSON form.
    pub fn with_json<V: Serialize + ?Sized>(self, value: &V) -> Result<Self, Error> {
        self.with_body_of(value)
    }

    /// Sets what `value` is sent as.
    pub(crate) fn with_body_of<V: ToBody + ?Sized>(mut self, value: &V) -> Result<Self, Error> {
        self.set_body_of(value).map(|()| self)
    }

    pub(crate) fn set_body_of<V: ToBody + ?Sized>(&mut self, value: &V) -> Result<(), Error> {
        self.parts.body = value.to_body().map_err(|error| {
            Error::new(ErrorKind::InvalidRequest, self.parts.operation)
                .with_note("the body cannot be written as JSON")
                .with_source(error)
        })?;
        Ok(())
    }

    /// Says whether sending twice does no harm, which lets a call be repeated after a failure in
    /// which the server may have carried it out. Default: true of GET, HEAD, PUT and DELETE.
    pub fn with_idempotent(mut self, idempotent: bool) -> Self {
        self.parts.idempotent = idempotent;
        self
    }

    /// Bounds each attempt, in place of the client's own time-out.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.parts.options.timeout = Some(timeout);
        self
    }

    /// Sets how often and how patiently the call is repeated, in place of the client's own policy.
    pub fn with_retry(mut self, policy: RetryPolicy) -> Self {
        self.parts.options.retry = Some(policy);
        self
    }

    /// Sets the id under which the server logs the call, in place of the client's own.
    pub fn with_correlation_id(mut self, id: Uuid) -> Self {
        self.parts.options.correlation_id = Some(id);
        self
    }

    pub(crate) fn with_options(mut self, options: CallOptions) -> Self {
        self.parts.options = options;
        self
    }

    /// Sends the request without credentials, for endpoints that are open to anybody.
    pub fn without_login(mut self) -> Self {
        self.parts.anonymous = true;
        self
    }

    /// Sends the request as it is, also to a server that had the path under another name.
    pub(crate) fn verbatim(mut self) -> Self {
        self.parts.verbatim = true;
        self
    }

    pub(crate) fn with_secrets(mut self, names: impl Into<Cow<'static, [&'static str]>>) -> Self {
        self.parts.secrets = names.into();
        self
    }

    /// Says where in the answer its record is, for what refers to it.
    pub(crate) fn with_place(mut self, place: Place) -> Self {
        self.parts.answers = place;
        self
    }

    pub(crate) fn with_cost(mut self, cost: Cost) -> Self {
        self.parts.cost = cost;
        self
    }

    /// Answers with this JSON instead of asking the server.
    pub(crate) fn settled(mut self, json: &'static str) -> Self {
        self.parts.settled = Some(json);
        self
    }

    /// Says what the server has to be able to do. The call fails as [`ErrorKind::Unsupported`],
    /// before it is sent, where the server is known to lack it.
    pub fn needing(mut self, capability: Capability) -> Self {
        self.parts.needs.insert(capability);
        self
    }

    pub(crate) fn needing_all(mut self, needs: Needs) -> Self {
        self.parts.needs.insert_all(needs);
        self
    }

    pub(crate) fn needing_field(mut self, field: FieldName) -> Self {
        self.parts.needs.insert_field(field);
        self
    }

    /// What the call is about.
    pub fn operation(&self) -> Operation {
        self.parts.operation
    }

    /// The HTTP method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The path relative to the base URL.
    pub fn path(&self) -> &str {
        &self.parts.path
    }

    /// The query as it travels, without the question mark.
    pub fn query_string(&self) -> String {
        self.parts.query_string()
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.parts.body
    }

    /// Reads a response to this request.
    ///
    /// # Errors
    ///
    /// What the response says went wrong, or that it could not be read.
    pub fn decode(&self, response: Response) -> Result<T, Error> {
        self.decode.read(response)
    }

    pub(crate) fn into_parts(self) -> (RequestParts, Decode<T>) {
        (*self.parts, self.decode)
    }

    /// The same request with its answer read differently: `adapt` gets the response and the
    /// present way to read it.
    pub(crate) fn adapt<U>(
        self,
        adapt: impl Fn(Response, &dyn Fn(Response) -> Result<T, Error>) -> Result<U, Error>
        + Send
        + Sync
        + 'static,
    ) -> Request<U>
    where
        T: 'static,
    {
        let decode = self.decode;
        let decode = move |response| match &decode {
            Decode::Plain(decode) => adapt(response, decode),
            Decode::Adapted(decode) => adapt(response, decode.as_ref()),
        };
        Request { parts: self.parts, decode: Decode::Adapted(Arc::new(decode)) }
    }
}

impl<T: DeserializeOwned> Request<T> {
    /// A request whose successful answer is JSON.
    pub fn json(operation: Operation, method: Method, path: impl Into<String>) -> Self {
        Self::new(operation, method, path, |response| response.error_for_status()?.read())
    }
}

impl Request<()> {
    /// A request whose successful answer says nothing more.
    pub fn empty(operation: Operation, method: Method, path: impl Into<String>) -> Self {
        Self::new(operation, method, path, |response| response.error_for_status().map(drop))
    }
}

impl Request<Response> {
    /// A request whose answer is the response itself, whatever its status.
    pub fn raw(operation: Operation, method: Method, path: impl Into<String>) -> Self {
        Self::new(operation, method, path, Ok)
    }
}
