use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;

use super::format::{Cassette, CassetteError, Entry, Failure};
use super::redaction::Redaction;
use super::redactor::Redactor;
use crate::backend::{BackendErrorKind, ExecuteResult, HttpBackend, Now};
use crate::blocking;
use crate::recorded::RecordedRequest;

/// A backend that lets another answer, and writes down in a file what was asked and answered: a
/// cassette, from which [`Replay`](super::Replay) answers later.
///
/// Secrets and personal data are replaced before anything is written, see [`Redaction`]; what the
/// program gets while it is recorded is not changed. Everything is redacted together, so that a secret
/// that shows late is left out of what came before as well; until then it is in memory.
/// [`save`](Recorder::save) writes the file, in the place of what was there. Without it the last clone
/// writes it when it is dropped, and panics if it cannot; not while the thread panics, as a test that
/// fails midway has recorded half of what it should. A clone that is dropped in another thread, or in a
/// task that nobody waits for, fails nothing: call `save`.
///
/// A request that the program gave up, as when a future is dropped, is written as a failure.
///
/// ```
/// use keystone_client::blocking::KeystoneClient;
/// use keystone_client::sandbox::Sandbox;
/// use keystone_client::testing::{Recorder, Replay};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("teams.json");
/// // Once, with a backend that reaches a server.
/// let recorder = Recorder::new(Sandbox::new(), &path);
/// let client = KeystoneClient::with_backend("https://keystone.example.edu", recorder.clone())?;
/// client.login("admin", "admin-password")?;
/// let teams = client.teams().list().all()?;
/// recorder.save()?;
///
/// // From then on, from the file.
/// let client = KeystoneClient::with_backend("https://keystone.example.edu", Replay::from_file(&path)?)?;
/// client.login("somebody", "a password")?;
/// assert_eq!(client.teams().list().all()?, teams);
/// # Ok(()) }
/// ```
pub struct Recorder<B> {
    inner: Arc<B>,
    tape: Arc<Tape>,
}

struct Tape {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rules: Redaction,
    start: Option<Now>,
    entries: Vec<Recorded>,
    is_dirty: bool,
}

/// A request as it was sent, and what came of it.
#[derive(Clone)]
struct Recorded {
    at: Duration,
    took: Duration,
    request: RecordedRequest,
    /// `None` while it is under way, and if it was given up.
    outcome: Option<Outcome>,
}

#[derive(Clone)]
enum Outcome {
    Response(http::Response<Bytes>),
    Failure(BackendErrorKind, bool),
}

impl<B> Recorder<B> {
    /// Records what goes through `inner` for a file at `path`. Folders that do not exist are made.
    pub fn new(inner: B, path: impl Into<PathBuf>) -> Self {
        let tape = Tape { path: path.into(), state: Mutex::default() };
        Self { inner: Arc::new(inner), tape: Arc::new(tape) }
    }

    /// Leaves more or less out than is done unasked.
    #[must_use = "it is the recorder"]
    pub fn with_redaction(self, redaction: Redaction) -> Self {
        self.tape.state().rules = redaction;
        self
    }

    /// Writes the file. More can be recorded, and saved again.
    ///
    /// # Errors
    ///
    /// When it cannot be written. What was there before is then still there.
    pub fn save(&self) -> Result<(), CassetteError> {
        self.tape.save()
    }

    /// Notes a request, and returns its place.
    fn begin(&self, now: Now, request: &http::Request<Bytes>) -> usize {
        let mut state = self.tape.state();
        let start = *state.start.get_or_insert(now);
        state.is_dirty = true;
        state.entries.push(Recorded {
            at: now.monotonic.saturating_duration_since(start.monotonic),
            took: Duration::ZERO,
            request: RecordedRequest::new(request.clone()),
            outcome: None,
        });
        state.entries.len().saturating_sub(1)
    }

    fn end(&self, now: Now, place: usize, result: &ExecuteResult) {
        let mut state = self.tape.state();
        let passed = state
            .start
            .map_or(Duration::ZERO, |it| now.monotonic.saturating_duration_since(it.monotonic));
        if let Some(entry) = state.entries.get_mut(place) {
            entry.took = passed.saturating_sub(entry.at);
            entry.outcome = Some(match result {
                Ok(response) => Outcome::Response(response.clone()),
                Err(error) => Outcome::Failure(error.kind(), error.may_have_been_sent()),
            });
        }
        state.is_dirty = true;
    }
}

