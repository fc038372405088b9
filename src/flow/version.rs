use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use http::Method;

use super::transmit::Progress;
use super::{Core, Effects, HASTE};
use crate::auth::Credential;
use crate::capability::{Server, ServerVersion, Sign, was_elsewhere};
use crate::error::{Error, ErrorKind};
use crate::request::{RequestParts, Response};
use crate::resources::system::{VERSION_PATH, version_request};
use crate::retry::RetryPolicy;

/// The server's version, as far as it was stated or learned.
#[derive(Debug)]
pub(crate) struct KnownVersion(Mutex<State>);

#[derive(Debug, Clone, Copy)]
enum State {
    /// Nobody has asked yet.
    Unasked,
    /// The server does not say.
    Untold,
    Told(ServerVersion),
}

impl KnownVersion {
    pub(crate) fn new(stated: Option<ServerVersion>) -> Self {
        Self(Mutex::new(stated.map_or(State::Unasked, State::Told)))
    }

    fn get(&self) -> State {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, state: State) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What was stated or learned is not taken back by a proxy that hides the version.
        if !matches!(*known, State::Told(_)) {
            *known = state;
        }
    }
}

impl Core {
    /// What is known of the server.
    pub(crate) fn server(&self) -> Server {
        match (self.version.get(), self.auth.dialect()) {
            (State::Told(version), _) => Server::of_version(version),
            (_, Some(dialect)) => dialect.server(),
            (_, None) => Server::UNKNOWN,
        }
    }

    /// What is known of the server, which is asked for its version if it would ignore in silence
    /// what the call needs.
    pub(super) async fn known_server<E: Effects>(
        &self,
        effects: &E,
        parts: &RequestParts,
        started: Instant,
    ) -> Result<Server, Error> {
        let mut server = self.server();
        let may_ignore = parts.needs.iter().any(|capability| {
            capability.sign() == Sign::Nothing && server.offers(capability).is_none()
        });
        if may_ignore {
            server = self.ask_version(effects, started).await;
        }
        unsupported(parts, server)?;
        Ok(server)
    }

    /// Whether `response` looks like one of a server that lacks what the call needs, or that has it
    /// under another path.
    pub(super) fn hides_its_age(&self, parts: &RequestParts, response: &Response) -> bool {
        let server = self.server();
        let shows = |sign: Sign| match sign {
            Sign::UnknownPath => response.is_unknown_path(),
            Sign::WholeList => response.is_whole_list(),
            Sign::Answer | Sign::Nothing => false,
        };
        let elsewhere = response.is_unknown_path() && was_elsewhere(&parts.path);
        elsewhere
            || parts
                .needs
                .iter()
                .any(|capability| server.offers(capability).is_none() && shows(capability.sign()))
    }

    /// Asks the server for its version, once; what is known of the server then.
    pub(super) async fn ask_version<E: Effects>(&self, effects: &E, started: Instant) -> Server {
        if matches!(self.version.get(), State::Unasked) {
            let request = version_request();
            let hasty = RetryPolicy::never().with_total(HASTE);
            let mut progress = Progress::new(&hasty, started);
            let answer =
                self.transmit(effects, &request.parts, &Credential::None, &mut progress).await;
            match answer {
                Ok(response) if response.status().is_success() => {
                    self.learn_version(&response);
                }
                Ok(response) if response.status().is_client_error() => {
                    self.version.learn(State::Untold);
                }
                // Nothing that would be the same the next time.
                Ok(_) | Err(_) => {}
            }
        }
        self.server()
    }

    /// Takes over the version from the answer to a request for it.
    pub(super) fn learn_version(&self, response: &Response) {
        let version = version_request().decode(response.clone()).ok();
        let version = version.and_then(|text| text.parse::<ServerVersion>().ok());
        self.version.learn(match version {
            Some(version) if version.is_known() => State::Told(version),
            _ => State::Untold,
        });
    }

    pub(super) fn is_about_version(parts: &RequestParts) -> bool {
        parts.path == VERSION_PATH && parts.method == Method::GET
    }
}

/// Refuses what the server is known to lack.
pub(super) fn unsupported(parts: &RequestParts, server: Server) -> Result<(), Error> {
    let lacking = parts.needs.iter().find(|&capability| server.offers(capability) == Some(false));
    match lacking {
        None => Ok(()),
        Some(capability) => Err(Error::new(ErrorKind::Unsupported, parts.operation)
            .with_note(format!("{}, this server is {server}", capability.bounds()))),
    }
}
