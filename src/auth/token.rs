use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::Received;
use super::stored::StoredSession;
use crate::backend::Now;

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
    refresh_at: Option<Instant>,
    access_expires: Option<Instant>,
    refresh_expires: Option<Instant>,
}

impl TokenPair {
    /// The pair as the server handed it out; `None` if it cannot be sent in a header.
    pub(crate) fn new(access: &str, refresh: SecretString, received: Received) -> Option<Self> {
        let claims = Claims::read(access);
        let expiry = |claims: &Claims| claims.expires().and_then(|time| received.instant_of(time));
        let access_expires = expiry(&claims);
        let refresh_expires = expiry(&Claims::read(refresh.expose_secret()));
        Some(Self {
            authorization: bearer("Bearer", access)?,
            refresh,
            user_id: claims.user_id(),
            refresh_at: access_expires.and_then(|expires| refresh_at(expires, received.instant())),
            access_expires,
            refresh_expires,
        })
    }

    /// The pair with a new access token, as a refresh hands it out.
    pub(crate) fn renewed(
        &self,
        access: &str,
        refresh: Option<SecretString>,
        received: Received,
    ) -> Option<Self> {
        Self::new(access, refresh.unwrap_or_else(|| self.refresh.clone()), received)
    }

    /// A pair that was kept; `None` if it has expired, by the clock here, or cannot be sent.
    pub(crate) fn from_stored(access: &str, refresh: SecretString, now: Now) -> Option<Self> {
        let is_over = |token: &str| Claims::read(token).expires().is_some_and(|it| it <= now.wall);
        if is_over(refresh.expose_secret()) {
            return None;
        }
        let tokens = Self::new(access, refresh, Received::by_own_clock(now))?;
        let access_expires = match is_over(access) {
            true => Some(now.monotonic),
            false => tokens.access_expires,
        };
        Some(Self { access_expires, ..tokens })
    }

    /// A pair of which only the server is to judge; `None` if it cannot be sent.
    pub(crate) fn of_unknown_age(access: &str, refresh: SecretString) -> Option<Self> {
        Some(Self {
            authorization: bearer("Bearer", access)?,
            refresh,
            user_id: None,
            refresh_at: None,
            access_expires: None,
            refresh_expires: None,
        })
    }

    /// The same pair, not to be renewed before it has to be.
    pub(crate) fn postponed(&self) -> Self {
        Self { refresh_at: None, ..self.clone() }
    }

    pub(crate) fn is_same_login(&self, other: &Self) -> bool {
        self.refresh.expose_secret() == other.refresh.expose_secret()
    }

    /// What a session store keeps of it.
    pub(crate) fn to_stored(&self) -> Option<StoredSession> {
        let access = self.authorization.to_str().ok()?.strip_prefix("Bearer ")?.into();
        Some(StoredSession::Tokens { access, refresh: self.refresh.clone() })
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

    pub(crate) fn wants_refresh(&self, now: Instant) -> bool {
        self.refresh_at.is_some_and(|time| time <= now)
    }

    pub(crate) fn access_has_expired(&self, now: Instant) -> bool {
        self.access_expires.is_some_and(|expires| expires <= now)
    }

    /// Whether not even a refresh is possible any more.
    pub(crate) fn has_expired(&self, now: Instant) -> bool {
        self.refresh_expires.is_some_and(|expires| expires <= now)
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

fn refresh_at(expires: Instant, now: Instant) -> Option<Instant> {
    let life = expires.saturating_duration_since(now);
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

    /// A pair received at second 1000 by the server's clock, and the moment of that here.
    fn pair(access: &str) -> (TokenPair, Instant) {
        let refresh = token(r#"{"exp":86400}"#).into();
        let received = Received::at_server_time(1000);
        (TokenPair::new(access, refresh, received).unwrap(), received.instant())
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn renewed_ahead_of_expiry() {
        let (tokens, then) = pair(&token(r#"{"exp":1300,"user_id":4}"#));
        assert_eq!(tokens.user_id(), Some(4));
        assert!(!tokens.wants_refresh(then + seconds(269)));
        assert!(tokens.wants_refresh(then + seconds(270)));
        assert!(!tokens.access_has_expired(then + seconds(299)));
        assert!(tokens.access_has_expired(then + seconds(300)));
        assert!(!tokens.has_expired(then + seconds(85_399)));
        assert!(tokens.has_expired(then + seconds(85_400)));
        assert!(!tokens.postponed().wants_refresh(then + seconds(299)));
    }

    #[test]
    fn short_lives_are_used_mostly() {
        let (tokens, then) = pair(&token(r#"{"exp":1005}"#));
        assert!(!tokens.wants_refresh(then + seconds(3)));
        assert!(tokens.wants_refresh(then + seconds(4)));
    }

    /// Then only the server can say when it is over.
    #[test]
    fn a_token_that_is_born_expired_is_used_all_the_same() {
        let (tokens, then) = pair(&token(r#"{"exp":999}"#));
        assert!(!tokens.wants_refresh(then + seconds(1)));
        assert!(!tokens.access_has_expired(then + seconds(1)));
    }

    #[test]
    fn anything_may_be_a_token() {
        for text in ["", "...", "abc", "a.b.c", "a.e30.c", "a.W10.c", "a.eyJleHAiOi0xfQ.c"] {
            let (tokens, then) = pair(text);
            assert!(!tokens.wants_refresh(then + seconds(1_000_000)), "{text}");
        }
        let received = Received::at_server_time(0);
        assert!(TokenPair::new("line\nbreak", String::new().into(), received).is_none());
        assert!(ApiToken::new(&"two parts".to_owned().into()).is_none());
    }

    #[test]
    fn user_ids_may_be_text() {
        assert_eq!(pair(&token(r#"{"user_id":"17"}"#)).0.user_id(), Some(17));
    }

    #[test]
    fn debug_shows_no_secret() {
        let access = token(r#"{"exp":1300}"#);
        let shown = format!("{:?}", pair(&access).0);
        assert!(!shown.contains(&access) && !shown.contains("c2ln"), "{shown}");
    }
}
