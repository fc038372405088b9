//! What a check is made of: its context, its findings, and the words to judge with.

use std::error::Error as StdError;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::caller::Caller;
use super::server::{Received, Server, Step};
use crate::backend::{
    BackendError, BackendErrorKind, BoxFuture, ExecuteResult, RequestTimeout, TransportSettings,
};

/// How much later than its time-out an exchange may end, on a busy machine.
pub(super) const GRACE: Duration = Duration::from_millis(1500);

pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) clause: &'static str,
    pub(super) run: fn(Context) -> BoxFuture<'static, Result<(), Finding>>,
}

/// Lists async functions as [`Check`]s, named after the function.
macro_rules! checks {
    ($($check:ident: $clause:literal,)+) => {
        pub(super) fn checks() -> Vec<$crate::testing::conformance::check::Check> {
            vec![$($crate::testing::conformance::check::Check {
                name: stringify!($check),
                clause: $clause,
                run: |context| Box::pin($check(context)),
            }),+]
        }
    };
}
pub(super) use checks;

/// Why a check did not pass.
#[derive(Debug)]
pub(super) enum Finding {
    Failed { expected: String, seen: String },
    Skipped { reason: String },
}

impl Finding {
    pub(super) fn failed(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self::Failed { expected: expected.into(), seen: seen.into() }
    }

    pub(super) fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped { reason: reason.into() }
    }
}

type Make = dyn Fn(&TransportSettings) -> Result<Arc<dyn Caller>, BackendError> + Send + Sync;

/// Makes backends and servers for a check.
#[derive(Clone)]
pub(super) struct Context {
    make: Arc<Make>,
}

impl Context {
    pub(super) fn new(make: Arc<Make>) -> Self {
        Self { make }
    }

    /// A backend with time-outs that a check on the loopback interface never needs.
    pub(super) fn backend(&self) -> Result<Arc<dyn Caller>, Finding> {
        self.backend_with(&TransportSettings::default().with_timeout(Duration::from_secs(10)))
    }

    pub(super) fn backend_with(
        &self,
        settings: &TransportSettings,
    ) -> Result<Arc<dyn Caller>, Finding> {
        (self.make)(settings).map_err(|error| Finding::failed("a backend", describe_error(&error)))
    }

    pub(super) fn server(
        &self,
        answer: impl Fn(&Received) -> Vec<Step> + Send + Sync + 'static,
    ) -> Result<Server, Finding> {
        Server::start(answer)
            .map_err(|error| Finding::skipped(format!("no server on the loopback: {error}")))
    }
}

pub(super) fn request(
    method: Method,
    url: &str,
    headers: &[(&str, &[u8])],
    body: impl Into<Bytes>,
) -> Result<http::Request<Bytes>, Finding> {
    let mut builder = http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).map_err(|error| Finding::failed("a request", error.to_string()))
}

pub(super) fn get(url: &str) -> Result<http::Request<Bytes>, Finding> {
    request(Method::GET, url, &[], Bytes::new())
}

pub(super) fn with_timeout(
    mut request: http::Request<Bytes>,
    timeout: Duration,
) -> http::Request<Bytes> {
    request.extensions_mut().insert(RequestTimeout(timeout));
    request
}

pub(super) fn ensure(
    holds: bool,
    expected: impl Into<String>,
    seen: impl FnOnce() -> String,
) -> Result<(), Finding> {
    if holds { Ok(()) } else { Err(Finding::failed(expected, seen())) }
}

/// The response, which must have this status.
pub(super) fn expect_status(
    result: ExecuteResult,
    status: u16,
    what: &str,
) -> Result<http::Response<Bytes>, Finding> {
    match result {
        Ok(response) if response.status().as_u16() == status => Ok(response),
        other => Err(Finding::failed(format!("Ok {status} for {what}"), describe(&other))),
    }
}

/// A response with this status and this body.
pub(super) fn expect_body(
    result: ExecuteResult,
    status: u16,
    body: &[u8],
    what: &str,
) -> Result<http::Response<Bytes>, Finding> {
    let response = expect_status(result, status, what)?;
    let seen = response.body();
    ensure(seen.as_ref() == body, format!("{what}: the body {}", describe_bytes(body)), || {
        describe_bytes(seen)
    })?;
    Ok(response)
}

/// An error of one of these kinds; `sent` is what it must say about the request, if that matters.
pub(super) fn expect_error(
    result: ExecuteResult,
    kinds: &[BackendErrorKind],
    sent: Option<bool>,
    what: &str,
) -> Result<(), Finding> {
    let fits = result.as_ref().is_err_and(|error| {
        kinds.contains(&error.kind()) && sent.is_none_or(|sent| sent == error.may_have_been_sent())
    });
    let said = match sent {
        Some(true) => ", maybe sent",
        Some(false) => ", not sent",
        None => "",
    };
    ensure(fits, format!("an error {kinds:?}{said} for {what}"), || describe(&result))
}

pub(super) fn describe(result: &ExecuteResult) -> String {
    match result {
        Ok(response) => {
            format!("Ok {} with {}", response.status(), describe_bytes(response.body()))
        }
        Err(error) => describe_error(error),
    }
}

fn describe_error(error: &BackendError) -> String {
    let sent = if error.may_have_been_sent() { "maybe sent" } else { "not sent" };
    let mut text = format!("error {:?}, {sent}: {error}", error.kind());
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

pub(super) fn describe_bytes(bytes: &[u8]) -> String {
    let head = bytes.get(..60).unwrap_or(bytes).escape_ascii();
    let more = if bytes.len() > 60 { "…" } else { "" };
    format!("{} bytes \"{head}{more}\"", bytes.len())
}
