//! The contract of a backend as a list of checks, for every backend in both colours.
//!
//! [`run`] checks an async [`HttpBackend`], [`blocking`](fn@blocking) a
//! [`blocking::HttpBackend`]. Both start small servers on the loopback interface; one check
//! resolves a name that cannot exist.
//! [docs/backends.md](https://docs.rs/crate/keystone-client/latest/source/docs/backends.md) explains each
//! clause.
//!
//! The suite needs no async runtime of its own, and takes about ten seconds. Call it from a
//! test; while a backend grows, [`run_only`] and [`blocking_only`] run single checks:
//!
//! ```
//! # #[cfg(feature = "ureq")]
//! # {
//! use keystone_client::backend::UreqBackend;
//! use keystone_client::testing::conformance;
//!
//! # fn no_run() {
//! conformance::blocking(UreqBackend::with_settings).assert_passed();
//! # }
//! # }
//! ```

mod caller;
mod check;
mod connections;
mod failures;
mod limits;
mod requests;
mod responses;
mod server;
mod targets;
mod timer;

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use self::caller::{AsyncCaller, BlockingCaller};
use self::check::{Check, Context, Finding};
use crate::backend::{BackendError, HttpBackend, TransportSettings};
use crate::blocking;

/// Each check ends by itself much sooner, unless the backend hangs.
const LONGEST_CHECK: Duration = Duration::from_secs(20);

/// Checks an async backend. `make` builds one with the given settings; it is called for each
/// check anew.
///
/// Await it where the backend works: for one that needs a runtime, in that runtime. A check whose
/// future stays pending is given up after 20 seconds; one that blocks its thread cannot be.
///
/// ```
/// # #[cfg(feature = "isahc")]
/// # {
/// use keystone_client::backend::IsahcBackend;
/// use keystone_client::testing::conformance;
///
/// # async fn no_run() {
/// let report = conformance::run(IsahcBackend::with_settings).await;
/// report.assert_passed();
/// # }
/// # }
/// ```
pub async fn run<B, F>(make: F) -> Report
where
    B: HttpBackend,
    F: Fn(&TransportSettings) -> Result<B, BackendError> + Send + Sync + 'static,
{
    run_selected(all(), make).await
}

/// Like [`run`], only the checks with these names.
pub async fn run_only<B, F>(names: &[&str], make: F) -> Report
where
    B: HttpBackend,
    F: Fn(&TransportSettings) -> Result<B, BackendError> + Send + Sync + 'static,
{
    run_selected(named(names), make).await
}

async fn run_selected<B, F>(checks: Vec<Check>, make: F) -> Report
where
    B: HttpBackend,
    F: Fn(&TransportSettings) -> Result<B, BackendError> + Send + Sync + 'static,
{
    let context = Context::new(Arc::new(move |settings: &TransportSettings| {
        Ok(Arc::new(AsyncCaller::new(make(settings)?)) as _)
    }));
    let mut outcomes = Vec::new();
    for check in checks {
        let guarded = timer::catch_panic((check.run)(context.clone()));
        let finding = match timer::within(LONGEST_CHECK, guarded).await {
            Some(Ok(finding)) => finding,
            Some(Err(_)) => Err(panicked()),
            None => Err(endless()),
        };
        outcomes.push(Outcome::new(&check, finding));
    }
    Report { outcomes }
}

/// Checks a blocking backend. `make` builds one with the given settings; it is called for each
/// check anew, on a thread of its own.
///
/// A check that does not end is given up after 20 seconds.
pub fn blocking<B, F>(make: F) -> Report
where
    B: blocking::HttpBackend,
    F: Fn(&TransportSettings) -> Result<B, BackendError> + Send + Sync + 'static,
{
    blocking_selected(all(), make)
}

/// Like [`blocking`](fn@blocking), only the checks with these names.
pub fn blocking_only<B, F>(names: &[&str], make: F) -> Report
where
    B: blocking::HttpBackend,
    F: Fn(&TransportSettings) -> Result<B, BackendError> + Send + Sync + 'static,
{
    blocking_selected(named(names), make)
}

fn blocking_selected<B, F>(checks: Vec<Check>, make: F) -> Report
where
    B: blocking::HttpBackend,
    F: Fn(&TransportSettings) -> Result<B, BackendError> + Send + Sync + 'static,
{
    let context = Context::new(Arc::new(move |settings: &TransportSettings| {
        Ok(Arc::new(BlockingCaller::new(make(settings)?)) as _)
    }));
    let outcomes = checks.into_iter().map(|check| {
        let finding = on_own_thread(&check, context.clone());
        Outcome::new(&check, finding)
    });
    Report { outcomes: outcomes.collect() }
}

