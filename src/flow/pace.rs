use std::collections::VecDeque;
use std::iter;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::request::Cost;
use crate::retry::COUNTING_WINDOW;

/// How many requests servers answer each user in that span unless they are told otherwise. What costs
/// many at once keeps to it where nothing else is stated.
const USUAL_LIMIT: usize = 300;

/// How many sent requests are remembered where nothing bounds them; more says nothing more.
const MOST_REMEMBERED: usize = 2 * USUAL_LIMIT;

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
    /// How many requests the server counts for it.
    cost: usize,
    used: bool,
}

impl Pace {
    pub(crate) fn new(requests_per_minute: Option<u32>) -> Self {
        let limit = requests_per_minute.map(|limit| limit.max(1) as usize);
        Self { limit, ..Self::default() }
    }

    /// How many requests may go within a minute at the most, if that was stated.
    pub(super) fn stated(&self) -> Option<usize> {
        self.limit
    }

    /// How many requests go within a minute, of those that keep to the usual limit.
    pub(crate) fn most_in_a_minute(&self) -> usize {
        self.limit.unwrap_or(USUAL_LIMIT)
    }

    /// How many requests it makes sense to have on their way at a time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }

    /// How many requests may go within a minute at this time.
    fn limit(&self, state: &mut State, now: Instant, planned: bool) -> Option<usize> {
        let stated = self.limit.or(planned.then_some(USUAL_LIMIT))?;
        if self.limit.is_none() {
            // What was only assumed is assumed again when the server has had a minute to itself.
            let is_recent = |lowered: &Lowered| !is_over(lowered.since, now);
            state.lowered = state.lowered.filter(is_recent);
        }
        while let Some(Lowered { limit, since }) = state.lowered {
            let Some(since) = since.checked_add(COUNTING_WINDOW).filter(|end| *end <= now) else {
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

    /// Takes the next free time for a request that the server counts as `cost`; an error that says how
    /// far off it is, and nothing is taken, if that is further than `within`. Who is not `patient` would
    /// rather hear from the server that it wants silence. What costs more than is ever free goes when
    /// all is free. What is `planned` keeps to the usual limit where none is stated.
    pub(super) fn reserve(
        &self,
        now: Instant,
        within: Duration,
        patient: bool,
        Cost { requests: cost, planned }: Cost,
    ) -> Result<Turn<'_>, Duration> {
        let mut state = self.state();
        while state.sent.front().is_some_and(|sent| is_over(*sent, now)) {
            state.sent.pop_front();
        }
        let quiet_until = state.quiet_until.filter(|_| patient);
        let mut at = quiet_until.map_or(now, |until| until.max(now));
        let limit = self.limit(&mut state, now, planned);
        // The one after which there is room enough.
        let last_in_the_way = limit.and_then(|limit| {
            let room = limit.saturating_sub(cost);
            state.sent.len().checked_sub(room.saturating_add(1))
        });
        if let Some(oldest) = last_in_the_way.and_then(|index| state.sent.get(index)) {
            at = oldest.checked_add(COUNTING_WINDOW).map_or(at, |free| free.max(at));
        }
        let wait = at.saturating_duration_since(now);
        if wait > within {
            return Err(wait);
        }
        state.insert(at, cost);
        if self.limit.is_none() {
            while state.sent.len() > MOST_REMEMBERED.max(cost) {
                state.sent.pop_front();
            }
        }
        Ok(Turn { pace: self, at, cost, used: false })
    }

    /// Takes over what the server has counted of a request that was sent at this time, which may take its
    /// time: each step of a job is counted when it is carried out.
    pub(super) fn counted(&self, sent: Sent, now: Instant, counted: usize) {
        // Of one that counts for itself the moment makes no difference.
        if sent.cost == 1 && counted == 1 {
            return;
        }
        let mut state = self.state();
        state.remove(sent.at, sent.cost);
        state.insert(now, counted);
    }

    /// Takes over that the server refused a request for its number, and asked for silence of this length
    /// if it said so; the limit from now on, if it is another than before. What it has counted has been
    /// [taken over](Self::counted) already.
    ///
    /// A server that asks for more than its window has changed its mind before that is over, so it is
    /// asked again then.
    pub(super) fn refused(
        &self,
        now: Instant,
        silence: Option<Duration>,
        cost: Cost,
    ) -> Option<u32> {
        let mut state = self.state();
        let is_known = state.quiet_until.is_some_and(|until| now < until);
        if let Some(silence) = silence {
            state.quiet_until =
                state.quiet_until.max(now.checked_add(silence.min(COUNTING_WINDOW)));
        }
        let present = self.limit(&mut state, now, cost.planned)?;
        // Requests that were under way together are refused together.
        if is_known {
            return None;
        }
        let limit = state.recent(now).max(1).min(present);
        state.lowered = Some(Lowered { limit, since: now });
        (limit != present).then(|| u32::try_from(limit).unwrap_or(u32::MAX))
    }
}

fn is_over(sent: Instant, now: Instant) -> bool {
    sent.checked_add(COUNTING_WINDOW).is_some_and(|end| end <= now)
}

impl State {
    fn insert(&mut self, at: Instant, times: usize) {
        let index = self.sent.partition_point(|sent| *sent <= at);
        let mut later = self.sent.split_off(index);
        self.sent.extend(iter::repeat_n(at, times));
        self.sent.append(&mut later);
    }

    fn remove(&mut self, at: Instant, times: usize) {
        let index = self.sent.partition_point(|sent| *sent < at);
        if self.sent.get(index) == Some(&at) {
            let end = self.sent.len().min(index.saturating_add(times));
            self.sent.drain(index..end);
        }
    }

    /// How many requests were sent in the minute before this time.
    fn recent(&self, now: Instant) -> usize {
        let over = self.sent.partition_point(|sent| is_over(*sent, now));
        self.sent.partition_point(|sent| *sent <= now).saturating_sub(over)
    }
}

/// A request that was sent: when, and how many it was to count for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    at: Instant,
    cost: usize,
}

impl Turn<'_> {
    /// Whether there still is room for it: what is not planned goes meanwhile as it likes.
    pub(super) fn has_room(&self, now: Instant) -> bool {
        let mut state = self.pace.state();
        let Some(limit) = self.pace.limit(&mut state, now, true) else { return true };
        let others = state.recent(now);
        let others = if self.at <= now { others.saturating_sub(self.cost) } else { others };
        others == 0 || others.saturating_add(self.cost) <= limit
    }

