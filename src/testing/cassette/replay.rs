mod entry;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use self::entry::{answer_of, compare};
use super::bindings::{Added, Bindings};
use super::format::{Cassette, CassetteError, Entry, Sent};
use crate::backend::{BackendError, BackendErrorKind, ExecuteResult, Now};
use crate::recorded::RecordedRequest;
use crate::testing::both_backends;
use crate::testing::clock::later;
use crate::testing::difference::Differences;
use crate::testing::last_handle::fail_test;

/// A backend that answers from a cassette, which a [`Recorder`](super::Recorder) has written.
///
/// Each request that was recorded is answered once; equal ones in the order in which they were
/// recorded, others in any, unless [`in_order`](Replay::in_order) says otherwise. A request that was
/// not recorded fails with an error that shows the nearest that was, and the difference. When the
/// last clone is dropped after that, or while recorded requests did not come, it panics;
/// [`verify`](Replay::verify) does so earlier.
///
/// Compared are method, path, query and body, and no headers. Where the cassette has `[redacted]`
/// for a secret, the program may send any. Where it has a placeholder for personal data, the program
/// may send anything, but from then on has to send the same for the same placeholder; and answers
/// bring it back in the place of the placeholder. So a program that creates a team gets a team of that
/// name, while names that were on the server are placeholders. What is in files is not compared unless
/// the cassette [keeps](super::Redaction::keep_field) it.
///
/// What an answer brought in the place of a placeholder cannot be sent otherwise after it: a program
/// that asks for the slug that it was given is held to that.
///
/// The clock shows the time of the recording, and goes on as it went then, so that logins expire when
/// they expired, and not before: it is when the first recorded request was sent that has not come yet.
/// Waiting takes no time.
///
/// Of recorded requests that fit alike, the first is taken. Where requests that only differ in
/// personal data were recorded at the same time, such as several creates from as many tasks, they may
/// get the answers of one another; let the program send them one after the other, or
/// [keep](super::Redaction::keep_field) the field in which they differ.
///
/// ```
/// use keystone_client::blocking::KeystoneClient;
/// use keystone_client::testing::Replay;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Normally a file, written by a `Recorder`.
/// let replay = Replay::from_json(
///     r#"{
///         "format": "keystone-client cassette",
///         "version": 1,
///         "recorded": "2026-03-01T09:30:00Z",
///         "placeholders": [],
///         "entries": [{
///             "at_ms": 0,
///             "took_ms": 12,
///             "request": { "method": "GET", "path": "/version/" },
///             "response": { "status": 200, "headers": [], "body": { "text": "0.10.9" } }
///         }]
///     }"#,
/// )?;
/// let client = KeystoneClient::with_backend("https://keystone.example.edu", replay.clone())?;
/// assert_eq!(client.version().send()?, "0.10.9");
/// replay.verify(); // all that was recorded has come
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Replay {
    state: Arc<State>,
}

struct State {
    clock: ReplayClock,
    play: Mutex<Play>,
}

struct Play {
    entries: Vec<Played>,
    bindings: Bindings,
    in_order: bool,
    allows_repeats: bool,
    allows_unused: bool,
    /// What is wrong and was not told yet.
    problems: Vec<String>,
    /// Whether it was told what did not come; once is enough.
    is_reported: bool,
}

struct Played {
    entry: Entry,
    is_used: bool,
}

/// The clock of the recording.
struct ReplayClock {
    start: Now,
    passed: Mutex<Passed>,
}

#[derive(Default)]
struct Passed {
    /// When the last answer came, and the waits since.
    waited: Duration,
    /// When the next request came.
    until: Duration,
}

impl ReplayClock {
    fn passed(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, duration: Duration) {
        let mut passed = self.passed();
        passed.waited = passed.waited.saturating_add(duration);
    }

    /// Goes on to when the recorded program sent its next request.
    fn answered(&self, at: Duration, next: Duration) {
        let mut passed = self.passed();
        passed.waited = passed.waited.max(at);
        passed.until = passed.until.max(next);
    }

