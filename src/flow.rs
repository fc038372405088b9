//! What happens between a request and its answer: authentication, retries, deadlines.
//!
//! The logic is written once, as async functions over the [`Effects`] that a driver provides. The
//! async driver awaits the backend; the blocking one calls it and returns ready futures, so the
//! same functions run to completion in one poll. Nothing here names a backend, a runtime or a
//! clock.

mod events;
mod flight;
mod login;
mod pace;
mod renew;
mod transmit;
mod version;

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use uuid::Uuid;

pub(crate) use self::pace::Pace;
pub(crate) use self::renew::Renewal;
use self::transmit::Progress;
pub(crate) use self::version::KnownVersion;
use self::version::unsupported;
use crate::auth::{Authenticator, Credential, RefererHeaders, Snapshot, Verdict};
use crate::backend::{ExecuteResult, Now};
use crate::base_url::BaseUrl;
use crate::capability::adapt;
use crate::drift::DriftLog;
use crate::error::{Error, ErrorKind};
use crate::observe::{EventKind, Observer};
use crate::request::{Request, RequestParts, Response};
use crate::resolve::{Resolution, Resolved};
use crate::resource::Resource;
use crate::retry::RetryPolicy;

/// How long it may take to find out or to renew what a call could do without.
const HASTE: Duration = Duration::from_secs(10);

/// What a driver does for the flow. A clone is another handle to the same client.
pub(crate) trait Effects: Clone + Send + Sync + 'static {
    fn core(&self) -> &Core;
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
    /// Whether secrets may be sent where others can read them.
    pub(crate) allows_plain_http: bool,
}

/// A client without its backend; shared by all its clones.
pub(crate) struct Core {
    pub(crate) base: BaseUrl,
    pub(crate) settings: Settings,
    pub(crate) auth: Authenticator,
    pub(crate) version: KnownVersion,
    pub(crate) pace: Pace,
    pub(crate) renewal: Renewal,
    pub(crate) observer: Option<Box<dyn Observer>>,
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
        let retry = parts.options.retry.as_ref().unwrap_or(&self.settings.retry);
        let mut progress = Progress::new(retry, started.monotonic);
        if let Some(json) = parts.settled {
            return Ok(Response::settled(json, self.origin(parts, &Credential::None, &progress)));
        }
        let server = self.known_server(effects, parts, &progress).await?;
        let adapted = adapt(parts, server);
        let response = self.authenticated(effects, &adapted, &mut progress).await?;
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
            Cow::Owned(adapted) => self.authenticated(effects, &adapted, &mut progress).await,
            Cow::Borrowed(_) => Ok(response),
        }
    }

    /// Sends one request with the present credential, renewing that if need be.
    async fn authenticated<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        progress: &mut Progress<'_>,
    ) -> Result<Response, Error> {
        if parts.anonymous || parts.brings_credential() {
            return self.transmit(effects, parts, &Credential::None, progress).await;
        }
        let mut snapshot = self.auth.snapshot();
        if let Err(error) = self.prepare(effects, &snapshot, progress).await {
            return Err(self.prevented(error, parts, &snapshot, progress));
        }
        snapshot = self.auth.snapshot();
        let (mut renewed, mut overtaken) = (false, false);
        loop {
            let response = self.transmit(effects, parts, &snapshot.credential, progress).await?;
            self.auth.absorb(&snapshot, response.headers());
            let verdict = snapshot.credential.verdict(&response);
            if verdict == Verdict::Good {
                return Ok(response);
            }
            // A 401 comes before anything is executed, so writes may be repeated after it.
            if !overtaken && self.auth.epoch() != snapshot.epoch {
                overtaken = true;
            } else if !renewed && self.can_renew(verdict) {
                renewed = true;
                if let Err(error) = self.renew(effects, &snapshot, progress.started, false).await {
                    if error.kind() == ErrorKind::SessionExpired && !self.renewal.can_log_in() {
                        return Ok(response);
                    }
                    return Err(self.prevented(error, parts, &snapshot, progress));
                }
            } else {
                self.end(&snapshot, &response);
                return Ok(response);
            }
            snapshot = self.auth.snapshot();
            // Another call may have found that the login is over, and there may be a new one to be had.
            if let Err(error) = self.prepare(effects, &snapshot, progress).await {
                return Err(self.prevented(error, parts, &snapshot, progress));
            }
            snapshot = self.auth.snapshot();
            if !snapshot.credential.is_carried() {
                return Ok(response);
            }
        }
    }

    /// Remembers that the server has ended the login.
    fn end(&self, snapshot: &Snapshot, response: &Response) {
        self.auth.end(snapshot);
        self.tell_of(&response.origin, EventKind::SessionEnded);
    }

    fn prevented(
        &self,
        error: Error,
        parts: &RequestParts,
        snapshot: &Snapshot,
        progress: &Progress<'_>,
    ) -> Error {
        let origin = self.origin(parts, &snapshot.credential, progress);
        let note = match snapshot.credential {
            Credential::Tokens(_) if error.operation() == renew::REFRESH => {
                "the access token could not be refreshed"
            }
            _ => "the client could not log in",
        };
        error.prevents(&origin, note)
    }
}
