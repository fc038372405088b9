//! The fields of a resource: one table serves filter, order and update.
//!
//! A [`Field`] knows its resource, the type of its values and who may write it. Which lookups
//! exist follows from the type, exactly as on the server: text has `contains`, numbers and dates
//! have `lt`, lists of keys have none. `set` exists on writable fields only. The methods are listed at
//! [`Field`]; what they make is a [`Filter`], an [`OrderBy`] or a
//! [`Change`].
//!
//! The fields of a resource are handed to the closures of [`List::filter`](crate::List::filter),
//! [`List::order_by`](crate::List::order_by) and [`Crud::update`](crate::Crud::update), and are at
//! [`Resource::FIELDS`] otherwise. The chapters
//! [Filters and lists](crate::guide::lists) and [Changing records](crate::guide::changing) show more.
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

mod comparand;
mod info;
mod value;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde_json::Value;

pub use self::comparand::Comparand;
pub(crate) use self::comparand::kept;
pub use self::info::FieldInfo;
#[doc(hidden)]
pub use self::info::{AsJson, Otherwise, Probe, Reader, Recast, Unread, Untold};
pub use self::value::{Column, Dated, Listable, Nullable, Ordered, Scalar, Textual, Timed};
use crate::capability::{FieldName, ServerVersion};
use crate::change::Change;
use crate::filter::{Filter, Lookup, Test};
use crate::input::IntoInput;
use crate::order::OrderBy;
use crate::resource::Resource;

/// What can be done with a field. Implemented by [`ReadOnly`], [`ReadWrite`], [`WriteOnly`],
/// [`Unfiltered`] and [`Unordered`].
pub trait Access: private::Sealed + 'static {
    /// Whether the server filters by such a field.
    const FILTERABLE: bool;

    /// Whether the server orders by such a field.
    const ORDERABLE: bool;
}

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

mod private {
    pub trait Sealed {}
}

macro_rules! accesses {
    ($(
        $(#[$meta:meta])*
        $name:ident: filterable $filterable:literal, orderable $orderable:literal,
        [$($marker:ident)*] $(, secret $secret:literal)?;
    )+) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, Copy)]
            pub enum $name {}

            impl private::Sealed for $name {}

            impl Access for $name {
                const FILTERABLE: bool = $filterable;
                const ORDERABLE: bool = $orderable;
            }

            $(impl $marker for $name {})*

            $(impl Writable for $name {
                const SECRET: bool = $secret;
            })?
        )+
    };
}

accesses! {
    /// Set by the server alone.
    ReadOnly: filterable true, orderable true, [Filterable Orderable];
    /// Readable and writable.
    ReadWrite: filterable true, orderable true, [Filterable Orderable], secret false;
    /// Accepted but never returned, such as a password. Its values are kept out of all output.
    WriteOnly: filterable false, orderable false, [], secret true;
    /// Readable and writable, but the server ignores filters and order by it.
    Unfiltered: filterable false, orderable false, [], secret false;
    /// Set by the server alone, which filters but does not order by it.
    Unordered: filterable true, orderable false, [Filterable];
}

/// What a record has in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reading<'a> {
    /// This value.
    Value(Comparand<'a>),
    /// Null.
    Null,
    /// These keys of other records, in no order: the server keeps none.
    Keys(BTreeSet<u64>),
    /// What is no single value, as JSON.
    Json(Cow<'a, Value>),
    /// Not to be told from the record, which may lack what the server filters by.
    Unknown,
}

/// How the value of a field is read off a record of resource `R`.
pub(crate) type Read<R> = for<'a> fn(&'a <R as Resource>::Model) -> Reading<'a>;

/// A handle on one field of resource `R`, holding values of type `V`.
pub struct Field<R: Resource, V, A = ReadWrite> {
    name: FieldName,
    read: Read<R>,
    /// Whether `read` is more than a stand-in.
    is_read: bool,
    types: PhantomData<fn() -> (R, V, A)>,
}

impl<R: Resource, V, A> Field<R, V, A> {
    /// The handle of the field that is called `wire_name` on the wire.
    pub const fn new(wire_name: &'static str) -> Self {
        Self {
            name: FieldName::new(wire_name),
            read: |_| Reading::Unknown,
            is_read: false,
            types: PhantomData,
        }
    }

