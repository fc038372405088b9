//! Who is asking: credentials, how requests carry them, and how responses change them.
//!
//! Nothing in here sends anything. [`Authenticator`] keeps the present credential under an epoch
//! number that grows with every change, so that a late answer to an old credential cannot end a
//! newer one.

mod dialect;
mod received;
mod session;
mod set_cookie;
mod stored;
mod token;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode};

pub use self::dialect::Dialect;
pub(crate) use self::dialect::{Probe, probe_verdict};
pub(crate) use self::received::Received;
pub(crate) use self::session::SessionCookies;
pub(crate) use self::stored::StoredSession;
pub(crate) use self::token::{ApiToken, TokenPair};
use crate::backend::Now;
use crate::error::{Carried, Error};
use crate::request::Response;

/// What the client holds to show who is asking.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// There has been no login yet.
    None,
    /// There was a login, and it is over.
    Ended,
    /// The login was given up.
    LoggedOut,
    Session(Arc<SessionCookies>),
    Tokens(Arc<TokenPair>),
    ApiToken(ApiToken),
}

impl Credential {
    pub(crate) fn class(&self) -> Carried {
        match self {
            Self::None | Self::LoggedOut => Carried::Nothing,
            Self::Ended => Carried::NothingAnyMore,
            Self::Session(_) | Self::Tokens(_) => Carried::Login,
            Self::ApiToken(_) => Carried::ApiToken,
        }
    }

    /// Whether requests carry something that says who is asking.
    pub(crate) fn is_carried(&self) -> bool {
        matches!(self, Self::Session(_) | Self::Tokens(_) | Self::ApiToken(_))
    }

    /// Whether it takes a renewal before a request is sent.
    pub(crate) fn wants(&self, now: Instant) -> Want {
        match self {
            Self::None | Self::Ended => Want::Login,
            Self::Session(session) if session.has_expired(now) => Want::Login,
            Self::Tokens(tokens) if tokens.access_has_expired(now) => Want::Refresh,
            Self::Tokens(tokens) if tokens.wants_refresh(now) => Want::EarlyRefresh,
            Self::LoggedOut | Self::Session(_) | Self::Tokens(_) | Self::ApiToken(_) => {
                Want::Nothing
            }
        }
    }

    /// Whether it stands for the same login, whatever has been renewed in it.
    pub(crate) fn is_same_login(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Session(one), Self::Session(other)) => one.is_same_login(other),
            (Self::Tokens(one), Self::Tokens(other)) => one.is_same_login(other),
            _ => false,
        }
    }

    /// What a session store keeps of it.
    pub(crate) fn to_stored(&self, now: Now) -> Option<StoredSession> {
        match self {
            Self::Session(session) => session.to_stored(now),
            Self::Tokens(tokens) => tokens.to_stored(),
            Self::None | Self::Ended | Self::LoggedOut | Self::ApiToken(_) => None,
        }
    }

    /// Adds the headers that carry the credential.
    pub(crate) fn authorize(&self, is_unsafe: bool, referer: &RefererHeaders, to: &mut HeaderMap) {
        match self {
            Self::None | Self::Ended | Self::LoggedOut => {}
            Self::Session(session) => session.authorize(is_unsafe, referer, to),
            Self::Tokens(tokens) => tokens.authorize(to),
            Self::ApiToken(token) => token.authorize(to),
        }
    }

    /// What a response says about the credential that its request carried.
    pub(crate) fn verdict(&self, response: &Response) -> Verdict {
        let unauthenticated = match response.status() {
            StatusCode::UNAUTHORIZED => response.denies_login(),
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
            Self::None | Self::Ended | Self::LoggedOut | Self::ApiToken(_) => Verdict::Good,
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

/// What has to be done before a credential is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    Nothing,
    /// The access token is good for a while yet, but should be renewed.
    EarlyRefresh,
    Refresh,
    /// There is none, or it has expired.
    Login,
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
    /// Who logged in, as far as the client was told.
    username: Option<Arc<str>>,
    /// How many renewals have ended, well or not.
    renewals: u64,
    failure: Option<Failure>,
    /// The server's refusal of the configured credentials, and until when to believe it.
    refusal: Option<(Error, Instant)>,
}

/// A renewal that failed.
#[derive(Debug)]
struct Failure {
    error: Error,
    at: Instant,
    /// How much time there was for it.
    budget: Duration,
}

/// A credential and the epoch in which it was the present one.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) epoch: u64,
    pub(crate) credential: Credential,
    pub(crate) username: Option<Arc<str>>,
    renewals: u64,
}

/// The present credential, shared by all clones of a client.
#[derive(Debug)]
pub(crate) struct Authenticator {
    state: RwLock<State>,
    /// The last epoch whose credential the server has accepted, counted from 1.
    accepted: AtomicU64,
}

