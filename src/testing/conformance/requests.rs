//! Clauses about what is sent: method, headers, body.

use std::collections::BTreeSet;

use bytes::Bytes;
use http::Method;

use super::check::{
    Context, Finding, checks, describe_bytes, ensure, expect_error, expect_status, get, request,
};
use super::server::{Received, Server, ok};
use crate::backend::BackendErrorKind;

checks! {
    methods: "1. Every method is sent as it is",
    request_headers: "2. Request headers arrive unchanged, repeated ones in order",
    request_header_bytes: "3. A header value beyond ASCII arrives byte for byte, or is refused",
    added_headers: "4. The backend adds no header that says anything about the caller",
    body_lengths: "5. A body goes out whole, with Content-Length, never chunked",
    empty_bodies: "6. An empty POST, PUT or PATCH says Content-Length: 0; others send no body",
    large_bodies: "7. A large body goes out at once, without Expect: 100-continue",
    refused_requests: "8. What cannot be sent is refused with Request, and nothing is sent",
}

/// With an extension method, as some servers have.
fn all_methods() -> Result<Vec<Method>, Finding> {
    let extension = Method::from_bytes(b"REPORT")
        .map_err(|error| Finding::failed("a method", error.to_string()))?;
    Ok(vec![
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        extension,
    ])
}

/// What the last request was.
fn last(server: &Server) -> Result<Received, Finding> {
    let last = server.requests().pop();
    last.ok_or_else(|| Finding::failed("a request at the server", "none"))
}

async fn methods(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    for method in all_methods()? {
        let sent = request(method.clone(), &server.url("/"), &[], Bytes::new())?;
        expect_status(backend.call(sent).await, 200, method.as_str())?;
        let seen = last(&server)?.method;
        ensure(seen == method.as_str(), method.as_str(), || seen.clone())?;
    }
    let tunnel = request(Method::CONNECT, &server.url("/"), &[], Bytes::new())?;
    expect_error(backend.call(tunnel).await, &[BackendErrorKind::Request], Some(false), "CONNECT")
}

async fn request_headers(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    let headers: &[(&str, &[u8])] = &[
        ("accept", b"application/json"),
        ("authorization", b"Token 0123456789abcdef"),
        ("cookie", b"sessionid=abc; csrftoken=def"),
        ("referer", b"https://keystone.example.edu/"),
        ("user-agent", b"conformance/1"),
        ("content-type", b"application/json; charset=utf-8"),
        ("x-repeated", b"first"),
        ("x-repeated", b"second, third"),
        ("x-repeated", b"\"fourth\""),
        ("x-empty", b""),
    ];
    for method in [Method::GET, Method::POST] {
        let sent = request(method.clone(), &server.url("/"), headers, Bytes::new())?;
        expect_status(backend.call(sent).await, 200, method.as_str())?;
        let received = last(&server)?;
        for (name, _) in headers {
            let values = headers.iter().filter(|(other, _)| other == name);
            let expected: Vec<_> = values.map(|(_, value)| *value).collect();
            let seen = received.values(name);
            ensure(seen == expected, format!("{method}: {name}: {}", join(&expected)), || {
                join(&seen)
            })?;
        }
    }
    Ok(())
}

fn join(values: &[&[u8]]) -> String {
    let quoted = values.iter().map(|value| format!("\"{}\"", value.escape_ascii()));
    quoted.collect::<Vec<_>>().join(", ")
}

async fn request_header_bytes(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    for value in ["Zürich".as_bytes(), b"Z\xfcrich"] {
        let sent = request(Method::GET, &server.url("/"), &[("x-city", value)], Bytes::new())?;
        let before = server.requests().len();
        let result = backend.call(sent).await;
        if result.is_err() {
            expect_error(result, &[BackendErrorKind::Request], Some(false), "such a value")?;
            let sent = server.requests().len() - before;
            ensure(sent == 0, "nothing sent", || format!("{sent} requests"))?;
            continue;
        }
        let received = last(&server)?;
        let seen = received.values("x-city");
        ensure(seen == [value], join(&[value]), || join(&seen))?;
    }
    Ok(())
}

async fn added_headers(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    for method in [Method::GET, Method::POST, Method::DELETE] {
        for body in ["", "body"] {
            let sent = request(method.clone(), &server.url("/"), &[], body)?;
            expect_status(backend.call(sent).await, 200, method.as_str())?;
            check_added_headers(&last(&server)?)?;
        }
    }
    Ok(())
}

