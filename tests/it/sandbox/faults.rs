//! Which requests meet a fault, and what the sandbox tells of it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use keystone_client::backend::{BackendError, BackendErrorKind, RequestTimeout};
use keystone_client::blocking::HttpBackend;
use keystone_client::sandbox::{Fault, FaultRule, Sandbox};

fn ask(sandbox: &Sandbox, method: Method, path: &str) -> Result<Response<Bytes>, BackendError> {
    let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
    HttpBackend::execute(sandbox, request)
}

/// Which of so many requests for the version meet the fault.
fn struck(sandbox: &Sandbox, requests: usize) -> Vec<usize> {
    let is_struck = |_: &usize| ask(sandbox, Method::GET, "/version/").is_err();
    (1..=requests).filter(is_struck).collect()
}

fn rule() -> FaultRule {
    FaultRule::new(Fault::disconnect())
}

#[test]
fn a_rule_chooses_by_number() {
    let cases: [(FaultRule, &[usize]); 7] = [
        (rule(), &[1, 2, 3, 4, 5, 6]),
        (rule().nth(3), &[3]),
        (rule().nth(0), &[]),
        (rule().times(2), &[1, 2]),
        (rule().after(4), &[5, 6]),
        (rule().after(1).times(2), &[2, 3]),
        (rule().probability(0.0, 1), &[]),
    ];
    for (rule, expected) in cases {
        let sandbox = Sandbox::new();
        let shown = format!("{rule:?}");
        let injected = sandbox.inject(rule);
        assert_eq!(struck(&sandbox, 6), expected, "{shown}");
        assert_eq!(injected.count(), expected.len(), "{shown}");
    }
}

#[test]
fn a_rule_chooses_by_what_is_asked() {
    let path = |path| rule().path(path);
    let cases = [
        (path("/users/teams/"), Method::GET, "/users/teams/", true),
        (path("/users/teams/"), Method::GET, "/users/teams/7/?a=1", true),
        (path("users/teams"), Method::GET, "/users/teams/", true),
        (path("/users/team"), Method::GET, "/users/teams/", false),
        (path("/users/teams/7/"), Method::GET, "/users/teams/70/", false),
        (path("/"), Method::GET, "/version/", true),
        (rule().method(Method::POST), Method::GET, "/version/", false),
        (rule().method(Method::GET), Method::GET, "/version/", true),
        (rule().when(|it| it.uri().query().is_some()), Method::GET, "/version/?a=1", true),
        (rule().when(|it| it.uri().query().is_some()), Method::GET, "/version/", false),
    ];
    for (rule, method, target, expected) in cases {
        let sandbox = Sandbox::new();
        let shown = format!("{rule:?} {target}");
        sandbox.inject(rule);
        assert_eq!(ask(&sandbox, method, target).is_err(), expected, "{shown}");
    }
    // What a rule is not about, it does not count.
    let sandbox = Sandbox::new();
    sandbox.inject(rule().path("/version/").nth(2));
    for (path, expected) in [("/", false), ("/version/", false), ("/", false), ("/version/", true)]
    {
        assert_eq!(ask(&sandbox, Method::GET, path).is_err(), expected);
    }
}

