//! What happens between a request and its answer: authentication, retries, deadlines.
//!
//! The logic is written once, as async functions over the [`Effects`] that a driver provides. The
//! async driver awaits the backend; the blocking one calls it and returns ready futures, so the
//! same functions run to completion in one poll. Nothing here names a backend, a runtime or a
//! clock.

mod events;
mod files;
mod flight;
mod limits;
mod login;
mod pace;
mod renew;
mod store;
mod transmit;
mod version;
mod writes;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use uuid::Uuid;

pub(crate) use self::limits::KnownLimits;
pub(crate) use self::pace::Pace;
use self::renew::Brought;
pub(crate) use self::renew::Renewal;
pub(crate) use self::store::Store;
use self::transmit::{Limit, Progress};
pub(crate) use self::version::KnownVersion;
use self::version::unsupported;
use crate::auth::{Authenticator, Credential, RefererHeaders, Snapshot, Verdict, Want};
use crate::backend::{ExecuteResult, Now};
use crate::base_url::BaseUrl;
use crate::bulk::{BulkReport, Plan, Run, Work};
use crate::capability::{Capability, adapt};
use crate::drift::DriftLog;
use crate::error::{Error, ErrorKind};
use crate::observe::{EventKind, Observer};
use crate::request::{Request, RequestParts, Response};
use crate::resolve::{Resolution, Resolved};
use crate::resource::Resource;
use crate::retry::RetryPolicy;

/// How long it may take to find out or to renew what a call could do without.
const HASTE: Duration = Duration::from_secs(10);

/// How often a call is sent at the most while its credential is refused.
const MOST_REFUSALS: u32 = 4;

