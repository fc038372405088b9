//! The rows, kept by id, with what is needed to find them quickly.

use std::cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use crate::sandbox::Database;
use crate::sandbox::cell::{Cell, NULL};
use crate::sandbox::schema::{Kind, Resource, Schema, Table};

/// One row: the cells in the order of the table's columns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    cells: Box<[Cell]>,
    /// Counts up with every write of any row.
    written: u64,
}

impl Row {
    pub(crate) fn new(cells: Vec<Cell>) -> Self {
        Self { cells: cells.into_boxed_slice(), written: 0 }
    }

    /// The place of the last write among all writes.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn id(&self) -> i64 {
        self.cell(0).as_integer().unwrap_or_default()
    }

    pub(crate) fn cell(&self, index: usize) -> &Cell {
        self.cells.get(index).unwrap_or(&NULL)
    }

    pub(crate) fn set(&mut self, index: usize, value: Cell) {
        if let Some(cell) = self.cells.get_mut(index) {
            *cell = value;
        }
    }

    pub(crate) fn named(&self, table: &Table, name: &str) -> &Cell {
        table.column_index(name).map_or(&NULL, |index| self.cell(index))
    }
}

/// The rows of one table.
#[derive(Debug)]
struct Rows {
    rows: BTreeMap<i64, Row>,
    next_id: i64,
    /// For each unique text column: value to id.
    unique: Vec<(usize, HashMap<Box<str>, i64>)>,
    /// For each column with references: target to referring rows.
    referrers: Vec<(usize, HashMap<i64, BTreeSet<i64>>)>,
}

/// A change that can be taken back.
#[derive(Debug)]
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
#[derive(Clone, Debug, Default)]
pub(crate) struct Disorder(Option<cell::Cell<u64>>);

impl Disorder {
    pub(crate) fn with_seed(seed: u64) -> Self {
        Self(Some(cell::Cell::new(seed)))
    }

    /// Whether the order in which rows are stored shows.
    pub(crate) fn is_off(&self) -> bool {
        self.0.is_none()
    }

    pub(crate) fn shuffle<T>(&self, rows: &mut [T]) {
        if let Some(state) = &self.0 {
            let mut random = fastrand::Rng::with_seed(state.get());
            random.shuffle(rows);
            state.set(random.get_seed());
        }
    }
}

/// Everything the server stores in tables.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) schema: &'static Schema,
    pub(crate) database: Database,
    pub(crate) disorder: Disorder,
    /// The number of writes so far.
    writes: u64,
    tables: HashMap<Resource, Rows>,
    /// Changes since the outermost transaction began.
    journal: Option<Vec<Change>>,
}

impl Store {
    pub(crate) fn new(schema: &'static Schema, database: Database, disorder: Disorder) -> Self {
        let tables = schema.tables.iter().map(|table| (table.resource, Rows::new(table)));
        Self { schema, database, disorder, writes: 0, tables: tables.collect(), journal: None }
    }

    pub(crate) fn get(&self, resource: Resource, id: i64) -> Option<&Row> {
        self.tables.get(&resource)?.rows.get(&id)
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
        self.tables.get(&resource).map_or(0, |rows| rows.rows.len())
    }

    /// The rows with these ids, ascending.
    pub(crate) fn range(
        &self,
        resource: Resource,
        ids: RangeInclusive<i64>,
    ) -> impl Iterator<Item = &Row> {
        let rows = self.tables.get(&resource).filter(|_| ids.start() <= ids.end());
        rows.into_iter().flat_map(move |rows| rows.rows.range(ids.clone()).map(|(_, row)| row))
    }

    /// The id of the row with this text in a unique column.
    pub(crate) fn find(&self, resource: Resource, column: usize, text: &str) -> Option<i64> {
        let rows = self.tables.get(&resource)?;
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
        self.tables
            .get(&resource)
            .and_then(|rows| rows.referrers.iter().find(|(indexed, _)| *indexed == column))
            .and_then(|(_, index)| index.get(&target))
            .into_iter()
            .flatten()
            .copied()
    }

    pub(crate) fn next_id(&mut self, resource: Resource) -> i64 {
        let Some(rows) = self.tables.get_mut(&resource) else {
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
        let Some(rows) = self.tables.get_mut(&resource) else {
            return;
        };
        let id = row.id();
        rows.next_id = rows.next_id.max(id.saturating_add(1));
        let before = rows.replace(id, Some(row));
        self.note(resource, id, before);
    }

    pub(crate) fn remove(&mut self, resource: Resource, id: i64) {
        let Some(rows) = self.tables.get_mut(&resource) else {
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
            if let Some(rows) = self.tables.get_mut(&change.resource) {
                rows.replace(change.id, change.before);
            }
        }
        let reused = self.database == Database::Sqlite;
        for (resource, next_id) in mark.next_ids.into_iter().filter(|_| reused) {
            if let Some(rows) = self.tables.get_mut(&resource) {
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
            .map(|(index, _)| (index, HashMap::new()));
        let referrers = columns()
            .filter(|(_, column)| is_reference(column.kind))
            .map(|(index, _)| (index, HashMap::new()));
        Self {
            rows: BTreeMap::new(),
            next_id: 1,
            unique: unique.collect(),
            referrers: referrers.collect(),
        }
    }

    /// Exchanges a row and keeps the indexes in step.
    fn replace(&mut self, id: i64, row: Option<Row>) -> Option<Row> {
        let before = self.rows.remove(&id);
        if let Some(before) = &before {
            self.forget(id, before);
        }
        if let Some(row) = row {
            self.learn(id, &row);
            self.rows.insert(id, row);
        }
        before
    }

    fn learn(&mut self, id: i64, row: &Row) {
        for (column, index) in &mut self.unique {
            if let Cell::Text(text) = row.cell(*column) {
                index.insert(text.clone(), id);
            }
        }
        for (column, index) in &mut self.referrers {
            for target in targets(row.cell(*column)) {
                index.entry(*target).or_default().insert(id);
            }
        }
    }

    fn forget(&mut self, id: i64, row: &Row) {
        for (column, index) in &mut self.unique {
            if let Cell::Text(text) = row.cell(*column) {
                if index.get(text) == Some(&id) {
                    index.remove(text);
                }
            }
        }
        for (column, index) in &mut self.referrers {
            for target in targets(row.cell(*column)) {
                if let Some(ids) = index.get_mut(target) {
                    ids.remove(&id);
                    if ids.is_empty() {
                        index.remove(target);
                    }
                }
            }
        }
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
