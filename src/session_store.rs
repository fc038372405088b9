//! Logins that outlive the process.
//!
//! A command that people run on a login node should not ask for the password each time. With a
//! session store ([`ClientBuilder::session_store`](crate::ClientBuilder::session_store)) a client
//! takes over the login that an earlier one has left there, as long as it is good, and leaves its own
//! behind. Logging out removes it.
//!
//! [`FileSessionStore`] keeps files that only their owner may read. Another place, such as the
//! keyring of a desktop, is an implementation of [`SessionStore`]. The chapter
//! [Authentication and sessions](crate::guide::authentication) says how long what is kept is good.
//!
//! ```
//! use keystone_client::KeystoneClient;
//! use keystone_client::session_store::FileSessionStore;
//! # use keystone_client::sandbox::Sandbox;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
//! # let folder = std::env::temp_dir().join(format!("keystone-sessions-{}", std::process::id()));
//! # let sandbox = Sandbox::new();
//! let store = FileSessionStore::at(&folder);
//! let builder = || {
//!     KeystoneClient::builder("https://keystone.example.edu")
//!         .session_store(store.clone(), "admin")
//! #       .backend(sandbox.clone())
//! };
//! // One process logs in …
//! builder().build()?.login("admin", "admin-password").await?;
//! // … and the next one need not.
//! let client = builder().build()?;
//! assert_eq!(client.whoami().await?.unwrap().username, "admin");
//! client.logout().await?;
//! assert!(builder().build()?.whoami().await?.is_none());
//! # std::fs::remove_dir_all(folder)?;
//! # Ok(()) }) }
//! ```

mod file;

use std::io;

pub use self::file::FileSessionStore;
pub use crate::credentials::{ExposeSecret, SecretString};

/// Whose login it is, and at which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SessionKey<'a> {
    /// The address of the server in normal form, with a trailing slash.
    pub base_url: &'a str,
    /// The name of the user.
    pub username: &'a str,
}

impl<'a> SessionKey<'a> {
    /// The key of a user's login at a server.
    pub fn new(base_url: &'a str, username: &'a str) -> Self {
        Self { base_url, username }
    }
}

/// A place where logins are kept.
///
/// What is kept is a text in a form of this crate's own. Whoever has it is the user, as far as the
/// server is concerned, until the login expires; so it belongs where nobody else can read it.
///
/// The methods are called on the thread of the call, by both clients alike, so they should be quick.
///
/// ```
/// use std::collections::HashMap;
/// use std::io;
/// use std::sync::Mutex;
///
/// use keystone_client::session_store::{SecretString, SessionKey, SessionStore};
///
/// /// Stands for the keyring of a desktop.
/// #[derive(Default)]
/// struct Keyring(Mutex<HashMap<String, SecretString>>);
///
/// fn name(key: SessionKey<'_>) -> String {
///     format!("{} at {}", key.username, key.base_url)
/// }
///
/// impl SessionStore for Keyring {
///     fn load(&self, key: SessionKey<'_>) -> io::Result<Option<SecretString>> {
///         Ok(self.0.lock().unwrap().get(&name(key)).cloned())
///     }
///
///     fn save(&self, key: SessionKey<'_>, session: &SecretString) -> io::Result<()> {
///         self.0.lock().unwrap().insert(name(key), session.clone());
///         Ok(())
///     }
///
///     fn remove(&self, key: SessionKey<'_>) -> io::Result<()> {
///         self.0.lock().unwrap().remove(&name(key));
///         Ok(())
///     }
/// }
/// # let client = keystone_client::KeystoneClient::builder("https://keystone.example.edu")
/// #     .session_store(Keyring::default(), "admin")
/// #     .backend(keystone_client::sandbox::Sandbox::new())
/// #     .build()?;
/// # pollster::block_on(client.login("admin", "admin-password"))?;
/// # Ok::<(), keystone_client::Error>(())
/// ```
pub trait SessionStore: Send + Sync + 'static {
    /// The text kept for a key; `None` if there is none.
    ///
    /// # Errors
    ///
    /// It cannot be read, or others could have.
    fn load(&self, key: SessionKey<'_>) -> io::Result<Option<SecretString>>;

    /// Keeps a text in place of what was kept for the key before.
    ///
    /// # Errors
    ///
    /// It cannot be kept.
    fn save(&self, key: SessionKey<'_>, session: &SecretString) -> io::Result<()>;

    /// Forgets what is kept for a key. That there is nothing is no error.
    ///
    /// # Errors
    ///
    /// It cannot be removed.
    fn remove(&self, key: SessionKey<'_>) -> io::Result<()>;
}
