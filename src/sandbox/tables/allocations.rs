//! Clusters, allocation requests and what belongs to them, session dialect.

use crate::sandbox::schema::{
    Access, BodyRule, Column, Condition, Default, History, Methods, OnDelete, Output, Own,
    Resource, Rule, Search, Sorting, Standing, Table,
};
use crate::sandbox::tables::{ACCESS_MODE, REQUEST_STATUS, REVIEW_STATUS, summaries};

pub(super) static CLUSTERS: Table = Table {
    resource: Resource::Clusters,
    group: "allocations",
    name: "clusters",
    model: "Cluster",
    label: "cluster",
    methods: Methods::All,
    columns: &[
        Column::id(),
        Column::text("name", 50).required().unique(),
        Column::text("description", 150).null().blank(),
        Column::boolean("enabled", true),
        Column::code("access_mode", ACCESS_MODE).default(Default::Text("OP")),
        Column::references("access_teams", Resource::Teams),
    ],
    record: &[
        Output::Column("id"),
        Output::Many {
            name: "_access_teams",
            column: "access_teams",
            of: summaries::TEAM,
            by: "id",
        },
        Output::History,
        Output::Column("name"),
        Output::Column("description"),
        Output::Column("enabled"),
        Output::Column("access_mode"),
        Output::Column("access_teams"),
    ],
    rules: &[],
    access: Access { list: &[Condition::ClusterAccess], ..Access::STAFF_WRITES },
    team: &[],
    search: Search::Columns(&[&["name"], &["description"]]),
    order: None,
    broken_orders: &[],
    history: Some(History {
        name: "allocations | Cluster",
        relations: &[("allocation_set", "allocations.ResourceAllocation.None")],
    }),
    fragile_create: false,
    self_delete_fails: false,
};

/// Read by the members of the team, changed by staff.
const OF_TEAM: Access =
    Access { list: &[Condition::Member], read: &[Condition::Member], ..Access::STAFF_WRITES };

pub(super) static REQUESTS: Table = Table {
    resource: Resource::Requests,
    group: "allocations",
    name: "requests",
    model: "AllocationRequest",
    label: "allocation request",
    methods: Methods::All,
    columns: &[
        Column::id(),
        Column::text("title", 250).required(),
        Column::text("description", 20_000).required(),
        Column::moment("submitted").default(Default::Now),
        Column::date("active").null(),
        Column::date("expire").null(),
        Column::code("status", REQUEST_STATUS).default(Default::Text("PD")),
        Column::reference("submitter", Resource::Users, OnDelete::Protect).required(),
        Column::reference("team", Resource::Teams, OnDelete::Cascade).required(),
        Column::references("assignees", Resource::Users),
        Column::references("publications", Resource::Publications),
        Column::references("grants", Resource::Grants),
    ],
    record: &[
        Output::Column("id"),
        Output::One { name: "_submitter", column: "submitter", of: summaries::USER },
        Output::One { name: "_team", column: "team", of: summaries::TEAM },
        Output::Many { name: "_assignees", column: "assignees", of: summaries::USER, by: "id" },
        Output::Many {
            name: "_publications",
            column: "publications",
            of: summaries::PUBLICATION,
            by: "title",
        },
        Output::Many { name: "_grants", column: "grants", of: summaries::GRANT, by: "title" },
        Output::History,
        Output::Children {
            name: "_allocations",
            resource: Resource::Allocations,
            column: "request",
            of: summaries::ALLOCATION,
            by: Sorting::Related("cluster", "name"),
            private: None,
        },
        Output::Children {
            name: "_attachments",
            resource: Resource::Attachments,
            column: "request",
            of: summaries::ATTACHMENT,
            by: Sorting::By("id"),
            private: None,
        },
        Output::Children {
            name: "_comments",
            resource: Resource::Comments,
            column: "request",
            of: summaries::COMMENT,
            by: Sorting::By("id"),
            private: Some("private"),
        },
        Output::Column("title"),
        Output::Column("description"),
        Output::Column("submitted"),
        Output::Column("active"),
        Output::Column("expire"),
        Output::Column("status"),
        Output::Column("submitter"),
        Output::Column("team"),
        Output::Column("assignees"),
        Output::SortedIds { column: "publications", by: "title" },
        Output::SortedIds { column: "grants", by: "title" },
    ],
    rules: &[],
    access: Access {
        create: true,
        create_body: BodyRule::Team {
            column: "team",
            standing: Standing::Privileged,
            lenient: false,
            fragile: false,
        },
        ..OF_TEAM
    },
    team: &["team"],
    search: Search::Columns(&[
        &["title"],
        &["description"],
        &["team", "name"],
        &["submitter", "username"],
        &["submitter", "first_name"],
        &["submitter", "last_name"],
    ]),
    order: None,
    broken_orders: &["attachment_set"],
    history: Some(History {
        name: "allocations | AllocationRequest",
        relations: &[
            ("comments", "allocations.Comment.None"),
            ("allocation_set", "allocations.ResourceAllocation.None"),
        ],
    }),
    fragile_create: false,
    self_delete_fails: false,
};

