//! Clauses about time and size.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::check::{
    Context, Finding, GRACE, checks, ensure, expect_body, expect_error, expect_status, get,
    request, with_timeout,
};
use super::server::{Step, head, ok, reply};
use super::timer;
use crate::backend::{BackendErrorKind, TransportSettings};

checks! {
    timeouts: "28. An exchange without a reply ends with Timeout, maybe sent, when time is up",
    request_timeouts: "29. The RequestTimeout of a request wins, shorter or longer",
    slow_heads: "30. The time-out covers a head that comes drop by drop",
    slow_bodies: "31. The time-out covers a body that comes drop by drop",
    zero_timeouts: "32. A time-out of zero ends at once, it does not mean for ever",
    announced_sizes: "33. A body announced over the limit is TooLarge, and not read",
    endless_sizes: "34. A body that grows over the limit is TooLarge, and the rest is not read",
    exact_sizes: "35. A body of exactly the limit is Ok; a length without a body does not count",
    sleeping: "36. Sleeping takes as long as asked",
}

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(8);
const LIMIT: usize = 1000;

fn settings(timeout: Duration) -> TransportSettings {
    TransportSettings::default().with_timeout(timeout)
}

fn expect_duration(elapsed: Duration, wanted: Duration) -> Result<(), Finding> {
    // Clocks of different resolution may disagree by some milliseconds.
    let (least, most) = (wanted.saturating_sub(Duration::from_millis(20)), wanted + GRACE);
    ensure((least..most).contains(&elapsed), format!("between {least:?} and {most:?}"), || {
        format!("{elapsed:?}")
    })
}

/// Expects `Timeout` after `SHORT`, once by the settings and once by the request.
async fn expect_timeout(context: &Context, steps: Vec<Step>, what: &str) -> Result<(), Finding> {
    let server = context.server(move |_| steps.clone())?;
    for (settings, own) in [(settings(SHORT), None), (settings(LONG), Some(SHORT))] {
        let backend = context.backend_with(&settings)?;
        let sent = request(Method::POST, &server.url("/"), &[], "body")?;
        let sent = match own {
            Some(own) => with_timeout(sent, own),
            None => sent,
        };
        let started = timer::now();
        let result = backend.call(sent).await;
        let elapsed = started.elapsed();
        expect_error(result, &[BackendErrorKind::Timeout], Some(true), what)?;
        expect_duration(elapsed, SHORT)?;
    }
    Ok(())
}

async fn timeouts(context: Context) -> Result<(), Finding> {
    expect_timeout(&context, vec![Step::Silence], "no reply").await
}

async fn request_timeouts(context: Context) -> Result<(), Finding> {
    let server = context.server(|_| {
        let mut steps = vec![Step::Pause(SHORT * 2)];
        steps.extend(ok());
        steps
    })?;
    let backend = context.backend_with(&settings(SHORT))?;
    let sent = with_timeout(get(&server.url("/"))?, LONG);
    expect_body(backend.call(sent).await, 200, b"ok", "a longer time-out of the request")?;
    let backend = context.backend_with(&settings(LONG))?;
    let started = timer::now();
    let result = backend.call(with_timeout(get(&server.url("/"))?, SHORT)).await;
    let kinds = [BackendErrorKind::Timeout];
    expect_error(result, &kinds, Some(true), "a shorter time-out of the request")?;
    expect_duration(started.elapsed(), SHORT)
}

async fn slow_heads(context: Context) -> Result<(), Finding> {
    let drip = Step::Repeat(b"X-Drip: drop\r\n".to_vec(), SHORT / 5);
    let steps = vec![Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), drip];
    expect_timeout(&context, steps, "an endless head").await
}

async fn slow_bodies(context: Context) -> Result<(), Finding> {
    let drip = |bytes: &[u8]| Step::Repeat(bytes.to_vec(), SHORT / 5);
    let announced = Step::Send(head("200 OK", &["Content-Length: 1000"]));
    let chunked = Step::Send(head("200 OK", &["Transfer-Encoding: chunked"]));
    expect_timeout(&context, vec![announced.clone(), drip(b".")], "a slow body").await?;
    expect_timeout(&context, vec![chunked, drip(b"1\r\n.\r\n")], "slow chunks").await?;
    let stalled = vec![announced, Step::Send(b"half".to_vec()), Step::Silence];
    expect_timeout(&context, stalled, "a body that stops").await
}

