//! The examples that write, export and extend.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use keystone_client::Id;
use keystone_client::blocking::KeystoneClient;
use keystone_client::http::{Method, Request, header};
use keystone_client::jiff::civil::date;
use keystone_client::resources::{AllocationRequest, MembershipRole, RequestStatus};
use keystone_client::sandbox::{Population, Sandbox};
use serde_json::{Value, json};

use super::session::{Session, words};
use super::{expect, program, text};

// A module of this test, as cargo does not build the program of an example whose tests it runs unasked.
#[path = "../../../examples/test_your_program.rs"]
#[allow(dead_code, reason = "the tests are run, the program is not")]
mod test_your_program;

fn request(client: &KeystoneClient, id: u64) -> AllocationRequest {
    client.retrieve_request(Id::new(id)).send().unwrap()
}

#[test]
fn review_queue() {
    let mut session = Session::served("review_queue");
    let review = json!({ "request": 60, "reviewer": 1, "status": "CR" });
    session.sandbox().insert("allocations/reviews", review).unwrap();
    session.run("--today 2026-06-01");
    let approve = "decide 61 --approve --award ember=400000 --award granite=391000 \
                   --active 2026-06-01 --expire 2027-05-31 --comment 'See you in a year.'";
    session.run(&format!("{approve} --dry-run"));
    let client = session.client();
    assert_eq!(request(&client, 61).status, RequestStatus::Pending, "it was only tried");

    session.run(approve);
    let decided = request(&client, 61);
    assert_eq!(decided.status, RequestStatus::Approved);
    assert_eq!(decided.expire, Some(date(2027, 5, 31)));
    let awarded = decided.allocation_summaries.iter().map(|allocation| allocation.awarded);
    assert_eq!(awarded.collect::<Vec<_>>(), [Some(400_000), Some(391_000)]);
    assert_eq!(decided.comment_summaries.last().unwrap().content, "See you in a year.");
    let reviews = || client.reviews().filter(|r| r.request.eq(decided.id)).count().send().unwrap();
    assert_eq!(reviews(), 1);
    session.run(approve);
    assert_eq!(reviews(), 1, "it was refused");

    session.run("decide 60 --send-back");
    session.run("decide 59 --decline --comment 'Next year, perhaps.'");
    for refused in [
        "decide 62",
        "decide 62 --approve --award ember=99",
        "decide 62 --approve --expire 2027-05-31",
        "decide 62 --approve --award fjord=1 --active 2026-06-01",
        "decide 62 --approve --award ember=1 --award ember=2 --active 2026-06-01",
        "decide 62 --approve --award ember=99 --active 2027-06-01 --expire 2027-05-31",
        "decide 62 --approve --award ember=9223372036854775808 --active 2026-06-01",
        "decide 62 --approve --award ember",
        "decide 62 --decline --award ember=99",
        "decide 9999 --approve",
    ] {
        session.run(refused);
    }
    let untouched = request(&client, 62);
    assert_eq!(untouched.status, RequestStatus::Pending);
    assert_eq!(untouched.history.entries().unwrap().len(), 1, "nothing but its creation");
    session.expect("review_queue.txt");
}

