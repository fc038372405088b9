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
/// Secrets and personal data are replaced before they are kept, see [`Redaction`]; what the program
/// gets while it is recorded is not changed. [`save`](Recorder::save) writes the file, in the place of
/// what was there. Without it the last clone writes it when it is dropped, and panics if it cannot;
/// not while the thread panics, as a test that fails midway has recorded half of what it should.
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
    redactor: Redactor,
    start: Option<Now>,
    /// `None` for a request that is under way, or was given up.
    entries: Vec<Option<Entry>>,
    is_dirty: bool,
}

/// A request that is under way.
struct Begun {
    place: usize,
    at: Duration,
    request: RecordedRequest,
}

impl<B> Recorder<B> {
    /// Records what goes through `inner` for a file at `path`. Folders that do not exist are made.
    pub fn new(inner: B, path: impl Into<PathBuf>) -> Self {
        let tape = Tape { path: path.into(), state: Mutex::default() };
        Self { inner: Arc::new(inner), tape: Arc::new(tape) }
    }

    /// Leaves more or less out than is done unasked. It is for what is recorded from now on.
    #[must_use = "it is the recorder"]
    pub fn with_redaction(self, redaction: Redaction) -> Self {
        self.tape.state().redactor.rules = redaction;
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

    fn begin(&self, now: Now, request: &http::Request<Bytes>) -> Begun {
        let mut state = self.tape.state();
        let start = *state.start.get_or_insert(now);
        state.entries.push(None);
        Begun {
            place: state.entries.len().saturating_sub(1),
            at: now.monotonic.saturating_duration_since(start.monotonic),
            request: RecordedRequest::new(request.clone()),
        }
    }

    fn end(&self, now: Now, begun: Begun, result: &ExecuteResult) {
        let mut state = self.tape.state();
        let passed = state
            .start
            .map_or(Duration::ZERO, |it| now.monotonic.saturating_duration_since(it.monotonic));
        let request = state.redactor.request(&begun.request);
        let entry = Entry {
            at_ms: milliseconds(begun.at),
            took_ms: milliseconds(passed.saturating_sub(begun.at)),
            request,
            response: result.as_ref().ok().map(|response| state.redactor.response(response)),
            failure: result.as_ref().err().map(|error| Failure {
                kind: name_of(error.kind()).to_owned(),
                may_have_been_sent: error.may_have_been_sent(),
            }),
        };
        if let Some(slot) = state.entries.get_mut(begun.place) {
            *slot = Some(entry);
        }
        state.is_dirty = true;
    }
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

pub(super) fn kind_of(name: &str) -> BackendErrorKind {
    let known = KINDS.iter().find(|(known, _)| *known == name);
    known.map_or(BackendErrorKind::Other, |(_, kind)| *kind)
}

impl Tape {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self) -> Result<(), CassetteError> {
        let mut state = self.state();
        // What cannot be saved is not tried again when the recorder is dropped.
        state.is_dirty = false;
        let start = state.start.and_then(|start| Timestamp::try_from(start.wall).ok());
        let entries = state.entries.iter().flatten().cloned().collect();
        let mut cassette = Cassette::new(start.unwrap_or_default(), entries);
        cassette.placeholders.clone_from(&state.redactor.placeholders);
        cassette.redacted_fields = state.redactor.redacted_fields.iter().cloned().collect();
        cassette.write(&self.path)
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
        let begun = self.begin(self.inner.now(), &request);
        let result = self.inner.execute(request).await;
        self.end(self.inner.now(), begun, &result);
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
        let begun = self.begin(self.inner.now(), &request);
        let result = self.inner.execute(request);
        self.end(self.inner.now(), begun, &result);
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
