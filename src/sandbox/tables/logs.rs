//! The logs of the session dialect.

use crate::sandbox::schema::{
    Access, Choices, Column, Condition, Kind, Methods, OnDelete, Output, Resource, Search, Table,
};
use crate::sandbox::tables::summaries;

/// What can happen to a record. Filters take the code, records show the label.
static ACTION: Choices = &[("0", "create"), ("1", "update"), ("2", "delete"), ("3", "access")];

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
        Column::new("object_id", Kind::Integer { min: i64::MIN, max: i64::MAX }),
        Column::code("action", ACTION).write_only(),
        Column::text("cid", 255).null(),
        Column::text("remote_addr", 40).null(),
        Column::new("remote_port", Kind::Integer { min: 0, max: 65_535 }).null(),
        Column::moment("timestamp"),
        Column::reference("actor", Resource::Users, OnDelete::SetNull).null(),
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
