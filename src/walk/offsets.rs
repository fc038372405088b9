use std::collections::HashSet;

use super::{Ticket, incomplete, mark};
use crate::error::{Error, ErrorKind};
use crate::page::Page;
use crate::query::{MAX_PAGE_SIZE, Part, Query};
use crate::resource::Resource;

/// How far to go back at first where the list has moved.
const FIRST_STEP_BACK: u64 = 16;

/// How many pages in a row may bring nothing new before the order is given up.
const MOST_FRUITLESS: u32 = 100;

/// A walk in an order of the caller's, or in the server's where records have no key.
///
/// Each page begins with the last record of the one before. If it is not there, records before it
/// have gone and those behind have moved forward; the walk then goes back until a page begins with a
/// record that it has seen. What was seen before is not handed out again.
pub(super) struct OffsetWalk<M> {
    page_size: u32,
    state: State<M>,
    /// What tells the records apart that were handed out so far.
    seen: HashSet<u64>,
    /// The place behind which to begin, of a walk that goes on from a cursor.
    seek: Option<Seek>,
    /// Nothing is known of what comes before this offset; 0 of a walk from the beginning.
    floor: u64,
    step_back: u64,
    /// How many pages in a row have brought nothing new.
    fruitless: u32,
    /// The total that the page before stated.
    total: Option<u64>,
    has_moved: bool,
}

enum State<M> {
    /// The next page begins here.
    At(Place),
    Asked(Ticket, Place),
    /// A page, and where the next one begins.
    Here(Result<Page<M>, Error>, Option<Place>),
    Over,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    /// Whether it begins with a record that was handed out already.
    shared: bool,
}

/// The search for the record of a cursor, around the place where it was.
#[derive(Debug, Clone, Copy)]
struct Seek {
    identity: u64,
    /// Where it was not, as far as that was looked at.
    searched: Option<(u64, u64)>,
    /// Whether the end of the list was reached.
    at_end: bool,
}

impl Seek {
    /// Notes that it is not among the records from `start` to `end`; where to look next.
    fn miss(&mut self, start: u64, end: u64, at_end: bool) -> Option<u64> {
        let (low, high) = self.searched.unwrap_or((start, end));
        let went_back = start < low;
        let (low, high) = (low.min(start), high.max(end));
        self.searched = Some((low, high));
        self.at_end |= at_end;
        let before = (low > 0).then(|| low.saturating_sub(MAX_PAGE_SIZE.into()));
        let behind = (!self.at_end).then_some(high);
        if went_back { behind.or(before) } else { before.or(behind) }
    }
}

impl<M> OffsetWalk<M> {
    pub(super) fn new<R: Resource>(query: &Query<R>, behind: Option<u64>, offset: u64) -> Self {
        let (page_size, _) = query.pace();
        let seek = behind.map(|identity| Seek { identity, searched: None, at_end: false });
        let offset = match seek {
            Some(_) => offset.saturating_sub(1 + u64::from(MAX_PAGE_SIZE / 2)),
            None => offset,
        };
        Self {
            page_size,
            state: State::At(Place { offset, shared: false }),
            seen: HashSet::new(),
            seek,
            floor: offset,
            step_back: FIRST_STEP_BACK,
            fruitless: 0,
            total: None,
            has_moved: false,
        }
    }

    pub(super) fn has_moved(&self) -> bool {
        self.has_moved
    }

    /// What was handed out, of a walk that began at the beginning and has come to its end while the
    /// list was moving: more may be left.
    pub(super) fn loose_end(&mut self) -> Option<HashSet<u64>> {
        let is_loose = matches!(self.state, State::Over) && self.has_moved && self.floor == 0;
        is_loose.then(|| std::mem::take(&mut self.seen))
    }

    fn limit(&self, place: Place) -> u32 {
        match self.seek.is_some() || self.fruitless > 0 {
            true => MAX_PAGE_SIZE,
            false => (self.page_size + u32::from(place.shared)).min(MAX_PAGE_SIZE),
        }
    }

    pub(super) fn next_part(&mut self) -> Option<(Ticket, u32, Part)> {
        let State::At(place) = self.state else { return None };
        let ticket = Ticket(place.offset);
        self.state = State::Asked(ticket, place);
        let part = if place.offset == 0 { Part::Whole } else { Part::Offset(place.offset) };
        Some((ticket, self.limit(place), part))
    }

