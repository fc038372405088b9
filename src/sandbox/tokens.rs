//! Tokens of the JWT dialect. A token is known by comparison, not by its signature.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fastrand::Rng;

use crate::sandbox::json::Json;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Access,
    Refresh,
}

impl Use {
    fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// One token that was handed out.
#[derive(Clone, Copy)]
pub(crate) struct Token {
    pub(crate) user: i64,
    used_for: Use,
    /// Whole seconds since the epoch.
    issued: u64,
    expires: u64,
    blacklisted: bool,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Invalid,
    WrongType,
    Blacklisted,
}

impl Refused {
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Invalid => "Token is invalid or expired",
            Self::WrongType => "Token has wrong type",
            Self::Blacklisted => "Token is blacklisted",
        }
    }
}

/// All tokens by their text.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    by_text: HashMap<String, Token>,
    /// Expired tokens are cleared away at this size.
    clear_at: usize,
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

impl Tokens {
    /// Hands out a token; one made from a refresh token bears the issue time of that token.
    pub(crate) fn issue(
        &mut self,
        random: &mut Rng,
        used_for: Use,
        user: i64,
        now: SystemTime,
        lifetime: Duration,
        parent: Option<Token>,
    ) -> String {
        let now = seconds(now);
        if self.by_text.len() >= self.clear_at.max(1024) {
            self.by_text.retain(|_, token| token.expires > now);
            self.clear_at = self.by_text.len().saturating_mul(2);
        }
        let token = Token {
            user,
            used_for,
            issued: parent.map_or(now, |parent| parent.issued),
            expires: now.saturating_add(lifetime.as_secs()),
            blacklisted: false,
        };
        let text = encode(random, &token);
        self.by_text.insert(text.clone(), token);
        text
    }

    /// The token behind a text, if it is good for a use at a time.
    pub(crate) fn check(
        &self,
        text: &str,
        used_for: Use,
        now: SystemTime,
    ) -> Result<Token, Refused> {
        let token = self.by_text.get(text).filter(|token| token.expires > seconds(now));
        let token = token.copied().ok_or(Refused::Invalid)?;
        if token.used_for != used_for {
            Err(Refused::WrongType)
        } else if token.blacklisted {
            Err(Refused::Blacklisted)
        } else {
            Ok(token)
        }
    }

    pub(crate) fn blacklist(&mut self, text: &str) {
        if let Some(token) = self.by_text.get_mut(text) {
            token.blacklisted = true;
        }
    }

    /// Forgets all access tokens, which makes them invalid.
    pub(crate) fn expire_access(&mut self) {
        self.by_text.retain(|_, token| token.used_for != Use::Access);
    }
}

fn encode(random: &mut Rng, token: &Token) -> String {
    let identifier: String = std::iter::repeat_with(|| random.u8(..))
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let header = Json::object([("alg", Json::text("HS256")), ("typ", Json::text("JWT"))]);
    let claims = Json::object([
        ("token_type", Json::text(token.used_for.name())),
        ("exp", Json::Integer(i128::from(token.expires))),
        ("iat", Json::Integer(i128::from(token.issued))),
        ("jti", Json::Text(identifier)),
        ("user_id", Json::Integer(i128::from(token.user))),
    ]);
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(serde_json::to_vec(json).unwrap_or_default());
    let signature: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(32).collect();
    format!("{}.{}.{}", part(&header), part(&claims), URL_SAFE_NO_PAD.encode(signature))
}
