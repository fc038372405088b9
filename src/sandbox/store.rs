//! The rows, kept by id, with what is needed to find them quickly.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sandbox::Database;
use crate::sandbox::cell::{Cell, NULL};
use crate::sandbox::id_map::IdMap;
use crate::sandbox::schema::{Kind, Resource, Schema, Table};

/// The highest id of a row. One more has to be a number, too, as the id that comes next.
pub(crate) const LAST_ID: i64 = i64::MAX - 1;

/// One row: the cells in the order of the table's columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// Shared with copies of the row.
    cells: Arc<[Cell]>,
    /// Counts up with every write of any row.
    written: u64,
}

impl Row {
    pub(crate) fn new(cells: Vec<Cell>) -> Self {
        Self { cells: cells.into(), written: 0 }
    }

    /// The place of the last write among all writes.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn id(&self) -> i64 {
        self.cell(0).as_integer().unwrap_or_default()
    }

    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    pub(crate) fn cell(&self, index: usize) -> &Cell {
        self.cells.get(index).unwrap_or(&NULL)
    }

    pub(crate) fn set(&mut self, index: usize, value: Cell) {
        if let Some(cell) = Arc::make_mut(&mut self.cells).get_mut(index) {
            *cell = value;
        }
    }

    pub(crate) fn named(&self, table: &Table, name: &str) -> &Cell {
        table.column_index(name).map_or(&NULL, |index| self.cell(index))
    }
}

/// The rows of one table.
#[derive(Clone, Debug)]
struct Rows {
    rows: IdMap<Row>,
    next_id: i64,
    /// For each unique text column: value to id.
    unique: Vec<(usize, Arc<HashMap<Box<str>, i64>>)>,
    /// For each column with references: target to referring rows, ascending. Logs grow at one end and
    /// are forgotten at the other. whose ids ascend.
    referrers: Vec<(usize, IdMap<VecDeque<i64>>)>,
}

/// A change that can be taken back.
#[derive(Clone, Debug)]
struct Change {
    resource: Resource,
    id: i64,
    before: Option<Row>,
}

/// The beginning of a transaction.
#[derive(Debug)]
#[must_use = "a transaction has to be committed or rolled back"]
pub(crate) struct Mark {
    outermost: bool,
    /// The length of the journal.
    changes: usize,
    next_ids: Vec<(Resource, i64)>,
}

/// What brings lists without a stated order into another one each time.
#[derive(Debug, Default)]
pub(crate) struct Disorder(Option<AtomicU64>);

impl Clone for Disorder {
    fn clone(&self) -> Self {
        Self(self.0.as_ref().map(|state| AtomicU64::new(state.load(Ordering::Relaxed))))
    }
}

impl Disorder {
    pub(crate) fn with_seed(seed: u64) -> Self {
        Self(Some(AtomicU64::new(seed)))
    }

    /// Whether the order in which rows are stored shows.
    pub(crate) fn is_off(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn shuffle<T>(&self, rows: &mut [T]) {
        if let Some(state) = &self.0 {
            let mut random = fastrand::Rng::with_seed(state.load(Ordering::Relaxed));
            random.shuffle(rows);
            state.store(random.get_seed(), Ordering::Relaxed);
        }
    }
}

/// Everything the server stores in tables. A copy costs little: it shares what neither has changed.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) schema: &'static Schema,
    pub(crate) database: Database,
    pub(crate) disorder: Disorder,
    /// The number of writes so far.
    writes: u64,
    tables: Vec<(Resource, Arc<Rows>)>,
    /// Changes since the outermost transaction began.
    journal: Option<Vec<Change>>,
}

impl Store {
    pub(crate) fn new(schema: &'static Schema, database: Database, disorder: Disorder) -> Self {
        let tables = schema.tables.iter().map(|table| (table.resource, Arc::new(Rows::new(table))));
        Self { schema, database, disorder, writes: 0, tables: tables.collect(), journal: None }
    }

