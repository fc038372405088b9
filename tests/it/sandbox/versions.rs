//! Sandboxes of many versions: what they answer, and that clients get along with them.

mod answers;
mod capabilities;
mod journey;
mod records;

use keystone_client::sandbox::{Sandbox, SandboxBuilder};

/// Versions of each of the ways in which servers behave.
const VERSIONS: &[&str] =
    &["0.3.26", "0.4.1", "0.5.17", "0.6.3", "0.6.21", "0.7.5", "0.8.7", "0.9.5", "0.10.9"];

fn builder(version: &str) -> SandboxBuilder {
    Sandbox::builder().version(version).staff("admin", "admin-password").user("ada", "ada-password")
}

fn server(version: &str) -> Sandbox {
    builder(version).build()
}
