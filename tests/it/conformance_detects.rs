//! The conformance suite finds what it looks for: for each check a backend that breaks its clause,
//! and the check must fail.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use keystone_client::backend::{
    BackendError, BackendErrorKind, HttpBackend as AsyncHttpBackend, RequestTimeout,
    TransportSettings, UreqBackend,
};
use keystone_client::blocking::HttpBackend;
use keystone_client::testing::conformance::{self, Verdict};

type Request = http::Request<Bytes>;
type Outcome = Result<http::Response<Bytes>, BackendError>;
type Execute = fn(&Faulty, Request) -> Outcome;
type Change = fn(TransportSettings) -> TransportSettings;

/// A sound backend with one fault.
struct Faulty {
    sound: UreqBackend,
    execute: Execute,
    sleeps: bool,
    /// For faults that remember something.
    memory: Mutex<Vec<u8>>,
}

impl Faulty {
    fn new(settings: &TransportSettings, execute: Execute) -> Result<Self, BackendError> {
        let sound = UreqBackend::with_settings(settings)?;
        Ok(Self { sound, execute, sleeps: true, memory: Mutex::default() })
    }

    fn memory(&self) -> MutexGuard<'_, Vec<u8>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBackend for Faulty {
    fn execute(&self, request: Request) -> Outcome {
        (self.execute)(self, request)
    }

    fn sleep(&self, duration: Duration) {
        if self.sleeps {
            self.sound.sleep(duration);
        }
    }
}

fn with_body(request: Request, body: impl Into<Bytes>) -> Request {
    request.map(|_| body.into())
}

fn with_target(mut request: Request, change: impl Fn(&str) -> String) -> Request {
    let mut parts = request.uri().clone().into_parts();
    let target = parts.path_and_query.map_or(String::from("/"), |target| change(target.as_str()));
    parts.path_and_query = Some(target.parse().unwrap());
    *request.uri_mut() = Uri::from_parts(parts).unwrap();
    request
}

fn with_kind(outcome: Outcome, from: BackendErrorKind, to: BackendErrorKind) -> Outcome {
    outcome.map_err(|error| match error.kind() == from {
        true => BackendError::new(to, "another kind"),
        false => error,
    })
}

/// Keeps the first of repeated headers.
fn first_of_each(headers: &HeaderMap) -> HeaderMap {
    headers.keys().map(|name| (name.clone(), headers[name].clone())).collect()
}

