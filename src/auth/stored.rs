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

    /// The credential that a text stands for, and the dialect of its server; `None` if it is not such
    /// a text, or stands for a login that has expired.
    pub(crate) fn read(text: &SecretString, now: Now) -> Option<(Dialect, Credential)> {
        match serde_json::from_str(text.expose_secret()).ok()? {
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
                let received = Received::by_own_clock(now);
                let tokens = TokenPair::new(&access, refresh.into_owned().into(), received)?;
                Some((Dialect::Jwt, Credential::Tokens(Arc::new(tokens))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
