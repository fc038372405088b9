use std::any::Any;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::Method;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::outcome::{self, BatchOutcome};
use super::token::{self, Alias, JobId};
use crate::body::{Body, Content, Multipart, check_field};
use crate::capability::{Capability, Needs};
use crate::error::{Error, ErrorKind};
use crate::request::{Cost, Decode, Operation, Request, RequestParts};
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
    /// Relative to the base URL.
    pub(super) path: String,
    pub(super) needs: Needs,
    /// Absolute, where it is not just that path: with references as the server wants them.
    target: Option<String>,
    query: Vec<(Cow<'static, str>, String)>,
    payload: Option<Box<RawValue>>,
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
    /// Shared with the requests that run them and with what comes of that.
    pub(super) steps: Arc<Vec<Step>>,
    files: Vec<Upload>,
    secrets: Vec<&'static str>,
}

/// A step as the server reads it.
#[derive(Serialize)]
struct Action<'a> {
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    alias: Option<Written<Alias>>,
    method: &'a str,
    path: Written<Target<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Parameters::is_empty")]
    query_params: Parameters<'a>,
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

/// Text that is written right where it goes.
struct Written<T>(T);

impl<T: fmt::Display> Serialize for Written<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Where a step goes.
enum Target<'a> {
    /// Relative to the base URL.
    Path(&'a str),
    Absolute(&'a str),
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => {
                f.write_str("/")?;
                f.write_str(path)
            }
            Self::Absolute(target) => f.write_str(target),
        }
    }
}

/// Parameters by their names, each with all of its values.
struct Parameters<'a>(&'a [(Cow<'static, str>, String)]);

impl Parameters<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Parameters<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = BTreeMap::<&str, Vec<&str>>::new();
        for (name, value) in self.0 {
            values.entry(name).or_default().push(value);
        }
        serializer.collect_map(values)
    }
}

impl Job {
    pub(crate) fn new() -> Self {
        Self { id: JobId::draw(), steps: Arc::default(), files: Vec::new(), secrets: Vec::new() }
    }

    /// Adds a call and returns its place.
    pub(crate) fn add<T: 'static>(&mut self, request: Request<T>) -> Result<usize, Error> {
        let (parts, decode) = request.into_parts();
        let invalid = |problem: String| {
            Error::new(ErrorKind::InvalidRequest, parts.operation).with_note(problem)
        };
        check_form(&parts).map_err(invalid)?;
        let mut referred = Vec::new();
        let mut query = parts.query;
        let target = self.target(&parts.path, &mut query, &mut referred).map_err(invalid)?;
        check_length(target.as_deref(), &parts.path).map_err(invalid)?;
        let payload = self.payload(&parts.body, &mut referred).map_err(invalid)?;
        let steps = Arc::make_mut(&mut self.steps);
        for index in referred {
            if let Some(step) = steps.get_mut(index) {
                if step.settled.is_some() {
                    return Err(invalid(format!(
                        "step {} matches nothing, so there is nothing to refer to",
                        index + 1
                    )));
                }
                step.is_referred_to = true;
            }
        }
        let payload = match payload {
            Payload::Empty => None,
            Payload::Json(json) => Some(json),
            Payload::Form { mut members, files } => {
                // Last, as these are references that the server is to take for such.
                for (name, file) in files {
                    self.files.push(file);
                    let reference = format!("@file{{{}}}", file_name(self.files.len()));
                    members.insert(name, reference.into());
                }
                let json = serde_json::value::to_raw_value(&members);
                Some(json.map_err(|error| invalid(error.to_string()))?)
            }
        };
        self.secrets.extend_from_slice(&parts.secrets);
        let decode = shared(decode, steps.last());
        steps.push(Step {
            operation: parts.operation,
            method: parts.method,
            path: parts.path,
            needs: parts.needs,
            target,
            query,
            payload,
            is_referred_to: false,
            settled: parts.settled,
            decode,
        });
        Ok(steps.len().saturating_sub(1))
    }

    /// Where a step goes, if that is not its path as it is. Parameters with references move there.
    fn target(
        &self,
        path: &str,
        query: &mut Vec<(Cow<'static, str>, String)>,
        referred: &mut Vec<usize>,
    ) -> Result<Option<String>, String> {
        let (resolved, steps) = token::resolve(path, self.id)?;
        referred.extend(steps);
        // References in parameters of their own would go unresolved; in the address they do not.
        let moves = query.iter().any(|(_, value)| token::is_in(value));
        if !moves && matches!(resolved, Cow::Borrowed(_)) {
            return Ok(None);
        }
        let mut target = format!("/{resolved}");
        if moves {
            let mut separator = '?';
            for (name, value) in query.drain(..) {
                let (value, steps) = token::resolve_parameter(&value, self.id)?;
                referred.extend(steps);
                let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
                target.push_str(&format!("{separator}{name}={value}"));
                separator = '&';
            }
        }
        Ok(Some(target))
    }

    /// The body of a call as the server takes it within a job.
    fn payload(&self, body: &Body, referred: &mut Vec<usize>) -> Result<Payload, String> {
        match body {
            Body::Empty => Ok(Payload::Empty),
            Body::Json(bytes) => match serde_json::from_slice::<Box<RawValue>>(bytes) {
                Ok(json) if json.get().starts_with('{') => {
                    let (json, steps) = token::resolve_json(json, self.id)?;
                    referred.extend(steps);
                    Ok(Payload::Json(json))
                }
                _ => Err("within a job a body has to be a JSON object".to_owned()),
            },
            Body::Multipart(form) => Payload::of_form(form, |text| {
                let (text, steps) = token::resolve(text, self.id)?;
                referred.extend(steps);
                Ok(text.into_owned())
            }),
            Body::Raw { .. } => Err("within a job a body has to be JSON or multipart".to_owned()),
        }
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
        let (id, steps) = (self.id, Arc::clone(&self.steps));
        let mut needs = Needs::default();
        for step in steps.iter() {
            needs.insert_all(step.needs.of_method(&step.method));
        }
        let request = Request::raw(OPERATION, Method::POST, PATH);
        let request = match self.files.is_empty() {
            true => request.with_json(&Envelope { job })?,
            false => request.with_body(self.form(&job)?.into()),
        };
        let mut request = request
            .adapt(move |response, _| outcome::read(response, id, &steps, dry_run))
            .needing(Capability::Batch)
            .needing_all(needs)
            .with_idempotent(reads_only || (dry_run && self.files.is_empty()))
            .with_secrets(self.secrets.clone())
            .with_cost(cost);
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
        let target = self.target.as_deref().map_or(Target::Path(&self.path), Target::Absolute);
        Action {
            alias: self.is_referred_to.then_some(Written(Alias(index))),
            method: self.method.as_str(),
            path: Written(target),
            payload: self.payload.as_deref(),
            query_params: Parameters(&self.query),
        }
    }
}

