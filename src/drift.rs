//! Noticing what a server says that this crate does not know.
//!
//! Unknown fields are left out and unknown codes are kept as they are, so neither stops a program.
//! A client built with [`ClientBuilder::watch_drift`](crate::ClientBuilder::watch_drift) notes
//! them, and [`KeystoneClient::drift`](crate::KeystoneClient::drift) reports them as a [`Drift`]: after an
//! upgrade of the server it says what a newer version of this crate would bring.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_ignored::Path;

/// How many different findings of a kind are kept.
const MOST: usize = 1_000;

/// What a server has said so far that this crate does not know.
///
/// Reported by [`KeystoneClient::drift`](crate::KeystoneClient::drift).
///
/// ```
/// use keystone_client::{Id, KeystoneClient};
/// use keystone_client::resources::AllocationRequest;
/// use keystone_client::testing::{Fixture, from_fn};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
/// let mut record = AllocationRequest::fixture_json(7);
/// record["status"] = "WD".into();
/// record["colour"] = "blue".into();
/// let reply = http::Response::builder()
///     .header("content-type", "application/json")
///     .body(record.to_string().into())?;
/// let client = KeystoneClient::builder("https://keystone.test")
///     .backend(from_fn(move |_| Ok(reply.clone())))
///     .watch_drift(true)
///     .build()?;
///
/// let request = client.requests().retrieve(Id::new(7)).await?;
/// assert_eq!(request.status.code(), "WD");
/// let drift = client.drift();
/// assert_eq!(drift.unknown_fields[0].path, "colour");
/// assert_eq!(drift.unknown_codes[0].code, "WD");
/// # Ok(()) }) }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drift {
    /// Fields that no model has, by record and path.
    pub unknown_fields: Vec<UnknownField>,
    /// Codes that no enumeration has, by enumeration and code.
    pub unknown_codes: Vec<UnknownCode>,
}

/// A field that the model has not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownField {
    /// The kind of record: `grant`.
    pub record: &'static str,
    /// Where in the record: `_assignees[].title`.
    pub path: String,
    /// How often it was met.
    pub count: u64,
}

/// A code that the enumeration has not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownCode {
    /// The enumeration: `RequestStatus`.
    pub enumeration: &'static str,
    /// The code.
    pub code: String,
    /// How often it was met.
    pub count: u64,
}

impl Drift {
    /// Whether everything that was read is known.
    pub fn is_empty(&self) -> bool {
        self.unknown_fields.is_empty() && self.unknown_codes.is_empty()
    }
}

/// One finding a line.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for UnknownField { record, path, count } in &self.unknown_fields {
            writeln!(f, "{record}: unknown field `{path}`, met {count} times")?;
        }
        for UnknownCode { enumeration, code, count } in &self.unknown_codes {
            writeln!(f, "{enumeration}: unknown code `{code}`, met {count} times")?;
        }
        Ok(())
    }
}

type Counts = BTreeMap<(&'static str, String), u64>;

/// The findings of one client.
#[derive(Debug, Default)]
pub(crate) struct DriftLog(Mutex<Findings>);

#[derive(Debug, Default)]
struct Findings {
    fields: Counts,
    codes: Counts,
}

/// What the decoding under way has met.
#[derive(Debug, Default)]
struct Noted {
    fields: Vec<String>,
    codes: Vec<(&'static str, String)>,
}

thread_local! {
    /// What the decoding under way on this thread has met, if it is watched. Enumerations cannot be
    /// told of a log otherwise, as serde passes nothing along.
    static NOTED: RefCell<Option<Noted>> = const { RefCell::new(None) };
}

/// Gives back to the reading around this one what it has noted, also after a panic.
struct Watch {
    outer: Option<Noted>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        NOTED.set(self.outer.take());
    }
}

/// Notes a code that `enumeration` does not know, if the decoding under way is watched.
#[cold]
pub(crate) fn note_code(enumeration: &'static str, code: &str) {
    note(|noted| noted.codes.push((enumeration, code.to_owned())));
}

/// Notes what is not known in the part of a record that is read on demand, if the decoding under
/// way is watched.
pub(crate) fn note_part<T: DeserializeOwned>(path: &str, json: &str) {
    if NOTED.with_borrow(Option::is_some) {
        // What cannot be read is for the later reading to report.
        let _ = read_noting::<T>(path, json.as_bytes());
    }
}

fn note(what: impl FnOnce(&mut Noted)) {
    NOTED.with_borrow_mut(|noted| noted.as_mut().map(what));
}

fn read_noting<'a, T: Deserialize<'a>>(
    prefix: &str,
    json: &'a [u8],
) -> Result<T, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_ignored::deserialize(&mut deserializer, |path| {
        note(|noted| noted.fields.push(path_in_record(prefix, &path)));
    })?;
    deserializer.end().map(|()| value)
}

impl DriftLog {
    /// Reads `json`, a record or a page of records of this kind, and notes what is not known.
    pub(crate) fn read<'a, T: Deserialize<'a>>(
        &self,
        record: &'static str,
        json: &'a [u8],
    ) -> Result<T, serde_json::Error> {
        let watch = Watch { outer: NOTED.replace(Some(Noted::default())) };
        let value = read_noting("", json);
        let Noted { mut fields, codes } = NOTED.take().unwrap_or_default();
        drop(watch);
        // The links of a page are left out on purpose.
        fields.retain(|path| path != "next" && path != "previous");
        let mut findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count(&mut findings.fields, fields.into_iter().map(|path| (record, path)));
        count(&mut findings.codes, codes.into_iter());
        value
    }

    pub(crate) fn report(&self) -> Drift {
        let findings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fields = findings.fields.iter();
        let codes = findings.codes.iter();
        Drift {
            unknown_fields: fields
                .map(|((record, path), &count)| UnknownField { record, path: path.clone(), count })
                .collect(),
            unknown_codes: codes
                .map(|((enumeration, code), &count)| UnknownCode {
                    enumeration,
                    code: code.clone(),
                    count,
                })
                .collect(),
        }
    }
}

fn count(counts: &mut Counts, found: impl Iterator<Item = (&'static str, String)>) {
    for finding in found {
        let is_full = counts.len() >= MOST;
        match counts.get_mut(&finding) {
            Some(count) => *count += 1,
            None if is_full => {}
            None => {
                counts.insert(finding, 1);
            }
        }
    }
}

/// The path without what stands around the record on a page, and without numbers.
fn path_in_record(prefix: &str, path: &Path<'_>) -> String {
    fn write(path: &Path<'_>, text: &mut String) {
        match path {
            Path::Root => {}
            Path::Seq { parent, .. } => {
                write(parent, text);
                text.push_str("[]");
            }
            Path::Map { parent, key } => {
                write(parent, text);
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Path::Some { parent }
            | Path::NewtypeStruct { parent }
            | Path::NewtypeVariant { parent } => write(parent, text),
        }
    }
    let mut text = prefix.to_owned();
    write(path, &mut text);
    for page in ["results[].", "[]."] {
        if let Some(in_record) = text.strip_prefix(page) {
            return in_record.to_owned();
        }
    }
    text
}
