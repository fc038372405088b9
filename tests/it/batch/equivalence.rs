//! A job does what its calls do one by one, or leaves no trace.

use jiff::civil::date;
use keystone_client::batch::{BatchFailure, StepRef};
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::{
    Cluster, Grant, MembershipRole, NewCluster, NewGrant, NewMembership, NewTeam, Team,
};
use keystone_client::sandbox::Sandbox;
use keystone_client::{Error, Id, Link};
use proptest::prelude::*;
use serde_json::Value;

/// What to do. Numbers point to teams, clusters and grants that were made before, or, if they are
/// beyond those, to records that are there from the beginning or not at all.
#[derive(Debug, Clone)]
enum Act {
    NewTeam(u8),
    NewCluster(u8),
    NewGrant { team: usize, title: String },
    Rename { grant: usize, title: String },
    Disable(usize),
    Join(usize),
    ReadTeam(usize),
    DeleteTeam(usize),
    DeleteGrant(usize),
    GrantsOf(usize),
}

fn act() -> impl Strategy<Value = Act> {
    // Few names, so that some of them are taken.
    let title = prop_oneof![8 => "[a-z]{1,8}", 1 => Just(String::new())];
    prop_oneof![
        3 => (0_u8..6).prop_map(Act::NewTeam),
        2 => (0_u8..6).prop_map(Act::NewCluster),
        3 => (0_usize..4, title.clone()).prop_map(|(team, title)| Act::NewGrant { team, title }),
        2 => (0_usize..4, title).prop_map(|(grant, title)| Act::Rename { grant, title }),
        1 => (0_usize..3).prop_map(Act::Disable),
        1 => (0_usize..3).prop_map(Act::Join),
        1 => (0_usize..4).prop_map(Act::ReadTeam),
        1 => (0_usize..4).prop_map(Act::DeleteTeam),
        1 => (0_usize..4).prop_map(Act::DeleteGrant),
        1 => (0_usize..3).prop_map(Act::GrantsOf),
    ]
}

fn client(sandbox: &Sandbox) -> KeystoneClient {
    let client = sandbox.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    client
}

/// A server with a team, a cluster and a grant.
fn world() -> (Sandbox, KeystoneClient) {
    let sandbox = Sandbox::new();
    let client = client(&sandbox);
    let team = client.create_team(NewTeam::new("team 0")).send().unwrap();
    client.create_cluster(NewCluster::new("cluster 0")).send().unwrap();
    client.create_grant(NewGrant::new("t", "NSF", 1, date(2026, 1, 1), team.id)).send().unwrap();
    (sandbox, client)
}

/// The keys of what is made on the way: known ones, or those of steps.
struct Made<'a, T, C, G> {
    teams: &'a [T],
    clusters: &'a [C],
    grants: &'a [G],
}

/// One that was made, or a key that was there before (1), or is of nothing.
fn key<T, R>(made: &[T], number: usize) -> Link<R>
where
    T: Copy + Into<Link<R>>,
{
    match made.get(number) {
        Some(made) => (*made).into(),
        None => Id::new(1 + 998 * u64::from(number == 3)).into(),
    }
}

/// Makes the call of an act and hands it to one of three, by what it makes.
macro_rules! perform {
    ($client:expr, $act:expr, $made:expr, |$call:ident| $team:expr, $cluster:expr, $grant:expr, $other:expr) => {{
        let (client, made) = ($client, $made);
        match $act {
            Act::NewTeam(name) => {
                let $call = client.teams().create(NewTeam::new(format!("team {name}")));
                $team
            }
            Act::NewCluster(name) => {
                let $call = client.clusters().create(NewCluster::new(format!("cluster {name}")));
                $cluster
            }
            Act::NewGrant { team, title } => {
                let team = key::<_, Team>(made.teams, *team);
                let new = NewGrant::new(title, "NSF", 10, date(2026, 1, 1), team);
                let $call = client.grants().create(new);
                $grant
            }
            Act::Rename { grant, title } => {
                let grant = key::<_, Grant>(made.grants, *grant);
                let $call = client.grants().update(grant, |g| [g.title.set(title)]);
                $other
            }
            Act::Disable(cluster) => {
                let cluster = key::<_, Cluster>(made.clusters, *cluster);
                let $call = client.clusters().update(cluster, |c| [c.enabled.set(false)]);
                $other
            }
            Act::Join(team) => {
                let team = key::<_, Team>(made.teams, *team);
                let new = NewMembership::new(Id::new(1), team, MembershipRole::Member);
                let $call = client.memberships().create(new);
                $other
            }
            Act::ReadTeam(team) => {
                let $call = client.teams().retrieve(key::<_, Team>(made.teams, *team));
                $other
            }
            Act::DeleteTeam(team) => {
                let $call = client.teams().delete(key::<_, Team>(made.teams, *team));
                $other
            }
            Act::DeleteGrant(grant) => {
                let $call = client.grants().delete(key::<_, Grant>(made.grants, *grant));
                $other
            }
            Act::GrantsOf(team) => {
                let team = key::<_, Team>(made.teams, *team);
                let $call = client.grants().filter(|g| g.team.eq(team)).count();
                $other
            }
        }
    }};
}

