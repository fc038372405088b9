//! What an observer sees, what options of a call change, and what neither ever shows.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use keystone_client::backend::BackendErrorKind;
use keystone_client::credentials::Credentials;
use keystone_client::observe::{Event, EventKind};
use keystone_client::sandbox::{self, Sandbox};
use keystone_client::testing::Exchange;
use keystone_client::{ErrorKind, Id, RetryPolicy};
use serde_json::json;
use uuid::Uuid;

use crate::support::{both_colours, cluster, script, session_login};

/// Keeps the events of a client.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Event>>>);

impl Log {
    fn observer(&self) -> impl Fn(&Event) + Send + Sync + 'static {
        let log = Arc::clone(&self.0);
        move |event: &Event| log.lock().unwrap().push(event.clone())
    }

    /// Each event in a few words.
    fn lines(&self) -> Vec<String> {
        let events = self.0.lock().unwrap();
        events
            .iter()
            .map(|event| format!("{} {}: {:?}", event.operation, event.attempt, event.kind))
            .collect()
    }
}

const ID: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

fn get() -> Exchange {
    Exchange::get("/allocations/clusters/3/")
}

both_colours! {
    fn attempts_and_waits_are_seen() {
        let log = Log::default();
        let client = client!(
            script([
                get().fail(BackendErrorKind::Connect),
                get().reply_json(StatusCode::TOO_MANY_REQUESTS, &json!({}))
                    .reply_header(header::RETRY_AFTER, HeaderValue::from_static("7")),
                get().reply_json(StatusCode::OK, &cluster(3, "atlas")),
            ]),
            |builder| builder.api_token("abc").observer(log.observer())
        );
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
        assert_eq!(
            log.lines(),
            [
                "retrieve cluster 1: NoResponse { error: Connect, may_have_been_sent: false }",
                "retrieve cluster 1: Retry { wait: 250ms }",
                "retrieve cluster 2: Response { status: 429 }",
                "retrieve cluster 2: Retry { wait: 7s }",
                "retrieve cluster 3: Response { status: 200 }",
            ]
        );
        let events = log.0.lock().unwrap();
        assert!(events.iter().all(|it| it.correlation_id == client.correlation_id()));
        assert!(events.iter().all(|event| event.method == Method::GET));
    }

    fn budgets_are_seen() {
        let log = Log::default();
        let client = client!(
            script([
                get().reply_json(StatusCode::OK, &cluster(3, "atlas")),
                get().reply_json(StatusCode::OK, &cluster(3, "atlas")),
            ]),
            |builder| {
                builder.api_token("abc").requests_per_minute(1).observer(log.observer())
            }
        );
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
        let waited = log.0.lock().unwrap().iter().any(|event| match event.kind {
            EventKind::Wait { wait } => wait > Duration::from_secs(59),
            _ => false,
        });
        assert!(waited, "{:?}", log.lines());
    }

    fn logins_and_refreshes_are_seen() {
        let sandbox = Sandbox::builder()
            .dialect(sandbox::Dialect::Jwt)
            .staff("admin", "admin-password")
            .build();
        let log = Log::default();
        let client = client!(sandbox.clone(), |builder| {
            builder.credentials(Credentials::new("admin", "admin-password"))
                .observer(log.observer())
        });
        let kinds = || {
            let mut events = log.0.lock().unwrap();
            let mut kinds: Vec<EventKind> = events.drain(..).map(|event| event.kind).collect();
            kinds.retain(|kind| !matches!(kind, EventKind::Response { .. }));
            kinds
        };
        go!(client.http_get("users/users")).unwrap();
        assert_eq!(kinds(), [EventKind::Login]);
        sandbox.advance(Duration::from_secs(290));
        go!(client.http_get("users/users")).unwrap();
        assert_eq!(kinds(), [EventKind::Refresh]);
        sandbox.expire_access_tokens();
        go!(client.http_get("users/users")).unwrap();
        assert_eq!(kinds(), [EventKind::Refresh]);
        sandbox.advance(Duration::from_secs(2 * 86_400));
        go!(client.http_get("users/users")).unwrap();
        assert_eq!(kinds(), [EventKind::Login]);

        let client = client!(sandbox.clone(), |builder| {
            builder.credentials(Credentials::new("admin", "wrong")).observer(log.observer())
        });
        go!(client.users().list().all()).unwrap_err();
        assert_eq!(kinds(), [EventKind::RenewalFailed { error: ErrorKind::InvalidCredentials }]);
    }

    fn the_end_of_a_login_is_seen() {
        let log = Log::default();
        let refused = json!({ "detail": "Authentication credentials were not provided." });
        let client = client!(
            script(session_login().into_iter().chain([
                get().reply_json(StatusCode::UNAUTHORIZED, &refused),
            ])),
            |builder| builder.observer(log.observer())
        );
        go!(client.login("ada", "correct horse")).unwrap();
        go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_eq!(log.lines().last().unwrap(), "retrieve cluster 1: SessionEnded");
    }

    fn a_call_may_have_an_id_of_its_own() {
        let log = Log::default();
        let text = "01234567-89ab-cdef-0123-456789abcdef";
        let with_id = |exchange: Exchange| {
            exchange.with_header("x-keystone-cid".parse().unwrap(), HeaderValue::from_static(text))
        };
        let own = |exchange: Exchange, id: Uuid| {
            let value = HeaderValue::try_from(id.to_string()).unwrap();
            exchange.with_header("x-keystone-cid".parse().unwrap(), value)
        };
        let client_id = Uuid::from_u128(7);
        let empty = json!({ "count": 0, "results": [] });
        let client = client!(
            script([
                with_id(get()).reply_json(StatusCode::NOT_FOUND, &json!({ "detail": "No." })),
                with_id(Exchange::get("/users/users/").with_any_query())
                    .reply_json(StatusCode::OK, &empty),
                own(get(), client_id).reply_json(StatusCode::OK, &cluster(3, "atlas")),
            ]),
            |builder| {
                builder.api_token("abc").correlation_id(client_id).observer(log.observer())
            }
        );
        let error = go!(client.retrieve_cluster(Id::new(3)).correlation_id(ID)).unwrap_err();
        assert_eq!(error.correlation_id(), Some(ID));
        assert_eq!(log.0.lock().unwrap()[0].correlation_id, ID);
        let list = client.users().list().correlation_id(ID);
        let counted = go!(list.count().with_meta()).unwrap();
        assert_eq!((counted.value, counted.meta.correlation_id), (0, ID));
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
    }

    fn a_call_may_have_a_policy_of_its_own() {
        let fail = || get().fail(BackendErrorKind::Connect);
        let client = client!(
            script([
                fail(), fail(), fail(), fail(), fail(), fail(),
            ]),
            |builder| builder.api_token("abc").retry(RetryPolicy::never())
        );
        let call = || client.retrieve_cluster(Id::new(3));
        assert_eq!(go!(call()).unwrap_err().attempts(), 1);
        let patient = crate::support::retry().with_max_attempts(5);
        assert_eq!(go!(call().retry(patient)).unwrap_err().attempts(), 5);
    }

    /// Retrying within the time that one call has, not the client.
    fn the_deadline_of_a_call_is_its_own() {
        let throttled = || {
            get().reply_json(StatusCode::TOO_MANY_REQUESTS, &json!({}))
                .reply_header(header::RETRY_AFTER, HeaderValue::from_static("20"))
        };
        let client = client!(
            script([throttled(), throttled(), get().reply_json(StatusCode::OK, &cluster(3, "a"))]),
            |builder| builder.retry(crate::support::retry().with_total(Duration::from_secs(10)))
        );
        let error = go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Throttled, 1));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(20)));
        let patient = crate::support::retry().with_total(Duration::from_secs(60));
        go!(client.retrieve_cluster(Id::new(3)).retry(patient)).unwrap();
    }
}
