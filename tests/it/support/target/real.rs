//! The real server that the environment names. One test at a time has it, as tests count lists.

use std::env;
use std::sync::{Condvar, Mutex, OnceLock};
use std::thread::{self, ThreadId};

use bytes::Bytes;
use http::{Request, StatusCode};
use keystone_client::backend::{IsahcBackend, UreqBackend};
use keystone_client::{Dialect, blocking};

use super::variable;

pub(super) struct Real {
    /// Without a slash at the end.
    pub(super) url: String,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) dialect: Dialect,
    pub(super) asynchronous: IsahcBackend,
    pub(super) blocking: UreqBackend,
    _turn: Turn,
}

impl Real {
    pub(super) fn from_environment() -> Option<Self> {
        let url = env::var("KEYSTONE_TEST_URL").ok().filter(|url| !url.is_empty())?;
        let url = url.trim_end_matches('/').to_owned();
        let turn = Turn::take();
        let blocking = UreqBackend::new().unwrap();
        static DIALECT: OnceLock<Dialect> = OnceLock::new();
        let dialect = *DIALECT.get_or_init(|| {
            let login = format!("{url}/authentication/login/");
            let request = Request::get(login).body(Bytes::new()).unwrap();
            match blocking::HttpBackend::execute(&blocking, request).unwrap().status() {
                StatusCode::NOT_FOUND => Dialect::Jwt,
                _ => Dialect::Session,
            }
        });
        Some(Self {
            url,
            username: variable("KEYSTONE_TEST_USERNAME"),
            password: variable("KEYSTONE_TEST_PASSWORD"),
            dialect,
            asynchronous: IsahcBackend::new().unwrap(),
            blocking,
            _turn: turn,
        })
    }

    /// The request with the URL of this server in front of its path.
    pub(super) fn addressed(&self, mut request: Request<Bytes>) -> Request<Bytes> {
        let path = request.uri().path_and_query().unwrap().as_str();
        *request.uri_mut() = format!("{}{path}", self.url).parse().unwrap();
        request
    }
}

/// A thread's turn, which it may take several times over.
struct Turn;

static HOLDER: Mutex<Option<(ThreadId, usize)>> = Mutex::new(None);
static FREED: Condvar = Condvar::new();

impl Turn {
    fn take() -> Self {
        let me = thread::current().id();
        let is_taken =
            |holder: &mut Option<(ThreadId, usize)>| holder.is_some_and(|(thread, _)| thread != me);
        let mut holder = FREED.wait_while(HOLDER.lock().unwrap(), is_taken).unwrap();
        *holder = Some((me, holder.map_or(1, |(_, times)| times + 1)));
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut holder = HOLDER.lock().unwrap();
        *holder = holder.and_then(|(thread, times)| (times > 1).then_some((thread, times - 1)));
        FREED.notify_all();
    }
}
