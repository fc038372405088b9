//! The client against servers of either generation, sandboxes or the real one that the environment
//! names (see `support/target.rs`). What the tests make they delete.
//!
//! `KEYSTONE_TEST_TOKEN_SECONDS` may state how long an access token lives on a real JWT server, if it
//! is short enough to be waited for.

mod attachments;
mod batch;
mod changing;
mod lists;
mod renewal;

use std::env;
use std::thread;
use std::time::Duration;

use keystone_client::backend::{IsahcBackend, ReqwestBackend, UreqBackend};
use keystone_client::resources::{
    AccessMode, Allocation, AllocationRequest, Attachment, AuditLogEntry, Cluster, Comment,
    FeedEntry, Grant, Membership, MembershipRole, NewCluster, Notification, NotificationType,
    Preference, Publication, RequestLogEntry, RequestStatus, Review, ReviewStatus, TaskResult,
    Team, User, legacy,
};
use keystone_client::{Dialect, ErrorKind, Id, KeystoneClient, Resource, blocking};
use serde::Serialize;
use serde_json::Value;

use crate::support::target::{Target, on_each_server};
use crate::support::{awaited, differences, finished};

macro_rules! walk {
    ($server:ident, $client:ident, $go:ident) => {{
        let (username, password) = ($server.username(), $server.password());
        let error = $go!($client.login(username.as_str(), "certainly wrong")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCredentials);
        $go!($client.login(username.as_str(), password)).unwrap();
        assert_eq!($go!($client.whoami()).unwrap().unwrap().username, username);
        assert!(!$go!($client.version()).unwrap().is_empty());

        let cluster = $go!($client.create_cluster(NewCluster::new($server.name("walk")))).unwrap();
        assert_eq!($go!($client.retrieve_cluster(cluster.id)).unwrap().name, cluster.name);
        let found = $client.clusters().filter(|c| c.name.eq(cluster.name.as_str()));
        assert_eq!($go!(found.all()).unwrap().len(), 1);
        let updated = $client.update_cluster(cluster.id, |c| [c.description.set("short-lived")]);
        assert_eq!($go!(updated).unwrap().description.as_deref(), Some("short-lived"));
        let users = $go!($client.users().list().page_size(3).all()).unwrap();
        assert_eq!(users.len(), $go!($client.users().list().all()).unwrap().len());
        assert!(users.is_sorted_by_key(|user| user.id));

        if let Some(sandbox) = $server.sandbox() {
            sandbox.expire_access_tokens();
        } else if let Ok(seconds) = env::var("KEYSTONE_TEST_TOKEN_SECONDS") {
            assert_eq!($client.dialect(), Some(Dialect::Jwt));
            wait(Duration::from_secs(seconds.parse::<u64>().unwrap() + 1));
        }
        $go!($client.delete_cluster(cluster.id)).unwrap();
        assert!($go!($client.retrieve_cluster(cluster.id)).unwrap_err().is_not_found());
        assert!($go!($client.retrieve_cluster(Id::new(999_999)).optional()).unwrap().is_none());
        $go!($client.logout()).unwrap();
        assert!(!$client.is_authenticated());
        let error = $go!($client.users().list().all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotLoggedIn);
    }};
}

#[allow(clippy::disallowed_methods, reason = "a real token has to expire")]
fn wait(duration: Duration) {
    thread::sleep(duration);
}

macro_rules! asynchronous {
    ($server:expr, $backend:expr) => {{
        let server = $server;
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let client = KeystoneClient::with_backend(&server.url(), $backend).unwrap();
            walk!(server, client, awaited);
        })
    }};
}

macro_rules! blocking {
    ($server:expr, $backend:expr) => {{
        let server = $server;
        let client = blocking::KeystoneClient::with_backend(&server.url(), $backend).unwrap();
        walk!(server, client, finished);
    }};
}

on_each_server! {
    fn reqwest(server) {
        asynchronous!(server, ReqwestBackend::new().unwrap());
    }

    fn reqwest_blocking(server) {
        blocking!(server, blocking::ReqwestBackend::new().unwrap());
    }

    fn isahc(server) {
        asynchronous!(server, IsahcBackend::new().unwrap());
    }

    fn isahc_blocking(server) {
        blocking!(server, IsahcBackend::new().unwrap());
    }

    fn ureq_blocking(server) {
        blocking!(server, UreqBackend::new().unwrap());
    }

    fn everything_can_be_read(server) {
        catalogue(server);
    }
}

