use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The span over which servers count requests.
const WINDOW: Duration = Duration::from_secs(60);

/// By which part of itself a lowered limit grows with each window in which the server refuses nothing.
const RECOVERY: usize = 10;

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
    /// When requests of the last minute were sent and when those to come are going to be, in order.
    sent: VecDeque<Instant>,
    /// The server has asked for silence up to this time.
    quiet_until: Option<Instant>,
    /// What the server has shown to be too much.
    lowered: Option<Lowered>,
}

/// A limit below the stated one: others send requests as the same user.
#[derive(Debug, Clone, Copy)]
struct Lowered {
    limit: usize,
    /// When the server refused a request last, or the limit grew.
    since: Instant,
}

/// The time that a request has been given. Who does not use it gives it back.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    at: Instant,
    used: bool,
}

impl Pace {
    pub(crate) fn new(requests_per_minute: Option<u32>) -> Self {
        let limit = requests_per_minute.map(|limit| limit.max(1) as usize);
        Self { limit, ..Self::default() }
    }

    /// How many requests it makes sense to have on their way at a time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// How many requests may go within a minute at this time.
    fn limit(&self, state: &mut State, now: Instant) -> Option<usize> {
        let stated = self.limit?;
        while let Some(Lowered { limit, since }) = state.lowered {
            let Some(since) = since.checked_add(WINDOW).filter(|end| *end <= now) else {
                return Some(limit);
            };
            let limit = limit + (limit / RECOVERY).max(1);
            state.lowered = (limit < stated).then_some(Lowered { limit, since });
        }
        Some(stated)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next free time for a request; an error that says how far off it is, and nothing is
    /// taken, if that is further than `within`. Who is not `patient` would rather hear from the server
    /// that it wants silence.
    pub(super) fn reserve(
        &self,
        now: Instant,
        within: Duration,
        patient: bool,
    ) -> Result<Turn<'_>, Duration> {
        let mut state = self.state();
        while state.sent.front().is_some_and(|sent| is_over(*sent, now)) {
            state.sent.pop_front();
        }
        let quiet_until = state.quiet_until.filter(|_| patient);
        let mut at = quiet_until.map_or(now, |until| until.max(now));
        let limit = self.limit(&mut state, now);
        let before = limit.and_then(|limit| state.sent.len().checked_sub(limit));
        if let Some(oldest) = before.and_then(|index| state.sent.get(index)) {
            at = oldest.checked_add(WINDOW).map_or(at, |free| free.max(at));
        }
        let wait = at.saturating_duration_since(now);
        if wait > within {
            return Err(wait);
        }
        if self.limit.is_some() {
            state.insert(at);
        }
        Ok(Turn { pace: self, at, used: false })
    }

    /// Takes over that the server refused a request for its number, and asked for silence of this
    /// length if it said so; the limit from now on, if it is another than before.
    ///
    /// A server that asks for more than its window has changed its mind before that is over, so it is
    /// asked again then.
    pub(super) fn refused(&self, now: Instant, silence: Option<Duration>) -> Option<u32> {
        let mut state = self.state();
        let is_known = state.quiet_until.is_some_and(|until| now < until);
        if let Some(silence) = silence {
            state.quiet_until = state.quiet_until.max(now.checked_add(silence.min(WINDOW)));
        }
        let present = self.limit(&mut state, now)?;
        // Requests that were under way together are refused together.
        if is_known {
            return None;
        }
        let is_recent = |sent: &&Instant| **sent <= now && !is_over(**sent, now);
        // The last of them is the one that was refused.
        let answered = state.sent.iter().filter(is_recent).count().saturating_sub(1).max(1);
        let limit = answered.min(present);
        state.lowered = Some(Lowered { limit, since: now });
        (limit != present).then(|| u32::try_from(limit).unwrap_or(u32::MAX))
    }
}

fn is_over(sent: Instant, now: Instant) -> bool {
    sent.checked_add(WINDOW).is_some_and(|end| end <= now)
}

impl State {
    fn insert(&mut self, at: Instant) {
        let index = self.sent.partition_point(|sent| *sent <= at);
        self.sent.insert(index, at);
    }

    fn remove(&mut self, at: Instant) {
        if let Some(index) = self.sent.iter().position(|sent| *sent == at) {
            self.sent.remove(index);
        }
    }
}