#[test]
fn two_reviewers_decide_at_the_same_moment() {
    let mut session = Session::served("review_queue");
    let is_first = AtomicBool::new(true);
    session.sandbox().set_middleware(move |job, next| {
        if job.uri().path() == "/batch/" && is_first.swap(false, Ordering::Relaxed) {
            // The other one is faster, with the same login for simplicity's sake.
            let mut decision = Request::patch("/allocations/requests/61/")
                .body(br#"{"status":"DC"}"#.as_slice().into())
                .unwrap();
            decision.headers_mut().clone_from(job.headers());
            decision.headers_mut().remove(header::CONTENT_LENGTH);
            assert!(next(decision).status().is_success());
        }
        next(job)
    });
    session.run("decide 61 --approve --active 2026-06-01 --award ember=400000");
    session.expect("review_queue_race.txt");
    let decided = request(&session.client(), 61);
    assert_eq!(decided.status, RequestStatus::Declined);
    assert!(decided.allocation_summaries.iter().all(|allocation| allocation.awarded.is_none()));
}

#[test]
fn bulk_award() {
    let mut session = Session::served("bulk_award");
    let template = session.run("--template");
    assert!(template.starts_with("request,cluster,awarded\n59,ember,104000\n"), "{template}");
    session.transcript.clear();

    session.write(
        "awards.csv",
        "request,cluster,awarded\n59,ember,104000\n60, beacon ,999999\n\
         60,fjord,9223372036854775808\n61,embr,3\n61,fjord,3\n7777,ember,1\n59,ember,5\n",
    );
    session.run("awards.csv --dry-run");
    let client = session.client();
    let awarded = |request: u64, cluster: &str| {
        let cluster = client.clusters().filter(|c| c.name.eq(cluster)).one().send().unwrap().id;
        let allocations = client.allocations().filter(|a| a.request.eq(Id::new(request)));
        allocations.filter(|a| a.cluster.eq(cluster)).one().send().unwrap().awarded
    };
    assert_eq!(awarded(59, "ember"), None, "it was only planned");

    session.run("awards.csv --report failed.csv");
    assert_eq!(awarded(59, "ember"), Some(104_000));
    assert_eq!(awarded(60, "beacon"), Some(999_999));
    assert_eq!(awarded(60, "fjord"), None);
    expect("bulk_award_failed.csv", &session.read("failed.csv"));

    // A report may take the place of what it is about, and of nothing if there is no server to ask.
    session.write("loop.csv", &session.read("failed.csv"));
    session.run("loop.csv --dry-run --report loop.csv");
    assert_eq!(session.read("loop.csv").lines().count(), 4);

    let writes = |session: &Session| session.sandbox().requests_to(Method::POST, "/batch/").len();
    let before = writes(&session);
    session.run_with("-", "request,cluster,awarded\n59,ember,104000\n60,beacon,999999\n");
    assert_eq!(writes(&session), before, "what is so already is not sent");

    session
        .write("mended.csv", &session.read("failed.csv").replace("9223372036854775808", "200000"));
    session.run("mended.csv");
    assert_eq!(awarded(60, "fjord"), Some(200_000));

    for (file, content) in [
        ("negative.csv", "request,cluster,awarded\n59,ember,-4\n"),
        ("short.csv", "request,cluster,awarded\n59,ember\n"),
        ("column.csv", "request,cluster\n59,ember\n"),
        ("empty.csv", ""),
    ] {
        session.write(file, content);
        session.run(file);
    }
    session.expect("bulk_award.txt");
    let before = writes(&session);
    session.write("good.csv", "request,cluster,awarded\n59,ember,1\n");
    session.run("good.csv --report no/such/folder.csv");
    assert_eq!(writes(&session), before, "nothing is awarded without a place for the report");

    // A newcomer does this without any server.
    let mut session = Session::new("bulk_award");
    assert_eq!(session.run("--template"), template);
    let output = session.run_with("-", &template);
    assert_eq!(output, "Rows: 21 awarded, 0 as they were, 0 failed.\n");
}

#[test]
fn roster_sync() {
    let mut session = Session::served("roster_sync");
    let current = session.run("--current");
    session.transcript.clear();
    session.write("current.csv", &current);
    session.run("current.csv --remove-others --apply");

    let client = session.client();
    let teams = client.teams().list().all().unwrap();
    let [first, second, third] = &teams[..3] else { panic!("there are twelve") };
    let name = |place: usize| {
        let user = first.memberships[place].user_summary.as_ref().unwrap();
        user.username.clone()
    };
    let outsider = client
        .users()
        .filter(|u| u.is_staff.eq(false))
        .all()
        .unwrap()
        .into_iter()
        .find(|user| first.memberships.iter().all(|membership| membership.user != user.id))
        .unwrap();
    let (first, second, third) = (&first.name, &second.name, &third.name);
    let roster = [
        "team,username,role".to_owned(),
        format!("{first},{},owner", name(0)),
        format!("{first},{},Admin", name(1)),
        format!("{first}, {} , member", outsider.username),
        format!("{second},nobody,owner"),
        format!("New Team,{},owner", name(0)),
        format!("New Team,{},member", outsider.username),
        // The same team to the server, which refuses it.
        format!("{},{},owner", third.to_uppercase(), name(0)),
    ];
    session.write("roster.csv", &roster.join("\n"));
    session.run("roster.csv");
    session.run("roster.csv --remove-others");
    let before = client.memberships().list().count().send().unwrap();
    session.run("roster.csv --remove-others --apply");
    session.run("roster.csv --remove-others --apply");

    let team = |name: &str| client.teams().filter(|t| t.name.eq(name)).one().send().unwrap();
    let changed = team(first);
    let members = changed.memberships.iter().map(|membership| {
        (membership.user_summary.as_ref().unwrap().username.clone(), membership.role.clone())
    });
    let mut members: Vec<_> = members.collect();
    let mut wanted = vec![
        (name(0), MembershipRole::Owner),
        (name(1), MembershipRole::Admin),
        (outsider.username.clone(), MembershipRole::Member),
    ];
    members.sort();
    wanted.sort();
    assert_eq!(members, wanted);
    assert_eq!(team("New Team").memberships.len(), 2);
    assert_eq!(team(second).memberships, teams[1].memberships, "somebody may be meant by `nobody`");
    let removed = teams[0].memberships.len() as u64 - 2;
    assert_eq!(client.memberships().list().count().send().unwrap(), before - removed + 1 + 2);

    // A team shall have an owner, and one that is new all whom it was meant to have.
    session.write(
        "ownerless.csv",
        &format!(
            "team,username,role\nBrand New,nobody,owner\nBrand New,{outsider},owner\n\
             Ownerless,{outsider},member\n{third},{outsider},member\n",
            outsider = outsider.username
        ),
    );
    let teams_before = client.teams().list().count().send().unwrap();
    session.run("ownerless.csv --remove-others --apply");
    assert_eq!(client.teams().list().count().send().unwrap(), teams_before);
    assert_eq!(team(third).memberships, teams[2].memberships);

    for (file, content) in [
        ("role.csv", "team,username,role\nNew Team,nobody,boss\n"),
        ("twice.csv", "team,username,role\nNew Team,nobody,owner\nNew Team,nobody,admin\n"),
        ("column.csv", "team,user,role\nNew Team,nobody,admin\n"),
        ("empty.csv", "team,username,role\n"),
    ] {
        session.write(file, content);
        session.run(file);
    }
    session.expect("roster_sync.txt");
}

/// The keys of the records in a file of JSON lines.
fn keys(session: &Session, file: &str) -> Vec<u64> {
    let lines = session.read(file);
    assert!(lines.is_empty() || lines.ends_with('\n'), "{file}");
    let key = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].as_u64().unwrap();
    lines.lines().map(key).collect()
}