    fn now(&self) -> Now {
        let passed = self.passed();
        later(self.start, passed.waited.max(passed.until))
    }
}

impl Replay {
    /// Reads a cassette.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or is no cassette of a version that this crate knows.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, CassetteError> {
        Ok(Self::new(Cassette::read(path.as_ref())?))
    }

    /// Takes a cassette from a text, such as one that `include_str!` has put into the program.
    ///
    /// # Errors
    ///
    /// When it is no cassette of a version that this crate knows.
    pub fn from_json(text: &str) -> Result<Self, CassetteError> {
        Ok(Self::new(Cassette::parse(Path::new("in memory"), text)?))
    }

    fn new(cassette: Cassette) -> Self {
        let bindings = Bindings::new(&cassette.placeholders, &cassette.redacted_fields);
        let start = Now { wall: cassette.recorded.into(), ..Now::system() };
        let entries = cassette.entries.into_iter();
        let play = Play {
            entries: entries.map(|entry| Played { entry, is_used: false }).collect(),
            bindings,
            in_order: false,
            allows_repeats: false,
            allows_unused: false,
            problems: Vec::new(),
            is_reported: false,
        };
        let clock = ReplayClock { start, passed: Mutex::default() };
        Self { state: Arc::new(State { clock, play: Mutex::new(play) }) }
    }

    /// Demands all requests in the order in which they were recorded.
    #[must_use = "it is the replay"]
    pub fn in_order(self) -> Self {
        self.state.play().in_order = true;
        self
    }

    /// Answers a request that comes more often than it was recorded as it was answered last.
    #[must_use = "it is the replay"]
    pub fn allow_repeats(self) -> Self {
        self.state.play().allows_repeats = true;
        self
    }

    /// Does not mind recorded requests that did not come.
    #[must_use = "it is the replay"]
    pub fn allow_unused(self) -> Self {
        self.state.play().allows_unused = true;
        self
    }

    /// When the cassette was recorded, by the clock there.
    pub fn recorded_at(&self) -> SystemTime {
        self.state.clock.start.wall
    }

    /// The recorded requests that did not come yet, in words.
    pub fn remaining(&self) -> Vec<String> {
        self.state.play().unused()
    }

    /// Fails the test if a request was not recorded, or if recorded ones did not come. After it, only
    /// what comes later lets the replay panic.
    ///
    /// # Panics
    ///
    /// Then; the message tells all that is wrong.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion")]
    pub fn verify(&self) {
        let wrong = self.state.play().report();
        if let Some(wrong) = wrong {
            panic!("{wrong}");
        }
    }

    fn clock(&self) -> &ReplayClock {
        &self.state.clock
    }

    fn answer(&self, request: &http::Request<Bytes>) -> ExecuteResult {
        let mut play = self.state.play();
        match play.find(&RecordedRequest::new(request.clone())) {
            Ok(index) => {
                let (answered, next) = play.passed();
                self.state.clock.answered(answered, next);
                play.answer(index)
            }
            Err(problem) => {
                play.problems.push(problem.clone());
                Err(BackendError::new(BackendErrorKind::Request, problem))
            }
        }
    }
}

impl Play {
    fn answer(&mut self, index: usize) -> ExecuteResult {
        let Self { entries, bindings, .. } = self;
        match entries.get(index) {
            Some(played) => answer_of(&played.entry, bindings),
            None => Err(BackendError::new(BackendErrorKind::Other, "the cassette is empty")),
        }
    }

    /// How long the recording went on until the last answer before which none is missing, and until the
    /// request after it.
    fn passed(&self) -> (Duration, Duration) {
        let at = |entry: &Entry| Duration::from_millis(entry.at_ms);
        let used = self.entries.iter().take_while(|played| played.is_used);
        let answered = used
            .clone()
            .map(|played| at(&played.entry) + Duration::from_millis(played.entry.took_ms))
            .max()
            .unwrap_or_default();
        let next = self.entries.get(used.count()).map_or(answered, |next| at(&next.entry));
        (answered, next)
    }

