use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;

use super::flight::Flight;
use super::transmit::{Limit, Progress};
use super::{Core, Effects, HASTE};
use crate::capability::Capability;
use crate::error::Error;
use crate::request::RequestParts;
use crate::resources::ServerConfig;
use crate::resources::system::config_request;
use crate::retry::RetryPolicy;

/// How long what the server says of itself is believed, if nothing speaks against it.
pub(super) const BELIEVE: Duration = Duration::from_secs(3600);

/// How old an answer may be on whose word a file is refused. A server that could not be asked is not
/// asked again within this time either.
pub(super) const RECENT: Duration = Duration::from_secs(60);

/// What files the server takes, as far as it says.
#[derive(Debug)]
pub(crate) struct KnownLimits {
    learned: Mutex<Learned>,
    /// One question at a time.
    question: Flight<()>,
}

#[derive(Debug, Clone)]
enum Learned {
    Nothing,
    /// It could not be asked, at this time.
    Failed(Instant),
    /// It does not say.
    Untold(Instant),
    Told(Instant, Arc<ServerConfig>),
}

impl KnownLimits {
    pub(crate) fn new() -> Self {
        Self { learned: Mutex::new(Learned::Nothing), question: Flight::new() }
    }

    fn learned(&self) -> Learned {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn learn(&self, news: Learned) {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = news;
    }

    /// The server may have been set up otherwise, or be another one than before.
    pub(super) fn forget(&self) {
        self.learn(Learned::Nothing);
    }

    fn is_worth_asking(&self, now: Instant, believe: Duration) -> bool {
        let (at, believe) = match self.learned() {
            Learned::Nothing => return true,
            Learned::Failed(at) => (at, RECENT),
            Learned::Untold(at) => (at, BELIEVE),
            Learned::Told(at, _) => (at, believe),
        };
        now.saturating_duration_since(at) >= believe
    }

    fn told(&self) -> Option<Arc<ServerConfig>> {
        match self.learned() {
            Learned::Told(_, config) => Some(config),
            Learned::Nothing | Learned::Failed(_) | Learned::Untold(_) => None,
        }
    }
}

impl Core {
    /// What files the server takes, by an answer no older than `believe`. `None` where it does not
    /// say, and where it cannot be asked; an error if there is no login to ask or to send them with.
    pub(super) async fn limits_of_files<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        believe: Duration,
    ) -> Result<Option<Arc<ServerConfig>>, Error> {
        if self.server().offers(Capability::Config) == Some(false) {
            return Ok(None);
        }
        let now = effects.now().monotonic;
        if self.limits.is_worth_asking(now, believe) {
            let retry = parts.options.retry.as_ref().unwrap_or(&self.settings.retry);
            let progress = Progress::new(retry, Limit::new(now, retry.total()));
            if !self.ready(effects, parts, &progress).await?.credential.is_carried() {
                // The server would tell nobody; it refuses the files for the same reason.
                return Ok(self.limits.told());
            }
            let within = HASTE.min(self.time_left(parts, &progress, effects.now().monotonic) / 2);
            self.ask_limits(effects, within, believe).await;
        }
        Ok(self.limits.told())
    }

    async fn ask_limits<E: Effects>(&self, effects: &E, within: Duration, believe: Duration) {
        while self.limits.is_worth_asking(effects.now().monotonic, believe) {
            let question = self.limits.question.join(0, || {
                let effects = effects.clone();
                Box::pin(async move {
                    effects.core().ask_limits_now(&effects, within, believe).await;
                })
            });
            // If whoever asked has panicked, somebody else may ask.
            if let Some(question) = question {
                if question.await.is_some() {
                    break;
                }
            }
        }
    }

    async fn ask_limits_now<E: Effects>(&self, effects: &E, within: Duration, believe: Duration) {
        let now = effects.now().monotonic;
        if !self.limits.is_worth_asking(now, believe) {
            return;
        }
        let retry = RetryPolicy::never();
        let request = config_request();
        let mut question = Progress::new(&retry, Limit::new(now, within));
        let answer = self.authenticated(effects, &request.parts, &mut question).await;
        self.limits.learn(match answer {
            Ok(response) if response.status().is_success() => match request.decode(response) {
                Ok(config) => Learned::Told(now, Arc::new(config)),
                Err(_) => Learned::Untold(now),
            },
            Ok(response) if response.status() == StatusCode::NOT_FOUND => Learned::Untold(now),
            Ok(_) | Err(_) => Learned::Failed(now),
        });
    }
}
