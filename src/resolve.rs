//! Many records by their keys.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use crate::error::{Error, ErrorKind};
use crate::id::Id;
use crate::page::Page;
use crate::query::{MAX_PAGE_SIZE, Part, Query};
use crate::request::{Operation, Request};
use crate::resource::Resource;

/// How long a list of keys may be in the address of one request.
const LONGEST_LIST: usize = 4_000;

/// Records that were asked for by their keys, and the keys for which there are none.
///
/// ```
/// # use keystone_client::{resources::{NewGrant, NewTeam}, sandbox::Sandbox};
/// # use jiff::civil::date;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # for name in ["Folding", "Knots"] {
/// #     let team = client.create_team(NewTeam::new(name)).send()?;
/// #     let new = NewGrant::new("Title", "NSF", 1000, date(2026, 1, 1), team.id);
/// #     client.create_grant(new).send()?;
/// # }
/// let grants = client.grants().list().all()?;
/// let teams = client.resolve_all(grants.iter().map(|grant| grant.team))?;
/// for grant in &grants {
///     println!("{}: {}", grant.title, teams.get(grant.team).map_or("?", |team| &team.name));
/// }
/// assert!(teams.missing().is_empty());
/// # Ok(()) }
/// ```
pub struct Resolved<R: Resource> {
    records: Vec<R::Model>,
    /// Where in `records` a key is.
    places: HashMap<Id<R>, usize>,
    missing: Vec<Id<R>>,
}

impl<R: Resource> Resolved<R> {
    /// The record with this key.
    pub fn get(&self, id: Id<R>) -> Option<&R::Model> {
        self.places.get(&id).and_then(|place| self.records.get(*place))
    }

    /// The records in the order in which their keys were first asked for, each once.
    pub fn records(&self) -> &[R::Model] {
        &self.records
    }

    /// The same by themselves.
    pub fn into_records(self) -> Vec<R::Model> {
        self.records
    }

    /// The keys for which there is no record, or none that the user may see, in the order in which
    /// they were first asked for.
    pub fn missing(&self) -> &[Id<R>] {
        &self.missing
    }
}

impl<R: Resource> fmt::Debug for Resolved<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved")
            .field("resource", &R::NAME)
            .field("records", &self.records.len())
            .field("missing", &self.missing)
            .finish()
    }
}

/// The way to many records: what to ask, and what has come.
pub(crate) struct Resolution<R: Resource> {
    /// Each once.
    ids: Vec<Id<R>>,
    /// Those that were not asked for yet.
    open: VecDeque<Id<R>>,
    /// Those that the last request asked for.
    asked: Vec<Id<R>>,
    found: HashMap<Id<R>, R::Model>,
}

impl<R: Resource> Resolution<R> {
    pub(crate) fn new(ids: impl IntoIterator<Item = Id<R>>) -> Self {
        let mut seen = HashSet::new();
        let ids: Vec<Id<R>> = ids.into_iter().filter(|id| seen.insert(*id)).collect();
        Self { open: ids.iter().copied().collect(), ids, asked: Vec::new(), found: HashMap::new() }
    }

    /// The request for as many of the records as one page takes; `None` when all were asked for.
    pub(crate) fn next_request(&mut self) -> Option<Result<Request<Page<R::Model>>, Error>> {
        self.asked.clear();
        let mut length = 0;
        while let Some(id) = self.open.front() {
            // Three more for the comma, as it travels.
            length += id.to_string().len() + 3;
            if length > LONGEST_LIST || self.asked.len() >= MAX_PAGE_SIZE as usize {
                break;
            }
            self.asked.extend(self.open.pop_front());
        }
        if self.asked.is_empty() {
            return None;
        }
        if !R::HAS_ID {
            let error = Error::new(ErrorKind::InvalidRequest, Operation::new("list", R::NAME));
            let note = "records of this resource have no keys to ask for them by";
            return Some(Err(error.with_note(note)));
        }
        let query = Query::of_keys(self.asked.iter().copied());
        Some(query.page_request(MAX_PAGE_SIZE, Part::Whole))
    }

    pub(crate) fn accept(&mut self, page: Page<R::Model>) -> Result<(), Error> {
        let is_cut = page.total.is_some_and(|total| total > page.items.len() as u64);
        let keyed = page.items.into_iter().filter_map(|record| Some((R::id(&record)?, record)));
        self.found.extend(keyed);
        let count = self.asked.len();
        let left = self.asked.drain(..).filter(|id| !self.found.contains_key(id));
        let left: Vec<Id<R>> = left.collect();
        if !is_cut || left.is_empty() {
            return Ok(());
        }
        // Something before the server sends less than was asked for.
        if left.len() == count {
            return Err(Error::new(ErrorKind::Decode, Operation::new("list", R::NAME))
                .with_note("the server sends other records than it was asked for"));
        }
        self.open.extend(left);
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Resolved<R> {
        let mut resolved =
            Resolved { records: Vec::new(), places: HashMap::new(), missing: Vec::new() };
        for id in self.ids {
            match self.found.remove(&id) {
                Some(record) => {
                    resolved.places.insert(id, resolved.records.len());
                    resolved.records.push(record);
                }
                None => resolved.missing.push(id),
            }
        }
        resolved
    }
}
