use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::flight::Flight;
use super::login::{LOG_IN, RefreshBody, not_keystone};
use super::transmit::Progress;
use super::{Core, Effects, HASTE};
use crate::auth::{Credential, Received, Snapshot, StoredSession, TokenPair, Turn, Verdict, Want};
use crate::credentials::{CredentialSource, Found};
use crate::error::{Error, ErrorKind};
use crate::observe::EventKind;
use crate::request::{Operation, Request};
use crate::retry::RetryPolicy;
use crate::session_store::{SessionKey, SessionStore};

pub(super) const REFRESH: Operation = Operation::new("refresh", "access token");

/// How long the server's refusal of the configured credentials is believed. Servers lock accounts
/// after a number of wrong passwords, and count anonymous requests.
const BELIEVE_REFUSAL: Duration = Duration::from_secs(60);

/// How a client comes by a new login when it needs one.
pub(crate) struct Renewal {
    sources: Option<Box<dyn CredentialSource>>,
    store: Option<(Box<dyn SessionStore>, Arc<str>)>,
    under_way: Flight<Outcome>,
}

/// What comes of a renewal, for all who wait for it.
#[derive(Debug, Clone)]
struct Outcome {
    result: Result<(), Error>,
    /// Whether it was one short attempt, made while the present credential was good.
    hasty: bool,
}

impl Renewal {
    pub(crate) fn new(
        sources: Option<Box<dyn CredentialSource>>,
        store: Option<(Box<dyn SessionStore>, Arc<str>)>,
    ) -> Self {
        Self { sources, store, under_way: Flight::new() }
    }

