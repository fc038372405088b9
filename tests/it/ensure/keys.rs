//! Keys by which what was created would not be found again, and what contradicts itself.

use http::{Request, Uri};
use jiff::Timestamp;
use keystone_client::resources::{Attachment, NewAllocationRequest, NewAttachment, User};
use keystone_client::upload::Upload;
use keystone_client::{Error, Filter};

use super::*;
use crate::support::both_colours;

fn assert_refused<T: std::fmt::Debug>(result: Result<T, Error>, said: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(error.to_string().starts_with("ensure "), "{error}");
    assert!(error.to_string().contains(said), "{error}");
    assert!(!error.may_have_been_sent());
}

both_colours! {
    fn each_condition_of_a_key_is_held_against_what_is_to_be() {
        let client = client!(from_fn(|_| panic!("nothing is to be sent")));
        let grants = client.grants();
        let day = date(2026, 1, 1);
        let new = || NewGrant::new("Folding", "NSF", 10, day, Id::new(1)).grant_number("X-1");
        let ensure = |key: Filter<keystone_client::resources::Grant>| {
            grants.ensure_by(|g| g.grant_number.eq("X-1").and(key), new(), |_| vec![])
        };
        let g = keystone_client::resources::Grant::FIELDS;
        for key in [
            g.title.starts_with("K"),
            g.title.not_starts_with("Fold"),
            g.title.contains("knot"),
            // Some databases find it, and others do not.
            g.title.starts_with("fold"),
            g.title.ends_with("!"),
            g.title.not_eq("Folding"),
            g.title.is_in(["Knots", "Braids"]),
            g.title.not_in(["Folding"]),
            g.amount.lt(10),
            g.amount.gt(10),
            g.amount.lte(Decimal::new(999, 2)),
            g.start_date.gt(day),
            g.start_date.year(2027),
            g.start_date.month(2),
            g.grant_number.is_null(true),
            g.team.is_in([Id::new(2), Id::new(3)]),
        ] {
            assert_refused(go!(ensure(key)), "part of the key");
        }
        let key = |g: &keystone_client::resources::GrantFields| g.grant_number.starts_with("X-");
        let ensure = grants.ensure_by(key, new(), |g| g.grant_number.set("Y-1"));
        assert_refused(go!(ensure), "`grant_number` is part of the key");
        let ensure = grants.ensure_by(|g| g.amount.lt(11), new(), |g| g.amount.set(20));
        assert_refused(go!(ensure), "`amount` is part of the key");
        let unset = NewGrant::new("Folding", "NSF", 10, day, Id::new(1));
        let key = |g: &keystone_client::resources::GrantFields| g.grant_number.is_null(false);
        let ensure = grants.ensure_by(key, unset, |g| g.grant_number.set(None));
        assert_refused(go!(ensure), "`grant_number` is part of the key");
    }

    fn a_key_that_holds_is_none_to_refuse() {
        let Some(server) = Target::session() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        let team = go!(client.create_team(NewTeam::new(server.name("Folding")))).unwrap().id;
        let numbers = [server.name("X-1"), server.name("X-2")];
        for outcome in [Outcome::Created, Outcome::Unchanged] {
            let new = NewGrant::new("Folding", "NSF", 10, date(2026, 1, 1), team);
            let ensure = client.grants().ensure_by(
                |g| {
                    let title = g.title.starts_with("Fold").and(g.title.not_contains("knot"));
                    let rest = g.amount.gte(10).and(g.start_date.year(2026));
                    title.and(rest).and(g.grant_number.is_in(&numbers))
                },
                new.grant_number(&numbers[0]),
                |g| g.amount.set(10),
            );
            assert_eq!(go!(ensure).unwrap().outcome(), outcome);
        }
    }

    fn parts_of_points_in_time_depend_on_the_server() {
        let sandbox = Sandbox::new();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let me = go!(client.whoami()).unwrap().unwrap().id;
        // A server whose clock is another: it finds what in UTC is not there.
        let server = sandbox.clone();
        let client = client!(from_fn(move |mut request: Request<bytes::Bytes>| {
            let uri = request.uri().to_string().replace("&date_joined__year=1999", "");
            *request.uri_mut() = uri.parse::<Uri>().unwrap();
            Ok(server.handle(request))
        }));
        go!(client.login("admin", "admin-password")).unwrap();
        let key = |u: &keystone_client::resources::UserFields| {
            u.username.eq("admin").and(u.date_joined.year(1999))
        };
        let ensure = client.users().ensure_by(key, NewUser::new("admin", "admin-password"), |_| []);
        let ensured = go!(ensure).unwrap();
        assert_eq!((ensured.outcome(), ensured.record().id), (Outcome::Unchanged, me));
    }

    fn keys_that_find_nothing_or_everything_are_refused() {
        let client = client!(from_fn(|_| panic!("nothing is to be sent")));
        let clusters = client.clusters();
        let nanosecond = Timestamp::from_nanosecond(1).unwrap();
        for key in [
            Cluster::FIELDS.name.is_in::<[&str; 0]>([]),
            Cluster::FIELDS.name.eq("atlas").and(Cluster::FIELDS.id.is_in::<[Id<Cluster>; 0]>([])),
            Cluster::FIELDS.id.eq(Id::new(u64::MAX)),
            Cluster::FIELDS.id.is_in([Id::new(u64::MAX)]),
            Cluster::FIELDS.id.gt(Id::new(u64::MAX)),
        ] {
            let ensure = clusters.ensure_by(|_| key, NewCluster::new("atlas"), |_| []);
            assert_refused(go!(ensure), "finds no record");
        }
        let new = NewUser::new("ada", "correct horse");
        let ensure = client.users().ensure_by(|u| u.date_joined.eq(nanosecond), new.clone(), |_| []);
        assert_refused(go!(ensure), "finds no record");
        let everything = [
            User::FIELDS.date_joined.not_eq(nanosecond),
            User::FIELDS.username.not_in::<[&str; 0]>([]),
            User::FIELDS.username.not_in::<[&str; 0]>([]).and(User::FIELDS.id.not_in([Id::new(u64::MAX)])),
        ];
        for key in everything {
            let ensure = client.users().ensure_by(|_| key, new.clone(), |_| []);
            assert_refused(go!(ensure), "finds every record");
        }
    }

    fn a_record_that_has_not_the_key_is_left_alone() {
        let sandbox = Sandbox::new();
        sandbox.insert("allocations/clusters", json!({ "name": "borealis" })).unwrap();
        let server = sandbox.clone();
        let client = client!(from_fn(move |mut request: Request<bytes::Bytes>| {
            // A server, or something before it, that does not know the filter.
            if request.uri().query().is_some_and(|query| query.contains("name=")) {
                let path = request.uri().path().parse::<Uri>().unwrap();
                *request.uri_mut() = path;
            }
            Ok(server.handle(request))
        }));
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.clear_requests();
        let ensure =
            || client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(false));
        for another in ["cygnus", "draco"] {
            let error = go!(ensure()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(!error.may_have_been_sent());
            let said = "asked for `name=atlas`, the server has found cluster 1, which is another";
            assert!(error.to_string().contains(said), "{error}");
            // No less so if there are several.
            sandbox.insert("allocations/clusters", json!({ "name": another })).unwrap();
        }
        assert_eq!(methods(&sent(&sandbox)), "GET GET");
    }

    fn what_is_ambiguous_is_named() {
        let sandbox = Sandbox::new();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        for name in ["atlas", "borealis", "cygnus"] {
            go!(client.create_cluster(NewCluster::new(name))).unwrap();
        }
        let ensure =
            client.clusters().ensure_by(|c| c.enabled.eq(true), NewCluster::new("draco"), |_| []);
        let text = go!(ensure).unwrap_err().to_string();
        let said = "the key `enabled=true` finds cluster 1, cluster 2, and perhaps more";
        assert!(text.contains(said), "{text}");
    }

    fn what_only_a_batch_job_can_do_is_refused_before_anything_is_sent() {
        let client = client!(from_fn(|_| panic!("nothing is to be sent")));
        let mut batch = client.batch();
        let ada = batch.add(client.users().create(NewUser::new("ada", "correct horse")));
        let team = batch.add(client.teams().create(NewTeam::new("Folding")));
        let said = "it refers to a step of a batch job, and so can only be a step of that job";
        let new = NewMembership::new(ada, team, MembershipRole::Owner);
        assert_refused(go!(client.memberships().ensure(new, |_| [])), said);
        // In the key, in the new record and in the changes.
        let day = date(2026, 1, 1);
        let new = || NewGrant::new("Folding", "NSF", 10, day, Id::new(1));
        let ensure = client.grants().ensure_by(|g| g.team.eq(team), new(), |_| []);
        assert_refused(go!(ensure), said);
        let pending = NewGrant::new("Folding", "NSF", 10, day, team);
        let ensure = client.grants().ensure_by(|g| g.title.eq("Folding"), pending, |_| []);
        assert_refused(go!(ensure), said);
        let ensure = client.grants().ensure_by(|g| g.title.eq("Folding"), new(), |g| g.team.set(team));
        assert_refused(go!(ensure), said);
    }

    fn a_new_record_and_its_changes_agree() {
        let client = client!(from_fn(|_| panic!("nothing is to be sent")));
        let new = NewCluster::new("atlas").description("CPU only").access_teams([Id::new(1)]);
        for (field, ensure) in [
            ("description", client.clusters().ensure(new.clone(), |c| c.description.set("all"))),
            ("description", client.clusters().ensure(new.clone(), |c| c.description.set(None))),
            ("access_teams", client.clusters().ensure(new, |c| c.access_teams.set([Id::new(2)]))),
        ] {
            assert_refused(go!(ensure), &format!("`{field}` has one value in the new record"));
        }
    }

    fn what_is_the_same_in_other_words_agrees() {
        let Some(server) = Target::session() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        let team = go!(client.create_team(NewTeam::new(server.name("Folding")))).unwrap().id;
        let number = server.name("X-1");
        let teams = [team, team];
        for outcome in [Outcome::Created, Outcome::Unchanged] {
            let new = NewCluster::new(server.name("atlas")).description(" CPU ").access_teams(teams);
            let ensure = client
                .clusters()
                .ensure(new, |c| [c.description.set("CPU"), c.access_teams.set([team])]);
            assert_eq!(go!(ensure).unwrap().outcome(), outcome);
            let new = NewGrant::new("Folding", "NSF", Decimal::new(1000, 2), date(2026, 1, 1), team);
            let ensure = client.grants().ensure_by(
                |g| g.grant_number.eq(&number),
                new.grant_number(&number),
                |g| g.amount.set(10),
            );
            assert_eq!(go!(ensure).unwrap().outcome(), outcome);
        }
    }

    fn a_new_record_gets_the_changes_that_it_lacks() {
        let sandbox = Sandbox::new();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.clear_requests();
        let ensure = || {
            let new = NewCluster::new("atlas");
            client.clusters().ensure(new, |c| [c.enabled.set(false), c.description.set("CPU only")])
        };
        let created = go!(ensure()).unwrap();
        assert_eq!((created.outcome(), created.fields()), (Outcome::Created, [].as_slice()));
        let cluster = created.record();
        assert_eq!((cluster.enabled, cluster.description.as_deref()), (false, Some("CPU only")));
        assert_eq!(go!(ensure()).unwrap(), Ensured::Unchanged(created.into_record()));
        assert_eq!(methods(&sent(&sandbox)), "GET POST PATCH GET");
    }

    fn an_update_after_which_the_key_finds_nothing_is_told() {
        let sandbox = Sandbox::new();
        let server = sandbox.clone();
        let client = client!(from_fn(move |request: Request<bytes::Bytes>| {
            let answer = server.handle(request.clone());
            if *request.method() != http::Method::PATCH {
                return Ok(answer);
            }
            // The server renames what is disabled.
            let (parts, body) = answer.into_parts();
            let text = String::from_utf8(body.to_vec()).unwrap().replace("atlas", "atlas (disabled)");
            Ok(http::Response::from_parts(parts, text.into()))
        }));
        go!(client.login("admin", "admin-password")).unwrap();
        go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
        let ensure = client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(false));
        let error = go!(ensure).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotApplied);
        let said = "the record was changed, but the key `name=atlas` does not find it";
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.may_have_been_sent());
    }

    fn the_fields_of_forms_are_held_against_the_key_too() {
        let sandbox = Sandbox::new();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let me = go!(client.whoami()).unwrap().unwrap().id;
        let team = go!(client.create_team(NewTeam::new("Folding"))).unwrap().id;
        let new = NewAllocationRequest::new("Folding", "Why", me, team);
        let request = go!(client.create_request(new)).unwrap().id;
        let new = || NewAttachment::new(request, Upload::bytes("plan.txt", "fold")).name("Plan");
        sandbox.clear_requests();
        let a = Attachment::FIELDS;
        for key in [
            a.name.eq("Map").and(a.request.eq(request)),
            a.name.eq("Plan").and(a.request.eq(Id::new(99))),
            a.name.starts_with("M").and(a.request.eq(request)),
        ] {
            let ensure = client.attachments().ensure_by(|_| key, new(), |_| []);
            assert_refused(go!(ensure), "part of the key");
        }
        let key = || a.name.eq("Plan").and(a.request.eq(request));
        let ensure = client.attachments().ensure_by(|_| a.request.eq(request), new(), |a| a.name.set("Map"));
        assert_refused(go!(ensure), "`name` has one value in the new record");
        assert!(sandbox.requests().is_empty());
        for outcome in [Outcome::Created, Outcome::Unchanged] {
            let ensure = client.attachments().ensure_by(|_| key(), new(), |a| [
                a.name.set("Plan"),
                a.request.set(request),
            ]);
            assert_eq!(go!(ensure).unwrap().outcome(), outcome);
        }
    }
}
