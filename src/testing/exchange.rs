mod answer;
mod expectation;
mod times;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::Value;
use url::form_urlencoded;

pub(super) use self::answer::Answer;
use self::expectation::Expectation;
pub use self::times::Times;
use super::difference::Differences;
use crate::backend::{BackendError, BackendErrorKind, ExecuteResult};
use crate::recorded::RecordedRequest;

/// One request that a [`Scripted`](super::Scripted) backend expects, and what it answers.
///
/// The query has to be exactly the one stated, in any order, unless
/// [any will do](Exchange::with_any_query); headers are looked at only if stated; so is the body.
/// It is expected once unless [told otherwise](Exchange::times).
///
/// ```
/// use http::StatusCode;
/// use keystone_client::blocking::KeystoneClient;
/// use keystone_client::resources::{NewTeam, Team};
/// use keystone_client::testing::{Exchange, Fixture, Scripted};
/// use serde_json::json;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let script = Scripted::new([
///     Exchange::post("/users/teams/")
///         .with_json_containing(json!({ "name": "Folding" }))
///         .reply_json(StatusCode::CREATED, &Team::fixture_json(7)),
///     Exchange::delete("/users/teams/*/").times(1..).reply(StatusCode::NO_CONTENT, ""),
/// ]);
/// let client = KeystoneClient::with_backend("http://localhost", script.clone())?;
/// let team = client.create_team(NewTeam::new("Folding").is_active(true)).send()?;
/// client.delete_team(team.id).send()?;
/// script.verify();
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "an exchange does nothing until a script holds it"]
pub struct Exchange {
    expectation: Expectation,
    times: Times,
    answer: Answer,
}

