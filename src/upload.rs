//! Files to be sent to the server.
//!
//! An [`Upload`] is a file at a path, bytes in memory, or what a reader gives. It goes with a
//! [`NewAttachment`](crate::resources::NewAttachment), in place of the file of an attachment
//! ([`Crud::update_file`](crate::Crud::update_file)), or into a [`Multipart`](crate::body::Multipart). The
//! chapter [Files](crate::guide::attachments) says which files the server takes, and what is checked
//! before they are sent.

mod source;
mod types;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use self::source::Source;
use self::types::content_type_of;
pub(crate) use self::types::{commonly_accepted, refused_type};

/// A file to be sent.
///
/// It is read when it is sent, once for all attempts of a call. What is at a path is read anew for the
/// next call that sends it, and not kept between; a reader can be read only once, so what it gave is kept
/// for as long as there are clones. Clones are cheap. The async client reads on a thread of its own, so
/// that slow disks hold nobody up.
///
/// ```
/// use keystone_client::upload::Upload;
///
/// let report = Upload::path("out/report.pdf");
/// let figures = Upload::bytes("figures.csv", "cluster,hours\natlas,120\n");
/// let output = Upload::reader("list.txt", std::io::Cursor::new("one\ntwo\n"));
///
/// assert_eq!(report.file_name()?, "report.pdf");
/// assert_eq!(report.content_type(), "application/pdf");
/// assert_eq!(report.with_file_name("Report of May.pdf").file_name()?, "Report of May.pdf");
/// # Ok::<(), keystone_client::upload::UploadError>(())
/// ```
///
/// What cannot be sent is an error of kind
/// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) before anything is: a file that does not
/// exist or may not be read, a folder, an empty file, and one whose length changes meanwhile.
///
/// The server goes by the ending of the file name, see [`NewAttachment`](crate::resources::NewAttachment).
/// Of names it keeps what comes after the last slash or backslash, without invisible characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Upload {
    file_name: Option<String>,
    content_type: Option<String>,
    source: Arc<Source>,
}

impl Upload {
    /// More than this is never read for one request, unless the server takes larger files: 100 MiB.
    pub(crate) const MOST_BYTES: u64 = 100 << 20;

    /// The file at this path, under its own name. It is looked at when it is sent.
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::new(None, Source::path(path.into()))
    }

    /// What `reader` gives until its end, under this name. It is read no further than the server's
    /// limit and one byte.
    ///
    /// One call at a time can read it: another one that sends a clone meanwhile fails, also where the
    /// first one was given up while the reader had nothing to give.
    pub fn reader(file_name: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self::new(Some(file_name.into()), Source::reader(Box::new(reader)))
    }

    /// These bytes under this name.
    pub fn bytes(file_name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self::new(Some(file_name.into()), Source::bytes(bytes.into()))
    }

    fn new(file_name: Option<String>, source: Source) -> Self {
        Self { file_name, content_type: None, source: Arc::new(source) }
    }

    /// Sends it under another name.
    #[must_use]
    pub fn with_file_name(mut self, name: impl Into<String>) -> Self {
        self.file_name = Some(name.into());
        self
    }

    /// Sends it as of this media type, such as `text/csv`. Keystone ignores it.
    #[must_use]
    pub fn with_content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// The name under which it is sent: the one stated, or the last part of its path.
    ///
    /// # Errors
    ///
    /// When there is none: the path ends in `..`, or its name is not Unicode.
    pub fn file_name(&self) -> Result<Cow<'_, str>, UploadError> {
        if let Some(name) = &self.file_name {
            return Ok(Cow::Borrowed(name));
        }
        let name = self.source.name();
        name.and_then(|name| name.to_str()).map(Cow::Borrowed).ok_or_else(|| {
            self.error("has no name that can be sent; give it one by `with_file_name`")
        })
    }

    /// The media type as which it is sent: the one stated, or the usual one for the ending of its
    /// name, or `application/octet-stream`.
    pub fn content_type(&self) -> &str {
        match &self.content_type {
            Some(content_type) => content_type,
            None => {
                let name = self.file_name.as_deref();
                let name = name.or_else(|| self.source.name().and_then(|name| name.to_str()));
                content_type_of(name.unwrap_or_default())
            }
        }
    }

    /// The path, if it is a file at one.
    pub(crate) fn at_path(&self) -> Option<&std::path::Path> {
        self.source.at_path()
    }

    /// Checks what can be checked without reading it. Its length, if that is known.
    pub(crate) fn inspect(&self) -> Result<Option<u64>, UploadError> {
        // A line break in either would end the line of the header.
        let is_type = |text: &str| {
            let mark = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
            text.contains('/') && text.bytes().all(mark)
        };
        if !is_type(self.content_type()) {
            return Err(self.error("is to be sent as of a media type that is none"));
        }
        if self.file_name()?.is_empty() {
            return Err(self.error("has an empty name, with which the server takes it for text"));
        }
        self.source.inspect().map_err(|failure| self.failed(failure))
    }

    /// Its bytes, of the length that was found before. No more than `most` and one are read.
    pub(crate) fn load(&self, most: u64, length: Option<u64>) -> Result<Bytes, UploadError> {
        self.source.load(most, length).map_err(|failure| self.failed(failure))
    }

    fn failed(&self, failure: source::Failure) -> UploadError {
        let (problem, cause) = failure.into_words();
        UploadError { problem: self.error(&problem).problem, cause }
    }

    /// A sentence that begins with the file.
    pub(crate) fn error(&self, problem: &str) -> UploadError {
        UploadError::new(format!("{} {problem}", self.described()))
    }

    fn described(&self) -> String {
        match (self.at_path(), &self.file_name) {
            (Some(path), _) => format!("`{}`", in_one_line(&path.to_string_lossy())),
            (None, Some(name)) => format!("`{}`", name.escape_debug()),
            (None, None) => "the file".to_owned(),
        }
    }
}

/// A name in which nothing ends the line, or does other things to a terminal.
fn in_one_line(name: &str) -> String {
    let mut line = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter.is_control() {
            true => line.extend(letter.escape_debug()),
            false => line.push(letter),
        }
    }
    line
}

/// The name and where it comes from, not what is in it.
impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("file_name", &self.file_name)
            .field("content_type", &self.content_type())
            .field("source", &self.source)
            .finish()
    }
}

/// Why a file cannot be sent: a sentence that names it and says what to do.
#[derive(Debug)]
pub struct UploadError {
    problem: String,
    cause: Option<io::Error>,
}

impl UploadError {
    pub(crate) fn new(problem: impl Into<String>) -> Self {
        Self { problem: problem.into(), cause: None }
    }

    pub(crate) fn into_parts(self) -> (String, Option<io::Error>) {
        (self.problem, self.cause)
    }
}

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)
    }
}

impl std::error::Error for UploadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
