//! Walking a whole list, page by page: decides what to ask next, sends nothing.

mod cursor;
mod keys;
mod offsets;
mod rows;

pub use self::cursor::Cursor;
use self::keys::KeyWalk;
use self::offsets::OffsetWalk;
pub(crate) use self::rows::PageRows;
use crate::error::{Error, ErrorKind};
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
/// offset, see [`OffsetWalk`].
///
/// Who drives it sends what [`next_request`](Self::next_request) gives, hands the answers to
/// [`accept`](Self::accept), and gets the pages in order from [`take`](Self::take).
pub(crate) struct Walk<R: Resource> {
    query: Query<R>,
    way: Way<R>,
    /// The place behind the last page that was handed out.
    cursor: Cursor<R>,
    /// Nothing is asked for any more.
    over: bool,
    /// Nothing is handed out any more.
    ended: bool,
}

enum Way<R: Resource> {
    Keys(KeyWalk<R::Model>),
    Offsets(OffsetWalk<R::Model>),
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
        Self { over: query.matches_nothing(), query, way, cursor, ended: false }
    }

    /// A request that can be sent now, beside those that are under way; `None` if there is none at
    /// the moment.
    ///
    /// After an error there are none any more, so that a walk does not go on after one.
    pub(crate) fn next_request(&mut self) -> Option<(Ticket, NextPage<R>)> {
        if self.over {
            return None;
        }
        let (ticket, limit, part) = match &mut self.way {
            Way::Keys(walk) => walk.next_part()?,
            Way::Offsets(walk) => walk.next_part()?,
        };
        Some((ticket, self.query.page_request(limit, part)))
    }

    /// Whether to ask for pages before they are wanted.
    pub(crate) fn asks_ahead(&self) -> bool {
        matches!(self.way, Way::Keys(_)) && self.query.pace().1 > 1
    }

    /// Takes over the answer to a request.
    pub(crate) fn accept(&mut self, ticket: Ticket, answer: Result<Page<R::Model>, Error>) {
        self.over |= answer.is_err();
        match &mut self.way {
            Way::Keys(walk) => walk.accept::<R>(ticket, answer),
            Way::Offsets(walk) => walk.accept::<R>(ticket, answer),
        }
    }

    /// The next page in order, if it is here. Pages without records are not handed out.
    pub(crate) fn take(&mut self) -> Option<Result<Page<R::Model>, Error>> {
        while !self.ended {
            let page = match &mut self.way {
                Way::Keys(walk) => walk.take(),
                Way::Offsets(walk) => walk.take(),
            }?;
            let mut page = match page {
                Ok(page) => page,
                Err(error) => {
                    (self.over, self.ended) = (true, true);
                    return Some(Err(error));
                }
            };
            if page.items.is_empty() {
                continue;
            }
            page.offset = self.cursor.handed_out();
            self.cursor.pass(&page.items);
            if let (Way::Keys(walk), Some(_)) = (&self.way, page.total) {
                page.total = Some(self.cursor.handed_out() + walk.records_to_come());
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
        }
    }

    pub(crate) fn cursor(&self) -> &Cursor<R> {
        &self.cursor
    }
}

/// An answer that a walk cannot be whole by.
fn incomplete<R: Resource>(kind: ErrorKind, reason: &str) -> Error {
    Error::new(kind, Operation::new("list", R::NAME))
        .with_note(format!("{reason}, so records may be missing"))
}
