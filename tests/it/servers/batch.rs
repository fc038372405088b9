//! Jobs and bulk writes.

use std::time::{Duration, Instant};

use jiff::civil::date;
use keystone_client::backend::UreqBackend;
use keystone_client::batch::BatchFailure;
use keystone_client::resources::{
    Grant, MembershipRole, NewAllocationRequest, NewAttachment, NewCluster, NewGrant,
    NewMembership, NewTeam, Team,
};
use keystone_client::upload::Upload;
use keystone_client::{BulkReport, ErrorKind, Id, blocking};

use crate::attachments::jobs::NAMES;
use crate::support::target::{Target, on_each_server};

fn client(server: &Target) -> blocking::KeystoneClient {
    let client = blocking::KeystoneClient::builder(&server.url())
        .requests_per_minute(1_000_000)
        .timeout(Duration::from_secs(300))
        .backend(UreqBackend::new().unwrap())
        .build()
        .unwrap();
    client.login(server.username(), server.password()).unwrap();
    client
}

/// A team of this name, and none of it from a run before.
fn team(client: &blocking::KeystoneClient, name: &str) -> Team {
    no_team(client, name);
    client.create_team(NewTeam::new(name)).send().unwrap()
}

fn no_team(client: &blocking::KeystoneClient, name: &str) {
    if let Some(team) = client.teams().filter(|t| t.name.eq(name)).first().send().unwrap() {
        client.delete_team(team.id).send().unwrap();
    }
}

#[test]
fn jobs_are_carried_out_whole_or_not_at_all() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = client(&server);
    let (name, other_name) = (server.name("Batch"), server.name("Batch 2"));
    let name = name.as_str();
    let me = client.whoami().unwrap().unwrap();
    let mut job = client.batch();
    let team = job.add(client.teams().create(NewTeam::new(name)));
    let new = NewMembership::new(me.id, team, MembershipRole::Owner);
    let membership = job.add(client.memberships().create(new));
    let title = format!("Grant of {}", team.field(|t| t.name));
    let new = NewGrant::new(title, "NSF", 5, date(2026, 3, 1), team);
    let grant = job.add(client.grants().create(new));
    let updated =
        job.add(client.grants().update(grant, |g| [g.end_date.set(grant.field(|g| g.start_date))]));
    let listed = job.add(client.grants().filter(|g| g.team.eq(team)).page(10, 0));
    let first = job.add(client.memberships().filter(|m| m.team.is_in([team])).first());
    let read = job.add(client.memberships().retrieve(first.record()));

    let dry = job.dry_run().send().unwrap();
    assert_eq!(dry.get(grant).unwrap().title, format!("Grant of {name}"));
    assert!(!client.teams().filter(|t| t.name.eq(name)).exists().send().unwrap());

    let outcome = job.run().send().unwrap();
    let (team, grant) = (outcome.get(team).unwrap(), outcome.get(grant).unwrap());
    assert_eq!((grant.team, outcome.get(membership).unwrap().team), (team.id, team.id));
    assert_eq!(outcome.get(updated).unwrap().end_date, Some(grant.start_date));
    assert_eq!(outcome.get(listed).unwrap().items[0].id, grant.id);
    assert_eq!(outcome.get(first).unwrap().unwrap().id, outcome.get(read).unwrap().id);

    // The same again fails at its first step; what comes before a failure is taken back.
    let error = job.run().send().unwrap_err();
    assert!(error.is_validation("name"), "{error}");
    let mut job = client.batch();
    let other = job.add(client.teams().create(NewTeam::new(&other_name)));
    job.add(client.grants().delete(grant.id));
    job.add(client.teams().retrieve(other.path::<Id<Team>>("nope")));
    let error = job.run().send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnresolvedReference, "{error}");
    match error.batch_failure() {
        Some(BatchFailure::Reference(reference)) => assert_eq!(reference.step, Some(0)),
        other => panic!("{other:?}"),
    }
    assert!(!client.teams().filter(|t| t.name.eq(&other_name)).exists().send().unwrap());
    client.grants().retrieve(grant.id).send().unwrap();
    client.delete_team(team.id).send().unwrap();
}

