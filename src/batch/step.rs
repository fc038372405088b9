use std::fmt;
use std::marker::PhantomData;

use super::token::{self, JobId};
use crate::field::Field;
use crate::id::Id;
use crate::input::{Input, IntoInput};
use crate::page::Page;
use crate::resource::Resource;

/// Where in the answer of a step its record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The answer is the record.
    Whole,
    /// It is an item of a list.
    Item(u32),
    /// The client finds out from the answer, which comes when the job is over.
    Unknown,
}

/// A step of a [`Batch`](super::Batch), which answers with a `T`.
///
/// It stands for the key of the record that the step makes or reads, wherever a later step takes a
/// key; for another of its fields there is [`field`](Self::field). After the job the
/// [outcome](super::BatchOutcome) gives its answer by it.
///
/// A step comes before those that refer to it, as there is nothing to refer to before it has been
/// added, and stands for keys of its own resource only:
///
/// ```compile_fail
/// # use keystone_client::{resources::*, sandbox::Sandbox};
/// # use jiff::civil::date;
/// # let client = Sandbox::new().blocking_client().unwrap();
/// let mut batch = client.batch();
/// let cluster = batch.add(client.clusters().create(NewCluster::new("atlas")));
/// let new = NewGrant::new("Title", "NSF", 1000, date(2026, 1, 1), cluster); // wants a team
/// ```
pub struct StepRef<T> {
    pub(super) job: JobId,
    pub(super) index: usize,
    place: Place,
    answer: PhantomData<fn() -> T>,
}

impl<T> StepRef<T> {
    pub(super) fn new(job: JobId, index: usize, place: Place) -> Self {
        Self { job, index, place, answer: PhantomData }
    }

    /// Which step of the job it is, from 0.
    pub fn index(self) -> usize {
        self.index
    }

    /// What the answer has at a path, such as `_team.name` or `users.0`: names of members and places
    /// in lists, joined by dots. That a value of type `V` is there is the caller's word.
    pub fn path<V>(self, path: &str) -> Reference<V> {
        Reference::new(token::write(self.job, self.index, path))
    }

    fn record_at<M>(self, place: Place) -> RecordRef<M> {
        RecordRef { step: StepRef::new(self.job, self.index, place) }
    }
}

impl<M: Resource<Model = M>> StepRef<M> {
    /// The value of a field of the record that the step makes or reads.
    ///
    /// ```
    /// # use keystone_client::{resources::*, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let mut batch = client.batch();
    /// let team = batch.add(client.teams().create(NewTeam::new("Folding")));
    /// let cluster = NewCluster::new("atlas").description(team.field(|t| t.name));
    /// let cluster = batch.add(client.clusters().create(cluster));
    /// let outcome = batch.run().send()?;
    /// assert_eq!(outcome.get(cluster)?.description.as_deref(), Some("Folding"));
    /// # Ok(()) }
    /// ```
    pub fn field<V, A>(self, field: impl FnOnce(&M::Fields) -> Field<M, V, A>) -> Reference<V> {
        self.record_at(self.place).field(field)
    }
}

impl<M> StepRef<Page<M>> {
    /// The record at this place of the page, from 0. If there are not that many, the job fails, and
    /// everything is rolled back.
    ///
    /// ```
    /// # use keystone_client::{resources::*, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # client.create_cluster(NewCluster::new("atlas")).send()?;
    /// let mut batch = client.batch();
    /// let page = batch.add(client.clusters().list().page(10, 0));
    /// let first = page.item(0);
    /// let text = format!("was {}", first.field(|c| c.name));
    /// let cluster = batch.add(client.clusters().update(first, |c| [c.description.set(text)]));
    /// let outcome = batch.run().send()?;
    /// assert_eq!(outcome.get(cluster)?.description.as_deref(), Some("was atlas"));
    /// # Ok(()) }
    /// ```
    pub fn item(self, index: u32) -> RecordRef<M> {
        self.record_at(Place::Item(index))
    }
}

impl<M> StepRef<Option<M>> {
    /// The record of a step that may find none. If there is none, the job fails, and everything is
    /// rolled back.
    pub fn record(self) -> RecordRef<M> {
        self.record_at(self.place)
    }
}

