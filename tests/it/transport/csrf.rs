//! Writes over HTTPS, where the server wants to see by the `Referer` who sends them.

use std::time::Duration;

use bytes::Bytes;
use http::header::REFERER;
use keystone_client::backend::{
    BackendError, HttpBackend, IsahcBackend, ReqwestBackend, RootCertificates, TransportSettings,
    UreqBackend,
};
use keystone_client::blocking::KeystoneClient as BlockingClient;
use keystone_client::resources::NewCluster;
use keystone_client::sandbox::Sandbox;
use keystone_client::{Dialect, ErrorKind, KeystoneClient, blocking};

use crate::support::tls::{Authority, serve};
use crate::support::{awaited, finished};

/// Keeps the `Referer` to itself.
struct Discreet<B>(B);

impl<B: HttpBackend> HttpBackend for Discreet<B> {
    async fn execute(
        &self,
        mut request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        request.headers_mut().remove(REFERER);
        self.0.execute(request).await
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

/// The same for the other colour.
struct DiscreetBlocking<B>(B);

impl<B: blocking::HttpBackend> blocking::HttpBackend for DiscreetBlocking<B> {
    fn execute(
        &self,
        mut request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        request.headers_mut().remove(REFERER);
        self.0.execute(request)
    }

    fn sleep(&self, duration: Duration) {
        self.0.sleep(duration);
    }
}

/// A Keystone behind TLS, its URL, and settings with which it is trusted.
fn keystone() -> (String, TransportSettings) {
    let authority = Authority::new();
    let sandbox = Sandbox::builder()
        .staff("ada", "ada-password")
        .https(true)
        .secure_cookies(true)
        .allowed_host("localhost")
        .build();
    let port = serve(Some(authority.server(None)), move |request| sandbox.handle(request));
    let certificates = RootCertificates::from_pem(authority.pem().as_bytes()).unwrap();
    let settings = TransportSettings::default().with_root_certificates(certificates);
    (format!("https://localhost:{port}"), settings)
}

/// Creates, changes and deletes a cluster, through `$backend` and in vain without the `Referer`.
macro_rules! writes {
    ($client:ident, $url:expr, $go:ident, $backend:expr, $discreet:ident) => {{
        let builder = || $client::builder(&$url).dialect(Dialect::Session);
        let client = builder().backend($backend).build().unwrap();
        $go!(client.login("ada", "ada-password")).unwrap();
        let cluster = $go!(client.create_cluster(NewCluster::new("borealis"))).unwrap();
        let change = client.update_cluster(cluster.id, |c| [c.description.set("changed")]);
        assert_eq!($go!(change).unwrap().description.as_deref(), Some("changed"));
        $go!(client.delete_cluster(cluster.id)).unwrap();
        let gone = $go!(client.retrieve_cluster(cluster.id).optional()).unwrap();
        assert_eq!(gone, None);

        let client = builder().backend($discreet($backend)).build().unwrap();
        $go!(client.login("ada", "ada-password")).unwrap();
        let create = client.create_cluster(NewCluster::new("borealis"));
        let error = $go!(create).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CsrfRejected, "{error:?}");
        assert!($go!(client.retrieve_clusters().all()).unwrap().is_empty());
    }};
}

#[tokio::test(flavor = "multi_thread")]
async fn reqwest() {
    let (url, settings) = keystone();
    let backend = ReqwestBackend::with_settings(&settings).unwrap();
    writes!(KeystoneClient, url, awaited, backend.clone(), Discreet);
}

#[test]
fn isahc() {
    let (url, settings) = keystone();
    let backend = IsahcBackend::with_settings(&settings).unwrap();
    pollster::block_on(async {
        writes!(KeystoneClient, url, awaited, backend.clone(), Discreet);
    });
}

#[test]
fn isahc_blocking() {
    let (url, settings) = keystone();
    let backend = IsahcBackend::with_settings(&settings).unwrap();
    writes!(BlockingClient, url, finished, backend.clone(), DiscreetBlocking);
}

#[test]
fn reqwest_blocking() {
    let (url, settings) = keystone();
    let backend = blocking::ReqwestBackend::with_settings(&settings).unwrap();
    writes!(BlockingClient, url, finished, backend.clone(), DiscreetBlocking);
}

#[test]
fn ureq_blocking() {
    let (url, settings) = keystone();
    let backend = UreqBackend::with_settings(&settings).unwrap();
    writes!(BlockingClient, url, finished, backend.clone(), DiscreetBlocking);
}