/// What a driver does for the flow. A clone is another handle to the same client.
pub(crate) trait Effects: Clone + Send + Sync + 'static {
    fn core(&self) -> &Core;
    fn execute(&self, request: http::Request<Bytes>) -> impl Future<Output = ExecuteResult> + Send;
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
    fn now(&self) -> Now;
    /// Does what may take its time, such as reading a file, so that nobody else is held up.
    fn unblock<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send;
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
    pub(crate) limits: KnownLimits,
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
        request.parts.refuse_reference(request.operation())?;
        // Before files are read, and the server is asked about them.
        self.check_cost(&request.parts)?;
        let mut limit = self.limit_of(effects, &request.parts);
        let with_files = self.with_files_read(effects, &request.parts, &mut limit).await?;
        let parts = with_files.as_deref().unwrap_or(&request.parts);
        let response = self.perform(effects, parts, limit).await?;
        let answer = request.decode(response);
        if let Err(error) = &answer {
            self.learn_of_files(effects, &request.parts, error);
        }
        answer
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

    /// Writes many rows.
    pub(crate) async fn run_bulk<E: Effects, T: 'static>(
        &self,
        effects: &E,
        plan: Plan<T>,
    ) -> BulkReport<T> {
        let mut run = Run::new(plan, self.pace.most_in_a_minute());
        while let Some(work) = run.next() {
            match work {
                Work::Job(request) => {
                    let outcome = self.send(effects, &request).await;
                    run.job_done(outcome, self.server().offers(Capability::Batch));
                }
                Work::Call(request) => run.call_done(self.send(effects, &request).await),
                Work::Wait(wait) => effects.sleep(wait).await,
            }
        }
        run.finish()
    }

    /// Refuses what is too much for a minute.
    fn check_cost(&self, parts: &RequestParts) -> Result<(), Error> {
        if let Some(limit) = self.pace.stated().filter(|limit| parts.cost.requests > *limit) {
            let note = format!(
                "it counts for {} calls, and this client may send {limit} within a minute; divide it, or \
                 state the limit of the server with `requests_per_minute`",
                parts.cost.requests
            );
            return Err(Error::new(ErrorKind::InvalidRequest, parts.operation).with_note(note));
        }
        Ok(())
    }

    /// The time of a call that begins now.
    fn limit_of<E: Effects>(&self, effects: &E, parts: &RequestParts) -> Limit {
        let retry = parts.options.retry.as_ref().unwrap_or(&self.settings.retry);
        let total = retry.total().max(parts.options.timeout.unwrap_or_default());
        Limit::new(effects.now().monotonic, total)
    }

    /// Sends one request in the form that this server wants.
    async fn perform<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        limit: Limit,
    ) -> Result<Response, Error> {
        let retry = parts.options.retry.as_ref().unwrap_or(&self.settings.retry);
        let mut progress = Progress::new(retry, limit);
        if let Some(json) = parts.settled {
            return Ok(Response::settled(json, self.origin(parts, &Credential::None, &progress)));
        }
        let server = self.known_server(effects, parts, &progress).await?;
        let adapted = adapt(parts, server);
        let adapted = adapted.as_deref().unwrap_or(parts);
        let response = self.authenticated(effects, adapted, &mut progress).await?;
        if Self::is_about_version(parts) {
            self.learn_version(&response);
        }
        if !Self::hides_its_age(parts, server, &response) {
            return Ok(response);
        }
        // Boxed, as it is seldom done and would add to the size of every call.
        Box::pin(self.perform_at_another_age(effects, parts, response, progress)).await
    }

    /// What comes of a request when its answer looks like that of a server of another age than it was
    /// made for. A path that the server does not know was not executed, and a list was only read: the
    /// request may be repeated.
    async fn perform_at_another_age<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        response: Response,
        mut progress: Progress<'_>,
    ) -> Result<Response, Error> {
        let server = self.ask_version(effects, parts, &progress).await;
        unsupported(parts, server)?;
        match adapt(parts, server) {
            Some(adapted) => self.authenticated(effects, &adapted, &mut progress).await,
            None => Ok(response),
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
        let limit = progress.limit;
        let mut snapshot = self.ready(effects, parts, progress).await?;
        let mut renewed = false;
        let mut refusals = 0;
        loop {
            refusals += 1;
            let response = self.transmit(effects, parts, &snapshot.credential, progress).await?;
            self.auth.absorb(&snapshot, response.headers());
            let verdict = snapshot.credential.verdict(&response);
            if verdict == Verdict::Good {
                if response.status().is_success() {
                    self.auth.note_accepted(snapshot.epoch);
                }
                return Ok(response);
            }
            // A 401 comes before anything is executed, so writes may be repeated after it.
            let is_present = self.auth.epoch() == snapshot.epoch;
            let may_repeat = refusals < MOST_REFUSALS
                && (!is_present || self.may_renew(effects, &snapshot, verdict, renewed));
            if !may_repeat {
                if self.end(&snapshot) {
                    self.tell_of(&response.origin, EventKind::SessionEnded);
                }
                return Ok(response);
            }
            if is_present {
                match self.renew(effects, &snapshot, limit, false).await {
                    Ok(brought) => renewed |= brought == Brought::New,
                    Err(error) => {
                        let is_over = error.kind() == ErrorKind::SessionExpired;
                        if is_over && !self.renewal.has_sources() {
                            return Ok(response);
                        }
                        return Err(self.prevented(error, parts, &snapshot, progress));
                    }
                }
            }
            let next = self.ready(effects, parts, progress).await?;
            let is_other_user = snapshot.username.is_some() && next.username != snapshot.username;
            // Nobody's call is repeated as somebody else's.
            if !next.credential.is_carried() || is_other_user {
                return Ok(response);
            }
            snapshot = next;
        }
    }

    /// Whether a renewal may help a call whose credential was refused. It does not if that was fresh:
    /// then the next would be refused as well.
    fn may_renew<E: Effects>(
        &self,
        effects: &E,
        refused: &Snapshot,
        verdict: Verdict,
        renewed: bool,
    ) -> bool {
        let has_run_out = || {
            let want = refused.credential.wants(effects.now().monotonic);
            matches!(want, Want::Refresh | Want::Login)
        };
        let has_served = || self.auth.was_accepted(refused.epoch) || has_run_out();
        self.can_renew(verdict) && (!renewed || has_served())
    }

    /// The present credential, after what has to be done before it is used.
    async fn ready<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        progress: &Progress<'_>,
    ) -> Result<Snapshot, Error> {
        let seen = self.auth.snapshot();
        match self.prepare(effects, &seen, progress.limit).await {
            Ok(true) => Ok(self.auth.snapshot()),
            Ok(false) => Ok(seen),
            Err(error) => Err(self.prevented(error, parts, &seen, progress)),
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
        let note = match snapshot.credential {
            Credential::Tokens(_) if error.operation() == renew::REFRESH => {
                "the access token could not be refreshed"
            }
            _ => "the client could not log in",
        };
        error.prevents(&origin, note)
    }
}
