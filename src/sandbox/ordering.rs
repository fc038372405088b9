//! The order of a list.

use std::cmp::Ordering;
use std::collections::HashMap;

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
    /// The entries of the change log about this row, the newest first.
    History(i64),
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
        Output::Children { source, resource, column, .. } if source == name => {
            Some(Source::Children { resource, column, of: "id" })
        }
        Output::History if name == "history" => {
            table.history.map(|history| Source::History(history.content_type))
        }
        _ => None,
    })
}

/// Sorts rows. A key with several values repeats its row for each of them, as a join does.
pub(crate) fn sort<'a>(store: &Store, rows: Vec<&'a Row>, keys: &[Key]) -> Vec<&'a Row> {
    let mut entries: Vec<(&Row, Vec<Cell>)> =
        rows.into_iter().map(|row| (row, Vec::new())).collect();
    for key in keys {
        let joined_with = |cells: &dyn Fn(&Row) -> Vec<Cell>| {
            entries.iter().flat_map(|entry| joined(entry, cells(entry.0))).collect()
        };
        entries = match key.source {
            Source::Column(_) => continue,
            Source::List(index) => joined_with(&|row| {
                row.cell(index).as_ids().iter().copied().map(Cell::Integer).collect()
            }),
            Source::Children { resource, column, of } => {
                joined_with(&|row| children(store, row, resource, column, of))
            }
            Source::History(content_type) => {
                let moments = logged(store, content_type);
                joined_with(&|row| moments.get(&row.id()).cloned().unwrap_or_default())
            }
        };
    }
    entries.sort_by(|(left, left_joined), (right, right_joined)| {
        let mut joined = left_joined.iter().zip(right_joined);
        let orders = keys.iter().map(|key| {
            let order = match key.source {
                Source::Column(index) => {
                    left.cell(index).compare(right.cell(index), store.database)
                }
                _ => joined
                    .next()
                    .map_or(Ordering::Equal, |(left, right)| left.compare(right, store.database)),
            };
            // The log is in order when its newest entry comes first.
            let descending = key.descending != matches!(key.source, Source::History(_));
            if descending { order.reverse() } else { order }
        });
        orders.fold(Ordering::Equal, Ordering::then)
    });
    entries.into_iter().map(|(row, _)| row).collect()
}

/// A row with each of the values it is joined with; one without value stays as it is.
fn joined<'a>(
    (row, values): &(&'a Row, Vec<Cell>),
    mut cells: Vec<Cell>,
) -> Vec<(&'a Row, Vec<Cell>)> {
    if cells.is_empty() {
        cells.push(Cell::Null);
    }
    let with = |cell| {
        let mut values = values.clone();
        values.push(cell);
        (*row, values)
    };
    cells.into_iter().map(with).collect()
}

/// The times of the entries of the change log about the records of one model.
fn logged(store: &Store, content_type: i64) -> HashMap<i64, Vec<Cell>> {
    let mut moments: HashMap<i64, Vec<Cell>> = HashMap::new();
    let Some(log) = store.schema.table(Resource::AuditLog) else {
        return moments;
    };
    for row in store.range(Resource::AuditLog, i64::MIN..=i64::MAX) {
        let record = row.named(log, "object_id").as_integer();
        if row.named(log, "content_type").as_integer() == Some(content_type) {
            let of_record = moments.entry(record.unwrap_or_default()).or_default();
            of_record.push(row.named(log, "timestamp").clone());
        }
    }
    moments
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
