//! Walks in orders of the caller's, and of what has no key: by offset.

use bytes::Bytes;
use http::StatusCode;
use keystone_client::ErrorKind;
use keystone_client::backend::BackendError;
use keystone_client::testing::{Exchange, FromFn, from_fn};
use serde_json::{Value, json};

use super::{envelope, ids, list};
use crate::support::{both_colours, cluster, script};

/// A page of a list in an order of the caller's.
fn in_order(parameters: &[(&str, &str)], count: u64, ids: &[u64]) -> Exchange {
    let order = [("_order", "-name,id")];
    list(&[&order, parameters].concat()).reply_json(StatusCode::OK, &envelope(count, ids))
}

/// A page of the same list by key.
fn by_key(limit: &str, parameters: &[(&str, &str)], count: u64, ids: &[u64]) -> Exchange {
    let order = [("_order", "id"), ("_limit", limit)];
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
            in_order(&[("_limit", "1000"), ("_offset", "1")], 3, &[3]),
            in_order(&[("_limit", "2"), ("_offset", "1")], 3, &[3]),
            in_order(&[("_limit", "1000"), ("_offset", "2")], 3, &[1]),
        ]));
        let mut rows = client.clusters().order_by(|c| c.name.desc()).page_size(1).pages().rows();
        for id in [7, 3, 1] {
            assert_eq!(go!(rows.next()).unwrap().unwrap().id.get(), id);
        }
        assert!(go!(rows.next()).is_none());
        assert!(!rows.has_moved());
    }

    fn what_moves_backwards_comes_once_and_what_came_before_it_in_the_end() {
        let client = client!(script([
            in_order(&[("_limit", "2")], 4, &[7, 3]),
            // One has come before them, so what was second is third now.
            in_order(&[("_limit", "3"), ("_offset", "1")], 5, &[7, 3, 1]),
            in_order(&[("_limit", "3"), ("_offset", "3")], 5, &[1, 2]),
            by_key("2", &[], 5, &[1, 2]),
            by_key("2", &[("id__gt", "2")], 3, &[3, 5]),
            by_key("2", &[("id__gt", "5")], 1, &[7]),
        ]));
        let mut rows = client.clusters().order_by(|c| c.name.desc()).page_size(2).pages().rows();
        for id in [7, 3, 1, 2, 5] {
            assert_eq!(go!(rows.next()).unwrap().unwrap().id.get(), id);
        }
        assert!(go!(rows.next()).is_none());
        assert!(rows.has_moved());
        // It stands in no order, so there is no going on behind it.
        let list = client.clusters().order_by(|c| c.name.desc()).pages();
        assert_eq!(list.resume(&rows.cursor()).unwrap_err().kind(), ErrorKind::ListChanged);
    }

    fn a_list_that_shrinks_is_read_again_from_where_it_moved_to() {
        let client = client!(script([
            in_order(&[("_limit", "2")], 5, &[1, 2]),
            // The first has left, and another has come at the end: the count does not show it.
            in_order(&[("_limit", "3"), ("_offset", "1")], 5, &[3, 4, 5]),
            in_order(&[("_limit", "1000")], 5, &[2, 3, 4, 5, 6]),
            by_key("2", &[], 5, &[2, 3]),
            by_key("2", &[("id__gt", "3")], 3, &[4, 5]),
            by_key("2", &[("id__gt", "5")], 1, &[6]),
        ]));
        let all = go!(client.clusters().order_by(|c| c.name.desc()).page_size(2).all()).unwrap();
        assert_eq!(ids(&all), [1, 2, 3, 4, 5, 6]);
    }

    fn a_list_that_shrinks_away_ends() {
        let client = client!(script([
            in_order(&[("_limit", "2")], 5, &[1, 2]),
            in_order(&[("_limit", "3"), ("_offset", "1")], 1, &[]),
            in_order(&[("_limit", "1000")], 1, &[1]),
            by_key("2", &[], 1, &[1]),
        ]));
        let all = go!(client.clusters().order_by(|c| c.name.desc()).page_size(2).all()).unwrap();
        assert_eq!(ids(&all), [1, 2]);
    }

    /// What has been read goes to the end of the order, and takes what was not read along to the
    /// front, where nobody looks again.
    fn what_the_caller_moves_away_is_missed_by_no_one() {
        let client = client!(script([
            in_order(&[("_limit", "3")], 5, &[1, 2, 3]),
            in_order(&[("_limit", "4"), ("_offset", "2")], 5, &[1, 2, 3]),
            by_key("3", &[], 5, &[1, 2, 3]),
            by_key("3", &[("id__gt", "3")], 2, &[4, 5]),
        ]));
        let all = go!(client.clusters().order_by(|c| c.name.desc()).page_size(3).all()).unwrap();
        assert_eq!(ids(&all), [1, 2, 3, 4, 5]);
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

    fn a_record_at_which_to_go_on_is_looked_for() {
        let rows = |from: u64, to: u64| Vec::from_iter(from..to);
        let client = client!(script([
            in_order(&[("_limit", "2")], 4, &[7_000, 3_000]),
            // 1,500 have come before it.
            in_order(&[("_limit", "1000")], 1_502, &rows(1, 1_001)),
            in_order(&[("_limit", "1000"), ("_offset", "1000")], 1_502,
                &[rows(1_001, 1_501), vec![3_000, 2]].concat()),
        ]));
        let by_name = client.clusters().order_by(|c| c.name.desc()).page_size(2);
        let mut pages = by_name.clone().pages();
        go!(pages.next()).unwrap().unwrap();
        let mut rest = by_name.pages().resume(&pages.cursor()).unwrap();
        assert_eq!(ids(&go!(rest.next()).unwrap().unwrap().items), [2]);
        assert!(go!(rest.next()).is_none());
    }

    fn a_walk_that_was_gone_on_with_knows_nothing_of_what_came_before() {
        let client = client!(script([
            in_order(&[("_limit", "2")], 4, &[7, 3]),
            in_order(&[("_limit", "1000")], 4, &[7, 3, 1]),
            // The total moves, but a pass by key would bring 7 and 3 again.
            in_order(&[("_limit", "3"), ("_offset", "2")], 5, &[1, 2]),
            in_order(&[("_limit", "3"), ("_offset", "3")], 5, &[2, 9]),
        ]));
        let by_name = client.clusters().order_by(|c| c.name.desc()).page_size(2);
        let mut pages = by_name.clone().pages();
        go!(pages.next()).unwrap().unwrap();
        let mut rest = by_name.pages().resume(&pages.cursor()).unwrap().rows();
        for id in [1, 2, 9] {
            assert_eq!(go!(rest.next()).unwrap().unwrap().id.get(), id);
        }
        assert!(go!(rest.next()).is_none());
        assert!(rest.has_moved());
    }

    fn a_record_at_which_to_go_on_that_has_gone_is_an_error() {
        let client = client!(script([
            in_order(&[("_limit", "2")], 4, &[7, 3]),
            in_order(&[("_limit", "1000")], 3, &[7, 1, 2]),
        ]));
        let by_name = client.clusters().order_by(|c| c.name.desc()).page_size(2);
        let mut pages = by_name.clone().pages();
        go!(pages.next()).unwrap().unwrap();
        let mut rest = by_name.pages().resume(&pages.cursor()).unwrap();
        let error = go!(rest.next()).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ListChanged);
        assert!(go!(rest.next()).is_none());
    }

    fn a_list_that_moves_all_the_time_is_walked_by_key_in_the_end() {
        let client = client!(restless(|id| cluster(id, "x")));
        let mut pages = client.clusters().order_by(|c| c.name.desc()).page_size(2).pages();
        assert_eq!(ids(&go!(pages.next()).unwrap().unwrap().items), [1, 2]);
        assert!(go!(pages.next()).is_none());
        assert!(pages.has_moved());
    }

    fn one_without_keys_that_moves_all_the_time_is_given_up() {
        let client = client!(restless(|id| entry(&format!("r{id}"))));
        let mut pages = client.feed().list().page_size(2).pages();
        go!(pages.next()).unwrap().unwrap();
        let error = go!(pages.next()).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ListChanged);
        assert!(error.to_string().contains("keeps changing"), "{error}");
        assert!(pages.has_moved());
    }

    /// A log that grows at its head by as many entries as a page has.
    fn a_list_that_grows_as_fast_as_it_is_read_is_caught_up_with() {
        let asked = std::sync::atomic::AtomicU64::new(0);
        let backend = from_fn(move |request| {
            let asked = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let newest = 40 + asked;
            let uri = request.uri().to_string();
            let number = |name: &str| -> u64 {
                let value = uri.split(name).nth(1).map(|rest| rest.split('&').next().unwrap());
                value.map_or(0, |value| value.parse().unwrap())
            };
            let (offset, limit) = (number("_offset="), number("_limit="));
            let rows = (1..=newest).rev().skip(offset as usize).take(limit as usize);
            let rows: Vec<Value> = rows.map(|id| entry(&format!("r{id}"))).collect();
            Ok(page(newest, &rows))
        });
        let client = client!(backend);
        let mut rows = client.feed().list().page_size(1).pages().rows();
        let mut keys = Vec::new();
        while let Some(row) = go!(rows.next()) {
            keys.push(row.unwrap().record_id);
        }
        for id in 1..=40 {
            assert_eq!(keys.iter().filter(|key| **key == id).count(), 1, "{keys:?}");
        }
    }
}