    pub(super) fn accept<R: Resource<Model = M>>(
        &mut self,
        ticket: Ticket,
        answer: Result<Page<M>, Error>,
    ) {
        let State::Asked(asked, place) = self.state else { return };
        if asked == ticket {
            self.state = match answer.and_then(|page| self.next_state::<R>(place, page)) {
                Ok(state) => state,
                Err(error) => State::Here(Err(error), None),
            };
        }
    }

    fn next_state<R: Resource<Model = M>>(
        &mut self,
        place: Place,
        mut page: Page<M>,
    ) -> Result<State<M>, Error> {
        self.has_moved |= self.total.is_some() && page.total != self.total;
        self.total = page.total;
        let length = page.items.len();
        let end = place.offset.saturating_add(length as u64);
        let can_share = page.items.last().is_some_and(|record| mark::<R>(record).is_some());
        let is_last = length == 0 || page.total.is_none_or(|total| end >= total);
        if let Some(mut seek) = self.seek {
            let found =
                page.items.iter().position(|record| mark::<R>(record) == Some(seek.identity));
            let Some(found) = found else {
                return match seek.miss(place.offset, end, is_last) {
                    Some(offset) => {
                        self.seek = Some(seek);
                        Ok(State::At(Place { offset, shared: false }))
                    }
                    None => Err(incomplete::<R>(
                        ErrorKind::ListChanged,
                        "the record at which to go on is not there any more",
                    )),
                };
            };
            (self.seek, self.floor) = (None, place.offset.max(1));
            self.seen.extend(page.items.drain(..=found).filter_map(|record| mark::<R>(&record)));
        } else if place.shared && place.offset > 0 && !self.continues::<R>(page.items.first()) {
            self.has_moved = true;
            self.fruitless += 1;
            if place.offset <= self.floor {
                return self.give_up::<R>();
            }
            let step = self.step_back;
            self.step_back = step.saturating_mul(2);
            let offset = place.offset.saturating_sub(step);
            let offset = if self.floor > 0 { offset.max(self.floor) } else { offset };
            return Ok(State::At(Place { offset, shared: true }));
        }
        self.step_back = FIRST_STEP_BACK;
        // What is new before what was seen has come meanwhile, or from another place, and would stand
        // in no order here.
        let is_seen = |record: &M| mark::<R>(record).is_some_and(|mark| self.seen.contains(&mark));
        let passed = page.items.iter().rposition(is_seen).map_or(0, |last| last + 1);
        let is_new = |record: &M| !is_seen(record);
        self.has_moved |= page.items.drain(..passed).any(|record| is_new(&record));
        page.items.retain(|record| mark::<R>(record).is_none_or(|mark| self.seen.insert(mark)));
        if is_last {
            let seen = self.seen.len() as u64;
            self.has_moved |=
                R::HAS_ID && self.floor == 0 && page.total.is_some_and(|it| it != seen);
            return Ok(State::Here(Ok(page), None));
        }
        self.fruitless = if page.items.is_empty() { self.fruitless + 1 } else { 0 };
        if self.fruitless > MOST_FRUITLESS {
            return self.give_up::<R>();
        }
        // A page that holds nothing but the shared record would come again and again.
        let shared = can_share && length > usize::from(place.shared);
        let offset = if shared { end - 1 } else { end };
        Ok(State::Here(Ok(page), Some(Place { offset, shared })))
    }

    /// What to do about a list that does not hold still: what has a key can be had without its order.
    fn give_up<R: Resource>(&self) -> Result<State<M>, Error> {
        match R::HAS_ID && self.floor == 0 {
            true => Ok(State::Over),
            false => Err(incomplete::<R>(
                ErrorKind::ListChanged,
                "the list keeps changing while it is read",
            )),
        }
    }

    /// Whether a page that begins with this record continues what was handed out.
    fn continues<R: Resource<Model = M>>(&self, first: Option<&M>) -> bool {
        match first.map(mark::<R>) {
            Some(Some(mark)) => self.seen.contains(&mark),
            // Nothing to go by.
            Some(None) => true,
            None => self.seen.is_empty(),
        }
    }

    pub(super) fn take(&mut self) -> Option<Result<Page<M>, Error>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Here(page, next) => {
                self.state = next.map_or(State::Over, State::At);
                Some(page)
            }
            other => {
                self.state = other;
                None
            }
        }
    }
}
