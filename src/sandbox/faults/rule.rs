//! When a fault happens.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request};

use crate::sandbox::faults::Fault;
use crate::sandbox::lock;

type Condition = dyn Fn(&Request<Bytes>) -> bool + Send + Sync;

/// A [`Fault`] and the requests that meet it; given to [`Sandbox::inject`](crate::sandbox::Sandbox::inject).
///
/// Without conditions every request meets it. Conditions on the request ([`method`](Self::method),
/// [`path`](Self::path), [`when`](Self::when)) say which requests the rule is about; of those
/// [`after`](Self::after), [`nth`](Self::nth), [`times`](Self::times) and
/// [`probability`](Self::probability) choose some.
///
/// ```
/// use http::Method;
/// use keystone_client::sandbox::{Fault, FaultRule, Sandbox};
///
/// // The second and third write to a team are carried out, and their answers are lost.
/// let rule = FaultRule::new(Fault::disconnect().after_execution())
///     .method(Method::PATCH)
///     .path("/users/teams/")
///     .after(1)
///     .times(2);
/// let injected = Sandbox::new().inject(rule);
/// assert_eq!(injected.count(), 0);
/// ```
#[derive(Clone)]
#[must_use = "a rule does nothing until it is injected"]
pub struct FaultRule {
    fault: Fault,
    method: Option<Method>,
    path: Option<String>,
    condition: Option<Arc<Condition>>,
    after: usize,
    times: usize,
    probability: Option<(f64, u64)>,
}

impl FaultRule {
    /// This fault for every request.
    pub fn new(fault: Fault) -> Self {
        Self {
            fault,
            method: None,
            path: None,
            condition: None,
            after: 0,
            times: usize::MAX,
            probability: None,
        }
    }

    /// Only for requests of this method.
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only for requests to this path and those below it: `/users/teams/` is also the path of each
    /// team. Slashes at either end do not matter. A prefix under which the server is mounted belongs to
    /// the path.
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(format!("/{}", path.trim_matches('/')));
        self
    }

    /// Only for requests that the function accepts. It replaces an earlier one.
    pub fn when(
        mut self,
        condition: impl Fn(&Request<Bytes>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.condition = Some(Arc::new(condition));
        self
    }

    /// Lets so many of the requests pass first.
    pub fn after(mut self, requests: usize) -> Self {
        self.after = requests;
        self
    }

    /// Strikes at most so many times.
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// Strikes the nth of the requests alone, counted from 1; with 0, none.
    pub fn nth(self, n: usize) -> Self {
        match n.checked_sub(1) {
            Some(before) => self.after(before).times(1),
            None => self.times(0),
        }
    }

    /// Strikes with this probability: of 0 and less never, of 1 and more always. The same seed strikes the same of the requests,
    /// counted in the order in which they arrive.
    pub fn probability(mut self, probability: f64, seed: u64) -> Self {
        self.probability = Some((probability, seed));
        self
    }

    fn is_about(&self, request: &Request<Bytes>) -> bool {
        let is_below = |path: &String| {
            let rest = request.uri().path().strip_prefix(path.as_str());
            path == "/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.method.as_ref().is_none_or(|method| method == request.method())
            && self.path.as_ref().is_none_or(is_below)
            && self.condition.as_ref().is_none_or(|condition| condition(request))
    }
}

impl fmt::Debug for FaultRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FaultRule")
            .field("fault", &self.fault)
            .field("method", &self.method)
            .field("path", &self.path)
            .field("after", &self.after)
            .field("times", &self.times)
            .field("probability", &self.probability)
            .finish_non_exhaustive()
    }
}

/// A rule at work, and what came of it.
pub(super) struct ActiveRule {
    rule: FaultRule,
    state: Mutex<State>,
    struck: AtomicUsize,
    stopped: AtomicBool,
}

struct State {
    /// How many requests the rule was about.
    seen: usize,
    random: Option<fastrand::Rng>,
}

impl ActiveRule {
    pub(super) fn new(rule: FaultRule) -> Self {
        let random = rule.probability.map(|(_, seed)| fastrand::Rng::with_seed(seed));
        Self {
            rule,
            state: Mutex::new(State { seen: 0, random }),
            struck: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// Whether it strikes no more.
    pub(super) fn is_over(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
            || self.struck.load(Ordering::Relaxed) >= self.rule.times
    }

    pub(super) fn strike(&self, request: &Request<Bytes>) -> Option<Fault> {
        if self.is_over() || !self.rule.is_about(request) {
            return None;
        }
        let mut state = lock(&self.state);
        state.seen = state.seen.saturating_add(1);
        let chance = self.rule.probability.map_or(1.0, |(probability, _)| probability);
        // Drawn for every request, so that what is struck does not depend on the other conditions.
        let is_drawn = state.random.as_mut().is_none_or(|random| random.f64() < chance);
        let is_due = state.seen > self.rule.after;
        if !is_drawn || !is_due || self.struck.load(Ordering::Relaxed) >= self.rule.times {
            return None;
        }
        self.struck.fetch_add(1, Ordering::Relaxed);
        Some(self.rule.fault.clone())
    }
}

/// A rule that was injected into a sandbox.
///
/// The rule stays in force when this is dropped.
#[derive(Clone)]
pub struct InjectedFault {
    rule: Arc<ActiveRule>,
}

impl InjectedFault {
    pub(super) fn new(rule: Arc<ActiveRule>) -> Self {
        Self { rule }
    }

    /// How many requests have met the fault.
    pub fn count(&self) -> usize {
        self.rule.struck.load(Ordering::Relaxed)
    }

    /// Puts the rule out of force.
    pub fn remove(&self) {
        self.rule.stopped.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for InjectedFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("InjectedFault")
            .field("rule", &self.rule.rule)
            .field("count", &self.count())
            .finish_non_exhaustive()
    }
}
