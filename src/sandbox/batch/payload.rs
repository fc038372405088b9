//! The body of a step: what its payload becomes when references are resolved.

use crate::sandbox::batch::references::{Sources, Target};
use crate::sandbox::files::Upload;
use crate::sandbox::form::Form;
use crate::sandbox::incoming::Input;
use crate::sandbox::json::{Json, Name};
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

    /// The value without files: their names are in their places.
    fn into_json(self) -> Json {
        match self {
            Self::Json(json) => json,
            Self::File(file) => Json::Text(file.name),
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

/// What a payload is sent as: JSON, or a form if a file is in it.
pub(crate) fn body(payload: &[(Name, Json)], sources: &mut Sources) -> Result<Input, Failure> {
    let mut resolver = Resolver { sources, action: false };
    let members = resolver.members(payload)?;
    if members.iter().any(|(_, value)| value.has_file()) {
        let mut form = Form::default();
        for (name, value) in members {
            add(&mut form, name.into_owned(), value)?;
        }
        return Ok(Input::Form(form));
    }
    if resolver.action {
        return Err(Failure::ServerError);
    }
    Ok(Input::Json(Value::Object(members).into_json()))
}

/// Adds a value to a form. Of an object no more is left than its keys.
fn add(form: &mut Form, name: String, value: Value) -> Result<(), Failure> {
    match value {
        Value::File(file) => form.add_file(name, file),
        Value::Json(Json::Null) => return Err(Failure::ServerError),
        Value::Json(Json::List(items)) => {
            for item in items {
                form.add_field(name.clone(), item.python_text());
            }
        }
        Value::Json(Json::Object(members)) => {
            for (key, _) in members {
                form.add_field(name.clone(), key.into_owned());
            }
        }
        Value::Json(one) => form.add_field(name, one.python_text()),
        Value::List(items) => {
            for item in items {
                match item {
                    Value::File(file) => form.add_file(name.clone(), file),
                    other => form.add_field(name.clone(), other.into_json().python_text()),
                }
            }
        }
        Value::Object(members) => {
            for (key, _) in members {
                form.add_field(name.clone(), key.into_owned());
            }
        }
    }
    Ok(())
}
