//! What several tests need.

pub(crate) mod callers;
pub(crate) mod stranger;
pub(crate) mod target;
pub(crate) mod tls;

use std::collections::BTreeSet;

use http::{HeaderValue, StatusCode, header};
use keystone_client::resource::{Create, Update};
use keystone_client::testing::{Exchange, Scripted};
use keystone_client::{
    Bulk, BulkReport, Call, Edit, Edited, Ensure, Ensured, Error, RetryPolicy, blocking,
};
use serde_json::{Value, json};

pub(crate) const BASE: &str = "https://keystone.test";

/// Lets the blocking half of [`both_colours`] send calls and pass results through alike.
pub(crate) trait Finish {
    type Output;
    fn finish(self) -> Self::Output;
}

impl<T> Finish for Call<T, blocking::KeystoneClient> {
    type Output = Result<T, Error>;
    fn finish(self) -> Self::Output {
        self.send()
    }
}

impl<T: 'static> Finish for Bulk<T, blocking::KeystoneClient> {
    type Output = BulkReport<T>;
    fn finish(self) -> Self::Output {
        self.send()
    }
}

impl<R: Update> Finish for Edit<R, blocking::KeystoneClient> {
    type Output = Result<Edited<R::Model>, Error>;
    fn finish(self) -> Self::Output {
        self.send()
    }
}

impl<R: Create + Update> Finish for Ensure<R, blocking::KeystoneClient> {
    type Output = Result<Ensured<R::Model>, Error>;
    fn finish(self) -> Self::Output {
        self.send()
    }
}

impl<T> Finish for Option<T> {
    type Output = Option<T>;
    fn finish(self) -> Self::Output {
        self
    }
}

impl<T, E> Finish for Result<T, E> {
    type Output = Result<T, E>;
    fn finish(self) -> Self::Output {
        self
    }
}

/// Makes two tests of one body: `asynchronous` and `blocking` in module `$name`.
///
/// In the body, `client!(backend)` is a client of that colour over a backend that serves both,
/// `client!(backend, |builder| …)` one with other settings, and `go!(call)` sends a call.
macro_rules! both_colours {
    ($($(#[$meta:meta])* fn $name:ident() $body:block)+) => {
        $(mod $name {
            #[allow(unused_imports, reason = "not every body needs everything")]
            use super::*;

            #[test]
            $(#[$meta])*
            fn asynchronous() {
                #[allow(unused_macros)]
                macro_rules! client {
                    ($backend:expr) => { client!($backend, |builder| builder) };
                    ($backend:expr, |$builder:ident| $settings:expr) => {{
                        let $builder =
                            keystone_client::KeystoneClient::builder($crate::support::BASE)
                                .retry($crate::support::retry())
                                .backend($backend);
                        $settings.build().unwrap()
                    }};
                }
                #[allow(unused_macros)]
                macro_rules! go {
                    ($call:expr) => { $call.await };
                }
                pollster::block_on(async { $body });
            }

            #[test]
            $(#[$meta])*
            fn blocking() {
                #[allow(unused_macros)]
                macro_rules! client {
                    ($backend:expr) => { client!($backend, |builder| builder) };
                    ($backend:expr, |$builder:ident| $settings:expr) => {{
                        let $builder = keystone_client::blocking::KeystoneClient::builder(
                            $crate::support::BASE,
                        )
                        .retry($crate::support::retry())
                        .backend($backend);
                        $settings.build().unwrap()
                    }};
                }
                #[allow(unused_macros)]
                macro_rules! go {
                    ($call:expr) => { $crate::support::Finish::finish($call) };
                }
                $body
            }
        })+
    };
}

/// Sends a call of the async client, for code that is generic over how.
macro_rules! awaited {
    ($call:expr) => {
        $call.await
    };
}

/// Sends a call of the blocking client, for code that is generic over how.
macro_rules! finished {
    ($call:expr) => {
        $crate::support::Finish::finish($call)
    };
}

pub(crate) use {awaited, both_colours, finished};

/// The default policy, with waits that tests can state.
pub(crate) fn retry() -> RetryPolicy {
    crate::watch::begin();
    RetryPolicy::default().without_jitter()
}

pub(crate) fn script(exchanges: impl IntoIterator<Item = Exchange>) -> Scripted {
    crate::watch::begin();
    Scripted::new(exchanges)
}

/// The endpoint is there, but takes POST only.
pub(crate) fn probe_present(path: &str) -> Exchange {
    let body = json!({ "detail": "Method \"GET\" not allowed." });
    Exchange::get(path).reply_json(StatusCode::METHOD_NOT_ALLOWED, &body)
}

/// The server has no such path.
pub(crate) fn probe_absent(path: &str) -> Exchange {
    Exchange::get(path)
        .reply(StatusCode::NOT_FOUND, "<html>Not Found</html>")
        .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
}

/// The exchanges of a login at a session server.
pub(crate) fn session_login() -> [Exchange; 2] {
    [
        probe_present("/authentication/login/"),
        Exchange::post("/authentication/login/")
            .with_json(json!({ "username": "ada", "password": "correct horse" }))
            .reply_json(StatusCode::OK, &json!({ "id": 1 }))
            .reply_header(
                header::SET_COOKIE,
                HeaderValue::from_static("csrftoken=CSRF1; Max-Age=31449600; Path=/"),
            )
            .reply_header(
                header::SET_COOKIE,
                HeaderValue::from_static("sessionid=SESSION1; HttpOnly; Max-Age=1209600; Path=/"),
            ),
    ]
}

/// A token with these claims, as servers hand them out.
pub(crate) fn token(claims: &Value) -> String {
    use base64::Engine;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims.to_string());
    format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{payload}.c2lnbmF0dXJl")
}

/// Seconds since the epoch, this many from now.
pub(crate) fn in_seconds(seconds: i64) -> i64 {
    jiff::Timestamp::now().as_second() + seconds
}

/// The exchanges of a login at a JWT server that hands out these tokens.
pub(crate) fn jwt_login(access: &str, refresh: &str) -> [Exchange; 3] {
    [
        probe_absent("/authentication/login/"),
        probe_present("/authentication/new/"),
        Exchange::post("/authentication/new/")
            .with_json(json!({ "username": "ada", "password": "correct horse" }))
            .reply_json(StatusCode::OK, &json!({ "access": access, "refresh": refresh })),
    ]
}

/// A cluster as a server of today sends it.
pub(crate) fn cluster(id: u64, name: &str) -> Value {
    json!({
        "id": id, "name": name, "description": null, "enabled": true, "access_mode": "OP",
        "access_teams": [], "_access_teams": [], "_history": []
    })
}

/// A place where JSON came out otherwise.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The path, without the numbers of list items.
    pub(crate) place: String,
    pub(crate) read: Value,
    pub(crate) written: Value,
}

/// Where two JSON values differ, field for field.
pub(crate) fn differences(read: &Value, written: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", read, written, &mut found);
    found
}

fn compare(place: &str, read: &Value, written: &Value, into: &mut Vec<Difference>) {
    match (read, written) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let of = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or_else(|| Value::from("<absent>"))
                };
                compare(&format!("{place}.{key}"), &of(left), &of(right), into);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (left, right) in left.iter().zip(right) {
                compare(&format!("{place}[]"), left, right, into);
            }
        }
        _ if read == written => {}
        _ => into.push(Difference {
            place: place.to_owned(),
            read: read.clone(),
            written: written.clone(),
        }),
    }
}
