//! What can go wrong with one exchange.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::Value;

use crate::backend::{BackendError, BackendErrorKind};
use crate::sandbox::faults::wire;

/// How deep a body is nested that no reader should follow.
const DEPTH: usize = 10_000;

/// How long a client without a time-out of its own waits in vain in memory.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

type Alter = dyn Fn(Response<Bytes>) -> Response<Bytes> + Send + Sync;

/// Something that goes wrong with one exchange; see [`FaultRule`](crate::sandbox::FaultRule) for when.
///
/// Through a socket ([`Sandbox::serve`](crate::sandbox::Sandbox::serve)) a fault happens to the bytes. In memory the
/// client gets the [`BackendError`](crate::backend::BackendError) that a transport would report of it, or
/// the altered response; waiting moves the clock of the sandbox and takes no time.
///
/// What comes in the place of an answer ([`disconnect`](Self::disconnect), [`silence`](Self::silence),
/// [`status`](Self::status), [`not_http`](Self::not_http)) happens before the request is carried out,
/// unless [`after_execution`](Self::after_execution) is said. What happens to an answer finds the request
/// carried out.
///
/// ```
/// use std::time::Duration;
/// use keystone_client::resources::NewTeam;
/// use keystone_client::sandbox::{Fault, FaultRule, Sandbox};
///
/// let sandbox = Sandbox::new();
/// let client = sandbox.blocking_client()?;
/// client.login("admin", "admin-password")?;
///
/// // The server creates the team, but the client does not hear of it.
/// let lost = FaultRule::new(Fault::disconnect().after_execution()).path("/users/teams/").nth(1);
/// let injected = sandbox.inject(lost);
/// let error = client.create_team(NewTeam::new("Folding")).send().unwrap_err();
/// assert!(error.may_have_been_sent());
/// assert_eq!(injected.count(), 1);
/// assert_eq!(client.teams().list().count().send()?, 1);
/// # Ok::<(), keystone_client::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a fault does nothing until it is injected"]
pub struct Fault {
    kind: Kind,
    executes: bool,
}

#[derive(Clone)]
pub(super) enum Kind {
    Disconnect,
    Silence,
    CutHead,
    CutBody,
    StallBody,
    DripHead(Duration),
    DripBody(Duration),
    Delay(Duration),
    Status {
        status: StatusCode,
        headers: Vec<(HeaderName, HeaderValue)>,
    },
    /// In words, and how.
    Alter(Arc<str>, Arc<Alter>),
    ExcessBytes,
    SecondResponse,
    MalformedChunks,
    OversizedBody(u64),
    EndlessBody,
    NotHttp,
    Restart(Duration),
}

impl Fault {
    const fn before(kind: Kind) -> Self {
        Self { kind, executes: false }
    }

    const fn after(kind: Kind) -> Self {
        Self { kind, executes: true }
    }

    /// Lets the request be carried out first, whatever its client comes to hear. Nothing changes for
    /// [`restart`](Self::restart), and for what happens to an answer.
    pub fn after_execution(mut self) -> Self {
        self.executes |= !matches!(self.kind, Kind::Restart(_));
        self
    }

    /// Whether the request is carried out.
    pub fn executes(&self) -> bool {
        self.executes
    }

    /// Closes the connection without a reply.
    pub fn disconnect() -> Self {
        Self::before(Kind::Disconnect)
    }

    /// Says nothing until the client goes away.
    ///
    /// In memory the call ends at the client's time-out for one exchange.
    pub fn silence() -> Self {
        Self::before(Kind::Silence)
    }

    /// Answers as proxies do, with this status and a small page.
    pub fn status(status: StatusCode) -> Self {
        Self::before(Kind::Status { status, headers: Vec::new() })
    }