/// Every list that the server has, every row of it, and everything else that can be read.
///
/// The rows have to be as many as the server counts, and on 0.10.9 and 0.3.26 to come out of the
/// models as they went in, with nothing unknown. `-- --nocapture` shows the counts.
fn catalogue(server: &Target) {
    let client = blocking::KeystoneClient::builder(&server.url())
        .backend(UreqBackend::new().unwrap())
        .watch_drift(true)
        .build()
        .unwrap();
    client.login(server.username(), server.password()).unwrap();
    let version = client.version().send().unwrap();
    println!("Keystone {version}");
    let is_exact = matches!(version.as_str(), "0.10.9" | "0.3.26");
    macro_rules! rows {
        ($($resource:ty)+) => {
            $(rows::<$resource>(&client, stringify!($resource), is_exact);)+
        };
    }
    let is_legacy = client.dialect() == Some(Dialect::Jwt) || version.starts_with("0.4.");
    match is_legacy {
        true => {
            rows! {
                legacy::Allocation legacy::Cluster legacy::AllocationRequest legacy::Review
                legacy::ResearchGroup legacy::User legacy::Grant legacy::Publication
                legacy::AppLogEntry legacy::TaskResult
            }
            // The request log holds its own lists; without a bound it would double each time.
            let first = client.legacy().request_log().filter(|r| r.id.lte(Id::new(50)));
            println!(
                "{:28} {:6} of the first 50",
                "legacy::RequestLogEntry",
                first.all().unwrap().len()
            );
        }
        false => {
            rows! {
                Allocation AllocationRequest Attachment Cluster Comment Review Grant Publication
                Team Membership User Notification Preference AuditLogEntry RequestLogEntry
                TaskResult FeedEntry
            }
        }
    }
    macro_rules! read {
        ($($what:literal $call:expr;)+) => {
            $(match $call {
                Ok(value) => {
                    let shown: String = format!("{value:?}").chars().take(100).collect();
                    println!("{:28} {shown}", $what);
                }
                Err(error) => {
                    let lacking = [ErrorKind::Unsupported, ErrorKind::UnknownEndpoint];
                    assert!(lacking.contains(&error.kind()) && version != "0.10.9", "{error:#}");
                    println!("{:28} {error}", $what);
                }
            })+
        };
    }
    read! {
        "request stats" client.requests().list().stats().send();
        "grant stats" client.grants().list().stats().send();
        "publication stats" client.publications().list().stats().send();
        "notification stats" client.notifications().list().stats().send();
        "config" client.config().send();
        "is_healthy" client.is_healthy().send();
        "health" client.health().send().map(|health| health.checks.len());
        "health metrics" client.health_metrics().send().map(|text| text.len());
        "OpenAPI as JSON" client.openapi_json().send().map(|document| document.len());
        "OpenAPI as YAML" client.openapi_yaml().send().map(|document| document.len());
        "request statuses" client.choices::<RequestStatus>().send();
        "review statuses" client.choices::<ReviewStatus>().send();
        "access modes" client.choices::<AccessMode>().send();
        "membership roles" client.choices::<MembershipRole>().send();
        "notification types" client.choices::<NotificationType>().send();
    }
    macro_rules! search {
        ($($accessor:ident)+) => {
            $(match client.$accessor().list().search("a").count().send() {
                Ok(count) => println!("{:28} {count} with an `a` in them", stringify!($accessor)),
                // Older servers fail when they are to search their logs.
                Err(error) if !is_exact => println!("{error}"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:#}"),
            })+
        };
    }
    search! {
        allocations clusters comments requests grants publications teams memberships users
        preferences request_log task_results feed
    }
    let drift = client.drift();
    println!("{drift}");
    assert!(drift.is_empty() || !is_exact);
}

fn rows<R: Resource<Model: Serialize>>(
    client: &blocking::KeystoneClient,
    name: &str,
    is_exact: bool,
) {
    let list = client.resource::<R>().list();
    let counted = match list.clone().count().send() {
        Ok(counted) => counted,
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            println!("{name:28} {error}");
            return;
        }
        Err(error) => panic!("{name}: {error:#}"),
    };
    let grows = R::PATH.starts_with("logs/");
    // Small pages make long walks of what grows with every page.
    let list = list.page_size(if grows { 500 } else { 7 });
    let models = list.all().unwrap_or_else(|error| panic!("{name}: {error:#}"));
    println!("{name:28} {:6} rows, the server counts {counted}", models.len());
    assert!(models.len() as u64 == counted || grows && models.len() as u64 > counted, "{name}");

    if !is_exact || !R::HAS_ID {
        return;
    }
    let mut exact = 0;
    let written = serde_json::to_value(&models).unwrap();
    for written in written.as_array().unwrap().iter().take(200) {
        let path = format!("{}/{}", R::PATH, written["id"]);
        let read = client.http_get(&path).send().unwrap();
        // Staff can list everybody's notifications but not look at each.
        if read.status() == 403 {
            continue;
        }
        let mut read: Value = read.json().unwrap();
        let mut written = written.clone();
        for record in [&mut read, &mut written] {
            record.as_object_mut().unwrap().remove("last_login");
        }
        let differences = differences(&read, &written);
        assert!(differences.is_empty(), "{name}: {differences:?}");
        exact += 1;
    }
    println!("{:>28} {exact:6} come out as they went in", "…");
}