fn page(count: u64, rows: &[Value]) -> http::Response<Bytes> {
    let body = json!({ "count": count, "results": rows }).to_string();
    let response = http::Response::builder().header("content-type", "application/json");
    response.body(Bytes::from(body)).unwrap()
}

/// A server on which every page but the first is of records that were never seen.
fn restless(
    row: impl Fn(u64) -> Value + Send + Sync + 'static,
) -> FromFn<
    impl Fn(http::Request<Bytes>) -> Result<http::Response<Bytes>, BackendError> + Send + Sync,
> {
    let next = std::sync::atomic::AtomicU64::new(3);
    from_fn(move |request| {
        let query = request.uri().query().unwrap_or_default();
        let id = match query.contains("_offset") {
            true => next.fetch_add(2, std::sync::atomic::Ordering::Relaxed),
            false => 1,
        };
        // Two of them are there all the time.
        let count = if query.contains("_order=id&") { 2 } else { 100_000 };
        Ok(page(count, &[row(id), row(id + 1)]))
    })
}

fn entry(id: &str) -> Value {
    json!({
        "id": id, "_user": null, "record_id": id[1..].parse::<u64>().unwrap(),
        "record_type": match &id[..1] { "t" => "task", "a" => "audit", _ => "request" },
        "timestamp": "2026-11-23T01:15:00Z", "summary": null, "cid": null, "status": null,
        "user": null
    })
}

/// Written by hand, without an integer key.
#[test]
fn what_has_no_key_is_walked_by_offset_in_the_servers_order() {
    let page = |results: &[Value]| json!({ "count": 3, "results": results });
    let feed = |limit: &str| Exchange::get("/logs/feed/").with_query("_limit", limit);
    let backend = script([
        feed("2").reply_json(StatusCode::OK, &page(&[entry("t3"), entry("r3")])),
        // The call before has been logged meanwhile, so that an entry comes again.
        feed("3")
            .with_query("_offset", "1")
            .reply_json(StatusCode::OK, &page(&[entry("t3"), entry("r3"), entry("a3")])),
    ]);
    let client =
        keystone_client::blocking::KeystoneClient::with_backend("https://keystone.test", backend);
    let feed = client.unwrap().feed().list().page_size(2).all().unwrap();
    assert_eq!(feed.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), ["t3", "r3", "a3"]);
}
