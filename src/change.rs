//! Changes of a record: what an update sends.

use std::fmt;
use std::iter;
use std::marker::PhantomData;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::capability::FieldName;
use crate::error::{Error, ErrorKind};
use crate::field::{Read, Reading};
use crate::request::Operation;
use crate::resource::Resource;

/// A new value for one field of resource `R`, made by [`Field::set`](crate::field::Field::set).
///
/// Values of write-only fields are never shown.
///
/// ```
/// use keystone_client::resources::Cluster;
/// use keystone_client::{Change, Resource};
/// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # let id = client.create_cluster(NewCluster::new("atlas")).send()?.id;
/// // What somebody has stated on the command line, and nothing else.
/// let (description, enabled): (Option<&str>, Option<bool>) = (None, Some(false));
/// let cluster = Cluster::FIELDS;
/// let mut changes: Vec<Change<Cluster>> = Vec::new();
/// changes.extend(description.map(|text| cluster.description.set(text)));
/// changes.extend(enabled.map(|enabled| cluster.enabled.set(enabled)));
/// assert_eq!(changes[0].to_string(), "enabled=false");
///
/// let cluster = client.update_cluster(id, |_| changes).send()?;
/// assert!(!cluster.enabled);
/// # Ok(()) }
/// ```
#[must_use = "a change does nothing until an update takes it"]
pub struct Change<R: Resource> {
    field: FieldName,
    value: Result<Value, String>,
    secret: bool,
    /// How the present value is read off a record, if there is a way.
    read: Option<Read<R>>,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource> Change<R> {
    pub(crate) fn new(field: FieldName, value: &impl Serialize, secret: bool) -> Self {
        let value = serde_json::to_value(value).map_err(|error| error.to_string());
        Self { field, value, secret, read: None, resource: PhantomData }
    }

    pub(crate) fn reading(self, read: Read<R>) -> Self {
        Self { read: Some(read), ..self }
    }

    /// The name of the field on the wire.
    pub fn field(&self) -> &'static str {
        self.field.name
    }

    pub(crate) fn field_name(&self) -> FieldName {
        self.field
    }

    /// What is to be sent; `None` if it has no JSON form.
    pub(crate) fn value(&self) -> Option<&Value> {
        self.value.as_ref().ok()
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether records can be asked for the present value.
    pub(crate) fn is_readable(&self) -> bool {
        self.read.is_some()
    }

    /// What a record has in the field.
    pub(crate) fn read<'a>(&self, record: &'a R::Model) -> Reading<'a> {
        self.read.map_or(Reading::Unknown, |read| read(record))
    }
}

/// One change is a list of one, so that an update of one field needs no brackets.
impl<R: Resource> IntoIterator for Change<R> {
    type Item = Self;
    type IntoIter = iter::Once<Self>;

    fn into_iter(self) -> Self::IntoIter {
        iter::once(self)
    }
}

impl<R: Resource> Clone for Change<R> {
    fn clone(&self) -> Self {
        Self {
            field: self.field,
            value: self.value.clone(),
            secret: self.secret,
            read: self.read,
            resource: PhantomData,
        }
    }
}

impl<R: Resource> fmt::Debug for Change<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Change({self})")
    }
}

impl<R: Resource> fmt::Display for Change<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            _ if self.secret => write!(f, "{}=[redacted]", self.field.name),
            Ok(value) => write!(f, "{}={value}", self.field.name),
            Err(_) => write!(f, "{}=[not serialisable]", self.field.name),
        }
    }
}

/// The body of an update: the changed fields in the order given.
pub(crate) struct Changes<R: Resource>(pub(crate) Vec<Change<R>>);

impl<R: Resource> Changes<R> {
    /// The changes, if they can be sent: two of one field contradict each other.
    pub(crate) fn checked(
        changes: impl IntoIterator<Item = Change<R>>,
        operation: Operation,
    ) -> Result<Self, Error> {
        let invalid =
            |note: String| Error::new(ErrorKind::InvalidRequest, operation).with_note(note);
        let changes: Vec<Change<R>> = changes.into_iter().collect();
        for (index, change) in changes.iter().enumerate() {
            let field = change.field();
            if changes.iter().take(index).any(|earlier| earlier.field() == field) {
                return Err(invalid(format!("field `{field}` is set twice")));
            }
            if let Err(problem) = &change.value {
                let problem = if change.secret { "" } else { problem.as_str() };
                let note = format!("field `{field}` cannot be written as JSON: {problem}");
                return Err(invalid(note.trim_end_matches(": ").to_owned()));
            }
        }
        Ok(Self(changes))
    }
}

impl<R: Resource> Serialize for Changes<R> {
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
