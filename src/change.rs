//! Changes of a record: what an update sends.

use std::fmt;
use std::iter;
use std::marker::PhantomData;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::capability::FieldName;

/// A new value for one field of resource `R`, made by [`Field::set`](crate::field::Field::set).
///
/// Values of write-only fields are never shown.
#[must_use = "a change does nothing until an update takes it"]
pub struct Change<R> {
    field: FieldName,
    value: Result<Value, String>,
    secret: bool,
    resource: PhantomData<fn() -> R>,
}

impl<R> Change<R> {
    pub(crate) fn new(field: FieldName, value: &impl Serialize, secret: bool) -> Self {
        let value = serde_json::to_value(value).map_err(|error| error.to_string());
        Self { field, value, secret, resource: PhantomData }
    }

    /// The name of the field on the wire.
    pub fn field(&self) -> &'static str {
        self.field.name
    }

    pub(crate) fn field_name(&self) -> FieldName {
        self.field
    }
}

/// One change is a list of one, so that an update of one field needs no brackets.
impl<R> IntoIterator for Change<R> {
    type Item = Self;
    type IntoIter = iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        iter::once(self)
    }
}

impl<R> Clone for Change<R> {
    fn clone(&self) -> Self {
        Self {
            field: self.field,
            value: self.value.clone(),
            secret: self.secret,
            resource: PhantomData,
        }
    }
}

impl<R> fmt::Debug for Change<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({self})")
    }
}

impl<R> fmt::Display for Change<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            _ if self.secret => write!(f, "{}=[redacted]", self.field.name),
            Ok(value) => write!(f, "{}={value}", self.field.name),
            Err(_) => write!(f, "{}=[not serialisable]", self.field.name),
        }
    }
}

/// The body of an update: the changed fields in the order given.
pub(crate) struct Changes<R>(pub(crate) Vec<Change<R>>);

impl<R> Changes<R> {
    /// Two changes of one field contradict each other.
    pub(crate) fn repeated_field(&self) -> Option<&'static str> {
        self.0.iter().enumerate().find_map(|(index, change)| {
            let earlier = self.0.iter().take(index);
            earlier.map(Change::field).find(|field| *field == change.field())
        })
    }
}

impl<R> Serialize for Changes<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for change in &self.0 {
            match &change.value {
                Ok(value) => map.serialize_entry(change.field(), value)?,
                Err(problem) => return Err(serde::ser::Error::custom(problem)),
            }
        }
        map.end()
    }
}
