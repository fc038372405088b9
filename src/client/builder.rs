use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use secrecy::SecretString;
use uuid::Uuid;

use crate::auth::{ApiToken, Authenticator, Credential, Dialect, RefererHeaders};
use crate::backend::{BackendError, Now, TransportSettings};
use crate::base_url::BaseUrl;
use crate::capability::ServerVersion;
use crate::credentials::CredentialSource;
use crate::error::{Error, ErrorKind};
use crate::flow::{Core, KnownLimits, KnownVersion, Pace, Renewal, Settings, Store};
use crate::observe::Observer;
use crate::request::Operation;
use crate::retry::RetryPolicy;
use crate::session_store::SessionStore;

const BUILD: Operation = Operation::new("build", "client");

/// What the code that is written once for both clients needs of them.
pub(crate) trait Client: Clone {
    /// A backend of this colour.
    type Backend;

    /// The features of which any brings a default backend, for people to read.
    const TRANSPORT_FEATURES: &'static str;

    fn assemble(core: Core, backend: Self::Backend) -> Self;

    /// The backend of a client that is not given one; `None` in a build without a transport.
    fn default_backend(settings: &TransportSettings)
    -> Option<Result<Self::Backend, BackendError>>;

    fn core(&self) -> &Core;
    fn now(&self) -> Now;
}

/// Settings of a client to be, the same for both clients.
///
/// ```
/// use std::time::Duration;
///
/// use keystone_client::sandbox::Sandbox;
/// use keystone_client::{Dialect, KeystoneClient, RetryPolicy};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = KeystoneClient::builder("https://keystone.example.edu/api")
///     .dialect(Dialect::Session)
///     .retry(RetryPolicy::default().with_total(Duration::from_secs(30)))
///     .backend(Sandbox::new())
///     .build()?;
/// assert_eq!(client.base_url(), "https://keystone.example.edu/api/");
/// # Ok(()) }
/// ```
#[must_use = "a builder does nothing until `build` is called"]
#[allow(private_bounds, reason = "there are two clients and no more")]
pub struct ClientBuilder<C: Client> {
    base_url: String,
    dialect: Option<Dialect>,
    server_version: Option<String>,
    watch_drift: bool,
    api_token: Option<SecretString>,
    retry: RetryPolicy,
    requests_per_minute: Option<u32>,
    transport: Option<TransportSettings>,
    timeout: Option<Duration>,
    user_agent: Option<String>,
    correlation_id: Option<Uuid>,
    send_origin: bool,
    allows_plain_http: bool,
    credentials: Option<Box<dyn CredentialSource>>,
    session_store: Option<(Box<dyn SessionStore>, Arc<str>)>,
    observer: Option<Box<dyn Observer>>,
    backend: Option<C::Backend>,
}

