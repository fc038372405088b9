//! The fields of a resource: one table serves filter, order and update.
//!
//! A [`Field`] knows its resource, the type of its values and who may write it. Which lookups
//! exist follows from the type, exactly as on the server: text has `contains`, numbers and dates
//! have `lt`, lists of keys have none. `set` exists on writable fields only.
//!
//! ```
//! use keystone_client::Resource;
//! use keystone_client::resources::{AllocationRequest, RequestStatus};
//!
//! let request = AllocationRequest::FIELDS;
//! let approved = request.status.eq(RequestStatus::Approved);
//! assert_eq!(approved.to_string(), "status=AP");
//! assert_eq!(request.title.contains("genome").to_string(), "title__contains=genome");
//! ```
//!
//! ```compile_fail
//! # use keystone_client::Resource;
//! # use keystone_client::resources::AllocationRequest;
//! # use keystone_client::Id;
//! AllocationRequest::FIELDS.assignees.eq([Id::new(1)]); // many-to-many: the server would ignore it
//! ```
//!
//! ```compile_fail
//! # use keystone_client::Resource;
//! # use keystone_client::resources::Preference;
//! # use keystone_client::Id;
//! Preference::FIELDS.user.eq(Id::new(1)); // one-to-one: the server would ignore it
//! ```

mod value;

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;

pub use self::value::{
    Column, Dated, IntoValue, Listable, Nullable, Ordered, Scalar, Textual, Timed,
};
use crate::capability::{FieldName, ServerVersion};
use crate::change::Change;
use crate::filter::{Condition, Filter, Lookup};
use crate::order::OrderBy;

/// What can be done with a field. Implemented by [`ReadOnly`], [`ReadWrite`], [`WriteOnly`],
/// [`Unfiltered`] and [`Unordered`].
pub trait Access: private::Sealed + 'static {}

/// The field can be set.
#[diagnostic::on_unimplemented(message = "this field is read-only: the server sets it")]
pub trait Writable: Access {
    /// Whether the value must never be shown.
    const SECRET: bool;
}

/// The field can be compared.
#[diagnostic::on_unimplemented(
    message = "the server does not filter by this field: it would ignore the filter"
)]
pub trait Filterable: Access {}

/// The field can be ordered by.
#[diagnostic::on_unimplemented(
    message = "the server does not order by this field: it would ignore that"
)]
pub trait Orderable: Access {}

/// Set by the server alone.
#[derive(Debug, Clone, Copy)]
pub enum ReadOnly {}

/// Readable and writable.
#[derive(Debug, Clone, Copy)]
pub enum ReadWrite {}

/// Accepted but never returned, such as a password. Its values are kept out of all output.
#[derive(Debug, Clone, Copy)]
pub enum WriteOnly {}

/// Readable and writable, but the server ignores filters and order by it.
#[derive(Debug, Clone, Copy)]
pub enum Unfiltered {}

/// Set by the server alone, which filters but does not order by it.
#[derive(Debug, Clone, Copy)]
pub enum Unordered {}

mod private {
    pub trait Sealed {}
    impl Sealed for super::ReadOnly {}
    impl Sealed for super::ReadWrite {}
    impl Sealed for super::WriteOnly {}
    impl Sealed for super::Unfiltered {}
    impl Sealed for super::Unordered {}
}

impl Access for ReadOnly {}
impl Access for ReadWrite {}
impl Access for WriteOnly {}
impl Access for Unfiltered {}
impl Access for Unordered {}
impl Filterable for ReadOnly {}
impl Filterable for ReadWrite {}
impl Filterable for Unordered {}
impl Orderable for ReadOnly {}
impl Orderable for ReadWrite {}
impl Writable for ReadWrite {
    const SECRET: bool = false;
}
impl Writable for WriteOnly {
    const SECRET: bool = true;
}
impl Writable for Unfiltered {
    const SECRET: bool = false;
}

/// A handle on one field of resource `R`, holding values of type `V`.
pub struct Field<R, V, A = ReadWrite> {
    name: FieldName,
    types: PhantomData<fn() -> (R, V, A)>,
}

impl<R, V, A> Field<R, V, A> {
    /// The handle of the field that is called `wire_name` on the wire.
    pub const fn new(wire_name: &'static str) -> Self {
        Self { name: FieldName::new(wire_name), types: PhantomData }
    }

    /// The same field, of servers since this version: older ones ignore it.
    pub const fn since(self, version: ServerVersion) -> Self {
        let name = FieldName { name: self.name.name, since: Some(version) };
        Self { name, types: PhantomData }
    }

    /// The name on the wire.
    pub const fn wire_name(self) -> &'static str {
        self.name.name
    }
}

impl<R, V, A> Clone for Field<R, V, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, V, A> Copy for Field<R, V, A> {}

impl<R, V, A> fmt::Debug for Field<R, V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({})", self.wire_name())
    }
}

// The bounds stand on the methods and not on the `impl`s, so that a lookup that does not exist is
// an error in the words of the trait that is missing.
impl<R, V, A> Field<R, V, A> {
    /// A change of this field, for an update. `set(None)` on a nullable field sends `null`.
    ///
    /// ```
    /// use keystone_client::Resource;
    /// use keystone_client::resources::Cluster;
    ///
    /// let cluster = Cluster::FIELDS;
    /// assert_eq!(cluster.enabled.set(false).to_string(), "enabled=false");
    /// assert_eq!(cluster.description.set(None).to_string(), "description=null");
    /// ```
    pub fn set(self, value: impl IntoValue<V>) -> Change<R>
    where
        V: Serialize,
        A: Writable,
    {
        Change::new(self.name, &value.into_value(), A::SECRET)
    }

