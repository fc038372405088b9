//! The order of a list.

use std::fmt;
use std::marker::PhantomData;

use crate::capability::FieldName;

/// An order of the records of resource `R` by one field.
///
/// Made by [`Field::asc`](crate::field::Field::asc) and [`Field::desc`](crate::field::Field::desc).
/// Of records that are equal in one field, the next one decides.
///
/// ```
/// use keystone_client::resources::Grant;
/// use keystone_client::{OrderBy, Query, Resource};
///
/// // An order chosen at run time.
/// let largest_first = true;
/// let order: OrderBy<Grant> = match largest_first {
///     true => Grant::FIELDS.amount.desc(),
///     false => Grant::FIELDS.title.asc(),
/// };
/// let query = Query::<Grant>::new().order_by(|_| order).order_by(|g| g.start_date.asc());
/// assert_eq!(query.to_string(), "_order=-amount%2Cstart_date");
/// ```
#[must_use = "an order does nothing until a query takes it"]
pub struct OrderBy<R> {
    pub(crate) field: FieldName,
    pub(crate) descending: bool,
    resource: PhantomData<fn() -> R>,
}

impl<R> OrderBy<R> {
    pub(crate) fn new(field: FieldName, descending: bool) -> Self {
        Self { field, descending, resource: PhantomData }
    }
}

impl<R> Clone for OrderBy<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for OrderBy<R> {}

impl<R> PartialEq for OrderBy<R> {
    fn eq(&self, other: &Self) -> bool {
        (self.field, self.descending) == (other.field, other.descending)
    }
}

impl<R> Eq for OrderBy<R> {}

impl<R> fmt::Debug for OrderBy<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrderBy({self})")
    }
}

impl<R> fmt::Display for OrderBy<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.descending { "-" } else { "" };
        write!(f, "{sign}{}", self.field.name)
    }
}
