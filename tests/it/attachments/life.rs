//! From the creation of an attachment to its end.

use std::fs;

use keystone_client::body::Multipart;
use keystone_client::resources::{AllocationRequest, NewAttachment};
use keystone_client::sandbox::Sandbox;
use keystone_client::upload::Upload;
use keystone_client::{ErrorKind, Id};
use serde_json::json;

use super::{LIST, asked, new, sandbox};
use crate::support::both_colours;
use crate::support::target::Target;

/// A request for attachments.
fn request(server: &Target) -> Id<AllocationRequest> {
    let submitter = server.staff("boss").0;
    let team = server.insert("users/teams", json!({ "name": server.name("Folding") }));
    let request = json!({
        "title": "t", "description": "d", "submitter": submitter, "team": team,
    });
    Id::new(server.insert("allocations/requests", request))
}

both_colours! {
    fn an_attachment_lives() {
        let Some(server) = Target::session() else {
            return;
        };
        let (client, request) = (client!(server.clone()), request(&server));
        go!(client.login(server.username(), server.password())).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (end, path) = (server.name(""), folder.path());
        // Names of files are taken for good.
        let path = path.join(server.name("données \"1\"") + ".csv");
        fs::write(&path, "a;b\n1;2\n").unwrap();

        let made = go!(client.create_attachment(NewAttachment::new(request, Upload::path(&path)).name("Data"))).unwrap();
        assert_eq!((made.name.as_str(), made.request), ("Data", request));
        assert_eq!(made.file, Some(format!("allocations/données_1{end}.csv")));
        let unnamed = go!(client.create_attachment(NewAttachment::new(request, Upload::path(&path)))).unwrap();
        assert_eq!(unnamed.name, format!("données \"1\"{end}.csv"));

        let renamed = client.update_attachment(made.id, |a| [a.name.set("Numbers")]);
        assert_eq!(go!(renamed).unwrap().file, made.file);
        let file = Upload::reader(format!("more{end}.txt"), std::io::Cursor::new("3;4"));
        let updated = go!(client.attachments().update_file(made.id, file)).unwrap();
        assert_eq!(updated.name, "Numbers");
        assert_eq!(updated.file, Some(format!("allocations/more{end}.txt")));
        let other = NewAttachment::new(request, Upload::bytes(format!("put{end}.md"), "# 5")).name("Put");
        let replaced = go!(client.attachments().replace(made.id, other)).unwrap();
        assert_eq!(replaced.name, "Put");
        assert_eq!(replaced.file, Some(format!("allocations/put{end}.md")));

        let list = client.attachments().filter(|a| a.request.eq(request));
        assert_eq!(go!(list.all()).unwrap().len(), 2);
        go!(client.delete_attachment(made.id)).unwrap();
        assert!(go!(client.retrieve_attachment(made.id)).unwrap_err().is_not_found());
    }

    fn what_the_server_has_against_an_attachment_is_said_by_field() {
        let Some(server) = Target::session() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        let new = NewAttachment::new(Id::new(999_999), Upload::bytes("a.txt", "x"));
        let error = go!(client.create_attachment(new)).unwrap_err();
        assert!(error.is_validation("request"), "{error}");
        let file = Upload::bytes("a.txt", "x");
        let error = go!(client.attachments().update_file(Id::new(999_999), file)).unwrap_err();
        assert!(error.is_not_found(), "{error}");
    }

    fn generic_calls_take_fields_and_files() {
        let Some(server) = Target::session() else {
            return;
        };
        let (client, request) = (client!(server.clone()), request(&server));
        go!(client.login(server.username(), server.password())).unwrap();
        let end = server.name("");
        let form = Multipart::new()
            .file("file", Upload::bytes(format!("a\r\nb{end}.txt"), "x"))
            .text("request", request.to_string())
            .text("name", "two\r\nlines");
        let response = go!(client.http_post(LIST).multipart(form)).unwrap();
        assert_eq!(response.status(), 201);
        let record: serde_json::Value = response.json().unwrap();
        assert_eq!(record["name"], "two\r\nlines");
        assert_eq!(record["file"], format!("allocations/ab{end}.txt"));
        let form = Multipart::new().text("request", request.to_string());
        let response = go!(client.http_post(LIST).multipart(form)).unwrap();
        let complaint: serde_json::Value = response.json().unwrap();
        assert_eq!(complaint["file"][0], "No file was submitted.");
    }

    fn nobody_logged_in_sends_no_files_about() {
        let sandbox = sandbox();
        let client = client!(sandbox.clone());
        let error = go!(client.create_attachment(new(Upload::bytes("a.txt", "x")))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotLoggedIn);
        assert_eq!(asked(&sandbox), ["POST /allocations/attachments/"]);
    }

    fn servers_that_have_no_attachments_are_sent_none() {
        let sandbox = Sandbox::builder().staff("admin", "admin-password").build();
        let client = client!(sandbox.clone(), |builder| builder.server_version("0.5.2"));
        let file = Upload::path("/nonexistent/a.txt");
        let error = go!(client.create_attachment(new(file))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(asked(&sandbox), [""; 0]);
    }
}

#[test]
fn what_is_said_of_a_path_stays_in_its_line() {
    let file = Upload::path("/nonexistent/\u{1b}[31m\r\nörtlich.txt");
    let error = Multipart::new().file("file", file).encode().unwrap_err().to_string();
    assert_eq!(error, "`/nonexistent/\\u{1b}[31m\\r\\nörtlich.txt` does not exist");
}

#[test]
fn it_is_explained_as_a_command_that_reads_the_files_itself() {
    let client = sandbox().blocking_client().unwrap();
    let new = new(Upload::path("/nonexistent/it's \"a\" plan.pdf")).name("The plan");
    let line = client.create_attachment(new).explain().unwrap();
    assert!(
        line.ends_with(
            "--form-string 'request=7' --form-string 'name=The plan' \
         --form 'file=@\"/nonexistent/it'\\''s \\\"a\\\" plan.pdf\";\
         filename=\"it'\\''s \\\"a\\\" plan.pdf\";type=application/pdf'"
        ),
        "{line}"
    );
    assert!(!line.contains("content-type"), "curl says it itself: {line}");
    let form = Multipart::new().text("password", "hunter2");
    let line = client.http_post("x").multipart(form).explain().unwrap();
    assert!(line.contains("password=[redacted]") && !line.contains("hunter2"), "{line}");
}
