//! Files, with names and sizes that only a server can judge.

use keystone_client::Id;
use keystone_client::backend::UreqBackend;
use keystone_client::blocking::KeystoneClient;
use keystone_client::body::Multipart;
use keystone_client::resources::{NewAllocationRequest, NewAttachment, NewTeam};
use keystone_client::upload::Upload;

use crate::support::target::Target;

/// Names as they are sent, and as the server keeps them.
const NAMES: &[(&str, &str)] = &[
    ("report.pdf", "report.pdf"),
    ("two words; and \"quotes\".pdf", "two words; and \"quotes\".pdf"),
    ("\".pdf", "\".pdf"),
    ("übung 😀 雪.pdf", "übung 😀 雪.pdf"),
    ("a'b'c%20d%22.pdf", "a'b'c%20d%22.pdf"),
    ("R&D <1> &copy; &amp;.pdf", "R&D <1> &copy; &amp;.pdf"),
    ("a+b=c*.pdf", "a+b=c*.pdf"),
    ("notes: draft#2?.pdf", "notes: draft#2?.pdf"),
    ("  blanks  .pdf", "  blanks  .pdf"),
    ("filename*=UTF-8''x.pdf", "filename*=UTF-8''x.pdf"),
    ("quote at the end\"; x=\".pdf", "quote at the end\"; x=\".pdf"),
    // What it drops.
    ("a\r\nContent-Type: text<html\r\n\r\nb.pdf", "aContent-Type: text<htmlb.pdf"),
    ("a\tb\0c.pdf", "abc.pdf"),
    ("before\\after \"it\".pdf", "after \"it\".pdf"),
    ("../../etc/passwd.txt", "passwd.txt"),
];

#[test]
fn attachments() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = KeystoneClient::with_backend(&server.url(), UreqBackend::new().unwrap()).unwrap();
    client.login(server.username(), server.password()).unwrap();
    let me = client.whoami().unwrap().unwrap();
    let team = client.create_team(NewTeam::new(server.name("Attachments"))).send().unwrap();
    let new = NewAllocationRequest::new("Attachments", "d", me.id, team.id);
    let request = client.create_request(new).send().unwrap().id;
    let attach = |file: Upload| client.create_attachment(NewAttachment::new(request, file)).send();

    for (sent, kept) in NAMES {
        let attachment = attach(Upload::bytes(*sent, "x")).unwrap();
        assert_eq!((attachment.name.as_str(), attachment.request), (*kept, request));
    }
    // The longest name that is read, by letters of three bytes; one more is refused here.
    let long = |letters: usize| Upload::bytes(format!("{}.pdf", "雪".repeat(letters)), "x");
    let is_read = |letters: &usize| Multipart::new().file("file", long(*letters)).encode().is_ok();
    let most = (1..400).rev().find(is_read).unwrap();
    attach(long(most)).unwrap();
    attach(long(most + 1)).unwrap_err();

    let limit = usize::try_from(client.config().send().unwrap().max_upload_size).unwrap();
    let zeros = |length: usize| Upload::bytes("zeros.txt", vec![0; length]);
    let whole = attach(zeros(limit)).unwrap();
    assert!(!attach(zeros(limit + 1)).unwrap_err().may_have_been_sent());
    let error = attach(Upload::bytes("a.tex", "x")).unwrap_err();
    assert!(error.is_validation("file") || error.field_errors().count() == 0, "{error}");
    let file = Upload::bytes("second.md", "# x");
    let updated = client.attachments().update_file(whole.id, file.clone()).send().unwrap();
    assert_eq!(updated.name, "zeros.txt");
    let new = NewAttachment::new(request, file).name("two\r\nlines");
    let replaced = client.attachments().replace(whole.id, new).send().unwrap();
    assert_eq!(replaced.name, "two\r\nlines");
    assert!(client.attachments().update_file(Id::new(999_999), zeros(1)).send().is_err());

    client.delete_request(request).send().unwrap();
    client.delete_team(team.id).send().unwrap();
}
