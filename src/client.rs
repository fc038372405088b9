//! The async client, and what both clients share.

mod builder;
mod legacy;
mod methods;
mod pages;
mod rows;
mod unblock;
mod writes;

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

pub(crate) use self::builder::Client;
pub use self::builder::ClientBuilder;
pub use self::legacy::Legacy;
pub(crate) use self::methods::{client_methods, raw_request, resource_methods};
pub use self::pages::Pages;
pub use self::rows::Rows;
use self::unblock::Unblocked;
pub use self::writes::BulkFuture;
#[cfg(all(feature = "isahc", not(feature = "reqwest")))]
use crate::backend::IsahcBackend;
#[cfg(feature = "reqwest")]
use crate::backend::ReqwestBackend;
use crate::backend::{
    BackendError, BoxFuture, DynHttpBackend, ExecuteResult, HttpBackend, Now, TransportSettings,
};
use crate::call::Call;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::flow::{Core, Effects};
use crate::id::Id;
use crate::list::List;
use crate::resolve::{Resolution, Resolved};
use crate::resource::Resource;
use crate::resources::User;

/// The async client of one Keystone server.
///
/// Clones are cheap and share login, tokens and connections; give one to every task. Calls are
/// values: nothing is sent before a call is awaited.
///
/// For each resource there is a method such as [`clusters`](Self::clusters), whose [`Crud`](crate::Crud)
/// has all its verbs, and short forms such as [`create_cluster`](Self::create_cluster). What a call can
/// be told further is at [`Call`], how lists are narrowed and walked at [`List`], and what comes of
/// failures at [`Error`]. [`builder`](Self::builder) has the settings.
/// [`blocking::KeystoneClient`](crate::blocking::KeystoneClient) is the same without async.
///
/// ```
/// use keystone_client::{KeystoneClient, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
/// // A server in memory; `KeystoneClient::new("https://keystone.example.edu")?` for a real one.
/// let client: KeystoneClient = Sandbox::new().client()?;
///
/// client.login("admin", "admin-password").await?;
/// assert!(client.is_authenticated());
/// let user = client.whoami().await?.expect("logged in");
/// assert_eq!(user.username, "admin");
///
/// client.logout().await?;
/// assert!(!client.is_authenticated());
/// # Ok(()) }) }
/// ```
#[derive(Clone)]
pub struct KeystoneClient {
    inner: Arc<Inner>,
}

struct Inner {
    core: Core,
    backend: Box<dyn DynHttpBackend>,
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

    /// Logs in and keeps what the server hands out, in memory, for all clones.
    ///
    /// The first login finds out whether the server wants session cookies or JSON Web Tokens, by
    /// one or two anonymous requests; the password is sent once. A login while logged in replaces
    /// the present one here; on the server that lasts until it expires, unless it is ended by
    /// [`logout`](Self::logout) before.
    ///
    /// # Errors
    ///
    /// [`InvalidCredentials`](crate::ErrorKind::InvalidCredentials) for a wrong name or password
    /// and for inactive users, [`NotKeystone`](crate::ErrorKind::NotKeystone) and
    /// [`Redirected`](crate::ErrorKind::Redirected) for a wrong address,
    /// [`InvalidRequest`](crate::ErrorKind::InvalidRequest) for plain http to another machine.
    pub async fn login(
        &self,
        username: impl AsRef<str>,
        password: impl AsRef<str>,
    ) -> Result<(), Error> {
        let credentials = Credentials::new(username.as_ref(), password.as_ref());
        self.inner.core.login(self, &credentials).await
    }

    /// Sees to it that there is a login: takes over the one that is
    /// [kept](crate::ClientBuilder::session_store), or logs in with the
    /// [credentials](crate::ClientBuilder::credentials) of the client. Where there is a login that has
    /// not expired, nothing is sent.
    ///
    /// A client that can log in by itself does so before the first call that needs it; this is for
    /// programs that want to know at once.
    ///
    /// ```
    /// use keystone_client::credentials::Credentials;
    /// use keystone_client::{ErrorKind, KeystoneClient};
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
    /// let client = KeystoneClient::builder("https://keystone.example.edu")
    ///     .credentials(Credentials::new("admin", "an old password"))
    /// #   .backend(Sandbox::new())
    ///     .build()?;
    /// // Better now than halfway through the night.
    /// let error = client.authenticate().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidCredentials);
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotLoggedIn`](crate::ErrorKind::NotLoggedIn) when no credentials were found; the message says
    /// what was tried. Otherwise as for [`login`](Self::login).
    pub async fn authenticate(&self) -> Result<(), Error> {
        self.inner.core.authenticate(self).await
    }

    /// Ends the login, on the server, here, and in the session store if there is one. Without a login
    /// there is nothing to do, which is no error. A static API token is forgotten here; on the server only an administrator can end
    /// it.
    ///
    /// # Errors
    ///
    /// When the server could not be told, or the stored login could not be removed. The client has
    /// forgotten the login all the same.
    pub async fn logout(&self) -> Result<(), Error> {
        self.inner.core.logout(self).await
    }

    /// The user who is logged in, by the server's word; `None` when nobody is.
    ///
    /// # Errors
    ///
    /// When the server could not be asked.
    pub async fn whoami(&self) -> Result<Option<User>, Error> {
        self.inner.core.current_user(self).await
    }

    /// Fetches the records that many keys point to, several hundred with each request.
    ///
    /// A key may come several times; its record is fetched once. Keys without a record are no error:
    /// [`Resolved`] names them.
    ///
    /// ```
    /// # use keystone_client::{resources::{NewGrant, NewTeam}, sandbox::Sandbox};
    /// # use jiff::civil::date;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
    /// # let client = Sandbox::new().client()?;
    /// # client.login("admin", "admin-password").await?;
    /// # let team = client.create_team(NewTeam::new("Folding")).await?.id;
    /// # for title in ["Proteins", "Knots"] {
    /// #     client.create_grant(NewGrant::new(title, "NSF", 1000, date(2026, 1, 1), team)).await?;
    /// # }
    /// let grants = client.grants().list().all().await?;
    /// let teams = client.resolve_all(grants.iter().map(|grant| grant.team)).await?;
    /// assert_eq!(teams.records().len(), 1); // that of both grants
    /// assert_eq!(teams.get(grants[1].team).unwrap().name, "Folding");
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    ///
    /// The first error of any request.
    pub async fn resolve_all<R: Resource>(
        &self,
        ids: impl IntoIterator<Item = Id<R>>,
    ) -> Result<Resolved<R>, Error> {
        let resolution = Resolution::new(ids);
        self.inner.core.resolve_all(self, resolution).await
    }
}

