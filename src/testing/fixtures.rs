use serde::Deserialize;
use serde_json::{Value, json};

use crate::resource::Resource;
use crate::resources::{
    Allocation, AllocationRequest, Attachment, AuditLogEntry, Cluster, Comment, FeedEntry, Grant,
    Membership, Notification, Preference, Publication, RequestLogEntry, Review, TaskResult, Team,
    User, legacy,
};

/// Records to test with, complete and plausible, without a server.
///
/// The models cannot be built field by field, as they may grow; their fields can be set.
///
/// ```
/// use keystone_client::resources::Grant;
/// use keystone_client::testing::Fixture;
///
/// let mut grant = Grant::fixture(7);
/// grant.title = "Folding faster".into();
/// grant.end_date = None;
/// assert_eq!(grant.id.get(), 7);
///
/// // What a server would send, for a scripted answer.
/// let json = Grant::fixture_json(7);
/// assert_eq!(json["id"], 7);
///
/// // Either with other values.
/// let grant = Grant::fixture_with(8, serde_json::json!({ "title": "Folding slower" }));
/// assert_eq!(grant.title, "Folding slower");
/// ```
pub trait Fixture: Resource {
    /// A record with this key, as a server of the newest version sends it.
    fn fixture_json(id: u64) -> Value;

    /// A record with this key.
    fn fixture(id: u64) -> Self::Model {
        #[allow(clippy::expect_used, reason = "a test reads every fixture there is")]
        Self::Model::deserialize(Self::fixture_json(id)).expect("the fixture is a record")
    }

    /// What a server would send for a record with this key, with other values for these members.
    ///
    /// # Panics
    ///
    /// If `members` is no object, or has one that the record has not: it would be passed over in
    /// silence.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion")]
    fn fixture_json_with(id: u64, members: Value) -> Value {
        let mut record = Self::fixture_json(id);
        let Value::Object(members) = members else { panic!("{members} is no object") };
        for (name, value) in members {
            match record.get_mut(&name) {
                Some(member) => *member = value,
                None => panic!("`{name}` is no member of {}", Self::NAME),
            }
        }
        record
    }

    /// A record with this key, with other values for these members, by their names on the wire.
    ///
    /// # Panics
    ///
    /// As [`fixture_json_with`](Self::fixture_json_with), or if a value is of the wrong type.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion")]
    fn fixture_with(id: u64, members: Value) -> Self::Model {
        match Self::Model::deserialize(Self::fixture_json_with(id, members)) {
            Ok(record) => record,
            Err(error) => panic!("this is no {}: {error}", Self::NAME),
        }
    }
}

/// A page of a list that has no more, as a server sends it.
///
/// ```
/// use http::StatusCode;
/// use keystone_client::blocking::KeystoneClient;
/// use keystone_client::resources::Team;
/// use keystone_client::testing::{Capture, Fixture, page};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let teams = page([Team::fixture_json(1), Team::fixture_json(2)]);
/// let backend = Capture::json(StatusCode::OK, &teams);
/// let client = KeystoneClient::with_backend("https://keystone.example.edu", backend)?;
/// assert_eq!(client.teams().list().all()?.len(), 2);
/// # Ok(()) }
/// ```
pub fn page(records: impl IntoIterator<Item = Value>) -> Value {
    let records: Vec<Value> = records.into_iter().collect();
    json!({ "count": records.len(), "next": null, "previous": null, "results": records })
}

macro_rules! fixtures {
    ($(
        $($resource:ident)::+ { $($members:tt)* }
    )+) => {
        $(impl Fixture for $($resource)::+ {
            fn fixture_json(id: u64) -> Value {
                json!({ "id": id, $($members)* })
            }
        })+

        #[cfg(test)]
        #[test]
        fn every_fixture_is_a_record() {
            $(assert_eq!(
                serde_json::to_value(<$($resource)::+>::fixture(7)).unwrap(),
                <$($resource)::+>::fixture_json(7),
                stringify!($($resource)::+),
            );)+
        }
    };
}

/// The members of a user as part of another record.
fn user_summary() -> Value {
    json!({
        "id": 1, "username": "ada", "first_name": "Ada", "last_name": "Lovelace",
        "display_name": "Ada Lovelace", "abbreviation": "AL", "email": "ada@example.edu",
        "department": "Mathematics", "role": "Faculty"
    })
}

