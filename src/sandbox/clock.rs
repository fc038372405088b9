//! The time of the server: the real time or one of its own, moved forward on demand.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use crate::backend::Now;

/// A clock that can be set, stopped and put forward.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    start: Option<Start>,
    /// How far it was put forward since then.
    offset: Duration,
    /// How far it was put forward in all, also before it was set back to a snapshot: what clients
    /// measure never goes back.
    lead: Duration,
    /// It moves only when it is put forward.
    frozen: bool,
}

/// More than between the first and the last time that a clock shows.
const LONGEST: Duration = Duration::from_secs(8_100 * 366 * 86_400);

/// Dates in HTTP are from 1970 to 9999.
fn first_time() -> SystemTime {
    SystemTime::UNIX_EPOCH
}

fn last_time() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799)
}

/// The time shown when the clock was set.
#[derive(Clone, Copy, Debug)]
struct Start {
    shown: SystemTime,
    since: Instant,
}

impl Clock {
    /// A clock that shows a time now, or the real one, and runs on from there unless it is frozen.
    pub(crate) fn new(time: Option<SystemTime>, frozen: bool) -> Self {
        let real = Now::system();
        let shown = time.or(frozen.then_some(real.wall));
        let start = shown.map(|shown| Start { shown, since: real.monotonic });
        Self { start, frozen, ..Self::default() }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        // A century more than dates go, so that the clock stands still there and no sum overflows.
        self.offset = self.offset.saturating_add(by).min(LONGEST);
        self.lead = self.lead.saturating_add(by).min(LONGEST);
    }

    pub(crate) fn read(&self) -> Now {
        let mut real = Now::system();
        if let (Some(start), true) = (self.start, self.frozen) {
            real.monotonic = start.since;
        }
        let wall = self.start.map_or(real.wall, |start| {
            let passed = real.monotonic.saturating_duration_since(start.since);
            start.shown.checked_add(passed).unwrap_or(start.shown)
        });
        let last = last_time();
        Now {
            wall: wall.checked_add(self.offset).map_or(last, |wall| wall.clamp(first_time(), last)),
            monotonic: real.monotonic.checked_add(self.lead).unwrap_or(real.monotonic),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.read().wall
    }

    /// Microseconds since the epoch.
    pub(crate) fn microseconds(&self) -> i64 {
        Timestamp::try_from(self.now()).map(|now| now.as_microsecond()).unwrap_or_default()
    }

    /// The clock as it is kept: set to what it shows.
    pub(crate) fn stopped(&self) -> Self {
        let Now { wall, .. } = self.read();
        let since = self.start.map_or_else(|| Now::system().monotonic, |start| start.since);
        let start = Some(Start { shown: wall, since });
        Self { start, offset: Duration::ZERO, ..*self }
    }

    /// Shows the time of a kept clock again, and runs on from there. For clients no time is lost.
    pub(crate) fn set_back(&mut self, kept: &Self) {
        let Now { monotonic, .. } = self.read();
        let real = match self.start {
            // Nothing has passed for a clock that stands still.
            Some(start) if self.frozen && kept.frozen => start.since,
            _ => Now::system().monotonic,
        };
        self.frozen = kept.frozen;
        self.offset = Duration::ZERO;
        self.lead = monotonic.saturating_duration_since(real);
        self.start = kept.start.map(|start| Start { since: real, ..start });
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::Clock;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn a_frozen_clock_moves_only_when_it_is_put_forward() {
        let time = SystemTime::UNIX_EPOCH + HOUR;
        let mut clock = Clock::new(Some(time), true);
        let first = clock.read();
        assert_eq!((first.wall, clock.read().monotonic), (time, first.monotonic));
        clock.advance(HOUR);
        assert_eq!(clock.now(), time + HOUR);
        assert_eq!(clock.read().monotonic, first.monotonic + HOUR);
    }

    #[test]
    fn it_shows_only_dates_that_http_can_write() {
        for start in [None, Some(SystemTime::UNIX_EPOCH - HOUR)] {
            let mut clock = Clock::new(start, start.is_some());
            assert!(clock.now() >= SystemTime::UNIX_EPOCH);
            let mut last = clock.read();
            for by in [HOUR, Duration::from_secs(300_000_000_000), Duration::MAX, HOUR] {
                clock.advance(by);
                let now = clock.read();
                assert!(now.wall >= last.wall && now.monotonic >= last.monotonic, "{by:?}");
                assert!(crate::http_date::format(now.wall).is_some(), "{by:?}");
                last = now;
            }
        }
    }

    #[test]
    fn a_clock_that_stands_still_does_so_when_it_is_set_back() {
        let mut clock = Clock::new(None, true);
        let before = clock.read();
        clock.set_back(&clock.stopped());
        assert_eq!(clock.read(), before);
    }

    #[test]
    fn a_clock_that_is_set_back_goes_on_for_clients() {
        for frozen in [true, false] {
            let time = SystemTime::UNIX_EPOCH + 9 * HOUR;
            let mut clock = Clock::new(Some(time), frozen);
            clock.advance(HOUR);
            let kept = clock.stopped();
            clock.advance(5 * HOUR);
            let before = clock.read();
            clock.set_back(&kept);
            let after = clock.read();
            assert!(after.monotonic >= before.monotonic);
            assert!(after.wall >= time + HOUR && after.wall < time + 2 * HOUR, "{after:?}");
            assert_eq!(frozen, after.wall == time + HOUR);
            clock.advance(HOUR);
            assert!(clock.read().monotonic >= before.monotonic + HOUR);
            assert!(clock.now() >= time + 2 * HOUR);
        }
    }
}