    /// The same field, of servers since this version: older ones ignore it.
    pub const fn since(self, version: ServerVersion) -> Self {
        let name = FieldName { name: self.name.name, since: Some(version) };
        Self { name, ..self }
    }

    /// The same field, with the way to read it off a record, by which
    /// [`Filter::matches`](crate::Filter::matches) can tell without asking the server, and
    /// [`Change::differs_from`] whether there is anything to change.
    ///
    /// ```
    /// use keystone_client::Id;
    /// use keystone_client::field::{Field, ReadOnly, read};
    /// use keystone_client::resource::Resource;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct ClusterName {
    ///     id: Id<ClusterName>,
    ///     name: String,
    /// }
    ///
    /// struct ClusterNameFields {
    ///     name: Field<ClusterName, String, ReadOnly>,
    /// }
    ///
    /// impl Resource for ClusterName {
    ///     type Model = Self;
    ///     type Fields = ClusterNameFields;
    ///     const NAME: &'static str = "cluster";
    ///     const PATH: &'static str = "allocations/clusters";
    ///     const FIELDS: ClusterNameFields = ClusterNameFields {
    ///         name: Field::new("name").reading(|cluster: &ClusterName| read(&cluster.name)),
    ///     };
    ///
    ///     fn id(model: &Self) -> Option<Id<Self>> {
    ///         Some(model.id)
    ///     }
    /// }
    ///
    /// let atlas = ClusterName { id: Id::new(1), name: "atlas".to_owned() };
    /// assert_eq!(ClusterName::FIELDS.name.eq("atlas").matches(&atlas), Some(true));
    /// ```
    pub const fn reading(self, read: for<'a> fn(&'a R::Model) -> Reading<'a>) -> Self {
        Self { read, is_read: true, ..self }
    }

    /// The same field, of which a record says something only if this is true.
    #[doc(hidden)]
    pub const fn told(self, is_told: bool) -> Self {
        Self { is_read: self.is_read && is_told, ..self }
    }

    /// The name on the wire.
    pub const fn wire_name(self) -> &'static str {
        self.name.name
    }
}

/// The value of a column, for [`Field::reading`].
pub fn read<C: Column>(column: &C) -> Reading<'_> {
    match column.comparand() {
        Some(value) => Reading::Value(value),
        None => Reading::Null,
    }
}

impl<R: Resource, V, A> Clone for Field<R, V, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: Resource, V, A> Copy for Field<R, V, A> {}

impl<R: Resource, V, A> fmt::Debug for Field<R, V, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({})", self.wire_name())
    }
}

