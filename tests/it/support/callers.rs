//! Clients of both colours over every backend, for tests that ask the same of all.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use keystone_client::backend::{IsahcBackend, ReqwestBackend, TransportSettings, UreqBackend};
use keystone_client::credentials::Credentials;
use keystone_client::observe::{Event, Observer};
use keystone_client::resources::{Cluster, NewCluster};
use keystone_client::sandbox::Sandbox;
use keystone_client::{Error, Id, KeystoneClient, RetryPolicy, blocking};
use tokio::runtime::Runtime;

use super::{BASE, awaited, finished};

pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// What tests ask of a client of either colour. Answers of the blocking one are there when polled
/// for the first time.
pub(crate) trait Caller: Send + Sync {
    fn log_in(&self) -> Answer<'_, ()>;
    fn create(&self, name: &str) -> Answer<'_, Cluster>;
    fn retrieve(&self, id: u64) -> Answer<'_, Cluster>;
    fn rename(&self, id: u64, name: &str) -> Answer<'_, Cluster>;
    fn delete(&self, id: u64) -> Answer<'_, ()>;
    fn named(&self, name: &str) -> Answer<'_, Vec<Cluster>>;
    fn between(&self, first: u64, last: u64) -> Answer<'_, Vec<Cluster>>;
    fn walk(&self, page_size: u32, concurrency: usize) -> Answer<'_, Vec<Cluster>>;
    fn is_authenticated(&self) -> bool;
}

macro_rules! caller {
    ($client:ty, $go:ident) => {
        impl Caller for $client {
            fn log_in(&self) -> Answer<'_, ()> {
                Box::pin(async move { $go!(self.login(USER, PASSWORD)) })
            }

            fn create(&self, name: &str) -> Answer<'_, Cluster> {
                let call = self.create_cluster(NewCluster::new(name));
                Box::pin(async move { $go!(call) })
            }

            fn retrieve(&self, id: u64) -> Answer<'_, Cluster> {
                let call = self.retrieve_cluster(Id::new(id));
                Box::pin(async move { $go!(call) })
            }

            fn rename(&self, id: u64, name: &str) -> Answer<'_, Cluster> {
                let call = self.update_cluster(Id::new(id), |c| c.name.set(name));
                Box::pin(async move { $go!(call) })
            }

            fn delete(&self, id: u64) -> Answer<'_, ()> {
                let call = self.delete_cluster(Id::new(id));
                Box::pin(async move { $go!(call) })
            }

            fn named(&self, name: &str) -> Answer<'_, Vec<Cluster>> {
                let list = self.clusters().filter(|c| c.name.eq(name));
                Box::pin(async move { $go!(list.all()) })
            }

            fn between(&self, first: u64, last: u64) -> Answer<'_, Vec<Cluster>> {
                let (first, last) = (Id::new(first), Id::new(last));
                let list = self.clusters().filter(|c| c.id.gte(first)).filter(|c| c.id.lte(last));
                Box::pin(async move { $go!(list.all()) })
            }

            fn walk(&self, page_size: u32, concurrency: usize) -> Answer<'_, Vec<Cluster>> {
                let list = self.clusters().list().page_size(page_size).concurrency(concurrency);
                Box::pin(async move { $go!(list.all()) })
            }

            fn is_authenticated(&self) -> bool {
                self.is_authenticated()
            }
        }
    };
}

caller!(KeystoneClient, awaited);
caller!(blocking::KeystoneClient, finished);

pub(crate) const USER: &str = "admin";
pub(crate) const PASSWORD: &str = "admin-password";

/// A client, and what it takes to wait for its answers.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) client: Arc<dyn Caller>,
    pub(crate) runtime: Option<Runtime>,
}

impl Subject {
    pub(crate) fn wait<T>(&self, answer: impl Future<Output = T>) -> T {
        match &self.runtime {
            Some(runtime) => runtime.block_on(answer),
            None => pollster::block_on(answer),
        }
    }
}

