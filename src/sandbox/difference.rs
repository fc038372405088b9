//! Tables of other releases, made of the present ones and of what differs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::sandbox::era::{self, Era};
use crate::sandbox::release::{Release, Span};
use crate::sandbox::routes;
use crate::sandbox::schema::{Blueprint, Column, Kind, Output, Resource, Schema, Table};
use crate::sandbox::tables;

/// What differs in the table of a resource in some releases.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) resource: Resource,
    pub(crate) span: Span,
    pub(crate) what: What,
}

/// How a table differs from the present one. Names are those of the present table.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// There is no such table.
    Absent,
    /// Its path ends in this name.
    Named(&'static str),
    /// It has not got these columns, and its records these parts.
    Lacks(&'static [&'static str]),
    /// Its records have not got these parts where they appear within others.
    LacksWithin(&'static [&'static str]),
    /// Within others its records are as they are by themselves.
    WholeWithin,
    /// A column is this one.
    Instead(&'static str, Column),
    /// Behind a column comes one more.
    Also(&'static str, Column),
    /// The same, but not where its records appear within others.
    AlsoOnTop(&'static str, Column),
    /// A part of its records has another name.
    Called(&'static str, &'static str),
    /// Its records are of these parts.
    Record(&'static [Output]),
    /// Lists are not narrowed.
    ListsAll,
    /// What may not be read is not there.
    HidesOthers,
}

/// The schema of a release. It is made once for all servers of this release, and then kept: there
/// are only so many releases.
pub(crate) fn schema(release: Release) -> &'static Schema {
    static SCHEMAS: Mutex<BTreeMap<Release, &'static Schema>> = Mutex::new(BTreeMap::new());
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    schemas.entry(release).or_insert_with(|| Box::leak(Box::new(Resolution::of(release).schema())))
}

/// The way to the schema of a release.
struct Resolution {
    release: Release,
    blueprint: &'static Blueprint,
    differences: Vec<&'static Difference>,
}

impl Resolution {
    fn of(release: Release) -> Self {
        let blueprint = tables::blueprint(release);
        let differences = blueprint.differences.iter();
        let differences = differences.filter(|it| it.span.contains(release)).collect();
        Self { release, blueprint, differences }
    }

    fn schema(&self) -> Schema {
        let blueprint = self.blueprint;
        let tables = blueprint.tables.iter().filter(|table| self.has(table));
        let tables: Vec<&'static Table> = tables.map(|table| self.table(table)).collect();
        let moved = |path| era::path_in(self.release, path);
        let choices = blueprint.choices.iter();
        let choices = choices.filter_map(|&(path, choices)| Some((moved(path)?, choices)));
        let statistics = blueprint.statistics.iter().filter_map(|&statistic| {
            moved(statistic.path)?;
            let former = tables::FORMER_STATISTICS.iter();
            let mut former = former.filter(|(span, _)| span.contains(self.release));
            let former = former.find(|(_, former)| former.path == statistic.path);
            Some(former.map_or(statistic, |(_, former)| *former))
        });
        let dialect = self.release.dialect();
        let fixed = routes::fixed(dialect);
        let fixed = fixed.filter_map(|(path, endpoint)| Some((moved(path)?, endpoint)));
        Schema {
            release: self.release,
            era: Era::of(self.release),
            dialect,
            belonging: blueprint.belonging,
            groups: self.groups(&tables),
            choices: leak(choices.collect()),
            statistics: leak(statistics.collect()),
            fixed: leak(fixed.collect()),
            history_entry: self.history_entry(),
            tables: leak(tables),
        }
    }

    fn about(&self, resource: Resource) -> impl Iterator<Item = What> + '_ {
        let differences = self.differences.iter().filter(move |it| it.resource == resource);
        differences.map(|difference| difference.what)
    }

    fn has(&self, table: &Table) -> bool {
        let path = format!("/{}/{}/", table.group, table.name);
        let is_absent = self.about(table.resource).any(|what| matches!(what, What::Absent));
        !is_absent && era::has_path(self.release, &path)
    }

    fn lacks(&self, resource: Resource, name: &str) -> bool {
        self.about(resource).any(|what| matches!(what, What::Lacks(names) if names.contains(&name)))
    }

    fn lacks_within(&self, resource: Resource, name: &str) -> bool {
        let within = |what| matches!(what, What::LacksWithin(names) if names.contains(&name));
        self.about(resource).any(within)
    }

    /// The column in the place of one.
    fn instead(&self, resource: Resource, name: &str) -> Option<Column> {
        self.about(resource).find_map(|what| match what {
            What::Instead(of, column) if of == name => Some(column),
            _ => None,
        })
    }

    /// The columns behind one that come in addition, perhaps within other records.
    fn also(
        &self,
        resource: Resource,
        name: &'static str,
        within: bool,
    ) -> impl Iterator<Item = Column> + '_ {
        self.about(resource).filter_map(move |what| match what {
            What::Also(behind, column) if behind == name => Some(column),
            What::AlsoOnTop(behind, column) if behind == name && !within => Some(column),
            _ => None,
        })
    }

    fn table(&self, present: &'static Table) -> &'static Table {
        let resource = present.resource;
        let mut columns = Vec::with_capacity(present.columns.len());
        for column in present.columns.iter().filter(|it| !self.lacks(resource, it.name)) {
            columns.push(self.instead(resource, column.name).unwrap_or(*column));
            columns.extend(self.also(resource, column.name, false));
        }
        let record = self.about(resource).find_map(|what| match what {
            What::Record(record) => Some(record),
            _ => None,
        });
        let outputs = self.outputs(present, record.unwrap_or(present.record), false);
        let mut table = Table { columns: leak(columns), record: leak(outputs), ..*present };
        for what in self.about(resource) {
            match what {
                What::Named(name) => table.name = name,
                What::ListsAll => table.access.list = &[],
                What::HidesOthers => table.access.visible = table.access.read,
                _ => {}
            }
        }
        Box::leak(Box::new(table))
    }

    /// The parts of a record, or of the form in which it appears within others.
    fn outputs(&self, table: &Table, outputs: &[Output], within: bool) -> Vec<Output> {
        let resource = table.resource;
        let mut resolved = Vec::with_capacity(outputs.len());
        for present in outputs {
            let name = present.name();
            if self.lacks(resource, name) || within && self.lacks_within(resource, name) {
                continue;
            }
            let called = self.about(resource).find_map(|what| match what {
                What::Called(of, called) if of == name => Some(called),
                _ => None,
            });
            let name = called.unwrap_or(name);
            let output = match *present {
                Output::Column(column) => {
                    Output::Column(self.instead(resource, column).map_or(column, |it| it.name))
                }
                Output::One { column, of, .. } => match self.within(self.target(table, column), of)
                {
                    Some(of) => Output::One { name, column, of },
                    None => continue,
                },
                Output::Many { column, of, by, .. } => {
                    match self.within(self.target(table, column), of) {
                        Some(of) => Output::Many { name, column, of, by },
                        None => continue,
                    }
                }
                Output::Children { source, resource, column, of, by, private, .. } => {
                    match self.within(self.present(resource), of) {
                        Some(of) => {
                            Output::Children { name, source, resource, column, of, by, private }
                        }
                        None => continue,
                    }
                }
                other => other,
            };
            resolved.push(output);
            let also = self.also(resource, present.name(), within);
            resolved.extend(also.filter(|it| !it.write_only).map(|it| Output::Column(it.name)));
        }
        resolved
    }

    /// The parts of a record within another, if there are such records.
    fn within(&self, table: Option<&Table>, of: &[Output]) -> Option<&'static [Output]> {
        let table = table?;
        let is_whole = self.about(table.resource).any(|what| matches!(what, What::WholeWithin));
        let of = if is_whole { table.record } else { of };
        Some(leak(self.outputs(table, of, !is_whole)))
    }

    fn present(&self, resource: Resource) -> Option<&'static Table> {
        let table = self.blueprint.tables.iter().find(|table| table.resource == resource);
        table.copied().filter(|table| self.has(table))
    }

    /// The table that a column refers to.
    fn target(&self, table: &Table, column: &str) -> Option<&'static Table> {
        let column = table.columns.iter().find(|it| it.name == column)?;
        match column.kind {
            Kind::Reference { to, .. } | Kind::References { to } => self.present(to),
            _ => None,
        }
    }

    fn history_entry(&self) -> &'static [Output] {
        let Some(log) = self.present(Resource::AuditLog) else {
            return &[];
        };
        let mut entry = self.outputs(log, tables::HISTORY_ENTRY, true);
        if tables::NAMELESS_HISTORY.contains(self.release) {
            entry.retain(|output| output.name() != "_actor");
        }
        leak(entry)
    }

    /// The resources under each group as they are named, without those that are not there.
    fn groups(
        &self,
        tables: &[&'static Table],
    ) -> &'static [(&'static str, &'static [&'static str])] {
        let groups = self.blueprint.groups.iter().map(|&(group, names)| {
            let names = names.iter().filter_map(|&name| {
                let of_name = |table: &&&Table| table.group == group && table.name == name;
                match self.blueprint.tables.iter().find(of_name) {
                    // It is in the index alone.
                    None => Some(name),
                    Some(present) => {
                        let table = tables.iter().find(|it| it.resource == present.resource);
                        table.map(|table| table.name)
                    }
                }
            });
            (group, leak(names.collect()))
        });
        leak(groups.filter(|(_, names)| !names.is_empty()).collect())
    }
}

fn leak<T>(items: Vec<T>) -> &'static [T] {
    items.leak()
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::schema;
    use crate::sandbox::release::Release;

    #[test]
    fn unknown_versions_share_the_schema_of_a_known_one() {
        let of = |version| schema(Release::meant(Some(version), None));
        assert!(ptr::eq(of("77.7"), of("no version")));
        assert!(ptr::eq(of("0.8.90"), of("0.8.91-rc1")));
    }
}
