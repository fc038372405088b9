use std::fmt;

use serde_json::Value;

/// Enough to recognise a page by, little enough to keep.
const TEXT_LIMIT: usize = 2_000;

/// How much of the server's words goes into one line.
const SUMMARY_LIMIT: usize = 300;

/// What an error response says, in the shapes that the server uses.
#[derive(Debug, Clone, Default)]
pub(crate) enum Explanation {
    #[default]
    Empty,
    /// Any JSON; `fields` is filled where it is a map of complaints.
    Json {
        value: Value,
        fields: Vec<(String, Vec<String>)>,
    },
    Text(String),
}

impl Explanation {
    pub(crate) fn read(body: &[u8], is_json: bool) -> Self {
        if body.is_empty() {
            return Self::Empty;
        }
        // Proxies answer JSON requests with text of their own, whatever they call it.
        match serde_json::from_slice::<Value>(body) {
            Ok(value) if is_json => {
                let mut fields = Vec::new();
                if value.get("detail").and_then(Value::as_str).is_none() {
                    collect(&value, "", &mut fields);
                }
                Self::Json { value, fields }
            }
            _ => {
                let head = body.get(..body.len().min(TEXT_LIMIT * 4)).unwrap_or(body);
                Self::Text(String::from_utf8_lossy(head).chars().take(TEXT_LIMIT).collect())
            }
        }
    }

    pub(crate) fn detail(&self) -> Option<&str> {
        self.json()?.get("detail")?.as_str()
    }

    /// The machine-readable code of JWT servers.
    pub(crate) fn code(&self) -> Option<&str> {
        self.json()?.get("code")?.as_str()
    }

    pub(crate) fn fields(&self) -> &[(String, Vec<String>)] {
        match self {
            Self::Json { fields, .. } => fields,
            _ => &[],
        }
    }

    pub(crate) fn json(&self) -> Option<&Value> {
        match self {
            Self::Json { value, .. } => Some(value),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Appends the server's sentences, if it gave any; never a page or a body.
    pub(crate) fn summarise(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut summary = String::new();
        match (self.detail(), self.fields()) {
            (Some(detail), _) => summary.push_str(detail),
            (None, fields) => {
                for (name, messages) in fields {
                    if !summary.is_empty() {
                        summary.push_str("; ");
                    }
                    if name != "non_field_errors" {
                        summary.push_str(name);
                        summary.push_str(": ");
                    }
                    summary.push_str(&messages.join(" "));
                }
            }
        }
        if summary.is_empty() {
            return Ok(());
        }
        match summary.char_indices().nth(SUMMARY_LIMIT) {
            Some((end, _)) => write!(f, ": {}…", summary.get(..end).unwrap_or_default()),
            None => write!(f, ": {summary}"),
        }
    }
}

/// Flattens maps and lists of messages; anything else has no messages in it.
fn collect(value: &Value, path: &str, into: &mut Vec<(String, Vec<String>)>) {
    let join = |key: &str| match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    };
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                collect(value, &join(key), into);
            }
        }
        Value::Array(items) => {
            let messages: Vec<String> =
                items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            if !messages.is_empty() {
                // A bare list is about no field in particular.
                let name = if path.is_empty() { "non_field_errors" } else { path };
                into.push((name.to_owned(), messages));
            }
            for (index, item) in items.iter().enumerate() {
                if item.is_object() || item.is_array() {
                    collect(item, &join(&index.to_string()), into);
                }
            }
        }
        Value::String(message) => into.push((path.to_owned(), vec![message.clone()])),
        _ => {}
    }
}
