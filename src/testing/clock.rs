use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::backend::Now;

/// A clock that stands still but for the waits, which take no time.
#[derive(Debug)]
pub(super) struct VirtualClock {
    started: Now,
    passed: Mutex<Passed>,
}

#[derive(Debug, Default)]
struct Passed {
    sleeps: Vec<Duration>,
    total: Duration,
}

impl VirtualClock {
    pub(super) fn new() -> Self {
        Self { started: Now::system(), passed: Mutex::default() }
    }

    fn passed(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a wait of the client.
    pub(super) fn sleep(&self, duration: Duration) {
        let mut passed = self.passed();
        passed.sleeps.push(duration);
        passed.total = passed.total.saturating_add(duration);
    }

    /// Moves the clock without a wait.
    pub(super) fn advance(&self, duration: Duration) {
        let mut passed = self.passed();
        passed.total = passed.total.saturating_add(duration);
    }

    /// The waits so far, in order.
    pub(super) fn sleeps(&self) -> Vec<Duration> {
        self.passed().sleeps.clone()
    }

    pub(super) fn now(&self) -> Now {
        later(self.started, self.passed().total)
    }
}

/// Both clocks after so much time.
pub(super) fn later(start: Now, passed: Duration) -> Now {
    Now {
        wall: start.wall.checked_add(passed).unwrap_or(start.wall),
        monotonic: start.monotonic.checked_add(passed).unwrap_or(start.monotonic),
    }
}
