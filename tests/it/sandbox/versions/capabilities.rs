//! What clients know of versions, on servers that are of them: on the version before, a call is
//! refused in words, and from the version on it works.

use keystone_client::resources::{
    AccessMode, MembershipRole, NewMembership, NewTeam, NotificationType, RequestStatus,
    ReviewStatus,
};
use keystone_client::sandbox::Sandbox;
use keystone_client::{ErrorKind, Id};
use serde_json::json;

use super::builder;
use crate::support::both_colours;

fn server(version: &str) -> Sandbox {
    let sandbox = builder(version).build();
    sandbox.insert("allocations/clusters", json!({ "name": "atlas" })).unwrap();
    sandbox.insert("allocations/clusters", json!({ "name": "borealis" })).unwrap();
    sandbox
}

/// A server that does not say what it is.
fn silent(version: &str) -> Sandbox {
    builder(version).reported_version("0.0.0").build()
}

/// Expects a call to be refused by servers of one version, and to work on those of another one.
///
/// `signs`: the answer of the server makes the client ask for the version. `asks`: the client asks
/// before it sends the call. `told`: it has to know the version already.
macro_rules! refused {
    ($how:ident: $lacking:literal, $having:literal, |$client:ident| $call:expr) => {{
        let sandbox = server($lacking);
        let $client = client!(sandbox.clone());
        go!($client.login("admin", "admin-password")).unwrap();
        if stringify!($how) == "told" {
            go!($client.version()).unwrap();
        }
        sandbox.clear_requests();
        let error = go!($call).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{} {error}", $lacking);
        assert!(error.to_string().ends_with(concat!("this server is ", $lacking)), "{error}");
        let paths: Vec<_> = sandbox.requests().iter().map(|it| it.path().to_owned()).collect();
        match stringify!($how) {
            "told" => assert!(paths.is_empty(), "{paths:?}"),
            "asks" => assert_eq!(paths, ["/version/"]),
            _ => assert_eq!((paths.len(), paths[1].as_str()), (2, "/version/"), "{paths:?}"),
        }

        let $client = client!(server($having));
        go!($client.login("admin", "admin-password")).unwrap();
        go!($call).map(drop).unwrap();
    }};
}

/// Expects that a path is not there, and that the error says since when it is.
macro_rules! unknown {
    ($lacking:literal, $words:literal, |$client:ident| $call:expr) => {{
        let $client = client!(silent($lacking));
        go!($client.login("admin", "admin-password")).unwrap();
        let error = go!($call).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownEndpoint, "{error}");
        assert!(error.to_string().contains($words), "{error}");
    }};
}

