//! How the tables of other releases differ from the present ones.

use crate::sandbox::difference::{Difference, What};
use crate::sandbox::release::Span;
use crate::sandbox::schema::{
    Column, Default, Kind, Measure, OnDelete, Output, Own, Resource, Statistic, Test,
};
use crate::sandbox::tables::stats;

const fn until(last: [u16; 3], resource: Resource, what: What) -> Difference {
    Difference { resource, span: Span::until(last), what }
}

const fn since(first: [u16; 3], resource: Resource, what: What) -> Difference {
    Difference { resource, span: Span::since(first), what }
}

const fn between(first: [u16; 3], last: [u16; 3], resource: Resource, what: What) -> Difference {
    Difference { resource, span: Span::between(first, last), what }
}

/// A picture that the server draws; its path is all there is of it here.
const PROFILE_IMAGE: Column =
    Column::long_text("profile_image").null().read_only().not_filterable().not_logged();

/// Of the servers with research groups, from the last of them.
pub(super) static BEFORE_TEAMS: &[Difference] = &[
    since([0, 4, 1], Resource::Users, What::AlsoOnTop("role", PROFILE_IMAGE)),
    since([0, 0, 0], Resource::TaskLog, What::Lacks(&["date_started"])),
];

/// Of the servers with teams, from the present one.
#[rustfmt::skip]
pub(super) static WITH_TEAMS: &[Difference] = &[
    // Users, teams and memberships.
    until([0, 8, 6], Resource::Users, What::Lacks(&["display_name", "abbreviation"])),
    until([0, 5, 17], Resource::Users, What::Lacks(&["_membership"])),
    until([0, 8, 7], Resource::Users, What::Called("_membership", "membership")),
    until([0, 6, 4], Resource::Users, What::Lacks(&["_history"])),
    until([0, 10, 1], Resource::Users, What::AlsoOnTop("role", PROFILE_IMAGE)),
    until([0, 10, 3], Resource::Users, What::Instead("first_name", Column::text("first_name", 150).null())),
    until([0, 10, 3], Resource::Users, What::Instead("last_name", Column::text("last_name", 150).null())),
    until([0, 10, 3], Resource::Users, What::Instead("email", Column::new("email", Kind::Email { max: 254 }).null())),
    until([0, 6, 12], Resource::Users, What::LacksWithin(&["id"])),
    until([0, 7, 1], Resource::Users, What::LacksWithin(&["department", "role"])),
    until([0, 7, 5], Resource::Teams, What::Lacks(&["slug"])),
    until([0, 5, 17], Resource::Teams, What::Lacks(&["_membership"])),
    until([0, 8, 7], Resource::Teams, What::Called("_membership", "membership")),
    until([0, 6, 4], Resource::Teams, What::Lacks(&["_history"])),
    until([0, 10, 2], Resource::Teams, What::Instead("name", Column::text("name", 255).required().unique())),
    // Updates have set nothing but the name.
    between([0, 6, 0], [0, 7, 5], Resource::Teams, What::Instead("is_active", Column::boolean("is_active", true).on_create_only())),
    until([0, 6, 12], Resource::Teams, What::LacksWithin(&["id"])),
    until([0, 8, 3], Resource::Teams, What::LacksWithin(&["slug"])),
    until([0, 8, 4], Resource::Teams, What::ListsAll),
    until([0, 7, 3], Resource::Memberships, What::Named("membership")),
    until([0, 5, 17], Resource::Memberships, What::Lacks(&["_user", "_team"])),
    until([0, 6, 4], Resource::Memberships, What::Lacks(&["_history"])),
    // Clusters, requests and what belongs to them.
    until([0, 8, 1], Resource::Clusters, What::Lacks(&["access_mode", "access_teams"])),
    until([0, 10, 3], Resource::Clusters, What::Lacks(&["_access_teams"])),
    until([0, 9, 5], Resource::Clusters, What::ListsAll),
    until([0, 6, 4], Resource::Clusters, What::Lacks(&["_history"])),
    until([0, 6, 3], Resource::Clusters, What::Instead("name", Column::text("name", 50).required())),
    until([0, 6, 12], Resource::Clusters, What::LacksWithin(&["id"])),
    until([0, 5, 14], Resource::Requests, What::Lacks(&["publications", "grants"])),
    until([0, 5, 17], Resource::Requests, What::Lacks(&["_team", "_assignees", "_publications", "_grants"])),
    until([0, 6, 4], Resource::Requests, What::Lacks(&["_history"])),
    until([0, 6, 6], Resource::Requests, What::HidesOthers),
    until([0, 6, 7], Resource::Requests, What::Lacks(&["_submitter"])),
    until([0, 6, 11], Resource::Requests, What::Lacks(&["_allocations"])),
    until([0, 6, 12], Resource::Requests, What::LacksWithin(&["id"])),
    until([0, 6, 13], Resource::Requests, What::Instead("submitted", Column::date("submitted").read_only().default(Default::TodayOnSave))),
    until([0, 7, 1], Resource::Requests, What::Lacks(&["_comments"])),
    until([0, 9, 5], Resource::Requests, What::Lacks(&["_attachments"])),
    until([0, 9, 5], Resource::Requests, What::Instead("submitter", SUBMITTER)),
    between([0, 10, 0], [0, 10, 3], Resource::Requests, What::Instead("submitter", SUBMITTER.required())),
    until([0, 5, 17], Resource::Allocations, What::Lacks(&["_cluster", "_request"])),
    until([0, 6, 4], Resource::Allocations, What::Lacks(&["_history"])),
    until([0, 6, 6], Resource::Allocations, What::HidesOthers),
    until([0, 10, 3], Resource::Allocations, What::Instead("cluster", Column::reference("cluster", Resource::Clusters, OnDelete::Cascade).required())),
    until([0, 5, 17], Resource::Reviews, What::Lacks(&["_request", "_reviewer"])),
    until([0, 5, 17], Resource::Reviews, What::Also("status", Column::text("public_comments", 1600).null().blank())),
    until([0, 5, 17], Resource::Reviews, What::Also("status", Column::text("private_comments", 1600).null().blank())),
    until([0, 6, 4], Resource::Reviews, What::Lacks(&["_history"])),
    until([0, 6, 6], Resource::Reviews, What::HidesOthers),
    until([0, 6, 13], Resource::Reviews, What::Instead("submitted", Column::moment("last_modified").default(Default::NowOnSave))),
    until([0, 10, 3], Resource::Reviews, What::Instead("reviewer", REVIEWER)),
    until([0, 5, 2], Resource::Attachments, What::Absent),
    until([0, 5, 17], Resource::Attachments, What::Lacks(&["_request"])),
    // A file that is sent is lost, and nothing says so.
    until([0, 6, 0], Resource::Attachments, What::Instead("file", Column::long_text("path").null().read_only().not_filterable())),
    until([0, 6, 0], Resource::Attachments, What::Lacks(&["name"])),
    until([0, 6, 4], Resource::Attachments, What::Lacks(&["_history"])),
    until([0, 6, 6], Resource::Attachments, What::HidesOthers),
    until([0, 5, 17], Resource::Comments, What::Absent),
    until([0, 6, 4], Resource::Comments, What::Lacks(&["_user", "_request", "_history"])),
    until([0, 8, 5], Resource::Comments, What::LacksWithin(&["id"])),
    // Grants and publications.
    until([0, 10, 5], Resource::Grants, What::Lacks(&["pi"])),
    until([0, 8, 1], Resource::Grants, What::Lacks(&["description"])),
    until([0, 8, 1], Resource::Grants, What::Instead("end_date", Column::date("end_date").required())),
    until([0, 10, 5], Resource::Grants, What::Instead("grant_number", Column::text("grant_number", 250).required())),
    until([0, 7, 1], Resource::Grants, What::Also("grant_number", Column::new("fiscal_year", Kind::Integer { min: i64::MIN, max: i64::MAX }).required())),
    between([0, 7, 2], [0, 7, 2], Resource::Grants, What::Also("amount", Column::text("currency", 3).required())),
    until([0, 5, 17], Resource::Grants, What::Lacks(&["_team"])),
    until([0, 6, 4], Resource::Grants, What::Lacks(&["_history"])),
    until([0, 6, 13], Resource::Grants, What::WholeWithin),
    until([0, 6, 6], Resource::Grants, What::HidesOthers),
    until([0, 8, 1], Resource::Publications, What::Instead("abstract", Column::long_text("abstract").required())),
    until([0, 5, 14], Resource::Publications, What::Instead("published", Column::date("date").titled("Publication Date").required())),
    until([0, 5, 14], Resource::Publications, What::Lacks(&["submitted", "volume", "issue"])),
    until([0, 5, 14], Resource::Publications, What::Instead("journal", Column::text("journal", 100).required())),
    between([0, 5, 15], [0, 7, 1], Resource::Publications, What::Also("journal", Column::boolean("preparation", false))),
    until([0, 5, 17], Resource::Publications, What::Lacks(&["_team"])),
    until([0, 6, 4], Resource::Publications, What::Lacks(&["_history"])),
    until([0, 6, 13], Resource::Publications, What::WholeWithin),
    until([0, 6, 6], Resource::Publications, What::HidesOthers),
    // Notifications.
    until([0, 6, 7], Resource::Preferences, What::Absent),
    until([0, 6, 7], Resource::Notifications, What::Absent),
    until([0, 6, 12], Resource::Notifications, What::Also("message_html", Column::new("metadata", Kind::Json).null().read_only().not_filterable())),
    until([0, 8, 7], Resource::Notifications, What::Instead("message_html", Column::long_text("message").read_only().default(Default::Text("")))),
    until([0, 8, 7], Resource::Notifications, What::Lacks(&["message_text"])),
    // Logs.
    until([0, 6, 2], Resource::AuditLog, What::Absent),
    until([0, 6, 4], Resource::AuditLog, What::Record(RAW_AUDIT)),
    until([0, 6, 7], Resource::AuditLog, What::Lacks(&["_actor"])),
    since([0, 7, 0], Resource::AppLog, What::Absent),
    since([0, 6, 7], Resource::AppLog, What::Instead("time", Column::moment("timestamp").default(Default::Now))),
    until([0, 6, 6], Resource::RequestLog, What::Instead("timestamp", Column::moment("time").default(Default::Now))),
    until([0, 6, 2], Resource::RequestLog, What::Lacks(&["cid"])),
    until([0, 5, 17], Resource::RequestLog, What::Lacks(&["_user"])),
    until([0, 5, 9], Resource::RequestLog, What::Also("response_code", Column::raw_text("body_request"))),
    until([0, 5, 9], Resource::RequestLog, What::Also("response_code", Column::raw_text("body_response"))),
];

