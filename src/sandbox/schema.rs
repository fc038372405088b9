//! What a table of the server is made of. The tables themselves are in `tables`.

use crate::sandbox::Dialect;
pub(crate) use crate::sandbox::column::{
    Choices, Column, Default, Kind, OnDelete, Own, Resource, Writable,
};
use crate::sandbox::difference::Difference;
use crate::sandbox::era::Era;
use crate::sandbox::release::Release;
use crate::sandbox::routes::Endpoint;

/// A part of a record as it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Output {
    /// A stored column.
    Column(&'static str),
    /// Every stored column that may be read.
    Columns,
    /// A list of ids in the order of a column of the records they name.
    SortedIds { column: &'static str, by: &'static str },
    /// The record a column refers to, or null.
    One { name: &'static str, column: &'static str, of: &'static [Output] },
    /// The records a list of ids refers to.
    Many { name: &'static str, column: &'static str, of: &'static [Output], by: &'static str },
    /// The records that refer to this one.
    Children {
        name: &'static str,
        /// What orders call it.
        source: &'static str,
        resource: Resource,
        column: &'static str,
        of: &'static [Output],
        by: Sorting,
        /// Those where this column is true are for staff.
        private: Option<&'static str>,
    },
    /// The ids in one column of the records that refer to this one.
    ChildIds { name: &'static str, resource: Resource, column: &'static str, of: &'static str },
    /// A value worked out from the row.
    Computed(&'static str, Computation),
    /// A stored column under another name.
    Renamed { name: &'static str, column: &'static str },
    /// The label of a code.
    Label(&'static str),
    /// The entries of the change log about the record.
    History,
    /// What an entry of the change log says has changed.
    Changes,
}

impl Output {
    /// The name under which it is sent.
    pub(crate) fn name(&self) -> &'static str {
        match *self {
            Self::Column(name)
            | Self::SortedIds { column: name, .. }
            | Self::One { name, .. }
            | Self::Many { name, .. }
            | Self::Children { name, .. }
            | Self::ChildIds { name, .. }
            | Self::Computed(name, _)
            | Self::Renamed { name, .. }
            | Self::Label(name) => name,
            Self::Columns => "",
            Self::History => "_history",
            Self::Changes => "changes",
        }
    }
}

/// The order of nested records.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sorting {
    /// By a column of theirs.
    By(&'static str),
    /// The same; in the answer to a write by id.
    WhenRead(&'static str),
    /// By a column of the record that a reference leads to; in the answer to a write by id.
    RelatedWhenRead(&'static str, &'static str),
}

/// Values that are worked out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Computation {
    DisplayName,
    Abbreviation,
}

/// A check over several columns, made once each of them is fine.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Only staff may give a flag this value.
    StaffOnlyValue { column: &'static str, value: bool, create_only: bool, message: &'static str },
    /// Only staff may name a record whose flag is false.
    StaffOnlyUnlessTrue { column: &'static str, flag: &'static str, message: &'static str },
    /// No two rows may agree in all the columns.
    UniqueTogether { columns: &'static [&'static str], message: &'static str },
    /// The value derived from another column may not repeat.
    UniqueSlug { column: &'static str, of: &'static str, message: &'static str },
    /// Passwords have to be strong.
    Password(&'static str),
    /// One of the databases refuses longer texts, which the validation lets pass.
    ShortOnPostgres { column: &'static str, max: usize },
    /// The database refuses a repeated blank, which the validation lets pass.
    BlankOnce(&'static str),
}

/// A condition on a row, seen by a user who is not staff.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition {
    /// A flag of the row is true.
    True(&'static str),
    /// A flag of the row is false.
    False(&'static str),
    /// A flag of the record a column refers to is true.
    RelatedTrue(&'static str, &'static str),
    /// A reference, or the id, is the caller.
    Caller(&'static str),
    /// The caller belongs to the team of the row.
    Member,
    /// The caller is an owner or administrator of the team of the row.
    Privileged,
    /// The access mode of the cluster lets one of the caller's teams in.
    ClusterAccess,
    /// One of several conditions holds.
    Any(&'static [Condition]),
    /// Never: this is for staff.
    Staff,
}

/// The standing in a team.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Member,
    Privileged,
}

/// What the body of a write by a user who is not staff has to name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BodyRule {
    None,
    /// A record that leads to a team in which the caller has this standing.
    Team {
        column: &'static str,
        standing: Standing,
        /// A missing or unknown record is left to the validation instead of being refused.
        lenient: bool,
        /// A value that is not an integer, or a body that is not an object, is a server error.
        fragile: bool,
    },
    /// As `Team`, and a cluster that lets the team in.
    TeamAndCluster {
        column: &'static str,
        standing: Standing,
        cluster: &'static str,
    },
}

/// Who may do what. Staff may do everything that the methods allow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// Rows in a list.
    pub(crate) list: &'static [Condition],
    /// Rows that exist for the caller at all (else 404).
    pub(crate) visible: &'static [Condition],
    /// Rows the caller may read (else 403).
    pub(crate) read: &'static [Condition],
    /// Whether users who are not staff may create.
    pub(crate) create: bool,
    pub(crate) create_body: BodyRule,
    /// Rows the caller may change; refused before the row is looked up if nobody may.
    pub(crate) update: &'static [Condition],
    pub(crate) update_body: BodyRule,
    pub(crate) delete: &'static [Condition],
    /// Reading and changing single rows is limited for staff, too.
    pub(crate) binds_staff: bool,
}

impl Access {
    /// Everyone reads, staff writes.
    pub(crate) const STAFF_WRITES: Self = Self {
        list: &[],
        visible: &[],
        read: &[],
        create: false,
        create_body: BodyRule::None,
        update: &[Condition::Staff],
        update_body: BodyRule::None,
        delete: &[Condition::Staff],
        binds_staff: false,
    };
}

/// What the search parameter does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Search {
    /// Each term has to occur in one of these columns, reached over references.
    Columns(&'static [&'static [&'static str]]),
    /// Any term ends in a server error.
    Broken,
    /// Not looked at.
    Ignored,
}

/// The methods a resource has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Methods {
    All,
    ReadOnly,
    ReadAndPatch,
    /// Read, and only as a list: single records have no path.
    ListOnly,
}

/// One resource of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub(crate) resource: Resource,
    /// Group and name, as in `/users/teams/`.
    pub(crate) group: &'static str,
    pub(crate) name: &'static str,
    /// The model, as in `No Team matches the given query.`
    pub(crate) model: &'static str,
    /// The model in messages about uniqueness.
    pub(crate) label: &'static str,
    pub(crate) methods: Methods,
    /// The stored columns; the first is the id.
    pub(crate) columns: &'static [Column],
    pub(crate) record: &'static [Output],
    pub(crate) rules: &'static [Rule],
    pub(crate) access: Access,
    /// The columns that lead from a row to its team.
    pub(crate) team: &'static [&'static str],
    pub(crate) search: Search,
    /// Usual order of a list: a column, and whether it descends.
    pub(crate) order: Option<(&'static str, bool)>,
    /// Names in the order parameter that end in a server error.
    pub(crate) broken_orders: &'static [&'static str],
    /// What the change log shows; none without change log.
    pub(crate) history: Option<History>,
    /// Creation from a body that is not an object is a server error.
    pub(crate) fragile_create: bool,
    /// Deleting oneself is a server error.
    pub(crate) self_delete_fails: bool,
}

/// How changes of a table are logged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct History {
    /// Application and model.
    pub(crate) name: &'static str,
    /// What the server numbers its models by.
    pub(crate) content_type: i64,
    /// A record in words, with the columns in braces that stand for its values.
    pub(crate) text: &'static str,
    /// Relations that every creation mentions.
    pub(crate) relations: &'static [(&'static str, &'static str)],
}

impl Table {
    pub(crate) fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// How users belong to teams.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Belonging {
    /// By rows of a table.
    Rows(Resource),
    /// By columns of the team.
    Columns {
        resource: Resource,
        privileged: &'static [&'static str],
        members: &'static [&'static str],
    },
}

/// Figures about all records of a resource.
#[derive(Debug)]
pub(crate) struct Statistic {
    pub(crate) path: &'static str,
    pub(crate) resource: Resource,
    pub(crate) figures: &'static [(&'static str, Measure)],
}

