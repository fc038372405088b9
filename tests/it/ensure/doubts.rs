//! What errors say after writes that were carried out, or may have been.

use http::{Method, StatusCode};

use keystone_client::RetryPolicy;

use super::races::{Turn, answer_lost, deleted_before, meddled_with, request_lost};
use super::*;
use crate::support::both_colours;

/// A refusal instead of an answer.
fn refused(status: StatusCode, body: &'static str) -> http::Response<bytes::Bytes> {
    let mut refusal = http::Response::new(bytes::Bytes::from_static(body.as_bytes()));
    *refusal.status_mut() = status;
    refusal.headers_mut().insert("content-type", "application/json".parse().unwrap());
    refusal
}

const DENIED: Turn = |_, _| Ok(refused(StatusCode::FORBIDDEN, r#"{"detail":"no"}"#));
const INVALID: Turn = |_, _| Ok(refused(StatusCode::BAD_REQUEST, r#"{"description":["no"]}"#));
const THROTTLED: Turn = |_, _| Ok(refused(StatusCode::TOO_MANY_REQUESTS, r#"{"detail":"no"}"#));
const HIDDEN: Turn = |_, _| Ok(refused(StatusCode::NOT_FOUND, r#"{"detail":"no"}"#));
const ANSWERED: Turn = |sandbox, request| Ok(sandbox.handle(request));

both_colours! {
    fn what_is_refused_after_a_creation_in_doubt_leaves_the_doubt() {
        for refusal in [DENIED, INVALID, THROTTLED] {
            let sandbox = Sandbox::new();
            let turns = [(Method::POST, vec![answer_lost as Turn]), (Method::PATCH, vec![refusal; 9])];
            let client = client!(meddled_with(&sandbox, turns));
            go!(client.login("admin", "admin-password")).unwrap();
            let ensure = client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(false));
            let ensure = ensure.retry(RetryPolicy::never());
            let error = go!(ensure).unwrap_err();
            assert!(error.may_have_been_sent(), "{error}");
            assert!(error.to_string().contains("may have been created before"), "{error}");
            assert!(!error.to_string().contains("nothing was written"), "{error}");
        }
    }

    fn what_is_refused_after_a_creation_says_that_the_record_is_there() {
        let sandbox = Sandbox::new();
        let client = client!(meddled_with(&sandbox, [(Method::PATCH, vec![DENIED])]));
        go!(client.login("admin", "admin-password")).unwrap();
        let ensure = || client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(false));
        let error = go!(ensure()).unwrap_err();
        assert!(error.is_denied() && error.may_have_been_sent(), "{error}");
        assert!(error.to_string().contains("the record was created before"), "{error}");
        assert_eq!(go!(ensure()).unwrap().fields(), ["enabled"]);
    }

    fn what_was_created_and_cannot_be_seen_is_not_created_again() {
        let sandbox = Sandbox::new();
        let client = client!(meddled_with(&sandbox, [(Method::PATCH, vec![HIDDEN])]));
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.clear_requests();
        let new = NewUser::new("ada", "correct horse battery");
        let error = go!(client.users().ensure(new, |u| u.department.set("Physics"))).unwrap_err();
        assert!(error.is_not_found() && error.may_have_been_sent(), "{error}");
        assert!(error.to_string().contains("the record was created before"), "{error}");
        assert_eq!(methods(&sent(&sandbox)), "GET POST");
    }

    fn a_look_that_fails_after_a_creation_in_doubt_leaves_the_doubt() {
        let sandbox = Sandbox::new();
        let turns = [
            (Method::POST, vec![answer_lost as Turn]),
            (Method::PATCH, vec![deleted_before as Turn]),
            // The first look, the one after the creation, and the one after the deletion.
            (Method::GET, vec![ANSWERED, ANSWERED, DENIED]),
        ];
        let client = client!(meddled_with(&sandbox, turns));
        go!(client.login("admin", "admin-password")).unwrap();
        let ensure = client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(false));
        let error = go!(ensure).unwrap_err();
        assert!(error.is_denied() && error.may_have_been_sent(), "{error}");
        assert!(error.to_string().contains("may have been created before"), "{error}");
    }

    fn a_look_that_fails_after_a_change_in_doubt_leaves_the_doubt() {
        let sandbox = Sandbox::new();
        let turns = [
            (Method::PATCH, vec![answer_lost as Turn, deleted_before]),
            (Method::GET, vec![ANSWERED, DENIED]),
        ];
        let client = client!(meddled_with(&sandbox, turns));
        go!(client.login("admin", "admin-password")).unwrap();
        go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
        let ensure = client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(false));
        let error = go!(ensure).unwrap_err();
        assert!(error.is_denied() && error.may_have_been_sent(), "{error}");
        assert!(error.to_string().contains("may have been changed before"), "{error}");
    }

    fn a_second_creation_that_is_refused_leaves_the_doubt_of_the_first() {
        let sandbox = Sandbox::new();
        let turns = [
            (Method::POST, vec![answer_lost as Turn, DENIED]),
            (Method::PATCH, vec![deleted_before as Turn]),
        ];
        let client = client!(meddled_with(&sandbox, turns));
        go!(client.login("admin", "admin-password")).unwrap();
        let ensure = client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(false));
        let error = go!(ensure).unwrap_err();
        assert!(error.is_denied() && error.may_have_been_sent(), "{error}");
        assert!(error.to_string().contains("may have been created before"), "{error}");
    }

    fn what_is_there_after_a_lost_answer_is_another_s_if_it_is_not_what_was_sent() {
        for (description, outcome) in [("ours", Outcome::Created), ("theirs", Outcome::Changed)] {
            let sandbox = Sandbox::new();
            let created: Turn = match description {
                "ours" => answer_lost,
                _ => |sandbox, request| {
                    let theirs = json!({ "name": "atlas", "description": "theirs" });
                    sandbox.insert("allocations/clusters", theirs).unwrap();
                    request_lost(sandbox, request)
                },
            };
            let client = client!(meddled_with(&sandbox, [(Method::POST, vec![created])]));
            go!(client.login("admin", "admin-password")).unwrap();
            let new = NewCluster::new("atlas").description("ours");
            let ensure = client
                .clusters()
                .ensure(new, |c| [c.description.set("ours"), c.enabled.set(false)]);
            let ensured = go!(ensure).unwrap();
            assert_eq!(ensured.outcome(), outcome);
            let record = ensured.record();
            assert_eq!((record.description.as_deref(), record.enabled), (Some("ours"), false));
        }
    }
}
