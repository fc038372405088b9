//! Request bodies.

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;

/// The body of a request, kept as the bytes that will travel.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// No body and no `Content-Type`.
    #[default]
    Empty,
    /// `application/json`.
    Json(Bytes),
    /// Bytes of another media type.
    Raw {
        /// The `Content-Type`.
        content_type: HeaderValue,
        /// The bytes that travel.
        bytes: Bytes,
    },
}

impl Body {
    /// Serialises `value` as JSON.
    ///
    /// # Errors
    ///
    /// When `value` has no JSON form, such as a map with keys that are not text.
    pub fn json<V: Serialize + ?Sized>(value: &V) -> Result<Self, serde_json::Error> {
        serde_json::to_vec(value).map(|bytes| Self::Json(bytes.into()))
    }

    /// The bytes that travel; empty for [`Body::Empty`].
    pub fn bytes(&self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Json(bytes) | Self::Raw { bytes, .. } => bytes.clone(),
        }
    }

    /// The `Content-Type` that goes with the bytes.
    pub fn content_type(&self) -> Option<HeaderValue> {
        match self {
            Self::Empty => None,
            Self::Json(_) => Some(HeaderValue::from_static("application/json")),
            Self::Raw { content_type, .. } => Some(content_type.clone()),
        }
    }
}

// Bodies may hold passwords.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Json(bytes) => write!(f, "Json([{} bytes])", bytes.len()),
            Self::Raw { bytes, .. } => write!(f, "Raw([{} bytes])", bytes.len()),
        }
    }
}