impl Recorded {
    fn entry(&self, redactor: &mut Redactor) -> Entry {
        let (response, failure) = match &self.outcome {
            Some(Outcome::Response(response)) => (Some(response), None),
            Some(Outcome::Failure(kind, may_have_been_sent)) => {
                (None, Some((name_of(*kind), *may_have_been_sent)))
            }
            None => (None, Some((GIVEN_UP, true))),
        };
        Entry {
            at_ms: milliseconds(self.at),
            took_ms: milliseconds(self.took),
            request: redactor.request(&self.request),
            response: response.map(|response| redactor.response(response)),
            failure: failure.map(|(kind, may_have_been_sent)| Failure {
                kind: kind.to_owned(),
                may_have_been_sent,
            }),
        }
    }
}

/// All that was recorded, without secrets and personal data.
fn redacted(start: Timestamp, rules: Redaction, recorded: &[Recorded]) -> Cassette {
    let mut redactor = Redactor::new(rules);
    for entry in recorded {
        redactor.learn_names(&entry.request);
    }
    for entry in recorded {
        redactor.learn_request(&entry.request);
        if let Some(Outcome::Response(response)) = &entry.outcome {
            redactor.learn_response(response);
        }
    }
    let entries = recorded.iter().map(|entry| entry.entry(&mut redactor)).collect();
    let mut cassette = Cassette::new(start, entries);
    cassette.placeholders = redactor.placeholders;
    cassette.redacted_fields = redactor.redacted_fields.into_iter().collect();
    cassette
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const KINDS: [(&str, BackendErrorKind); 7] = [
    ("request", BackendErrorKind::Request),
    ("connect", BackendErrorKind::Connect),
    ("timeout", BackendErrorKind::Timeout),
    ("closed", BackendErrorKind::Closed),
    ("protocol", BackendErrorKind::Protocol),
    ("too_large", BackendErrorKind::TooLarge),
    ("other", BackendErrorKind::Other),
];

fn name_of(kind: BackendErrorKind) -> &'static str {
    KINDS.iter().find(|(_, known)| *known == kind).map_or("other", |(name, _)| name)
}

/// The kind of a request that had no answer when the file was written.
pub(super) const GIVEN_UP: &str = "given_up";

pub(super) fn kind_of(name: &str) -> BackendErrorKind {
    if name == GIVEN_UP {
        return BackendErrorKind::Timeout;
    }
    let known = KINDS.iter().find(|(known, _)| *known == name);
    known.map_or(BackendErrorKind::Other, |(_, kind)| *kind)
}

impl Tape {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self) -> Result<(), CassetteError> {
        // Not under the lock: a function of the rules may use the recorder.
        let (start, rules, recorded) = {
            let mut state = self.state();
            // What cannot be saved is not tried again when the recorder is dropped.
            state.is_dirty = false;
            (state.start, state.rules.clone(), state.entries.clone())
        };
        let start = start.and_then(|start| Timestamp::try_from(start.wall).ok());
        redacted(start.unwrap_or_default(), rules, &recorded).write(&self.path)
    }
}

impl Drop for Tape {
    #[allow(clippy::panic, reason = "a recording that is lost has to fail the test")]
    fn drop(&mut self) {
        if thread::panicking() || !self.state().is_dirty {
            return;
        }
        if let Err(error) = self.save() {
            panic!("{error}");
        }
    }
}

impl<B> Clone for Recorder<B> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), tape: Arc::clone(&self.tape) }
    }
}

impl<B: HttpBackend> HttpBackend for Recorder<B> {
    async fn execute(&self, request: http::Request<Bytes>) -> ExecuteResult {
        let place = self.begin(self.inner.now(), &request);
        let result = self.inner.execute(request).await;
        self.end(self.inner.now(), place, &result);
        result
    }

    async fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration).await;
    }

    fn now(&self) -> Now {
        self.inner.now()
    }
}

impl<B: blocking::HttpBackend> blocking::HttpBackend for Recorder<B> {
    fn execute(&self, request: http::Request<Bytes>) -> ExecuteResult {
        let place = self.begin(self.inner.now(), &request);
        let result = self.inner.execute(request);
        self.end(self.inner.now(), place, &result);
        result
    }

    fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration);
    }

    fn now(&self) -> Now {
        self.inner.now()
    }
}

impl<B> fmt::Debug for Recorder<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("path", &self.tape.path)
            .field("entries", &self.tape.state().entries.len())
            .finish_non_exhaustive()
    }
}
