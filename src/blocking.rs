//! The blocking client: the same calls, sent with `.send()?` instead of `.await?`.
//!
//! There is no async runtime behind it, except the one that `reqwest` brings if it is the
//! transport. Both clients exist in one build.
//!
//! What differs from the async client is the last step: [`Call`], [`Edit`](crate::Edit),
//! [`Ensure`](crate::Ensure) and [`Bulk`](crate::Bulk) have a method `send` that waits for the answer, and
//! a [`List`] has `iter` and `pages`, which are iterators ([`Rows`], [`Pages`]). All else in the guide and
//! on the other pages holds for both. With `reqwest` as its transport it needs the feature `blocking`;
//! `isahc` and `ureq` need nothing more.
//!
//! Within a task of an async runtime it blocks the thread; use the async client there.
//!
//! ```
//! use keystone_client::blocking::KeystoneClient;
//! use keystone_client::sandbox::Sandbox;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client: KeystoneClient = Sandbox::new().blocking_client()?;
//! client.login("admin", "admin-password")?;
//! for user in client.users().list().iter() {
//!     println!("{}", user?.username);
//! }
//! # Ok(()) }
//! ```

mod backend;
mod pages;
#[cfg(all(feature = "reqwest", feature = "blocking"))]
mod reqwest;
mod rows;
mod writes;

use std::fmt;
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub use self::backend::HttpBackend;
pub use self::pages::Pages;
#[cfg(all(feature = "reqwest", feature = "blocking"))]
pub use self::reqwest::ReqwestBackend;
pub use self::rows::Rows;
use crate::backend::{BackendError, ExecuteResult, Now, TransportSettings};
use crate::call::Call;
use crate::client::{Client, ClientBuilder, client_methods};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::flow::{Core, Effects};
use crate::id::Id;
use crate::list::List;
use crate::resolve::{Resolution, Resolved};
use crate::resource::Resource;
use crate::resources::User;

/// The blocking client of one Keystone server; see [`KeystoneClient`](crate::KeystoneClient).
///
/// Clones are cheap and share login, tokens and connections; give one to every thread.
///
/// ```
/// use keystone_client::sandbox::Sandbox;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // `blocking::KeystoneClient::new("https://keystone.example.edu")?` for a real server.
/// let client = Sandbox::new().blocking_client()?;
/// client.login("admin", "admin-password")?;
/// let users = std::thread::spawn({
///     let client = client.clone(); // logged in as well
///     move || client.users().list().count().send()
/// });
/// assert_eq!(users.join().unwrap()?, 1);
/// client.logout()?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct KeystoneClient {
    inner: Arc<Inner>,
}

struct Inner {
    core: Core,
    backend: Box<dyn HttpBackend>,
}

impl KeystoneClient {
    /// A client over the given backend instead of the default one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a URL that is none.
    pub fn with_backend(base_url: &str, backend: impl HttpBackend) -> Result<Self, Error> {
        Self::builder(base_url).backend(backend).build()
    }

    /// Logs in; see [`KeystoneClient::login`](crate::KeystoneClient::login).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn login(&self, username: impl AsRef<str>, password: impl AsRef<str>) -> Result<(), Error> {
        let credentials = Credentials::new(username.as_ref(), password.as_ref());
        run(self.inner.core.login(self, &credentials))
    }

    /// Sees to it that there is a login; see
    /// [`KeystoneClient::authenticate`](crate::KeystoneClient::authenticate).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn authenticate(&self) -> Result<(), Error> {
        run(self.inner.core.authenticate(self))
    }

    /// Ends the login; see [`KeystoneClient::logout`](crate::KeystoneClient::logout).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn logout(&self) -> Result<(), Error> {
        run(self.inner.core.logout(self))
    }

    /// The user who is logged in, by the server's word; `None` when nobody is.
    ///
    /// # Errors
    ///
    /// When the server could not be asked.
    pub fn whoami(&self) -> Result<Option<User>, Error> {
        run(self.inner.core.current_user(self))
    }

    /// Fetches the records that many keys point to; see
    /// [`KeystoneClient::resolve_all`](crate::KeystoneClient::resolve_all).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn resolve_all<R: Resource>(
        &self,
        ids: impl IntoIterator<Item = Id<R>>,
    ) -> Result<Resolved<R>, Error> {
        run(self.inner.core.resolve_all(self, Resolution::new(ids)))
    }
}

