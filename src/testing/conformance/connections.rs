//! Clauses about connections: kept, given up, shared.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::check::{
    Context, Finding, checks, describe, ensure, expect_body, expect_error, get, request,
    with_timeout,
};
use super::server::{Received, Server, Step, ok, reply};
use super::timer;
use crate::backend::{BackendErrorKind, TransportSettings};

checks! {
    reuse: "37. A connection is kept for the next request",
    idle_connections: "38. An idle connection is dropped after the idle time-out",
    closed_connections: "39. A connection that the server closed a second ago is not used again",
    repeats: "40. A write is never sent twice, also if a kept connection dies under it",
    late_replies: "41. A late reply to one request is never the reply to another",
    parallel: "42. Exchanges run at the same time, each gets its own response",
    dropped_calls: "43. Dropping a call frees its connection by its time-out, and hurts no other",
}

async fn reuse(context: Context) -> Result<(), Finding> {
    let (backend, server) = (context.backend()?, context.server(|_| ok())?);
    for method in [Method::GET, Method::GET, Method::POST, Method::PATCH, Method::DELETE] {
        let body = if method == Method::GET { "" } else { "body" };
        let sent = request(method, &server.url("/"), &[], body)?;
        expect_body(backend.call(sent).await, 200, b"ok", "a request in a row")?;
    }
    let seen = server.connections();
    ensure(seen == 1, "one connection for five requests", || seen.to_string())
}

async fn idle_connections(context: Context) -> Result<(), Finding> {
    // Not less than a second, which is the unit of some libraries.
    let idle_timeout = Duration::from_secs(1);
    let settings = TransportSettings::default().with_idle_timeout(idle_timeout);
    let (backend, server) = (context.backend_with(&settings)?, context.server(|_| ok())?);
    expect_body(backend.call(get(&server.url("/"))?).await, 200, b"ok", "the first")?;
    timer::delay(idle_timeout + Duration::from_millis(200)).await;
    expect_body(backend.call(get(&server.url("/"))?).await, 200, b"ok", "the second")?;
    let seen = server.connections();
    ensure(seen == 2, "a new connection after the idle time-out", || format!("{seen} in all"))
}

async fn closed_connections(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let server = context.server(|request| {
        let mut steps = match request.target.as_str() {
            "/announced" => reply("200 OK", &["Connection: close"], b"ok"),
            _ => ok(),
        };
        steps.push(Step::Close);
        steps
    })?;
    // An announced close counts at once. For the other, libcurl looks once in a second.
    for (target, pause) in [("/announced", 0), ("/sudden", 1200)] {
        for round in 0..2 {
            timer::delay(Duration::from_millis(pause * round)).await;
            let sent = request(Method::POST, &server.url(target), &[], "body")?;
            expect_body(backend.call(sent).await, 200, b"ok", target)?;
        }
    }
    let seen = server.requests().len();
    ensure(seen == 4, "four requests", || seen.to_string())
}

fn count(server: &Server, target: &str) -> usize {
    server.requests().iter().filter(|request| request.target == target).count()
}

async fn repeats(context: Context) -> Result<(), Finding> {
    let methods = [Method::POST, Method::PATCH, Method::PUT, Method::DELETE];
    for (index, (method, body)) in methods.iter().flat_map(|m| [(m, "body"), (m, "")]).enumerate() {
        let backend = context.backend()?;
        let server = context.server(|request| match request.target.as_str() {
            "/first" => ok(),
            _ => vec![Step::Close],
        })?;
        expect_body(backend.call(get(&server.url("/first"))?).await, 200, b"ok", "the first")?;
        let target = format!("/{index}");
        let sent = request(method.clone(), &server.url(&target), &[], body)?;
        let result = backend.call(sent).await;
        let seen = count(&server, &target);
        let what = format!("{method} with the body \"{body}\"");
        ensure(seen == 1, format!("{what}: sent once"), || {
            format!("{seen} times, then {}", describe(&result))
        })?;
        expect_error(result, &[BackendErrorKind::Closed], Some(true), &what)?;
    }
    Ok(())
}

async fn late_replies(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let server = context.server(|request| {
        let mut steps = Vec::new();
        if request.target == "/late" {
            steps.push(Step::Pause(Duration::from_millis(600)));
        }
        steps.extend(reply("200 OK", &[], request.target.as_bytes()));
        steps
    })?;
    let sent = with_timeout(get(&server.url("/late"))?, Duration::from_millis(200));
    expect_error(backend.call(sent).await, &[BackendErrorKind::Timeout], None, "a late reply")?;
    for target in ["/soon", "/later", "/last"] {
        let result = backend.call(get(&server.url(target))?).await;
        expect_body(result, 200, target.as_bytes(), target)?;
        timer::delay(Duration::from_millis(250)).await;
    }
    Ok(())
}

/// Answers with the body and the target of the request, after a while.
fn echo(request: &Received) -> Vec<Step> {
    let mut body = request.body.clone();
    body.extend_from_slice(request.target.as_bytes());
    let mut steps = vec![Step::Pause(Duration::from_millis(200))];
    steps.extend(reply("200 OK", &[], &body));
    steps
}

async fn parallel(context: Context) -> Result<(), Finding> {
    const COUNT: usize = 24;

    let (backend, server) = (context.backend()?, context.server(echo)?);
    for round in 0..2 {
        let mut requests = Vec::new();
        for index in 0..COUNT {
            let body = format!("body {index} of round {round} ");
            requests.push(request(Method::POST, &server.url(&format!("/{index}")), &[], body)?);
        }
        let started = timer::now();
        let results = backend.call_all(requests).await;
        let elapsed = started.elapsed();
        for (index, result) in results.into_iter().enumerate() {
            let body = format!("body {index} of round {round} /{index}");
            expect_body(result, 200, body.as_bytes(), "one of many")?;
        }
        // One after the other they take 200 ms each.
        let limit = Duration::from_millis(200) * (COUNT as u32) / 2;
        ensure(elapsed < limit, format!("{COUNT} at once within {limit:?}"), || {
            format!("{elapsed:?}")
        })?;
    }
    Ok(())
}

async fn dropped_calls(context: Context) -> Result<(), Finding> {
    let backend = context.backend()?;
    let server = context.server(|request| match request.target.as_str() {
        "/silent" => vec![Step::Silence],
        _ => ok(),
    })?;
    let timeout = Duration::from_millis(600);
    for _ in 0..8 {
        let sent = request(Method::GET, &server.url("/silent"), &[], Bytes::new())?;
        let sent = with_timeout(sent, timeout);
        match backend.drop_after(Duration::from_millis(50), sent).await {
            None => return Err(Finding::skipped("a blocking call cannot be dropped")),
            Some(under_way) => {
                ensure(under_way, "a call under way", || "a result without a reply".into())?;
            }
        }
        expect_body(backend.call(get(&server.url("/"))?).await, 200, b"ok", "a call after")?;
    }
    timer::delay(timeout + Duration::from_millis(500)).await;
    expect_body(backend.call(get(&server.url("/"))?).await, 200, b"ok", "the last call")?;
    // One is kept for the next call.
    let seen = server.open_connections();
    ensure(seen <= 1, "at most one connection left open", || seen.to_string())
}
