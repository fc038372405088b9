//! What others do between the requests of one call, and answers that are lost.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use keystone_client::backend::{BackendError, BackendErrorKind};
use keystone_client::resources::{NewCluster, NewTeam};
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::{FromFn, from_fn};
use keystone_client::{Ensured, ErrorKind, Id, Outcome, blocking};
use serde_json::json;

use super::{methods, sent};
use crate::support::both_colours;

pub(super) type Answer = Result<Response<Bytes>, BackendError>;

/// What becomes of one request.
pub(super) type Turn = fn(&Sandbox, Request<Bytes>) -> Answer;

/// What becomes of the first requests of a method, one after the other; the rest is answered.
fn meddled(
    sandbox: &Sandbox,
    method: Method,
    turns: &[Turn],
) -> FromFn<impl Fn(Request<Bytes>) -> Answer + Clone + Send + Sync + use<>> {
    meddled_with(sandbox, [(method, turns.to_vec())])
}

/// The same for several methods. What has to do with the login is answered.
pub(super) fn meddled_with<T: IntoIterator<Item = (Method, Vec<Turn>)>>(
    sandbox: &Sandbox,
    turns: T,
) -> FromFn<impl Fn(Request<Bytes>) -> Answer + Clone + Send + Sync + use<T>> {
    let turns: HashMap<Method, VecDeque<Turn>> =
        turns.into_iter().map(|(method, turns)| (method, turns.into())).collect();
    let turns = Arc::new(Mutex::new(turns));
    let sandbox = sandbox.clone();
    from_fn(move |request| {
        let path = request.uri().path();
        let is_meant = path.starts_with("/allocations/") || path.starts_with("/users/");
        let turn = match turns.lock().unwrap().get_mut(request.method()) {
            Some(turns) if is_meant => turns.pop_front(),
            _ => None,
        };
        match turn {
            Some(turn) => turn(&sandbox, request),
            None => Ok(sandbox.handle(request)),
        }
    })
}

/// Another user of the same server.
fn other(sandbox: &Sandbox) -> blocking::KeystoneClient {
    let client = sandbox.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    client
}

fn beaten(sandbox: &Sandbox, request: Request<Bytes>) -> Answer {
    let new = NewCluster::new("atlas").description("theirs");
    other(sandbox).create_cluster(new).send().unwrap();
    Ok(sandbox.handle(request))
}

/// Two writes at the very same moment pass the check of the server, and its database refuses one.
fn beaten_by_a_hair(sandbox: &Sandbox, request: Request<Bytes>) -> Answer {
    beaten(sandbox, request)?;
    let mut failure = Response::new(Bytes::from_static(b"<h1>Server Error (500)</h1>"));
    *failure.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    Ok(failure)
}

pub(super) fn answer_lost(sandbox: &Sandbox, request: Request<Bytes>) -> Answer {
    assert!(sandbox.handle(request).status().is_success());
    Err(BackendError::new(BackendErrorKind::Closed, "the connection was closed"))
}

pub(super) fn request_lost(_: &Sandbox, _: Request<Bytes>) -> Answer {
    Err(BackendError::new(BackendErrorKind::Closed, "the connection was closed"))
}

pub(super) fn deleted_before(sandbox: &Sandbox, request: Request<Bytes>) -> Answer {
    let other = other(sandbox);
    for cluster in other.clusters().list().all().unwrap() {
        other.delete_cluster(cluster.id).send().unwrap();
    }
    Ok(sandbox.handle(request))
}