fn check_added_headers(received: &Received) -> Result<(), Finding> {
    let neutral = ["host", "accept", "user-agent", "connection", "content-length"];
    let mut added: BTreeSet<String> = received.header_names();
    added.retain(|name| !neutral.contains(&name.as_str()));
    // It says no more than the absence of the header, and libcurl must be told something.
    if received.values("content-type") == [b"application/octet-stream"] {
        added.remove("content-type");
    }
    if received.values("accept-encoding") == [b"identity"] {
        added.remove("accept-encoding");
    }
    let expected = format!("{}: no header but {}", received.method, neutral.join(", "));
    ensure(added.is_empty(), expected, || added.into_iter().collect::<Vec<_>>().join(", "))?;
    let hosts = received.values("host").len();
    ensure(hosts == 1, "one Host header", || hosts.to_string())
}

fn check_body(received: &Received, body: &[u8]) -> Result<(), Finding> {
    let method = &received.method;
    let encodings = received.values("transfer-encoding");
    ensure(encodings.is_empty(), format!("{method}: no Transfer-Encoding"), || join(&encodings))?;
    let expected = body.len().to_string();
    let lengths = received.values("content-length");
    ensure(
        lengths == [expected.as_bytes()],
        format!("{method}: Content-Length: {expected}"),
        || join(&lengths),
    )?;
    ensure(received.body == body, format!("{method}: {}", describe_bytes(body)), || {
        describe_bytes(&received.body)
    })
}

async fn body_lengths(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    let methods = all_methods()?.into_iter().filter(|method| method != Method::HEAD);
    for method in methods {
        let every_byte: Vec<u8> = (0..=255).collect();
        let sent = request(method.clone(), &server.url("/"), &[], every_byte.clone())?;
        expect_status(backend.call(sent).await, 200, method.as_str())?;
        check_body(&last(&server)?, &every_byte)?;
    }
    // The caller may announce the length too; it must not be there twice.
    let announced: &[(&str, &[u8])] = &[("content-length", b"4")];
    let sent = request(Method::POST, &server.url("/"), announced, "body")?;
    expect_status(backend.call(sent).await, 200, "a Content-Length of the caller")?;
    check_body(&last(&server)?, b"body")
}

async fn empty_bodies(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    for method in all_methods()? {
        let sent = request(method.clone(), &server.url("/"), &[], Bytes::new())?;
        expect_status(backend.call(sent).await, 200, method.as_str())?;
        let received = last(&server)?;
        let has_length = !received.values("content-length").is_empty();
        let must_have = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
        if must_have || has_length {
            check_body(&received, b"")?;
        }
        let chunked = !received.values("transfer-encoding").is_empty();
        ensure(!chunked, format!("{method}: no Transfer-Encoding"), || "one".into())?;
    }
    Ok(())
}

async fn large_bodies(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    // libcurl asks for permission above one megabyte.
    let body: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    for method in [Method::POST, Method::PUT] {
        let sent = request(method.clone(), &server.url("/"), &[], body.clone())?;
        expect_status(backend.call(sent).await, 200, method.as_str())?;
        let received = last(&server)?;
        check_body(&received, &body)?;
        let expect = received.values("expect");
        ensure(expect.is_empty(), format!("{method}: no Expect header"), || join(&expect))?;
    }
    Ok(())
}

async fn refused_requests(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    let with_credentials = format!("http://user:secret@{}/", server.address());
    let other_scheme = format!("ftp://{}/", server.address());
    let requests = [
        ("a URL without a host", get("/version")?),
        ("another scheme", get(&other_scheme)?),
        ("credentials in the URL", get(&with_credentials)?),
        (
            "a wrong Content-Length",
            request(Method::POST, &server.url("/"), &[("content-length", b"9")], "body")?,
        ),
        (
            "Transfer-Encoding",
            request(Method::POST, &server.url("/"), &[("transfer-encoding", b"chunked")], "body")?,
        ),
        (
            "Expect",
            request(Method::POST, &server.url("/"), &[("expect", b"100-continue")], "body")?,
        ),
        ("a HEAD request with a body", request(Method::HEAD, &server.url("/"), &[], "body")?),
    ];
    for (what, sent) in requests {
        let result = backend.call(sent).await;
        expect_error(result, &[BackendErrorKind::Request], Some(false), what)?;
        let seen = server.connections();
        ensure(seen == 0, format!("no connection for {what}"), || seen.to_string())?;
    }
    Ok(())
}
