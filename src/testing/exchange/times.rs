use std::fmt;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// How often a request is expected: made from a number or a range of them.
///
/// ```
/// use keystone_client::testing::Times;
///
/// assert_eq!(Times::from(2).to_string(), "2 times");
/// assert_eq!(Times::from(1..).to_string(), "at least 1 time");
/// assert_eq!(Times::from(0..=3).to_string(), "at most 3 times");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    least: usize,
    most: usize,
}

impl Times {
    pub(super) const ONCE: Self = Self { least: 1, most: 1 };

    #[track_caller]
    #[allow(clippy::panic, reason = "a mistake in a test")]
    fn between(least: usize, most: usize) -> Self {
        match least <= most {
            true => Self { least, most },
            false => panic!("no number is at least {least} and at most {most}"),
        }
    }

    #[track_caller]
    #[allow(clippy::panic, reason = "a mistake in a test")]
    fn before(least: usize, end: usize) -> Self {
        match end.checked_sub(1) {
            Some(most) if least <= most => Self { least, most },
            _ => panic!("no number is at least {least} and less than {end}"),
        }
    }

    pub(in crate::testing) fn is_enough(self, calls: usize) -> bool {
        calls >= self.least
    }

    /// So many calls, as far as it makes a difference how many they are.
    pub(in crate::testing) fn so_far(self, calls: usize) -> usize {
        if self.most == usize::MAX { calls.min(self.least) } else { calls }
    }

    pub(in crate::testing) fn admits_one_more_than(self, calls: usize) -> bool {
        calls < self.most
    }
}

impl From<usize> for Times {
    fn from(times: usize) -> Self {
        Self { least: times, most: times }
    }
}

/// # Panics
///
/// If the range is empty.
impl From<RangeInclusive<usize>> for Times {
    #[track_caller]
    fn from(range: RangeInclusive<usize>) -> Self {
        Self::between(*range.start(), *range.end())
    }
}

/// # Panics
///
/// If the range is empty.
impl From<Range<usize>> for Times {
    #[track_caller]
    fn from(range: Range<usize>) -> Self {
        Self::before(range.start, range.end)
    }
}

impl From<RangeFrom<usize>> for Times {
    #[track_caller]
    fn from(range: RangeFrom<usize>) -> Self {
        Self { least: range.start, most: usize::MAX }
    }
}

impl From<RangeToInclusive<usize>> for Times {
    #[track_caller]
    fn from(range: RangeToInclusive<usize>) -> Self {
        Self { least: 0, most: range.end }
    }
}

/// # Panics
///
/// If the range is empty.
impl From<RangeTo<usize>> for Times {
    #[track_caller]
    fn from(range: RangeTo<usize>) -> Self {
        Self::before(0, range.end)
    }
}

impl From<RangeFull> for Times {
    fn from(_: RangeFull) -> Self {
        Self { least: 0, most: usize::MAX }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { least, most } = *self;
        match (least, most) {
            (0, 0) => f.write_str("never"),
            (0, usize::MAX) => f.write_str("any number of times"),
            (1, usize::MAX) => f.write_str("at least 1 time"),
            (least, usize::MAX) => write!(f, "at least {least} times"),
            (1, 1) => f.write_str("1 time"),
            (least, most) if least == most => write!(f, "{least} times"),
            (0, 1) => f.write_str("at most 1 time"),
            (0, most) => write!(f, "at most {most} times"),
            (least, most) => write!(f, "{least} to {most} times"),
        }
    }
}