#[test]
fn the_same_seed_strikes_the_same_requests() {
    let run = |seed| {
        let sandbox = Sandbox::new();
        sandbox.inject(rule().probability(0.3, seed));
        struck(&sandbox, 1_000)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert!((240..360).contains(&run(1).len()), "{}", run(1).len());
}

#[test]
fn the_first_rule_that_strikes_counts() {
    let sandbox = Sandbox::new();
    let first = sandbox.inject(FaultRule::new(Fault::not_http()).nth(2));
    let second = sandbox.inject(rule());
    let kinds: Vec<BackendErrorKind> =
        (0..3).map(|_| ask(&sandbox, Method::GET, "/").unwrap_err().kind()).collect();
    let closed = BackendErrorKind::Closed;
    assert_eq!(kinds, [closed, BackendErrorKind::Protocol, closed]);
    assert_eq!((first.count(), second.count()), (1, 2));

    second.remove();
    assert!(ask(&sandbox, Method::GET, "/").is_ok());
    sandbox.inject_with(|_| Some(Fault::disconnect()));
    assert!(ask(&sandbox, Method::GET, "/").is_err());
    sandbox.clear_faults();
    assert!(ask(&sandbox, Method::GET, "/").is_ok());
}

#[test]
fn waiting_takes_the_time_of_the_sandbox() {
    let cases = [
        (Fault::silence(), 7_000, Some(BackendErrorKind::Timeout)),
        (Fault::stall_body(), 7_000, Some(BackendErrorKind::Timeout)),
        (Fault::delay(Duration::from_millis(6_999)), 6_999, None),
        (Fault::delay(Duration::from_secs(8)), 7_000, Some(BackendErrorKind::Timeout)),
        // The body is `0.10.9`, and the head is longer than that.
        (Fault::drip_body(Duration::from_secs(1)), 6_000, None),
        (Fault::drip(Duration::from_secs(1)), 7_000, Some(BackendErrorKind::Timeout)),
        (Fault::disconnect(), 0, Some(BackendErrorKind::Closed)),
    ];
    for (fault, waited, expected) in cases {
        let shown = format!("{fault:?}");
        let sandbox = Sandbox::new();
        sandbox.inject(FaultRule::new(fault));
        let mut request = Request::get("/version/").body(Bytes::new()).unwrap();
        request.extensions_mut().insert(RequestTimeout(Duration::from_secs(7)));
        let before = HttpBackend::now(&sandbox).monotonic;
        let outcome = HttpBackend::execute(&sandbox, request);
        let took = HttpBackend::now(&sandbox).monotonic.duration_since(before).as_millis();
        assert!((waited..waited + 500).contains(&took), "{shown}: {took} ms");
        assert_eq!(outcome.as_ref().err().map(BackendError::kind), expected, "{shown}");
        assert_eq!(outcome.map_or(200, |it| it.status().as_u16()), 200, "{shown}");
    }
}

#[test]
fn a_server_that_restarts_is_away_for_a_while() {
    let sandbox = Sandbox::new();
    sandbox.inject(FaultRule::new(Fault::restart(Duration::from_secs(5))).nth(2));
    assert!(ask(&sandbox, Method::GET, "/").is_ok());
    let error = ask(&sandbox, Method::GET, "/").unwrap_err();
    assert!(error.kind() == BackendErrorKind::Closed && error.may_have_been_sent());
    let error = ask(&sandbox, Method::GET, "/").unwrap_err();
    assert!(error.kind() == BackendErrorKind::Connect && !error.may_have_been_sent());
    sandbox.advance(Duration::from_secs(5));
    assert!(ask(&sandbox, Method::GET, "/").is_ok());
}

#[test]
fn requests_tell_of_their_faults() {
    let sandbox = Sandbox::new();
    let unavailable = Fault::unavailable(Duration::from_secs(3));
    sandbox.inject(FaultRule::new(unavailable.clone()).nth(1));
    sandbox.inject(FaultRule::new(Fault::disconnect()).nth(1));
    sandbox.inject(FaultRule::new(unavailable.after_execution()).nth(1));
    let statuses: Vec<_> = (0..4)
        .map(|_| ask(&sandbox, Method::GET, "/version/").map(|it| it.status()).ok())
        .collect();
    let away = Some(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(statuses, [away, None, away, Some(StatusCode::OK)]);
    let requests = sandbox.requests();
    let told: Vec<_> = requests.iter().map(|it| (it.status(), it.fault())).collect();
    let page = Some("a page that says 503 Service Unavailable");
    assert_eq!(
        told,
        [
            (away, page),
            (None, Some("the connection is closed without a reply")),
            // What the server said is not what the client saw.
            (Some(StatusCode::OK), page),
            (Some(StatusCode::OK), None),
        ]
    );
}

/// What an altered body is announced with is its own length.
#[test]
fn answers_can_be_altered() {
    let sandbox = Sandbox::new();
    sandbox.inject(FaultRule::new(Fault::alter(|response| response.map(|_| "changed".into()))));
    let server = sandbox.serve().unwrap();
    let answer = super::server::exchange(
        &server,
        "GET /version/ HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n",
    );
    assert!(answer.to_lowercase().contains("content-length: 7\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nchanged"), "{answer}");
}

#[test]
fn middleware_stands_between() {
    let sandbox = Sandbox::new();
    sandbox.inject(FaultRule::new(Fault::delay(Duration::ZERO)).path("/version/"));
    sandbox.set_middleware(|mut request, next| {
        let fault = request.extensions().get::<Fault>().map(ToString::to_string);
        if request.uri().path() == "/other/" {
            *request.uri_mut() = http::Uri::from_static("/version/");
        }
        let mut response = next(request);
        let told = fault.unwrap_or_default().parse().unwrap();
        response.headers_mut().insert("x-fault", told);
        response
    });
    let other = ask(&sandbox, Method::GET, "/other/").unwrap();
    assert_eq!((other.body().as_ref(), other.headers()["x-fault"].len()), (&b"0.10.9"[..], 0));
    let version = ask(&sandbox, Method::GET, "/version/").unwrap();
    assert_eq!(version.headers()["x-fault"], "the reply comes after 0ns");
}

#[test]
fn a_restart_may_take_for_ever_and_be_ended() {
    let sandbox = Sandbox::new();
    sandbox.inject(FaultRule::new(Fault::restart(Duration::MAX)).nth(1));
    assert!(ask(&sandbox, Method::GET, "/").is_err());
    sandbox.advance(Duration::from_secs(1_000_000));
    assert_eq!(ask(&sandbox, Method::GET, "/").unwrap_err().kind(), BackendErrorKind::Connect);
    sandbox.clear_faults();
    assert!(ask(&sandbox, Method::GET, "/").is_ok());
}

#[test]
fn an_answer_that_is_not_changed_keeps_its_length() {
    let sandbox = Sandbox::new();
    sandbox.inject(FaultRule::new(Fault::alter(|response| response)));
    let response = ask(&sandbox, Method::HEAD, "/version/").unwrap();
    assert_eq!(response.headers()["content-length"], "6");
}

#[test]
fn what_middleware_answers_is_recorded_once() {
    let sandbox = Sandbox::new();
    sandbox.set_middleware(|request, next| match request.uri().path() {
        "/closed/" => Response::builder().status(403).body(Bytes::new()).unwrap(),
        _ => {
            next(request.clone());
            next(request)
        }
    });
    ask(&sandbox, Method::GET, "/closed/").unwrap();
    ask(&sandbox, Method::GET, "/version/").unwrap();
    let requests = sandbox.requests();
    let told: Vec<_> =
        requests.iter().map(|it| (it.path(), it.status().unwrap().as_u16())).collect();
    assert_eq!(told, [("/closed/", 403), ("/version/", 200)]);
    sandbox.clear_middleware();
    assert_eq!(ask(&sandbox, Method::GET, "/closed/").unwrap().status(), 404);
}

#[test]
fn everything_may_go_to_other_threads() {
    fn is_shareable<T: Send + Sync>() {}
    is_shareable::<keystone_client::sandbox::Snapshot>();
    is_shareable::<keystone_client::sandbox::SandboxBuilder>();
    is_shareable::<keystone_client::sandbox::SandboxServer>();
    is_shareable::<keystone_client::sandbox::Population>();
    is_shareable::<Fault>();
    is_shareable::<FaultRule>();
    is_shareable::<keystone_client::sandbox::InjectedFault>();
}

/// Faults leave the connection as the client wants it.
#[test]
fn a_client_that_wants_the_connection_closed_has_its_way() {
    let pause = Duration::from_millis(1);
    for fault in [Fault::delay(pause), Fault::drip(pause), Fault::drip_body(pause)] {
        let sandbox = Sandbox::new();
        sandbox.inject(FaultRule::new(fault.clone()));
        let server = sandbox.serve().unwrap();
        for request in [
            "GET /version/ HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n",
            "GET /version/ HTTP/1.0\r\nHost: k\r\n\r\n",
        ] {
            #[allow(clippy::disallowed_methods, reason = "the test measures real time")]
            let started = std::time::Instant::now();
            let answer = super::server::exchange(&server, request);
            assert!(answer.ends_with("0.10.9"), "{fault:?}: {answer}");
            // Idle connections are closed after five seconds.
            assert!(started.elapsed() < Duration::from_secs(4), "{fault:?}: {request}");
        }
    }
}

/// Requests that are sent ahead are answered in turn, as long as nothing but time is at fault.
#[test]
fn requests_sent_ahead_are_answered_late_too() {
    let sandbox = Sandbox::new();
    sandbox.inject(FaultRule::new(Fault::delay(Duration::from_millis(1))));
    let server = sandbox.serve().unwrap();
    let ahead = "GET /version/ HTTP/1.1\r\nHost: k\r\n\r\n";
    let last = "GET /version/ HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n";
    let answer = super::server::exchange(&server, &format!("{ahead}{last}"));
    assert_eq!(answer.matches("0.10.9").count(), 2, "{answer}");
}

/// Not even a refusal shows another time than that of the sandbox.
#[test]
fn refusals_are_dated_by_the_clock_of_the_sandbox() {
    let start = std::time::SystemTime::UNIX_EPOCH;
    let sandbox = Sandbox::builder().start_at(start).freeze_clock().build();
    let server = sandbox.serve().unwrap();
    let answer =
        super::server::exchange(&server, "GET /version/ HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("date: Thu, 01 Jan 1970 00:00:00 GMT"), "{answer}");
}

/// After another server has been brought back, its rules for heads hold.
#[test]
fn a_server_of_another_dialect_can_be_brought_back() {
    let jwt = Sandbox::builder().dialect(keystone_client::Dialect::Jwt).build();
    let sandbox = Sandbox::new();
    let server = sandbox.serve().unwrap();
    let path = "a".repeat(5_000);
    let request = format!("GET /{path} HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n");
    assert!(super::server::exchange(&server, &request).starts_with("HTTP/1.1 404 "));
    sandbox.restore(&jwt.snapshot());
    assert!(super::server::exchange(&server, &request).starts_with("HTTP/1.1 400 "));
}
