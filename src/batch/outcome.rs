use std::any::TypeId;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::failure::{BatchFailure, FailedStep, UnresolvedReference};
use super::job::Step;
use super::step::StepRef;
use super::token::JobId;
use crate::error::{Error, ErrorKind};
use crate::request::{Decode, Operation, Response};
use crate::retry::COUNTING_WINDOW;

/// What has come of a job: the answer of each step.
///
/// All steps have been carried out, or, in a dry run, tried and taken back.
///
/// ```
/// # use keystone_client::{resources::{NewCluster, NewTeam}, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # let old = client.create_cluster(NewCluster::new("atlas")).send()?.id;
/// let mut batch = client.batch();
/// let team = batch.add(client.teams().create(NewTeam::new("Folding")));
/// let deletion = batch.add(client.clusters().delete(old));
/// let count = batch.add(client.clusters().list().count());
///
/// let outcome = batch.run().send()?;
/// assert_eq!(outcome.get(team)?.name, "Folding"); // each answer in its own type
/// assert_eq!(outcome.get(count)?, 0);
/// assert_eq!(outcome.status(deletion).unwrap().as_u16(), 204);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct BatchOutcome {
    job: JobId,
    steps: Arc<Vec<Step>>,
    /// One for each step.
    answers: Vec<Answer>,
    /// Where they come from.
    response: Response,
    is_dry_run: bool,
}

/// The answer of a step.
#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    body: Option<Bytes>,
}

impl Answer {
    /// The answer, if the server need not be asked.
    fn settled(step: &Step) -> Option<Self> {
        let json = step.settled?;
        Some(Self { status: StatusCode::OK, body: Some(Bytes::from_static(json.as_bytes())) })
    }

    fn new(status: u16, body: Option<Bytes>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, body }
    }

    /// Whether the server does not tell what the step has answered.
    fn is_untold(&self, step: &Step) -> bool {
        self.body.is_none() && step.method != Method::DELETE
    }

    /// The same as if the step had been called by itself.
    fn to_response(&self, step: &Step, job: &Response) -> Response {
        let mut origin = (*job.origin).clone();
        origin.operation = step.operation;
        origin.method = step.method.clone();
        origin.path = step.path.clone();
        origin.needs = step.needs;
        match &self.body {
            Some(json) => Response::of_json(self.status, json.clone(), origin),
            None => {
                let mut empty = http::Response::default();
                *empty.status_mut() = self.status;
                Response::new(empty, origin)
            }
        }
    }
}

impl BatchOutcome {
    /// The answer of a step.
    ///
    /// In a dry run the keys of new records are not theirs to keep: they may be used for others, or
    /// for none.
    ///
    /// # Errors
    ///
    /// What is wrong with the answer, such as [`ErrorKind::Decode`]; the job has been carried out all
    /// the same. [`ErrorKind::InvalidRequest`] for a step of another job.
    pub fn get<T: 'static>(&self, step: StepRef<T>) -> Result<T, Error> {
        let error = |problem: &'static str| {
            Error::new(ErrorKind::InvalidRequest, super::job::OPERATION).with_note(problem)
        };
        if step.job != self.job {
            return Err(error("the step is one of another job"));
        }
        let known = self.steps.get(step.index).zip(self.answers.get(step.index));
        let Some((known, answer)) = known else {
            return Err(error("the step was added to the job after this outcome"));
        };
        let Some(decode) = known.decode.downcast_ref::<Decode<T>>() else {
            return Err(error("the step has an answer of another type"));
        };
        let needs_no_body = [TypeId::of::<()>(), TypeId::of::<Response>()];
        let response = answer.to_response(known, &self.response);
        if answer.is_untold(known) && !needs_no_body.contains(&TypeId::of::<T>()) {
            let note =
                "the server does not tell within a job what this call answers; call it by itself";
            return Err(response.error(ErrorKind::Decode).with_note(note));
        }
        decode.read(response)
    }

    /// The HTTP status of a step; 200 for one that the server need not be asked.
    pub fn status<T>(&self, step: StepRef<T>) -> Option<StatusCode> {
        let answer = self.answers.get(step.index).filter(|_| step.job == self.job);
        answer.map(|answer| answer.status)
    }

    /// Whether everything has been taken back again.
    pub fn is_dry_run(&self) -> bool {
        self.is_dry_run
    }

    /// How many steps the job had.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether the job had no steps, which no job has that was carried out.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Reads the answer of a step by its place.
    pub(crate) fn answer<T: 'static>(&self, index: usize) -> Result<T, Error> {
        self.get(StepRef::new(self.job, index, super::step::Place::Unknown))
    }
}

impl fmt::Debug for BatchOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchOutcome")
            .field("steps", &self.steps)
            .field("is_dry_run", &self.is_dry_run)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Results<'a> {
    #[serde(borrow)]
    results: Vec<StepResult<'a>>,
}

#[derive(Deserialize)]
struct StepResult<'a> {
    index: usize,
    #[serde(borrow)]
    method: Cow<'a, str>,
    status: u16,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    /// Known, so that it is no news of the server; the job knows its steps itself.
    #[serde(borrow, rename = "ref")]
    _alias: Option<&'a RawValue>,
    #[serde(borrow, rename = "path")]
    _path: Option<&'a RawValue>,
}