const SUBMITTER: Column = Column::reference("submitter", Resource::Users, OnDelete::SetNull).null();

const REVIEWER: Column = Column::reference("reviewer", Resource::Users, OnDelete::SetNull)
    .null()
    .default(Default::Caller)
    .own(Own::Only("Reviewer cannot be set to a different user than the submitter"));

/// The audit log as it was stored.
static RAW_AUDIT: &[Output] = &[
    Output::Column("id"),
    Output::Column("object_pk"),
    Output::Column("object_id"),
    Output::Column("object_repr"),
    Output::Column("action"),
    Output::Column("changes_text"),
    Output::Changes,
    Output::Column("cid"),
    Output::Column("remote_addr"),
    Output::Column("remote_port"),
    Output::Column("timestamp"),
    Output::Column("content_type"),
    Output::Column("actor"),
];

/// Entries of the change log within records came without the user at first.
pub(crate) static NAMELESS_HISTORY: Span = Span::until([0, 6, 15]);

/// Figures in the place of the present ones.
pub(crate) static FORMER_STATISTICS: &[(Span, &Statistic)] =
    &[(Span::until([0, 8, 3]), &FORMER_REQUESTS)];

const fn awarded(tests: &'static [Test]) -> Measure {
    Measure::Units { column: "awarded", tests }
}

/// Without those by cluster, and without the ratios.
static FORMER_REQUESTS: Statistic = Statistic {
    path: "/stats/requests/",
    resource: Resource::Requests,
    figures: &[
        ("request_count", Measure::Count(&[])),
        ("request_pending_count", Measure::Count(stats::PENDING)),
        ("request_approved_count", Measure::Count(stats::APPROVED)),
        ("request_declined_count", Measure::Count(stats::DECLINED)),
        ("request_upcoming_count", Measure::Count(stats::UPCOMING)),
        ("request_active_count", Measure::Count(stats::ACTIVE)),
        ("request_expired_count", Measure::Count(stats::EXPIRED)),
        ("su_requested_total", Measure::Units { column: "requested", tests: &[] }),
        ("su_awarded_total", awarded(&[])),
        ("su_awarded_upcoming", awarded(stats::UPCOMING)),
        ("su_awarded_active", awarded(stats::ACTIVE)),
        ("su_awarded_expired", awarded(stats::EXPIRED)),
        ("su_finalized_total", Measure::Units { column: "final", tests: &[] }),
        ("days_pending_average", Measure::MeanDays { from: "submitted", to: "active" }),
        ("days_active_average", Measure::MeanDays { from: "active", to: "expire" }),
    ],
};
