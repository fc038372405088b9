//! Servers of every age are asked for what they have, in the words that they know.

use http::{HeaderValue, StatusCode, header};
use keystone_client::capability::Capability;
use keystone_client::resources::{MembershipRole, NewMembership, RequestStatus};
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::{Exchange, Fixture};
use keystone_client::{Dialect, ErrorKind, Id, resources};
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
        // The generic calls go where they are told to, and nobody is asked about them.
        drop(client);
        let client = client!(script([
            Exchange::get("/users/memberships/7/").reply(StatusCode::NOT_FOUND, "<html></html>"),
        ]));
        assert_eq!(go!(client.http_get("users/memberships/7")).unwrap().status(), 404);
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

    fn a_specification_is_found_where_it_was() {
        // Nothing but its path tells the age of the server.
        let client = client!(script([
            probe_absent("/openapi/json/"),
            version("0.8.1"),
            Exchange::get("/openapi/json").reply(StatusCode::OK, "{}"),
        ]));
        assert_eq!(&go!(client.openapi_json()).unwrap()[..], b"{}");
    }

    fn fields_that_came_late_are_not_sent_to_older_servers() {
        let client = client!(script([version("0.10.5")]));
        let error = go!(client.grants().filter(|g| g.pi.eq("Ada")).all()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "list grant: this server does not support it: field `pi` came with Keystone 0.10.6, \
             this server is 0.10.5"
        );
        for unsupported in [
            go!(client.grants().order_by(|g| g.pi.asc()).all()).map(drop),
            go!(client.grants().filter(|g| g.pi.is_null(true)).stats()).map(drop),
            go!(client.update_grant(Id::new(1), |g| [g.title.set("x"), g.pi.set(None)])).map(drop),
        ] {
            assert_eq!(unsupported.unwrap_err().kind(), ErrorKind::Unsupported);
        }
    }

    fn fields_as_old_as_the_envelope_cost_no_question() {
        let team = resources::Team::fixture_json(7);
        let list = |reply: &Value| {
            Exchange::get("/users/teams/")
                .with_query("slug", "folding")
                .with_query("_order", "id")
                .with_query("_limit", "1000")
                .reply_json(StatusCode::OK, reply)
        };
        let page = json!({ "count": 1, "next": null, "previous": null, "results": [team] });
        // One page of a list, as servers of that age send it.
        let total = http::HeaderName::from_static("x-total-count");
        let bare = list(&json!([team])).reply_header(total, HeaderValue::from_static("1"));
        let client = client!(script([list(&page), bare, version("0.7.5")]));
        let folding = client.teams().filter(|t| t.slug.eq("folding"));
        assert_eq!(go!(folding.clone().all()).unwrap().len(), 1);
        let error = go!(folding.all()).unwrap_err();
        assert!(error.to_string().contains("field `slug` came with Keystone 0.8.0"), "{error}");
    }

    fn what_an_update_sets_is_seen_in_its_answer() {
        let grant = resources::Grant::fixture_json(7);
        let client = client!(script([
            Exchange::new(http::Method::PATCH, "/research/grants/7/")
                .with_json(json!({ "pi": "Ada" }))
                .reply_json(StatusCode::OK, &grant),
            version("0.10.5"),
        ]));
        let update = client.update_grant(Id::new(7), |g| [g.pi.set("Ada")]);
        assert_eq!(go!(update.clone()).unwrap().pi.as_deref(), Some("Ada Lovelace"));
        go!(client.version()).unwrap();
        assert_eq!(go!(update).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    fn filters_that_do_not_work_are_found_out() {
        let array = Value::from_iter([cluster(1, "b"), cluster(2, "a")]);
        let by_name = [("_order", "id"), ("name", "a")];
        let client = client!(script([clusters(&by_name, &array), version("0.6.8")]));
        let error = go!(client.clusters().filter(|c| c.name.eq("a")).all()).unwrap_err();
        assert!(error.to_string().contains("do not work from Keystone 0.6.7 to 0.6.9"), "{error}");
    }

    fn legacy_records_are_for_legacy_servers() {
        let client = client!(script([version("0.10.9")]));
        let new = resources::legacy::NewCluster::new("atlas");
        let error = go!(client.legacy().clusters().create(new)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    fn a_server_that_cannot_say_now_is_asked_again_by_the_program() {
        let client = client!(script([
            version("").reply(StatusCode::BAD_REQUEST, ""),
            version("0.9.2"),
        ]));
        assert!(go!(client.version()).is_err());
        assert_eq!(client.supports(Capability::Batch), None);
        go!(client.version()).unwrap();
        assert_eq!(client.supports(Capability::Batch), Some(false));
    }

    fn the_first_of_a_whole_list_keeps_the_order_asked_for() {
        let array = Value::from_iter([cluster(2, "a"), cluster(1, "b")]);
        let one = |order: &str, reply: &Value| {
            Exchange::get("/allocations/clusters/")
                .with_query("_limit", "1")
                .with_query("_order", order)
                .reply_json(StatusCode::OK, reply)
        };
        let client = client!(script([
            one("name,id", &array),
            version("0.6.21"),
            one("id", &array),
            one("-id", &array),
        ]));
        let clusters = client.clusters();
        let first = go!(clusters.order_by(|c| c.name.asc()).first()).unwrap().unwrap();
        assert_eq!(first.name, "a");
        assert_eq!(go!(clusters.list().first()).unwrap().unwrap().id, Id::new(1));
        let last = go!(clusters.order_by(|c| c.id.desc()).first()).unwrap().unwrap();
        assert_eq!(last.id, Id::new(2));
    }

    fn a_failure_met_by_the_program_is_no_knowledge_either() {
        let client = client!(script([
            version("").reply(StatusCode::INTERNAL_SERVER_ERROR, ""),
            version("0.9.2"),
        ]));
        assert!(go!(client.version()).is_err());
        let others = client.clusters().filter(|c| c.name.not_eq("x"));
        assert_eq!(go!(others.all()).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    fn what_fails_for_the_moment_is_no_knowledge() {
        let list = || clusters(&[("_order", "id"), ("name__not_eq", "x")], &envelope(&["atlas"]));
        let throttled = version("").reply(StatusCode::SERVICE_UNAVAILABLE, "");
        let client = client!(script([throttled, list(), list(), version("0.9.2")]));
        let others = client.clusters().filter(|c| c.name.not_eq("x"));
        // Asked again only after a while, and no call fails for it.
        assert_eq!(go!(others.clone().all()).unwrap().len(), 1);
        assert_eq!(go!(others.clone().all()).unwrap().len(), 1);
        go!(client.version()).unwrap();
        assert_eq!(go!(others.all()).unwrap_err().kind(), ErrorKind::Unsupported);
    }

    fn health_is_an_answer() {
        let health = || Exchange::get("/health/");
        let page = health()
            .reply(StatusCode::INTERNAL_SERVER_ERROR, "<h1>Server Error (500)</h1>")
            .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
        let client = client!(script([
            health().reply(StatusCode::OK, ""),
            health().reply(StatusCode::INTERNAL_SERVER_ERROR, ""),
            page,
        ]));
        assert!(go!(client.is_healthy()).unwrap());
        assert!(!go!(client.is_healthy()).unwrap());
        assert_eq!(go!(client.is_healthy()).unwrap_err().kind(), ErrorKind::Server);
    }

    fn an_order_that_was_ignored_is_found_out() {
        let by_name = [("_order", "name,id")];
        let array = Value::from_iter([cluster(1, "b"), cluster(2, "a")]);
        let client = client!(script([clusters(&by_name, &array), version("0.4.1")]));
        let error = go!(client.clusters().order_by(|c| c.name.asc()).all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        drop(client);

        let ordered = Value::from_iter([cluster(2, "a"), cluster(1, "b")]);
        let by_old_name = || clusters(&[("ordering", "name,id")], &ordered);
        let client = client!(script([
            clusters(&by_name, &array),
            version("0.5.8"),
            by_old_name(),
            by_old_name(),
        ]));
        let found = go!(client.clusters().order_by(|c| c.name.asc()).all()).unwrap();
        assert_eq!(found[0].name, "a");
        assert_eq!(go!(client.clusters().order_by(|c| c.name.asc()).all()).unwrap().len(), 2);
    }
}

#[test]
fn a_version_that_the_dialect_belies_does_not_count() {
    let sandbox = Sandbox::builder()
        .dialect(Dialect::Jwt)
        .version("2024.1")
        .staff("admin", "admin-password")
        .build();
    let client = sandbox.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    assert_eq!(client.version().send().unwrap(), "2024.1");
    assert_eq!(client.legacy().users().list().count().send().unwrap(), 1);
    assert_eq!(client.config().send().unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn logged_bodies_keep_their_tokens_to_themselves() {
    let entry = json!({ "body_response": "{\"access\":\"eyJ0\"}" });
    let mut record = resources::legacy::RequestLogEntry::fixture_json(7);
    record["body_response"] = entry["body_response"].clone();
    let entry: resources::legacy::RequestLogEntry = serde_json::from_value(record).unwrap();
    assert!(!format!("{entry:?}").contains("eyJ0"));
    assert!(entry.body_response.expose().contains("eyJ0"));
}

#[test]
fn a_version_can_be_stated() {
    let builder = || keystone_client::blocking::KeystoneClient::builder("https://keystone.test");
    let client = builder().backend(script([])).server_version("0.8.2").build().unwrap();
    let error = client.config().send().unwrap_err();
    assert!(error.to_string().ends_with("this server is 0.8.2"), "{error}");
    let error = builder().backend(script([])).server_version("new").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    assert!(error.to_string().contains("server's version"), "{error}");
}