/// What a caller finds who is about to renew the credential.
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
        Self {
            state: RwLock::new(State {
                epoch: 0,
                dialect,
                credential,
                username: None,
                renewals: 0,
                failure: None,
                refusal: None,
            }),
            accepted: AtomicU64::new(0),
        }
    }

    /// Remembers that the server has accepted the credential of `epoch`.
    pub(crate) fn note_accepted(&self, epoch: u64) {
        if !self.was_accepted(epoch) {
            self.accepted.fetch_max(epoch.saturating_add(1), Ordering::Relaxed);
        }
    }

    /// Whether the server has accepted it before, and no later one.
    pub(crate) fn was_accepted(&self, epoch: u64) -> bool {
        self.accepted.load(Ordering::Relaxed) == epoch.saturating_add(1)
    }

    // A panic elsewhere cannot leave the state half written: nothing in here panics.
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
            credential: state.credential.clone(),
            username: state.username.clone(),
            renewals: state.renewals,
        }
    }

    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.read().dialect
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.read().epoch
    }

    /// For a caller that wants to renew the credential because of `seen`. `tells` says whether what
    /// failed at that time, with that budget, says anything to this caller.
    pub(crate) fn turn(&self, seen: &Snapshot, tells: impl Fn(Instant, Duration) -> bool) -> Turn {
        let state = self.read();
        if state.epoch != seen.epoch {
            return Turn::Replaced;
        }
        match &state.failure {
            Some(failure)
                if state.renewals != seen.renewals && tells(failure.at, failure.budget) =>
            {
                Turn::Failed(failure.error.clone())
            }
            _ => Turn::Mine,
        }
    }

    /// Remembers the dialect; the one before.
    pub(crate) fn learn_dialect(&self, dialect: Dialect) -> Option<Dialect> {
        self.write().dialect.replace(dialect)
    }

    /// Makes `credential` the present one.
    pub(crate) fn replace(&self, credential: Credential, username: Option<Arc<str>>) {
        let mut state = self.write();
        state.refusal = None;
        state.replace(credential);
        state.username = username;
    }

    /// Forgets the present credential and hands it out.
    pub(crate) fn take(&self) -> (Credential, Option<Arc<str>>) {
        let mut state = self.write();
        let username = state.username.take();
        (state.replace(Credential::LoggedOut), username)
    }

    /// Makes `credential` the present one unless the one of `epoch` no longer is; whether it did.
    pub(crate) fn replace_if(
        &self,
        epoch: u64,
        credential: Credential,
        username: Option<Arc<str>>,
    ) -> bool {
        let mut state = self.write();
        let is_present = state.epoch == epoch;
        if is_present {
            state.renewals += 1;
            state.replace(credential);
            state.username = username;
        }
        is_present
    }

    /// Takes the login for over, unless it no longer is the present one; whether it was one.
    pub(crate) fn end(&self, seen: &Snapshot) -> bool {
        seen.credential.is_carried()
            && self.replace_if(seen.epoch, Credential::Ended, seen.username.clone())
    }

    /// Tells those who are about to renew the credential of `epoch` that it failed.
    pub(crate) fn renewal_failed(&self, epoch: u64, error: &Error, at: Instant, budget: Duration) {
        let mut state = self.write();
        if state.epoch == epoch {
            state.renewals += 1;
            state.failure = Some(Failure { error: error.clone(), at, budget });
        }
    }

    /// Has the access token of `epoch` not renewed before it has to be.
    pub(crate) fn postpone_refresh(&self, epoch: u64) {
        let mut state = self.write();
        if let (true, Credential::Tokens(tokens)) = (state.epoch == epoch, &state.credential) {
            state.credential = Credential::Tokens(Arc::new(tokens.postponed()));
        }
    }

    /// Remembers for a while that the server refused the configured credentials.
    pub(crate) fn note_refusal(&self, error: &Error, now: Instant, how_long: Duration) {
        self.write().refusal =
            now.checked_add(how_long).map(|believed_until| (error.clone(), believed_until));
    }

    /// The refusal of the configured credentials, if it is to be believed yet.
    pub(crate) fn refusal(&self, now: Instant) -> Option<Error> {
        let state = self.read();
        let (error, believed_until) = state.refusal.as_ref()?;
        (now < *believed_until).then(|| error.clone())
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

    pub(crate) fn is_authenticated(&self, now: Instant) -> bool {
        match &self.read().credential {
            Credential::None | Credential::Ended | Credential::LoggedOut => false,
            Credential::Session(session) => !session.has_expired(now),
            Credential::Tokens(tokens) => !tokens.has_expired(now),
            Credential::ApiToken(_) => true,
        }
    }
}

impl State {
    fn replace(&mut self, credential: Credential) -> Credential {
        self.epoch += 1;
        self.failure = None;
        std::mem::replace(&mut self.credential, credential)
    }
}
