use std::env::VarError;
use std::fmt;
use std::sync::Arc;

use super::{CredentialRequest, CredentialSource, Credentials, Found, SourceError};

type Lookup = dyn Fn(&str) -> Result<String, VarError> + Send + Sync;

/// Credentials from environment variables: `KEYSTONE_USERNAME` and `KEYSTONE_PASSWORD` unless others
/// are named.
///
/// They are read anew at each login. A variable that is empty counts as not set.
///
/// ```
/// use keystone_client::credentials::{CredentialRequest, CredentialSource, Environment, Found};
///
/// let source = Environment::named("SITE_USER_NOT_SET", "SITE_PASSWORD_NOT_SET");
/// let request = CredentialRequest::new("https://keystone.example.edu/");
/// let Ok(Found::Nothing(reason)) = source.find(&request) else {
///     panic!("these variables are not set");
/// };
/// assert_eq!(reason, "SITE_USER_NOT_SET is not set");
/// ```
#[derive(Clone)]
pub struct Environment {
    username: String,
    password: String,
    lookup: Arc<Lookup>,
}

impl Environment {
    /// `KEYSTONE_USERNAME` and `KEYSTONE_PASSWORD`.
    pub fn new() -> Self {
        Self::named("KEYSTONE_USERNAME", "KEYSTONE_PASSWORD")
    }

    /// Variables of other names.
    pub fn named(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: password.into(),
            lookup: Arc::new(|name| std::env::var(name)),
        }
    }
}

impl Default for Environment {
    fn default() -> Self {
        Self::new()
    }
}

impl CredentialSource for Environment {
    fn name(&self) -> String {
        "the environment".to_owned()
    }

    fn find(&self, _request: &CredentialRequest<'_>) -> Result<Found, SourceError> {
        let read = |name: &str| match (self.lookup)(name) {
            Ok(value) if value.is_empty() => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => Err(format!("{name} is not UTF-8")),
        };
        let Some(username) = read(&self.username)? else {
            return Ok(Found::Nothing(format!("{} is not set", self.username)));
        };
        let Some(password) = read(&self.password)? else {
            return Ok(Found::Nothing(format!("{} is not set", self.password)));
        };
        Ok(Found::Credentials(Credentials::new(username, password)))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("username", &self.username)
            .field("password", &self.password)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use secrecy::ExposeSecret;

    use super::*;

    fn environment(values: &'static [(&'static str, &'static str)]) -> Environment {
        let lookup = move |name: &str| {
            let value = values.iter().find(|(known, _)| *known == name);
            value.map(|(_, value)| (*value).to_owned()).ok_or(VarError::NotPresent)
        };
        Environment { lookup: Arc::new(lookup), ..Environment::new() }
    }

    #[test]
    fn both_variables_have_to_be_set() {
        let both = [("KEYSTONE_USERNAME", "ada"), ("KEYSTONE_PASSWORD", "correct horse")];
        match environment(Box::leak(Box::new(both))).find(&CredentialRequest::new("")) {
            Ok(Found::Credentials(credentials)) => {
                assert_eq!(credentials.username(), "ada");
                assert_eq!(credentials.password().expose_secret(), "correct horse");
            }
            other => panic!("{other:?}"),
        }
        for (values, missing) in [
            (&[][..], "KEYSTONE_USERNAME is not set"),
            (&[("KEYSTONE_PASSWORD", "x")], "KEYSTONE_USERNAME is not set"),
            (&[("KEYSTONE_USERNAME", "ada")], "KEYSTONE_PASSWORD is not set"),
            (
                &[("KEYSTONE_USERNAME", "ada"), ("KEYSTONE_PASSWORD", "")],
                "KEYSTONE_PASSWORD is not set",
            ),
        ] {
            match environment(values).find(&CredentialRequest::new("")) {
                Ok(Found::Nothing(reason)) => assert_eq!(reason, missing),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn what_is_not_text_is_an_error_that_does_not_show_it() {
        let lookup = |_: &str| Err(VarError::NotUnicode(OsString::from("hunter2")));
        let source = Environment { lookup: Arc::new(lookup), ..Environment::new() };
        let error = source.find(&CredentialRequest::new("")).unwrap_err().to_string();
        assert_eq!(error, "KEYSTONE_USERNAME is not UTF-8");
    }
}