/// Faults in what one exchange does.
const FAULTS: &[(&str, Execute)] = &[
    ("methods", |faulty, mut request| {
        if request.method() == Method::PATCH {
            *request.method_mut() = Method::POST;
        }
        faulty.sound.execute(request)
    }),
    ("request_headers", |faulty, mut request| {
        *request.headers_mut() = first_of_each(request.headers());
        faulty.sound.execute(request)
    }),
    ("request_header_bytes", |faulty, mut request| {
        request.headers_mut().insert("x-city", HeaderValue::from_static("Zurich"));
        faulty.sound.execute(request)
    }),
    ("added_headers", |faulty, mut request| {
        request.headers_mut().insert(header::REFERER, HeaderValue::from_static("/"));
        faulty.sound.execute(request)
    }),
    ("body_lengths", |faulty, request| {
        let shorter = request.body().slice(..request.body().len().saturating_sub(1));
        faulty.sound.execute(with_body(request, shorter))
    }),
    ("empty_bodies", |faulty, request| {
        let request = if request.body().is_empty() { with_body(request, " ") } else { request };
        faulty.sound.execute(request)
    }),
    ("large_bodies", |faulty, request| {
        let part = request.body().slice(..request.body().len().min(1_000_000));
        faulty.sound.execute(with_body(request, part))
    }),
    ("refused_requests", |faulty, mut request| {
        request.headers_mut().remove(header::CONTENT_LENGTH);
        faulty.sound.execute(request)
    }),
    ("targets", |faulty, request| {
        faulty.sound.execute(with_target(request, |target| target.replace("%2F", "/")))
    }),
    ("unusual_targets", |faulty, request| {
        faulty.sound.execute(with_target(request, |target| target.replace("/a/..", "")))
    }),
    ("statuses", |faulty, request| {
        let response = faulty.sound.execute(request)?;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            return Err(BackendError::new(BackendErrorKind::Other, "a status is no error"));
        }
        Ok(response)
    }),
    ("redirects", |faulty, request| {
        let response = faulty.sound.execute(request.clone())?;
        if !response.headers().contains_key(header::LOCATION) {
            return Ok(response);
        }
        faulty.sound.execute(with_target(request, |_| String::from("/elsewhere")))
    }),
    ("response_headers", |faulty, request| {
        let mut response = faulty.sound.execute(request)?;
        *response.headers_mut() = first_of_each(response.headers());
        Ok(response)
    }),
    ("response_header_bytes", |faulty, request| {
        let mut response = faulty.sound.execute(request)?;
        for value in response.headers_mut().values_mut() {
            *value = HeaderValue::from_str(&String::from_utf8_lossy(value.as_bytes())).unwrap();
        }
        Ok(response)
    }),
    ("cookies", |faulty, mut request| {
        let cookie = faulty.memory().clone();
        if !cookie.is_empty() {
            let value = HeaderValue::from_bytes(&cookie).unwrap();
            request.headers_mut().insert(header::COOKIE, value);
        }
        let response = faulty.sound.execute(request)?;
        if let Some(cookie) = response.headers().get(header::SET_COOKIE) {
            *faulty.memory() = cookie.as_bytes().to_vec();
        }
        Ok(response)
    }),
    ("encoded_bodies", |faulty, request| Ok(faulty.sound.execute(request)?.map(|_| Bytes::new()))),
    ("framings", |faulty, request| {
        let response = faulty.sound.execute(request)?;
        Ok(response.map(|body| body.slice(..body.len().min(65_536))))
    }),
    ("bodiless_responses", |faulty, request| {
        let response = faulty.sound.execute(request)?;
        let announced = response.headers().get(header::CONTENT_LENGTH);
        if announced.is_some_and(|value| value.len() > 2) {
            return Err(BackendError::new(BackendErrorKind::Timeout, "waited for a body"));
        }
        Ok(response)
    }),
    ("interim_responses", |faulty, request| {
        let mut response = faulty.sound.execute(request)?;
        let leaked = HeaderName::from_static("x-interim");
        response.headers_mut().insert(leaked, HeaderValue::from_static("yes"));
        Ok(response)
    }),
    ("refused_connections", |faulty, request| {
        let (from, to) = (BackendErrorKind::Connect, BackendErrorKind::Closed);
        with_kind(faulty.sound.execute(request), from, to)
    }),
    ("unresolvable_hosts", |faulty, request| {
        let (from, to) = (BackendErrorKind::Connect, BackendErrorKind::Other);
        with_kind(faulty.sound.execute(request), from, to)
    }),
    ("connect_timeouts", |_, _| {
        Err(BackendError::new(BackendErrorKind::Timeout, "it may have been sent"))
    }),
    ("silent_closes", |faulty, request| {
        faulty.sound.execute(request).map_err(BackendError::not_sent)
    }),
    ("truncated_responses", |faulty, request| match faulty.sound.execute(request) {
        Err(error) if error.kind() == BackendErrorKind::Closed => {
            Ok(http::Response::new(Bytes::new()))
        }
        other => other,
    }),
    ("foreign_protocols", |faulty, request| {
        let (from, to) = (BackendErrorKind::Protocol, BackendErrorKind::Connect);
        with_kind(faulty.sound.execute(request), from, to)
    }),
    ("discreet_errors", |faulty, request| {
        let url = request.uri().to_string();
        let outcome = faulty.sound.execute(request);
        outcome.map_err(|error| BackendError::new(error.kind(), url))
    }),
    ("request_timeouts", |faulty, mut request| {
        request.extensions_mut().clear();
        faulty.sound.execute(request)
    }),
    ("zero_timeouts", |faulty, mut request| {
        if RequestTimeout::of(&request) == Some(Duration::ZERO) {
            request.extensions_mut().insert(RequestTimeout(Duration::from_secs(5)));
        }
        faulty.sound.execute(request)
    }),
    ("repeats", |faulty, request| match faulty.sound.execute(request.clone()) {
        Err(error) if error.kind() == BackendErrorKind::Closed => faulty.sound.execute(request),
        other => other,
    }),
    ("late_replies", |faulty, request| {
        let target = request.uri().path().to_owned();
        match faulty.sound.execute(request) {
            Err(error) => {
                *faulty.memory() = target.into_bytes();
                Err(error)
            }
            Ok(response) => {
                let late = std::mem::take(&mut *faulty.memory());
                Ok(response.map(|body| if late.is_empty() { body } else { late.into() }))
            }
        }
    }),
    ("parallel", |faulty, request| {
        let _one_at_a_time = faulty.memory();
        faulty.sound.execute(request)
    }),
    ("closed_connections", |faulty, request| {
        let response = faulty.sound.execute(request)?;
        faulty.memory().push(0);
        if faulty.memory().len() > 1 {
            return Err(BackendError::new(BackendErrorKind::Closed, "an old connection"));
        }
        Ok(response)
    }),
    ("reuse", |_, request| UreqBackend::new()?.execute(request)),
];

