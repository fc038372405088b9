//! Backends for tests, without sockets or waiting, and records to test with.
//!
//! | I want to … | use |
//! |---|---|
//! | run a program against a server that behaves like Keystone | [`sandbox`](crate::sandbox) |
//! | state which requests are sent, in order, and what comes back | [`Scripted`] |
//! | answer by a function | [`from_fn`] |
//! | have records to test with | [`Fixture`] |
//! | check a backend of my own against the contract | [`conformance`] |
//!
//! All the backends serve both clients.

mod both;
mod capture;
mod clock;
pub mod conformance;
mod difference;
mod exchange;
mod fixtures;
mod function;
mod never;
mod scripted;

use self::both::both_backends;
pub use self::capture::{Capture, Fixed};
pub use self::exchange::{Exchange, Times};
pub use self::fixtures::{Fixture, page};
pub use self::function::{FromAsyncFn, FromFn, from_async_fn, from_fn};
pub use self::never::Never;
pub use self::scripted::Scripted;
pub use crate::recorded::{FormPart, RecordedRequest};
