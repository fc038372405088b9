//! Where user name and password come from when the client logs in by itself.
//!
//! A program that runs for longer than a session lives gives its client a source of credentials
//! ([`ClientBuilder::credentials`](crate::ClientBuilder::credentials)). The client then logs in before
//! the first call that needs it and whenever the server says that the login has ended, once for any
//! number of calls that are on their way.
//!
//! Sources are values: [`Credentials`] themselves, [`Environment`], [`CredentialFile`], [`Netrc`],
//! [`from_fn`] for anything else, and [`CredentialChain`] for several in an order of your own. The chapter
//! [Authentication and sessions](crate::guide::authentication) says when they are asked.
//!
//! ```
//! use keystone_client::KeystoneClient;
//! use keystone_client::credentials::{CredentialChain, Credentials, Environment};
//! # use keystone_client::sandbox::Sandbox;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
//! let client = KeystoneClient::builder("https://keystone.example.edu")
//!     .credentials(
//!         CredentialChain::new()
//!             .then(Environment::new())
//!             .then(Credentials::new("admin", "admin-password")),
//!     )
//! #   .backend(Sandbox::new())
//!     .build()?;
//! let me = client.whoami().await?;
//! assert_eq!(me.unwrap().username, "admin");
//! # Ok(()) }) }
//! ```

mod environment;
mod file;
mod netrc;
pub(crate) mod private_file;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

pub use secrecy::{ExposeSecret, SecretString};

pub use self::environment::Environment;
pub use self::file::CredentialFile;
pub use self::netrc::Netrc;

/// A user name and a password, which `Debug` does not show.
///
/// It is a source of credentials too: one that always has these.
///
/// ```
/// use keystone_client::credentials::Credentials;
///
/// let credentials = Credentials::new("ada", "correct horse");
/// assert_eq!(format!("{credentials:?}"), r#"Credentials { username: "ada", .. }"#);
/// ```
#[derive(Clone)]
pub struct Credentials {
    username: String,
    password: SecretString,
}

impl Credentials {
    /// The credentials of a user.
    pub fn new(username: impl Into<String>, password: impl Into<SecretString>) -> Self {
        Self { username: username.into(), password: password.into() }
    }

    /// The name of the user.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The password, for which one has to ask twice.
    pub fn password(&self) -> &SecretString {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

/// Why a source cannot be used: anything that can be shown. It must not contain secrets.
pub type SourceError = Box<dyn StdError + Send + Sync>;

/// What a source has.
#[derive(Debug)]
#[non_exhaustive]
pub enum Found {
    /// Credentials.
    Credentials(Credentials),
    /// None, for this reason, as in "`KEYSTONE_USERNAME` is not set".
    Nothing(String),
}

/// For what credentials are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CredentialRequest<'a> {
    /// The address of the server in normal form, with a trailing slash.
    pub base_url: &'a str,
    /// The user whose credentials are wanted, where only these will do: a login that has ended is
    /// not replaced by that of somebody else.
    pub username: Option<&'a str>,
}

impl<'a> CredentialRequest<'a> {
    /// Credentials of anybody for this server.
    pub fn new(base_url: &'a str) -> Self {
        Self { base_url, username: None }
    }

    /// Those of this user.
    #[must_use]
    pub fn with_username(mut self, username: &'a str) -> Self {
        self.username = Some(username);
        self
    }
}

/// Something that may have the credentials for a server.
///
/// It is asked on the thread of the call that needs them, by both clients alike. In an async runtime
/// it holds that thread up, so it should be quick there; a blocking program may ask a person. It must
/// not call the client that asks. For a closure there is [`from_fn`].
pub trait CredentialSource: Send + Sync + 'static {
    /// What it is, in a few words that appear in errors: "the environment".
    fn name(&self) -> String;

    /// The credentials that are wanted.
    ///
    /// # Errors
    ///
    /// Why the source cannot be used, although it may have them. The search ends there.
    fn find(&self, request: &CredentialRequest<'_>) -> Result<Found, SourceError>;
}

impl CredentialSource for Credentials {
    fn name(&self) -> String {
        format!("the credentials given for {}", self.username)
    }

