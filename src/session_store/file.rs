use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{SessionKey, SessionStore};
use crate::credentials::{ExposeSecret, SecretString, private_file};

/// How the names of files end that are being written.
const DRAFT: &str = ".new";

/// Keeps each login in a file of its own, which only its owner may read (mode 600).
///
/// Files are replaced as a whole, so a command that is stopped midway leaves the old one or the new
/// one. A file that others may read or write is refused, and a folder that others may write to. On Windows the access lists of the folder
/// decide instead of modes.
#[derive(Debug, Clone)]
pub struct FileSessionStore {
    folder: PathBuf,
}

impl FileSessionStore {
    /// The folder `keystone-client` among the state of the user: in `XDG_STATE_HOME` if that is set
    /// to an absolute path, else `.local/state` in the home directory (`LOCALAPPDATA` on Windows).
    ///
    /// # Errors
    ///
    /// [`NotFound`](io::ErrorKind::NotFound) where no home directory is known.
    #[allow(deprecated, reason = "Rust 1.85 warns of what 1.85 itself has mended")]
    pub fn new() -> io::Result<Self> {
        let variable = if cfg!(windows) { "LOCALAPPDATA" } else { "XDG_STATE_HOME" };
        let stated =
            std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = stated.or_else(|| Some(std::env::home_dir()?.join(".local").join("state")));
        match state {
            Some(state) => Ok(Self::at(state.join("keystone-client"))),
            None => Err(io::Error::new(io::ErrorKind::NotFound, "there is no home directory")),
        }
    }

    /// This folder, which is made with the first login if it does not exist.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder with the files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes what processes have left that were stopped while they wrote: it may be good logins.
    fn sweep(&self, path: &Path) {
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { return };
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let draft = entry.file_name();
            let rest = draft.to_str().and_then(|draft| draft.strip_prefix(name));
            let is_draft = rest.is_some_and(|rest| {
                rest.strip_prefix('.')
                    .and_then(|rest| rest.strip_suffix(DRAFT))
                    .is_some_and(|number| u64::from_str_radix(number, 16).is_ok())
            });
            if is_draft {
                // Another process may have finished it meanwhile.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn path(&self, key: SessionKey<'_>) -> PathBuf {
        self.folder.join(file_name(key))
    }
}

/// A name that is different for each key, whatever the file system makes of upper case.
fn file_name(key: SessionKey<'_>) -> String {
    let mut name = String::new();
    let text = format!("{} {}", key.username, key.base_url);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => name.push(char::from(byte)),
            _ => name.push_str(&format!("_{byte:02x}")),
        }
    }
    // The longest name that file systems take is 255 bytes.
    if name.len() > 200 {
        let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        name.truncate(180);
        name.push_str(&format!("_{hash:016x}"));
    }
    name + ".json"
}

impl SessionStore for FileSessionStore {
    fn load(&self, key: SessionKey<'_>) -> io::Result<Option<SecretString>> {
        let path = self.path(key);
        let text = private_file::read(&path).map_err(|error| at(&path, &error))?;
        Ok(text.map(SecretString::from))
    }

    fn save(&self, key: SessionKey<'_>, session: &SecretString) -> io::Result<()> {
        let path = self.path(key);
        make_folder(&self.folder)
            .and_then(|()| check_folder(&self.folder))
            .map_err(|error| at(&self.folder, &error))?;
        let draft = path.with_extension(format!("{:016x}{DRAFT}", fastrand::u64(..)));
        let written = create(&draft)
            .and_then(|mut file| file.write_all(session.expose_secret().as_bytes()))
            .and_then(|()| fs::rename(&draft, &path));
        written.map_err(|error| {
            // It may not exist; what counts is the first error.
            let _ = fs::remove_file(&draft);
            at(&path, &error)
        })
    }

    fn remove(&self, key: SessionKey<'_>) -> io::Result<()> {
        let path = self.path(key);
        self.sweep(&path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(&path, &error)),
            _ => Ok(()),
        }
    }
}

/// The error with the path that it is about.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(unix)]
fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;

    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(folder)
}

/// Who can write to a folder can put a file of his own in the place of another.
#[cfg(unix)]
fn check_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let mode = fs::metadata(folder)?.mode() & 0o777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    let problem = format!("others may write to this folder (mode {mode:o}); set the mode to 700");
    Err(io::Error::new(io::ErrorKind::PermissionDenied, problem))
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "the same signature on every platform")]
fn check_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<'a>(base_url: &'a str, username: &'a str) -> SessionKey<'a> {
        SessionKey::new(base_url, username)
    }

    #[test]
    fn each_key_has_a_name_of_its_own() {
        let long = "x".repeat(300);
        let keys = [
            key("https://a/", "ada"),
            key("https://a/", "Ada"),
            key("https://a/b/", "ada"),
            key("https://a:8443/", "ada"),
            key("http://a/", "ada"),
            key("https://a/", "../../ada"),
            key("https://a/", &long),
            key("https://b/", &long),
        ];
        let names: std::collections::BTreeSet<String> =
            keys.iter().map(|key| file_name(*key).to_lowercase()).collect();
        assert_eq!(names.len(), keys.len());
        assert!(names.iter().all(|name| name.len() < 255 && !name.contains('/')), "{names:?}");
    }
}