#[test]
fn rows_that_are_refused_are_left_out() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = client(&server);
    let team = team(&client, &server.name("Bulk"));
    let rows = (0..40).map(|row| {
        let title = if row % 13 == 5 { String::new() } else { format!("Grant {row}") };
        NewGrant::new(title, "NSF", row, date(2026, 1, 1), team.id)
    });
    let report = client.grants().create_many(rows).chunk_size(10).send();
    let failed: Vec<usize> = report.failed().map(|(row, _)| row).collect();
    assert_eq!(failed, [5, 18, 31]);
    assert!(report.failed().all(|(_, error)| error.is_validation("title")));
    let grants: Vec<Grant> = report.done().map(|(_, grant)| grant.clone()).collect();
    assert_eq!(grants.len(), 37);

    let changed =
        client.grants().update_many(&grants, |grant, g| (grant.id, [g.agency.set("DOE")]));
    assert!(changed.send().into_result().unwrap().iter().all(|grant| grant.agency == "DOE"));
    let mut ids: Vec<Id<Grant>> = grants.iter().map(|grant| grant.id).collect();
    ids.insert(7, Id::new(999_999_999));
    let report = client.grants().delete_many(ids).send();
    assert_eq!(report.to_string(), "37 of 38 rows done, 1 failed");
    assert!(report.failed().next().unwrap().1.is_not_found());

    // A cluster with allocations makes the whole job fail, and the server does not say which it is.
    let names = ["a", "b", "c"].map(|name| server.name(name));
    let new =
        client.clusters().create_many(names.map(NewCluster::new)).send().into_result().unwrap();
    let used = client.allocations().list().first().send().unwrap().map(|a| a.cluster);
    let mut ids: Vec<_> = new.iter().map(|cluster| cluster.id).collect();
    ids.splice(1..1, used);
    let report = client.clusters().delete_many(ids).send();
    assert_eq!(report.done().count(), 3, "{report}");
    assert_eq!(report.in_doubt().count(), used.iter().count(), "{report}");
    client.delete_team(team.id).send().unwrap();
}

/// On any server: in jobs, or in calls where there are none.
fn rows(server: &Target) {
    let client = client(server);
    let names = (0..30).map(|row| server.name(&format!("row {row}")));
    let report = client.clusters().create_many(names.map(NewCluster::new)).chunk_size(8).send();
    let clusters = report.into_result().unwrap();
    let report = client
        .clusters()
        .update_many(&clusters, |cluster, c| (cluster.id, [c.enabled.set(false)]))
        .send();
    assert!(report.into_result().unwrap().iter().all(|cluster| !cluster.enabled));
    let ids = || clusters.iter().map(|cluster| cluster.id);
    client.clusters().delete_many(ids()).send().into_result().unwrap();
    let again = client.clusters().delete_many(ids()).send();
    assert_eq!(again.failed().filter(|(_, error)| error.is_not_found()).count(), 30, "{again}");
}

on_each_server! {
    fn rows_are_written_on_servers_of_any_age(server) {
        rows(server);
    }
}

