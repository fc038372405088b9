//! What the server answers, before it becomes an HTTP response.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};

use crate::sandbox::json::{Json, Name};

static SERVER_ERROR: &str = include_str!("pages/500.html");
static NOT_FOUND: &str = include_str!("pages/404.html");
static BAD_REQUEST: &str = include_str!("pages/400.html");
static FORBIDDEN: &str = include_str!("pages/403.html");

/// Messages by field, in the order of the fields.
pub(crate) type FieldErrors = Vec<(Name, Vec<String>)>;

/// A refusal.
#[derive(Debug)]
pub(crate) enum Failure {
    /// `{"detail": …}`
    Detail(StatusCode, String),
    /// 401, with whatever else the body says beside the detail.
    Unauthenticated(Json),
    /// Any other body of JSON.
    Body(StatusCode, Json),
    /// 400 with messages by field.
    Fields(FieldErrors),
    /// 400 with a bare list of messages.
    Messages(Vec<String>),
    /// 429, and the seconds to wait.
    Throttled(u64),
    /// The small HTML page for an internal error.
    ServerError,
    /// The small HTML page for a request the framework refuses.
    BadRequestPage,
}

impl Failure {
    pub(crate) fn detail(status: StatusCode, text: impl Into<String>) -> Self {
        Self::Detail(status, text.into())
    }

    pub(crate) fn forbidden() -> Self {
        let text = "You do not have permission to perform this action.";
        Self::detail(StatusCode::FORBIDDEN, text)
    }

    pub(crate) fn not_found() -> Self {
        Self::detail(StatusCode::NOT_FOUND, "Not found.")
    }

    pub(crate) fn method_not_allowed(method: &str) -> Self {
        let text = format!("Method \"{method}\" not allowed.");
        Self::detail(StatusCode::METHOD_NOT_ALLOWED, text)
    }

    pub(crate) fn field(name: &'static str, message: impl Into<String>) -> Self {
        Self::Fields(vec![(Name::Borrowed(name), vec![message.into()])])
    }

    pub(crate) fn non_field(message: impl Into<String>) -> Self {
        Self::field("non_field_errors", message)
    }
}

/// The body of a reply.
#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    /// Empty, yet with the content type of a page.
    EmptyPage,
    Json(Json),
    Text(&'static str, String),
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Body,
    pub(crate) headers: HeaderMap,
}

impl Reply {
    pub(crate) fn new(status: StatusCode, body: Body) -> Self {
        Self { status, body, headers: HeaderMap::new() }
    }

    pub(crate) fn json(status: StatusCode, body: Json) -> Self {
        Self::new(status, Body::Json(body))
    }

    pub(crate) fn ok(body: Json) -> Self {
        Self::json(StatusCode::OK, body)
    }

    fn page(status: StatusCode, page: &str) -> Self {
        Self::new(status, Body::Text("text/html; charset=utf-8", page.to_owned()))
    }

    /// The HTML page for a path without a route.
    pub(crate) fn unknown_route() -> Self {
        Self::page(StatusCode::NOT_FOUND, NOT_FOUND)
    }

    /// The HTML page for an internal error.
    pub(crate) fn server_error() -> Self {
        Self::page(StatusCode::INTERNAL_SERVER_ERROR, SERVER_ERROR)
    }

    /// The HTML page for an unsafe method outside the API.
    pub(crate) fn csrf_page() -> Self {
        Self::page(StatusCode::FORBIDDEN, FORBIDDEN)
    }

    pub(crate) fn moved(location: &str) -> Self {
        Self::new(StatusCode::MOVED_PERMANENTLY, Body::EmptyPage).with(header::LOCATION, location)
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        self.add(name, value);
        self
    }

    /// Adds a header; a value that is no header value is left out.
    pub(crate) fn add(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            self.headers.append(name, value);
        }
    }

    /// Adds a header that is always the same.
    pub(crate) fn add_static(&mut self, name: HeaderName, value: &'static str) {
        self.headers.append(name, HeaderValue::from_static(value));
    }

    /// The body as it is sent.
    pub(crate) fn bytes(&self) -> Bytes {
        match &self.body {
            Body::Empty | Body::EmptyPage => Bytes::new(),
            Body::Json(json) => {
                // Most answers fit, which saves copies.
                let mut bytes = Vec::with_capacity(4096);
                match serde_json::to_writer(&mut bytes, json) {
                    Ok(()) => Bytes::from(bytes),
                    Err(_) => Bytes::new(),
                }
            }
            Body::Text(_, text) => Bytes::copy_from_slice(text.as_bytes()),
        }
    }

    /// The HTTP response; for a HEAD request without the body it describes.
    pub(crate) fn into_response(self, head: bool) -> Response<Bytes> {
        let body = self.bytes();
        let content_type = match self.body {
            Body::Empty => None,
            Body::EmptyPage => Some("text/html; charset=utf-8"),
            Body::Json(_) => Some("application/json"),
            Body::Text(content_type, _) => Some(content_type),
        };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let headers = response.headers_mut();
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if self.status != StatusCode::NO_CONTENT {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        if !head {
            *response.body_mut() = body;
        }
        response
    }
}

/// Messages as they are sent.
pub(crate) fn messages(texts: Vec<String>) -> Json {
    Json::List(texts.into_iter().map(Json::Text).collect())
}

/// Messages by field as they are sent.
pub(crate) fn by_field(errors: FieldErrors) -> Json {
    Json::Object(errors.into_iter().map(|(name, texts)| (name, messages(texts))).collect())
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Detail(status, text) => {
                Self::json(status, Json::object([("detail", Json::Text(text))]))
            }
            Failure::Unauthenticated(body) => Self::json(StatusCode::UNAUTHORIZED, body),
            Failure::Body(status, body) => Self::json(status, body),
            Failure::Fields(errors) => Self::json(StatusCode::BAD_REQUEST, by_field(errors)),
            Failure::Messages(texts) => Self::json(StatusCode::BAD_REQUEST, messages(texts)),
            Failure::Throttled(seconds) => {
                let unit = if seconds == 1 { "second" } else { "seconds" };
                let text =
                    format!("Request was throttled. Expected available in {seconds} {unit}.");
                let detail = Failure::detail(StatusCode::TOO_MANY_REQUESTS, text);
                Self::from(detail).with(header::RETRY_AFTER, &seconds.to_string())
            }
            Failure::ServerError => Self::server_error(),
            Failure::BadRequestPage => Self::page(StatusCode::BAD_REQUEST, BAD_REQUEST),
        }
    }
}
