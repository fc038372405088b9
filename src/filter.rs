//! Conditions on the records of a list.

mod condition;
mod lookup;
mod semantics;

use std::fmt;

pub(crate) use self::condition::{Condition, Test, misread_text, trimmed, trimmed_input};
pub(crate) use self::lookup::{Class, Lookup};
pub use self::semantics::MatchSemantics;
use crate::capability::FieldName;
use crate::field::Read;
use crate::resource::Resource;

/// A condition on the records of resource `R`, made by a [field](crate::field::Field).
///
/// Conditions combine with *and*; the server knows no *or*, and no conditions on the records that
/// a key points to. The server lets the last of two
/// conditions with the same field and lookup win; here that is an error when the list is sent.
///
/// ```
/// use keystone_client::Resource;
/// use keystone_client::resources::Cluster;
///
/// let cluster = Cluster::FIELDS;
/// let filter = cluster.enabled.eq(true).and(cluster.name.starts_with("gpu"));
/// assert_eq!(filter.to_string(), "enabled=true&name__startswith=gpu");
/// ```
#[must_use = "a filter does nothing until a query takes it"]
pub struct Filter<R: Resource> {
    conditions: Vec<Condition<R>>,
}

impl<R: Resource> Filter<R> {
    pub(crate) fn new(field: FieldName, read: Read<R>, lookup: Lookup, test: Test) -> Self {
        Self { conditions: vec![Condition::new(field, read, lookup, test)] }
    }

    /// Records for which this and `other` hold.
    pub fn and(mut self, other: Self) -> Self {
        self.conditions.extend(other.conditions);
        self
    }

    /// Whether it holds for a record that is at hand, by the rules of a server on PostgreSQL in UTC.
    ///
    /// `None` where the record does not tell: it lacks the field, or the filter is one that the
    /// server would misread.
    ///
    /// ```
    /// use keystone_client::Resource;
    /// use keystone_client::resources::AllocationRequest;
    /// use keystone_client::testing::Fixture;
    ///
    /// let mut request = AllocationRequest::fixture(1);
    /// request.expire = None;
    /// let fields = AllocationRequest::FIELDS;
    /// let day = jiff::civil::date(2026, 12, 1);
    /// assert_eq!(fields.expire.lt(day).matches(&request), Some(false));
    /// assert_eq!(fields.expire.not_eq(day).matches(&request), Some(true)); // null differs
    /// ```
    pub fn matches(&self, record: &R::Model) -> Option<bool> {
        self.matches_with(record, &MatchSemantics::default())
    }

    /// Whether it holds for a record that is at hand, by the rules of a server of this kind.
    pub fn matches_with(&self, record: &R::Model, semantics: &MatchSemantics) -> Option<bool> {
        all_match(&self.conditions, record, semantics)
    }

    /// Whether it is certain not to find this record, on any server.
    pub(crate) fn rejects(&self, record: &R::Model) -> bool {
        self.conditions.iter().any(|condition| condition.rejects(record))
    }

    pub(crate) fn conditions(&self) -> &[Condition<R>] {
        &self.conditions
    }

    pub(crate) fn into_conditions(self) -> Vec<Condition<R>> {
        self.conditions
    }
}

/// Whether all conditions hold: one that does not settles it, whatever is unknown of others.
pub(crate) fn all_match<R: Resource>(
    conditions: &[Condition<R>],
    record: &R::Model,
    semantics: &MatchSemantics,
) -> Option<bool> {
    let mut all = Some(true);
    for condition in conditions {
        match condition.matches(record, semantics) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

// Written out because derives would ask for the same traits of `R`.
impl<R: Resource> Clone for Filter<R> {
    fn clone(&self) -> Self {
        Self { conditions: self.conditions.clone() }
    }
}

impl<R: Resource> PartialEq for Filter<R> {
    fn eq(&self, other: &Self) -> bool {
        self.conditions == other.conditions
    }
}

impl<R: Resource> Eq for Filter<R> {}

impl<R: Resource> fmt::Debug for Filter<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({self})")
    }
}

/// The query string, before percent-encoding. What no record can match shows as an empty list.
impl<R: Resource> fmt::Display for Filter<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, condition) in self.conditions.iter().enumerate() {
            if index > 0 {
                f.write_str("&")?;
            }
            let value = condition.value().ok().flatten().unwrap_or_default();
            write!(f, "{}={value}", condition.parameter())?;
        }
        Ok(())
    }
}
