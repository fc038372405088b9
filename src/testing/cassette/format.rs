//! Cassettes as they stand in their files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const FORMAT: &str = "keystone-client cassette";

/// The version of the format that this crate writes and reads.
const VERSION: u32 = 1;

/// Why a cassette cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[error("cassette {}: {problem}", path.display())]
pub struct CassetteError {
    path: PathBuf,
    problem: String,
    source: Option<io::Error>,
}

impl CassetteError {
    pub(super) fn new(path: &Path, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: problem.into(), source: None }
    }

    pub(super) fn io(path: &Path, what: &str, error: io::Error) -> Self {
        Self { path: path.to_owned(), problem: format!("{what}: {error}"), source: Some(error) }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Everything that was recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Cassette {
    format: String,
    version: u32,
    /// When the first request was sent.
    pub(super) recorded: Timestamp,
    /// What stands for data that was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) placeholders: Vec<String>,
    /// Fields whose numbers and booleans were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) redacted_fields: Vec<String>,
    pub(super) entries: Vec<Entry>,
}

/// One request and what came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Milliseconds from the first request to this one.
    pub(super) at_ms: u64,
    pub(super) took_ms: u64,
    pub(super) request: Sent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<Received>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<Failure>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) path: String,
    /// Parameters as `name=value`, decoded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) query: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Body>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Received {
    pub(super) status: u16,
    /// Headers as `name: value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) headers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Body>,
}

/// A failure of the backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) kind: String,
    pub(super) may_have_been_sent: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Body {
    Json(Value),
    Text(String),
    Base64(String),
    Form(Vec<Part>),
    /// So many bytes that were left out.
    Omitted(usize),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content_type: Option<String>,
    pub(super) content: Body,
}

impl Cassette {
    pub(super) fn new(recorded: Timestamp, entries: Vec<Entry>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            recorded,
            placeholders: Vec::new(),
            redacted_fields: Vec::new(),
            entries,
        }
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, CassetteError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let head: Head = serde_json::from_str(text)
            .map_err(|error| CassetteError::new(path, format!("it is no cassette: {error}")))?;
        if head.format != FORMAT {
            return Err(CassetteError::new(path, format!("its format is {:?}", head.format)));
        }
        if head.version != VERSION {
            let problem =
                format!("its version is {}, and this crate reads {VERSION}", head.version);
            return Err(CassetteError::new(path, problem));
        }
        serde_json::from_str(text)
            .map_err(|error| CassetteError::new(path, format!("it is damaged: {error}")))
    }

    pub(super) fn read(path: &Path) -> Result<Self, CassetteError> {
        let text = fs::read_to_string(path)
            .map_err(|error| CassetteError::io(path, "it cannot be read", error))?;
        Self::parse(path, &text)
    }

    /// Writes the file in the place of what is there. Whoever reads it meanwhile gets the old one or
    /// the new one.
    pub(super) fn write(&self, path: &Path) -> Result<(), CassetteError> {
        let failed = |error| CassetteError::io(path, "it cannot be written", error);
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| CassetteError::new(path, error.to_string()))?;
        text.push('\n');
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let draft = path.with_extension(format!("{:016x}.new", fastrand::u64(..)));
        fs::write(&draft, text).and_then(|()| fs::rename(&draft, path)).map_err(|error| {
            // It may not exist; what counts is the first error.
            let _ = fs::remove_file(&draft);
            failed(error)
        })
    }
}

/// A parameter on one line. What is before the first equals sign is the name.
pub(super) fn join_parameter(name: &str, value: &str) -> String {
    let name = name.replace('%', "%25").replace('=', "%3D").replace('&', "%26");
    format!("{name}={value}")
}

pub(super) fn split_parameter(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    (name.replace("%26", "&").replace("%3D", "=").replace("%25", "%"), value.to_owned())
}
