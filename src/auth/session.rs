use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::RefererHeaders;
use super::set_cookie::SetCookie;
use super::stored::StoredSession;
use crate::backend::Now;

const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrftoken");
const CSRF_TOKEN_LENGTH: usize = 32;

/// The two cookies of a session, kept as the headers that carry them.
///
/// All header values are marked sensitive, so `Debug` does not show them.
#[derive(Debug, Clone)]
pub(crate) struct SessionCookies {
    session_id: HeaderValue,
    csrf_token: HeaderValue,
    cookie_header: HeaderValue,
    expires: Option<Instant>,
}

impl SessionCookies {
    /// The session that a login response hands out; `None` if it does not.
    pub(crate) fn from_login(headers: &HeaderMap, now: Now) -> Option<Self> {
        let session = find_cookie(headers, "sessionid")?;
        // The server compares the header with the cookie of the same request and nothing else, so
        // a token of our own does where a proxy lost the server's.
        let csrf_token = find_cookie(headers, "csrftoken")
            .map_or_else(make_csrf_token, |cookie| cookie.value.to_owned());
        let expires = session.max_age.and_then(|age| now.monotonic.checked_add(age));
        Self::new(session.value, &csrf_token, expires)
    }

    fn new(session_id: &str, csrf_token: &str, expires: Option<Instant>) -> Option<Self> {
        Some(Self {
            session_id: secret(session_id)?,
            csrf_token: secret(csrf_token)?,
            cookie_header: secret(&format!("csrftoken={csrf_token}; sessionid={session_id}"))?,
            expires,
        })
    }

    /// This session with what a later response changes; `None` if it changes nothing.
    pub(crate) fn renewed_by(&self, headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(header::SET_COOKIE) {
            return None;
        }
        let csrf_token = find_cookie(headers, "csrftoken")?;
        if self.csrf_token == csrf_token.value {
            return None;
        }
        Self::new(self.session_id.to_str().ok()?, csrf_token.value, self.expires)
    }

    pub(crate) fn authorize(&self, is_unsafe: bool, referer: &RefererHeaders, to: &mut HeaderMap) {
        to.insert(header::COOKIE, self.cookie_header.clone());
        if is_unsafe {
            to.insert(CSRF_HEADER, self.csrf_token.clone());
            // Over HTTPS the server wants one of the two. An `Origin` fails behind a proxy that
            // hides HTTPS from the server, where a `Referer` is not looked at.
            match &referer.origin {
                Some(origin) => to.insert(header::ORIGIN, origin.clone()),
                None => to.insert(header::REFERER, referer.referer.clone()),
            };
        }
    }

    pub(crate) fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    pub(crate) fn is_same_login(&self, other: &Self) -> bool {
        self.session_id == other.session_id
    }

    /// What a session store keeps of it.
    pub(crate) fn to_stored(&self, now: Now) -> Option<StoredSession> {
        Some(StoredSession::Session {
            session_id: self.session_id.to_str().ok()?.into(),
            csrf_token: self.csrf_token.to_str().ok()?.into(),
            expires: self.expires.and_then(|expires| {
                now.wall.checked_add(expires.saturating_duration_since(now.monotonic))
            }),
        })
    }

    /// A session that a store has kept; `None` if its cookies cannot stand in a header.
    pub(crate) fn from_stored(
        session_id: &str,
        csrf_token: &str,
        expires: Option<Instant>,
    ) -> Option<Self> {
        Self::new(session_id, csrf_token, expires)
    }
}

fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn find_cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<SetCookie<'h>> {
    let cookies = headers.get_all(header::SET_COOKIE).iter().rev();
    cookies
        .filter_map(|value| SetCookie::parse(value.to_str().ok()?))
        .find(|cookie| cookie.name == name && !cookie.is_empty())
}

fn make_csrf_token() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(CSRF_TOKEN_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn headers(cookies: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::SET_COOKIE, HeaderValue::from_static(cookie));
        }
        headers
    }

    const LOGIN: [&str; 2] = [
        "csrftoken=AAA; expires=Mon, 22 Nov 2027 00:43:16 GMT; Max-Age=31449600; Path=/; SameSite=Lax",
        "sessionid=BBB; HttpOnly; Max-Age=1209600; Path=/; SameSite=Lax",
    ];

    fn referer() -> RefererHeaders {
        RefererHeaders { referer: HeaderValue::from_static("https://host/"), origin: None }
    }

    #[test]
    fn a_login_hands_out_both_cookies() {
        let start = Now::system();
        let session = SessionCookies::from_login(&headers(&LOGIN), start).unwrap();
        let start = start.monotonic;
        let mut sent = HeaderMap::new();
        session.authorize(true, &referer(), &mut sent);
        assert_eq!(sent["cookie"], "csrftoken=AAA; sessionid=BBB");
        assert_eq!(sent["x-csrftoken"], "AAA");
        assert_eq!(sent["referer"], "https://host/");
        assert!(!sent.contains_key("origin"));
        assert!(!session.has_expired(start + Duration::from_secs(1_209_599)));
        assert!(session.has_expired(start + Duration::from_secs(1_209_600)));
    }

    #[test]
    fn reading_needs_the_session_alone() {
        let session = SessionCookies::from_login(&headers(&LOGIN), Now::system()).unwrap();
        let mut sent = HeaderMap::new();
        session.authorize(false, &referer(), &mut sent);
        assert_eq!(sent.keys().collect::<Vec<_>>(), ["cookie"]);
    }

    #[test]
    fn a_lost_csrf_token_is_made_up() {
        let session = SessionCookies::from_login(&headers(&LOGIN[1..]), Now::system()).unwrap();
        assert_eq!(session.csrf_token.len(), 32);
    }

    #[test]
    fn only_a_new_csrf_token_changes_a_session() {
        let session = SessionCookies::from_login(&headers(&LOGIN), Now::system()).unwrap();
        assert!(session.renewed_by(&headers(&[])).is_none());
        assert!(session.renewed_by(&headers(&["csrftoken=AAA"])).is_none());
        let renewed = session.renewed_by(&headers(&["csrftoken=CCC"])).unwrap();
        assert_eq!(renewed.cookie_header, "csrftoken=CCC; sessionid=BBB");
    }

    #[test]
    fn debug_shows_no_secret() {
        let session = SessionCookies::from_login(&headers(&LOGIN), Now::system()).unwrap();
        let shown = format!("{session:?}");
        assert!(!shown.contains("AAA") && !shown.contains("BBB"), "{shown}");
    }

    #[test]
    fn no_session_no_login() {
        for cookie in ["csrftoken=AAA", "sessionid=\"\"; Max-Age=0", "sessionid=", "=", ""] {
            let session = SessionCookies::from_login(&headers(&[cookie]), Now::system());
            assert!(session.is_none(), "{cookie}");
        }
    }
}
