//! Where the bytes of a file come from.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

pub(super) struct Source {
    origin: Origin,
    state: Mutex<State>,
}

#[derive(Debug, PartialEq, Eq)]
enum Origin {
    Path(PathBuf),
    Reader,
    Bytes,
}

/// What is kept. Nothing of a file at a path, which is read anew for each call.
enum State {
    AtPath,
    /// The reader, and what it has given so far.
    Begun(Box<dyn Read + Send>, Vec<u8>),
    /// A call is reading, perhaps one that was given up.
    Busy,
    /// All of it.
    Read(Bytes),
    /// The reader has panicked.
    Lost,
}

/// Why a file cannot be sent, without its name.
pub(super) enum Failure {
    Io(&'static str, io::Error),
    Folder,
    Empty,
    Changed { before: u64, now: u64 },
    TooLarge { most: u64 },
    Busy,
    Lost,
}

impl Failure {
    /// The end of a sentence that begins with the file, and the cause.
    pub(super) fn into_words(self) -> (String, Option<io::Error>) {
        let problem = match self {
            Self::Io(action, error) => {
                let problem = match error.kind() {
                    io::ErrorKind::NotFound => "does not exist".to_owned(),
                    io::ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
                    _ => format!("cannot be {action}"),
                };
                return (problem, Some(error));
            }
            Self::Folder => "is a folder; send the files in it one by one, or as an archive where \
                             the server takes those"
                .to_owned(),
            Self::Empty => "is empty, and the server takes no empty files".to_owned(),
            Self::Changed { before, now } if now > before => {
                format!(
                    "grew beyond {before} bytes since it was looked at; send it when it is complete"
                )
            }
            Self::Changed { before, now } => format!(
                "shrank from {before} to {now} bytes since it was looked at; send it when it is \
                 complete"
            ),
            Self::TooLarge { most } => {
                format!("has more than {most} bytes, which are the most that can be sent")
            }
            Self::Busy => {
                "is still being read by an earlier call; wait until that is over, or give each \
                           call a reader of its own"
                    .to_owned()
            }
            Self::Lost => "cannot be read any more: its reader has panicked".to_owned(),
        };
        (problem, None)
    }
}

impl Source {
    pub(super) fn path(path: PathBuf) -> Self {
        Self { origin: Origin::Path(path), state: Mutex::new(State::AtPath) }
    }

    pub(super) fn reader(reader: Box<dyn Read + Send>) -> Self {
        let state = State::Begun(reader, Vec::new());
        Self { origin: Origin::Reader, state: Mutex::new(state) }
    }

    pub(super) fn bytes(bytes: Bytes) -> Self {
        Self { origin: Origin::Bytes, state: Mutex::new(State::Read(bytes)) }
    }

    pub(super) fn at_path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::Path(path) => Some(path),
            Origin::Reader | Origin::Bytes => None,
        }
    }

    pub(super) fn name(&self) -> Option<&OsStr> {
        self.at_path().and_then(Path::file_name)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The length, if it is known before the file is read.
    pub(super) fn inspect(&self) -> Result<Option<u64>, Failure> {
        match &*self.state() {
            State::Read(bytes) if bytes.is_empty() => return Err(Failure::Empty),
            State::Read(bytes) => return Ok(u64::try_from(bytes.len()).ok()),
            State::Busy => return Err(Failure::Busy),
            State::Lost => return Err(Failure::Lost),
            State::AtPath | State::Begun(..) => {}
        }
        self.at_path().map_or(Ok(None), inspect_file)
    }

    /// All of it, of this length if one was found before.
    pub(super) fn load(&self, most: u64, length: Option<u64>) -> Result<Bytes, Failure> {
        if let Some(path) = self.at_path() {
            return read_file(path, most, length).map(Bytes::from);
        }
        let (mut reader, mut bytes) = match self.take() {
            State::Begun(reader, bytes) => (reader, bytes),
            State::Read(bytes) => {
                return match u64::try_from(bytes.len()) {
                    Ok(length) if length <= most => Ok(bytes),
                    _ => Err(Failure::TooLarge { most }),
                };
            }
            State::Busy => return Err(Failure::Busy),
            State::AtPath | State::Lost => return Err(Failure::Lost),
        };
        let panic = Panic(self);
        let result = read_on(&mut reader, &mut bytes, most);
        std::mem::forget(panic);
        if result.is_err() || bytes.is_empty() {
            // With a higher limit it goes on from here.
            *self.state() = State::Begun(reader, bytes);
            return Err(result.err().unwrap_or(Failure::Empty));
        }
        let bytes = Bytes::from(bytes);
        *self.state() = State::Read(bytes.clone());
        Ok(bytes)
    }

    /// The state, of which the reader is taken out: who reads may take his time, and others are not to
    /// wait for him.
    fn take(&self) -> State {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Busy) {
            begun @ State::Begun(..) => begun,
            State::Read(bytes) => {
                *state = State::Read(bytes.clone());
                State::Read(bytes)
            }
            State::Busy => State::Busy,
            State::AtPath | State::Lost => {
                *state = State::Lost;
                State::Lost
            }
        }
    }
}

