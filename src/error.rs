//! The one error type.

mod classify;
mod explanation;
mod kind;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use uuid::Uuid;

pub(crate) use self::classify::Carried;
pub(crate) use self::explanation::Explanation;
pub use self::kind::ErrorKind;
use crate::backend::{BackendError, BackendErrorKind};
use crate::batch::{BatchFailure, FailedStep};
use crate::request::{Operation, Origin, RequestParts, Response};

/// Why a call failed: what happened, to which call, what is known about its effect.
///
/// [`kind`](Self::kind) is for programs to decide by, and each [`ErrorKind`] says what to do about it.
/// `{error}` is one line for people, `{error:#}` adds the causes.
///
/// ```
/// use keystone_client::{Id, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Sandbox::new().blocking_client()?;
/// client.login("admin", "admin-password")?;
///
/// let error = client.clusters().retrieve(Id::new(999)).send().unwrap_err();
/// assert!(error.is_not_found());
/// assert_eq!(error.status().map(|status| status.as_u16()), Some(404));
/// assert_eq!(
///     error.to_string(),
///     "retrieve cluster: no such record (404): No Cluster matches the given query."
/// );
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Operation,
    method: Option<Method>,
    path: Option<String>,
    status: Option<StatusCode>,
    attempts: u32,
    may_have_been_sent: bool,
    retry_after: Option<Duration>,
    correlation_id: Option<Uuid>,
    /// What the client has to say.
    note: Option<Cow<'static, str>>,
    /// What the server had to say.
    explanation: Explanation,
    /// By what a batch job failed.
    failure: Option<BatchFailure>,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// More than this nobody reads in one line.
const NOTE_LIMIT: usize = 1_000;

