//! What refers to earlier steps, and what may not.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use jiff::civil::date;
use keystone_client::batch::{BatchFailure, Reference, StepRef};
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::{
    Grant, MembershipRole, NewAllocation, NewAllocationRequest, NewCluster, NewGrant,
    NewMembership, NewTeam, Team, User,
};
use keystone_client::testing::from_fn;
use keystone_client::{ErrorKind, Id, Input, Link};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::Job;

/// A client of which all that is sent is refused, and what it is sent.
pub(super) fn client() -> (KeystoneClient, Arc<Mutex<Vec<Value>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&sent);
    let backend = from_fn(move |request| {
        log.lock().unwrap().push(serde_json::from_slice(request.body()).unwrap());
        let mut response = http::Response::new("refused".into());
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        Ok(response)
    });
    let builder = KeystoneClient::builder("https://keystone.test").backend(backend);
    (builder.api_token("token").server_version("0.10.9").build().unwrap(), sent)
}

/// The steps of a job as they are sent.
fn steps(job: &Job, sent: &Mutex<Vec<Value>>) -> Vec<Value> {
    let error = job.run().send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Status, "{error}");
    let body = sent.lock().unwrap().pop().unwrap();
    body["job"]["actions"].as_array().unwrap().clone()
}

#[test]
fn steps_stand_for_keys_in_bodies_paths_and_filters() {
    let (client, sent) = client();
    let mut job = client.batch();
    let user = job.add(client.users().retrieve(Id::new(7)));
    let team = job.add(client.teams().create(NewTeam::new("Folding")));
    let new = NewMembership::new(user, team, MembershipRole::Owner);
    let membership = job.add(client.memberships().create(new));
    let new = NewAllocationRequest::new("Title", "Text", user, team).assignees(Input::list([user]));
    let request = job.add(client.requests().create(new));
    let both = Input::list([Link::<User>::from(Id::new(3)), user.into()]);
    job.add(client.requests().update(request, |r| [r.assignees.set(both), r.team.set(team)]));
    job.add(client.memberships().delete(membership));
    job.add(client.grants().filter(|g| g.team.eq(team)).page(5, 0));
    job.add(
        client.grants().filter(|g| g.team.is_in([Link::from(team), Id::new(9).into()])).count(),
    );
    let steps = steps(&job, &sent);
    let aliases: Vec<&Value> = steps.iter().map(|step| &step["ref"]).collect();
    let null = Value::Null;
    assert_eq!(
        aliases,
        [
            &json!("step1"),
            &json!("step2"),
            &json!("step3"),
            &json!("step4"),
            &null,
            &null,
            &null,
            &null
        ]
    );
    assert_eq!(
        steps[2]["payload"],
        json!({ "user": "@ref{step1.id}", "team": "@ref{step2.id}", "role": "OW" })
    );
    assert_eq!(steps[3]["payload"]["assignees"], json!(["@ref{step1.id}"]));
    assert_eq!(
        steps[4],
        json!({
            "method": "PATCH",
            "path": "/allocations/requests/@ref{step4.id}/",
            "payload": { "assignees": [3, "@ref{step1.id}"], "team": "@ref{step2.id}" },
        })
    );
    assert_eq!(
        steps[5],
        json!({ "method": "DELETE", "path": "/users/memberships/@ref{step3.id}/" })
    );
    assert_eq!(
        steps[6]["path"],
        "/research/grants/?team=@ref{step2.id}&_order=id&_limit=5&_offset=0"
    );
    assert!(steps[6].get("query_params").is_none());
    assert_eq!(
        steps[7]["path"],
        "/research/grants/?team__in=@ref{step2.id}%2C9&_order=id&_limit=1"
    );
}

