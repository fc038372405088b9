//! A Keystone server in memory.
//!
//! A [`Sandbox`] is a whole server as a value: it has users and roles, stores records, validates,
//! filters, sorts and pages like the real one, and speaks either of its two dialects. It needs no
//! network and no runtime: [`Sandbox::client`] and [`Sandbox::blocking_client`] are clients of it,
//! and [`Sandbox::handle`] takes a request and returns the response. With the feature
//! `sandbox-server` it can also listen on a loopback socket, for any HTTP client.
//!
//! Batch jobs run as on the real server: all steps or none, with references and files. How often it
//! may be asked is limited only if [`SandboxBuilder::default_rate_limits`] or its siblings say so.
//!
//! [`SandboxBuilder::population`] fills it with made-up records, as many as one likes.
//! [`Sandbox::snapshot`] keeps what it remembers, and [`Sandbox::fork`] makes a copy for a test of its
//! own. With [`SandboxBuilder::freeze_clock`] and [`SandboxBuilder::seed`] a run repeats itself.
//!
//! Its tables are its own and follow the behaviour of real servers (0.10.9 and 0.3.26), so that a
//! mistake in a client shows. [`SandboxBuilder::version`] makes it one of the servers between. How far it
//! is like real servers is counted in
//! [docs/sandbox.md](https://docs.rs/crate/keystone-client/latest/source/docs/sandbox.md).
//!
//! [`Sandbox::inject`] lets it fail by a [`FaultRule`], [`Sandbox::advance`] moves its clock, and
//! [`Sandbox::requests`] tells what it was asked. The chapter
//! [Test your program](crate::guide::testing) shows it beside the doubles of
//! [`testing`](crate::testing).
//!
//! ```
//! use keystone_client::resources::NewTeam;
//! use keystone_client::sandbox::Sandbox;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sandbox = Sandbox::builder().staff("admin", "admin-password").user("ada", "secret").build();
//! sandbox.insert("users/teams", serde_json::json!({ "name": "Folding" }))?;
//!
//! let client = sandbox.blocking_client()?;
//! client.login("admin", "admin-password")?;
//! let error = client.create_team(NewTeam::new("Folding")).send().unwrap_err();
//! assert!(error.is_validation("name"));
//! assert_eq!(sandbox.requests().last().unwrap().path(), "/users/teams/");
//! # Ok(()) }
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response};

use crate::sandbox::faults::Faults;
use crate::sandbox::incoming::Incoming;
use crate::sandbox::record_of_requests::Recorded;
use crate::sandbox::reply::Reply;
use crate::sandbox::server::Server;

mod access;
mod authentication;
mod backend;
mod batch;
mod builder;
mod cell;
mod clock;
mod column;
mod difference;
mod era;
mod faults;
mod feed;
mod files;
mod filter_values;
mod filters;
mod form;
mod health;
mod history;
mod id_map;
mod incoming;
mod insert_error;
mod inserts;
mod json;
mod json_parser;
mod lists;
mod multipart;
mod options;
mod ordering;
mod population;
mod random;
mod record_of_requests;
mod records;
mod release;
mod reply;
mod request_log;
mod resources;
mod restored;
mod routes;
mod rules;
mod schema;
mod server;
mod sessions;
mod snapshot;
mod specification;
mod stats;
mod store;
mod system;
mod tables;
mod throttle;
mod tokens;
mod validate;
mod values;
mod writes;

#[cfg(feature = "sandbox-server")]
mod listen;

pub use crate::auth::Dialect;
pub use crate::recorded::{FormPart, RecordedRequest};
pub use builder::SandboxBuilder;
pub use faults::{Fault, FaultRule, InjectedFault};
pub use insert_error::InsertError;
#[cfg(feature = "sandbox-server")]
pub use listen::SandboxServer;
pub use population::Population;
pub use snapshot::Snapshot;

/// The databases on which Keystone runs, as far as clients notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Database {
    /// Lists without order usually come by id; `contains`, `startswith` and `endswith` ignore the
    /// case of ASCII letters; ids of writes that failed are used again.
    #[default]
    Sqlite,
    /// A record that is updated moves to the end of lists without order; text is compared with its
    /// case; service units end at 2147483647; ids of writes that failed are lost.
    Postgres,
}

