//! `/logs/`: what has happened on the server. For staff only.
//!
//! [`AuditLogEntry`] says who changed which record, [`RequestLogEntry`] who asked for what,
//! [`TaskResult`] what became of the work in the background; [`FeedEntry`] is all three in one list. A
//! record brings its own changes along, in a [`History`](super::History). The calls of a client are found
//! by their [correlation id](crate::KeystoneClient::correlation_id).
//!
//! The paths of requests and the changes of records are personal data; treat what is read here
//! accordingly.

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::codes::codes;
use super::{HistoryChanges, User, UserSummary};
use crate::capability::Capability;
use crate::drift;
use crate::field::{Comparand, Field, FieldInfo, Listable, ReadOnly, Scalar, read};
use crate::id::Id;
use crate::resource::{Resource, Search};

/// What was done to a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum AuditAction {
    /// It was created.
    Create,
    /// It was changed.
    Update,
    /// It was deleted.
    Delete,
    /// It was looked at.
    Access,
    /// An action that this crate does not know.
    Other(String),
}

impl AuditAction {
    /// The word on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Access => "access",
            Self::Other(word) => word,
        }
    }
}

impl From<String> for AuditAction {
    fn from(word: String) -> Self {
        match word.as_str() {
            "create" => Self::Create,
            "update" => Self::Update,
            "delete" => Self::Delete,
            "access" => Self::Access,
            _ => {
                drift::note_code("AuditAction", &word);
                Self::Other(word)
            }
        }
    }
}

impl From<AuditAction> for String {
    fn from(action: AuditAction) -> Self {
        action.as_str().to_owned()
    }
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Filters name actions by numbers, though records name them by words.
impl Scalar for AuditAction {
    fn comparand(&self) -> Comparand<'_> {
        match self {
            Self::Create => Comparand::Integer(0),
            Self::Update => Comparand::Integer(1),
            Self::Delete => Comparand::Integer(2),
            Self::Access => Comparand::Integer(3),
            Self::Other(word) => Comparand::Text(word.into()),
        }
    }
}

impl Listable for AuditAction {}

codes! {
    /// How far a task has come.
    pub enum TaskStatus {
        /// Waits, or is not known.
        Pending = "PENDING" "Pending",
        /// Was handed to a process.
        Received = "RECEIVED" "Received",
        /// Runs.
        Started = "STARTED" "Started",
        /// Has ended well.
        Success = "SUCCESS" "Success",
        /// Has failed.
        Failure = "FAILURE" "Failure",
        /// Has failed and will be tried again.
        Retry = "RETRY" "Retry",
        /// Was called off.
        Revoked = "REVOKED" "Revoked",
    }
}

codes! {
    /// The log that an entry of the feed comes from.
    pub enum FeedSource {
        /// The request log.
        Request = "request" "Request",
        /// The audit log.
        Audit = "audit" "Audit",
        /// The results of tasks.
        Task = "task" "Task",
    }
}

/// The kinds of record, as the server numbers them for itself. The API has no list of them.
#[derive(Debug)]
pub enum ContentType {}

crate::resource! {
    /// A change of a record, and who made it. Servers since 0.6.5.
    ///
    /// `GET /logs/audit/`, `GET /logs/audit/{id}/`.
    ///
    /// ```
    /// use keystone_client::resources::AuditAction;
    /// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// # client.update_team(team.id, |t| t.is_active.set(false)).send()?;
    /// let entries = client
    ///     .audit_log()
    ///     .filter(|e| e.object_id.eq(team.id.get()))
    ///     .filter(|e| e.action.eq(AuditAction::Update))
    ///     .all()?;
    /// // Other kinds of record have keys like that of the team.
    /// let entry = entries.iter().find(|entry| entry.record_name == "users | Team").unwrap();
    /// assert_eq!(entry.actor_summary.as_ref().unwrap().username, "admin");
    /// assert_eq!(entry.changes.as_ref().unwrap().get("is_active"), Some(("True", "False")));
    /// # Ok(()) }
    /// ```
    pub struct AuditLogEntry("audit log entry", "logs/audit");
    fields AuditLogEntryFields;
    needs AuditLog;
    verbs [Retrieve];

    read_only {
        /// Primary key.
        id: Id<AuditLogEntry>,
        /// When it happened.
        timestamp: Timestamp [with = "crate::wire::timestamp"],
        /// Who did it; `None` for the system and for deleted users.
        actor: Option<Id<User>>,
        /// The correlation id of the call that did it, in the form in which it was sent.
        cid: Option<String>,
        /// Where the call came from.
        remote_addr: Option<IpAddr>,
        /// The port that the call came from.
        remote_port: Option<u32>,
    }
    unordered {
        /// What was done.
        action: AuditAction,
    }
    hidden {
        /// The key of the record, as text; filters take it in place of
        /// [`record_id`](AuditLogEntry::record_id). Records of different kinds can have the same.
        object_pk: String,
    }
    hidden_unordered {
        /// The key of the record, as a number.
        object_id: Option<u64>,
        /// The record in words, as it was then.
        object_repr: String,
        /// The kind of record, by a number of the server's own that the API does not tell.
        content_type: Id<ContentType>,
        /// What changed, as text; empty on servers that do not keep it.
        changes_text: String,
    }
    computed {
        /// The kind of record, such as `users | Team`. The server cannot filter by it.
        record_name: String,
        /// The key of the record. The server filters by it as
        /// [`object_pk`](AuditLogEntryFields::object_pk) or
        /// [`object_id`](AuditLogEntryFields::object_id).
        record_id: Option<u64>,
        /// What changed. The server cannot filter by it.
        changes: Option<HistoryChanges>,
        /// Who did it, in full.
        actor_summary = "_actor": Option<UserSummary>,
    }
}

