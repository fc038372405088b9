//! Who sends a request, and the endpoints where one logs in and out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode, header};

use crate::sandbox::access::{self, Caller};
use crate::sandbox::cell::Cell;
use crate::sandbox::era::{LoginAnswer, Scheme};
use crate::sandbox::incoming::Incoming;
use crate::sandbox::json::Json;
use crate::sandbox::reply::{Body, Failure, Reply};
use crate::sandbox::routes::Endpoint;
use crate::sandbox::schema::{Column, Kind, Resource};
use crate::sandbox::server::Server;
use crate::sandbox::sessions::{self, CookieOptions, Spoilt};
use crate::sandbox::tokens::{Refused, Token, Use};
use crate::sandbox::validate::{Mode, Target};

static CREDENTIALS: &[Column] = &[
    Column::long_text("username").required(),
    Column::new("password", Kind::Text { max: None, trim: false }).required(),
];

/// The JWT dialect trims the password, too.
static TRIMMED_CREDENTIALS: &[Column] =
    &[Column::long_text("username").required(), Column::long_text("password").required()];

static REFRESH: &[Column] = &[Column::long_text("refresh").required()];

/// Who sends a request.
#[derive(Default)]
pub(crate) struct Identity {
    pub(crate) caller: Option<Caller>,
    /// The key of the session, if that is how the caller is known.
    pub(crate) session: Option<String>,
}

