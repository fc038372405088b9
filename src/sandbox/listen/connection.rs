//! One connection: requests, answers, and what faults make of them.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
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

/// Heads beyond this are not read at all, so that no client can fill the memory.
const MAX_HEAD: usize = 4 * 1024 * 1024;
const MAX_HEADERS: usize = 10_000;

/// What is sent at a time where much is sent.
const CHUNK: usize = 16 * 1024;

/// Why the answer to a request is not a response.
#[derive(Debug)]
enum Refusal {
    /// A fault says what goes over the connection.
    Fault(Vec<Step>),
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
        let Some((back, steps)) = serve_until_fault(stream, &sandbox, https).await else {
            return;
        };
        stream = back;
        match perform(&mut stream, steps, &restart).await {
            Ok(true) => {}
            // The client went away, or the fault is that the connection ends.
            Ok(false) | Err(_) => return,
        }
    }
}

/// Answers requests until one meets a fault that HTTP does not know: its steps are what follows.
async fn serve_until_fault<S>(stream: S, sandbox: &Sandbox, https: bool) -> Option<(S, Vec<Step>)>
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
                if let Err(Refusal::Fault(steps)) = outcome {
                    *lock(&fault) = Some(steps);
                    return Err(Refusal::Body);
                }
                outcome
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
    let steps = lock(&fault).take();
    match steps {
        // Nobody waits for answers to requests that were sent ahead.
        Some(steps) if parts.read_buf.is_empty() => Some((stream, steps)),
        _ => {
            if outcome.is_ok() {
                // A client that is gone needs no farewell.
                let _ = stream.shutdown().await;
            }
            None
        }
    }
}

async fn answer(
    sandbox: &Sandbox,
    https: bool,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Refusal> {
    if let Some(refusal) = head::refusal(sandbox.shared.dialect, &request) {
        return Ok(refusal.map(Full::new));
    }
    let (parts, body) = request.into_parts();
    let too_large = || Ok(head::close(StatusCode::PAYLOAD_TOO_LARGE, "").map(Full::new));
    if body.size_hint().lower() > MAX_BODY as u64 {
        return too_large();
    }
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return too_large(),
        Err(_) => return Err(Refusal::Body),
    };
    let request = Request::from_parts(parts, body);
    let Some(fault) = sandbox.fault_for(&request) else {
        return Ok(sandbox.dated(sandbox.answer(request, https, None)).map(Full::new));
    };
    let made = sandbox.meet(&fault, request, https);
    let response = sandbox.dated(fault.respond(made));
    match fault.steps(&response) {
        None => Ok(response.map(Full::new)),
        Some(steps) => Err(Refusal::Fault(steps)),
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
                for byte in bytes {
                    stream.write_all(&[byte]).await?;
                    stream.flush().await?;
                    tokio::time::sleep(pause).await;
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
            Step::Wait(time) => tokio::time::sleep(time).await,
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
