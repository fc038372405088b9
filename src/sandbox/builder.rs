//! How a sandbox is described.

use std::fmt;
use std::time::{Duration, SystemTime};

use fastrand::Rng;

use crate::sandbox::clock::Clock;
use crate::sandbox::files::Files;
use crate::sandbox::history::History;
use crate::sandbox::incoming::Input;
use crate::sandbox::json::Json;
use crate::sandbox::release::Release;
use crate::sandbox::schema::Resource;
use crate::sandbox::server::{Config, Server};
use crate::sandbox::sessions::{CookieOptions, Sessions};
use crate::sandbox::store::{Disorder, Store};
use crate::sandbox::throttle::{RateLimit, RateLimits, Throttle};
use crate::sandbox::tokens::Tokens;
use crate::sandbox::validate::Mode;
use crate::sandbox::writes::Secrets;
use crate::sandbox::{Database, Dialect, Population, Sandbox, difference};

/// More requests than a test makes, and few enough to hold.
const DEFAULT_KEPT_REQUESTS: usize = 100_000;

/// Describes a [`Sandbox`]; made by [`Sandbox::builder`].
///
/// ```
/// use keystone_client::sandbox::{Dialect, Sandbox};
///
/// let sandbox = Sandbox::builder()
///     .dialect(Dialect::Jwt)
///     .staff("admin", "admin-password")
///     .user("researcher", "researcher-password")
///     .build();
/// # drop(sandbox);
/// ```
#[derive(Clone)]
#[must_use = "nothing is set up before `build` is called"]
pub struct SandboxBuilder {
    dialect: Option<Dialect>,
    database: Database,
    disorder: Disorder,
    version: Option<String>,
    reported_version: Option<String>,
    users: Vec<Account>,
    api_tokens: Vec<(String, String)>,
    start: Option<SystemTime>,
    frozen: bool,
    kept_requests: usize,
    default_rate_limits: bool,
    population: Option<Population>,
    seed: Option<u64>,
    config: Config,
}

#[derive(Clone)]
struct Account {
    username: String,
    password: String,
    staff: bool,
}

impl SandboxBuilder {
    pub(crate) fn new() -> Self {
        Self {
            dialect: None,
            database: Database::default(),
            disorder: Disorder::default(),
            version: None,
            reported_version: None,
            users: Vec::new(),
            api_tokens: Vec::new(),
            start: None,
            frozen: false,
            kept_requests: DEFAULT_KEPT_REQUESTS,
            default_rate_limits: false,
            population: None,
            seed: None,
            config: Config {
                version: String::new(),
                prefix: String::new(),
                https: false,
                access_token_lifetime: Duration::from_secs(300),
                refresh_token_lifetime: Duration::from_secs(86_400),
                session_lifetime: Duration::from_secs(14 * 86_400),
                allowed_hosts: Vec::new(),
                trusted_origins: Vec::new(),
                cookies: CookieOptions::default(),
                rate_limits: RateLimits::default(),
                failing_checks: Vec::new(),
            },
        }
    }

