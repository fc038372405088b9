use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::mark;
use crate::error::{Error, ErrorKind};
use crate::query::Query;
use crate::request::Operation;
use crate::resource::Resource;

/// A place in a walk over a list of resource `R`: behind the last record that was handed out.
///
/// It can be stored, as it is [`Serialize`] and [`Deserialize`], and a walk over the same list can
/// go on from it, in another process and on another day. It holds the query string, whose filters
/// may name people.
///
/// ```
/// # use keystone_client::{resources::{Cluster, NewCluster}, sandbox::Sandbox};
/// use keystone_client::Cursor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// for name in ["atlas", "borealis", "cygnus"] {
///     client.clusters().create(NewCluster::new(name)).send()?;
/// }
/// let mut clusters = client.clusters().list().iter();
/// assert_eq!(clusters.next().unwrap()?.name, "atlas");
/// let stored = serde_json::to_string(&clusters.cursor())?;
///
/// let cursor: Cursor<Cluster> = serde_json::from_str(&stored)?;
/// let mut rest = client.clusters().list().iter().resume(&cursor)?;
/// assert_eq!(rest.next().unwrap()?.name, "borealis");
/// # Ok(()) }
/// ```
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Cursor<R> {
    path: String,
    query: String,
    /// How many records were handed out so far.
    handed_out: u64,
    /// What tells the last of them from others.
    last: Option<u64>,
    /// Whether the last of them came out of the order of the list, so that nothing goes on from it.
    #[serde(default)]
    displaced: bool,
    #[serde(skip)]
    resource: PhantomData<fn() -> R>,
}

impl<R: Resource> Cursor<R> {
    /// The beginning of a list.
    pub(crate) fn beginning(query: &Query<R>) -> Self {
        Self {
            path: R::PATH.to_owned(),
            query: query.to_string(),
            handed_out: 0,
            last: None,
            displaced: false,
            resource: PhantomData,
        }
    }

    /// Moves behind these records.
    pub(crate) fn pass(&mut self, records: &[R::Model]) {
        self.handed_out = self.handed_out.saturating_add(records.len() as u64);
        if let Some(record) = records.last() {
            self.last = mark::<R>(record);
        }
    }

    /// Notes that what is passed from now on comes out of order.
    pub(crate) fn displace(&mut self) {
        self.displaced = true;
    }

    /// Whether it is a place in this list.
    pub(crate) fn check(&self, query: &Query<R>) -> Result<(), Error> {
        let error = |kind, note| Error::new(kind, Operation::new("list", R::NAME)).with_note(note);
        if (self.path.as_str(), self.query.as_str()) != (R::PATH, &query.to_string()) {
            return Err(error(
                ErrorKind::InvalidRequest,
                "the cursor is of another list: resource, filters and order have to be those of \
                 the walk that it comes from",
            ));
        }
        if self.displaced {
            return Err(error(
                ErrorKind::ListChanged,
                "the list had moved so much that the walk had left its order, so there is no place \
                 to go on from",
            ));
        }
        Ok(())
    }
}

impl<R> Cursor<R> {
    /// How many records were handed out before this place.
    pub fn handed_out(&self) -> u64 {
        self.handed_out
    }

    pub(crate) fn last(&self) -> Option<u64> {
        self.last
    }

    pub(crate) fn is_displaced(&self) -> bool {
        self.displaced
    }
}

// Written out because derives would ask for the same traits of `R`.
impl<R> Clone for Cursor<R> {
    fn clone(&self) -> Self {
        Self {
            path: self.path.clone(),
            query: self.query.clone(),
            handed_out: self.handed_out,
            last: self.last,
            displaced: self.displaced,
            resource: PhantomData,
        }
    }
}

impl<R> PartialEq for Cursor<R> {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, &self.query, self.handed_out, self.last, self.displaced)
            == (&other.path, &other.query, other.handed_out, other.last, other.displaced)
    }
}

impl<R> Eq for Cursor<R> {}

impl<R> fmt::Debug for Cursor<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("path", &self.path)
            .field("query", &self.query)
            .field("handed_out", &self.handed_out)
            .field("last", &self.last)
            .finish()
    }
}