/// A Keystone server in memory.
///
/// A clone is another handle to the same server. All methods can be called from many threads.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

struct Shared {
    server: Mutex<Server>,
    requests: Mutex<Recorded>,
    faults: Faults,
    middleware: Mutex<Option<Arc<Middleware>>>,
    /// Settled when built, so that no lock is needed to read them.
    prefix: String,
    https: bool,
}

type Middleware = dyn Fn(Request<Bytes>, &dyn Fn(Request<Bytes>) -> Response<Bytes>) -> Response<Bytes>
    + Send
    + Sync;

/// A lock whose holder panicked is taken over: each request leaves the server in a usable state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sandbox {
    /// A server of the session dialect with one staff user, `admin`, password `admin-password`.
    pub fn new() -> Self {
        Self::builder().staff("admin", "admin-password").build()
    }

    /// Starts to describe a server.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder::new()
    }

    fn from_server(server: Server, kept_requests: usize) -> Self {
        let (prefix, https) = (server.config.prefix.clone(), server.config.https);
        Self {
            shared: Arc::new(Shared {
                server: Mutex::new(server),
                requests: Mutex::new(Recorded::new(kept_requests)),
                faults: Faults::default(),
                middleware: Mutex::default(),
                prefix,
                https,
            }),
        }
    }

    /// That of the server, which may be another after [`Sandbox::restore`].
    #[cfg(feature = "sandbox-server")]
    fn dialect(&self) -> Dialect {
        self.server().schema.dialect
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        lock(&self.shared.server)
    }

    /// Answers a request, whatever [faults](Self::inject) there are: those happen on the way.
    ///
    /// Only the path and the query of the URI decide what is meant; its authority, or the `Host`
    /// header, appears in the links of the answer. Whatever the request, there is a response: an
    /// unknown path gets the 404 page of the real server. A body announced by
    /// `Transfer-Encoding` is read as empty, as the real server does.
    pub fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.answer(request, self.shared.https, None)
    }

    fn answer(
        &self,
        request: Request<Bytes>,
        https: bool,
        fault: Option<&Fault>,
    ) -> Response<Bytes> {
        let middleware = lock(&self.shared.middleware).clone();
        let response = match middleware {
            None => self.execute(&request, https),
            Some(middleware) => {
                middleware(request.clone(), &|request| self.execute(&request, https))
            }
        };
        self.record(RecordedRequest::new(request).answered(response.status()), fault);
        response
    }

    fn execute(&self, request: &Request<Bytes>, https: bool) -> Response<Bytes> {
        let head = request.method() == Method::HEAD;
        let reply = match Incoming::new(request, &self.shared.prefix, https) {
            Some(mut incoming) => {
                let mut server = self.server();
                incoming.origin.identify(&mut server.random);
                server.answer(&incoming)
            }
            None => Reply::unknown_route(),
        };
        reply.into_response(head)
    }

    fn record(&self, request: RecordedRequest, fault: Option<&Fault>) {
        let request = match fault {
            Some(fault) => request.with_fault(fault.to_string()),
            None => request,
        };
        lock(&self.shared.requests).push(request);
    }

    /// Puts a function between the clients and the server: it gets each request that is carried out, and
    /// another function that carries it out. It may change the request or the answer, answer by itself,
    /// or take notes. It replaces an earlier one. [`requests`](Self::requests) has requests as they came,
    /// and the answers that left.
    ///
    /// It is called where the request is answered: behind a socket, everybody waits for it.
    ///
    /// If the exchange meets a [`Fault`], the request has it in its extensions.
    ///
    /// ```
    /// use http::{Response, StatusCode};
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// // A proxy that closes the logs to everybody.
    /// let sandbox = Sandbox::new();
    /// sandbox.set_middleware(|request, next| {
    ///     if !request.uri().path().starts_with("/logs/") {
    ///         return next(request);
    ///     }
    ///     let mut response = Response::new("Closed.".into());
    ///     *response.status_mut() = StatusCode::FORBIDDEN;
    ///     response
    /// });
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// assert!(client.audit_log().list().all().unwrap_err().is_denied());
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn set_middleware(
        &self,
        middleware: impl Fn(
            Request<Bytes>,
            &dyn Fn(Request<Bytes>) -> Response<Bytes>,
        ) -> Response<Bytes>
        + Send
        + Sync
        + 'static,
    ) {
        *lock(&self.shared.middleware) = Some(Arc::new(middleware));
    }

    /// Takes away what [`set_middleware`](Self::set_middleware) has put there.
    pub fn clear_middleware(&self) {
        *lock(&self.shared.middleware) = None;
    }

    /// Moves the clock of the server forward.
    ///
    /// Sessions and tokens expire by this clock, and new records bear its time.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use keystone_client::sandbox::Sandbox;
    /// let sandbox = Sandbox::new();
    /// let before = sandbox.now();
    /// sandbox.advance(Duration::from_secs(3600));
    /// assert!(sandbox.now() >= before + Duration::from_secs(3600));
    /// ```
    pub fn advance(&self, by: Duration) {
        self.server().clock.advance(by);
    }

    /// Moves the clock of the server forward to a time; one that has passed changes nothing, since
    /// the time of a server does not go back.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use keystone_client::sandbox::Sandbox;
    /// let sandbox = Sandbox::new();
    /// let tomorrow = sandbox.now() + Duration::from_secs(86_400);
    /// sandbox.advance_to(tomorrow);
    /// assert!(sandbox.now() >= tomorrow);
    /// ```
    pub fn advance_to(&self, time: SystemTime) {
        let mut server = self.server();
        let ahead = time.duration_since(server.clock.now()).unwrap_or_default();
        server.clock.advance(ahead);
    }

    /// The time of the server: the real time, or that which [`SandboxBuilder::start_at`] set, moved
    /// by all calls of [`Sandbox::advance`] and by clients that wait.
    pub fn now(&self) -> SystemTime {
        self.server().clock.now()
    }

    /// Stores a record, whoever may do so through the API, and returns its id.
    ///
    /// `resource` is the path of the list, such as `users/teams`; slashes at either end do not
    /// matter. Columns that the API does not let one write, such as `id` or `submitted`, can be
    /// given; those that are left out get their defaults. A user without `password` cannot log
    /// in. Entries of logs can be stored as well, though not in `logs/feed`, which shows the others.
    ///
    /// `_history` takes the entries that the API shows of a record, in any order; they stand in the
    /// place of the one that tells of its creation.
    ///
    /// # Errors
    ///
    /// The resource does not exist, or the server would not store these values: the error names
    /// the columns and the reasons in the words of the server.
    ///
    /// ```
    /// # use keystone_client::sandbox::Sandbox;
    /// use serde_json::json;
    ///
    /// let sandbox = Sandbox::new();
    /// let team = sandbox.insert("users/teams", json!({"name": "Stars"}))?;
    /// assert_eq!(team, 1);
    /// let error = sandbox.insert("users/teams", json!({"name": "Stars"})).unwrap_err();
    /// assert_eq!(error.to_string(), "name: team with this name already exists.");
    /// # Ok::<(), keystone_client::sandbox::InsertError>(())
    /// ```
    pub fn insert(&self, resource: &str, record: serde_json::Value) -> Result<u64, InsertError> {
        let mut server = self.server();
        let table = inserts::table(&server, resource)?;
        let create = |server: &mut Server| inserts::create(server, table, &record);
        server.transaction(create).map_err(InsertError::refused)
    }

    /// Stores made-up records beside those that are there.
    ///
    /// ```
    /// # use keystone_client::sandbox::{Population, Sandbox};
    /// let sandbox = Sandbox::new();
    /// sandbox.populate(&Population::small(1));
    /// ```
    pub fn populate(&self, population: &Population) {
        population.settle(&mut self.server());
    }

    /// Ends all sessions, as the passing of their lifetime does.
    pub fn expire_sessions(&self) {
        self.server().sessions.clear();
    }

    /// Makes all access tokens invalid, as the passing of their lifetime does. Refresh tokens
    /// stay valid.
    pub fn expire_access_tokens(&self) {
        self.server().tokens.expire_access();
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server();
        formatter
            .debug_struct("Sandbox")
            .field("dialect", &server.schema.dialect)
            .field("release", &server.schema.release.text())
            .field("version", &server.config.version)
            .field("path_prefix", &self.shared.prefix)
            .finish_non_exhaustive()
    }
}
