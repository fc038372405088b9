//! What all parts of a population use: chance, days, and rows that are put into the tables.

use fastrand::Rng;
use jiff::civil::Date;

use crate::sandbox::cell::{self, Cell};
use crate::sandbox::history::Stamp;
use crate::sandbox::population::{Population, Shape};
use crate::sandbox::schema::{Kind, Resource, Table};
use crate::sandbox::server::Server;
use crate::sandbox::store::Row;
use crate::sandbox::writes::slug;

const DAY: i64 = 86_400_000_000;

/// Days from the one on which the population is made; the past is negative.
pub(super) type Day = i64;

/// Microseconds since the epoch.
pub(super) type Moment = i64;

/// Fills the tables of a server.
pub(super) struct Generator<'a> {
    pub(super) server: &'a mut Server,
    pub(super) shape: Shape,
    random: Rng,
    /// When the present day began.
    midnight: Moment,
    /// What the change log has to tell, in no order yet.
    deeds: Vec<Deed>,
}

/// The creation of a record.
struct Deed {
    moment: Moment,
    actor: Option<i64>,
    table: &'static Table,
    record: i64,
}

/// When a record was created, and by whom.
#[derive(Clone, Copy)]
pub(super) struct Creation {
    pub(super) moment: Moment,
    pub(super) by: Option<i64>,
}

/// A table, and where in its rows the named columns are. Those that it does not have are left out.
pub(super) struct Sheet<const N: usize> {
    table: &'static Table,
    blank: Row,
    places: [Option<(usize, Kind)>; N],
}

impl<const N: usize> Sheet<N> {
    /// Whether there is such a column, and it cannot be null.
    pub(super) fn demands(&self, name: &str) -> bool {
        self.table.columns.iter().any(|column| column.name == name && !column.null)
    }
}

impl<'a> Generator<'a> {
    pub(super) fn new(server: &'a mut Server, seed: u64, shape: Shape) -> Self {
        let now = server.clock.microseconds();
        let midnight = now - now.rem_euclid(DAY);
        Self { server, shape, random: Rng::with_seed(seed), midnight, deeds: Vec::new() }
    }

    pub(super) fn run(mut self) {
        let people = self.people();
        let mut teams = self.teams(&people);
        let clusters = self.clusters(&teams);
        self.grants(&mut teams);
        self.publications(&mut teams);
        let requests = self.requests(&people, &teams, &clusters);
        self.reviews(&people, &teams, &requests);
        self.preferences(&people);
        self.notifications(&people, &requests);
        self.tasks();
        self.app_log();
        self.request_log(&people);
        self.write_change_log();
    }

    /// The columns of a table, if the server has it.
    pub(super) fn sheet<const N: usize>(
        &mut self,
        resource: Resource,
        columns: [&str; N],
    ) -> Option<Sheet<N>> {
        let table = self.server.schema.table(resource)?;
        let blank = self.server.pen(None, None).blank(table);
        let places = columns.map(|name| {
            let index = table.column_index(name)?;
            Some((index, table.columns.get(index)?.kind))
        });
        Some(Sheet { table, blank, places })
    }

    /// Stores a row and returns its id.
    pub(super) fn add<const N: usize>(
        &mut self,
        sheet: &Sheet<N>,
        creation: Creation,
        cells: [Cell; N],
    ) -> i64 {
        let mut row = sheet.blank.clone();
        for (place, cell) in sheet.places.iter().zip(cells) {
            match (place, cell) {
                (Some((index, Kind::Date)), Cell::Moment(moment)) => {
                    row.set(*index, Cell::Date(cell::date_of(moment)));
                }
                (Some((index, _)), cell) => row.set(*index, cell),
                (None, _) => {}
            }
        }
        let id = self.server.store.next_id(sheet.table.resource);
        row.set(0, Cell::Integer(id));
        self.server.store.put(sheet.table.resource, row);
        if sheet.table.history.is_some() {
            let Creation { moment, by } = creation;
            self.deeds.push(Deed { moment, actor: by, table: sheet.table, record: id });
        }
        id
    }