    /// Ascending order by this field. Foreign keys order by key.
    pub fn asc(self) -> OrderBy<R>
    where
        V: Column,
        A: Orderable,
    {
        OrderBy::new(self.name, false)
    }

    /// Descending order by this field.
    pub fn desc(self) -> OrderBy<R>
    where
        V: Column,
        A: Orderable,
    {
        OrderBy::new(self.name, true)
    }

    /// Null (`true`) or not null (`false`). Text that is empty is not null.
    pub fn is_null(self, null: bool) -> Filter<R>
    where
        V: Nullable,
        A: Filterable,
    {
        Filter::new(Condition::one(self.name, Lookup::IsNull, &null))
    }

    /// One of `values`. No values match no record, and then nothing is asked of the server. Foreign
    /// keys all have to exist, as for [`eq`](Self::eq). The values travel in the URL, which holds
    /// some thousands of keys.
    pub fn is_in<I>(self, values: I) -> Filter<R>
    where
        I: IntoIterator<Item: IntoValue<V::Scalar>>,
        V: Column<Scalar: Listable>,
        A: Filterable,
    {
        self.list(Lookup::In, values)
    }

    /// None of `values`, or null. Servers since 0.9.3.
    pub fn not_in<I>(self, values: I) -> Filter<R>
    where
        I: IntoIterator<Item: IntoValue<V::Scalar>>,
        V: Column<Scalar: Listable>,
        A: Filterable,
    {
        self.list(Lookup::NotIn, values)
    }

    fn list<I>(self, lookup: Lookup, values: I) -> Filter<R>
    where
        I: IntoIterator<Item: IntoValue<V::Scalar>>,
        V: Column,
    {
        let values = values.into_iter().map(|value| value.into_value().to_parameter());
        Filter::new(Condition::list(self.name, lookup, values))
    }
}

macro_rules! comparisons {
    ($($bound:path: { $($(#[$doc:meta])* $method:ident => $lookup:ident;)+ })+) => {
        /// Comparisons with one value.
        impl<R, V, A> Field<R, V, A> {
            $($($(#[$doc])*
            pub fn $method(self, value: impl IntoValue<V::Scalar>) -> Filter<R>
            where
                V: Column<Scalar: $bound>,
                A: Filterable,
            {
                Filter::new(Condition::one(self.name, Lookup::$lookup, &value.into_value()))
            })+)+
        }
    };
}

comparisons! {
    Scalar: {
        /// Equal to `value`. Text compares exactly, case included. A foreign key has to exist: the
        /// server answers one that does not with a validation error, not with an empty list.
        eq => Equal;
        /// Different from `value`, or null. Servers since 0.10.7.
        not_eq => NotEqual;
    }

    Ordered<R>: {
        /// Less than `value`. Null never is.
        lt => Less;
        /// Less than or equal to `value`. Null never is.
        lte => LessOrEqual;
        /// Greater than `value`. Null never is.
        gt => Greater;
        /// Greater than or equal to `value`. Null never is.
        gte => GreaterOrEqual;
    }

    Textual: {
        /// Contains `value`. Case counts on PostgreSQL and not, for ASCII letters, on SQLite.
        contains => Contains;
        /// Does not contain `value`, or is null. Servers since 0.9.3.
        not_contains => NotContains;
        /// Starts with `value`; case as for `contains`.
        starts_with => StartsWith;
        /// Does not start with `value`, or is null. Servers since 0.10.7.
        not_starts_with => NotStartsWith;
        /// Ends with `value`; case as for `contains`.
        ends_with => EndsWith;
        /// Does not end with `value`, or is null. Servers since 0.10.7.
        not_ends_with => NotEndsWith;
    }
}

macro_rules! parts {
    ($($bound:path: {
        $($(#[$doc:meta])* $method:ident($argument:ident: $type:ty, $range:expr) => $lookup:ident;)+
    })+) => {
        /// Parts of dates and times, in the server's time zone.
        impl<R, V, A> Field<R, V, A> {
            $($($(#[$doc])*
            pub fn $method(self, $argument: $type) -> Filter<R>
            where
                V: Column<Scalar: $bound>,
                A: Filterable,
            {
                Filter::new(Condition::part(self.name, Lookup::$lookup, $argument.into(), $range))
            })+)+
        }
    };
}

parts! {
    Dated: {
        /// In this year, 1 to 9999.
        year(year: u16, 1..=9999) => Year;
        /// In this month of any year, 1 to 12.
        month(month: u8, 1..=12) => Month;
        /// On this day of any month, 1 to 31.
        day(day: u8, 1..=31) => Day;
        /// In this ISO week of any year, 1 to 53.
        week(week: u8, 1..=53) => Week;
        /// On this day of the week: 1 is Sunday, 7 is Saturday.
        week_day(day: u8, 1..=7) => WeekDay;
    }

    Timed: {
        /// In this hour of any day, 0 to 23.
        hour(hour: u8, 0..=23) => Hour;
        /// In this minute of any hour, 0 to 59.
        minute(minute: u8, 0..=59) => Minute;
        /// In this second of any minute, 0 to 59.
        second(second: u8, 0..=59) => Second;
    }
}
