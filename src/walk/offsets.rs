use std::collections::HashSet;

use super::{Ticket, incomplete};
use crate::error::{Error, ErrorKind};
use crate::page::Page;
use crate::query::{MAX_PAGE_SIZE, Part, Query};
use crate::resource::Resource;

/// How far to go back at first where the list has moved.
const FIRST_STEP_BACK: u64 = 16;

/// How often in a row a walk goes back without finding anything new before it gives up.
const MOST_STEPS_BACK: u32 = 100;

/// A walk in an order of the caller's, or in the server's where records have no key.
///
/// Each page begins with the last record of the one before. If it is not there, records before it
/// have gone and those behind have moved forward; the walk then goes back until a page begins with a
/// record that it has seen. What was seen before is not handed out again. So each record that was
/// there throughout and kept its place among the others comes exactly once.
pub(super) struct OffsetWalk<M> {
    page_size: u32,
    state: State<M>,
    /// What tells the records apart that were handed out so far.
    seen: HashSet<u64>,
    /// The record behind which to begin, of a walk that goes on from a cursor.
    behind: Option<u64>,
    step_back: u64,
    steps_back: u32,
    /// The total that the page before stated.
    total: Option<u64>,
    has_moved: bool,
}

enum State<M> {
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

impl<M> OffsetWalk<M> {
    pub(super) fn new<R: Resource>(query: &Query<R>, behind: Option<u64>, offset: u64) -> Self {
        let (page_size, _) = query.pace();
        // Records may have moved either way since the cursor was taken.
        let offset = match behind {
            Some(_) => offset.saturating_sub(1 + u64::from(page_size / 2)),
            None => offset,
        };
        Self {
            page_size,
            state: State::At(Place { offset, shared: false }),
            seen: HashSet::new(),
            behind,
            step_back: FIRST_STEP_BACK,
            steps_back: 0,
            total: None,
            has_moved: false,
        }
    }

    pub(super) fn has_moved(&self) -> bool {
        self.has_moved
    }

    pub(super) fn next_part(&mut self) -> Option<(Ticket, u32, Part)> {
        let State::At(place) = self.state else { return None };
        let ticket = Ticket(place.offset);
        self.state = State::Asked(ticket, place);
        let limit = (self.page_size + u32::from(place.shared)).min(MAX_PAGE_SIZE);
        let part = if place.offset == 0 { Part::Whole } else { Part::Offset(place.offset) };
        Some((ticket, limit, part))
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
        let can_share = page.items.last().is_some_and(|record| R::identity(record).is_some());
        if let Some(last) = self.behind.take() {
            let found = page.items.iter().position(|record| R::identity(record) == Some(last));
            let Some(found) = found else {
                return Err(incomplete::<R>(
                    ErrorKind::ListChanged,
                    "the record at which to go on is not there any more",
                ));
            };
            self.seen.extend(page.items.drain(..=found).filter_map(|record| R::identity(&record)));
        } else if place.shared && place.offset > 0 && !self.continues::<R>(page.items.first()) {
            self.has_moved = true;
            self.steps_back += 1;
            if self.steps_back > MOST_STEPS_BACK {
                return Err(incomplete::<R>(
                    ErrorKind::ListChanged,
                    "the list keeps changing while it is read",
                ));
            }
            let step = self.step_back;
            self.step_back = step.saturating_mul(2);
            let offset = place.offset.saturating_sub(step);
            return Ok(State::At(Place { offset, shared: true }));
        }
        self.step_back = FIRST_STEP_BACK;
        let before = page.items.len();
        page.items.retain(|record| R::identity(record).is_none_or(|id| self.seen.insert(id)));
        // That pages share a record is no sign of anything.
        self.has_moved |= before - page.items.len() > usize::from(place.shared);
        if !page.items.is_empty() {
            self.steps_back = 0;
        }
        if length == 0 || page.total.is_none_or(|total| end >= total) {
            return Ok(State::Here(Ok(page), None));
        }
        // A page that holds nothing but the shared record would come again and again.
        let shared = can_share && length > usize::from(place.shared);
        let offset = if shared { end - 1 } else { end };
        Ok(State::Here(Ok(page), Some(Place { offset, shared })))
    }

    /// Whether a page that begins with this record continues what was handed out.
    fn continues<R: Resource<Model = M>>(&self, first: Option<&M>) -> bool {
        match first.map(R::identity) {
            Some(Some(identity)) => self.seen.contains(&identity),
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