client_methods!(KeystoneClient);

impl fmt::Debug for KeystoneClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeystoneClient").field("base_url", &self.base_url()).finish_non_exhaustive()
    }
}

impl Client for KeystoneClient {
    type Backend = Box<dyn DynHttpBackend>;

    const TRANSPORT_FEATURES: &'static str = "`reqwest` or `isahc`";

    fn assemble(core: Core, backend: Self::Backend) -> Self {
        Self { inner: Arc::new(Inner { core, backend }) }
    }

    #[allow(unused_variables, reason = "without a transport feature there is no default")]
    fn default_backend(
        settings: &TransportSettings,
    ) -> Option<Result<Self::Backend, BackendError>> {
        #[cfg(feature = "reqwest")]
        return Some(ReqwestBackend::with_settings(settings).map(|backend| Box::new(backend) as _));
        #[cfg(all(feature = "isahc", not(feature = "reqwest")))]
        return Some(IsahcBackend::with_settings(settings).map(|backend| Box::new(backend) as _));
        #[cfg(not(any(feature = "reqwest", feature = "isahc")))]
        return None;
    }

    fn core(&self) -> &Core {
        &self.inner.core
    }

    fn now(&self) -> Now {
        self.inner.backend.now()
    }
}

/// With the async client.
impl ClientBuilder<KeystoneClient> {
    /// Sends through `backend` instead of the default one.
    pub fn backend(self, backend: impl HttpBackend) -> Self {
        self.with_boxed_backend(Box::new(backend))
    }
}

/// The async driver: awaits the backend.
impl Effects for KeystoneClient {
    fn core(&self) -> &Core {
        &self.inner.core
    }

    fn execute(&self, request: http::Request<Bytes>) -> impl Future<Output = ExecuteResult> + Send {
        self.inner.backend.execute(request)
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        self.inner.backend.sleep(duration)
    }

    fn now(&self) -> Now {
        self.inner.backend.now()
    }

    fn unblock<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send {
        Unblocked::begin(work)
    }
}

/// The future of a call's answer.
#[must_use = "a future does nothing until it is awaited"]
pub struct CallFuture<T>(BoxFuture<'static, Result<T, Error>>);

impl<T> Future for CallFuture<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for CallFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallFuture").finish_non_exhaustive()
    }
}

/// With the async client.
impl<T: Send + 'static> Call<T, KeystoneClient> {
    /// Sends the call; the same as awaiting it.
    pub fn send(self) -> CallFuture<T> {
        let Self { client, request } = self;
        CallFuture(Box::pin(async move {
            // Matched in place: moved out, the request would be in the future twice.
            match request {
                Ok(ref request) => client.inner.core.send(&client, request).await,
                Err(error) => Err(error),
            }
        }))
    }
}

impl<T: Send + 'static> IntoFuture for Call<T, KeystoneClient> {
    type Output = Result<T, Error>;
    type IntoFuture = CallFuture<T>;

    fn into_future(self) -> CallFuture<T> {
        self.send()
    }
}

/// With the async client.
impl<R: Resource> List<R, KeystoneClient> {
    /// Every record, however many pages they fill.
    ///
    /// # Errors
    ///
    /// The first error of any page; no records are handed out then.
    pub async fn all(self) -> Result<Vec<R::Model>, Error> {
        let mut pages = self.pages();
        let mut records = Vec::new();
        while let Some(page) = pages.next().await {
            records.append(&mut page?.items);
        }
        Ok(records)
    }

    /// The records one by one, with one page of them in memory, or as many more as
    /// [`concurrency`](List::concurrency) says.
    pub fn stream(self) -> Rows<R> {
        self.pages().rows()
    }

    /// The records page by page, as they travel.
    pub fn pages(self) -> Pages<R> {
        Pages::new(self.client, self.query)
    }
}

const _: () = {
    const fn assert_shareable<T: Clone + Send + Sync + 'static>() {}
    assert_shareable::<KeystoneClient>();
};
