use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use url::form_urlencoded;

use crate::backend::{BackendError, BackendErrorKind, HttpBackend, Now};
use crate::blocking;

/// One request that a [`Scripted`] backend expects, and what it answers.
///
/// The query has to be exactly the one stated, in any order, unless
/// [any will do](Exchange::with_any_query); headers are looked at only if stated; so is the body.
#[derive(Debug, Clone)]
#[must_use = "an exchange does nothing until a script holds it"]
pub struct Exchange {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    any_query: bool,
    headers: Vec<(HeaderName, HeaderValue)>,
    json: Option<Value>,
    answer: Answer,
}

#[derive(Debug, Clone)]
enum Answer {
    Response { status: StatusCode, headers: HeaderMap, body: Bytes },
    Failure(BackendErrorKind),
}

impl Exchange {
    /// Expects this method on this path, which begins with a slash, and answers `200 OK` with an
    /// empty body unless told otherwise.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            any_query: false,
            headers: Vec::new(),
            json: None,
            answer: Answer::Response {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                body: Bytes::new(),
            },
        }
    }

    /// Expects a GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Expects a POST.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// Expects a query parameter.
    pub fn with_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Accepts other parameters beside those stated, such as the paging of a list.
    pub fn with_any_query(mut self) -> Self {
        self.any_query = true;
        self
    }

    /// Expects a header.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Expects a JSON body of this value.
    pub fn with_json(mut self, body: Value) -> Self {
        self.json = Some(body);
        self
    }

    /// Answers with this status and text.
    pub fn reply(mut self, status: StatusCode, body: impl Into<Bytes>) -> Self {
        self.answer = Answer::Response { status, headers: HeaderMap::new(), body: body.into() };
        self
    }

    /// Answers with this status and JSON.
    pub fn reply_json(self, status: StatusCode, body: &Value) -> Self {
        self.reply(status, body.to_string())
            .reply_header(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
    }

    /// Adds a header to the answer.
    pub fn reply_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if let Answer::Response { headers, .. } = &mut self.answer {
            headers.append(name, value);
        }
        self
    }

    /// Fails instead of answering.
    pub fn fail(mut self, kind: BackendErrorKind) -> Self {
        self.answer = Answer::Failure(kind);
        self
    }

    /// What is different about `request`, in words; empty if it is the one expected.
    fn differences(&self, request: &http::Request<Bytes>) -> String {
        let mut found = String::new();
        let mut differ = |what: &str, expected: &dyn fmt::Debug, seen: &dyn fmt::Debug| {
            // Writing to a `String` cannot fail.
            let _ = write!(found, "\n  {what}: expected {expected:?}, seen {seen:?}");
        };
        if request.method() != self.method {
            differ("method", &self.method, request.method());
        }
        if request.uri().path() != self.path {
            differ("path", &self.path, &request.uri().path());
        }
        let query = request.uri().query().unwrap_or_default();
        let mut seen: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut expected = self.query.clone();
        if self.any_query {
            seen.retain(|pair| expected.contains(pair));
        }
        seen.sort();
        expected.sort();
        if seen != expected {
            differ("query", &expected, &seen);
        }
        for (name, value) in &self.headers {
            if !request.headers().get_all(name).iter().any(|seen| seen == value) {
                differ(name.as_str(), value, &request.headers().get(name));
            }
        }
        if let Some(json) = &self.json {
            match serde_json::from_slice::<Value>(request.body()) {
                Ok(seen) if seen == *json => {}
                Ok(seen) => differ("body", json, &seen),
                Err(_) => differ("body", json, &request.body()),
            }
        }
        found
    }
}

