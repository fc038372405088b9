use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// Access tokens are renewed this long before they expire, or at four fifths of a life shorter
/// than five times this.
const REFRESH_MARGIN: Duration = Duration::from_secs(30);

/// A JWT access token and the refresh token that renews it.
#[derive(Debug, Clone)]
pub(crate) struct TokenPair {
    authorization: HeaderValue,
    refresh: SecretString,
    user_id: Option<u64>,
    /// When to renew the access token unasked; `None` if its expiry is not known.
    refresh_at: Option<SystemTime>,
    access_expires: Option<SystemTime>,
    refresh_expires: Option<SystemTime>,
}

impl TokenPair {
    /// The pair as the server handed it out at `wall`; `None` if it cannot be sent in a header.
    pub(crate) fn new(access: &str, refresh: SecretString, wall: SystemTime) -> Option<Self> {
        let claims = Claims::read(access);
        // A token that seems to be born expired means that the clocks disagree; then only the
        // server can say when it is over.
        let credible = |expires: &SystemTime| *expires > wall;
        let access_expires = claims.expires().filter(credible);
        let refresh_expires = Claims::read(refresh.expose_secret()).expires().filter(credible);
        Some(Self {
            authorization: bearer("Bearer", access)?,
            refresh,
            user_id: claims.user_id(),
            refresh_at: access_expires.and_then(|expires| refresh_at(expires, wall)),
            access_expires,
            refresh_expires,
        })
    }

    /// The pair with a new access token, as a refresh hands it out at `wall`.
    pub(crate) fn renewed(
        &self,
        access: &str,
        refresh: Option<SecretString>,
        wall: SystemTime,
    ) -> Option<Self> {
        Self::new(access, refresh.unwrap_or_else(|| self.refresh.clone()), wall)
    }

    pub(crate) fn authorize(&self, to: &mut HeaderMap) {
        to.insert(header::AUTHORIZATION, self.authorization.clone());
    }

    pub(crate) fn refresh_token(&self) -> &SecretString {
        &self.refresh
    }

    /// The key of the user who logged in.
    pub(crate) fn user_id(&self) -> Option<u64> {
        self.user_id
    }

    pub(crate) fn wants_refresh(&self, wall: SystemTime) -> bool {
        self.refresh_at.is_some_and(|time| time <= wall)
    }

    pub(crate) fn access_has_expired(&self, wall: SystemTime) -> bool {
        self.access_expires.is_some_and(|expires| expires <= wall)
    }

    /// Whether not even a refresh is possible any more.
    pub(crate) fn has_expired(&self, wall: SystemTime) -> bool {
        self.refresh_expires.is_some_and(|expires| expires <= wall)
    }
}

/// A token that an administrator handed out; it never expires by itself.
#[derive(Debug, Clone)]
pub(crate) struct ApiToken {
    authorization: HeaderValue,
}

impl ApiToken {
    /// `None` if the token cannot be sent in a header.
    pub(crate) fn new(token: &SecretString) -> Option<Self> {
        let token = token.expose_secret();
        if token.is_empty() || token.contains(char::is_whitespace) {
            return None;
        }
        bearer("Token", token).map(|authorization| Self { authorization })
    }

    pub(crate) fn authorize(&self, to: &mut HeaderMap) {
        to.insert(header::AUTHORIZATION, self.authorization.clone());
    }
}

fn bearer(scheme: &str, token: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn refresh_at(expires: SystemTime, wall: SystemTime) -> Option<SystemTime> {
    let life = expires.duration_since(wall).ok()?;
    expires.checked_sub(REFRESH_MARGIN.min(life / 5))
}

/// The claims that a client may read without knowing the key.
#[derive(Debug, Default, Deserialize)]
struct Claims {
    exp: Option<u64>,
    // A server setting makes it text.
    user_id: Option<serde_json::Value>,
}

impl Claims {
    /// What is not a JWT has no claims: the server judges tokens, not the client.
    fn read(token: &str) -> Self {
        let payload = token.split('.').nth(1).unwrap_or_default();
        URL_SAFE_NO_PAD
            .decode(payload.trim_end_matches('='))
            .ok()
            .and_then(|json| serde_json::from_slice(&json).ok())
            .unwrap_or_default()
    }

    fn expires(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.exp?))
    }

    fn user_id(&self) -> Option<u64> {
        let id = self.user_id.as_ref()?;
        id.as_u64().or_else(|| id.as_str()?.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn pair(access: &str, wall: u64) -> TokenPair {
        TokenPair::new(access, token(r#"{"exp":86400}"#).into(), at(wall)).unwrap()
    }

    #[test]
    fn renewed_ahead_of_expiry() {
        let tokens = pair(&token(r#"{"exp":1300,"user_id":4}"#), 1000);
        assert_eq!(tokens.user_id(), Some(4));
        assert!(!tokens.wants_refresh(at(1269)));
        assert!(tokens.wants_refresh(at(1270)));
        assert!(!tokens.has_expired(at(86_399)));
        assert!(tokens.has_expired(at(86_400)));
    }

    #[test]
    fn short_lives_are_used_mostly() {
        let tokens = pair(&token(r#"{"exp":1005}"#), 1000);
        assert!(!tokens.wants_refresh(at(1003)));
        assert!(tokens.wants_refresh(at(1004)));
    }

    #[test]
    fn a_wrong_clock_does_not_refresh_every_call() {
        let tokens = pair(&token(r#"{"exp":1300}"#), 90_000);
        assert!(!tokens.wants_refresh(at(90_001)));
        assert!(!tokens.has_expired(at(90_001)), "nor does it take the login for over");
    }

    #[test]
    fn anything_may_be_a_token() {
        for text in ["", "...", "abc", "a.b.c", "a.e30.c", "a.W10.c", "a.eyJleHAiOi0xfQ.c"] {
            assert!(!pair(text, 1000).wants_refresh(at(1_000_000)), "{text}");
        }
        assert!(TokenPair::new("line\nbreak", String::new().into(), at(0)).is_none());
        assert!(ApiToken::new(&"two parts".to_owned().into()).is_none());
    }

    #[test]
    fn user_ids_may_be_text() {
        assert_eq!(pair(&token(r#"{"user_id":"17"}"#), 0).user_id(), Some(17));
    }

    #[test]
    fn debug_shows_no_secret() {
        let access = token(r#"{"exp":1300}"#);
        let shown = format!("{:?}", pair(&access, 1000));
        assert!(!shown.contains(&access) && !shown.contains("c2ln"), "{shown}");
    }
}