both_colours! {
    fn what_went() {
        refused!(asks: "0.5.0", "0.4.1", |client| client.legacy().clusters().list().all());
        refused!(asks: "0.10.9", "0.3.26", |client| client.legacy().users().list().all());
        refused!(signs: "0.5.0", "0.4.1", |client| client.research_groups().list().all());
        refused!(signs: "0.7.0", "0.6.21", |client| client.legacy().app_log().list().all());
        unknown!("0.5.0", "went after Keystone 0.4.1", |client| client.research_groups().list().all());
    }

    fn resources_that_came() {
        refused!(signs: "0.4.1", "0.5.0", |client| client.teams().list().all());
        refused!(signs: "0.4.1", "0.5.0", |client| client.memberships().list().all());
        refused!(signs: "0.4.1", "0.5.0", |client| client.requests().list().all());
        refused!(signs: "0.4.1", "0.5.0", |client| client.grants().list().all());
        refused!(signs: "0.5.2", "0.5.3", |client| client.attachments().list().all());
        refused!(signs: "0.5.17", "0.6.0", |client| client.comments().list().all());
        refused!(signs: "0.6.2", "0.6.5", |client| client.audit_log().list().all());
        refused!(told: "0.6.4", "0.6.5", |client| client.audit_log().list().all());
        refused!(signs: "0.6.7", "0.6.8", |client| client.notifications().list().all());
        refused!(signs: "0.6.7", "0.6.8", |client| client.preferences().list().all());
        refused!(signs: "0.10.6", "0.10.7", |client| client.feed().list().all());
        unknown!("0.5.17", "came with Keystone 0.6.0", |client| client.comments().list().all());
        unknown!("0.10.6", "came with Keystone 0.10.7", |client| client.feed().list().all());
    }

    fn endpoints_that_came() {
        refused!(signs: "0.8.1", "0.8.4", |client| client.requests().list().stats());
        refused!(told: "0.8.3", "0.8.4", |client| client.requests().list().stats());
        refused!(signs: "0.8.6", "0.8.7", |client| client.notifications().list().stats());
        refused!(signs: "0.9.4", "0.9.5", |client| client.config());
        refused!(signs: "0.9.5", "0.10.0", |client| {
            let mut job = client.batch();
            job.add(client.create_team(NewTeam::new("Folding")));
            job.run()
        });
        unknown!("0.9.5", "came with Keystone 0.10.0", |client| {
            let mut job = client.batch();
            job.add(client.create_team(NewTeam::new("Folding")));
            job.run()
        });
    }

    fn labels_that_came() {
        refused!(signs: "0.5.5", "0.5.6", |client| client.choices::<RequestStatus>());
        refused!(signs: "0.5.5", "0.7.3", |client| client.choices::<ReviewStatus>());
        refused!(signs: "0.4.1", "0.7.4", |client| client.choices::<MembershipRole>());
        refused!(signs: "0.6.12", "0.6.13", |client| client.choices::<NotificationType>());
        refused!(signs: "0.10.3", "0.10.4", |client| client.choices::<AccessMode>());
    }

    fn parts_of_queries_that_came() {
        refused!(signs: "0.4.1", "0.5.0",
            |client| client.clusters().order_by(|c| c.name.desc()).all());
        refused!(signs: "0.5.8", "0.5.9", |client| client.clusters().list().search("atlas").all());
        refused!(told: "0.7.3", "0.7.4", |client| client.clusters().list().page(1, 1));
        refused!(asks: "0.9.2", "0.9.3",
            |client| client.clusters().filter(|c| c.name.not_in(["x"])).all());
        refused!(asks: "0.9.2", "0.9.3",
            |client| client.clusters().filter(|c| c.name.not_contains("x")).all());
        refused!(asks: "0.10.6", "0.10.7",
            |client| client.clusters().filter(|c| c.name.not_eq("x")).all());
        refused!(asks: "0.10.6", "0.10.7",
            |client| client.clusters().filter(|c| c.name.not_starts_with("x")).all());
    }

    fn filters_that_did_not_work() {
        refused!(signs: "0.6.7", "0.6.6", |client| client.grants().filter(|g| g.title.eq("x")).all());
        refused!(signs: "0.6.9", "0.6.9.1",
            |client| client.grants().filter(|g| g.title.eq("x")).all());
    }

    fn fields_that_came() {
        refused!(signs: "0.5.14", "0.5.15",
            |client| client.publications().filter(|p| p.volume.eq("7")).all());
        refused!(signs: "0.6.0", "0.6.1",
            |client| client.attachments().filter(|a| a.name.eq("x")).all());
        refused!(signs: "0.6.13", "0.6.14",
            |client| client.reviews().order_by(|r| r.submitted.asc()).all());
        refused!(signs: "0.7.5", "0.8.0", |client| client.teams().filter(|t| t.slug.eq("x")).all());
        refused!(asks: "0.8.1", "0.8.2",
            |client| client.clusters().filter(|c| c.access_mode.eq(AccessMode::Open)).all());
        refused!(asks: "0.8.1", "0.8.2",
            |client| client.grants().filter(|g| g.description.is_null(true)).all());
        refused!(asks: "0.8.7", "0.9.0",
            |client| client.notifications().filter(|n| n.message_html.contains("x")).all());
        refused!(asks: "0.10.5", "0.10.6",
            |client| client.grants().filter(|g| g.pi.eq("Ada")).all());
    }

    fn what_was_elsewhere_is_found_there() {
        for version in ["0.5.0", "0.7.3", "0.7.4", "0.10.9"] {
            let client = client!(server(version));
            go!(client.login("admin", "admin-password")).unwrap();
            let team = go!(client.create_team(NewTeam::new("Folding"))).unwrap();
            let new = NewMembership::new(Id::new(2), team.id, MembershipRole::Owner);
            let membership = go!(client.create_membership(new)).unwrap();
            assert_eq!(go!(client.memberships().list().all()).unwrap(), [membership]);
        }
        for version in ["0.5.6", "0.7.3", "0.7.4", "0.10.9"] {
            let client = client!(server(version));
            go!(client.login("admin", "admin-password")).unwrap();
            let labels = go!(client.choices::<RequestStatus>()).unwrap();
            assert_eq!(labels[&RequestStatus::Approved], "Approved");
            assert_eq!(go!(client.choices::<ReviewStatus>()).unwrap().len(), 3);
            assert_eq!(go!(client.choices::<MembershipRole>()).unwrap().len(), 3);
        }
        for version in ["0.6.13", "0.7.3", "0.7.4", "0.9.2", "0.9.3"] {
            let client = client!(server(version));
            go!(client.login("admin", "admin-password")).unwrap();
            assert_eq!(go!(client.choices::<NotificationType>()).unwrap().len(), 3, "{version}");
        }
        for version in ["0.3.26", "0.4.1", "0.8.1", "0.8.2"] {
            let client = client!(server(version));
            go!(client.login("admin", "admin-password")).unwrap();
            assert!(!go!(client.openapi_json()).unwrap().is_empty(), "{version}");
            assert!(!go!(client.openapi_yaml()).unwrap().is_empty(), "{version}");
        }
    }

    fn orders_reach_servers_that_call_them_otherwise() {
        for version in ["0.5.0", "0.5.8", "0.5.9", "0.10.9"] {
            let client = client!(server(version));
            go!(client.login("admin", "admin-password")).unwrap();
            let descending = go!(client.clusters().order_by(|c| c.name.desc()).all()).unwrap();
            let names: Vec<_> = descending.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(names, ["borealis", "atlas"], "{version}");
        }
    }
}
