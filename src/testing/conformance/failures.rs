//! Clauses about exchanges that fail: what kind of error, and whether the request may have been
//! sent.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use http::Method;

use super::check::{
    Context, Finding, GRACE, checks, describe, ensure, expect_body, expect_error, get, request,
    with_timeout,
};
use super::server::{Step, head, ok};
use super::timer;
use crate::backend::{BackendErrorKind, ExecuteResult, TransportSettings};

checks! {
    refused_connections: "20. A refused connection is Connect, not sent",
    unresolvable_hosts: "21. A host without an address is Connect, not sent",
    connect_timeouts: "22. A connection that does not come about in time is Timeout, not sent",
    failed_handshakes: "23. A failed TLS handshake is Connect, not sent",
    silent_closes: "24. A connection closed before the first byte of a reply is Closed, maybe sent",
    truncated_responses: "25. A response cut short is Closed, never a shorter Ok",
    foreign_protocols: "26. A reply that is not HTTP is Protocol or Closed, maybe sent",
    discreet_errors: "27. No error repeats the query, the headers or the body of the request",
}

async fn refused_connections(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let unused = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|bound| bound.local_addr());
    let unused = unused.map_err(|error| Finding::skipped(format!("no free port: {error}")))?;
    for method in [Method::GET, Method::POST] {
        let sent = request(method, &format!("http://{unused}/"), &[], "body")?;
        let result = backend.call(sent).await;
        expect_error(result, &[BackendErrorKind::Connect], Some(false), "a closed port")?;
    }
    Ok(())
}

async fn unresolvable_hosts(context: Context) -> Result<(), Finding> {
    let settings = TransportSettings::default()
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(6));
    let backend = context.backend_with(&settings)?;
    let started = timer::now();
    let result = backend.call(get("http://does-not-exist.invalid/")?).await;
    // A resolver that itself does not answer leaves only the time-out.
    let slow = started.elapsed() >= settings.connect_timeout;
    let kinds = if slow {
        [BackendErrorKind::Connect, BackendErrorKind::Timeout].as_slice()
    } else {
        [BackendErrorKind::Connect].as_slice()
    };
    if let Ok(response) = &result {
        // The name is reserved to have no address; some resolvers lead all names to a page.
        return Err(Finding::skipped(format!("this network resolves it: {}", response.status())));
    }
    expect_error(result, kinds, Some(false), "a host without an address")
}

async fn connect_timeouts(context: Context) -> Result<(), Finding> {
    let connect_timeout = Duration::from_millis(500);
    let settings = TransportSettings::default().with_connect_timeout(connect_timeout);
    let backend = context.backend_with(&settings)?;
    // The system accepts for the server, so only a handshake can be kept waiting for certain.
    let server = context.server(|_| vec![Step::Silence])?;
    let url = format!("https://{}/", server.address());
    let sent = request(Method::POST, &url, &[], "body")?;
    let started = timer::now();
    let result = backend.call(with_timeout(sent, Duration::from_secs(8))).await;
    let elapsed = started.elapsed();
    skip_without_tls(&result)?;
    let kinds = [BackendErrorKind::Timeout];
    expect_error(result, &kinds, Some(false), "a handshake without an answer")?;
    let limit = connect_timeout + GRACE;
    ensure(elapsed < limit, format!("an end within {limit:?}"), || format!("{elapsed:?}"))
}

fn skip_without_tls(result: &ExecuteResult) -> Result<(), Finding> {
    match result {
        Err(error) if error.kind() == BackendErrorKind::Request => {
            Err(Finding::skipped("the backend was built without TLS"))
        }
        _ => Ok(()),
    }
}

async fn failed_handshakes(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let server = context.server(|_| {
        let mut steps = ok();
        steps.push(Step::Close);
        steps
    })?;
    let url = format!("https://{}/", server.address());
    let result = backend.call(request(Method::POST, &url, &[], "body")?).await;
    skip_without_tls(&result)?;
    expect_error(result, &[BackendErrorKind::Connect], Some(false), "https to a plain server")
}

async fn silent_closes(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let server = context.server(|_| vec![Step::Close])?;
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let sent = request(method.clone(), &server.url("/"), &[], "body")?;
        let result = backend.call(sent).await;
        let what = format!("{method}, closed without a reply");
        expect_error(result, &[BackendErrorKind::Closed], Some(true), &what)?;
    }
    let seen = server.requests().len();
    ensure(seen == 3, "three requests", || seen.to_string())
}

