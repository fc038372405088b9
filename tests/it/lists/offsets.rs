//! Walks in orders of the caller's, and of what has no key: by offset.

use bytes::Bytes;
use http::StatusCode;
use keystone_client::ErrorKind;
use keystone_client::testing::{Exchange, from_fn};
use serde_json::{Value, json};

use super::{envelope, ids, list};
use crate::support::{both_colours, script};

/// A page of a list in an order of the caller's.
fn in_order(parameters: &[(&str, &str)], count: u64, ids: &[u64]) -> Exchange {
    let order = [("_order", "-name,id")];
    list(&[&order, parameters].concat()).reply_json(StatusCode::OK, &envelope(count, ids))
}

both_colours! {
    fn walks_in_another_order_go_by_offset_and_share_a_record() {
        let client = client!(script([
            in_order(&[("_limit", "2")], 4, &[7, 3]),
            in_order(&[("_limit", "3"), ("_offset", "1")], 4, &[3, 1, 2]),
        ]));
        let all = go!(client.clusters().order_by(|c| c.name.desc()).page_size(2).all()).unwrap();
        assert_eq!(ids(&all), [7, 3, 1, 2]);
    }

    fn a_server_that_sends_less_than_it_is_asked_for_is_walked_all_the_same() {
        let client = client!(script([
            in_order(&[("_limit", "1")], 3, &[7]),
            // Nothing but the record that is there already, so the next page has to do without.
            in_order(&[("_limit", "2")], 3, &[7]),
            in_order(&[("_limit", "1"), ("_offset", "1")], 3, &[3]),
            in_order(&[("_limit", "2"), ("_offset", "1")], 3, &[3]),
            in_order(&[("_limit", "1"), ("_offset", "2")], 3, &[1]),
        ]));
        let all = go!(client.clusters().order_by(|c| c.name.desc()).page_size(1).all()).unwrap();
        assert_eq!(ids(&all), [7, 3, 1]);
    }

    fn what_moves_backwards_comes_once() {
        let client = client!(script([
            in_order(&[("_limit", "2")], 4, &[7, 3]),
            // One has come before them, so what was second is third now.
            in_order(&[("_limit", "3"), ("_offset", "1")], 5, &[7, 3, 1]),
            in_order(&[("_limit", "3"), ("_offset", "3")], 5, &[1, 2]),
        ]));
        let all = go!(client.clusters().order_by(|c| c.name.desc()).page_size(2).all()).unwrap();
        assert_eq!(ids(&all), [7, 3, 1, 2]);
    }

    fn a_list_that_shrinks_is_read_again_from_where_it_moved_to() {
        let client = client!(script([
            in_order(&[("_limit", "2")], 5, &[1, 2]),
            // The first has left, and another has come at the end: the count does not show it.
            in_order(&[("_limit", "3"), ("_offset", "1")], 5, &[3, 4, 5]),
            in_order(&[("_limit", "3")], 5, &[2, 3, 4]),
            in_order(&[("_limit", "3"), ("_offset", "2")], 5, &[4, 5, 6]),
        ]));
        let all = go!(client.clusters().order_by(|c| c.name.desc()).page_size(2).all()).unwrap();
        assert_eq!(ids(&all), [1, 2, 3, 4, 5, 6]);
    }

    fn a_list_that_shrinks_away_ends() {
        let client = client!(script([
            in_order(&[("_limit", "2")], 5, &[1, 2]),
            in_order(&[("_limit", "3"), ("_offset", "1")], 1, &[]),
            in_order(&[("_limit", "3")], 1, &[1]),
        ]));
        let all = go!(client.clusters().order_by(|c| c.name.desc()).page_size(2).all()).unwrap();
        assert_eq!(ids(&all), [1, 2]);
    }

    fn pages_of_one_record_come_to_an_end() {
        let client = client!(script([
            in_order(&[("_limit", "1")], 3, &[7]),
            in_order(&[("_limit", "2")], 3, &[7, 3]),
            in_order(&[("_limit", "2"), ("_offset", "1")], 3, &[3, 1]),
        ]));
        let all = go!(client.clusters().order_by(|c| c.name.desc()).page_size(1).all()).unwrap();
        assert_eq!(ids(&all), [7, 3, 1]);
    }

    fn a_record_at_which_to_go_on_that_has_gone_is_an_error() {
        let client = client!(script([
            in_order(&[("_limit", "2")], 4, &[7, 3]),
            in_order(&[("_limit", "2")], 3, &[7, 1]),
        ]));
        let by_name = client.clusters().order_by(|c| c.name.desc()).page_size(2);
        let mut pages = by_name.clone().pages();
        go!(pages.next()).unwrap().unwrap();
        let mut rest = by_name.pages().resume(&pages.cursor()).unwrap();
        let error = go!(rest.next()).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ListChanged);
        assert!(go!(rest.next()).is_none());
    }

    fn a_list_that_moves_all_the_time_is_given_up() {
        // Every page but the first is of records that were never seen.
        let next = std::sync::atomic::AtomicU64::new(3);
        let backend = from_fn(move |request| {
            let id = match request.uri().query().unwrap_or_default().contains("_offset") {
                true => next.fetch_add(2, std::sync::atomic::Ordering::Relaxed),
                false => 1,
            };
            let page = envelope(100_000, &[id, id + 1]).to_string();
            let response = http::Response::builder().header("content-type", "application/json");
            Ok(response.body(Bytes::from(page)).unwrap())
        });
        let client = client!(backend);
        let mut pages = client.clusters().order_by(|c| c.name.desc()).page_size(2).pages();
        assert_eq!(ids(&go!(pages.next()).unwrap().unwrap().items), [1, 2]);
        let error = go!(pages.next()).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ListChanged);
        assert!(error.to_string().contains("keeps changing"), "{error}");
        assert!(pages.has_moved());
    }
}

/// Written by hand, without an integer key.
#[test]
fn what_has_no_key_is_walked_by_offset_in_the_servers_order() {
    let entry = |id: &str| {
        json!({
            "id": id, "_user": null, "record_id": id[1..].parse::<u64>().unwrap(),
            "record_type": match &id[..1] { "t" => "task", "a" => "audit", _ => "request" },
            "timestamp": "2026-11-23T01:15:00Z", "summary": null, "cid": null, "status": null,
            "user": null
        })
    };
    let page = |results: &[Value]| json!({ "count": 3, "results": results });
    let feed = |limit: &str| Exchange::get("/logs/feed/").with_query("_limit", limit);
    let backend = script([
        feed("2").reply_json(StatusCode::OK, &page(&[entry("t3"), entry("r9")])),
        // The call before has been logged meanwhile, so that an entry comes again.
        feed("3")
            .with_query("_offset", "1")
            .reply_json(StatusCode::OK, &page(&[entry("t3"), entry("r9"), entry("a1")])),
    ]);
    let client =
        keystone_client::blocking::KeystoneClient::with_backend("http://keystone.test", backend);
    let feed = client.unwrap().feed().list().page_size(2).all().unwrap();
    assert_eq!(feed.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["t3", "r9", "a1"]);
}