/// The names of all checks, in the order of the contract.
pub fn names() -> Vec<&'static str> {
    all().iter().map(|check| check.name).collect()
}

fn on_own_thread(check: &Check, context: Context) -> Result<(), Finding> {
    let (sender, receiver) = mpsc::channel();
    let run = check.run;
    thread::spawn(move || {
        let finding = panic::catch_unwind(AssertUnwindSafe(|| pollster::block_on(run(context))));
        // Nobody listens any more once the check was given up.
        let _ = sender.send(finding.unwrap_or_else(|_| Err(panicked())));
    });
    receiver.recv_timeout(LONGEST_CHECK).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => Err(endless()),
        RecvTimeoutError::Disconnected => Err(panicked()),
    })
}

fn all() -> Vec<Check> {
    let groups = [
        requests::checks(),
        targets::checks(),
        responses::checks(),
        failures::checks(),
        limits::checks(),
        connections::checks(),
    ];
    groups.into_iter().flatten().collect()
}

/// With a check that always fails for a name that there is not: a typing error must not pass.
fn named(names: &[&str]) -> Vec<Check> {
    let mut checks = all();
    let unknown = names.iter().any(|name| !checks.iter().any(|check| check.name == *name));
    checks.retain(|check| names.contains(&check.name));
    if unknown {
        checks.push(Check {
            name: "selection",
            clause: "The selected checks exist",
            run: |_| Box::pin(async { Err(Finding::failed("a name of `names`", "another")) }),
        });
    }
    checks
}

fn endless() -> Finding {
    Finding::failed("the check to end", format!("no end within {LONGEST_CHECK:?}"))
}

fn panicked() -> Finding {
    Finding::failed("a result", "a panic, see the output of the test")
}

/// What the suite found.
#[derive(Debug, Clone)]
#[must_use = "a report that nobody reads proves nothing; see `assert_passed`"]
pub struct Report {
    outcomes: Vec<Outcome>,
}

impl Report {
    /// The outcome of each check, in the order of the contract.
    pub fn outcomes(&self) -> &[Outcome] {
        &self.outcomes
    }

    /// Whether no check failed.
    pub fn passed(&self) -> bool {
        !self.outcomes.iter().any(|outcome| matches!(outcome.verdict, Verdict::Failed { .. }))
    }

    /// Asserts that no check failed.
    ///
    /// # Panics
    ///
    /// If a check failed; the message tells for each which clause it proves, what was expected and
    /// what was seen.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion")]
    pub fn assert_passed(&self) {
        if !self.passed() {
            panic!("the backend breaks its contract:\n{self}");
        }
    }
}

/// Lists the failures, then the skipped checks, then the count of the passed ones.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut passed = 0;
        for outcome in &self.outcomes {
            match outcome.verdict {
                Verdict::Passed => passed += 1,
                Verdict::Failed { .. } => writeln!(f, "{outcome}")?,
                Verdict::Skipped { .. } => {}
            }
        }
        for outcome in &self.outcomes {
            if let Verdict::Skipped { .. } = outcome.verdict {
                writeln!(f, "{outcome}")?;
            }
        }
        write!(f, "passed: {passed} of {}", self.outcomes.len())
    }
}

/// The outcome of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The name of the check, as in `docs/backends.md`.
    pub check: &'static str,
    /// The clause of the contract that it proves.
    pub clause: &'static str,
    /// How it ended.
    pub verdict: Verdict,
}

impl Outcome {
    fn new(check: &Check, finding: Result<(), Finding>) -> Self {
        let verdict = match finding {
            Ok(()) => Verdict::Passed,
            Err(Finding::Failed { expected, seen }) => Verdict::Failed { expected, seen },
            Err(Finding::Skipped { reason }) => Verdict::Skipped { reason },
        };
        Self { check: check.name, clause: check.clause, verdict }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, clause, verdict } = self;
        match verdict {
            Verdict::Passed => write!(f, "passed: {check}"),
            Verdict::Skipped { reason } => write!(f, "skipped: {check}: {reason}"),
            Verdict::Failed { expected, seen } => write!(
                f,
                "FAILED: {check}\n  clause:   {clause}\n  expected: {expected}\n  seen:     {seen}"
            ),
        }
    }
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The backend keeps the clause.
    Passed,
    /// The backend breaks the clause.
    #[non_exhaustive]
    Failed {
        /// What the clause demands here.
        expected: String,
        /// What the backend did.
        seen: String,
    },
    /// The check does not apply, or cannot be made here.
    #[non_exhaustive]
    Skipped {
        /// Why.
        reason: String,
    },
}
