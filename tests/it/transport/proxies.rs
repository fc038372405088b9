//! Proxies, and hosts that are reached without one.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::thread;

use keystone_client::backend::{BackendErrorKind, Proxy, RootCertificates, TransportSettings};

use super::{each, get, reason};
use crate::support::tls;

/// A proxy that notes what it is asked for, with the credentials, and refuses those of `eve`.
struct Recorder {
    port: u16,
    seen: Arc<Mutex<Vec<(String, Option<String>)>>>,
}

impl Recorder {
    fn start() -> Self {
        let seen = Arc::<Mutex<Vec<_>>>::default();
        let record = seen.clone();
        let port = tls::listen(move |stream| {
            let mut reader = BufReader::new(stream);
            while let Some(request) = tls::read_request(&mut reader) {
                let credentials = request.headers().get("proxy-authorization");
                let credentials = credentials.map(|value| value.to_str().unwrap().to_owned());
                let line = format!("{} {}", request.method(), request.uri());
                record.lock().unwrap().push((line, credentials.clone()));
                let mut stream = reader.get_ref();
                // `eve:secret`.
                if credentials.as_deref() == Some("Basic ZXZlOnNlY3JldA==") {
                    let refused =
                        b"HTTP/1.1 407 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                    return stream.write_all(refused).unwrap();
                }
                if request.method() == "CONNECT" {
                    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
                    let target = TcpStream::connect(request.uri().to_string()).unwrap();
                    return join(stream.try_clone().unwrap(), target);
                }
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nproxied").unwrap();
            }
        });
        Self { port, seen }
    }

    fn url(&self, user_info: &str) -> Proxy {
        Proxy::new(&format!("http://{user_info}127.0.0.1:{}", self.port)).unwrap()
    }

    fn take(&self) -> Vec<(String, Option<String>)> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// Copies both ways until both are at their end.
fn join(client: TcpStream, target: TcpStream) {
    let (mut client_reader, mut target_writer) = (client.try_clone().unwrap(), target.try_clone());
    thread::spawn(move || io::copy(&mut client_reader, target_writer.as_mut().unwrap()));
    let (mut client, mut target) = (client, target);
    let _ = io::copy(&mut target, &mut client);
    let _ = client.shutdown(std::net::Shutdown::Both);
}

fn plain_server() -> u16 {
    tls::serve(None, |request| {
        assert!(!request.headers().contains_key("proxy-authorization"));
        http::Response::new("direct".into())
    })
}

#[test]
fn plain_requests_go_to_the_proxy_with_their_whole_url() {
    let (recorder, port) = (Recorder::start(), plain_server());
    let url = format!("http://127.0.0.1:{port}/path?query");
    let settings = TransportSettings::default().with_proxy(recorder.url("ada:se%63ret@"));
    each(&settings, |name, send| {
        let response = send(get(&url)).unwrap();
        // `ada:secret`.
        let credentials = Some("Basic YWRhOnNlY3JldA==".to_owned());
        let (line, body) = match name {
            "ureq" => (format!("CONNECT 127.0.0.1:{port}"), "direct"),
            _ => (format!("GET {url}"), "proxied"),
        };
        assert_eq!(recorder.take(), [(line, credentials)], "{name}");
        assert_eq!(response.body(), body, "{name}");
    });
}

#[test]
fn https_goes_through_a_tunnel() {
    let authority = tls::Authority::new();
    let port = tls::serve(Some(authority.server(None)), |request| {
        assert!(!request.headers().contains_key("proxy-authorization"));
        http::Response::new("secure".into())
    });
    let recorder = Recorder::start();
    let settings = TransportSettings::default()
        .with_root_certificates(RootCertificates::from_pem(authority.pem().as_bytes()).unwrap());
    for (user_info, credentials) in [("", None), ("ada:secret@", Some("Basic YWRhOnNlY3JldA=="))] {
        each(&settings.clone().with_proxy(recorder.url(user_info)), |name, send| {
            let response = send(get(format!("https://localhost:{port}/"))).unwrap();
            assert_eq!(response.body(), "secure", "{name}");
            let expected = (format!("CONNECT localhost:{port}"), credentials.map(str::to_owned));
            assert_eq!(recorder.take(), [expected], "{name}");
        });
    }
}

#[test]
fn exceptions_are_reached_directly() {
    let (recorder, port) = (Recorder::start(), plain_server());
    for list in ["127.0.0.0/8", "127.0.0.1", "*", &format!("x, 127.0.0.1:{port}")] {
        let proxy = recorder.url("ada:secret@").with_no_proxy(list).unwrap();
        each(&TransportSettings::default().with_proxy(proxy), |name, send| {
            let response = send(get(format!("http://127.0.0.1:{port}/"))).unwrap();
            assert_eq!(response.body(), "direct", "{name} {list}");
            assert_eq!(recorder.take(), [], "{name} {list}");
        });
    }
    let proxy = recorder.url("").with_no_proxy("localhost").unwrap();
    each(&TransportSettings::default().with_proxy(proxy), |name, send| {
        send(get(format!("http://127.0.0.1:{port}/"))).unwrap();
        assert_eq!(recorder.take().len(), 1, "{name}");
    });
}

#[test]
fn a_proxy_for_one_scheme_is_not_for_the_other() {
    let (recorder, port) = (Recorder::start(), plain_server());
    let variable =
        |name: &str| (name == "https_proxy").then(|| format!("http://127.0.0.1:{}", recorder.port));
    let proxy = Proxy::from_variables(variable).unwrap();
    each(&TransportSettings::default().with_proxy(proxy), |name, send| {
        let response = send(get(format!("http://127.0.0.1:{port}/"))).unwrap();
        assert_eq!(response.body(), "direct", "{name}");
        assert_eq!(recorder.take(), [], "{name}");
    });
}

#[test]
fn a_proxy_that_refuses_or_is_not_there_is_no_connection() {
    let recorder = Recorder::start();
    let nobody = Proxy::new("http://eve:secret@127.0.0.1:9").unwrap();
    for (proxy, scheme) in [(recorder.url("eve:secret@"), "https"), (nobody, "http")] {
        let settings = TransportSettings::default().with_proxy(proxy);
        assert!(!format!("{settings:?}").contains("secret"));
        each(&settings, |name, send| {
            let error = send(get(format!("{scheme}://localhost:1/"))).unwrap_err();
            let said = format!("{} {error:?}", reason(&error));
            assert_eq!(error.kind(), BackendErrorKind::Connect, "{name}: {said}");
            assert!(!error.may_have_been_sent(), "{name}");
            let asked = recorder.take().len();
            assert_eq!(asked, usize::from(scheme == "https"), "{name}");
            for secret in ["eve", "secret", "ZXZlOnNlY3JldA"] {
                assert!(!said.contains(secret), "{name}: {said}");
            }
        });
    }
}
