//! How servers of different releases behave, apart from what is in their tables.

use crate::sandbox::release::{Release, Span};

/// How a caller says in a header who it is, beside the cookie of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// A JSON Web Token; there are no sessions.
    Bearer,
    /// Name and password.
    Basic,
    /// A static token.
    Token,
}

/// What a login answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LoginAnswer {
    /// A key, which is a static token where those are taken. A logout without login is fine.
    Key,
    /// The record of the user. A logout is for those who are logged in.
    User,
}

/// The form of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListForm {
    /// An array of all records.
    Whole,
    /// An array of one page, with headers about it.
    Headers,
    /// An object around one page.
    Envelope,
}

/// The negated lookups that are known. Others are passed over, like all unknown parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Negations {
    None,
    /// `not_in`, `not_contains`, `not_isnull`
    Few,
    /// `not_eq`, `not_in`, `not_contains`, `not_startswith`, `not_endswith`
    All,
}

/// The form of the report about the services that the server depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HealthReport {
    /// An object by the name of the check.
    ByName,
    /// A list of checks.
    List,
}

/// What is settled by the release of a server, once it is built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Era {
    pub(crate) scheme: Scheme,
    pub(crate) login: LoginAnswer,
    /// The challenge in refusals for want of a login; none where these have the status 403.
    pub(crate) challenge: Option<&'static str>,
    pub(crate) lists: ListForm,
    /// The parameter for the order of a list.
    pub(crate) order: Option<&'static str>,
    pub(crate) searches: bool,
    pub(crate) negations: Negations,
    /// Lists that are narrowed to the caller's teams, or to the caller, pass over all parameters.
    pub(crate) deaf_lists: bool,
    /// The version is a page outside the API, as are the metrics.
    pub(crate) version_is_page: bool,
    pub(crate) specification_is_public: bool,
    pub(crate) health: HealthReport,
    /// A request that cannot be written to the log is answered with a server error.
    pub(crate) fragile_log: bool,
    /// Records are looked up before it is refused to change them.
    pub(crate) looks_up_first: bool,
    /// Requests can bear an id.
    pub(crate) correlates: bool,
    /// The default limits on requests: of a user, without login, and the seconds they are for.
    pub(crate) rates: (usize, usize, u64),
}

impl Era {
    pub(crate) fn of(release: Release) -> Self {
        let since = |numbers| release.is_since(numbers);
        let scheme = match () {
            () if since([0, 6, 4]) => Scheme::Token,
            () if since([0, 3, 27]) => Scheme::Basic,
            () => Scheme::Bearer,
        };
        Self {
            scheme,
            login: if since([0, 6, 12]) { LoginAnswer::User } else { LoginAnswer::Key },
            challenge: match scheme {
                Scheme::Bearer => Some("Bearer realm=\"api\""),
                Scheme::Basic => None,
                Scheme::Token => Some("Token"),
            },
            lists: match () {
                () if since([0, 8, 0]) => ListForm::Envelope,
                () if since([0, 7, 4]) => ListForm::Headers,
                () => ListForm::Whole,
            },
            order: match () {
                () if since([0, 5, 9]) => Some("_order"),
                () if since([0, 5, 0]) => Some("ordering"),
                () => None,
            },
            searches: since([0, 5, 9]),
            negations: match () {
                () if since([0, 10, 7]) => Negations::All,
                () if since([0, 9, 3]) => Negations::Few,
                () => Negations::None,
            },
            // The correction of the last of them has a fourth number.
            deaf_lists: since([0, 6, 7]) && release <= Release::new([0, 6, 9]),
            version_is_page: !since([0, 6, 11]),
            specification_is_public: since([0, 8, 2]),
            health: if since([0, 10, 0]) { HealthReport::List } else { HealthReport::ByName },
            fragile_log: scheme == Scheme::Bearer,
            looks_up_first: release.has_teams(),
            correlates: since([0, 6, 3]),
            rates: match () {
                () if since([0, 5, 14]) => (300, 120, 60),
                () if since([0, 5, 5]) => (240, 120, 60),
                () => (10_000, 1_000, 86_400),
            },
        }
    }
}

/// Where paths were in releases in which they were not where they are now; none where they were
/// not there at all.
type Whereabouts = &'static [(Span, Option<&'static str>)];

static PATHS: &[(&str, Whereabouts)] = &[
    ("/config/", &[(Span::until([0, 9, 4]), None)]),
    ("/batch/", &[(Span::until([0, 9, 5]), None)]),
    ("/metrics/", &[(Span::since([0, 6, 21]), None)]),
    ("/logs/feed/", &[(Span::until([0, 10, 6]), None)]),
    ("/openapi/json/", &[(Span::until([0, 8, 1]), Some("/openapi/json"))]),
    ("/openapi/yaml/", &[(Span::until([0, 8, 1]), Some("/openapi/yaml"))]),
    ("/stats/requests/", &[(Span::until([0, 8, 1]), None)]),
    ("/stats/grants/", &[(Span::until([0, 8, 1]), None)]),
    ("/stats/publications/", &[(Span::until([0, 8, 1]), None)]),
    ("/stats/notifications/", &[(Span::until([0, 8, 6]), None)]),
    ("/allocations/cluster-choices/access-mode/", &[(Span::until([0, 10, 3]), None)]),
    (
        "/allocations/request-choices/status/",
        &[
            (Span::until([0, 5, 5]), None),
            (Span::until([0, 7, 3]), Some("/allocations/allocation-request/status-choices/")),
        ],
    ),
    (
        "/allocations/review-choices/status/",
        &[
            (Span::until([0, 5, 5]), None),
            (Span::until([0, 7, 3]), Some("/allocations/allocation-review/status-choices/")),
        ],
    ),
    (
        "/users/membership-choices/role/",
        &[
            (Span::until([0, 5, 5]), None),
            (Span::until([0, 7, 3]), Some("/users/team-membership/role-choices/")),
        ],
    ),
    (
        "/notifications/notification-choices/type/",
        &[
            (Span::until([0, 6, 12]), None),
            // The name is that of another list; the server has it so.
            (Span::until([0, 7, 3]), Some("/notifications/allocation-request/status-choices/")),
            (Span::until([0, 9, 2]), Some("/notifications/notification-choices/type")),
        ],
    ),
];

/// The path that a present one is in a release.
pub(crate) fn path_in(release: Release, path: &'static str) -> Option<&'static str> {
    former(release, path).unwrap_or(Some(path))
}

/// Whether a release has what is at a present path.
pub(crate) fn has_path(release: Release, path: &str) -> bool {
    former(release, path) != Some(None)
}

/// Where a path was, if a release has it elsewhere or not at all.
fn former(release: Release, path: &str) -> Option<Option<&'static str>> {
    let (_, places) = PATHS.iter().find(|(present, _)| *present == path)?;
    let place = places.iter().find(|(span, _)| span.contains(release));
    place.map(|(_, former)| *former)
}
