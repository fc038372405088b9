//! The way of a request through the server, in the order in which the server checks it.

use std::time::Duration;

use fastrand::Rng;
use http::{HeaderName, Method, StatusCode, header};

use crate::sandbox::access::Caller;
use crate::sandbox::authentication::Identity;
use crate::sandbox::clock::Clock;
use crate::sandbox::files::Files;
use crate::sandbox::history::{History, Origin};
use crate::sandbox::incoming::Incoming;
use crate::sandbox::json::Json;
use crate::sandbox::reply::{Body, Failure, Reply};
use crate::sandbox::routes::{self, Endpoint, Route};
use crate::sandbox::schema::{Resource, Schema};
use crate::sandbox::sessions::{self, CookieOptions, Sessions, Spoilt};
use crate::sandbox::store::Store;
use crate::sandbox::throttle::{RateLimits, Throttle};
use crate::sandbox::tokens::Tokens;
use crate::sandbox::writes::{Pen, Secrets};
use crate::sandbox::{Dialect, specification, system};

/// What is settled when a sandbox is built.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) version: String,
    pub(crate) prefix: String,
    pub(crate) https: bool,
    pub(crate) access_token_lifetime: Duration,
    pub(crate) refresh_token_lifetime: Duration,
    pub(crate) session_lifetime: Duration,
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) trusted_origins: Vec<String>,
    pub(crate) cookies: CookieOptions,
    pub(crate) rate_limits: RateLimits,
    /// Names and messages.
    pub(crate) failing_checks: Vec<(String, String)>,
}

/// The server with all its memory.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) config: Config,
    pub(crate) schema: &'static Schema,
    pub(crate) clock: Clock,
    pub(crate) store: Store,
    pub(crate) history: History,
    pub(crate) secrets: Secrets,
    pub(crate) random: Rng,
    pub(crate) files: Files,
    pub(crate) sessions: Sessions,
    pub(crate) tokens: Tokens,
    pub(crate) throttle: Throttle,
    /// The size of the request log.
    pub(crate) logged_bytes: usize,
    /// Names of users and their API tokens.
    pub(crate) api_tokens: Vec<(String, String)>,
}

