use std::time::{Instant, SystemTime};

use http::{HeaderMap, header};

use crate::backend::Now;
use crate::http_date;

/// When a response came, by the clocks here and by the server's own.
///
/// What the server dates is turned into a moment of the monotonic clock here, so that neither a
/// clock that is wrong nor one that is put right ends a login.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Received {
    now: Now,
    server: SystemTime,
}

impl Received {
    pub(crate) fn new(headers: &HeaderMap, now: Now) -> Self {
        let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
        let server = date.and_then(http_date::parse);
        Self { now, server: server.unwrap_or(now.wall) }
    }

    /// Of something that was received at another time, of which the server's clock is not known.
    pub(crate) fn by_own_clock(now: Now) -> Self {
        Self { now, server: now.wall }
    }

    /// The moment of the response.
    pub(crate) fn instant(&self) -> Instant {
        self.now.monotonic
    }

    /// The moment that the server calls `time`; `None` if that was over when it answered.
    pub(crate) fn instant_of(&self, time: SystemTime) -> Option<Instant> {
        let left = time.duration_since(self.server).ok().filter(|left| !left.is_zero())?;
        self.now.monotonic.checked_add(left)
    }

    /// A moment that the server's clock dates at this second.
    #[cfg(test)]
    pub(crate) fn at_server_time(seconds: u64) -> Self {
        let server = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        Self { now: Now::system(), server }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_servers_clock_counts_not_ours() {
        let now = Now::system();
        let expiry = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_300);
        let left = Duration::from_secs(300);
        for server in [1_000_000, 1_000_299] {
            let date = SystemTime::UNIX_EPOCH + Duration::from_secs(server);
            let date = HeaderValue::try_from(http_date::format(date).unwrap()).unwrap();
            let headers = HeaderMap::from_iter([(header::DATE, date)]);
            let received = Received::new(&headers, now);
            let expected = now.monotonic + left - Duration::from_secs(server - 1_000_000);
            assert_eq!(received.instant_of(expiry), Some(expected));
        }
        // Without a date there is our clock, by which it was over long ago.
        assert_eq!(Received::new(&HeaderMap::new(), now).instant_of(expiry), None);
    }
}
