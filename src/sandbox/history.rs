//! The change log, from which the `_history` of a record is made.

use std::collections::HashMap;

use crate::sandbox::cell::Cell;
use crate::sandbox::json::{Json, Name};
use crate::sandbox::schema::{Column, Kind, Resource, Table};
use crate::sandbox::store::Row;

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
}

impl Action {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One entry: field, old text, new text.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) resource: Resource,
    pub(crate) record: i64,
    pub(crate) moment: i64,
    pub(crate) action: Action,
    pub(crate) actor: Option<i64>,
    pub(crate) changes: Box<[(&'static str, Box<str>, Box<str>)]>,
}

impl Entry {
    pub(crate) fn changes_json(&self) -> Json {
        let pair = |old: &str, new: &str| Json::List(vec![Json::text(old), Json::text(new)]);
        let changes = self.changes.iter();
        Json::Object(
            changes.map(|(field, old, new)| (Name::Borrowed(field), pair(old, new))).collect(),
        )
    }
}

/// Every entry, oldest first.
#[derive(Debug, Default)]
pub(crate) struct History {
    entries: Vec<Entry>,
    /// Positions in `entries`.
    of_record: HashMap<(Resource, i64), Vec<usize>>,
}

impl History {
    /// Writes an entry if anything that is logged changed.
    pub(crate) fn note(
        &mut self,
        table: &Table,
        moment: i64,
        actor: Option<i64>,
        before: Option<&Row>,
        after: Option<&Row>,
    ) {
        let Some(history) = table.history else { return };
        let (action, record) = match (before, after) {
            (None, Some(row)) => (Action::Create, row.id()),
            (Some(row), None) => (Action::Delete, row.id()),
            (Some(row), Some(_)) => (Action::Update, row.id()),
            (None, None) => return,
        };
        let mut changes = Vec::new();
        for (index, column) in table.columns.iter().enumerate().filter(|(_, it)| it.logged) {
            let old = before.map_or(&Cell::Null, |row| row.cell(index));
            let new = after.map_or(&Cell::Null, |row| row.cell(index));
            if old != new {
                changes.push((column.name, shown(column, old), shown(column, new)));
            }
        }
        for &(field, text) in history.relations {
            match action {
                Action::Create => changes.push((field, "None".into(), text.into())),
                Action::Delete => changes.push((field, text.into(), "None".into())),
                Action::Update => {}
            }
        }
        if changes.is_empty() {
            return;
        }
        let at = self.entries.len();
        self.entries.push(Entry {
            id: i64::try_from(at).unwrap_or(i64::MAX - 1) + 1,
            resource: table.resource,
            record,
            moment,
            action,
            actor,
            changes: changes.into_boxed_slice(),
        });
        self.of_record.entry((table.resource, record)).or_default().push(at);
    }

    /// The entries of a record, newest first.
    pub(crate) fn of(&self, resource: Resource, record: i64) -> impl Iterator<Item = &Entry> {
        let positions = self.of_record.get(&(resource, record)).map_or(&[][..], Vec::as_slice);
        positions.iter().rev().filter_map(|&at| self.entries.get(at))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Takes back all entries after the first ones.
    pub(crate) fn truncate(&mut self, length: usize) {
        for entry in self.entries.drain(length.min(self.entries.len())..) {
            if let Some(positions) = self.of_record.get_mut(&(entry.resource, entry.record)) {
                positions.retain(|&at| at < length);
            }
        }
    }
}

/// The text of a value; the first half of a password is masked.
fn shown(column: &Column, cell: &Cell) -> Box<str> {
    let text = cell.history_text();
    if !matches!(column.kind, Kind::Password { .. }) {
        return text.into();
    }
    let masked = text.chars().count() / 2;
    let stars = "*".repeat(masked);
    stars.chars().chain(text.chars().skip(masked)).collect::<String>().into()
}
