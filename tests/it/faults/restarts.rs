//! A server that goes away in the middle of something and comes back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keystone_client::RetryPolicy;
use keystone_client::sandbox::{Dialect, Fault, Sandbox, SandboxServer};
use serde_json::json;

use super::{about_clusters, with_each};
use crate::support::callers::Setup;

const CLUSTERS: u64 = 200;

/// Waits for longer than the server is away.
fn patient() -> Setup {
    let retry = RetryPolicy::default()
        .with_max_attempts(8)
        .with_delays(Duration::from_millis(100), Duration::from_millis(400))
        .with_total(Duration::from_secs(15));
    Setup { retry, timeout: Duration::from_secs(3), ..Setup::quick() }
}

fn sandbox(dialect: Dialect) -> Sandbox {
    let sandbox = Sandbox::builder().dialect(dialect).staff("admin", "admin-password").build();
    for number in 0..CLUSTERS {
        let cluster = json!({ "name": format!("cluster {number}") });
        sandbox.insert("allocations/clusters", cluster).unwrap();
    }
    sandbox
}

/// Restarts with the request of each of these numbers.
fn restarting(sandbox: &Sandbox, at: &'static [usize]) -> SandboxServer {
    let requests = AtomicUsize::new(0);
    sandbox.inject_with(about_clusters(move || {
        let number = requests.fetch_add(1, Ordering::SeqCst);
        at.contains(&number).then(|| Fault::restart(Duration::from_millis(250)))
    }));
    sandbox.serve().unwrap()
}

#[test]
fn a_walk_is_whole_and_without_repeats() {
    with_each(|make| {
        for (dialect, concurrency) in [(Dialect::Session, 1), (Dialect::Jwt, 4)] {
            let sandbox = sandbox(dialect);
            let server = restarting(&sandbox, &[3, 12]);
            let subject = make(&server.url(), &patient());
            subject.wait(subject.client.log_in()).unwrap();
            let clusters = subject.wait(subject.client.walk(10, concurrency)).unwrap();
            let keys: Vec<u64> = clusters.iter().map(|cluster| cluster.id.get()).collect();
            assert_eq!(keys, (1..=CLUSTERS).collect::<Vec<u64>>(), "{}", subject.name);
        }
    });
}

/// The server did not carry it out, but the client cannot know.
#[test]
fn a_write_is_in_doubt() {
    with_each(|make| {
        let sandbox = sandbox(Dialect::Session);
        let server = restarting(&sandbox, &[0]);
        let subject = make(&server.url(), &patient());
        subject.wait(subject.client.log_in()).unwrap();
        let error = subject.wait(subject.client.create("borealis")).unwrap_err();
        assert!(error.may_have_been_sent(), "{}: {error:?}", subject.name);
        assert_eq!(error.attempts(), 1, "{}", subject.name);
        // While the server is away, writes are not in doubt, and are repeated until it is back.
        // A connection that the server took in its last moments is in doubt once more.
        let mut outcomes = (0..3).map(|_| subject.wait(subject.client.create("carina")));
        let outcome = outcomes.find(|outcome| match outcome {
            Ok(_) => true,
            Err(error) => !error.may_have_been_sent(),
        });
        let cluster = outcome.unwrap().unwrap();
        assert_eq!(subject.wait(subject.client.named("borealis")).unwrap(), []);
        assert_eq!(subject.wait(subject.client.named("carina")).unwrap(), [cluster]);
    });
}