/// The way to read an answer, shared with the step before, as that most often has the same. Of functions at
/// one address it makes no difference which is called; one that is at several is only shared less often.
fn shared<T: 'static>(decode: Decode<T>, before: Option<&Step>) -> Arc<dyn Any + Send + Sync> {
    let same = before.filter(|step| match (&decode, step.decode.downcast_ref()) {
        (Decode::Plain(this), Some(Decode::<T>::Plain(that))) => std::ptr::fn_addr_eq(*this, *that),
        _ => false,
    });
    match same {
        Some(step) => Arc::clone(&step.decode),
        None => Arc::new(decode),
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
    match parts.method {
        Method::GET | Method::POST | Method::PUT | Method::PATCH | Method::DELETE => Ok(()),
        ref other => Err(format!("the server takes no {other} within a job")),
    }
}

/// That an address is not longer than the server takes.
fn check_length(target: Option<&str>, path: &str) -> Result<(), String> {
    if target.unwrap_or(path).len() < LONGEST_PATH {
        return Ok(());
    }
    let characters = match target {
        Some(target) => target.chars().count(),
        None => path.chars().count() + 1,
    };
    match characters > LONGEST_PATH {
        true => Err(format!("within a job an address may have {LONGEST_PATH} characters at most")),
        false => Ok(()),
    }
}

/// The body of a call as the server takes it within a job.
enum Payload {
    Empty,
    Json(Box<RawValue>),
    Form { members: Map<String, Value>, files: Vec<(String, Upload)> },
}

impl Payload {
    /// A field that comes several times is a list.
    fn of_form(
        form: &Multipart,
        mut resolve: impl FnMut(&str) -> Result<String, String>,
    ) -> Result<Self, String> {
        let (mut members, mut files) = (Map::new(), Vec::new());
        for part in form.parts() {
            let name = part.name().to_owned();
            match part.content() {
                Content::Text(text) => {
                    let text = Value::String(resolve(text)?);
                    match members.get_mut(&name) {
                        None => drop(members.insert(name, text)),
                        Some(Value::Array(items)) => items.push(text),
                        Some(first) => *first = vec![first.take(), text].into(),
                    }
                }
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
        match members.is_empty() && files.is_empty() {
            true => Ok(Self::Empty),
            false => Ok(Self::Form { members, files }),
        }
    }
}
