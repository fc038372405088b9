use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::transmit::Progress;
use super::{Core, Effects};
use crate::auth::{Credential, Dialect, Probe, SessionCookies, Snapshot, TokenPair, probe_verdict};
use crate::error::{Error, ErrorKind};
use crate::id::Id;
use crate::request::{Operation, Request, Response};
use crate::resource::Resource;
use crate::resources::User;

const LOG_IN: Operation = Operation::new("log in", "");
const LOG_OUT: Operation = Operation::new("log out", "");
const REFRESH: Operation = Operation::new("refresh", "access token");
const WHO_AM_I: Operation = Operation::new("retrieve", "current user");

/// User name and password as the login endpoints take them.
pub(crate) struct Login {
    username: String,
    password: SecretString,
}

impl Login {
    pub(crate) fn new(username: &str, password: &str) -> Self {
        Self { username: username.to_owned(), password: password.into() }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Core {
    /// Logs in, finding out first how this server wants it.
    pub(crate) async fn login<E: Effects>(&self, effects: &E, login: &Login) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            username: &'a str,
            password: &'a str,
        }

        let _gate = self.auth.gate().await;
        let started = effects.now().monotonic;
        let dialect = match self.auth.snapshot().dialect {
            Some(dialect) => dialect,
            None => self.probe(effects, started).await?,
        };
        let request =
            Request::raw(LOG_IN, Method::POST, dialect.login_path()).with_json(&Body {
                username: &login.username,
                password: login.password.expose_secret(),
            })?;
        let response = self.anonymous(effects, &request, started).await?;
        let response = check_login(dialect, response)?;
        let wall = effects.now().wall;
        let credential = match dialect {
            Dialect::Session => SessionCookies::from_login(response.headers(), wall)
                .map(|session| Credential::Session(Arc::new(session)))
                .ok_or_else(|| not_keystone(&response, "the login reply brings no session"))?,
            Dialect::Jwt => Credential::Tokens(Arc::new(read_tokens(&response, wall)?)),
        };
        self.auth.learn_dialect(dialect);
        self.auth.replace(credential);
        Ok(())
    }

    /// Finds the login endpoint without sending a password anywhere.
    async fn probe<E: Effects>(&self, effects: &E, started: Instant) -> Result<Dialect, Error> {
        let mut absent = None;
        for dialect in [Dialect::Session, Dialect::Jwt] {
            let request = Request::raw(LOG_IN, Method::GET, dialect.login_path());
            let response = self.anonymous(effects, &request, started).await?;
            match probe_verdict(&response) {
                Probe::Present => return Ok(dialect),
                Probe::Absent => absent = Some(response),
                Probe::Unclear => {
                    let status = response.status();
                    return Err(if status.is_redirection() || status.is_server_error() {
                        Error::from_response(&response)
                    } else {
                        not_keystone(&response, "the login endpoint does not answer like one")
                    });
                }
            }
        }
        let error = match &absent {
            Some(response) => response.error(ErrorKind::NotKeystone),
            None => Error::new(ErrorKind::NotKeystone, LOG_IN),
        };
        Err(error.with_note(format!(
            "neither {} nor {} exists below {}",
            Dialect::Session.login_path(),
            Dialect::Jwt.login_path(),
            self.base.as_str(),
        )))
    }

    /// Ends the login on the server, and here whatever the server says.
    pub(crate) async fn logout<E: Effects>(&self, effects: &E) -> Result<(), Error> {
        // Forgotten first: whatever comes of telling the server, this client is logged out.
        let present = self.auth.take();
        let mut call = Request::raw(LOG_OUT, Method::POST, Dialect::Session.logout_path());
        let credential = match &present {
            Credential::None | Credential::Ended | Credential::ApiToken(_) => return Ok(()),
            Credential::Session(_) => &present,
            Credential::Tokens(tokens) => {
                call = Request::raw(LOG_OUT, Method::POST, Dialect::Jwt.logout_path())
                    .with_json(&RefreshBody::of(tokens))?;
                // The token endpoints look at the body alone.
                &Credential::None
            }
        };
        // The second of two ends what the first has ended.
        let call = call.with_idempotent(true);
        let mut progress = Progress::new(&self.settings.retry, effects.now().monotonic);
        let outcome = self.transmit(effects, &call.parts, credential, &mut progress).await;
        match outcome.and_then(Response::error_for_status) {
            Ok(_) => Ok(()),
            // It was over already.
            Err(error) if error.status() == Some(StatusCode::UNAUTHORIZED) => Ok(()),
            Err(error) if error.is_unauthenticated() => Ok(()),
            Err(error) => Err(error.with_note(
                "this client has forgotten the login, but it may go on existing on the server",
            )),
        }
    }

