//! What goes wrong becomes an error of the right kind, with what is known about its effect.

use http::{HeaderValue, Method, StatusCode, header};
use keystone_client::backend::BackendErrorKind;
use keystone_client::resources::NewCluster;
use keystone_client::testing::Exchange;
use keystone_client::{ErrorKind, Id, KeystoneClient};
use serde_json::json;

use crate::support::{both_colours, cluster, script};

fn one() -> Exchange {
    Exchange::get("/allocations/clusters/1/")
}

fn html(exchange: Exchange, status: StatusCode) -> Exchange {
    exchange
        .reply(status, "<html><body>secret page</body></html>")
        .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
}

both_colours! {
    fn statuses_keep_their_meaning() {
        for (status, body, kind) in [
            (404, json!({ "detail": "No Cluster matches the given query." }), ErrorKind::NotFound),
            (403, json!({ "detail": "You do not have permission." }), ErrorKind::Denied),
            (405, json!({ "detail": "Method \"GET\" not allowed." }), ErrorKind::MethodNotAllowed),
            (400, json!({ "name": ["This field is required."] }), ErrorKind::Validation),
            (406, json!({ "detail": "Could not satisfy the request." }), ErrorKind::Status),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let client = client!(script([one().reply_json(status, &body)]));
            let error = go!(client.retrieve_cluster(Id::new(1))).unwrap_err();
            assert_eq!((error.kind(), error.status()), (kind, Some(status)));
            assert!(!error.may_have_been_sent(), "a refusal is certain");
            assert_eq!(error.path(), Some("allocations/clusters/1/"));
            assert_eq!(error.correlation_id(), Some(client.correlation_id()));
        }
    }

    fn pages_are_kept_out_of_messages() {
        for (status, kind) in [
            (StatusCode::NOT_FOUND, ErrorKind::UnknownEndpoint),
            (StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Server),
        ] {
            let client = client!(script([html(one(), status)]));
            let error = go!(client.retrieve_cluster(Id::new(1)).optional()).unwrap_err();
            assert_eq!((error.kind(), error.status()), (kind, Some(status)));
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
            assert!(error.body_text().unwrap().contains("secret page"));
        }
    }

    fn what_the_server_has_against_each_field() {
        let body = json!({
            "name": ["Too long.", "Too odd."],
            "nested": { "deep": ["Wrong."] },
            "list": [{}, { "path": ["Bad."] }],
        });
        let client = client!(script([
            Exchange::post("/allocations/clusters/").reply_json(StatusCode::BAD_REQUEST, &body),
        ]));
        let error = go!(client.create_cluster(NewCluster::new("x"))).unwrap_err();
        assert!(error.is_validation("name"));
        assert!(!error.is_validation("description"));
        let fields: Vec<_> = error.field_errors().map(|(name, list)| (name, list.len())).collect();
        assert_eq!(fields, [("list.1.path", 1), ("name", 2), ("nested.deep", 1)]);
        assert_eq!(
            error.to_string(),
            "create cluster: the server rejected the request (400): list.1.path: Bad.; \
             name: Too long. Too odd.; nested.deep: Wrong."
        );
    }

    fn bodies_that_cannot_be_read_keep_the_status_and_name_the_place() {
        for (body, expected) in [
            ("{\"id\": 1", "cannot read"),
            ("{\"id\": \"x\"}", "`id`"),
            ("{\"id\": 1, \"name\": \"a\", \"description\": 7, \"enabled\": true}", "`description`"),
            ("", "cannot read"),
        ] {
            let client = client!(script([one()
                .reply(StatusCode::OK, body)
                .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]));
            let error = go!(client.retrieve_cluster(Id::new(1))).unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::Decode, Some(StatusCode::OK)));
            assert!(error.to_string().contains(expected), "{error}");
            assert!(error.to_string().contains("Cluster"), "{error}");
        }
        let client = client!(script([html(one(), StatusCode::OK)]));
        let error = go!(client.retrieve_cluster(Id::new(1))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotKeystone);
        assert!(error.to_string().contains("text/html"), "{error}");
        assert!(error.may_have_been_sent(), "a success was carried out, readable or not");
    }

    fn a_write_in_doubt_is_sent_once() {
        let client = client!(script([
            Exchange::post("/allocations/clusters/").fail(BackendErrorKind::Timeout),
        ]));
        let error = go!(client.create_cluster(NewCluster::new("x"))).unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 1));
        assert!(error.may_have_been_sent() && error.is_timeout() && error.is_transient());
    }

    fn a_write_that_was_certainly_not_sent_is_repeated() {
        let backend = script([
            Exchange::post("/allocations/clusters/").fail(BackendErrorKind::Connect),
            Exchange::post("/allocations/clusters/")
                .reply_json(StatusCode::TOO_MANY_REQUESTS, &json!({ "detail": "Throttled." }))
                .reply_header(header::RETRY_AFTER, HeaderValue::from_static("37")),
            Exchange::post("/allocations/clusters/")
                .reply_json(StatusCode::CREATED, &cluster(1, "x")),
        ]);
        let client = client!(backend.clone());
        let created = go!(client.create_cluster(NewCluster::new("x")).with_meta()).unwrap();
        assert_eq!(created.meta.attempts, 3);
        assert_eq!(backend.sleeps().iter().map(|s| s.as_millis()).collect::<Vec<_>>(), [250, 37_000]);
    }

    fn a_caller_may_say_that_a_write_can_be_repeated() {
        let client = client!(script([
            Exchange::post("/allocations/clusters/").fail(BackendErrorKind::Closed),
            Exchange::post("/allocations/clusters/")
                .reply_json(StatusCode::CREATED, &cluster(1, "x")),
        ]));
        go!(client.create_cluster(NewCluster::new("x")).idempotent(true)).unwrap();
    }

    fn a_delete_repeated_after_doubt_says_so() {
        let delete = || Exchange::new(Method::DELETE, "/allocations/clusters/1/");
        let gone = json!({ "detail": "No Cluster matches the given query." });
        let client = client!(script([
            delete().fail(BackendErrorKind::Closed),
            delete().reply_json(StatusCode::NOT_FOUND, &gone),
        ]));
        let error = go!(client.delete_cluster(Id::new(1))).unwrap_err();
        assert!(error.is_not_found());
        assert!(error.may_have_been_sent(), "the first attempt may have deleted it");
    }

    fn a_wait_longer_than_the_deadline_is_not_begun() {
        let backend = script([one()
            .reply_json(StatusCode::TOO_MANY_REQUESTS, &json!({ "detail": "Throttled." }))
            .reply_header(header::RETRY_AFTER, HeaderValue::from_static("86400"))]);
        let client = client!(backend.clone());
        let error = go!(client.retrieve_cluster(Id::new(1))).unwrap_err();
        assert!(error.is_throttled() && !error.may_have_been_sent());
        assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(86_400));
        assert!(error.to_string().ends_with("try again in 86400 s"), "{error}");
        assert!(backend.sleeps().is_empty());
    }

    fn a_gateway_in_trouble_is_waited_out() {
        let backend = script([
            one().reply(StatusCode::BAD_GATEWAY, ""),
            one().reply(StatusCode::SERVICE_UNAVAILABLE, ""),
            one().fail(BackendErrorKind::Timeout),
            one().reply(StatusCode::GATEWAY_TIMEOUT, ""),
        ]);
        let client = client!(backend.clone());
        let error = go!(client.retrieve_cluster(Id::new(1))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(error.status(), Some(StatusCode::GATEWAY_TIMEOUT));
        assert_eq!(error.attempts(), 4);
        assert_eq!(
            backend.sleeps().iter().map(|s| s.as_millis()).collect::<Vec<_>>(),
            [250, 500, 1000]
        );
    }

    fn a_version_that_is_a_page_is_not_one() {
        let client = client!(script([
            html(Exchange::get("/version/"), StatusCode::OK),
            Exchange::get("/version/").reply(StatusCode::OK, ""),
        ]));
        for _ in 0..2 {
            let error = go!(client.version()).unwrap_err();
            let expected = (ErrorKind::NotKeystone, Some(StatusCode::OK));
            assert_eq!((error.kind(), error.status()), expected);
        }
    }

    fn a_page_that_asks_to_wait_is_listened_to() {
        let date = jiff::Timestamp::now() + std::time::Duration::from_secs(1000);
        let date = httpdate::fmt_http_date(date.into());
        let client = client!(script([
            one().reply(StatusCode::SERVICE_UNAVAILABLE, "")
                .reply_header(header::RETRY_AFTER, date.parse().unwrap()),
        ]));
        let error = go!(client.retrieve_cluster(Id::new(1))).unwrap_err();
        let wait = error.retry_after().unwrap().as_secs();
        assert!((998..=1000).contains(&wait), "{wait}");
    }

    fn endpoints_that_are_none_are_refused_before_anything_is_sent() {
        let client = client!(script([]));
        for endpoint in ["", "/", "https://elsewhere/", "//elsewhere/", "../admin", "a#b"] {
            let error = go!(client.http_get(endpoint)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{endpoint}");
            assert!(!error.may_have_been_sent());
        }
        let error = go!(client.http_get("https://ada:hunter2@elsewhere/")).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[test]
fn addresses_that_are_none_are_refused() {
    for address in ["", "keystone.example.edu", "ftp://host", "https://user:hunter2@host"] {
        let error = KeystoneClient::new(address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{address}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[test]
fn the_last_real_error_comes_back_when_the_time_is_up() {
    let failure = || one().reply(StatusCode::SERVICE_UNAVAILABLE, "");
    let backend = script([failure(), failure()]);
    let client = KeystoneClient::builder(crate::support::BASE)
        .retry(crate::support::retry().with_total(std::time::Duration::from_millis(1_700)))
        .backend(backend.clone())
        .build()
        .unwrap();
    let error = pollster::block_on(client.retrieve_cluster(Id::new(1)).send()).unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Server, 2));
    assert_eq!(backend.sleeps().len(), 1, "half a second more would leave too little");
}
