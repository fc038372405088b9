//! The time of the server: the real time or one of its own, moved forward on demand.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use crate::backend::Now;

/// A clock that can be set and put forward.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    start: Option<Start>,
    offset: Duration,
}

/// The time shown when the clock was set.
#[derive(Clone, Copy, Debug)]
struct Start {
    shown: SystemTime,
    since: Instant,
}

impl Clock {
    /// A clock that shows a time now, and runs on from there.
    pub(crate) fn starting_at(time: SystemTime) -> Self {
        let start = Start { shown: time, since: Now::system().monotonic };
        Self { start: Some(start), offset: Duration::ZERO }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.offset = self.offset.saturating_add(by);
    }

    pub(crate) fn read(&self) -> Now {
        let real = Now::system();
        let wall = self.start.map_or(real.wall, |start| {
            let passed = real.monotonic.saturating_duration_since(start.since);
            start.shown.checked_add(passed).unwrap_or(start.shown)
        });
        Now {
            wall: wall.checked_add(self.offset).unwrap_or(wall),
            monotonic: real.monotonic.checked_add(self.offset).unwrap_or(real.monotonic),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.read().wall
    }

    /// Microseconds since the epoch.
    pub(crate) fn microseconds(&self) -> i64 {
        Timestamp::try_from(self.now()).map(|now| now.as_microsecond()).unwrap_or_default()
    }
}
