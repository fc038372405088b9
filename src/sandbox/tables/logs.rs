//! The logs of both dialects.

use crate::sandbox::schema::{
    Access, Choices, Column, Condition, Default, Kind, Methods, OnDelete, Output, Resource, Search,
    Table,
};
use crate::sandbox::tables::summaries;

const USER: Output = Output::One { name: "_user", column: "user", of: summaries::USER };

/// What can happen to a record. Filters take the code, records show the label.
pub(crate) static ACTION: Choices =
    &[("0", "create"), ("1", "update"), ("2", "delete"), ("3", "access")];

pub(super) static AUDIT: Table = Table {
    resource: Resource::AuditLog,
    group: "logs",
    name: "audit",
    model: "AuditLog",
    label: "log entry",
    methods: Methods::ReadOnly,
    columns: &[
        Column::id(),
        Column::text("record_name", 100).write_only().not_filterable(),
        Column::text("object_pk", 255),
        Column::new("object_id", Kind::Integer { min: i64::MIN, max: i64::MAX }).write_only(),
        Column::long_text("object_repr").write_only(),
        Column::reference("content_type", Resource::ContentTypes, OnDelete::Cascade).write_only(),
        Column::long_text("changes_text").write_only(),
        Column::code("action", ACTION).write_only(),
        Column::text("cid", 255).null(),
        Column::text("remote_addr", 40).null().whole(),
        Column::new("remote_port", Kind::Integer { min: 0, max: 65_535 }).null(),
        Column::moment("timestamp"),
        Column::reference("actor", Resource::Users, OnDelete::SetNull).null(),
        Column::text("actor_email", 254).null().write_only(),
    ],
    record: &[
        Output::Column("id"),
        Output::Column("record_name"),
        Output::Renamed { name: "record_id", column: "object_id" },
        Output::Label("action"),
        Output::Changes,
        Output::Column("cid"),
        Output::Column("remote_addr"),
        Output::Column("remote_port"),
        Output::Column("timestamp"),
        Output::Column("actor"),
        Output::One { name: "_actor", column: "actor", of: summaries::USER },
    ],
    rules: &[],
    access: Access { list: &[Condition::Staff], ..Access::STAFF_WRITES },
    team: &[],
    search: Search::Broken,
    order: Some(("id", true)),
    broken_orders: &[],
    history: None,
    fragile_create: false,
    self_delete_fails: false,
};

/// An entry as the record it is about shows it.
pub(crate) static HISTORY_ENTRY: &[Output] = &[
    Output::Column("id"),
    Output::Column("timestamp"),
    Output::Label("action"),
    Output::Column("actor"),
    Output::One { name: "_actor", column: "actor", of: summaries::USER },
    Output::Changes,
];

static TASK_STATUS: Choices = &[
    ("FAILURE", "FAILURE"),
    ("PENDING", "PENDING"),
    ("RECEIVED", "RECEIVED"),
    ("RETRY", "RETRY"),
    ("REVOKED", "REVOKED"),
    ("STARTED", "STARTED"),
    ("SUCCESS", "SUCCESS"),
];

/// A log: records for staff, flat ones where a dialect does not say otherwise.
const LOG: Table = Table {
    resource: Resource::AppLog,
    group: "logs",
    name: "",
    model: "",
    label: "log entry",
    methods: Methods::ReadOnly,
    columns: &[],
    record: &[Output::Columns],
    rules: &[],
    access: Access { list: &[Condition::Staff], ..Access::STAFF_WRITES },
    team: &[],
    search: Search::Ignored,
    order: None,
    broken_orders: &[],
    history: None,
    fragile_create: false,
    self_delete_fails: false,
};

pub(super) static APPS: Table = Table {
    resource: Resource::AppLog,
    name: "apps",
    model: "AppLog",
    columns: &[
        Column::id(),
        Column::text("name", 100).required(),
        Column::text("level", 10).required(),
        Column::raw_text("pathname"),
        Column::count("lineno").required(),
        Column::raw_text("message"),
        Column::raw_text("func").null().default(Default::Null),
        Column::raw_text("sinfo").null().default(Default::Null),
        Column::moment("time").default(Default::Now),
    ],
    ..LOG
};