pub(super) static ALLOCATIONS: Table = Table {
    resource: Resource::Allocations,
    group: "allocations",
    name: "allocations",
    model: "ResourceAllocation",
    label: "resource allocation",
    methods: Methods::All,
    columns: &[
        Column::id(),
        Column::count("requested").required(),
        Column::count("awarded").null(),
        Column::count("final").null(),
        Column::reference("cluster", Resource::Clusters, OnDelete::Protect).required(),
        Column::reference("request", Resource::Requests, OnDelete::Cascade).required(),
    ],
    record: &[
        Output::Column("id"),
        Output::One { name: "_cluster", column: "cluster", of: summaries::CLUSTER },
        Output::One { name: "_request", column: "request", of: summaries::REQUEST },
        Output::History,
        Output::Column("requested"),
        Output::Column("awarded"),
        Output::Column("final"),
        Output::Column("cluster"),
        Output::Column("request"),
    ],
    rules: &[],
    access: Access {
        create: true,
        create_body: BodyRule::TeamAndCluster {
            column: "request",
            standing: Standing::Privileged,
            cluster: "cluster",
        },
        ..OF_TEAM
    },
    team: &["request", "team"],
    search: Search::Columns(&[
        &["request", "team", "name"],
        &["request", "title"],
        &["cluster", "name"],
    ]),
    order: None,
    broken_orders: &[],
    history: Some(History { name: "allocations | ResourceAllocation", relations: &[] }),
    fragile_create: false,
    self_delete_fails: false,
};

pub(super) static REVIEWS: Table = Table {
    resource: Resource::Reviews,
    group: "allocations",
    name: "reviews",
    model: "AllocationReview",
    label: "allocation review",
    methods: Methods::All,
    columns: &[
        Column::id(),
        Column::code("status", REVIEW_STATUS).required(),
        Column::moment("submitted").default(Default::Now),
        Column::reference("request", Resource::Requests, OnDelete::Cascade).required(),
        Column::reference("reviewer", Resource::Users, OnDelete::Protect)
            .default(Default::Caller)
            .own(Own::Only("Reviewer cannot be set to a different user than the submitter.")),
    ],
    record: &[
        Output::Column("id"),
        Output::One { name: "_request", column: "request", of: summaries::REQUEST },
        Output::One { name: "_reviewer", column: "reviewer", of: summaries::USER },
        Output::History,
        Output::Column("status"),
        Output::Column("submitted"),
        Output::Column("request"),
        Output::Column("reviewer"),
    ],
    rules: &[],
    access: OF_TEAM,
    team: &["request", "team"],
    search: Search::Broken,
    order: None,
    broken_orders: &[],
    history: Some(History { name: "allocations | AllocationReview", relations: &[] }),
    fragile_create: true,
    self_delete_fails: false,
};

static PUBLIC_IN_TEAM: &[Condition] = &[Condition::Member, Condition::False("private")];

pub(super) static COMMENTS: Table = Table {
    resource: Resource::Comments,
    group: "allocations",
    name: "comments",
    model: "Comment",
    label: "comment",
    methods: Methods::All,
    columns: &[
        Column::id(),
        Column::reference("user", Resource::Users, OnDelete::Protect)
            .default(Default::Caller)
            .default_on_put(),
        Column::text("content", 2000).required(),
        Column::moment("created").default(Default::Now),
        Column::boolean("private", false),
        Column::reference("request", Resource::Requests, OnDelete::Cascade).required(),
    ],
    record: &[
        Output::Column("id"),
        Output::Column("user"),
        Output::One { name: "_user", column: "user", of: summaries::USER },
        Output::One { name: "_request", column: "request", of: summaries::REQUEST },
        Output::History,
        Output::Column("content"),
        Output::Column("created"),
        Output::Column("private"),
        Output::Column("request"),
    ],
    rules: &[Rule::StaffOnlyValue {
        column: "private",
        value: true,
        create_only: false,
        message: "Only staff users can write comments marked as private.",
    }],
    access: Access {
        list: PUBLIC_IN_TEAM,
        read: PUBLIC_IN_TEAM,
        create: true,
        create_body: BodyRule::Team {
            column: "request",
            standing: Standing::Member,
            lenient: false,
            fragile: false,
        },
        update: PUBLIC_IN_TEAM,
        delete: PUBLIC_IN_TEAM,
        ..Access::STAFF_WRITES
    },
    team: &["request", "team"],
    search: Search::Columns(&[
        &["content"],
        &["request", "title"],
        &["user", "username"],
        &["user", "first_name"],
        &["user", "last_name"],
    ]),
    order: None,
    broken_orders: &[],
    history: Some(History { name: "allocations | Comment", relations: &[] }),
    fragile_create: false,
    self_delete_fails: false,
};
