use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;

use super::both_backends;
use super::clock::VirtualClock;
use super::difference::Differences;
use super::exchange::{Answer, Exchange};
use crate::backend::{BackendError, BackendErrorKind, ExecuteResult, RequestTimeout};
use crate::recorded::RecordedRequest;

/// A backend that plays a script: it expects certain requests and answers each as told.
///
/// The requests have to come in order, unless they may come [in any](Scripted::in_any_order). One
/// that is not expected fails with an error that shows the difference, member by member. When the
/// last clone is dropped while requests are missing, or after a difference, it panics, wherever that
/// clone is: a client has one. [`verify`](Scripted::verify) does so earlier. Waiting advances the
/// clock of the script and takes no time. Messages show no passwords, tokens or cookies.
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
///     Exchange::get("/version/").times(2).reply(StatusCode::BAD_GATEWAY, ""),
///     Exchange::get("/version/").reply(StatusCode::OK, "0.10.9"),
/// ]);
/// let client = KeystoneClient::with_backend("http://localhost", script.clone())?;
/// assert_eq!(client.version().send()?, "0.10.9");
/// assert_eq!(script.sleeps().len(), 2);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Scripted {
    state: Arc<State>,
}

struct State {
    clock: VirtualClock,
    play: Mutex<Play>,
}

#[derive(Default)]
struct Play {
    steps: Vec<Step>,
    in_any_order: bool,
    /// The step that the last request was for, in a script that has an order.
    position: usize,
    requests: Vec<RecordedRequest>,
    problems: Vec<String>,
    /// Whether somebody was told of what is wrong; once is enough.
    is_reported: bool,
}

struct Step {
    exchange: Exchange,
    calls: usize,
}

impl Step {
    fn is_done(&self) -> bool {
        self.exchange.wanted().is_enough(self.calls)
    }

    fn admits_another(&self) -> bool {
        self.exchange.wanted().admits_one_more_than(self.calls)
    }
}

/// The request, and how often it came, unless that is once and it did not.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exchange, calls } = self;
        f.write_str(&exchange.summary())?;
        let wanted = exchange.wanted().to_string();
        match (wanted.as_str(), calls) {
            ("1 time", 0) => Ok(()),
            (wanted, calls) => write!(f, " (expected {wanted}, came {calls})"),
        }
    }
}

impl Scripted {
    /// The script of these exchanges.
    pub fn new(exchanges: impl IntoIterator<Item = Exchange>) -> Self {
        let steps = exchanges.into_iter().map(|exchange| Step { exchange, calls: 0 }).collect();
        let play = Mutex::new(Play { steps, ..Play::default() });
        Self { state: Arc::new(State { clock: VirtualClock::new(), play }) }
    }

    /// Lets the requests come in any order, as they do from tasks or threads. One that fits several
    /// exchanges is for the first of them that is not used up.
    ///
    /// ```
    /// use http::StatusCode;
    /// use keystone_client::testing::{Exchange, Scripted};
    ///
    /// let script = Scripted::new([
    ///     Exchange::get("/health/").at_least_once(),
    ///     Exchange::get("/version/").reply(StatusCode::OK, "0.10.9"),
    /// ])
    /// .in_any_order();
    /// # let client = keystone_client::blocking::KeystoneClient::with_backend("http://localhost", script)?;
    /// # client.version().send()?;
    /// # client.http_get("health").send()?;
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    #[must_use = "it is the script"]
    pub fn in_any_order(self) -> Self {
        self.state.play().in_any_order = true;
        self
    }

    /// Fails the test if a request was not the one expected, or if requests are missing. After it,
    /// only what comes later lets the script panic.
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

