//! What a resource is, and what can be done with it.
//!
//! A resource is a type; each thing the server allows to be done with it is a trait beside it. A
//! verb that the server lacks does not exist: calling it is a compile error. Resources outside
//! this crate are made with [`resource!`](crate::resource!) or by implementing the traits by hand.
//!
//! [`Crud`](crate::Crud) has a method for each of [`Retrieve`], [`Create`], [`Update`], [`Replace`] and
//! [`Delete`], and [`List`](crate::List) for [`Search`] and [`Summarize`]; any [`Resource`] can be listed.
//! [`NaturalKey`] is by what [`Crud::ensure`](crate::Crud::ensure) finds records. The resources of Keystone
//! are in [`resources`](crate::resources).

mod define;

use serde::de::DeserializeOwned;

use crate::body::ToBody;
use crate::capability::Capability;
use crate::field::FieldInfo;
use crate::filter::Filter;
use crate::id::Id;
use crate::resources::History;

/// A kind of record that the server keeps under one path.
///
/// The model type is normally its own resource (`type Model = Self`); a marker type works as well.
///
/// ```
/// use keystone_client::field::{Field, ReadOnly, ReadWrite};
/// use keystone_client::resource::{Resource, Retrieve, Update};
/// use keystone_client::{Id, blocking, sandbox::Sandbox};
/// use serde::{Deserialize, Serialize};
///
/// /// A narrow view of a cluster, written by hand.
/// #[derive(Debug, Serialize, Deserialize)]
/// struct ClusterName {
///     id: Id<ClusterName>,
///     name: String,
/// }
///
/// struct ClusterNameFields {
///     id: Field<ClusterName, Id<ClusterName>, ReadOnly>,
///     name: Field<ClusterName, String, ReadWrite>,
/// }
///
/// impl Resource for ClusterName {
///     type Model = Self;
///     type Fields = ClusterNameFields;
///     const NAME: &'static str = "cluster";
///     const PATH: &'static str = "allocations/clusters";
///     const FIELDS: ClusterNameFields =
///         ClusterNameFields { id: Field::new("id"), name: Field::new("name") };
///
///     fn id(model: &Self) -> Option<Id<Self>> {
///         Some(model.id)
///     }
/// }
/// impl Retrieve for ClusterName {}
/// impl Update for ClusterName {}
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sandbox = Sandbox::new();
/// sandbox.insert("allocations/clusters", serde_json::json!({ "name": "atlas" }))?;
/// let client = sandbox.blocking_client()?;
/// client.login("admin", "admin-password")?;
///
/// let clusters = client.resource::<ClusterName>();
/// let atlas = clusters.list().filter(|c| c.name.eq("atlas")).all()?.remove(0);
/// let renamed = clusters.update(atlas.id, |c| [c.name.set("atlas-2")]).send()?;
/// assert_eq!(renamed.name, "atlas-2");
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a Keystone resource",
    label = "not a resource",
    note = "define one with `keystone_client::resource!` or implement `Resource` by hand"
)]
pub trait Resource: Sized + 'static {
    /// The record as the server returns it.
    type Model: DeserializeOwned + Send + Sync + 'static;

    /// The table of fields: what can be compared, ordered by, and set.
    type Fields: 'static;

    /// The resource in a sentence, singular and lower case: `"allocation request"`.
    const NAME: &'static str;

    /// The list path relative to the base URL, without outer slashes: `"allocations/requests"`.
    const PATH: &'static str;

    /// The value of the table of fields.
    const FIELDS: Self::Fields;

    /// What the server understands of each field, for names that are learned at run time; see
    /// [`Query::param`](crate::Query::param). Written by [`field_info!`](crate::field_info!).
    const FIELD_INFO: &'static [FieldInfo] = &[];

    /// The names on the wire of the fields whose values are never shown, such as a password.
    const SECRET_FIELDS: &'static [&'static str] = &[];

    /// What a server must be able to do to have this resource, if not every server has it.
    const CAPABILITY: Option<Capability> = None;

    /// Whether records have an integer `id` by which a list can be walked. Where it is `false`
    /// lists are walked by offset.
    const HAS_ID: bool = true;

    /// The primary key of a record; `None` where [`HAS_ID`](Self::HAS_ID) is `false`.
    fn id(model: &Self::Model) -> Option<Id<Self>>;

    /// The changes of a record, if records carry them. By the newest of them is known whether a record
    /// has changed since it was fetched.
    fn history(model: &Self::Model) -> Option<&History> {
        let _ = model;
        None
    }

    /// What tells a record from all others of a list, by which one that comes twice is known. It is
    /// asked for where there is no key; `None` if nothing does.
    fn identity(model: &Self::Model) -> Option<u64> {
        Self::id(model).map(Id::get)
    }
}

