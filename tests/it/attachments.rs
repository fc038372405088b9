//! Attachments: multipart bodies, files, and the limits that the server tells.

mod custom;
mod encoding;
mod files;
pub(super) mod form;
pub(super) mod jobs;
mod life;
mod limits;
mod readers;
mod recordings;
mod transport;

use keystone_client::Id;
use keystone_client::resources::{AllocationRequest, NewAttachment};
use keystone_client::sandbox::Sandbox;
use keystone_client::upload::Upload;
use serde_json::json;

/// The request that the attachments of these tests belong to.
const REQUEST: Id<AllocationRequest> = Id::new(7);

const LIST: &str = "/allocations/attachments/";

/// A server with a request.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let team = sandbox.insert("users/teams", json!({ "name": "Folding" })).unwrap();
    let request = json!({
        "id": REQUEST.get(), "title": "t", "description": "d", "submitter": 1, "team": team,
    });
    sandbox.insert("allocations/requests", request).unwrap();
    sandbox
}

fn new(file: Upload) -> NewAttachment {
    NewAttachment::new(REQUEST, file)
}

/// Methods and paths of what the server has got since it was last cleared.
fn asked(sandbox: &Sandbox) -> Vec<String> {
    let requests = sandbox.requests();
    requests.iter().map(|request| format!("{} {}", request.method(), request.path())).collect()
}
