//! How fast calls follow one another: by what the client was allowed, and by what the server says.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::{Exchange, Scripted};
use keystone_client::{ErrorKind, KeystoneClient, RetryPolicy, blocking};
use serde_json::json;

use crate::support::{BASE, Finish, retry, script};

fn users() -> Exchange {
    let empty = json!({ "count": 0, "results": [] });
    Exchange::get("/users/users/").with_any_query().reply_json(StatusCode::OK, &empty)
}

fn throttled(seconds: &'static str) -> Exchange {
    Exchange::get("/users/users/")
        .with_any_query()
        .reply_json(StatusCode::TOO_MANY_REQUESTS, &json!({ "detail": "Request was throttled." }))
        .reply_header(header::RETRY_AFTER, HeaderValue::from_static(seconds))
}

/// Runs the same on both clients, which have a credential and share the script's clock.
macro_rules! both {
    ($exchanges:expr, |$builder:ident| $settings:expr, |$client:ident, $go:ident| $body:block) => {{
        {
            let script: Scripted = script($exchanges);
            let $builder = KeystoneClient::builder(BASE).api_token("token");
            let $client = $settings.backend(script.clone()).build().unwrap();
            macro_rules! $go {
                ($call:expr) => {
                    pollster::block_on(async { $call.await })
                };
            }
            $body
            script.sleeps()
        }
        .into_iter()
        .zip({
            let script: Scripted = script($exchanges);
            let $builder = blocking::KeystoneClient::builder(BASE).api_token("token");
            let $client = $settings.backend(script.clone()).build().unwrap();
            macro_rules! $go {
                ($call:expr) => {
                    Finish::finish($call)
                };
            }
            $body
            script.sleeps()
        })
        .map(|(left, right)| {
            assert_eq!(left, right);
            left.as_secs()
        })
        .collect::<Vec<u64>>()
    }};
}

#[test]
fn a_budget_spreads_calls_over_the_minute() {
    let sleeps = both!(
        [users(), users(), users(), users(), users()],
        |builder| builder.requests_per_minute(2),
        |client, go| {
            for _ in 0..5 {
                go!(client.users().list().all()).unwrap();
            }
        }
    );
    assert_eq!(sleeps, [60, 60]);
}

#[test]
fn what_one_call_is_told_holds_for_the_next() {
    let hasty = || retry().with_total(Duration::from_secs(30));
    let sleeps =
        both!([throttled("37"), users()], |builder| builder.retry(hasty()), |client, go| {
            // It cannot wait so long, and says so.
            let error = go!(client.users().list().all()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Throttled);
            assert_eq!(error.retry_after(), Some(Duration::from_secs(37)));
            // Neither can the next, which need not bother the server to know.
            let error = go!(client.users().list().all()).unwrap_err();
            assert_eq!(error.attempts(), 0);
            assert!(!error.may_have_been_sent());
            assert!(error.is_throttled(), "{error}");
            assert!(error.retry_after().is_some_and(|wait| wait > Duration::from_secs(30)));
            // One that has the time waits for it.
            let call = client.users().list().count().timeout(Duration::from_secs(120));
            assert_eq!(go!(call).unwrap(), 0);
        });
    assert_eq!(sleeps, [37]);
}

#[test]
fn who_repeats_nothing_hears_it_from_the_server() {
    let sleeps = both!(
        [throttled("37"), throttled("36")],
        |builder| builder.retry(RetryPolicy::never()),
        |client, go| {
            for _ in 0..2 {
                assert!(go!(client.users().list().all()).unwrap_err().is_throttled());
            }
        }
    );
    assert_eq!(sleeps, [] as [u64; 0]);
}

/// The server counts them by themselves.
#[test]
fn anonymous_calls_are_not_held_up() {
    let version = || Exchange::get("/version/").reply(StatusCode::OK, "0.10.9");
    let sleeps = both!(
        [users(), version(), version()],
        |builder| builder.requests_per_minute(1),
        |client, go| {
            go!(client.users().list().all()).unwrap();
            go!(client.version()).unwrap();
            go!(client.version()).unwrap();
        }
    );
    assert_eq!(sleeps, [] as [u64; 0]);
}

/// All pages of a walk come out of the same budget.
#[test]
fn walks_of_several_pages_at_a_time_keep_to_the_budget() {
    let sandbox =
        Sandbox::builder().staff("admin", "admin-password").api_token("admin", "t").build();
    for number in 0..90 {
        let row = json!({ "name": number.to_string() });
        sandbox.insert("allocations/clusters", row).unwrap();
    }
    let builder = KeystoneClient::builder(BASE).api_token("t").requests_per_minute(3);
    let client = builder.backend(sandbox.clone()).build().unwrap();
    let start = sandbox.now();
    let list = client.clusters().list().page_size(10).concurrency(4);
    assert_eq!(pollster::block_on(list.all()).unwrap().len(), 90);
    // Nine pages and one look ahead: three a minute.
    assert_eq!(sandbox.requests().len(), 10);
    let minutes = sandbox.now().duration_since(start).unwrap().as_secs() / 60;
    assert_eq!(minutes, 3);
}

/// Pages that cannot come within a minute are not asked for ahead: they could not wait so long.
#[test]
fn walks_ask_for_no_more_ahead_than_the_budget_allows() {
    let sandbox =
        Sandbox::builder().staff("admin", "admin-password").api_token("admin", "t").build();
    for number in 0..60 {
        let row = json!({ "name": number.to_string() });
        sandbox.insert("allocations/clusters", row).unwrap();
    }
    let builder = blocking::KeystoneClient::builder(BASE).api_token("t").requests_per_minute(1);
    let client = builder.backend(sandbox).build().unwrap();
    let list = client.clusters().list().page_size(10).concurrency(5);
    assert_eq!(list.all().unwrap().len(), 60);
}

/// Others send as the same user, so that the server refuses what the budget would allow.
#[test]
fn a_budget_that_is_too_large_is_lowered() {
    let mut exchanges = vec![users(), users(), users(), throttled("20")];
    exchanges.extend([users(), users(), users(), users(), users()]);
    let sleeps =
        both!(exchanges.clone(), |builder| builder.requests_per_minute(100), |client, go| {
            for _ in 0..8 {
                go!(client.users().list().all()).unwrap();
            }
        });
    // Three were answered before the refusal: so the fourth has to wait until the first is a minute
    // ago, and the others go three a minute, which grow to four.
    assert_eq!(sleeps, [20, 40, 60]);
}