/// How the clients of a test are made.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) retry: RetryPolicy,
    pub(crate) timeout: Duration,
    /// Whether the client logs in by itself.
    pub(crate) logs_in: bool,
    pub(crate) max_response_bytes: usize,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Setup {
    /// Attempts of a second, three of them, with hardly a wait between.
    pub(crate) fn quick() -> Self {
        Self {
            retry: RetryPolicy::default()
                .with_max_attempts(3)
                .with_delays(Duration::from_millis(10), Duration::from_millis(50))
                .with_total(Duration::from_secs(6)),
            timeout: Duration::from_secs(1),
            logs_in: false,
            max_response_bytes: 1024 * 1024,
            observer: None,
        }
    }

    fn transport(&self) -> TransportSettings {
        TransportSettings::default()
            .with_connect_timeout(self.timeout)
            .with_max_response_bytes(self.max_response_bytes)
    }
}

/// The builder is generic over a trait that tests cannot name.
macro_rules! client {
    ($client:ty, $url:expr, $setup:expr, $backend:expr) => {{
        let mut builder = <$client>::builder($url)
            .retry($setup.retry.clone())
            .timeout($setup.timeout)
            .backend($backend);
        if $setup.logs_in {
            builder = builder.credentials(Credentials::new(USER, PASSWORD));
        }
        if let Some(observer) = &$setup.observer {
            let observer = Arc::clone(observer);
            builder = builder.observer(move |event: &Event| observer.observe(event));
        }
        Arc::new(builder.build().unwrap())
    }};
}

/// Makes a client of the server at an address.
pub(crate) type Make = fn(&str, &Setup) -> Subject;

pub(crate) fn reqwest(url: &str, setup: &Setup) -> Subject {
    let backend = ReqwestBackend::with_settings(&setup.transport()).unwrap();
    Subject {
        name: "reqwest",
        client: client!(KeystoneClient, url, setup, backend),
        runtime: Some(Runtime::new().unwrap()),
    }
}

fn isahc(url: &str, setup: &Setup) -> Subject {
    let backend = IsahcBackend::with_settings(&setup.transport()).unwrap();
    Subject { name: "isahc", client: client!(KeystoneClient, url, setup, backend), runtime: None }
}

fn reqwest_blocking(url: &str, setup: &Setup) -> Subject {
    let backend = blocking::ReqwestBackend::with_settings(&setup.transport()).unwrap();
    Subject {
        name: "reqwest, blocking",
        client: client!(blocking::KeystoneClient, url, setup, backend),
        runtime: None,
    }
}

fn isahc_blocking(url: &str, setup: &Setup) -> Subject {
    let backend = IsahcBackend::with_settings(&setup.transport()).unwrap();
    Subject {
        name: "isahc, blocking",
        client: client!(blocking::KeystoneClient, url, setup, backend),
        runtime: None,
    }
}

pub(crate) fn ureq(url: &str, setup: &Setup) -> Subject {
    let backend = UreqBackend::with_settings(&setup.transport()).unwrap();
    Subject {
        name: "ureq",
        client: client!(blocking::KeystoneClient, url, setup, backend),
        runtime: None,
    }
}

/// Every backend in every colour that it has.
pub(crate) const BACKENDS: [Make; 5] = [reqwest, isahc, reqwest_blocking, isahc_blocking, ureq];

/// Clients of both colours of a sandbox, over no connection; waiting takes no time.
pub(crate) fn direct(sandbox: &Sandbox, setup: &Setup) -> [Subject; 2] {
    [
        Subject {
            name: "the sandbox",
            client: client!(KeystoneClient, BASE, setup, sandbox.clone()),
            runtime: None,
        },
        Subject {
            name: "the sandbox, blocking",
            client: client!(blocking::KeystoneClient, BASE, setup, sandbox.clone()),
            runtime: None,
        },
    ]
}
