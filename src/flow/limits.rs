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

#[derive(Debug, Clone, Default)]
struct Learned {
    told: Option<Told>,
    /// It was asked in vain at this time, and is not asked again for so long.
    silence: Option<(Instant, Duration)>,
}

/// What the server has said of itself.
#[derive(Debug, Clone)]
pub(super) struct Told {
    at: Instant,
    /// It has refused a file since then.
    is_doubtful: bool,
    pub(super) config: Arc<ServerConfig>,
}

impl Told {
    pub(super) fn is_younger(&self, age: Duration, now: Instant) -> bool {
        !self.is_doubtful && now.saturating_duration_since(self.at) < age
    }
}

impl KnownLimits {
    pub(crate) fn new() -> Self {
        Self { learned: Mutex::default(), question: Flight::new() }
    }

    fn change(&self, change: impl FnOnce(&mut Learned)) {
        change(&mut self.learned.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn learned(&self) -> Learned {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server may have been set up otherwise, or be another one than before.
    pub(super) fn forget(&self) {
        self.change(|learned| *learned = Learned::default());
    }

    /// The server has refused a file, which it may have been set up to do meanwhile.
    pub(super) fn doubt(&self, now: Instant) {
        self.change(|learned| {
            if let Some(told) = &mut learned.told {
                // What it has just said it would only repeat.
                told.is_doubtful |= !told.is_younger(RECENT, now);
            }
        });
    }

    fn is_worth_asking(&self, now: Instant, believe: Duration) -> bool {
        let Learned { told, silence } = self.learned();
        let is_vain =
            silence.is_some_and(|(at, length)| now.saturating_duration_since(at) < length);
        !is_vain && !told.is_some_and(|told| told.is_younger(believe, now))
    }
}

impl Core {
    /// What files the server takes, by an answer no older than `believe` if one can be had, and else by
    /// the last one. `None` where it does not say, and where it never could be asked; an error if there is
    /// no login to ask or to send them with.
    ///
    /// The question is part of the call's time, and takes [`HASTE`] at the most. There is no timer here: a
    /// call that finds another's question under way waits for that, which may have more time left.
    pub(super) async fn limits_of_files<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        limit: Limit,
        believe: Duration,
    ) -> Result<Option<Told>, Error> {
        if self.server().offers(Capability::Config) == Some(false) {
            return Ok(None);
        }
        let told = || self.limits.learned().told;
        if self.limits.is_worth_asking(effects.now().monotonic, believe) {
            let retry = parts.options.retry.as_ref().unwrap_or(&self.settings.retry);
            let progress = Progress::new(retry, limit);
            if !self.ready(effects, parts, &progress).await?.credential.is_carried() {
                // The server would tell nobody; it refuses the files for the same reason.
                return Ok(told());
            }
            let within = HASTE.min(self.time_left(parts, &progress, effects.now().monotonic) / 2);
            self.ask_limits(effects, within, believe).await;
        }
        Ok(told())
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
        let untold = Learned { told: None, silence: Some((now, BELIEVE)) };
        let news = match answer {
            Ok(response) if response.status().is_success() => match request.decode(response) {
                Ok(config) => {
                    let config = Arc::new(config);
                    Learned {
                        told: Some(Told { at: now, is_doubtful: false, config }),
                        silence: None,
                    }
                }
                Err(_) => untold,
            },
            Ok(response) if response.status() == StatusCode::NOT_FOUND => untold,
            // Its turn would have come too late, for example. That says nothing about the server.
            Err(error) if error.attempts() == 0 => return,
            Ok(_) | Err(_) => {
                return self.limits.change(|learned| learned.silence = Some((now, RECENT)));
            }
        };
        self.limits.change(|learned| *learned = news);
    }
}
