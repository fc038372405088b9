//! Against a real server, which `KEYSTONE_TEST_URL` names; `KEYSTONE_TEST_USERNAME` and
//! `KEYSTONE_TEST_PASSWORD` are those of a staff user there. What the tests make they delete.
//!
//! `KEYSTONE_TEST_TOKEN_SECONDS` may state how long an access token lives on a JWT server, if it
//! is short enough to be waited for.

use std::env;
use std::thread;
use std::time::Duration;

use keystone_client::backend::{IsahcBackend, ReqwestBackend, UreqBackend};
use keystone_client::resources::NewCluster;
use keystone_client::{Dialect, ErrorKind, Id, KeystoneClient, blocking};

use crate::support::{awaited, finished};

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

macro_rules! live_walk {
    ($client:ident, $name:expr, $go:ident) => {{
        let (username, password) =
            (variable("KEYSTONE_TEST_USERNAME"), variable("KEYSTONE_TEST_PASSWORD"));
        let error = $go!($client.login(username.as_str(), "certainly wrong")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCredentials);
        $go!($client.login(username.as_str(), password)).unwrap();
        assert_eq!($go!($client.whoami()).unwrap().unwrap().username, username);
        assert!(!$go!($client.version()).unwrap().is_empty());

        let cluster = $go!($client.create_cluster(NewCluster::new($name))).unwrap();
        assert_eq!($go!($client.retrieve_cluster(cluster.id)).unwrap().name, cluster.name);
        let found = $client.clusters().filter(|c| c.name.eq(cluster.name.as_str()));
        assert_eq!($go!(found.all()).unwrap().len(), 1);
        let updated = $client.update_cluster(cluster.id, |c| [c.description.set("short-lived")]);
        assert_eq!($go!(updated).unwrap().description.as_deref(), Some("short-lived"));
        let users = $go!($client.users().list().page_size(3).all()).unwrap();
        assert_eq!(users.len(), $go!($client.users().list().all()).unwrap().len());
        assert!(users.is_sorted_by_key(|user| user.id));

        if let Ok(seconds) = env::var("KEYSTONE_TEST_TOKEN_SECONDS") {
            assert_eq!($client.dialect(), Some(Dialect::Jwt));
            wait(Duration::from_secs(seconds.parse::<u64>().unwrap() + 1));
        }
        $go!($client.delete_cluster(cluster.id)).unwrap();
        assert!($go!($client.retrieve_cluster(cluster.id)).unwrap_err().is_not_found());
        assert!($go!($client.retrieve_cluster(Id::new(999_999)).optional()).unwrap().is_none());
        $go!($client.logout()).unwrap();
        assert!(!$client.is_authenticated());
        let error = $go!($client.users().list().all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotLoggedIn);
    }};
}

#[allow(clippy::disallowed_methods, reason = "a real token has to expire")]
fn wait(duration: Duration) {
    thread::sleep(duration);
}

macro_rules! live {
    ($($name:ident: $colour:ident $backend:expr;)+) => {
        $(
            #[test]
            #[ignore = "needs a real server, see the head of this file"]
            fn $name() {
                live!(@$colour $backend, concat!("live-", stringify!($name)));
            }
        )+
    };
    (@asynchronous $backend:expr, $name:expr) => {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let url = variable("KEYSTONE_TEST_URL");
            let client = KeystoneClient::with_backend(&url, $backend).unwrap();
            live_walk!(client, $name, awaited);
        })
    };
    (@blocking $backend:expr, $name:expr) => {{
        let url = variable("KEYSTONE_TEST_URL");
        let client = blocking::KeystoneClient::with_backend(&url, $backend).unwrap();
        live_walk!(client, $name, finished);
    }};
}

live! {
    reqwest: asynchronous ReqwestBackend::new().unwrap();
    reqwest_blocking: blocking blocking::ReqwestBackend::new().unwrap();
    isahc: asynchronous IsahcBackend::new().unwrap();
    isahc_blocking: blocking IsahcBackend::new().unwrap();
    ureq_blocking: blocking UreqBackend::new().unwrap();
}