fn unauthenticated<const N: usize>(members: [(&'static str, Json); N]) -> Failure {
    Failure::Unauthenticated(Json::object(members))
}

fn unauthenticated_detail(text: &str) -> Failure {
    unauthenticated([("detail", Json::text(text))])
}

fn token_failure(text: &str, code: &str) -> Failure {
    unauthenticated([("detail", Json::text(text)), ("code", Json::text(code))])
}

impl Server {
    /// Finds out who sends a request, and checks it against forgery.
    pub(crate) fn identify(
        &self,
        endpoint: Endpoint,
        incoming: &Incoming,
        spoilt: &mut Spoilt,
    ) -> Result<Identity, Failure> {
        match self.schema.era.scheme {
            Scheme::Bearer => self.identify_by_access_token(incoming),
            Scheme::Token => match self.identify_by_api_token(incoming)? {
                Some(caller) => Ok(Identity { caller: Some(caller), session: None }),
                None => self.identify_by_session(endpoint, incoming, spoilt),
            },
            Scheme::Basic => match self.identify_by_session(endpoint, incoming, spoilt)? {
                found @ Identity { caller: Some(_), .. } => Ok(found),
                nobody => Ok(Identity { caller: self.identify_by_password(incoming)?, ..nobody }),
            },
        }
    }

    fn identify_by_password(&self, incoming: &Incoming) -> Result<Option<Caller>, Failure> {
        let header = incoming.header(header::AUTHORIZATION).unwrap_or_default();
        let mut words = header.split_whitespace();
        if !words.next().is_some_and(|keyword| keyword.eq_ignore_ascii_case("basic")) {
            return Ok(None);
        }
        let (Some(text), None) = (words.next(), words.next()) else {
            return Err(unauthenticated_detail("Invalid basic header. No credentials provided."));
        };
        let decoded = STANDARD.decode(text).ok().and_then(|it| String::from_utf8(it).ok());
        let Some((username, password)) = decoded.as_deref().and_then(|it| it.split_once(':'))
        else {
            let text = "Invalid basic header. Credentials not correctly base64 encoded.";
            return Err(unauthenticated_detail(text));
        };
        let user = self.check_credentials(username, password);
        let user = user.ok_or_else(|| unauthenticated_detail("Invalid username/password."))?;
        Ok(Caller::new(&self.store, user, true))
    }

    fn identify_by_api_token(&self, incoming: &Incoming) -> Result<Option<Caller>, Failure> {
        let Some(value) = incoming.headers.get(header::AUTHORIZATION) else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(value.as_bytes());
        let mut words = text.split_whitespace();
        if !words.next().is_some_and(|keyword| keyword.eq_ignore_ascii_case("token")) {
            return Ok(None);
        }
        let problem = match (words.next(), words.next()) {
            (None, _) => "Invalid token header. No credentials provided.",
            (Some(_), Some(_)) => "Invalid token header. Token string should not contain spaces.",
            (Some(token), None) if !token.is_ascii() => {
                "Invalid token header. Token string should not contain invalid characters."
            }
            (Some(token), None) => {
                let mut known = self.api_tokens.iter();
                let owner = known.find(|(_, known)| known == token);
                let Some(user) = owner.and_then(|(name, _)| self.user_named(name)) else {
                    return Err(unauthenticated_detail("Invalid token."));
                };
                if access::is_active(&self.store, user) == Some(true) {
                    // The change log names whoever the session belongs to, if there is one.
                    let caller = Caller::new(&self.store, user, false);
                    let actor = self.session_user(incoming);
                    return Ok(caller.map(|caller| caller.named(actor)));
                }
                "User inactive or deleted."
            }
        };
        Err(unauthenticated_detail(problem))
    }

    fn identify_by_session(
        &self,
        endpoint: Endpoint,
        incoming: &Incoming,
        spoilt: &mut Spoilt,
    ) -> Result<Identity, Failure> {
        let Some(key) = incoming.cookie("sessionid") else {
            return Ok(Identity::default());
        };
        let session = self.sessions.find(&key, self.clock.now());
        let session = session.filter(|session| {
            let password = self.user_text(session.user, "password");
            password.is_none_or(|password| password == &*session.password)
        });
        let Some(session) = session else {
            spoilt.session = true;
            return Ok(Identity::default());
        };
        if access::is_active(&self.store, session.user) != Some(true) {
            return Ok(Identity::default());
        }
        let checked = sessions::check_csrf(incoming, &self.config.trusted_origins);
        // The token may be in the body, which is read before it is compared.
        let compares = checked.as_ref().err().is_none_or(|reason| reason.starts_with("CSRF token"));
        if incoming.method == Method::POST && compares {
            match endpoint {
                Endpoint::Batch => incoming.input_without_lines()?,
                _ => incoming.input()?,
            };
        }
        if let Err(reason) = checked {
            spoilt.csrf = reason.starts_with("CSRF cookie has");
            let text = format!("CSRF Failed: {reason}");
            return Err(Failure::detail(StatusCode::FORBIDDEN, text));
        }
        let caller = Caller::new(&self.store, session.user, true);
        Ok(Identity { caller, session: Some(key) })
    }

    fn identify_by_access_token(&self, incoming: &Incoming) -> Result<Identity, Failure> {
        let header = incoming.header(header::AUTHORIZATION).unwrap_or_default();
        let mut words = header.split_whitespace();
        if words.next() != Some("Bearer") {
            return Ok(Identity::default());
        }
        let (Some(text), None) = (words.next(), words.next()) else {
            let text = "Authorization header must contain two space-delimited values";
            return Err(token_failure(text, "bad_authorization_header"));
        };
        let checked = self.tokens.check(text, Use::Access, self.clock.now());
        let token = checked.map_err(|refused| {
            let message = Json::object([
                ("token_class", Json::text("AccessToken")),
                ("token_type", Json::text("access")),
                ("message", Json::text(refused.message())),
            ]);
            unauthenticated([
                ("detail", Json::text("Given token not valid for any token type")),
                ("code", Json::text("token_not_valid")),
                ("messages", Json::List(vec![message])),
            ])
        })?;
        match access::is_active(&self.store, token.user) {
            None => Err(token_failure("User not found", "user_not_found")),
            Some(false) => Err(token_failure("User is inactive", "user_inactive")),
            Some(true) => {
                let caller = Caller::new(&self.store, token.user, true);
                Ok(Identity { caller, session: None })
            }
        }
    }

    /// The active user of the session that a request belongs to, whatever else is wrong with it.
    pub(crate) fn session_user(&self, incoming: &Incoming) -> Option<i64> {
        let has_sessions = self.schema.era.scheme != Scheme::Bearer;
        let key = incoming.cookie("sessionid").filter(|_| has_sessions)?;
        let session = self.sessions.find(&key, self.clock.now())?;
        let same_password = self.user_text(session.user, "password") == Some(&*session.password);
        (same_password && access::is_active(&self.store, session.user)?).then_some(session.user)
    }

    pub(crate) fn user_named(&self, username: &str) -> Option<i64> {
        let column = self.schema.table(Resource::Users)?.column_index("username")?;
        self.store.find(Resource::Users, column, username)
    }

    fn user_text(&self, user: i64, column: &str) -> Option<&str> {
        let table = self.schema.table(Resource::Users)?;
        self.store.get(Resource::Users, user)?.named(table, column).as_text()
    }

    /// The texts of a body with the given columns.
    fn texts<const N: usize>(
        &self,
        incoming: &Incoming,
        columns: &'static [Column],
    ) -> Result<[String; N], Failure> {
        let input = incoming.input()?;
        let target = Target {
            store: &self.store,
            columns,
            table: None,
            row: None,
            caller: None,
            mode: Mode::Create,
        };
        let mut texts = target.validate(&input)?.into_iter().map(|(_, cell)| match cell {
            Cell::Text(text) => text.into_string(),
            _ => String::new(),
        });
        Ok(std::array::from_fn(|_| texts.next().unwrap_or_default()))
    }

    /// The active user with a name and a password.
    fn check_credentials(&self, username: &str, password: &str) -> Option<i64> {
        let user = self.user_named(username)?;
        let fits = self.secrets.fits(password, self.user_text(user, "password")?);
        (fits && access::is_active(&self.store, user)?).then_some(user)
    }

    /// Logs a user in. The result is the answer, and who that user is.
    pub(crate) fn log_in(
        &mut self,
        incoming: &Incoming,
        session: Option<&str>,
    ) -> Result<(Reply, i64), Failure> {
        let [username, password] = self.texts(incoming, CREDENTIALS)?;
        let Some(user) = self.check_credentials(&username, &password) else {
            return Err(Failure::non_field(match self.schema.era.login {
                LoginAnswer::Key => "Unable to log in with provided credentials.",
                LoginAnswer::User => "Invalid username or password.",
            }));
        };
        let now = self.clock.now();
        let same_user =
            |key: &&str| self.sessions.find(key, now).is_some_and(|session| session.user == user);
        let kept = session.filter(same_user).map(str::to_owned);
        if let (None, Some(key)) = (&kept, session) {
            self.sessions.close(key);
        }
        let lifetime = self.config.session_lifetime;
        let key = match kept {
            Some(key) => {
                self.sessions.renew(&key, now, lifetime);
                key
            }
            None => {
                let digest = self.user_text(user, "password").unwrap_or_default().to_owned();
                self.sessions.open(&mut self.random, user, &digest, now, lifetime)
            }
        };
        self.pen(None, None).note_login(user);
        let mut reply = match self.schema.era.login {
            LoginAnswer::Key => {
                let key = self.api_token_of(&username);
                Reply::ok(Json::object([("key", Json::Text(key))]))
            }
            LoginAnswer::User => {
                let caller = Caller::new(&self.store, user, true);
                self.whoami(&caller.ok_or_else(Failure::not_found)?)?
            }
        };
        self.config.cookies.set_csrf(&mut reply, &mut self.random, now);
        self.config.cookies.set_session(&mut reply, &key, now, lifetime);
        Ok((reply, user))
    }

    /// The token of a user, who has one from now on.
    fn api_token_of(&mut self, username: &str) -> String {
        if let Some((_, token)) = self.api_tokens.iter().find(|(name, _)| name == username) {
            return token.clone();
        }
        let token = format!("{:032x}{:08x}", self.random.u128(..), self.random.u32(..));
        self.api_tokens.push((username.to_owned(), token.clone()));
        token
    }

    pub(crate) fn log_out(&mut self, session: Option<&str>, caller: Option<&Caller>) -> Reply {
        let mut reply = match self.schema.era.login {
            LoginAnswer::Key => {
                let user = caller.and_then(|caller| self.user_text(caller.user, "username"));
                if let Some(username) = user.map(str::to_owned) {
                    self.api_tokens.retain(|(name, _)| *name != username);
                }
                Reply::ok(Json::object([("detail", Json::text("Successfully logged out."))]))
            }
            LoginAnswer::User => Reply::new(StatusCode::OK, Body::Empty),
        };
        if let Some(key) = session {
            self.sessions.close(key);
            CookieOptions::delete_session(&mut reply);
        }
        reply
    }

    pub(crate) fn whoami(&self, caller: &Caller) -> Result<Reply, Failure> {
        let table = self.schema.table(Resource::Users).ok_or_else(Failure::not_found)?;
        Ok(Reply::ok(self.record(table, caller.user, caller, true)?))
    }

    pub(crate) fn new_tokens(&mut self, incoming: &Incoming) -> Result<Reply, Failure> {
        let [username, password] = self.texts(incoming, TRIMMED_CREDENTIALS)?;
        let Some(user) = self.check_credentials(&username, &password) else {
            let text = "No active account found with the given credentials";
            return Err(unauthenticated_detail(text));
        };
        self.pen(None, None).note_login(user);
        let now = self.clock.now();
        let lifetime = self.config.refresh_token_lifetime;
        let refresh = self.tokens.issue(&mut self.random, Use::Refresh, user, now, lifetime, None);
        let lifetime = self.config.access_token_lifetime;
        let access = self.tokens.issue(&mut self.random, Use::Access, user, now, lifetime, None);
        let tokens = [("refresh", Json::Text(refresh)), ("access", Json::Text(access))];
        Ok(Reply::ok(Json::object(tokens)))
    }

    /// The refresh token in a body.
    fn given_refresh_token(&self, incoming: &Incoming) -> Result<(String, Token), Failure> {
        let [text] = self.texts(incoming, REFRESH)?;
        let checked = self.tokens.check(&text, Use::Refresh, self.clock.now());
        let refusal = |refused: Refused| token_failure(refused.message(), "token_not_valid");
        checked.map_err(refusal).map(|token| (text, token))
    }

    pub(crate) fn refresh_token(&mut self, incoming: &Incoming) -> Result<Reply, Failure> {
        let (_, token) = self.given_refresh_token(incoming)?;
        let (now, lifetime) = (self.clock.now(), self.config.access_token_lifetime);
        let access = self.tokens.issue(
            &mut self.random,
            Use::Access,
            token.user,
            now,
            lifetime,
            Some(token),
        );
        Ok(Reply::ok(Json::object([("access", Json::Text(access))])))
    }

    pub(crate) fn blacklist_token(&mut self, incoming: &Incoming) -> Result<Reply, Failure> {
        let (text, _) = self.given_refresh_token(incoming)?;
        self.tokens.blacklist(&text);
        Ok(Reply::ok(Json::Object(Vec::new())))
    }
}
