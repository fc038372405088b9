use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use super::{Core, Effects};
use crate::auth::Credential;
use crate::backend::RequestTimeout;
use crate::error::{Error, ErrorKind};
use crate::request::{Origin, RequestParts, Response};
use crate::retry::{Attempt, Failure};

const CORRELATION_HEADER: HeaderName = HeaderName::from_static("x-keystone-cid");

/// The server answers JSON only and refuses an `Accept` without it; the rest is for the text
/// endpoints.
const ACCEPT: HeaderValue = HeaderValue::from_static("application/json, */*;q=0.5");

impl Core {
    /// Sends one request with this credential as often as the retry policy allows.
    pub(super) async fn exchange<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        credential: &Credential,
        started: Instant,
    ) -> Result<Response, Error> {
        let retry = &self.settings.retry;
        let mut origin = Origin {
            operation: parts.operation,
            method: parts.method.clone(),
            path: parts.path.clone(),
            attempts: 0,
            correlation_id: self.settings.correlation_id,
            credentials: credential.class(),
            in_doubt: false,
        };
        loop {
            origin.attempts += 1;
            let elapsed = effects.now().monotonic.saturating_duration_since(started);
            let left = retry.total().saturating_sub(elapsed);
            if left.is_zero() {
                return Err(Error::new(ErrorKind::Timeout, parts.operation)
                    .with_note("the total time of the call ran out before it was sent"));
            }
            let timeout = parts.timeout.unwrap_or(self.settings.timeout).min(left);
            let request = self.http_request(parts, credential, timeout)?;

            let outcome = effects.execute(request).await;
            let now = effects.now();
            let attempt = Attempt {
                number: origin.attempts,
                idempotent: parts.idempotent,
                elapsed: now.monotonic.saturating_duration_since(started),
            };
            let failure = match &outcome {
                Ok(response) => {
                    Failure::of_response(response.status(), response.headers(), now.wall)
                }
                Err(error) => Some(Failure::of_backend(error)),
            };
            trace_attempt(&origin, &outcome);
            let wait = failure.and_then(|failure| retry.wait(&failure, &attempt, fastrand::f64()));
            match (outcome, wait) {
                (Ok(response), None) => return Ok(Response::new(response, origin)),
                (Err(error), None) => {
                    origin.in_doubt |= error.may_have_been_sent();
                    return Err(Error::from_backend(error, &origin));
                }
                (Ok(response), Some(_)) => origin.in_doubt |= response.status().is_server_error(),
                (Err(error), Some(_)) => origin.in_doubt |= error.may_have_been_sent(),
            }
            if let Some(wait) = wait {
                effects.sleep(wait).await;
            }
        }
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
            .join(&parts.path, &parts.query_string())
            .map_err(|problem| invalid(format!("`{}`: {problem}", parts.path)))?;
        let mut request = http::Request::builder()
            .method(parts.method.clone())
            .uri(url)
            .extension(RequestTimeout(timeout))
            .body(parts.body.bytes())
            .map_err(|error| invalid(error.to_string()))?;

        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, ACCEPT);
        headers.insert(header::USER_AGENT, self.settings.user_agent.clone());
        headers.insert(CORRELATION_HEADER, self.settings.correlation_header.clone());
        if let Some(content_type) = parts.body.content_type() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        credential.authorize(!parts.method.is_safe(), &self.settings.referer, headers);
        for (name, value) in &parts.headers {
            headers.insert(name, value.clone());
        }
        Ok(request)
    }
}

#[cfg(feature = "tracing")]
fn trace_attempt(origin: &Origin, outcome: &crate::backend::ExecuteResult) {
    match outcome {
        Ok(response) => tracing::debug!(
            operation = %origin.operation,
            method = %origin.method,
            attempt = origin.attempts,
            status = response.status().as_u16(),
            correlation_id = %origin.correlation_id,
            "response"
        ),
        Err(error) => tracing::debug!(
            operation = %origin.operation,
            method = %origin.method,
            attempt = origin.attempts,
            error = ?error.kind(),
            correlation_id = %origin.correlation_id,
            "no response"
        ),
    }
}

#[cfg(not(feature = "tracing"))]
fn trace_attempt(_origin: &Origin, _outcome: &crate::backend::ExecuteResult) {}
