//! The examples that read and report. What they say of a centre is compared with what another list or the
//! statistics of the server say.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use keystone_client::Id;
use keystone_client::blocking::KeystoneClient;
use keystone_client::http::Method;
use keystone_client::jiff::civil::{Date, date};
use keystone_client::jiff::tz::TimeZone;
use keystone_client::resources::{
    GrantStats, MembershipRole, NewCluster, PublicationStats, RequestStatus,
};
use keystone_client::rust_decimal::Decimal;
use keystone_client::sandbox::{Fault, FaultRule, Population, Sandbox, SandboxBuilder};
use serde_json::{Value, json};

use super::session::Session;
use super::{expect, prints};

const TODAY: Date = date(2026, 6, 1);

/// A centre of a test's own, on the day of those that the examples bring.
fn centre() -> SandboxBuilder {
    Sandbox::builder()
        .start_at(TODAY.to_zoned(TimeZone::UTC).unwrap().into())
        .freeze_clock()
        .staff("admin", "admin-password")
}

/// The same centre that the examples bring, seen by another client.
fn usual_centre() -> KeystoneClient {
    let client = centre().population(Population::new(1).users(60)).build().blocking_client();
    let client = client.unwrap();
    client.login("admin", "admin-password").unwrap();
    client
}

/// Runs an example and reads the JSON that it prints.
fn reads(name: &str, arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [arguments, &["--format", "json"]].concat();
    serde_json::from_str(&prints(folder.path(), name, &arguments)).unwrap()
}

/// Stores a request with an award of service units, and returns its id.
fn award(sandbox: &Sandbox, team: u64, dates: [Option<&str>; 2], units: Value) -> u64 {
    let [active, expire] = dates;
    let request = json!({
        "title": format!("From {} to {}", active.unwrap_or("?"), expire.unwrap_or("?")),
        "description": "…", "submitter": 1, "team": team, "status": "AP",
        "active": active, "expire": expire,
    });
    let request = sandbox.insert("allocations/requests", request).unwrap();
    let mut allocation = json!({ "request": request, "cluster": 1, "requested": 1000 });
    allocation.as_object_mut().unwrap().extend(units.as_object().unwrap().clone());
    sandbox.insert("allocations/allocations", allocation).unwrap();
    request
}

/// All numbers before a unit, which differ from run to run, as one letter.
fn without_times(text: &str) -> String {
    let mut parts: Vec<&str> = text.split("ms").collect();
    let last = parts.pop().unwrap();
    let parts = parts.iter().map(|part| {
        let start = part.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == ' ');
        format!("{start}{}T ms", if start.ends_with('=') { "" } else { " " })
    });
    parts.collect::<String>() + last
}

