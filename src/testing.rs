//! Doubles for tests of programs that use this crate, without sockets or waiting, and records to
//! test with.
//!
//! | I want to … | use |
//! |---|---|
//! | run a program against a server that behaves like Keystone, and look at what is there after | [`sandbox`](crate::sandbox), in memory |
//! | run a program of several processes, or a client that is not this one, against such a server | [`Sandbox::serve`](crate::sandbox::Sandbox::serve), behind a socket (feature `sandbox-server`) |
//! | state which requests are sent, in order or in any, and what comes back for each | [`Scripted`] and [`Exchange`] |
//! | look at what was sent, and do not care much what comes back | [`Capture`] |
//! | see what a program sends to a server of mine or a sandbox, while it works | [`Capture::new`] around that backend |
//! | be sure that nothing is sent | [`Never`] |
//! | answer by a few lines of code | [`from_fn`]; [`from_async_fn`] if they have to wait |
//! | let the server fail: refuse, time out, break off, be slow | [`Sandbox::inject`](crate::sandbox::Sandbox::inject); in a script [`Exchange::fail`], [`Exchange::reply`] with a status, [`Exchange::delayed`] |
//! | test against what a real server has answered, without it | [`Recorder`] once, then [`Replay`] |
//! | use the mocks of a crate such as `mockall` | the traits [`HttpBackend`](crate::backend::HttpBackend) and [`blocking::HttpBackend`](crate::blocking::HttpBackend), which it can mock as they are |
//! | have records to test with, without a server | [`Fixture`]; [`page`] makes a list of them |
//! | check a backend of my own against the contract | [`conformance`] |
//!
//! All the backends serve both clients, but for that of [`from_async_fn`]. A clone is another handle
//! to the same double: give one to the client and keep one. Those that expect something panic when their
//! last handle is dropped, in the thread where that happens. It fails no test if that is a thread or a
//! task that nobody waits for, and never happens in a `static`: there call `verify` at the end of the
//! test, which fails the test that calls it, and `save` of a [`Recorder`].
//!
//! The chapter [Test your program](crate::guide::testing) shows most of them at work.
//!
//! Prefer the sandbox where the outcome counts, and a script where the requests do: a script knows
//! nothing of Keystone, and answers a wrong request right if it is told to.

mod both;
mod capture;
mod cassette;
mod clock;
pub mod conformance;
mod difference;
mod exchange;
mod fixtures;
mod function;
mod last_handle;
mod never;
mod scripted;

use self::both::both_backends;
pub use self::capture::{Capture, FixedAnswer};
pub use self::cassette::{CassetteError, Recorder, Redaction, Replay};
pub use self::exchange::{Exchange, Times};
pub use self::fixtures::{Fixture, page};
pub use self::function::{FromAsyncFn, FromFn, from_async_fn, from_fn};
pub use self::never::Never;
pub use self::scripted::Scripted;
pub use crate::recorded::{FormPart, RecordedRequest};