#[test]
fn jobs_take_files_along() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = client(&server);
    let team = team(&client, &server.name("Files"));
    let me = client.whoami().unwrap().unwrap();
    let new = || NewAllocationRequest::new("With files", "d", me.id, team.id);
    let mut job = client.batch();
    let request = job.add(client.requests().create(new()));
    let steps = ["plan \"ü\".txt", "hours.csv"].map(|name| {
        let file = Upload::reader(name, std::io::Cursor::new(format!("this is {name}")));
        job.add(client.attachments().create(NewAttachment::new(request, file).name(name)))
    });
    let counted = || client.requests().filter(|r| r.team.eq(team.id)).count().send().unwrap();
    assert!(job.dry_run().send().unwrap().is_dry_run());
    assert_eq!(counted(), 0);
    let outcome = job.run().send().unwrap();
    let request = outcome.get(request).unwrap();
    for (step, name) in steps.into_iter().zip(["plan \"ü\".txt", "hours.csv"]) {
        let attachment = outcome.get(step).unwrap();
        assert_eq!((attachment.request, attachment.name.as_str()), (request.id, name));
    }

    // Names that the server reads twice, and what does not come through a job.
    let attach = |file| client.attachments().create(NewAttachment::new(request.id, file));
    let mut job = client.batch();
    let steps = NAMES.map(|name| job.add(attach(Upload::bytes(name, "x"))));
    let outcome = job.run().send().unwrap();
    for (step, name) in steps.into_iter().zip(NAMES) {
        assert_eq!(outcome.get(step).unwrap().name, name);
    }
    let boundary = "--BoUnDaRyStRiNg";
    let rows = [("a.txt", "x"), ("b.txt", boundary), ("--BoUnDaRyStRiNg.txt", "x"), ("c.txt", "x")];
    let rows = rows.map(|(name, text)| NewAttachment::new(request.id, Upload::bytes(name, text)));
    let report = client.attachments().create_many(rows).send();
    let names: Vec<&str> = report.done().map(|(_, attachment)| attachment.name.as_str()).collect();
    assert_eq!(names, ["a.txt", "b.txt", "--BoUnDaRyStRiNg.txt", "c.txt"], "{report}");
    let rows = (0..101).map(|row| format!("{row}.txt"));
    let rows = rows.map(|name| NewAttachment::new(request.id, Upload::bytes(name, "x")));
    let report = client.attachments().create_many(rows).chunk_size(200).send();
    assert!(report.is_complete(), "{report}");

    // A file that the server does not take, which only it can tell, takes all others back.
    let mut job = client.batch();
    let other = job.add(client.requests().create(new()));
    let good = Upload::bytes("good.txt", "x");
    job.add(client.attachments().create(NewAttachment::new(other, good)));
    let odd = Upload::bytes("odd.unheard-of", "x");
    job.add(client.attachments().create(NewAttachment::new(other, odd)));
    let error = job.run().send().unwrap_err();
    assert!(error.is_validation("file"), "{error}");
    match error.batch_failure() {
        Some(BatchFailure::Step(step)) => assert_eq!(step.index, 2),
        other => panic!("{other:?}"),
    }
    assert_eq!(counted(), 1);
    client.delete_team(team.id).send().unwrap();
}

/// How much faster rows are written in jobs. Prints a table; `KEYSTONE_TEST_ROWS` may say how many.
#[test]
#[ignore = "needs a real server without a limit of calls, and minutes"]
fn jobs_are_faster_than_calls() {
    let Some(server) = Target::session() else {
        return;
    };
    #[allow(clippy::disallowed_methods, reason = "it is time that is measured")]
    let now = || Instant::now();
    let client = client(&server);
    let rows = std::env::var("KEYSTONE_TEST_ROWS").map_or(1_000, |rows| rows.parse().unwrap());
    let name = server.name("Speed");
    let name = name.as_str();
    let measured = |write: &dyn Fn(Id<Team>)| -> Duration {
        let team = team(&client, name);
        let started = now();
        write(team.id);
        let taken = started.elapsed();
        let count = client.grants().filter(|g| g.team.eq(team.id)).count().send().unwrap();
        assert_eq!(count, rows);
        no_team(&client, name);
        taken
    };
    let new = |row: u64, team: Id<Team>| {
        NewGrant::new(format!("Grant {row}"), "NSF", row, date(2026, 1, 1), team)
    };
    let single = measured(&|team| {
        for row in 0..rows {
            client.grants().create(new(row, team)).send().unwrap();
        }
    });
    println!("{rows} rows, one call each: {:.2} s", single.as_secs_f64());
    for chunk in [10, 25, 49, 98, 198, 298] {
        let taken = measured(&|team| {
            let rows = (0..rows).map(|row| new(row, team));
            let report: BulkReport<Grant> =
                client.grants().create_many(rows).chunk_size(chunk).send();
            assert!(report.is_complete(), "{report}");
        });
        let ratio = taken.as_secs_f64() / single.as_secs_f64();
        println!("in jobs of {chunk:>3}: {:>6.2} s, {ratio:.3} of it", taken.as_secs_f64());
    }
}
