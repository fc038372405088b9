//! What was asked of the server.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};

use crate::sandbox::faults::Fault;

/// A request that the sandbox answered.
///
/// Its `Debug` form shows neither bodies nor the values of headers and parameters, which may be
/// secret; the methods give everything.
#[derive(Clone)]
pub struct RecordedRequest {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Bytes,
    status: Option<StatusCode>,
    fault: Option<String>,
}

impl RecordedRequest {
    pub(crate) fn new(
        request: Request<Bytes>,
        status: Option<StatusCode>,
        fault: Option<&Fault>,
    ) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            body,
            status,
            fault: fault.map(ToString::to_string),
        }
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

    /// The headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body of the request.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The status that the server answered with, whether or not the answer arrived; `None` if a fault
    /// kept the request from being answered.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The [`Fault`] that the request met, in words.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = self.query.as_deref().unwrap_or_default();
        let parameters: Vec<String> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, _)| name.into_owned())
            .collect();
        let headers: Vec<&str> = self.headers.keys().map(http::HeaderName::as_str).collect();
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