async fn truncated_responses(context: Context) -> Result<(), Finding> {
    const LENGTH: &str = "Content-Length: 1000";
    const CHUNKED: &str = "Transfer-Encoding: chunked";

    let backend = context.backend()?;
    let cases: [(&str, &[&str], &[u8]); 10] = [
        ("nothing of the body", &[LENGTH], b""),
        ("a part of the body", &[LENGTH], b"short"),
        ("no chunk", &[CHUNKED], b""),
        ("half a chunk size", &[CHUNKED], b"1"),
        ("half a chunk", &[CHUNKED], b"10\r\n0123456"),
        ("a chunk without its end", &[CHUNKED], b"4\r\n0123"),
        ("no last chunk", &[CHUNKED], b"4\r\n0123\r\n"),
        ("a head without its end", &[], b"HTTP/1.1 200 OK\r\nContent-Le"),
        ("a head without its last line", &[], b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"),
        ("half a status line", &[], b"HTTP/1.1 2"),
    ];
    let server = context.server(move |request| {
        let index = request.target.trim_start_matches('/').parse::<usize>();
        let case = index.ok().and_then(|index| cases.get(index));
        let Some((_, headers, body)) = case else {
            return ok();
        };
        let mut bytes = if headers.is_empty() { Vec::new() } else { head("200 OK", headers) };
        bytes.extend_from_slice(body);
        vec![Step::Send(bytes), Step::Pause(Duration::from_millis(20)), Step::Close]
    })?;
    for (index, (what, ..)) in cases.iter().enumerate() {
        let result = backend.call(get(&server.url(&format!("/{index}")))?).await;
        expect_error(result, &[BackendErrorKind::Closed], Some(true), what)?;
    }
    let result = backend.call(get(&server.url("/whole"))?).await;
    expect_body(result, 200, b"ok", "the exchange after").map(drop)
}

async fn foreign_protocols(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let replies: [&[u8]; 4] = [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"220 mail.example.edu ESMTP ready\r\n",
        b"<html><body>no head at all</body></html>\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
    ];
    let server = context.server(move |request| {
        let index = request.target.trim_start_matches('/').parse::<usize>().unwrap_or(0);
        let bytes = replies.get(index).copied().unwrap_or_default();
        vec![Step::Send(bytes.to_vec()), Step::Pause(Duration::from_millis(20)), Step::Close]
    })?;
    for (index, reply) in replies.iter().enumerate() {
        let result = backend.call(get(&server.url(&format!("/{index}")))?).await;
        let what = format!("the reply \"{}\"", reply.escape_ascii());
        let kinds = [BackendErrorKind::Protocol, BackendErrorKind::Closed];
        expect_error(result, &kinds, Some(true), &what)?;
    }
    let result = backend.call(get(&server.url("/0"))?).await;
    ensure(result.is_err(), "an error each time", || describe(&result))
}

async fn discreet_errors(context: Context) -> Result<(), Finding> {
    const SECRET: &str = "hunter2";

    let backend = context.backend()?;
    let server = context.server(|request| match request.target.split('?').next() {
        Some("/foreign") => vec![Step::Send(b"220 ready\r\n\r\n".to_vec()), Step::Close],
        Some("/silent") => vec![Step::Silence],
        Some("/short") => vec![Step::Send(head("200 OK", &["Content-Length: 9"])), Step::Close],
        _ => vec![Step::Close],
    })?;
    let bases = [
        server.url("/foreign"),
        server.url("/silent"),
        server.url("/short"),
        server.url("/close"),
        String::from("http://127.0.0.1:9/"),
        String::from("http://does-not-exist.invalid/"),
        String::from("ftp://127.0.0.1/"),
        format!("http://user:{SECRET}@127.0.0.1/"),
    ];
    let header = format!("Token {SECRET}");
    for base in bases {
        let url = format!("{base}?token={SECRET}");
        let headers: &[(&str, &[u8])] = &[("authorization", header.as_bytes())];
        let sent = request(Method::POST, &url, headers, SECRET)?;
        let result = backend.call(with_timeout(sent, Duration::from_secs(1))).await;
        let Err(error) = &result else {
            return Err(Finding::failed(format!("an error from {base}"), describe(&result)));
        };
        for text in [describe(&result), format!("{error:?}")] {
            ensure(!text.contains(SECRET), "an error without the secret", || text.clone())?;
        }
    }
    Ok(())
}