/// Performs all of it call by call; the first that fails, and why.
fn one_by_one(client: &KeystoneClient, acts: &[Act]) -> Result<(), (usize, Error)> {
    let (mut teams, mut clusters, mut grants) = (vec![], vec![], vec![]);
    for (index, act) in acts.iter().enumerate() {
        let made = Made { teams: &teams, clusters: &clusters, grants: &grants };
        let done: Result<(), Error> = perform!(
            client,
            act,
            made,
            |call| call.send().map(|team| teams.push(team.id)),
            call.send().map(|cluster| clusters.push(cluster.id)),
            call.send().map(|grant| grants.push(grant.id)),
            call.send().map(drop)
        );
        done.map_err(|error| (index, error))?;
    }
    Ok(())
}

fn as_a_job(client: &KeystoneClient, acts: &[Act], dry_run: bool) -> Result<(), Error> {
    let mut job = client.batch();
    let mut teams: Vec<StepRef<Team>> = vec![];
    let mut clusters: Vec<StepRef<Cluster>> = vec![];
    let mut grants: Vec<StepRef<Grant>> = vec![];
    for act in acts {
        let made = Made { teams: &teams, clusters: &clusters, grants: &grants };
        perform!(
            client,
            act,
            made,
            |call| teams.push(job.add(call)),
            clusters.push(job.add(call)),
            grants.push(job.add(call)),
            {
                job.add(call);
            }
        );
    }
    let call = if dry_run { job.dry_run() } else { job.run() };
    let outcome = call.send()?;
    for step in teams {
        assert!(outcome.get(step)?.name.starts_with("team "));
    }
    for step in grants {
        outcome.get(step)?;
    }
    Ok(())
}

/// All that is on a server, but for times.
fn state(client: &KeystoneClient) -> Vec<Value> {
    let lists = [
        "users/teams",
        "users/memberships",
        "allocations/clusters",
        "research/grants",
        "logs/audit",
    ];
    lists
        .iter()
        .map(|list| {
            let response = client.http_get(list).query("_order", "id").send().unwrap();
            let mut page: Value = response.json().unwrap();
            forget_times(&mut page);
            page["results"].take()
        })
        .collect()
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for name in ["timestamp", "cid", "changes", "remote_port"] {
                members.remove(name);
            }
            members.values_mut().for_each(forget_times);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_times),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_job_does_what_its_calls_do_or_leaves_no_trace(acts in prop::collection::vec(act(), 1..12)) {
        let (_one, calls) = world();
        let (_other, jobs) = world();
        let before = state(&jobs);
        prop_assert_eq!(&before, &state(&calls));

        let by_calls = one_by_one(&calls, &acts);
        let tried = as_a_job(&jobs, &acts, true);
        prop_assert_eq!(&before, &state(&jobs), "a dry run leaves nothing");
        prop_assert_eq!(tried.is_ok(), by_calls.is_ok());

        let by_job = as_a_job(&jobs, &acts, false);
        match (by_calls, by_job) {
            (Ok(()), Ok(())) => prop_assert_eq!(state(&calls), state(&jobs)),
            (Err((index, error)), Err(job)) => {
                prop_assert_eq!(&before, &state(&jobs), "a job that fails leaves nothing");
                prop_assert_eq!(error.kind(), job.kind(), "{} {}", error, job);
                prop_assert!(error.field_errors().eq(job.field_errors()), "{} {}", error, job);
                match job.batch_failure() {
                    Some(BatchFailure::Step(step)) => prop_assert_eq!(step.index, index),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
            (calls, job) => prop_assert!(false, "{:?} {:?}", calls, job),
        }
    }
}