    /// Writes the entries of the change log in the order of time.
    fn write_change_log(mut self) {
        self.deeds.sort_by_key(|deed| deed.moment);
        let Server { store, history, .. } = self.server;
        for Deed { moment, actor, table, record } in self.deeds {
            let stamp = Stamp { moment, actor, origin: None };
            if let Some(row) = store.get(table.resource, record).cloned() {
                history.note(store, table, stamp, None, Some(&row));
            }
        }
    }

    /// The digest of the password of all users.
    pub(super) fn password(&mut self) -> Cell {
        let digest = self.server.secrets.digest(&mut self.random, Population::PASSWORD);
        Cell::text(&digest)
    }

    /// A text that no row has in a unique column: the given one, or one with a number after it.
    pub(super) fn free(&self, resource: Resource, column: &str, text: &str, joint: &str) -> String {
        let table = self.server.schema.table(resource);
        let taken = |text: &str| {
            let index = |name| table.and_then(|table| table.column_index(name));
            let is_taken = |name, text: &str| {
                index(name).is_some_and(|at| self.server.store.find(resource, at, text).is_some())
            };
            is_taken(column, text) || column == "name" && is_taken("slug", &slug(text))
        };
        let mut free = text.to_owned();
        let mut number = 1;
        while taken(&free) {
            number += 1;
            free = format!("{text}{joint}{number}");
        }
        free
    }

    /// A number from one to another, both included.
    pub(super) fn within(&mut self, least: i64, most: i64) -> i64 {
        self.random.i64(least..=most.max(least))
    }

    /// Whether something happens that happens so many times in a hundred.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.random.u32(0..100) < percent
    }

    fn index(&mut self, length: usize) -> usize {
        let length = u32::try_from(length.max(1)).unwrap_or(u32::MAX);
        usize::try_from(self.random.u32(0..length)).unwrap_or_default()
    }

    pub(super) fn pick<'t, T>(&mut self, items: &'t [T]) -> Option<&'t T> {
        let at = self.index(items.len());
        items.get(at)
    }

    pub(super) fn word(&mut self, words: &[&'static str]) -> &'static str {
        self.pick(words).copied().unwrap_or_default()
    }

    /// Some of the items, each once, in an order of chance.
    pub(super) fn some<T: Copy>(&mut self, items: &[T], count: usize) -> Vec<T> {
        let mut items = items.to_vec();
        for at in 0..count.min(items.len()) {
            let other = at + self.index(items.len() - at);
            items.swap(at, other);
        }
        items.truncate(count);
        items
    }

    /// Shares a total among so many things: the place of each thing, as often as it has a share.
    /// Shares go from `least` to `most` and come to their mean, if the number of things is even.
    pub(super) fn shares(
        &mut self,
        things: usize,
        least: i64,
        most: i64,
        total: usize,
    ) -> Vec<usize> {
        let mut shares = Vec::with_capacity(total);
        for first in (0..things).step_by(2) {
            let number = self.within(least, most);
            let pair = [(first, number), (first + 1, least + most - number)];
            for (place, number) in pair.into_iter().filter(|(place, _)| *place < things) {
                let number = usize::try_from(number).unwrap_or_default();
                shares.extend(std::iter::repeat_n(place, number));
            }
        }
        shares.resize(total, things.saturating_sub(1));
        shares
    }

    /// A moment of a day, in working hours.
    pub(super) fn moment(&mut self, day: Day) -> Moment {
        let (morning, evening) = (7 * DAY / 24, 22 * DAY / 24);
        self.midnight + day * DAY + self.within(morning, evening)
    }

    /// A moment later on the same day as another.
    pub(super) fn soon_after(&mut self, moment: Moment) -> Moment {
        let left = DAY - 1 - moment.rem_euclid(DAY);
        moment + self.within(0, left.min(DAY / 24))
    }

    pub(super) fn date(&self, day: Day) -> Date {
        cell::date_of(self.midnight.saturating_add(day * DAY))
    }

    pub(super) fn year(&self, day: Day) -> i64 {
        i64::from(self.date(day).year())
    }
}

/// A value, or nothing.
pub(super) fn optional(given: bool, value: impl FnOnce() -> Cell) -> Cell {
    if given { value() } else { Cell::Null }
}
