//! Rows as the JSON that is sent.

use crate::sandbox::access;
use crate::sandbox::cell::Cell;
use crate::sandbox::history::History;
use crate::sandbox::json::{Json, Name};
use crate::sandbox::schema::{Computation, Kind, Output, Resource, Sorting, Table};
use crate::sandbox::store::{Row, Store};

/// Writes rows as one reader sees them.
pub(crate) struct Writer<'a> {
    pub(crate) store: &'a Store,
    pub(crate) history: &'a History,
    pub(crate) staff: bool,
    /// Lists of ids are put in order when read; the answer to a write has them as they are.
    pub(crate) sorted: bool,
}

impl Writer<'_> {
    pub(crate) fn record(&self, table: &'static Table, row: &Row) -> Json {
        self.write(table, row, table.record)
    }

    fn write(&self, table: &'static Table, row: &Row, outputs: &[Output]) -> Json {
        let mut members = Vec::with_capacity(outputs.len());
        for output in outputs {
            match *output {
                Output::Columns => {
                    let readable = table.columns.iter().enumerate();
                    members.extend(readable.filter(|(_, column)| !column.write_only).map(
                        |(index, column)| (Name::Borrowed(column.name), row.cell(index).to_json()),
                    ));
                }
                Output::Column(name) => {
                    members.push((Name::Borrowed(name), row.named(table, name).to_json()));
                }
                Output::SortedIds { column, by } => {
                    let rows = self.listed(table, row, column, by);
                    let ids = rows.iter().map(|(_, row)| Json::Integer(i128::from(row.id())));
                    members.push((Name::Borrowed(column), Json::List(ids.collect())));
                }
                Output::One { name, column, of } => {
                    let related = access::related(self.store, table, row, column);
                    let value = related.map(|(table, row)| self.write(table, row, of));
                    members.push((Name::Borrowed(name), value.unwrap_or(Json::Null)));
                }
                Output::Many { name, column, of, by } => {
                    let rows = self.listed(table, row, column, by);
                    let items = rows.into_iter().map(|(table, row)| self.write(table, row, of));
                    members.push((Name::Borrowed(name), Json::List(items.collect())));
                }
                Output::Children { name, resource, column, of, by, private, .. } => {
                    let mut children = self.children(row, resource, column);
                    if let (Some(flag), false) = (private, self.staff) {
                        children.retain(|(table, child)| !child.named(table, flag).is_true());
                    }
                    self.sort(&mut children, by);
                    let items = children.into_iter().map(|(table, row)| self.write(table, row, of));
                    members.push((Name::Borrowed(name), Json::List(items.collect())));
                }
                Output::ChildIds { name, resource, column, of } => {
                    let children = self.children(row, resource, column);
                    let ids = children
                        .iter()
                        .filter_map(|(table, row)| row.named(table, of).as_integer());
                    members.push((Name::Borrowed(name), Cell::ids(ids.collect()).to_json()));
                }
                Output::Computed(name, computation) => {
                    let text = compute(table, row, computation);
                    members.push((Name::Borrowed(name), Json::Text(text)));
                }
                Output::Renamed { name, column } => {
                    members.push((Name::Borrowed(name), row.named(table, column).to_json()));
                }
                Output::Label(name) => {
                    members.push((Name::Borrowed(name), label(table, row, name)));
                }
                Output::Changes => {
                    members.push((Name::Borrowed("changes"), self.history.changes(row.id())));
                }
                Output::History => {
                    members.push((Name::Borrowed("_history"), self.entries(table, row.id())));
                }
            }
        }
        Json::Object(members)
    }

    /// The records a list of ids names, in the order of a column.
    fn listed(
        &self,
        table: &Table,
        row: &Row,
        column: &str,
        by: &str,
    ) -> Vec<(&'static Table, &Row)> {
        let Some(index) = table.column_index(column) else {
            return Vec::new();
        };
        let kind = table.columns.get(index).map(|column| column.kind);
        let Some(Kind::References { to }) = kind else {
            return Vec::new();
        };
        let Some(target) = self.store.schema.table(to) else {
            return Vec::new();
        };
        let ids = row.cell(index).as_ids().iter();
        let rows = ids.filter_map(|&id| self.store.get(to, id));
        let mut rows: Vec<_> = rows.map(|row| (target, row)).collect();
        if !self.sorted {
            return rows;
        }
        rows.sort_by(|(table, left), (_, right)| {
            left.named(table, by).compare(right.named(table, by), self.store.database)
        });
        rows
    }

    /// The records that refer to a row.
    fn children(&self, row: &Row, resource: Resource, column: &str) -> Vec<(&'static Table, &Row)> {
        let Some(table) = self.store.schema.table(resource) else {
            return Vec::new();
        };
        let Some(index) = table.column_index(column) else {
            return Vec::new();
        };
        let ids = self.store.referrers(resource, index, row.id());
        ids.filter_map(|id| self.store.get(resource, id)).map(|row| (table, row)).collect()
    }

    fn sort(&self, rows: &mut [(&'static Table, &Row)], by: Sorting) {
        let key = |table: &'static Table, row: &Row| match by {
            Sorting::By(column) => row.named(table, column).clone(),
            Sorting::WhenRead(_) | Sorting::RelatedWhenRead(..) if !self.sorted => {
                row.cell(0).clone()
            }
            Sorting::WhenRead(column) => row.named(table, column).clone(),
            Sorting::RelatedWhenRead(column, name) => {
                let related = access::related(self.store, table, row, column);
                related.map_or(Cell::Null, |(table, row)| row.named(table, name).clone())
            }
        };
        rows.sort_by(|(table, left), (_, right)| {
            key(table, left).compare(&key(table, right), self.store.database)
        });
    }

    /// The entries of the change log about a record, newest first.
    fn entries(&self, table: &Table, id: i64) -> Json {
        let Some(log) = self.store.schema.table(Resource::AuditLog) else {
            return Json::List(Vec::new());
        };
        let rows = self.history.of(table.resource, id);
        let rows = rows.filter_map(|id| self.store.get(Resource::AuditLog, id));
        Json::List(rows.map(|row| self.write(log, row, self.store.schema.history_entry)).collect())
    }
}

fn label(table: &Table, row: &Row, name: &str) -> Json {
    let Some(index) = table.column_index(name) else {
        return Json::Null;
    };
    let Some(Kind::Code(choices)) = table.columns.get(index).map(|column| column.kind) else {
        return Json::Null;
    };
    let found = choices.iter().find(|(code, _)| Some(*code) == row.cell(index).as_text());
    found.map_or(Json::Null, |(_, label)| Json::text(*label))
}

fn compute(table: &Table, row: &Row, computation: Computation) -> String {
    let text = |name| row.named(table, name).as_text().unwrap_or_default();
    let (first, last, username) = (text("first_name"), text("last_name"), text("username"));
    match computation {
        Computation::DisplayName => match (first, last) {
            ("", _) => username.to_owned(),
            (first, "") => first.to_owned(),
            (first, last) => format!("{first} {last}"),
        },
        Computation::Abbreviation => {
            let letters: String = match (first, last) {
                ("", _) => username.chars().take(2).collect(),
                (first, last) => first.chars().take(1).chain(last.chars().take(1)).collect(),
            };
            letters.to_uppercase()
        }
    }
}