both_colours! {
    fn whoever_comes_second_finds_the_record_of_the_first() {
        for (description, outcome) in [("theirs", Outcome::Unchanged), ("ours", Outcome::Changed)] {
            for turn in [beaten as Turn, beaten_by_a_hair] {
                let sandbox = Sandbox::new();
                let client = client!(meddled(&sandbox, Method::POST, &[turn]));
                go!(client.login("admin", "admin-password")).unwrap();
                let new = NewCluster::new("atlas").description(description);
                let ensured = client.clusters().ensure(new, |c| c.description.set(description));
                let ensured = go!(ensured).unwrap();
                assert_eq!(ensured.outcome(), outcome);
                assert_eq!(ensured.record().description.as_deref(), Some(description));
                assert_eq!(go!(client.clusters().list().all()).unwrap().len(), 1);
            }
        }
    }

    fn a_creation_whose_answer_is_lost_is_looked_for() {
        let sandbox = Sandbox::new();
        let client = client!(meddled(&sandbox, Method::POST, &[answer_lost]));
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.clear_requests();
        let new = NewCluster::new("atlas").description("ours");
        let ensured = go!(client.clusters().ensure(new, |c| c.description.set("ours"))).unwrap();
        assert!(matches!(ensured, Ensured::Created(_)));
        assert_eq!(methods(&sent(&sandbox)), "GET POST GET");
    }

    fn a_creation_that_is_lost_stays_in_doubt() {
        let sandbox = Sandbox::new();
        let client = client!(meddled(&sandbox, Method::POST, &[request_lost]));
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.clear_requests();
        let ensure = || client.clusters().ensure(NewCluster::new("atlas"), |_| []);
        let error = go!(ensure()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert!(error.may_have_been_sent());
        assert!(error.to_string().contains("looked for afterwards and is not there"), "{error}");
        assert_eq!(methods(&sent(&sandbox)), "GET GET");
        assert_eq!(go!(ensure()).unwrap().outcome(), Outcome::Created);
    }

    fn a_look_that_fails_after_a_lost_creation_leaves_the_doubt() {
        let sandbox = Sandbox::new();
        let lost = meddled(&sandbox, Method::POST, &[answer_lost]);
        let looks = Mutex::new(0);
        let client = client!(from_fn(move |request: Request<Bytes>| {
            if request.uri().query().is_some_and(|query| query.contains("name=")) {
                let mut looks = looks.lock().unwrap();
                *looks += 1;
                if *looks == 2 {
                    let mut refusal = Response::new(Bytes::from_static(b"{\"detail\":\"no\"}"));
                    *refusal.status_mut() = StatusCode::FORBIDDEN;
                    return Ok(refusal);
                }
            }
            blocking::HttpBackend::execute(&lost, request)
        }));
        go!(client.login("admin", "admin-password")).unwrap();
        let error = go!(client.clusters().ensure(NewCluster::new("atlas"), |_| [])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert!(error.may_have_been_sent());
        assert!(error.to_string().contains("could not be looked for afterwards"), "{error}");
    }

    fn a_change_whose_answer_is_lost_is_sent_again() {
        let sandbox = Sandbox::new();
        let client = client!(meddled(&sandbox, Method::PATCH, &[answer_lost]));
        go!(client.login("admin", "admin-password")).unwrap();
        go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
        let ensured = client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(false));
        let ensured = go!(ensured).unwrap();
        assert_eq!((ensured.fields(), ensured.record().enabled), (["enabled"].as_slice(), false));
    }

    fn a_record_that_is_deleted_meanwhile_is_created_anew() {
        let sandbox = Sandbox::new();
        sandbox.insert("allocations/clusters", json!({ "name": "atlas" })).unwrap();
        let client = client!(meddled(&sandbox, Method::PATCH, &[deleted_before]));
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.clear_requests();
        let new = NewCluster::new("atlas").enabled(false);
        let ensured = go!(client.clusters().ensure(new, |c| c.enabled.set(false))).unwrap();
        assert_eq!(ensured.outcome(), Outcome::Created);
        assert!(!ensured.record().enabled);
    }

    fn a_record_that_comes_and_goes_ends_in_an_error() {
        let sandbox = Sandbox::new();
        let deleting = meddled(&sandbox, Method::PATCH, &[deleted_before, deleted_before]);
        let beating = meddled(&sandbox, Method::POST, &[beaten, beaten]);
        let client = client!(from_fn(move |request: Request<Bytes>| match *request.method() {
            Method::PATCH => blocking::HttpBackend::execute(&deleting, request),
            _ => blocking::HttpBackend::execute(&beating, request),
        }));
        go!(client.login("admin", "admin-password")).unwrap();
        let new = NewCluster::new("atlas");
        let error = go!(client.clusters().ensure(new, |c| c.description.set("ours"))).unwrap_err();
        assert!(error.is_validation("name"), "{error}");
    }
}

/// Holds back the first look at each name until both callers look for it.
fn paired(
    sandbox: &Sandbox,
) -> FromFn<impl Fn(Request<Bytes>) -> Answer + Clone + Send + Sync + use<>> {
    let looks: Arc<Mutex<HashMap<String, u32>>> = Arc::default();
    let sandbox = sandbox.clone();
    from_fn(move |request: Request<Bytes>| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let answer = sandbox.handle(request);
        if query.contains("name=") {
            *looks.lock().unwrap().entry(query.clone()).or_default() += 1;
            while looks.lock().unwrap()[&query] < 2 {
                thread::yield_now();
            }
        }
        Ok(answer)
    })
}