/// The beginning of a text of any length.
pub(crate) fn shortened(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl Inner {
    /// The status that says what happened: for a failed job that of the step.
    fn failure_status(&self) -> Option<StatusCode> {
        match &self.failure {
            Some(BatchFailure::Step(step)) => step.status,
            _ => self.status,
        }
    }
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, operation: Operation) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            method: None,
            path: None,
            status: None,
            attempts: 0,
            may_have_been_sent: false,
            retry_after: None,
            correlation_id: None,
            note: None,
            explanation: Explanation::Empty,
            failure: None,
            source: None,
        }))
    }

    /// The last failure of the transport on the way to `server`.
    pub(crate) fn from_backend(error: BackendError, origin: &Origin, server: &str) -> Self {
        let kind = match error.kind() {
            BackendErrorKind::Request => ErrorKind::InvalidRequest,
            BackendErrorKind::Connect => ErrorKind::Connect,
            BackendErrorKind::Timeout => ErrorKind::Timeout,
            BackendErrorKind::TooLarge => ErrorKind::TooLarge,
            _ => ErrorKind::Transport,
        };
        let new = Self::new(kind, origin.operation).with_origin(origin);
        // The kinds are the same in other words, so the cause of the one is that of the other.
        let source = error.into_source();
        match kind {
            // A sentence about what to change, for whoever wrote the program.
            ErrorKind::InvalidRequest => new.with_note(source.to_string()),
            _ => new.with_note(server.to_owned()).with_boxed_source(source),
        }
    }

    pub(crate) fn with_origin(mut self, origin: &Origin) -> Self {
        self.0.method = Some(origin.method.clone());
        self.0.path = Some(origin.path.clone());
        self.0.attempts = origin.attempts;
        self.0.correlation_id = Some(origin.correlation_id);
        self.0.may_have_been_sent = origin.in_doubt;
        self
    }

    /// The failure of the call of `origin` because something that it needed first has failed so.
    pub(crate) fn prevents(self, origin: &Origin, note: &'static str) -> Self {
        let mut error = Self::new(self.kind(), origin.operation).with_origin(origin);
        error.0.status = self.0.status;
        error.0.retry_after = self.0.retry_after;
        error.0.explanation = self.0.explanation.clone();
        match &self.0.note {
            // Where nothing was sent, the reason is all there is to tell.
            Some(reason) if self.0.attempts == 0 => error.with_note(format!("{note}: {reason}")),
            _ => error.with_note(note).with_source(self),
        }
    }

    /// The failure of a job, which the server answered so, by that of one of its steps.
    pub(crate) fn of_job(job: &Response, own: Self, failure: BatchFailure) -> Self {
        let mut error = job.error(own.kind());
        error.0.retry_after = own.0.retry_after;
        error.0.note = own.0.note;
        error.0.explanation = own.0.explanation;
        error.0.failure = Some(failure);
        error
    }

    /// The failure of a step as it would be told of the same call by itself.
    pub(crate) fn into_step(mut self, call: &RequestParts) -> Self {
        if let Some(BatchFailure::Step(step)) = self.0.failure.take() {
            self.0.operation = step.operation;
            self.0.status = step.status.or(self.0.status);
            self.0.method = Some(call.method.clone());
            self.0.path = Some(call.path.clone());
        }
        self
    }

    /// The failure of a job that was not sent, because of what is wrong with one of its steps.
    pub(crate) fn within_job(self, job: Operation, step: FailedStep) -> Self {
        let mut error = Self::new(self.kind(), job);
        error.0.note = self.0.note;
        error.0.source = self.0.source;
        error.0.failure = Some(BatchFailure::Step(step));
        error
    }

    pub(crate) fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        // Refusals are certain; a server that failed, or a proxy, may have done anything, and one that
        // says where to see what has come of a call has carried it out.
        self.0.may_have_been_sent |=
            status.is_success() || status.is_server_error() || status == StatusCode::SEE_OTHER;
        self
    }

    /// Says that nothing was written, whatever has become of the request.
    pub(crate) fn without_effect(mut self) -> Self {
        self.0.may_have_been_sent = false;
        self
    }

    /// Says that something may have been written, whatever has become of the last request.
    pub(crate) fn with_effect(mut self) -> Self {
        self.0.may_have_been_sent = true;
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    pub(crate) fn with_note(mut self, note: impl Into<Cow<'static, str>>) -> Self {
        let note = note.into();
        // Some of it can be what a server said.
        let is_long = note.len() > NOTE_LIMIT;
        self.0.note = Some(if is_long { shortened(&note, NOTE_LIMIT).into() } else { note });
        self
    }

    /// Says more, after what is said already.
    pub(crate) fn with_remark(self, remark: &str) -> Self {
        let note = match &self.0.note {
            Some(note) => format!("{note}; {remark}"),
            None => remark.to_owned(),
        };
        self.with_note(note)
    }

    pub(crate) fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    fn with_boxed_source(mut self, source: Box<dyn StdError + Send + Sync>) -> Self {
        self.0.source = Some(Arc::from(source));
        self
    }

    /// What happened.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What the call was about: `create cluster`.
    pub fn operation(&self) -> Operation {
        self.0.operation
    }

    /// The HTTP method; `None` if the call was refused before it had one.
    pub fn method(&self) -> Option<&Method> {
        self.0.method.as_ref()
    }

    /// The path relative to the base URL, without the query; `None` as for [`method`](Self::method).
    pub fn path(&self) -> Option<&str> {
        self.0.path.as_deref()
    }

    /// The HTTP status, kept whatever the body was; `None` where no answer came.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// How often the call was sent: 0 if it was refused before that.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long the server asked to wait, or until the client's budget allows the next call.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The correlation id under which the server logged the call.
    pub fn correlation_id(&self) -> Option<Uuid> {
        self.0.correlation_id
    }

    /// Whether the server may have carried the call out. `false` is certain: a write that failed
    /// so can be repeated.
    pub fn may_have_been_sent(&self) -> bool {
        self.0.may_have_been_sent
    }

    /// The server's explanation in one sentence, if it gave one.
    pub fn detail(&self) -> Option<&str> {
        self.0.explanation.detail()
    }

    /// What the server has against each field, `non_field_errors` for rules over several fields.
    /// Nested fields are joined with dots.
    pub fn field_errors(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.explanation.fields().iter().map(|(name, list)| (name.as_str(), list.as_slice()))
    }

    /// The server's explanation as JSON, whatever its shape.
    pub fn body_json(&self) -> Option<&serde_json::Value> {
        self.0.explanation.json()
    }

    /// The beginning of an answer that was not JSON, 2,000 characters at most. It may be an HTML
    /// page; do not show it to people unasked.
    pub fn body_text(&self) -> Option<&str> {
        self.0.explanation.text()
    }

    /// By which step or reference a batch job failed. Nothing was kept of what that attempt had done; if
    /// there were earlier ones that may have been carried out,
    /// [`may_have_been_sent`](Self::may_have_been_sent) says so.
    pub fn batch_failure(&self) -> Option<&BatchFailure> {
        self.0.failure.as_ref()
    }

    /// The server says that there is such a record already: a name is taken, or a pair of keys.
    pub(crate) fn is_not_unique(&self) -> bool {
        let complains = |text: &String| {
            text.ends_with("already exists.") || text.ends_with("must make a unique set.")
        };
        self.kind() == ErrorKind::Validation
            && self.field_errors().any(|(_, complaints)| complaints.iter().any(complains))
    }

    /// Whether there is no such record, or none that the user may see.
    pub fn is_not_found(&self) -> bool {
        self.kind() == ErrorKind::NotFound
    }

    /// Whether a login would help: there is none, or it has ended.
    pub fn is_unauthenticated(&self) -> bool {
        matches!(self.kind(), ErrorKind::NotLoggedIn | ErrorKind::SessionExpired)
    }

    /// Whether the user may not do this.
    pub fn is_denied(&self) -> bool {
        self.kind() == ErrorKind::Denied
    }

    /// Whether there were too many calls; [`retry_after`](Self::retry_after) says how long to wait.
    pub fn is_throttled(&self) -> bool {
        self.kind() == ErrorKind::Throttled
    }

    /// Whether the server rejected what this field was to be, by its name on the wire.
    pub fn is_validation(&self, field: &str) -> bool {
        self.kind() == ErrorKind::Validation && self.field_errors().any(|(name, _)| name == field)
    }

    /// Whether the time ran out.
    pub fn is_timeout(&self) -> bool {
        self.kind() == ErrorKind::Timeout
    }

    /// Whether the same call may succeed later without anything being changed.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport | ErrorKind::Throttled
        ) || self.status().is_some_and(|status| matches!(status.as_u16(), 502..=504))
    }
}

