//! Sessions of the session dialect: cookies, and the check against forged requests.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use http::header;

use crate::http_date;
use crate::sandbox::incoming::Incoming;
use crate::sandbox::random;
use crate::sandbox::reply::Reply;

/// A year of 52 weeks, the life of a CSRF cookie.
const CSRF_COOKIE_AGE: u64 = 31_449_600;
const TOKEN_LENGTH: usize = 32;
/// A token masked by a second one is twice as long.
const MASKED_TOKEN_LENGTH: usize = 64;

/// One login.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) user: i64,
    /// The digest of the password at login: with another password the session is over.
    pub(crate) password: Box<str>,
    expires: SystemTime,
}

/// All logins by the value of the cookie.
#[derive(Clone, Default)]
pub(crate) struct Sessions {
    by_key: HashMap<String, Session>,
    /// Expired sessions are cleared away at this size.
    clear_at: usize,
}

impl Sessions {
    pub(crate) fn open(
        &mut self,
        random: &mut Rng,
        user: i64,
        password: &str,
        now: SystemTime,
        lifetime: Duration,
    ) -> String {
        if self.by_key.len() >= self.clear_at.max(1024) {
            self.by_key.retain(|_, session| session.expires > now);
            self.clear_at = self.by_key.len().saturating_mul(2);
        }
        let key = random::text(random, TOKEN_LENGTH).to_lowercase();
        let expires = now.checked_add(lifetime).unwrap_or(now);
        self.by_key.insert(key.clone(), Session { user, password: password.into(), expires });
        key
    }

    /// Begins the lifetime of a session anew.
    pub(crate) fn renew(&mut self, key: &str, now: SystemTime, lifetime: Duration) {
        if let Some(session) = self.by_key.get_mut(key) {
            session.expires = now.checked_add(lifetime).unwrap_or(now);
        }
    }

    pub(crate) fn find(&self, key: &str, now: SystemTime) -> Option<&Session> {
        self.by_key.get(key).filter(|session| session.expires > now)
    }

    pub(crate) fn close(&mut self, key: &str) {
        self.by_key.remove(key);
    }

    pub(crate) fn clear(&mut self) {
        self.by_key.clear();
    }
}

/// Cookies of a request that are of no use, and are replaced or deleted by the answer.
#[derive(Debug, Default)]
pub(crate) struct Spoilt {
    pub(crate) session: bool,
    pub(crate) csrf: bool,
}

/// Attributes that a server may give its cookies.
#[derive(Clone, Debug, Default)]
pub(crate) struct CookieOptions {
    pub(crate) secure: bool,
}

impl CookieOptions {
    fn tail(&self) -> &'static str {
        if self.secure { "; Secure" } else { "" }
    }

    pub(crate) fn set_session(
        &self,
        reply: &mut Reply,
        key: &str,
        now: SystemTime,
        lifetime: Duration,
    ) {
        let cookie = format!(
            "sessionid={key}; expires={}; HttpOnly; Max-Age={}; Path=/; SameSite=Lax{}",
            date(now, lifetime),
            lifetime.as_secs(),
            self.tail(),
        );
        reply.add(header::SET_COOKIE, &cookie);
    }

    pub(crate) fn set_csrf(&self, reply: &mut Reply, random: &mut Rng, now: SystemTime) {
        let cookie = format!(
            "csrftoken={}; expires={}; Max-Age={CSRF_COOKIE_AGE}; Path=/; SameSite=Lax{}",
            random::text(random, TOKEN_LENGTH),
            date(now, Duration::from_secs(CSRF_COOKIE_AGE)),
            self.tail(),
        );
        reply.add(header::SET_COOKIE, &cookie);
    }

    pub(crate) fn delete_session(reply: &mut Reply) {
        let cookie = "sessionid=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; \
                      SameSite=Lax";
        reply.add(header::SET_COOKIE, cookie);
    }
}

fn date(now: SystemTime, lifetime: Duration) -> String {
    const NEVER: &str = "Fri, 31 Dec 9999 23:59:59 GMT";
    now.checked_add(lifetime).and_then(http_date::format).unwrap_or_else(|| NEVER.to_owned())
}

/// Checks an unsafe request of a session; the error is the reason for the refusal.
pub(crate) fn check_csrf(incoming: &Incoming, trusted: &[String]) -> Result<(), String> {
    if !incoming.is_unsafe() {
        return Ok(());
    }
    check_origin(incoming, trusted)?;
    check_token(incoming)
}

fn check_origin(incoming: &Incoming, trusted: &[String]) -> Result<(), String> {
    let own = format!("{}://{}", incoming.scheme(), incoming.host);
    if let Some(origin) = incoming.header(header::ORIGIN) {
        if *origin == *own || trusted.iter().any(|trusted| *trusted == *origin) {
            return Ok(());
        }
        return Err(format!(
            "Origin checking failed - {origin} does not match any trusted origins."
        ));
    }
    if !incoming.https {
        return Ok(());
    }
    let Some(referer) = incoming.header(header::REFERER) else {
        return Err("Referer checking failed - no Referer.".to_owned());
    };
    let malformed = || "Referer checking failed - Referer is malformed.".to_owned();
    let (scheme, rest) = referer.split_once("://").ok_or_else(malformed)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if scheme.is_empty() || authority.is_empty() {
        return Err(malformed());
    }
    if scheme != "https" {
        return Err(
            "Referer checking failed - Referer is insecure while host is secure.".to_owned()
        );
    }
    // Of trusted origins only the host counts here.
    let host = |origin: &String| origin.split_once("://").is_some_and(|(_, it)| it == authority);
    let is_trusted = || trusted.iter().any(host);
    if authority == incoming.host || is_trusted() {
        return Ok(());
    }
    Err(format!("Referer checking failed - {referer} does not match any trusted origins."))
}

fn check_token(incoming: &Incoming) -> Result<(), String> {
    let Some(cookie) = incoming.cookie("csrftoken") else {
        return Err("CSRF cookie not set.".to_owned());
    };
    check_format(&cookie).map_err(|problem| format!("CSRF cookie {problem}."))?;
    let field = incoming.form_field("csrfmiddlewaretoken").filter(|field| !field.is_empty());
    let (token, source) = match field {
        Some(field) => (field, "CSRF token from POST"),
        None => match incoming.header("x-csrftoken") {
            Some(header) => (header.into_owned(), "CSRF token from the 'X-Csrftoken' HTTP header"),
            None => return Err("CSRF token missing.".to_owned()),
        },
    };
    check_format(&token).map_err(|problem| format!("{source} {problem}."))?;
    if token == cookie { Ok(()) } else { Err(format!("{source} incorrect.")) }
}

fn check_format(token: &str) -> Result<(), &'static str> {
    if ![TOKEN_LENGTH, MASKED_TOKEN_LENGTH].contains(&token.len()) {
        Err("has incorrect length")
    } else if !token.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Err("has invalid characters")
    } else {
        Ok(())
    }
}
