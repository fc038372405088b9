//! Root certificates, client identities and HTTP/2.

use std::sync::Arc;
use std::thread;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keystone_client::backend::{BackendErrorKind, Identity, RootCertificates, TransportSettings};

use super::{adapters, each, get, reason, refusal};
use crate::support::tls::{Authority, serve};

fn trusting(authority: &Authority) -> TransportSettings {
    let pem = authority.pem();
    TransportSettings::default()
        .with_root_certificates(RootCertificates::from_pem(pem.as_bytes()).unwrap())
}

fn hello(tls: rustls::ServerConfig) -> String {
    format!("https://localhost:{}/", serve(Some(tls), |_| http::Response::new("hello".into())))
}

#[test]
fn a_server_of_an_unknown_authority_needs_its_certificate() {
    let (authority, other) = (Authority::new(), Authority::new());
    let url = hello(authority.server(None));
    for settings in [TransportSettings::default(), trusting(&other)] {
        each(&settings, |name, send| {
            let error = send(get(&url)).unwrap_err();
            assert_eq!(error.kind(), BackendErrorKind::Connect, "{name}: {error:?}");
            assert!(!error.may_have_been_sent(), "{name}");
        });
    }
    let both = RootCertificates::from_pem(other.pem().as_bytes()).unwrap();
    let both = both.and_pem(format!("Ours:\n{}", authority.pem()).as_bytes()).unwrap();
    assert_eq!(both.len(), 2);
    for settings in
        [trusting(&authority), TransportSettings::default().with_root_certificates(both)]
    {
        each(&settings, |name, send| {
            assert_eq!(send(get(&url)).unwrap().body(), "hello", "{name}");
        });
    }
}

#[test]
fn what_is_no_certificate_is_refused() {
    for pem in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
        RootCertificates::from_pem(pem.as_bytes()).unwrap_err();
    }
    let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let settings = TransportSettings::default()
        .with_root_certificates(RootCertificates::from_pem(pem.as_bytes()).unwrap());
    for (name, adapter) in adapters(&settings) {
        // Some find out when they set up TLS.
        let said = refusal(name, adapter);
        assert!(!said.is_empty(), "{name}");
    }
}

#[test]
fn a_server_that_asks_who_the_client_is() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let url = hello(authority.server(Some(&clients)));
    each(&trusting(&authority), |name, send| {
        send(get(&url)).expect_err(name);
    });
    let (certificate, key) = clients.issue();
    // One file for both, with the key first.
    let file = format!("{key}{certificate}");
    for (certificate, key) in [(&certificate, &key), (&file, &file)] {
        let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
        for (name, adapter) in adapters(&trusting(&authority).with_identity(identity)) {
            if name.contains("isahc") {
                let said = refusal(name, adapter);
                assert!(said.contains("`identity`") && said.contains("isahc"), "{said}");
                continue;
            }
            let send = adapter.unwrap_or_else(|error| panic!("{name}: {}", reason(&error)));
            assert_eq!(send(get(&url)).unwrap().body(), "hello", "{name}");
        }
    }
    let (stranger, key) = Authority::new().issue();
    let identity = Identity::from_pem(stranger.as_bytes(), key.as_bytes()).unwrap();
    for (name, adapter) in adapters(&trusting(&authority).with_identity(identity)) {
        if let Ok(send) = adapter {
            send(get(&url)).expect_err(name);
        }
    }
}

#[test]
fn a_key_that_does_not_fit_is_refused_and_never_shown() {
    let authority = Authority::new();
    let ((certificate, _), (_, key)) = (authority.issue(), authority.issue());
    Identity::from_pem(key.as_bytes(), key.as_bytes()).unwrap_err();
    let error = Identity::from_pem(certificate.as_bytes(), certificate.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("private key"), "{error}");

    let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let settings = TransportSettings::default().with_identity(identity);
    let mut said = vec![format!("{settings:?}")];
    for (name, adapter) in adapters(&settings) {
        said.push(refusal(name, adapter));
    }
    let secret = key.lines().nth(1).unwrap();
    assert!(!said.iter().any(|said| said.contains(secret)), "{said:?}");
}

/// The URL of a server that says in which version and with how long a body it was asked.
fn versions(mut tls: rustls::ServerConfig) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let (stream, service) = (TokioIo::new(stream), service_fn(say_version));
                    if is_h2 {
                        let builder =
                            hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                        let _ = builder.serve_connection(stream, service).await;
                    } else {
                        let builder = hyper::server::conn::http1::Builder::new();
                        let _ = builder.serve_connection(stream, service).await;
                    }
                });
            }
        });
    });
    format!("https://localhost:{port}/")
}

async fn say_version(
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    let (version, method) = (request.version(), request.method().clone());
    let length = request.into_body().collect().await?.to_bytes().len();
    if method == "DELETE" {
        return Ok(http::Response::new(Full::default()));
    }
    Ok(http::Response::new(Full::from(format!("{version:?} {length}"))))
}

#[test]
fn http2_is_spoken_where_it_is_allowed() {
    let authority = Authority::new();
    let url = versions(authority.server(None));
    each(&trusting(&authority), |name, send| {
        let response = send(get(&url)).unwrap();
        assert_eq!(response.body(), "HTTP/1.1 0", "{name}");
    });
    for (name, adapter) in adapters(&trusting(&authority).with_http2(true)) {
        if name == "ureq" {
            let said = refusal(name, adapter);
            assert!(said.contains("ureq speaks HTTP/1.1 only: leave `http2` off"), "{said}");
            continue;
        }
        let send = adapter.unwrap_or_else(|error| panic!("{name}: {}", reason(&error)));
        for _ in 0..2 {
            let response = send(get(&url)).unwrap();
            assert_eq!(response.body(), "HTTP/2.0 0", "{name}");
            assert_eq!(response.version(), http::Version::HTTP_2, "{name}");
        }
        let body = Bytes::from(vec![b'x'; 300_000]);
        let response = send(http::Request::post(&url).body(body).unwrap()).unwrap();
        assert_eq!(response.body(), "HTTP/2.0 300000", "{name}");
        let empty = http::Request::post(&url).body(Bytes::new()).unwrap();
        assert_eq!(send(empty).unwrap().body(), "HTTP/2.0 0", "{name}");
        let delete = http::Request::delete(&url).body(Bytes::new()).unwrap();
        assert_eq!(send(delete).unwrap().body(), "", "{name}");
    }
}
