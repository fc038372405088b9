use std::collections::VecDeque;

use super::{Ticket, incomplete};
use crate::error::{Error, ErrorKind};
use crate::page::Page;
use crate::query::{Part, Query};
use crate::resource::Resource;

/// A walk in the order of the keys, over one range of keys or several at a time.
///
/// What is left of the list is a row of slots. A range that holds more than a page is asked for in
/// pieces where pages are asked for ahead, cut so that each piece is expected to fill most of a page:
/// the server states with each answer how many records its range holds. A piece that turns out
/// fuller is continued behind its page, one that is emptier costs a request, and the next ones are
/// cut wider.
pub(super) struct KeyWalk<M> {
    slots: VecDeque<Slot<M>>,
    descending: bool,
    page_size: u32,
    /// How many pages may be under way or waiting.
    window: usize,
    /// How many times wider to cut than the records seem to stand.
    stretch: u32,
    /// How many records were not handed out yet, by the last count of the whole rest of the list.
    to_come: u64,
    tickets: u64,
}

/// Fewer records than this part of what was expected are a sign of a gap.
const SPARSE: u64 = 4;

const MOST_STRETCH: u32 = 1 << 20;

enum Slot<M> {
    /// Not asked for yet.
    Open(Range),
    /// Its key of the last record is asked for, to know how far it reaches.
    Measured(Ticket, Range),
    /// Its first page is asked for.
    Asked(Ticket, Range),
    Here(Result<Page<M>, Error>),
}

/// The keys from behind one up to another, in the order of the walk.
#[derive(Debug, Clone, Copy)]
struct Range {
    after: Option<u64>,
    /// Up to which key; `None` for the end of the list, wherever that is when it is reached.
    until: Option<u64>,
    /// The key of the last record of an open end, as far as it is known.
    last: Option<u64>,
    /// How many records there are supposed to be.
    records: Option<u64>,
}

impl Range {
    /// Cuts off a piece that is expected to fit on a page; `None` if that is all of it.
    fn cut(&mut self, page_size: u32, stretch: u32, descending: bool) -> Option<Self> {
        let page = f64::from(page_size);
        let (after, end) = (self.after?, self.until.or(self.last)?);
        let records = self.records.filter(|records| *records > page_size.into())?;
        // No two records share a key, so there is at most one for each.
        let density = (records as f64 / after.abs_diff(end) as f64).min(1.0);
        // Three standard deviations of a random scatter fit on the page.
        let expected = (page - 3.0 * (page * (1.0 - density)).sqrt()).max(page / 2.0).ceil();
        let width = ((expected / density * f64::from(stretch)) as u64).max(page_size.into());
        if width >= after.abs_diff(end) {
            return None;
        }
        let border = if descending { after - width } else { after + width };
        let piece = Self {
            after: self.after,
            until: Some(border),
            last: None,
            records: Some(expected as u64),
        };
        self.after = Some(border);
        self.records = Some(records.saturating_sub(expected as u64));
        Some(piece)
    }

    /// Whether a key is in it.
    fn holds(&self, key: u64, descending: bool) -> bool {
        let ends_before = |end: u64| is_beyond(key, Some(end), descending);
        is_beyond(key, self.after, descending) && !self.until.is_some_and(ends_before)
    }

    /// Whether it holds more than a page, and nothing tells how to divide it.
    fn wants_measure(&self, page_size: u32) -> bool {
        self.until.or(self.last).is_none()
            && self.records.is_some_and(|records| records > page_size.into())
    }
}

impl<M> KeyWalk<M> {
    pub(super) fn new<R: Resource>(query: &Query<R>, descending: bool, after: Option<u64>) -> Self {
        let (page_size, window) = query.pace();
        let whole = Slot::Open(Range { after, until: None, last: None, records: None });
        Self {
            slots: VecDeque::from([whole]),
            descending,
            page_size,
            window,
            stretch: 1,
            to_come: 0,
            tickets: 0,
        }
    }

    pub(super) fn next_part(&mut self) -> Option<(Ticket, u32, Part)> {
        let open = |slot: &Slot<M>| matches!(slot, Slot::Open(_));
        if self.slots.iter().filter(|slot| !open(slot)).count() >= self.window {
            return None;
        }
        // Behind an error nothing is wanted any more; what comes before it is.
        let is_wanted = |slot: &&Slot<M>| !matches!(slot, Slot::Here(Err(_)));
        let index = self.slots.iter().take_while(is_wanted).position(open)?;
        let slot = self.slots.get_mut(index)?;
        let Slot::Open(mut range) = *slot else { return None };
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        if self.window > 1 {
            if range.wants_measure(self.page_size) {
                *slot = Slot::Measured(ticket, range);
                return Some((ticket, 1, Part::Last));
            }
            if let Some(piece) = range.cut(self.page_size, self.stretch, self.descending) {
                *slot = Slot::Open(range);
                self.slots.insert(index, Slot::Asked(ticket, piece));
                return Some((ticket, self.page_size, self.part(piece)));
            }
        }
        *slot = Slot::Asked(ticket, range);
        Some((ticket, self.page_size, self.part(range)))
    }

