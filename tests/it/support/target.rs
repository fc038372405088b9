//! The server that a test is about: a sandbox, or a real one from the same code.
//!
//! `KEYSTONE_TEST_URL` names a real server, `KEYSTONE_TEST_USERNAME` and `KEYSTONE_TEST_PASSWORD` those
//! of a staff user there. Without them each test has a sandbox of its own, full of made-up data. A
//! test of this kind neither knows keys nor counts what it has not made, names what it makes by
//! [`Target::name`], and asks for the generation it is about. It is skipped if the real server is of
//! another one. What it has made is deleted in the end.
//!
//! What stays with sandboxes and scripts, whatever the environment says: what a server does as time
//! passes (expiry, limits of calls, figures by the day), faults and lost answers, settings of the
//! server (versions, databases, hosts, prefixes, health), what the sandbox has beyond a server
//! (snapshots, inserts, its log of requests, made-up data), replayed recordings, garbage by the
//! thousand, races between the requests of one call, and what the client does with answers that no
//! server gives.

mod clean;
mod real;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;
use std::{env, thread};

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use keystone_client::backend::{BackendError, HttpBackend, Now};
use keystone_client::sandbox::{Population, RecordedRequest, Sandbox, SandboxServer};
use keystone_client::{Dialect, blocking};
use serde_json::{Value, json};

use self::real::Real;
use crate::sandbox::client::Client;

/// The password of the users that tests make.
pub(crate) const PASSWORD: &str = "correct horse battery";

const STAFF: (&str, &str) = ("admin", "admin-password");

/// A server. Clones are the same one.
///
/// It is a backend of either client, whatever base URL the client has.
#[derive(Clone)]
pub(crate) struct Target(Arc<Shared>);

struct Shared {
    place: Place,
    dialect: Dialect,
    /// Ends the names that a test gives.
    suffix: String,
    sent: Mutex<Vec<Sent>>,
    /// The paths of what was created.
    made: Mutex<Vec<String>>,
    socket: OnceLock<SandboxServer>,
    admin: OnceLock<Vec<(&'static str, String)>>,
}

enum Place {
    Sandbox(Sandbox),
    Real(Box<Real>),
}

/// A request that was sent through a [`Target`].
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    method: Method,
    uri: Uri,
    body: Bytes,
}

impl Sent {
    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) fn path(&self) -> &str {
        self.uri.path()
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }
}

impl Target {
    /// A server of this generation; none if the real one is of another.
    pub(crate) fn of(dialect: Dialect) -> Option<Self> {
        if let Some(real) = Real::from_environment() {
            if real.dialect != dialect {
                println!("not on this server");
                return None;
            }
            let name = thread::current().name().unwrap_or_default().to_owned();
            println!("on the real server: {name}");
            let target = Self::new(Place::Real(Box::new(real)), dialect, unique_suffix());
            // In the end it is too late for a login.
            target.admin();
            return Some(target);
        }
        Some(Self::new(Place::Sandbox(filled(dialect).fork()), dialect, unique_suffix()))
    }

    /// A server since 0.4; see [`of`](Self::of).
    pub(crate) fn session() -> Option<Self> {
        Self::of(Dialect::Session)
    }

    /// A server up to 0.3.26; see [`of`](Self::of).
    pub(crate) fn jwt() -> Option<Self> {
        Self::of(Dialect::Jwt)
    }

    /// A sandbox with settings of its own. Names stay as they are.
    pub(crate) fn from_sandbox(sandbox: &Sandbox, dialect: Dialect) -> Self {
        Self::new(Place::Sandbox(sandbox.clone()), dialect, String::new())
    }

    fn new(place: Place, dialect: Dialect, suffix: String) -> Self {
        crate::watch::begin();
        Self(Arc::new(Shared {
            place,
            dialect,
            suffix,
            sent: Mutex::default(),
            made: Mutex::default(),
            socket: OnceLock::new(),
            admin: OnceLock::new(),
        }))
    }

