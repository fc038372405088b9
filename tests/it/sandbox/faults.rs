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