crate::resource! {
    /// A request that the server has answered.
    ///
    /// `GET /logs/requests/`, `GET /logs/requests/{id}/`.
    ///
    /// ```
    /// use keystone_client::resources::NewTeam;
    /// use keystone_client::uuid::Uuid;
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// // All calls of a client have one correlation id, but for those that are given their own.
    /// let id = Uuid::from_u128(0x2026_0711);
    /// client.create_team(NewTeam::new("")).correlation_id(id).send().unwrap_err();
    /// let logged = client.request_log().filter(|e| e.cid.eq(id.to_string())).one().send()?;
    /// assert_eq!((logged.method.as_str(), logged.endpoint.as_str()), ("POST", "/users/teams/"));
    /// assert_eq!(logged.response_code, 400);
    /// # Ok(()) }
    /// ```
    pub struct RequestLogEntry("request log entry", "logs/requests");
    fields RequestLogEntryFields;
    verbs [Retrieve, Search];

    read_only {
        /// Primary key.
        id: Id<RequestLogEntry>,
        /// HTTP method.
        method: String,
        /// Path and query.
        endpoint: String,
        /// HTTP status of the answer.
        response_code: u16,
        /// Where the request came from, as a proxy may have stated it.
        remote_address: Option<String>,
        /// When it was answered. Servers before 0.6.7 call it otherwise: there it can be read but not
        /// compared.
        #[since = "0.6.7"]
        timestamp: Timestamp [alias = "time", with = "crate::wire::timestamp"],
        /// Its correlation id, in the form in which it was sent. Servers since 0.6.3.
        #[since = "0.6.3"]
        cid: Option<String>,
        /// Who sent it; `None` for nobody known.
        user: Option<Id<User>>,
    }
    computed {
        /// Who sent it, in full.
        user_summary = "_user": Option<UserSummary>,
    }
}

crate::resource! {
    /// A task that the server has run in the background.
    ///
    /// `GET /logs/tasks/`, `GET /logs/tasks/{id}/`. Several fields are text that holds JSON.
    ///
    /// ```
    /// use keystone_client::resources::TaskStatus;
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::new();
    /// # sandbox.insert("logs/tasks", serde_json::json!({
    /// #     "task_id": "a", "task_name": "update_limits", "status": "FAILURE", "traceback": "…",
    /// # }))?;
    /// # let client = sandbox.blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let failed = client
    ///     .task_results()
    ///     .filter(|t| t.status.eq(TaskStatus::Failure))
    ///     .order_by(|t| t.date_done.desc())
    ///     .first()
    ///     .send()?
    ///     .expect("one has failed");
    /// assert_eq!(failed.task_name.as_deref(), Some("update_limits"));
    /// # Ok(()) }
    /// ```
    pub struct TaskResult("task result", "logs/tasks");
    fields TaskResultFields;
    verbs [Retrieve, Search];

    read_only {
        /// Primary key.
        id: Id<TaskResult>,
        /// Identity of the run, at most 255 characters; normally a UUID.
        task_id: String,
        /// The schedule that started it.
        periodic_task_name: Option<String>,
        /// The task.
        task_name: Option<String>,
        /// Positional arguments, as JSON in text.
        task_args: Option<String>,
        /// Named arguments, as JSON in text.
        task_kwargs: Option<String>,
        /// How far it has come.
        status: TaskStatus,
        /// The process that ran it.
        worker: Option<String>,
        /// Media type of the result.
        content_type: String,
        /// Character encoding of the result.
        content_encoding: String,
        /// The result, as JSON in text.
        result: Option<String>,
        /// When the run was recorded.
        date_created: Timestamp [with = "crate::wire::timestamp"],
        /// When it began.
        date_started: Option<Timestamp> [default, with = "crate::wire::timestamp::optional"],
        /// When it ended.
        date_done: Timestamp [with = "crate::wire::timestamp"],
        /// Where it failed.
        traceback: Option<String>,
        /// More about the run, as JSON in text.
        meta: Option<String>,
    }
}

