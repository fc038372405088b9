use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The span over which servers count requests.
const WINDOW: Duration = Duration::from_secs(60);

/// When a client may send its next request, by what it was allowed and by what the server has said.
///
/// Shared by all clones of a client, so that calls that go at the same time share one budget.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// How many requests may go within a minute; `None` for as many as there are.
    limit: Option<usize>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When the last requests were sent or are going to be; as many as the limit.
    sent: VecDeque<Instant>,
    /// The server has asked for silence up to this time.
    quiet_until: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(requests_per_minute: Option<u32>) -> Self {
        let limit = requests_per_minute.map(|limit| limit.max(1) as usize);
        Self { limit, ..Self::default() }
    }

    /// Takes the next free time for a request, and returns how long to wait for it; an error, and
    /// nothing is taken, if that is longer than `within`. Who is not `patient` would rather hear from
    /// the server that it wants silence.
    pub(super) fn reserve(
        &self,
        now: Instant,
        within: Duration,
        patient: bool,
    ) -> Result<Duration, Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet_until = state.quiet_until.filter(|_| patient);
        let mut free = quiet_until.map_or(now, |until| until.max(now));
        if let Some(limit) = self.limit {
            if state.sent.len() >= limit {
                let oldest = state.sent.front().and_then(|oldest| oldest.checked_add(WINDOW));
                free = oldest.map_or(free, |oldest| oldest.max(free));
            }
        }
        let wait = free.saturating_duration_since(now);
        if wait > within {
            return Err(wait);
        }
        if let Some(limit) = self.limit {
            if state.sent.len() >= limit {
                state.sent.pop_front();
            }
            state.sent.push_back(free);
        }
        Ok(wait)
    }

    /// Lets no request go for this long: the server answers none. A server that asks for more than
    /// its window has changed its mind before that is over, so it is asked again then.
    pub(super) fn hush(&self, now: Instant, wait: Duration) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.quiet_until = state.quiet_until.max(now.checked_add(wait.min(WINDOW)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn as_many_as_the_limit_go_in_any_minute() {
        let (pace, start) = (Pace::new(Some(2)), crate::backend::Now::system().monotonic);
        assert_eq!(pace.reserve(start, LONG, true), Ok(seconds(0)));
        assert_eq!(pace.reserve(start + seconds(10), LONG, true), Ok(seconds(0)));
        // Times are taken one after the other, also by callers who come at the same time.
        assert_eq!(pace.reserve(start + seconds(20), LONG, true), Ok(seconds(40)));
        assert_eq!(pace.reserve(start + seconds(20), LONG, true), Ok(seconds(50)));
        assert_eq!(pace.reserve(start + seconds(20), LONG, true), Ok(seconds(100)));
        assert_eq!(pace.reserve(start + seconds(200), LONG, true), Ok(seconds(0)));
    }

    #[test]
    fn who_cannot_wait_takes_no_time() {
        let (pace, start) = (Pace::new(Some(1)), crate::backend::Now::system().monotonic);
        assert_eq!(pace.reserve(start, LONG, true), Ok(seconds(0)));
        assert_eq!(pace.reserve(start, seconds(59), true), Err(seconds(60)));
        assert_eq!(pace.reserve(start, seconds(60), true), Ok(seconds(60)));
    }

    #[test]
    fn silence_holds_for_all() {
        let (pace, start) = (Pace::default(), crate::backend::Now::system().monotonic);
        assert_eq!(pace.reserve(start, LONG, true), Ok(seconds(0)));
        pace.hush(start, seconds(37));
        pace.hush(start, seconds(7));
        assert_eq!(pace.reserve(start, LONG, true), Ok(seconds(37)));
        assert_eq!(pace.reserve(start + seconds(40), LONG, true), Ok(seconds(0)));
        assert_eq!(pace.reserve(start, LONG, false), Ok(seconds(0)));
        pace.hush(start, seconds(86_400));
        assert_eq!(pace.reserve(start, LONG, true), Ok(seconds(60)));
    }
}
