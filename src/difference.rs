//! What a record lacks of what is wanted of it, by what the values mean and not by how they are
//! written.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::change::Change;
use crate::field::{Comparand, Reading, kept};
use crate::filter::Filter;
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

/// What has become of the fields that were sent, by the record that came back.
#[derive(Default)]
pub(crate) struct Applied {
    pub(crate) lost: Vec<&'static str>,
    pub(crate) kept: Vec<&'static str>,
    /// Of which the record does not tell.
    pub(crate) untold: Vec<&'static str>,
}

pub(crate) fn applied<R: Resource>(record: &R::Model, sent: &[Change<R>]) -> Applied {
    let mut applied = Applied::default();
    for change in sent {
        let fields = match change.differs_from(record) {
            Some(true) => &mut applied.lost,
            Some(false) => &mut applied.kept,
            None => &mut applied.untold,
        };
        fields.push(change.field());
    }
    applied
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

/// A field in which `new`, the fields of a new record, or one of the changes says something else than
/// the key by which the record is to be found again.
pub(crate) fn contradiction<R: Resource>(
    key: &Filter<R>,
    new: &Map<String, Value>,
    changes: &[Change<R>],
) -> Option<&'static str> {
    key.conditions().iter().find_map(|condition| {
        let field = condition.field.name;
        let change = changes.iter().find(|change| change.field() == field);
        let mut values = [new.get(field), change.and_then(Change::value)].into_iter().flatten();
        values.any(|value| condition.excludes(value)).then_some(field)
    })
}

/// A field that has one value in a new record and another in the changes.
pub(crate) fn disagreement<R: Resource>(
    new: &Map<String, Value>,
    changes: &[Change<R>],
) -> Option<&'static str> {
    let disagrees = |change: &&Change<R>| match (new.get(change.field()), change.value()) {
        (Some(new), Some(change)) => !may_be_same(new, change),
        _ => false,
    };
    changes.iter().find(disagrees).map(Change::field)
}

/// Whether two values of a field, of which it is not known what kind they are of, may be the same to
/// the server.
fn may_be_same(one: &Value, other: &Value) -> bool {
    if let (Some(one), Some(other)) = (keys(one), keys(other)) {
        return one == other;
    }
    let kinds = [
        Comparand::Text("".into()),
        Comparand::Boolean(false),
        Comparand::Decimal(Decimal::ZERO),
        Comparand::Timestamp(Timestamp::UNIX_EPOCH),
        Comparand::Address(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
    ];
    let is_same = |kind: &Comparand<'_>| {
        let one = kind.read_alike(one);
        one.is_some() && one == kind.read_alike(other)
    };
    one == other || kinds.iter().any(is_same)
}

/// Whether a field that reads so has the value `wanted` already; `None` where it does not tell.
fn shows(reading: &Reading<'_>, wanted: &Value) -> Option<bool> {
    Some(match reading {
        Reading::Unknown => return None,
        Reading::Null => wanted.is_null(),
        Reading::Json(present) => **present == *wanted,
        Reading::Keys(present) => keys(wanted).is_some_and(|wanted| wanted == *present),
        Reading::Value(Comparand::Timestamp(present)) => {
            let present = Comparand::Timestamp(kept(*present));
            present.read_alike(wanted).is_some_and(|wanted| wanted == present)
        }
        Reading::Value(present) => {
            present.read_alike(wanted).is_some_and(|wanted| wanted == *present)
        }
    })
}

fn keys(value: &Value) -> Option<BTreeSet<u64>> {
    value.as_array()?.iter().map(Value::as_u64).collect()
}
