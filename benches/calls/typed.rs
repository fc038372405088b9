//! The same calls as users of this crate write them.

use std::thread;

use keystone_client::resources::{Allocation, NewCluster};
use keystone_client::{Id, KeystoneClient, blocking};
use tokio::task::JoinSet;

use crate::cases::{CALLERS, CALLS_OF_EACH, Case, STEPS, WALK_PAGE, WALKED};

pub async fn perform(client: &KeystoneClient, case: Case) {
    match case {
        Case::Retrieve => retrieve(client).await,
        Case::Create => {
            let call = client.clusters().create(NewCluster::new("atlas"));
            drop(call.await.expect("it is taken"));
        }
        Case::Page100 | Case::Page1000 => {
            let limit = if case == Case::Page100 { 100 } else { 1_000 };
            let page = client.allocations().list().page(limit, 0).await.expect("there is one");
            assert_eq!(page.items.len(), limit as usize);
        }
        Case::Requests100 => {
            let call = client.requests().list().page(100, 0);
            assert_eq!(call.await.expect("there is one").items.len(), 100);
        }
        Case::Batch100 => {
            let mut batch = client.batch();
            let steps: Vec<_> = (1..=STEPS)
                .map(|id| {
                    let allocations = client.allocations();
                    batch.add(allocations.update(Id::new(id), |a| [a.awarded.set(1_000 + id)]))
                })
                .collect();
            let outcome = batch.run().await.expect("it is carried out");
            for step in steps {
                drop::<Allocation>(outcome.get(step).expect("it is a record"));
            }
        }
        Case::InFlight64 => {
            let mut callers = JoinSet::new();
            for _ in 0..CALLERS {
                let client = client.clone();
                callers.spawn(async move {
                    for _ in 0..CALLS_OF_EACH {
                        retrieve(&client).await;
                    }
                });
            }
            callers.join_all().await;
        }
        Case::Walk => {
            let mut rows = 0;
            let mut allocations = client.allocations().list().page_size(WALK_PAGE).stream();
            while let Some(allocation) = allocations.next().await {
                drop(allocation.expect("it is one"));
                rows += 1;
            }
            assert!(rows >= WALKED, "{rows} rows");
        }
    }
}

async fn retrieve(client: &KeystoneClient) {
    drop(client.clusters().retrieve(Id::new(1)).await.expect("there is one"));
}

pub fn perform_blocking(client: &blocking::KeystoneClient, case: Case) {
    match case {
        Case::Retrieve => retrieve_blocking(client),
        Case::Create => {
            let call = client.clusters().create(NewCluster::new("atlas"));
            drop(call.send().expect("it is taken"));
        }
        Case::Page100 | Case::Page1000 => {
            let limit = if case == Case::Page100 { 100 } else { 1_000 };
            let page = client.allocations().list().page(limit, 0).send().expect("there is one");
            assert_eq!(page.items.len(), limit as usize);
        }
        Case::Requests100 => {
            let call = client.requests().list().page(100, 0);
            assert_eq!(call.send().expect("there is one").items.len(), 100);
        }
        Case::Batch100 => {
            let mut batch = client.batch();
            let steps: Vec<_> = (1..=STEPS)
                .map(|id| {
                    let allocations = client.allocations();
                    batch.add(allocations.update(Id::new(id), |a| [a.awarded.set(1_000 + id)]))
                })
                .collect();
            let outcome = batch.run().send().expect("it is carried out");
            for step in steps {
                drop::<Allocation>(outcome.get(step).expect("it is a record"));
            }
        }
        Case::InFlight64 => thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    for _ in 0..CALLS_OF_EACH {
                        retrieve_blocking(client);
                    }
                });
            }
        }),
        Case::Walk => {
            let allocations = client.allocations().list().page_size(WALK_PAGE);
            let rows = allocations.iter().map(|row| drop(row.expect("it is one"))).count();
            assert!(rows >= WALKED, "{rows} rows");
        }
    }
}

fn retrieve_blocking(client: &blocking::KeystoneClient) {
    drop(client.clusters().retrieve(Id::new(1)).send().expect("there is one"));
}
