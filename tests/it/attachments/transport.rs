//! Multipart bodies over every adapter and real sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use keystone_client::backend::{HttpBackend, IsahcBackend, ReqwestBackend, UreqBackend};
use keystone_client::body::{Body, Multipart};
use keystone_client::upload::Upload;
use keystone_client::{KeystoneClient, blocking};

use super::form::parts;

/// A request as it came: its head, and what followed it.
type Raw = (String, Vec<u8>);

/// The URL of a server that takes one request a connection, byte for byte, and what comes to it.
fn server() -> (String, Receiver<Raw>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let raw = receive(&mut stream);
            let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
            stream.write_all(reply).unwrap();
            if sender.send(raw).is_err() {
                break;
            }
        }
    });
    (url, receiver)
}

fn receive(stream: &mut TcpStream) -> Raw {
    let mut bytes = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        assert_ne!(count, 0, "the connection ended within a request");
        bytes.extend_from_slice(&buffer[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.expect("a Content-Length").parse().unwrap();
        if bytes.len() >= end + 4 + length {
            return (head, bytes[end + 4..].to_vec());
        }
    }
}

/// Every byte, line ends of all kinds, what looks like a boundary, and more than one megabyte, above
/// which libcurl asks before it sends.
fn form() -> Multipart {
    let every: Vec<u8> = (0..=255).cycle().take(2_600_000).collect();
    Multipart::new()
        .text("request", "7")
        .text("note", "--keystone-client-0000000000000000--\r\n\n\r\0ü")
        .file("file", Upload::bytes("ü\r\n\".txt", every))
        .file("second", Upload::bytes("b.txt", "\r\n"))
}

fn check(name: &str, raw: &Raw) {
    let (head, body) = raw;
    let expected = form().encode().unwrap();
    assert!(body[..] == expected.bytes().unwrap()[..], "{name}: {} bytes", body.len());
    let content_type = expected.content_type().unwrap();
    let line = format!("content-type: {}", content_type.to_str().unwrap());
    assert_eq!(head.matches("content-type: ").count(), 1, "{name}");
    assert!(head.contains(&line), "{name}: {head}");
    assert!(!head.contains("transfer-encoding"), "{name}: {head}");
    assert!(!head.contains("expect:"), "{name}: {head}");
    let seen = parts(content_type.to_str().unwrap(), body);
    assert_eq!(seen[2].file_name.as_deref(), Some("ü\r\n\".txt"));
}

fn asynchronous(name: &str, backend: impl HttpBackend) {
    let (url, came) = server();
    let client = KeystoneClient::with_backend(&url, backend).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for method in ["POST", "PUT", "PATCH"] {
        let call = match method {
            "POST" => client.http_post("files"),
            "PUT" => client.http_put("files"),
            _ => client.http_patch("files"),
        };
        let response = runtime.block_on(call.multipart(form()).send()).unwrap();
        assert_eq!(response.status(), 200);
        let raw = came.recv().unwrap();
        assert!(raw.0.starts_with(&format!("{} /files/", method.to_lowercase())));
        check(name, &raw);
    }
}

fn blocking(name: &str, backend: impl blocking::HttpBackend) {
    let (url, came) = server();
    let client = blocking::KeystoneClient::with_backend(&url, backend).unwrap();
    for call in [client.http_post("files"), client.http_put("files"), client.http_patch("files")] {
        call.multipart(form()).send().unwrap();
        check(name, &came.recv().unwrap());
    }
}

#[test]
fn every_adapter_sends_a_form_byte_for_byte() {
    assert!(matches!(form().encode(), Ok(Body::Raw { .. })));
    asynchronous("reqwest", ReqwestBackend::new().unwrap());
    asynchronous("isahc", IsahcBackend::new().unwrap());
    blocking("blocking reqwest", blocking::ReqwestBackend::new().unwrap());
    blocking("blocking isahc", IsahcBackend::new().unwrap());
    blocking("ureq", UreqBackend::new().unwrap());
}