impl Turn<'_> {
    /// When to send. It can be later than it was: the server may have asked for silence meanwhile.
    pub(super) fn at(&self, patient: bool) -> Instant {
        let quiet_until = self.pace.state().quiet_until.filter(|_| patient);
        quiet_until.map_or(self.at, |until| until.max(self.at))
    }

    /// Sends now.
    pub(super) fn take(mut self, now: Instant) {
        self.used = true;
        if self.pace.limit.is_some() {
            let mut state = self.pace.state();
            state.remove(self.at);
            state.insert(now.max(self.at));
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.used && self.pace.limit.is_some() {
            self.pace.state().remove(self.at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn start() -> Instant {
        crate::backend::Now::system().monotonic
    }

    /// How long a request has to wait that is then sent.
    fn wait(pace: &Pace, now: Instant, within: Duration) -> Result<u64, u64> {
        let turn = pace.reserve(now, within, true).map_err(|wait| wait.as_secs())?;
        let at = turn.at(true);
        turn.take(at);
        Ok((at - now).as_secs())
    }

    #[test]
    fn as_many_as_the_limit_go_in_any_minute() {
        let (pace, start) = (Pace::new(Some(2)), start());
        assert_eq!(wait(&pace, start, LONG), Ok(0));
        assert_eq!(wait(&pace, start + seconds(10), LONG), Ok(0));
        // Times are taken one after the other, also by callers who come at the same time.
        assert_eq!(wait(&pace, start + seconds(20), LONG), Ok(40));
        assert_eq!(wait(&pace, start + seconds(20), LONG), Ok(50));
        assert_eq!(wait(&pace, start + seconds(20), LONG), Ok(100));
        assert_eq!(wait(&pace, start + seconds(200), LONG), Ok(0));
    }

    #[test]
    fn who_cannot_wait_takes_no_time() {
        let (pace, start) = (Pace::new(Some(1)), start());
        assert_eq!(wait(&pace, start, LONG), Ok(0));
        assert_eq!(wait(&pace, start, seconds(59)), Err(60));
        assert_eq!(wait(&pace, start, seconds(60)), Ok(60));
    }

    /// A call that is given up while it waits uses nothing up, and what was sent still counts.
    #[test]
    fn who_does_not_send_gives_the_time_back() {
        let (pace, start) = (Pace::new(Some(2)), start());
        assert_eq!(wait(&pace, start, LONG), Ok(0));
        assert_eq!(wait(&pace, start + seconds(10), LONG), Ok(0));
        for _ in 0..5 {
            let turn = pace.reserve(start + seconds(20), LONG, true).unwrap();
            assert_eq!(turn.at(true), start + seconds(60));
        }
        assert_eq!(wait(&pace, start + seconds(20), LONG), Ok(40));
    }

    /// What is sent later than it could have been counts from then on.
    #[test]
    fn who_is_late_is_counted_when_he_sends() {
        let (pace, start) = (Pace::new(Some(1)), start());
        pace.reserve(start, LONG, true).unwrap().take(start + seconds(30));
        assert_eq!(wait(&pace, start + seconds(70), LONG), Ok(20));
    }

    #[test]
    fn silence_holds_for_all() {
        let (pace, start) = (Pace::default(), start());
        let waiting = pace.reserve(start, LONG, true).unwrap();
        assert_eq!(pace.refused(start, Some(seconds(37))), None);
        pace.refused(start, Some(seconds(7)));
        assert_eq!(waiting.at(true), start + seconds(37));
        assert_eq!(waiting.at(false), start);
        assert_eq!(wait(&pace, start, LONG), Ok(37));
        assert_eq!(wait(&pace, start + seconds(40), LONG), Ok(0));
        assert_eq!(pace.reserve(start, LONG, false).unwrap().at(false), start);
        pace.refused(start, Some(seconds(86_400)));
        assert_eq!(wait(&pace, start, LONG), Ok(60));
    }

    /// Others use up a part of what the server allows, for a while.
    #[test]
    fn a_limit_that_is_too_much_is_lowered_and_grows_again() {
        let (pace, start) = (Pace::new(Some(22)), start());
        for _ in 0..21 {
            assert_eq!(wait(&pace, start, LONG), Ok(0));
        }
        assert_eq!(pace.refused(start, Some(seconds(5))), Some(20));
        // Those who were under way at the same time are refused for the same reason.
        assert_eq!(pace.refused(start + seconds(1), Some(seconds(4))), None);
        assert_eq!(wait(&pace, start + seconds(10), LONG), Ok(50));
        let free = |after: u64| {
            let mut state = pace.state();
            pace.limit(&mut state, start + seconds(after))
        };
        assert_eq!((free(59), free(60), free(121)), (Some(20), Some(22), Some(22)));
    }

    #[test]
    fn without_a_limit_nothing_is_learned() {
        let (pace, start) = (Pace::default(), start());
        assert_eq!(pace.refused(start, None), None);
        assert_eq!(wait(&pace, start, LONG), Ok(0));
        let pace = Pace::new(Some(5));
        assert_eq!(pace.refused(start, None), Some(1));
    }
}