    pub(crate) fn get(&self, resource: Resource, id: i64) -> Option<&Row> {
        self.rows(resource)?.rows.get(id)
    }

    fn rows(&self, resource: Resource) -> Option<&Rows> {
        let mut tables = self.tables.iter();
        tables.find(|(known, _)| *known == resource).map(|(_, rows)| &**rows)
    }

    fn rows_mut(&mut self, resource: Resource) -> Option<&mut Rows> {
        let mut tables = self.tables.iter_mut();
        tables.find(|(known, _)| *known == resource).map(|(_, rows)| Arc::make_mut(rows))
    }

    /// Whether a reference to this id would be accepted.
    pub(crate) fn exists(&self, resource: Resource, id: i64) -> bool {
        match resource {
            Resource::Permissions => (1..=Resource::LAST_PERMISSION).contains(&id),
            Resource::ContentTypes => (1..=Resource::LAST_CONTENT_TYPE).contains(&id),
            _ => self.get(resource, id).is_some(),
        }
    }

    pub(crate) fn count(&self, resource: Resource) -> usize {
        self.rows(resource).map_or(0, |rows| rows.rows.len())
    }

    /// The rows with these ids, ascending.
    pub(crate) fn range(
        &self,
        resource: Resource,
        ids: RangeInclusive<i64>,
    ) -> impl Iterator<Item = &Row> {
        let rows = self.rows(resource).into_iter();
        rows.flat_map(move |rows| rows.rows.range(ids.clone()).map(|(_, row)| row))
    }

    /// The id of the row with this text in a unique column.
    pub(crate) fn find(&self, resource: Resource, column: usize, text: &str) -> Option<i64> {
        let rows = self.rows(resource)?;
        let (_, index) = rows.unique.iter().find(|(indexed, _)| *indexed == column)?;
        index.get(text).copied()
    }

    /// The ids of the rows whose column refers to the target.
    pub(crate) fn referrers(
        &self,
        resource: Resource,
        column: usize,
        target: i64,
    ) -> impl Iterator<Item = i64> {
        self.rows(resource)
            .and_then(|rows| rows.referrers.iter().find(|(indexed, _)| *indexed == column))
            .and_then(|(_, index)| index.get(target))
            .into_iter()
            .flatten()
            .copied()
    }

    /// Whether there is an id left for one more row.
    pub(crate) fn has_room(&self, resource: Resource) -> bool {
        self.rows(resource).is_none_or(|rows| rows.next_id <= LAST_ID)
    }

    /// The id for one more row. Once there is no [room](Self::has_room), it is that of another one.
    pub(crate) fn next_id(&mut self, resource: Resource) -> i64 {
        let Some(rows) = self.rows_mut(resource) else {
            return 0;
        };
        let id = rows.next_id;
        rows.next_id = id.saturating_add(1);
        id
    }

    /// Adds a row or replaces the one with its id.
    pub(crate) fn put(&mut self, resource: Resource, mut row: Row) {
        self.writes = self.writes.saturating_add(1);
        row.written = self.writes;
        let Some(rows) = self.rows_mut(resource) else {
            return;
        };
        let id = row.id();
        rows.next_id = rows.next_id.max(id.saturating_add(1));
        let before = rows.replace(id, Some(row));
        self.note(resource, id, before);
    }

    /// Forgets all rows of a table, also those that a transaction has changed.
    pub(crate) fn reset(&mut self, resource: Resource) {
        let Some(table) = self.schema.table(resource) else {
            return;
        };
        for (_, rows) in self.tables.iter_mut().filter(|(known, _)| *known == resource) {
            *rows = Arc::new(Rows::new(table));
        }
    }

    pub(crate) fn remove(&mut self, resource: Resource, id: i64) {
        let Some(rows) = self.rows_mut(resource) else {
            return;
        };
        let before = rows.replace(id, None);
        self.note(resource, id, before);
    }

    fn note(&mut self, resource: Resource, id: i64, before: Option<Row>) {
        if let Some(journal) = &mut self.journal {
            journal.push(Change { resource, id, before });
        }
    }

