//! The records of servers up to 0.4.1, all of them, exactly as 0.3.26 has them.
//!
//! A client hands them out by [`legacy`](crate::KeystoneClient::legacy). The keys in them are keys
//! of this module, so following them stays within it. On newer servers they are
//! [`Unsupported`](crate::ErrorKind::Unsupported).
//!
//! Records that have hardly changed since, clusters, allocations and users, can be read on such
//! servers as the present types as well; [`Id::cast`] turns a key of the one into a key of the other.
//!
//! ```
//! use keystone_client::resources::legacy::{NewAllocationRequest, NewResearchGroup, User};
//! use keystone_client::sandbox::Sandbox;
//! use keystone_client::{Dialect, Id};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "secret").build();
//! let client = sandbox.blocking_client()?;
//! client.login("admin", "secret")?;
//!
//! let pi: Id<User> = client.whoami()?.expect("logged in").id.cast();
//! let group = client.legacy().research_groups().create(NewResearchGroup::new("Folding", pi)).send()?;
//! let new = NewAllocationRequest::new("Proteins", "Fold more of them.", group.id);
//! let request = client.legacy().requests().create(new).send()?;
//! assert_eq!(client.retrieve(request.group).send()?.name, "Folding");
//! # Ok(()) }
//! ```

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{RequestStatus, ReviewStatus, TaskStatus};
use crate::filter::{Filter, trimmed_input};
use crate::id::Id;
use crate::resource::{NaturalKey, Resource};

/// A body that the server has logged. It may hold tokens, so `Debug` does not show it, and it is not
/// for filters, which would show it too.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoggedBody(String);

impl LoggedBody {
    /// The text, as it was sent.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LoggedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoggedBody({} bytes)", self.0.len())
    }
}

crate::resource! {
    /// A group of users, in whose name time is requested. Later servers have
    /// [`Team`](super::Team)s.
    ///
    /// `GET POST /users/researchgroups/`, `GET PUT PATCH DELETE /users/researchgroups/{id}/`.
    /// Any user may read and create; staff, the principal investigator and the admins may change
    /// and delete. Deleting a group deletes its requests, grants and publications.
    pub struct ResearchGroup("research group", "users/researchgroups");
    fields ResearchGroupFields;
    new NewResearchGroup;
    needs ResearchGroups;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<ResearchGroup>,
    }
    required {
        /// Unique name, at most 255 characters.
        name: String,
        /// Principal investigator.
        pi: Id<User>,
    }
    optional {
        /// Whether the group is in use; true if not said.
        is_active: bool,
        /// Who manages the group. The server cannot filter by it.
        admins: Vec<Id<User>>,
        /// Who else belongs to the group. The server cannot filter by it.
        members: Vec<Id<User>>,
    }
}

crate::resource! {
    /// A user account.
    ///
    /// `GET POST /users/users/`, `GET PUT PATCH DELETE /users/users/{id}/`. Any user may read,
    /// staff and oneself may update, staff create and delete. A PUT needs the password again, so
    /// prefer an update. A principal investigator cannot be deleted: the server answers 500.
    pub struct User("user", "users/users");
    fields UserFields;
    new NewUser;
    needs LegacyRecords;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<User>,
        /// When the account was made.
        date_joined: Timestamp [with = "crate::wire::timestamp"],
        /// When the user last logged in; `None` for never.
        last_login: Option<Timestamp> [default, with = "crate::wire::timestamp::optional"],
    }
    required {
        /// Unique name, at most 150 characters: letters, digits, and `@ . + - _`.
        username: String,
    }
    optional {
        /// First name, at most 150 characters, not empty.
        first_name: Option<String>,
        /// Last name, at most 150 characters, not empty.
        last_name: Option<String>,
        /// E-mail address, at most 254 characters, not empty.
        email: Option<String>,
        /// Department, at most 1,000 characters.
        department: Option<String>,
        /// What the person does, in words, at most 1,000 characters.
        role: Option<String>,
        /// Whether the user may log in; true if not said. Only staff may set it; from others it is
        /// ignored.
        is_active: bool,
        /// Whether the user is staff. Only staff may set it; from others it is ignored.
        is_staff: bool,
        /// Whether LDAP keeps the account. Only staff may set it; from others it is ignored.
        is_ldap_user: bool,
        /// Whether the user is a superuser of the web site; means nothing to the API.
        is_superuser: bool,
        /// Permission groups of the web site. The server cannot filter by it.
        groups: Vec<u64>,
        /// Permissions on the web site. The server cannot filter by it.
        user_permissions: Vec<u64>,
    }
    write_only {
        /// At least 8 characters, not common, not all digits, no blanks at either end.
        password: String,
    }
}

