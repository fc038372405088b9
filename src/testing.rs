//! Backends for tests: no sockets, no waiting.
//!
//! | I want to … | use |
//! |---|---|
//! | run a program against a server that behaves like Keystone | [`sandbox`](crate::sandbox) |
//! | state which requests are sent, in order, and what comes back | [`Scripted`] |
//! | answer by a function | [`from_fn`] |
//! | check a backend of my own against the contract | [`conformance`] |
//!
//! All of them serve both clients.

pub mod conformance;
mod function;
mod scripted;

pub use self::function::{FromFn, from_fn};
pub use self::scripted::{Exchange, Scripted};
