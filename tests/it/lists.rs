//! Lists are complete, in order, and end.

mod offsets;

use bytes::Bytes;
use http::StatusCode;
use keystone_client::resources::{Cluster, User};
use keystone_client::sandbox::{RecordedRequest, Sandbox};
use keystone_client::testing::{Exchange, from_fn};
use keystone_client::{Cursor, ErrorKind, Page};
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

    fn the_order_of_keys_either_way_is_walked_by_key() {
        let client = client!(script([
            list(&[("_order", "-id"), ("_limit", "2")])
                .reply_json(StatusCode::OK, &envelope(3, &[9, 5])),
            list(&[("_order", "-id"), ("_limit", "2"), ("id__lt", "5")])
                .reply_json(StatusCode::OK, &envelope(1, &[4])),
            list(&[("_order", "id"), ("_limit", "2")])
                .reply_json(StatusCode::OK, &envelope(1, &[4])),
        ]));
        let down = client.clusters().order_by(|c| c.id.desc()).order_by(|c| c.name.asc());
        assert_eq!(ids(&go!(down.page_size(2).all()).unwrap()), [9, 5, 4]);
        let up = client.clusters().order_by(|c| c.id.asc()).page_size(2);
        assert_eq!(ids(&go!(up.all()).unwrap()), [4]);
    }

    fn the_first_record_and_the_number_of_all() {
        let whole = Value::from_iter([cluster(5, "x"), cluster(2, "x"), cluster(9, "x")]);
        let one = || list(&[("_order", "id"), ("_limit", "1")]);
        let client = client!(script([
            one().reply_json(StatusCode::OK, &envelope(7, &[3])),
            one().reply_json(StatusCode::OK, &envelope(0, &[])),
            one().reply_json(StatusCode::OK, &envelope(7, &[3])),
            one().reply_json(StatusCode::OK, &whole),
            list(&[("_order", "-id"), ("_limit", "1")]).reply_json(StatusCode::OK, &whole),
            one().reply_json(StatusCode::OK, &whole),
        ]));
        let first = go!(client.clusters().list().first()).unwrap();
        assert_eq!(first.unwrap().id.get(), 3);
        assert_eq!(go!(client.clusters().list().first()).unwrap(), None);
        assert_eq!(go!(client.clusters().list().count()).unwrap(), 7);
        // Servers that do not page send everything, in no order.
        let first = go!(client.clusters().list().first()).unwrap();
        assert_eq!(first.unwrap().id.get(), 2);
        let last = go!(client.clusters().order_by(|c| c.id.desc()).first()).unwrap();
        assert_eq!(last.unwrap().id.get(), 9);
        assert_eq!(go!(client.clusters().list().count()).unwrap(), 3);
    }

    fn a_filter_that_nothing_can_match_asks_nothing() {
        let client = client!(script([]));
        let none = || client.clusters().filter(|c| c.id.is_in([] as [keystone_client::Id<_>; 0]));
        assert!(go!(none().all()).unwrap().is_empty());
        let page = go!(none().page(100, 0)).unwrap();
        assert_eq!((page.items.len(), page.total, page.is_last()), (0, Some(0), true));
        assert_eq!(go!(none().first()).unwrap(), None);
        assert_eq!(go!(none().count()).unwrap(), 0);
        // What is wrong with it is wrong all the same.
        let error = go!(none().param("enbled", true).all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }

    fn a_server_that_does_not_page_says_so() {
        let client = client!(script([
            list(&[("_order", "id"), ("_limit", "1"), ("_offset", "0")])
                .reply_json(StatusCode::OK, &Value::from_iter([cluster(1, "x"), cluster(2, "x")])),
        ]));
        let error = go!(client.clusters().list().page(1, 0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    fn one_is_one() {
        let two = |reply: &Value| {
            list(&[("name", "x"), ("_order", "id"), ("_limit", "2")])
                .reply_json(StatusCode::OK, reply)
        };
        let client = client!(script([
            two(&envelope(1, &[7])),
            two(&envelope(0, &[])),
            two(&envelope(3, &[7, 8])),
            two(&Value::from_iter([cluster(7, "x"), cluster(8, "x"), cluster(9, "x")])),
            Exchange::get("/version/").reply(StatusCode::OK, "0.7.3"),
        ]));
        let named = client.clusters().filter(|c| c.name.eq("x"));
        assert_eq!(go!(named.clone().one()).unwrap().id.get(), 7);
        let error = go!(named.clone().one()).unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.to_string(), "list cluster: no such record: no record matches");
        let error = go!(named.clone().one()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ambiguous);
        assert_eq!(go!(named.one()).unwrap_err().kind(), ErrorKind::Ambiguous);
    }

    fn whether_there_is_any() {
        let one = || list(&[("name", "x"), ("_order", "id"), ("_limit", "1")]);
        let client = client!(script([
            one().reply_json(StatusCode::OK, &envelope(99, &[7])),
            one().reply_json(StatusCode::OK, &envelope(0, &[])),
        ]));
        let named = client.clusters().filter(|c| c.name.eq("x"));
        assert!(go!(named.clone().exists()).unwrap());
        assert!(!go!(named.exists()).unwrap());
        let nothing = client.clusters().filter(|c| c.name.is_in([] as [&str; 0]));
        assert!(!go!(nothing.exists()).unwrap());
    }

    fn searches_go_along_with_every_page() {
        let words = ("_search", "gpu \"deep learning\"");
        let client = client!(script([
            list(&[words, ("_order", "id"), ("_limit", "1")])
                .reply_json(StatusCode::OK, &envelope(2, &[4])),
            list(&[words, ("_order", "id"), ("_limit", "1"), ("id__gt", "4")])
                .reply_json(StatusCode::OK, &envelope(1, &[5])),
        ]));
        let found = client.clusters().list().search("gpu \"deep learning\"").page_size(1);
        assert_eq!(ids(&go!(found.all()).unwrap()), [4, 5]);
        for nothing in ["", "  ", "\"\"", ", '", "a\0b"] {
            let error = go!(client.clusters().list().search(nothing).all()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{nothing:?}");
        }
        // The server would disregard it.
        let stats = client.grants().list().search("folding").stats();
        assert_eq!(go!(stats).unwrap_err().kind(), ErrorKind::InvalidRequest);
    }

    fn pages_say_how_far_the_walk_is() {
        let client = client!(script([
            list(&[("_order", "id"), ("_limit", "2")])
                .reply_json(StatusCode::OK, &envelope(5, &[1, 4])),
            list(&[("_order", "id"), ("_limit", "2"), ("id__gt", "4")])
                .reply_json(StatusCode::OK, &envelope(3, &[5, 8])),
            list(&[("_order", "id"), ("_limit", "2"), ("id__gt", "8")])
                .reply_json(StatusCode::OK, &envelope(1, &[9])),
        ]));
        let mut pages = client.clusters().list().page_size(2).pages();
        assert_eq!(pages.cursor().handed_out(), 0);
        for (offset, expected) in [(0, &[1, 4][..]), (2, &[5, 8]), (4, &[9])] {
            let page = go!(pages.next()).unwrap().unwrap();
            assert_eq!(ids(&page.items), expected);
            assert_eq!((page.offset, page.total), (offset, Some(5)));
            assert_eq!(pages.cursor().handed_out(), offset + expected.len() as u64);
        }
        assert!(go!(pages.next()).is_none());
        assert!(!pages.has_moved());
    }

    fn an_empty_list_has_no_pages() {
        let client = client!(script([
            list(&[("_order", "id"), ("_limit", "1000")])
                .reply_json(StatusCode::OK, &envelope(0, &[])),
        ]));
        assert!(go!(client.clusters().list().pages().next()).is_none());
    }

    fn ranges_are_divided_by_what_the_server_counts() {
        let sandbox = Sandbox::new();
        for id in 1..=50 {
            let row = json!({ "id": id, "name": id.to_string() });
            sandbox.insert("allocations/clusters", row).unwrap();
        }
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.clear_requests();
        let list = || client.clusters().list().page_size(10).concurrency(3);
        let all = go!(list().all()).unwrap();
        assert_eq!(ids(&all), Vec::from_iter(1..=50));
        let queries = |sandbox: &Sandbox| {
            let query = |request: &RecordedRequest| request.query().unwrap_or_default().to_owned();
            let mut queries: Vec<String> = sandbox.requests().iter().map(query).collect();
            queries.sort();
            queries
        };
        assert_eq!(
            queries(&sandbox),
            [
                "_order=-id&_limit=1",
                "_order=id&_limit=10",
                "_order=id&_limit=10&id__gt=10&id__lte=20",
                "_order=id&_limit=10&id__gt=20&id__lte=30",
                "_order=id&_limit=10&id__gt=30&id__lte=40",
                // What has come meanwhile is behind it.
                "_order=id&_limit=10&id__gt=40",
            ]
        );
        sandbox.clear_requests();
        let down = go!(list().order_by(|c| c.id.desc()).page_size(20).all()).unwrap();
        assert_eq!(ids(&down), Vec::from_iter((1..=50).rev()));
        assert_eq!(
            queries(&sandbox),
            [
                "_order=-id&_limit=20",
                "_order=-id&_limit=20&id__lt=11",
                "_order=-id&_limit=20&id__lt=31&id__gte=11",
                "_order=id&_limit=1",
            ]
        );
    }

    fn a_server_that_ignores_the_end_of_a_range_is_found_out() {
        let sandbox = Sandbox::new();
        for id in 1..=50 {
            let row = json!({ "id": id, "name": id.to_string() });
            sandbox.insert("allocations/clusters", row).unwrap();
        }
        let backend = from_fn(move |mut request| {
            let uri = request.uri().to_string().replace("id__lte", "until");
            *request.uri_mut() = uri.parse().unwrap();
            Ok(sandbox.handle(request))
        });
        let client = client!(backend);
        go!(client.login("admin", "admin-password")).unwrap();
        let list = client.clusters().list().page_size(7).concurrency(2);
        assert_eq!(go!(list.all()).unwrap_err().kind(), ErrorKind::Decode);
    }

    fn an_error_ends_a_walk_of_several_pages_at_a_time_behind_what_came_before() {
        let sandbox = Sandbox::new();
        for id in 1..=50 {
            let row = json!({ "id": id, "name": id.to_string() });
            sandbox.insert("allocations/clusters", row).unwrap();
        }
        let failing = sandbox.clone();
        let backend = from_fn(move |request| {
            let query = request.uri().query().unwrap_or_default();
            match query.contains("id__gt=20") {
                true => Ok(http::Response::builder().status(500).body(Bytes::new()).unwrap()),
                false => Ok(failing.handle(request)),
            }
        });
        let client = client!(backend);
        go!(client.login("admin", "admin-password")).unwrap();
        let mut rows = client.clusters().list().page_size(10).concurrency(4).pages().rows();
        for id in 1..=20 {
            assert_eq!(go!(rows.next()).unwrap().unwrap().id.get(), id);
        }
        assert_eq!(go!(rows.next()).unwrap().unwrap_err().kind(), ErrorKind::Server);
        assert!(go!(rows.next()).is_none());
        assert_eq!(rows.cursor().handed_out(), 20);
    }

    fn a_cursor_is_of_one_list() {
        let client = client!(script([
            list(&[("enabled", "true"), ("_order", "id"), ("_limit", "1000")])
                .reply_json(StatusCode::OK, &envelope(2, &[4, 5])),
            list(&[("enabled", "true"), ("_order", "id"), ("_limit", "1000"), ("id__gt", "4")])
                .reply_json(StatusCode::OK, &envelope(1, &[5])),
        ]));
        let enabled = client.clusters().filter(|c| c.enabled.eq(true));
        let mut rows = enabled.clone().pages().rows();
        go!(rows.next()).unwrap().unwrap();
        let cursor = rows.cursor();
        let other = client.clusters().filter(|c| c.enabled.eq(false)).pages();
        let error = other.resume(&cursor).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains("cursor is of another list"), "{error}");
        let mut rest = enabled.pages().rows().resume(&cursor).unwrap();
        assert_eq!(go!(rest.next()).unwrap().unwrap().id.get(), 5);
        assert_eq!(rest.cursor().handed_out(), 2);
        assert!(go!(rest.next()).is_none());
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

    fn a_walk_goes_on_where_servers_neither_page_nor_filter() {
        let whole = Value::from_iter([3, 1, 2].map(|id| cluster(id, "x")));
        let client = client!(script([
            list(&[("_order", "id"), ("_limit", "1000")]).reply_json(StatusCode::OK, &whole),
            list(&[("_order", "id"), ("_limit", "1000"), ("id__gt", "2")])
                .reply_json(StatusCode::OK, &whole),
        ]));
        let mut rows = client.clusters().list().pages().rows();
        go!(rows.next()).unwrap().unwrap();
        go!(rows.next()).unwrap().unwrap();
        let mut rest = client.clusters().list().pages().rows().resume(&rows.cursor()).unwrap();
        assert_eq!(go!(rest.next()).unwrap().unwrap().id.get(), 3);
        assert!(go!(rest.next()).is_none());
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

/// Pages that are asked for ahead are on threads of their own.
#[test]
fn a_backend_that_panics_on_its_thread_is_an_error() {
    let sandbox = Sandbox::new();
    for id in 1..=50 {
        let row = json!({ "id": id, "name": id.to_string() });
        sandbox.insert("allocations/clusters", row).unwrap();
    }
    let backend = from_fn(move |request| {
        let query = request.uri().query().unwrap_or_default();
        assert!(!query.contains("id__gt=20"), "a test of what happens then");
        Ok(sandbox.handle(request))
    });
    let client =
        keystone_client::blocking::KeystoneClient::with_backend("https://keystone.test", backend);
    let client = client.unwrap();
    client.login("admin", "admin-password").unwrap();
    let mut rows = client.clusters().list().page_size(10).concurrency(4).iter();
    assert_eq!(rows.by_ref().take(20).filter(Result::is_ok).count(), 20);
    let error = rows.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(error.to_string().contains("panicked"), "{error}");
    assert!(rows.next().is_none());
}

/// A cursor comes from a file, which may hold anything.
#[test]
fn cursors_that_were_tampered_with() {
    let client = Sandbox::new().blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    let users = || client.users().list().iter();
    let mut cursor = serde_json::to_value(users().cursor()).unwrap();
    cursor["handed_out"] = u64::MAX.into();
    let cursor: Cursor<User> = serde_json::from_value(cursor).unwrap();
    let mut rows = users().resume(&cursor).unwrap();
    assert_eq!(rows.next().unwrap().unwrap().username, "admin");
    assert_eq!(rows.cursor().handed_out(), u64::MAX);
    let by_name = || client.users().order_by(|u| u.username.asc()).iter();
    let mut cursor = serde_json::to_value(by_name().cursor()).unwrap();
    cursor["handed_out"] = u64::MAX.into();
    let cursor: Cursor<User> = serde_json::from_value(cursor).unwrap();
    assert!(by_name().resume(&cursor).unwrap().next().is_none());
    assert!(serde_json::from_str::<Cursor<User>>(r#"{"query": 7}"#).is_err());
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
        keystone_client::blocking::KeystoneClient::with_backend("https://keystone.test", failing());
    let client = client.unwrap();
    let mut rows = client.clusters().list().page_size(1).iter();
    assert_eq!(rows.next().unwrap().unwrap().id.get(), 1);
    assert_eq!(rows.next().unwrap().unwrap_err().kind(), ErrorKind::Server);
    assert!(rows.next().is_none());

    let client = keystone_client::KeystoneClient::with_backend("https://keystone.test", failing());
    let mut rows = client.unwrap().clusters().list().page_size(1).stream();
    pollster::block_on(async {
        assert_eq!(rows.next().await.unwrap().unwrap().id.get(), 1);
        assert_eq!(rows.next().await.unwrap().unwrap_err().kind(), ErrorKind::Server);
        assert!(rows.next().await.is_none());
    });
}

#[test]
fn actions_of_the_audit_log_are_compared_as_numbers() {
    use keystone_client::Resource;
    use keystone_client::resources::{AuditAction, AuditLogEntry};

    let filter = AuditLogEntry::FIELDS.action.is_in([AuditAction::Create, AuditAction::Delete]);
    assert_eq!(filter.to_string(), "action__in=0,2");
}
