//! The order of a list.

use std::cmp::Ordering;

use crate::sandbox::cell::Cell;
use crate::sandbox::reply::Failure;
use crate::sandbox::schema::{Kind, Output, Resource, Table};
use crate::sandbox::store::{Row, Store};

/// What rows are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A column with one value.
    Column(usize),
    /// A column with a list of ids.
    List(usize),
    /// A column of the rows that refer to this one.
    Children { resource: Resource, column: &'static str, of: &'static str },
}

/// A part of an order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    source: Source,
    descending: bool,
}

impl Key {
    /// Whether this is the order in which the rows are stored.
    pub(crate) fn is_id(&self) -> bool {
        self.source == Source::Column(0) && !self.descending
    }
}

/// Reads the order parameter; unknown names are passed over, as are repeated ones.
pub(crate) fn parse(table: &Table, text: &str) -> Result<Vec<Key>, Failure> {
    let mut keys: Vec<Key> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let (name, descending) = match name.strip_prefix('-') {
            Some(name) => (name, true),
            None => (name, false),
        };
        if table.broken_orders.contains(&name) {
            return Err(Failure::ServerError);
        }
        let source = source(table, name);
        let source = source.filter(|source| keys.iter().all(|key| key.source != *source));
        keys.extend(source.map(|source| Key { source, descending }));
    }
    if let (Some((name, descending)), true) = (table.order, keys.is_empty()) {
        keys.extend(source(table, name).map(|source| Key { source, descending }));
    }
    Ok(keys)
}

fn source(table: &Table, name: &str) -> Option<Source> {
    let index = table.column_index(name);
    if let Some((index, column)) = index.and_then(|index| Some((index, table.columns.get(index)?)))
    {
        return match column.kind {
            _ if column.write_only => None,
            Kind::References { .. } => Some(Source::List(index)),
            _ => Some(Source::Column(index)),
        };
    }
    table.record.iter().find_map(|output| match *output {
        Output::ChildIds { name: known, resource, column, of } if known == name => {
            Some(Source::Children { resource, column, of })
        }
        _ => None,
    })
}

/// Sorts rows. A key with several values repeats its row for each of them, as a join does.
pub(crate) fn sort<'a>(store: &Store, rows: Vec<&'a Row>, keys: &[Key]) -> Vec<&'a Row> {
    let mut entries: Vec<(&Row, Vec<Cell>)> =
        rows.into_iter().map(|row| (row, Vec::new())).collect();
    for key in keys {
        entries = match key.source {
            Source::Column(_) => entries,
            source => entries.into_iter().flat_map(|entry| joined(store, source, entry)).collect(),
        };
    }
    entries.sort_by(|(left, left_joined), (right, right_joined)| {
        let mut joined = left_joined.iter().zip(right_joined);
        let orders = keys.iter().map(|key| {
            let order = match key.source {
                Source::Column(index) => left.cell(index).compare(right.cell(index)),
                _ => joined.next().map_or(Ordering::Equal, |(left, right)| left.compare(right)),
            };
            if key.descending { order.reverse() } else { order }
        });
        orders.fold(Ordering::Equal, Ordering::then)
    });
    entries.into_iter().map(|(row, _)| row).collect()
}

/// A row with each of the values it is joined with; one without value stays as it is.
fn joined<'a>(
    store: &Store,
    source: Source,
    (row, values): (&'a Row, Vec<Cell>),
) -> Vec<(&'a Row, Vec<Cell>)> {
    let mut cells: Vec<Cell> = match source {
        Source::Column(index) => vec![row.cell(index).clone()],
        Source::List(index) => {
            row.cell(index).as_ids().iter().copied().map(Cell::Integer).collect()
        }
        Source::Children { resource, column, of } => children(store, row, resource, column, of),
    };
    if cells.is_empty() {
        cells.push(Cell::Null);
    }
    let with = |cell| {
        let mut values = values.clone();
        values.push(cell);
        (row, values)
    };
    cells.into_iter().map(with).collect()
}

fn children(store: &Store, row: &Row, resource: Resource, column: &str, of: &str) -> Vec<Cell> {
    let Some(table) = store.schema.table(resource) else {
        return Vec::new();
    };
    let Some(index) = table.column_index(column) else {
        return Vec::new();
    };
    let ids = store.referrers(resource, index, row.id());
    ids.filter_map(|id| store.get(resource, id))
        .map(|child| child.named(table, of).clone())
        .collect()
}
