//! When a call is sent again, and after how long. Decides, never waits.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

use crate::backend::{BackendError, BackendErrorKind};
use crate::http_date;

/// An attempt is not begun with less time than this left: a write cut off at once would only be in
/// doubt.
pub(crate) const SHORTEST_ATTEMPT: Duration = Duration::from_secs(1);

/// How often and how patiently a call is repeated.
///
/// A call that certainly was not executed (no connection, 429) is repeated whatever its method.
/// One that may have been executed (time-out, broken connection, 502, 503, 504) is repeated only
/// if it is idempotent: GET, HEAD, PUT, DELETE, and calls that
/// [say so](crate::Call::idempotent). The wait is what the server asks for in `Retry-After`, else
/// exponential with jitter. Everything happens within one total time; if that does not suffice,
/// the last real error comes back at once.
///
/// The default is four attempts, waits from 0.25 s doubling up to 10 s, and 120 s in total. The chapter
/// [Retries, limits, deadlines](crate::guide::failures) says more.
///
/// ```
/// use std::time::Duration;
/// use keystone_client::RetryPolicy;
///
/// let patient = RetryPolicy::default().with_max_attempts(8).with_total(Duration::from_secs(600));
/// let never = RetryPolicy::never();
/// assert_ne!(patient, never);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    base_delay: Duration,
    max_delay: Duration,
    total: Duration,
    jitter: bool,
}

impl Default for RetryPolicy {
    /// Four attempts, waits from 0.25 s doubling up to 10 s, 120 s in total.
    fn default() -> Self {
        Self {
            max_attempts: 4,
            base_delay: Duration::from_millis(250),
            max_delay: Duration::from_secs(10),
            total: Duration::from_secs(120),
            jitter: true,
        }
    }
}

impl RetryPolicy {
    /// One attempt, whatever happens.
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// Sets the number of attempts, the first included; 0 counts as 1.
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// Sets the first wait, which doubles from attempt to attempt up to `max`.
    #[must_use]
    pub fn with_delays(mut self, base: Duration, max: Duration) -> Self {
        self.base_delay = base;
        self.max_delay = max;
        self
    }

    /// Sets the time within which a call ends, attempts and waits included. A longer
    /// [`Call::timeout`](crate::Call::timeout) takes its place. While another caller logs in or
    /// refreshes, the time of that comes on top.
    #[must_use]
    pub fn with_total(mut self, total: Duration) -> Self {
        self.total = total;
        self
    }

    /// Waits exactly as long as computed, for tests.
    #[must_use]
    pub fn without_jitter(mut self) -> Self {
        self.jitter = false;
        self
    }

    /// The time within which a call ends.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// Whether calls are repeated at all.
    pub(crate) fn is_patient(&self) -> bool {
        self.max_attempts > 1
    }

    /// How long to wait before the next attempt; `None` if there is to be none.
    ///
    /// `random` is uniform in 0..1.
    pub(crate) fn wait(
        &self,
        failure: &Failure,
        attempt: &Attempt,
        random: f64,
    ) -> Option<Duration> {
        if attempt.number >= self.max_attempts
            || !(failure.surely_not_executed || (failure.transient && attempt.idempotent))
        {
            return None;
        }
        let wait = failure.asked_to_wait.unwrap_or_else(|| self.backoff(attempt.number, random));
        (wait.saturating_add(SHORTEST_ATTEMPT) <= attempt.left).then_some(wait)
    }

    fn backoff(&self, attempt: u32, random: f64) -> Duration {
        let factor = 2_u32.saturating_pow(attempt.saturating_sub(1));
        let full = self.base_delay.saturating_mul(factor).min(self.max_delay);
        if self.jitter { full.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0) } else { full }
    }
}

/// Where a call stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    /// 1 for the first.
    pub(crate) number: u32,
    pub(crate) idempotent: bool,
    /// What is left of the total time.
    pub(crate) left: Duration,
}

/// What an attempt came to, as far as repeating it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Failure {
    surely_not_executed: bool,
    transient: bool,
    asked_to_wait: Option<Duration>,
}

