//! Bodies in gzip.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use keystone_client::backend::{BackendErrorKind, TransportSettings};

use super::{each, get};
use crate::support::tls;

const TEXT: &str = "{\"name\": \"borealis\"}";

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// The URL of a server that sends `body` as gzip to whom asks for it, and says what was asked.
fn server(body: Vec<u8>) -> String {
    let body = Bytes::from(body);
    let port = tls::serve(None, move |request| {
        let asked = request.headers().get(ACCEPT_ENCODING).cloned();
        let response = http::Response::builder().header("etag", "\"1\"");
        match asked {
            Some(asked) if asked == "gzip" => {
                let response = response.header(CONTENT_ENCODING, "gzip");
                let length = body.len();
                let body = if request.method() == "HEAD" { Bytes::new() } else { body.clone() };
                response.header(CONTENT_LENGTH, length).body(body).unwrap()
            }
            _ => response.body(TEXT.into()).unwrap(),
        }
    });
    format!("http://127.0.0.1:{port}/")
}

fn settings() -> TransportSettings {
    TransportSettings::default().with_gzip(true)
}

#[test]
fn bodies_are_decoded_and_the_headers_do_not_lie() {
    let url = server(gzip(TEXT.as_bytes()));
    each(&settings(), |name, send| {
        let response = send(get(&url)).unwrap();
        assert_eq!(response.body(), TEXT, "{name}");
        assert_eq!(response.headers().get(CONTENT_ENCODING), None, "{name}");
        assert_eq!(response.headers().get(CONTENT_LENGTH), None, "{name}");
        assert_eq!(response.headers()["etag"], "\"1\"", "{name}");
    });
    // Several members make one body.
    let url = server([gzip(b"{\"name\": "), gzip(b"\"borealis\"}")].concat());
    each(&settings(), |name, send| {
        assert_eq!(send(get(&url)).unwrap().body(), TEXT, "{name}");
    });
}

#[test]
fn without_the_setting_gzip_is_not_asked_for() {
    let url = server(gzip(TEXT.as_bytes()));
    each(&TransportSettings::default(), |name, send| {
        let response = send(get(&url)).unwrap();
        assert_eq!(response.body(), TEXT, "{name}");
        assert_eq!(response.headers()[CONTENT_LENGTH], "20", "{name}");
    });
}

#[test]
fn who_asks_for_gzip_gets_it_as_it_comes() {
    let body = gzip(TEXT.as_bytes());
    let url = server(body.clone());
    each(&settings(), |name, send| {
        let mut request = get(&url);
        request.headers_mut().insert(ACCEPT_ENCODING, "gzip".parse().unwrap());
        let response = send(request).unwrap();
        assert_eq!(response.body(), &body, "{name}");
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip", "{name}");
    });
}

#[test]
fn a_head_has_nothing_to_decode() {
    let url = server(gzip(TEXT.as_bytes()));
    each(&settings(), |name, send| {
        let response = send(http::Request::head(&url).body(Bytes::new()).unwrap());
        assert_eq!(response.unwrap().headers()[CONTENT_ENCODING], "gzip", "{name}");
    });
}

#[test]
fn a_bomb_is_too_large() {
    // 64 MiB of zeros in 64 KiB.
    let body = gzip(&vec![0; 64 << 20]);
    assert!(body.len() < 100_000);
    let url = server(body);
    each(&settings().with_max_response_bytes(1 << 20), |name, send| {
        let error = send(get(&url)).unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::TooLarge, "{name}: {error:?}");
    });
}

#[test]
fn the_limit_is_that_of_the_decoded_body() {
    let plain: Vec<u8> = (0..5_000).map(|_| fastrand::u8(..)).collect();
    let url = server(gzip(&plain));
    each(&settings().with_max_response_bytes(plain.len()), |name, send| {
        assert_eq!(send(get(&url)).unwrap().body(), &plain, "{name}");
    });
    each(&settings().with_max_response_bytes(plain.len() - 1), |name, send| {
        let error = send(get(&url)).unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::TooLarge, "{name}: {error:?}");
    });
}

#[test]
fn gzip_that_ends_early_or_is_none_is_an_error() {
    let body = gzip(TEXT.as_bytes());
    let mut wrong_sum = body.clone();
    wrong_sum[body.len() - 6] ^= 1;
    for body in [&body[..body.len() - 1], &body[..15], &body[..5], b"plain", &wrong_sum] {
        let url = server(body.to_vec());
        each(&settings(), |name, send| {
            let error = send(get(&url)).expect_err(name);
            assert_eq!(error.kind(), BackendErrorKind::Protocol, "{name}: {error:?}");
            assert!(error.may_have_been_sent(), "{name}");
        });
    }
}
