//! The recorded jobs, made anew, and what their answers are.

use std::time::Duration;

use jiff::civil::date;
use keystone_client::batch::{BatchFailure, BatchOutcome};
use keystone_client::blocking::KeystoneClient;
use keystone_client::request::{Operation, Request};
use keystone_client::resources::{
    Cluster, Grant, Membership, MembershipRole, NewAllocationRequest, NewAttachment, NewGrant,
    NewTeam, NotificationStats, Team,
};
use keystone_client::upload::Upload;
use keystone_client::{Error, ErrorKind, Id};
use serde_json::{Value, json};

use crate::batch::Job;

/// Builds the job of a recording, and says what to expect of its answer.
pub(super) type Build = fn(&KeystoneClient) -> (Job, Expect);

pub(super) enum Expect {
    Outcome(Box<dyn Fn(BatchOutcome)>),
    Failure(ErrorKind, fn(&Error)),
}

fn outcome(check: impl Fn(BatchOutcome) + 'static) -> Expect {
    Expect::Outcome(Box::new(check))
}

/// The step by which the job failed, from 0, and the status of that.
fn at_step(error: &Error, index: usize, status: u16) {
    match error.batch_failure() {
        Some(BatchFailure::Step(step)) => {
            assert_eq!((step.index, step.status.map(|it| it.as_u16())), (index, Some(status)));
        }
        other => panic!("{other:?}"),
    }
    assert!(!error.may_have_been_sent());
    assert!(error.to_string().ends_with("; everything was rolled back"), "{error}");
}

fn at_reference(error: &Error, step: usize, token: &str, reason: &str) {
    match error.batch_failure() {
        Some(BatchFailure::Reference(reference)) => assert_eq!(
            (reference.step, reference.token.as_str(), reference.reason.as_str()),
            (Some(step), token, reason)
        ),
        other => panic!("{other:?}"),
    }
}

fn grant() -> NewGrant {
    NewGrant::new(
        "Batch grant",
        "NSF",
        "5.00".parse::<rust_decimal::Decimal>().unwrap(),
        date(2026, 3, 1),
        Id::new(1),
    )
}

/// A job of generic calls, for what has no typed ones.
fn gets(client: &KeystoneClient, endpoints: &[&str]) -> Job {
    let mut job = client.batch();
    for endpoint in endpoints {
        job.add(client.http_get(endpoint));
    }
    job
}