    /// Adds a header to the answer of [`status`](Self::status); has no effect on others.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if let Kind::Status { headers, .. } = &mut self.kind {
            headers.push((name, value));
        }
        self
    }

    /// Answers `503 Service Unavailable` with `Retry-After` in whole seconds.
    pub fn unavailable(retry_after: Duration) -> Self {
        Self::status(StatusCode::SERVICE_UNAVAILABLE)
            .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs()))
    }

    /// Answers `429 Too Many Requests` with `Retry-After` in whole seconds, as a limiting proxy does.
    /// The server's own limits are set when it is [built](crate::sandbox::SandboxBuilder::user_rate_limit).
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self::status(StatusCode::TOO_MANY_REQUESTS)
            .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs()))
    }

    /// Closes the connection in the middle of the head of the answer.
    pub fn cut_head() -> Self {
        Self::after(Kind::CutHead)
    }

    /// Closes the connection in the middle of the body of the answer.
    pub fn cut_body() -> Self {
        Self::after(Kind::CutBody)
    }

    /// Falls silent in the middle of the body of the answer, until the client goes away.
    pub fn stall_body() -> Self {
        Self::after(Kind::StallBody)
    }

    /// Sends the whole answer byte by byte, with a pause after each.
    pub fn drip(pause: Duration) -> Self {
        Self::after(Kind::DripHead(pause))
    }

    /// Sends the head of the answer at once, and its body byte by byte with a pause after each.
    pub fn drip_body(pause: Duration) -> Self {
        Self::after(Kind::DripBody(pause))
    }

    /// Answers after this time.
    pub fn delay(time: Duration) -> Self {
        Self::after(Kind::Delay(time))
    }

    /// Changes the answer by a function.
    ///
    /// ```
    /// use keystone_client::ErrorKind;
    /// use keystone_client::sandbox::{Fault, FaultRule, Sandbox};
    ///
    /// let sandbox = Sandbox::new();
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// sandbox.inject(FaultRule::new(Fault::alter(|response| response.map(|_| "[".into()))));
    /// assert_eq!(client.teams().list().all().unwrap_err().kind(), ErrorKind::Decode);
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn alter(
        change: impl Fn(Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        Self::altered("an altered answer", change)
    }

    fn altered(
        name: impl Into<Arc<str>>,
        change: impl Fn(Response<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        Self::after(Kind::Alter(name.into(), Arc::new(change)))
    }

    /// Links the next and the previous page of a list to this address.
    pub fn foreign_links(address: impl Into<String>) -> Self {
        let address = address.into();
        Self::altered("foreign links", move |mut response| {
            if let Ok(Value::Object(mut page)) = serde_json::from_slice(response.body()) {
                if page.contains_key("next") {
                    for link in ["next", "previous"] {
                        page.insert(link.to_owned(), address.as_str().into());
                    }
                    *response.body_mut() = Value::Object(page).to_string().into();
                }
            }
            response
        })
    }

    /// Sets so many cookies of no use, each with a value of this length.
    pub fn cookies(number: usize, length: usize) -> Self {
        Self::altered(format!("{number} useless cookies of {length} bytes"), move |mut response| {
            let value = "x".repeat(length);
            for index in 0..number {
                if let Ok(cookie) = format!("junk{index}={value}; Path=/").parse() {
                    response.headers_mut().append(header::SET_COOKIE, cookie);
                }
            }
            response
        })
    }

    /// Adds bytes that are not UTF-8 to the body.
    pub fn invalid_text() -> Self {
        Self::altered("a body that is no text", |response| {
            response.map(|body| [body.as_ref(), b"\xff\xfe"].concat().into())
        })
    }

    /// Adds headers, cookies among them, whose values are not UTF-8.
    pub fn invalid_header() -> Self {
        Self::altered("headers that are no text", |mut response| {
            if let Ok(value) = HeaderValue::from_bytes(b"caf\xe9 \xff") {
                let headers = response.headers_mut();
                headers.append(HeaderName::from_static("x-served-by"), value.clone());
                headers.append(header::SET_COOKIE, value);
            }
            response
        })
    }

    /// Answers with JSON nested ten thousand levels deep.
    pub fn deep_json() -> Self {
        Self::altered("JSON within JSON", |response| {
            response.map(|_| ["[".repeat(DEPTH), "]".repeat(DEPTH)].concat().into())
        })
    }

    /// Sends more bytes than were announced. In memory nothing comes of it.
    pub fn excess_bytes() -> Self {
        Self::after(Kind::ExcessBytes)
    }

    /// Sends a second response behind the first, to a request that nobody has made. In memory nothing
    /// comes of it.
    pub fn second_response() -> Self {
        Self::after(Kind::SecondResponse)
    }

    /// Answers in chunks whose sizes are no numbers.
    pub fn malformed_chunks() -> Self {
        Self::after(Kind::MalformedChunks)
    }

    /// Announces a body of so many bytes, and sends it, of which 320 MiB at most. In memory it is always
    /// more than the client takes.
    pub fn oversized_body(bytes: u64) -> Self {
        Self::after(Kind::OversizedBody(bytes))
    }

    /// Sends a body without end, of which 320 MiB at most.
    pub fn endless_body() -> Self {
        Self::after(Kind::EndlessBody)
    }

    /// Answers in another protocol.
    pub fn not_http() -> Self {
        Self::before(Kind::NotHttp)
    }

    /// The server goes down with all its connections, and comes back after this time. Nothing that it
    /// keeps is lost. The request that met the fault is not carried out.
    pub fn restart(pause: Duration) -> Self {
        Self::before(Kind::Restart(pause))
    }

    #[cfg(feature = "sandbox-server")]
    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// How late the answer is.
    #[cfg(feature = "sandbox-server")]
    pub(in crate::sandbox) fn lateness(&self) -> Option<Duration> {
        match self.kind {
            Kind::Delay(time) => Some(time),
            _ => None,
        }
    }

    /// How long the server is away.
    pub(in crate::sandbox) fn pause(&self) -> Option<Duration> {
        match self.kind {
            Kind::Restart(pause) => Some(pause),
            _ => None,
        }
    }

    /// The status that the client gets to see in the place of the server's.
    pub(in crate::sandbox) fn status_shown(&self) -> Option<StatusCode> {
        match self.kind {
            Kind::Status { status, .. } => Some(status),
            _ => None,
        }
    }

    /// The response as far as it is a response yet. None was made if the request was not carried out.
    pub(in crate::sandbox) fn respond(&self, made: Option<Response<Bytes>>) -> Response<Bytes> {
        match &self.kind {
            Kind::Status { status, headers } => {
                let page = format!("<html><h1>{status}</h1></html>");
                let mut response = Response::new(page.into());
                *response.status_mut() = *status;
                let html = HeaderValue::from_static("text/html");
                response.headers_mut().insert(header::CONTENT_TYPE, html);
                response.headers_mut().extend(headers.iter().cloned());
                response
            }
            Kind::Alter(_, change) => {
                let made = made.unwrap_or_default();
                let body = made.body().clone();
                let mut response = change(made);
                if *response.body() != body {
                    response.headers_mut().remove(header::CONTENT_LENGTH);
                }
                response
            }
            _ => made.unwrap_or_default(),
        }
    }

    /// What a client without a connection sees, and how much time passes until then.
    pub(in crate::sandbox) fn outcome(
        &self,
        made: Option<Response<Bytes>>,
        timeout: Option<Duration>,
    ) -> (Duration, Result<Response<Bytes>, BackendError>) {
        let limit = timeout.unwrap_or(LONGEST_WAIT);
        let response = self.respond(made);
        let bytes = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let wait = match self.kind {
            Kind::Silence | Kind::StallBody => Duration::MAX,
            Kind::Delay(time) => time,
            Kind::DripHead(pause) => {
                let head = wire::head(&response).len();
                pause.saturating_mul(bytes(head.saturating_add(response.body().len())))
            }
            Kind::DripBody(pause) => pause.saturating_mul(bytes(response.body().len())),
            _ => Duration::ZERO,
        };
        let error = |kind| Err(BackendError::new(kind, self.to_string()));
        if wait >= limit {
            return (limit, error(BackendErrorKind::Timeout));
        }
        let outcome = match self.kind {
            Kind::Disconnect | Kind::CutHead | Kind::CutBody | Kind::Restart(_) => {
                error(BackendErrorKind::Closed)
            }
            Kind::MalformedChunks | Kind::NotHttp => error(BackendErrorKind::Protocol),
            Kind::OversizedBody(_) | Kind::EndlessBody => error(BackendErrorKind::TooLarge),
            _ => Ok(response),
        };
        (wait, outcome)
    }
}

/// What happens, in words.
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match &self.kind {
            Kind::Disconnect => "the connection is closed without a reply",
            Kind::Silence => "no reply comes",
            Kind::CutHead => "the connection is closed within the head",
            Kind::CutBody => "the connection is closed within the body",
            Kind::StallBody => "the body does not come to its end",
            Kind::DripHead(_) => "the reply comes byte by byte",
            Kind::DripBody(_) => "the body comes byte by byte",
            Kind::Delay(time) => return write!(formatter, "the reply comes after {time:?}"),
            Kind::Status { status, .. } => return write!(formatter, "a page that says {status}"),
            Kind::Alter(name, _) => name,
            Kind::ExcessBytes => "more bytes than were announced",
            Kind::SecondResponse => "a second reply",
            Kind::MalformedChunks => "chunks without a size",
            Kind::OversizedBody(bytes) => return write!(formatter, "a body of {bytes} bytes"),
            Kind::EndlessBody => "a body without end",
            Kind::NotHttp => "a reply in another protocol",
            Kind::Restart(time) => return write!(formatter, "a restart that takes {time:?}"),
        };
        formatter.write_str(text)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let executed = if self.executes { "after" } else { "before" };
        write!(formatter, "Fault({self}, {executed} execution)")
    }
}
