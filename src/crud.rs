//! The verbs of resources, written once for both clients.

use std::fmt::{self, Write};
use std::marker::PhantomData;

use http::Method;

use crate::body::ToBody;
use crate::bulk::{Bulk, Repeat};
use crate::call::Call;
use crate::change::{Change, Changes};
use crate::error::Error;
use crate::filter::Filter;
use crate::id::Id;
use crate::input::IntoInput;
use crate::list::List;
use crate::order::OrderBy;
use crate::query::Query;
use crate::request::{Operation, Request};
use crate::resource::{Create, Delete, Replace, Resource, Retrieve, Update};

/// What can be done with the records of resource `R` through client `C`.
///
/// Obtained from a client: `client.clusters()`, or `client.resource::<R>()` for a resource
/// defined elsewhere. Which methods there are depends on the resource: what the server does not do with
/// its records does not compile. Nothing is sent by them: they return a [`Call`], a [`List`] or
/// another value that is sent with `.await` or `.send()`.
///
/// ```
/// use keystone_client::resources::{NewCluster, NewTeam};
/// use keystone_client::sandbox::Sandbox;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Sandbox::new().blocking_client()?;
/// client.login("admin", "admin-password")?;
///
/// let cluster = client.clusters().create(NewCluster::new("atlas").enabled(false)).send()?;
/// let cluster = client.clusters().update(cluster.id, |c| [c.enabled.set(true)]).send()?;
/// assert!(cluster.enabled);
/// client.clusters().delete(cluster.id).send()?;
/// # Ok(()) }
/// ```
pub struct Crud<R, C> {
    client: C,
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource, C: Clone> Crud<R, C> {
    pub(crate) fn new(client: C) -> Self {
        Self { client, resource: PhantomData }
    }

    pub(crate) fn client(&self) -> C {
        self.client.clone()
    }

    pub(crate) fn operation(verb: &'static str) -> Operation {
        Operation::new(verb, R::NAME)
    }

    pub(crate) fn call<T>(&self, mut request: Result<Request<T>, Error>) -> Call<T, C> {
        if let (Ok(request), Some(capability)) = (&mut request, R::CAPABILITY) {
            request.parts.needs.insert(capability);
        }
        Call::new(self.client.clone(), request)
    }

    pub(crate) fn write(
        &self,
        operation: Operation,
        method: Method,
        path: String,
        body: &impl ToBody,
    ) -> Call<R::Model, C> {
        let mut request = Request::json(operation, method, path);
        request.parts.secrets = R::SECRET_FIELDS.into();
        self.call(request.set_body_of(body).map(|()| request))
    }

    /// Creates a record and returns it as the server stored it: `POST {path}/`.
    ///
    /// Data that the server rejects are an error of kind
    /// [`ErrorKind::Validation`](crate::ErrorKind::Validation), which says what is wrong with
    /// [which field](crate::Error::field_errors). A create whose answer is lost is not repeated by
    /// itself, as there may be two records then; see [`Call::idempotent`] and [`ensure`](Self::ensure).
    pub fn create(&self, new: R::New) -> Call<R::Model, C>
    where
        R: Create,
    {
        let path = format!("{}/", R::PATH);
        self.write(Self::operation("create"), Method::POST, path, &new)
    }

    /// Reads one record: `GET {path}/{id}/`.
    ///
    /// A record that does not exist, or that the user may not see, is an error of kind
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound); see [`Call::optional`].
    pub fn retrieve(&self, id: impl IntoInput<Id<R>>) -> Call<R::Model, C>
    where
        R: Retrieve,
    {
        self.call(Ok(Request::json(Self::operation("retrieve"), Method::GET, record_path(id))))
    }

    /// Changes the fields that are set, leaves all others alone, and returns the whole record:
    /// `PATCH {path}/{id}/`.
    ///
    /// `set(None)` sends null. The closure returns one change, an array, or a `Vec` put together by
    /// conditions. No change at all is a valid call that returns the record.
    pub fn update<I>(
        &self,
        id: impl IntoInput<Id<R>>,
        changes: impl FnOnce(&R::Fields) -> I,
    ) -> Call<R::Model, C>
    where
        R: Update,
        I: IntoIterator<Item = Change<R>>,
    {
        match Changes::checked(changes(&R::FIELDS), Self::operation("update")) {
            Ok(changes) => self.write_changes(id, &changes),
            Err(error) => self.call(Err(error)),
        }
    }

    pub(crate) fn write_changes(
        &self,
        id: impl IntoInput<Id<R>>,
        changes: &Changes<R>,
    ) -> Call<R::Model, C> {
        let mut call =
            self.write(Self::operation("update"), Method::PATCH, record_path(id), changes);
        if let Ok(request) = &mut call.request {
            for change in &changes.0 {
                request.parts.needs.insert_field(change.field_name());
            }
        }
        call
    }

    /// Writes the record whole: `PUT {path}/{id}/`. Optional fields that are left out keep their
    /// values; see [`Replace`].
    pub fn replace(&self, id: impl IntoInput<Id<R>>, new: R::New) -> Call<R::Model, C>
    where
        R: Replace,
    {
        self.write(Self::operation("replace"), Method::PUT, record_path(id), &new)
    }

