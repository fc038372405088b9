use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::both_backends;
use super::clock::VirtualClock;
use super::difference::Differences;
use super::exchange::{Answer, Exchange};
use super::last_handle::fail_test;
use crate::backend::{BackendError, BackendErrorKind, ExecuteResult, RequestTimeout};
use crate::recorded::RecordedRequest;

/// A backend that plays a script: it expects certain requests and answers each as told.
///
/// The requests have to come in order, unless they may come [in any](Scripted::in_any_order). One
/// that is not expected fails with an error that shows the difference, member by member. When the
/// last clone is dropped while requests are missing, or after a difference, it panics, in the thread
/// where that clone is: a client has one. That fails no test if it is in a thread or a task that
/// nobody waits for, or in a `static`, which is never dropped; [`verify`](Scripted::verify) fails the
/// test that calls it. Waiting advances the clock of the script and takes no time. Messages show no
/// passwords, tokens or cookies.
///
/// In order, an exchange that may come more often gives way to the next as soon as it has come often
/// enough: a request that fits both is answered by the next, and counts for the first if it has to.
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
    /// In which ways the requests so far may have followed a script that has an order; that of the
    /// steps is the first.
    ways: Vec<Way>,
    arrivals: usize,
    /// By when they arrived.
    requests: BTreeMap<usize, RecordedRequest>,
    /// What is wrong and was not told yet.
    problems: Vec<String>,
    /// Whether it was told what is missing; once is enough.
    is_reported: bool,
}

/// A way in which requests followed a script: which step is next to be asked for, and how often each
/// was.
#[derive(Clone)]
struct Way {
    position: usize,
    calls: Vec<usize>,
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
        let steps: Vec<Step> =
            exchanges.into_iter().map(|exchange| Step { exchange, calls: 0 }).collect();
        let ways = vec![Way { position: 0, calls: vec![0; steps.len()] }];
        let play = Mutex::new(Play { steps, ways, ..Play::default() });
        Self { state: Arc::new(State { clock: VirtualClock::new(), play }) }
    }

    /// Lets the requests come in any order, as they do from tasks or threads. One that fits several
    /// exchanges is for one that has not come often enough yet; of those for the strictest, without `*`
    /// and with an exact query; of those for the first. So put `"/x/1/"` beside `"/x/*/"` as you like,
    /// but not two exchanges that overlap without one being stricter.
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

    /// The requests so far that were expected and answered, in the order in which they arrived, with
    /// the status of the answer.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state.play().requests.values().cloned().collect()
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
        let (arrival, answer) = self
            .state
            .play()
            .arrive(&recorded)
            .map_err(|problem| BackendError::new(BackendErrorKind::Request, problem))?;
        // Without the lock: a function may look at the script.
        let result = self.delayed(&answer, request).and_then(|()| answer.to(&recorded));
        let recorded = match &result {
            Ok(response) => recorded.answered(response.status()),
            Err(_) => recorded,
        };
        self.state.play().requests.insert(arrival, recorded);
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
        let is_over = !self.in_any_order
            && self.ways.iter().any(|way| {
                let mut calls = self.steps.iter().zip(&way.calls);
                calls.all(|(step, calls)| step.exchange.wanted().is_enough(*calls))
            });
        self.steps.iter().filter(move |step| !is_over && !step.is_done())
    }

    /// What is wrong and was not told yet.
    fn report(&mut self) -> Option<String> {
        let mut wrong = std::mem::take(&mut self.problems);
        let missing: Vec<String> = self.missing().map(|step| format!("\n  {step}")).collect();
        if !missing.is_empty() && !self.is_reported {
            let number = match missing.len() {
                1 => "1 request did not come:".to_owned(),
                number => format!("{number} requests did not come:"),
            };
            wrong.push(number + &missing.concat());
            self.is_reported = true;
        }
        (!wrong.is_empty()).then(|| wrong.join("\n"))
    }

    /// The answer to a request with the number of its arrival, or what is wrong with it.
    fn arrive(&mut self, request: &RecordedRequest) -> Result<(usize, Answer), String> {
        let differences: Vec<Differences> =
            self.steps.iter().map(|step| step.exchange.differences(request)).collect();
        let found = match self.in_any_order {
            true => self.choose(&differences),
            false => self.advance(&differences),
        };
        match found.and_then(|index| self.steps.get(index)) {
            Some(step) => {
                self.arrivals += 1;
                Ok((self.arrivals, step.exchange.answer().clone()))
            }
            None => {
                let problem = self.mismatch(request, differences);
                self.problems.push(problem.clone());
                Err(problem)
            }
        }
    }

    /// The step for a request that may come at any time.
    fn choose(&mut self, differences: &[Differences]) -> Option<usize> {
        let fitting = self
            .steps
            .iter_mut()
            .zip(differences)
            .enumerate()
            .filter(|(_, (step, differences))| differences.is_empty() && step.admits_another());
        let (index, (step, _)) = fitting.min_by_key(|(index, (step, _))| {
            (step.is_done(), Reverse(step.exchange.strictness()), *index)
        })?;
        step.calls += 1;
        Some(index)
    }

    /// The step for a request in a script that has an order.
    fn advance(&mut self, differences: &[Differences]) -> Option<usize> {
        let mut next: Vec<Way> = Vec::new();
        for way in &self.ways {
            let mut reached = Vec::new();
            for (index, step) in self.steps.iter().enumerate().skip(way.position) {
                let calls = way.calls.get(index).copied().unwrap_or_default();
                let wanted = step.exchange.wanted();
                let fits = differences.get(index).is_some_and(Differences::is_empty);
                if fits && wanted.admits_one_more_than(calls) {
                    reached.push((wanted.is_enough(calls), index));
                }
                // What comes later waits until this has come often enough.
                if !wanted.is_enough(calls) {
                    break;
                }
            }
            reached.sort_unstable();
            for (_, index) in reached {
                let mut way = way.clone();
                way.position = index;
                if let Some(calls) = way.calls.get_mut(index) {
                    *calls += 1;
                }
                // What counts from here on is the last step alone.
                let last = |way: &Way| {
                    let calls = way.calls.get(way.position).copied().unwrap_or_default();
                    let step = self.steps.get(way.position);
                    (way.position, step.map(|step| step.exchange.wanted().so_far(calls)))
                };
                if !next.iter().any(|other| last(other) == last(&way)) {
                    next.push(way);
                }
            }
        }
        let first = next.first()?;
        let position = first.position;
        self.position = position;
        for (step, calls) in self.steps.iter_mut().zip(&first.calls) {
            step.calls = *calls;
        }
        self.ways = next;
        Some(position)
    }

    /// What is wrong with a request that no step is for.
    fn mismatch(&self, request: &RecordedRequest, differences: Vec<Differences>) -> String {
        let mut candidates = Vec::new();
        let first = if self.in_any_order { 0 } else { self.position };
        let mut used_up = None;
        for (index, (step, differences)) in
            self.steps.iter().zip(differences).enumerate().skip(first)
        {
            if !step.admits_another() {
                if differences.is_empty() {
                    used_up.get_or_insert(index);
                }
                continue;
            }
            candidates.push((index, differences));
            if !self.in_any_order && !step.is_done() {
                break;
            }
        }
        let next = candidates.iter().min_by_key(|(_, differences)| differences.weight());
        self.problem(request, next, used_up)
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
    fn drop(&mut self) {
        fail_test(|| self.play().report());
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