#[test]
fn fields_and_records_of_lists_can_be_referred_to() {
    let (client, sent) = client();
    let mut job = client.batch();
    let page = job.add(client.teams().list().page(3, 0));
    let first = job.add(client.grants().filter(|g| g.agency.eq("NSF")).first());
    let maybe = job.add(client.requests().retrieve(Id::new(4)).optional());
    let new = NewGrant::new(
        first.record().field(|g| g.title),
        "NSF",
        first.record().field(|g| g.amount),
        date(2026, 1, 1),
        page.item(2),
    )
    .end_date(first.record().field(|g| g.start_date))
    .pi(page.item(0).path::<String>("_membership.0._user.display_name"));
    job.add(client.grants().create(new));
    let cluster = job.add(client.clusters().create(NewCluster::new("atlas")));
    let new = NewAllocation::new(page.path::<u64>("count"), cluster, maybe.record());
    job.add(client.allocations().create(new));
    let steps = steps(&job, &sent);
    assert_eq!(
        steps[3]["payload"],
        json!({
            "title": "@ref{step2.results.0.title}",
            "agency": "NSF",
            "amount": "@ref{step2.results.0.amount}",
            "start_date": "2026-01-01",
            "end_date": "@ref{step2.results.0.start_date}",
            "team": "@ref{step1.results.2.id}",
            "pi": "@ref{step1.results.0._membership.0._user.display_name}",
        })
    );
    assert_eq!(
        steps[5]["payload"],
        json!({
            "requested": "@ref{step1.count}", "cluster": "@ref{step5.id}", "request": "@ref{step3.id}"
        })
    );
}

#[test]
fn long_filters_travel_as_parameters() {
    let (client, sent) = client();
    let mut job = client.batch();
    let words = "w".repeat(3_000);
    job.add(client.teams().list().search(&words).page(1, 0));
    let step = &steps(&job, &sent)[0];
    assert_eq!(step["path"], "/users/teams/");
    assert_eq!(step["query_params"]["_search"], json!([words]));
}

/// What is wrong with a job, which is not sent then; and which step it is, from 0.
pub(super) fn problem(job: &Job, sent: &Mutex<Vec<Value>>) -> (usize, String) {
    let error = job.run().send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    assert!(sent.lock().unwrap().is_empty());
    assert!(!error.may_have_been_sent());
    match error.batch_failure() {
        Some(BatchFailure::Step(step)) => {
            assert_eq!(step.status, None);
            (step.index, error.to_string())
        }
        other => panic!("{other:?}: {error}"),
    }
}

#[test]
fn steps_of_another_job_are_refused() {
    let (client, sent) = client();
    let mut other = client.batch();
    let team = other.add(client.teams().create(NewTeam::new("Folding")));
    let mut job = client.batch();
    job.add(client.teams().create(NewTeam::new("Folding")));
    job.add(client.teams().retrieve(team));
    let (index, problem) = problem(&job, &sent);
    assert_eq!(index, 1);
    assert_eq!(
        problem,
        "run batch job: step 2, retrieve team: invalid request: it refers to a step of another job"
    );
}

#[test]
fn the_only_record_of_a_list_cannot_be_referred_to() {
    let (client, sent) = client();
    let mut job = client.batch();
    let team = job.add(client.teams().filter(|t| t.slug.eq("folding")).one());
    job.add(client.teams().delete(team));
    let (index, problem) = problem(&job, &sent);
    assert_eq!(index, 1);
    assert!(problem.contains("ask for `first`"), "{problem}");
}

#[test]
fn what_matches_nothing_is_not_sent_and_cannot_be_referred_to() {
    let (client, sent) = client();
    let nothing = || client.teams().filter(|t| t.id.is_in(Vec::<Id<Team>>::new()));
    let mut job = client.batch();
    let none = job.add(nothing().first());
    let team = job.add(client.teams().create(NewTeam::new("Folding")));
    job.add(client.teams().delete(team));
    let steps = steps(&job, &sent);
    assert_eq!(steps.len(), 2);
    assert_eq!(steps[1]["path"], "/users/teams/@ref{step2.id}/");
    job.add(client.teams().delete(none.record()));
    let (index, problem) = problem(&job, &sent);
    assert_eq!(index, 3);
    assert!(problem.contains("step 1 matches nothing"), "{problem}");
    // A job of such steps alone has its answers without asking.
    let mut job = client.batch();
    let (first, count) = (job.add(nothing().first()), job.add(nothing().count()));
    let outcome = job.run().send().unwrap();
    assert!(outcome.get(first).unwrap().is_none());
    assert_eq!(outcome.get(count).unwrap(), 0);
    assert!(sent.lock().unwrap().is_empty());
}

#[test]
fn text_that_the_server_would_resolve_is_refused() {
    let (client, sent) = client();
    for text in ["see @ref{step1.id}", "@file{upload}", "@ref{}"] {
        let mut job = client.batch();
        job.add(client.teams().create(NewTeam::new("Folding")));
        job.add(client.clusters().create(NewCluster::new("atlas").description(text)));
        let (index, problem) = problem(&job, &sent);
        assert_eq!(index, 1);
        assert!(problem.contains("for a reference of its own"), "{problem}");
    }
    // In parameters it does not.
    let mut job = client.batch();
    job.add(client.teams().list().search("@ref{step1.id}").exists());
    assert_eq!(steps(&job, &sent)[0]["query_params"]["_search"], json!(["@ref{step1.id}"]));
}