    /// The sandbox, if it is one, for what real servers cannot be made to do.
    pub(crate) fn sandbox(&self) -> Option<&Sandbox> {
        match &self.0.place {
            Place::Sandbox(sandbox) => Some(sandbox),
            Place::Real(_) => None,
        }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// Where it listens. What is sent there directly is not among the [`requests`](Self::requests).
    pub(crate) fn url(&self) -> String {
        match &self.0.place {
            Place::Sandbox(sandbox) => self.0.socket.get_or_init(|| sandbox.serve().unwrap()).url(),
            Place::Real(real) => real.url.clone(),
        }
    }

    /// The name of a staff user.
    pub(crate) fn username(&self) -> String {
        match &self.0.place {
            Place::Sandbox(_) => STAFF.0.to_owned(),
            Place::Real(real) => real.username.clone(),
        }
    }

    pub(crate) fn password(&self) -> String {
        match &self.0.place {
            Place::Sandbox(_) => STAFF.1.to_owned(),
            Place::Real(real) => real.password.clone(),
        }
    }

    /// A name that nothing else on the server has, the same for the same text.
    pub(crate) fn name(&self, text: &str) -> String {
        format!("{text}{}", self.0.suffix)
    }

    /// The staff user, who is logged in once.
    pub(crate) fn admin(&self) -> Client {
        let headers = self
            .0
            .admin
            .get_or_init(|| Client::log_in(self, &self.username(), &self.password()).headers);
        Client { server: self.into(), headers: headers.clone() }
    }

    /// A blocking client, logged in as the staff user.
    pub(crate) fn client(&self) -> blocking::KeystoneClient {
        let client = blocking::KeystoneClient::with_backend(super::BASE, self.clone()).unwrap();
        client.login(self.username(), self.password()).unwrap();
        client
    }

    /// Creates a record as the staff user and returns its key.
    pub(crate) fn insert(&self, resource: &str, record: Value) -> u64 {
        let made = self.admin().expect(201, "POST", &format!("/{resource}/"), Some(record));
        made["id"].as_u64().unwrap()
    }

    /// Creates a user with the [`PASSWORD`] and returns key and name.
    pub(crate) fn user(&self, name: &str) -> (u64, String) {
        self.user_or_staff(name, false)
    }

    /// Creates a staff user; see [`user`](Self::user).
    pub(crate) fn staff(&self, name: &str) -> (u64, String) {
        self.user_or_staff(name, true)
    }

    fn user_or_staff(&self, name: &str, is_staff: bool) -> (u64, String) {
        let name = self.name(name);
        // One generation asks for more than it needs.
        let user = json!({ "username": name, "password": PASSWORD, "is_staff": is_staff,
            "first_name": "A", "last_name": "B", "email": format!("{name}@example.org") });
        (self.insert("users/users", user), name)
    }

    /// The requests so far, but for those of [`admin`](Self::admin) and what came through sockets.
    pub(crate) fn requests(&self) -> Vec<Sent> {
        self.0.sent.lock().unwrap().clone()
    }

    pub(crate) fn clear_requests(&self) {
        self.0.sent.lock().unwrap().clear();
    }

    /// Sends a request with a path for its URL, without keeping it.
    pub(crate) fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let sent = Sent::of(&request);
        let response = match &self.0.place {
            Place::Sandbox(sandbox) => sandbox.handle(request),
            Place::Real(real) => {
                blocking::HttpBackend::execute(&real.blocking, real.addressed(request)).unwrap()
            }
        };
        self.note(&sent, &response);
        response
    }

    /// Remembers what was created and is still there.
    fn note(&self, sent: &Sent, response: &Response<Bytes>) {
        if !matches!(self.0.place, Place::Real(_)) {
            return;
        }
        let mut made = self.0.made.lock().unwrap();
        if sent.method == Method::POST {
            made.extend(clean::made(sent.path(), response));
        } else if sent.method == Method::DELETE && response.status().is_success() {
            made.retain(|path| path != sent.path());
        }
    }

