//! Resources of one's own that have files.

use keystone_client::Id;
use keystone_client::body::{Body, Multipart, ToBody};
use keystone_client::resource::Create;
use keystone_client::resources::AllocationRequest;
use keystone_client::upload::Upload;

use super::{REQUEST, sandbox};
use crate::support::both_colours;

keystone_client::resource! {
    /// An attachment under another name.
    pub struct Document("document", "allocations/attachments");
    fields DocumentFields;
    verbs [Retrieve, Replace];

    read_only {
        /// Primary key.
        id: Id<Document>,
    }
    optional {
        /// Title.
        title = "name": String,
    }
}

/// It holds a file, and so does not serialise.
pub struct NewDocument {
    title: String,
    request: Id<AllocationRequest>,
    scan: Upload,
}

impl ToBody for NewDocument {
    fn to_body(&self) -> Result<Body, serde_json::Error> {
        let fields =
            Multipart::new().text("name", &self.title).text("request", self.request.to_string());
        Ok(fields.file("file", self.scan.clone()).into())
    }
}

impl Create for Document {
    type New = NewDocument;
}

both_colours! {
    fn they_are_created_and_replaced_like_any_other() {
        let client = client!(sandbox());
        go!(client.login("admin", "admin-password")).unwrap();
        let documents = client.resource::<Document>();
        let new = |title: &str| NewDocument {
            title: title.to_owned(),
            request: REQUEST,
            scan: Upload::bytes("scan.png", "\u{89}PNG"),
        };
        let made = go!(documents.create(new("Contract"))).unwrap();
        assert_eq!(made.title, "Contract");
        assert_eq!(go!(documents.replace(made.id, new("Deed"))).unwrap().title, "Deed");
    }
}
