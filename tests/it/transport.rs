//! Each setting of the transport, with each adapter: seen at a server, or refused with a sentence.

mod csrf;
mod encodings;
mod proxies;
mod times;
mod tls;

use std::error::Error as StdError;

use bytes::Bytes;
use keystone_client::backend::{
    BackendError, BackendErrorKind, HttpBackend, IsahcBackend, ReqwestBackend, TransportSettings,
    UreqBackend,
};
use keystone_client::blocking;

type Result<T = http::Response<Bytes>> = std::result::Result<T, BackendError>;
type Send = Box<dyn Fn(http::Request<Bytes>) -> Result>;

const NAMES: [&str; 5] = ["reqwest", "isahc", "blocking reqwest", "blocking isahc", "ureq"];

/// An adapter of each kind with these settings, or why there is none.
fn adapters(settings: &TransportSettings) -> Vec<(&'static str, Result<Send>)> {
    let reqwest = ReqwestBackend::with_settings(settings).map(|backend| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Box::new(move |request| runtime.block_on(backend.execute(request))) as Send
    });
    let isahc = IsahcBackend::with_settings(settings).map(|backend| {
        Box::new(move |request| pollster::block_on(HttpBackend::execute(&backend, request))) as Send
    });
    fn blocking<B: blocking::HttpBackend>(backend: Result<B>) -> Result<Send> {
        backend.map(|backend| Box::new(move |request| backend.execute(request)) as Send)
    }
    let all = [
        reqwest,
        isahc,
        blocking(blocking::ReqwestBackend::with_settings(settings)),
        blocking(IsahcBackend::with_settings(settings)),
        blocking(UreqBackend::with_settings(settings)),
    ];
    NAMES.into_iter().zip(all).collect()
}

/// What `act` comes to with each adapter; all have to take the settings.
fn each(settings: &TransportSettings, act: impl Fn(&'static str, &Send)) {
    for (name, adapter) in adapters(settings) {
        act(name, &adapter.unwrap_or_else(|error| panic!("{name}: {}", reason(&error))));
    }
}

fn get(url: impl AsRef<str>) -> http::Request<Bytes> {
    http::Request::get(url.as_ref()).body(Bytes::new()).unwrap()
}

/// The sentence with which an adapter refuses settings.
fn refusal<T>(name: &str, adapter: Result<T>) -> String {
    let error = adapter.err().unwrap_or_else(|| panic!("{name} took it"));
    assert_eq!(error.kind(), BackendErrorKind::Request, "{name}: {error:?}");
    assert!(!error.may_have_been_sent(), "{name}");
    reason(&error)
}

/// All that an error says.
fn reason(error: &BackendError) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}
