//! The time-out of the response.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use keystone_client::backend::{BackendErrorKind, TransportSettings};

use super::{each, get};
use crate::support::tls;

const LIMIT: Duration = Duration::from_millis(400);

fn settings() -> TransportSettings {
    TransportSettings::default().with_response_timeout(LIMIT)
}

#[allow(clippy::disallowed_methods, reason = "a server takes its time")]
fn pause(milliseconds: u64) {
    thread::sleep(Duration::from_millis(milliseconds));
}

fn read_head(stream: &mut TcpStream) {
    assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
}

#[allow(clippy::disallowed_methods, reason = "measures a real wait")]
fn assert_timeout(port: u16) {
    each(&settings(), |name, send| {
        let started = Instant::now();
        let error = send(get(format!("http://127.0.0.1:{port}/"))).unwrap_err();
        let elapsed = started.elapsed();
        assert_eq!(error.kind(), BackendErrorKind::Timeout, "{name}: {error:?}");
        assert!(error.may_have_been_sent(), "{name}");
        assert!(elapsed >= LIMIT && elapsed < LIMIT * 6, "{name}: {elapsed:?}");
    });
}

#[test]
fn a_server_that_stays_silent() {
    assert_timeout(tls::listen(|mut stream| {
        read_head(&mut stream);
        pause(5_000);
    }));
}

#[test]
fn a_head_that_comes_drop_by_drop() {
    assert_timeout(tls::listen(|mut stream| {
        read_head(&mut stream);
        for byte in b"HTTP/1.1 200 OK\r\nX-Drops: many\r\nContent-Length: 0\r\n\r\n" {
            pause(100);
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
        }
    }));
}

#[test]
fn a_body_may_take_longer() {
    let port = tls::listen(|mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n").unwrap();
        for _ in 0..6 {
            stream.write_all(b"x").unwrap();
            pause(150);
        }
    });
    each(&settings(), |name, send| {
        let response = send(get(format!("http://127.0.0.1:{port}/"))).unwrap();
        assert_eq!(response.body(), "xxxxxx", "{name}");
    });
}
