use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::Capability;
use crate::request::RequestParts;

/// The version of a server.
///
/// ```
/// use keystone_client::capability::ServerVersion;
///
/// let version: ServerVersion = "0.10.9".parse()?;
/// assert!(version > "0.9.5".parse()?);
/// assert_eq!(version.to_string(), "0.10.9");
/// # Ok::<(), keystone_client::capability::InvalidVersion>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion([u32; 4]);

impl ServerVersion {
    /// From its numbers.
    pub const fn new([major, minor, patch]: [u32; 3]) -> Self {
        Self([major, minor, patch, 0])
    }

    /// For the `since` of a field in `resource!`; anything but digits and dots counts as zero.
    #[doc(hidden)]
    pub const fn of_literal(text: &'static str) -> Self {
        let mut numbers = [0; 4];
        let (mut place, mut rest) = (0, text.as_bytes());
        while let [byte, behind @ ..] = rest {
            match *byte {
                b'.' if place < 3 => place += 1,
                digit @ b'0'..=b'9' => {
                    if let Some(number) = nth(&mut numbers, place) {
                        *number = *number * 10 + (digit - b'0') as u32;
                    }
                }
                _ => {}
            }
            rest = behind;
        }
        Self(numbers)
    }

    /// Whether it says anything: servers that run from a source tree state `0.0.0`.
    pub fn is_known(self) -> bool {
        self > Self::new([0, 0, 0])
    }
}

/// Text that is not a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a version is numbers with dots between, such as `0.10.9`")]
#[non_exhaustive]
pub struct InvalidVersion;

/// Up to four numbers with dots between; what follows them, as in `0.3.27rc1`, makes no difference.
impl FromStr for ServerVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let mut numbers = [0; 4];
        let mut rest = text.trim();
        for (place, number) in numbers.iter_mut().enumerate() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, behind) = rest.split_at(end);
            match digits.parse() {
                Ok(parsed) => *number = parsed,
                Err(_) if place == 0 => return Err(InvalidVersion),
                Err(_) => break,
            }
            let Some(next) = behind.strip_prefix('.') else { break };
            rest = next;
        }
        Ok(Self(numbers))
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, fourth] = self.0;
        write!(f, "{major}.{minor}.{patch}")?;
        if fourth > 0 { write!(f, ".{fourth}") } else { Ok(()) }
    }
}

impl fmt::Debug for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerVersion({self})")
    }
}

/// Indexing in a constant, without an index that could be out of bounds.
const fn nth(numbers: &mut [u32; 4], place: usize) -> Option<&mut u32> {
    let [first, second, third, fourth] = numbers;
    match place {
        0 => Some(first),
        1 => Some(second),
        2 => Some(third),
        3 => Some(fourth),
        _ => None,
    }
}

/// What is known of a server: the range in which its version lies, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Server {
    earliest: ServerVersion,
    latest: ServerVersion,
}

const FIRST: ServerVersion = ServerVersion([0; 4]);
const LAST: ServerVersion = ServerVersion([u32::MAX; 4]);

/// The last server that took JSON Web Tokens, and the first that did not.
const LAST_JWT: ServerVersion = ServerVersion([0, 3, 26, u32::MAX]);
const FIRST_SESSION: ServerVersion = ServerVersion::new([0, 3, 27]);

impl Server {
    pub(crate) const UNKNOWN: Self = Self { earliest: FIRST, latest: LAST };

    /// One that takes JSON Web Tokens.
    pub(crate) const JWT: Self = Self { earliest: FIRST, latest: LAST_JWT };

    /// One that takes session cookies.
    pub(crate) const SESSION: Self = Self { earliest: FIRST_SESSION, latest: LAST };

    pub(crate) const fn of_version(version: ServerVersion) -> Self {
        Self { earliest: version, latest: version }
    }

    /// Whether it may be of this version.
    pub(crate) fn may_be(self, version: ServerVersion) -> bool {
        self.earliest <= version && version <= self.latest
    }

    /// Whether it is older than this version; `None` where what is known does not tell.
    pub(crate) fn is_before(self, version: ServerVersion) -> Option<bool> {
        if self.latest < version {
            Some(true)
        } else if self.earliest >= version {
            Some(false)
        } else {
            None
        }
    }

    pub(crate) fn version_is_known(self) -> bool {
        self.earliest == self.latest
    }

    /// Whether the server can do it; `None` where what is known does not tell.
    pub(crate) fn offers(self, capability: Capability) -> Option<bool> {
        let since = capability.since().unwrap_or(FIRST);
        let until = capability.until().unwrap_or(LAST);
        let (broken_from, broken_to) = capability.broken().unwrap_or((LAST, FIRST));
        if self.latest < since || self.earliest > until {
            return Some(false);
        }
        if self.earliest >= broken_from && self.latest <= broken_to {
            return Some(false);
        }
        let is_whole = self.latest < broken_from || self.earliest > broken_to;
        let is_inside = self.earliest >= since && self.latest <= until;
        (is_inside && is_whole).then_some(true)
    }

    fn is_at_most(self, version: [u32; 3]) -> bool {
        self.latest <= ServerVersion::new(version)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.earliest, self.latest) {
            (FIRST, LAST) => f.write_str("of unknown version"),
            (FIRST, LAST_JWT) => f.write_str("0.3.26 or older"),
            (_, LAST) => f.write_str("0.4.0 or newer"),
            (version, _) => write!(f, "{version}"),
        }
    }
}

