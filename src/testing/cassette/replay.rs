use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::bindings::{Added, Bindings};
use super::format::{Body, Cassette, CassetteError, Entry, Sent, split_parameter};
use super::recorder::kind_of;
use super::redactor::parse_headers;
use crate::backend::{BackendError, BackendErrorKind, ExecuteResult, Now};
use crate::recorded::{FormPart, RecordedRequest};
use crate::testing::both_backends;
use crate::testing::clock::later;
use crate::testing::difference::{Comparison, Differences, show};
use crate::testing::exchange::response;

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
/// The clock shows the time of the recording, and goes on from answer to answer as it went then, so
/// that logins expire when they expired, and not before. Waiting takes no time.
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
    problems: Vec<String>,
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
                let after = play.entries.get(index..).unwrap_or_default();
                let at = |played: &Played| Duration::from_millis(played.entry.at_ms);
                if let [this, rest @ ..] = after {
                    let answered = at(this) + Duration::from_millis(this.entry.took_ms);
                    self.state.clock.answered(answered, rest.first().map_or(answered, at));
                    return answer_of(&this.entry, &play.bindings);
                }
                Err(BackendError::new(BackendErrorKind::Other, "the cassette is empty"))
            }
            Err(problem) => {
                play.problems.push(problem.clone());
                play.is_reported = false;
                Err(BackendError::new(BackendErrorKind::Request, problem))
            }
        }
    }
}

impl Play {
    fn unused(&self) -> Vec<String> {
        self.entries
            .iter()
            .enumerate()
            .filter(|(_, played)| !played.is_used)
            .map(|(index, played)| summary(index, &played.entry.request))
            .collect()
    }

