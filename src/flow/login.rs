use std::sync::Arc;

use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::transmit::{Limit, Progress};
use super::{Core, Effects};
use crate::auth::{Credential, Dialect, Probe, Received, SessionCookies, TokenPair, probe_verdict};
use crate::backend::Now;
use crate::credentials::Credentials;
use crate::error::{Error, ErrorKind};
use crate::id::Id;
use crate::observe::EventKind;
use crate::request::{Operation, Request, Response};
use crate::resource::Resource;
use crate::resources::User;

pub(super) const LOG_IN: Operation = Operation::new("log in", "");
pub(super) const LOG_OUT: Operation = Operation::new("log out", "");
const WHO_AM_I: Operation = Operation::new("retrieve", "current user");

impl Core {
    /// Logs in, in place of whatever login there is.
    pub(crate) async fn login<E: Effects>(
        &self,
        effects: &E,
        credentials: &Credentials,
    ) -> Result<(), Error> {
        let limit = Limit::new(effects.now().monotonic, self.settings.retry.total());
        let (dialect, credential) = self.open_login(effects, credentials, limit).await?;
        self.learn_dialect(dialect);
        self.adopt(effects, None, credential, Some(credentials.username().into()));
        self.tell_of_login(LOG_IN, EventKind::Login);
        Ok(())
    }

    /// Obtains a login, finding out first how this server wants it.
    pub(super) async fn open_login<E: Effects>(
        &self,
        effects: &E,
        credentials: &Credentials,
        limit: Limit,
    ) -> Result<(Dialect, Credential), Error> {
        self.may_send_secrets(LOG_IN)?;
        let known = self.auth.dialect();
        let mut dialect = match known {
            Some(dialect) => dialect,
            None => self.probe(effects, limit).await?,
        };
        let mut response = self.post_login(effects, dialect, credentials, limit).await?;
        if known.is_some() && response.is_unknown_path() {
            // The server has been upgraded meanwhile.
            dialect = self.probe(effects, limit).await?;
            response = self.post_login(effects, dialect, credentials, limit).await?;
        }
        let response = check_login(dialect, response)?;
        let now = effects.now();
        let credential = match dialect {
            Dialect::Session => SessionCookies::from_login(response.headers(), now)
                .map(|session| Credential::Session(Arc::new(session)))
                .ok_or_else(|| not_keystone(&response, "the login reply brings no session"))?,
            Dialect::Jwt => Credential::Tokens(Arc::new(read_tokens(&response, now)?)),
        };
        Ok((dialect, credential))
    }

    /// Remembers how this server wants to be told who is asking.
    pub(super) fn learn_dialect(&self, dialect: Dialect) {
        if self.auth.learn_dialect(dialect).is_some_and(|before| before != dialect) {
            // It has been upgraded meanwhile.
            self.version.forget();
            self.limits.forget();
        }
    }