/// A backend that plays a script: it expects certain requests in order and answers each as told.
///
/// A request that is not the next one fails with an error that shows the difference. When the
/// last clone is dropped while exchanges are left, or after a difference, it panics. Waiting
/// advances the clock of the script and takes no time.
///
/// A client repeats calls that failed for a passing reason; to script one failure, build it with
/// [`RetryPolicy::never`](crate::RetryPolicy::never). A list asks for a page with `_limit` and
/// `_order`:
///
/// ```
/// use http::StatusCode;
/// use keystone_client::blocking::KeystoneClient;
/// use keystone_client::testing::{Exchange, Scripted};
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let page = json!({ "count": 0, "next": null, "previous": null, "results": [] });
/// let script = Scripted::new([Exchange::get("/users/teams/")
///     .with_query("slug", "folding")
///     .with_any_query()
///     .reply_json(StatusCode::OK, &page)]);
/// let client = KeystoneClient::with_backend("http://localhost", script)?;
/// assert!(client.teams().filter(|t| t.slug.eq("folding")).all()?.is_empty());
/// # Ok(()) }
/// ```
///
/// ```
/// use http::StatusCode;
/// use keystone_client::blocking::KeystoneClient;
/// use keystone_client::testing::{Exchange, Scripted};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let script = Scripted::new([
///     Exchange::get("/version/").reply(StatusCode::BAD_GATEWAY, ""),
///     Exchange::get("/version/").reply(StatusCode::OK, "0.10.9"),
/// ]);
/// let client = KeystoneClient::with_backend("http://localhost", script.clone())?;
/// assert_eq!(client.version().send()?, "0.10.9");
/// assert_eq!(script.sleeps().len(), 1);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Scripted {
    state: Arc<State>,
}

struct State {
    started: Now,
    play: Mutex<Play>,
}

#[derive(Default)]
struct Play {
    exchanges: VecDeque<Exchange>,
    problem: Option<String>,
    sleeps: Vec<Duration>,
}

impl Scripted {
    /// The script of these exchanges.
    pub fn new(exchanges: impl IntoIterator<Item = Exchange>) -> Self {
        let play = Play { exchanges: exchanges.into_iter().collect(), ..Play::default() };
        Self { state: Arc::new(State { started: Now::system(), play: Mutex::new(play) }) }
    }

    /// The waits so far, in order.
    pub fn sleeps(&self) -> Vec<Duration> {
        self.state.play().sleeps.clone()
    }

    fn answer(
        &self,
        request: &http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        let mut play = self.state.play();
        let seen = format!("{} {}", request.method(), request.uri().path());
        let problem = match play.exchanges.pop_front() {
            None => format!("the script is over, but there is one more request: {seen}"),
            Some(exchange) => match exchange.differences(request) {
                same if same.is_empty() => return exchange.answer.into_result(),
                differences => format!("{seen} is not the next request:{differences}"),
            },
        };
        play.problem.get_or_insert_with(|| problem.clone());
        Err(BackendError::new(BackendErrorKind::Request, problem))
    }

    fn record_sleep(&self, duration: Duration) {
        self.state.play().sleeps.push(duration);
    }

    fn read_clock(&self) -> Now {
        let slept: Duration = self.state.play().sleeps.iter().sum();
        let started = self.state.started;
        Now { wall: started.wall + slept, monotonic: started.monotonic + slept }
    }
}

impl Answer {
    fn into_result(self) -> Result<http::Response<Bytes>, BackendError> {
        match self {
            Self::Response { status, headers, body } => {
                let mut response = http::Response::new(body);
                *response.status_mut() = status;
                *response.headers_mut() = headers;
                Ok(response)
            }
            Self::Failure(kind) => Err(BackendError::new(kind, "the script says so")),
        }
    }
}

impl State {
    fn play(&self) -> MutexGuard<'_, Play> {
        self.play.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for State {
    #[allow(clippy::panic, reason = "a script that was not followed has to fail the test")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let play = self.play();
        if let Some(problem) = &play.problem {
            panic!("{problem}");
        }
        if let Some(next) = play.exchanges.front() {
            let left = play.exchanges.len();
            panic!("{left} requests did not come, the first is {} {}", next.method, next.path);
        }
    }
}

impl HttpBackend for Scripted {
    async fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        self.answer(&request)
    }

    async fn sleep(&self, duration: Duration) {
        self.record_sleep(duration);
    }

    fn now(&self) -> Now {
        self.read_clock()
    }
}

impl blocking::HttpBackend for Scripted {
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        self.answer(&request)
    }

    fn sleep(&self, duration: Duration) {
        self.record_sleep(duration);
    }

    fn now(&self) -> Now {
        self.read_clock()
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let play = self.state.play();
        f.debug_struct("Scripted")
            .field("exchanges_left", &play.exchanges.len())
            .field("sleeps", &play.sleeps)
            .finish_non_exhaustive()
    }
}
