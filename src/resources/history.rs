use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{AuditAction, User, UserSummary};
use crate::drift;
use crate::error::{Error, ErrorKind};
use crate::id::Id;
use crate::request::Operation;

const READ_HISTORY: Operation = Operation::new("read", "history");

/// The changes of a record, newest first, read on demand.
///
/// The server sends it along with every record, and most of the bytes of a list are histories. It
/// is kept as it came, and [`entries`](Self::entries) reads it.
///
/// ```
/// use keystone_client::resources::{AuditAction, NewCluster};
/// # use keystone_client::sandbox::Sandbox;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// let cluster = client.create_cluster(NewCluster::new("atlas")).send()?;
/// let cluster = client.update_cluster(cluster.id, |c| [c.enabled.set(false)]).send()?;
///
/// let history = cluster.history.entries()?;
/// assert_eq!(history[0].action, AuditAction::Update);
/// let changes = history[0].changes.as_ref().unwrap();
/// assert_eq!(changes.get("enabled"), Some(("True", "False")));
/// # Ok(()) }
/// ```
///
/// It can be read from JSON only, and written in any format.
#[derive(Clone, Default)]
pub struct History(Option<Box<RawValue>>);

impl History {
    /// The entries, newest first; none on servers before 0.6.5, which do not send them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] when the entries are of another shape.
    pub fn entries(&self) -> Result<Vec<HistoryEntry>, Error> {
        // The cause is left out: it may repeat values, and some of those are masked passwords.
        serde_json::from_str(self.as_json()).map_err(|error| {
            Error::new(ErrorKind::Decode, READ_HISTORY).with_note(format!(
                "line {} column {} of the history is not as expected",
                error.line(),
                error.column()
            ))
        })
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.as_json().trim_matches(['[', ']', ' ', '\n', '\r', '\t']).is_empty()
    }

    /// The entries as the server sent them: a JSON array. It may hold partly masked hashes of
    /// passwords, so it is not for logs.
    pub fn as_json(&self) -> &str {
        self.0.as_deref().map_or("[]", RawValue::get)
    }
}

/// Equal in what they say; the order of keys, which the server does not keep, makes no difference.
impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        let value = |text| serde_json::from_str::<Value>(text).ok();
        let (left, right) = (self.as_json(), other.as_json());
        left == right || value(left) == value(right)
    }
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "History({} bytes)", self.as_json().len())
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries: Value =
            serde_json::from_str(self.as_json()).map_err(serde::ser::Error::custom)?;
        entries.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        if !json.get().starts_with('[') {
            return Err(D::Error::custom("expected an array of entries"));
        }
        drift::note_part::<Vec<HistoryEntry>>("_history", json.get());
        Ok(Self(Some(json)))
    }
}

/// One entry of a record's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// Key of the audit log entry.
    pub id: u64,
    /// When it happened.
    #[serde(with = "crate::wire::timestamp")]
    pub timestamp: Timestamp,
    /// What was done.
    pub action: AuditAction,
    /// Who did it; `None` for the system and for deleted users.
    pub actor: Option<Id<User>>,
    /// Who did it, in full.
    #[serde(rename = "_actor")]
    pub actor_summary: Option<UserSummary>,
    /// What changed.
    #[serde(default)]
    pub changes: Option<HistoryChanges>,
}

/// What an entry of a history changed: field name to old and new value, as display text.
///
/// `Debug` leaves out the values of `password`, which are partly masked hashes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HistoryChanges(BTreeMap<String, Value>);

impl HistoryChanges {
    /// Old and new value of a field. Null is `"None"`, booleans are `"True"` and `"False"`.
    pub fn get(&self, field: &str) -> Option<(&str, &str)> {
        match self.0.get(field)?.as_array()?.as_slice() {
            [old, new] => Some((old.as_str()?, new.as_str()?)),
            _ => None,
        }
    }

    /// The names of the fields that changed.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl fmt::Debug for HistoryChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redacted = Value::from("[redacted]");
        f.debug_map()
            .entries(self.0.iter().map(|(field, change)| match field.as_str() {
                "password" => (field, &redacted),
                _ => (field, change),
            }))
            .finish()
    }
}
