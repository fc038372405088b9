use std::iter::Peekable;
use std::path::PathBuf;
use std::str::Chars;

use url::Url;

use super::{CredentialRequest, CredentialSource, Credentials, Found, SourceError, private_file};

/// Credentials from a `.netrc` file, in which `machine` names the host of the server.
///
/// The file is the one that the variable `NETRC` names, else `.netrc` in the home directory. The
/// first entry for the host counts, or the `default` entry; ports and paths play no part. The file
/// must be readable by its owner alone (mode 600); this is not checked on Windows. It is read anew at
/// each login.
///
/// ```
/// use keystone_client::credentials::{CredentialRequest, CredentialSource, Found, Netrc};
///
/// let source = Netrc::at("/nonexistent/netrc");
/// let request = CredentialRequest::new("https://keystone.example.edu/");
/// assert!(matches!(source.find(&request), Ok(Found::Nothing(_))));
/// ```
#[derive(Debug, Clone)]
pub struct Netrc {
    /// `None` where no home directory is known.
    path: Option<PathBuf>,
}

impl Netrc {
    /// The file of the user.
    #[allow(deprecated, reason = "Rust 1.85 warns of what 1.85 itself has mended")]
    pub fn new() -> Self {
        let path = std::env::var_os("NETRC").map(PathBuf::from);
        Self { path: path.or_else(|| Some(std::env::home_dir()?.join(".netrc"))) }
    }

    /// The file at this path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()) }
    }
}

impl Default for Netrc {
    fn default() -> Self {
        Self::new()
    }
}

impl CredentialSource for Netrc {
    fn name(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => ".netrc".to_owned(),
        }
    }

    fn find(&self, request: &CredentialRequest<'_>) -> Result<Found, SourceError> {
        let Some(path) = &self.path else {
            return Ok(Found::Nothing("there is no home directory".to_owned()));
        };
        let Some(text) = private_file::read(path)? else {
            return Ok(Found::Nothing("there is no such file".to_owned()));
        };
        let url = Url::parse(request.base_url)?;
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_matches(['[', ']']).trim_end_matches('.');
        match entry_for(host, request.username, &text)? {
            Some(Entry { login: Some(login), password: Some(password), .. }) => {
                Ok(Found::Credentials(Credentials::new(login, password)))
            }
            Some(_) => Err(format!("the entry for {host} lacks a login or a password").into()),
            None => Ok(Found::Nothing(format!("there is no entry for {host}"))),
        }
    }
}

#[derive(Default)]
struct Entry {
    /// `None` for the entry that fits all.
    machine: Option<String>,
    login: Option<String>,
    password: Option<String>,
}

/// The entry that counts for a host, and for a user if that matters.
fn entry_for(host: &str, username: Option<&str>, text: &str) -> Result<Option<Entry>, SourceError> {
    let mut words = Words { rest: text.chars().peekable() };
    let mut present: Option<Entry> = None;
    let fits = |entry: &Entry| {
        let is_of_host = |machine: &String| machine.eq_ignore_ascii_case(host);
        let is_of_user = |username| entry.login.as_deref() == Some(username);
        entry.machine.as_ref().is_none_or(is_of_host) && username.is_none_or(is_of_user)
    };
    loop {
        let word = words.next()?;
        let word = word.as_deref();
        if matches!(word, None | Some("machine" | "default")) {
            // The entry before is complete.
            if let Some(entry) = present.take().filter(fits) {
                return Ok(Some(entry));
            }
        }
        match word {
            None => return Ok(None),
            Some("machine") => {
                let machine = Some(words.value("machine")?);
                present = Some(Entry { machine, ..Entry::default() });
            }
            Some("default") => present = Some(Entry::default()),
            Some("macdef") => words.skip_macro(),
            Some(name @ ("login" | "password" | "account")) => {
                let value = words.value(name)?;
                let Some(entry) = &mut present else {
                    return Err(format!("`{name}` stands before any `machine`").into());
                };
                match name {
                    "login" => entry.login = Some(value),
                    "password" => entry.password = Some(value),
                    _ => {}
                }
            }
            // The word is not shown: it may be part of a password with blanks.
            Some(_) => return Err("there is a word that is none of netrc's".into()),
        }
    }
}

