//! What can go wrong with one exchange.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, header};
use keystone_client::backend::{BackendError, BackendErrorKind};
use serde_json::{Value, json};

/// How often and how deep a body is nested that no reader should follow.
const DEPTH: usize = 10_000;

/// The part of a response in which something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Head,
    Body,
}

/// What a server does with a request. Unless said otherwise, it has carried the request out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers as it should.
    None,
    /// Closes the connection without a reply, having carried the request out or not.
    Lost { executed: bool },
    /// Closes the connection in the middle of the head or of the body.
    Cut(At),
    /// Says nothing, or no more than the head, until the client goes away.
    Stall { executed: bool, at: At },
    /// Sends the head, or the body, byte by byte.
    Drip(At),
    /// Sends more bytes than it has announced.
    Overlong,
    /// Sends a second response behind the first, to a request that nobody has made.
    Smuggled,
    /// Sends chunks whose sizes are no numbers.
    BadChunks,
    /// Answers with this status, these headers and a page, as proxies do.
    Status { status: u16, executed: bool, headers: Vec<(HeaderName, String)> },
    /// Links the next page of a list to this address.
    ForeignNext(String),
    /// Sets so many cookies of this length, all of no use.
    Cookies { number: usize, length: usize },
    /// The body is not UTF-8.
    InvalidText,
    /// The value of a header is not UTF-8.
    InvalidHeader,
    /// Announces a body of this length.
    Announced(usize),
    /// The body has no end.
    Endless,
    /// The body is JSON within JSON, ten thousand times over.
    Deep,
    /// Answers in another protocol.
    NotHttp,
    /// The server ends with all its connections, and comes back after this time.
    Restart(Duration),
}

/// A part of what is done to a connection.
#[derive(Debug)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Byte by byte.
    Drip(Vec<u8>),
    /// Again and again.
    Repeat(Vec<u8>),
    /// Nothing, until the client goes away.
    Silence,
    Close,
    Restart(Duration),
}

impl Fault {
    pub(crate) fn status(status: u16, executed: bool) -> Self {
        Self::Status { status, executed, headers: Vec::new() }
    }

    pub(crate) fn with_header(self, name: HeaderName, value: impl Into<String>) -> Self {
        let Self::Status { status, executed, mut headers } = self else {
            panic!("{self:?} has no headers of its own");
        };
        headers.push((name, value.into()));
        Self::Status { status, executed, headers }
    }

    /// Whether the request is carried out.
    pub(crate) fn executes(&self) -> bool {
        match self {
            Self::Lost { executed }
            | Self::Stall { executed, .. }
            | Self::Status { executed, .. } => *executed,
            Self::NotHttp | Self::Restart(_) => false,
            _ => true,
        }
    }