/// An entry of the feed, which merges the three logs, newest first. Servers since 0.10.7.
///
/// `GET /logs/feed/`. Entries have no key of their own and can only be listed. A list is walked by
/// offset. Each call to the server adds an entry at the head of it, which shifts the pages; no entry
/// comes twice for that, and those that come in meanwhile are left out.
///
/// ```
/// use keystone_client::resources::FeedSource;
/// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # client.create_team(NewTeam::new("Folding")).send()?;
/// // The twenty newest entries, in one call.
/// let newest = client.feed().list().page(20, 0).send()?;
/// for entry in &newest.items {
///     println!("{} {}", entry.timestamp, entry.summary.as_deref().unwrap_or("?"));
/// }
/// assert!(newest.items.iter().any(|entry| entry.record_type == FeedSource::Audit));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FeedEntry {
    /// `r`, `a` or `t` for the log, followed by the key in it.
    pub id: String,
    /// Key in its log.
    pub record_id: u64,
    /// Its log.
    pub record_type: FeedSource,
    /// When it happened.
    #[serde(with = "crate::wire::timestamp")]
    pub timestamp: Timestamp,
    /// The endpoint, the record, or the name of the task.
    pub summary: Option<String>,
    /// Correlation id.
    pub cid: Option<String>,
    /// HTTP status as text, or status of the task; `None` for the audit log.
    pub status: Option<String>,
    /// Who it was.
    pub user: Option<Id<User>>,
    /// Who it was, in full.
    #[serde(rename = "_user")]
    pub user_summary: Option<UserSummary>,
}

/// The fields of a feed entry.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FeedEntryFields {
    /// `r`, `a` or `t` for the log, followed by the key in it.
    pub id: Field<FeedEntry, String, ReadOnly>,
    /// Key in its log.
    pub record_id: Field<FeedEntry, u64, ReadOnly>,
    /// Its log.
    pub record_type: Field<FeedEntry, FeedSource, ReadOnly>,
    /// When it happened.
    pub timestamp: Field<FeedEntry, Timestamp, ReadOnly>,
    /// The endpoint, the record, or the name of the task.
    pub summary: Field<FeedEntry, Option<String>, ReadOnly>,
    /// Correlation id.
    pub cid: Field<FeedEntry, Option<String>, ReadOnly>,
    /// HTTP status as text, or status of the task.
    pub status: Field<FeedEntry, Option<String>, ReadOnly>,
    /// Who it was.
    pub user: Field<FeedEntry, Option<Id<User>>, ReadOnly>,
}

impl Resource for FeedEntry {
    type Model = Self;
    type Fields = FeedEntryFields;
    const NAME: &'static str = "feed entry";
    const PATH: &'static str = "logs/feed";
    const FIELDS: FeedEntryFields = FeedEntryFields {
        id: Field::new("id").reading(|entry: &FeedEntry| read(&entry.id)),
        record_id: Field::new("record_id").reading(|entry: &FeedEntry| read(&entry.record_id)),
        record_type: Field::new("record_type")
            .reading(|entry: &FeedEntry| read(&entry.record_type)),
        timestamp: Field::new("timestamp").reading(|entry: &FeedEntry| read(&entry.timestamp)),
        summary: Field::new("summary").reading(|entry: &FeedEntry| read(&entry.summary)),
        cid: Field::new("cid").reading(|entry: &FeedEntry| read(&entry.cid)),
        status: Field::new("status").reading(|entry: &FeedEntry| read(&entry.status)),
        user: Field::new("user").reading(|entry: &FeedEntry| read(&entry.user)),
    };
    const FIELD_INFO: &'static [FieldInfo] = &[
        crate::field_info!(FeedEntry, ReadOnly, String, "id"),
        crate::field_info!(FeedEntry, ReadOnly, u64, "record_id"),
        crate::field_info!(FeedEntry, ReadOnly, FeedSource, "record_type"),
        crate::field_info!(FeedEntry, ReadOnly, Timestamp, "timestamp"),
        crate::field_info!(FeedEntry, ReadOnly, Option<String>, "summary"),
        crate::field_info!(FeedEntry, ReadOnly, Option<String>, "cid"),
        crate::field_info!(FeedEntry, ReadOnly, Option<String>, "status"),
        crate::field_info!(FeedEntry, ReadOnly, Option<Id<User>>, "user"),
    ];
    const CAPABILITY: Option<Capability> = Some(Capability::Feed);
    const HAS_ID: bool = false;

    fn id(_: &Self) -> Option<Id<Self>> {
        None
    }

    fn identity(entry: &Self) -> Option<u64> {
        let log = match entry.record_type {
            FeedSource::Request => 0,
            FeedSource::Audit => 1,
            FeedSource::Task => 2,
            FeedSource::Other(_) => return None,
        };
        Some(entry.record_id << 2 | log)
    }
}

impl Search for FeedEntry {}