client_methods!(KeystoneClient);

impl fmt::Debug for KeystoneClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeystoneClient").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}

impl Client for KeystoneClient {
    type Backend = Box<dyn HttpBackend>;

    const TRANSPORT_FEATURES: &'static str = "`ureq`, `isahc`, or `reqwest` and `blocking`";

    fn assemble(core: Core, backend: Self::Backend) -> Self {
        Self { inner: Arc::new(Inner { core, backend }) }
    }

    #[allow(unused_variables, reason = "without a transport feature there is no default")]
    fn default_backend(
        settings: &TransportSettings,
    ) -> Option<Result<Self::Backend, BackendError>> {
        #[cfg(all(feature = "reqwest", feature = "blocking"))]
        return Some(ReqwestBackend::with_settings(settings).map(|backend| Box::new(backend) as _));
        #[cfg(all(feature = "isahc", not(all(feature = "reqwest", feature = "blocking"))))]
        return Some(
            crate::backend::IsahcBackend::with_settings(settings)
                .map(|backend| Box::new(backend) as _),
        );
        #[cfg(all(
            feature = "ureq",
            not(any(all(feature = "reqwest", feature = "blocking"), feature = "isahc"))
        ))]
        return Some(
            crate::backend::UreqBackend::with_settings(settings)
                .map(|backend| Box::new(backend) as _),
        );
        #[cfg(not(any(
            all(feature = "reqwest", feature = "blocking"),
            feature = "isahc",
            feature = "ureq"
        )))]
        return None;
    }

    fn core(&self) -> &Core {
        &self.inner.core
    }

    fn now(&self) -> Now {
        self.inner.backend.now()
    }
}

/// With the blocking client.
impl ClientBuilder<KeystoneClient> {
    /// Sends through `backend` instead of the default one.
    pub fn backend(self, backend: impl HttpBackend) -> Self {
        self.with_boxed_backend(Box::new(backend))
    }
}

/// The blocking driver: calls the backend and hands out futures that are ready.
impl Effects for KeystoneClient {
    fn core(&self) -> &Core {
        &self.inner.core
    }

    fn execute(&self, request: http::Request<Bytes>) -> impl Future<Output = ExecuteResult> + Send {
        ready(self.inner.backend.execute(request))
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.inner.backend.sleep(duration);
        ready(())
    }

    fn now(&self) -> Now {
        self.inner.backend.now()
    }

    fn unblock<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send {
        ready(work())
    }
}

/// Runs a flow to its end on this thread. All its waiting happens inside the backend, except for
/// another thread's login or refresh, for which the thread is parked.
fn run<T>(flow: impl Future<Output = T>) -> T {
    pollster::block_on(flow)
}

/// With the blocking client.
impl<T> Call<T, KeystoneClient> {
    /// Sends the call and waits for the answer.
    ///
    /// # Errors
    ///
    /// What is wrong with the call, what happened on the way, or what the server refused.
    pub fn send(self) -> Result<T, Error> {
        let request = self.request?;
        run(self.client.inner.core.send(&self.client, &request))
    }
}

/// With the blocking client.
impl<R: Resource> List<R, KeystoneClient> {
    /// Every record, however many pages they fill.
    ///
    /// # Errors
    ///
    /// The first error of any page; no records are handed out then.
    pub fn all(self) -> Result<Vec<R::Model>, Error> {
        self.iter().collect()
    }

    /// The records one by one, with one page of them in memory, or as many more as
    /// [`concurrency`](List::concurrency) says.
    pub fn iter(self) -> Rows<R> {
        self.pages().rows()
    }

    /// The records page by page, as they travel.
    pub fn pages(self) -> Pages<R> {
        Pages::new(self.client, self.query)
    }
}

impl<R: Resource> IntoIterator for List<R, KeystoneClient> {
    type Item = Result<R::Model, Error>;
    type IntoIter = Rows<R>;

    fn into_iter(self) -> Rows<R> {
        self.iter()
    }
}

const _: () = {
    const fn assert_shareable<T: Clone + Send + Sync + 'static>() {}
    assert_shareable::<KeystoneClient>();
};
