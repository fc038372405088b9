use std::borrow::Cow;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;

use crate::field::Comparand;

/// How a server compares where servers differ, for [`Filter::matches_with`](super::Filter::matches_with).
///
/// The default is a server on PostgreSQL whose time zone is UTC.
///
/// ```
/// use keystone_client::resources::Cluster;
/// use keystone_client::testing::Fixture;
/// use keystone_client::{MatchSemantics, Resource};
///
/// let mut cluster = Cluster::fixture(1);
/// cluster.name = "Atlas".to_owned();
/// let filter = Cluster::FIELDS.name.starts_with("at");
/// assert_eq!(filter.matches(&cluster), Some(false));
/// let sqlite = MatchSemantics::default().ignore_ascii_case(true);
/// assert_eq!(filter.matches_with(&cluster, &sqlite), Some(true));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MatchSemantics {
    ignore_ascii_case: bool,
    time_zone: TimeZone,
}

impl Default for MatchSemantics {
    fn default() -> Self {
        Self { ignore_ascii_case: false, time_zone: TimeZone::UTC }
    }
}

impl MatchSemantics {
    /// Whether `contains`, `starts_with` and `ends_with` and their negations take letters from A to
    /// Z for those from a to z, as they do on SQLite. Equality always minds the case.
    #[must_use]
    pub fn ignore_ascii_case(mut self, ignore: bool) -> Self {
        self.ignore_ascii_case = ignore;
        self
    }

    /// The server's time zone, in which years, days and hours of points in time are meant.
    #[must_use]
    pub fn time_zone(mut self, time_zone: TimeZone) -> Self {
        self.time_zone = time_zone;
        self
    }

    /// The text as it is searched.
    pub(super) fn folded<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.ignore_ascii_case {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        }
    }

    /// Day and time of day on the server's calendar.
    pub(super) fn local(&self, value: &Comparand<'_>) -> Option<DateTime> {
        match value {
            Comparand::Date(date) => Some(date.to_datetime(Time::midnight())),
            Comparand::Timestamp(time) => Some(time.to_zoned(self.time_zone.clone()).datetime()),
            _ => None,
        }
    }
}
