//! Recorded exchanges: reading them, and making requests of them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use jiff::Timestamp;
use keystone_client::sandbox::Dialect;
use serde_json::Value;

use super::compare::{claims, moment};
use super::exceptions::Exception;

/// One exchange with a real server.
pub struct Recording {
    pub name: String,
    pub method: String,
    pub path: String,
    pub query: Vec<(String, String)>,
    pub raw_query: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
    pub https: bool,
    pub status: u16,
    pub answer_headers: Vec<(String, String)>,
    pub answer: Value,
    /// Whether only the beginning of the answer was kept.
    pub cut: bool,
    /// When it was made: no earlier than the newest moment that it or an earlier one shows.
    pub at: Timestamp,
    /// The same of the one before it: what shows a later moment happened since.
    pub before: Timestamp,
}

/// When the recordings began. They took less than a minute; later moments in them are made up.
fn beginning(dialect: Dialect) -> Timestamp {
    let text = match dialect {
        Dialect::Session => "2026-11-23T00:43:00Z",
        _ => "2026-11-23T00:34:30Z",
    };
    text.parse().unwrap()
}

/// The moments that an exchange shows, also as the times at which tokens were handed out.
fn moments(value: &Value) -> Vec<Timestamp> {
    match value {
        Value::Array(items) => items.iter().flat_map(moments).collect(),
        Value::Object(members) => members.values().flat_map(moments).collect(),
        Value::String(text) => match (moment(text), claims(text.trim_start_matches("Bearer "))) {
            (Some((_, moment)), _) => vec![moment],
            (None, Some(claims)) => {
                let issued = claims["iat"].as_i64();
                issued.and_then(|it| Timestamp::from_second(it).ok()).into_iter().collect()
            }
            (None, None) => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// All recordings of a dialect in the order in which they were made.
pub fn load(dialect: Dialect) -> Vec<Recording> {
    let version = match dialect {
        Dialect::Session => "v0.10.9",
        _ => "v0.3.26",
    };
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(version);
    let order = fs::read_to_string(folder.join("ORDER.txt")).unwrap();
    let mut before = beginning(dialect);
    let latest = before + Duration::from_secs(60);
    let read = |name| {
        let text = fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        let mut shown = moments(&json["response"]["body"]);
        shown.extend(moments(&json["request"]));
        shown.retain(|it| *it <= latest);
        let shown = shown.into_iter();
        let at = shown.max().unwrap_or_default().max(before);
        let recording = Recording::read(name, &json, before, at);
        before = at;
        recording
    };
    order.lines().map(read).collect()
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    let Some(object) = value.as_object() else {
        return Vec::new();
    };
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    object
        .iter()
        .flat_map(|(name, value)| match value {
            Value::Array(items) => items.iter().map(|item| (name.clone(), text(item))).collect(),
            value => vec![(name.clone(), text(value))],
        })
        .collect()
}

/// The boundaries of the recordings were replaced.
const BOUNDARY: &str = "a-boundary";

fn multipart(parts: &[Value]) -> Vec<u8> {
    let mut body = String::new();
    for part in parts {
        let name = part["name"].as_str().unwrap();
        body.push_str(&format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\""));
        if let Some(file_name) = part["filename"].as_str() {
            let content_type = part["content_type"].as_str().unwrap();
            body.push_str(&format!("; filename=\"{file_name}\"\r\nContent-Type: {content_type}"));
        }
        let content = part.get("value").or_else(|| part.get("content"));
        let content = match (content, &part["content_repeat"]) {
            (Some(content), _) => content.as_str().unwrap().to_owned(),
            (None, repeat) => {
                let times = usize::try_from(repeat[1].as_u64().unwrap()).unwrap();
                repeat[0].as_str().unwrap().repeat(times)
            }
        };
        body.push_str(&format!("\r\n\r\n{content}\r\n"));
    }
    body.push_str(&format!("--{BOUNDARY}--\r\n"));
    body.into_bytes()
}

impl Recording {
    fn read(name: &str, json: &Value, before: Timestamp, at: Timestamp) -> Self {
        let (request, response) = (&json["request"], &json["response"]);
        let (query, raw_query) = match &request["query"] {
            Value::String(raw) => {
                let pairs = url::form_urlencoded::parse(raw.as_bytes()).into_owned().collect();
                (pairs, raw.clone())
            }
            object => {
                let pairs = pairs(object);
                let mut raw = url::form_urlencoded::Serializer::new(String::new());
                raw.extend_pairs(&pairs);
                (pairs, raw.finish())
            }
        };
        let lower = |(name, value): (String, String)| (name.to_lowercase(), value);
        Self {
            name: name.to_owned(),
            method: request["method"].as_str().unwrap().to_owned(),
            path: request["path"].as_str().unwrap().to_owned(),
            query,
            raw_query,
            headers: pairs(&request["headers"]).into_iter().map(lower).collect(),
            body: request["body"].clone(),
            https: request["scheme"] == "https",
            status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
            answer_headers: pairs(&response["headers"]).into_iter().map(lower).collect(),
            answer: response["body"].clone(),
            cut: response["body_truncated"] == true,
            at,
            before,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn answer_header(&self, name: &str) -> Option<&str> {
        self.answer_headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value that the body has for a column.
    pub fn sent(&self, column: &str) -> Option<Value> {
        match self.body.get("$multipart") {
            Some(parts) => {
                let mut parts = parts.as_array().unwrap().iter();
                parts.find(|part| part["name"] == column).map(|part| part["value"].clone())
            }
            None => self.body.get(column).cloned(),
        }
    }

    /// The job that a batch holds.
    fn job(&self) -> Value {
        let (text, job) = match &self.body["$multipart"] {
            Value::Array(parts) => {
                let mut parts = parts.iter();
                let part = parts.find(|part| part["name"] == "job");
                (part.and_then(|part| part["value"].as_str()), &Value::Null)
            }
            _ => (self.body["job"].as_str(), &self.body["job"]),
        };
        match text {
            Some(text) => serde_json::from_str(text).unwrap_or_default(),
            None => job.clone(),
        }
    }

    pub fn is_dry_run(&self) -> bool {
        self.job()["dry_run"] == true
    }

    /// The exchanges within a batch, as far as its answer tells of them. The status of those of
    /// which it does not is 0.
    pub fn steps(&self) -> Vec<Self> {
        let job = self.job();
        let actions = job["actions"].as_array().filter(|_| self.path == "/batch/");
        let actions = actions.map_or(&[][..], Vec::as_slice);
        actions.iter().enumerate().map(|(index, action)| self.step(index, action)).collect()
    }

    fn step(&self, index: usize, action: &Value) -> Self {
        let result = &self.answer["results"][index];
        let failed = self.answer["step"] == index + 1;
        let told = if failed { &self.answer } else { result };
        let path = result["path"].as_str().or(action["path"].as_str()).unwrap_or_default();
        let (path, in_path) = path.split_once('?').unwrap_or((path, ""));
        let mut raw_query = url::form_urlencoded::Serializer::new(in_path.to_owned());
        raw_query.extend_pairs(pairs(&action["query_params"]));
        let raw_query = raw_query.finish();
        let status = told["status"].as_u64().unwrap_or(if self.status == 500 { 500 } else { 0 });
        Self {
            name: format!("{}, step {}", self.name, index + 1),
            method: action["method"].as_str().unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(raw_query.as_bytes()).into_owned().collect(),
            raw_query,
            headers: self.headers.clone(),
            body: action["payload"].clone(),
            https: false,
            status: u16::try_from(status).unwrap(),
            answer_headers: Vec::new(),
            answer: told["body"].clone(),
            cut: false,
            at: self.at,
            before: self.before,
        }
    }

    /// Who sends the request, by the session.
    pub fn sender(&self) -> Option<&str> {
        let cookie = self.header("cookie")?;
        cookie.split_once("<session:")?.1.split('>').next()
    }

    fn body_bytes(&self) -> Vec<u8> {
        let special = |name: &str| self.body.get(name);
        if let Some(raw) = special("$raw") {
            return raw.as_str().unwrap().as_bytes().to_vec();
        }
        if let Some(form) = special("$form") {
            let mut text = url::form_urlencoded::Serializer::new(String::new());
            for pair in form.as_array().unwrap() {
                text.append_pair(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
            }
            // Placeholders are filled in later.
            let text = text.finish();
            return text.replace("%3C", "<").replace("%3A", ":").replace("%3E", ">").into_bytes();
        }
        if let Some(parts) = special("$multipart") {
            return multipart(parts.as_array().unwrap());
        }
        if let Some(repeat) = special("$form_repeat") {
            let (prefix, value) = (&repeat["name_prefix"], &repeat["value"]);
            let fields = (0..repeat["count"].as_u64().unwrap()).map(|number| {
                format!("{}{number}={}", prefix.as_str().unwrap(), value.as_str().unwrap())
            });
            return fields.collect::<Vec<_>>().join("&").into_bytes();
        }
        let json = self.header("content-type").is_some_and(|it| it.starts_with("application/json"));
        match &self.body {
            Value::Null if Exception::NullBody.holds(&self.name) => b"null".to_vec(),
            Value::Null => Vec::new(),
            Value::String(text) if !json => text.clone().into_bytes(),
            Value::String(text) if text.is_empty() || self.is_malformed() => {
                text.clone().into_bytes()
            }
            value => serde_json::to_vec(value).unwrap(),
        }
    }

    /// Whether a text in place of a JSON body is the body itself.
    fn is_malformed(&self) -> bool {
        Exception::TextAsJson.holds(&self.name)
    }

    /// The request, with placeholders filled in by a function.
    pub fn request(&self, fill: impl Fn(&str) -> String) -> Request<Bytes> {
        let query = match self.raw_query.as_str() {
            "" => String::new(),
            query => format!("?{query}"),
        };
        let mut request =
            Request::builder().method(self.method.as_str()).uri(format!("{}{query}", self.path));
        if self.header("host").is_none() {
            request = request.header("host", "keystone.test");
        }
        for (name, value) in &self.headers {
            request = request.header(name, fill(&value.replace("<boundary>", BOUNDARY)));
        }
        let body = self.body_bytes();
        // Bytes that are no text are written as escapes.
        let body = if self.body == "\\xff\\xfe" { vec![0xff, 0xfe] } else { body };
        let body = match String::from_utf8(body) {
            Ok(text) => fill(&text).into_bytes(),
            Err(error) => error.into_bytes(),
        };
        request.body(Bytes::from(body)).unwrap()
    }
}
