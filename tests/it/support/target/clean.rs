//! Leaves a real server as it was found.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use keystone_client::blocking::HttpBackend;
use serde_json::Value;

use super::real::Real;

/// The paths of what a POST to this path has created, alone or as steps of a job.
pub(super) fn made(path: &str, response: &Response<Bytes>) -> Vec<String> {
    let Ok(answer) = serde_json::from_slice::<Value>(response.body()) else {
        return Vec::new();
    };
    if response.status() == StatusCode::CREATED {
        return answer["id"].as_u64().map(|id| format!("{path}{id}/")).into_iter().collect();
    }
    let steps = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
    let made = steps.iter().filter(|step| step["status"] == 201);
    made.filter_map(|step| {
        Some(format!("{}{}/", step["path"].as_str()?, step["body"]["id"].as_u64()?))
    })
    .collect()
}

/// Deletes the records, the latest first. What is kept by others goes after them.
pub(super) fn up(real: &Real, admin: Option<&Vec<(&'static str, String)>>, made: &mut Vec<String>) {
    made.reverse();
    for _ in 0..3 {
        made.retain(|path| {
            let mut request = Request::delete(path.as_str());
            for (name, value) in admin.into_iter().flatten() {
                request = request.header(*name, value);
            }
            let request = real.addressed(request.body(Bytes::new()).unwrap());
            let gone =
                [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED];
            !real.blocking.execute(request).is_ok_and(|answer| gone.contains(&answer.status()))
        });
    }
    if !made.is_empty() {
        println!("left behind: {made:?}");
    }
}
