//! Backends of a program's own: one that sends requests with hyper, and one that stands before any
//! other, notes what goes through, and adds a header.
//!
//! ```text
//! cargo run --features sandbox-server --example custom_backend
//! cargo run --features sandbox-server --example custom_backend -- --conformance
//! ```
//!
//! The second command runs the suite that each adapter of this crate passes; `docs/backends.md` has the
//! contract behind it.

use std::env;
use std::error::Error as StdError;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use clap::Parser;
use comfy_table::{Table, presets};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper_util::client::legacy::{self, Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use keystone_client::KeystoneClient;
use keystone_client::backend::{
    BackendError, BackendErrorKind, HttpBackend, Now, RequestTimeout, TransportSettings,
};
use keystone_client::credentials::{CredentialChain, Credentials, Environment};
use keystone_client::http::{HeaderValue, Method, Request, Response, header};
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::testing::conformance;

/// Fetches a few lists through a backend of its own, and prints what went through it.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD; without
/// KEYSTONE_URL to a made-up centre behind a socket. This backend speaks http only.
#[derive(Parser)]
struct Options {
    /// Check the backend by the contract instead.
    #[arg(long)]
    conformance: bool,

    /// Say how long each exchange took.
    #[arg(long)]
    times: bool,
}

/// Sends requests with hyper, without TLS.
#[derive(Clone)]
struct HyperBackend {
    client: Client<HttpConnector, Full<Bytes>>,
    settings: TransportSettings,
}

impl HyperBackend {
    fn with_settings(settings: &TransportSettings) -> Result<Self, BackendError> {
        // Of the settings that are off by default it can do none.
        let known = TransportSettings::default()
            .with_timeout(settings.timeout)
            .with_connect_timeout(settings.connect_timeout)
            .with_idle_timeout(settings.idle_timeout)
            .with_max_response_bytes(settings.max_response_bytes);
        if *settings != known {
            return Err(refused(
                "it knows no proxies, certificates, HTTP/2, gzip or response time-outs",
            ));
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(settings.connect_timeout));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            // A write could be carried out twice.
            .retry_canceled_requests(false)
            .build(connector);
        Ok(Self { client, settings: settings.clone() })
    }

    async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        let response = self.client.request(request.map(Full::new)).await.map_err(failed)?;
        let (head, mut body) = response.into_parts();
        let limit = self.settings.max_response_bytes;
        let too_large =
            || BackendError::new(BackendErrorKind::TooLarge, format!("over {limit} bytes"));
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| BackendError::new(kind_of(&error), error))?;
            // What is no data are trailers.
            let data = frame.into_data().unwrap_or_default();
            if bytes.len() + data.len() > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Response::from_parts(head, bytes.freeze()))
    }
}

impl HttpBackend for HyperBackend {
    async fn execute(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(refused("it needs a Tokio runtime"));
        }
        check(&request)?;
        if [Method::POST, Method::PUT, Method::PATCH].contains(request.method()) {
            // hyper says nothing of an empty body.
            let length = HeaderValue::from(request.body().len());
            request.headers_mut().insert(header::CONTENT_LENGTH, length);
        }
        let timeout = RequestTimeout::of(&request).unwrap_or(self.settings.timeout);
        match tokio::time::timeout(timeout, self.exchange(request)).await {
            Ok(outcome) => outcome,
            Err(elapsed) => Err(BackendError::new(BackendErrorKind::Timeout, elapsed)),
        }
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Refuses what hyper would send otherwise than it was meant.
fn check(request: &Request<Bytes>) -> Result<(), BackendError> {
    let (uri, headers, body) = (request.uri(), request.headers(), request.body());
    let length = headers.get(header::CONTENT_LENGTH).map(|length| length.to_str().unwrap_or("?"));
    let problem = if uri.scheme_str() != Some("http") {
        "this backend speaks http only"
    } else if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        "the URL carries credentials"
    } else if request.method() == Method::CONNECT {
        "CONNECT is not an exchange"
    } else if request.method() == Method::HEAD && !body.is_empty() {
        "a HEAD request has no body"
    } else if length.is_some_and(|length| length != body.len().to_string()) {
        "the length is not that of the body"
    } else if headers.contains_key(header::TRANSFER_ENCODING)
        || headers.contains_key(header::EXPECT)
    {
        "hyper frames the body itself"
    } else {
        return Ok(());
    };
    Err(refused(problem))
}

fn refused(reason: &'static str) -> BackendError {
    BackendError::new(BackendErrorKind::Request, reason)
}

fn failed(error: legacy::Error) -> BackendError {
    let kind = if error.is_connect() { BackendErrorKind::Connect } else { kind_of(&error) };
    BackendError::new(kind, error)
}

/// What has happened to a connection that was there.
fn kind_of(error: &(dyn StdError + 'static)) -> BackendErrorKind {
    match anyhow::Chain::new(error).find_map(|cause| cause.downcast_ref::<hyper::Error>()) {
        Some(error) if error.is_parse() => BackendErrorKind::Protocol,
        Some(error) if error.is_user() => BackendErrorKind::Request,
        _ => BackendErrorKind::Closed,
    }
}

/// Notes what goes through another backend, and says on whose behalf.
#[derive(Clone)]
struct Observed<B> {
    inner: B,
    seen: Arc<Mutex<Vec<Exchange>>>,
}

struct Exchange {
    request: String,
    outcome: String,
    took: Duration,
}

impl<B: HttpBackend> HttpBackend for Observed<B> {
    async fn execute(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        let program = HeaderValue::from_static(env!("CARGO_CRATE_NAME"));
        request.headers_mut().insert("x-site-program", program);
        // The query may name people.
        let name = format!("{} {}", request.method(), request.uri().path());
        let begin = self.now().monotonic;
        let outcome = self.inner.execute(request).await;
        let exchange = Exchange {
            request: name,
            outcome: match &outcome {
                Ok(response) => response.status().to_string(),
                Err(error) => error.to_string(),
            },
            took: self.now().monotonic - begin,
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        outcome
    }

    async fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration).await;
    }

    // The clock is that of the other backend, which may be a virtual one.
    fn now(&self) -> Now {
        self.inner.now()
    }
}

// hyper hands connections back by a task, which on another thread may come too late for the next request.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    if options.conformance {
        let report = conformance::run(HyperBackend::with_settings).await;
        println!("{report}");
        return Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }

    let centre = Sandbox::builder()
        .staff("admin", "admin-password")
        .population(Population::new(1).users(60))
        .build()
        .serve()?;
    let (url, credentials) = match env::var("KEYSTONE_URL") {
        Ok(url) => (url, CredentialChain::new().then(Environment::new())),
        Err(_) => {
            (centre.url(), CredentialChain::new().then(Credentials::new("admin", "admin-password")))
        }
    };
    let hyper = HyperBackend::with_settings(&TransportSettings::default())?;
    let backend = Observed { inner: hyper, seen: Arc::default() };
    let client =
        KeystoneClient::builder(&url).credentials(credentials).backend(backend.clone()).build()?;

    let clusters = client.clusters().list().all().await?;
    let users = client.users().list().page_size(20).all().await?;
    client.logout().await?;
    println!("{} clusters, {} users\n", clusters.len(), users.len());

    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["REQUEST", "OUTCOME"]);
    for exchange in backend.seen.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let mut row = vec![exchange.request.clone(), exchange.outcome.clone()];
        if options.times {
            row.push(format!("{:.1?}", exchange.took));
        }
        table.add_row(row);
    }
    println!("{}", table.trim_fmt());
    Ok(ExitCode::SUCCESS)
}