    /// Deletes the record: `DELETE {path}/{id}/`. One that does not exist is an error of kind
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound); see [`Call::optional`]. What is deleted along
    /// with it is told at the resource.
    pub fn delete(&self, id: impl IntoInput<Id<R>>) -> Call<(), C>
    where
        R: Delete,
    {
        self.call(Ok(Request::empty(Self::operation("delete"), Method::DELETE, record_path(id))))
    }

    /// Creates many records, about a hundred in a job; see [`Bulk`].
    ///
    /// ```
    /// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let names = (1..=250).map(|number| format!("node-{number}"));
    /// let report = client.clusters().create_many(names.map(NewCluster::new)).send();
    /// let clusters = report.into_result()?;
    /// assert_eq!(clusters.len(), 250);
    /// # Ok(()) }
    /// ```
    pub fn create_many(&self, rows: impl IntoIterator<Item = R::New>) -> Bulk<R::Model, C>
    where
        R: Create,
    {
        let rows = rows.into_iter().map(|new| self.create(new).request).collect();
        Bulk::new(self.client.clone(), rows, Repeat::Never, |request| request)
    }

    /// Changes many records, each by what `change` makes of its row: the key of the record, and what to
    /// set. About a hundred travel in a job; see [`Bulk`].
    ///
    /// ```
    /// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # client.clusters().create_many(["atlas", "borealis"].map(NewCluster::new)).send().into_result()?;
    /// let clusters = client.clusters().list().all()?;
    /// let report = client
    ///     .clusters()
    ///     .update_many(&clusters, |cluster, c| (cluster.id, [c.enabled.set(false)]))
    ///     .send();
    /// assert!(report.into_result()?.iter().all(|cluster| !cluster.enabled));
    /// # Ok(()) }
    /// ```
    pub fn update_many<Row, I>(
        &self,
        rows: impl IntoIterator<Item = Row>,
        mut change: impl FnMut(Row, &R::Fields) -> (Id<R>, I),
    ) -> Bulk<R::Model, C>
    where
        R: Update,
        I: IntoIterator<Item = Change<R>>,
    {
        let rows = rows.into_iter().map(|row| {
            let (id, changes) = change(row, &R::FIELDS);
            self.update(id, |_| changes).request
        });
        Bulk::new(self.client.clone(), rows.collect(), Repeat::Harmless, |request| request)
    }

    /// Deletes many records, about a hundred in a job; see [`Bulk`]. A key without a record is a failed
    /// row.
    ///
    /// ```
    /// # use keystone_client::{Id, resources::NewCluster, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let cluster = client.create_cluster(NewCluster::new("atlas")).send()?;
    /// let report = client.clusters().delete_many([cluster.id, Id::new(999)]).send();
    /// assert_eq!(report.done().count(), 1);
    /// assert!(report.failed().all(|(_, error)| error.is_not_found()));
    /// # Ok(()) }
    /// ```
    pub fn delete_many(&self, ids: impl IntoIterator<Item = Id<R>>) -> Bulk<(), C>
    where
        R: Delete,
    {
        let rows = ids.into_iter().map(|id| self.delete(id).request).collect();
        Bulk::new(self.client.clone(), rows, Repeat::FindsNothing, |request| {
            request.adapt(|response, decode| match response.is_missing_record() {
                true => Ok(()),
                false => decode(response),
            })
        })
    }

    /// All records, to be narrowed by [`List::filter`] and ordered by [`List::order_by`].
    pub fn list(&self) -> List<R, C> {
        self.query(Query::new())
    }

    /// The records of a query made elsewhere.
    pub fn query(&self, query: Query<R>) -> List<R, C> {
        List::new(self.client.clone(), query)
    }

    /// The records for which a condition holds; short for [`list`](Self::list) and
    /// [`List::filter`].
    pub fn filter(&self, condition: impl FnOnce(&R::Fields) -> Filter<R>) -> List<R, C> {
        self.list().filter(condition)
    }

    /// All records in this order; short for [`list`](Self::list) and [`List::order_by`].
    pub fn order_by(&self, key: impl FnOnce(&R::Fields) -> OrderBy<R>) -> List<R, C> {
        self.list().order_by(key)
    }
}

pub(crate) fn record_path<R: Resource>(id: impl IntoInput<Id<R>>) -> String {
    const LONGEST_KEY: usize = 20;
    let mut path = String::with_capacity(R::PATH.len() + LONGEST_KEY + 2);
    path.push_str(R::PATH);
    // Writing to a `String` cannot fail.
    let _ = write!(path, "/{}/", id.into_input());
    path
}

// Written out because derives would ask for the same traits of `R`.
impl<R, C: Clone> Clone for Crud<R, C> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), resource: PhantomData }
    }
}

impl<R: Resource, C: fmt::Debug> fmt::Debug for Crud<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crud").field("resource", &R::NAME).field("client", &self.client).finish()
    }
}
