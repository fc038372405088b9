//! What is wrong with a call, whatever there is on the server, and with what comes back.

use serde_json::{Map, Value};

use super::{EnsurePlan, operation};
use crate::body::{Body, Multipart, Part};
use crate::difference::{contradiction, disagreement};
use crate::error::{Error, ErrorKind};
use crate::filter::{Condition, Filter};
use crate::request::Request;
use crate::resource::{Create, Resource, Update};

impl<R: Create + Update> EnsurePlan<R> {
    /// Refuses what would fail after something was written, or what each run would do again.
    pub(super) fn check(&self) -> Result<(), Error> {
        let key = &self.key;
        let invalid = |note: String| {
            Err(Error::new(ErrorKind::InvalidRequest, operation::<R>()).with_note(note))
        };
        for change in &self.changes.0 {
            let field = change.field();
            if change.is_secret() {
                return invalid(format!(
                    "`{field}` is never shown, so there is no telling whether it differs; set it in the \
                     new record, and change it by an update"
                ));
            }
            if !change.is_readable() {
                return invalid(format!(
                    "whether `{field}` differs cannot be read off a record; say how with `Field::reading`"
                ));
            }
        }
        self.look_up()?.parts.refuse_reference(operation::<R>())?;
        self.create.parts.refuse_reference(operation::<R>())?;
        let changes = Request::<Value>::json(operation::<R>(), http::Method::PATCH, R::PATH)
            .with_json(&self.changes)?;
        changes.parts.refuse_reference(operation::<R>())?;
        if key.conditions().iter().any(Condition::is_vain) {
            return invalid(format!(
                "the key `{key}` finds no record whatever there is, so that each run would create one"
            ));
        }
        if key.conditions().iter().all(Condition::matches_anything) {
            return invalid(format!("the key `{key}` finds every record"));
        }
        if let Some(field) = contradiction(key, &self.new, &self.changes.0) {
            return invalid(format!(
                "`{field}` is part of the key `{key}` and is to have another value, so that the next run \
                 would not find the record"
            ));
        }
        match disagreement(&self.new, &self.changes.0) {
            Some(field) => invalid(format!(
                "`{field}` has one value in the new record and another in the changes, so that the next \
                 run would change what this one has created"
            )),
            None => Ok(()),
        }
    }
}

/// The fields that a body sets, as far as it can be told.
pub(super) fn fields_of(body: &Body) -> Map<String, Value> {
    match body {
        Body::Json(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
        Body::Multipart(form) => fields_of_form(form),
        Body::Empty | Body::Raw { .. } => Map::new(),
    }
}

fn fields_of_form(form: &Multipart) -> Map<String, Value> {
    let is_single =
        |part: &&Part| form.parts().iter().filter(|other| other.name() == part.name()).count() == 1;
    let field = |part: &Part| {
        // An empty text stands for null in some fields, and for itself in others.
        let text = part.as_text().filter(|text| !text.is_empty())?;
        Some((part.name().to_owned(), text.into()))
    };
    form.parts().iter().filter(is_single).filter_map(field).collect()
}

/// The same write, which fails if the key does not find what comes of it.
pub(super) fn found_by<R: Resource>(
    write: Request<R::Model>,
    key: Filter<R>,
    done: &'static str,
) -> Request<R::Model> {
    write.adapt(move |response, decode| {
        let astray = response.error(ErrorKind::NotApplied);
        let record = decode(response)?;
        if key.rejects(&record) {
            return Err(astray.with_note(format!(
                "the record was {done}, but the key `{key}` does not find it, so that the next run would \
                 create another"
            )));
        }
        Ok(record)
    })
}
