//! What a server says that this crate does not know stops nothing, and can be seen.

use bytes::Bytes;
use http::{HeaderValue, header};
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::{
    AllocationRequest, Grant, History, NewCluster, NewTeam, RequestStatus,
};
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::{Fixture, from_fn};
use keystone_client::{Error, Id};
use serde_json::{Value, json};

fn client(reply: &Value, watch: bool) -> KeystoneClient {
    let mut response = http::Response::new(Bytes::from(reply.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    KeystoneClient::builder("https://keystone.test")
        .backend(from_fn(move |_| Ok(response.clone())))
        .watch_drift(watch)
        .build()
        .unwrap()
}

/// A request as a server of tomorrow may send it.
fn request_of_tomorrow(id: u64) -> Value {
    let mut request = AllocationRequest::fixture_json(id);
    request["status"] = "WD".into();
    request["colour"] = "blue".into();
    request["_team"]["motto"] = "fold".into();
    request["_history"] = json!([{
        "id": 1, "timestamp": "2026-11-23T00:42:53Z", "action": "withdraw", "actor": null,
        "_actor": null, "changes": null, "reason": "weather"
    }]);
    request
}

#[test]
fn unknown_fields_and_codes_are_counted() {
    let results = [request_of_tomorrow(1), request_of_tomorrow(2)];
    let page = json!({ "count": 2, "next": null, "previous": null, "results": results });
    let client = client(&page, true);
    assert!(client.drift().is_empty());

    let requests = client.requests().list().all().unwrap();
    assert_eq!(requests[1].status, RequestStatus::Other("WD".into()));
    assert_eq!(requests[1].history.entries().unwrap()[0].action.as_str(), "withdraw");

    let drift = client.drift();
    let fields = drift.unknown_fields.iter().map(|it| (it.record, it.path.as_str(), it.count));
    assert_eq!(
        Vec::from_iter(fields),
        [
            ("allocation request", "_history[].reason", 2),
            ("allocation request", "_team.motto", 2),
            ("allocation request", "colour", 2),
        ]
    );
    let codes = drift.unknown_codes.iter().map(|it| (it.enumeration, it.code.as_str(), it.count));
    assert_eq!(Vec::from_iter(codes), [("AuditAction", "withdraw", 2), ("RequestStatus", "WD", 2)]);
    assert!(drift.to_string().contains("allocation request: unknown field `colour`, met 2 times"));
    // Clones share the findings.
    assert_eq!(client.clone().drift(), drift);
}

#[test]
fn nothing_is_counted_unasked() {
    let client = client(&request_of_tomorrow(1), false);
    let request = client.requests().retrieve(Id::new(1)).send().unwrap();
    assert_eq!(request.status.code(), "WD");
    assert!(client.drift().is_empty());
    assert!(!request.history.is_empty());
}

#[test]
fn a_field_that_is_missing_is_named() {
    for watch in [false, true] {
        let error = |change: fn(&mut Value)| -> Error {
            let mut grant = Grant::fixture_json(7);
            change(&mut grant);
            client(&grant, watch).grants().retrieve(Id::new(7)).send().unwrap_err()
        };
        let missing = error(|grant| drop(grant.as_object_mut().unwrap().remove("amount")));
        assert_eq!(
            missing.to_string(),
            "retrieve grant: the answer could not be read (200): cannot read Grant: there is no \
             `amount`"
        );
        let wrong = error(|grant| grant["_team"]["is_active"] = "perhaps".into());
        assert_eq!(
            wrong.to_string(),
            "retrieve grant: the answer could not be read (200): cannot read `_team.is_active` of \
             Grant"
        );
        let wrong = error(|grant| grant["_history"] = "long".into());
        assert!(wrong.to_string().contains("cannot read `_history` of Grant"), "{wrong}");
    }
}

#[test]
fn what_can_stand_for_itself_may_be_missing() {
    let mut grant = Grant::fixture_json(7);
    for absent in ["pi", "grant_number", "end_date", "description", "_team", "_history"] {
        grant.as_object_mut().unwrap().remove(absent);
    }
    let grant = client(&grant, true).grants().retrieve(Id::new(7)).send().unwrap();
    assert_eq!((grant.pi, grant.end_date), (None, None));
    assert!(grant.history.entries().unwrap().is_empty());
}

#[test]
fn histories_keep_masked_passwords_to_themselves() {
    let mut grant = Grant::fixture_json(7);
    grant["_history"] = json!([{
        "id": 1, "timestamp": "2026-11-23T00:42:53Z", "action": "update", "actor": null,
        "_actor": null, "changes": { "password": ["pbkdf2$aaaa****", "pbkdf2$bbbb****"] }
    }]);
    let read: Grant = serde_json::from_value(grant.clone()).unwrap();
    assert!(!format!("{read:?}").contains("pbkdf2"));
    let entries = read.history.entries().unwrap();
    assert!(!format!("{entries:?}").contains("pbkdf2"), "{entries:?}");
    assert_eq!(entries[0].changes.as_ref().unwrap().get("password").unwrap().0, "pbkdf2$aaaa****");

    grant["_history"] = json!([{ "id": "pbkdf2$secret" }]);
    let read: Grant = serde_json::from_value(grant).unwrap();
    let error = read.history.entries().unwrap_err();
    assert!(!format!("{error:?} {error:#}").contains("pbkdf2"), "{error:?}");
}

#[test]
fn histories_are_equal_whatever_the_order_of_their_keys() {
    let read = |text: &str| serde_json::from_str::<History>(text).unwrap();
    let one = read(r#"[{"id": 1, "changes": {"a": ["1", "2"], "b": ["3", "4"]}}]"#);
    assert_eq!(one, read(r#"[{"changes":{"b":["3","4"],"a":["1","2"]},"id":1}]"#));
    assert_ne!(one, read(r#"[{"changes":{"b":["3","4"],"a":["1","9"]},"id":1}]"#));
    assert_ne!(one, History::default());
    assert_eq!(read("[]"), History::default());
}

#[test]
fn what_this_crate_reads_of_the_newest_server_is_no_news() {
    let client = KeystoneClient::builder("https://keystone.test")
        .backend(Sandbox::builder().staff("admin", "admin-password").build())
        .watch_drift(true)
        .build()
        .unwrap();
    client.login("admin", "admin-password").unwrap();
    let mut batch = client.batch();
    let team = batch.add(client.teams().create(NewTeam::new("Folding")));
    batch.add(client.teams().update(team, |t| [t.is_active.set(false)]));
    batch.dry_run().send().unwrap();
    batch.run().send().unwrap();
    let names = ["atlas", "cygnus"].map(NewCluster::new);
    assert!(client.clusters().create_many(names).send().is_complete());
    assert!(client.drift().is_empty(), "{}", client.drift());
}