impl Server {
    pub(crate) fn pen<'a>(
        &'a mut self,
        caller: Option<&'a Caller>,
        origin: Option<&'a Origin>,
    ) -> Pen<'a> {
        Pen {
            now: self.clock.microseconds(),
            store: &mut self.store,
            history: &mut self.history,
            secrets: &self.secrets,
            random: &mut self.random,
            files: &mut self.files,
            caller,
            origin,
        }
    }

    /// Stores a file of this name and returns its path.
    pub(crate) fn store_file(&mut self, name: &str) -> String {
        self.files.store(&mut self.random, name)
    }

    /// Runs a write; all it did is taken back if it fails. One may run within another.
    pub(crate) fn transaction<T>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.transaction_or_trial(false, write)
    }

    /// Runs a write as [`transaction`](Self::transaction) does, or as a trial: then all it did is
    /// taken back in any case.
    pub(crate) fn transaction_or_trial<T>(
        &mut self,
        trial: bool,
        write: impl FnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let logged = self.history.mark();
        let mark = self.store.begin();
        let result = write(self);
        if result.is_ok() && !trial {
            self.store.commit(mark);
        } else {
            self.store.roll_back(mark);
            self.history.roll_back(logged);
        }
        if !self.store.is_in_transaction() {
            self.history.settle();
        }
        result
    }

    /// Answers a request.
    pub(crate) fn answer(&mut self, incoming: &Incoming) -> Reply {
        let mut user = self.session_user(incoming);
        let mut reply = self.reply(incoming, &mut user);
        // What logs requests reads the body as text, unless it was read before.
        let unreadable = || std::str::from_utf8(&incoming.body).is_err() && !incoming.is_parsed();
        // Nor can it name a user who is gone by then.
        let is_gone = |user| !self.store.exists(Resource::Users, user);
        if self.schema.era.fragile_log && (unreadable() || user.is_some_and(is_gone)) {
            return self.with_common_headers(Reply::server_error());
        }
        self.share(incoming, &mut reply);
        if !is_preflight(incoming) && self.is_allowed_host(&incoming.host) {
            self.log_request(incoming, &reply, user);
        }
        reply
    }

    /// The answer, and the user who turned out to be asking: by the session, unless the API has
    /// looked at the credentials itself.
    fn reply(&mut self, incoming: &Incoming, user: &mut Option<i64>) -> Reply {
        if is_preflight(incoming) {
            return self.preflight_reply(incoming);
        }
        if !self.is_allowed_host(&incoming.host) {
            return match self.schema.dialect {
                Dialect::Session => Reply::server_error().with(header::VARY, "origin"),
                Dialect::Jwt => Reply::from(Failure::BadRequestPage),
            };
        }
        let (endpoint, id) = match routes::find(self.schema, &incoming.path) {
            Route::To(endpoint, id) => (endpoint, id),
            Route::UnknownForm(endpoint) => {
                let mut reply = Reply::from(Failure::not_found());
                reply.add(header::ALLOW, endpoint.allow(&self.schema.era).unwrap_or_default());
                return self.with_common_headers(self.as_page(reply));
            }
            Route::Unknown => {
                return self.with_common_headers(self.as_page(Reply::unknown_route()));
            }
            Route::AddSlash => {
                let query = match incoming.raw_query.as_str() {
                    "" => String::new(),
                    query => format!("?{query}"),
                };
                let target = format!("{}{}/{query}", incoming.prefix, incoming.path);
                return self.with_common_headers(Reply::moved(&target));
            }
        };
        let reply = match endpoint.allow(&self.schema.era) {
            None => self.as_page(self.answer_page(endpoint, incoming)),
            Some(allow) => self.answer_api(endpoint, id.as_deref(), allow, incoming, user),
        };
        self.with_common_headers(reply)
    }

    /// Beside the API, answers of the older dialect depend on the session of its pages for browsers.
    fn as_page(&self, reply: Reply) -> Reply {
        match self.schema.dialect {
            Dialect::Session => reply,
            Dialect::Jwt => reply.with(header::VARY, "origin, Cookie"),
        }
    }

    fn with_common_headers(&self, mut reply: Reply) -> Reply {
        let is_moved = reply.status == StatusCode::MOVED_PERMANENTLY;
        // The description of the API names what its form depends on by itself.
        if !reply.headers.contains_key(header::VARY) {
            let vary = match self.schema.dialect {
                Dialect::Session => "Cookie, origin",
                Dialect::Jwt if is_moved => "Cookie",
                Dialect::Jwt => "origin",
            };
            reply.add_static(header::VARY, vary);
        }
        if !is_moved {
            reply.add_static(header::X_FRAME_OPTIONS, "DENY");
        }
        with_safety_headers(reply)
    }

    /// The answer to a browser that asks what pages of another origin may do.
    fn preflight_reply(&self, incoming: &Incoming) -> Reply {
        let reply = Reply::new(StatusCode::OK, Body::EmptyPage).with(header::VARY, "origin");
        let origin = incoming.header(header::ORIGIN).unwrap_or_default();
        let is_listed = self.config.trusted_origins.iter().any(|it| *it == origin);
        let reply = match self.schema.dialect {
            Dialect::Session if !is_listed => return reply,
            Dialect::Session => reply,
            Dialect::Jwt => with_safety_headers(reply).with(header::X_FRAME_OPTIONS, "DENY"),
        };
        let headers = if self.schema.era.correlates {
            "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with, \
             x-keystone-cid"
        } else {
            "accept, authorization, content-type, user-agent, x-csrftoken, x-requested-with"
        };
        reply
            .with(header::ACCESS_CONTROL_ALLOW_HEADERS, headers)
            .with(header::ACCESS_CONTROL_ALLOW_METHODS, "DELETE, GET, OPTIONS, PATCH, POST, PUT")
            .with(header::ACCESS_CONTROL_MAX_AGE, "86400")
    }

    /// Lets pages of other origins read the answer.
    fn share(&self, incoming: &Incoming, reply: &mut Reply) {
        let Some(origin) = incoming.header(header::ORIGIN) else {
            return;
        };
        match self.schema.dialect {
            Dialect::Jwt => reply.add(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            Dialect::Session if self.config.trusted_origins.iter().any(|it| *it == origin) => {
                reply.add(header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
                reply.add(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
            }
            Dialect::Session => {}
        }
    }

    fn is_allowed_host(&self, host: &str) -> bool {
        let Some(name) = host_name(host) else {
            return false;
        };
        let allowed = &self.config.allowed_hosts;
        allowed.is_empty() || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }

    /// A page outside the API: without login, and with its own check of unsafe methods.
    fn answer_page(&self, endpoint: Endpoint, incoming: &Incoming) -> Reply {
        if sessions::check_csrf(incoming, &self.config.trusted_origins).is_err() {
            return Reply::csrf_page();
        }
        let version = &self.config.version;
        let text = match endpoint {
            Endpoint::Version => version.clone(),
            Endpoint::Metrics => {
                return Reply::new(StatusCode::OK, system::metrics(&self.store));
            }
            _ => format!("Keystone API Version {version}"),
        };
        Reply::new(StatusCode::OK, Body::Text("text/html; charset=utf-8", text))
    }

    fn answer_api(
        &mut self,
        endpoint: Endpoint,
        id: Option<&str>,
        allow: &'static str,
        incoming: &Incoming,
        user: &mut Option<i64>,
    ) -> Reply {
        let mut spoilt = Spoilt::default();
        let result = self.checked(endpoint, id, allow, incoming, &mut spoilt, user);
        let challenge = self.schema.era.challenge;
        let mut reply = match result {
            Ok(reply) => reply,
            // Without a challenge to offer, the server may not say 401.
            Err(Failure::Unauthenticated(body)) if challenge.is_none() => {
                Reply::json(StatusCode::FORBIDDEN, body)
            }
            Err(failure) => Reply::from(failure),
        };
        if let Endpoint::Specification(form) = endpoint {
            specification::shape(form, self.schema.dialect, incoming, &mut reply);
        }
        if spoilt.session && !reply.headers.contains_key(header::SET_COOKIE) {
            CookieOptions::delete_session(&mut reply);
        }
        if spoilt.csrf {
            self.config.cookies.set_csrf(&mut reply, &mut self.random, self.clock.now());
        }
        if let (StatusCode::UNAUTHORIZED, Some(challenge)) = (reply.status, challenge) {
            reply.add(header::WWW_AUTHENTICATE, challenge);
        }
        if !is_html_error(&reply) {
            reply.add_static(header::ALLOW, allow);
        }
        reply
    }

    fn checked(
        &mut self,
        endpoint: Endpoint,
        id: Option<&str>,
        allow: &'static str,
        incoming: &Incoming,
        spoilt: &mut Spoilt,
        user: &mut Option<i64>,
    ) -> Result<Reply, Failure> {
        negotiate(endpoint, incoming)?;
        *user = None;
        let identity = if endpoint.ignores_credentials() {
            Identity::default()
        } else {
            self.identify(endpoint, incoming, spoilt)?
        };
        *user = identity.caller.as_ref().map(|caller| caller.user);
        self.dispatch(endpoint, id, allow, incoming, identity, user)
    }

    /// Answers a step of a batch as the user who sent the batch.
    pub(crate) fn answer_step(
        &mut self,
        incoming: &Incoming,
        caller: &Caller,
    ) -> Result<Reply, Failure> {
        let (endpoint, id) = match routes::find(self.schema, &incoming.path) {
            Route::To(endpoint, id) => (endpoint, id),
            Route::UnknownForm(_) => return Err(Failure::not_found()),
            Route::Unknown | Route::AddSlash => {
                let text = format!("No route matched: {}", incoming.path);
                return Err(Failure::detail(StatusCode::NOT_FOUND, text));
            }
        };
        let Some(allow) = endpoint.allow(&self.schema.era) else {
            // What checks unsafe methods elsewhere stands before the batch, not within.
            return Ok(Reply::new(StatusCode::OK, Body::Empty));
        };
        negotiate(endpoint, incoming)?;
        // Earlier steps may have changed to which teams the user belongs.
        let identity = Identity { caller: Some(caller.anew(&self.store)), session: None };
        let mut reply =
            self.dispatch(endpoint, id.as_deref(), allow, incoming, identity, &mut None)?;
        if !endpoint.shows_in_batches() {
            reply.body = Body::Empty;
        }
        Ok(reply)
    }

    /// The part of the way behind the login, where it is known who is asking. Logging in and out
    /// changes who that is.
    fn dispatch(
        &mut self,
        endpoint: Endpoint,
        id: Option<&str>,
        allow: &'static str,
        incoming: &Incoming,
        identity: Identity,
        user: &mut Option<i64>,
    ) -> Result<Reply, Failure> {
        if identity.caller.is_none() && !endpoint.is_public(&self.schema.era) {
            return Err(Failure::Unauthenticated(Json::object([(
                "detail",
                Json::text("Authentication credentials were not provided."),
            )])));
        }
        let permitted = match (endpoint, &identity.caller) {
            (Endpoint::List(table), Some(caller)) => self.permit(table, caller, incoming, true),
            (Endpoint::Detail(table), Some(caller)) => self.permit(table, caller, incoming, false),
            _ => Ok(()),
        };
        permitted?;
        self.throttle(&identity, incoming)?;
        let method = incoming.method.as_str();
        if !allow.split(", ").any(|allowed| allowed == method) {
            return Err(Failure::method_not_allowed(method));
        }
        if incoming.method == Method::OPTIONS {
            return Ok(self.options(endpoint, id, identity.caller.as_ref(), incoming));
        }
        match (endpoint, identity.caller) {
            (Endpoint::List(table), Some(caller)) => self.at_list(table, &caller, incoming),
            (Endpoint::Detail(table), Some(caller)) => {
                self.at_detail(table, id.unwrap_or_default(), &caller, incoming)
            }
            (Endpoint::Statistics(statistic), Some(caller)) => {
                self.statistics(statistic, &caller, incoming)
            }
            (Endpoint::Specification(_), _) => {
                Ok(Reply::ok(specification::document(self.schema, &self.config.version)))
            }
            (Endpoint::Batch, Some(caller)) => self.batch(&caller, incoming),
            // Steps have no session that could begin or end.
            (Endpoint::Login | Endpoint::Logout, _) if incoming.depth > 0 => {
                Err(Failure::ServerError)
            }
            (Endpoint::Login, _) => {
                let (reply, logged_in) = self.log_in(incoming, identity.session.as_deref())?;
                *user = Some(logged_in);
                Ok(reply)
            }
            (Endpoint::Logout, caller) => {
                *user = None;
                Ok(self.log_out(identity.session.as_deref(), caller.as_ref()))
            }
            (Endpoint::Whoami, Some(caller)) => self.whoami(&caller),
            (Endpoint::Whoami, None) => Ok(Reply::new(StatusCode::UNAUTHORIZED, Body::Empty)),
            (Endpoint::TokenNew, _) => self.new_tokens(incoming),
            (Endpoint::TokenRefresh, _) => self.refresh_token(incoming),
            (Endpoint::TokenBlacklist, _) => self.blacklist_token(incoming),
            (endpoint, _) => system::answer(endpoint, &self.config, &self.schema.era, incoming),
        }
    }
}

/// The host without its port; none if it is not written as one.
fn host_name(host: &str) -> Option<&str> {
    let (name, port) = match host.rsplit_once(':') {
        // An IPv6 address has colons of its own, and brackets around them.
        Some((_, rest)) if rest.ends_with(']') => (host, ""),
        Some((name, port)) => (name, port),
        None => (host, ""),
    };
    let is_in = |extra: &'static [u8]| {
        move |byte: u8| byte.is_ascii_alphanumeric() || extra.contains(&byte)
    };
    let is_name = match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.contains(':') && address.bytes().all(is_in(b".:")),
        None => !name.is_empty() && name.bytes().all(is_in(b".-")),
    };
    (is_name && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)
}

