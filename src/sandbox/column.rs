//! The columns of a table: types, limits, defaults, and who may set them.

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
    AuditLog,
    AppLog,
    RequestLog,
    TaskLog,
    /// All logs of the session dialect in one list.
    Feed,
    /// Permission groups of the web framework. No URL, always empty.
    PermissionGroups,
    /// Permissions of the web framework. No URL, a fixed range of ids.
    Permissions,
    /// Models, as the web framework numbers them. No URL, a fixed range of ids.
    ContentTypes,
}

impl Resource {
    /// The highest id of a framework permission that exists.
    pub(crate) const LAST_PERMISSION: i64 = 100;

    /// The highest number of a model.
    pub(crate) const LAST_CONTENT_TYPE: i64 = 35;
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
    Text {
        max: Option<usize>,
        trim: bool,
    },
    Username {
        max: usize,
    },
    Email {
        max: usize,
    },
    Password {
        max: usize,
    },
    Code(Choices),
    Boolean,
    Integer {
        min: i64,
        max: i64,
    },
    Decimal {
        digits: usize,
        places: usize,
    },
    Date,
    Moment,
    Reference {
        to: Resource,
        on_delete: OnDelete,
    },
    References {
        to: Resource,
    },
    Json,
    /// An uploaded file, by the path under which it is stored.
    File,
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
    /// The name of the file in another column, on creation.
    NameOf(&'static str),
    /// A short form of another text column, for addresses.
    SlugOf(&'static str),
}

/// One column: declared by chaining onto one of the constructors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// How the server calls the column where that is not its name in words.
    pub(crate) title: Option<&'static str>,
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
    /// Filters look at the whole of a text, and not into it.
    pub(crate) whole: bool,
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
            title: None,
            null: false,
            blank: false,
            required: false,
            writable: Writable::ByAll,
            write_only: false,
            unique: false,
            default: Default::Null,
            default_on_put: false,
            filterable: true,
            whole: false,
            logged: true,
            own: Own::Free,
        }
    }

    pub(crate) const fn id() -> Self {
        Self::new("id", Kind::Id).titled("ID").read_only()
    }

    pub(crate) const fn text(name: &'static str, max: usize) -> Self {
        Self::new(name, Kind::Text { max: Some(max), trim: true })
    }

    pub(crate) const fn long_text(name: &'static str) -> Self {
        Self::new(name, Kind::Text { max: None, trim: true })
    }

    /// A text that is kept as it is.
    pub(crate) const fn raw_text(name: &'static str) -> Self {
        Self::new(name, Kind::Text { max: None, trim: false }).blank().default(Default::Text(""))
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

    pub(crate) const fn titled(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
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

    pub(crate) const fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    pub(crate) const fn not_logged(mut self) -> Self {
        self.logged = false;
        self
    }
}
