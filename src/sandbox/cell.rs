//! The value of one column in one row.

use std::cmp::Ordering;
use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use rust_decimal::Decimal;

use crate::sandbox::Database;
use crate::sandbox::json::Json;

/// A stored value. Kept small: a sandbox may hold a hundred thousand rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Cell {
    #[default]
    Null,
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(Box<str>),
    Date(Date),
    /// Microseconds since the epoch.
    Moment(i64),
    /// Ascending, without repetition.
    Ids(Box<[i64]>),
    Json(Box<Json>),
}

/// Stands for a column that does not exist.
pub(crate) static NULL: Cell = Cell::Null;

impl Cell {
    pub(crate) fn text(value: &str) -> Self {
        Self::Text(value.into())
    }

    /// A list of ids, put in order and without repetition.
    pub(crate) fn ids(mut ids: Vec<i64>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self::Ids(ids.into_boxed_slice())
    }

    pub(crate) fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn as_ids(&self) -> &[i64] {
        match self {
            Self::Ids(ids) => ids,
            _ => &[],
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        matches!(self, Self::Boolean(true))
    }

    /// The order of a database: nothing comes first in one and last in the other, text goes by its
    /// bytes.
    pub(crate) fn compare(&self, other: &Self, database: Database) -> Ordering {
        let null = match database {
            Database::Sqlite => Ordering::Less,
            Database::Postgres => Ordering::Greater,
        };
        match (self, other) {
            (Self::Boolean(left), Self::Boolean(right)) => left.cmp(right),
            (Self::Integer(left), Self::Integer(right))
            | (Self::Moment(left), Self::Moment(right)) => left.cmp(right),
            (Self::Decimal(left), Self::Decimal(right)) => left.cmp(right),
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Date(left), Self::Date(right)) => left.cmp(right),
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => null,
            (_, Self::Null) => null.reverse(),
            _ => Ordering::Equal,
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(value) => Json::Boolean(*value),
            Self::Integer(value) => Json::Integer(i128::from(*value)),
            Self::Decimal(value) => Json::Text(format!("{value:.2}")),
            Self::Text(value) => Json::text(&**value),
            Self::Date(value) => Json::Text(value.to_string()),
            Self::Moment(value) => Json::Text(moment_text(*value)),
            Self::Ids(ids) => {
                Json::List(ids.iter().map(|&id| Json::Integer(i128::from(id))).collect())
            }
            Self::Json(value) => (**value).clone(),
        }
    }

    /// The value as the change log shows it.
    pub(crate) fn history_text(&self) -> String {
        match self {
            Self::Text(value) => value.to_string(),
            Self::Moment(value) => {
                let text = moment_text(*value).replace('T', " ");
                text.trim_end_matches('Z').to_owned()
            }
            other => other.to_json().python_text(),
        }
    }
}

/// The day of a moment in UTC.
pub(crate) fn date_of(microseconds: i64) -> Date {
    let moment = Timestamp::from_microsecond(microseconds).unwrap_or_default();
    Offset::UTC.to_datetime(moment).date()
}

/// ISO 8601 in UTC: six digits of fraction, or none when it is zero.
pub(crate) fn moment_text(microseconds: i64) -> String {
    let Ok(moment) = Timestamp::from_microsecond(microseconds) else {
        return "0001-01-01T00:00:00Z".to_owned();
    };
    let moment = Offset::UTC.to_datetime(moment);
    let (date, time) = (moment.date(), moment.time());
    let fraction = microseconds.rem_euclid(1_000_000);
    let mut text = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    if fraction != 0 {
        // Writing to a text does not fail.
        let _ = write!(text, ".{fraction:06}");
    }
    text.push('Z');
    text
}
