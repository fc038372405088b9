//! Cassettes: exchanges with a server in a file, without secrets and personal data.
//!
//! A cassette is JSON, made to be read and reviewed:
//!
//! ```json
//! {
//!   "format": "keystone-client cassette",
//!   "version": 1,
//!   "recorded": "2026-03-01T09:30:00Z",
//!   "placeholders": ["username-1", "name-3"],
//!   "entries": [
//!     {
//!       "at_ms": 0,
//!       "took_ms": 12,
//!       "request": {
//!         "method": "POST",
//!         "path": "/authentication/login/",
//!         "body": { "json": { "username": "username-1", "password": "[redacted]" } }
//!       },
//!       "response": {
//!         "status": 200,
//!         "headers": ["content-type: application/json", "set-cookie: sessionid=redacted-2; Path=/"],
//!         "body": { "json": { "id": 1, "username": "username-1" } }
//!       }
//!     }
//!   ]
//! }
//! ```
//!
//! A body is `json`, `text`, `base64`, `form` (parts of a `name`, a `content`, and for files a
//! `file_name` and a `content_type`), or `omitted` with its length in bytes. Instead of a `response`
//! an entry may have a `failure` of the backend; its kind is `given_up` where nobody waited for the answer. Parameters are `name=value`, decoded. Headers of
//! requests are not kept.

mod bindings;
mod format;
mod harmless;
mod headers;
mod recorder;
mod redaction;
mod redactor;
mod replay;
mod secrets;

pub use self::format::CassetteError;
pub use self::recorder::Recorder;
pub use self::redaction::Redaction;
pub use self::replay::Replay;