    /// Whether there may be a login to be had without the program's doing.
    pub(super) fn can_log_in(&self) -> bool {
        self.sources.is_some() || self.store.is_some()
    }
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewal")
            .field("sources", &self.sources.as_ref().map(|sources| sources.name()))
            .field("store", &self.store.as_ref().map(|(_, username)| username))
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
            self.renew(effects, &seen, now, false).await?;
        }
        match self.auth.snapshot().credential.is_carried() {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::NotLoggedIn, LOG_IN).with_note(
                "there is no login, and the client has no credentials to log in with by itself",
            )),
        }
    }

    /// Renews the credential if that has to be done before a request is sent.
    pub(super) async fn prepare<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        progress: &Progress<'_>,
    ) -> Result<(), Error> {
        match seen.credential.wants(effects.now().monotonic) {
            Want::Nothing => Ok(()),
            // The server may say otherwise; if not, it says so best itself.
            Want::Login if !self.renewal.can_log_in() => Ok(()),
            // The present token is good for a while yet.
            Want::EarlyRefresh => {
                let _ = self.renew(effects, seen, progress.started, true).await;
                Ok(())
            }
            Want::Refresh | Want::Login => self.renew(effects, seen, progress.started, false).await,
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
        started: Instant,
        hasty: bool,
    ) -> Result<(), Error> {
        loop {
            let passage = self.renewal.under_way.join(seen.epoch, || {
                let (effects, seen) = (effects.clone(), seen.clone());
                Box::pin(async move {
                    let core = effects.core();
                    Outcome { result: core.renew_now(&effects, &seen, started, hasty).await, hasty }
                })
            });
            match passage.await {
                // Whoever did it panicked, which is no reason for others not to try.
                None => {}
                Some(Outcome { result: Err(_), hasty: true }) if !hasty => {}
                Some(outcome) => return outcome.result,
            }
        }
    }

    /// Brings a credential in place of `seen`, unless somebody else has tried meanwhile.
    async fn renew_now<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        started: Instant,
        hasty: bool,
    ) -> Result<(), Error> {
        match self.auth.turn(seen) {
            Turn::Replaced => return Ok(()),
            Turn::Failed(error) => return Err(error),
            Turn::Mine => {}
        }
        let outcome = match &seen.credential {
            Credential::Tokens(tokens) => {
                match self.refresh(effects, seen, tokens, started, hasty).await {
                    Err(error) if error.kind() == ErrorKind::SessionExpired => self
                        .log_in_again(effects, seen, started)
                        .await
                        .and_then(|done| match done {
                            true => Ok(()),
                            false => Err(error),
                        }),
                    outcome => outcome,
                }
            }
            _ => self.log_in_again(effects, seen, started).await.and_then(|done| {
                // Whoever has never logged in may go on without.
                if done || !seen.credential.is_carried() { Ok(()) } else { Err(expired(REFRESH)) }
            }),
        };
        if let Err(error) = &outcome {
            self.tell_of_login(error.operation(), EventKind::RenewalFailed { error: error.kind() });
            match error.kind() {
                _ if hasty => self.auth.postpone_refresh(seen.epoch),
                ErrorKind::SessionExpired => self.auth.end(seen),
                _ => self.auth.renewal_failed(error),
            }
        }
        outcome
    }

    /// Exchanges the refresh token for a new access token.
    async fn refresh<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        tokens: &TokenPair,
        started: Instant,
        hasty: bool,
    ) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Renewed {
            access: SecretString,
            refresh: Option<SecretString>,
        }

        let now = effects.now().monotonic;
        if tokens.has_expired(now) {
            return Err(expired(REFRESH).with_note("the refresh token has expired; log in again"));
        }
        // The call that asks has not been sent yet and does with the present token.
        let haste = RetryPolicy::never().with_total(HASTE.min(self.settings.retry.total() / 2));
        let mut progress = match hasty {
            true => Progress::new(&haste, now),
            false => Progress::new(&self.settings.retry, started),
        };
        let request = Request::raw(REFRESH, Method::POST, "authentication/refresh/")
            .with_json(&RefreshBody::of(tokens))?
            // Refresh tokens are not used up, so asking twice does no harm.
            .with_idempotent(true);
        let response =
            self.transmit(effects, &request.parts, &Credential::None, &mut progress).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(response
                .error(ErrorKind::SessionExpired)
                .with_note("the server refused the refresh token; log in again"));
        }
        let response = response.error_for_status()?;
        let renewed: Renewed = response.json()?;
        let received = Received::new(response.headers(), effects.now());
        let credential = tokens
            .renewed(renewed.access.expose_secret(), renewed.refresh, received)
            .map(|tokens| Credential::Tokens(Arc::new(tokens)))
            .ok_or_else(|| not_keystone(&response, "the access token is no header value"))?;
        if let Some(username) = &seen.username {
            self.keep(effects, &credential, username);
        }
        self.auth.replace_if(seen.epoch, credential, seen.username.clone());
        self.tell_of_login(REFRESH, EventKind::Refresh);
        Ok(())
    }

    /// Takes over a login that was kept, or logs in with what the sources have; whether there was any
    /// way to do so.
    async fn log_in_again<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        started: Instant,
    ) -> Result<bool, Error> {
        if self.take_over_stored(effects, seen)? {
            return Ok(true);
        }
        let Some(sources) = &self.renewal.sources else {
            return Ok(false);
        };
        let now = effects.now().monotonic;
        if let Some(error) = self.auth.refusal(now) {
            return Err(error);
        }
        let kind = match seen.credential {
            Credential::None | Credential::LoggedOut => ErrorKind::NotLoggedIn,
            _ => ErrorKind::SessionExpired,
        };
        let error = |note: String| Error::new(kind, LOG_IN).with_note(note);
        let credentials = match sources.find(self.base.as_str()) {
            Ok(Found::Credentials(credentials)) => credentials,
            Ok(Found::Nothing(reason)) => return Err(error(format!("no credentials: {reason}"))),
            Err(problem) => return Err(error(format!("credentials: {problem}"))),
        };
        let opened = self.open_login(effects, &credentials, started).await;
        let credential = opened.map_err(|error| {
            if error.kind() != ErrorKind::InvalidCredentials {
                return error;
            }
            let error = error.with_note(format!("user {}", credentials.username()));
            self.auth.note_refusal(&error, now, BELIEVE_REFUSAL);
            error
        })?;
        let username: Arc<str> = credentials.username().into();
        if self.auth.replace_if(seen.epoch, credential.clone(), Some(Arc::clone(&username))) {
            self.keep(effects, &credential, &username);
            self.tell_of_login(LOG_IN, EventKind::Login);
        } else {
            // Somebody has logged in or out meanwhile, so nobody would ever end this one.
            let _ = self.end_on_server(effects, &credential).await;
        }
        Ok(true)
    }

    /// Takes over the login that another process has left, unless it is the one that is over.
    fn take_over_stored<E: Effects>(&self, effects: &E, seen: &Snapshot) -> Result<bool, Error> {
        let Some((store, username)) = &self.renewal.store else {
            return Ok(false);
        };
        let key = SessionKey { base_url: self.base.as_str(), username };
        let text = store.load(key).map_err(|problem| {
            Error::new(ErrorKind::NotLoggedIn, LOG_IN)
                .with_note(format!("the session store cannot be used: {problem}"))
        })?;
        let stored = text.and_then(|text| StoredSession::read(&text, effects.now()));
        let Some((dialect, credential)) = stored else {
            return Ok(false);
        };
        if credential.is_same_login(&seen.credential) {
            // What cannot be removed does no harm: whoever tries it is told that it is over.
            let _ = store.remove(key);
            return Ok(false);
        }
        if self.auth.replace_if(seen.epoch, credential, Some(Arc::clone(username))) {
            self.auth.learn_dialect(dialect);
            self.tell_of_login(LOG_IN, EventKind::Login);
        }
        Ok(true)
    }

    /// Leaves the login for other processes.
    pub(super) fn keep<E: Effects>(&self, effects: &E, credential: &Credential, username: &str) {
        let Some((store, _)) = &self.renewal.store else {
            return;
        };
        let text = credential.to_stored(effects.now()).and_then(|stored| stored.to_json());
        let key = SessionKey { base_url: self.base.as_str(), username };
        let kept = text.is_some_and(|text| store.save(key, &text).is_ok());
        if !kept {
            self.tell_of_login(LOG_IN, EventKind::SessionNotStored);
        }
    }

    /// Removes the login of a user from the store. A client that has none of its own takes it from
    /// there, to end it on the server.
    pub(super) fn forget<E: Effects>(
        &self,
        effects: &E,
        present: Credential,
        username: Option<&str>,
    ) -> (Credential, Result<(), Error>) {
        let Some((store, expected)) = &self.renewal.store else {
            return (present, Ok(()));
        };
        let key =
            SessionKey { base_url: self.base.as_str(), username: username.unwrap_or(expected) };
        let present = match present {
            Credential::None | Credential::Ended => {
                // What cannot be read is removed all the same.
                let text = store.load(key).ok().flatten();
                let stored = text.and_then(|text| StoredSession::read(&text, effects.now()));
                stored.map_or(present, |(_, credential)| credential)
            }
            present => present,
        };
        let removed = store.remove(key).map_err(|problem| {
            Error::new(ErrorKind::InvalidRequest, Operation::new("log out", ""))
                .with_note(format!("the stored login could not be removed: {problem}"))
        });
        (present, removed)
    }
}

fn expired(operation: Operation) -> Error {
    Error::new(ErrorKind::SessionExpired, operation)
}
