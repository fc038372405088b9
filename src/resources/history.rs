use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{User, UserSummary};
use crate::id::Id;

/// One entry of a record's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// Key of the audit log entry.
    pub id: u64,
    /// When it happened.
    pub timestamp: Timestamp,
    /// `create`, `update`, `delete` or `access`.
    pub action: String,
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
