use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use uuid::Uuid;

use super::pace::{Sent, Turn};
use super::{Core, Effects};
use crate::auth::Credential;
use crate::backend::{ExecuteResult, Now, RequestTimeout};
use crate::batch::StoppedJob;
use crate::error::{Error, ErrorKind, shortened};
use crate::observe::EventKind;
#[cfg(any(feature = "sandbox", feature = "testing"))]
use crate::redact::SecretNames;
use crate::request::{Cost, Origin, RequestParts, Response};
use crate::retry::{Attempt, Failure, RetryPolicy, SHORTEST_ATTEMPT, retry_after};

const CORRELATION_HEADER: HeaderName = HeaderName::from_static("x-keystone-cid");

/// The server answers JSON only and refuses an `Accept` without it; the rest is for the text
/// endpoints.
const ACCEPT: HeaderValue = HeaderValue::from_static("application/json, */*;q=0.5");

/// Room for the headers of a call and the few that a transport adds.
const HEADERS_OF_READS: usize = 6;
const HEADERS_OF_WRITES: usize = 12;

/// When a call began, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    started: Instant,
    total: Duration,
}

impl Limit {
    pub(super) fn new(started: Instant, total: Duration) -> Self {
        Self { started, total }
    }

    /// Takes no account of so much time.
    pub(super) fn put_off(&mut self, time: Duration) {
        self.started = self.started.checked_add(time).unwrap_or(self.started);
    }

    pub(super) fn left(&self, now: Instant) -> Duration {
        self.total.saturating_sub(now.saturating_duration_since(self.started))
    }
}

/// What a call has come to so far, over all requests that were sent for it.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    retry: &'a RetryPolicy,
    pub(super) limit: Limit,
    attempts: u32,
    /// Whether the server may have carried out one of the attempts.
    in_doubt: bool,
}

impl<'a> Progress<'a> {
    pub(super) fn new(retry: &'a RetryPolicy, limit: Limit) -> Self {
        Self { retry, limit, attempts: 0, in_doubt: false }
    }
}

/// A request that is about to be sent, or was.
struct Sending<'a> {
    /// Which attempt it is, from 1.
    number: u32,
    /// When its turn was, if it had to have one.
    sent: Option<Sent>,
    parts: &'a RequestParts,
    credential: &'a Credential,
}

impl Core {
    /// What an answer to the next attempt is about.
    pub(super) fn origin(
        &self,
        parts: &RequestParts,
        credential: &Credential,
        progress: &Progress<'_>,
    ) -> Origin {
        Origin {
            operation: parts.operation,
            method: parts.method.clone(),
            path: parts.path.clone(),
            attempts: progress.attempts,
            correlation_id: self.correlation_id(parts),
            carried: credential.class(),
            needs: parts.needs,
            in_doubt: progress.in_doubt,
            retry_after: None,
            drift: self.drift.clone(),
        }
    }

    /// How long one more attempt of the call may take.
    pub(super) fn time_left(
        &self,
        parts: &RequestParts,
        progress: &Progress<'_>,
        now: Instant,
    ) -> Duration {
        parts.options.timeout.unwrap_or(self.settings.timeout).min(progress.limit.left(now))
    }

