use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::Value;

use super::both_backends;
use super::clock::VirtualClock;
use super::exchange::response;
use crate::backend::{ExecuteResult, HttpBackend, Now};
use crate::blocking;
use crate::recorded::RecordedRequest;

/// A backend that keeps what is sent, for a test to look at, and lets another answer.
///
/// A clone is another handle to the same requests.
///
/// ```
/// use keystone_client::blocking::KeystoneClient;
/// use keystone_client::resources::{NewTeam, Team};
/// use keystone_client::testing::{Capture, Fixture};
/// use http::StatusCode;
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sent = Capture::json(StatusCode::CREATED, &Team::fixture_json(7));
/// let client = KeystoneClient::with_backend("https://keystone.example.edu", sent.clone())?;
/// client.create_team(NewTeam::new("Folding")).send()?;
///
/// let request = sent.only();
/// assert_eq!(request.path(), "/users/teams/");
/// assert_eq!(request.json(), Some(json!({ "name": "Folding" })));
/// # Ok(()) }
/// ```
pub struct Capture<B = FixedAnswer> {
    inner: Arc<B>,
    requests: Arc<Mutex<Requests>>,
}

/// What was sent and not taken yet, by numbers that go on.
#[derive(Default)]
struct Requests {
    next: u64,
    kept: BTreeMap<u64, RecordedRequest>,
}

/// The inner backend of a [`Capture`] that answers all requests alike. Waiting takes no time.
pub struct FixedAnswer {
    clock: VirtualClock,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Capture {
    /// Answers each request with this status and text.
    pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let (clock, headers) = (VirtualClock::new(), HeaderMap::new());
        Self::new(FixedAnswer { clock, status, headers, body: body.into() })
    }

    /// Answers each request with this status and JSON.
    pub fn json(status: StatusCode, body: &Value) -> Self {
        let (clock, body) = (VirtualClock::new(), body.to_string().into());
        let json = HeaderValue::from_static("application/json");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, json)]);
        Self::new(FixedAnswer { clock, status, headers, body })
    }
}

impl<B> Capture<B> {
    /// Lets `inner` answer: any backend, or a [sandbox](crate::sandbox).
    pub fn new(inner: B) -> Self {
        Self { inner: Arc::new(inner), requests: Arc::default() }
    }

    /// The requests so far, in the order in which they were sent.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.kept().kept.values().cloned().collect()
    }

    /// The requests since this was called last. One that is under way has no status, then or later.
    pub fn take(&self) -> Vec<RecordedRequest> {
        std::mem::take(&mut self.kept().kept).into_values().collect()
    }

    /// The one request so far.
    ///
    /// # Panics
    ///
    /// If there was none, or more than one; the message lists them.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion")]
    pub fn only(&self) -> RecordedRequest {
        let requests = self.requests();
        match <[RecordedRequest; 1]>::try_from(requests) {
            Ok([request]) => request,
            Err(requests) => {
                let lines: Vec<String> = requests
                    .iter()
                    .map(|request| format!("\n  {} {}", request.method(), request.path()))
                    .collect();
                panic!("there were {} requests and not one:{}", lines.len(), lines.concat());
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a request, and returns its number.
    fn keep(&self, request: &http::Request<Bytes>) -> u64 {
        let mut requests = self.kept();
        let number = requests.next;
        requests.next += 1;
        requests.kept.insert(number, RecordedRequest::new(request.clone()));
        number
    }

    /// Notes the status of an answer, unless the request was taken meanwhile.
    fn answered(&self, number: u64, result: &ExecuteResult) {
        if let (Some(request), Ok(response)) = (self.kept().kept.get_mut(&number), result) {
            *request = request.clone().answered(response.status());
        }
    }
}

impl<B> Clone for Capture<B> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), requests: Arc::clone(&self.requests) }
    }
}

impl<B: HttpBackend> HttpBackend for Capture<B> {
    async fn execute(&self, request: http::Request<Bytes>) -> ExecuteResult {
        let number = self.keep(&request);
        let result = self.inner.execute(request).await;
        self.answered(number, &result);
        result
    }

    async fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration).await;
    }

    fn now(&self) -> Now {
        self.inner.now()
    }
}

impl<B: blocking::HttpBackend> blocking::HttpBackend for Capture<B> {
    fn execute(&self, request: http::Request<Bytes>) -> ExecuteResult {
        let number = self.keep(&request);
        let result = self.inner.execute(request);
        self.answered(number, &result);
        result
    }

    fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration);
    }

    fn now(&self) -> Now {
        self.inner.now()
    }
}

impl FixedAnswer {
    fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    fn answer(&self, _request: &http::Request<Bytes>) -> ExecuteResult {
        response(self.status, &self.headers, self.body.clone())
    }
}

both_backends!(FixedAnswer);

impl fmt::Debug for FixedAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedAnswer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Shows of the requests what their own `Debug` form shows.
impl<B> fmt::Debug for Capture<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("requests", &self.requests()).finish_non_exhaustive()
    }
}