/// Whether the answer can have the form that is asked for.
fn negotiate(endpoint: Endpoint, incoming: &Incoming) -> Result<(), Failure> {
    if incoming.parameter("format").is_some_and(|format| format != "json" && !format.is_empty()) {
        return Err(Failure::not_found());
    }
    let accepted = match endpoint {
        Endpoint::Specification(form) => specification::content_type(form, incoming).is_some(),
        _ => accepts_json(incoming),
    };
    if accepted {
        return Ok(());
    }
    let text = "Could not satisfy the request Accept header.";
    Err(Failure::detail(StatusCode::NOT_ACCEPTABLE, text))
}

/// Whether the client takes JSON. It has to even where the answer is another text.
fn accepts_json(incoming: &Incoming) -> bool {
    incoming.header(header::ACCEPT).is_none_or(|accept| {
        accept.split(',').any(|range| {
            let range = range.split(';').next().unwrap_or_default().trim();
            matches!(range, "*/*" | "application/json" | "application/*")
        })
    })
}

fn is_html_error(reply: &Reply) -> bool {
    reply.status.as_u16() >= 400
        && matches!(reply.body, Body::Text(content_type, _) if content_type.starts_with("text/html"))
}

fn with_safety_headers(mut reply: Reply) -> Reply {
    let common = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in common {
        reply.add_static(name, value);
    }
    reply
}

fn is_preflight(incoming: &Incoming) -> bool {
    incoming.method == Method::OPTIONS
        && incoming.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}
