//! All resources of the JWT dialect. Its records are flat: a record is its readable columns.

use crate::sandbox::schema::{
    Access, BodyRule, Column, Condition, Default, Kind, Methods, OnDelete, Output, Own, Resource,
    Rule, Search, Standing, Table,
};
use crate::sandbox::tables::{REQUEST_STATUS, REVIEW_STATUS};

static FLAT: &[Output] = &[Output::Columns];

/// Seen by the members of the group, changed by staff.
const OF_GROUP: Access =
    Access { list: &[Condition::Member], visible: &[Condition::Member], ..Access::STAFF_WRITES };

const fn own_group(standing: Standing) -> BodyRule {
    BodyRule::Team { column: "group", standing, lenient: true, fragile: true }
}

/// What no table of this dialect has.
const BASE: Table = Table {
    resource: Resource::Users,
    group: "",
    name: "",
    model: "",
    label: "",
    methods: Methods::All,
    columns: &[],
    record: FLAT,
    rules: &[],
    access: Access::STAFF_WRITES,
    team: &[],
    search: Search::Ignored,
    order: None,
    broken_orders: &[],
    history: None,
    fragile_create: false,
    self_delete_fails: false,
};

pub(super) static USERS: Table = Table {
    resource: Resource::Users,
    group: "users",
    name: "users",
    model: "User",
    label: "user",
    columns: &[
        Column::id(),
        Column::boolean("is_superuser", false).titled("Superuser status"),
        Column::new("username", Kind::Username { max: 150 }).required().unique(),
        Column::new("password", Kind::Password { max: 128 }).required().write_only(),
        Column::text("first_name", 150).null(),
        Column::text("last_name", 150).null(),
        Column::new("email", Kind::Email { max: 254 }).null(),
        Column::text("department", 1000).null().blank(),
        Column::text("role", 1000).null().blank(),
        Column::boolean("is_active", true).staff_only(),
        Column::boolean("is_staff", false).titled("Staff status").staff_only(),
        Column::boolean("is_ldap_user", false).titled("LDAP User").staff_only(),
        Column::moment("date_joined").default(Default::Now),
        Column::moment("last_login").null(),
        Column::references("groups", Resource::PermissionGroups),
        Column::references("user_permissions", Resource::Permissions),
    ],
    rules: &[Rule::Password("password")],
    access: Access { update: &[Condition::Caller("id")], ..Access::STAFF_WRITES },
    ..BASE
};

pub(super) static RESEARCH_GROUPS: Table = Table {
    resource: Resource::ResearchGroups,
    group: "users",
    name: "researchgroups",
    model: "ResearchGroup",
    label: "research group",
    columns: &[
        Column::id(),
        Column::text("name", 255).required().unique(),
        Column::boolean("is_active", true),
        Column::reference("pi", Resource::Users, OnDelete::Protect).required(),
        Column::references("admins", Resource::Users),
        Column::references("members", Resource::Users),
    ],
    access: Access {
        create: true,
        update: &[Condition::Privileged],
        delete: &[Condition::Privileged],
        ..Access::STAFF_WRITES
    },
    team: &["id"],
    ..BASE
};

pub(super) static CLUSTERS: Table = Table {
    resource: Resource::Clusters,
    group: "allocations",
    name: "clusters",
    model: "Cluster",
    label: "cluster",
    columns: &[
        Column::id(),
        Column::text("name", 50).required(),
        Column::text("description", 150).null().blank(),
        Column::boolean("enabled", true),
    ],
    ..BASE
};

pub(super) static REQUESTS: Table = Table {
    resource: Resource::Requests,
    group: "allocations",
    name: "requests",
    model: "AllocationRequest",
    label: "allocation request",
    columns: &[
        Column::id(),
        Column::text("title", 250).required(),
        Column::text("description", 20_000).required(),
        Column::date("submitted").read_only().default(Default::TodayOnSave),
        Column::code("status", REQUEST_STATUS).default(Default::Text("PD")),
        Column::date("active").null(),
        Column::date("expire").null(),
        Column::reference("group", Resource::ResearchGroups, OnDelete::Cascade).required(),
        Column::references("assignees", Resource::Users),
    ],
    access: Access {
        create: true,
        create_body: BodyRule::Team {
            column: "group",
            standing: Standing::Privileged,
            lenient: false,
            fragile: false,
        },
        ..OF_GROUP
    },
    team: &["group"],
    ..BASE
};

pub(super) static ALLOCATIONS: Table = Table {
    resource: Resource::Allocations,
    group: "allocations",
    name: "allocations",
    model: "Allocation",
    label: "allocation",
    columns: &[
        Column::id(),
        Column::count("requested").required(),
        Column::count("awarded").null(),
        Column::count("final").null(),
        Column::reference("cluster", Resource::Clusters, OnDelete::Cascade).required(),
        Column::reference("request", Resource::Requests, OnDelete::Cascade).required(),
    ],
    access: OF_GROUP,
    team: &["request", "group"],
    ..BASE
};

pub(super) static REVIEWS: Table = Table {
    resource: Resource::Reviews,
    group: "allocations",
    name: "reviews",
    model: "AllocationRequestReview",
    label: "allocation request review",
    columns: &[
        Column::id(),
        Column::code("status", REVIEW_STATUS).required(),
        Column::text("public_comments", 1600).null().blank(),
        Column::text("private_comments", 1600).null().blank(),
        Column::moment("date_modified").default(Default::NowOnSave),
        Column::reference("request", Resource::Requests, OnDelete::Cascade).required(),
        Column::reference("reviewer", Resource::Users, OnDelete::SetNull)
            .null()
            .default(Default::Caller)
            .own(Own::Only("Reviewer cannot be set to a different user than the submitter")),
    ],
    access: OF_GROUP,
    team: &["request", "group"],
    fragile_create: true,
    ..BASE
};

pub(super) static GRANTS: Table = Table {
    resource: Resource::Grants,
    group: "research",
    name: "grants",
    model: "Grant",
    label: "grant",
    columns: &[
        Column::id(),
        Column::text("title", 250).required(),
        Column::text("agency", 100).required(),
        Column::new("amount", Kind::Decimal { digits: 14, places: 2 }).required(),
        Column::text("grant_number", 250).required(),
        Column::new("fiscal_year", Kind::Integer { min: i64::MIN, max: i64::MAX }).required(),
        Column::date("start_date").required(),
        Column::date("end_date").required(),
        Column::reference("group", Resource::ResearchGroups, OnDelete::Cascade).required(),
    ],
    access: Access {
        create: true,
        create_body: own_group(Standing::Privileged),
        update: &[Condition::Privileged],
        update_body: own_group(Standing::Privileged),
        delete: &[Condition::Privileged],
        ..OF_GROUP
    },
    team: &["group"],
    ..BASE
};

pub(super) static PUBLICATIONS: Table = Table {
    resource: Resource::Publications,
    group: "research",
    name: "publications",
    model: "Publication",
    label: "publication",
    columns: &[
        Column::id(),
        Column::text("title", 250).required(),
        Column::long_text("abstract").required(),
        Column::date("date").titled("Publication Date").required(),
        Column::text("journal", 100).required(),
        Column::text("doi", 50).null().blank().unique(),
        Column::reference("group", Resource::ResearchGroups, OnDelete::Cascade).required(),
    ],
    rules: &[Rule::BlankOnce("doi")],
    access: Access {
        create: true,
        create_body: own_group(Standing::Member),
        update: &[Condition::Member],
        update_body: own_group(Standing::Member),
        delete: &[Condition::Member],
        ..OF_GROUP
    },
    team: &["group"],
    ..BASE
};