impl Exchange {
    /// Expects this method on this path, which begins with a slash, and answers `200 OK` with an
    /// empty body unless told otherwise. A segment of the path that is `*` stands for any. A query
    /// behind the path is one that [has to be there](Self::with_query).
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        let path = path.into();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let mut expectation = Expectation::new(method, path.to_owned());
        expectation.query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { expectation, times: Times::ONCE, answer: Answer::default() }
    }

    /// Expects a GET.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Expects a POST.
    pub fn post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// Expects a PUT.
    pub fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// Expects a PATCH.
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new(Method::PATCH, path)
    }

    /// Expects a DELETE.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Expects a query parameter.
    pub fn with_query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.expectation.query.push((name.into(), value.into()));
        self
    }

    /// Accepts other parameters beside those stated, such as the paging of a list.
    pub fn with_any_query(mut self) -> Self {
        self.expectation.any_query = true;
        self
    }

    /// Expects a header.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.expectation.headers.push((name, Some(value)));
        self
    }

    /// Expects that there is no such header.
    pub fn without_header(mut self, name: HeaderName) -> Self {
        self.expectation.headers.push((name, None));
        self
    }

    /// Expects a JSON body of this value.
    pub fn with_json(mut self, body: Value) -> Self {
        self.expectation.expect_json(body, false);
        self
    }

    /// Expects a JSON body that has these members; its objects may have others, at any depth. Lists
    /// have to be as long as the ones stated.
    pub fn with_json_containing(mut self, body: Value) -> Self {
        self.expectation.expect_json(body, true);
        self
    }

    /// Expects a form, URL-encoded or multipart, with this field. The form has to have exactly the
    /// fields and files stated, in any order, unless [any will do](Self::with_any_fields). A value
    /// that is JSON, such as the `job` of a batch job with files, is compared as JSON.
    pub fn with_field(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.expectation.expect_form(|form| form.fields.push((name.into(), value.into())));
        self
    }

    /// Expects a multipart form with this file.
    pub fn with_file(
        mut self,
        name: impl Into<String>,
        file_name: impl Into<String>,
        content: impl Into<Bytes>,
    ) -> Self {
        let file = (name.into(), file_name.into(), content.into());
        self.expectation.expect_form(|form| form.files.push(file));
        self
    }

    /// Accepts other fields and files of the form beside those stated.
    pub fn with_any_fields(mut self) -> Self {
        self.expectation.expect_form(|form| form.any = true);
        self
    }

    /// Expects a body of exactly these bytes; of none for no body.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Self {
        self.expectation.expect_bytes(body.into());
        self
    }

    /// Expects that `holds` is true of the request. `what` says in the message what it demands.
    ///
    /// ```
    /// # use keystone_client::testing::Exchange;
    /// let exchange = Exchange::get("/users/teams/")
    ///     .with_any_query()
    ///     .with("a page of at most 50", |request| {
    ///         request.parameter("_limit").is_some_and(|limit| limit.parse().is_ok_and(|it: u32| it <= 50))
    ///     });
    /// ```
    pub fn with(
        mut self,
        what: impl Into<String>,
        holds: impl Fn(&RecordedRequest) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.expectation.checks.push((what.into(), Arc::new(holds)));
        self
    }

    /// Expects the request so many times: `3`, `1..`, `0..=2` or `..`; 0 for one that must not come.
    pub fn times(mut self, times: impl Into<Times>) -> Self {
        self.times = times.into();
        self
    }

    /// Expects the request any number of times, but once at least.
    pub fn at_least_once(self) -> Self {
        self.times(1..)
    }

    /// Accepts the request any number of times; none will do.
    pub fn any_times(self) -> Self {
        self.times(..)
    }

    /// Accepts the request once or not at all.
    pub fn optional(self) -> Self {
        self.times(0..=1)
    }

    /// Answers with this status and text.
    pub fn reply(mut self, status: StatusCode, body: impl Into<Bytes>) -> Self {
        self.answer.respond(status, body.into(), false);
        self
    }

    /// Answers with this status and JSON.
    pub fn reply_json(mut self, status: StatusCode, body: &Value) -> Self {
        self.answer.respond(status, body.to_string().into(), true);
        self
    }

    /// Adds a header to the answer, whether that is stated before or after it.
    pub fn reply_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.answer.headers().append(name, value);
        self
    }

    /// Answers by a function, which is called for each request.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use keystone_client::testing::Exchange;
    ///
    /// let echo = Exchange::post("/echo/")
    ///     .any_times()
    ///     .reply_with(|request| Ok(http::Response::new(request.body().clone())));
    /// # let _: Bytes = Bytes::new();
    /// ```
    pub fn reply_with(
        mut self,
        answer: impl Fn(&RecordedRequest) -> Result<http::Response<Bytes>, BackendError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.answer.call(Arc::new(answer));
        self
    }

    /// Fails instead of answering.
    pub fn fail(mut self, kind: BackendErrorKind) -> Self {
        self.answer.fail(kind);
        self
    }

    /// Answers so much later, by the clock of the script; a test does not wait. If it is later than
    /// the request may take, the answer is that it [timed out](BackendErrorKind::Timeout).
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.answer.delay = delay;
        self
    }

    pub(super) fn wanted(&self) -> Times {
        self.times
    }

    pub(super) fn answer(&self) -> &Answer {
        &self.answer
    }

    pub(super) fn differences(&self, request: &RecordedRequest) -> Differences {
        self.expectation.differences(request)
    }

    /// How much it demands of a request, to choose between those that fit.
    pub(super) fn strictness(&self) -> usize {
        self.expectation.strictness()
    }

    /// The method and the path, with what is stated of the query.
    pub(super) fn summary(&self) -> String {
        self.expectation.summary()
    }
}

/// Shows nothing that may be secret.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("request", &self.summary())
            .field("times", &self.times)
            .field("answer", &self.answer)
            .finish_non_exhaustive()
    }
}

/// A header as an answer has it, for those who build one by hand.
pub(super) fn response(status: StatusCode, headers: &HeaderMap, body: Bytes) -> ExecuteResult {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(headers.clone());
    Ok(response)
}