    /// The requests so far that were expected, with the status of the answer.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state.play().requests.clone()
    }

    /// The requests that are missing, in words; empty if the script is over.
    pub fn remaining(&self) -> Vec<String> {
        self.state.play().missing().map(ToString::to_string).collect()
    }

    /// The waits so far, in order.
    pub fn sleeps(&self) -> Vec<Duration> {
        self.state.clock.sleeps()
    }

    fn clock(&self) -> &VirtualClock {
        &self.state.clock
    }

    fn answer(&self, request: &http::Request<Bytes>) -> ExecuteResult {
        let recorded = RecordedRequest::new(request.clone());
        let found = self.state.play().find(&recorded);
        let answer = found.map_err(|problem| {
            self.state.play().note(problem.clone());
            BackendError::new(BackendErrorKind::Request, problem)
        })?;
        // Without the lock: a function may look at the script.
        let result = self.delayed(&answer, request).and_then(|()| answer.to(&recorded));
        let recorded = match &result {
            Ok(response) => recorded.answered(response.status()),
            Err(_) => recorded,
        };
        self.state.play().requests.push(recorded);
        result
    }

    fn delayed(&self, answer: &Answer, request: &http::Request<Bytes>) -> Result<(), BackendError> {
        let limit = RequestTimeout::of(request).unwrap_or(Duration::MAX);
        self.state.clock.advance(answer.delay.min(limit));
        match answer.delay > limit {
            true => {
                let problem = format!("no response within {limit:?}");
                Err(BackendError::new(BackendErrorKind::Timeout, problem))
            }
            false => Ok(()),
        }
    }
}

impl Play {
    /// Steps for which a request has to come yet.
    fn missing(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| !step.is_done())
    }

    fn note(&mut self, problem: String) {
        self.problems.push(problem);
        self.is_reported = false;
    }

    /// What is wrong, once.
    fn report(&mut self) -> Option<String> {
        let mut wrong = self.problems.clone();
        let missing: Vec<String> = self.missing().map(|step| format!("\n  {step}")).collect();
        if !missing.is_empty() {
            let number = match missing.len() {
                1 => "1 request did not come:".to_owned(),
                number => format!("{number} requests did not come:"),
            };
            wrong.push(number + &missing.concat());
        }
        if wrong.is_empty() || self.is_reported {
            return None;
        }
        self.is_reported = true;
        Some(wrong.join("\n"))
    }

    /// The answer to a request, or what is wrong with it.
    fn find(&mut self, request: &RecordedRequest) -> Result<Answer, String> {
        let mut candidates = Vec::new();
        let first = if self.in_any_order { 0 } else { self.position };
        let mut used_up = None;
        for (index, step) in self.steps.iter_mut().enumerate().skip(first) {
            let differences = step.exchange.differences(request);
            let fits = differences.is_empty();
            if !step.admits_another() {
                if fits {
                    used_up.get_or_insert(index);
                }
                continue;
            }
            if fits {
                step.calls += 1;
                self.position = index;
                return Ok(step.exchange.answer().clone());
            }
            candidates.push((index, differences));
            // What comes later waits until this has come often enough.
            if !self.in_any_order && !step.is_done() {
                break;
            }
        }
        let next = candidates.iter().min_by_key(|(_, differences)| differences.weight());
        Err(self.problem(request, next, used_up))
    }

    fn problem(
        &self,
        request: &RecordedRequest,
        next: Option<&(usize, Differences)>,
        used_up: Option<usize>,
    ) -> String {
        let seen = format!("{} {}", request.method(), request.path());
        let step = |index: usize| self.steps.get(index).map(ToString::to_string);
        if let Some(used_up) =
            used_up.and_then(step).filter(|_| self.in_any_order || next.is_none())
        {
            return format!("{seen} came once more than expected: {used_up}");
        }
        let Some((index, differences)) = next else {
            return format!("the script is over, but there is one more request: {seen}");
        };
        let nearest = step(*index).unwrap_or_default();
        let mut problem = match self.in_any_order {
            true => format!("{seen} is not expected; the nearest is {nearest}"),
            false => format!("{seen} is not the next request, which is {nearest}"),
        };
        differences.write("  ", &mut problem);
        let others: Vec<String> = self
            .missing()
            .map(ToString::to_string)
            .filter(|other| *other != nearest)
            .map(|other| format!("\n    {other}"))
            .collect();
        if !others.is_empty() {
            // Writing to a `String` cannot fail.
            let _ = write!(problem, "\n  still to come besides:{}", others.concat());
        }
        problem
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

both_backends!(Scripted);

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted")
            .field("remaining", &self.remaining())
            .field("sleeps", &self.sleeps())
            .finish_non_exhaustive()
    }
}
