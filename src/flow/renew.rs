use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::flight::Flight;
use super::login::{LOG_IN, RefreshBody, not_keystone};
use super::store::Store;
use super::transmit::{Limit, Progress};
use super::{Core, Effects, HASTE};
use crate::auth::{Credential, Received, Snapshot, TokenPair, Turn, Verdict, Want};
use crate::credentials::{CredentialRequest, CredentialSource, Found};
use crate::error::{Error, ErrorKind};
use crate::observe::EventKind;
use crate::request::{Operation, Request};
use crate::retry::RetryPolicy;

pub(super) const REFRESH: Operation = Operation::new("refresh", "access token");

/// How long the server's refusal of the configured credentials is believed. Servers lock accounts
/// after a number of wrong passwords, and count anonymous requests.
const BELIEVE_REFUSAL: Duration = Duration::from_secs(60);

/// How a client comes by a new login when it needs one.
pub(crate) struct Renewal {
    sources: Option<Box<dyn CredentialSource>>,
    pub(super) store: Option<Store>,
    under_way: Flight<Outcome>,
}

/// What comes of a renewal, for all who wait for it.
#[derive(Debug, Clone)]
struct Outcome {
    result: Result<Brought, Error>,
    /// Whether it was one short attempt, made while the present credential was good.
    hasty: bool,
    /// How much time there was for it.
    budget: Duration,
}

/// What a renewal has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Brought {
    /// Nothing was needed, or nothing is to be had.
    Nothing,
    /// A login that was kept, of which nobody knows whether the server accepts it.
    Kept,
    /// Something fresh from the server.
    New,
}

impl Renewal {
    pub(crate) fn new(sources: Option<Box<dyn CredentialSource>>, store: Option<Store>) -> Self {
        Self { sources, store, under_way: Flight::new() }
    }

    /// Whether there may be a login to be had without the program's doing.
    pub(super) fn can_log_in(&self) -> bool {
        self.has_sources() || self.store.is_some()
    }

    pub(super) fn has_sources(&self) -> bool {
        self.sources.is_some()
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal")
            .field("sources", &self.sources.as_ref().map(|sources| sources.name()))
            .finish_non_exhaustive()
    }
}

