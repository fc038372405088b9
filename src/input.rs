//! Values that are given, or that an earlier step of a batch job will make.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::id::Id;

/// A value, or a reference to one that an earlier step of a [`Batch`](crate::Batch) will make.
///
/// Fields of bodies such as [`NewGrant`](crate::resources::NewGrant) hold inputs, and everything that
/// takes a value takes a step or a [`Reference`](crate::batch::Reference) as well, so it is seldom
/// written out. A reference outside of its job is an error before anything is sent.
///
/// ```
/// use keystone_client::{Id, Link};
/// use keystone_client::resources::Team;
///
/// let link: Link<Team> = Id::new(7).into();
/// assert_eq!(link.value(), Some(&Id::new(7)));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Input<V>(State<V>);

/// A key, or a reference to the record of an earlier step.
pub type Link<R> = Input<Id<R>>;

#[derive(Clone, PartialEq, Eq)]
enum State<V> {
    Given(V),
    /// JSON with references in it, in place of the value.
    Pending(Value),
}

impl<V> Input<V> {
    pub(crate) fn given(value: V) -> Self {
        Self(State::Given(value))
    }

    pub(crate) fn pending(json: impl Into<Value>) -> Self {
        Self(State::Pending(json.into()))
    }

    /// The value, if it is at hand.
    pub fn value(&self) -> Option<&V> {
        match &self.0 {
            State::Given(value) => Some(value),
            State::Pending(_) => None,
        }
    }

    /// An input of what `change` makes of the value, if it is at hand; a reference stays what it is.
    ///
    /// ```
    /// use keystone_client::resources::NewTeam;
    ///
    /// let new = NewTeam::new(" Folding ");
    /// let name = new.name.map(|name| name.trim().to_owned());
    /// assert_eq!(name.value().unwrap(), "Folding");
    /// ```
    #[must_use]
    pub fn map(self, change: impl FnOnce(V) -> V) -> Self {
        match self.0 {
            State::Given(value) => Self::given(change(value)),
            State::Pending(_) => self,
        }
    }

    /// The value, or the JSON with references in it.
    pub(crate) fn into_value(self) -> Result<V, Value> {
        match self.0 {
            State::Given(value) => Ok(value),
            State::Pending(json) => Err(json),
        }
    }
}

/// Lists of keys.
impl<R> Input<Vec<Id<R>>> {
    /// Keys and steps of a batch job in one list. Lists of keys alone need no more than an array.
    ///
    /// ```
    /// # use keystone_client::{resources::*, sandbox::Sandbox};
    /// use keystone_client::{Id, Input, Link};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// let mut batch = client.batch();
    /// let ada = batch.add(client.users().create(NewUser::new("ada", "a long password")));
    /// let assignees = [Link::from(Id::new(1)), ada.into()];
    /// batch.add(client.requests().update(Id::new(7), |r| [r.assignees.set(Input::list(assignees))]));
    /// # Ok(()) }
    /// ```
    // A method rather than conversions of lists: with more of them than one, an empty list could be
    // of any type.
    pub fn list<L: Into<Link<R>>>(links: impl IntoIterator<Item = L>) -> Self {
        let links: Vec<Link<R>> = links.into_iter().map(Into::into).collect();
        let all: Option<Vec<Id<R>>> = links.iter().map(|link| link.value().copied()).collect();
        match all {
            Some(ids) => Self::given(ids),
            None => Self::pending(Value::Array(
                links
                    .into_iter()
                    .map(|link| link.into_value().map_or_else(|json| json, |id| id.get().into()))
                    .collect(),
            )),
        }
    }
}

impl<V> From<V> for Input<V> {
    fn from(value: V) -> Self {
        Self::given(value)
    }
}

impl<V: Serialize> Serialize for Input<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            State::Given(value) => value.serialize(serializer),
            State::Pending(json) => json.serialize(serializer),
        }
    }
}

impl<V: fmt::Debug> fmt::Debug for Input<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            State::Given(value) => value.fmt(f),
            State::Pending(json) => write!(f, "{json}"),
        }
    }
}

impl<V: fmt::Display> fmt::Display for Input<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            State::Given(value) => value.fmt(f),
            State::Pending(Value::String(reference)) => f.write_str(reference),
            State::Pending(json) => json.fmt(f),
        }
    }
}

/// What may be given where a value of type `V` is wanted.
///
/// It is [`Into`] with two differences. Where an integer is wanted only its own type will do, so that a
/// bare literal finds its type; text may be given as `&str`, amounts as integers, and a value where an
/// optional one is wanted. And what a step of a batch job will make may be given in its place: a
/// [`StepRef`](crate::batch::StepRef) where a key is wanted, a
/// [`Reference`](crate::batch::Reference) for any value.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be used where a value of type `{V}` is wanted",
    label = "expected a value for a field of type `{V}`",
    note = "keys are `Id::new(7)`, dates `jiff::civil::date(2026, 12, 31)`, codes their own type, \
            and for null there is `is_null`"
)]
pub trait IntoInput<V> {
    /// The value, or the reference to it.
    fn into_input(self) -> Input<V>;
}

impl<V> IntoInput<V> for V {
    fn into_input(self) -> Input<V> {
        Input::given(self)
    }
}

impl<V> IntoInput<Option<V>> for V {
    fn into_input(self) -> Input<Option<V>> {
        Input::given(Some(self))
    }
}

impl<V> IntoInput<V> for Input<V> {
    fn into_input(self) -> Self {
        self
    }
}

impl<V> IntoInput<Option<V>> for Input<V> {
    fn into_input(self) -> Input<Option<V>> {
        match self.0 {
            State::Given(value) => Input::given(Some(value)),
            State::Pending(json) => Input::pending(json),
        }
    }
}

macro_rules! into_input {
    ($($from:ty => $to:ty, |$value:ident| $convert:expr;)+) => {
        $(
            impl IntoInput<$to> for $from {
                fn into_input(self) -> Input<$to> {
                    let $value = self;
                    Input::given($convert)
                }
            }

            impl IntoInput<Option<$to>> for $from {
                fn into_input(self) -> Input<Option<$to>> {
                    let $value = self;
                    Input::given(Some($convert))
                }
            }
        )+
    };
}

into_input! {
    &str => String, |text| text.to_owned();
    &String => String, |text| text.clone();
    i32 => Decimal, |integer| Decimal::from(integer);
    i64 => Decimal, |integer| Decimal::from(integer);
    u32 => Decimal, |integer| Decimal::from(integer);
    u64 => Decimal, |integer| Decimal::from(integer);
}

impl<R, const N: usize> IntoInput<Vec<Id<R>>> for [Id<R>; N] {
    fn into_input(self) -> Input<Vec<Id<R>>> {
        Input::given(self.to_vec())
    }
}

impl<R> IntoInput<Vec<Id<R>>> for &[Id<R>] {
    fn into_input(self) -> Input<Vec<Id<R>>> {
        Input::given(self.to_vec())
    }
}
