use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use keystone_client::backend::{BackendError, BackendErrorKind, RequestTimeout};
use keystone_client::blocking::{HttpBackend, KeystoneClient};
use keystone_client::resources::{NewTeam, Team};
use keystone_client::testing::{Exchange, Fixture, Scripted, page};
use keystone_client::{Error, RetryPolicy};
use serde_json::json;

use super::message_of;
use crate::support::{BASE, both_colours, script};

fn request(method: &str, target: &str) -> Request<Bytes> {
    let url = format!("{BASE}{target}");
    Request::builder().method(method).uri(url).body(Bytes::new()).unwrap()
}

fn get(script: &Scripted, target: &str) -> Result<Response<Bytes>, BackendError> {
    script.execute(request("GET", target))
}

both_colours! {
    fn the_same_script_serves_both_clients() {
        let script = script([
            Exchange::post("/users/teams/")
                .with_json(json!({ "name": "Folding" }))
                .reply_json(StatusCode::CREATED, &Team::fixture_json(7)),
            Exchange::get("/users/teams/")
                .with_any_query()
                .reply_json(StatusCode::OK, &page([Team::fixture_json(7)])),
            Exchange::delete("/users/teams/7/").reply(StatusCode::NO_CONTENT, ""),
        ]);
        let client = client!(script.clone());
        let team = go!(client.create_team(NewTeam::new("Folding"))).unwrap();
        assert_eq!(script.remaining(), ["GET /users/teams/", "DELETE /users/teams/7/"]);
        assert_eq!(go!(client.teams().list().all()).unwrap()[0].id, team.id);
        go!(client.delete_team(team.id)).unwrap();
        script.verify();
        let statuses: Vec<u16> =
            script.requests().iter().map(|it| it.status().unwrap().as_u16()).collect();
        assert_eq!(statuses, [201, 200, 204]);
    }

    fn failures_are_scripted_by_their_kind() {
        let script = script([
            Exchange::get("/version/").fail(BackendErrorKind::Connect),
            Exchange::get("/version/").reply(StatusCode::OK, "0.10.9"),
        ]);
        let client = client!(script.clone());
        assert_eq!(go!(client.version()).unwrap(), "0.10.9");
        assert_eq!(script.sleeps().len(), 1);
    }
}

#[test]
fn in_order_repeated_exchanges_give_way_when_they_have_come_often_enough() {
    let script = script([
        Exchange::get("/a/").times(2),
        Exchange::get("/b/").optional(),
        Exchange::get("/c/").at_least_once(),
        Exchange::get("/d/").any_times(),
        Exchange::get("/e/").times(1..=2),
    ]);
    for target in ["/a/", "/a/", "/c/", "/c/", "/c/", "/e/"] {
        get(&script, target).unwrap();
    }
    assert!(script.remaining().is_empty());
    get(&script, "/e/").unwrap();
    assert!(get(&script, "/e/").is_err());
    assert!(message_of(|| script.verify()).contains("GET /e/ came once more than expected"));
}

#[test]
fn in_order_nothing_may_come_before_its_time() {
    let script = script([Exchange::get("/a/").times(2), Exchange::get("/b/")]);
    get(&script, "/a/").unwrap();
    assert!(get(&script, "/b/").is_err());
    // What was not expected used nothing up.
    get(&script, "/a/").unwrap();
    get(&script, "/b/").unwrap();
    let message = message_of(|| script.verify());
    assert!(message.starts_with("GET /b/ is not the next request, which is GET /a/"), "{message}");
}

#[test]
fn in_any_order_the_first_that_is_not_used_up_answers() {
    let script = script([
        Exchange::get("/a/").reply(StatusCode::OK, "first"),
        Exchange::get("/b/"),
        Exchange::get("/a/").times(..).reply(StatusCode::OK, "later"),
    ])
    .in_any_order();
    get(&script, "/b/").unwrap();
    let bodies: Vec<Bytes> = (0..3).map(|_| get(&script, "/a/").unwrap().into_body()).collect();
    assert_eq!(bodies, ["first", "later", "later"]);
    script.verify();
}

#[test]
fn threads_share_a_script() {
    let script =
        script([Exchange::get("/a/").times(20), Exchange::get("/b/").times(20)]).in_any_order();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    get(&script, "/a/").unwrap();
                    get(&script, "/b/").unwrap();
                }
            });
        }
    });
    script.verify();
}

#[test]
fn a_function_answers_and_sees_the_request() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let script = script([Exchange::get("/users/*/").with_any_query().times(..).reply_with(
        move |request| {
            let number = counted.fetch_add(1, Ordering::Relaxed);
            match request.parameter("fail") {
                Some(_) => Err(BackendError::new(BackendErrorKind::Closed, "as asked")),
                None => Ok(Response::new(format!("{number} {}", request.path()).into())),
            }
        },
    )]);
    assert_eq!(get(&script, "/users/teams/").unwrap().body(), "0 /users/teams/");
    assert_eq!(get(&script, "/users/users/").unwrap().body(), "1 /users/users/");
    let error = get(&script, "/users/users/?fail=1").unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Closed);
    assert_eq!(script.requests()[2].status(), None);
}

