use std::path::PathBuf;

use super::{CredentialRequest, CredentialSource, Credentials, Found, SourceError, private_file};

/// Credentials from a file with the lines `username=…` and `password=…`.
///
/// The credential files of `mount.cifs` look like this. Everything behind the first `=` is the value,
/// blanks included; lines that are empty or begin with `#` are skipped, others are an error. The file must be
/// readable by its owner alone (mode 600); this is not checked on Windows. It is read anew at each
/// login. A file that does not exist has no credentials.
///
/// ```no_run
/// use keystone_client::KeystoneClient;
/// use keystone_client::credentials::CredentialFile;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = KeystoneClient::builder("https://keystone.example.edu")
///     .credentials(CredentialFile::new("/etc/keystone/credentials"))
///     .build()?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct CredentialFile {
    path: PathBuf,
}

impl CredentialFile {
    /// The file at this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl CredentialSource for CredentialFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn find(&self, _request: &CredentialRequest<'_>) -> Result<Found, SourceError> {
        let Some(text) = private_file::read(&self.path)? else {
            return Ok(Found::Nothing("there is no such file".to_owned()));
        };
        let (mut username, mut password) = (None, None);
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            match line.split_once('=') {
                Some(("username", value)) => username = Some(value),
                Some(("password", value)) => password = Some(value),
                _ => {
                    let problem = "should be `username=…` or `password=…`";
                    return Err(format!("line {number} {problem}").into());
                }
            }
        }
        let is_set = |value: &&str| !value.is_empty();
        match (username.filter(is_set), password.filter(is_set)) {
            (Some(username), Some(password)) => {
                Ok(Found::Credentials(Credentials::new(username, password)))
            }
            (None, _) => Err("there is no line `username=…`".into()),
            (_, None) => Err("there is no line `password=…`".into()),
        }
    }
}