    /// The user who is logged in, by the server's word.
    pub(crate) async fn current_user<E: Effects>(
        &self,
        effects: &E,
    ) -> Result<Option<User>, Error> {
        let request = match &self.auth.snapshot().credential {
            Credential::None | Credential::Ended => return Ok(None),
            Credential::Session(_) | Credential::ApiToken(_) => {
                Request::json(WHO_AM_I, Method::GET, "authentication/whoami/")
            }
            // Servers of this dialect have no such endpoint; the token names the user.
            Credential::Tokens(tokens) => match tokens.user_id() {
                Some(id) => {
                    let id: Id<User> = Id::new(id);
                    Request::json(WHO_AM_I, Method::GET, format!("{}/{id}/", User::PATH))
                }
                None => {
                    return Err(Error::new(ErrorKind::Decode, WHO_AM_I)
                        .with_note("the access token does not name its user"));
                }
            },
        };
        match self.send(effects, &request).await {
            Ok(user) => Ok(Some(user)),
            Err(error) if error.is_unauthenticated() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Exchanges the refresh token for a new access token.
    pub(super) async fn refresh_tokens<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
        progress: &mut Progress<'_>,
    ) -> Result<Credential, Error> {
        #[derive(Deserialize)]
        struct Renewed {
            access: SecretString,
            refresh: Option<SecretString>,
        }

        let expired = || Error::new(ErrorKind::SessionExpired, REFRESH);
        let Credential::Tokens(tokens) = &seen.credential else {
            return Err(expired());
        };
        if tokens.has_expired(effects.now().wall) {
            return Err(expired().with_note("the refresh token has expired; log in again"));
        }
        let request = Request::raw(REFRESH, Method::POST, "authentication/refresh/")
            .with_json(&RefreshBody::of(tokens))?
            // Refresh tokens are not used up, so asking twice does no harm.
            .with_idempotent(true);
        let response = self.transmit(effects, &request.parts, &Credential::None, progress).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Err(response
                .error(ErrorKind::SessionExpired)
                .with_note("the server refused the refresh token; log in again"));
        }
        let response = response.error_for_status()?;
        let renewed: Renewed = response.json()?;
        tokens
            .renewed(renewed.access.expose_secret(), renewed.refresh, effects.now().wall)
            .map(|tokens| Credential::Tokens(Arc::new(tokens)))
            .ok_or_else(|| not_keystone(&response, "the access token is no header value"))
    }

    /// Sends a request without any credential.
    async fn anonymous<E: Effects, T>(
        &self,
        effects: &E,
        request: &Request<T>,
        started: Instant,
    ) -> Result<Response, Error> {
        let mut progress = Progress::new(&self.settings.retry, started);
        self.transmit(effects, &request.parts, &Credential::None, &mut progress).await
    }
}

#[derive(Serialize)]
struct RefreshBody<'a> {
    refresh: &'a str,
}

impl<'a> RefreshBody<'a> {
    fn of(tokens: &'a TokenPair) -> Self {
        Self { refresh: tokens.refresh_token().expose_secret() }
    }
}

/// Sorts out the ways in which a login can fail.
fn check_login(dialect: Dialect, response: Response) -> Result<Response, Error> {
    let status = response.status();
    let refused = match dialect {
        // Complaints about single fields are about the call, not about the password.
        Dialect::Session => {
            status == StatusCode::BAD_REQUEST
                && Error::from_response(&response).is_validation("non_field_errors")
        }
        Dialect::Jwt => status == StatusCode::UNAUTHORIZED,
    };
    if refused {
        return Err(Error::from_response(&response).with_kind(ErrorKind::InvalidCredentials));
    }
    if status.is_success() && !response.is_json() {
        return Err(not_keystone(&response, "the login endpoint answers with a page"));
    }
    response.error_for_status()
}

fn read_tokens(response: &Response, wall: SystemTime) -> Result<TokenPair, Error> {
    #[derive(Deserialize)]
    struct Pair {
        access: SecretString,
        refresh: SecretString,
    }
    let pair: Pair = response.json()?;
    TokenPair::new(pair.access.expose_secret(), pair.refresh, wall)
        .ok_or_else(|| not_keystone(response, "the access token is no header value"))
}

fn not_keystone(response: &Response, note: &'static str) -> Error {
    response.error(ErrorKind::NotKeystone).with_note(note)
}
