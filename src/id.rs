//! Typed primary keys.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The primary key of a record of resource `R`.
///
/// A foreign key in a model is the `Id` of the resource it points to, so a team's key cannot be
/// passed where a user's is wanted. On the wire it is a plain integer.
///
/// ```
/// use keystone_client::Id;
/// use keystone_client::resources::Team;
///
/// let id: Id<Team> = Id::new(7);
/// assert_eq!(id.get(), 7);
/// assert_eq!(id.to_string(), "7");
/// assert_eq!("7".parse::<Id<Team>>(), Ok(id));
/// ```
///
/// ```compile_fail
/// # use keystone_client::Id;
/// # use keystone_client::resources::{Team, User};
/// let user: Id<User> = Id::<Team>::new(7);
/// ```
pub struct Id<R: ?Sized> {
    value: u64,
    resource: PhantomData<fn() -> R>,
}

impl<R: ?Sized> Id<R> {
    /// The key with this integer value.
    pub const fn new(value: u64) -> Self {
        Self { value, resource: PhantomData }
    }

    /// The key of the same record, seen as another type for the same path: a custom view of it, or
    /// its shape on servers of another age.
    pub const fn cast<S: ?Sized>(self) -> Id<S> {
        Id::new(self.value)
    }

    /// The integer on the wire.
    pub const fn get(self) -> u64 {
        self.value
    }
}

// Written out because derives would ask for the same traits of `R`.
impl<R: ?Sized> Clone for Id<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R: ?Sized> Copy for Id<R> {}

impl<R: ?Sized> PartialEq for Id<R> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<R: ?Sized> Eq for Id<R> {}

impl<R: ?Sized> PartialOrd for Id<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<R: ?Sized> Ord for Id<R> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

impl<R: ?Sized> Hash for Id<R> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<R: ?Sized> fmt::Debug for Id<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.value)
    }
}

impl<R: ?Sized> fmt::Display for Id<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value, f)
    }
}

impl<R: ?Sized> From<u64> for Id<R> {
    fn from(value: u64) -> Self {
        Self::new(value)
    }
}

impl<R: ?Sized> From<Id<R>> for u64 {
    fn from(id: Id<R>) -> Self {
        id.get()
    }
}

impl<R: ?Sized> FromStr for Id<R> {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self::new)
    }
}

impl<R: ?Sized> Serialize for Id<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.value)
    }
}

impl<'de, R: ?Sized> Deserialize<'de> for Id<R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self::new)
    }
}