    /// Begins a transaction, perhaps within another one.
    pub(crate) fn begin(&mut self) -> Mark {
        let next_ids = self.tables.iter().map(|(resource, rows)| (*resource, rows.next_id));
        let mark = Mark {
            outermost: self.journal.is_none(),
            changes: self.journal.as_ref().map_or(0, Vec::len),
            next_ids: next_ids.collect(),
        };
        self.journal.get_or_insert_with(Vec::new);
        mark
    }

    /// Whether changes can be taken back.
    pub(crate) fn is_in_transaction(&self) -> bool {
        self.journal.is_some()
    }

    /// Keeps what was done since the mark, unless a transaction around it is rolled back.
    pub(crate) fn commit(&mut self, mark: Mark) {
        if mark.outermost {
            self.journal = None;
        }
    }

    /// Takes back what was done since the mark.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        let mut journal = self.journal.take().unwrap_or_default();
        for change in journal.drain(mark.changes.min(journal.len())..).rev() {
            if let Some(rows) = self.rows_mut(change.resource) {
                rows.replace(change.id, change.before);
            }
        }
        let reused = self.database == Database::Sqlite;
        for (resource, next_id) in mark.next_ids.into_iter().filter(|_| reused) {
            if let Some(rows) = self.rows_mut(resource) {
                rows.next_id = next_id;
            }
        }
        if !mark.outermost {
            self.journal = Some(journal);
        }
    }
}

impl Rows {
    fn new(table: &'static Table) -> Self {
        let columns = || table.columns.iter().enumerate();
        let unique = columns()
            .filter(|(_, column)| column.unique && !is_reference(column.kind))
            .map(|(index, _)| (index, Arc::default()));
        let referrers = columns()
            .filter(|(_, column)| is_reference(column.kind))
            .map(|(index, _)| (index, IdMap::default()));
        Self {
            rows: IdMap::default(),
            next_id: 1,
            unique: unique.collect(),
            referrers: referrers.collect(),
        }
    }

    /// Exchanges a row and keeps the indexes in step.
    fn replace(&mut self, id: i64, row: Option<Row>) -> Option<Row> {
        let before = self.rows.get(id);
        for (column, index) in &mut self.unique {
            let cells = [before, row.as_ref()].map(|row| row.map_or(&NULL, |it| it.cell(*column)));
            let [old, new] = cells.map(Cell::as_text);
            if old == new {
                continue;
            }
            let index = Arc::make_mut(index);
            if let Some(old) = old.filter(|old| index.get(*old) == Some(&id)) {
                index.remove(old);
            }
            if let Some(new) = new {
                index.insert(new.into(), id);
            }
        }
        for (column, index) in &mut self.referrers {
            let cells = [before, row.as_ref()].map(|row| row.map_or(&NULL, |it| it.cell(*column)));
            let [old, new] = cells.map(targets);
            if old == new {
                continue;
            }
            old.iter().for_each(|&target| forget(index, target, id));
            new.iter().for_each(|&target| learn(index, target, id));
        }
        match row {
            Some(row) => self.rows.insert(id, row),
            None => self.rows.remove(id),
        }
    }
}

fn learn(index: &mut IdMap<VecDeque<i64>>, target: i64, id: i64) {
    let Some(ids) = index.entry(target, VecDeque::new) else { return };
    if let Err(place) = ids.binary_search(&id) {
        ids.insert(place, id);
    }
}

fn forget(index: &mut IdMap<VecDeque<i64>>, target: i64, id: i64) {
    let Some(ids) = index.get_mut(target) else { return };
    if let Ok(place) = ids.binary_search(&id) {
        ids.remove(place);
    }
    if ids.is_empty() {
        index.remove(target);
    }
}

fn is_reference(kind: Kind) -> bool {
    matches!(kind, Kind::Reference { .. } | Kind::References { .. })
}

fn targets(cell: &Cell) -> &[i64] {
    match cell {
        Cell::Integer(id) => std::slice::from_ref(id),
        other => other.as_ids(),
    }
}