    fn unused(&self) -> Vec<String> {
        self.entries
            .iter()
            .enumerate()
            .filter(|(_, played)| !played.is_used)
            .map(|(index, played)| summary(index, &played.entry.request))
            .collect()
    }

    /// What is wrong and was not told yet.
    fn report(&mut self) -> Option<String> {
        let mut wrong = std::mem::take(&mut self.problems);
        let unused = self.unused();
        if !unused.is_empty() && !self.allows_unused && !self.is_reported {
            let lines: Vec<String> = unused.iter().map(|line| format!("\n  {line}")).collect();
            let number = match lines.len() {
                1 => "1 recorded request did not come:".to_owned(),
                number => format!("{number} recorded requests did not come:"),
            };
            wrong.push(number + &lines.concat());
            self.is_reported = true;
        }
        (!wrong.is_empty()).then(|| wrong.join("\n"))
    }

    /// The entry for a request, or what is wrong with it.
    fn find(&mut self, request: &RecordedRequest) -> Result<usize, String> {
        let mut fitting: Option<(usize, Added)> = None;
        let mut used_up = None;
        let mut nearest: Option<(usize, Differences)> = None;
        for (index, played) in self.entries.iter().enumerate() {
            let (differences, added) = compare(&played.entry.request, request, &self.bindings);
            if differences.is_empty() {
                if played.is_used {
                    used_up = Some(index);
                    continue;
                }
                // One that tells nothing new of the placeholders is the better one.
                let is_certain = added.is_empty();
                if is_certain || fitting.is_none() {
                    fitting = Some((index, added));
                }
                if is_certain || self.in_order {
                    break;
                }
                continue;
            }
            if self.in_order && !played.is_used {
                nearest = Some((index, differences));
                break;
            }
            // Of those that are as near, one that did not come yet.
            let rank = |index: usize, differences: &Differences| {
                (differences.weight(), self.entries.get(index).is_some_and(|it| it.is_used))
            };
            let is_nearer = nearest
                .as_ref()
                .is_none_or(|(other, found)| rank(index, &differences) < rank(*other, found));
            if is_nearer {
                nearest = Some((index, differences));
            }
        }
        if let Some((index, added)) = fitting {
            self.bindings.add(added);
            if let Some(played) = self.entries.get_mut(index) {
                played.is_used = true;
            }
            return Ok(index);
        }
        if let Some(index) = used_up.filter(|_| self.allows_repeats) {
            return Ok(index);
        }
        Err(self.problem(request, used_up, nearest))
    }

    fn problem(
        &self,
        request: &RecordedRequest,
        used_up: Option<usize>,
        nearest: Option<(usize, Differences)>,
    ) -> String {
        let seen = format!("{} {}", request.method(), request.path());
        let summary_of = |index: usize| {
            self.entries.get(index).map(|played| summary(index, &played.entry.request))
        };
        if let Some(used_up) = used_up.filter(|_| !self.in_order).and_then(summary_of) {
            return format!("{seen} came more often than it was recorded; the last is {used_up}");
        }
        let Some((index, differences)) = nearest else {
            return format!("{seen} was not recorded: the cassette is empty");
        };
        let nearest = summary_of(index).unwrap_or_default();
        let mut problem = match self.in_order {
            true => format!("{seen} is not the next request that was recorded, which is {nearest}"),
            false => format!("{seen} was not recorded; the nearest is {nearest}"),
        };
        differences.write("  ", &mut problem);
        problem
    }
}

fn summary(index: usize, sent: &Sent) -> String {
    let query = match sent.query.is_empty() {
        true => String::new(),
        false => format!("?{}", sent.query.join("&")),
    };
    format!("entry {}, {} {}{query}", index + 1, sent.method, sent.path)
}

impl State {
    fn play(&self) -> MutexGuard<'_, Play> {
        self.play.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        fail_test(|| self.play().report());
    }
}

both_backends!(Replay);

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}
