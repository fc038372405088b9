//! The sandbox behind a socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use keystone_client::sandbox::{Sandbox, SandboxServer};

fn connect(server: &SandboxServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

pub(super) fn exchange(server: &SandboxServer, request: &str) -> String {
    let mut stream = connect(server);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn version(server: &SandboxServer) -> String {
    exchange(server, "GET /version/ HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n")
}

#[test]
fn answers_over_a_socket() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve().unwrap();
    let answer = version(&server);
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with("0.10.9"), "{answer}");
    assert_eq!(sandbox.requests().len(), 1);
    let taken = server.address().port();
    assert!(sandbox.serve_on(taken).is_err());
}

#[test]
fn a_chunked_body_is_read_as_empty() {
    let sandbox = Sandbox::builder().staff("admin", "p").api_token("admin", "t").build();
    let server = sandbox.serve().unwrap();
    let answer = exchange(
        &server,
        "POST /users/teams/ HTTP/1.1\r\nHost: k\r\nAuthorization: Token t\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
         e\r\n{\"name\":\"Abc\"}\r\n0\r\n\r\n",
    );
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.ends_with("{\"name\":[\"This field is required.\"]}"), "{answer}");
}

#[test]
fn head_announces_the_length_and_sends_nothing() {
    let server = Sandbox::new().serve().unwrap();
    let answer =
        exchange(&server, "HEAD /version/ HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n");
    assert!(answer.to_lowercase().contains("content-length: 6\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[test]
fn bad_clients_do_no_harm() {
    let server = Sandbox::new().serve().unwrap();
    let _slow = {
        let mut stream = connect(&server);
        stream.write_all(b"POST /users/teams/ HTTP/1.1\r\nContent-Length: 100\r\n\r\n{").unwrap();
        stream
    };
    let _silent = connect(&server);
    drop(connect(&server));
    let refused = exchange(&server, "nonsense\r\n\r\n");
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 400"), "{refused}");
    assert!(version(&server).starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn idle_connections_are_closed_after_five_seconds() {
    let server = Sandbox::new().serve().unwrap();
    let mut stream = connect(&server);
    stream.write_all(b"GET /version/ HTTP/1.1\r\nHost: k\r\n\r\n").unwrap();
    #[allow(clippy::disallowed_methods, reason = "the test measures real time")]
    let start = Instant::now();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let waited = start.elapsed();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!((4..8).contains(&waited.as_secs()), "{waited:?}");
}

#[test]
fn dropping_the_server_closes_it_at_once() {
    let sandbox = Sandbox::new();
    let server = sandbox.serve().unwrap();
    let address = server.address();
    let _open = connect(&server);
    let url = server.url();
    assert!(version(&server).ends_with("0.10.9"));
    #[allow(clippy::disallowed_methods, reason = "the test measures real time")]
    let start = Instant::now();
    drop(server);
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(TcpStream::connect(address).is_err(), "{url}");
}
