//! The body of a step: what its payload becomes when references are resolved.

use crate::sandbox::batch::references::{Sources, Target};
use crate::sandbox::files::Upload;
use crate::sandbox::incoming::Input;
use crate::sandbox::json::{Json, Name};
use crate::sandbox::multipart;
use crate::sandbox::reply::Failure;

/// A value in which files may be.
enum Value {
    Json(Json),
    File(Upload),
    List(Vec<Value>),
    Object(Vec<(Name, Value)>),
}

impl Value {
    fn has_file(&self) -> bool {
        match self {
            Self::Json(_) => false,
            Self::File(_) => true,
            Self::List(items) => items.iter().any(Self::has_file),
            Self::Object(members) => members.iter().any(|(_, value)| value.has_file()),
        }
    }

    /// The value without files: words about them are in their places.
    fn into_json(self) -> Json {
        match self {
            Self::Json(json) => json,
            Self::File(file) => Json::Text(file.in_words()),
            Self::List(items) => Json::List(items.into_iter().map(Self::into_json).collect()),
            Self::Object(members) => {
                let members = members.into_iter().map(|(name, value)| (name, value.into_json()));
                Json::Object(members.collect())
            }
        }
    }
}

/// Resolves the references of one payload.
struct Resolver<'a> {
    sources: &'a mut Sources,
    /// Something came in that the server cannot write as JSON.
    action: bool,
}

impl Resolver<'_> {
    fn resolve(&mut self, json: &Json) -> Result<Value, Failure> {
        Ok(match json {
            Json::Text(text) => match self.sources.target(text)? {
                Some(Target::File(file)) => Value::File(file),
                Some(Target::Value { json, action }) => {
                    self.action |= action;
                    Value::Json(json)
                }
                None => Value::Json(Json::Text(self.sources.fill_text(text)?)),
            },
            Json::List(items) => {
                let items = items.iter().map(|item| self.resolve(item));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Json::Object(members) => Value::Object(self.members(members)?),
            other => Value::Json(other.clone()),
        })
    }

    fn members(&mut self, members: &[(Name, Json)]) -> Result<Vec<(Name, Value)>, Failure> {
        let resolved = members.iter().map(|(name, value)| Ok((name.clone(), self.resolve(value)?)));
        resolved.collect()
    }
}

/// The framework puts forms together with this one, whatever is in them.
const BOUNDARY: &str = "BoUnDaRyStRiNg";

/// What a payload is sent as: JSON, or a form if a file is in it.
pub(crate) fn body(payload: &[(Name, Json)], sources: &mut Sources) -> Result<Input, Failure> {
    let mut resolver = Resolver { sources, action: false };
    let members = resolver.members(payload)?;
    if members.iter().any(|(_, value)| value.has_file()) {
        let mut form = Vec::new();
        for (name, value) in members {
            add(&mut form, &name, value)?;
        }
        form.extend(format!("--{BOUNDARY}--\r\n").bytes());
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        return multipart::parse(&content_type, &form.into()).map(Input::Form);
    }
    if resolver.action {
        return Err(Failure::ServerError);
    }
    Ok(Input::Json(Value::Object(members).into_json()))
}

/// Adds a value to a form. Of an object no more is left than its keys, and only a file by itself is one.
fn add(form: &mut Vec<u8>, name: &str, value: Value) -> Result<(), Failure> {
    match value {
        Value::File(file) => {
            let parameters =
                format!("; filename=\"{}\"\r\nContent-Type: {}", file.name, file.content_type);
            add_part(form, name, &parameters, &file.content);
        }
        Value::Json(Json::Null) => return Err(Failure::ServerError),
        Value::Json(Json::List(items)) => {
            items.iter().for_each(|item| add_text(form, name, &item.python_text()));
        }
        Value::Json(Json::Object(members)) => {
            members.iter().for_each(|(key, _)| add_text(form, name, key));
        }
        Value::Json(one) => add_text(form, name, &one.python_text()),
        Value::List(items) => {
            for item in items {
                add_text(form, name, &item.into_json().python_text());
            }
        }
        Value::Object(members) => members.iter().for_each(|(key, _)| add_text(form, name, key)),
    }
    Ok(())
}

fn add_text(form: &mut Vec<u8>, name: &str, text: &str) {
    add_part(form, name, "", text.as_bytes());
}

/// Names are written as they are, whatever is in them.
fn add_part(form: &mut Vec<u8>, name: &str, parameters: &str, content: &[u8]) {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{parameters}\r\n\r\n"
    );
    form.extend_from_slice(head.as_bytes());
    form.extend_from_slice(content);
    form.extend_from_slice(b"\r\n");
}
