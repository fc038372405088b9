//! Heads of requests that the server behind the application refuses: uvicorn in the session dialect,
//! gunicorn in the JWT dialect. What is no HTTP at all does not come here.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};

use crate::sandbox::Dialect;

/// The longest head that uvicorn reads.
const SESSION_MAX_HEAD: usize = 64 * 1024;

/// The limits of gunicorn: of the first line, of each header, of their number.
const JWT_MAX_LINE: usize = 4094;
const JWT_MAX_HEADER: usize = 8190;
const JWT_MAX_HEADERS: usize = 100;

/// The answer to a request that does not reach the application.
pub(super) fn refusal<B>(dialect: Dialect, request: &Request<B>) -> Option<Response<Bytes>> {
    match dialect {
        Dialect::Session => session_refusal(request),
        Dialect::Jwt => jwt_refusal(request),
    }
}

fn session_refusal<B>(request: &Request<B>) -> Option<Response<Bytes>> {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    let lacks_host = request.version() == Version::HTTP_11 && hosts == 0;
    let target = target(request);
    let mut length = target.len();
    for (name, value) in request.headers() {
        length = length.saturating_add(name.as_str().len()).saturating_add(value.len());
    }
    let is_refused = lacks_host || hosts > 1 || length > SESSION_MAX_HEAD || !target.is_ascii();
    if is_refused {
        return Some(close(StatusCode::BAD_REQUEST, "Invalid HTTP request received."));
    }
    // It has a target of its own kind, to which no path leads.
    let is_connect = *request.method() == Method::CONNECT;
    is_connect.then(|| close(StatusCode::NOT_FOUND, ""))
}

fn jwt_refusal<B>(request: &Request<B>) -> Option<Response<Bytes>> {
    let has_lower_case = request.method().as_str().bytes().any(|it| it.is_ascii_lowercase());
    if has_lower_case || target(request).len() > JWT_MAX_LINE {
        return Some(close(StatusCode::BAD_REQUEST, "Bad Request"));
    }
    let headers = request.headers();
    let is_too_long = headers
        .iter()
        .any(|(name, value)| name.as_str().len().saturating_add(value.len()) > JWT_MAX_HEADER);
    if is_too_long || headers.len() > JWT_MAX_HEADERS {
        return Some(close(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "Bad Request"));
    }
    let is_connect = *request.method() == Method::CONNECT;
    is_connect.then(|| close(StatusCode::NOT_FOUND, ""))
}

fn target<B>(request: &Request<B>) -> &str {
    request.uri().path_and_query().map_or("", |target| target.as_str())
}

/// A response after which the connection is closed.
pub(super) fn close(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