pub(super) static REQUESTS: Table = Table {
    resource: Resource::RequestLog,
    name: "requests",
    model: "RequestLog",
    columns: &[
        Column::id(),
        Column::text("method", 10).required(),
        Column::raw_text("endpoint"),
        Column::count("response_code").required(),
        Column::raw_text("body_request"),
        Column::raw_text("body_response"),
        Column::text("remote_address", 40).null(),
        Column::moment("time").default(Default::Now),
        Column::reference("user", Resource::Users, OnDelete::SetNull).null(),
    ],
    ..LOG
};

/// The request log of the session dialect, which keeps no bodies.
pub(super) static TRACED_REQUESTS: Table = Table {
    resource: Resource::RequestLog,
    name: "requests",
    model: "RequestLog",
    columns: &[
        Column::id(),
        Column::text("method", 10).required(),
        Column::text("endpoint", 2048).required(),
        Column::new("response_code", Kind::Integer { min: 0, max: 32_767 }).required(),
        Column::text("remote_address", 40).null(),
        Column::moment("timestamp").default(Default::Now),
        Column::text("cid", 36).null().blank(),
        Column::reference("user", Resource::Users, OnDelete::SetNull).null(),
    ],
    record: &[
        Output::Column("id"),
        USER,
        Output::Column("method"),
        Output::Column("endpoint"),
        Output::Column("response_code"),
        Output::Column("remote_address"),
        Output::Column("timestamp"),
        Output::Column("cid"),
        Output::Column("user"),
    ],
    search: Search::Columns(&[
        &["endpoint"],
        &["method"],
        &["response_code"],
        &["remote_address"],
        &["cid"],
        &["user", "username"],
        &["user", "first_name"],
        &["user", "last_name"],
    ]),
    ..LOG
};

static FEED_TYPE: Choices = &[("request", "Request"), ("task", "Task"), ("audit", "Audit")];

/// All logs in one list, which the server stores nowhere: its rows are made when it is read. The
/// number of a row shows nowhere.
pub(super) static FEED: Table = Table {
    resource: Resource::Feed,
    name: "feed",
    model: "FeedEntry",
    methods: Methods::ListOnly,
    columns: &[
        Column::new("row", Kind::Id).read_only().write_only().not_filterable(),
        Column::text("id", 20),
        Column::new("record_id", Kind::Integer { min: i64::MIN, max: i64::MAX }),
        Column::code("record_type", FEED_TYPE),
        Column::moment("timestamp"),
        Column::long_text("summary").null(),
        Column::text("cid", 32).null(),
        Column::text("status", 16).null(),
        Column::reference("user", Resource::Users, OnDelete::SetNull).null(),
    ],
    record: &[
        Output::Column("id"),
        USER,
        Output::Column("record_id"),
        Output::Column("record_type"),
        Output::Column("timestamp"),
        Output::Column("summary"),
        Output::Column("cid"),
        Output::Column("status"),
        Output::Column("user"),
    ],
    search: Search::Columns(&[
        &["status"],
        &["summary"],
        &["cid"],
        &["user", "username"],
        &["user", "first_name"],
        &["user", "last_name"],
    ]),
    order: Some(("timestamp", true)),
    ..LOG
};

pub(super) static TASKS: Table = Table {
    columns: &[
        Column::id(),
        Column::text("task_id", 255).required().unique(),
        Column::text("periodic_task_name", 255).null(),
        Column::text("task_name", 255).null(),
        Column::raw_text("task_args").null().default(Default::Null),
        Column::raw_text("task_kwargs").null().default(Default::Null),
        Column::code("status", TASK_STATUS).default(Default::Text("PENDING")),
        Column::text("worker", 100).null(),
        Column::text("content_type", 128).default(Default::Text("application/json")),
        Column::text("content_encoding", 64).default(Default::Text("utf-8")),
        Column::raw_text("result").null().default(Default::Null),
        Column::moment("date_created").default(Default::Now),
        Column::moment("date_started").null(),
        Column::moment("date_done").default(Default::Now),
        Column::raw_text("traceback").null().default(Default::Null),
        Column::raw_text("meta").null().default(Default::Null),
    ],
    search: Search::Columns(&[
        &["periodic_task_name"],
        &["task_name"],
        &["status"],
        &["worker"],
        &["result"],
        &["traceback"],
    ]),
    order: Some(("date_done", true)),
    resource: Resource::TaskLog,
    name: "tasks",
    model: "TaskResult",
    ..LOG
};