    /// When to send. It can be later than it was: the server may have asked for silence meanwhile.
    pub(super) fn at(&self, patient: bool) -> Instant {
        let quiet_until = self.pace.state().quiet_until.filter(|_| patient);
        quiet_until.map_or(self.at, |until| until.max(self.at))
    }

    /// Sends now.
    pub(super) fn take(mut self, now: Instant) -> Sent {
        self.used = true;
        let at = now.max(self.at);
        if at != self.at {
            let mut state = self.pace.state();
            state.remove(self.at, self.cost);
            state.insert(at, self.cost);
        }
        Sent { at, cost: self.cost }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.used {
            self.pace.state().remove(self.at, self.cost);
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
        let turn = pace.reserve(now, within, true, Cost::ONE).map_err(|wait| wait.as_secs())?;
        let at = turn.at(true);
        turn.take(at);
        Ok((at - now).as_secs())
    }

    fn refused(pace: &Pace, now: Instant, silence: Option<Duration>) -> Option<u32> {
        // The request that was refused is not counted.
        let newest = pace.state().sent.iter().copied().filter(|sent| *sent <= now).max();
        if let Some(at) = newest {
            pace.counted(Sent { at, cost: 1 }, now, 0);
        }
        pace.refused(now, silence, Cost::ONE)
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
            let turn = pace.reserve(start + seconds(20), LONG, true, Cost::ONE).unwrap();
            assert_eq!(turn.at(true), start + seconds(60));
        }
        assert_eq!(wait(&pace, start + seconds(20), LONG), Ok(40));
    }

    /// What is sent later than it could have been counts from then on.
    #[test]
    fn who_is_late_is_counted_when_he_sends() {
        let (pace, start) = (Pace::new(Some(1)), start());
        pace.reserve(start, LONG, true, Cost::ONE).unwrap().take(start + seconds(30));
        assert_eq!(wait(&pace, start + seconds(70), LONG), Ok(20));
    }

    #[test]
    fn silence_holds_for_all() {
        let (pace, start) = (Pace::default(), start());
        let waiting = pace.reserve(start, LONG, true, Cost::ONE).unwrap();
        assert_eq!(refused(&pace, start, Some(seconds(37))), None);
        refused(&pace, start, Some(seconds(7)));
        assert_eq!(waiting.at(true), start + seconds(37));
        assert_eq!(waiting.at(false), start);
        assert_eq!(wait(&pace, start, LONG), Ok(37));
        assert_eq!(wait(&pace, start + seconds(40), LONG), Ok(0));
        assert_eq!(pace.reserve(start, LONG, false, Cost::ONE).unwrap().at(false), start);
        refused(&pace, start, Some(seconds(86_400)));
        assert_eq!(wait(&pace, start, LONG), Ok(60));
    }

    /// Others use up a part of what the server allows, for a while.
    #[test]
    fn a_limit_that_is_too_much_is_lowered_and_grows_again() {
        let (pace, start) = (Pace::new(Some(22)), start());
        for _ in 0..21 {
            assert_eq!(wait(&pace, start, LONG), Ok(0));
        }
        assert_eq!(refused(&pace, start, Some(seconds(5))), Some(20));
        // Those who were under way at the same time are refused for the same reason.
        assert_eq!(pace.refused(start + seconds(1), Some(seconds(4)), Cost::ONE), None);
        assert_eq!(wait(&pace, start + seconds(10), LONG), Ok(50));
        let free = |after: u64| {
            let mut state = pace.state();
            pace.limit(&mut state, start + seconds(after), false)
        };
        assert_eq!((free(59), free(60), free(121)), (Some(20), Some(22), Some(22)));
    }

