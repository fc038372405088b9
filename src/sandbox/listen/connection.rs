//! One connection: requests, answers, and what faults make of them.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedSender;

use super::head;
use crate::sandbox::faults::Step;
use crate::sandbox::{Sandbox, lock};

/// An idle connection is closed after this time, as the real server does.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A larger body is refused, so that no client can fill the memory.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// The longest time between two parts of a body.
const PATIENCE: Duration = Duration::from_secs(30);

/// Heads beyond this are not read at all, so that no client can fill the memory.
const MAX_HEAD: usize = 4 * 1024 * 1024;
const MAX_HEADERS: usize = 10_000;

/// What is sent at a time where much is sent.
const CHUNK: usize = 16 * 1024;

/// What goes over a connection in the place of a response, and whether it stays open.
#[derive(Debug)]
struct Script {
    steps: Vec<Step>,
    keep_alive: bool,
}

/// Why the answer to a request is not a response.
#[derive(Debug)]
enum Refusal {
    /// A fault says what goes over the connection.
    Fault(Script),
    /// The request did not arrive.
    Body,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the answer is no response")
    }
}

impl std::error::Error for Refusal {}

/// Answers the requests of a connection until its end.
pub(super) async fn serve<S>(
    mut stream: S,
    sandbox: Sandbox,
    https: bool,
    restart: UnboundedSender<Duration>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let Some((back, script)) = serve_until_fault(stream, &sandbox, https).await else {
            return;
        };
        stream = back;
        match perform(&mut stream, script.steps, &restart).await {
            Ok(true) if script.keep_alive => {}
            Ok(true) => {
                // A client that is gone needs no farewell.
                let _ = stream.shutdown().await;
                return;
            }
            // The client went away, or the fault is that the connection ends.
            Ok(false) | Err(_) => return,
        }
    }
}

/// Answers requests until one meets a fault that HTTP does not know: its steps are what follows.
async fn serve_until_fault<S>(stream: S, sandbox: &Sandbox, https: bool) -> Option<(S, Script)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let fault = Arc::new(Mutex::new(None));
    let service = {
        let (sandbox, fault) = (sandbox.clone(), Arc::clone(&fault));
        service_fn(move |request| {
            let (sandbox, fault) = (sandbox.clone(), Arc::clone(&fault));
            Box::pin(async move {
                let outcome = answer(&sandbox, https, request).await;
                match outcome {
                    Err(Refusal::Fault(script)) => {
                        *lock(&fault) = Some(script);
                        Err(Refusal::Body)
                    }
                    // Whoever answers dates the answer, by the clock of the sandbox.
                    other => other.map(|response| sandbox.dated(response).map(Full::new)),
                }
            })
        })
    };
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Covers the wait for the next request, too, and so ends idle connections.
        .header_read_timeout(KEEP_ALIVE)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    let outcome = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let parts = connection.into_parts();
    let mut stream = parts.io.into_inner();
    let script = lock(&fault).take();
    if let Some(mut script) = script {
        // Requests that were sent ahead were read already, and are lost with the connection.
        script.keep_alive &= parts.read_buf.is_empty();
        return Some((stream, script));
    }
    if outcome.is_ok() {
        // A client that is gone needs no farewell.
        let _ = stream.shutdown().await;
    }
    None
}

/// Whether the connection stays open after a request.
fn keeps_alive<B>(request: &Request<B>) -> bool {
    let says = |word: &str| {
        let values = request.headers().get_all(header::CONNECTION).iter();
        let mut words = values.filter_map(|value| value.to_str().ok()).flat_map(|it| it.split(','));
        words.any(|it| it.trim().eq_ignore_ascii_case(word))
    };
    match request.version() {
        Version::HTTP_11 => !says("close"),
        _ => says("keep-alive"),
    }
}

async fn answer(
    sandbox: &Sandbox,
    https: bool,
    request: Request<Incoming>,
) -> Result<Response<Bytes>, Refusal> {
    if let Some(refusal) = head::refusal(sandbox.dialect(), &request) {
        return Ok(refusal);
    }
    let keep_alive = keeps_alive(&request);
    let (parts, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(Unread::TooLarge) => return Ok(head::close(StatusCode::PAYLOAD_TOO_LARGE, "")),
        Err(Unread::Broken) => return Err(Refusal::Body),
    };
    let request = Request::from_parts(parts, body);
    let Some(fault) = sandbox.fault_for(&request) else {
        return Ok(sandbox.answer(request, https, None));
    };
    let made = sandbox.meet(&fault, request, https);
    let mut response = fault.respond(made);
    if let Some(time) = fault.lateness() {
        tokio::time::sleep(time).await;
    }
    if !keep_alive {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    match fault.steps(&sandbox.dated(response.clone())) {
        None => Ok(response),
        Some(steps) => Err(Refusal::Fault(Script { steps, keep_alive })),
    }
}

/// Why there is no body.
enum Unread {
    TooLarge,
    /// The client went away, sent what is no body, or nothing for too long.
    Broken,
}

async fn read(body: Incoming) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(Unread::TooLarge);
    }
    let mut body = Limited::new(body, MAX_BODY);
    let mut read = BytesMut::new();
    loop {
        match tokio::time::timeout(PATIENCE, body.frame()).await {
            Ok(None) => return Ok(read.freeze()),
            Ok(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    read.extend_from_slice(data);
                }
            }
            Ok(Some(Err(error))) if error.is::<LengthLimitError>() => {
                return Err(Unread::TooLarge);
            }
            Ok(Some(Err(_))) | Err(_) => return Err(Unread::Broken),
        }
    }
}

/// Whether the connection goes on after these steps.
async fn perform<S>(
    stream: &mut S,
    steps: Vec<Step>,
    restart: &UnboundedSender<Duration>,
) -> io::Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    for step in steps {
        match step {
            Step::Send(bytes) => {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
            }
            Step::Drip(bytes, pause) => {
                let mut more = [0; 1];
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    stream.flush().await?;
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        // The client is gone, or sends more, which is not answered.
                        _ = stream.read(&mut more) => return Ok(false),
                    }
                }
            }
            Step::Blanks(number) => {
                let blanks = [b' '; CHUNK];
                let mut left = usize::try_from(number).unwrap_or(usize::MAX);
                while let Some(chunk) = blanks.get(..left.min(CHUNK)).filter(|it| !it.is_empty()) {
                    stream.write_all(chunk).await?;
                    left -= chunk.len();
                }
                stream.flush().await?;
            }
            Step::Silence => {
                // Ends when the client closes the connection or sends more, which is not answered.
                let _ = stream.read(&mut [0; 1]).await?;
                return Ok(false);
            }
            Step::Close => {
                stream.shutdown().await?;
                return Ok(false);
            }
            Step::Restart(pause) => {
                // Without listener there is nothing to restart.
                let _ = restart.send(pause);
                // Until the restart ends this task.
                std::future::pending::<()>().await;
            }
        }
    }
    Ok(true)
}
