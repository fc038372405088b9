//! Request bodies: what a call sends.
//!
//! A [`Body`] is JSON, a form with files ([`Multipart`]), or bytes of any media type. Calls of resources
//! make theirs by [`ToBody`]; the generic calls take one by [`Call::json`](crate::Call::json),
//! [`Call::multipart`](crate::Call::multipart) and [`Call::body`](crate::Call::body). The files in a form
//! are [`Upload`](crate::upload::Upload)s; the guide has a chapter on [them](crate::guide::attachments).

mod multipart;
mod rebuilt;

use std::fmt;

use bytes::Bytes;
use http::HeaderValue;
use serde::Serialize;

pub use self::multipart::{Content, Multipart, Part};
pub(crate) use self::multipart::{MOST_FILES, Terms, sent_name};
pub(crate) use self::rebuilt::check_field;

/// The body of a request.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// No body and no `Content-Type`.
    #[default]
    Empty,
    /// `application/json`.
    Json(Bytes),
    /// `multipart/form-data`: fields and files. The files are read when the request is sent.
    Multipart(Multipart),
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

    /// The bytes that travel, none for [`Body::Empty`]; `None` for [`Body::Multipart`], which is put
    /// together when it is sent, or by [`Multipart::encode`].
    pub fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Empty => Some(Bytes::new()),
            Self::Json(bytes) | Self::Raw { bytes, .. } => Some(bytes.clone()),
            Self::Multipart(_) => None,
        }
    }

    /// How many files are in it.
    pub(crate) fn files(&self) -> usize {
        match self {
            Self::Multipart(form) => form.files().count(),
            Self::Empty | Self::Json(_) | Self::Raw { .. } => 0,
        }
    }

    /// The `Content-Type` that goes with the bytes. That of [`Body::Multipart`] depends on what is in
    /// the files.
    pub fn content_type(&self) -> Option<HeaderValue> {
        match self {
            Self::Empty | Self::Multipart(_) => None,
            Self::Json(_) => Some(HeaderValue::from_static("application/json")),
            Self::Raw { content_type, .. } => Some(content_type.clone()),
        }
    }
}

impl From<Multipart> for Body {
    fn from(multipart: Multipart) -> Self {
        Self::Multipart(multipart)
    }
}

// Bodies may hold passwords.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Json(bytes) => write!(f, "Json([{} bytes])", bytes.len()),
            Self::Multipart(multipart) => multipart.fmt(f),
            Self::Raw { bytes, .. } => write!(f, "Raw([{} bytes])", bytes.len()),
        }
    }
}

/// What can be sent as the body of a request: what a [`Create`](crate::resource::Create) takes.
///
/// Whatever serialises is sent as JSON. A type with files does not serialise, and says by hand what it
/// is sent as:
///
/// ```
/// use keystone_client::body::{Body, Multipart, ToBody};
/// use keystone_client::upload::Upload;
///
/// struct NewPoster {
///     title: String,
///     image: Upload,
/// }
///
/// impl ToBody for NewPoster {
///     fn to_body(&self) -> Result<Body, serde_json::Error> {
///         let fields = Multipart::new().text("title", &self.title);
///         Ok(fields.file("image", self.image.clone()).into())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the body of a request",
    note = "derive `serde::Serialize` for it, or implement `ToBody` if it holds files"
)]
pub trait ToBody {
    /// The body.
    ///
    /// # Errors
    ///
    /// When the value has no JSON form.
    fn to_body(&self) -> Result<Body, serde_json::Error>;
}

impl<T: Serialize + ?Sized> ToBody for T {
    fn to_body(&self) -> Result<Body, serde_json::Error> {
        Body::json(self)
    }
}