/// Faults that show as too much time or memory.
const CHANGED_SETTINGS: &[(&str, Change)] = &[
    ("timeouts", more_time),
    ("slow_heads", more_time),
    ("slow_bodies", more_time),
    ("announced_sizes", |settings| settings.with_max_response_bytes(usize::MAX)),
    ("endless_sizes", |settings| settings.with_max_response_bytes(usize::MAX)),
    ("exact_sizes", |settings| {
        let less = settings.max_response_bytes - 1;
        settings.with_max_response_bytes(less)
    }),
    ("idle_connections", |settings| settings.with_idle_timeout(Duration::from_secs(60))),
];

fn more_time(settings: TransportSettings) -> TransportSettings {
    let longer = settings.timeout + Duration::from_secs(3);
    settings.with_timeout(longer)
}

/// A call that lives on after its future was dropped.
struct Undying(UreqBackend);

impl AsyncHttpBackend for Undying {
    async fn execute(&self, mut request: Request) -> Outcome {
        request.extensions_mut().insert(RequestTimeout(Duration::from_secs(9)));
        let sound = self.0.clone();
        let thread = std::thread::spawn(move || sound.execute(request));
        // The server is silent, so the future is pending when it is dropped.
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            if thread.is_finished() { ().into() } else { std::task::Poll::Pending }
        })
        .await;
        thread.join().unwrap()
    }

    async fn sleep(&self, _duration: Duration) {}
}

#[track_caller]
fn assert_detected(check: &str, report: &conformance::Report) {
    let [outcome] = report.outcomes() else { panic!("no check `{check}`") };
    match &outcome.verdict {
        Verdict::Failed { .. } => {}
        verdict => panic!("the fault went unseen: {check}: {verdict:?}"),
    }
}

#[test]
fn each_check_sees_its_fault() {
    for (check, execute) in FAULTS {
        let make = |settings: &TransportSettings| Faulty::new(settings, *execute);
        assert_detected(check, &conformance::blocking_only(&[check], make));
    }
}

#[test]
fn each_check_sees_its_setting() {
    for (check, change) in CHANGED_SETTINGS {
        let make =
            |settings: &TransportSettings| UreqBackend::with_settings(&change(settings.clone()));
        assert_detected(check, &conformance::blocking_only(&[check], make));
    }
}

#[test]
fn sleeping_is_seen() {
    let make = |settings: &TransportSettings| {
        let sound = Faulty::new(settings, |faulty, request| faulty.sound.execute(request))?;
        Ok(Faulty { sleeps: false, ..sound })
    };
    assert_detected("sleeping", &conformance::blocking_only(&["sleeping"], make));
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn failed_handshakes_are_seen() {
    let make = |settings: &TransportSettings| {
        Faulty::new(settings, |faulty, request| {
            let (from, to) = (BackendErrorKind::Connect, BackendErrorKind::Closed);
            with_kind(faulty.sound.execute(request), from, to)
        })
    };
    assert_detected("failed_handshakes", &conformance::blocking_only(&["failed_handshakes"], make));
}

#[test]
fn dropped_calls_are_seen() {
    let make = |settings: &TransportSettings| UreqBackend::with_settings(settings).map(Undying);
    let report = pollster::block_on(conformance::run_only(&["dropped_calls"], make));
    assert_detected("dropped_calls", &report);
}

#[test]
fn a_panic_is_a_failure_of_the_check() {
    let make = |settings: &TransportSettings| Faulty::new(settings, |_, _| panic!("on purpose"));
    assert_detected("methods", &conformance::blocking_only(&["methods"], make));
}

#[test]
fn a_name_without_a_check_is_a_failure() {
    let report = conformance::blocking_only(&["method"], UreqBackend::with_settings);
    assert!(!report.passed(), "{report}");
}

#[test]
fn no_check_is_without_a_fault() {
    let mut proven: BTreeSet<&str> = FAULTS.iter().map(|(check, _)| *check).collect();
    proven.extend(CHANGED_SETTINGS.iter().map(|(check, _)| *check));
    proven.extend(["sleeping", "failed_handshakes", "dropped_calls"]);
    assert_eq!(proven, conformance::names().into_iter().collect());
}
