//! What a table of the server is made of. The tables themselves are in `tables`.

use crate::sandbox::Dialect;

/// Every kind of record in either dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Resource {
    Users,
    Teams,
    ResearchGroups,
    Memberships,
    Clusters,
    Requests,
    Allocations,
    Reviews,
    Comments,
    Attachments,
    Grants,
    Publications,
    Preferences,
    Notifications,
    /// Permission groups of the web framework. No URL, always empty.
    PermissionGroups,
    /// Permissions of the web framework. No URL, a fixed range of ids.
    Permissions,
}

impl Resource {
    /// The highest id of a framework permission that exists.
    pub(crate) const LAST_PERMISSION: i64 = 100;
}

/// Codes and their labels.
pub(crate) type Choices = &'static [(&'static str, &'static str)];

/// What happens to a row whose referenced record is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnDelete {
    Cascade,
    Protect,
    SetNull,
}

/// The type of a column; it decides validation and filters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Id,
    Text { max: Option<usize>, trim: bool },
    Username { max: usize },
    Email { max: usize },
    Password { max: usize },
    Code(Choices),
    Boolean,
    Integer { min: i64, max: i64 },
    Decimal { digits: usize, places: usize },
    Date,
    Moment,
    Reference { to: Resource, on_delete: OnDelete },
    References { to: Resource },
    Json,
}

/// Who may set a column through the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writable {
    ByAll,
    ByStaff,
    OnCreate,
    Never,
}

/// The value of a column nobody named.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Default {
    Null,
    Text(&'static str),
    Boolean(bool),
    NoIds,
    /// JSON text.
    Json(&'static str),
    /// The user who sends the request.
    Caller,
    /// The time of creation.
    Now,
    /// The time of the last save.
    NowOnSave,
    /// The day of the last save.
    TodayOnSave,
    /// A short form of another text column, for addresses.
    SlugOf(&'static str),
}

/// One column: declared by chaining onto one of the constructors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) null: bool,
    pub(crate) blank: bool,
    pub(crate) required: bool,
    pub(crate) writable: Writable,
    pub(crate) write_only: bool,
    pub(crate) unique: bool,
    pub(crate) default: Default,
    /// PUT without the column sets the default again.
    pub(crate) default_on_put: bool,
    pub(crate) filterable: bool,
    /// Changes are written to the change log.
    pub(crate) logged: bool,
    /// A reference that has to be the caller.
    pub(crate) own: Own,
}

/// Whether a reference to a user may name another one than the caller.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Own {
    Free,
    /// No, with the message.
    Only(&'static str),
    /// Only staff may, with the message for others.
    OnlyUnlessStaff(&'static str),
}

impl Column {
    pub(crate) const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            null: false,
            blank: false,
            required: false,
            writable: Writable::ByAll,
            write_only: false,
            unique: false,
            default: Default::Null,
            default_on_put: false,
            filterable: true,
            logged: true,
            own: Own::Free,
        }
    }

    pub(crate) const fn id() -> Self {
        Self::new("id", Kind::Id).read_only()
    }

    pub(crate) const fn text(name: &'static str, max: usize) -> Self {
        Self::new(name, Kind::Text { max: Some(max), trim: true })
    }

    pub(crate) const fn long_text(name: &'static str) -> Self {
        Self::new(name, Kind::Text { max: None, trim: true })
    }

    pub(crate) const fn boolean(name: &'static str, default: bool) -> Self {
        Self::new(name, Kind::Boolean).default(Default::Boolean(default))
    }

    pub(crate) const fn code(name: &'static str, choices: Choices) -> Self {
        Self::new(name, Kind::Code(choices))
    }

    pub(crate) const fn count(name: &'static str) -> Self {
        Self::new(name, Kind::Integer { min: 0, max: i64::MAX })
    }

    pub(crate) const fn date(name: &'static str) -> Self {
        Self::new(name, Kind::Date)
    }

    pub(crate) const fn moment(name: &'static str) -> Self {
        Self::new(name, Kind::Moment).read_only()
    }

    pub(crate) const fn reference(name: &'static str, to: Resource, on_delete: OnDelete) -> Self {
        Self::new(name, Kind::Reference { to, on_delete })
    }

    pub(crate) const fn references(name: &'static str, to: Resource) -> Self {
        let mut column = Self::new(name, Kind::References { to }).default(Default::NoIds);
        column.filterable = false;
        column.logged = false;
        column
    }

    pub(crate) const fn null(mut self) -> Self {
        self.null = true;
        self
    }

    pub(crate) const fn blank(mut self) -> Self {
        self.blank = true;
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn read_only(mut self) -> Self {
        self.writable = Writable::Never;
        self
    }

    pub(crate) const fn staff_only(mut self) -> Self {
        self.writable = Writable::ByStaff;
        self
    }

    pub(crate) const fn on_create_only(mut self) -> Self {
        self.writable = Writable::OnCreate;
        self
    }

    pub(crate) const fn write_only(mut self) -> Self {
        self.write_only = true;
        self
    }

    pub(crate) const fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    pub(crate) const fn default(mut self, default: Default) -> Self {
        self.default = default;
        self
    }

    pub(crate) const fn default_on_put(mut self) -> Self {
        self.default_on_put = true;
        self
    }

    pub(crate) const fn own(mut self, own: Own) -> Self {
        self.own = own;
        self
    }

    pub(crate) const fn not_filterable(mut self) -> Self {
        self.filterable = false;
        self
    }

    pub(crate) const fn not_logged(mut self) -> Self {
        self.logged = false;
        self
    }
}

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
    /// The entries of the change log.
    History,
}

/// The order of nested records.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sorting {
    /// By a column of theirs.
    By(&'static str),
    /// By a column of the record that a reference leads to.
    Related(&'static str, &'static str),
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
    /// No two rows may agree in all the columns.
    UniqueTogether { columns: &'static [&'static str], message: &'static str },
    /// The value derived from another column may not repeat.
    UniqueSlug { column: &'static str, of: &'static str, message: &'static str },
    /// Passwords have to be strong.
    Password(&'static str),
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
    ReadAndPatch,
}

/// One resource of the server.
#[derive(Debug)]
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

/// All that differs between the dialects in data.
#[derive(Debug)]
pub(crate) struct Schema {
    pub(crate) dialect: Dialect,
    pub(crate) tables: &'static [&'static Table],
    pub(crate) belonging: Belonging,
    /// The resources under each group, in the order of the group's index.
    pub(crate) groups: &'static [(&'static str, &'static [&'static str])],
    /// Codes that can be asked for.
    pub(crate) choices: &'static [(&'static str, Choices)],
}

impl Schema {
    pub(crate) fn table(&self, resource: Resource) -> Option<&'static Table> {
        self.tables.iter().copied().find(|table| table.resource == resource)
    }
}
