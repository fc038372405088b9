//! The reports about the services that the server depends on.

use std::borrow::Cow;

use http::{StatusCode, header};

use crate::sandbox::era::HealthReport;
use crate::sandbox::json::Json;
use crate::sandbox::reply::{Body, Reply};
use crate::sandbox::routes::HealthForm;

/// A service that is checked: its name, and where the server's code for the check is.
type Service = (&'static str, &'static str);

static LISTED_SERVICES: &[Service] =
    &[("SMTP", ""), ("Database", ""), ("Storage", ""), ("Redis", ""), ("Celery", "")];
static NAMED_SERVICES: &[Service] = &[
    ("CeleryHealthCheckCelery", "health_check.contrib.celery.apps"),
    ("CeleryPingHealthCheck", "health_check.contrib.celery_ping.backends"),
    ("DatabaseBackend", "health_check.db.backends"),
    ("DefaultFileStorageHealthCheck", "health_check.storage.backends"),
    ("MigrationsHealthCheck", "health_check.contrib.migrations.backends"),
    ("RedisHealthCheck", "health_check.contrib.redis.backends"),
];

/// Checks that fail: name and message.
pub(crate) type Failing = [(String, String)];

/// The outcome of a check.
struct Check<'a> {
    name: &'a str,
    module: &'a str,
    /// What is wrong, if anything is.
    error: Option<&'a str>,
}

impl Check<'_> {
    fn status(&self) -> u16 {
        if self.error.is_some() { 500 } else { 200 }
    }

    fn message(&self) -> &str {
        self.error.unwrap_or("working")
    }
}

/// The services of the server in their order, and after them what else fails.
fn checks(kind: HealthReport, failing: &Failing) -> Vec<Check<'_>> {
    let services = match kind {
        HealthReport::List => LISTED_SERVICES,
        HealthReport::ByName => NAMED_SERVICES,
    };
    let error = |name: &str| {
        let found = failing.iter().rev().find(|(failing, _)| failing == name);
        found.map(|(_, message)| message.as_str())
    };
    let mut checks: Vec<Check<'_>> =
        services.iter().map(|&(name, module)| Check { name, module, error: error(name) }).collect();
    for (name, _) in failing {
        if checks.iter().all(|check| check.name != name) {
            checks.push(Check { name, module: "", error: error(name) });
        }
    }
    checks
}

pub(crate) fn report(form: HealthForm, kind: HealthReport, failing: &Failing) -> Reply {
    let checks = checks(kind, failing);
    let cached = |reply: Reply| reply.with(header::CACHE_CONTROL, "max-age=60");
    match (form, kind) {
        (HealthForm::Status, _) => {
            let status =
                if failing.is_empty() { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR };
            Reply::new(status, Body::EmptyPage)
        }
        (HealthForm::Json, HealthReport::List) => {
            let checks = checks.iter().map(|check| {
                Json::object([
                    ("check", Json::text(check.name)),
                    ("healthy", Json::Boolean(check.error.is_none())),
                    ("error", check.error.map_or(Json::Null, Json::text)),
                    ("time_taken", Json::Float(0.001)),
                ])
            });
            Reply::ok(Json::object([("data", Json::List(checks.collect()))]))
        }
        (HealthForm::Json, HealthReport::ByName) => {
            let checks = checks.iter().map(|check| {
                let report = Json::object([
                    ("status", Json::Integer(i128::from(check.status()))),
                    ("message", Json::text(check.message())),
                    ("critical_service", Json::Boolean(true)),
                ]);
                (Cow::Owned(check.name.to_owned()), report)
            });
            cached(Reply::ok(Json::Object(checks.collect())))
        }
        (HealthForm::Prometheus, HealthReport::List) => {
            let text = listed_gauges(&checks);
            Reply::new(StatusCode::OK, Body::Text("text/plain; charset=utf-8", text))
        }
        (HealthForm::Prometheus, HealthReport::ByName) => {
            let gauges: Vec<String> = checks.iter().map(named_gauge).collect();
            let body = Body::Text("text/plain", gauges.join("\n\n"));
            cached(Reply::new(StatusCode::OK, body))
        }
    }
}

fn listed_gauges(checks: &[Check<'_>]) -> String {
    let gauge = |name: &str, help: &str, value: &dyn Fn(&Check<'_>) -> String| {
        let lines = checks
            .iter()
            .map(|check| format!("{name}{{check=\"{}\"}} {}\n", escaped(check.name), value(check)));
        let lines = lines.collect::<String>();
        format!("# HELP {name} {help}\n# TYPE {name} gauge\n{lines}")
    };
    let status = gauge(
        "keystone_health_check_status",
        "Health check status (200 = healthy, 500 = unhealthy)",
        &|check| format!("{}.0", check.status()),
    );
    let time = gauge(
        "keystone_health_check_eval_time_seconds",
        "Health check evaluation time in seconds",
        &|_| "0.001000".to_owned(),
    );
    format!("{status}\n{time}")
}

fn named_gauge(check: &Check<'_>) -> String {
    let (name, module) = (check.name, check.module);
    let (message, status) = (escaped(check.message()), check.status());
    format!(
        "# HELP {name} {module}{name}\n# TYPE {name} gauge\n\
         {name}{{critical_service=\"True\",message=\"{message}\"}} {status}.0"
    )
}

/// A text as the value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