    fn part(&self, range: Range) -> Part {
        match (range.after, range.until) {
            (None, None) => Part::Whole,
            (after, until) => Part::Keys { after, until, descending: self.descending },
        }
    }

    pub(super) fn accept<R: Resource<Model = M>>(
        &mut self,
        ticket: Ticket,
        answer: Result<Page<M>, Error>,
    ) {
        let asked = |slot: &Slot<M>| match slot {
            Slot::Measured(own, _) | Slot::Asked(own, _) => *own == ticket,
            Slot::Open(_) | Slot::Here(_) => false,
        };
        let Some(index) = self.slots.iter().position(asked) else { return };
        let descending = self.descending;
        let Some(slot) = self.slots.get_mut(index) else { return };
        let page = match answer {
            Ok(page) => page,
            Err(error) => {
                *slot = Slot::Here(Err(error));
                return;
            }
        };
        match *slot {
            Slot::Measured(_, range) => {
                let last = page.items.first().and_then(R::id).map(crate::Id::get);
                let last = last.filter(|last| is_beyond(*last, range.after, descending));
                // Where nothing is left to measure, nothing is left to divide.
                let records = last.and(range.records);
                *slot = Slot::Open(Range { last, records, ..range });
            }
            Slot::Asked(_, range) => {
                self.learn(range.records, page.total);
                if self.slots.len() == 1 {
                    self.to_come = page.total.unwrap_or_default();
                }
                let (page, rest) = match sorted::<R>(page, range, descending) {
                    Ok((page, rest)) => (Ok(page), rest),
                    Err(error) => (Err(error), None),
                };
                if let Some(slot) = self.slots.get_mut(index) {
                    *slot = Slot::Here(page);
                }
                if let Some(rest) = rest {
                    self.slots.insert(index + 1, Slot::Open(rest));
                }
            }
            Slot::Open(_) | Slot::Here(_) => {}
        }
    }

    /// Compares what a range was supposed to hold with what it held.
    fn learn(&mut self, supposed: Option<u64>, found: Option<u64>) {
        let (Some(supposed), Some(found)) = (supposed, found) else { return };
        self.stretch = match found < supposed / SPARSE {
            true => self.stretch.saturating_mul(2).min(MOST_STRETCH),
            false => 1,
        };
    }

    pub(super) fn take(&mut self) -> Option<Result<Page<M>, Error>> {
        match self.slots.pop_front()? {
            Slot::Here(page) => {
                let records = page.as_ref().map_or(0, |page| page.items.len() as u64);
                self.to_come = self.to_come.saturating_sub(records);
                Some(page)
            }
            other => {
                self.slots.push_front(other);
                None
            }
        }
    }

    /// How many records are still to come, by what the server last counted of the rest of the list.
    pub(super) fn records_to_come(&self) -> u64 {
        self.to_come
    }
}

fn is_beyond(key: u64, after: Option<u64>, descending: bool) -> bool {
    after.is_none_or(|after| if descending { key < after } else { key > after })
}

