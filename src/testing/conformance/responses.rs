//! Clauses about what comes back.

use bytes::Bytes;
use http::Method;

use super::check::{
    Context, Finding, checks, describe_bytes, ensure, expect_body, expect_status, get, request,
};
use super::server::{Step, head, ok, reply};

checks! {
    statuses: "11. A response of any status is Ok",
    redirects: "12. Redirects are returned, never followed",
    response_headers: "13. Response headers come back, repeated ones in order",
    response_header_bytes: "14. A header value that is not ASCII comes back byte for byte",
    cookies: "15. There is no cookie jar",
    encoded_bodies: "16. A body comes back as it was sent, also if it is compressed",
    framings: "17. A body is read whole: with Content-Length, chunked, or up to the close",
    bodiless_responses: "18. No body is awaited where none can be: HEAD, 204, 304",
    interim_responses: "19. Interim responses are skipped",
}

async fn statuses(context: Context) -> Result<(), Finding> {
    let statuses = [200, 201, 202, 299, 400, 401, 403, 404, 405, 409, 418, 429, 500, 502, 503, 599];
    let backend = context.backend()?;
    let server = context.server(|request| {
        let status = request.target.trim_start_matches('/');
        // Also without a reason phrase, which is optional.
        let reason = if status == "299" { "" } else { " Reason" };
        reply(&format!("{status}{reason}"), &[], b"{\"detail\": \"why\"}")
    })?;
    for status in statuses {
        let result = backend.call(get(&server.url(&format!("/{status}")))?).await;
        expect_body(result, status, b"{\"detail\": \"why\"}", "this status")?;
    }
    let seen = server.requests().len();
    ensure(seen == statuses.len(), "one request for each response", || seen.to_string())
}

async fn redirects(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let server = context.server(|request| {
        let mut parts = request.target.trim_start_matches('/').split('/');
        let status = format!("{} Moved", parts.next().unwrap_or_default());
        match parts.next().unwrap_or_default() {
            "body" => reply(&status, &["Location: /elsewhere"], b"moved"),
            "bare" => reply(&status, &["Location: /elsewhere"], b""),
            "nowhere" => reply(&status, &[], b""),
            _ => reply(&status, &["Location: http://[not a url"], b""),
        }
    })?;
    let mut calls = 0;
    for status in [301, 302, 303, 307, 308] {
        for method in [Method::GET, Method::POST] {
            for (form, body, location) in [
                ("body", "moved", Some("/elsewhere")),
                ("bare", "", Some("/elsewhere")),
                ("nowhere", "", None),
                ("broken", "", Some("http://[not a url")),
            ] {
                let what = format!("{method} {status}, Location {location:?}");
                let url = server.url(&format!("/{status}/{form}"));
                let result = backend.call(request(method.clone(), &url, &[], "sent")?).await;
                let response = expect_body(result, status, body.as_bytes(), &what)?;
                let seen = response.headers().get("location").map(|value| value.as_bytes());
                ensure(seen == location.map(str::as_bytes), what, || format!("{seen:?}"))?;
                calls += 1;
            }
        }
    }
    let seen = server.requests().len();
    ensure(seen == calls, format!("{calls} requests"), || seen.to_string())
}

fn values(response: &http::Response<Bytes>, name: &str) -> Vec<Vec<u8>> {
    response.headers().get_all(name).iter().map(|value| value.as_bytes().to_vec()).collect()
}

async fn response_headers(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let server = context.server(|_| {
        let headers = [
            "Set-Cookie: csrftoken=a; Path=/; SameSite=Lax",
            "X-Request-ID: 8f14e45f",
            "Set-Cookie: sessionid=b; HttpOnly; expires=Mon, 24 Nov 2025 10:00:00 GMT",
            "X-Empty:",
            "X-Padded:   inner  space   ",
            "x-lower: kept",
        ];
        reply("200 OK", &headers, b"ok")
    })?;
    let response = expect_status(backend.call(get(&server.url("/"))?).await, 200, "headers")?;
    let expected: &[(&str, &[&str])] = &[
        (
            "set-cookie",
            &[
                "csrftoken=a; Path=/; SameSite=Lax",
                "sessionid=b; HttpOnly; expires=Mon, 24 Nov 2025 10:00:00 GMT",
            ],
        ),
        ("x-request-id", &["8f14e45f"]),
        ("x-empty", &[""]),
        ("x-padded", &["inner  space"]),
        ("x-lower", &["kept"]),
        ("content-length", &["2"]),
    ];
    for (name, wanted) in expected {
        let seen = values(&response, name);
        let fits = seen.iter().map(Vec::as_slice).eq(wanted.iter().map(|value| value.as_bytes()));
        ensure(fits, format!("{name}: {wanted:?}"), || {
            seen.iter().map(|value| describe_bytes(value)).collect::<Vec<_>>().join(", ")
        })?;
    }
    Ok(())
}