impl Core {
    /// Sees to it that there is a login, if there is a way to one.
    pub(crate) async fn authenticate<E: Effects>(&self, effects: &E) -> Result<(), Error> {
        let now = effects.now().monotonic;
        let seen = self.auth.snapshot();
        let is_good = seen.credential.is_carried() && seen.credential.wants(now) != Want::Login;
        if !is_good {
            let limit = Limit::new(now, self.settings.retry.total());
            self.renew(effects, &seen, limit, false).await?;
        }
        match self.auth.snapshot().credential.is_carried() {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::NotLoggedIn, LOG_IN).with_note(
                "there is no login, and the client has no credentials to log in with by itself",
            )),
        }
    }

    /// Renews the credential if that has to be done before a request is sent; whether there was
    /// anything to do.
    pub(super) async fn prepare<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        limit: Limit,
    ) -> Result<bool, Error> {
        match seen.credential.wants(effects.now().monotonic) {
            Want::Nothing => Ok(false),
            // The server may say otherwise; if not, it says so best itself.
            Want::Login if !self.renewal.can_log_in() => Ok(false),
            // The present token is good for a while yet.
            Want::EarlyRefresh => {
                let _ = Box::pin(self.renew(effects, seen, limit, true)).await;
                Ok(true)
            }
            // Boxed, as it is seldom done and would add to the size of every call.
            Want::Refresh | Want::Login => {
                Box::pin(self.renew(effects, seen, limit, false)).await.map(|_| true)
            }
        }
    }

    pub(super) fn can_renew(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Good => false,
            Verdict::Refresh => true,
            Verdict::Over => self.renewal.can_log_in(),
        }
    }

    /// Brings a credential in place of `seen`, together with whoever else needs one. In a hurry one
    /// short attempt has to do.
    pub(super) async fn renew<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        limit: Limit,
        hasty: bool,
    ) -> Result<Brought, Error> {
        loop {
            let left = limit.left(effects.now().monotonic);
            // What comes after an early refresh needs time as well.
            let budget = if hasty { HASTE.min(left / 2) } else { self.budget(left) };
            let passage = self.renewal.under_way.join(seen.epoch, || {
                let (effects, seen) = (effects.clone(), seen.clone());
                Box::pin(async move {
                    let core = effects.core();
                    let result = core.renew_now(&effects, &seen, budget, hasty).await;
                    Outcome { result, hasty, budget }
                })
            });
            let Some(passage) = passage else {
                return Ok(Brought::Nothing);
            };
            match passage.await {
                // Whoever did it panicked, which is no reason for others not to try.
                None => {}
                Some(outcome) => {
                    // Nor is it one that somebody with much less time has failed.
                    let was_short = outcome.hasty || is_short(outcome.budget, budget);
                    if outcome.result.is_ok() || hasty || !was_short {
                        return outcome.result;
                    }
                }
            }
        }
    }

    /// How long a renewal may take for a call that has this much time left.
    fn budget(&self, left: Duration) -> Duration {
        self.settings.retry.total().min(left)
    }

    /// Brings a credential in place of `seen`, unless somebody else has tried meanwhile.
    async fn renew_now<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        budget: Duration,
        hasty: bool,
    ) -> Result<Brought, Error> {
        let now = effects.now().monotonic;
        let tells = |at: Instant, tried: Duration| {
            now.saturating_duration_since(at) <= HASTE && !is_short(tried, budget)
        };
        match self.auth.turn(seen, tells) {
            Turn::Replaced => return Ok(Brought::Nothing),
            Turn::Failed(error) => return Err(error),
            Turn::Mine => {}
        }
        let limit = Limit::new(now, budget);
        let refreshed = match &seen.credential {
            Credential::Tokens(tokens) => self.refresh(effects, seen, tokens, limit, hasty).await,
            _ => Err(Error::new(ErrorKind::SessionExpired, LOG_IN)),
        };
        let outcome = match refreshed {
            Err(over) if over.kind() == ErrorKind::SessionExpired && !hasty => {
                match self.log_in_again(effects, seen, limit).await {
                    // Whoever has never logged in may go on without.
                    Ok(Brought::Nothing) if seen.credential.is_carried() => Err(over),
                    outcome => outcome,
                }
            }
            outcome => outcome,
        };
        if let Err(error) = &outcome {
            self.tell_of_login(error.operation(), EventKind::RenewalFailed { error: error.kind() });
            match error.kind() {
                _ if hasty => self.auth.postpone_refresh(seen.epoch),
                ErrorKind::SessionExpired => {
                    if self.end(seen) {
                        self.tell_of_login(error.operation(), EventKind::SessionEnded);
                    }
                }
                _ => self.auth.renewal_failed(seen.epoch, error, effects.now().monotonic, budget),
            }
        }
        outcome
    }

    /// Takes the login for over, here and in the store; whether it was the present one.
    pub(super) fn end(&self, seen: &Snapshot) -> bool {
        self.drop_kept(seen);
        self.auth.end(seen)
    }

    /// Exchanges the refresh token for a new access token.
    async fn refresh<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        tokens: &TokenPair,
        limit: Limit,
        hasty: bool,
    ) -> Result<Brought, Error> {
        #[derive(Deserialize)]
        struct Renewed {
            access: SecretString,
            refresh: Option<SecretString>,
        }

        let expired = || Error::new(ErrorKind::SessionExpired, REFRESH);
        if tokens.has_expired(effects.now().monotonic) {
            return Err(expired().with_note("the refresh token has expired; log in again"));
        }
        let haste = RetryPolicy::never();
        let retry = if hasty { &haste } else { &self.settings.retry };
        let mut progress = Progress::new(retry, limit);
        let request = Request::raw(REFRESH, Method::POST, "authentication/refresh/")
            .with_json(&RefreshBody::of(tokens))?
            // Refresh tokens are not used up, so asking twice does no harm.
            .with_idempotent(true);
        let response =
            self.transmit(effects, &request.parts, &Credential::None, &mut progress).await?;
        if response.denies_login() {
            return Err(response
                .error(ErrorKind::SessionExpired)
                .with_note("the server refused the refresh token; log in again"));
        }
        if response.is_unknown_path() {
            return Err(response
                .error(ErrorKind::SessionExpired)
                .with_note("the server knows no refresh tokens any more; log in again"));
        }
        let response = response.error_for_status()?;
        let renewed: Renewed = response.json()?;
        let received = Received::new(response.headers(), effects.now());
        let credential = tokens
            .renewed(renewed.access.expose_secret(), renewed.refresh, received)
            .map(|tokens| Credential::Tokens(Arc::new(tokens)))
            .ok_or_else(|| not_keystone(&response, "the access token is no header value"))?;
        if self.adopt(effects, Some(seen.epoch), credential, seen.username.clone()) {
            self.tell_of_login(REFRESH, EventKind::Refresh);
        }
        Ok(Brought::New)
    }

    /// Takes over a login that was kept, or logs in with what the sources have.
    async fn log_in_again<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        limit: Limit,
    ) -> Result<Brought, Error> {
        let unusable = match self.take_over_kept(effects, seen) {
            Ok(true) => return Ok(Brought::Kept),
            Ok(false) => None,
            Err(error) => Some(error),
        };
        let Some(sources) = &self.renewal.sources else {
            return unusable.map_or(Ok(Brought::Nothing), Err);
        };
        if let Some(error) = self.auth.refusal(effects.now().monotonic) {
            return Err(error);
        }
        let kind = match seen.credential {
            Credential::None | Credential::LoggedOut => ErrorKind::NotLoggedIn,
            _ => ErrorKind::SessionExpired,
        };
        let error = |note: String| Error::new(kind, LOG_IN).with_note(note);
        let wanted = self.wanted_username(seen);
        let request =
            CredentialRequest { base_url: self.base.as_str(), username: wanted.as_deref() };
        let credentials = match sources.find(&request) {
            Ok(Found::Credentials(credentials)) => credentials,
            Ok(Found::Nothing(reason)) => return Err(error(format!("no credentials: {reason}"))),
            Err(problem) => return Err(error(format!("credentials: {problem}"))),
        };
        let username: Arc<str> = credentials.username().into();
        // Calls that are under way must not go on as somebody else.
        if let Some(wanted) = wanted.filter(|wanted| *wanted != username) {
            return Err(error(format!(
                "the login is that of {wanted}, and the credentials are those of {username}"
            )));
        }
        let opened = self.open_login(effects, &credentials, limit).await;
        let (dialect, credential) = opened.map_err(|error| {
            let is_refusal = matches!(
                error.kind(),
                ErrorKind::InvalidCredentials
                    | ErrorKind::Validation
                    | ErrorKind::Denied
                    | ErrorKind::CsrfRejected
            );
            if !is_refusal {
                return error;
            }
            let error = error.with_note(format!("user {username}"));
            self.auth.note_refusal(&error, effects.now().monotonic, BELIEVE_REFUSAL);
            error
        })?;
        if self.adopt(effects, Some(seen.epoch), credential.clone(), Some(username)) {
            self.learn_dialect(dialect);
            self.tell_of_login(LOG_IN, EventKind::Login);
        } else {
            // Somebody has logged in or out meanwhile, so nobody would ever end this one.
            let _ = self.end_on_server(effects, &credential).await;
        }
        Ok(Brought::New)
    }
}

/// Whether what was tried with this much time says nothing to who has that much.
fn is_short(tried: Duration, budget: Duration) -> bool {
    tried < budget / 2
}
