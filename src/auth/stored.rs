use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Credential, Dialect, Received, SessionCookies, TokenPair};
use crate::backend::Now;

/// A login in the form in which it outlives the process.
#[derive(Debug)]
pub(crate) enum StoredSession {
    Session { session_id: SecretString, csrf_token: SecretString, expires: Option<SystemTime> },
    Tokens { access: SecretString, refresh: SecretString },
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "dialect", rename_all = "lowercase")]
enum Text<'a> {
    Session {
        #[serde(borrow)]
        session_id: Cow<'a, str>,
        csrf_token: Cow<'a, str>,
        /// Seconds since the epoch.
        expires: Option<u64>,
    },
    Jwt {
        access: Cow<'a, str>,
        refresh: Cow<'a, str>,
    },
}

impl StoredSession {
    pub(crate) fn to_json(&self) -> Option<SecretString> {
        let text = match self {
            Self::Session { session_id, csrf_token, expires } => Text::Session {
                session_id: session_id.expose_secret().into(),
                csrf_token: csrf_token.expose_secret().into(),
                expires: expires
                    .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
                    .map(|since| since.as_secs()),
            },
            Self::Tokens { access, refresh } => Text::Jwt {
                access: access.expose_secret().into(),
                refresh: refresh.expose_secret().into(),
            },
        };
        serde_json::to_string(&text).ok().map(SecretString::from)
    }

    fn parse(text: &SecretString) -> Option<Text<'_>> {
        serde_json::from_str(text.expose_secret()).ok()
    }

    /// The credential that a text stands for, whether it has expired or not; `None` if it is not such
    /// a text.
    pub(crate) fn credential(text: &SecretString) -> Option<Credential> {
        match Self::parse(text)? {
            Text::Session { session_id, csrf_token, .. } => {
                let session = SessionCookies::from_stored(&session_id, &csrf_token, None)?;
                Some(Credential::Session(Arc::new(session)))
            }
            Text::Jwt { access, refresh } => {
                let refresh = refresh.into_owned().into();
                let tokens = TokenPair::of_unknown_age(&access, refresh)?;
                Some(Credential::Tokens(Arc::new(tokens)))
            }
        }
    }

    /// The credential that a text stands for, and the dialect of its server; `None` if it is not such
    /// a text, or stands for a login that has expired.
    pub(crate) fn read(text: &SecretString, now: Now) -> Option<(Dialect, Credential)> {
        match Self::parse(text)? {
            Text::Session { session_id, csrf_token, expires } => {
                let expires = match expires {
                    None => None,
                    Some(seconds) => {
                        let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
                        // What is over is `None` here, and so no login.
                        Some(Received::by_own_clock(now).instant_of(time)?)
                    }
                };
                let session = SessionCookies::from_stored(&session_id, &csrf_token, expires)?;
                Some((Dialect::Session, Credential::Session(Arc::new(session))))
            }
            Text::Jwt { access, refresh } => {
                let tokens = TokenPair::from_stored(&access, refresh.into_owned().into(), now)?;
                Some((Dialect::Jwt, Credential::Tokens(Arc::new(tokens))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::auth::Want;

    #[test]
    fn a_session_outlives_the_process_until_it_expires() {
        let now = Now::system();
        let stored = StoredSession::Session {
            session_id: "S".into(),
            csrf_token: "C".into(),
            expires: Some(now.wall + Duration::from_secs(100)),
        };
        let text = stored.to_json().unwrap();
        let (dialect, credential) = StoredSession::read(&text, now).unwrap();
        assert_eq!(dialect, Dialect::Session);
        let again = credential.to_stored(now).and_then(|stored| stored.to_json()).unwrap();
        assert_eq!(again.expose_secret(), text.expose_secret());
        let later = Now { wall: now.wall + Duration::from_secs(101), ..now };
        assert!(StoredSession::read(&text, later).is_none());
    }

    #[test]
    fn tokens_that_have_expired_are_known_to_be_so() {
        let now = Now::system();
        let kept = |access: u64, refresh: u64| {
            let seconds = now.wall.duration_since(UNIX_EPOCH).unwrap().as_secs();
            let token = |offset: u64| {
                let claims = format!(r#"{{"exp":{}}}"#, seconds - 1000 + offset);
                format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
            };
            StoredSession::Tokens { access: token(access).into(), refresh: token(refresh).into() }
                .to_json()
                .unwrap()
        };
        assert!(StoredSession::read(&kept(500, 900), now).is_none());
        assert!(StoredSession::credential(&kept(500, 900)).is_some());
        let wants = |text| StoredSession::read(&text, now).unwrap().1.wants(now.monotonic);
        assert_eq!(wants(kept(500, 9000)), Want::Refresh);
        assert_eq!(wants(kept(2000, 9000)), Want::Nothing);
    }

    #[test]
    fn what_is_no_session_is_none() {
        for text in
            ["", "{}", "null", r#"{"dialect":"session","session_id":"a\n","csrf_token":""}"#]
        {
            assert!(StoredSession::read(&text.into(), Now::system()).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let stored = StoredSession::Tokens { access: "hunter2".into(), refresh: "hunter3".into() };
        assert!(!format!("{stored:?}").contains("hunter"));
    }
}