/// How a figure comes about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measure {
    /// The number of records.
    Count(&'static [Test]),
    /// The number of different texts in a column.
    Distinct(&'static str),
    /// The sum of a column of the allocations of requests.
    Units { column: &'static str, tests: &'static [Test] },
    /// The sum of a decimal column.
    Amount { column: &'static str, tests: &'static [Test] },
    /// The mean of a decimal column.
    MeanAmount(&'static str),
    /// The mean time between two columns in whole days.
    MeanDays { from: &'static str, to: &'static str },
    /// The mean time between two columns.
    MeanDuration { from: &'static str, to: &'static str },
}

/// What a record has to be like to count in a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Test {
    /// A code is this.
    Is(&'static str, &'static str),
    /// A flag is false.
    False(&'static str),
    Missing(&'static str),
    Given(&'static str),
    /// A day compared with the present one.
    Past(&'static str),
    PastOrToday(&'static str),
    TodayOrFuture(&'static str),
    Future(&'static str),
}

/// What the servers of a dialect are made of: the last of them, and how others differ from it.
#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) tables: &'static [&'static Table],
    pub(crate) belonging: Belonging,
    /// The resources under each group, in the order of the group's index.
    pub(crate) groups: &'static [(&'static str, &'static [&'static str])],
    /// Codes that can be asked for.
    pub(crate) choices: &'static [(&'static str, Choices)],
    pub(crate) statistics: &'static [&'static Statistic],
    pub(crate) differences: &'static [Difference],
}

/// All that differs between servers of different releases.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) release: Release,
    pub(crate) era: Era,
    pub(crate) dialect: Dialect,
    pub(crate) tables: &'static [&'static Table],
    pub(crate) belonging: Belonging,
    pub(crate) groups: &'static [(&'static str, &'static [&'static str])],
    pub(crate) choices: &'static [(&'static str, Choices)],
    pub(crate) statistics: &'static [&'static Statistic],
    /// The paths that are not those of tables, codes or figures.
    pub(crate) fixed: &'static [(&'static str, Endpoint)],
    /// An entry of the change log as the record that it is about shows it.
    pub(crate) history_entry: &'static [Output],
}

impl Schema {
    pub(crate) fn table(&self, resource: Resource) -> Option<&'static Table> {
        self.tables.iter().copied().find(|table| table.resource == resource)
    }
}
