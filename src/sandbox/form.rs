//! Form bodies, and how form fields stand for JSON values.

use std::collections::HashMap;

use crate::sandbox::files::Upload;
use crate::sandbox::json::Json;
use crate::sandbox::json_parser;
use crate::sandbox::reply::Failure;
use crate::sandbox::schema::{Column, Kind};

/// More fields than this are refused by the framework.
const MAX_FIELDS: usize = 1000;

/// More files than this are refused by the framework.
const MAX_FILES: usize = 100;

/// A form body.
#[derive(Clone, Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    files: Vec<(String, Upload)>,
}

impl Form {
    pub(crate) fn add_field(&mut self, name: String, text: String) {
        self.fields.push((name, text));
    }

    pub(crate) fn add_file(&mut self, name: String, file: Upload) {
        self.files.push((name, file));
    }

    /// All files by name; of several the last.
    pub(crate) fn into_files(self) -> HashMap<String, Upload> {
        self.files.into_iter().collect()
    }

    /// Whether the framework refuses it for the number of its parts.
    pub(crate) fn is_too_large(&self) -> bool {
        self.fields.len() > MAX_FIELDS || self.files.len() > MAX_FILES
    }

    /// The file under a name; of several the last.
    pub(crate) fn file(&self, name: &str) -> Option<&Upload> {
        self.files.iter().rev().find(|(key, _)| key == name).map(|(_, file)| file)
    }

    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        self.fields.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The JSON value a form gives a column, by the rules for HTML forms: a check box that is off
    /// and a list without choice are not sent at all, and nothing but text can be.
    pub(crate) fn value(&self, column: &Column, partial: bool) -> Option<Json> {
        if let Kind::References { .. } = column.kind {
            let items = self.fields.iter().filter(|(key, _)| key == column.name);
            let items: Vec<_> = items.map(|(_, value)| Json::text(value.as_str())).collect();
            return (!partial || !items.is_empty()).then_some(Json::List(items));
        }
        let Some(text) = self.last(column.name) else {
            let off = matches!(column.kind, Kind::Boolean) && !partial && !column.default_on_put;
            return off.then_some(Json::Boolean(false));
        };
        if text.is_empty() && column.null {
            return Some(if column.blank { Json::text("") } else { Json::Null });
        }
        if text.is_empty() && !column.required && !column.blank {
            return None;
        }
        if let Kind::Json = column.kind {
            return Some(json_parser::parse(text).unwrap_or_else(|_| Json::text(text)));
        }
        Some(Json::text(text))
    }
}

pub(crate) fn parse_urlencoded(body: &[u8]) -> Result<Form, Failure> {
    let fields: Vec<_> = url::form_urlencoded::parse(body).into_owned().collect();
    if fields.len() > MAX_FIELDS {
        return Err(Failure::BadRequestPage);
    }
    Ok(Form { fields, files: Vec::new() })
}