    fn report(&mut self) -> Option<String> {
        let mut wrong = self.problems.clone();
        let unused = self.unused();
        if !unused.is_empty() && !self.allows_unused {
            let lines: Vec<String> = unused.iter().map(|line| format!("\n  {line}")).collect();
            let number = match lines.len() {
                1 => "1 recorded request did not come:".to_owned(),
                number => format!("{number} recorded requests did not come:"),
            };
            wrong.push(number + &lines.concat());
        }
        if wrong.is_empty() || self.is_reported {
            return None;
        }
        self.is_reported = true;
        Some(wrong.join("\n"))
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
            let is_nearer = |other: &Differences| differences.weight() < other.weight();
            if nearest.as_ref().is_none_or(|(_, other)| is_nearer(other)) {
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

/// What is different between what was recorded and what came, and what that says of placeholders.
fn compare(sent: &Sent, request: &RecordedRequest, bindings: &Bindings) -> (Differences, Added) {
    let mut added = Added::default();
    let same_path = bindings.same_text("path", &sent.path, request.path(), &mut added);
    let mut same = |name: &str, recorded: &Value, seen: &Value| {
        bindings.same(name, recorded, seen, &mut added)
    };
    let mut comparison = Comparison::new(&mut same);
    if sent.method != request.method().as_str() {
        let (expected, seen) = (&sent.method, request.method());
        comparison.found.add(20, format!("method: recorded {expected}, seen {seen}"));
    }
    if !same_path {
        comparison.found.path(&sent.path, request.path());
    }
    let query: Vec<(String, String)> = sent.query.iter().map(|it| split_parameter(it)).collect();
    comparison.pairs("query", &query, &request.query_pairs());
    compare_body(sent.body.as_ref(), request, &mut comparison);
    let mut found = comparison.found;
    found.explain(|placeholder| bindings.value(placeholder).map(str::to_owned));
    (found, added)
}

fn compare_body(body: Option<&Body>, request: &RecordedRequest, comparison: &mut Comparison<'_>) {
    let bytes = request.body();
    let mut differ = |expected: &str| {
        let seen = match (bytes.is_empty(), request.json()) {
            (true, _) => "no body".to_owned(),
            (_, Some(json)) => show("", &json),
            _ => format!("{} bytes", bytes.len()),
        };
        comparison.found.add(5, format!("body: expected {expected}, seen {seen}"));
    };
    match body {
        None if bytes.is_empty() => {}
        None => differ("none"),
        Some(Body::Json(expected)) => match request.json() {
            Some(seen) => comparison.json("body", "", expected, &seen),
            None => differ(&show("", expected)),
        },
        Some(Body::Form(parts)) => match request.form() {
            Some(seen) => compare_form(parts, &seen, comparison),
            None => differ("a form"),
        },
        Some(Body::Text(text)) if text.as_bytes() == bytes => {}
        Some(Body::Base64(text)) if *text == STANDARD.encode(bytes) => {}
        Some(Body::Text(_) | Body::Base64(_)) => differ("another text"),
        // What it was is not known.
        Some(Body::Omitted(_)) if bytes.is_empty() => differ("a body"),
        Some(Body::Omitted(_)) => {}
    }
}

fn compare_form(
    expected: &[super::format::Part],
    seen: &[FormPart],
    comparison: &mut Comparison<'_>,
) {
    let fields = expected.iter().filter_map(|part| match (&part.file_name, &part.content) {
        (None, Body::Text(text)) => Some((part.name.clone(), text.clone())),
        _ => None,
    });
    let seen_fields = seen
        .iter()
        .filter_map(|part| part.text().map(|text| (part.name().to_owned(), text.to_owned())));
    comparison.pairs("field", &fields.collect::<Vec<_>>(), &seen_fields.collect::<Vec<_>>());
    let mut seen: Vec<&FormPart> = seen.iter().filter(|part| part.file_name().is_some()).collect();
    for part in expected.iter().filter(|part| part.file_name.is_some()) {
        let name = &part.name;
        let Some(at) = seen.iter().position(|seen| seen.name() == name) else {
            comparison.found.add(1, format!("file `{name}`: missing"));
            continue;
        };
        let seen = seen.remove(at);
        let pair = |text: Option<&str>| -> Value { text.unwrap_or_default().into() };
        let place = format!("file `{name}`");
        let (file_name, seen_name) = (part.file_name.as_deref(), seen.file_name());
        comparison.json(&place, "file_name", &pair(file_name), &pair(seen_name));
        let (kind, seen_kind) = (part.content_type.as_deref(), seen.content_type());
        comparison.json(&place, "content_type", &pair(kind), &pair(seen_kind));
        if let Body::Base64(content) = &part.content {
            if *content != STANDARD.encode(seen.content()) {
                comparison.found.add(1, format!("file `{name}`: its content is another"));
            }
        }
    }
    for part in seen {
        comparison.found.add(1, format!("file `{}`: not expected", part.name()));
    }
}

fn answer_of(entry: &Entry, bindings: &Bindings) -> ExecuteResult {
    if let Some(failure) = &entry.failure {
        let error = BackendError::new(kind_of(&failure.kind), "so it was recorded");
        return Err(match failure.may_have_been_sent {
            true => error,
            false => error.not_sent(),
        });
    }
    let Some(received) = &entry.response else {
        return Err(BackendError::new(BackendErrorKind::Other, "the cassette has no answer"));
    };
    let headers: HeaderMap = parse_headers(&received.headers);
    let body = match &received.body {
        None | Some(Body::Form(_)) => Bytes::new(),
        Some(Body::Json(value)) => {
            let mut value = value.clone();
            bindings.fill(&mut value);
            value.to_string().into()
        }
        Some(Body::Text(text)) => text.clone().into(),
        Some(Body::Base64(text)) => STANDARD.decode(text).unwrap_or_default().into(),
        Some(Body::Omitted(length)) => vec![0; *length].into(),
    };
    let status = StatusCode::from_u16(received.status)
        .map_err(|error| BackendError::new(BackendErrorKind::Protocol, error.to_string()))?;
    let mut answer = response(status, &HeaderMap::new(), body)?;
    // A head without a body announces no length that is not there.
    *answer.headers_mut() = headers;
    answer.headers_mut().remove(header::CONTENT_LENGTH);
    Ok(answer)
}

impl State {
    fn play(&self) -> MutexGuard<'_, Play> {
        self.play.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for State {
    #[allow(clippy::panic, reason = "a recording that was not followed has to fail the test")]
    fn drop(&mut self) {
        // A second panic would abort the program.
        if thread::panicking() {
            return;
        }
        let wrong = self.play().report();
        if let Some(wrong) = wrong {
            panic!("{wrong}");
        }
    }
}

both_backends!(Replay);

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("remaining", &self.remaining()).finish_non_exhaustive()
    }
}