/// Both callers make the same twenty teams at the same time: of each there is one in the end.
fn assert_shared(
    outcomes: [Vec<(Outcome, Id<keystone_client::resources::Team>)>; 2],
    sandbox: &Sandbox,
) {
    let [left, right] = outcomes;
    for ((left, left_id), (right, right_id)) in left.into_iter().zip(right) {
        assert_eq!(left_id, right_id);
        let mut pair = [left, right];
        pair.sort_by_key(|outcome| *outcome != Outcome::Created);
        assert_eq!(pair, [Outcome::Created, Outcome::Unchanged]);
    }
    assert_eq!(other(sandbox).teams().list().count().send().unwrap(), 20);
    assert_eq!(methods(&sent(sandbox)).matches("POST").count(), 40 + 1);
}

fn names() -> impl Iterator<Item = String> {
    (1..=20).map(|number| format!("Team {number}"))
}

macro_rules! both_at_once {
    ($sandbox:ident, |$client:ident| $work:expr) => {{
        $sandbox.clear_requests();
        let threads = [(), ()].map(|()| {
            let $client = $client.clone();
            thread::spawn(move || $work)
        });
        threads.map(|thread| thread.join().unwrap())
    }};
}

#[test]
fn threads_that_ensure_the_same_share_the_records() {
    let sandbox = Sandbox::new();
    let backend = paired(&sandbox);
    let client = blocking::KeystoneClient::with_backend(crate::support::BASE, backend).unwrap();
    client.login("admin", "admin-password").unwrap();
    let outcomes = both_at_once!(sandbox, |client| {
        names()
            .map(|name| client.teams().ensure(NewTeam::new(&name), |_| []).send().unwrap())
            .map(|ensured| (ensured.outcome(), ensured.record().id))
            .collect()
    });
    assert_shared(outcomes, &sandbox);
}

#[test]
fn tasks_that_ensure_the_same_share_the_records() {
    let sandbox = Sandbox::new();
    let backend = paired(&sandbox);
    let client =
        keystone_client::KeystoneClient::with_backend(crate::support::BASE, backend).unwrap();
    pollster::block_on(client.login("admin", "admin-password")).unwrap();
    let outcomes = both_at_once!(sandbox, |client| {
        pollster::block_on(async {
            let mut outcomes = Vec::new();
            for name in names() {
                let ensured = client.teams().ensure(NewTeam::new(&name), |_| []).await.unwrap();
                outcomes.push((ensured.outcome(), ensured.record().id));
            }
            outcomes
        })
    });
    assert_shared(outcomes, &sandbox);
}