/// What the server says of a job that failed.
enum Refusal {
    Step { step: usize, status: u16, body: Option<Box<RawValue>> },
    Reference { token: String, detail: String },
}

impl Refusal {
    fn read(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Members {
            step: Option<usize>,
            status: Option<u16>,
            body: Option<Box<RawValue>>,
            token: Option<String>,
            detail: String,
        }

        let Members { step, status, body, token, detail } = serde_json::from_slice(body).ok()?;
        match (step, status, token) {
            (Some(step), Some(status), _) => Some(Self::Step { step, status, body }),
            (_, _, Some(token)) => Some(Self::Reference { token, detail }),
            _ => None,
        }
    }
}

/// Where the server stopped a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoppedJob {
    /// Which step, from 1.
    pub(crate) step: usize,
    /// Whether it was one call too many.
    pub(crate) is_throttled: bool,
}

impl StoppedJob {
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        match Refusal::read(body)? {
            Refusal::Step { step, status, .. } => Some(Self { step, is_throttled: status == 429 }),
            Refusal::Reference { .. } => None,
        }
    }
}

/// Reads the answer to a job.
pub(super) fn read(
    response: Response,
    job: JobId,
    steps: &Arc<Vec<Step>>,
    is_dry_run: bool,
) -> Result<BatchOutcome, Error> {
    if response.status() == StatusCode::UNPROCESSABLE_ENTITY {
        if let Some(refusal) = Refusal::read(response.bytes()) {
            return Err(refused(&response, steps, refusal));
        }
    }
    let is_server_error = response.status() == StatusCode::INTERNAL_SERVER_ERROR;
    let response = response.error_for_status().map_err(|error| match is_server_error {
        true => error.with_note(
            "a step made the server fail, it does not say which; Keystone rolls such a job back. \
             Deleting a record that others refer to has this effect",
        ),
        false => error,
    })?;
    let Results { results } = response.read()?;
    let mut results = results.into_iter();
    let mut answers = Vec::with_capacity(steps.len());
    let mut place = 0;
    for step in steps.iter() {
        if let Some(answer) = Answer::settled(step) {
            answers.push(answer);
            continue;
        }
        place += 1;
        let result = results
            .next()
            .filter(|result| result.index == place && step.method.as_str() == result.method);
        let Some(result) = result else { return Err(other_steps(&response)) };
        // Not copied: what the steps have answered is most of the answer to the job.
        let body = result.body.map(|json| response.bytes().slice_ref(json.get().as_bytes()));
        answers.push(Answer::new(result.status, body));
    }
    if results.next().is_some() {
        return Err(other_steps(&response));
    }
    let mut response = response;
    // Not to be cloned for each answer, which has a path of its own.
    response.origin.path.clear();
    Ok(BatchOutcome { job, steps: Arc::clone(steps), answers, response, is_dry_run })
}

fn other_steps(response: &Response) -> Error {
    response
        .error(ErrorKind::Decode)
        .with_note("the server has carried out the job, but tells of other steps than it was given")
}

/// The error of a job of which nothing was kept.
fn refused(response: &Response, steps: &[Step], refusal: Refusal) -> Error {
    let mut sent = steps.iter().enumerate().filter(|(_, step)| step.settled.is_none());
    match refusal {
        Refusal::Step { step: number, status, body } => {
            let place = number.checked_sub(1);
            let Some((index, step)) = place.and_then(|place| sent.nth(place)) else {
                return response.error(ErrorKind::Decode).with_note(
                    "the server refused a step that the job has not got; nothing was kept",
                );
            };
            let body = body.map(|json| Bytes::copy_from_slice(json.get().as_bytes()));
            let answer = Answer::new(status, body).to_response(step, response);
            let status = answer.status();
            let own = Error::from_response(&answer);
            // What is no route is a page when it is called by itself.
            let is_unknown = own.detail().is_some_and(|text| text.starts_with("No route matched"));
            let own = match is_unknown {
                true => own.with_kind(ErrorKind::UnknownEndpoint),
                false => own,
            };
            let own = match status {
                StatusCode::TOO_MANY_REQUESTS => own.with_retry_after(COUNTING_WINDOW),
                _ => own,
            };
            let failed = FailedStep { index, operation: step.operation, status: Some(status) };
            Error::of_job(response, own, BatchFailure::Step(failed))
        }
        Refusal::Reference { token, detail } => {
            let error = Error::from_response(response).with_kind(ErrorKind::UnresolvedReference);
            let reason = detail.split_once("\": ").map_or(detail.as_str(), |(_, reason)| reason);
            let reference =
                UnresolvedReference { step: referred(&token), token, reason: reason.to_owned() };
            Error::of_job(response, error, BatchFailure::Reference(reference))
        }
    }
}

/// The step that a reference of ours refers to, from 0.
fn referred(token: &str) -> Option<usize> {
    let number = token.strip_prefix("@ref{step")?.split('.').next()?;
    number.parse::<usize>().ok()?.checked_sub(1)
}

impl FailedStep {
    pub(crate) fn unsent(index: usize, operation: Operation) -> Self {
        Self { index, operation, status: None }
    }
}