/// Tells those who come later, when the reader panics.
struct Panic<'a>(&'a Source);

impl Drop for Panic<'_> {
    fn drop(&mut self) {
        *self.0.state() = State::Lost;
    }
}

fn inspect_file(path: &Path) -> Result<Option<u64>, Failure> {
    let about = fs::metadata(path).map_err(|error| Failure::Io("found", error))?;
    if about.is_dir() {
        return Err(Failure::Folder);
    }
    // What is no ordinary file may block, or have no length.
    if !about.is_file() {
        return Ok(None);
    }
    let mut file = File::open(path).map_err(|error| Failure::Io("opened", error))?;
    if about.len() > 0 {
        return Ok(Some(about.len()));
    }
    // Files that the system makes up when they are read have no length.
    match file.read(&mut [0]) {
        Ok(0) => Err(Failure::Empty),
        Ok(_) => Ok(None),
        Err(error) => Err(Failure::Io("read", error)),
    }
}

fn read_file(path: &Path, most: u64, length: Option<u64>) -> Result<Vec<u8>, Failure> {
    if length.is_some_and(|length| length > most) {
        return Err(Failure::TooLarge { most });
    }
    let mut file = File::open(path).map_err(|error| Failure::Io("opened", error))?;
    let mut bytes = Vec::new();
    let Some(before) = length else {
        read_on(&mut file, &mut bytes, most)?;
        return if bytes.is_empty() { Err(Failure::Empty) } else { Ok(bytes) };
    };
    match read_on(&mut file, &mut bytes, before) {
        Ok(()) | Err(Failure::TooLarge { .. }) => {}
        Err(failure) => return Err(failure),
    }
    match u64::try_from(bytes.len()) {
        Ok(now) if now == before => Ok(bytes),
        now => Err(Failure::Changed { before, now: now.unwrap_or(u64::MAX) }),
    }
}

/// Reads to the end, or to one byte more than `most`.
fn read_on(reader: &mut dyn Read, bytes: &mut Vec<u8>, most: u64) -> Result<(), Failure> {
    let has = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let room = most.saturating_add(1).saturating_sub(has);
    let result = reader.take(room).read_to_end(bytes);
    result.map_err(|error| Failure::Io("read", error))?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= most => Ok(()),
        _ => Err(Failure::TooLarge { most }),
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        if std::ptr::eq(self, other) {
            return true;
        }
        match (&self.origin, &other.origin) {
            (Origin::Path(one), Origin::Path(another)) => one == another,
            // Known ones never change, so they can be looked at one after the other.
            (Origin::Bytes, Origin::Bytes) => {
                let bytes = |source: &Self| match &*source.state() {
                    State::Read(bytes) => bytes.clone(),
                    _ => Bytes::new(),
                };
                bytes(self) == bytes(other)
            }
            _ => false,
        }
    }
}

impl Eq for Source {}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.origin.fmt(f)
    }
}
