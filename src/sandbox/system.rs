//! The endpoints that tell about the server itself.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::StatusCode;

use crate::sandbox::era::Era;
use crate::sandbox::files;
use crate::sandbox::health;
use crate::sandbox::incoming::Incoming;
use crate::sandbox::json::Json;
use crate::sandbox::reply::{Body, Failure, Reply};
use crate::sandbox::routes::Endpoint;
use crate::sandbox::schema::Resource;
use crate::sandbox::server::Config;
use crate::sandbox::store::Store;

const MAX_UPLOAD_COUNT: i128 = 15;

/// Answers GET at an endpoint that stores nothing.
pub(crate) fn answer(
    endpoint: Endpoint,
    config: &Config,
    era: &Era,
    incoming: &Incoming,
) -> Result<Reply, Failure> {
    Ok(match endpoint {
        Endpoint::Version => {
            Reply::new(StatusCode::OK, Body::Text("text/plain", config.version.clone()))
        }
        Endpoint::Config => Reply::ok(configuration(config)),
        Endpoint::Health(form) => health::report(form, era.health, &config.failing_checks),
        Endpoint::Choices(choices) => {
            let labels = choices.iter();
            let labels = labels.map(|&(code, label)| (Cow::Borrowed(code), Json::text(label)));
            Reply::ok(Json::Object(labels.collect()))
        }
        Endpoint::Group(group, resources) => {
            let urls = resources.iter().map(|&name| {
                let url = incoming.absolute(&format!("/{group}/{name}/"));
                (Cow::Borrowed(name), Json::Text(url))
            });
            Reply::ok(Json::Object(urls.collect()))
        }
        _ => return Err(Failure::not_found()),
    })
}

/// What a collector of metrics reads: how many requests were answered, by method.
pub(crate) fn metrics(store: &Store) -> Body {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    if let Some(log) = store.schema.table(Resource::RequestLog) {
        for row in store.range(Resource::RequestLog, i64::MIN..=i64::MAX) {
            let method = row.named(log, "method").as_text().unwrap_or_default();
            *counts.entry(method).or_default() += 1;
        }
    }
    let name = "django_http_requests_total_by_method_total";
    let samples =
        counts.iter().map(|(method, count)| format!("{name}{{method=\"{method}\"}} {count}.0\n"));
    let samples = samples.collect::<String>();
    let text =
        format!("# HELP {name} Count of requests by method.\n# TYPE {name} counter\n{samples}");
    Body::Text("text/plain; version=1.0.0; charset=utf-8", text)
}

fn configuration(config: &Config) -> Json {
    let types = files::ALLOWED_TYPES.iter().map(|&name| Json::text(name)).collect();
    Json::object([
        ("version", Json::text(config.version.as_str())),
        ("max_upload_size", Json::Integer(i128::try_from(files::MAX_SIZE).unwrap_or_default())),
        ("max_upload_count", Json::Integer(MAX_UPLOAD_COUNT)),
        ("allowed_file_types", Json::List(types)),
        ("session_age", Json::Integer(i128::from(config.session_lifetime.as_secs()))),
    ])
}
