//! Leaves a real server as it was found.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use keystone_client::blocking::HttpBackend;
use serde_json::Value;

use super::real::Real;

/// What other records belong to, and go with, in the order in which it can be deleted.
const OWNERS: [&str; 5] = [
    "/users/teams/",
    "/users/researchgroups/",
    "/allocations/clusters/",
    "/notifications/preferences/",
    "/users/users/",
];

/// The paths of what a POST to this path has created, alone or as steps of a job.
pub(super) fn made(path: &str, response: &Response<Bytes>) -> Vec<String> {
    let Ok(answer) = serde_json::from_slice::<Value>(response.body()) else {
        return Vec::new();
    };
    let record = |path: &str, id: &Value| Some(format!("{path}{}/", id.as_u64()?));
    let made: Vec<String> = match response.status() {
        StatusCode::CREATED => record(path, &answer["id"]).into_iter().collect(),
        _ => {
            let steps = answer["results"].as_array().map(Vec::as_slice).unwrap_or_default();
            let made = steps.iter().filter(|step| step["status"] == 201);
            made.filter_map(|step| record(step["path"].as_str()?, &step["body"]["id"])).collect()
        }
    };
    made.into_iter().filter(|path| rank(path) < OWNERS.len()).collect()
}

fn rank(path: &str) -> usize {
    OWNERS.iter().position(|owner| path.starts_with(owner)).unwrap_or(OWNERS.len())
}

/// Deletes the records. What is kept by others goes after them.
pub(super) fn up(real: &Real, admin: Option<&Vec<(&'static str, String)>>, made: &mut Vec<String>) {
    made.sort_by_key(|path| rank(path));
    for _ in 0..3 {
        made.retain(|path| {
            let mut request = Request::delete(path.as_str());
            for (name, value) in admin.into_iter().flatten() {
                request = request.header(*name, value);
            }
            let request = real.addressed(request.body(Bytes::new()).unwrap());
            let gone = [StatusCode::NO_CONTENT, StatusCode::NOT_FOUND];
            !real.blocking.execute(request).is_ok_and(|answer| gone.contains(&answer.status()))
        });
    }
    if !made.is_empty() {
        println!("left behind: {made:?}");
    }
}
