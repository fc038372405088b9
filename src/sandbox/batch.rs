//! Many requests in one, which are carried out together or not at all.

use std::collections::HashMap;

use http::StatusCode;

use crate::sandbox::access::Caller;
use crate::sandbox::batch::job::{Job, Step};
use crate::sandbox::batch::references::Sources;
use crate::sandbox::incoming::{Incoming, Input};
use crate::sandbox::json::Json;
use crate::sandbox::json_parser::{self, JsonError};
use crate::sandbox::reply::{Body, Failure, Reply};
use crate::sandbox::server::Server;

mod job;
mod payload;
mod references;

/// A job that is a step of itself would never end. The server runs out of stack about here.
const MAX_DEPTH: usize = 10;

impl Server {
    /// Runs the job in a body.
    pub(crate) fn batch(&mut self, caller: &Caller, incoming: &Incoming) -> Result<Reply, Failure> {
        if incoming.depth > MAX_DEPTH {
            return Err(Failure::ServerError);
        }
        let (job, files) = match incoming.input_without_lines()? {
            Input::Json(mut envelope @ Json::Object(_)) => match envelope.take("job") {
                Some(Json::Text(text)) => (parsed(&text)?, HashMap::new()),
                job => (job.unwrap_or(Json::Null), HashMap::new()),
            },
            Input::Json(_) => return Err(Failure::ServerError),
            Input::Form(form) => {
                let job = form.last("job").map_or(Ok(Json::Null), parsed)?;
                (job, form.into_files())
            }
        };
        let Job { steps, dry_run } = Job::read(&self.store, job)?;
        let mut sources = Sources::new(files);
        let results = self.transaction_or_trial(dry_run, |server| {
            let steps = steps.iter().zip(1..);
            let results = steps
                .map(|(step, number)| server.run(step, number, &mut sources, caller, incoming));
            let results = results.collect::<Result<Vec<Json>, Failure>>()?;
            // Then the log would name somebody who is not there.
            let is_gone = Caller::new(&server.store, caller.user, true).is_none();
            match is_gone && caller.actor.is_some() && !dry_run {
                true => Err(Failure::ServerError),
                false => Ok(results),
            }
        })?;
        Ok(Reply::ok(Json::object([("results", Json::List(results))])))
    }

    /// Runs one step; the result is what the answer says about it.
    fn run(
        &mut self,
        step: &Step,
        number: i128,
        sources: &mut Sources,
        caller: &Caller,
        batch: &Incoming,
    ) -> Result<Json, Failure> {
        let path = sources.fill_text(&step.path)?;
        let body = step.payload.as_deref().map(|it| payload::body(it, sources)).transpose()?;
        let target = match step.query.as_str() {
            "" => path.clone(),
            query => format!("{path}?{query}"),
        };
        let incoming = batch.step(step.method.clone(), &target, body);
        let reply = match self.answer_step(&incoming, caller) {
            Err(Failure::ServerError) => return Err(Failure::ServerError),
            other => other.unwrap_or_else(Reply::from),
        };
        let body = match reply.body {
            Body::Json(json) => json,
            Body::Empty | Body::EmptyPage | Body::Text(..) => Json::Null,
        };
        let (method, status) = (step.method.as_str(), reply.status.as_u16());
        let code = Json::Integer(i128::from(status));
        if status >= 400 {
            let text = format!("Step #{number} ({method} {path}) failed with status {status}");
            let members = [
                ("detail", Json::Text(text)),
                ("step", Json::Integer(number)),
                ("status", code),
                ("body", body),
            ];
            return Err(Failure::Body(StatusCode::UNPROCESSABLE_ENTITY, Json::object(members)));
        }
        let result = Json::object([
            ("ref", Json::text(&*step.alias)),
            ("index", Json::Integer(number)),
            ("method", Json::text(method)),
            ("path", Json::Text(path)),
            ("status", code),
            ("body", body.clone()),
        ]);
        sources.add(&step.alias, body);
        Ok(result)
    }
}

/// The job that a text holds.
fn parsed(text: &str) -> Result<Json, Failure> {
    json_parser::parse(text).map_err(|error| match error {
        JsonError::Syntax(_) => {
            let text = "The `job` field is not valid JSON.";
            Failure::detail(StatusCode::BAD_REQUEST, text)
        }
        JsonError::TooDeep => Failure::ServerError,
    })
}