/// Paths that were others before: the present one, and up to which version it was which.
const PATHS: &[(&str, &[([u32; 3], &str)])] = &[
    ("users/memberships/", &[([0, 7, 3], "users/membership/")]),
    (
        "allocations/request-choices/status/",
        &[([0, 7, 3], "allocations/allocation-request/status-choices/")],
    ),
    (
        "allocations/review-choices/status/",
        &[([0, 7, 3], "allocations/allocation-review/status-choices/")],
    ),
    ("users/membership-choices/role/", &[([0, 7, 3], "users/team-membership/role-choices/")]),
    (
        "notifications/notification-choices/type/",
        &[
            ([0, 7, 3], "notifications/allocation-request/status-choices/"),
            ([0, 9, 2], "notifications/notification-choices/type"),
        ],
    ),
    ("openapi/json/", &[([0, 8, 1], "openapi/json")]),
    ("openapi/yaml/", &[([0, 8, 1], "openapi/yaml")]),
];

/// Query parameters that were others before: the present one, and from which to which version it
/// was which.
const PARAMETERS: &[(&str, [u32; 3], [u32; 3], &str)] =
    &[("_order", [0, 5, 0], [0, 5, 8], "ordering")];

/// The request as this server wants it, with the path and the parameters that it knows; `None` where
/// that is the request as it is.
pub(crate) fn adapt(parts: &RequestParts, server: Server) -> Option<Box<RequestParts>> {
    // The generic calls go where they were told to go.
    if parts.verbatim {
        return None;
    }
    // Boxed, as it is seldom there and would take its room in every call.
    let mut adapted = None;
    if let Some(path) = earlier_path(&parts.path, server) {
        adapted.get_or_insert_with(|| Box::new(parts.clone())).path = path;
    }
    for &(name, from, until, earlier) in PARAMETERS {
        let is_within = server.earliest >= ServerVersion::new(from) && server.is_at_most(until);
        if is_within && parts.query.iter().any(|(given, _)| given == name) {
            let adapted = adapted.get_or_insert_with(|| Box::new(parts.clone()));
            for (given, _) in &mut adapted.query {
                if given == name {
                    *given = Cow::Borrowed(earlier);
                }
            }
        }
    }
    adapted
}

fn earlier_path(path: &str, server: Server) -> Option<String> {
    let (present, earlier) = PATHS.iter().find(|(present, _)| path.starts_with(present))?;
    let (_, earlier) = earlier.iter().find(|(until, _)| server.is_at_most(*until))?;
    Some(path.replacen(present, earlier, 1))
}

/// Whether the path was another one on some server.
pub(crate) fn was_elsewhere(path: &str) -> bool {
    PATHS.iter().any(|(present, _)| path.starts_with(present))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> ServerVersion {
        text.parse().unwrap()
    }

    fn server(text: &str) -> Server {
        Server::of_version(version(text))
    }

    #[test]
    fn versions_order_by_number() {
        let ascending =
            ["0.0.0", "0.3.26", "0.3.27.rc1", "0.4.0", "0.6.3", "0.6.3.1", "0.9.5", "0.10.9"];
        for pair in ascending.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
        assert_eq!(version("0.3.27rc1"), version("0.3.27"));
        assert_eq!(version("0.10.9+site").to_string(), "0.10.9");
        assert_eq!(version("0.6.3.1").to_string(), "0.6.3.1");
        assert!("".parse::<ServerVersion>().is_err());
        assert!("<html>".parse::<ServerVersion>().is_err());
        assert!(!version("0.0.0").is_known());
    }

    #[test]
    fn what_is_known_decides() {
        let feed = Capability::Feed;
        assert_eq!(server("0.10.6").offers(feed), Some(false));
        assert_eq!(server("0.10.7").offers(feed), Some(true));
        assert_eq!(server("1.0.0").offers(feed), Some(true));
        assert_eq!(Server::UNKNOWN.offers(feed), None);
        assert_eq!(Server::SESSION.offers(feed), None);
        assert_eq!(Server::JWT.offers(feed), Some(false));

        let filters = Capability::Filters;
        assert_eq!(server("0.6.6").offers(filters), Some(true));
        assert_eq!(server("0.6.7").offers(filters), Some(false));
        assert_eq!(server("0.6.9").offers(filters), Some(false));
        assert_eq!(server("0.6.9.1").offers(filters), Some(true));
        assert_eq!(Server::JWT.offers(filters), Some(true));
        assert_eq!(Server::SESSION.offers(filters), None);

        let groups = Capability::ResearchGroups;
        assert_eq!(server("0.4.1").offers(groups), Some(true));
        assert_eq!(server("0.5.0").offers(groups), Some(false));
        assert_eq!(Server::JWT.offers(groups), Some(true));
        assert_eq!(Server::SESSION.offers(groups), None);
    }

    #[test]
    fn paths_follow_the_version() {
        let path = |path: &str, of: &str| {
            earlier_path(path, server(of)).unwrap_or_else(|| path.to_owned())
        };
        assert_eq!(path("users/memberships/7/", "0.7.3"), "users/membership/7/");
        assert_eq!(path("users/memberships/7/", "0.7.4"), "users/memberships/7/");
        assert_eq!(path("openapi/json/", "0.3.26"), "openapi/json");
        let choices = "notifications/notification-choices/type/";
        assert_eq!(path(choices, "0.7.3"), "notifications/allocation-request/status-choices/");
        assert_eq!(path(choices, "0.9.2"), "notifications/notification-choices/type");
        assert_eq!(path(choices, "0.9.3"), choices);
    }
}
