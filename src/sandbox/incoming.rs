//! A request as the server understands it.

use std::borrow::Cow;
use std::cell::Cell;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};

use crate::sandbox::form::{self, Form};
use crate::sandbox::history::Origin;
use crate::sandbox::json::Json;
use crate::sandbox::json_parser::{self, JsonError};
use crate::sandbox::multipart;
use crate::sandbox::reply::Failure;

/// A request taken apart.
pub(crate) struct Incoming {
    pub(crate) method: Method,
    /// Without the prefix the server is mounted at.
    pub(crate) path: String,
    pub(crate) prefix: String,
    /// As sent, without the question mark.
    pub(crate) raw_query: String,
    /// Decoded, in the order sent.
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) host: String,
    pub(crate) https: bool,
    pub(crate) origin: Origin,
    /// How many batches this request is a step within.
    pub(crate) depth: usize,
    /// A form in the place of the body, where the request is a step.
    form: Option<Form>,
    /// Whether the body was looked at.
    parsed: Cell<bool>,
}

/// What a body says.
pub(crate) enum Input {
    Json(Json),
    Form(Form),
}

impl Incoming {
    /// Takes a request apart; none if its path lies outside the prefix.
    pub(crate) fn new(request: &Request<Bytes>, prefix: &str, https: bool) -> Option<Self> {
        let headers = request.headers().clone();
        let uri = request.uri();
        let path = uri.path().strip_prefix(prefix)?;
        if !prefix.is_empty() && !path.is_empty() && !path.starts_with('/') {
            return None;
        }
        let raw_query = uri.query().unwrap_or_default().to_owned();
        let host = headers
            .get(header::HOST)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .or_else(|| uri.authority().map(ToString::to_string))
            .unwrap_or_else(|| "localhost".to_owned());
        // Without a Content-Length the server reads nothing.
        let chunked = headers.contains_key(header::TRANSFER_ENCODING);
        let body = if chunked { Bytes::new() } else { request.body().clone() };
        Some(Self {
            method: upper_case(request.method()),
            path: path.to_owned(),
            prefix: prefix.to_owned(),
            query: url::form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect(),
            raw_query,
            origin: Origin::new(&headers),
            headers,
            body,
            host,
            https,
            depth: 0,
            form: None,
            parsed: Cell::new(false),
        })
    }

    /// A request that this one contains. It comes from the same place, has a header of its own only
    /// for its content type, and is taken to come without encryption.
    pub(crate) fn step(&self, method: Method, target: &str, body: Option<Input>) -> Self {
        let (path, raw_query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let (body, form) = match body {
            None => (Bytes::new(), None),
            Some(Input::Json(json)) => (serde_json::to_vec(&json).unwrap_or_default().into(), None),
            Some(Input::Form(form)) => (Bytes::new(), Some(form)),
        };
        Self {
            method,
            path: path.to_owned(),
            prefix: self.prefix.clone(),
            query: url::form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect(),
            raw_query: raw_query.to_owned(),
            headers,
            body,
            host: self.host.clone(),
            https: false,
            origin: self.origin.clone(),
            depth: self.depth.saturating_add(1),
            form,
            parsed: Cell::new(false),
        }
    }

    /// The same request with another method and without body, to ask what the caller might do.
    pub(crate) fn without_body(&self, method: Method) -> Self {
        let target = match self.raw_query.as_str() {
            "" => self.path.clone(),
            query => format!("{}?{query}", self.path),
        };
        self.step(method, &target, None)
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<Cow<'_, str>> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
    }

    /// A cookie's value; of repeated names the last.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let headers = self.headers.get_all(header::COOKIE).iter();
        let mut pairs = headers
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.split_once('='));
        let value = pairs.rfind(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
        value.map(|value| value.trim_matches('"').to_owned())
    }

    /// A query parameter's value; of repeated names the last.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_unsafe(&self) -> bool {
        !matches!(self.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// The absolute URL of a path of the server.
    pub(crate) fn absolute(&self, path: &str) -> String {
        format!("{}://{}{}{}", self.scheme(), self.host, self.prefix, path)
    }

    /// The content type: as sent, and without parameters in lower case.
    fn content_type(&self) -> (String, String) {
        let sent = self.header(header::CONTENT_TYPE).unwrap_or_default().into_owned();
        let essence = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        (sent, essence)
    }

    /// The value of a form field in a POST, where the CSRF token may be.
    pub(crate) fn form_field(&self, name: &str) -> Option<String> {
        if self.method != Method::POST {
            return None;
        }
        match self.parse_form().ok().flatten() {
            Some(form) => form.last(name).map(str::to_owned),
            None => None,
        }
    }

    fn parse_form(&self) -> Result<Option<Form>, Failure> {
        if self.form.is_some() {
            return Ok(self.form.clone());
        }
        let (sent, essence) = self.content_type();
        match essence.as_str() {
            "application/x-www-form-urlencoded" => form::parse_urlencoded(&self.body).map(Some),
            "multipart/form-data" => multipart::parse(&sent, &self.body).map(Some),
            _ => Ok(None),
        }
    }

    /// The body where it may be JSON or in several parts, and not a form in a line.
    pub(crate) fn input_without_lines(&self) -> Result<Input, Failure> {
        let (sent, essence) = self.content_type();
        if essence == "application/x-www-form-urlencoded" && !self.body.is_empty() {
            return Err(unsupported(&sent));
        }
        self.input()
    }

    pub(crate) fn is_parsed(&self) -> bool {
        self.parsed.get()
    }

    /// Reads the body by its content type.
    pub(crate) fn input(&self) -> Result<Input, Failure> {
        self.parsed.set(true);
        if self.body.is_empty() && self.form.is_none() {
            let (_, essence) = self.content_type();
            let forms = ["application/x-www-form-urlencoded", "multipart/form-data"];
            return Ok(if forms.contains(&essence.as_str()) {
                Input::Form(Form::default())
            } else {
                Input::Json(Json::Object(Vec::new()))
            });
        }
        if let Some(form) = self.parse_form()? {
            return Ok(Input::Form(form));
        }
        let (sent, essence) = self.content_type();
        if essence != "application/json" {
            return Err(unsupported(&sent));
        }
        let syntax = |message: String| {
            let text = format!("JSON parse error - {message}");
            Failure::detail(StatusCode::BAD_REQUEST, text)
        };
        let text = std::str::from_utf8(&self.body).map_err(|error| {
            let at = error.valid_up_to();
            let byte = self.body.get(at).copied().unwrap_or_default();
            syntax(format!(
                "'utf-8' codec can't decode byte 0x{byte:02x} in position {at}: invalid start byte"
            ))
        })?;
        match json_parser::parse(text) {
            Ok(json) => Ok(Input::Json(json)),
            Err(JsonError::Syntax(message)) => Err(syntax(message)),
            Err(JsonError::TooDeep) => Err(Failure::ServerError),
        }
    }
}

/// The server takes methods in any case.
fn upper_case(method: &Method) -> Method {
    if !method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
        return method.clone();
    }
    let upper = method.as_str().to_ascii_uppercase();
    Method::from_bytes(upper.as_bytes()).unwrap_or_else(|_| method.clone())
}

fn unsupported(content_type: &str) -> Failure {
    let text = format!("Unsupported media type \"{content_type}\" in request.");
    Failure::detail(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
}
