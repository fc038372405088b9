//! Conditions on the records of a list.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use crate::capability::{Capability, FieldName};
use crate::field::Scalar;

/// How a field is compared, by the suffix that the server knows it under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lookup {
    Equal,
    NotEqual,
    In,
    NotIn,
    IsNull,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
    NotContains,
    StartsWith,
    NotStartsWith,
    EndsWith,
    NotEndsWith,
    Year,
    Month,
    Day,
    Week,
    WeekDay,
    Hour,
    Minute,
    Second,
}

impl Lookup {
    fn suffix(self) -> &'static str {
        match self {
            Self::Equal => "",
            Self::NotEqual => "__not_eq",
            Self::In => "__in",
            Self::NotIn => "__not_in",
            Self::IsNull => "__isnull",
            Self::Less => "__lt",
            Self::LessOrEqual => "__lte",
            Self::Greater => "__gt",
            Self::GreaterOrEqual => "__gte",
            Self::Contains => "__contains",
            Self::NotContains => "__not_contains",
            Self::StartsWith => "__startswith",
            Self::NotStartsWith => "__not_startswith",
            Self::EndsWith => "__endswith",
            Self::NotEndsWith => "__not_endswith",
            Self::Year => "__year",
            Self::Month => "__month",
            Self::Day => "__day",
            Self::Week => "__week",
            Self::WeekDay => "__week_day",
            Self::Hour => "__hour",
            Self::Minute => "__minute",
            Self::Second => "__second",
        }
    }

    /// What the server has to be able to do; old ones ignore negated lookups in silence.
    pub(crate) fn capability(self) -> Option<Capability> {
        match self {
            Self::NotIn | Self::NotContains => Some(Capability::NegatedLists),
            Self::NotEqual | Self::NotStartsWith | Self::NotEndsWith => {
                Some(Capability::NegatedLookups)
            }
            _ => None,
        }
    }
}

/// One comparison of one field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Condition {
    pub(crate) field: FieldName,
    pub(crate) lookup: Lookup,
    value: Comparand,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Comparand {
    Parameter(String),
    /// `is_in` without values: true of no record.
    Nothing,
    /// `not_in` without values: true of every record.
    Anything,
    /// A value that the server would read as something else.
    Invalid(&'static str),
}

impl Condition {
    pub(crate) fn one(field: FieldName, lookup: Lookup, value: &impl Scalar) -> Self {
        let parameter = value.to_parameter();
        let value = match unsendable(&parameter) {
            Some(problem) => Comparand::Invalid(problem),
            None => Comparand::Parameter(parameter),
        };
        Self { field, lookup, value }
    }

    /// A part of a date or time; what is out of `range` the server answers with a failure, or with
    /// nothing.
    pub(crate) fn part(
        field: FieldName,
        lookup: Lookup,
        value: u16,
        range: RangeInclusive<u16>,
    ) -> Self {
        if range.contains(&value) {
            Self::one(field, lookup, &value)
        } else {
            Self { field, lookup, value: Comparand::Invalid("there is no such date or time") }
        }
    }

    pub(crate) fn list(
        field: FieldName,
        lookup: Lookup,
        values: impl Iterator<Item = String>,
    ) -> Self {
        let mut joined = String::new();
        let mut problem = None;
        let mut count = 0_usize;
        for value in values {
            if value.contains(',') {
                problem = Some("the server splits lists at commas, so no element can contain one");
            }
            problem = problem.or(unsendable(&value));
            if count > 0 {
                joined.push(',');
            }
            joined.push_str(&value);
            count += 1;
        }
        let value = match (problem, count, lookup) {
            (Some(problem), ..) => Comparand::Invalid(problem),
            (None, 0, Lookup::NotIn) => Comparand::Anything,
            (None, 0, _) => Comparand::Nothing,
            _ => Comparand::Parameter(joined),
        };
        Self { field, lookup, value }
    }

    /// The name of the query parameter.
    pub(crate) fn parameter(&self) -> String {
        format!("{}{}", self.field.name, self.lookup.suffix())
    }

    /// The value of the query parameter; `None` where the condition holds for every record.
    pub(crate) fn value(&self) -> Result<Option<&str>, &'static str> {
        match &self.value {
            Comparand::Parameter(value) => Ok(Some(value)),
            Comparand::Nothing | Comparand::Anything => Ok(None),
            Comparand::Invalid(problem) => Err(problem),
        }
    }

    pub(crate) fn matches_nothing(&self) -> bool {
        self.value == Comparand::Nothing
    }
}

/// Why the server would not compare with this text but with something else.
fn unsendable(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        Some("the server ignores an empty value and would return every record")
    } else if value.trim() != value {
        Some("the server trims blanks at both ends of a value")
    } else if value.contains('\0') {
        Some("the server refuses NUL characters")
    } else {
        None
    }
}

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
pub struct Filter<R> {
    conditions: Vec<Condition>,
    resource: PhantomData<fn() -> R>,
}

impl<R> Filter<R> {
    pub(crate) fn new(condition: Condition) -> Self {
        Self { conditions: vec![condition], resource: PhantomData }
    }

    /// Records for which this and `other` hold.
    pub fn and(mut self, other: Self) -> Self {
        self.conditions.extend(other.conditions);
        self
    }

    pub(crate) fn into_conditions(self) -> Vec<Condition> {
        self.conditions
    }
}

impl<R> Clone for Filter<R> {
    fn clone(&self) -> Self {
        Self { conditions: self.conditions.clone(), resource: PhantomData }
    }
}

impl<R> PartialEq for Filter<R> {
    fn eq(&self, other: &Self) -> bool {
        self.conditions == other.conditions
    }
}

impl<R> Eq for Filter<R> {}

impl<R> fmt::Debug for Filter<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({self})")
    }
}

impl<R> fmt::Display for Filter<R> {
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