/// Finds the history among the fields of a model.
#[doc(hidden)]
#[derive(Debug)]
pub struct HistoryIn<'a, T>(pub &'a T);

#[doc(hidden)]
impl<'a> HistoryIn<'a, History> {
    pub fn history(self) -> Option<&'a History> {
        Some(self.0)
    }
}

#[doc(hidden)]
pub trait NoHistory<'a> {
    fn history(self) -> Option<&'a History>;
}

impl<'a, T> NoHistory<'a> for HistoryIn<'a, T> {
    fn history(self) -> Option<&'a History> {
        None
    }
}

/// Single records can be read: `GET {path}/{id}/`.
#[diagnostic::on_unimplemented(
    message = "the server has no way to retrieve a single `{Self}`",
    label = "this resource can only be listed"
)]
pub trait Retrieve: Resource {}

/// Records can be created: `POST {path}/`.
#[diagnostic::on_unimplemented(
    message = "the server has no way to create a `{Self}`",
    label = "this resource cannot be created through the API"
)]
pub trait Create: Resource {
    /// What it takes: whatever serialises travels as JSON, and files as [`ToBody`] says.
    type New: ToBody;
}

/// Records can be known by what they are about, without their keys; see
/// [`Crud::ensure`](crate::Crud::ensure).
///
/// ```
/// use keystone_client::resource::NaturalKey;
/// use keystone_client::{Filter, Id, Outcome, Resource, sandbox::Sandbox};
///
/// keystone_client::resource! {
///     /// A cluster, as far as this program is interested.
///     pub struct Machine("machine", "allocations/clusters");
///     fields MachineFields;
///     new NewMachine;
///     verbs [Retrieve, Update];
///
///     read_only {
///         /// Primary key.
///         id: Id<Machine>,
///     }
///     required {
///         /// Unique name.
///         name: String,
///     }
/// }
///
/// impl NaturalKey for Machine {
///     fn key(new: &NewMachine) -> Filter<Self> {
///         Self::FIELDS.name.eq(new.name.clone().map(|name| name.trim().to_owned()))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// let machines = client.resource::<Machine>();
/// let ensured = machines.ensure(NewMachine::new("atlas"), |_| []).send()?;
/// assert_eq!(ensured.outcome(), Outcome::Created);
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "a `{Self}` has no natural key",
    label = "say by which filter it is found, with `ensure_by`"
)]
pub trait NaturalKey: Create {
    /// The filter that finds the record that `new` would be, and no other. The server cuts blanks off
    /// both ends of a text, and so has the filter to.
    fn key(new: &Self::New) -> Filter<Self>;

    /// A filter that finds what the server would take for the same record although its key differs. It
    /// makes a refusal easier to understand.
    fn rivals(new: &Self::New) -> Option<Filter<Self>> {
        let _ = new;
        None
    }
}

/// Records can be changed in part: `PATCH {path}/{id}/`.
#[diagnostic::on_unimplemented(
    message = "the server has no way to update a `{Self}`",
    label = "this resource is read-only"
)]
pub trait Update: Resource {}

/// Records can be written whole: `PUT {path}/{id}/`.
///
/// The server demands the required fields and keeps the present value of every optional field
/// that is left out, so this is an update that repeats the required fields; prefer [`Update`].
#[diagnostic::on_unimplemented(
    message = "the server has no way to replace a `{Self}`",
    label = "this resource does not accept PUT"
)]
pub trait Replace: Create {}

/// Records can be deleted: `DELETE {path}/{id}/`.
#[diagnostic::on_unimplemented(
    message = "the server has no way to delete a `{Self}`",
    label = "this resource cannot be deleted through the API"
)]
pub trait Delete: Resource {}

/// Records can be found by words: `GET {path}/?_search=`. The server looks for them in the main texts
/// of the record and in names that it refers to. Servers before 0.10.9 may fail when they are to search
/// their logs.
#[diagnostic::on_unimplemented(
    message = "the server cannot search for records of `{Self}`",
    label = "a search over this resource makes the server fail"
)]
pub trait Search: Resource {}

/// The server makes figures over the records: `GET {STATS_PATH}/`.
#[diagnostic::on_unimplemented(
    message = "the server has no statistics over records of `{Self}`",
    label = "no statistics over this resource"
)]
pub trait Summarize: Resource {
    /// The figures.
    type Stats: DeserializeOwned;

    /// The figures in a sentence: `"grant statistics"`.
    const STATS_NAME: &'static str;

    /// The path relative to the base URL, without outer slashes.
    const STATS_PATH: &'static str;

    /// What a server must be able to do to have them.
    const STATS_CAPABILITY: Option<Capability> = None;
}
