//! Fields and files in one body: `multipart/form-data`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{self, Write};

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderValue;

use super::{Body, rebuilt};
use crate::upload::{Upload, UploadError};

/// So many files the server takes in one request, and refuses all of them where there are more.
pub(crate) const MOST_FILES: usize = 100;

/// So many bytes the fields of a form may have together, with two more and its name for each.
const MOST_TEXT: usize = 2_621_440;

/// Fields and files, in the order in which they are sent.
///
/// It keeps its parts as they were given; files are read, and all is put together, when it is sent.
///
/// ```
/// use keystone_client::body::Multipart;
/// use keystone_client::upload::Upload;
/// # use keystone_client::sandbox::Sandbox;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = Sandbox::new();
/// # let team = sandbox.insert("users/teams", serde_json::json!({ "name": "Folding" }))?;
/// # let request = sandbox.insert("allocations/requests", serde_json::json!({
/// #     "title": "Folding", "description": "d", "submitter": 1, "team": team,
/// # }))?;
/// # let client = sandbox.blocking_client()?;
/// client.login("admin", "admin-password")?;
/// let form = Multipart::new()
///     .text("request", request.to_string())
///     .file("file", Upload::bytes("plan.txt", "fold, then fold again"));
/// let response = client.http_post("allocations/attachments").multipart(form).send()?;
/// assert_eq!(response.status(), 201);
/// # Ok(()) }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use = "it does nothing until a request takes it"]
pub struct Multipart {
    parts: Vec<Part>,
}

/// One field or file of a [`Multipart`].
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    name: String,
    content: Content,
}

/// What a [`Part`] holds.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// The value of a field.
    Text(String),
    /// A file.
    File(Upload),
}

impl Part {
    /// The name of the field.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it holds.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The text, if it is a field.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::File(_) => None,
        }
    }

    /// The file, if it is one.
    pub fn as_file(&self) -> Option<&Upload> {
        match &self.content {
            Content::File(upload) => Some(upload),
            Content::Text(_) => None,
        }
    }
}

impl Multipart {
    /// No parts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field. The value arrives as it is, whatever is in it.
    pub fn text(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parts.push(Part { name: name.into(), content: Content::Text(value.into()) });
        self
    }

    /// Adds a file.
    pub fn file(mut self, name: impl Into<String>, file: Upload) -> Self {
        self.parts.push(Part { name: name.into(), content: Content::File(file) });
        self
    }

    /// The parts in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The files in order.
    pub fn files(&self) -> impl Iterator<Item = &Upload> {
        self.parts.iter().filter_map(Part::as_file)
    }

    /// Reads the files and puts all together: a [`Body::Raw`] with its `Content-Type`. The same parts
    /// always give the same bytes.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is empty, or when the files have more than 100 MiB together.
    pub fn encode(&self) -> Result<Body, UploadError> {
        let lengths = self.inspect()?;
        self.encode_within(&Terms::default(), &lengths)
    }

    /// Refuses what the server refuses in any form, whatever is in the files.
    pub(crate) fn check_size(&self) -> Result<(), UploadError> {
        let files = self.files().count();
        if files > MOST_FILES {
            return Err(UploadError::new(format!(
                "there are {files} files, and the server takes {MOST_FILES} in one request at most; \
                 divide it"
            )));
        }
        let texts = self.parts.iter().filter_map(|part| Some((&part.name, part.as_text()?)));
        let text: usize = texts.map(|(name, text)| name.len() + text.len() + 2).sum();
        if text > MOST_TEXT {
            return Err(UploadError::new(format!(
                "there are {text} bytes of text beside the files, and the server takes {MOST_TEXT} at \
                 most; divide it"
            )));
        }
        Ok(())
    }

    /// What is known of each file without reading it.
    pub(crate) fn inspect(&self) -> Result<Vec<Option<u64>>, UploadError> {
        self.files().map(Upload::inspect).collect()
    }

    /// The same on these terms, with files of the lengths that were found before.
    pub(crate) fn encode_within(
        &self,
        terms: &Terms,
        lengths: &[Option<u64>],
    ) -> Result<Body, UploadError> {
        // Before anything is read, as far as that is known.
        for (file, length) in self.files().zip(lengths) {
            if length.is_some_and(|length| length > terms.together) {
                file.load(terms.together, *length)?;
            }
        }
        let known: u64 =
            lengths.iter().flatten().fold(0, |sum, length| sum.saturating_add(*length));
        let mut room = terms.room_after(known, terms.together)?;
        let mut lengths = lengths.iter().copied();
        let mut pieces = Vec::new();
        for part in &self.parts {
            let content = match &part.content {
                Content::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
                Content::File(file) => match lengths.next().flatten() {
                    Some(length) => file.load(terms.together, Some(length))?,
                    None => {
                        let content = file.load(terms.most, None)?;
                        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
                        room = terms.room_after(length, room)?;
                        content
                    }
                },
            };
            if let (Content::File(file), true) = (&part.content, terms.is_job) {
                rebuilt::check_content(file, &content)?;
            }
            pieces.push((Bytes::from(part.head(terms.is_job)?), content));
        }
        let boundary = free_boundary(pieces.iter().flat_map(|(head, content)| [head, content]));
        let ends = boundary.len() + b"\r\n--\r\n--\r\n".len();
        let length: usize =
            pieces.iter().map(|(head, content)| head.len() + content.len() + ends).sum();
        let mut body = BytesMut::with_capacity(length + ends);
        for (head, content) in pieces {
            for piece in [b"--", boundary.as_bytes(), b"\r\n", &head, &content, b"\r\n"] {
                body.put_slice(piece);
            }
        }
        for piece in [b"--", boundary.as_bytes(), b"--\r\n"] {
            body.put_slice(piece);
        }
        let content_type =
            HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}"))
                .map_err(|error| UploadError::new(error.to_string()))?;
        Ok(Body::Raw { content_type, bytes: body.freeze() })
    }
}

