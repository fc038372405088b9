//! Many records by their keys.

use keystone_client::resources::{Cluster, FeedEntry};
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::from_fn;
use keystone_client::{ErrorKind, Id};
use serde_json::json;

use crate::support::both_colours;
use crate::support::target::Target;

fn sandbox(clusters: u64) -> Sandbox {
    let sandbox = Sandbox::new();
    for number in 1..=clusters {
        let cluster = json!({ "name": format!("cluster {number}") });
        sandbox.insert("allocations/clusters", cluster).unwrap();
    }
    sandbox
}

both_colours! {
    fn each_record_comes_once_in_the_order_asked_for() {
        let Some(server) = Target::session() else {
            return;
        };
        let ids = ["a", "b", "c"].map(|name| {
            let cluster = json!({ "name": server.name(name) });
            Id::<Cluster>::new(server.insert("allocations/clusters", cluster))
        });
        let [a, b, c] = ids;
        let gone = [999_999, 999_998].map(Id::<Cluster>::new);
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        server.clear_requests();
        let resolved = go!(client.resolve_all([b, gone[0], a, b, c, gone[1], a, gone[0]])).unwrap();
        let names: Vec<&str> =
            resolved.records().iter().map(|cluster| cluster.name.as_str()).collect();
        assert_eq!(names, ["b", "a", "c"].map(|name| server.name(name)));
        assert_eq!(resolved.get(c).unwrap().name, server.name("c"));
        assert_eq!(resolved.get(gone[0]), None);
        assert_eq!(resolved.missing(), gone);
        assert!(format!("{resolved:?}").contains("missing: [Id(999999), Id(999998)]"));
        assert_eq!(resolved.into_records().len(), 3);
        assert_eq!(server.requests().len(), 1);
    }

    fn many_keys_take_few_requests_none_too_long() {
        let sandbox = sandbox(1_200);
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.clear_requests();
        let ids = (1..=3_000).rev().map(Id::<Cluster>::new);
        let resolved = go!(client.resolve_all(ids)).unwrap();
        assert_eq!((resolved.records().len(), resolved.missing().len()), (1_200, 1_800));
        assert_eq!(resolved.records()[0].id, Id::new(1_200));
        let requests = sandbox.requests();
        assert!(requests.len() <= 7, "{}", requests.len());
        assert!(requests.iter().all(|request| request.query().unwrap_or_default().len() < 4_050));
    }

    fn a_page_that_is_cut_is_asked_for_again() {
        let sandbox = sandbox(10);
        let server = sandbox.clone();
        let client = client!(from_fn(move |mut request| {
            let uri = request.uri().to_string().replace("_limit=1000", "_limit=3");
            *request.uri_mut() = uri.parse().unwrap();
            Ok(server.handle(request))
        }));
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.clear_requests();
        let ids = [9, 99, 1, 2, 3, 4, 5, 6, 98].map(Id::<Cluster>::new);
        let resolved = go!(client.resolve_all(ids)).unwrap();
        let keys: Vec<u64> = resolved.records().iter().map(|cluster| cluster.id.get()).collect();
        assert_eq!(keys, [9, 1, 2, 3, 4, 5, 6]);
        assert_eq!(resolved.missing(), [99, 98].map(Id::new));
        assert_eq!(sandbox.requests().len(), 3);
    }

    fn a_server_that_sends_other_records_is_found_out() {
        let sandbox = sandbox(10);
        let client = client!(from_fn(move |mut request| {
            let uri = request.uri().to_string().replace("id__in", "site__in").replace("1000", "3");
            *request.uri_mut() = uri.parse().unwrap();
            Ok(sandbox.handle(request))
        }));
        go!(client.login("admin", "admin-password")).unwrap();
        let error = go!(client.resolve_all([8, 9].map(Id::<Cluster>::new))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
    }

    fn no_keys_ask_nothing() {
        let client = client!(from_fn(|_| panic!("nothing is to be sent")));
        assert!(go!(client.resolve_all([] as [Id<Cluster>; 0])).unwrap().records().is_empty());
    }

    fn what_has_no_keys_cannot_be_asked_for_by_them() {
        let client = client!(from_fn(|_| panic!("nothing is to be sent")));
        let error = go!(client.resolve_all([Id::<FeedEntry>::new(1)])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
}
