use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::response;
use crate::backend::{BackendError, BackendErrorKind, ExecuteResult};
use crate::recorded::RecordedRequest;

type Function = dyn Fn(&RecordedRequest) -> ExecuteResult + Send + Sync;

/// What comes back for a request.
#[derive(Clone)]
pub(in crate::testing) struct Answer {
    reply: Reply,
    headers: HeaderMap,
    /// Whether the body is JSON, which a header says unless another was added.
    is_json: bool,
    pub(in crate::testing) delay: Duration,
}

#[derive(Clone)]
enum Reply {
    Response(StatusCode, Bytes),
    Failure(BackendErrorKind),
    Function(Arc<Function>),
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            reply: Reply::Response(StatusCode::OK, Bytes::new()),
            headers: HeaderMap::new(),
            is_json: false,
            delay: Duration::ZERO,
        }
    }
}

impl Answer {
    pub(super) fn respond(&mut self, status: StatusCode, body: Bytes, is_json: bool) {
        self.is_json = is_json;
        self.reply = Reply::Response(status, body);
    }

    pub(super) fn fail(&mut self, kind: BackendErrorKind) {
        self.reply = Reply::Failure(kind);
    }

    pub(super) fn call(&mut self, function: Arc<Function>) {
        self.is_json = false;
        self.reply = Reply::Function(function);
    }

    pub(super) fn headers(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    pub(in crate::testing) fn to(&self, request: &RecordedRequest) -> ExecuteResult {
        match &self.reply {
            Reply::Response(status, body) => {
                let mut headers = self.headers.clone();
                if self.is_json && !headers.contains_key(header::CONTENT_TYPE) {
                    let json = HeaderValue::from_static("application/json");
                    headers.insert(header::CONTENT_TYPE, json);
                }
                response(*status, &headers, body.clone())
            }
            Reply::Failure(kind) => Err(BackendError::new(*kind, "the script says so")),
            Reply::Function(function) => function(request).map(|mut response| {
                response.headers_mut().extend(self.headers.clone());
                response
            }),
        }
    }
}

/// Bodies and headers may be secret.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reply {
            Reply::Response(status, body) => write!(f, "{status} with {} bytes", body.len()),
            Reply::Failure(kind) => write!(f, "{kind:?}"),
            Reply::Function(_) => f.write_str("by a function"),
        }
    }
}
