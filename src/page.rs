//! Pages of a list, in all the shapes in which servers send them.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::request::Response;

/// Some records of a list, and how many there are in all.
///
/// ```
/// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # client.clusters().create_many(["atlas", "borealis", "cygnus"].map(NewCluster::new)).send().into_result()?;
/// let page = client.clusters().list().page(2, 0).send()?; // at most 2, from the beginning
/// assert_eq!((page.items.len(), page.total), (2, Some(3)));
/// assert!(!page.is_last());
/// let page = client.clusters().list().page(2, 2).send()?;
/// assert_eq!(page.items[0].name, "cygnus");
/// assert!(page.is_last());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The records.
    pub items: Vec<T>,
    /// How many records match, on this page and all others. `None` on servers before 0.7.4,
    /// which do not page: their one page is the whole list.
    pub total: Option<u64>,
    /// How many matching records come before this page.
    pub offset: u64,
}

impl<T> Page<T> {
    /// Whether no record comes after this page.
    pub fn is_last(&self) -> bool {
        match self.total {
            Some(total) => {
                self.items.is_empty()
                    || self.offset.saturating_add(self.items.len() as u64) >= total
            }
            None => true,
        }
    }
}

/// The envelope of servers since 0.8.0. Its links are not read: they may name another host.
#[derive(Deserialize)]
struct Envelope<T> {
    count: u64,
    results: Vec<T>,
}

impl<T: DeserializeOwned> Page<T> {
    /// Reads a list response of any server version, as the first page.
    pub(crate) fn read(response: Response) -> Result<Self, Error> {
        let response = response.error_for_status()?;
        if response.is_bare_list() {
            let total = response.total_header();
            return Ok(Self { items: response.read()?, total, offset: 0 });
        }
        let Envelope { count, results } = response.read()?;
        Ok(Self { items: results, total: Some(count), offset: 0 })
    }
}