/// One line: the call, what happened, the status, and the server's explanation; with `{:#}` also
/// the causes, which for a failed connection say why.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        match &inner.path {
            // The generic calls are known by their path.
            Some(path) if inner.operation.is_generic() => write!(f, "{} {path}", inner.operation)?,
            _ => write!(f, "{}", inner.operation)?,
        }
        if let Some(failure) = &inner.failure {
            write!(f, ": {failure}")?;
        }
        write!(f, ": {}", inner.kind.describe())?;
        // A list that was answered well, but has not one record.
        let is_answered = matches!(inner.kind, ErrorKind::NotFound | ErrorKind::Ambiguous);
        let status = inner.failure_status();
        if let Some(status) = status.filter(|status| !(is_answered && status.is_success())) {
            write!(f, " ({})", status.as_u16())?;
        }
        if inner.attempts > 1 {
            write!(f, " after {} attempts", inner.attempts)?;
        }
        if let Some(note) = &inner.note {
            write!(f, ": {note}")?;
        }
        inner.explanation.summarise(f)?;
        if inner.failure.is_some() && inner.attempts > 0 && !inner.may_have_been_sent {
            f.write_str("; everything was rolled back")?;
        }
        if let Some(wait) = inner.retry_after {
            write!(f, "; try again in {} s", wait.as_secs())?;
        }
        if f.alternate() {
            let mut cause = StdError::source(self);
            while let Some(error) = cause {
                write!(f, ": {error}")?;
                cause = error.source();
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("message", &self.to_string())
            .field("method", &inner.method)
            .field("path", &inner.path)
            .field("status", &inner.status)
            .field("attempts", &inner.attempts)
            .field("may_have_been_sent", &inner.may_have_been_sent)
            .field("correlation_id", &inner.correlation_id)
            .field("source", &inner.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

const _: () = {
    const fn assert_shareable<T: Send + Sync + 'static>() {}
    assert_shareable::<Error>();
    assert!(size_of::<Error>() == size_of::<usize>());
};
