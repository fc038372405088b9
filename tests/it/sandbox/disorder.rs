//! Lists in an order that nobody knows.

use std::collections::BTreeSet;

use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin};
use crate::support::both_colours;

const CLUSTERS: u64 = 200;

fn sandbox(dialect: Dialect, seed: u64) -> Sandbox {
    let builder = Sandbox::builder().dialect(dialect).staff("admin", "admin-password");
    let sandbox = builder.arbitrary_order(seed).build();
    for number in 0..CLUSTERS {
        // Every description there is belongs to many.
        let description = if number % 2 == 0 { "even" } else { "odd" };
        let cluster = json!({ "name": format!("c{number}"), "description": description });
        sandbox.insert("allocations/clusters", cluster).unwrap();
    }
    sandbox
}

fn ids(client: &Client, query: &str) -> Vec<u64> {
    let list = client.get(&format!("/allocations/clusters/{query}"));
    let items = list.get("results").unwrap_or(&list).as_array().unwrap().clone();
    items.iter().map(|item: &Value| item["id"].as_u64().unwrap()).collect()
}

#[test]
fn the_order_differs_from_list_to_list_and_not_from_run_to_run() {
    let client = admin(&sandbox(Dialect::Session, 1));
    let first = [ids(&client, "?_limit=200"), ids(&client, "?_limit=200")];
    assert_ne!(first[0], first[1]);
    assert_eq!(first[0].iter().collect::<BTreeSet<_>>(), first[1].iter().collect());
    let client = admin(&sandbox(Dialect::Session, 1));
    assert_eq!([ids(&client, "?_limit=200"), ids(&client, "?_limit=200")], first);
    let client = admin(&sandbox(Dialect::Session, 2));
    assert_ne!(ids(&client, "?_limit=200"), first[0]);

    let (client, _) = Client::jwt(&sandbox(Dialect::Jwt, 1), "admin", "admin-password");
    assert_ne!(ids(&client, ""), ids(&client, ""));
}

/// What a client gets that takes page after page without a stated order: some rows are missing.
#[test]
fn pages_without_order_do_not_fit_together() {
    let client = admin(&sandbox(Dialect::Session, 1));
    let pages = (0..10).flat_map(|page| ids(&client, &format!("?_limit=20&_offset={}", page * 20)));
    assert!(pages.collect::<BTreeSet<_>>().len() < CLUSTERS as usize);
}

#[test]
fn a_stated_order_is_kept_and_leaves_equals_to_chance() {
    let client = admin(&sandbox(Dialect::Session, 1));
    assert!(ids(&client, "?_limit=200&_order=-id").is_sorted_by(|one, next| one > next));
    let lists = [(); 2].map(|()| ids(&client, "?_limit=200&_order=description"));
    assert_ne!(lists[0], lists[1]);
    for list in lists {
        assert!(
            list[..100].iter().all(|id| id % 2 == 1) && list[100..].iter().all(|id| id % 2 == 0)
        );
    }
}

both_colours! {
    fn walks_are_complete_all_the_same() {
        for dialect in [Dialect::Session, Dialect::Jwt] {
            let client = client!(sandbox(dialect, 3));
            go!(client.login("admin", "admin-password")).unwrap();
            for list in [
                client.clusters().list().page_size(7),
                client.clusters().list().page_size(7).concurrency(4),
            ] {
                let clusters = go!(list.all()).unwrap();
                let keys: Vec<u64> = clusters.iter().map(|cluster| cluster.id.get()).collect();
                assert_eq!(keys, (1..=CLUSTERS).collect::<Vec<_>>());
            }
        }
    }
}