/// How much of the files of a form is read, and what becomes of it.
#[derive(Debug)]
pub(crate) struct Terms {
    /// How many bytes are read of a file whose length is not known before.
    pub(crate) most: u64,
    /// How many bytes all files may have together, since all of them are in memory at a time.
    pub(crate) together: u64,
    /// Whether it is a job, from which the server makes a form for each step.
    pub(crate) is_job: bool,
}

impl Default for Terms {
    fn default() -> Self {
        Self { most: Upload::MOST_BYTES, together: Upload::MOST_BYTES, is_job: false }
    }
}

impl Terms {
    /// How many bytes there is room for after so many more.
    fn room_after(&self, length: u64, room: u64) -> Result<u64, UploadError> {
        room.checked_sub(length).ok_or_else(|| {
            UploadError::new(format!(
                "the files have more than {} bytes together, which are the most that are sent in one \
                 request; divide it",
                self.together
            ))
        })
    }
}

/// The server reads this many bytes of the head of a part and no more, its empty line and the line
/// end before it included.
const LONGEST_HEAD: usize = 1024;

impl Part {
    /// The header lines and the empty line after them.
    fn head(&self, is_job: bool) -> Result<String, UploadError> {
        let mut head = String::from("Content-Disposition: form-data");
        parameter(&mut head, "name", &self.name);
        if let Content::File(file) = &self.content {
            parameter(&mut head, "filename", &sent_name(file, is_job)?);
            let _ = write!(head, "\r\nContent-Type: {}", file.content_type());
        }
        head.push_str("\r\n\r\n");
        if head.len() + "\r\n".len() > LONGEST_HEAD {
            let what = match self.as_file() {
                Some(_) => "file name",
                None => "name of a field",
            };
            let problem = format!("the {what} is longer than the server reads; give a shorter one");
            return Err(UploadError::new(problem));
        }
        Ok(head)
    }
}

/// What the server reads as the name of the file.
pub(crate) fn sent_name(file: &Upload, is_job: bool) -> Result<String, UploadError> {
    let name = file.file_name()?;
    Ok(match is_job {
        true => without_entities(&rebuilt::file_name(file, &name)?).into_owned(),
        false => without_entities(&name).into_owned(),
    })
}

/// The server takes file names for HTML and decodes what looks like a character of that.
fn without_entities(name: &str) -> Cow<'_, str> {
    match name.contains('&') {
        true => Cow::Owned(name.replace('&', "&amp;")),
        false => Cow::Borrowed(name),
    }
}

/// Adds a parameter to a header line, in a form from which the server gets `value` back.
///
/// Quotation marks and letters of any alphabet stand in quotes; `%22`, which browsers write, the
/// server would take literally. Line breaks would end the header, and backslashes confuse the server
/// about where the quotes end, so that values with these are written by RFC 5987.
fn parameter(head: &mut String, name: &str, value: &str) {
    let _ = match value.contains(|letter: char| letter.is_control() || letter == '\\') {
        false => write!(head, "; {name}=\"{}\"", value.replace('"', "\\\"")),
        true => write!(head, "; {name}*=UTF-8''{}", Percent(value)),
    };
}

/// Text of which all but letters, digits and a few marks is written as `%` and two digits.
struct Percent<'a>(&'a str);

impl fmt::Display for Percent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                    f.write_char(char::from(byte))?;
                }
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

const BOUNDARY: &[u8] = b"keystone-client-";

const DIGITS: usize = 16;

/// A boundary that is in none of the pieces: with the first number that does not stand behind the
/// same word in any of them. All have the same length, so none begins with another.
fn free_boundary<'a>(pieces: impl Iterator<Item = &'a Bytes>) -> String {
    let mut taken = HashSet::new();
    for piece in pieces {
        let mut rest: &[u8] = piece;
        while let Some(at) = position(rest, BOUNDARY) {
            rest = rest.get(at + BOUNDARY.len()..).unwrap_or_default();
            let number = rest.get(..DIGITS).and_then(|digits| std::str::from_utf8(digits).ok());
            taken.extend(number.and_then(|digits| digits.parse::<u64>().ok()));
        }
    }
    let number = (0..).find(|number| !taken.contains(number)).unwrap_or_default();
    format!("{}{number:0DIGITS$}", String::from_utf8_lossy(BOUNDARY))
}

pub(super) fn position(text: &[u8], pattern: &[u8]) -> Option<usize> {
    let first = *pattern.first()?;
    let mut from = 0;
    loop {
        let rest = text.get(from..)?;
        let at = from + rest.iter().position(|&byte| byte == first)?;
        if text.get(at..)?.starts_with(pattern) {
            return Some(at);
        }
        from = at + 1;
    }
}

// Values may be secrets.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {:?}", self.name, self.content)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "[{} bytes]", text.len()),
            Self::File(upload) => upload.fmt(f),
        }
    }
}

impl fmt::Debug for Multipart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Multipart")?;
        f.debug_list().entries(&self.parts).finish()
    }
}
