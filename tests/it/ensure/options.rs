//! Options hold for each request of what takes several, and what is repeated.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use keystone_client::RetryPolicy;
use keystone_client::backend::{BackendError, BackendErrorKind, RequestTimeout};

use super::races::{Turn, answer_lost, meddled_with};
use super::*;
use crate::support::both_colours;

/// How long one attempt may take, of each request.
type Timeouts = Arc<Mutex<Vec<Duration>>>;

const FAILED: Turn = |_, _| {
    let mut failure = http::Response::new(bytes::Bytes::from_static(b"overloaded"));
    *failure.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    Ok(failure)
};
const LOST: Turn =
    |_, _| Err(BackendError::new(BackendErrorKind::Closed, "the connection was closed"));

both_colours! {
    fn a_timeout_bounds_each_request() {
        let sandbox = Sandbox::new();
        let timeouts = Timeouts::default();
        let (server, log) = (sandbox.clone(), timeouts.clone());
        let client = client!(from_fn(move |request: http::Request<bytes::Bytes>| {
            let timeout = request.extensions().get::<RequestTimeout>().unwrap();
            log.lock().unwrap().push(timeout.0);
            Ok(server.handle(request))
        }));
        go!(client.login("admin", "admin-password")).unwrap();
        let cluster = go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
        timeouts.lock().unwrap().clear();
        let second = Duration::from_secs(1);
        let edit = client.clusters().edit(&cluster, |c| c.enabled.set(false)).if_unmodified();
        go!(edit.timeout(second)).unwrap(); // GET PATCH
        let ensure = |name: &str| {
            client.clusters().ensure(NewCluster::new(name), |c| c.description.set("CPU only"))
        };
        go!(ensure("atlas").timeout(second)).unwrap(); // GET PATCH
        go!(ensure("borealis").timeout(second)).unwrap(); // GET POST PATCH
        assert_eq!(*timeouts.lock().unwrap(), [second; 7]);
    }

    fn a_retry_policy_holds_for_each_request() {
        // Of three attempts at each request the last is answered.
        let patient = RetryPolicy::default().without_jitter().with_max_attempts(3);
        for (method, policy) in [
            (Method::GET, patient.clone()),
            (Method::PATCH, patient.clone()),
            (Method::GET, RetryPolicy::never()),
            (Method::PATCH, RetryPolicy::never()),
        ] {
            let sandbox = Sandbox::new();
            let client = client!(sandbox.clone());
            go!(client.login("admin", "admin-password")).unwrap();
            let cluster = go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
            let expects_success = policy != RetryPolicy::never();
            let failing = |method: &Method| {
                meddled_with(&sandbox, [(method.clone(), vec![FAILED, FAILED])])
            };
            let client = client!(failing(&method));
            go!(client.login("admin", "admin-password")).unwrap();
            let ensure = client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(false));
            let ensured = go!(ensure.retry(policy.clone()));
            assert_eq!(ensured.is_ok(), expects_success, "{method}");
            // Of an edit the fetch only, as its update is not repeated after such an answer.
            if method == Method::GET {
                let client = client!(failing(&method));
                go!(client.login("admin", "admin-password")).unwrap();
                let cluster = match ensured {
                    Ok(ensured) => ensured.into_record(),
                    Err(_) => cluster,
                };
                let edit = client.clusters().edit(&cluster, |c| c.description.set("CPU only"));
                let edited = go!(edit.if_unmodified().retry(policy));
                assert_eq!(edited.is_ok(), expects_success);
            }
        }
    }

    fn an_update_is_repeated_by_ensure_and_not_by_edit() {
        for (turn, enabled) in [(LOST, true), (answer_lost as Turn, false)] {
            let sandbox = Sandbox::new();
            let client = client!(meddled_with(&sandbox, [(Method::PATCH, vec![turn])]));
            go!(client.login("admin", "admin-password")).unwrap();
            let cluster = go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
            let edit = client.clusters().edit(&cluster, |c| c.enabled.set(false));
            let error = go!(edit.if_unmodified()).unwrap_err();
            assert_eq!((error.kind(), error.attempts()), (ErrorKind::Transport, 1));
            assert!(error.may_have_been_sent());
            let now = go!(client.retrieve_cluster(cluster.id)).unwrap();
            assert_eq!(now.enabled, enabled);

            let client = client!(meddled_with(&sandbox, [(Method::PATCH, vec![turn])]));
            go!(client.login("admin", "admin-password")).unwrap();
            let new = NewCluster::new("atlas");
            let ensure = client.clusters().ensure(new, |c| c.description.set("CPU only"));
            let ensured = go!(ensure).unwrap();
            assert_eq!(ensured.fields(), ["description"]);
            assert_eq!(ensured.record().description.as_deref(), Some("CPU only"));
        }
    }
}
