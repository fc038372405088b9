use std::fmt;
use std::iter::FusedIterator;

use super::Pages;
use crate::error::Error;
use crate::resource::Resource;
use crate::walk::{Cursor, PageRows};

/// An iterator over the records of a list. After an error it ends.
///
/// ```
/// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # client.create_cluster(NewCluster::new("atlas")).send()?;
/// let rows = client.clusters().list().iter();
/// // The first error, or all names.
/// let names = rows.map(|cluster| cluster.map(|cluster| cluster.name)).collect::<Result<Vec<_>, _>>()?;
/// assert_eq!(names, ["atlas"]);
/// # Ok(()) }
/// ```
#[must_use = "an iterator does nothing until it is asked for its next item"]
pub struct Rows<R: Resource> {
    pages: Pages<R>,
    page: PageRows<R>,
}

impl<R: Resource> Rows<R> {
    pub(super) fn new(pages: Pages<R>) -> Self {
        Self { page: PageRows::new(pages.cursor()), pages }
    }

    /// Goes on where another walk over the same list was; see [`Cursor`].
    ///
    /// # Errors
    ///
    /// As for [`Pages::resume`].
    pub fn resume(self, cursor: &Cursor<R>) -> Result<Self, Error> {
        self.pages.resume(cursor).map(Self::new)
    }

    /// The place behind the last record that was handed out.
    pub fn cursor(&self) -> Cursor<R> {
        self.page.cursor().clone()
    }

    /// Whether the list was seen to change; see [`Pages::has_moved`](crate::Pages::has_moved).
    pub fn has_moved(&self) -> bool {
        self.pages.has_moved()
    }
}

impl<R: Resource> Iterator for Rows<R> {
    type Item = Result<R::Model, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.page.next() {
                return Some(Ok(record));
            }
            match self.pages.next()? {
                Err(error) => return Some(Err(error)),
                Ok(page) => self.page.put(page, self.pages.place()),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.page.len(), None)
    }
}

impl<R: Resource> FusedIterator for Rows<R> {}

impl<R: Resource> fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("cursor", self.page.cursor()).finish_non_exhaustive()
    }
}
