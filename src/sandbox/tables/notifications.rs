//! Notifications and the preferences about them, session dialect.

use crate::sandbox::schema::{
    Access, BodyRule, Column, Condition, Default, Kind, Methods, OnDelete, Output, Own, Resource,
    Search, Table,
};
use crate::sandbox::tables::{NOTIFICATION_TYPE, summaries};

static OWN: &[Condition] = &[Condition::Caller("user")];

pub(super) static PREFERENCES: Table = Table {
    resource: Resource::Preferences,
    group: "notifications",
    name: "preferences",
    model: "Preference",
    label: "preference",
    methods: Methods::All,
    columns: &[
        Column::id(),
        Column::new("request_expiry_thresholds", Kind::Json)
            .default(Default::Json("[30, 14]"))
            .not_filterable(),
        Column::boolean("notify_on_expiration", true),
        Column::reference("user", Resource::Users, OnDelete::Cascade)
            .default(Default::Caller)
            .own(Own::OnlyUnlessStaff(
                "User field cannot be set to a different user than the request submitter.",
            ))
            .unique()
            .not_filterable(),
    ],
    record: &[
        Output::Column("id"),
        Output::One { name: "_user", column: "user", of: summaries::USER },
        Output::Column("request_expiry_thresholds"),
        Output::Column("notify_on_expiration"),
        Output::Column("user"),
    ],
    rules: &[],
    access: Access {
        list: OWN,
        visible: &[],
        read: OWN,
        create: true,
        create_body: BodyRule::None,
        update: OWN,
        update_body: BodyRule::None,
        delete: OWN,
        binds_staff: false,
    },
    team: &[],
    search: Search::Columns(&[
        &["user", "username"],
        &["user", "first_name"],
        &["user", "last_name"],
    ]),
    order: None,
    broken_orders: &[],
    history: None,
    fragile_create: true,
    self_delete_fails: false,
};

pub(super) static NOTIFICATIONS: Table = Table {
    resource: Resource::Notifications,
    group: "notifications",
    name: "notifications",
    model: "Notification",
    label: "notification",
    methods: Methods::ReadAndPatch,
    columns: &[
        Column::id(),
        Column::moment("time").default(Default::Now),
        Column::boolean("read", false),
        Column::text("subject", 250).read_only().default(Default::Text("")),
        Column::long_text("message_html").read_only().default(Default::Text("")),
        Column::long_text("message_text").read_only().write_only().default(Default::Text("")),
        Column::code("notification_type", NOTIFICATION_TYPE)
            .read_only()
            .default(Default::Text("GM")),
        Column::reference("user", Resource::Users, OnDelete::Cascade).read_only(),
    ],
    record: &[
        Output::Column("id"),
        Output::Column("time"),
        Output::Column("read"),
        Output::Column("subject"),
        Output::Column("message_html"),
        Output::Column("notification_type"),
        Output::Column("user"),
        Output::One { name: "_user", column: "user", of: summaries::USER },
    ],
    rules: &[],
    access: Access { list: OWN, read: OWN, update: OWN, binds_staff: true, ..Access::STAFF_WRITES },
    team: &[],
    search: Search::Broken,
    order: None,
    broken_orders: &[],
    history: None,
    fragile_create: false,
    self_delete_fails: false,
};
