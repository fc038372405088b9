//! What servers of different versions can do.
//!
//! One table says with which version something came, and with which it went. A call that needs
//! what its server is known to lack fails before it is sent, as
//! [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).

mod server;

use std::fmt;

pub use self::server::ServerVersion;
pub(crate) use self::server::{Server, adapt, was_elsewhere};

/// What shows that a server lacks a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It does not know the path.
    UnknownPath,
    /// It answers with a whole list that says nothing of pages, which some that have it do too.
    WholeList,
    /// The answer itself, to whoever reads it.
    Answer,
    /// Nothing: it ignores what it does not know. Its version has to be asked for.
    Nothing,
}

struct Row {
    since: Option<ServerVersion>,
    until: Option<ServerVersion>,
    words: &'static str,
    sign: Sign,
}

const fn since(version: [u32; 3], sign: Sign, words: &'static str) -> Row {
    Row { since: Some(ServerVersion::new(version)), until: None, words, sign }
}

const fn until(version: [u32; 3], words: &'static str) -> Row {
    let until = Some(ServerVersion::new(version));
    Row { since: None, until, words, sign: Sign::UnknownPath }
}

macro_rules! capabilities {
    ($($(#[$meta:meta])* $name:ident => $row:expr;)+) => {
        /// Something that not every server can do.
        ///
        /// ```
        /// use keystone_client::capability::Capability;
        ///
        /// assert_eq!(Capability::Batch.since().unwrap().to_string(), "0.10.0");
        /// assert_eq!(Capability::ResearchGroups.until().unwrap().to_string(), "0.4.1");
        /// assert_eq!(Capability::Order.to_string(), "lists in a stated order");
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Capability {
            $($(#[$meta])* $name,)+
        }

        impl Capability {
            const ALL: &'static [Self] = &[$(Self::$name,)+];

            const fn row(self) -> Row {
                match self {
                    $(Self::$name => $row,)+
                }
            }
        }
    };
}

capabilities! {
    /// Records of the shape that servers up to 0.4.1 have.
    LegacyRecords => until([0, 4, 1], "records of this shape");
    /// Research groups.
    ResearchGroups => until([0, 4, 1], "research groups");
    /// The log of the server's own messages.
    AppLog => until([0, 6, 21], "the log of the server's own messages");
    /// Lists in a stated order.
    Order => since([0, 5, 0], Sign::WholeList, "lists in a stated order");
    /// Teams and memberships, and records that belong to teams.
    Teams => since([0, 5, 0], Sign::UnknownPath, "records that belong to teams");
    /// Attachments.
    Attachments => since([0, 5, 3], Sign::UnknownPath, "attachments");
    /// Labels of the codes of requests, reviews and memberships.
    Choices => since([0, 5, 6], Sign::UnknownPath, "labels of codes");
    /// Comments.
    Comments => since([0, 6, 0], Sign::UnknownPath, "comments");
    /// The audit log.
    AuditLog => since([0, 6, 5], Sign::UnknownPath, "the audit log");
    /// Notifications and preferences.
    Notifications => since([0, 6, 8], Sign::UnknownPath, "notifications");
    /// Labels of the codes of notifications.
    NotificationChoices => since([0, 6, 13], Sign::UnknownPath, "labels of these codes");
    /// Lists page by page.
    Paging => since([0, 7, 4], Sign::Answer, "lists page by page");
    /// Statistics of requests, grants and publications.
    Stats => since([0, 8, 4], Sign::UnknownPath, "statistics of this form");
    /// Statistics of notifications.
    NotificationStats => since([0, 8, 7], Sign::UnknownPath, "statistics of notifications");
    /// The lookups `not_in` and `not_contains`.
    NegatedLists => since([0, 9, 3], Sign::Nothing, "the lookups `not_in` and `not_contains`");
    /// The configuration of the server.
    Config => since([0, 9, 5], Sign::UnknownPath, "the configuration of the server");
    /// Several calls in one transaction.
    Batch => since([0, 10, 0], Sign::UnknownPath, "batch jobs");
    /// Labels of the codes of clusters.
    ClusterChoices => since([0, 10, 4], Sign::UnknownPath, "labels of these codes");
    /// The feed of all logs.
    Feed => since([0, 10, 7], Sign::UnknownPath, "the feed");
    /// The lookups `not_eq`, `not_starts_with` and `not_ends_with`.
    NegatedLookups => since(
        [0, 10, 7],
        Sign::Nothing,
        "the lookups `not_eq`, `not_starts_with` and `not_ends_with`"
    );
}

impl Capability {
    /// The version with which it came; `None` if it was always there.
    pub const fn since(self) -> Option<ServerVersion> {
        self.row().since
    }

    /// The last version that had it; `None` if it is still there.
    pub const fn until(self) -> Option<ServerVersion> {
        self.row().until
    }

    pub(crate) const fn sign(self) -> Sign {
        self.row().sign
    }

    /// In a sentence, where it is to be found.
    pub(crate) fn bounds(self) -> String {
        match (self.since(), self.until()) {
            (Some(since), _) if self == Self::Teams => {
                format!(
                    "{self} came with Keystone {since}, those before are in `resources::legacy`"
                )
            }
            (Some(since), _) => format!("{self} came with Keystone {since}"),
            (None, Some(until)) => format!("{self} went after Keystone {until}"),
            (None, None) => format!("{self} are in all versions"),
        }
    }
}

/// What it is, in words.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().words)
    }
}

/// Capabilities that a call needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs(u32);

impl Needs {
    pub(crate) fn insert(&mut self, capability: Capability) {
        self.0 |= 1 << capability as u32;
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Capability> {
        let is_needed = move |capability: &Capability| self.0 & (1 << *capability as u32) != 0;
        Capability::ALL.iter().copied().filter(is_needed)
    }
}

const _: () = assert!(Capability::ALL.len() <= u32::BITS as usize, "`Needs` has a bit for each");
