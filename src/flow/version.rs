use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};

use super::flight::Flight;
use super::transmit::{Limit, Progress};
use super::{Core, Effects, HASTE};
use crate::auth::Credential;
use crate::capability::{Server, ServerVersion, Sign, was_elsewhere};
use crate::error::{Error, ErrorKind};
use crate::request::{RequestParts, Response};
use crate::resources::system::{VERSION_PATH, version_request};
use crate::retry::RetryPolicy;

/// How long to wait before asking again a server that could not be asked.
const PATIENCE: Duration = Duration::from_secs(60);

/// The server's version, as far as it was stated or learned.
#[derive(Debug)]
pub(crate) struct KnownVersion {
    stated: Option<ServerVersion>,
    learned: Mutex<Learned>,
    /// One question at a time.
    question: Flight<()>,
}

#[derive(Debug, Clone, Copy)]
enum Learned {
    Nothing,
    /// It could not be asked, at this time.
    Failed(Instant),
    /// It does not say.
    Untold,
    Told(ServerVersion),
}

impl KnownVersion {
    pub(crate) fn new(stated: Option<ServerVersion>) -> Self {
        Self { stated, learned: Mutex::new(Learned::Nothing), question: Flight::new() }
    }

    fn learned(&self) -> Learned {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self) -> Option<ServerVersion> {
        self.stated.or(match self.learned() {
            Learned::Told(version) => Some(version),
            Learned::Nothing | Learned::Failed(_) | Learned::Untold => None,
        })
    }

    /// A version that was told gives way to a newer one only: servers are upgraded, and proxies
    /// hide versions.
    fn learn(&self, news: Learned) {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!((*learned, news), (Learned::Told(_), Learned::Untold | Learned::Failed(_))) {
            *learned = news;
        }
    }

    /// The server is another one than before.
    pub(super) fn forget(&self) {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = Learned::Nothing;
    }

    fn is_worth_asking(&self, now: Instant) -> bool {
        self.stated.is_none()
            && match self.learned() {
                Learned::Nothing => true,
                Learned::Failed(at) => now.saturating_duration_since(at) >= PATIENCE,
                Learned::Untold | Learned::Told(_) => false,
            }
    }
}

impl Core {
    /// What is known of the server.
    pub(crate) fn server(&self) -> Server {
        let by_dialect = self.auth.dialect().map_or(Server::UNKNOWN, |dialect| dialect.server());
        match self.version.get() {
            // A version that its dialect belies is not the server's own.
            Some(version) if by_dialect.may_be(version) => Server::of_version(version),
            _ => by_dialect,
        }
    }

    /// What is known of the server, which is asked for its version if it would ignore in silence
    /// what the call needs.
    pub(super) async fn known_server<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        progress: &Progress<'_>,
    ) -> Result<Server, Error> {
        let mut server = self.server();
        if parts.needs.is_ignored_by(server, &parts.method) {
            server = self.ask_version(effects, parts, progress).await;
        }
        unsupported(parts, server)?;
        Ok(server)
    }

    /// Whether `response` looks like one of a server that lacks what the call needs, or that has it
    /// under another path.
    pub(super) fn hides_its_age(parts: &RequestParts, server: Server, response: &Response) -> bool {
        if parts.verbatim || server.version_is_known() {
            return false;
        }
        let shows = |sign: Sign| match sign {
            Sign::UnknownPath => response.is_unknown_path(),
            Sign::WholeList => response.is_whole_list(),
            Sign::Answer | Sign::Nothing => false,
        };
        let elsewhere = response.is_unknown_path() && was_elsewhere(&parts.path);
        let bare = response.is_bare_list() && parts.needs.doubts_bare_list(server);
        let mut needs = parts.needs.iter();
        elsewhere
            || bare
            || needs.any(|needed| server.offers(needed).is_none() && shows(needed.sign()))
    }

    /// Asks the server for its version, within the time of the call that needs to know; what is
    /// known of the server then.
    pub(super) async fn ask_version<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        progress: &Progress<'_>,
    ) -> Server {
        let now = effects.now().monotonic;
        // The call itself has not been sent yet.
        let within = HASTE.min(self.time_left(parts, progress, now) / 2);
        while self.version.is_worth_asking(effects.now().monotonic) {
            let question = self.version.question.join(0, || {
                let effects = effects.clone();
                Box::pin(async move { effects.core().ask_version_now(&effects, within).await })
            });
            // If whoever asked has panicked, somebody else may ask.
            if let Some(question) = question {
                if question.await.is_some() {
                    break;
                }
            }
        }
        self.server()
    }

    async fn ask_version_now<E: Effects>(&self, effects: &E, within: Duration) {
        let now = effects.now().monotonic;
        if !self.version.is_worth_asking(now) {
            return;
        }
        let retry = RetryPolicy::never();
        let request = version_request();
        let mut question = Progress::new(&retry, Limit::new(now, within));
        let answer = self.transmit(effects, &request.parts, &Credential::None, &mut question).await;
        if !answer.is_ok_and(|response| self.learn_version(&response)) {
            self.version.learn(Learned::Failed(now));
        }
    }

    /// Takes over the version from the answer to a request for it, unless that says nothing of what
    /// the next answer will be.
    pub(super) fn learn_version(&self, response: &Response) -> bool {
        let status = response.status();
        let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
        if status.is_server_error() || passing.contains(&status) {
            return false;
        }
        let text = version_request().decode(response.clone()).ok();
        let version = text.and_then(|text| text.parse::<ServerVersion>().ok());
        self.version.learn(match version {
            Some(version) if version.is_known() => Learned::Told(version),
            _ => Learned::Untold,
        });
        true
    }

    pub(super) fn is_about_version(parts: &RequestParts) -> bool {
        parts.path == VERSION_PATH && parts.method == Method::GET
    }
}

/// Refuses what the server is known to lack.
pub(super) fn unsupported(parts: &RequestParts, server: Server) -> Result<(), Error> {
    match parts.needs.lacked_by(server) {
        None => Ok(()),
        Some(lacking) => Err(Error::new(ErrorKind::Unsupported, parts.operation)
            .with_note(format!("{lacking}, this server is {server}"))),
    }
}
