//! What a record lacks of what is wanted of it, by what the values mean and not by how they are
//! written.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::civil::Date;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::change::Change;
use crate::field::{Comparand, Reading};
use crate::filter::{Filter, trimmed};
use crate::resource::Resource;

impl<R: Resource> Change<R> {
    /// Whether the record has another value than this change would set, by the server's rules: amounts
    /// are equal whatever their trailing zeros, lists of keys whatever their order, texts whatever
    /// blanks stand at their ends; null and empty text are not.
    ///
    /// `None` where the record does not tell: a password, or a field of a resource written by hand
    /// without [`Field::reading`](crate::field::Field::reading).
    ///
    /// ```
    /// use keystone_client::Resource;
    /// use keystone_client::resources::Grant;
    /// use keystone_client::testing::Fixture;
    ///
    /// let mut grant = Grant::fixture(1);
    /// grant.title = "Folding".to_owned();
    /// assert_eq!(Grant::FIELDS.title.set(" Folding ").differs_from(&grant), Some(false));
    /// assert_eq!(Grant::FIELDS.title.set("Knots").differs_from(&grant), Some(true));
    /// ```
    pub fn differs_from(&self, record: &R::Model) -> Option<bool> {
        let shows = shows(&self.read(record), self.value()?);
        shows.map(|shows| !shows)
    }
}

/// The changes that would change the record, or of which it does not tell.
pub(crate) fn different<R: Resource>(
    record: &R::Model,
    changes: impl IntoIterator<Item = Change<R>>,
) -> Vec<Change<R>> {
    changes.into_iter().filter(|change| change.differs_from(record) != Some(false)).collect()
}

/// The fields in which the record certainly does not have what was sent.
pub(crate) fn not_applied<R: Resource>(record: &R::Model, sent: &[Change<R>]) -> Vec<&'static str> {
    let lost = sent.iter().filter(|change| change.differs_from(record) == Some(true));
    lost.map(Change::field).collect()
}

/// The fields of `changes` in which two states of a record certainly differ.
pub(crate) fn moved<R: Resource>(
    before: &R::Model,
    after: &R::Model,
    changes: &[Change<R>],
) -> Vec<&'static str> {
    let has_moved = |change: &&Change<R>| change.read(before) != change.read(after);
    changes.iter().filter(has_moved).map(Change::field).collect()
}

/// A field in which `new`, the body of a new record, or one of the changes says something else than
/// the key by which the record is to be found again.
pub(crate) fn contradiction<R: Resource>(
    key: &Filter<R>,
    new: &Value,
    changes: &[Change<R>],
) -> Option<&'static str> {
    let contradicts = |reading: &Reading<'_>, value: Option<&Value>| {
        value.is_some_and(|value| shows(reading, value) == Some(false))
    };
    key.conditions().iter().find_map(|condition| {
        let field = condition.field.name;
        let reading = condition.only()?;
        let change = changes.iter().find(|change| change.field() == field);
        let contradicted = contradicts(&reading, new.get(field))
            || contradicts(&reading, change.and_then(Change::value));
        contradicted.then_some(field)
    })
}

/// Whether a field that reads so has the value `wanted` already; `None` where it does not tell.
fn shows(reading: &Reading<'_>, wanted: &Value) -> Option<bool> {
    Some(match reading {
        Reading::Unknown => return None,
        Reading::Null => wanted.is_null(),
        Reading::Json(present) => **present == *wanted,
        Reading::Keys(present) => keys(wanted).is_some_and(|wanted| wanted == *present),
        Reading::Value(present) => equals(present, wanted),
    })
}

fn keys(value: &Value) -> Option<BTreeSet<u64>> {
    value.as_array()?.iter().map(Value::as_u64).collect()
}

fn equals(present: &Comparand<'_>, wanted: &Value) -> bool {
    let text = wanted.as_str().map(trimmed);
    match present {
        Comparand::Boolean(present) => wanted.as_bool() == Some(*present),
        Comparand::Integer(present) => {
            let signed = wanted.as_i64().map(i128::from);
            signed.or(wanted.as_u64().map(i128::from)) == Some(*present)
        }
        Comparand::Decimal(present) => decimal(wanted) == Some(*present),
        Comparand::Text(present) => text == Some(&**present),
        Comparand::Date(present) => parsed::<Date>(text) == Some(*present),
        Comparand::Timestamp(present) => {
            parsed::<Timestamp>(text).is_some_and(|wanted| kept(wanted) == kept(*present))
        }
        Comparand::Address(present) => parsed::<IpAddr>(text) == Some(*present),
    }
}

fn parsed<T: std::str::FromStr>(text: Option<&str>) -> Option<T> {
    text.and_then(|text| text.parse().ok())
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::String(text) => trimmed(text).parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}

/// The server keeps microseconds and cuts off the rest.
fn kept(time: Timestamp) -> Option<Timestamp> {
    let cut = TimestampRound::new().smallest(Unit::Microsecond).mode(RoundMode::Floor);
    time.round(cut).ok()
}
