use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Serialize;

use super::Comparand;
use crate::id::Id;

/// A single value that a query parameter can name.
#[diagnostic::on_unimplemented(
    message = "values of type `{Self}` cannot be compared by the server",
    note = "lists of keys (many-to-many), JSON and file fields have no lookups: \
            the server would ignore them"
)]
pub trait Scalar: Serialize {
    /// Whether it is a key, which a step of a batch job can stand for.
    #[doc(hidden)]
    const IS_KEY: bool = false;

    /// The value in the form in which it is compared.
    fn comparand(&self) -> Comparand<'_>;
}

/// What a comparable column holds: a [`Scalar`], or a nullable one.
#[diagnostic::on_unimplemented(
    message = "fields of type `{Self}` cannot be compared by the server",
    note = "lists of keys (many-to-many), JSON and file fields have no lookups: \
            the server would ignore them"
)]
pub trait Column {
    /// The type that the column is compared with.
    type Scalar: Scalar;

    /// The value in the form in which it is compared; `None` for null.
    fn comparand(&self) -> Option<Comparand<'_>>;
}

impl<S: Scalar> Column for S {
    type Scalar = S;

    fn comparand(&self) -> Option<Comparand<'_>> {
        Some(Scalar::comparand(self))
    }
}

impl<S: Scalar> Column for Option<S> {
    type Scalar = S;

    fn comparand(&self) -> Option<Comparand<'_>> {
        self.as_ref().map(Scalar::comparand)
    }
}

/// Columns that can be null.
#[diagnostic::on_unimplemented(message = "a field of type `{Self}` is never null")]
pub trait Nullable {}

impl<S: Scalar> Nullable for Option<S> {}

/// Values that the server orders in a column of resource `R`: integers, decimals, dates, times,
/// and the key of `R` itself. Keys of other resources, which are foreign keys, it does not.
#[diagnostic::on_unimplemented(
    message = "the server has no order on values of type `{Self}`, so `lt` and its kin do not exist"
)]
pub trait Ordered<R>: Scalar {}

/// Values that `is_in` can list: all but booleans, for which the server fails.
#[diagnostic::on_unimplemented(message = "the server cannot look up lists of `{Self}`")]
pub trait Listable: Scalar {}

/// Text and codes.
#[diagnostic::on_unimplemented(message = "`{Self}` is not text, so it contains nothing")]
pub trait Textual: Scalar {}

/// Values with a date in them.
#[diagnostic::on_unimplemented(message = "`{Self}` has no date parts")]
pub trait Dated: Scalar {}

/// Values with a time of day in them.
#[diagnostic::on_unimplemented(message = "`{Self}` has no time parts")]
pub trait Timed: Scalar {}

macro_rules! scalars {
    ($($type:ty: |$value:ident| $comparand:expr, $($class:ident)*;)+) => {
        $(
            impl Scalar for $type {
                fn comparand(&self) -> Comparand<'_> {
                    let $value = self;
                    $comparand
                }
            }
            $(impl $class for $type {})*
        )+
    };
}

scalars! {
    bool: |value| Comparand::Boolean(*value), ;
    u8: |value| Comparand::Integer((*value).into()), Listable;
    u16: |value| Comparand::Integer((*value).into()), Listable;
    u32: |value| Comparand::Integer((*value).into()), Listable;
    u64: |value| Comparand::Integer((*value).into()), Listable;
    i32: |value| Comparand::Integer((*value).into()), Listable;
    i64: |value| Comparand::Integer((*value).into()), Listable;
    Decimal: |value| Comparand::Decimal(*value), Listable;
    String: |value| Comparand::Text(Cow::Borrowed(value)), Listable Textual;
    Date: |value| Comparand::Date(*value), Listable Dated;
    Timestamp: |value| Comparand::Timestamp(*value), Listable Dated Timed;
    uuid::Uuid: |value| Comparand::Text(Cow::Owned(value.to_string())), Listable Textual;
    IpAddr: |value| Comparand::Address(*value), Listable;
}

macro_rules! ordered {
    ($($type:ty),+ $(,)?) => {
        $(impl<R> Ordered<R> for $type {})+
    };
}

ordered!(u8, u16, u32, u64, i32, i64, Decimal, Date, Timestamp, Id<R>);

impl<R> Scalar for Id<R> {
    const IS_KEY: bool = true;

    fn comparand(&self) -> Comparand<'_> {
        Comparand::Integer(self.get().into())
    }
}

impl<R> Listable for Id<R> {}