async fn response_header_bytes(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let value = b"\xc3\xbc \xfc \x80 \xff end";
    let server = context.server(move |_| {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Bytes: ".to_vec();
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n\r\n");
        vec![Step::Send(bytes)]
    })?;
    let response = expect_status(backend.call(get(&server.url("/"))?).await, 200, "such a value")?;
    let seen = values(&response, "x-bytes");
    ensure(seen == [value], describe_bytes(value), || format!("{seen:?}"))
}

async fn cookies(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let server = context
        .server(|_| reply("200 OK", &["Set-Cookie: sessionid=abc; Path=/; Max-Age=3600"], b""))?;
    for _ in 0..2 {
        expect_status(backend.call(get(&server.url("/"))?).await, 200, "a cookie")?;
    }
    let sent = server.requests().iter().any(|request| !request.values("cookie").is_empty());
    ensure(!sent, "no Cookie header", || "the cookie of the first response".into())
}

async fn encoded_bodies(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    // An empty gzip stream: whoever unpacks it returns no byte.
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let server = context.server(move |_| reply("200 OK", &["Content-Encoding: gzip"], gzip))?;
    let asked: &[(&str, &[u8])] = &[("accept-encoding", b"gzip")];
    for headers in [&[], asked] {
        let sent = request(Method::GET, &server.url("/"), headers, Bytes::new())?;
        let response = expect_body(backend.call(sent).await, 200, gzip, "a compressed body")?;
        let seen = values(&response, "content-encoding");
        ensure(seen == [b"gzip"], "content-encoding: gzip", || format!("{seen:?}"))?;
    }
    Ok(())
}

async fn framings(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let body: Vec<u8> = (0..400_000_u32).map(|index| (index % 253) as u8).collect();
    let served = body.clone();
    let server = context.server(move |request| match request.target.as_str() {
        "/length" => reply("200 OK", &[], &served),
        "/chunked" => {
            vec![Step::Send(head("200 OK", &["Transfer-Encoding: chunked"])), chunks(&served)]
        }
        "/close" => vec![Step::Send(head("200 OK", &[])), Step::Send(served.clone()), Step::Close],
        _ => vec![
            Step::Send(b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n".to_vec()),
            Step::Send(served.clone()),
            Step::Close,
        ],
    })?;
    for target in ["/length", "/chunked", "/close", "/old", "/length"] {
        expect_body(backend.call(get(&server.url(target))?).await, 200, &body, target)?;
    }
    Ok(())
}

/// The body in chunks of many sizes, with an extension and a trailer.
fn chunks(body: &[u8]) -> Step {
    let mut bytes = Vec::new();
    let mut rest = body;
    let mut size = 1;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        bytes.extend_from_slice(format!("{:X};name=value\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
        rest = after;
        size = size * 3 + 1;
    }
    bytes.extend_from_slice(b"0\r\nX-Trailer: value\r\n\r\n");
    Step::Send(bytes)
}

async fn bodiless_responses(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let server = context.server(|request| match request.target.as_str() {
        "/head" => vec![Step::Send(head("200 OK", &["Content-Length: 1234567"]))],
        "/204" => vec![Step::Send(head("204 No Content", &[]))],
        "/304" => vec![Step::Send(head("304 Not Modified", &["Content-Length: 1234567"]))],
        _ => ok(),
    })?;
    for (method, target, status) in [
        (Method::HEAD, "/head", 200),
        (Method::GET, "/204", 204),
        (Method::DELETE, "/204", 204),
        (Method::GET, "/304", 304),
        (Method::HEAD, "/304", 304),
    ] {
        let what = format!("{method} {target}");
        let sent = request(method, &server.url(target), &[], Bytes::new())?;
        expect_body(backend.call(sent).await, status, b"", &what)?;
        // Had the backend lost count of the bytes, the next exchange would show it.
        expect_body(backend.call(get(&server.url("/next"))?).await, 200, b"ok", "the next")?;
    }
    Ok(())
}

async fn interim_responses(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let server = context.server(|request| {
        let interim = match request.target.as_str() {
            "/100" => head("100 Continue", &[]),
            "/102" => head("102 Processing", &["X-Interim: yes"]),
            _ => head("103 Early Hints", &["Link: </style.css>", "X-Interim: yes"]),
        };
        let mut steps = vec![Step::Send(interim)];
        steps.extend(ok());
        steps
    })?;
    for target in ["/100", "/102", "/103"] {
        let sent = request(Method::POST, &server.url(target), &[], "body")?;
        let response = expect_body(backend.call(sent).await, 200, b"ok", target)?;
        let leaked = response.headers().contains_key("x-interim");
        ensure(!leaked, "the headers of the final response", || "those of the interim".into())?;
    }
    Ok(())
}