    #[test]
    fn without_a_limit_nothing_is_learned() {
        let (pace, start) = (Pace::default(), start());
        assert_eq!(refused(&pace, start, None), None);
        assert_eq!(wait(&pace, start, LONG), Ok(0));
        let pace = Pace::new(Some(5));
        assert_eq!(refused(&pace, start, None), Some(1));
    }

    const fn job(requests: usize) -> Cost {
        Cost { requests, planned: true }
    }

    /// What costs many keeps to the usual limit, also after what did not.
    #[test]
    fn jobs_wait_until_there_is_room_for_all_of_them() {
        let (pace, start) = (Pace::default(), start());
        let at = |after: u64, cost: usize| {
            let now = start + seconds(after);
            let turn = pace.reserve(now, LONG, true, job(cost)).unwrap();
            let at = turn.at(true);
            turn.take(at);
            (at - now).as_secs()
        };
        assert_eq!(wait(&pace, start, LONG), Ok(0));
        assert_eq!(at(5, 101), 0);
        assert_eq!(at(10, 101), 0);
        assert_eq!(at(20, 98), 40, "with the first call gone there is room for 98 more");
        assert_eq!(at(20, 101), 45);
        assert_eq!(wait(&pace, start + seconds(20), LONG), Ok(0), "others are not held up");
    }

    #[test]
    fn a_job_larger_than_the_limit_goes_when_all_is_free() {
        let (pace, start) = (Pace::new(Some(10)), start());
        assert_eq!(wait(&pace, start, LONG), Ok(0));
        let turn = pace.reserve(start + seconds(1), LONG, true, job(50)).unwrap();
        assert_eq!(turn.at(true), start + seconds(60));
        drop(turn);
        assert_eq!(pace.state().sent.len(), 1);
    }

    /// The server counts each step when it carries it out, so a job counts from its end.
    #[test]
    fn a_job_counts_from_its_answer_and_for_what_was_carried_out() {
        let (pace, start) = (Pace::default(), start());
        for after in [0, 5, 10] {
            let now = start + seconds(after);
            let sent = pace.reserve(now, LONG, true, job(99)).unwrap().take(now);
            pace.counted(sent, now + seconds(4), 99);
        }
        let turn = pace.reserve(start + seconds(20), LONG, true, job(99)).unwrap();
        assert_eq!(turn.at(true), start + seconds(64));
        drop(turn);
        let sent = pace.reserve(start + seconds(64), LONG, true, job(99)).unwrap();
        pace.counted(sent.take(start + seconds(64)), start + seconds(64), 2);
        let turn = pace.reserve(start + seconds(64), LONG, true, job(97)).unwrap();
        assert_eq!(turn.at(true), start + seconds(64), "a job that failed at its first step");
    }

    /// Single calls go as they like while a job waits.
    #[test]
    fn there_may_be_no_room_any_more_when_the_turn_comes() {
        let (pace, start) = (Pace::default(), start());
        pace.reserve(start, LONG, true, job(200)).unwrap().take(start);
        let turn = pace.reserve(start, LONG, true, job(200)).unwrap();
        assert_eq!(turn.at(true), start + seconds(60));
        for _ in 0..150 {
            assert_eq!(wait(&pace, start + seconds(30), LONG), Ok(0));
        }
        assert!(!turn.has_room(start + seconds(60)));
        drop(turn);
        let turn = pace.reserve(start + seconds(60), LONG, true, job(200)).unwrap();
        assert_eq!(turn.at(true), start + seconds(90));
        assert!(turn.has_room(start + seconds(90)));
    }

    /// The server has counted the steps before the one that was too much.
    #[test]
    fn a_refused_step_tells_how_many_were_answered() {
        let (pace, start) = (Pace::default(), start());
        let sent = pace.reserve(start, LONG, true, job(101)).unwrap().take(start);
        pace.counted(sent, start + seconds(2), 40);
        assert_eq!(pace.refused(start + seconds(2), None, job(101)), Some(40));
        let turn = pace.reserve(start + seconds(2), LONG, true, job(20)).unwrap();
        assert_eq!(turn.at(true), start + seconds(62));
        drop(turn);
        // After a minute the usual limit is assumed again.
        let turn = pace.reserve(start + seconds(62), LONG, true, job(299)).unwrap();
        assert_eq!(turn.at(true), start + seconds(62));
    }

    #[test]
    fn what_nothing_bounds_is_not_remembered_for_ever() {
        let (pace, start) = (Pace::default(), start());
        for _ in 0..10 * MOST_REMEMBERED {
            assert_eq!(wait(&pace, start, LONG), Ok(0));
        }
        assert_eq!(pace.state().sent.len(), MOST_REMEMBERED);
    }
}