/// The words of the file: separated by blanks, or in double quotes with backslash escapes, and
/// without what follows a `#`.
struct Words<'a> {
    rest: Peekable<Chars<'a>>,
}

impl Words<'_> {
    fn next(&mut self) -> Result<Option<String>, SourceError> {
        loop {
            while self.rest.next_if(|letter| letter.is_whitespace()).is_some() {}
            if self.rest.next_if_eq(&'#').is_none() {
                break;
            }
            while self.rest.next_if(|letter| *letter != '\n').is_some() {}
        }
        if self.rest.next_if_eq(&'"').is_some() {
            return self.quoted().map(Some);
        }
        Ok(self.bare())
    }

    /// What stands behind a keyword. A `#` has no meaning there: passwords begin with it.
    fn value(&mut self, name: &str) -> Result<String, SourceError> {
        while self.rest.next_if(|letter| letter.is_whitespace()).is_some() {}
        let value = match self.rest.next_if_eq(&'"') {
            Some(_) => Some(self.quoted()?),
            None => self.bare(),
        };
        value.ok_or_else(|| format!("nothing follows the last `{name}`").into())
    }

    fn bare(&mut self) -> Option<String> {
        let mut word = String::new();
        while let Some(letter) = self.rest.next_if(|letter| !letter.is_whitespace()) {
            word.push(letter);
        }
        (!word.is_empty()).then_some(word)
    }

    fn quoted(&mut self) -> Result<String, SourceError> {
        let mut word = String::new();
        while let Some(letter) = self.rest.next() {
            match letter {
                '"' => return Ok(word),
                '\\' => word.extend(self.rest.next()),
                letter => word.push(letter),
            }
        }
        Err("a quotation mark is not closed".into())
    }

    /// A macro ends with an empty line.
    fn skip_macro(&mut self) {
        let mut line_is_empty = false;
        for letter in self.rest.by_ref() {
            match letter {
                '\n' if line_is_empty => return,
                '\n' => line_is_empty = true,
                '\r' => {}
                _ => line_is_empty = false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(host: &str, text: &str) -> Option<(String, String)> {
        let entry = entry_for(host, None, text).unwrap()?;
        Some((entry.login?, entry.password?))
    }

    fn pair(login: &str, password: &str) -> Option<(String, String)> {
        Some((login.to_owned(), password.to_owned()))
    }

    #[test]
    fn the_entry_of_the_host_counts() {
        let text = "machine a.example login one password p1\n\
                    # machine b.example login no password no\n\
                    machine B.example\n  login two account x\n  password #p2\n\
                    machine b.example login three password p3\n\
                    default login any password p4";
        assert_eq!(found("a.example", text), pair("one", "p1"));
        assert_eq!(found("b.example", text), pair("two", "#p2"));
        assert_eq!(found("c.example", text), pair("any", "p4"));
        assert_eq!(found("c.example", "machine a.example login one password p1"), None);
        assert_eq!(found("c.example", ""), None);
    }

    #[test]
    fn where_a_user_is_wanted_no_other_will_do() {
        let text = "machine a login one password p1 machine a login two password p2";
        let password = |username| entry_for("a", Some(username), text).unwrap()?.password;
        assert_eq!(password("two"), Some("p2".to_owned()));
        assert_eq!(password("three"), None);
    }

    #[test]
    fn quotes_and_macros_are_understood() {
        let text = "machine a password \"p \\\"1\\\" machine b\" login one\n\
                    macdef init\n  machine b login no password no\n\n\
                    machine b login two password p2";
        assert_eq!(found("a", text), pair("one", "p \"1\" machine b"));
        assert_eq!(found("b", text), pair("two", "p2"));
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_it() {
        for (text, problem) in [
            ("login ada", "`login` stands before any `machine`"),
            ("machine a login ada password hunter2 hunter3", "there is a word that is none of"),
            ("machine a password \"hunter2", "a quotation mark is not closed"),
            ("machine a login", "nothing follows the last `login`"),
        ] {
            let error = entry_for("a", None, text).err().unwrap().to_string();
            assert!(error.starts_with(problem), "{error}");
            assert!(!error.contains("hunter"), "{error}");
        }
    }
}
