//! Who is asking: credentials, how requests carry them, and how responses change them.
//!
//! Nothing in here sends anything. [`Authenticator`] keeps the present credential under an epoch
//! number that grows with every change, so that a late answer to an old credential cannot end a
//! newer one.

mod dialect;
mod session;
mod token;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use async_lock::{Mutex, MutexGuard};
use http::{HeaderMap, StatusCode};

pub use self::dialect::Dialect;
pub(crate) use self::dialect::{Probe, probe_verdict};
pub(crate) use self::session::SessionCookies;
pub(crate) use self::token::{ApiToken, TokenPair};
use crate::error::{Credentials, Error};
use crate::request::Response;

/// What the client holds to show who is asking.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    None,
    /// There was a login, and it is over.
    Ended,
    Session(Arc<SessionCookies>),
    Tokens(Arc<TokenPair>),
    ApiToken(ApiToken),
}

impl Credential {
    pub(crate) fn class(&self) -> Credentials {
        match self {
            Self::None => Credentials::None,
            Self::Ended => Credentials::Ended,
            Self::Session(_) | Self::Tokens(_) => Credentials::Login,
            Self::ApiToken(_) => Credentials::ApiToken,
        }
    }

    /// Adds the headers that carry the credential.
    pub(crate) fn authorize(&self, is_unsafe: bool, referer: &RefererHeaders, to: &mut HeaderMap) {
        match self {
            Self::None | Self::Ended => {}
            Self::Session(session) => session.authorize(is_unsafe, referer, to),
            Self::Tokens(tokens) => tokens.authorize(to),
            Self::ApiToken(token) => token.authorize(to),
        }
    }

    /// What a response says about the credential that its request carried.
    pub(crate) fn verdict(&self, response: &Response) -> Verdict {
        let unauthenticated = match response.status() {
            // Proxies answer 401 with pages of their own.
            StatusCode::UNAUTHORIZED => response.is_json() || response.bytes().is_empty(),
            // Servers 0.4 to 0.6.3 answer 403 where later ones answer 401.
            StatusCode::FORBIDDEN => Error::from_response(response).is_unauthenticated(),
            _ => false,
        };
        match self {
            _ if !unauthenticated => Verdict::Good,
            Self::Session(_) => Verdict::Over,
            Self::Tokens(_) => match response.explanation().code() {
                Some("token_not_valid") => Verdict::Refresh,
                _ => Verdict::Over,
            },
            Self::None | Self::Ended | Self::ApiToken(_) => Verdict::Good,
        }
    }
}

/// What to do with a credential after a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: the response is the answer.
    Good,
    /// The access token is refused; a refresh may help.
    Refresh,
    /// The login has ended.
    Over,
}

/// The headers by which the server tells its own pages from foreign ones.
#[derive(Debug, Clone)]
pub(crate) struct RefererHeaders {
    pub(crate) referer: http::HeaderValue,
    pub(crate) origin: Option<http::HeaderValue>,
}

#[derive(Debug)]
struct State {
    epoch: u64,
    dialect: Option<Dialect>,
    credential: Credential,
    /// How many refreshes have ended, well or not.
    refreshes: u64,
    failure: Option<Error>,
}

/// A credential and the epoch in which it was the present one.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) epoch: u64,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) credential: Credential,
    refreshes: u64,
}

/// The present credential, shared by all clones of a client.
#[derive(Debug)]
pub(crate) struct Authenticator {
    state: RwLock<State>,
    /// Held by whoever logs in or refreshes, so that there is one of them at a time.
    gate: Mutex<()>,
}

/// What a caller finds once it is its turn to refresh.
pub(crate) enum Turn {
    /// Somebody else has brought a newer credential.
    Replaced,
    /// Somebody else has tried meanwhile and failed.
    Failed(Error),
    /// It is for this caller to do.
    Mine,
}

impl Authenticator {
    pub(crate) fn new(dialect: Option<Dialect>, credential: Credential) -> Self {
        let state = State { epoch: 0, dialect, credential, refreshes: 0, failure: None };
        Self { state: RwLock::new(state), gate: Mutex::new(()) }
    }

    // A panic elsewhere cannot leave the state half written: every write is one assignment.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.read();
        Snapshot {
            epoch: state.epoch,
            dialect: state.dialect,
            credential: state.credential.clone(),
            refreshes: state.refreshes,
        }
    }

    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.read().dialect
    }

    pub(crate) async fn gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().await
    }

    /// For a caller that stands at the gate because of `seen`.
    pub(crate) fn turn(&self, seen: &Snapshot) -> Turn {
        let state = self.read();
        if state.epoch != seen.epoch {
            return Turn::Replaced;
        }
        match &state.failure {
            Some(error) if state.refreshes != seen.refreshes => Turn::Failed(error.clone()),
            _ => Turn::Mine,
        }
    }

    pub(crate) fn learn_dialect(&self, dialect: Dialect) {
        self.write().dialect = Some(dialect);
    }

    /// Makes `credential` the present one.
    pub(crate) fn replace(&self, credential: Credential) {
        let mut state = self.write();
        state.epoch += 1;
        state.credential = credential;
        state.failure = None;
    }

    /// Forgets the present credential and hands it out.
    pub(crate) fn take(&self) -> Credential {
        let mut state = self.write();
        state.epoch += 1;
        state.failure = None;
        std::mem::replace(&mut state.credential, Credential::None)
    }

    /// Makes `credential` the present one unless the one of `epoch` no longer is.
    pub(crate) fn replace_if(&self, epoch: u64, credential: Credential) {
        let mut state = self.write();
        if state.epoch == epoch {
            state.epoch += 1;
            state.refreshes += 1;
            state.credential = credential;
            state.failure = None;
        }
    }

    /// Tells those who wait for a refresh that it failed.
    pub(crate) fn refresh_failed(&self, error: &Error) {
        let mut state = self.write();
        state.refreshes += 1;
        state.failure = Some(error.clone());
    }

    /// Takes over what a response to a request of `epoch` changes: servers renew the CSRF token.
    pub(crate) fn absorb(&self, seen: &Snapshot, headers: &HeaderMap) {
        let Credential::Session(session) = &seen.credential else {
            return;
        };
        let Some(renewed) = session.renewed_by(headers) else {
            return;
        };
        let mut state = self.write();
        if state.epoch == seen.epoch {
            // The same session in the same epoch: requests under way stay valid.
            state.credential = Credential::Session(Arc::new(renewed));
        }
    }

    pub(crate) fn is_authenticated(&self, wall: SystemTime) -> bool {
        match &self.read().credential {
            Credential::None | Credential::Ended => false,
            Credential::Session(session) => !session.has_expired(wall),
            Credential::Tokens(tokens) => !tokens.has_expired(wall),
            Credential::ApiToken(_) => true,
        }
    }
}