#[test]
fn a_function_may_look_at_the_script() {
    let slot: Arc<Mutex<Option<Scripted>>> = Arc::default();
    let own = Arc::clone(&slot);
    let script = script([Exchange::get("/a/").reply_with(move |_| {
        let seen = own.lock().unwrap().take().unwrap().requests().len();
        Ok(Response::new(seen.to_string().into()))
    })]);
    *slot.lock().unwrap() = Some(script.clone());
    assert_eq!(get(&script, "/a/").unwrap().body(), "0");
}

#[test]
fn delays_pass_by_the_clock_of_the_script() {
    let minute = Duration::from_secs(60);
    let script = script([Exchange::get("/a/").times(2).delayed(minute)]);
    let before = HttpBackend::now(&script);
    get(&script, "/a/").unwrap();
    let after = HttpBackend::now(&script);
    assert_eq!(after.monotonic - before.monotonic, minute);
    assert_eq!(after.wall.duration_since(before.wall).unwrap(), minute);
    assert!(script.sleeps().is_empty());

    let mut short = request("GET", "/a/");
    short.extensions_mut().insert(RequestTimeout(Duration::from_secs(5)));
    let error = script.execute(short).unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Timeout);
    let passed = HttpBackend::now(&script).monotonic - after.monotonic;
    assert_eq!(passed, Duration::from_secs(5));
}

#[test]
fn a_client_gives_up_by_the_clock_of_the_script() {
    let script = script([Exchange::get("/version/").delayed(Duration::from_secs(3600))]);
    let client =
        KeystoneClient::builder(BASE).retry(RetryPolicy::never()).backend(script).build().unwrap();
    let error: Error = client.version().send().unwrap_err();
    assert!(error.to_string().contains("did not answer in time"), "{error}");
}

#[test]
fn a_script_that_is_followed_says_nothing() {
    let script = script([Exchange::get("/a/"), Exchange::get("/b/").optional()]);
    get(&script, "/a/").unwrap();
    drop(script);
}

#[test]
fn the_last_clone_fails_the_test_wherever_it_is() {
    let script = script([Exchange::get("/version/")]);
    let client = KeystoneClient::with_backend(BASE, script.clone()).unwrap();
    drop(script);
    assert_eq!(message_of(|| drop(client)), "1 request did not come:\n  GET /version/");
}

#[test]
fn a_clone_in_another_thread_fails_that_thread() {
    let script = script([Exchange::get("/version/")]);
    let client = KeystoneClient::with_backend(BASE, script).unwrap();
    let panic = thread::spawn(move || drop(client)).join().unwrap_err();
    assert!(panic.downcast::<String>().unwrap().contains("1 request did not come"));
}

#[test]
fn a_test_that_fails_by_itself_does_not_fail_twice() {
    let message = message_of(|| {
        let _script = script([Exchange::get("/version/")]);
        panic!("what the test says");
    });
    assert_eq!(message, "what the test says");
}

#[test]
fn verified_once_is_enough() {
    let script = script([Exchange::get("/version/")]);
    let client = KeystoneClient::with_backend(BASE, script.clone()).unwrap();
    assert!(message_of(|| script.verify()).contains("did not come"));
    drop(script);
    drop(client);
}

#[test]
fn what_comes_after_verifying_counts() {
    let script = script([]);
    script.verify();
    assert!(get(&script, "/late/").is_err());
    let message = message_of(|| drop(script));
    assert_eq!(message, "the script is over, but there is one more request: GET /late/");
}

#[test]
fn an_error_that_the_program_swallows_fails_the_test_all_the_same() {
    let script = script([Exchange::get("/version/").reply(StatusCode::OK, "0.10.9")]);
    let client = KeystoneClient::with_backend(BASE, script).unwrap();
    let _ = client.http_get("nope").send();
    let _ = client.version().send();
    assert!(message_of(|| drop(client)).starts_with("GET /nope/ is not the next request"));
}

#[test]
fn in_any_order_the_stricter_that_is_missing_answers() {
    let overlapping = [
        (Exchange::get("/x/*/").at_least_once(), Exchange::get("/x/1/"), ["/x/1/", "/x/2/"]),
        (
            Exchange::get("/x/").with_any_query(),
            Exchange::get("/x/").with_query("a", "1"),
            ["/x/?a=1", "/x/?a=2"],
        ),
    ];
    for (loose, strict, targets) in overlapping {
        for is_backwards in [false, true] {
            let mut targets = targets;
            if is_backwards {
                targets.reverse();
            }
            let loose = loose.clone().reply(StatusCode::OK, "loose");
            let strict = strict.clone().reply(StatusCode::OK, "strict");
            let script = script([loose, strict]).in_any_order();
            for target in targets {
                let body = get(&script, target).unwrap().into_body();
                let is_strict = target.ends_with('1') || target.ends_with("1/");
                assert_eq!(body, if is_strict { "strict" } else { "loose" }, "{target}");
            }
            script.verify();
        }
    }
}

