//! The calls as one writes them by hand.
//!
//! Each HTTP library is given its headers and time-outs once, where it has a place for that, and the
//! answer is read by `serde_json` into the models of this crate, with `from_slice`, as programs do. That
//! `from_str` is faster where the whole is known to be text, the bench `decode` shows.

pub mod isahc;
pub mod reqwest;
pub mod ureq;

use std::future::Future;
use std::thread;

use keystone_client::resources::{Allocation, AllocationRequest, Cluster, NewCluster};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::cases::{CALLERS, CALLS_OF_EACH, Case, STEPS, WALK_PAGE, WALKED};

/// The headers that the typed client sends with each call.
pub struct Headers {
    pub authorization: String,
    pub user_agent: String,
    pub correlation_id: String,
}

pub const ACCEPT: &str = "application/json, */*;q=0.5";
pub const CORRELATION_ID: &str = "x-keystone-cid";

/// What a program needs of an HTTP library.
pub trait Client: Clone + Send + 'static {
    type Body: AsRef<[u8]>;

    fn get(&self, path: &str) -> impl Future<Output = Self::Body> + Send;
    fn send(
        &self,
        method: &str,
        path: &str,
        body: Vec<u8>,
    ) -> impl Future<Output = Self::Body> + Send;
}

/// The same of one that blocks.
pub trait BlockingClient: Sync {
    type Body: AsRef<[u8]>;

    fn get(&self, path: &str) -> Self::Body;
    fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Self::Body;
}

#[derive(Deserialize)]
struct Page<T> {
    count: u64,
    results: Vec<T>,
}

#[derive(Serialize)]
struct Envelope {
    job: Job,
}

#[derive(Serialize)]
struct Job {
    actions: Vec<Action>,
}

#[derive(Serialize)]
struct Action {
    method: &'static str,
    path: String,
    payload: Award,
}

#[derive(Serialize)]
struct Award {
    awarded: u64,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<StepResult>,
}

#[derive(Deserialize)]
struct StepResult {
    status: u16,
    body: Allocation,
}

const CLUSTER: &str = "allocations/clusters/1/";
const CLUSTERS: &str = "allocations/clusters/";
const PAGE_100: &str = "allocations/allocations/?_order=id&_limit=100&_offset=0";
const PAGE_1000: &str = "allocations/allocations/?_order=id&_limit=1000&_offset=0";
const REQUESTS_100: &str = "allocations/requests/?_order=id&_limit=100&_offset=0";
const BATCH: &str = "batch/";

fn read<T: DeserializeOwned>(body: impl AsRef<[u8]>) -> T {
    serde_json::from_slice(body.as_ref()).expect("the answer is what it should be")
}

fn write<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("it has a JSON form")
}

fn job() -> Vec<u8> {
    let actions = (1..=STEPS).map(|id| Action {
        method: "PATCH",
        path: format!("/allocations/allocations/{id}/"),
        payload: Award { awarded: 1_000 + id },
    });
    write(&Envelope { job: Job { actions: actions.collect() } })
}

fn awards(body: impl AsRef<[u8]>) -> Vec<Allocation> {
    let results = read::<Results>(body).results;
    results.into_iter().filter(|step| step.status == 200).map(|step| step.body).collect()
}

/// The page behind the record with this key, of a walk.
fn page_behind(last: Option<u64>) -> String {
    match last {
        None => format!("allocations/allocations/?_order=id&_limit={WALK_PAGE}"),
        Some(last) => {
            format!("allocations/allocations/?_order=id&_limit={WALK_PAGE}&id__gt={last}")
        }
    }
}

pub async fn perform<C: Client>(client: &C, case: Case) {
    match case {
        Case::Retrieve => drop(read::<Cluster>(client.get(CLUSTER).await)),
        Case::Create => {
            let body = write(&NewCluster::new("atlas"));
            drop(read::<Cluster>(client.send("POST", CLUSTERS, body).await));
        }
        Case::Page100 => full(&read::<Page<Allocation>>(client.get(PAGE_100).await), 100),
        Case::Page1000 => full(&read::<Page<Allocation>>(client.get(PAGE_1000).await), 1_000),
        Case::Requests100 => {
            full(&read::<Page<AllocationRequest>>(client.get(REQUESTS_100).await), 100);
        }
        Case::Batch100 => {
            let allocations = awards(client.send("POST", BATCH, job()).await);
            assert_eq!(allocations.len() as u64, STEPS);
        }
        Case::InFlight64 => {
            let mut callers = JoinSet::new();
            for _ in 0..CALLERS {
                let client = client.clone();
                callers.spawn(async move {
                    for _ in 0..CALLS_OF_EACH {
                        drop(read::<Cluster>(client.get(CLUSTER).await));
                    }
                });
            }
            callers.join_all().await;
        }
        Case::Walk => {
            let (mut rows, mut last) = (0, None);
            loop {
                let page: Page<Allocation> = read(client.get(&page_behind(last)).await);
                rows += page.results.len();
                match page.results.last() {
                    Some(record) if page.count > page.results.len() as u64 => {
                        last = Some(record.id.get());
                    }
                    _ => break,
                }
            }
            assert!(rows >= WALKED, "{rows} rows");
        }
    }
}

pub fn perform_blocking<C: BlockingClient>(client: &C, case: Case) {
    match case {
        Case::Retrieve => drop(read::<Cluster>(client.get(CLUSTER))),
        Case::Create => {
            let body = write(&NewCluster::new("atlas"));
            drop(read::<Cluster>(client.send("POST", CLUSTERS, body)));
        }
        Case::Page100 => full(&read::<Page<Allocation>>(client.get(PAGE_100)), 100),
        Case::Page1000 => full(&read::<Page<Allocation>>(client.get(PAGE_1000)), 1_000),
        Case::Requests100 => full(&read::<Page<AllocationRequest>>(client.get(REQUESTS_100)), 100),
        Case::Batch100 => {
            let allocations = awards(client.send("POST", BATCH, job()));
            assert_eq!(allocations.len() as u64, STEPS);
        }
        Case::InFlight64 => thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    for _ in 0..CALLS_OF_EACH {
                        drop(read::<Cluster>(client.get(CLUSTER)));
                    }
                });
            }
        }),
        Case::Walk => {
            let (mut rows, mut last) = (0, None);
            loop {
                let page: Page<Allocation> = read(client.get(&page_behind(last)));
                rows += page.results.len();
                match page.results.last() {
                    Some(record) if page.count > page.results.len() as u64 => {
                        last = Some(record.id.get());
                    }
                    _ => break,
                }
            }
            assert!(rows >= WALKED, "{rows} rows");
        }
    }
}

fn full<T>(page: &Page<T>, records: usize) {
    assert_eq!(page.results.len(), records);
}
