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

pub mod conformance;
mod fixtures;
mod function;
mod scripted;

pub use self::fixtures::Fixture;
pub use self::function::{FromFn, from_fn};
pub use self::scripted::{Exchange, Scripted};