#[allow(private_bounds, reason = "there are two clients and no more")]
impl<C: Client> ClientBuilder<C> {
    pub(crate) fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            dialect: None,
            server_version: None,
            watch_drift: false,
            api_token: None,
            retry: RetryPolicy::default(),
            requests_per_minute: None,
            transport: None,
            timeout: None,
            user_agent: None,
            correlation_id: None,
            send_origin: false,
            allows_plain_http: false,
            credentials: None,
            session_store: None,
            observer: None,
            backend: None,
        }
    }

    /// States how the server wants to be told who is asking, instead of finding out at login. The
    /// first request is then the one with the password.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// Uses a static API token, which an administrator of a server since 0.6.4 has handed out, in
    /// place of a login.
    pub fn api_token(mut self, token: impl AsRef<str>) -> Self {
        self.api_token = Some(token.as_ref().into());
        self
    }

    /// Lets the client log in by itself: before the first call that needs a login, and whenever the
    /// server says that the login has ended; once for any number of calls under way. The refused call
    /// is then repeated, as the same user, which does no harm: a refused call was not executed. After
    /// [`logout`](crate::KeystoneClient::logout) it takes a `login` or `authenticate` again.
    ///
    /// If the server refuses the credentials, calls fail for a minute without asking it again, so that
    /// no account is locked.
    pub fn credentials(mut self, source: impl CredentialSource) -> Self {
        self.credentials = Some(Box::new(source));
        self
    }

    /// Takes over the login that is kept for this user, if there is one, and keeps every login for
    /// later clients. What is kept that way is as good as a password until it expires; see
    /// [`session_store`](crate::session_store).
    pub fn session_store(
        mut self,
        store: impl SessionStore,
        username: impl Into<Arc<str>>,
    ) -> Self {
        self.session_store = Some((Box::new(store), username.into()));
        self
    }

    /// Lets secrets be sent over plain http, where anybody on the way can read them. Without it, a
    /// client of an http address that is not this machine refuses to log in, and to be built with an
    /// API token, credentials or a session store.
    pub fn danger_allow_plain_http(mut self, allow: bool) -> Self {
        self.allows_plain_http = allow;
        self
    }

    /// Shows what happens on the way of calls: attempts, retries, waits, renewals.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// States the version of the server, such as `0.10.9`. Otherwise the server is asked for it, once,
    /// before the first call that an older server would misunderstand in silence.
    pub fn server_version(mut self, version: impl Into<String>) -> Self {
        self.server_version = Some(version.into());
        self
    }

    /// Notes what the server says that this crate does not know: fields and codes, for
    /// [`KeystoneClient::drift`](crate::KeystoneClient::drift). Reading takes longer then.
    /// Default: `false`.
    pub fn watch_drift(mut self, watch: bool) -> Self {
        self.watch_drift = watch;
        self
    }

    /// Sets how often and how patiently calls are repeated. Default: [`RetryPolicy::default`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Bounds how many requests are sent within any minute with a login, by all clones of the client
    /// together; 0 counts as 1. A call that comes too early waits for its turn, within its own total
    /// time. Default: no bound, except that batch jobs and bulk writes keep to 300. If the server
    /// refuses a request before the number is reached, because others send as the same user, the
    /// number is lowered to what it did answer, and grows again with every minute without a refusal.
    ///
    /// Servers answer 300 a minute of each user and refuse more with a 429, which is waited out; a
    /// program that shares its user with others, or is to leave room for them, sets less. Whatever is
    /// set, a 429 that says how long to wait holds for all clones, a minute at the most, except under a
    /// retry policy that repeats nothing.
    pub fn requests_per_minute(mut self, requests: u32) -> Self {
        self.requests_per_minute = Some(requests);
        self
    }

    /// Sets the time that each attempt of a call may take, with any backend. Default: 60 s, or the
    /// time-out of [`transport`](Self::transport).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets time-outs and limits of the default backend. A backend of your own takes them when it
    /// is made, except for the time-out of a call, which is the client's.
    pub fn transport(mut self, settings: TransportSettings) -> Self {
        self.transport = Some(settings);
        self
    }

    /// Sets the `User-Agent`. Default: `keystone-client/` and the version of this crate.
    pub fn user_agent(mut self, text: impl Into<String>) -> Self {
        self.user_agent = Some(text.into());
        self
    }

    /// Sets the id under which the server logs the calls of this client. Default: a random one.
    pub fn correlation_id(mut self, id: Uuid) -> Self {
        self.correlation_id = Some(id);
        self
    }

    /// Sends `Origin` instead of `Referer` with writes. It is right for one set-up: a server with
    /// a cookie domain configured, which compares the `Referer` with that domain.
    pub fn send_origin(mut self, origin: bool) -> Self {
        self.send_origin = origin;
        self
    }

    pub(crate) fn with_boxed_backend(mut self, backend: C::Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`] when a setting is not what it should be: a URL that is none,
    /// a token or user agent that cannot stand in a header, transport settings along with a
    /// backend of your own, no transport in this build, secrets for a server on plain http, an API token
    /// along with credentials or a session store.
    pub fn build(self) -> Result<C, Error> {
        let invalid =
            |problem: String| Error::new(ErrorKind::InvalidRequest, BUILD).with_note(problem);
        let base = BaseUrl::parse(&self.base_url)
            .map_err(|problem| invalid(format!("base URL {problem}")))?;
        let logs_in = self.credentials.is_some() || self.session_store.is_some();
        let has_secrets = self.api_token.is_some() || logs_in;
        if self.api_token.is_some() && logs_in {
            return Err(invalid(
                "an API token takes the place of a login: leave it out, or the credentials and the \
                 session store"
                    .into(),
            ));
        }
        let store = self.session_store.map(|(place, username)| Store::new(place, username));
        let credential = match &self.api_token {
            None => Credential::None,
            Some(token) => ApiToken::new(token)
                .map(Credential::ApiToken)
                .ok_or_else(|| invalid("the API token cannot stand in a header".into()))?,
        };
        let user_agent = self
            .user_agent
            .as_deref()
            .unwrap_or(concat!("keystone-client/", env!("CARGO_PKG_VERSION")));
        let user_agent = HeaderValue::from_str(user_agent)
            .map_err(|error| invalid(format!("user agent: {error}")))?;
        let header = |text: &str| {
            HeaderValue::from_str(text).map_err(|error| invalid(format!("base URL: {error}")))
        };
        let referer = RefererHeaders {
            referer: header(base.as_str())?,
            origin: if self.send_origin { Some(header(base.origin())?) } else { None },
        };
        let correlation_id = self.correlation_id.unwrap_or_else(random_id);
        let correlation_header = header(&correlation_id.to_string())?;
        if self.backend.is_some() && self.transport.is_some() {
            return Err(invalid(
                "transport settings are for the default backend; give them to yours instead".into(),
            ));
        }
        let transport = self.transport.unwrap_or_default();
        let backend = match self.backend {
            Some(backend) => backend,
            None => C::default_backend(&transport)
                .ok_or_else(|| {
                    invalid(format!(
                        "this build has no transport: enable feature {} of keystone-client, or \
                         give the builder a backend",
                        C::TRANSPORT_FEATURES,
                    ))
                })?
                .map_err(|error| {
                    invalid("the transport cannot be set up".into()).with_source(error)
                })?,
        };
        let settings = Settings {
            retry: self.retry,
            timeout: self.timeout.unwrap_or(transport.timeout),
            user_agent,
            correlation_id,
            correlation_header,
            referer,
            allows_plain_http: self.allows_plain_http,
        };
        let parsed = self.server_version.as_deref().map(str::parse::<ServerVersion>).transpose();
        let version = parsed.map_err(|_| {
            invalid("the server's version should be numbers with dots, such as `0.10.9`".into())
        })?;
        let core = Core {
            base,
            settings,
            auth: Authenticator::new(self.dialect, credential),
            limits: KnownLimits::new(),
            version: KnownVersion::new(version.filter(|version| version.is_known())),
            pace: Pace::new(self.requests_per_minute),
            renewal: Renewal::new(self.credentials, store),
            observer: self.observer,
            drift: self.watch_drift.then(Arc::default),
        };
        if has_secrets {
            core.may_send_secrets(BUILD)?;
        }
        Ok(C::assemble(core, backend))
    }
}

fn random_id() -> Uuid {
    uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid()
}

#[allow(private_bounds, reason = "there are two clients and no more")]
impl<C: Client> fmt::Debug for ClientBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL is left out: it may hold a password, which `build` refuses.
        f.debug_struct("ClientBuilder")
            .field("dialect", &self.dialect)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}
