//! Grants and publications of the session dialect.

use crate::sandbox::schema::{
    Access, BodyRule, Column, Condition, History, Kind, Methods, OnDelete, Output, Resource, Rule,
    Search, Standing, Table,
};
use crate::sandbox::tables::summaries;

/// Everything for every member of the team.
const OF_MEMBERS: Access = Access {
    list: &[Condition::Member],
    visible: &[],
    read: &[Condition::Member],
    create: true,
    create_body: OWN_TEAM,
    update: &[Condition::Member],
    update_body: OWN_TEAM,
    delete: &[Condition::Member],
    binds_staff: false,
};

const OWN_TEAM: BodyRule =
    BodyRule::Team { column: "team", standing: Standing::Member, lenient: true, fragile: true };

pub(super) static GRANTS: Table = Table {
    resource: Resource::Grants,
    group: "research",
    name: "grants",
    model: "Grant",
    label: "grant",
    methods: Methods::All,
    columns: &[
        Column::id(),
        Column::text("title", 250).required(),
        Column::text("agency", 100).required(),
        Column::text("pi", 100).null().blank(),
        Column::new("amount", Kind::Decimal { digits: 14, places: 2 }).required(),
        Column::text("grant_number", 250).null().blank(),
        Column::date("start_date").required(),
        Column::date("end_date").null(),
        Column::long_text("description").null().blank(),
        Column::reference("team", Resource::Teams, OnDelete::Cascade).required(),
    ],
    record: &[
        Output::Column("id"),
        Output::One { name: "_team", column: "team", of: summaries::TEAM },
        Output::History,
        Output::Column("title"),
        Output::Column("agency"),
        Output::Column("pi"),
        Output::Column("amount"),
        Output::Column("grant_number"),
        Output::Column("start_date"),
        Output::Column("end_date"),
        Output::Column("description"),
        Output::Column("team"),
    ],
    rules: &[],
    access: OF_MEMBERS,
    team: &["team"],
    search: Search::Columns(&[&["title"], &["agency"], &["pi"], &["team", "name"]]),
    order: None,
    broken_orders: &[],
    history: Some(History {
        name: "research_products | Grant",
        content_type: 31,
        text: "Grant #{id} - {title|100}",
        relations: &[],
    }),
    fragile_create: false,
    self_delete_fails: false,
};

pub(super) static PUBLICATIONS: Table = Table {
    resource: Resource::Publications,
    group: "research",
    name: "publications",
    model: "Publication",
    label: "publication",
    methods: Methods::All,
    columns: &[
        Column::id(),
        Column::text("title", 250).required(),
        Column::long_text("abstract").null().blank(),
        Column::date("published").null(),
        Column::date("submitted").null(),
        Column::text("journal", 100).null().blank(),
        Column::text("doi", 50).null().blank().unique(),
        Column::text("volume", 20).null().blank(),
        Column::text("issue", 20).null().blank(),
        Column::reference("team", Resource::Teams, OnDelete::Cascade).required(),
    ],
    record: &[
        Output::Column("id"),
        Output::One { name: "_team", column: "team", of: summaries::TEAM },
        Output::History,
        Output::Column("title"),
        Output::Column("abstract"),
        Output::Column("published"),
        Output::Column("submitted"),
        Output::Column("journal"),
        Output::Column("doi"),
        Output::Column("volume"),
        Output::Column("issue"),
        Output::Column("team"),
    ],
    rules: &[Rule::BlankOnce("doi")],
    access: OF_MEMBERS,
    team: &["team"],
    search: Search::Columns(&[
        &["title"],
        &["abstract"],
        &["journal"],
        &["doi"],
        &["team", "name"],
    ]),
    order: None,
    broken_orders: &[],
    history: Some(History {
        name: "research_products | Publication",
        content_type: 32,
        text: "Publication #{id} - {title|100}",
        relations: &[],
    }),
    fragile_create: false,
    self_delete_fails: false,
};
