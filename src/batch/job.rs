use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::Method;
use serde::Serialize;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::outcome::{self, BatchOutcome};
use super::token::{self, JobId};
use crate::body::{Body, Content, Multipart, check_field};
use crate::capability::{Capability, Needs};
use crate::error::{Error, ErrorKind};
use crate::request::{Cost, Operation, Request, RequestParts};
use crate::upload::Upload;

pub(super) const OPERATION: Operation = Operation::new("run", "batch job");

/// Relative to the base URL.
pub(crate) const PATH: &str = "batch/";

/// The server's bound, in characters.
const LONGEST_PATH: usize = 2_048;

/// The server fails over these within a job.
const NOT_WITHIN_JOBS: [&str; 2] = ["authentication/login/", "authentication/logout/"];

/// A step in the form in which it travels.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) operation: Operation,
    pub(super) method: Method,
    /// Relative to the base URL, for errors.
    pub(super) path: String,
    pub(super) needs: Needs,
    /// Absolute, with references as the server wants them.
    target: String,
    query: Vec<(Cow<'static, str>, String)>,
    payload: Option<Map<String, Value>>,
    is_referred_to: bool,
    /// The answer, where the server need not be asked.
    pub(super) settled: Option<&'static str>,
    /// How to read the answer: a `Decode` of the type that its [`StepRef`](super::StepRef) has.
    pub(super) decode: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Payloads may hold passwords.
        write!(f, "{} ({} {})", self.operation, self.method, self.path)
    }
}

/// The steps of a job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(super) id: JobId,
    pub(super) steps: Vec<Step>,
    files: Vec<Upload>,
    secrets: Vec<&'static str>,
}

/// A step as the server reads it.
#[derive(Serialize)]
struct Action<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query_params: BTreeMap<&'a str, Vec<&'a str>>,
}

#[derive(Serialize)]
struct Actions<'a> {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    actions: Vec<Action<'a>>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    job: Actions<'a>,
}

impl Job {
    pub(crate) fn new() -> Self {
        Self { id: JobId::draw(), steps: Vec::new(), files: Vec::new(), secrets: Vec::new() }
    }

    /// Adds a call and returns its place.
    pub(crate) fn add<T: 'static>(&mut self, request: Request<T>) -> Result<usize, Error> {
        let (parts, decode) = request.into_parts();
        let invalid = |problem: String| {
            Error::new(ErrorKind::InvalidRequest, parts.operation).with_note(problem)
        };
        let mut referred = Vec::new();
        check_form(&parts).map_err(invalid)?;
        let (path, steps) = token::resolve(&parts.path, self.id).map_err(invalid)?;
        referred.extend(steps);
        let mut target = format!("/{path}");
        let mut query = parts.query;
        // References in parameters of their own would go unresolved; in the address they do not.
        if query.iter().any(|(_, value)| token::is_in(value)) {
            let mut separator = '?';
            for (name, value) in query.drain(..) {
                let (value, steps) = token::resolve_parameter(&value, self.id).map_err(invalid)?;
                referred.extend(steps);
                let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
                target.push_str(&format!("{separator}{name}={value}"));
                separator = '&';
            }
        }
        if target.chars().count() > LONGEST_PATH {
            return Err(invalid(format!(
                "within a job an address may have {LONGEST_PATH} characters at most"
            )));
        }
        let mut resolve = |text: &str| -> Result<String, Error> {
            let (resolved, steps) = token::resolve(text, self.id).map_err(invalid)?;
            referred.extend(steps);
            Ok(resolved)
        };
        let Payload { members, files } = Payload::of(&parts.body).map_err(invalid)?;
        let mut payload = match members {
            Some(members) => Some(resolve_members(members, &mut resolve)?),
            None => None,
        };
        for index in referred {
            if let Some(step) = self.steps.get_mut(index) {
                if step.settled.is_some() {
                    return Err(invalid(format!(
                        "step {} matches nothing, so there is nothing to refer to",
                        index + 1
                    )));
                }
                step.is_referred_to = true;
            }
        }
        // Last, as these are references that the server is to take for such.
        for (name, file) in files {
            self.files.push(file);
            let reference = format!("@file{{{}}}", file_name(self.files.len()));
            payload.get_or_insert_default().insert(name, reference.into());
        }
        self.secrets.extend_from_slice(&parts.secrets);
        self.steps.push(Step {
            operation: parts.operation,
            method: parts.method,
            path: parts.path,
            needs: parts.needs,
            target,
            query,
            payload,
            is_referred_to: false,
            settled: parts.settled,
            decode: Arc::new(decode),
        });
        Ok(self.steps.len().saturating_sub(1))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The steps that the server is asked to take.
    fn sent(&self) -> impl Iterator<Item = (usize, &Step)> {
        self.steps.iter().enumerate().filter(|(_, step)| step.settled.is_none())
    }