pub(super) const BUILT: &[(&str, Build)] = &[
    ("batch-dry-run", |client| {
        let mut job = client.batch();
        let team = job.add(client.teams().create(NewTeam::new("Dry Team")));
        (
            job,
            outcome(move |outcome| {
                assert!(outcome.is_dry_run());
                assert_eq!(outcome.get(team).unwrap().name, "Dry Team");
            }),
        )
    }),
    ("batch-job-as-json-string", |client| {
        (gets(client, &["version"]), outcome(|outcome| assert_eq!(outcome.len(), 1)))
    }),
    ("batch-json-references", |client| {
        let mut job = client.batch();
        let grant = job.add(client.grants().create(grant()));
        let (team, amount) = (grant.path::<String>("_team.name"), grant.field(|g| g.amount));
        let title = format!("Grant {} of {team}", grant.field(|g| g.id));
        let patched = job.add(
            client
                .grants()
                .update(grant, |g| [g.title.set(title), g.description.set(amount.to_string())]),
        );
        let gone = job.add(client.grants().delete(grant));
        (
            job,
            outcome(move |outcome| {
                let (grant, patched): (Grant, Grant) =
                    (outcome.get(grant).unwrap(), outcome.get(patched).unwrap());
                assert_eq!(patched.title, format!("Grant {} of Team 1", grant.id));
                assert_eq!(patched.description.as_deref(), Some("5.00"));
                outcome.get(gone).unwrap();
                assert_eq!(outcome.status(gone).unwrap(), 204);
            }),
        )
    }),
    ("batch-list-index-reference", |client| {
        let mut job = client.batch();
        let members = client.memberships().filter(|m| m.team.eq(Id::new(1)));
        let first = job.add(members.first());
        let read = job.add(client.memberships().retrieve(first.record()));
        (
            job,
            outcome(move |outcome| {
                let first: Membership = outcome.get(first).unwrap().unwrap();
                assert_eq!(first.id, outcome.get(read).unwrap().id);
            }),
        )
    }),
    ("batch-multipart-disallowed-file", |client| {
        let mut job = client.batch();
        let file = Upload::bytes("x.exe", "x");
        job.add(client.attachments().create(NewAttachment::new(Id::new(1224), file)));
        (
            job,
            Expect::Failure(ErrorKind::Validation, |error| {
                at_step(error, 0, 400);
                assert!(error.is_validation("file"));
            }),
        )
    }),
    ("batch-multipart-dry-run", |client| {
        let mut job = client.batch();
        let file = Upload::bytes("dry.txt", "x");
        let new = NewAttachment::new(Id::new(1224), file);
        let attachment = job.add(client.attachments().create(new));
        (
            job,
            outcome(move |outcome| {
                assert!(outcome.is_dry_run());
                assert_eq!(outcome.get(attachment).unwrap().name, "dry.txt");
            }),
        )
    }),
    ("batch-multipart-file", |client| {
        let mut job = client.batch();
        let new = NewAllocationRequest::new("With file", "d", Id::new(102), Id::new(1));
        let request = job.add(client.requests().create(new));
        let new = NewAttachment::new(request, Upload::bytes("plan ü.txt", "hello")).name("Upload");
        let attachment = job.add(client.attachments().create(new));
        (
            job,
            outcome(move |outcome| {
                let attachment = outcome.get(attachment).unwrap();
                assert_eq!(attachment.request, outcome.get(request).unwrap().id);
                assert_eq!(attachment.name, "Upload");
            }),
        )
    }),
    ("batch-multipart-two-files", |client| {
        let mut job = client.batch();
        let steps = [("one.txt", "1"), ("two.txt", "2")].map(|(name, content)| {
            let new = NewAttachment::new(Id::new(1224), Upload::bytes(name, content));
            job.add(client.attachments().create(new))
        });
        (
            job,
            outcome(move |outcome| {
                let names = steps.map(|step| outcome.get(step).unwrap().name);
                assert_eq!(names, ["one.txt", "two.txt"]);
            }),
        )
    }),
    ("batch-nested", |client| {
        let inner = json!({ "job": { "actions": [{ "method": "GET", "path": "/version/" }] } });
        let mut job = client.batch();
        let nested = job.add(client.http_post("batch").json(&inner));
        (
            job,
            outcome(move |outcome| {
                assert!(outcome.get(nested).unwrap().bytes().is_empty());
            }),
        )
    }),
    ("batch-query-string-in-path", |client| {
        let mut job = client.batch();
        let first = job.add(client.memberships().list().first());
        (
            job,
            outcome(move |outcome| {
                assert!(outcome.get(first).unwrap().is_some());
            }),
        )
    }),
    ("batch-reference-bad-index", |client| {
        let mut job = client.batch();
        let team = job.add(client.teams().retrieve(Id::new(1)));
        job.add(client.teams().retrieve(team.path::<Id<Team>>("users.99")));
        (
            job,
            Expect::Failure(ErrorKind::UnresolvedReference, |error| {
                at_reference(error, 0, "@ref{step1.users.99}", "Invalid list index \"99\"");
            }),
        )
    }),
    ("batch-reference-into-empty-body", |client| {
        let mut job = client.batch();
        let grant = job.add(client.grants().create(grant()));
        let gone = job.add(client.grants().delete(grant));
        job.add(client.grants().retrieve(gone.path::<Id<Grant>>("id")));
        (
            job,
            Expect::Failure(ErrorKind::UnresolvedReference, |error| {
                let reason = "Cannot traverse into NoneType with \"id\"";
                at_reference(error, 1, "@ref{step2.id}", reason);
            }),
        )
    }),
    ("batch-reference-into-scalar", |client| {
        let mut job = client.batch();
        let team = job.add(client.teams().retrieve(Id::new(1)));
        job.add(client.teams().retrieve(team.path::<Id<Team>>("id.x")));
        (
            job,
            Expect::Failure(ErrorKind::UnresolvedReference, |error| {
                at_reference(error, 0, "@ref{step1.id.x}", "Cannot traverse into int with \"x\"");
            }),
        )
    }),
    ("batch-reference-unknown-key", |client| {
        let mut job = client.batch();
        let team = job.add(client.teams().retrieve(Id::new(1)));
        job.add(client.teams().retrieve(team.path::<Id<Team>>("nope")));
        (
            job,
            Expect::Failure(ErrorKind::UnresolvedReference, |error| {
                at_reference(error, 0, "@ref{step1.nope}", "Key \"nope\" not found in response");
            }),
        )
    }),
    ("batch-step-failure-rolls-back", |client| {
        let mut job = client.batch();
        job.add(client.teams().create(NewTeam::new("Rolled Back")));
        job.add(client.http_post("users/teams").json(&json!({})));
        (
            job,
            Expect::Failure(ErrorKind::Validation, |error| {
                at_step(error, 1, 400);
                assert!(error.is_validation("name"));
                assert_eq!(error.status().unwrap(), 422);
            }),
        )
    }),
    ("batch-step-forbidden", |client| {
        let mut job = gets(client, &["authentication/whoami"]);
        job.add(client.http_get("logs/audit"));
        (job, Expect::Failure(ErrorKind::Denied, |error| at_step(error, 1, 403)))
    }),
    ("batch-step-method-not-allowed", |client| {
        let mut job = client.batch();
        job.add(client.http_delete("users/teams"));
        (job, Expect::Failure(ErrorKind::MethodNotAllowed, |error| at_step(error, 0, 405)))
    }),
    ("batch-step-missing-slash", |client| {
        let mut job = client.batch();
        let path = Request::empty(Operation::new("list", "team"), http::Method::GET, "users/teams");
        job.add(client.request(path));
        (job, Expect::Failure(ErrorKind::UnknownEndpoint, |error| at_step(error, 0, 404)))
    }),
    ("batch-step-not-found", |client| {
        let mut job = client.batch();
        job.add(client.teams().retrieve(Id::new(999_999)));
        (
            job,
            Expect::Failure(ErrorKind::NotFound, |error| {
                at_step(error, 0, 404);
                assert_eq!(error.detail(), Some("No Team matches the given query."));
            }),
        )
    }),
    ("batch-step-server-error", |client| {
        let mut job = client.batch();
        job.add(client.clusters().delete(Id::<Cluster>::new(1)));
        (
            job,
            Expect::Failure(ErrorKind::Server, |error| {
                assert!(error.batch_failure().is_none());
                assert!(error.to_string().contains("rolls such a job back"), "{error}");
            }),
        )
    }),
    ("batch-step-unknown-route", |client| {
        (
            gets(client, &["nope"]),
            Expect::Failure(ErrorKind::UnknownEndpoint, |error| {
                at_step(error, 0, 404);
            }),
        )
    }),
    ("batch-text-endpoints-have-null-body", |client| {
        let mut job = client.batch();
        let version = job.add(client.version());
        let roles = job.add(client.choices::<MembershipRole>());
        let read = job.add(client.http_get("stats/notifications"));
        (
            job,
            outcome(move |outcome| {
                let error = outcome.get(version).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Decode);
                assert!(error.to_string().contains("call it by itself"), "{error}");
                assert_eq!(outcome.get(roles).unwrap()[&MembershipRole::Owner], "Owner");
                outcome.get(read).unwrap().json::<NotificationStats>().unwrap();
            }),
        )
    }),
    ("https-batch-list-links-are-http", |client| {
        let mut job = client.batch();
        let page = job.add(client.http_get("users/memberships?_limit=1"));
        (
            job,
            outcome(move |outcome| {
                let page: Value = outcome.get(page).unwrap().json().unwrap();
                assert_eq!(page["results"].as_array().unwrap().len(), 1);
            }),
        )
    }),
    ("throttled-batch-step", |client| {
        let mut job = client.batch();
        for _ in 0..5 {
            job.add(client.choices::<MembershipRole>());
        }
        (
            job,
            Expect::Failure(ErrorKind::Throttled, |error| {
                at_step_throttled(error);
            }),
        )
    }),
];