    /// Sends one request with this credential as often as the retry policy allows.
    pub(super) async fn transmit<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        credential: &Credential,
        progress: &mut Progress<'_>,
    ) -> Result<Response, Error> {
        // The server counts anonymous calls by themselves.
        let is_paced = credential.is_carried();
        // Boxed, as only what is repeated has it.
        let mut last: Option<Box<Result<Response, Error>>> = None;
        let mut too_early = None;
        for number in 1.. {
            let mut sent = None;
            if is_paced {
                match self.wait_for_turn(effects, parts, credential, progress).await {
                    Ok(turn) => sent = Some(turn),
                    Err(wait) => {
                        too_early = Some(wait);
                        break;
                    }
                }
            }
            let now = effects.now().monotonic;
            if progress.limit.left(now).is_zero() {
                break;
            }
            let timeout = self.time_left(parts, progress, now);
            let request = self.http_request(parts, credential, timeout)?;

            progress.attempts += 1;
            let outcome = effects.execute(request).await;
            let attempt = Sending { number, sent, parts, credential };
            let (result, wait) = self.judge(outcome, effects.now(), attempt, progress);
            let Some(wait) = wait else { return result };
            last = Some(Box::new(result));
            effects.sleep(wait).await;
        }
        last.map(|last| *last).unwrap_or_else(|| {
            let origin = self.origin(parts, credential, progress);
            let error = |kind| Error::new(kind, parts.operation).with_origin(&origin);
            Err(match too_early {
                Some(wait) => error(ErrorKind::Throttled)
                    .with_retry_after(wait)
                    .with_note("it was not sent: its turn comes when its total time is over"),
                None => error(ErrorKind::Timeout)
                    .with_note("the total time of the call ran out before it was sent"),
            })
        })
    }

    /// What has come of sending a request once, and how long to wait before it is sent again, if it is.
    fn judge(
        &self,
        outcome: ExecuteResult,
        now: Now,
        Sending { number, sent, parts, credential }: Sending<'_>,
        progress: &mut Progress<'_>,
    ) -> (Result<Response, Error>, Option<Duration>) {
        let left = progress.limit.left(now.monotonic);
        let attempt = Attempt { number, idempotent: parts.idempotent, left };
        let mut origin = self.origin(parts, credential, progress);
        self.tell_of(&origin, outcome_of(&outcome));
        let (failure, result) = match outcome {
            Ok(response) => {
                let (status, headers) = (response.status(), response.headers());
                let mut failure = Failure::of_response(status, headers, now.wall);
                progress.in_doubt |= status.is_server_error();
                origin.retry_after = retry_after(headers, now.wall);
                let stopped = stopped_job(parts, status, response.body());
                if let Some(sent) = sent {
                    let counted = counted(parts.cost, status, stopped);
                    self.pace.counted(sent, now.monotonic, counted);
                    let is_too_much = status == StatusCode::TOO_MANY_REQUESTS
                        || stopped.is_some_and(|job| job.is_throttled);
                    if is_too_much {
                        self.slow_down(&origin, now.monotonic, parts.cost);
                    }
                }
                // One that does not fit into a minute never will.
                let fits = parts.cost.requests <= self.pace.most_in_a_minute();
                if stopped.is_some_and(|job| job.is_throttled) && fits {
                    failure = Some(Failure::throttled_job());
                }
                (failure, Ok(Response::new(response, origin)))
            }
            Err(error) => {
                let failure = Failure::of_backend(&error);
                progress.in_doubt |= error.may_have_been_sent();
                origin.in_doubt = progress.in_doubt;
                (Some(failure), Err(Error::from_backend(error, &origin, self.base.as_str())))
            }
        };
        let wait =
            failure.and_then(|failure| progress.retry.wait(&failure, &attempt, fastrand::f64()));
        if let Some(wait) = wait {
            self.tell_of(&self.origin(parts, credential, progress), EventKind::Retry { wait });
        }
        (result, wait)
    }

    /// Waits until the client may send one more request; an error, and no wait, if that is too late
    /// for the call.
    async fn wait_for_turn<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        credential: &Credential,
        progress: &Progress<'_>,
    ) -> Result<Sent, Duration> {
        loop {
            let (turn, now) = self.turn(effects, parts, credential, progress).await?;
            if !parts.cost.planned || turn.has_room(now) {
                return Ok(turn.take(now));
            }
        }
    }

    /// The time that a request was given, when it has come.
    async fn turn<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        credential: &Credential,
        progress: &Progress<'_>,
    ) -> Result<(Turn<'_>, Instant), Duration> {
        let patient = progress.retry.is_patient();
        let now = effects.now().monotonic;
        let left = progress.limit.left(now);
        // A job that is cut off half-way is in doubt, so it is not begun without time for it.
        let attempt = match parts.cost.requests {
            1 => SHORTEST_ATTEMPT,
            _ => self.time_left(parts, progress, now).min(left / 2).max(SHORTEST_ATTEMPT),
        };
        let within = left.saturating_sub(attempt);
        let turn = self.pace.reserve(now, within, patient, parts.cost)?;
        if turn.at(patient) <= now {
            return Ok((turn, now));
        }
        let deadline = now.checked_add(within);
        // Boxed, as it is seldom done and would add to the size of every call.
        Box::pin(self.come_to_turn(effects, parts, credential, progress, turn, deadline)).await
    }

    /// Waits for the time that a request was given.
    async fn come_to_turn<'a, E: Effects>(
        &'a self,
        effects: &E,
        parts: &RequestParts,
        credential: &Credential,
        progress: &Progress<'_>,
        turn: Turn<'a>,
        deadline: Option<Instant>,
    ) -> Result<(Turn<'a>, Instant), Duration> {
        let patient = progress.retry.is_patient();
        let mut now = effects.now().monotonic;
        let mut waited_for = now;
        // The time may be put off while it is waited for, but is not waited for twice: there are
        // backends for which waiting takes no time.
        while turn.at(patient) > waited_for {
            waited_for = turn.at(patient);
            let wait = waited_for.saturating_duration_since(now);
            if deadline.is_some_and(|deadline| waited_for > deadline) {
                return Err(wait);
            }
            self.tell_of(&self.origin(parts, credential, progress), EventKind::Wait { wait });
            effects.sleep(wait).await;
            now = effects.now().monotonic;
        }
        Ok((turn, now))
    }

    /// Takes over what a refusal of a request for its number means for all others.
    fn slow_down(&self, origin: &Origin, now: Instant, cost: Cost) {
        let lowered = self.pace.refused(now, origin.retry_after, cost);
        if let Some(requests_per_minute) = lowered {
            self.tell_of(origin, EventKind::PaceLowered { requests_per_minute });
        }
    }

    fn correlation_id(&self, parts: &RequestParts) -> Uuid {
        parts.options.correlation_id.unwrap_or(self.settings.correlation_id)
    }

    /// The request as it goes to the backend.
    pub(crate) fn http_request(
        &self,
        parts: &RequestParts,
        credential: &Credential,
        timeout: Duration,
    ) -> Result<http::Request<Bytes>, Error> {
        let invalid = |problem: String| {
            Error::new(ErrorKind::InvalidRequest, parts.operation).with_note(problem)
        };
        let url = self
            .base
            .join(&parts.path, &parts.query)
            .map_err(|problem| invalid(format!("`{}`: {problem}", shortened(&parts.path, 200))))?;
        let body = parts.body.bytes().ok_or_else(|| invalid("its files were not read".into()))?;
        let mut request = http::Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = url;
        request.extensions_mut().insert(RequestTimeout(timeout));
        #[cfg(any(feature = "sandbox", feature = "testing"))]
        if !parts.secrets.is_empty() {
            request.extensions_mut().insert(SecretNames(parts.secrets.clone()));
        }

        let headers = request.headers_mut();
        headers.reserve(if parts.method.is_safe() { HEADERS_OF_READS } else { HEADERS_OF_WRITES });
        headers.insert(header::ACCEPT, ACCEPT);
        headers.insert(header::USER_AGENT, self.settings.user_agent.clone());
        let correlation_header = match parts.options.correlation_id {
            None => self.settings.correlation_header.clone(),
            Some(id) => {
                HeaderValue::try_from(id.to_string()).map_err(|error| invalid(error.to_string()))?
            }
        };
        headers.insert(CORRELATION_HEADER, correlation_header);
        if let Some(content_type) = parts.body.content_type() {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        credential.authorize(!parts.method.is_safe(), &self.settings.referer, headers);
        for (name, value) in &parts.headers {
            headers.insert(name, value.clone());
        }
        Ok(request)
    }
}

/// Where a job was stopped, if the answer says so.
fn stopped_job(parts: &RequestParts, status: StatusCode, body: &Bytes) -> Option<StoppedJob> {
    let may_be = parts.cost.requests > 1 && status == StatusCode::UNPROCESSABLE_ENTITY;
    may_be.then(|| StoppedJob::read(body)).flatten()
}

/// How many calls the server has counted for a request that it answered so.
fn counted(cost: Cost, status: StatusCode, stopped: Option<StoppedJob>) -> usize {
    match stopped {
        _ if status == StatusCode::TOO_MANY_REQUESTS => 0,
        // The job itself, and the steps up to the one that was refused; what was too much is not counted.
        Some(StoppedJob { step, is_throttled: true }) => step.min(cost.requests),
        Some(StoppedJob { step, is_throttled: false }) => step.saturating_add(1).min(cost.requests),
        None if status == StatusCode::BAD_REQUEST => 1,
        None => cost.requests,
    }
}

fn outcome_of(outcome: &ExecuteResult) -> EventKind {
    match outcome {
        Ok(response) => EventKind::Response { status: response.status() },
        Err(error) => EventKind::NoResponse {
            error: error.kind(),
            may_have_been_sent: error.may_have_been_sent(),
        },
    }
}