fn team_summary() -> Value {
    json!({ "id": 1, "slug": "folding", "name": "Folding", "is_active": true })
}

fn cluster_summary() -> Value {
    json!({ "id": 1, "name": "atlas", "enabled": true })
}

fn request_summary() -> Value {
    json!({
        "id": 1, "title": "Protein folding", "status": "AP", "active": "2026-01-01",
        "expire": "2026-12-31"
    })
}

fixtures! {
    Cluster {
        "name": "atlas", "description": "CPU nodes", "enabled": true, "access_mode": "OP",
        "access_teams": [], "_access_teams": [], "_history": []
    }
    AllocationRequest {
        "title": "Protein folding", "description": "Fold more of them.", "submitter": 1, "team": 1,
        "status": "AP", "submitted": "2025-12-01T09:30:00.250000Z", "active": "2026-01-01",
        "expire": "2026-12-31", "assignees": [], "publications": [], "grants": [],
        "_submitter": user_summary(), "_team": team_summary(), "_assignees": [],
        "_publications": [], "_grants": [], "_allocations": [], "_attachments": [],
        "_comments": [], "_history": []
    }
    Allocation {
        "requested": 100_000, "awarded": 80_000, "final": null, "cluster": 1, "request": 1,
        "_cluster": cluster_summary(), "_request": request_summary(), "_history": []
    }
    Review {
        "status": "AP", "request": 1, "reviewer": 1, "submitted": "2025-12-08T14:00:00.125000Z",
        "_request": request_summary(), "_reviewer": user_summary(), "_history": []
    }
    Attachment {
        "file": "allocations/budget.csv", "name": "budget.csv", "request": 1,
        "uploaded": "2025-12-01T09:31:00.500000Z", "_request": request_summary(), "_history": []
    }
    Comment {
        "content": "Looks good.", "request": 1, "user": 1, "private": false,
        "created": "2025-12-02T08:00:00.750000Z", "_user": user_summary(),
        "_request": request_summary(), "_history": []
    }
    Grant {
        "title": "Folding at scale", "agency": "NSF", "pi": "Ada Lovelace", "amount": "250000.00",
        "grant_number": "NSF-2026-1", "start_date": "2026-01-01", "end_date": "2028-12-31",
        "description": null, "team": 1, "_team": team_summary(), "_history": []
    }
    Publication {
        "title": "On folding", "abstract": null, "submitted": "2026-02-01",
        "published": "2026-06-01", "journal": "Journal of Folding", "doi": "10.1000/182",
        "volume": "12", "issue": "3", "team": 1, "_team": team_summary(), "_history": []
    }
    User {
        "username": "ada", "first_name": "Ada", "last_name": "Lovelace",
        "email": "ada@example.edu", "department": "Mathematics", "role": "Faculty",
        "is_active": true, "is_staff": false, "is_ldap_user": false, "is_superuser": false,
        "groups": [], "user_permissions": [], "date_joined": "2025-09-01T08:00:00.500000Z",
        "last_login": "2026-01-15T07:45:00.250000Z", "display_name": "Ada Lovelace",
        "abbreviation": "AL", "_membership": [], "_history": []
    }
    Team {
        "name": "Folding", "slug": "folding", "is_active": true, "users": [], "_membership": [],
        "_history": []
    }
    Membership {
        "user": 1, "team": 1, "role": "OW", "_user": user_summary(), "_team": team_summary(),
        "_history": []
    }
    Notification {
        "user": 1, "time": "2026-10-01T06:00:00.125000Z", "read": false,
        "subject": "Your request expires in 90 days", "message_html": "<p>It does.</p>",
        "notification_type": "RE", "_user": user_summary()
    }
    Preference {
        "user": 1, "request_expiry_thresholds": [30, 14], "notify_on_expiration": true,
        "_user": user_summary()
    }
    AuditLogEntry {
        "record_name": "users | Team", "record_id": 1, "action": "update",
        "changes": { "is_active": ["True", "False"] },
        "cid": "a3f1c9d0-0f6b-4c6e-9a65-1d2b8f6f3a10", "remote_addr": "192.0.2.7",
        "remote_port": null, "timestamp": "2026-01-15T07:46:00.500000Z", "actor": 1,
        "_actor": user_summary()
    }
    RequestLogEntry {
        "method": "GET", "endpoint": "/users/teams/?_limit=100", "response_code": 200,
        "remote_address": "192.0.2.7", "timestamp": "2026-01-15T07:45:30.750000Z",
        "cid": "a3f1c9d0-0f6b-4c6e-9a65-1d2b8f6f3a10", "user": 1, "_user": user_summary()
    }
    TaskResult {
        "task_id": "6f4b6c1e-8a53-4a0c-9c57-0d6a6c2f7b11", "periodic_task_name": "limits",
        "task_name": "plugins.slurm.update_limits", "task_args": "\"()\"",
        "task_kwargs": "\"{}\"", "status": "SUCCESS", "worker": "celery@keystone",
        "content_type": "application/json", "content_encoding": "utf-8", "result": "null",
        "date_created": "2026-01-15T04:00:00.250000Z", "date_started": null,
        "date_done": "2026-01-15T04:00:03.500000Z", "traceback": null,
        "meta": "{\"children\": []}"
    }
    legacy::ResearchGroup {
        "name": "Folding", "is_active": true, "pi": 1, "admins": [], "members": []
    }
    legacy::User {
        "username": "ada", "first_name": "Ada", "last_name": "Lovelace",
        "email": "ada@example.edu", "department": "Mathematics", "role": "Faculty",
        "is_active": true, "is_staff": false, "is_ldap_user": false, "is_superuser": false,
        "groups": [], "user_permissions": [], "date_joined": "2024-03-01T08:00:00.500000Z",
        "last_login": null
    }
    legacy::Cluster { "name": "atlas", "description": "CPU nodes", "enabled": true }
    legacy::AllocationRequest {
        "title": "Protein folding", "description": "Fold more of them.", "group": 1,
        "status": "AP", "submitted": "2024-03-02", "active": "2024-04-01", "expire": "2025-03-31",
        "assignees": []
    }
    legacy::Allocation {
        "requested": 100_000, "awarded": 80_000, "final": null, "cluster": 1, "request": 1
    }
    legacy::Review {
        "status": "AP", "request": 1, "reviewer": 1, "public_comments": "Looks good.",
        "private_comments": null, "date_modified": "2024-03-09T14:00:00.125000Z"
    }
    legacy::Grant {
        "title": "Folding at scale", "agency": "NSF", "amount": "250000.00",
        "grant_number": "NSF-2024-1", "fiscal_year": 2024, "start_date": "2024-01-01",
        "end_date": "2026-12-31", "group": 1
    }
    legacy::Publication {
        "title": "On folding", "abstract": "We fold.", "date": "2024-06-01",
        "journal": "Journal of Folding", "doi": "10.1000/182", "group": 1
    }
    legacy::AppLogEntry {
        "name": "django.request", "level": "WARNING", "pathname": "/srv/keystone/log.py",
        "lineno": 241, "message": "Not Found: /nope/", "func": "log_response", "sinfo": null,
        "time": "2024-03-01T08:00:00.500000Z"
    }
    legacy::RequestLogEntry {
        "method": "GET", "endpoint": "/users/users/", "response_code": 200, "body_request": "",
        "body_response": "[]", "remote_address": "192.0.2.7",
        "time": "2024-03-01T08:00:00.250000Z", "user": 1
    }
    legacy::TaskResult {
        "task_id": "6f4b6c1e-8a53-4a0c-9c57-0d6a6c2f7b11", "periodic_task_name": null,
        "task_name": "apps.users.tasks.ldap_update_users", "task_args": "\"()\"",
        "task_kwargs": "\"{}\"", "status": "SUCCESS", "worker": "celery@keystone",
        "content_type": "application/json", "content_encoding": "utf-8", "result": "null",
        "date_created": "2024-03-01T04:00:00.250000Z", "date_done": "2024-03-01T04:00:03.500000Z",
        "traceback": null, "meta": "{\"children\": []}"
    }
}

/// The key of an entry of the feed is text.
impl Fixture for FeedEntry {
    fn fixture_json(id: u64) -> Value {
        json!({
            "id": format!("r{id}"), "record_id": id, "record_type": "request",
            "timestamp": "2026-01-15T07:45:30.750000Z", "summary": "/users/teams/?_limit=100",
            "cid": "a3f1c9d0-0f6b-4c6e-9a65-1d2b8f6f3a10", "status": "200", "user": 1,
            "_user": user_summary()
        })
    }
}
