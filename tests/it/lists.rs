//! Lists are complete, in order, and end.

use http::StatusCode;
use keystone_client::resources::Cluster;
use keystone_client::testing::Exchange;
use keystone_client::{ErrorKind, Page};
use serde_json::{Value, json};

use crate::support::{both_colours, cluster, script};

fn list(parameters: &[(&str, &str)]) -> Exchange {
    parameters.iter().fold(Exchange::get("/allocations/clusters/"), |exchange, (name, value)| {
        exchange.with_query(*name, *value)
    })
}

fn envelope(count: u64, ids: &[u64]) -> Value {
    let results: Vec<Value> = ids.iter().map(|id| cluster(*id, "x")).collect();
    // The links of a server behind a proxy; following them would send credentials elsewhere.
    json!({ "count": count, "next": "http://evil.example/", "previous": null, "results": results })
}

fn ids(clusters: &[Cluster]) -> Vec<u64> {
    clusters.iter().map(|cluster| cluster.id.get()).collect()
}

both_colours! {
    fn walks_go_by_key_and_never_follow_links() {
        let client = client!(script([
            list(&[("_order", "id"), ("_limit", "2")])
                .reply_json(StatusCode::OK, &envelope(5, &[1, 4])),
            list(&[("_order", "id"), ("_limit", "2"), ("id__gt", "4")])
                .reply_json(StatusCode::OK, &envelope(3, &[5, 8])),
            list(&[("_order", "id"), ("_limit", "2"), ("id__gt", "8")])
                .reply_json(StatusCode::OK, &envelope(1, &[9])),
        ]));
        let all = go!(client.clusters().list().page_size(2).all()).unwrap();
        assert_eq!(ids(&all), [1, 4, 5, 8, 9]);
    }

    fn a_bound_of_the_callers_own_is_kept_until_the_key_passes_it() {
        let client = client!(script([
            list(&[("id__gt", "3"), ("_order", "id"), ("_limit", "1")])
                .reply_json(StatusCode::OK, &envelope(2, &[4])),
            list(&[("id__gt", "4"), ("_order", "id"), ("_limit", "1")])
                .reply_json(StatusCode::OK, &envelope(1, &[5])),
        ]));
        let some = client.clusters().filter(|c| c.id.gt(keystone_client::Id::new(3))).page_size(1);
        assert_eq!(ids(&go!(some.all()).unwrap()), [4, 5]);
    }

    fn walks_in_another_order_go_by_offset_and_drop_repeats() {
        let client = client!(script([
            list(&[("_order", "-name,id"), ("_limit", "2")])
                .reply_json(StatusCode::OK, &envelope(4, &[7, 3])),
            list(&[("_order", "-name,id"), ("_limit", "2"), ("_offset", "2")])
                .reply_json(StatusCode::OK, &envelope(4, &[3, 1])),
        ]));
        let all = go!(client.clusters().order_by(|c| c.name.desc()).page_size(2).all()).unwrap();
        assert_eq!(ids(&all), [7, 3, 1]);
    }

    fn an_empty_page_ends_a_walk_whatever_the_count_says() {
        let client = client!(script([
            list(&[("_order", "id"), ("_limit", "1000")])
                .reply_json(StatusCode::OK, &envelope(99, &[])),
        ]));
        assert!(go!(client.clusters().list().all()).unwrap().is_empty());
    }

    fn a_server_that_ignores_the_order_is_found_out() {
        let client = client!(script([
            list(&[("_order", "id"), ("_limit", "1000")])
                .reply_json(StatusCode::OK, &envelope(3, &[2, 1, 3])),
        ]));
        let error = go!(client.clusters().list().all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
    }

    fn bare_arrays_are_whole_lists_unless_a_header_says_otherwise() {
        let array = |ids: &[u64]| Value::from_iter(ids.iter().map(|id| cluster(*id, "x")));
        let client = client!(script([
            list(&[("_order", "id"), ("_limit", "1000")])
                .reply_json(StatusCode::OK, &array(&[3, 1, 2])),
            list(&[("_order", "id"), ("_limit", "2")])
                .reply_json(StatusCode::OK, &array(&[1, 2]))
                .reply_header("x-total-count".parse().unwrap(), "3".parse().unwrap()),
            list(&[("_order", "id"), ("_limit", "2"), ("id__gt", "2")])
                .reply_json(StatusCode::OK, &array(&[3]))
                .reply_header("x-total-count".parse().unwrap(), "1".parse().unwrap()),
        ]));
        assert_eq!(ids(&go!(client.clusters().list().all()).unwrap()), [1, 2, 3]);
        assert_eq!(ids(&go!(client.clusters().list().page_size(2).all()).unwrap()), [1, 2, 3]);
    }

    fn pages_say_where_they_are() {
        let client = client!(script([
            list(&[("_order", "id"), ("_limit", "2"), ("_offset", "4")])
                .reply_json(StatusCode::OK, &envelope(5, &[9])),
            list(&[("_order", "id"), ("_limit", "2"), ("_offset", "2")])
                .reply_json(StatusCode::OK, &envelope(5, &[5, 8])),
        ]));
        let page: Page<Cluster> = go!(client.clusters().list().page(2, 4)).unwrap();
        assert_eq!((page.total, page.offset, page.is_last()), (Some(5), 4, true));
        assert!(!go!(client.clusters().list().page(2, 2)).unwrap().is_last());
    }
}

#[test]
fn streams_and_iterators_end_after_an_error() {
    let failing = || {
        script([
            list(&[("_order", "id"), ("_limit", "1")])
                .reply_json(StatusCode::OK, &envelope(2, &[1])),
            list(&[("_order", "id"), ("_limit", "1"), ("id__gt", "1")])
                .reply(StatusCode::INTERNAL_SERVER_ERROR, ""),
        ])
    };
    let client =
        keystone_client::blocking::KeystoneClient::with_backend("http://keystone.test", failing());
    let client = client.unwrap();
    let mut rows = client.clusters().list().page_size(1).iter();
    assert_eq!(rows.next().unwrap().unwrap().id.get(), 1);
    assert_eq!(rows.next().unwrap().unwrap_err().kind(), ErrorKind::Server);
    assert!(rows.next().is_none());

    let client = keystone_client::KeystoneClient::with_backend("http://keystone.test", failing());
    let mut rows = client.unwrap().clusters().list().page_size(1).stream();
    pollster::block_on(async {
        assert_eq!(rows.next().await.unwrap().unwrap().id.get(), 1);
        assert_eq!(rows.next().await.unwrap().unwrap_err().kind(), ErrorKind::Server);
        assert!(rows.next().await.is_none());
    });
}
