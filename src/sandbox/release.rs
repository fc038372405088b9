//! Releases of the server, and spans of them.

use crate::sandbox::Dialect;

/// A release, by its numbers. Releases are ordered by them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Release([u16; 4]);

/// The releases that a sandbox can be, in order. Candidates and corrections of packages are left out.
const RELEASES: &str = "0.3.26 0.3.27 0.4.0 0.4.1 \
    0.5.0 0.5.1 0.5.2 0.5.3 0.5.4 0.5.5 0.5.6 0.5.7 0.5.8 0.5.9 0.5.10 0.5.11 0.5.12 0.5.13 0.5.14 \
    0.5.15 0.5.16 0.5.17 \
    0.6.0 0.6.1 0.6.2 0.6.3 0.6.3.1 0.6.4 0.6.5 0.6.6 0.6.7 0.6.8 0.6.9 0.6.9.1 0.6.10 0.6.11 \
    0.6.12 0.6.13 0.6.14 0.6.15 0.6.16 0.6.16.1 0.6.17 0.6.18 0.6.19 0.6.20 0.6.21 \
    0.7.0 0.7.1 0.7.2 0.7.3 0.7.4 0.7.5 \
    0.8.0 0.8.1 0.8.2 0.8.3 0.8.4 0.8.5 0.8.6 0.8.7 \
    0.9.0 0.9.1 0.9.2 0.9.3 0.9.4 0.9.5 \
    0.10.0 0.10.1 0.10.2 0.10.3 0.10.4 0.10.5 0.10.6 0.10.7 0.10.8 0.10.9";

const FIRST_SESSION: Release = Release::new([0, 3, 27]);
const FIRST_TEAMS: Release = Release::new([0, 5, 0]);

impl Release {
    pub(crate) const fn new([major, minor, patch]: [u16; 3]) -> Self {
        Self([major, minor, patch, 0])
    }

    /// The newest of a dialect.
    pub(crate) const fn newest(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Session => Self::new([0, 10, 9]),
            Dialect::Jwt => Self::new([0, 3, 26]),
        }
    }

    /// Up to four numbers with dots between. What follows them makes no difference.
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = [0; 4];
        let mut rest = text.trim();
        for (place, number) in numbers.iter_mut().enumerate() {
            let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, behind) = rest.split_at(end);
            match digits.parse() {
                Ok(parsed) => *number = parsed,
                Err(_) if place == 0 => return None,
                Err(_) => break,
            }
            let Some(next) = behind.strip_prefix('.') else { break };
            rest = next;
        }
        Some(Self(numbers))
    }

    /// All that a sandbox can be, in order.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        RELEASES.split_whitespace().filter_map(Self::parse)
    }

    /// The release that a version and a dialect mean, as far as they are given: the last one that is
    /// not newer. A version that says nothing, or that is not one of the dialect, has no part in it.
    pub(crate) fn meant(version: Option<&str>, dialect: Option<Dialect>) -> Self {
        let newest = Self::newest(dialect.unwrap_or(Dialect::Session));
        let given = version.and_then(Self::parse).filter(|given| *given > Self([0; 4]));
        let found = given.map(|given| {
            let known = Self::all().take_while(|known| *known <= given);
            known.last().unwrap_or(Self::newest(Dialect::Jwt))
        });
        found.filter(|found| dialect.is_none_or(|it| it == found.dialect())).unwrap_or(newest)
    }

    pub(crate) fn dialect(self) -> Dialect {
        if self < FIRST_SESSION { Dialect::Jwt } else { Dialect::Session }
    }

    /// Whether users are in teams; before, they were in research groups.
    pub(crate) fn has_teams(self) -> bool {
        self >= FIRST_TEAMS
    }

    pub(crate) fn is_since(self, numbers: [u16; 3]) -> bool {
        self >= Self::new(numbers)
    }

    /// The version as its packages state it.
    pub(crate) fn text(self) -> String {
        let [major, minor, patch, fourth] = self.0;
        let text = format!("{major}.{minor}.{patch}");
        if fourth == 0 { text } else { format!("{text}.{fourth}") }
    }
}

/// Releases from one to another, both included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    first: Release,
    last: Release,
}

impl Span {
    pub(crate) const fn until(last: [u16; 3]) -> Self {
        Self::between([0; 3], last)
    }

    pub(crate) const fn since(first: [u16; 3]) -> Self {
        Self::between(first, [u16::MAX; 3])
    }

    /// The release with these numbers and those that have a fourth number as well are included.
    pub(crate) const fn between(first: [u16; 3], last: [u16; 3]) -> Self {
        let [major, minor, patch] = last;
        Self { first: Release::new(first), last: Release([major, minor, patch, u16::MAX]) }
    }

    pub(crate) fn contains(self, release: Release) -> bool {
        self.first <= release && release <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::{Release, Span};
    use crate::sandbox::Dialect;

    fn meant(version: &str, dialect: Option<Dialect>) -> String {
        Release::meant(Some(version), dialect).text()
    }

    #[test]
    fn a_version_means_the_last_release_that_is_not_newer() {
        for (version, release) in [
            ("0.8.7", "0.8.7"),
            ("0.8.9", "0.8.7"),
            ("0.6.9.1", "0.6.9.1"),
            ("0.3.27.rc1", "0.3.27"),
            ("0.1.0", "0.3.26"),
            ("0.10.12", "0.10.9"),
            ("1.2.3", "0.10.9"),
            ("0.0.0", "0.10.9"),
            ("local", "0.10.9"),
        ] {
            assert_eq!(meant(version, None), release, "{version}");
        }
    }

    #[test]
    fn a_version_of_the_other_dialect_says_nothing() {
        assert_eq!(meant("0.8.7", Some(Dialect::Jwt)), "0.3.26");
        assert_eq!(meant("0.3.26", Some(Dialect::Session)), "0.10.9");
        assert_eq!(meant("0.0.0", Some(Dialect::Jwt)), "0.3.26");
        assert_eq!(meant("0.8.7", Some(Dialect::Session)), "0.8.7");
        assert_eq!(Release::meant(None, None).text(), "0.10.9");
    }

    #[test]
    fn releases_are_in_order() {
        let all: Vec<_> = Release::all().collect();
        assert!(all.is_sorted());
        assert_eq!(all.len(), super::RELEASES.split_whitespace().count());
        assert!(Span::until([0, 6, 3]).contains(Release::parse("0.6.3.1").unwrap()));
        assert!(!Span::between([0, 6, 7], [0, 6, 8]).contains(Release::parse("0.6.9").unwrap()));
    }
}