#[test]
fn in_order_what_may_come_more_often_starves_nothing() {
    let once = || Exchange::get("/a/").reply(StatusCode::OK, "once");
    for (first, least, most) in [
        (Exchange::get("/a/").optional(), 1, 2),
        (Exchange::get("/a/").at_least_once(), 2, 5),
        (Exchange::get("/a/").times(1..=2), 2, 3),
        (Exchange::get("/*/").any_times(), 1, 5),
    ] {
        for number in least..=most {
            let script = script([first.clone(), once()]);
            for _ in 0..number {
                get(&script, "/a/").unwrap();
            }
            script.verify();
        }
        let script = script([first, once()]);
        for _ in 1..least {
            get(&script, "/a/").unwrap();
        }
        assert_eq!(message_of(|| script.verify()), "1 request did not come:\n  GET /a/");
    }
    let script = script([Exchange::get("/a/").optional(), once()]);
    get(&script, "/a/").unwrap();
    assert!(script.remaining().is_empty());
    get(&script, "/a/").unwrap();
    get(&script, "/a/").unwrap_err();
    message_of(|| script.verify());
}

#[test]
fn a_query_may_stand_behind_the_path() {
    let script = script([Exchange::get("/v/?a=1&b=x+y")]);
    assert_eq!(script.remaining(), ["GET /v/?a=1&b=x y"]);
    get(&script, "/v/?b=x%20y&a=1").unwrap();
}

#[test]
fn headers_may_be_added_before_the_answer() {
    let header = |exchange: Exchange| {
        exchange.reply_header(http::header::ETAG, http::HeaderValue::from_static("1"))
    };
    let script = script([
        header(Exchange::get("/a/")).reply(StatusCode::OK, ""),
        header(Exchange::get("/a/")).reply_json(StatusCode::OK, &json!(1)),
        header(Exchange::get("/a/")).reply_with(|_| Ok(Response::new(Bytes::new()))),
        Exchange::get("/a/").reply_json(StatusCode::OK, &json!(1)).reply(StatusCode::OK, ""),
    ]);
    for content_type in [None, Some("application/json"), None] {
        let answer = get(&script, "/a/").unwrap();
        assert_eq!(answer.headers()["etag"], "1");
        let seen = answer.headers().get("content-type").map(|it| it.to_str().unwrap());
        assert_eq!(seen, content_type);
    }
    assert!(get(&script, "/a/").unwrap().headers().is_empty());
}

#[test]
fn what_must_not_come_is_said_so() {
    let script = script([Exchange::get("/a/").times(0)]).in_any_order();
    assert!(script.remaining().is_empty());
    get(&script, "/a/").unwrap_err();
    assert_eq!(
        message_of(|| script.verify()),
        "GET /a/ came once more than expected: GET /a/ (expected never, came 0)"
    );
}

#[test]
#[allow(clippy::reversed_empty_ranges, reason = "that is what is tested")]
fn a_range_without_numbers_is_a_mistake() {
    for message in [
        message_of(|| Exchange::get("/a/").times(2..2)),
        message_of(|| Exchange::get("/a/").times(3..=2)),
        message_of(|| Exchange::get("/a/").times(..0)),
    ] {
        assert!(message.starts_with("no number is at least "), "{message}");
    }
}

#[test]
fn what_was_told_is_not_told_again() {
    let script = script([Exchange::get("/a/")]);
    get(&script, "/b/").unwrap_err();
    let message = message_of(|| script.verify());
    assert!(message.contains("GET /b/") && message.contains("did not come"), "{message}");
    get(&script, "/c/").unwrap_err();
    let message = message_of(|| script.verify());
    assert!(message.starts_with("GET /c/ is not the next request"), "{message}");
    assert!(!message.contains("GET /b/") && !message.contains("did not come"), "{message}");
}

#[test]
fn requests_are_in_the_order_in_which_they_arrived() {
    let slot: Arc<Mutex<Option<Scripted>>> = Arc::default();
    let own = Arc::clone(&slot);
    let script = script([
        Exchange::get("/slow/").reply_with(move |_| {
            let script = own.lock().unwrap().take().unwrap();
            get(&script, "/quick/").unwrap();
            Ok(Response::new(Bytes::new()))
        }),
        Exchange::get("/quick/"),
    ]);
    *slot.lock().unwrap() = Some(script.clone());
    get(&script, "/slow/").unwrap();
    let paths: Vec<String> = script.requests().iter().map(|it| it.path().to_owned()).collect();
    assert_eq!(paths, ["/slow/", "/quick/"]);
}