    fn keep(
        &self,
        sent: Sent,
        answer: Result<Response<Bytes>, BackendError>,
    ) -> Result<Response<Bytes>, BackendError> {
        if let Ok(response) = &answer {
            self.note(&sent, response);
        }
        self.0.sent.lock().unwrap().push(sent);
        answer
    }
}

impl Sent {
    fn of(request: &Request<Bytes>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            body: request.body().clone(),
        }
    }
}

impl From<&RecordedRequest> for Sent {
    fn from(request: &RecordedRequest) -> Self {
        let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
        Self {
            method: request.method().clone(),
            uri: format!("{}{query}", request.path()).parse().unwrap(),
            body: request.body().clone(),
        }
    }
}

impl HttpBackend for Target {
    async fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        let sent = Sent::of(&request);
        let answer = match &self.0.place {
            Place::Sandbox(sandbox) => HttpBackend::execute(sandbox, request).await,
            Place::Real(real) => {
                HttpBackend::execute(&real.asynchronous, real.addressed(request)).await
            }
        };
        self.keep(sent, answer)
    }

    async fn sleep(&self, duration: Duration) {
        match &self.0.place {
            Place::Sandbox(sandbox) => HttpBackend::sleep(sandbox, duration).await,
            Place::Real(real) => HttpBackend::sleep(&real.asynchronous, duration).await,
        }
    }

    fn now(&self) -> Now {
        blocking::HttpBackend::now(self)
    }
}

impl blocking::HttpBackend for Target {
    fn execute(&self, request: Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        let sent = Sent::of(&request);
        let answer = match &self.0.place {
            Place::Sandbox(sandbox) => blocking::HttpBackend::execute(sandbox, request),
            Place::Real(real) => {
                blocking::HttpBackend::execute(&real.blocking, real.addressed(request))
            }
        };
        self.keep(sent, answer)
    }

    fn sleep(&self, duration: Duration) {
        match &self.0.place {
            Place::Sandbox(sandbox) => blocking::HttpBackend::sleep(sandbox, duration),
            Place::Real(real) => blocking::HttpBackend::sleep(&real.blocking, duration),
        }
    }

    fn now(&self) -> Now {
        match &self.0.place {
            Place::Sandbox(sandbox) => blocking::HttpBackend::now(sandbox),
            Place::Real(real) => blocking::HttpBackend::now(&real.blocking),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Place::Real(real) = &self.place {
            clean::up(real, self.admin.get(), self.made.get_mut().unwrap());
        }
    }
}

/// A sandbox with made-up data and a staff user, to be forked.
fn filled(dialect: Dialect) -> &'static Sandbox {
    fn fill(dialect: Dialect) -> Sandbox {
        Sandbox::builder()
            .dialect(dialect)
            .staff(STAFF.0, STAFF.1)
            .population(Population::new(7).users(40))
            .build()
    }
    static SESSION: LazyLock<Sandbox> = LazyLock::new(|| fill(Dialect::Session));
    static JWT: LazyLock<Sandbox> = LazyLock::new(|| fill(Dialect::Jwt));
    match dialect {
        Dialect::Jwt => &JWT,
        _ => &SESSION,
    }
}

fn unique_suffix() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    format!("-{:x}-{count}", jiff::Timestamp::now().as_millisecond())
}

/// A correlation id that nothing else has.
pub(crate) fn uuid() -> String {
    keystone_client::uuid::Uuid::from_u128(fastrand::u128(..)).to_string()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

/// Makes tests `session` and `jwt` of one body, in module `$name`, each with a server of its
/// generation. On a real server one of them does nothing.
macro_rules! on_each_server {
    ($($(#[$meta:meta])* fn $name:ident($server:ident) $body:block)+) => {
        $(mod $name {
            #[allow(unused_imports, reason = "not every body needs everything")]
            use super::*;

            fn run($server: &$crate::support::target::Target) $body

            #[test]
            $(#[$meta])*
            fn session() {
                $crate::support::target::Target::session().iter().for_each(run);
            }

            #[test]
            $(#[$meta])*
            fn jwt() {
                $crate::support::target::Target::jwt().iter().for_each(run);
            }
        })+
    };
}

pub(crate) use on_each_server;
