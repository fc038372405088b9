//! The description of the API, made from the tables: paths and methods, without schemas.

use std::borrow::Cow;

use http::{Method, StatusCode, header};

use crate::sandbox::Dialect;
use crate::sandbox::era::Era;
use crate::sandbox::incoming::Incoming;
use crate::sandbox::json::{Json, Name};
use crate::sandbox::reply::{Body, Reply};
use crate::sandbox::routes::{self, Endpoint, SpecificationForm};
use crate::sandbox::schema::Schema;

/// The content types of each form, as accepted and as sent, best first.
type Types = &'static [(&'static str, &'static str)];

static JSON_TYPES: Types = &[
    ("application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
    ("application/json", "application/json"),
];
static YAML_TYPES: Types = &[
    ("application/vnd.oai.openapi", "application/vnd.oai.openapi; charset=utf-8"),
    ("application/yaml", "application/yaml; charset=utf-8"),
];

/// The content type to answer with; none if the client takes none.
pub(crate) fn content_type(form: SpecificationForm, incoming: &Incoming) -> Option<&'static str> {
    let types = types(form);
    let accept = incoming.header(header::ACCEPT).unwrap_or(Cow::Borrowed("*/*"));
    let accepts = |name: &str| {
        accept.split(',').any(|range| {
            let range = range.split(';').next().unwrap_or_default().trim();
            matches!(range, "*/*" | "application/*") || range == name
        })
    };
    types.iter().find(|(name, _)| accepts(name)).map(|(_, sent)| *sent)
}

fn types(form: SpecificationForm) -> Types {
    match form {
        SpecificationForm::Json => JSON_TYPES,
        SpecificationForm::Yaml => YAML_TYPES,
    }
}

/// Puts an answer, be it an error, in the form of the description.
pub(crate) fn shape(
    form: SpecificationForm,
    dialect: Dialect,
    incoming: &Incoming,
    reply: &mut Reply,
) {
    let Body::Json(json) = &reply.body else {
        return;
    };
    let first = types(form).first().map_or("application/json", |(_, sent)| *sent);
    let content_type = content_type(form, incoming).unwrap_or(first);
    let text = match form {
        SpecificationForm::Json => serde_json::to_string_pretty(json).unwrap_or_default(),
        SpecificationForm::Yaml => {
            let mut text = String::new();
            write_yaml(&mut text, json, 0);
            text
        }
    };
    reply.body = Body::Text(content_type, text);
    let vary = match dialect {
        Dialect::Session => "Accept, Cookie, origin",
        Dialect::Jwt => "Accept, origin",
    };
    reply.add_static(header::VARY, vary);
    if reply.status == StatusCode::OK && incoming.method != Method::OPTIONS {
        let extension = match form {
            SpecificationForm::Json => "json",
            SpecificationForm::Yaml => "yaml",
        };
        let file = format!("inline; filename=\"Keystone API.{extension}\"");
        reply.add(header::CONTENT_DISPOSITION, &file);
    }
}

/// The description of a server.
pub(crate) fn document(schema: &'static Schema, version: &str) -> Json {
    let paths = routes::all(schema).into_iter().filter_map(|(path, endpoint)| {
        let allow = endpoint.allow(&schema.era)?;
        let methods = allow.split(", ").filter(|method| !matches!(*method, "HEAD" | "OPTIONS"));
        let operations = methods.map(|method| {
            let operation = operation(&path, endpoint, method, &schema.era);
            (Name::Owned(method.to_ascii_lowercase()), operation)
        });
        let operations = Json::Object(operations.collect());
        Some((Name::Owned(path), operations))
    });
    Json::object([
        ("openapi", Json::text("3.0.3")),
        (
            "info",
            Json::object([
                ("title", Json::text("Keystone API")),
                ("version", Json::text(version)),
                ("description", Json::text("The API of a Keystone server in memory.")),
            ]),
        ),
        ("paths", Json::Object(paths.collect())),
    ])
}

fn operation(path: &str, endpoint: Endpoint, method: &str, era: &Era) -> Json {
    let is_list = matches!(endpoint, Endpoint::List(_));
    let (action, status) = match method {
        "GET" if is_list => ("list", "200"),
        "POST" if is_list => ("create", "201"),
        "POST" => ("create", "200"),
        "PUT" => ("update", "200"),
        "PATCH" => ("partial_update", "200"),
        "DELETE" => ("destroy", "204"),
        _ => ("retrieve", "200"),
    };
    let segments = path.split('/').filter(|it| !it.is_empty() && !it.starts_with('{'));
    let id = segments.chain([action]).collect::<Vec<_>>().join("_").replace('-', "_");
    let response = Json::object([("description", Json::text(""))]);
    let mut members = vec![(Name::Borrowed("operationId"), Json::Text(id))];
    if let Endpoint::Detail(_) = endpoint {
        let parameter = Json::object([
            ("in", Json::text("path")),
            ("name", Json::text("id")),
            ("required", Json::Boolean(true)),
            ("schema", Json::object([("type", Json::text("integer"))])),
        ]);
        members.push((Name::Borrowed("parameters"), Json::List(vec![parameter])));
    }
    if endpoint.is_public(era) {
        members.push((Name::Borrowed("security"), Json::List(Vec::new())));
    }
    let responses = Json::Object(vec![(Name::Borrowed(status), response)]);
    members.push((Name::Borrowed("responses"), responses));
    Json::Object(members)
}

/// Writes a value that is no scalar as a block, each line behind its indent.
fn write_yaml(text: &mut String, json: &Json, depth: usize) {
    let indent = "  ".repeat(depth);
    match json {
        Json::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                text.push_str(&format!("{indent}{}:", scalar(name)));
                write_value(text, value, depth);
            }
        }
        Json::List(items) if !items.is_empty() => {
            for item in items {
                text.push_str(&format!("{indent}-"));
                write_value(text, item, depth);
            }
        }
        other => text.push_str(&format!("{indent}{}\n", inline(other))),
    }
}

/// Writes a value behind its key.
fn write_value(text: &mut String, value: &Json, depth: usize) {
    let block = match value {
        Json::Object(members) => !members.is_empty(),
        Json::List(items) => !items.is_empty(),
        _ => false,
    };
    if block {
        text.push('\n');
        write_yaml(text, value, depth + 1);
    } else {
        text.push_str(&format!(" {}\n", inline(value)));
    }
}

fn inline(value: &Json) -> String {
    match value {
        Json::Text(text) => scalar(text),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

/// A text as it is if YAML reads it as text, else in quotes.
fn scalar(text: &str) -> String {
    let first = text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '/');
    let plain = text.chars().all(|it| it.is_ascii_alphanumeric() || "/{}_-.".contains(it));
    let word = text.to_ascii_lowercase();
    let reserved =
        ["y", "n", "yes", "no", "on", "off", "true", "false", "null"].contains(&word.as_str());
    if first && plain && !reserved {
        text.to_owned()
    } else {
        serde_json::to_string(text).unwrap_or_default()
    }
}
