//! The tables of both dialects: what the server stores, accepts, shows and permits.

mod allocations;
mod jwt;
mod logs;
mod notifications;
mod releases;
mod research;
mod stats;
mod summaries;
mod users;

use crate::sandbox::release::Release;
use crate::sandbox::schema::{Belonging, Blueprint, Choices, Resource};

pub(crate) use logs::{ACTION, HISTORY_ENTRY};
pub(crate) use releases::{FORMER_STATISTICS, NAMELESS_HISTORY};

pub(crate) static REQUEST_STATUS: Choices =
    &[("PD", "Pending"), ("AP", "Approved"), ("DC", "Declined"), ("CR", "Changes Requested")];
pub(crate) static REVIEW_STATUS: Choices =
    &[("AP", "Approved"), ("DC", "Declined"), ("CR", "Changes Requested")];
pub(crate) static ACCESS_MODE: Choices =
    &[("WL", "Whitelist"), ("BL", "Blacklist"), ("OP", "Open")];
pub(crate) static ROLE: Choices = &[("OW", "Owner"), ("AD", "Admin"), ("MB", "Member")];
pub(crate) static NOTIFICATION_TYPE: Choices = &[
    ("GM", "General Message"),
    ("RE", "Upcoming Request Expiration"),
    ("RD", "Request Past Expiration"),
];

static WITH_TEAMS: Blueprint = Blueprint {
    tables: &[
        &users::USERS,
        &users::TEAMS,
        &users::MEMBERSHIPS,
        &allocations::CLUSTERS,
        &allocations::REQUESTS,
        &allocations::ALLOCATIONS,
        &allocations::ATTACHMENTS,
        &allocations::REVIEWS,
        &allocations::COMMENTS,
        &research::GRANTS,
        &research::PUBLICATIONS,
        &notifications::PREFERENCES,
        &notifications::NOTIFICATIONS,
        &logs::AUDIT,
        &logs::APPS,
        &logs::TRACED_REQUESTS,
        &logs::TASKS,
        &logs::FEED,
    ],
    belonging: Belonging::Rows(Resource::Memberships),
    groups: &[
        (
            "allocations",
            &["allocations", "attachments", "clusters", "comments", "requests", "reviews"],
        ),
        ("logs", &["apps", "audit", "requests", "tasks"]),
        ("notifications", &["notifications", "preferences"]),
        ("research", &["grants", "publications"]),
        ("users", &["memberships", "teams", "users"]),
    ],
    choices: &[
        ("/allocations/request-choices/status/", REQUEST_STATUS),
        ("/allocations/review-choices/status/", REVIEW_STATUS),
        ("/allocations/cluster-choices/access-mode/", ACCESS_MODE),
        ("/users/membership-choices/role/", ROLE),
        ("/notifications/notification-choices/type/", NOTIFICATION_TYPE),
    ],
    statistics: &[&stats::REQUESTS, &stats::GRANTS, &stats::PUBLICATIONS, &stats::NOTIFICATIONS],
    differences: releases::WITH_TEAMS,
};

static BEFORE_TEAMS: Blueprint = Blueprint {
    tables: &[
        &jwt::USERS,
        &jwt::RESEARCH_GROUPS,
        &jwt::CLUSTERS,
        &jwt::REQUESTS,
        &jwt::ALLOCATIONS,
        &jwt::REVIEWS,
        &jwt::GRANTS,
        &jwt::PUBLICATIONS,
        &logs::APPS,
        &logs::REQUESTS,
        &logs::TASKS,
    ],
    belonging: Belonging::Columns {
        resource: Resource::ResearchGroups,
        privileged: &["pi", "admins"],
        members: &["members"],
    },
    groups: &[
        ("allocations", &["clusters", "allocations", "requests", "reviews"]),
        ("users", &["researchgroups", "users"]),
        ("research", &["publications", "grants"]),
        ("logs", &["apps", "requests", "tasks"]),
    ],
    choices: &[],
    statistics: &[],
    differences: releases::BEFORE_TEAMS,
};

/// What the tables of a release are made of.
pub(crate) fn blueprint(release: Release) -> &'static Blueprint {
    if release.has_teams() { &WITH_TEAMS } else { &BEFORE_TEAMS }
}
