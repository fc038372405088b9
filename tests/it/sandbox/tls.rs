//! The sandbox over HTTPS.

use keystone_client::ErrorKind;
use keystone_client::backend::{
    BackendError, IsahcBackend, ReqwestBackend, RootCertificates, TransportSettings, UreqBackend,
};
use keystone_client::resources::NewCluster;
use keystone_client::sandbox::{Dialect, Sandbox, SandboxServer};
use keystone_client::{KeystoneClient, blocking};

fn settings(server: &SandboxServer) -> TransportSettings {
    let certificate = server.certificate().unwrap().as_bytes();
    let trusted = RootCertificates::from_pem(certificate).unwrap();
    TransportSettings::default().with_root_certificates(trusted)
}

fn serve(dialect: Dialect) -> (Sandbox, SandboxServer) {
    let builder = Sandbox::builder().dialect(dialect).staff("admin", "admin-password");
    let sandbox = builder.secure_cookies(true).build();
    let server = sandbox.serve_tls().unwrap();
    assert!(server.url().starts_with("https://127.0.0.1:"));
    (sandbox, server)
}

fn try_blocking<B: blocking::HttpBackend>(
    make: impl Fn(&TransportSettings) -> Result<B, BackendError>,
) {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        let (sandbox, server) = serve(dialect);
        let backend = make(&settings(&server)).unwrap();
        let client = blocking::KeystoneClient::with_backend(&server.url(), backend).unwrap();
        client.login("admin", "admin-password").unwrap();
        // A write with a session needs a `Referer` that fits.
        client.create_cluster(NewCluster::new("atlas")).send().unwrap();
        client.logout().unwrap();
        let write = sandbox.requests_to(http::Method::POST, "/allocations/clusters/");
        assert_eq!(write[0].status().unwrap(), 201);
    }
}

#[test]
fn ureq() {
    try_blocking(UreqBackend::with_settings);
}

#[test]
fn isahc() {
    try_blocking(IsahcBackend::with_settings);
}

#[test]
fn reqwest_blocking() {
    try_blocking(blocking::ReqwestBackend::with_settings);
}

#[test]
fn reqwest() {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (_sandbox, server) = serve(Dialect::Session);
        let backend = ReqwestBackend::with_settings(&settings(&server)).unwrap();
        let client = KeystoneClient::with_backend(&server.url(), backend).unwrap();
        client.login("admin", "admin-password").await.unwrap();
        client.create_cluster(NewCluster::new("atlas")).await.unwrap();
    });
}

#[test]
fn who_does_not_trust_it_does_not_reach_it() {
    let (_sandbox, server) = serve(Dialect::Session);
    let client = blocking::KeystoneClient::builder(&server.url())
        .retry(keystone_client::RetryPolicy::never())
        .backend(UreqBackend::new().unwrap())
        .build()
        .unwrap();
    let error = client.login("admin", "admin-password").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    let plain = Sandbox::new().serve().unwrap();
    assert_eq!(plain.certificate(), None);
}

/// Over HTTPS the server asks browsers where a write comes from.
#[test]
fn a_write_without_referer_is_refused() {
    let (_sandbox, server) = serve(Dialect::Session);
    let backend = UreqBackend::with_settings(&settings(&server)).unwrap();
    let send = |headers: &[(&str, String)]| {
        let url = format!("{}/allocations/clusters/", server.url());
        let mut request = http::Request::post(url).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let body = bytes::Bytes::from(r#"{"name":"atlas"}"#);
        blocking::HttpBackend::execute(&backend, request.body(body).unwrap()).unwrap()
    };
    let login = http::Request::post(format!("{}/authentication/login/", server.url()))
        .header("content-type", "application/json")
        .body(r#"{"username":"admin","password":"admin-password"}"#.into());
    let login = blocking::HttpBackend::execute(&backend, login.unwrap()).unwrap();
    let [session, csrf] =
        ["sessionid", "csrftoken"].map(|it| super::client::cookie(&login, it).unwrap());
    let cookies = ("cookie", format!("sessionid={session}; csrftoken={csrf}"));
    let token = ("x-csrftoken", csrf);
    assert_eq!(send(&[cookies.clone(), token.clone()]).status(), 403);
    let referer = ("referer", format!("{}/", server.url()));
    assert_eq!(send(&[cookies, token, referer]).status(), 201);
}

/// Clients on OpenSSL take two certificates of one name for one that signs itself.
#[test]
fn the_authority_and_the_server_have_names_of_their_own() {
    use rustls::pki_types::pem::PemObject;
    let (_sandbox, server) = serve(Dialect::Session);
    let authority = server.certificate().unwrap();
    let der = rustls::pki_types::CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
    let name = b"Keystone sandbox authority";
    let times = der.windows(name.len()).filter(|bytes| *bytes == name).count();
    assert_eq!(times, 2, "as issuer and as subject");
}
