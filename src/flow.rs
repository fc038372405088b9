//! What happens between a request and its answer: authentication, retries, deadlines.
//!
//! The logic is written once, as async functions over the [`Effects`] that a driver provides. The
//! async driver awaits the backend; the blocking one calls it and returns ready futures, so the
//! same functions run to completion in one poll. Nothing here names a backend, a runtime or a
//! clock.

mod login;
mod pace;
mod transmit;
mod version;

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;
use uuid::Uuid;

pub(crate) use self::login::Login;
pub(crate) use self::pace::Pace;
use self::transmit::Progress;
pub(crate) use self::version::KnownVersion;
use self::version::unsupported;
use crate::auth::{Authenticator, Credential, RefererHeaders, Snapshot, Turn, Verdict};
use crate::backend::{ExecuteResult, Now};
use crate::base_url::BaseUrl;
use crate::capability::adapt;
use crate::drift::DriftLog;
use crate::error::{Error, ErrorKind};
use crate::request::{Request, RequestParts, Response};
use crate::resolve::{Resolution, Resolved};
use crate::resource::Resource;
use crate::retry::RetryPolicy;

/// How long it may take to find out or to renew what a call could do without.
const HASTE: Duration = Duration::from_secs(10);

/// What a driver does for the flow.
pub(crate) trait Effects: Sync {
    fn execute(&self, request: http::Request<Bytes>) -> impl Future<Output = ExecuteResult> + Send;
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
    fn now(&self) -> Now;
}

/// Settings of a client that its calls share.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) retry: RetryPolicy,
    /// The longest time for one attempt.
    pub(crate) timeout: Duration,
    pub(crate) user_agent: HeaderValue,
    pub(crate) correlation_id: Uuid,
    pub(crate) correlation_header: HeaderValue,
    pub(crate) referer: RefererHeaders,
}

/// A client without its backend; shared by all its clones.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) base: BaseUrl,
    pub(crate) settings: Settings,
    pub(crate) auth: Authenticator,
    pub(crate) version: KnownVersion,
    pub(crate) pace: Pace,
    pub(crate) drift: Option<Arc<DriftLog>>,
}

impl Core {
    /// Sends `request` and reads the answer.
    pub(crate) async fn send<E: Effects, T>(
        &self,
        effects: &E,
        request: &Request<T>,
    ) -> Result<T, Error> {
        let response = self.perform(effects, &request.parts).await?;
        request.decode(response)
    }

    /// Fetches the records with these keys, page by page.
    pub(crate) async fn resolve_all<E: Effects, R: Resource>(
        &self,
        effects: &E,
        mut resolution: Resolution<R>,
    ) -> Result<Resolved<R>, Error> {
        while let Some(request) = resolution.next_request() {
            resolution.accept(self.send(effects, &request?).await?)?;
        }
        Ok(resolution.finish())
    }

    /// Sends one request in the form that this server wants.
    async fn perform<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
    ) -> Result<Response, Error> {
        let started = effects.now();
        let mut progress = Progress::new(&self.settings.retry, started.monotonic);
        if let Some(json) = parts.settled {
            return Ok(Response::settled(json, self.origin(parts, &Credential::None, &progress)));
        }
        let server = self.known_server(effects, parts, &progress).await?;
        let adapted = adapt(parts, server);
        let response = self.authenticated(effects, &adapted, &mut progress, started).await?;
        if Self::is_about_version(parts) {
            self.learn_version(&response);
        }
        if !Self::hides_its_age(parts, server, &response) {
            return Ok(response);
        }
        // The server may be of another age than the call was made for. A path that it does not
        // know was not executed, and a list was only read: the call may be repeated.
        let server = self.ask_version(effects, parts, &progress).await;
        unsupported(parts, server)?;
        match adapt(parts, server) {
            Cow::Owned(adapted) => {
                self.authenticated(effects, &adapted, &mut progress, started).await
            }
            Cow::Borrowed(_) => Ok(response),
        }
    }

    /// Sends one request with the present credential, renewing that if need be.
    async fn authenticated<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        progress: &mut Progress<'_>,
        started: Now,
    ) -> Result<Response, Error> {
        if parts.anonymous || parts.brings_credential() {
            return self.transmit(effects, parts, &Credential::None, progress).await;
        }
        let mut snapshot = self.auth.snapshot();
        if let Credential::Tokens(tokens) = &snapshot.credential {
            if tokens.wants_refresh(started.wall) {
                let hurry = !tokens.access_has_expired(started.wall);
                match self.refresh(effects, &snapshot, started.monotonic, hurry).await {
                    Ok(()) => snapshot = self.auth.snapshot(),
                    // The present token is good for a while yet.
                    Err(_) if hurry => {}
                    Err(error) => return Err(self.prevented(error, parts, &snapshot, progress)),
                }
            }
        }
        let mut refreshed = false;
        loop {
            let response = self.transmit(effects, parts, &snapshot.credential, progress).await?;
            self.auth.absorb(&snapshot, response.headers());
            match snapshot.credential.verdict(&response) {
                Verdict::Good => return Ok(response),
                // A 401 comes before anything is executed, so writes may be repeated after it.
                Verdict::Refresh if !refreshed => {
                    let refresh = self.refresh(effects, &snapshot, started.monotonic, false).await;
                    match refresh {
                        Ok(()) => refreshed = true,
                        Err(error) if error.kind() == ErrorKind::SessionExpired => {
                            return Ok(response);
                        }
                        Err(error) => {
                            return Err(self.prevented(error, parts, &snapshot, progress));
                        }
                    }
                }
                Verdict::Refresh | Verdict::Over => {
                    self.auth.replace_if(snapshot.epoch, Credential::Ended);
                    return Ok(response);
                }
            }
            snapshot = self.auth.snapshot();
        }
    }

    /// Brings a new access token, or finds that somebody else has brought one. In a `hurry` one
    /// short attempt has to do.
    async fn refresh<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        started: Instant,
        hurry: bool,
    ) -> Result<(), Error> {
        let _gate = self.auth.gate().await;
        match self.auth.turn(seen) {
            Turn::Replaced => Ok(()),
            Turn::Failed(error) => Err(error),
            Turn::Mine => {
                let hasty = RetryPolicy::never().with_total(HASTE);
                let retry = if hurry { &hasty } else { &self.settings.retry };
                let mut progress = Progress::new(retry, started);
                let outcome = self.refresh_tokens(effects, seen, &mut progress).await;
                match &outcome {
                    Ok(credential) => self.auth.replace_if(seen.epoch, credential.clone()),
                    Err(error) if error.kind() == ErrorKind::SessionExpired => {
                        self.auth.replace_if(seen.epoch, Credential::Ended);
                    }
                    Err(error) => self.auth.refresh_failed(error),
                }
                outcome.map(drop)
            }
        }
    }

    fn prevented(
        &self,
        error: Error,
        parts: &RequestParts,
        snapshot: &Snapshot,
        progress: &Progress<'_>,
    ) -> Error {
        let origin = self.origin(parts, &snapshot.credential, progress);
        error.prevents(&origin, "the access token could not be refreshed")
    }
}