async fn zero_timeouts(context: Context) -> Result<(), Finding> {
    let server = context.server(|_| vec![Step::Silence])?;
    let backend = context.backend()?;
    let sent = with_timeout(get(&server.url("/"))?, Duration::ZERO);
    let started = timer::now();
    let result = backend.call(sent).await;
    expect_error(result, &[BackendErrorKind::Timeout], None, "a time-out of zero")?;
    expect_duration(started.elapsed(), Duration::ZERO)
}

fn limited() -> TransportSettings {
    settings(LONG).with_max_response_bytes(LIMIT)
}

fn start_of_body(length: &str) -> Vec<Step> {
    let head = head("200 OK", &[length]);
    vec![Step::Send(head), Step::Send(b".".to_vec()), Step::Silence]
}

async fn announced_sizes(context: Context) -> Result<(), Finding> {
    let backend = context.backend_with(&limited())?;
    let server = context.server(|request| match request.target.as_str() {
        // Only the first byte comes: whoever waits for more runs into the time-out.
        "/over" => start_of_body("Content-Length: 1001"),
        "/huge" => start_of_body("Content-Length: 18446744073709551615"),
        _ => ok(),
    })?;
    let started = timer::now();
    let result = backend.call(get(&server.url("/over"))?).await;
    expect_error(result, &[BackendErrorKind::TooLarge], Some(true), "1001 bytes of 1000")?;
    let result = backend.call(get(&server.url("/huge"))?).await;
    // A library may refuse a length that no machine can hold.
    let kinds = [BackendErrorKind::TooLarge, BackendErrorKind::Protocol];
    expect_error(result, &kinds, Some(true), "2^64-1 bytes of 1000")?;
    expect_duration(started.elapsed(), Duration::ZERO)?;
    expect_body(backend.call(get(&server.url("/"))?).await, 200, b"ok", "the next").map(drop)
}

async fn endless_sizes(context: Context) -> Result<(), Finding> {
    let backend = context.backend_with(&limited())?;
    let chunked = |bytes: &[u8]| {
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        chunk
    };
    let server = context.server(move |request| {
        let (headers, bytes): (&[&str], _) = match request.target.as_str() {
            "/chunked" => (&["Transfer-Encoding: chunked"], chunked(&[b'.'; 64 * 1024])),
            "/close" => (&[], vec![b'.'; 64 * 1024]),
            _ => return ok(),
        };
        vec![Step::Send(head("200 OK", headers)), Step::Repeat(bytes, Duration::ZERO)]
    })?;
    for target in ["/chunked", "/close"] {
        let before = server.sent();
        let started = timer::now();
        let result = backend.call(get(&server.url(target))?).await;
        expect_error(result, &[BackendErrorKind::TooLarge], Some(true), target)?;
        expect_duration(started.elapsed(), Duration::ZERO)?;
        timer::delay(Duration::from_millis(300)).await;
        let sent = server.sent() - before;
        // What the buffers of both ends of the connection hold is out of the backend's hands.
        let most = 32 * 1024 * 1024;
        ensure(sent < most, format!("{target}: less than {most} bytes taken"), || {
            sent.to_string()
        })?;
    }
    expect_body(backend.call(get(&server.url("/"))?).await, 200, b"ok", "the next").map(drop)
}

async fn exact_sizes(context: Context) -> Result<(), Finding> {
    let backend = context.backend_with(&limited())?;
    let body = vec![b'.'; LIMIT];
    let served = body.clone();
    let server = context.server(move |request| match request.target.as_str() {
        "/length" => reply("200 OK", &[], &served),
        "/close" => vec![Step::Send(head("200 OK", &[])), Step::Send(served.clone()), Step::Close],
        _ => vec![Step::Send(head("200 OK", &["Content-Length: 100000"]))],
    })?;
    for target in ["/length", "/close"] {
        expect_body(backend.call(get(&server.url(target))?).await, 200, &body, target)?;
    }
    let sent = request(Method::HEAD, &server.url("/head"), &[], Bytes::new())?;
    expect_status(backend.call(sent).await, 200, "HEAD of a large body").map(drop)
}

async fn sleeping(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let started = timer::now();
    backend.sleep(SHORT).await;
    expect_duration(started.elapsed(), SHORT)
}
