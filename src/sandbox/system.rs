//! The endpoints that tell about the server itself.

use std::borrow::Cow;

use http::StatusCode;

use crate::sandbox::era::Era;
use crate::sandbox::files;
use crate::sandbox::health;
use crate::sandbox::incoming::Incoming;
use crate::sandbox::json::Json;
use crate::sandbox::reply::{Body, Failure, Reply};
use crate::sandbox::routes::Endpoint;
use crate::sandbox::server::Config;

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
        Endpoint::Metrics => metrics(),
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

/// The metrics of the server: those of one that has just been started.
pub(crate) fn metrics() -> Reply {
    let text = "# HELP django_http_requests_before_middlewares_total Total count of requests before \
                middlewares run.\n\
                # TYPE django_http_requests_before_middlewares_total counter\n\
                django_http_requests_before_middlewares_total 0.0\n";
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    Reply::new(StatusCode::OK, Body::Text(content_type, text.to_owned()))
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

/// What OPTIONS answers. The description of the writable columns is left out.
pub(crate) fn description(endpoint: Endpoint) -> Reply {
    let name = match endpoint {
        Endpoint::List(table) => format!("{} List", table.model),
        Endpoint::Detail(table) => format!("{} Instance", table.model),
        _ => "Api View".to_owned(),
    };
    let texts = |texts: &[&str]| Json::List(texts.iter().map(|&text| Json::text(text)).collect());
    Reply::ok(Json::object([
        ("name", Json::Text(name)),
        ("description", Json::text("")),
        ("renders", texts(&["application/json"])),
        (
            "parses",
            texts(&[
                "application/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data",
            ]),
        ),
    ]))
}