// The bounds stand on the methods and not on the `impl`s, so that a lookup that does not exist is
// an error in the words of the trait that is missing.
impl<R: Resource, V, A> Field<R, V, A> {
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
    pub fn set(self, value: impl IntoInput<V>) -> Change<R>
    where
        V: Serialize,
        A: Writable,
    {
        let change = Change::new(self.name, &value.into_input(), A::SECRET);
        if self.is_read { change.reading(self.read) } else { change }
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
    ///
    /// ```
    /// use keystone_client::Resource;
    /// use keystone_client::resources::Publication;
    /// use keystone_client::testing::Fixture;
    ///
    /// let doi_unknown = Publication::FIELDS.doi.is_null(true);
    /// let mut publication = Publication::fixture(1);
    /// publication.doi = None;
    /// assert_eq!(doi_unknown.matches(&publication), Some(true));
    /// publication.doi = Some(String::new());
    /// assert_eq!(doi_unknown.matches(&publication), Some(false));
    /// ```
    pub fn is_null(self, null: bool) -> Filter<R>
    where
        V: Nullable,
        A: Filterable,
    {
        Filter::new(self.name, self.read, Lookup::IsNull, Test::one(Comparand::Boolean(null)))
    }

    /// One of `values`. No values match no record, and then nothing is asked of the server. Foreign
    /// keys all have to exist, as for [`eq`](Self::eq).
    ///
    /// The values travel in the URL, which has room for about a thousand keys; a longer one is an
    /// error when the list is sent. For records by their own keys there is
    /// [`resolve_all`](crate::KeystoneClient::resolve_all). The server splits the list at commas, so a
    /// text with a comma in it can only stand alone.
    ///
    /// ```
    /// use keystone_client::Resource;
    /// use keystone_client::resources::User;
    ///
    /// let user = User::FIELDS;
    /// let filter = user.department.is_in(["Physics", "Chemistry"]);
    /// assert_eq!(filter.to_string(), "department__in=Physics,Chemistry");
    /// ```
    pub fn is_in<I>(self, values: I) -> Filter<R>
    where
        I: IntoIterator<Item: IntoInput<V::Scalar>>,
        V: Column<Scalar: Listable>,
        A: Filterable,
    {
        self.list(Lookup::In, values)
    }

    /// None of `values`, or null. Servers since 0.9.3.
    pub fn not_in<I>(self, values: I) -> Filter<R>
    where
        I: IntoIterator<Item: IntoInput<V::Scalar>>,
        V: Column<Scalar: Listable>,
        A: Filterable,
    {
        self.list(Lookup::NotIn, values)
    }

    fn list<I>(self, lookup: Lookup, values: I) -> Filter<R>
    where
        I: IntoIterator<Item: IntoInput<V::Scalar>>,
        V: Column,
    {
        let values = values.into_iter().map(IntoInput::into_input);
        Filter::new(self.name, self.read, lookup, Test::of_inputs::<V::Scalar>(values))
    }
}

macro_rules! comparisons {
    ($($bound:path: { $($(#[$doc:meta])* $method:ident => $lookup:ident;)+ })+) => {
        /// Comparisons with one value.
        impl<R: Resource, V, A> Field<R, V, A> {
            $($($(#[$doc])*
            pub fn $method(self, value: impl IntoInput<V::Scalar>) -> Filter<R>
            where
                V: Column<Scalar: $bound>,
                A: Filterable,
            {
                let test = Test::of_input::<V::Scalar>(value.into_input());
                Filter::new(self.name, self.read, Lookup::$lookup, test)
            })+)+
        }
    };
}

comparisons! {
    Scalar: {
        /// Equal to `value`. Text compares exactly, case included; empty text equals empty text and
        /// not null. A foreign key has to exist: the server answers one that does not with a
        /// validation error, not with an empty list.
        eq => Equal;
        /// Different from `value`, or null. Servers since 0.10.7.
        ///
        /// ```
        /// use keystone_client::Resource;
        /// use keystone_client::resources::User;
        /// use keystone_client::testing::Fixture;
        ///
        /// let mut user = User::fixture(1);
        /// user.department = None;
        /// let outside = User::FIELDS.department.not_eq("Physics");
        /// assert_eq!(outside.matches(&user), Some(true));
        /// let outside = outside.and(User::FIELDS.department.is_null(false)); // of a known department
        /// assert_eq!(outside.matches(&user), Some(false));
        /// ```
        not_eq => NotEqual;
    }

    Ordered<R>: {
        /// Less than `value`. Null never is. Days and times are those of the years 1 to 9999; what is
        /// finer than a microsecond is taken for what lies between two of the server's times.
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
        impl<R: Resource, V, A> Field<R, V, A> {
            $($($(#[$doc])*
            pub fn $method(self, $argument: $type) -> Filter<R>
            where
                V: Column<Scalar: $bound>,
                A: Filterable,
            {
                let test = Test::part($argument.into(), $range);
                Filter::new(self.name, self.read, Lookup::$lookup, test)
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
        ///
        /// ```
        /// use keystone_client::Resource;
        /// use keystone_client::jiff::civil::date;
        /// use keystone_client::resources::AllocationRequest;
        /// use keystone_client::testing::Fixture;
        ///
        /// let mut request = AllocationRequest::fixture(1);
        /// request.expire = Some(date(2026, 6, 6)); // a Saturday
        /// assert_eq!(AllocationRequest::FIELDS.expire.week_day(7).matches(&request), Some(true));
        /// ```
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
