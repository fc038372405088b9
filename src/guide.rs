//! The guide, chapter by chapter, in an order in which it can be read. All its code runs.
//!
//! - [Getting started](getting_started): from an empty folder to a report that a centre can run.
//! - [Async and blocking](clients): both clients, what differs, and which transport is for which.
//! - [Authentication and sessions](authentication): logins, where credentials come from, and where
//!   secrets go.
//! - [Filters and lists](lists): the right records, and all of them.
//! - [Changing records](changing): update, edit, and how things shall be.
//! - [Batch jobs and bulk writes](batch): all or nothing, and many rows.
//! - [Files](attachments): attachments of requests.
//! - [Errors and what to do](errors): every kind, whether anything was done, and what comes next.
//! - [Retries, limits, deadlines](failures): what is repeated, how patiently, how often in a
//!   minute.
//! - [Test your program](testing): a server in memory, scripts, recordings, faults.
//! - [Resources of your own](custom_resources): what a plug-in or another server has beside
//!   Keystone's.
//! - [Backends of your own](custom_backends): another HTTP library, or something in front of one.
//! - [Seeing what happens](observability): events, logs, correlation ids, and what is never shown.
//! - [Coming from the Python client](python): every method, argument and error side by side.
//! - [Servers and versions](servers): old ones and new ones, proxies, databases, settings.
//! - [Performance](performance): what a call costs, and how to get by with fewer.
//! - [What this library does not do](limits): why not, and what to do instead.

#[doc = include_str!("../docs/guide/getting-started.md")]
pub mod getting_started {}

#[doc = include_str!("../docs/guide/clients.md")]
pub mod clients {}

#[doc = include_str!("../docs/guide/authentication.md")]
pub mod authentication {}

#[doc = include_str!("../docs/guide/lists.md")]
pub mod lists {}

#[doc = include_str!("../docs/guide/changing.md")]
pub mod changing {}

#[doc = include_str!("../docs/guide/batch.md")]
pub mod batch {}

#[doc = include_str!("../docs/guide/attachments.md")]
pub mod attachments {}

#[doc = include_str!("../docs/guide/errors.md")]
pub mod errors {}

#[doc = include_str!("../docs/guide/failures.md")]
pub mod failures {}

#[doc = include_str!("../docs/guide/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/guide/custom-resources.md")]
pub mod custom_resources {}

#[doc = include_str!("../docs/guide/custom-backends.md")]
pub mod custom_backends {}

#[doc = include_str!("../docs/guide/observability.md")]
pub mod observability {}

#[doc = include_str!("../docs/guide/python.md")]
pub mod python {}

#[doc = include_str!("../docs/guide/servers.md")]
pub mod servers {}

#[doc = include_str!("../docs/guide/performance.md")]
pub mod performance {}

#[doc = include_str!("../docs/guide/limits.md")]
pub mod limits {}
