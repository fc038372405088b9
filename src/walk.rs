//! Walking a whole list, page by page: decides what to ask next, sends nothing.

use std::collections::HashSet;

use crate::error::{Error, ErrorKind};
use crate::id::Id;
use crate::page::Page;
use crate::query::{Query, Start};
use crate::request::{Operation, Request};
use crate::resource::Resource;

/// A walk over all records of a query.
///
/// By key where the records have one and the caller asked for no order: each page continues
/// after the last key seen, so records that come and go meanwhile shift nothing. Otherwise by
/// offset, with the key as tie-breaker and repeated records dropped.
#[derive(Debug)]
pub(crate) struct Walk<R> {
    query: Query<R>,
    /// Where the next page begins; `None` at the end.
    next: Option<Start>,
    /// The keys handed out so far, kept on walks by offset only.
    seen: HashSet<u64>,
}

impl<R: Resource> Walk<R> {
    pub(crate) fn new(query: Query<R>) -> Self {
        let next = (!query.matches_nothing()).then_some(Start::Beginning);
        Self { query, next, seen: HashSet::new() }
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
        if R::HAS_ID && self.query.order.is_empty() {
            self.accept_by_key(start, page)
        } else {
            Ok(self.accept_by_offset(page))
        }
    }

    fn accept_by_key(
        &mut self,
        start: Start,
        page: Page<R::Model>,
    ) -> Result<Vec<R::Model>, Error> {
        let is_last = page.is_last();
        let mut records = page.items;
        if page.total.is_none() {
            // Servers that do not page do not order either.
            records.sort_by_key(|record| R::id(record));
            return Ok(records);
        }
        let mut last = match start {
            Start::AfterKey(key) => Some(Id::new(key)),
            Start::Beginning | Start::Offset(_) => None,
        };
        for record in &records {
            let key = R::id(record);
            if key <= last {
                return Err(Error::new(ErrorKind::Decode, Operation::new("list", R::NAME))
                    .with_note(
                        "the server did not keep to the order of keys, so records may be missing",
                    ));
            }
            last = key;
        }
        if !is_last {
            self.next = last.map(|key| Start::AfterKey(key.get()));
        }
        Ok(records)
    }

    fn accept_by_offset(&mut self, page: Page<R::Model>) -> Vec<R::Model> {
        if !page.is_last() {
            self.next = Some(Start::Offset(page.offset.saturating_add(page.items.len() as u64)));
        }
        let mut records = page.items;
        records.retain(|record| R::id(record).is_none_or(|id| self.seen.insert(id.get())));
        records
    }
}

/// The request for a page, or what is wrong with the query.
pub(crate) type NextPage<R> = Result<Request<Page<<R as Resource>::Model>>, Error>;
