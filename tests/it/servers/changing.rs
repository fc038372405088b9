//! Edits and ensures; what is made is deleted.

use std::thread;

use jiff::civil::date;
use keystone_client::backend::{ReqwestBackend, UreqBackend};
use keystone_client::resources::{
    MembershipRole, NewAllocationRequest, NewCluster, NewGrant, NewMembership, NewTeam, NewUser,
    User,
};
use keystone_client::rust_decimal::Decimal;
use keystone_client::{ErrorKind, Id, KeystoneClient, Outcome, blocking};

use crate::support::target::Target;
use crate::support::{awaited, finished};

macro_rules! changes {
    ($server:ident, $client:ident, $connect:expr, $go:ident) => {{
        $go!($client.login($server.username(), $server.password())).unwrap();
        let me = $go!($client.whoami()).unwrap().unwrap();
        let (team_name, ada_name) = ($server.name("Ensured Team"), $server.name("ensured"));
        let cluster_name = $server.name("ensured");
        let (mut team, mut ada) = (Id::new(0), Id::<User>::new(0));
        for outcome in [Outcome::Created, Outcome::Unchanged] {
            let new = NewTeam::new(format!(" {team_name}\u{1f}"));
            let ensured = $go!($client.teams().ensure(new, |t| t.is_active.set(true))).unwrap();
            assert_eq!(ensured.outcome(), outcome);
            team = ensured.record().id;
            let new = NewUser::new(&ada_name, "correct horse battery").email("");
            let ensured = $client.users().ensure(new, |u| [u.email.set(""), u.role.set(None)]);
            let ensured = $go!(ensured).unwrap();
            assert_eq!(ensured.outcome(), outcome);
            ada = ensured.record().id;
            let new = NewMembership::new(ada, team, MembershipRole::Member);
            let ensured = $client.memberships().ensure(new, |m| m.role.set(MembershipRole::Member));
            assert_eq!($go!(ensured).unwrap().outcome(), outcome);
            let new = NewCluster::new(&cluster_name).access_teams([team]);
            let ensured = $client.clusters().ensure(new, |c| c.access_teams.set([team, team]));
            assert_eq!($go!(ensured).unwrap().outcome(), outcome);
            let new = NewGrant::new("Title", "NSF", 5, date(2026, 1, 1), team);
            let ensured = $client.grants().ensure_by(
                |g| g.grant_number.eq(&team_name),
                new.grant_number(&team_name),
                |g| [g.amount.set(Decimal::new(500, 2)), g.title.set("\tTitle "), g.pi.set(None)],
            );
            assert_eq!($go!(ensured).unwrap().outcome(), outcome);
        }

        let twin = team_name.replace('-', "  ").to_lowercase();
        let error = $go!($client.teams().ensure(NewTeam::new(&twin), |_| [])).unwrap_err();
        assert!(error.to_string().contains(&format!("team {team} has another key")), "{error}");
        let new = NewMembership::new(Id::new(999_999_999), team, MembershipRole::Member);
        let error = $go!($client.memberships().ensure(new, |_| [])).unwrap_err();
        assert!(error.is_validation("user") && !error.may_have_been_sent(), "{error}");

        let cluster = $client.clusters().filter(|c| c.name.eq(&cluster_name)).one();
        let stale = $go!(cluster).unwrap();
        let edit =
            $client.clusters().edit(&stale, |c| [c.description.set("x"), c.enabled.set(true)]);
        let edited = $go!(edit.if_unmodified().verified()).unwrap();
        assert_eq!(edited.fields(), ["description"]);
        let edit = $client.clusters().edit(&stale, |c| c.enabled.set(false)).if_unmodified();
        let error = $go!(edit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains("changed since: description; nothing was"), "{error}");
        println!("{error}");

        let new = NewAllocationRequest::new("Title", "Why", me.id, team);
        let request = $go!($client.create_request(new)).unwrap();
        $go!($client.update_request(request.id, |r| r.assignees.set([me.id]))).unwrap();
        let edit = $client.requests().edit(&request, |r| r.assignees.set([ada])).if_unmodified();
        let error = $go!(edit).unwrap_err();
        assert!(error.to_string().contains("changed since: assignees"), "{error}");

        let user = $connect;
        $go!(user.login(ada_name.as_str(), "correct horse battery")).unwrap();
        let this = $go!(user.whoami()).unwrap().unwrap();
        let edit = user.users().edit(&this, |u| [u.is_staff.set(true), u.role.set("Faculty")]);
        let error = $go!(edit.verified()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotApplied, "{error}");
        println!("{error}");
        let hidden = $server.name("Hidden Team");
        let id = $go!($client.teams().ensure(NewTeam::new(&hidden), |_| [])).unwrap();
        let error = $go!(user.teams().ensure(NewTeam::new(&hidden), |_| [])).unwrap_err();
        assert!(error.to_string().contains("this user may not see"), "{error}");
        println!("{error}");

        $go!($client.delete_team(id.into_record().id)).unwrap();
        $go!($client.delete_team(team)).unwrap();
        $go!($client.delete_cluster(stale.id)).unwrap();
        $go!($client.delete_user(ada)).unwrap();
    }};
}

#[test]
fn asynchronous() {
    let Some(server) = Target::session() else {
        return;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let url = server.url();
        let connect =
            || KeystoneClient::with_backend(&url, ReqwestBackend::new().unwrap()).unwrap();
        let client = connect();
        changes!(server, client, connect(), awaited);
    });
}

fn connect(server: &Target) -> blocking::KeystoneClient {
    blocking::KeystoneClient::with_backend(&server.url(), UreqBackend::new().unwrap()).unwrap()
}

#[test]
fn blocking() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = connect(&server);
    changes!(server, client, connect(&server), finished);
}

/// A server on SQLite also fails when two write at the same time; then it is asked again, which is what
/// ensure is for.
#[test]
fn several_that_ensure_the_same_share_the_records() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = connect(&server);
    client.login(server.username(), server.password()).unwrap();
    let names: Vec<String> =
        (0..15).map(|number| server.name(&format!("Shared Team {number}"))).collect();
    let threads = [(); 3].map(|()| {
        let (client, names) = (client.clone(), names.clone());
        thread::spawn(move || -> Vec<_> {
            let ensure = |name| loop {
                match client.teams().ensure(NewTeam::new(name), |_| []).send() {
                    Ok(ensured) => return (ensured.outcome(), ensured.record().id),
                    Err(error) => assert!(error.may_have_been_sent(), "{error:#}"),
                }
            };
            names.iter().map(ensure).collect()
        })
    });
    let outcomes = threads.map(|thread| thread.join().unwrap());
    println!("{outcomes:?}");
    for (index, name) in names.iter().enumerate() {
        let of_name = outcomes.iter().map(|outcomes| outcomes[index]);
        let created = of_name.filter(|(outcome, _)| *outcome == Outcome::Created).count();
        assert!(created <= 1, "{name}");
        let team = client.teams().filter(|t| t.name.eq(name)).one().send().unwrap();
        assert!(outcomes.iter().all(|outcomes| outcomes[index].1 == team.id));
        client.delete_team(team.id).send().unwrap();
    }
}
