//! What servers of different versions can do.
//!
//! One table says with which version something came, and with which it went. A call that needs
//! what its server is known to lack fails before it is sent, as
//! [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported).
//!
//! [`KeystoneClient::supports`](crate::KeystoneClient::supports) tells whether a server can do what a
//! [`Capability`] stands for. What is known of it comes from its dialect and its [`ServerVersion`]. The page
//! [Endpoints](https://docs.rs/crate/keystone-client/latest/source/docs/endpoints.md) lists what calls
//! which path, with the versions that have it.

mod server;

use std::fmt;

use http::Method;

pub use self::server::{InvalidVersion, ServerVersion};
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
    /// From and to which version it was there but did not work.
    broken: Option<(ServerVersion, ServerVersion)>,
    words: &'static str,
    sign: Sign,
}

const fn since(version: [u32; 3], sign: Sign, words: &'static str) -> Row {
    Row { since: Some(ServerVersion::new(version)), until: None, broken: None, words, sign }
}

const fn until(version: [u32; 3], sign: Sign, words: &'static str) -> Row {
    let until = Some(ServerVersion::new(version));
    Row { since: None, until, broken: None, words, sign }
}

const fn broken(from: [u32; 3], to: [u32; 3], sign: Sign, words: &'static str) -> Row {
    let broken = Some((ServerVersion::new(from), ServerVersion::new(to)));
    Row { since: None, until: None, broken, words, sign }
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
    LegacyRecords => until([0, 4, 1], Sign::Nothing, "records of this shape");
    /// Research groups.
    ResearchGroups => until([0, 4, 1], Sign::UnknownPath, "research groups");
    /// The log of the server's own messages.
    AppLog => until([0, 6, 21], Sign::UnknownPath, "the log of the server's own messages");
    /// Lists in a stated order.
    Order => since([0, 5, 0], Sign::WholeList, "lists in a stated order");
    /// Lists narrowed by conditions.
    Filters => broken([0, 6, 7], [0, 6, 9], Sign::WholeList, "filters");
    /// Teams and memberships.
    Teams => since([0, 5, 0], Sign::UnknownPath, "teams");
    /// Records that belong to teams, and what belongs to those.
    TeamRecords => since([0, 5, 0], Sign::WholeList, "records that belong to teams");
    /// Attachments.
    Attachments => since([0, 5, 3], Sign::UnknownPath, "attachments");
    /// Labels of the codes of requests, reviews and memberships.
    Choices => since([0, 5, 6], Sign::UnknownPath, "labels of codes");
    /// Lists narrowed by words.
    Search => since([0, 5, 9], Sign::WholeList, "searches");
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

    /// From which to which version it was there but did not work, as far as that ever was.
    pub const fn broken(self) -> Option<(ServerVersion, ServerVersion)> {
        self.row().broken
    }

    pub(crate) const fn sign(self) -> Sign {
        self.row().sign
    }

    /// In a sentence, where it is to be found.
    pub(crate) fn bounds(self) -> String {
        match (self.since(), self.until()) {
            (Some(since), _) if matches!(self, Self::Teams | Self::TeamRecords) => {
                format!(
                    "{self} came with Keystone {since}, those before are in `resources::legacy`"
                )
            }
            (Some(since), _) => format!("{self} came with Keystone {since}"),
            (None, Some(until)) => format!("{self} went after Keystone {until}"),
            (None, None) => match self.broken() {
                Some((from, to)) => format!("{self} do not work from Keystone {from} to {to}"),
                None => format!("{self} are in all versions"),
            },
        }
    }
}

/// What it is, in words.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().words)
    }
}

/// The name of a field on the wire, and with which version it came; older servers ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct FieldName {
    pub(crate) name: &'static str,
    pub(crate) since: Option<ServerVersion>,
}

impl FieldName {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, since: None }
    }
}

/// Servers since this version send lists in an envelope, older ones as bare arrays.
const FIRST_ENVELOPE: ServerVersion = ServerVersion::new([0, 8, 0]);

/// What a call needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    capabilities: u32,
    /// Of the fields the one that came last.
    field: Option<(ServerVersion, &'static str)>,
    /// Whether a step of a job reads by it.
    reads: bool,
}

impl Needs {
    pub(crate) fn insert(&mut self, capability: Capability) {
        self.capabilities |= 1 << capability as u32;
    }

    pub(crate) fn insert_field(&mut self, field: FieldName) {
        let new = field.since.map(|since| (since, field.name));
        self.field = self.field.max(new);
    }

    pub(crate) fn insert_all(&mut self, others: Self) {
        self.capabilities |= others.capabilities;
        self.field = self.field.max(others.field);
        self.reads |= others.reads;
    }

    /// The same of a step of a job, whose method is not that of the job.
    pub(crate) fn of_method(self, method: &Method) -> Self {
        Self { reads: self.field.is_some() && method == Method::GET, ..self }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Capability> {
        let is_needed =
            move |capability: &Capability| self.capabilities & (1 << *capability as u32) != 0;
        Capability::ALL.iter().copied().filter(is_needed)
    }

    /// Whether the server may lack something of which it would not say so, with the result that a
    /// list would hold what it should not. What an update sets is seen in its answer.
    pub(crate) fn is_ignored_by(self, server: Server, method: &Method) -> bool {
        let capability = self.iter().any(|capability| {
            capability.sign() == Sign::Nothing && server.offers(capability).is_none()
        });
        let reads = self.reads || method == Method::GET;
        let late = self.field.filter(|(since, _)| *since > FIRST_ENVELOPE && reads);
        capability || late.is_some_and(|(since, _)| server.is_before(since).is_none())
    }

    /// Whether a list that came as a bare array may come from a server that has not got the fields
    /// that it was narrowed or ordered by.
    pub(crate) fn doubts_bare_list(self, server: Server) -> bool {
        self.field.is_some_and(|(since, _)| server.is_before(since).is_none())
    }

    /// What the server is known to lack, in a sentence.
    pub(crate) fn lacked_by(self, server: Server) -> Option<String> {
        let field = self.field.filter(|(since, _)| server.is_before(*since) == Some(true));
        let mut capabilities = self.iter();
        let capability = capabilities.find(|&capability| server.offers(capability) == Some(false));
        capability.map(Capability::bounds).or_else(|| {
            field.map(|(since, name)| format!("field `{name}` came with Keystone {since}"))
        })
    }
}

const _: () = assert!(Capability::ALL.len() <= u32::BITS as usize, "`Needs` has a bit for each");