    /// What goes over the connection; `response` is what the server would have answered, if it has
    /// carried the request out.
    pub(crate) fn steps(&self, response: Option<Response<Bytes>>) -> Vec<Step> {
        let response = self.distorted(response.unwrap_or_default());
        let (head, body) = parts(&response);
        let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
        let whole = [head.as_slice(), &body].concat();
        match self {
            Self::Lost { .. } => vec![Step::Close],
            Self::Cut(At::Head) => vec![Step::Send(half(&head)), Step::Close],
            Self::Cut(At::Body) => vec![Step::Send(head), Step::Send(half(&body)), Step::Close],
            Self::Stall { at: At::Head, .. } => vec![Step::Silence],
            Self::Stall { at: At::Body, .. } => {
                vec![Step::Send(head), Step::Send(half(&body)), Step::Silence]
            }
            Self::Drip(At::Head) => vec![Step::Drip(whole)],
            Self::Drip(At::Body) => vec![Step::Send(head), Step::Drip(body)],
            Self::Overlong => vec![Step::Send([whole.as_slice(), b"and more"].concat())],
            Self::Smuggled => {
                let other = json!({ "id": 666, "name": "smuggled", "results": [], "count": 0 });
                let mut response = Response::new(Bytes::from(other.to_string()));
                response.headers_mut().insert(header::CONTENT_TYPE, JSON);
                let (head, body) = parts(&response);
                vec![Step::Send([whole, head, body].concat())]
            }
            Self::BadChunks => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                            Transfer-Encoding: chunked\r\n\r\n";
                vec![Step::Send([head.as_bytes(), b"zz\r\n{}\r\n0\r\n\r\n"].concat()), Step::Close]
            }
            Self::Announced(length) => {
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                     Content-Length: {length}\r\n\r\n"
                );
                vec![Step::Send(head.into_bytes()), Step::Repeat(vec![b' '; 16 * 1024])]
            }
            Self::Endless => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                            Connection: close\r\n\r\n";
                vec![Step::Send(head.into()), Step::Repeat(vec![b' '; 16 * 1024])]
            }
            Self::NotHttp => vec![Step::Send(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), Step::Close],
            Self::Restart(pause) => vec![Step::Restart(*pause)],
            _ => vec![Step::Send(whole)],
        }
    }

    /// What a client over no connection at all comes to see of it.
    pub(crate) fn outcome(
        &self,
        response: Option<Response<Bytes>>,
    ) -> Result<Response<Bytes>, BackendError> {
        let kind = match self {
            Self::Lost { .. } | Self::Cut(_) | Self::Restart(_) => BackendErrorKind::Closed,
            Self::Stall { .. } | Self::Drip(_) => BackendErrorKind::Timeout,
            Self::BadChunks | Self::NotHttp => BackendErrorKind::Protocol,
            Self::Announced(_) | Self::Endless => BackendErrorKind::TooLarge,
            _ => return Ok(self.distorted(response.unwrap_or_default())),
        };
        Err(BackendError::new(kind, format!("{self:?}")))
    }

    /// The response as far as it is a response yet.
    fn distorted(&self, mut response: Response<Bytes>) -> Response<Bytes> {
        match self {
            Self::Status { status, headers, .. } => {
                let page = format!("<html><h1>{status}</h1></html>");
                response = Response::new(page.into());
                *response.status_mut() = (*status).try_into().unwrap();
                let html = HeaderValue::from_static("text/html");
                response.headers_mut().insert(header::CONTENT_TYPE, html);
                for (name, value) in headers {
                    response.headers_mut().append(name, value.parse().unwrap());
                }
            }
            Self::ForeignNext(url) => {
                if let Ok(Value::Object(mut page)) = serde_json::from_slice(response.body()) {
                    if page.contains_key("next") {
                        page["next"] = url.as_str().into();
                        page["previous"] = url.as_str().into();
                    }
                    *response.body_mut() = Value::Object(page).to_string().into();
                }
            }
            Self::Cookies { number, length } => {
                for index in 0..*number {
                    let cookie = format!("junk{index}={}; Path=/", "x".repeat(*length));
                    let headers = response.headers_mut();
                    headers.append(header::SET_COOKIE, cookie.parse().unwrap());
                }
            }
            Self::InvalidText => {
                let body = [response.body().as_ref(), b"\xff\xfe"].concat();
                *response.body_mut() = body.into();
            }
            Self::InvalidHeader => {
                let value = HeaderValue::from_bytes(b"caf\xe9 \xff").unwrap();
                response.headers_mut().append("x-served-by", value.clone());
                response.headers_mut().append(header::SET_COOKIE, value);
            }
            Self::Deep => {
                *response.body_mut() = ["[".repeat(DEPTH), "]".repeat(DEPTH)].concat().into();
            }
            _ => {}
        }
        response
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Head and body as they go over a connection.
fn parts(response: &Response<Bytes>) -> (Vec<u8>, Vec<u8>) {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in response.headers() {
        // The body may have become another.
        if name == header::CONTENT_LENGTH {
            continue;
        }
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    if status != 204 && status != 304 {
        let length = format!("content-length: {}\r\n", response.body().len());
        head.extend_from_slice(length.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    (head, response.body().to_vec())
}
