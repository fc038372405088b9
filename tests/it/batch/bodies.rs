//! What becomes of the bodies of steps: forms, files, secrets.

use keystone_client::Id;
use keystone_client::body::{Body, Multipart};
use keystone_client::resources::NewAttachment;
use keystone_client::upload::Upload;
use serde_json::{Value, json};

use super::references::{client, problem};

keystone_client::resource! {
    /// Something with a secret of its own.
    struct Door("door", "site/doors");
    fields DoorFields;
    new NewDoor;
    verbs [Retrieve];

    read_only {
        /// Primary key.
        id: Id<Door>,
    }
    write_only {
        /// What opens it.
        pin: String,
    }
}

#[test]
fn secrets_of_steps_are_not_shown() {
    let (client, _) = client();
    let mut job = client.batch();
    job.add(client.resource::<Door>().create(NewDoor::new("the-pin")));
    let shown = job.run().explain().unwrap();
    assert!(shown.contains("site/doors") && !shown.contains("the-pin"), "{shown}");
    let file = Upload::bytes("plan.txt", "x");
    job.add(client.attachments().create(NewAttachment::new(Id::new(1), file)));
    let shown = job.run().explain().unwrap();
    assert!(shown.contains("plan.txt") && !shown.contains("the-pin"), "{shown}");
}

/// A field that comes several times is a list, which is how forms say it.
#[test]
fn forms_become_payloads() {
    let (client, _) = client();
    let form = Multipart::new().text("users", "1").text("name", "x").text("users", "2");
    let mut job = client.batch();
    let form = form.text("users", "3");
    job.add(client.http_post("site/doors").multipart(form.clone()));
    job.add(
        client.http_post("site/doors").multipart(form.file("plan", Upload::bytes("a.txt", "a"))),
    );
    let request = job.run().into_request().unwrap();
    let Body::Multipart(sent) = request.body() else { panic!("{request:?}") };
    let text: Value = serde_json::from_str(sent.parts()[0].as_text().unwrap()).unwrap();
    let fields = json!({ "users": ["1", "2", "3"], "name": "x" });
    assert_eq!(text["actions"][0]["payload"], fields);
    let mut with_file = fields.clone();
    with_file["plan"] = "@file{file1}".into();
    assert_eq!(text["actions"][1]["payload"], with_file);

    let (client, sent) = super::references::client();
    let file = || Upload::bytes("a.txt", "a");
    for form in [
        Multipart::new().file("file", file()).file("file", file()),
        Multipart::new().text("file", "x").file("file", file()),
    ] {
        let mut job = client.batch();
        job.add(client.http_post("site/doors").multipart(form));
        let (_, problem) = problem(&job, &sent);
        assert!(problem.contains("the name of another part"), "{problem}");
    }
}