fn at_step_throttled(error: &Error) {
    let Some(BatchFailure::Step(step)) = error.batch_failure() else { panic!("{error}") };
    assert_eq!((step.index, step.status.unwrap().as_u16()), (4, 429));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert!(!error.may_have_been_sent());
}

/// Jobs that the typed builder does not let through, or that are none; and what their answers are.
pub(super) const NOT_BUILT: &[(&str, ErrorKind, &str)] = &[
    ("batch-anonymous", ErrorKind::InvalidCredentials, "no job in it"),
    ("batch-form-unsupported", ErrorKind::Status, "jobs are JSON or multipart"),
    ("batch-get-not-allowed", ErrorKind::MethodNotAllowed, "jobs are posted"),
    ("batch-invalid-actions-empty", ErrorKind::Validation, "an error before it is sent"),
    ("batch-invalid-actions-not-list", ErrorKind::Validation, "steps are a list"),
    ("batch-invalid-actions-null", ErrorKind::Validation, "steps are a list"),
    ("batch-invalid-dry-run", ErrorKind::Validation, "a boolean"),
    ("batch-invalid-duplicate-refs", ErrorKind::Validation, "aliases are generated"),
    ("batch-invalid-empty-object", ErrorKind::Validation, "the envelope is generated"),
    ("batch-invalid-job-list", ErrorKind::Validation, "the envelope is generated"),
    ("batch-invalid-job-null", ErrorKind::Validation, "the envelope is generated"),
    ("batch-invalid-job-string-not-json", ErrorKind::Validation, "the envelope is generated"),
    ("batch-invalid-no-actions", ErrorKind::Validation, "the envelope is generated"),
    ("batch-invalid-step-fields", ErrorKind::Validation, "steps are typed"),
    ("batch-list-body-server-error", ErrorKind::Server, "the envelope is generated"),
    ("batch-malformed-json", ErrorKind::Validation, "the envelope is generated"),
    ("batch-multipart-file-used-twice", ErrorKind::Validation, "each file is a part of its own"),
    ("batch-multipart-job-in-envelope", ErrorKind::Validation, "the envelope is generated"),
    ("batch-multipart-job-not-json", ErrorKind::Validation, "the envelope is generated"),
    ("batch-multipart-missing-file", ErrorKind::Validation, "files come with their steps"),
    ("batch-multipart-no-job", ErrorKind::Validation, "the envelope is generated"),
    ("batch-multipart-null-in-file-payload-server-error", ErrorKind::Server, "fields are text"),
    ("batch-query-string-and-params-clash", ErrorKind::Validation, "never both"),
    ("batch-reference-file-in-json", ErrorKind::Validation, "files make it multipart"),
    ("batch-reference-in-query-params-not-resolved", ErrorKind::Validation, "put in the address"),
    ("batch-reference-malformed", ErrorKind::Validation, "references have paths"),
    ("batch-reference-unknown-alias", ErrorKind::Validation, "steps come before references"),
    ("batch-step-login-server-error", ErrorKind::Server, "an error before it is sent"),
    ("batch-without-csrf", ErrorKind::CsrfRejected, "no job in it"),
];