impl Failure {
    pub(crate) fn of_backend(error: &BackendError) -> Self {
        let kind = error.kind();
        let hopeless = matches!(kind, BackendErrorKind::Request | BackendErrorKind::TooLarge);
        Self {
            surely_not_executed: !hopeless && !error.may_have_been_sent(),
            transient: !hopeless,
            asked_to_wait: None,
        }
    }

    /// A job of which one step was one call too many: everything was rolled back.
    pub(crate) fn throttled_job() -> Self {
        Self { surely_not_executed: true, transient: false, asked_to_wait: Some(COUNTING_WINDOW) }
    }

    /// `None` where the response is an answer and no failure to be waited out.
    pub(crate) fn of_response(
        status: StatusCode,
        headers: &HeaderMap,
        wall: SystemTime,
    ) -> Option<Self> {
        let surely_not_executed = status == StatusCode::TOO_MANY_REQUESTS;
        let transient = matches!(status.as_u16(), 502..=504);
        (surely_not_executed || transient).then(|| Self {
            surely_not_executed,
            transient,
            asked_to_wait: retry_after(headers, wall),
        })
    }
}

/// Over what time servers count calls, and so how long to wait where they do not say it.
pub(crate) const COUNTING_WINDOW: Duration = Duration::from_secs(60);

/// The wait that `Retry-After` asks for, in seconds or, judged by `wall`, as a date.
pub(crate) fn retry_after(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = http_date::parse(value)?;
    Some(date.duration_since(wall).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(retry_after: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::RETRY_AFTER, retry_after.parse().unwrap())])
    }

    fn attempt(number: u32, idempotent: bool) -> Attempt {
        Attempt { number, idempotent, left: RetryPolicy::default().total }
    }

    fn policy() -> RetryPolicy {
        RetryPolicy::default().without_jitter()
    }

    #[test]
    fn a_write_in_doubt_is_not_repeated() {
        let doubt = Failure::of_backend(&BackendError::new(BackendErrorKind::Closed, "gone"));
        assert_eq!(policy().wait(&doubt, &attempt(1, false), 0.0), None);
        assert_eq!(policy().wait(&doubt, &attempt(1, true), 0.0), Some(Duration::from_millis(250)));
        let connect = Failure::of_backend(&BackendError::new(BackendErrorKind::Connect, "refused"));
        assert!(policy().wait(&connect, &attempt(1, false), 0.0).is_some());
    }

    #[test]
    fn waits_double_up_to_the_cap_and_end() {
        let connect = Failure::of_backend(&BackendError::new(BackendErrorKind::Connect, "refused"));
        let policy = policy()
            .with_max_attempts(9)
            .with_delays(Duration::from_secs(1), Duration::from_secs(5));
        let waits: Vec<_> = (1..=9)
            .map(|number| policy.wait(&connect, &attempt(number, true), 0.0))
            .map(|wait| wait.map(|wait| wait.as_secs()))
            .collect();
        assert_eq!(
            waits,
            [1, 2, 4, 5, 5, 5, 5, 5].into_iter().map(Some).chain([None]).collect::<Vec<_>>()
        );
    }

    #[test]
    fn the_server_says_how_long() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let status = StatusCode::TOO_MANY_REQUESTS;
        let seconds = Failure::of_response(status, &headers("37"), wall).unwrap();
        assert_eq!(policy().wait(&seconds, &attempt(1, false), 0.0), Some(Duration::from_secs(37)));

        let date = httpdate::fmt_http_date(wall + Duration::from_secs(20));
        let date = Failure::of_response(status, &headers(&date), wall).unwrap();
        assert_eq!(policy().wait(&date, &attempt(1, false), 0.0), Some(Duration::from_secs(20)));

        let day = Failure::of_response(status, &headers("86400"), wall).unwrap();
        assert_eq!(policy().wait(&day, &attempt(1, false), 0.0), None, "longer than the total");
    }

    #[test]
    fn jitter_stays_between_half_and_whole() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.backoff(1, 0.0), Duration::from_millis(125));
        assert_eq!(policy.backoff(1, 1.0), Duration::from_millis(250));
    }
}