    /// The dialect the server speaks: that of its version if not said, and [`Dialect::Session`] if
    /// there is no version either.
    ///
    /// Without a version, the server is the newest of its dialect, 0.10.9 or 0.3.26.
    pub fn dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = Some(dialect);
        self
    }

    /// The database the server runs on; [`Database::Sqlite`] if not said.
    pub fn database(mut self, database: Database) -> Self {
        self.database = database;
        self
    }

    /// Lists come in another order each time, as far as no order was asked for, and equal values in any
    /// order among themselves. Databases may do so, and who takes such lists page by page gets rows twice
    /// and others not at all. The same seed gives the same orders to the same requests.
    ///
    /// ```
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let sandbox =
    ///     Sandbox::builder().staff("admin", "admin-password").arbitrary_order(7).build();
    /// for number in 0..50 {
    ///     sandbox.insert("users/teams", serde_json::json!({ "name": format!("Team {number}") }))?;
    /// }
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// // This client states an order, so that nothing is missed.
    /// assert_eq!(client.teams().list().page_size(10).all()?.len(), 50);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn arbitrary_order(mut self, seed: u64) -> Self {
        self.disorder = Disorder::with_seed(seed);
        self
    }

    /// Adds a user without special rights. Users get their ids in the order they are added, from 1
    /// on; of a repeated name the first counts.
    pub fn user(self, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.account(username.into(), password.into(), false)
    }

    /// Adds a user who is staff.
    pub fn staff(self, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.account(username.into(), password.into(), true)
    }

    fn account(mut self, username: String, password: String, staff: bool) -> Self {
        self.users.push(Account { username, password, staff });
        self
    }

    /// Gives a user an API token, for the header `Authorization: Token …`. Such tokens exist since
    /// 0.6.4 only. The user may also be added later, by [`Sandbox::insert`].
    pub fn api_token(mut self, username: impl Into<String>, token: impl Into<String>) -> Self {
        self.api_tokens.push((username.into(), token.into()));
        self
    }

    /// The version of the server, from 0.3.26 to 0.10.9: it behaves like this one, and reports it.
    /// That includes the dialect, which is [`Dialect::Session`] since 0.4.0.
    ///
    /// Of a version that was never released, the one before it is meant. A version that says nothing,
    /// such as `0.0.0`, or that contradicts [`dialect`](Self::dialect), is only reported.
    ///
    /// What is modelled is what clients tell apart: which paths there are and where; which columns
    /// there are, what they are called and what their records show, also of those within others;
    /// how one logs in and out, who counts as logged in and what refusals look like; the form of
    /// lists and their pages; which orders, searches and lookups are known, and the lists that pass
    /// over all of them; the form of the report about health; the default limits on requests; and
    /// what becomes of what refers to a record that is deleted.
    ///
    /// Not modelled are `allocations/jobs`, memberships in the bodies of teams and users,
    /// allocations and attachments in the bodies of requests, and details of who may do what; nor
    /// that before 0.9.0 `stats` took no filters, and that those of 0.8.2 were not single objects. The
    /// rules of validation between are those of 0.10.9, and before 0.5.0 those of 0.3.26, beside what
    /// the columns themselves say; so are the messages.
    ///
    /// ```
    /// use keystone_client::ErrorKind;
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let sandbox =
    ///     Sandbox::builder().version("0.8.7").staff("admin", "admin-password").build();
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// assert_eq!(client.version().send()?, "0.8.7");
    /// assert_eq!(client.teams().list().count().send()?, 0);
    /// let error = client.config().send().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Unsupported); // it came with 0.9.5
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// What the server reports as its version, whatever it is: servers that run from a source tree
    /// report `0.0.0`, and proxies may report anything.
    ///
    /// ```
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::builder().version("0.8.7").reported_version("0.0.0").build();
    /// let client = sandbox.blocking_client()?;
    /// assert_eq!(client.version().send()?, "0.0.0");
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn reported_version(mut self, version: impl Into<String>) -> Self {
        self.reported_version = Some(version.into());
        self
    }

    /// How long an access token is valid, counted in whole seconds; 300 s if not said.
    pub fn access_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.access_token_lifetime = lifetime;
        self
    }

    /// How long a refresh token is valid, counted in whole seconds; a day if not said.
    pub fn refresh_token_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.refresh_token_lifetime = lifetime;
        self
    }

    /// How long a session lasts from the login on; 14 days if not said.
    pub fn session_lifetime(mut self, lifetime: Duration) -> Self {
        self.config.session_lifetime = lifetime;
        self
    }

    /// The path below which the server is mounted, such as `/keystone`. Other paths are unknown. Steps
    /// of a batch name their paths without it.
    pub fn path_prefix(mut self, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        self.config.prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
        self
    }

    /// Whether the server believes that requests reach it over HTTPS: its links say so, and writes
    /// with a session need a matching `Referer` or `Origin`.
    pub fn https(mut self, https: bool) -> Self {
        self.config.https = https;
        self
    }

    /// Whether cookies are marked `Secure`.
    pub fn secure_cookies(mut self, secure: bool) -> Self {
        self.config.cookies.secure = secure;
        self
    }

    /// Adds a host name that the server answers to; with none it answers to all. Under another
    /// name every path is a server error.
    pub fn allowed_host(mut self, host: impl Into<String>) -> Self {
        self.config.allowed_hosts.push(host.into());
        self
    }

    /// Adds an origin, such as `https://portal.example.edu`, from which writes are accepted beside
    /// the server's own.
    pub fn trusted_origin(mut self, origin: impl Into<String>) -> Self {
        self.config.trusted_origins.push(origin.into());
        self
    }

    /// Limits how often it is asked as a server does whose operator sets nothing: since 0.5.14 300
    /// requests a minute for each user and 120 for each address without login, before 0.5.5 10,000
    /// and 1,000 a day. If not said, there is no limit.
    ///
    /// [`user_rate_limit`](Self::user_rate_limit) says what is counted. Limits that are set by that
    /// method or its sibling, before or after this one, hold in the place of the default ones.
    ///
    /// ```
    /// use keystone_client::sandbox::Sandbox;
    /// use keystone_client::{ErrorKind, Id, RetryPolicy};
    ///
    /// let sandbox =
    ///     Sandbox::builder().staff("admin", "admin-password").default_rate_limits().build();
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// for _ in 0..300 {
    ///     client.retrieve_user(Id::new(1)).send()?;
    /// }
    /// let call = client.retrieve_user(Id::new(1)).retry(RetryPolicy::never());
    /// let error = call.send().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Throttled);
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn default_rate_limits(mut self) -> Self {
        self.default_rate_limits = true;
        self
    }

    /// How many requests of a user are answered in a period, which slides; no limit if not said.
    ///
    /// One over the limit is refused with 429 and the seconds to wait in `Retry-After`, by the clock
    /// of the sandbox. Counted is every request that has passed the checks of login and permission,
    /// also one whose method or body is wrong; refused ones are not. A job of `/batch/` counts, and
    /// each of its steps as well.
    ///
    /// ```
    /// use std::time::Duration;
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::builder()
    ///     .staff("admin", "admin-password")
    ///     .user_rate_limit(2, Duration::from_secs(60))
    ///     .build();
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// let before = sandbox.now();
    /// for _ in 0..3 {
    ///     client.whoami()?; // the client waits for its turn, in no time
    /// }
    /// assert!(sandbox.now() >= before + Duration::from_secs(59));
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn user_rate_limit(mut self, requests: usize, period: Duration) -> Self {
        self.config.rate_limits.user = Some(RateLimit { requests, period });
        self
    }

    /// How many requests without login are answered in a period; no limit if not said.
    ///
    /// They are counted by address: the header `X-Forwarded-For` where there is one, else all that
    /// come are one client. So are logins, and in the JWT dialect all calls for tokens. Otherwise it
    /// is as with [`user_rate_limit`](Self::user_rate_limit).
    pub fn anonymous_rate_limit(mut self, requests: usize, period: Duration) -> Self {
        self.config.rate_limits.anonymous = Some(RateLimit { requests, period });
        self
    }

    /// Makes a check of the health report fail, with a message that the report shows as it is given.
    ///
    /// Names are such as `Redis` in the session dialect and `RedisHealthCheck` in the JWT dialect. A
    /// name that the server does not have is one more check.
    ///
    /// ```
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::builder()
    ///     .failing_check("Celery", "Unavailable: Celery workers unavailable")
    ///     .build();
    /// let request = http::Request::get("/health/").body(bytes::Bytes::new())?;
    /// assert_eq!(sandbox.handle(request).status(), 500);
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn failing_check(mut self, name: impl Into<String>, message: impl Into<String>) -> Self {
        self.config.failing_checks.push((name.into(), message.into()));
        self
    }

    /// The time that the server's clock shows when it is built; it runs on from there. If not said,
    /// it is the real time.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000);
    /// let sandbox = Sandbox::builder().start_at(time).build();
    /// assert!(sandbox.now() >= time);
    /// assert!(sandbox.now() < time + Duration::from_secs(3600));
    /// ```
    pub fn start_at(mut self, time: SystemTime) -> Self {
        self.start = Some(time);
        self
    }

    /// Stops the server's clock: it moves by [`Sandbox::advance`], [`Sandbox::advance_to`] and clients
    /// that wait, and not by itself. Records that are written one after the other then have the same
    /// times, and a run has the same output whenever it is repeated, along with
    /// [`start_at`](Self::start_at) and [`seed`](Self::seed).
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000);
    /// let sandbox = Sandbox::builder().start_at(time).freeze_clock().build();
    /// sandbox.advance(Duration::from_secs(60));
    /// assert_eq!(sandbox.now(), time + Duration::from_secs(60));
    /// ```
    pub fn freeze_clock(mut self) -> Self {
        self.frozen = true;
        self
    }

    /// How many requests are kept for [`Sandbox::requests`]; 100,000 if not said. Of more the oldest
    /// are forgotten. They are kept with their bodies, so a server that runs for long should keep
    /// few. [`Sandbox::request_count`] counts all.
    ///
    /// ```
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::builder().staff("admin", "admin-password").keep_requests(1).build();
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// for _ in 0..5 {
    ///     client.whoami()?;
    /// }
    /// assert_eq!(sandbox.requests().len(), 1);
    /// assert!(sandbox.request_count() > 5);
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn keep_requests(mut self, requests: usize) -> Self {
        self.kept_requests = requests;
        self
    }

    /// Made-up records of every kind, beside the users that are added here; of several the last.
    ///
    /// ```
    /// use keystone_client::sandbox::{Population, Sandbox};
    ///
    /// let sandbox = Sandbox::builder()
    ///     .staff("admin", "admin-password")
    ///     .population(Population::small(42))
    ///     .build();
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// assert_eq!(client.users().list().count().send()?, 21);
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn population(mut self, population: Population) -> Self {
        self.population = Some(population);
        self
    }

    /// Makes whatever the server leaves to chance repeat itself: session keys, tokens of every kind,
    /// names of files, ids of requests. If not said, it is different each time, unless there is a
    /// [`population`](Self::population), whose seed then holds.
    ///
    /// The same requests at the same times, by one client after the other, then get the same
    /// answers. Such keys can be guessed, which no test should mind.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets the server up.
    pub fn build(self) -> Sandbox {
        let release = Release::meant(self.version.as_deref(), self.dialect);
        let schema = difference::schema(release);
        let reported = self.reported_version.or(self.version);
        let version = reported.unwrap_or_else(|| release.text());
        let mut rate_limits = self.config.rate_limits;
        if self.default_rate_limits {
            rate_limits = rate_limits.or(RateLimits::of_era(&schema.era));
        }
        let seed = self.seed.or(self.population.map(|population| population.seed()));
        let mut random = seed.map_or_else(Rng::new, Rng::with_seed);
        let mut server = Server {
            config: Config { version, rate_limits, ..self.config },
            schema,
            clock: Clock::new(self.start, self.frozen),
            store: Store::new(schema, self.database, self.disorder),
            history: History::default(),
            secrets: Secrets::new(&mut random),
            random,
            files: Files::default(),
            sessions: Sessions::default(),
            tokens: Tokens::default(),
            throttle: Throttle::default(),
            logged_bytes: 0,
            api_tokens: self.api_tokens,
        };
        if let Some(table) = schema.table(Resource::Users) {
            for account in self.users {
                let input = Input::Json(Json::object([
                    ("username", Json::Text(account.username)),
                    ("password", Json::Text(account.password)),
                    ("is_staff", Json::Boolean(account.staff)),
                ]));
                // A refused name, such as a repeated one, adds no user.
                let _ = server.pen(None, None).create(table, &input, Mode::Seed);
            }
        }
        if let Some(population) = &self.population {
            population.settle(&mut server);
        }
        Sandbox::from_server(server, self.kept_requests)
    }
}

impl fmt::Debug for SandboxBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let users: Vec<&str> = self.users.iter().map(|user| user.username.as_str()).collect();
        formatter
            .debug_struct("SandboxBuilder")
            .field("dialect", &self.dialect)
            .field("version", &self.version)
            .field("database", &self.database)
            .field("users", &users)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