#[test]
fn export() {
    let mut session = Session::new("export");
    session.run("centre");
    session.run("centre");
    for file in ["users", "audit_log"] {
        let records = session.read(&format!("centre/{file}.jsonl"));
        assert!(records.contains(r#""password":null"#), "{file} tells that there was one");
        assert!(!records.contains(r#""password":[""#), "{file} tells something of it");
    }
    session.write(
        "centre/origin.json",
        r#"{"server":"https://keystone.example.org/","username":"admin"}"#,
    );
    session.run("centre");

    let mut served = Session::served("export");
    served.run("whole");
    served.transcript.clear();
    served.run("parts --page-size 25 --pages 6");
    // What was on its way when the machine went down.
    let half = format!("{{\"id\":41,\"usern{}", "e".repeat(50_000));
    let requests = served.read("parts/memberships.jsonl");
    assert_eq!(requests.lines().count(), 25, "the run has stopped amid these");
    served.write("parts/memberships.jsonl", &format!("{requests}{half}"));
    served.run("parts --page-size 10 --pages 1");
    let resumed = keys(&served, "parts/memberships.jsonl");
    assert_eq!(resumed.len(), 35, "the half line is gone");
    served.run("parts");
    served.run("parts");
    for entry in fs::read_dir(served.path("whole")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let (whole, parts) = (format!("whole/{file}"), format!("parts/{file}"));
        if file.ends_with(".jsonl") && file != "request_log.jsonl" {
            assert_eq!(served.read(&whole), served.read(&parts), "{file}");
        }
    }
    // It grows by what the export asks for.
    let log = keys(&served, "parts/request_log.jsonl");
    assert_eq!(log, (1..=log.len() as u64).collect::<Vec<_>>());
    assert_eq!(keys(&served, "parts/users.jsonl").len(), 61);

    served.run("short --pages 1");
    served.write("short/clusters.jsonl", "");
    let place = served.read("short/clusters.place.json");
    served.write("short/clusters.place.json", &place.replace("true", "false"));
    served.run("short --pages 1");
    served.write("short/clusters.place.json", "{");
    served.run("short --pages 1");
    session.transcript.push_str(&served.transcript);
    session.expect("export.txt");
}

#[test]
fn an_export_takes_what_the_server_has_and_the_user_may_see() {
    let legacy = Sandbox::builder()
        .version("0.3.26")
        .staff("admin", "admin-password")
        .population(Population::small(1))
        .build();
    let mut session = Session::served_by("export", &legacy);
    session.run("legacy");
    let early = Sandbox::builder().version("0.6.0").user("admin", "admin-password").build();
    session.server = Some(early.serve().unwrap());
    session.run("early");
    session.expect("export_other_servers.txt");
    assert!(!session.path("early/notifications.jsonl").exists());
}

#[test]
fn custom_resource() {
    let mut session = Session::new("custom_resource");
    session.run("");
    session.run("--disable beacon --today 2026-06-10");
    session.run("--disable bacon");
    // This one has no service of the site.
    let mut served = Session::served("custom_resource");
    served.run("--disable beacon");
    let beacon = served.client().clusters().filter(|c| c.name.eq("beacon")).one().send().unwrap();
    assert!(!beacon.enabled);
    session.transcript.push_str(&served.transcript);
    session.expect("custom_resource.txt");
}

#[test]
fn custom_backend() {
    let mut session = Session::new("custom_backend");
    session.run("");
    session.expect("custom_backend.txt");

    let mut served = Session::served("custom_backend");
    assert!(served.run("--times").contains("200 OK"));
    let requests = served.sandbox().requests();
    assert!(!requests.is_empty());
    for request in requests {
        let program = request.headers().get("x-site-program").unwrap();
        assert_eq!(program, "custom_backend");
    }
}

#[test]
fn a_custom_backend_keeps_the_contract() {
    let mut session = Session::new("custom_backend");
    session.run("--conformance");
    session.expect("custom_backend_conformance.txt");
}

#[test]
fn test_your_program() {
    let mut session = Session::served("test_your_program");
    session.run("--today 2026-06-01");
    session.run("--today 2026-06-01");
    session.expect("test_your_program.txt");
}

/// A server that is not there, and a wrong password.
#[test]
fn each_says_what_is_wrong_with_the_server() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("awards.csv"), "request,cluster,awarded\n1,ember,1\n").unwrap();
    fs::write(folder.path().join("roster.csv"), "team,username,role\nA,b,owner\n").unwrap();
    let centre = Sandbox::new().serve().unwrap();
    for (name, arguments) in [
        ("review_queue", ""),
        ("bulk_award", "awards.csv"),
        ("roster_sync", "roster.csv"),
        ("export", "out"),
        ("custom_resource", ""),
        ("custom_backend", ""),
        ("test_your_program", ""),
    ] {
        let output = Command::new(program(name))
            .args(words(arguments))
            .current_dir(folder.path())
            .env("RUST_BACKTRACE", "0")
            .env("KEYSTONE_URL", centre.url())
            .env("KEYSTONE_USERNAME", "admin")
            .env("KEYSTONE_PASSWORD", "wrong-password")
            .output()
            .unwrap();
        let stderr = text(&output.stderr);
        assert!(!output.status.success(), "{name}");
        assert!(stderr.contains("refused the credentials"), "{name}: {stderr}");
        assert!(!stderr.contains("wrong-password"), "{name}: {stderr}");
    }
}
