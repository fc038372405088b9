//! Writing attachments: they are not JSON, since a file goes with them.

use http::Method;

use super::{AllocationRequest, Attachment};
use crate::body::{Body, Multipart, ToBody};
use crate::call::Call;
use crate::crud::{Crud, record_path};
use crate::id::Id;
use crate::input::{Input, IntoInput, Link};
use crate::resource::Create;
use crate::upload::Upload;

/// What it takes to create an attachment: a request and a file.
///
/// Before a file is sent, the client asks the server what files it takes, once for all its calls and
/// again after an hour, after a refusal by the server, and, if the answer is older than a minute, before
/// it refuses a file itself or reads one whose length it cannot know. Each question counts for one call
/// of the budget. The client refuses what the server would certainly refuse: files that are too large, and those whose ending
/// stands for a type that is not taken. Where machines differ about the type of an ending, and where
/// the server does not say what it takes (before 0.9.5), the file is sent and the server decides.
///
/// ```
/// use keystone_client::resources::NewAttachment;
/// use keystone_client::upload::Upload;
/// use keystone_client::{Id, resources::AllocationRequest};
/// # use keystone_client::sandbox::Sandbox;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let sandbox = Sandbox::new();
/// # let team = sandbox.insert("users/teams", serde_json::json!({ "name": "Folding" }))?;
/// # sandbox.insert("allocations/requests", serde_json::json!({
/// #     "id": 7, "title": "Folding", "description": "d", "submitter": 1, "team": team,
/// # }))?;
/// # let client = sandbox.blocking_client()?;
/// client.login("admin", "admin-password")?;
/// let request: Id<AllocationRequest> = Id::new(7);
/// let plan = Upload::bytes("plan.txt", "fold, then fold again"); // or `Upload::path("plan.txt")`
/// let attachment =
///     client.create_attachment(NewAttachment::new(request, plan).name("Plan")).send()?;
/// assert_eq!(attachment.name, "Plan");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NewAttachment {
    /// The request that it belongs to.
    pub request: Link<AllocationRequest>,
    /// The file.
    pub file: Upload,
    /// Its name, at most 250 characters; that of the file if it is not set or blank. Servers since
    /// 0.6.1.
    pub name: Option<Input<String>>,
}

impl NewAttachment {
    /// With the required fields.
    #[must_use]
    pub fn new(request: impl IntoInput<Id<AllocationRequest>>, file: Upload) -> Self {
        Self { request: request.into_input(), file, name: None }
    }

    /// Its name, at most 250 characters; that of the file if it is not set or blank. Servers since
    /// 0.6.1.
    #[must_use]
    pub fn name(mut self, value: impl IntoInput<String>) -> Self {
        self.name = Some(value.into_input());
        self
    }
}

impl ToBody for NewAttachment {
    fn to_body(&self) -> Result<Body, serde_json::Error> {
        let mut parts = Multipart::new().text("request", self.request.to_string());
        if let Some(name) = &self.name {
            parts = parts.text("name", name.to_string());
        }
        Ok(parts.file("file", self.file.clone()).into())
    }
}

impl Create for Attachment {
    type New = NewAttachment;
}

impl<C: Clone> Crud<Attachment, C> {
    /// Puts another file in place of the present one, and leaves name and request alone:
    /// `PATCH {path}/{id}/`. [`update`](Self::update) changes these.
    ///
    /// The server keeps the old file in its storage.
    ///
    /// ```
    /// # use keystone_client::resources::NewAttachment;
    /// # use keystone_client::sandbox::Sandbox;
    /// # use keystone_client::{Id, upload::Upload};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::new();
    /// # let team = sandbox.insert("users/teams", serde_json::json!({ "name": "Folding" }))?;
    /// # sandbox.insert("allocations/requests", serde_json::json!({
    /// #     "id": 7, "title": "Folding", "description": "d", "submitter": 1, "team": team,
    /// # }))?;
    /// # let client = sandbox.blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let new = NewAttachment::new(Id::new(7), Upload::bytes("plan.txt", "fold"));
    /// # let id = client.create_attachment(new).send()?.id;
    /// let second = Upload::bytes("second plan.txt", "unfold");
    /// let attachment = client.attachments().update_file(id, second).send()?;
    /// assert_eq!(attachment.file.as_deref(), Some("allocations/second_plan.txt"));
    /// assert_eq!(attachment.name, "plan.txt");
    /// # Ok(()) }
    /// ```
    pub fn update_file(
        &self,
        id: impl IntoInput<Id<Attachment>>,
        file: Upload,
    ) -> Call<Attachment, C> {
        let body = JustFile(file);
        self.write(Self::operation("update"), Method::PATCH, record_path(id), &body)
    }
}

struct JustFile(Upload);

impl ToBody for JustFile {
    fn to_body(&self) -> Result<Body, serde_json::Error> {
        Ok(Multipart::new().file("file", self.0.clone()).into())
    }
}
