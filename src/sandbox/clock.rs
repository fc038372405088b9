//! The time of the server: the real time, moved forward on demand.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::backend::Now;

/// A clock that can be put forward.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    offset: Duration,
}

impl Clock {
    pub(crate) fn advance(&mut self, by: Duration) {
        self.offset = self.offset.saturating_add(by);
    }

    pub(crate) fn read(&self) -> Now {
        let real = Now::system();
        Now {
            wall: real.wall.checked_add(self.offset).unwrap_or(real.wall),
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