/// By name, which is case-sensitive.
impl NaturalKey for ResearchGroup {
    fn key(new: &NewResearchGroup) -> Filter<Self> {
        Self::FIELDS.name.eq(trimmed_input(&new.name))
    }
}

/// By user name, which is case-sensitive.
impl NaturalKey for User {
    fn key(new: &NewUser) -> Filter<Self> {
        Self::FIELDS.username.eq(trimmed_input(&new.username))
    }
}

crate::resource! {
    /// A cluster on which time is granted.
    ///
    /// `GET POST /allocations/clusters/`, `GET PUT PATCH DELETE /allocations/clusters/{id}/`. Any
    /// user may read, staff write. Deleting a cluster deletes its allocations.
    pub struct Cluster("cluster", "allocations/clusters");
    fields ClusterFields;
    new NewCluster;
    needs LegacyRecords;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<Cluster>,
    }
    required {
        /// Name, at most 50 characters; not unique.
        name: String,
    }
    optional {
        /// Description, at most 150 characters.
        description: Option<String>,
        /// Whether the cluster is in use; true if not said.
        enabled: bool,
    }
}

crate::resource! {
    /// A research group's request for computing time.
    ///
    /// `GET POST /allocations/requests/`, `GET PUT PATCH DELETE /allocations/requests/{id}/`.
    /// Members of the group may read, its principal investigator and admins create, staff do
    /// everything.
    pub struct AllocationRequest("allocation request", "allocations/requests");
    fields AllocationRequestFields;
    new NewAllocationRequest;
    needs LegacyRecords;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<AllocationRequest>,
        /// The day of the last change, whatever the name says.
        submitted: Date,
    }
    required {
        /// Title, at most 250 characters.
        title: String,
        /// What the time is for, at most 20,000 characters.
        description: String,
        /// The group in whose name the request is made.
        group: Id<ResearchGroup>,
    }
    optional {
        /// Where the request stands; pending at first.
        status: RequestStatus,
        /// First day of the award.
        active: Option<Date>,
        /// The day on which the award ends: the first on which the group may no longer use it, see
        /// [`Standing`](crate::awards::Standing). An award without it does not count. The server does
        /// not check that it comes after the first day.
        expire: Option<Date>,
        /// The staff who look after the request. The server cannot filter by it.
        assignees: Vec<Id<User>>,
    }
}

crate::resource! {
    /// Service units on one cluster, asked for by one request.
    ///
    /// `GET POST /allocations/allocations/`, `GET PUT PATCH DELETE
    /// /allocations/allocations/{id}/`. Members of the group may read, staff write.
    ///
    /// Service units are whole numbers from 0; the largest is 2⁶³−1 on servers with SQLite and
    /// 2³¹−1 on PostgreSQL.
    pub struct Allocation("allocation", "allocations/allocations");
    fields AllocationFields;
    new NewAllocation;
    needs LegacyRecords;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<Allocation>,
    }
    required {
        /// Service units asked for.
        requested: u64,
        /// The cluster.
        cluster: Id<Cluster>,
        /// The request.
        request: Id<AllocationRequest>,
    }
    optional {
        /// Service units granted; `None` before a decision.
        awarded: Option<u64>,
        /// Service units used in the end; `None` before the award has expired.
        r#final: Option<u64>,
    }
}

crate::resource! {
    /// A reviewer's verdict on a request. It does not change the status of the request.
    ///
    /// `GET POST /allocations/reviews/`, `GET PUT PATCH DELETE /allocations/reviews/{id}/`. Members
    /// of the group may read, private comments too; staff write.
    pub struct Review("review", "allocations/reviews");
    fields ReviewFields;
    new NewReview;
    needs LegacyRecords;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<Review>,
        /// When the review was last changed.
        date_modified: Timestamp [with = "crate::wire::timestamp"],
    }
    required {
        /// What the reviewer has decided.
        status: ReviewStatus,
        /// The request.
        request: Id<AllocationRequest>,
    }
    optional {
        /// Comments for the group, at most 1,600 characters.
        public_comments: Option<String>,
        /// Comments for staff, at most 1,600 characters, which the group can read all the same.
        private_comments: Option<String>,
        /// Who decided: the caller. The server rejects any other value, also in a replace of
        /// somebody else's review, where it is best left out. `None` when the user was deleted.
        reviewer: Id<User> as Option<Id<User>>,
    }
}

