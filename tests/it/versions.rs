//! Servers of every age are asked for what they have, in the words that they know.

use http::{HeaderValue, StatusCode, header};
use keystone_client::resources::{MembershipRole, NewMembership, RequestStatus};
use keystone_client::testing::{Exchange, Fixture};
use keystone_client::{ErrorKind, Id, resources};
use serde_json::{Value, json};

use crate::support::{both_colours, cluster, probe_absent, script};

fn version(text: &'static str) -> Exchange {
    Exchange::get("/version/")
        .reply(StatusCode::OK, text)
        .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))
}

fn clusters(query: &[(&str, &str)], reply: &Value) -> Exchange {
    let list = Exchange::get("/allocations/clusters/").with_query("_limit", "1000");
    let list = query.iter().fold(list, |list, (name, value)| list.with_query(*name, *value));
    list.reply_json(StatusCode::OK, reply)
}

fn envelope(names: &[&str]) -> Value {
    let results: Vec<Value> = (1..).zip(names).map(|(id, name)| cluster(id, name)).collect();
    json!({ "count": results.len(), "next": null, "previous": null, "results": results })
}

fn membership_made(path: &str) -> Exchange {
    Exchange::post(path).reply_json(StatusCode::CREATED, &resources::Membership::fixture_json(7))
}

both_colours! {
    fn what_an_old_server_would_ignore_in_silence_is_not_sent_to_one() {
        let client = client!(script([version("0.10.6")]));
        let error = go!(client.clusters().filter(|c| c.name.not_eq("x")).all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(
            error.to_string(),
            "list cluster: this server does not support it: the lookups `not_eq`, \
             `not_starts_with` and `not_ends_with` came with Keystone 0.10.7, this server is 0.10.6"
        );
        // It is known from now on.
        let error = go!(client.clusters().filter(|c| c.name.not_ends_with("x")).all());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Unsupported);
    }

    fn a_new_server_is_asked_for_its_version_once() {
        let not_x = [("_order", "id"), ("name__not_in", "x")];
        let client = client!(script([
            version("0.10.9"),
            clusters(&not_x, &envelope(&["atlas"])),
            clusters(&not_x, &envelope(&["atlas"])),
        ]));
        let list = client.clusters().filter(|c| c.name.not_in(["x"]));
        assert_eq!(go!(list.clone().all()).unwrap().len(), 1);
        assert_eq!(go!(list.all()).unwrap().len(), 1);
    }

    fn a_server_that_does_not_tell_its_version_is_taken_for_a_new_one() {
        let not_x = [("_order", "id"), ("name__not_eq", "x")];
        let list = || clusters(&not_x, &envelope(&["atlas"]));
        for answer in [version("0.0.0"), version("<html>a page</html>"), probe_absent("/version/")] {
            let client = client!(script([answer, list(), list()]));
            let list = client.clusters().filter(|c| c.name.not_eq("x"));
            assert_eq!(go!(list.clone().all()).unwrap().len(), 1);
            assert_eq!(go!(list.all()).unwrap().len(), 1);
        }
    }

    fn a_version_read_by_the_way_counts() {
        let client = client!(script([version("0.9.2\n")]));
        assert_eq!(go!(client.version()).unwrap(), "0.9.2");
        for unsupported in [
            go!(client.clusters().filter(|c| c.name.not_contains("x")).count()).map(drop),
            go!(client.feed().list().all()).map(drop),
            go!(client.config()).map(drop),
            go!(client.legacy().clusters().retrieve(Id::new(1))).map(drop),
            go!(client.research_groups().delete(Id::new(1))).map(drop),
        ] {
            assert_eq!(unsupported.unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }

    fn a_path_that_was_another_is_found() {
        let new = || NewMembership::new(Id::new(1), Id::new(1), MembershipRole::Owner);
        // Writes too: a path that the server does not know was not executed.
        let client = client!(script([
            Exchange::post("/users/memberships/").reply(StatusCode::NOT_FOUND, "<html></html>"),
            version("0.7.3"),
            membership_made("/users/membership/"),
            membership_made("/users/membership/"),
            Exchange::get("/allocations/allocation-request/status-choices/")
                .reply_json(StatusCode::OK, &json!({ "AP": "Approved", "ZZ": "Asleep" })),
        ]));
        assert_eq!(go!(client.create_membership(new())).unwrap().id, Id::new(7));
        assert_eq!(go!(client.create_membership(new())).unwrap().id, Id::new(7));
        let labels = go!(client.choices::<RequestStatus>()).unwrap();
        assert_eq!(labels[&RequestStatus::Other("ZZ".into())], "Asleep");
        // The generic calls go where they are told to.
        drop(client);
        let client = client!(script([
            version("0.7.3"),
            Exchange::get("/users/memberships/7/").reply(StatusCode::NOT_FOUND, "<html></html>"),
        ]));
        go!(client.version()).unwrap();
        let response = go!(client.http_get("users/memberships/7")).unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }

    fn an_unknown_path_is_explained() {
        let client = client!(script([
            probe_absent("/logs/feed/").with_query("_limit", "1000"),
            version("0.0.0"),
        ]));
        let error = go!(client.feed().list().all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownEndpoint);
        assert!(error.to_string().contains("the feed came with Keystone 0.10.7"), "{error}");

        let client = client!(script([
            probe_absent("/logs/feed/").with_query("_limit", "1000"),
            version("0.10.6"),
        ]));
        let error = go!(client.feed().list().all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    fn an_order_that_was_ignored_is_found_out() {
        let by_name = [("_order", "name,id")];
        let array = Value::from_iter([cluster(1, "b"), cluster(2, "a")]);
        let client = client!(script([clusters(&by_name, &array), version("0.4.1")]));
        let error = go!(client.clusters().order_by(|c| c.name.asc()).all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        drop(client);

        let client = client!(script([
            version("0.5.8"),
            clusters(&[("ordering", "name,id")], &array),
        ]));
        go!(client.version()).unwrap();
        assert_eq!(go!(client.clusters().order_by(|c| c.name.asc()).all()).unwrap().len(), 2);
    }
}

#[test]
fn a_version_can_be_stated() {
    let builder = || keystone_client::blocking::KeystoneClient::builder("http://keystone.test");
    let client = builder().backend(script([])).server_version("0.8.2").build().unwrap();
    let error = client.config().send().unwrap_err();
    assert!(error.to_string().ends_with("this server is 0.8.2"), "{error}");
    let error = builder().backend(script([])).server_version("new").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("server's version"), "{error}");
}