// Written out because derives would ask for the same traits of `T`.
impl<T> Clone for StepRef<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for StepRef<T> {}

impl<T> fmt::Debug for StepRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepRef({})", self.index)
    }
}

/// A record, modelled by `M`, within the answer of a step: an item of a page, or the first of a list.
///
/// It stands for its key as a [`StepRef`] does.
pub struct RecordRef<M> {
    step: StepRef<M>,
}

impl<M> RecordRef<M> {
    /// What the record has at a path; see [`StepRef::path`].
    pub fn path<V>(self, path: &str) -> Reference<V> {
        match self.step.place {
            Place::Whole => self.step.path(path),
            Place::Item(item) => self.step.path(&format!("results.{item}.{path}")),
            Place::Unknown => self.step.path(""),
        }
    }
}

impl<M: Resource<Model = M>> RecordRef<M> {
    /// The value of a field of the record; see [`StepRef::field`].
    pub fn field<V, A>(self, field: impl FnOnce(&M::Fields) -> Field<M, V, A>) -> Reference<V> {
        self.path(field(&M::FIELDS).wire_name())
    }
}

impl<M> Clone for RecordRef<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for RecordRef<M> {}

impl<M> fmt::Debug for RecordRef<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordRef({:?} of {:?})", self.step.place, self.step)
    }
}

/// A value of type `V` in the answer of an earlier step.
///
/// It is used in place of a value, or within text: there `Display` stands for the value in the
/// server's notation, which for numbers, dates and text is what one would expect. Its form is of no
/// use outside of the job.
///
/// ```
/// # use keystone_client::{resources::*, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// let mut batch = client.batch();
/// let team = batch.add(client.teams().create(NewTeam::new("Folding")));
/// let text = format!("For {}", team.field(|t| t.name));
/// let cluster = NewCluster::new("atlas").description(text);
/// let cluster = batch.add(client.clusters().create(cluster));
/// let outcome = batch.run().send()?;
/// assert_eq!(outcome.get(cluster)?.description.as_deref(), Some("For Folding"));
/// # Ok(()) }
/// ```
pub struct Reference<V> {
    token: String,
    value: PhantomData<fn() -> V>,
}

impl<V> Reference<V> {
    fn new(token: String) -> Self {
        Self { token, value: PhantomData }
    }
}

// Written out because derives would ask for the same traits of `V`.
impl<V> Clone for Reference<V> {
    fn clone(&self) -> Self {
        Self::new(self.token.clone())
    }
}

impl<V> fmt::Display for Reference<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.token)
    }
}

impl<V> fmt::Debug for Reference<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reference({self})")
    }
}

impl<V> IntoInput<V> for Reference<V> {
    fn into_input(self) -> Input<V> {
        Input::pending(self.token)
    }
}

impl<R> From<Reference<Id<R>>> for Input<Id<R>> {
    fn from(reference: Reference<Id<R>>) -> Self {
        reference.into_input()
    }
}

impl<V> IntoInput<Option<V>> for Reference<V> {
    fn into_input(self) -> Input<Option<V>> {
        Input::pending(self.token)
    }
}

/// A step that makes or reads a record, and a record within the answer of one, stand for its key.
macro_rules! keys {
    ($($type:ident, |$value:ident| $record:expr;)+) => {
        $(
            impl<R: Resource> IntoInput<Id<R>> for $type<R::Model> {
                fn into_input(self) -> Input<Id<R>> {
                    let $value = self;
                    $record.path::<Id<R>>(KEY).into_input()
                }
            }

            impl<R: Resource> IntoInput<Option<Id<R>>> for $type<R::Model> {
                fn into_input(self) -> Input<Option<Id<R>>> {
                    let $value = self;
                    $record.path::<Id<R>>(KEY).into_input()
                }
            }

            impl<R: Resource> From<$type<R::Model>> for Input<Id<R>> {
                fn from(value: $type<R::Model>) -> Self {
                    value.into_input()
                }
            }
        )+
    };
}

keys! {
    StepRef, |step| step.record_at::<R::Model>(step.place);
    RecordRef, |record| record;
}

const KEY: &str = "id";
