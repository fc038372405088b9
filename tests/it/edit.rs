//! Changes of records at hand: what is sent, and what is checked.

use http::Method;
use jiff::civil::date;
use keystone_client::resources::{
    Cluster, FeedEntry, Grant, NewAllocationRequest, NewCluster, NewGrant, NewPreference, NewTeam,
    NewUser, User,
};
use keystone_client::rust_decimal::Decimal;
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::{Fixture, from_fn};
use keystone_client::{Edited, ErrorKind, Id, Resource};
use serde_json::{Value, json};

use crate::support::both_colours;
use crate::support::target::{PASSWORD, Target};

keystone_client::resource! {
    /// Entries of a feed that can be changed, which those of the server cannot.
    pub struct Keyless("keyless record", "nowhere");
    fields KeylessFields;
    verbs [Update];

    read_only {
        /// Primary key.
        id: Id<Keyless>,
    }
    required {
        /// Text.
        text: String,
    }
}

/// What was sent to change something.
fn patches(server: &Target) -> Vec<Value> {
    let requests = server.requests();
    let patches = requests.iter().filter(|request| request.method() == Method::PATCH);
    patches.map(|request| serde_json::from_slice(request.body()).unwrap()).collect()
}

both_colours! {
    fn what_does_not_differ_is_not_sent() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, name) = server.staff("boss");
        let client = client!(server.clone());
        go!(client.login(name.as_str(), PASSWORD)).unwrap();
        let team = go!(client.create_team(NewTeam::new(server.name("Folding")))).unwrap();
        let new = NewGrant::new("Folding", "NSF", 5, date(2026, 1, 1), team.id);
        let grant = go!(client.create_grant(new.end_date(date(2027, 1, 1)))).unwrap();
        server.clear_requests();

        let edited = go!(client.grants().edit(&grant, |g| [
            g.title.set("  Folding\n"),
            g.amount.set(Decimal::new(5_000, 3)),
            g.end_date.set(date(2027, 1, 1)),
            g.description.set(None),
            g.team.set(team.id),
        ])).unwrap();
        assert_eq!(edited, Edited::Unchanged(grant.clone()));
        assert!(edited.fields().is_empty() && !edited.is_changed());
        assert_eq!(edited.record(), &grant);
        assert!(server.requests().is_empty());

        let edited = go!(client.grants().edit(&grant, |g| [
            g.title.set("Folding"),
            g.description.set(""),
            g.end_date.set(None),
            g.amount.set(Decimal::new(501, 2)),
        ])).unwrap();
        assert_eq!(edited.fields(), ["description", "end_date", "amount"]);
        assert!(edited.is_changed());
        let sent = json!({ "description": "", "end_date": null, "amount": "5.01" });
        assert_eq!(patches(&server), [sent]);
        let grant = edited.into_record();
        assert_eq!((grant.description.as_deref(), grant.end_date), (Some(""), None));
    }

    fn keys_are_a_set_and_json_is_what_it_is() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, name) = server.staff("boss");
        let client = client!(server.clone());
        go!(client.login(name.as_str(), PASSWORD)).unwrap();
        let me = go!(client.whoami()).unwrap().unwrap();
        let teams = ["Folding", "Knots"].map(|name| {
            Id::new(server.insert("users/teams", json!({ "name": server.name(name) })))
        });
        let cluster = go!(client.create_cluster(NewCluster::new(server.name("atlas")).access_teams(teams)));
        let cluster = cluster.unwrap();
        let preference = NewPreference::new().request_expiry_thresholds(json!([30, 14]));
        let preference = go!(client.create_preference(preference)).unwrap();
        server.clear_requests();

        let again = [teams[1], teams[0], teams[1]];
        let edit = client.clusters().edit(&cluster, |c| c.access_teams.set(again));
        assert!(!go!(edit).unwrap().is_changed());
        let edit = client.preferences().edit(&preference, |p| [
            p.request_expiry_thresholds.set(json!([30, 14])),
            p.user.set(me.id),
        ]);
        assert!(!go!(edit).unwrap().is_changed());
        let edit = client.users().edit(&me, |u| [u.groups.set(vec![])]);
        assert!(!go!(edit).unwrap().is_changed());
        assert!(server.requests().is_empty());

        let edit = client.clusters().edit(&cluster, |c| c.access_teams.set([teams[1]]));
        assert_eq!(go!(edit).unwrap().into_record().access_teams, [teams[1]]);
        let thresholds = json!([14, 30]);
        let edit = client
            .preferences()
            .edit(&preference, |p| p.request_expiry_thresholds.set(thresholds.clone()));
        assert_eq!(go!(edit).unwrap().into_record().request_expiry_thresholds, thresholds);
    }

    fn what_a_record_does_not_show_is_sent() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, name) = server.staff("boss");
        let client = client!(server.clone());
        go!(client.login(name.as_str(), PASSWORD)).unwrap();
        let user = go!(client.create_user(NewUser::new(server.name("ada"), PASSWORD))).unwrap();
        server.clear_requests();
        let edit = client.users().edit(&user, |u| [
            u.username.set(server.name("ada")),
            u.password.set("battery staple clip"),
        ]);
        assert!(!format!("{edit:?}").contains("battery"), "{edit:?}");
        let edited = go!(edit.verified()).unwrap();
        assert_eq!(edited.fields(), ["password"]);
        assert_eq!(patches(&server), [json!({ "password": "battery staple clip" })]);
    }

    fn what_is_wrong_is_found_although_nothing_differs() {
        let client = client!(from_fn(|_| panic!("nothing is to be sent")));
        let grant = Grant::fixture(1);
        let title = grant.title.as_str();
        let edit = client.grants().edit(&grant, |g| [g.title.set(title), g.title.set(title)]);
        let error = go!(edit.verified().if_unmodified()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains("`title` is set twice"), "{error}");
        assert!(FeedEntry::history(&FeedEntry::fixture(1)).is_none());
    }

    fn a_record_that_has_changed_is_left_alone() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, ada) = server.staff("ada");
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        let other = client!(server.clone());
        go!(other.login(ada.as_str(), PASSWORD)).unwrap();
        let cluster = go!(client.create_cluster(NewCluster::new(server.name("atlas")))).unwrap();

        let edit = |cluster: &Cluster| {
            client.clusters().edit(cluster, |c| [c.description.set("CPU only")]).if_unmodified()
        };
        go!(other.update_cluster(cluster.id, |c| [c.enabled.set(false)])).unwrap();
        go!(other.update_cluster(cluster.id, |c| [c.name.set(server.name("borealis"))])).unwrap();
        server.clear_requests();
        let error = go!(edit(&cluster)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(!error.may_have_been_sent() && patches(&server).is_empty());
        let text = error.to_string();
        assert!(text.starts_with("edit cluster: the record has changed since it was"), "{text}");
        assert!(text.ends_with(" by A B; changed since: enabled, name; nothing was written"), "{text}");

        let cluster = go!(client.retrieve_cluster(cluster.id)).unwrap();
        let edited = go!(edit(&cluster)).unwrap();
        assert_eq!(edited.fields(), ["description"]);
        // Nothing to write, nothing to compare.
        server.clear_requests();
        assert!(!go!(edit(edited.record())).unwrap().is_changed());
        assert!(server.requests().is_empty());

        go!(client.delete_cluster(cluster.id)).unwrap();
        let error = go!(edit(&cluster)).unwrap_err();
        assert!(error.is_not_found() && !error.may_have_been_sent(), "{error}");
    }

    fn what_no_history_tells_the_fields_do() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, name) = server.staff("boss");
        let client = client!(server.clone());
        go!(client.login(name.as_str(), PASSWORD)).unwrap();
        let me = go!(client.whoami()).unwrap().unwrap();
        let team = go!(client.create_team(NewTeam::new(server.name("Folding")))).unwrap();
        let new = NewAllocationRequest::new("Folding", "Why", me.id, team.id);
        let request = go!(client.create_request(new)).unwrap();
        go!(client.update_request(request.id, |r| [r.assignees.set([me.id])])).unwrap();
        // The other's change and this one have nothing to do with each other.
        let edit = client.requests().edit(&request, |r| [r.title.set("Knots")]).if_unmodified();
        let edited = go!(edit).unwrap();
        assert_eq!(edited.record().assignees, [me.id]);
        let stale = edited.into_record();
        go!(client.update_request(stale.id, |r| [r.assignees.set([])])).unwrap();
        let edit = client.requests().edit(&stale, |r| [r.assignees.set([Id::new(999_999)])]);
        let error = go!(edit.if_unmodified()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().ends_with(": changed since: assignees; nothing was written"), "{error}");

        // Without any history at all.
        let preference = go!(client.create_preference(NewPreference::new())).unwrap();
        let edit = || {
            let edit = client.preferences().edit(&preference, |p| p.notify_on_expiration.set(false));
            edit.if_unmodified()
        };
        assert!(go!(edit()).unwrap().is_changed());
        let error = go!(edit()).unwrap_err();
        assert!(error.to_string().contains("since: notify_on_expiration"), "{error}");
    }

    fn fields_that_the_server_drops_are_named() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, ada) = server.user("ada");
        let client = client!(server.clone());
        go!(client.login(ada.as_str(), PASSWORD)).unwrap();
        let me = go!(client.whoami()).unwrap().unwrap();
        let edit = || client.users().edit(&me, |u| [u.is_staff.set(true), u.role.set("Faculty")]);
        assert_eq!(go!(edit()).unwrap().fields(), ["is_staff", "role"]);
        let error = go!(edit().verified()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotApplied);
        assert!(error.may_have_been_sent());
        let text = error.to_string();
        assert!(text.ends_with("sent for `is_staff`; it has what was sent for `role`"), "{text}");
        let user: User = go!(client.retrieve_user(me.id)).unwrap();
        assert_eq!((user.role.as_deref(), user.is_staff), (Some("Faculty"), false));
    }

    fn options_hold_for_each_request() {
        let sandbox = Sandbox::new();
        let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let (server, log) = (sandbox.clone(), seen.clone());
        let client = client!(from_fn(move |request| {
            let id = request.headers().get("x-keystone-cid").unwrap();
            log.lock().unwrap().push(id.to_str().unwrap().to_owned());
            Ok(server.handle(request))
        }));
        go!(client.login("admin", "admin-password")).unwrap();
        let cluster = go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
        let id = keystone_client::uuid::Uuid::from_u128(0x2026);
        seen.lock().unwrap().clear();
        let edit = client.clusters().edit(&cluster, |c| c.enabled.set(false));
        go!(edit.if_unmodified().correlation_id(id)).unwrap();
        let ensure = client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(true));
        go!(ensure.correlation_id(id)).unwrap();
        let ensure = client.clusters().ensure(NewCluster::new("borealis"), |_| []);
        go!(ensure.correlation_id(id)).unwrap();
        assert_eq!(*seen.lock().unwrap(), vec![id.to_string(); 6]);
    }

    fn all_fields_that_are_named_are_compared() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, name) = server.staff("boss");
        let client = client!(server.clone());
        go!(client.login(name.as_str(), PASSWORD)).unwrap();
        let teams = ["Folding", "Knots"].map(|name| {
            Id::new(server.insert("users/teams", json!({ "name": server.name(name) })))
        });
        let new = NewCluster::new(server.name("atlas")).access_teams([teams[0]]);
        let cluster = go!(client.create_cluster(new)).unwrap();
        // No entry of the history tells of lists of keys.
        go!(client.update_cluster(cluster.id, |c| c.access_teams.set([teams[1]]))).unwrap();
        let edit = client.clusters().edit(&cluster, |c| [
            c.description.set("CPU only"),
            c.access_teams.set([teams[0]]),
        ]);
        let error = go!(edit.if_unmodified()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let text = error.to_string();
        assert!(text.ends_with("changed since: access_teams; nothing was written"), "{text}");
    }

    fn of_several_who_changed_it_the_last_is_said_to_be_the_last() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, ada) = server.staff("ada");
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        let other = client!(server.clone());
        go!(other.login(ada.as_str(), PASSWORD)).unwrap();
        let cluster = go!(client.create_cluster(NewCluster::new(server.name("atlas")))).unwrap();
        go!(client.update_cluster(cluster.id, |c| c.enabled.set(false))).unwrap();
        go!(other.update_cluster(cluster.id, |c| c.name.set(server.name("borealis")))).unwrap();
        let edit = client.clusters().edit(&cluster, |c| c.description.set("CPU only"));
        let text = go!(edit.if_unmodified()).unwrap_err().to_string();
        let (before, after) = text.split_once(" by A B; changed since: ").unwrap();
        assert!(before.contains(": last at 2"), "{text}");
        assert_eq!(after, "enabled, name; nothing was written");
    }

    fn guarded_edits_follow_each_other() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, name) = server.staff("boss");
        let client = client!(server.clone());
        go!(client.login(name.as_str(), PASSWORD)).unwrap();
        let mut cluster = go!(client.create_cluster(NewCluster::new(server.name("atlas")))).unwrap();
        for description in ["CPU only", "GPU only", "both"] {
            let edit = client.clusters().edit(&cluster, |c| c.description.set(description));
            let edited = go!(edit.if_unmodified().verified()).unwrap();
            assert!(edited.is_changed());
            cluster = edited.into_record();
        }
        assert_eq!(patches(&server).len(), 3);
    }

    fn what_refers_to_a_step_is_not_even_fetched_for() {
        let client = client!(from_fn(|_| panic!("nothing is to be sent")));
        let mut batch = client.batch();
        let team = batch.add(client.teams().create(NewTeam::new("Folding")));
        let grant = Grant::fixture(1);
        let edit = client.grants().edit(&grant, |g| g.team.set(team));
        let error = go!(edit.if_unmodified()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        let said = "edit grant: invalid request: it refers to a step of a batch job, and so can only";
        assert!(error.to_string().starts_with(said), "{error}");
    }

    fn what_cannot_be_told_is_not_claimed() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, ada) = server.user("ada");
        let client = client!(server.clone());
        go!(client.login(ada.as_str(), PASSWORD)).unwrap();
        let me = go!(client.whoami()).unwrap().unwrap();
        let edit = client.users().edit(&me, |u| [
            u.is_staff.set(true),
            u.role.set("Faculty"),
            u.password.set("battery staple horse"),
        ]);
        let text = go!(edit.verified()).unwrap_err().to_string();
        let said = "the record does not have what was sent for `is_staff`; it has what was sent for \
                    `role`; it does not tell of `password`";
        assert!(text.ends_with(said), "{text}");
    }
}

#[test]
fn histories_are_found_among_the_fields() {
    let grant = Grant::fixture(1);
    assert!(std::ptr::eq(Grant::history(&grant).unwrap(), &grant.history));
    let keyless = Keyless { id: Id::new(1), text: String::new() };
    assert!(Keyless::history(&keyless).is_none());
}
