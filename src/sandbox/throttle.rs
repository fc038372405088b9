//! Limits on how many requests come in a time.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use crate::sandbox::authentication::Identity;
use crate::sandbox::era::Era;
use crate::sandbox::incoming::Incoming;
use crate::sandbox::reply::Failure;
use crate::sandbox::server::Server;

/// So many requests in any period of this length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateLimit {
    pub(crate) requests: usize,
    pub(crate) period: Duration,
}

/// The limits of a server; none where nothing is limited.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RateLimits {
    pub(crate) user: Option<RateLimit>,
    pub(crate) anonymous: Option<RateLimit>,
}

impl RateLimits {
    /// Those of a server whose operator sets none.
    pub(crate) fn of_era(era: &Era) -> Self {
        let (user, anonymous, seconds) = era.rates;
        let period = Duration::from_secs(seconds);
        let limit = |requests| Some(RateLimit { requests, period });
        Self { user: limit(user), anonymous: limit(anonymous) }
    }

    /// These limits, and the others where there is none.
    pub(crate) fn or(self, other: Self) -> Self {
        Self { user: self.user.or(other.user), anonymous: self.anonymous.or(other.anonymous) }
    }
}

/// Whose requests are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Client {
    User(i64),
    /// Those without login, by what is known of their address.
    Anonymous(String),
    /// The same where they are counted among the users.
    Address(String),
}

/// The requests that were let in of late.
#[derive(Clone, Debug, Default)]
pub(crate) struct Throttle {
    windows: HashMap<Client, Window>,
    /// Clients that did not come of late are forgotten at this size.
    clear_at: usize,
}

/// The requests of one client.
#[derive(Clone, Debug, Default)]
struct Window {
    admitted: VecDeque<SystemTime>,
    period: Duration,
}

impl Window {
    fn forget_expired(&mut self, now: SystemTime) {
        let age = |then: &SystemTime| now.duration_since(*then).unwrap_or_default();
        while self.admitted.front().is_some_and(|then| age(then) >= self.period) {
            self.admitted.pop_front();
        }
    }
}

impl Throttle {
    /// Counts a request; one over the limit is not counted, and the error is how long to wait.
    fn admit(&mut self, client: Client, limit: RateLimit, now: SystemTime) -> Result<(), Duration> {
        if self.windows.len() >= self.clear_at.max(1024) {
            self.windows.retain(|_, window| {
                window.forget_expired(now);
                !window.admitted.is_empty()
            });
            self.clear_at = self.windows.len().saturating_mul(2);
        }
        let window = self.windows.entry(client).or_default();
        window.period = limit.period;
        window.forget_expired(now);
        let admitted = &mut window.admitted;
        let age = |then: &SystemTime| now.duration_since(*then).unwrap_or_default();
        if admitted.len() < limit.requests {
            admitted.push_back(now);
            return Ok(());
        }
        Err(limit.period.saturating_sub(admitted.front().map(age).unwrap_or_default()))
    }
}

impl Server {
    /// Counts a request of a caller, and refuses one that is over the limit.
    pub(crate) fn throttle(
        &mut self,
        identity: &Identity,
        incoming: &Incoming,
    ) -> Result<(), Failure> {
        let limits = self.config.rate_limits;
        // Who is not logged in is counted twice: as such, and as a user of this address.
        let counted = match &identity.caller {
            Some(caller) => vec![(Client::User(caller.user), limits.user)],
            None => {
                let forwarded = incoming.header("x-forwarded-for");
                let address = forwarded.as_deref().unwrap_or("127.0.0.1");
                let address: String = address.split_whitespace().collect();
                vec![
                    (Client::Anonymous(address.clone()), limits.anonymous),
                    (Client::Address(address), limits.user),
                ]
            }
        };
        let now = self.clock.now();
        let mut longest = None;
        for (client, limit) in counted {
            if let Some(Err(wait)) = limit.map(|limit| self.throttle.admit(client, limit, now)) {
                longest = longest.max(Some(wait));
            }
        }
        match longest {
            None => Ok(()),
            Some(wait) => {
                let part = u64::from(wait.subsec_nanos() > 0);
                Err(Failure::Throttled(wait.as_secs().saturating_add(part)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::{Client, RateLimit, Throttle};

    #[test]
    fn a_window_slides_and_refused_requests_do_not_count() {
        let limit = RateLimit { requests: 2, period: Duration::from_secs(60) };
        let begin = SystemTime::UNIX_EPOCH;
        let mut throttle = Throttle::default();
        let mut at = |seconds: u64| {
            let now = begin + Duration::from_secs(seconds);
            throttle.admit(Client::User(1), limit, now).map_err(|wait| wait.as_secs())
        };
        let outcomes = [0, 20, 30, 59, 60, 61, 79, 80, 81].map(&mut at);
        let expected = [Ok(()), Ok(()), Err(30), Err(1), Ok(()), Err(19), Err(1), Ok(()), Err(39)];
        assert_eq!(outcomes, expected);
    }

    #[test]
    fn clients_who_stay_away_are_forgotten() {
        let limit = RateLimit { requests: 2, period: Duration::from_secs(60) };
        let mut throttle = Throttle::default();
        for number in 0..10_000_u64 {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(number);
            let client = Client::Anonymous(number.to_string());
            throttle.admit(client, limit, now).unwrap();
        }
        assert!(throttle.windows.len() < 2048, "{}", throttle.windows.len());
    }

    #[test]
    fn a_limit_of_none_lets_nothing_in() {
        let limit = RateLimit { requests: 0, period: Duration::from_secs(60) };
        let now = SystemTime::UNIX_EPOCH;
        let refused = Throttle::default().admit(Client::User(1), limit, now);
        assert_eq!(refused, Err(limit.period));
    }
}