    async fn post_login<E: Effects>(
        &self,
        effects: &E,
        dialect: Dialect,
        credentials: &Credentials,
        limit: Limit,
    ) -> Result<Response, Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            username: &'a str,
            password: &'a str,
        }

        let body = Body {
            username: credentials.username(),
            password: credentials.password().expose_secret(),
        };
        let request = Request::raw(LOG_IN, Method::POST, dialect.login_path())
            .with_json(&body)?
            // The second of two opens another session, which harms nobody.
            .with_idempotent(true);
        self.anonymous(effects, &request, limit).await
    }

    /// Refuses to send a secret where others could read it.
    pub(crate) fn may_send_secrets(&self, operation: Operation) -> Result<(), Error> {
        if self.base.is_confidential() || self.settings.allows_plain_http {
            return Ok(());
        }
        Err(Error::new(ErrorKind::InvalidRequest, operation).with_note(format!(
            "{} is plain http, over which anybody on the way can read passwords and sessions: \
             use https, or allow it with `danger_allow_plain_http`",
            self.base.as_str(),
        )))
    }

    /// Finds the login endpoint without sending a password anywhere.
    async fn probe<E: Effects>(&self, effects: &E, limit: Limit) -> Result<Dialect, Error> {
        let mut absent = None;
        for dialect in [Dialect::Session, Dialect::Jwt] {
            let request = Request::raw(LOG_IN, Method::GET, dialect.login_path());
            let response = self.anonymous(effects, &request, limit).await?;
            match probe_verdict(&response) {
                Probe::Present => return Ok(dialect),
                Probe::Absent => absent = Some(response),
                Probe::Unclear => {
                    let status = response.status();
                    // Proxies limit with pages of their own.
                    let is_throttled = status == StatusCode::TOO_MANY_REQUESTS;
                    let is_answer = status.is_redirection() || status.is_server_error();
                    return Err(if is_answer || is_throttled {
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
        let (logins, mut outcome) = self.forget();
        for login in &logins {
            let ended = self.end_on_server(effects, login).await.map_err(|error| {
                error.with_note(
                    "this client has forgotten the login, but it may go on existing on the server",
                )
            });
            outcome = outcome.and(ended);
        }
        outcome
    }

    /// Tells the server that a login is over. That it was over already is no error.
    pub(super) async fn end_on_server<E: Effects>(
        &self,
        effects: &E,
        login: &Credential,
    ) -> Result<(), Error> {
        let mut call = Request::raw(LOG_OUT, Method::POST, Dialect::Session.logout_path());
        let credential = match login {
            Credential::Session(_) => login,
            Credential::Tokens(tokens) => {
                call = Request::raw(LOG_OUT, Method::POST, Dialect::Jwt.logout_path())
                    .with_json(&RefreshBody::of(tokens))?;
                // The token endpoints look at the body alone.
                &Credential::None
            }
            _ => return Ok(()),
        };
        // The second of two ends what the first has ended.
        let call = call.with_idempotent(true);
        let limit = Limit::new(effects.now().monotonic, self.settings.retry.total());
        let mut progress = Progress::new(&self.settings.retry, limit);
        let outcome = self.transmit(effects, &call.parts, credential, &mut progress).await;
        match outcome.and_then(Response::error_for_status) {
            Ok(_) => Ok(()),
            Err(error) if error.status() == Some(StatusCode::UNAUTHORIZED) => Ok(()),
            Err(error) if error.is_unauthenticated() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The user who is logged in, by the server's word.
    pub(crate) async fn current_user<E: Effects>(
        &self,
        effects: &E,
    ) -> Result<Option<User>, Error> {
        let limit = Limit::new(effects.now().monotonic, self.settings.retry.total());
        match self.prepare(effects, &self.auth.snapshot(), limit).await {
            Err(error) if error.is_unauthenticated() && !self.renewal.has_sources() => {
                return Ok(None);
            }
            outcome => _ = outcome?,
        }
        let request = match &self.auth.snapshot().credential {
            Credential::None | Credential::Ended | Credential::LoggedOut => return Ok(None),
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

    /// Sends a request without any credential.
    async fn anonymous<E: Effects, T>(
        &self,
        effects: &E,
        request: &Request<T>,
        limit: Limit,
    ) -> Result<Response, Error> {
        let mut progress = Progress::new(&self.settings.retry, limit);
        self.transmit(effects, &request.parts, &Credential::None, &mut progress).await
    }
}

#[derive(Serialize)]
pub(super) struct RefreshBody<'a> {
    refresh: &'a str,
}

impl<'a> RefreshBody<'a> {
    pub(super) fn of(tokens: &'a TokenPair) -> Self {
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
        Dialect::Jwt => response.denies_login(),
    };
    if refused {
        return Err(Error::from_response(&response).with_kind(ErrorKind::InvalidCredentials));
    }
    if status == StatusCode::UNAUTHORIZED && !refused {
        return Err(not_keystone(
            &response,
            "something before the server wants a login of its own",
        ));
    }
    if status.is_success() && !response.is_json() {
        return Err(not_keystone(&response, "the login endpoint answers with a page"));
    }
    response.error_for_status()
}

fn read_tokens(response: &Response, now: Now) -> Result<TokenPair, Error> {
    #[derive(Deserialize)]
    struct Pair {
        access: SecretString,
        refresh: SecretString,
    }
    let pair: Pair = response.json()?;
    let received = Received::new(response.headers(), now);
    TokenPair::new(pair.access.expose_secret(), pair.refresh, received)
        .ok_or_else(|| not_keystone(response, "the access token is no header value"))
}

pub(super) fn not_keystone(response: &Response, note: &'static str) -> Error {
    response.error(ErrorKind::NotKeystone).with_note(note)
}