/// The page in the order of keys, and what of its range is left behind it.
fn sorted<R: Resource>(
    mut page: Page<R::Model>,
    range: Range,
    descending: bool,
) -> Result<(Page<R::Model>, Option<Range>), Error> {
    let Some(total) = page.total else {
        // Servers that do not page do not order either, and some do not filter.
        page.items.retain(|row| R::id(row).is_none_or(|key| range.holds(key.get(), descending)));
        page.items.sort_by_key(R::id);
        if descending {
            page.items.reverse();
        }
        return Ok((page, None));
    };
    let mut last = range.after;
    for record in &page.items {
        let Some(key) = R::id(record).map(crate::Id::get) else {
            return Err(incomplete::<R>(ErrorKind::Decode, "a record has no key"));
        };
        if !is_beyond(key, last, descending) || !range.holds(key, descending) {
            return Err(incomplete::<R>(
                ErrorKind::Decode,
                "the server did not keep to the order of keys",
            ));
        }
        last = Some(key);
    }
    let left = total.saturating_sub(page.items.len() as u64);
    let rest = Range {
        after: last,
        until: range.until,
        last: range.last.filter(|end| is_beyond(*end, last, descending)),
        records: Some(left),
    };
    let is_over = left == 0 || page.items.is_empty();
    Ok((page, (!is_over).then_some(rest)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::Deserialize;

    use super::*;
    use crate::id::Id;

    #[derive(Deserialize)]
    struct Row {
        id: Id<Row>,
    }

    impl Resource for Row {
        type Model = Self;
        type Fields = ();
        const NAME: &'static str = "row";
        const PATH: &'static str = "a/rows";
        const FIELDS: () = ();

        fn id(row: &Self) -> Option<Id<Self>> {
            Some(row.id)
        }
    }

    /// What a server with these keys answers.
    fn answer(keys: &BTreeSet<u64>, limit: u32, part: Part) -> Page<Row> {
        let (after, until) = match part {
            Part::Keys { after, until, .. } => (after, until),
            _ => (None, None),
        };
        let holds = |key: &u64| {
            after.is_none_or(|after| *key > after) && until.is_none_or(|until| *key <= until)
        };
        let found: Vec<u64> = match part {
            Part::Last => keys.iter().rev().copied().collect(),
            _ => keys.range(after.unwrap_or(0)..).copied().filter(holds).collect(),
        };
        let total = Some(found.len() as u64);
        let rows = found.into_iter().take(limit as usize).map(|key| Row { id: Id::new(key) });
        Page { items: rows.collect(), total, offset: 0 }
    }

    /// How many requests a walk takes beyond one for each full page.
    fn surplus(keys: impl IntoIterator<Item = u64>, window: usize) -> usize {
        let keys: BTreeSet<u64> = keys.into_iter().collect();
        let query = Query::<Row>::new().concurrency(window);
        let mut walk = KeyWalk::new(&query, false, None);
        let (mut walked, mut requests, mut under_way) = (Vec::new(), 0, VecDeque::new());
        loop {
            while let Some(page) = walk.take() {
                walked.extend(page.unwrap().items.into_iter().map(|row: Row| row.id.get()));
            }
            while let Some((ticket, limit, part)) = walk.next_part() {
                requests += 1;
                under_way.push_back((ticket, limit, part));
            }
            assert!(under_way.len() <= window);
            let Some((ticket, limit, part)) = under_way.pop_front() else { break };
            walk.accept::<Row>(ticket, Ok(answer(&keys, limit, part)));
        }
        assert!(walked.iter().eq(&keys));
        requests - keys.len().div_ceil(1_000)
    }

    /// What `docs/decisions/0010-walks.md` says.
    #[test]
    fn ranges_cost_few_requests() {
        assert_eq!(surplus(1..=50_000, 1), 0);
        assert_eq!(surplus(1..=50_000, 4), 1);
        let is_left = |key: &u64| key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63 == 0;
        let half = (1..=100_000).filter(is_left);
        assert!(surplus(half.clone(), 4) <= 5, "{}", surplus(half, 4));
        let ends = (1..=25_000).chain(1_000_000_000..1_000_025_000);
        assert!(surplus(ends.clone(), 4) <= 25, "{}", surplus(ends, 4));
    }

    #[test]
    fn behind_an_error_nothing_is_asked_for() {
        let query = Query::<Row>::new().page_size(10).concurrency(3);
        let keys: BTreeSet<u64> = (1..=100).collect();
        let mut walk = KeyWalk::new(&query, false, None);
        for _ in 0..2 {
            let (ticket, limit, part) = walk.next_part().unwrap();
            walk.accept::<Row>(ticket, Ok(answer(&keys, limit, part)));
        }
        assert!(walk.take().is_some_and(|page| page.is_ok()));
        let (first, limit, part) = walk.next_part().unwrap();
        let (second, ..) = walk.next_part().unwrap();
        let error = Error::new(ErrorKind::Server, crate::request::Operation::new("list", "row"));
        walk.accept::<Row>(second, Err(error));
        assert!(walk.next_part().is_none());
        walk.accept::<Row>(first, Ok(answer(&keys, limit, part)));
        assert!(walk.next_part().is_none());
        assert!(walk.take().is_some_and(|page| page.is_ok()));
        assert!(walk.take().is_some_and(|page| page.is_err()));
    }

    /// Keys are any numbers, however far apart.
    #[test]
    fn the_widest_range_comes_to_an_end() {
        let apart = (1..=3_000)
            .chain((12..63).map(|bit| 1 << bit))
            .chain((0..3_000).map(|key| u64::MAX - key));
        assert!(surplus(apart.clone(), 7) <= 100, "{}", surplus(apart, 7));
    }
}