    /// The request that runs the job.
    pub(crate) fn request(&self, dry_run: bool) -> Result<Request<BatchOutcome>, Error> {
        if self.steps.is_empty() {
            let note = "a job without steps; the server refuses it";
            return Err(Error::new(ErrorKind::InvalidRequest, OPERATION).with_note(note));
        }
        let actions: Vec<Action<'_>> =
            self.sent().map(|(index, step)| step.action(index)).collect();
        let cost = Cost { requests: actions.len() + 1, planned: true };
        let reads_only = self.sent().all(|(_, step)| step.method.is_safe());
        let is_settled = actions.is_empty();
        let job = Actions { dry_run, actions };
        let steps: Arc<[Step]> = self.steps.clone().into();
        let id = self.id;
        let request = Request::raw(OPERATION, Method::POST, PATH);
        let request = match self.files.is_empty() {
            true => request.with_json(&Envelope { job })?,
            false => request.with_body(self.form(&job)?.into()),
        };
        let mut request = request
            .adapt(move |response, _| outcome::read(response, id, &steps, dry_run))
            .needing(Capability::Batch)
            .with_idempotent(reads_only || (dry_run && self.files.is_empty()))
            .with_secrets(self.secrets.clone())
            .with_cost(cost);
        for step in &self.steps {
            request = request.needing_all(step.needs.of_method(&step.method));
        }
        if is_settled {
            request = request.settled(r#"{"results":[]}"#);
        }
        Ok(request)
    }

    /// The job and its files. There the job has no envelope.
    fn form(&self, job: &Actions<'_>) -> Result<Multipart, Error> {
        let job = serde_json::to_string(job)
            .map_err(|error| Error::new(ErrorKind::InvalidRequest, OPERATION).with_source(error))?;
        let form = Multipart::new().text("job", job);
        Ok(self
            .files
            .iter()
            .zip(1..)
            .fold(form, |form, (file, number)| form.file(file_name(number), file.clone())))
    }
}

/// The name of a file within the job.
fn file_name(number: usize) -> String {
    format!("file{number}")
}

impl Step {
    fn action(&self, index: usize) -> Action<'_> {
        let mut query_params = BTreeMap::<&str, Vec<&str>>::new();
        for (name, value) in &self.query {
            query_params.entry(name).or_default().push(value);
        }
        Action {
            alias: self.is_referred_to.then(|| token::alias(index)),
            method: self.method.as_str(),
            path: &self.target,
            payload: self.payload.as_ref(),
            query_params,
        }
    }
}

/// Why a call cannot be a step.
fn check_form(parts: &RequestParts) -> Result<(), String> {
    if NOT_WITHIN_JOBS.contains(&parts.path.as_str()) {
        return Err("the server cannot log in or out within a job".to_owned());
    }
    if let Some((name, _)) = parts.headers.first() {
        return Err(format!("within a job a call has no headers of its own, but it has `{name}`"));
    }
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    if !methods.contains(&parts.method) {
        return Err(format!("the server takes no {} within a job", parts.method));
    }
    Ok(())
}

/// The body of a call as the server takes it within a job.
#[derive(Default)]
struct Payload {
    members: Option<Map<String, Value>>,
    files: Vec<(String, Upload)>,
}

impl Payload {
    fn of(body: &Body) -> Result<Self, String> {
        match body {
            Body::Empty => Ok(Self::default()),
            Body::Json(bytes) => match serde_json::from_slice(bytes) {
                Ok(Value::Object(members)) => {
                    Ok(Self { members: Some(members), files: Vec::new() })
                }
                _ => Err("within a job a body has to be a JSON object".to_owned()),
            },
            Body::Multipart(form) => Self::of_form(form),
            Body::Raw { .. } => Err("within a job a body has to be JSON or multipart".to_owned()),
        }
    }

    /// A field that comes several times is a list.
    fn of_form(form: &Multipart) -> Result<Self, String> {
        let (mut members, mut files) = (Map::new(), Vec::new());
        for part in form.parts() {
            let name = part.name().to_owned();
            match part.content() {
                Content::Text(text) => match members.get_mut(&name) {
                    None => drop(members.insert(name, text.as_str().into())),
                    Some(Value::Array(items)) => items.push(text.as_str().into()),
                    Some(first) => *first = vec![first.take(), text.as_str().into()].into(),
                },
                Content::File(file) => files.push((name, file.clone())),
            }
        }
        if !files.is_empty() {
            for part in form.parts() {
                check_field(part.name(), part.as_text().unwrap_or_default())?;
            }
        }
        let mut names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < files.len() || names.iter().any(|name| members.contains_key(*name)) {
            return Err("within a job a file cannot have the name of another part".to_owned());
        }
        Ok(Self { members: (!members.is_empty()).then_some(members), files })
    }
}

fn resolve_members(
    members: Map<String, Value>,
    resolve: &mut impl FnMut(&str) -> Result<String, Error>,
) -> Result<Map<String, Value>, Error> {
    members.into_iter().map(|(name, value)| Ok((name, resolve_value(value, resolve)?))).collect()
}

fn resolve_value(
    value: Value,
    resolve: &mut impl FnMut(&str) -> Result<String, Error>,
) -> Result<Value, Error> {
    Ok(match value {
        Value::String(text) => Value::String(resolve(&text)?),
        Value::Array(items) => Value::Array(
            items.into_iter().map(|item| resolve_value(item, resolve)).collect::<Result<_, _>>()?,
        ),
        Value::Object(members) => Value::Object(resolve_members(members, resolve)?),
        other => other,
    })
}
