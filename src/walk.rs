//! Walking a whole list, page by page: decides what to ask next, sends nothing.

mod cursor;
mod keys;
mod offsets;
mod rows;

use std::collections::HashSet;

pub use self::cursor::Cursor;
use self::keys::KeyWalk;
use self::offsets::OffsetWalk;
pub(crate) use self::rows::PageRows;
use crate::error::{Error, ErrorKind};
use crate::id::Id;
use crate::page::Page;
use crate::query::Query;
use crate::request::{Operation, Request};
use crate::resource::Resource;

/// Tells the requests of a walk apart that are under way at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// The request for a page, or what is wrong with the query.
pub(crate) type NextPage<R> = Result<Request<Page<<R as Resource>::Model>>, Error>;

/// A walk over all records of a query.
///
/// By key where the records have one and the caller asked for no other order: each page continues
/// after the last key seen, so records that come and go meanwhile shift nothing. Otherwise by
/// offset, see [`OffsetWalk`]; where the list has moved meanwhile, once more by key, for what may have
/// been lost in the order.
///
/// Who drives it sends what [`next_request`](Self::next_request) gives, hands the answers to
/// [`accept`](Self::accept), and gets the pages in order from [`take`](Self::take).
pub(crate) struct Walk<R: Resource> {
    query: Query<R>,
    way: Way<R>,
    /// The place behind the last page that was handed out.
    cursor: Cursor<R>,
    /// An error was handed out, behind which nothing comes.
    ended: bool,
}

enum Way<R: Resource> {
    Keys(KeyWalk<R::Model>),
    Offsets(OffsetWalk<R::Model>),
    /// By key, without what was handed out in the order that was asked for.
    Rest {
        query: Query<R>,
        walk: KeyWalk<R::Model>,
        seen: HashSet<u64>,
    },
}

impl<R: Resource> Walk<R> {
    pub(crate) fn new(query: Query<R>) -> Self {
        let cursor = Cursor::beginning(&query);
        Self::from(query, cursor)
    }

    /// A walk over the same list that goes on where another one was.
    pub(crate) fn resume(&self, cursor: &Cursor<R>) -> Result<Self, Error> {
        cursor.check(&self.query)?;
        Ok(Self::from(self.query.clone(), cursor.clone()))
    }

    fn from(query: Query<R>, cursor: Cursor<R>) -> Self {
        let way = match query.key_order() {
            Some(order) => Way::Keys(KeyWalk::new(&query, order.descending, cursor.last())),
            None => Way::Offsets(OffsetWalk::new(&query, cursor.last(), cursor.handed_out())),
        };
        Self { query, way, cursor, ended: false }
    }

    /// A request that can be sent now, beside those that are under way; `None` if there is none at
    /// the moment.
    pub(crate) fn next_request(&mut self) -> Option<(Ticket, NextPage<R>)> {
        if self.ended {
            return None;
        }
        if let (Way::Offsets(walk), true) = (&mut self.way, R::HAS_ID) {
            if let Some(seen) = walk.loose_end() {
                let query = self.query.by_key();
                let walk = KeyWalk::new(&query, false, None);
                self.way = Way::Rest { query, walk, seen };
            }
        }
        let (query, (ticket, limit, part)) = match &mut self.way {
            Way::Keys(walk) => (&self.query, walk.next_part()?),
            Way::Offsets(walk) => (&self.query, walk.next_part()?),
            Way::Rest { query, walk, .. } => (&*query, walk.next_part()?),
        };
        Some((ticket, query.page_request(limit, part)))
    }

    /// Whether to ask for pages before they are wanted.
    pub(crate) fn asks_ahead(&self) -> bool {
        matches!(self.way, Way::Keys(_)) && self.query.pace().1 > 1
    }

    /// Takes over the answer to a request.
    pub(crate) fn accept(&mut self, ticket: Ticket, answer: Result<Page<R::Model>, Error>) {
        match &mut self.way {
            Way::Keys(walk) | Way::Rest { walk, .. } => walk.accept::<R>(ticket, answer),
            Way::Offsets(walk) => walk.accept::<R>(ticket, answer),
        }
    }

    /// The next page in order, if it is here. Pages without records are not handed out.
    pub(crate) fn take(&mut self) -> Option<Result<Page<R::Model>, Error>> {
        while !self.ended {
            let page = match &mut self.way {
                Way::Keys(walk) | Way::Rest { walk, .. } => walk.take(),
                Way::Offsets(walk) => walk.take(),
            }?;
            let mut page = match page {
                Ok(page) => page,
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            };
            if let Way::Rest { seen, .. } = &mut self.way {
                page.items.retain(|record| mark::<R>(record).is_none_or(|mark| seen.insert(mark)));
            }
            if page.items.is_empty() {
                continue;
            }
            page.offset = self.cursor.handed_out();
            self.cursor.pass(&page.items);
            let to_come = match &self.way {
                Way::Keys(walk) => Some(walk.records_to_come()),
                Way::Offsets(_) => None,
                Way::Rest { .. } => {
                    self.cursor.displace();
                    Some(0)
                }
            };
            if let (Some(to_come), Some(_)) = (to_come, page.total) {
                page.total = Some(self.cursor.handed_out().saturating_add(to_come));
            }
            return Some(Ok(page));
        }
        None
    }

    /// Whether the list has been seen to change in a way that shifts the pages of this walk.
    pub(crate) fn has_moved(&self) -> bool {
        match &self.way {
            Way::Keys(_) => false,
            Way::Offsets(walk) => walk.has_moved(),
            Way::Rest { .. } => true,
        }
    }

    pub(crate) fn cursor(&self) -> &Cursor<R> {
        &self.cursor
    }
}

/// What tells a record from others: its key, or what stands for one.
fn mark<R: Resource>(record: &R::Model) -> Option<u64> {
    R::id(record).map(Id::get).or_else(|| R::identity(record))
}

/// An answer that a walk cannot be whole by.
fn incomplete<R: Resource>(kind: ErrorKind, reason: &str) -> Error {
    Error::new(kind, Operation::new("list", R::NAME))
        .with_note(format!("{reason}, so records may be missing"))
}
