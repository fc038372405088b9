//! What happens on the way of a call, for programs that want to see it.
//!
//! Give a client an observer with [`ClientBuilder::observer`](crate::ClientBuilder::observer). With
//! the feature `tracing` the same events go to `tracing`: attempts, waits and renewals as `DEBUG`,
//! what ends a login or keeps one from being stored as `WARN`. Neither contains bodies, queries,
//! headers or secrets.
//!
//! An [`Observer`], which may be a closure, is told of each [`Event`]: which call it is about, and by its
//! [`EventKind`] what happened. What calls do by themselves is in the chapter
//! [Retries, limits, deadlines](crate::guide::failures).
//!
//! ```
//! use std::sync::Mutex;
//! use std::sync::Arc;
//!
//! use keystone_client::KeystoneClient;
//! use keystone_client::observe::{Event, EventKind};
//! # use keystone_client::sandbox::Sandbox;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
//! let statuses = Arc::new(Mutex::new(Vec::new()));
//! let seen = Arc::clone(&statuses);
//! let client = KeystoneClient::builder("https://keystone.example.edu")
//!     .observer(move |event: &Event| {
//!         if let EventKind::Response { status } = event.kind {
//!             seen.lock().unwrap().push((event.operation.to_string(), status.as_u16()));
//!         }
//!     })
//! #   .backend(Sandbox::new())
//!     .build()?;
//! client.version().await?;
//! assert_eq!(*statuses.lock().unwrap(), [("retrieve version".to_owned(), 200)]);
//! # Ok(()) }) }
//! ```

use std::io;
use std::time::Duration;

use http::{Method, StatusCode};
use uuid::Uuid;

use crate::backend::BackendErrorKind;
use crate::error::ErrorKind;
use crate::request::Operation;

/// Something that happened on the way of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What the call, or the request that the client sends by itself, is about.
    pub operation: Operation,
    /// The HTTP method.
    pub method: Method,
    /// The number of the attempt, from 1 on; 0 before the first.
    pub attempt: u32,
    /// The id under which the server logs the request.
    pub correlation_id: Uuid,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// An attempt was answered.
    Response {
        /// The status of the answer.
        status: StatusCode,
    },
    /// An attempt was not answered.
    NoResponse {
        /// What went wrong.
        error: BackendErrorKind,
        /// Whether the server may have carried it out all the same.
        may_have_been_sent: bool,
    },
    /// The request is sent again after this time.
    Retry {
        /// How long until then.
        wait: Duration,
    },
    /// The request waits for its turn: the server has asked for silence, or the client's budget is
    /// used up.
    Wait {
        /// How long.
        wait: Duration,
    },
    /// The server refused a request for its number; the client sends this many a minute for a while.
    PaceLowered {
        /// The number of requests that go in a minute from now on.
        requests_per_minute: u32,
    },
    /// There is a new login: obtained from the server, or taken over from the session store.
    Login,
    /// The access token was refreshed.
    Refresh,
    /// The credential could not be renewed.
    RenewalFailed {
        /// Why.
        error: ErrorKind,
    },
    /// The server no longer accepts the login, and there is no way to renew it.
    SessionEnded,
    /// The session store could not be read or written. The client goes on without it if it can.
    SessionStoreFailed {
        /// Why.
        error: io::ErrorKind,
    },
}

/// Sees the events of a client, as they happen and on the thread where they happen.
///
/// Closures are observers. An observer should be quick, and must not call the client.
pub trait Observer: Send + Sync + 'static {
    /// Sees one event.
    fn observe(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event) {
        self(event);
    }
}

/// Writes the event to `tracing`.
#[cfg(feature = "tracing")]
pub(crate) fn trace(event: &Event) {
    macro_rules! write {
        ($level:ident, $message:literal $(, $name:ident = $value:expr)*) => {
            tracing::$level!(
                operation = %event.operation,
                method = %event.method,
                attempt = event.attempt,
                correlation_id = %event.correlation_id,
                $($name = $value,)*
                $message
            )
        };
    }

    let milliseconds = |wait: &Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    match &event.kind {
        EventKind::Response { status } => write!(debug, "response", status = status.as_u16()),
        EventKind::NoResponse { error, may_have_been_sent } => write!(
            debug,
            "no response",
            error = tracing::field::debug(error),
            may_have_been_sent = *may_have_been_sent
        ),
        EventKind::Retry { wait } => write!(debug, "retry", wait_ms = milliseconds(wait)),
        EventKind::Wait { wait } => write!(debug, "wait", wait_ms = milliseconds(wait)),
        EventKind::PaceLowered { requests_per_minute } => {
            write!(debug, "pace lowered", requests_per_minute = *requests_per_minute)
        }
        EventKind::Login => write!(debug, "login"),
        EventKind::Refresh => write!(debug, "refresh"),
        EventKind::RenewalFailed { error } => {
            write!(warn, "renewal failed", error = tracing::field::debug(error))
        }
        EventKind::SessionEnded => write!(warn, "session ended"),
        EventKind::SessionStoreFailed { error } => {
            write!(warn, "session store failed", error = tracing::field::debug(error))
        }
    }
}