crate::resource! {
    /// A grant that a research group holds.
    ///
    /// `GET POST /research/grants/`, `GET PUT PATCH DELETE /research/grants/{id}/`. Members of the
    /// group may read; its principal investigator and admins, and staff, write.
    pub struct Grant("grant", "research/grants");
    fields GrantFields;
    new NewGrant;
    needs LegacyRecords;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<Grant>,
    }
    required {
        /// Title, at most 250 characters.
        title: String,
        /// Funding agency, at most 100 characters.
        agency: String,
        /// Amount in the centre's currency: two decimal places, 14 digits in all. May be negative.
        amount: Decimal,
        /// The agency's number, at most 250 characters.
        grant_number: String,
        /// Fiscal year.
        fiscal_year: i64,
        /// First day.
        start_date: Date,
        /// Last day. The server does not check that it comes after the first.
        end_date: Date,
        /// The group that holds the grant.
        group: Id<ResearchGroup>,
    }
}

crate::resource! {
    /// A publication of a research group.
    ///
    /// `GET POST /research/publications/`, `GET PUT PATCH DELETE /research/publications/{id}/`.
    /// Staff and all members of the group may do everything.
    pub struct Publication("publication", "research/publications");
    fields PublicationFields;
    new NewPublication;
    needs LegacyRecords;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<Publication>,
    }
    required {
        /// Title, at most 250 characters.
        title: String,
        /// Abstract, not empty.
        r#abstract: String,
        /// Day of publication.
        date: Date,
        /// Journal, at most 100 characters.
        journal: String,
        /// The group that published.
        group: Id<ResearchGroup>,
    }
    optional {
        /// Digital object identifier, at most 50 characters, unique. Leave an unknown one null: a
        /// second empty text makes the server fail.
        doi: Option<String>,
    }
}

crate::resource! {
    /// A message of the server itself. Servers up to 0.6.21. For staff only.
    ///
    /// `GET /logs/apps/`, `GET /logs/apps/{id}/`.
    pub struct AppLogEntry("app log entry", "logs/apps");
    fields AppLogEntryFields;
    needs AppLog;
    verbs [Retrieve];

    read_only {
        /// Primary key.
        id: Id<AppLogEntry>,
        /// The logger, at most 100 characters.
        name: String,
        /// `WARNING`, `ERROR` and others.
        level: String,
        /// The source file.
        pathname: String,
        /// The line in it.
        lineno: i64,
        /// The message; it may hold a whole traceback.
        message: String,
        /// The function.
        func: Option<String>,
        /// The stack.
        sinfo: Option<String>,
        /// When it was logged.
        time: Timestamp [alias = "timestamp", with = "crate::wire::timestamp"],
    }
}

crate::resource! {
    /// A request that the server has answered. For staff only.
    ///
    /// `GET /logs/requests/`, `GET /logs/requests/{id}/`. The answers of the authentication endpoints
    /// are in it, with their tokens, and so are earlier answers of this very list: it grows by its own
    /// size with each look at it, so always filter.
    pub struct RequestLogEntry("request log entry", "logs/requests");
    fields RequestLogEntryFields;
    needs LegacyRecords;
    verbs [Retrieve];

    read_only {
        /// Primary key.
        id: Id<RequestLogEntry>,
        /// HTTP method.
        method: String,
        /// Path and query.
        endpoint: String,
        /// HTTP status of the answer; 404 for a redirect.
        response_code: u16,
        /// Where the request came from, as a proxy may have stated it.
        remote_address: Option<String>,
        /// When it was answered.
        time: Timestamp [with = "crate::wire::timestamp"],
        /// Who sent it; `None` for nobody known.
        user: Option<Id<User>>,
    }
    computed {
        /// What was sent, if it was refused before it was read; empty otherwise.
        body_request: LoggedBody,
        /// What was answered.
        body_response: LoggedBody,
    }
}

crate::resource! {
    /// A task that the server has run in the background. For staff only.
    ///
    /// `GET /logs/tasks/`, `GET /logs/tasks/{id}/`. Several fields are text that holds JSON.
    pub struct TaskResult("task result", "logs/tasks");
    fields TaskResultFields;
    needs LegacyRecords;
    verbs [Retrieve];

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
        /// When it ended.
        date_done: Timestamp [with = "crate::wire::timestamp"],
        /// Where it failed.
        traceback: Option<String>,
        /// More about the run, as JSON in text.
        meta: Option<String>,
    }
}
