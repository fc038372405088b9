//! Walking a whole list, page by page: decides what to ask next, sends nothing.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind};
use crate::page::Page;
use crate::query::{Query, Start};
use crate::request::{Operation, Request};
use crate::resource::Resource;

/// How often a walk by offset steps back because the list has shrunk before it gives up.
const MOST_STEPS_BACK: u32 = 100;

/// A walk over all records of a query.
///
/// By key where the records have one and the caller asked for no other order: each page continues
/// after the last key seen, so records that come and go meanwhile shift nothing. Otherwise by
/// offset, with the key as tie-breaker: where the list has shrunk, the walk steps back by as much,
/// and records seen before are dropped.
#[derive(Debug)]
pub(crate) struct Walk<R> {
    query: Query<R>,
    /// Where the next page begins; `None` at the end.
    next: Option<Start>,
    /// The keys handed out so far, kept on walks by offset only.
    seen: HashSet<u64>,
    /// The total that the page before stated, on walks by offset.
    total: Option<u64>,
    steps_back: u32,
}

impl<R: Resource> Walk<R> {
    pub(crate) fn new(query: Query<R>) -> Self {
        let next = (!query.matches_nothing()).then_some(Start::Beginning);
        Self { query, next, seen: HashSet::new(), total: None, steps_back: 0 }
    }

    /// The request for the next page; `None` at the end.
    ///
    /// The walk ends here unless [`accept`](Self::accept) finds that there is more, so it does not
    /// go on after an error.
    pub(crate) fn next_request(&mut self) -> Option<(Start, NextPage<R>)> {
        let start = self.next.take()?;
        Some((start, self.query.page_request(self.query.page_size, start)))
    }

    /// Takes over the page that begins at `start` and returns its records that are new.
    pub(crate) fn accept(
        &mut self,
        start: Start,
        page: Page<R::Model>,
    ) -> Result<Vec<R::Model>, Error> {
        match self.query.key_order() {
            Some(order) => self.accept_by_key(start, page, order.descending),
            None => self.accept_by_offset(page),
        }
    }

    fn accept_by_key(
        &mut self,
        start: Start,
        page: Page<R::Model>,
        descending: bool,
    ) -> Result<Vec<R::Model>, Error> {
        let is_last = page.is_last();
        let mut records = page.items;
        if page.total.is_none() {
            // Servers that do not page do not order either.
            records.sort_by_key(R::id);
            if descending {
                records.reverse();
            }
            return Ok(records);
        }
        let mut last = match start {
            Start::AfterKey(key) => Some(key),
            Start::Beginning | Start::Offset(_) => None,
        };
        for record in &records {
            let Some(key) = R::id(record).map(crate::Id::get) else {
                return Err(incomplete::<R>("a record has no key"));
            };
            let in_order = match last {
                Some(last) if descending => key < last,
                Some(last) => key > last,
                None => true,
            };
            if !in_order {
                return Err(incomplete::<R>("the server did not keep to the order of keys"));
            }
            last = Some(key);
        }
        if !is_last {
            self.next = last.map(Start::AfterKey);
        }
        Ok(records)
    }

    fn accept_by_offset(&mut self, page: Page<R::Model>) -> Result<Vec<R::Model>, Error> {
        let shrunk_by = match (self.total, page.total) {
            (Some(before), Some(now)) => before.saturating_sub(now),
            _ => 0,
        };
        self.total = page.total;
        if shrunk_by > 0 {
            self.steps_back += 1;
            if self.steps_back > MOST_STEPS_BACK {
                return Err(incomplete::<R>("the list keeps shrinking while it is read"));
            }
            // Records that have moved forward into the part already read were not seen.
            self.next = Some(Start::Offset(page.offset.saturating_sub(shrunk_by)));
        } else if !page.is_last() {
            self.next = Some(Start::Offset(page.offset.saturating_add(page.items.len() as u64)));
        }
        let mut records = page.items;
        records.retain(|record| R::id(record).is_none_or(|id| self.seen.insert(id.get())));
        Ok(records)
    }
}

fn incomplete<R: Resource>(reason: &str) -> Error {
    Error::new(ErrorKind::Decode, Operation::new("list", R::NAME))
        .with_note(format!("{reason}, so records may be missing"))
}

/// The request for a page, or what is wrong with the query.
pub(crate) type NextPage<R> = Result<Request<Page<<R as Resource>::Model>>, Error>;