/// The server puts what a reference stands for into the address as it is.
#[test]
fn parameters_refer_to_keys_only_and_by_filters_only() {
    let (client, sent) = client();
    let bad = |add: &dyn Fn(&mut Job, StepRef<Team>)| {
        let mut job = client.batch();
        let team = job.add(client.teams().create(NewTeam::new("A & B")));
        add(&mut job, team);
        let (index, problem) = problem(&job, &sent);
        assert_eq!(index, 1);
        assert!(problem.contains("keys of earlier steps"), "{problem}");
    };
    bad(&|job, team| {
        job.add(client.teams().filter(|t| t.name.eq(team.field(|t| t.name))).exists());
    });
    bad(&|job, team| {
        job.add(client.teams().list().param("name", team.field(|t| t.name)).exists());
    });
    bad(&|job, team| {
        job.add(client.teams().list().search(format!("50% & {}", team.field(|t| t.name))).exists());
    });
    bad(&|job, team| {
        job.add(client.http_get("users/teams").query("id", team.field(|t| t.id)));
    });
    // What stands beside them is encoded.
    let mut job = client.batch();
    let team = job.add(client.teams().create(NewTeam::new("A & B")));
    let grants =
        client.grants().filter(|g| g.team.eq(team)).filter(|g| g.title.eq("A&B=@ref{x.id}"));
    job.add(grants.count());
    assert_eq!(
        steps(&job, &sent)[1]["path"],
        "/research/grants/?team=@ref{step1.id}&title=A%26B%3D%40ref%7Bx.id%7D&_order=id&_limit=1"
    );
}

/// It may be part of a password.
#[test]
fn text_that_is_refused_is_not_repeated() {
    let (client, sent) = client();
    let mut job = client.batch();
    job.add(client.teams().create(NewTeam::new("Folding")));
    let user = keystone_client::resources::NewUser::new("ada", "x@file{the-secret}y");
    job.add(client.users().create(user));
    let (_, problem) = problem(&job, &sent);
    let error = job.run().send().unwrap_err();
    assert!(!problem.contains("the-secret") && !format!("{error:?}").contains("the-secret"));
}

#[test]
fn paths_that_are_none_are_refused() {
    let (client, sent) = client();
    for path in ["", "a..b", "na me", "_team.naïve", "id}"] {
        let mut job = client.batch();
        let team = job.add(client.teams().create(NewTeam::new("Folding")));
        let name: Reference<String> = team.path(path);
        job.add(client.clusters().create(NewCluster::new(name)));
        assert_eq!(problem(&job, &sent).0, 1, "{path}");
    }
}

#[test]
fn what_cannot_be_a_step_is_refused() {
    let (client, sent) = client();
    let bad = |add: &dyn Fn(&mut Job)| {
        let mut job = client.batch();
        job.add(client.teams().retrieve(Id::new(1)));
        add(&mut job);
        let (index, problem) = problem(&job, &sent);
        assert_eq!(index, 1);
        problem
    };
    let list = bad(&|job| {
        job.add(client.http_post("users/teams").json(&[1]));
    });
    assert!(list.contains("a JSON object"), "{list}");
    let header = bad(&|job| {
        let call = client.http_get("users/teams");
        let value = http::HeaderValue::from_static("en");
        job.add(call.header(http::header::ACCEPT_LANGUAGE, value));
    });
    assert!(header.contains("no headers of its own"), "{header}");
    let login = bad(&|job| {
        job.add(client.http_post("authentication/login").json(&json!({})));
    });
    assert!(login.contains("cannot log in or out"), "{login}");
    let raw = bad(&|job| {
        let body = keystone_client::body::Body::Raw {
            content_type: http::HeaderValue::from_static("text/plain"),
            bytes: "x".into(),
        };
        job.add(client.http_post("users/teams").body(body));
    });
    assert!(raw.contains("has to be JSON"), "{raw}");
    let twice = bad(&|job| {
        job.add(
            client.teams().update(Id::new(1), |t| [t.is_active.set(true), t.is_active.set(false)]),
        );
    });
    assert!(twice.contains("set twice"), "{twice}");
    let (other, _) = self::client();
    let foreign = bad(&|job| {
        job.add(other.teams().retrieve(Id::new(1)));
    });
    assert!(foreign.contains("another client"), "{foreign}");
    let long = bad(&|job| {
        job.add(client.http_get(&"x".repeat(3_000)));
    });
    assert!(long.contains("2048 characters"), "{long}");
}

