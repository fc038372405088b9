//! Form bodies, and how form fields stand for JSON values.

use bytes::Bytes;
use http::StatusCode;

use crate::sandbox::json::Json;
use crate::sandbox::json_parser;
use crate::sandbox::reply::Failure;
use crate::sandbox::schema::{Column, Kind};

/// More fields than this are refused by the framework.
const MAX_FIELDS: usize = 1000;

/// A form body.
#[derive(Default)]
pub(crate) struct Form {
    fields: Vec<(String, String)>,
    /// How many file parts there are. No resource here takes files.
    files: usize,
}

impl Form {
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
    Ok(Form { fields, files: 0 })
}

pub(crate) fn parse_multipart(content_type: &str, body: &Bytes) -> Result<Form, Failure> {
    let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty());
    let Some(boundary) = boundary else {
        let text = "Multipart form parse error - Invalid boundary in multipart: None";
        return Err(Failure::detail(StatusCode::BAD_REQUEST, text));
    };
    let delimiter = format!("--{boundary}");
    let mut form = Form::default();
    let mut rest = match find(body, delimiter.as_bytes()) {
        Some(at) => body.slice(at + delimiter.len()..),
        None => return Ok(form),
    };
    let delimiter = format!("\r\n--{boundary}");
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        let part_and_rest = rest.slice_ref(after);
        let Some(end) = find(&part_and_rest, delimiter.as_bytes()) else {
            break;
        };
        form.add_part(&part_and_rest.slice(..end));
        if form.fields.len() + form.files > MAX_FIELDS {
            return Err(Failure::BadRequestPage);
        }
        rest = part_and_rest.slice(end + delimiter.len()..);
    }
    Ok(form)
}

impl Form {
    fn add_part(&mut self, part: &Bytes) {
        let Some(end) = find(part, b"\r\n\r\n") else {
            return;
        };
        let head = String::from_utf8_lossy(part.get(..end).unwrap_or_default()).into_owned();
        let content = part.slice(end + 4..);
        let disposition = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case("content-disposition").then(|| value.trim().to_owned())
        });
        let Some(disposition) = disposition else {
            return;
        };
        let Some(name) = parameter(&disposition, "name") else {
            return;
        };
        match parameter(&disposition, "filename") {
            Some(_) => self.files += 1,
            None => {
                let text = String::from_utf8_lossy(&content).into_owned();
                self.fields.push((name, text));
            }
        }
    }
}

/// A parameter of a header value.
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len().max(1)).position(|window| window == pattern)
}