#[test]
fn remaining_units() {
    let mut session = Session::new("remaining_units");
    session.run("");
    session.run("kovac-cosmology-team");
    session.run("kovac-cosmology-team --used beacon=124000 --used cascade=120000");
    session.run("kovac-cosmology-team --used beacon=124000 --format csv");
    session.run("kovac-cosmology-team --today 1990-01-01");
    for refused in [
        "kovac",
        "kovac-cosmology-team --used nowhere=3",
        "kovac-cosmology-team --used beacon",
        "kovac-cosmology-team --used beacon=-1",
        "kovac-cosmology-team --today 2026-02-30",
    ] {
        session.run(refused);
    }
    session.expect("remaining_units.txt");

    // The allocations themselves, and not what comes along with the requests.
    let client = usual_centre();
    let team = client.teams().filter(|t| t.slug.eq("kovac-cosmology-team")).one().send().unwrap();
    let requests = client.requests().filter(|r| r.team.eq(team.id)).all().unwrap();
    let active = requests.iter().filter(|request| {
        request.status == RequestStatus::Approved
            && request.active.is_some_and(|day| day <= TODAY)
            && request.expire.is_none_or(|day| day > TODAY)
    });
    let active: Vec<_> = active.map(|request| request.id).collect();
    let mut awarded = BTreeMap::<String, u64>::new();
    for allocation in client.allocations().filter(|a| a.request.is_in(active)).iter() {
        let allocation = allocation.unwrap();
        let cluster = allocation.cluster_summary.unwrap().name;
        *awarded.entry(cluster).or_default() += allocation.awarded.unwrap_or(0);
    }
    let lines = reads("remaining_units", &["kovac-cosmology-team"]);
    let lines = lines.as_array().unwrap().iter();
    let printed: BTreeMap<String, u64> = lines
        .map(|line| {
            (line["cluster"].as_str().unwrap().to_owned(), line["awarded"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(printed, awarded);
}

#[test]
fn remaining_units_of_what_is_null_counted_open_or_over() {
    let sandbox = centre().build();
    sandbox.insert("allocations/clusters", json!({ "name": "atlas" })).unwrap();
    let team = sandbox.insert_team("Folding", &[("admin", MembershipRole::Owner)]).unwrap();
    let start = Some("2026-01-01");
    award(&sandbox, team, [start, None], json!({}));
    award(&sandbox, team, [start, Some("2026-06-02")], json!({ "awarded": 500, "final": 0 }));
    award(&sandbox, team, [start, Some("2026-09-01")], json!({ "awarded": 300, "final": 200 }));
    award(&sandbox, team, [start, Some("2026-06-01")], json!({ "awarded": 7, "final": 7 }));
    award(&sandbox, team, [Some("2026-06-02"), None], json!({ "awarded": 7 }));
    award(&sandbox, team, [None, None], json!({ "awarded": 7 }));
    let idle = sandbox.insert_team("Idle", &[]).unwrap();
    award(&sandbox, idle, [start, None], json!({ "awarded": null }));

    let mut session = Session::served_by("remaining_units", &sandbox);
    session.run("folding --today 2026-06-01");
    session.run("idle --today 2026-06-01");
    session.set("KEYSTONE_PASSWORD", "another");
    session.run("folding --today 2026-06-01");
    session.expect("remaining_units_served.txt");
    let logins = session.client().request_log().filter(|e| e.endpoint.contains("/login/"));
    let logins = logins.filter(|e| e.method.eq("POST"));
    assert_eq!(
        logins.count().send().unwrap(),
        2,
        "that of the first run was kept, and this client"
    );
}

#[test]
fn remaining_units_on_servers_without_slugs() {
    let sandbox = centre().version("0.7.4").build();
    sandbox.insert("allocations/clusters", json!({ "name": "atlas" })).unwrap();
    let team = sandbox.insert_team("Protein Folding", &[("admin", MembershipRole::Owner)]).unwrap();
    award(&sandbox, team, [Some("2026-01-01"), None], json!({ "awarded": 500 }));
    let mut session = Session::served_by("remaining_units", &sandbox);
    session.run("'Protein Folding' --today 2026-06-01");
    session.run("protein-folding --today 2026-06-01");
    session.run("");
    session.expect("remaining_units_old.txt");
}

#[test]
fn proposal_end_dates() {
    let mut session = Session::new("proposal_end_dates");
    session.run("");
    session.run("--team kovac-cosmology-team --all --format csv");
    session.run("--team nobody");
    session.run("--today yesterday");
    session.expect("proposal_end_dates.txt");

    let client = usual_centre();
    let approved = || client.requests().filter(|r| r.status.eq(RequestStatus::Approved));
    let ended = approved().filter(|r| r.expire.lte(TODAY)).count().send().unwrap();
    let all = reads("proposal_end_dates", &["--all"]);
    let all = all.as_array().unwrap();
    assert_eq!(all.len() as u64, approved().count().send().unwrap());
    let standings = all.iter().map(|proposal| proposal["standing"].as_str().unwrap());
    assert_eq!(standings.filter(|standing| *standing == "ended").count() as u64, ended);
    assert!(ended > 0);
    let current = reads("proposal_end_dates", &[]);
    assert_eq!((all.len() - current.as_array().unwrap().len()) as u64, ended);
    for proposal in all {
        let ends = proposal["ends"].as_str().map(|day| day.parse::<Date>().unwrap());
        let days = ends.map(|day| TODAY.until(day).unwrap().get_days());
        assert_eq!(proposal["days_left"].as_i64(), days.map(i64::from), "{proposal}");
    }
}

#[test]
fn roster_audit() {
    let mut session = Session::new("roster_audit");
    session.run("");
    session.run("--format csv --strict");
    session.expect("roster_audit.txt");

    let client = usual_centre();
    let left = client.users().filter(|u| u.is_active.eq(false)).all().unwrap();
    let left = left.iter().map(|user| user.id);
    let members = client.memberships().filter(|m| m.user.is_in(left)).all().unwrap();
    let members: BTreeSet<_> = members.iter().map(|member| member.user).collect();
    let findings = reads("roster_audit", &[]);
    let findings = findings.as_array().unwrap().iter();
    let found = findings.filter(|finding| finding["kind"] == "inactive, still in a team");
    assert_eq!(found.count(), members.len());
}

#[test]
fn roster_audit_of_everything_that_can_be_odd() {
    let sandbox = centre().user("alice", "alice-password").user("bob", "bob-password").build();
    let mut session = Session::served_by("roster_audit", &sandbox);
    let client = session.client();
    for name in ["alice", "bob"] {
        let user = client.users().filter(|u| u.username.eq(name)).one().send().unwrap();
        let login = sandbox.blocking_client().unwrap();
        login.login(name, format!("{name}-password")).unwrap();
        client.update_user(user.id, |u| [u.is_active.set(name != "bob")]).send().unwrap();
    }
    client.create_cluster(NewCluster::new("atlas")).send().unwrap();
    let owner = || MembershipRole::Owner;
    sandbox.insert_team("Well", &[("alice", owner())]).unwrap();
    session.run("--today 2026-06-01");
    sandbox.insert_team("Left", &[("bob", owner())]).unwrap();
    sandbox.insert_team("Both", &[("alice", owner()), ("bob", owner())]).unwrap();
    let orphan = sandbox.insert_team("Orphan", &[("alice", MembershipRole::Admin)]).unwrap();
    let empty = sandbox.insert_team("Empty", &[]).unwrap();
    let closed = sandbox.insert("users/teams", json!({ "name": "Closed", "is_active": false }));
    let closed = closed.unwrap();
    for (team, end) in [(empty, None), (closed, Some("2026-06-02")), (orphan, Some("2026-06-01"))] {
        award(&sandbox, team, [Some("2026-01-01"), end], json!({ "awarded": 5 }));
    }
    let user = |name: &str, joined: &str| json!({ "username": name, "date_joined": joined });
    sandbox.insert("users/users", user("late", "2026-03-04T00:00:00Z")).unwrap();
    sandbox.insert("users/users", user("long", "2026-03-02T00:00:00Z")).unwrap();

    session.run("--today 2026-06-01");
    session.run("--today 2026-06-02 --strict --format json");
    session.expect("roster_audit_served.txt");
}

#[test]
fn research_output() {
    let mut session = Session::new("research_output");
    session.run("--plot output.svg");
    session.run("--team kovac-cosmology-team --since 2022 --format csv");
    session.run("--since 2030 --until 2030 --plot nothing.svg");
    for refused in ["--team nobody", "--since 2027", "--since 99", "--plot nowhere/output.svg"] {
        session.run(refused);
    }
    session.expect("research_output.txt");
    let plot = session.read("output.svg");
    for label in ["\n2017\n", "\n2026\n", "\n15,000,000\n", "\nPublications of all teams\n"] {
        assert!(plot.contains(label), "{label:?} is missing: {plot}");
    }
    // The page, and two bars for each year.
    assert_eq!(plot.matches("<rect").count(), 1 + 2 * 10);
    assert!(session.read("nothing.svg").contains("\n2030\n"));
    session.run("--since 1900 --plot long.svg --format csv");
    assert!(!session.read("long.svg").contains("width=\"-"), "no bar is narrower than nothing");

    let client = usual_centre();
    let grants: GrantStats = client.grants().list().stats().send().unwrap();
    let publications: PublicationStats = client.publications().list().stats().send().unwrap();
    let years = reads("research_output", &["--since", "1990"]);
    let years = years.as_array().unwrap();
    let sum = |field: &str| years.iter().filter_map(|year| year[field].as_u64()).sum::<u64>();
    assert_eq!(sum("grants"), grants.grant_count);
    assert_eq!(sum("publications"), publications.accepted_count);
    let amounts = years.iter().map(|year| year["amount"].as_str().unwrap());
    let amounts = amounts.map(|amount| amount.parse::<Decimal>().unwrap());
    assert_eq!(amounts.sum::<Decimal>(), grants.funding_total);
}

#[test]
fn research_output_of_amounts_below_zero() {
    let sandbox = centre().build();
    let team = sandbox.insert_team(&"A < B & C ".repeat(20), &[]).unwrap();
    for (amount, start) in [("-1500000.50", "2025-12-31"), ("999999999999.99", "2026-01-01")] {
        let grant = json!({
            "title": "Folding", "agency": "NSF", "amount": amount, "start_date": start, "team": team,
        });
        sandbox.insert("research/grants", grant).unwrap();
    }
    let mut session = Session::served_by("research_output", &sandbox);
    let slug = session.client().retrieve_team(Id::new(team)).send().unwrap().slug;
    session.run(&format!("--since 2025 --until 2026 --team {slug} --plot output.svg"));
    session.expect("research_output_served.txt");
    assert!(session.read("output.svg").contains("A &lt; B &amp; C"));
}

#[test]
fn audit_trail() {
    let sandbox = centre().user("alice", "alice-password").build();
    let mut session = Session::served_by("audit_trail", &sandbox);
    let client = session.client();
    sandbox.insert("allocations/clusters", json!({ "name": "atlas" })).unwrap();
    let team = sandbox.insert_team("Folding", &[("alice", MembershipRole::Owner)]).unwrap();
    let request = award(&sandbox, team, [Some("2026-01-01"), None], json!({ "awarded": 5 }));
    let request = Id::new(request);
    sandbox.advance(Duration::from_secs(86_400));
    let changes = client.update_request(request, |r| {
        [r.title.set("Folding\nat scale, ".repeat(9)), r.expire.set(date(2026, 9, 1))]
    });
    changes.send().unwrap();
    client.update_user(Id::new(2), |u| [u.password.set("An0ther!Pass")]).send().unwrap();
    sandbox.advance(Duration::from_secs(3600));
    client.delete_request(request).send().unwrap();

    session.run("request 1");
    session.run("request 1 --since 2026-06-02 --format csv");
    session.run("user 2 --since 2026-06-02");
    session.run("cluster 1");
    session.run("team 1 --since 2026-06-03");
    session.run("proposal 1");
    session.run("request one");
    session.run("request 1 --since 2026-02-30");
    session.expect("audit_trail.txt");
    let entries = client.audit_log().filter(|e| e.object_pk.eq("1")).all().unwrap();
    assert!(entries.iter().any(|entry| !entry.record_name.ends_with("AllocationRequest")));

    let seeded = reads("audit_trail", &["request", "70"]);
    let fields = seeded.as_array().unwrap().iter().map(|change| change["field"].as_str().unwrap());
    assert!(fields.collect::<Vec<_>>().contains(&"title"), "{seeded}");
}

#[test]
fn audit_trail_is_for_staff() {
    let sandbox = centre().user("alice", "alice-password").build();
    let mut session = Session::served_by("audit_trail", &sandbox);
    session.set("KEYSTONE_USERNAME", "alice");
    session.set("KEYSTONE_PASSWORD", "alice-password");
    session.run("user 1");
    assert!(session.transcript.contains("permission"), "{}", session.transcript);
    assert!(session.transcript.contains("exit code 1"), "{}", session.transcript);
}

#[test]
fn health_probe() {
    let mut session = Session::new("health_probe");
    session.run("");
    session.run("--demo");
    session.run("--demo --login");
    session.run("--demo --warning 200 --critical 100");
    session.run("--timeout 0");
    session.set("KEYSTONE_URL", "ftp://keystone.example.edu");
    session.run("");

    let failing = centre().failing_check("Celery", "Unavailable: no workers | at\nall").build();
    let mut served = Session::served_by("health_probe", &failing);
    served.run("");
    served.run("--ignore Celery");
    served.set("KEYSTONE_PASSWORD", "another");
    served.run("--ignore Celery");
    served.run("--ignore Celery --login");

    let slow = centre().build();
    let _ = slow.inject(FaultRule::new(Fault::delay(Duration::from_millis(400))).path("/health/"));
    let mut slowly = Session::served_by("health_probe", &slow);
    slowly.run("--warning 200 --critical 30000");
    slowly.run("--warning 100 --critical 200");

    let sessions = [session, served, slowly].map(|session| session.transcript);
    expect("health_probe.txt", &without_times(&sessions.concat()));
}

/// The time of the machine, to bound what an example takes.
#[allow(clippy::disallowed_methods, reason = "it is another process that is timed")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn health_probe_of_servers_that_do_not_answer() {
    let mut session = Session::new("health_probe");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    session.set("KEYSTONE_URL", &format!("http://127.0.0.1:{port}"));
    session.run("");
    assert!(session.transcript.contains("KEYSTONE CRITICAL - "), "{}", session.transcript);
    assert!(session.transcript.contains("no connection to the server"), "{}", session.transcript);

    // Each call takes less than that, but not all of them.
    let delays = Fault::delay(Duration::from_millis(700));
    let drips = Fault::drip(Duration::from_millis(300));
    for fault in [Fault::silence(), drips, Fault::endless_body(), delays] {
        let sandbox = centre().build();
        let _ = sandbox.inject(FaultRule::new(fault.clone()).method(Method::GET));
        let mut session = Session::served_by("health_probe", &sandbox);
        let start = now();
        session.run("--timeout 1");
        let took = now().duration_since(start);
        assert!(took < Duration::from_secs(4), "{fault:?} took {took:?}");
        assert!(session.transcript.contains("KEYSTONE CRITICAL - "), "{}", session.transcript);
        assert!(session.transcript.contains("exit code 2"), "{}", session.transcript);
    }
}