#[test]
fn a_job_without_steps_is_refused() {
    let (client, sent) = client();
    let error = client.batch().run().send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("without steps"), "{error}");
    assert!(sent.lock().unwrap().is_empty());
}

#[test]
fn references_outside_of_their_job_are_refused() {
    let (client, sent) = client();
    let mut job = client.batch();
    let team = job.add(client.teams().create(NewTeam::new("Folding")));
    let refused = |result: Result<(), keystone_client::Error>| {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
        assert!(error.to_string().contains("a step of a batch job"), "{error}");
    };
    refused(client.teams().retrieve(team).send().map(drop));
    let new = NewGrant::new("T", "NSF", 1, date(2026, 1, 1), team);
    refused(client.grants().create(new).send().map(drop));
    refused(client.grants().filter(|g| g.team.eq(team)).all().map(drop));
    let text = format!("for {}", team.field(|t| t.name));
    refused(client.clusters().create(NewCluster::new(text)).send().map(drop));
    assert!(sent.lock().unwrap().is_empty());
}

#[test]
fn outcomes_know_their_own_steps_only() {
    let (client, _) = client();
    let nothing = || client.teams().filter(|t| t.id.is_in(Vec::<Id<Team>>::new())).count();
    let mut job = client.batch();
    let count = job.add(nothing());
    let outcome = job.run().send().unwrap();
    let later = job.add(nothing());
    let mut other = client.batch();
    let foreign = other.add(nothing());
    assert_eq!(outcome.get(count).unwrap(), 0);
    for (step, problem) in [(later, "after this outcome"), (foreign, "another job")] {
        let error = outcome.get(step).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains(problem), "{error}");
    }
    assert_eq!(outcome.status(count).unwrap(), 200);
    assert_eq!(outcome.status(foreign), None);
}

/// A step of which the type says nothing of a key.
#[test]
fn debug_says_which_steps_there_are() {
    let (client, _) = client();
    let mut job = client.batch();
    let user = keystone_client::resources::NewUser::new("ada", "the-secret-password");
    let step = job.add(client.users().create(user));
    let text = format!("{job:?} {step:?} {:?}", step.field(|u| u.id));
    assert!(text.contains("create user") && !text.contains("the-secret-password"), "{text}");
    let line = job.run().explain().unwrap();
    assert!(line.contains("/batch/") && !line.contains("the-secret-password"), "{line}");
    let _: Link<Grant> = Id::new(1).into();
}

/// What the server takes for references in a text: `@ref{…}` and `@file{…}`.
fn found(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let is_one = rest.starts_with("@ref{") || rest.starts_with("@file{");
        match rest.find('}').filter(|_| is_one) {
            Some(end) => {
                found.push(&rest[..=end]);
                at += end + 1;
            }
            None => at += rest.chars().next().unwrap().len_utf8(),
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands around them, the server finds the references that were meant and no others; or
    /// the text is refused.
    #[test]
    fn the_server_finds_what_is_meant(pieces in prop::collection::vec(0_usize..10, 1..12)) {
        let (client, sent) = client();
        let mut job = client.batch();
        let team = job.add(client.teams().create(NewTeam::new("Folding")));
        let name = team.field(|t| t.name).to_string();
        let all = ["@", "ref", "file", "{", "}", "@ref{", "@file{", "é\n", "step1.id}", &name];
        let text: String = pieces.iter().map(|piece| all[*piece]).collect();
        let meant = pieces.iter().filter(|piece| **piece == 9).count();
        job.add(client.clusters().create(NewCluster::new("atlas").description(text.as_str())));
        let error = job.run().send().unwrap_err();
        let bodies = sent.lock().unwrap();
        match bodies.first() {
            Some(body) => {
                let text = body["job"]["actions"][1]["payload"]["description"].as_str().unwrap();
                prop_assert_eq!(found(text), vec!["@ref{step1.name}"; meant]);
            }
            None => {
                prop_assert_eq!(error.kind(), ErrorKind::InvalidRequest);
                prop_assert!(found(&text).iter().any(|token| *token != name), "{}", text);
            }
        }
    }
}
