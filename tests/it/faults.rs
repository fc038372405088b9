//! Broken servers over real sockets: each fault is an error of its kind, on every backend.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use keystone_client::backend::{IsahcBackend, ReqwestBackend, UreqBackend};
use keystone_client::{Error, ErrorKind, Id, KeystoneClient, RetryPolicy, blocking};

/// The address of a server that answers each connection with these bytes and closes it.
fn server(reply: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        // As many as there are backends and colours.
        for stream in listener.incoming().take(5) {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    format!("http://{address}")
}

/// The address of a port on which nothing listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// What `act` comes to with each backend in each colour.
fn with_each(
    url: &str,
    retry: &RetryPolicy,
    act: impl AsyncFn(&KeystoneClient) -> Error,
    act_blocking: impl Fn(&blocking::KeystoneClient) -> Error,
) -> Vec<(&'static str, Error)> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let builder = || KeystoneClient::builder(url).retry(retry.clone());
    let reqwest = builder().backend(ReqwestBackend::new().unwrap()).build().unwrap();
    let isahc = builder().backend(IsahcBackend::new().unwrap()).build().unwrap();
    let builder = || blocking::KeystoneClient::builder(url).retry(retry.clone());
    let reqwest_blocking =
        builder().backend(blocking::ReqwestBackend::new().unwrap()).build().unwrap();
    let isahc_blocking = builder().backend(IsahcBackend::new().unwrap()).build().unwrap();
    let ureq = builder().backend(UreqBackend::new().unwrap()).build().unwrap();
    vec![
        ("reqwest", runtime.block_on(act(&reqwest))),
        ("isahc", runtime.block_on(act(&isahc))),
        ("reqwest, blocking", act_blocking(&reqwest_blocking)),
        ("isahc, blocking", act_blocking(&isahc_blocking)),
        ("ureq", act_blocking(&ureq)),
    ]
}

fn logins(url: &str) -> Vec<(&'static str, Error)> {
    with_each(
        url,
        &RetryPolicy::never(),
        async |client| client.login("ada", "x").await.unwrap_err(),
        |client| client.login("ada", "x").unwrap_err(),
    )
}

fn deletes(url: &str) -> Vec<(&'static str, Error)> {
    with_each(
        url,
        &RetryPolicy::never(),
        async |client| client.delete_cluster(Id::new(1)).await.unwrap_err(),
        |client| client.delete_cluster(Id::new(1)).send().unwrap_err(),
    )
}

#[test]
fn nobody_listens() {
    let retry = RetryPolicy::default().with_max_attempts(2);
    let url = nobody();
    let errors = with_each(
        &url,
        &retry,
        async |client| client.delete_cluster(Id::new(1)).await.unwrap_err(),
        |client| client.delete_cluster(Id::new(1)).send().unwrap_err(),
    );
    for (backend, error) in errors {
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Connect, 2), "{backend}");
        assert!(!error.may_have_been_sent(), "{backend}");
        assert!(error.to_string().contains(&url), "{backend}: {error}");
        let causes = format!("{error:#}").to_lowercase();
        let says_why = causes.contains("refused") || causes.contains("connect to server");
        assert!(says_why, "{backend}: {causes}");
    }
}

#[test]
fn the_connection_closes_without_a_reply() {
    for (backend, error) in deletes(&server("")) {
        assert_eq!(error.kind(), ErrorKind::Transport, "{backend}: {error:?}");
        assert!(error.may_have_been_sent(), "{backend}");
    }
}

#[test]
fn the_body_is_cut_off() {
    let reply = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    for (backend, error) in deletes(&server(reply)) {
        assert_eq!(error.kind(), ErrorKind::Transport, "{backend}: {error:?}");
        assert!(error.may_have_been_sent(), "{backend}");
    }
}

#[test]
fn it_is_not_keystone() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\
                Connection: close\r\n\r\n<html></html>";
    for (backend, error) in logins(&server(page)) {
        assert_eq!(error.kind(), ErrorKind::NotKeystone, "{backend}: {error:?}");
        assert_eq!(error.status().unwrap().as_u16(), 200, "{backend}");
    }
}

#[test]
fn it_does_not_speak_http() {
    for (backend, error) in logins(&server("SSH-2.0-OpenSSH_9.2\r\n")) {
        assert_eq!(error.kind(), ErrorKind::Transport, "{backend}: {error:?}");
    }
}
