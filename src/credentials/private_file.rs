//! Files that nobody else may read.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;

/// A file of credentials is a few lines; what is larger is something else.
const LARGEST: u64 = 1024 * 1024;

/// The text of a file, `None` if there is no such file.
///
/// # Errors
///
/// Others than its owner may read or write it, or it cannot be read. The error names no contents.
pub(crate) fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match fs::metadata(path) {
        // Opening a pipe would wait for somebody to write into it.
        Ok(metadata) if !metadata.is_file() => return Err(invalid("it is not a file")),
        Ok(_) => File::open(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // Of what was opened: the name may stand for another file by now.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(invalid("it is not a file"));
    }
    check(&metadata)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(invalid("it is larger than 1 MiB"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(invalid("it is not UTF-8 text")),
    }
}

pub(crate) fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(unix)]
fn check(metadata: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let mode = metadata.mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("others may read or write it (mode {mode:o}); set the mode to 600"),
    ))
}

/// Elsewhere access lists decide, of which the standard library knows nothing.
#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature on every platform")]
fn check(_metadata: &Metadata) -> io::Result<()> {
    Ok(())
}
