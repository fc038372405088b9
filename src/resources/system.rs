//! What the server says of itself: version, configuration, health, specification, and the labels
//! of its codes.
//!
//! Clients ask for it by [`version`](crate::KeystoneClient::version),
//! [`config`](crate::KeystoneClient::config), [`is_healthy`](crate::KeystoneClient::is_healthy),
//! [`health`](crate::KeystoneClient::health),
//! [`health_metrics`](crate::KeystoneClient::health_metrics),
//! [`openapi_json`](crate::KeystoneClient::openapi_json) and
//! [`choices`](crate::KeystoneClient::choices). What servers of which version can do is in
//! [`capability`](crate::capability).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize};

use super::{AccessMode, MembershipRole, NotificationType, RequestStatus, ReviewStatus};
use crate::capability::Capability;
use crate::error::{Error, ErrorKind};
use crate::request::{Operation, Request, Response};

/// The configuration of the server, as far as it concerns clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServerConfig {
    /// The server's version.
    pub version: String,
    /// The largest file that can be attached, in bytes, inclusive.
    pub max_upload_size: u64,
    /// How many files the web site accepts for a request; the API does not enforce it.
    pub max_upload_count: u64,
    /// Media types of files that can be attached; the server tells them by the name's ending.
    pub allowed_file_types: Vec<String>,
    /// How long a login lasts.
    #[serde(with = "crate::wire::seconds")]
    pub session_age: Duration,
}

/// How the parts of the server are, by its own tests. It repeats them once a minute at most.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The tests, in the server's order.
    pub checks: Vec<HealthCheck>,
}

impl Health {
    /// Whether there are tests and all of them passed.
    pub fn is_healthy(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.is_healthy)
    }
}

/// One test of the server's health.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthCheck {
    /// What was tested: `Database`, `SMTP` and others.
    pub name: String,
    /// Whether the test passed.
    pub is_healthy: bool,
    /// What went wrong.
    pub error: Option<String>,
    /// How long the test took; `None` on servers before 0.10.0.
    pub time_taken: Option<Duration>,
}

/// Servers since 0.10.0 send a list, earlier ones an object by name.
impl<'de> Deserialize<'de> for Health {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Check {
            check: String,
            healthy: bool,
            error: Option<String>,
            time_taken: Option<f64>,
        }

        #[derive(Deserialize)]
        struct LegacyCheck {
            status: u16,
            message: String,
        }

        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Report {
            List { data: Vec<Check> },
            Map(BTreeMap<String, LegacyCheck>),
        }

        let checks = match Report::deserialize(deserializer)? {
            Report::List { data } => data
                .into_iter()
                .map(|Check { check, healthy, error, time_taken }| HealthCheck {
                    name: check,
                    is_healthy: healthy,
                    error,
                    time_taken: time_taken.and_then(|it| Duration::try_from_secs_f64(it).ok()),
                })
                .collect(),
            Report::Map(checks) => checks
                .into_iter()
                .map(|(name, LegacyCheck { status, message })| {
                    let is_healthy = status == StatusCode::OK.as_u16();
                    let error = (!is_healthy).then_some(message);
                    HealthCheck { name, is_healthy, error, time_taken: None }
                })
                .collect(),
        };
        Ok(Self { checks })
    }
}

/// Codes for which the server has labels.
///
/// ```
/// use keystone_client::resources::RequestStatus;
/// # use keystone_client::sandbox::Sandbox;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// let labels = client.choices::<RequestStatus>().send()?;
/// assert_eq!(labels[&RequestStatus::ChangesRequested], "Changes Requested");
/// # Ok(()) }
/// ```
pub trait Choices: Ord + DeserializeOwned + 'static {
    /// The codes in a sentence: `"request statuses"`.
    const NAME: &'static str;

    /// The path relative to the base URL, without outer slashes.
    const PATH: &'static str;

    /// What a server must be able to do to have them.
    const CAPABILITY: Capability;
}

macro_rules! choices {
    ($($codes:ident => $name:literal, $path:literal, $capability:ident;)+) => {
        $(impl Choices for $codes {
            const NAME: &'static str = $name;
            const PATH: &'static str = $path;
            const CAPABILITY: Capability = Capability::$capability;
        })+
    };
}

choices! {
    RequestStatus => "request statuses", "allocations/request-choices/status", Choices;
    ReviewStatus => "review statuses", "allocations/review-choices/status", Choices;
    AccessMode => "access modes", "allocations/cluster-choices/access-mode", ClusterChoices;
    MembershipRole => "membership roles", "users/membership-choices/role", Choices;
    NotificationType
        => "notification types", "notifications/notification-choices/type", NotificationChoices;
}

pub(crate) fn choices_request<K: Choices>() -> Request<BTreeMap<K, String>> {
    let operation = Operation::new("list", K::NAME);
    Request::json(operation, Method::GET, format!("{}/", K::PATH)).needing(K::CAPABILITY)
}

/// The path of the server's version, which is plain text in all versions.
pub(crate) const VERSION_PATH: &str = "version/";

/// The longest text that a version is taken to be.
const LONGEST_VERSION: usize = 100;

pub(crate) fn version_request() -> Request<String> {
    let operation = Operation::new("retrieve", "version");
    let request = Request::new(operation, Method::GET, VERSION_PATH, |response| {
        let response = response.error_for_status()?;
        let version = response.text()?.trim();
        if version.is_empty() || version.len() > LONGEST_VERSION || version.contains(['<', '\n']) {
            return Err(response
                .error(ErrorKind::NotKeystone)
                .with_note("the answer is not a version"));
        }
        Ok(version.to_owned())
    });
    request.without_login()
}

pub(crate) fn config_request() -> Request<ServerConfig> {
    let operation = Operation::new("retrieve", "configuration");
    Request::json(operation, Method::GET, "config/").needing(Capability::Config)
}

pub(crate) fn is_healthy_request() -> Request<bool> {
    let operation = Operation::new("check", "health");
    let request = Request::new(operation, Method::GET, "health/", |response| {
        // An error page in place of an empty answer is a failure of another kind.
        let failing = response.status() == StatusCode::INTERNAL_SERVER_ERROR;
        if failing && response.bytes().is_empty() {
            return Ok(false);
        }
        response.error_for_status().map(|_| true)
    });
    request.without_login()
}

pub(crate) fn health_request() -> Request<Health> {
    let operation = Operation::new("retrieve", "health");
    Request::json(operation, Method::GET, "health/json/").without_login()
}

pub(crate) fn health_metrics_request() -> Request<String> {
    let operation = Operation::new("retrieve", "health metrics");
    let request = Request::new(operation, Method::GET, "health/prom/", |response| {
        response.error_for_status()?.text().map(str::to_owned)
    });
    request.without_login()
}

pub(crate) fn openapi_request(path: &'static str) -> Request<Bytes> {
    let operation = Operation::new("retrieve", "specification");
    Request::new(operation, Method::GET, path, |response: Response| -> Result<Bytes, Error> {
        Ok(response.error_for_status()?.bytes().clone())
    })
}
