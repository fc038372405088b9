//! The figures of the session dialect.

use crate::sandbox::schema::{Measure, Resource, Statistic, Test};

pub(super) static UPCOMING: &[Test] = &[Test::Is("status", "AP"), Test::Future("active")];
pub(super) static ACTIVE: &[Test] =
    &[Test::Is("status", "AP"), Test::PastOrToday("active"), Test::TodayOrFuture("expire")];
pub(super) static EXPIRED: &[Test] = &[Test::Is("status", "AP"), Test::Past("expire")];
pub(super) static PENDING: &[Test] = &[Test::Is("status", "PD")];
pub(super) static APPROVED: &[Test] = &[Test::Is("status", "AP")];
pub(super) static DECLINED: &[Test] = &[Test::Is("status", "DC")];

const fn awarded(tests: &'static [Test]) -> Measure {
    Measure::Units { column: "awarded", tests }
}

pub(super) static REQUESTS: Statistic = Statistic {
    path: "/stats/requests/",
    resource: Resource::Requests,
    figures: &[
        ("request_count", Measure::Count(&[])),
        ("request_pending_count", Measure::Count(PENDING)),
        ("request_approved_count", Measure::Count(APPROVED)),
        ("request_declined_count", Measure::Count(DECLINED)),
        ("request_upcoming_count", Measure::Count(UPCOMING)),
        ("request_active_count", Measure::Count(ACTIVE)),
        ("request_expired_count", Measure::Count(EXPIRED)),
        ("su_pending_total", awarded(PENDING)),
        ("su_declined_total", awarded(DECLINED)),
        ("su_approved_total", awarded(APPROVED)),
        ("su_upcoming_total", awarded(UPCOMING)),
        ("su_active_total", awarded(ACTIVE)),
        ("su_expired_total", awarded(EXPIRED)),
        ("su_requested_total", Measure::Units { column: "requested", tests: &[] }),
        ("su_awarded_total", awarded(&[])),
        ("su_finalized_total", Measure::Units { column: "final", tests: &[] }),
        ("days_pending_average", Measure::MeanDays { from: "submitted", to: "active" }),
        ("days_active_average", Measure::MeanDays { from: "active", to: "expire" }),
    ],
};

/// Grants without end are in none of the three states.
static FUTURE_GRANT: &[Test] = &[Test::Future("start_date")];
static CURRENT_GRANT: &[Test] = &[Test::PastOrToday("start_date"), Test::Future("end_date")];
static PAST_GRANT: &[Test] = &[Test::PastOrToday("end_date")];

const fn funding(tests: &'static [Test]) -> Measure {
    Measure::Amount { column: "amount", tests }
}

pub(super) static GRANTS: Statistic = Statistic {
    path: "/stats/grants/",
    resource: Resource::Grants,
    figures: &[
        ("grant_count", Measure::Count(&[])),
        ("upcoming_count", Measure::Count(FUTURE_GRANT)),
        ("active_count", Measure::Count(CURRENT_GRANT)),
        ("expired_count", Measure::Count(PAST_GRANT)),
        ("agency_count", Measure::Distinct("agency")),
        ("funding_total", funding(&[])),
        ("funding_upcoming", funding(FUTURE_GRANT)),
        ("funding_active", funding(CURRENT_GRANT)),
        ("funding_expired", funding(PAST_GRANT)),
        ("funding_average", Measure::MeanAmount("amount")),
    ],
};

pub(super) static PUBLICATIONS: Statistic = Statistic {
    path: "/stats/publications/",
    resource: Resource::Publications,
    figures: &[
        ("publications_count", Measure::Count(&[])),
        ("draft_count", Measure::Count(&[Test::Missing("submitted"), Test::Missing("published")])),
        (
            "submitted_count",
            Measure::Count(&[Test::Given("submitted"), Test::Missing("published")]),
        ),
        ("accepted_count", Measure::Count(&[Test::Given("published")])),
        ("journals_count", Measure::Distinct("journal")),
        ("review_average", Measure::MeanDuration { from: "submitted", to: "published" }),
    ],
};

pub(super) static NOTIFICATIONS: Statistic = Statistic {
    path: "/stats/notifications/",
    resource: Resource::Notifications,
    figures: &[("total", Measure::Count(&[])), ("unread", Measure::Count(&[Test::False("read")]))],
};