    fn find(&self, _request: &CredentialRequest<'_>) -> Result<Found, SourceError> {
        Ok(Found::Credentials(self.clone()))
    }
}

/// Several sources, which are asked in their order until one has credentials.
///
/// A source that cannot be used ends the search: what is set up wrongly should be noticed. What the
/// server refuses is not looked for elsewhere.
#[derive(Clone, Default)]
#[must_use = "a chain does nothing before a client has it"]
pub struct CredentialChain {
    sources: Vec<Arc<dyn CredentialSource>>,
}

impl CredentialChain {
    /// A chain without sources.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source, to be asked after those before.
    pub fn then(mut self, source: impl CredentialSource) -> Self {
        self.sources.push(Arc::new(source));
        self
    }
}

impl CredentialSource for CredentialChain {
    fn name(&self) -> String {
        let names: Vec<String> = self.sources.iter().map(|source| source.name()).collect();
        names.join(", ")
    }

    fn find(&self, request: &CredentialRequest<'_>) -> Result<Found, SourceError> {
        let mut reasons = Vec::new();
        for source in &self.sources {
            match source.find(request) {
                Ok(Found::Nothing(reason)) => reasons.push(format!("{}: {reason}", source.name())),
                Ok(found @ Found::Credentials(_)) => return Ok(found),
                Err(error) => return Err(format!("{}: {error}", source.name()).into()),
            }
        }
        if reasons.is_empty() {
            reasons.push("there are no sources".to_owned());
        }
        Ok(Found::Nothing(reasons.join("; ")))
    }
}

impl fmt::Debug for CredentialChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CredentialChain").field(&self.name()).finish()
    }
}

/// A source that asks a closure, such as a password manager or a prompt.
///
/// `None` means that it has no credentials.
///
/// ```
/// use keystone_client::credentials::{
///     CredentialRequest, CredentialSource, Credentials, Found, from_fn,
/// };
///
/// let source = from_fn("the vault", |_request| Ok(Some(Credentials::new("ada", "correct horse"))));
/// let request = CredentialRequest::new("https://keystone.example.edu/");
/// assert!(matches!(source.find(&request), Ok(Found::Credentials(_))));
/// ```
pub fn from_fn<F>(name: impl Into<String>, find: F) -> FromFn<F>
where
    F: Fn(&CredentialRequest<'_>) -> Result<Option<Credentials>, SourceError>
        + Send
        + Sync
        + 'static,
{
    FromFn { name: name.into(), find }
}

/// A source made by [`from_fn`].
pub struct FromFn<F> {
    name: String,
    find: F,
}

impl<F> CredentialSource for FromFn<F>
where
    F: Fn(&CredentialRequest<'_>) -> Result<Option<Credentials>, SourceError>
        + Send
        + Sync
        + 'static,
{
    fn name(&self) -> String {
        self.name.clone()
    }

    fn find(&self, request: &CredentialRequest<'_>) -> Result<Found, SourceError> {
        Ok(match (self.find)(request)? {
            Some(credentials) => Found::Credentials(credentials),
            None => Found::Nothing("it has none".to_owned()),
        })
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &CredentialRequest<'_> =
        &CredentialRequest { base_url: "https://keystone.example.edu/", username: None };

    fn nothing(name: &str) -> impl CredentialSource {
        from_fn(name, |_| Ok(None))
    }

    #[test]
    fn the_first_that_has_some_is_taken() {
        let chain = CredentialChain::new()
            .then(nothing("first"))
            .then(Credentials::new("ada", "x"))
            .then(from_fn("third", |_| Err("must not be asked".into())));
        match chain.find(SERVER) {
            Ok(Found::Credentials(credentials)) => assert_eq!(credentials.username(), "ada"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_tried_is_said() {
        let chain = CredentialChain::new().then(nothing("first")).then(nothing("second"));
        match chain.find(SERVER) {
            Ok(Found::Nothing(reason)) => {
                assert_eq!(reason, "first: it has none; second: it has none");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_used_ends_the_search() {
        let chain = CredentialChain::new()
            .then(from_fn("first", |_| Err("locked".into())))
            .then(Credentials::new("ada", "x"));
        assert_eq!(chain.find(SERVER).unwrap_err().to_string(), "first: locked");
    }
}
