//! Forms that the server puts together again: those of the steps of a job that have files.
//!
//! It does so with a fixed boundary, wherever that is in what it puts together, and with names as they
//! are. What would not come out of that as it went in must not be sent so.

use super::multipart::position;
use crate::upload::{Upload, UploadError};

/// The server takes it for the end of a part wherever it stands.
const BOUNDARY: &str = "--BoUnDaRyStRiNg";

/// Of longer names the server keeps this many characters.
const LONGEST_NAME: usize = 255;

const INSTEAD: &str = "send this call by itself";

/// Refuses a file that would arrive cut short.
pub(super) fn check_content(file: &Upload, content: &[u8]) -> Result<(), UploadError> {
    match position(content, BOUNDARY.as_bytes()) {
        None => Ok(()),
        Some(_) => Err(file.error(&format!(
            "contains `{BOUNDARY}`, which the server takes for the end of a file within a job; {INSTEAD}"
        ))),
    }
}

/// The name from which the server makes `name`, when it has read it a second time.
pub(super) fn file_name(file: &Upload, name: &str) -> Result<String, UploadError> {
    let kept = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let is_nothing = kept.chars().all(char::is_control) || matches!(kept, "." | "..");
    if is_nothing {
        return Err(file.error("has a name of which the server keeps nothing; give it another one"));
    }
    if kept.contains(BOUNDARY) {
        return Err(file.error(&format!(
            "has `{BOUNDARY}` in its name, which the server cannot read within a job; {INSTEAD}"
        )));
    }
    // It does not escape quotes, and takes names for HTML each time.
    let escaped = name.replace('&', "&amp;").replace('"', "&quot;");
    let is_cut = kept.replace('&', "&amp;").replace('"', "&quot;").chars().count() > LONGEST_NAME;
    if is_cut && kept.contains(['&', '"']) {
        return Err(file.error(&format!(
            "has a name that is too long for a job, as each `&` and each quotation mark in it counts for \
             several characters; {INSTEAD}"
        )));
    }
    Ok(escaped)
}

/// Refuses a field that would not arrive whole beside a file, by its name and what it holds.
pub(crate) fn check_field(name: &str, text: &str) -> Result<(), String> {
    // Control characters, quotation marks and backslashes the server writes into a header as they are.
    if name.contains(|letter: char| letter.is_control() || matches!(letter, '"' | '\\')) {
        return Err(format!(
            "beside a file the server cannot read a field of the name `{}` within a job; {INSTEAD}",
            name.escape_debug()
        ));
    }
    match name.contains(BOUNDARY) || text.contains(BOUNDARY) {
        false => Ok(()),
        true => Err(format!(
            "the field `{}` contains `{BOUNDARY}`, which the server takes for its end where a file is \
             beside it within a job; {INSTEAD}",
            name.escape_debug()
        )),
    }
}
