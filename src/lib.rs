#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    rust_2018_idioms,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::todo,
    clippy::unimplemented,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::dbg_macro,
    clippy::print_stdout,
    clippy::print_stderr
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// Lets the code that `resource!` generates name this crate the same way everywhere.
extern crate self as keystone_client;

mod auth;
pub mod awards;
pub mod backend;
mod base_url;
pub mod batch;
pub mod blocking;
pub mod body;
mod bulk;
mod call;
pub mod capability;
mod change;
mod client;
pub mod credentials;
mod crud;
mod difference;
pub mod drift;
mod edit;
mod ensure;
mod error;
pub mod field;
mod filter;
mod flow;
pub mod guide;
mod http_date;
mod id;
mod input;
mod list;
pub mod observe;
mod order;
mod page;
mod query;
#[cfg(any(feature = "sandbox", feature = "testing"))]
mod recorded;
mod redact;
pub mod request;
mod resolve;
pub mod resource;
pub mod resources;
mod retry;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod session_store;
#[cfg(feature = "testing")]
pub mod testing;
pub mod upload;
mod walk;
pub mod wire;

pub use self::auth::Dialect;
pub use self::batch::Batch;
pub use self::bulk::{Bulk, BulkProgress, BulkReport, RowOutcome};
pub use self::call::Call;
pub use self::change::Change;
pub use self::client::{
    BulkFuture, CallFuture, ClientBuilder, KeystoneClient, Legacy, Pages, Rows,
};
pub use self::crud::Crud;
pub use self::edit::{Edit, Edited};
pub use self::ensure::{Ensure, Ensured, Outcome};
pub use self::error::{Error, ErrorKind};
pub use self::filter::{Filter, MatchSemantics};
pub use self::id::Id;
pub use self::input::{Input, IntoInput, Link};
pub use self::list::List;
pub use self::order::OrderBy;
pub use self::page::Page;
pub use self::query::Query;
pub use self::request::Response;
pub use self::resolve::Resolved;
pub use self::resource::Resource;
pub use self::retry::RetryPolicy;
pub use self::walk::Cursor;

// Crates whose types are part of this one's interface, in the versions that fit.
pub use {bytes, futures_core, http, jiff, rust_decimal, serde_json, uuid};

/// What the code that [`resource!`] generates refers to. Not for other use.
#[doc(hidden)]
pub mod __private {
    pub use serde;

    /// The identifier without the mark of a raw one: such are keywords in Rust only.
    pub const fn wire_name(identifier: &'static str) -> &'static str {
        match identifier.as_bytes() {
            [b'r', b'#', name @ ..] => match std::str::from_utf8(name) {
                Ok(name) => name,
                Err(_) => identifier,
            },
            _ => identifier,
        }
    }
}
