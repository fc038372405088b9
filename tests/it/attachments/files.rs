//! Files that cannot be sent: each is refused with a sentence, before anything is sent.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use keystone_client::body::Multipart;
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::from_fn;
use keystone_client::upload::Upload;
use keystone_client::{Error, ErrorKind};

use super::{LIST, asked, new, sandbox};
use crate::support::both_colours;

/// What nobody can have sent, in one line with the cause.
fn unsent(result: Result<keystone_client::resources::Attachment, Error>) -> String {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error:#}");
    assert!(!error.may_have_been_sent());
    format!("{error:#}")
}

fn uploads(sandbox: &Sandbox) -> usize {
    let is_upload = |request: &&String| request.ends_with(LIST);
    asked(sandbox).iter().filter(is_upload).count()
}

both_colours! {
    fn what_is_no_file_to_send_is_refused_before_anything_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("empty.txt"), "").unwrap();
        let shown = |name: &str| at(name).display().to_string();
        let sandbox = sandbox();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.clear_requests();

        let cases: [(Upload, String); 6] = [
            (Upload::path(at("none.txt")), format!("`{}` does not exist", shown("none.txt"))),
            (
                Upload::path(folder.path()).with_file_name("x.txt"),
                format!("`{}` is a folder; send the files", folder.path().display()),
            ),
            (Upload::path(at("empty.txt")), format!("`{}` is empty", shown("empty.txt"))),
            (Upload::bytes("none.txt", ""), "`none.txt` is empty".to_owned()),
            (Upload::path(".."), "`..` has no name that can be sent; give it one".to_owned()),
            (Upload::bytes("", "x"), "`` has an empty name".to_owned()),
        ];
        for (file, expected) in cases {
            let said = unsent(go!(client.create_attachment(new(file.clone()))));
            let start = format!("create attachment: invalid request: {expected}");
            assert!(said.starts_with(&start), "{said}");
            let said = unsent(go!(client.attachments().replace(keystone_client::Id::new(1), new(file.clone()))));
            assert!(said.starts_with("replace attachment"), "{said}");
            unsent(go!(client.attachments().update_file(keystone_client::Id::new(1), file)));
        }
        assert_eq!(asked(&sandbox), [""; 0]);
    }

    fn types_that_the_server_refuses_are_not_sent() {
        let sandbox = sandbox();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        for (name, expected) in [
            ("tool.exe", "`tool.exe` is of type application/x-msdos-program, which the server does \
              not take; what it takes is usually named .pdf, .rtf"),
            ("a.ZIP", "`a.ZIP` is of type application/zip"),
            ("a.zip.gz", "`a.zip.gz` is of type application/zip"),
            ("README", "`README` has no ending such as `.pdf`, by which the server tells its type"),
            (".pdf", "`.pdf` has no ending"),
            ("a.", "`a.` has no ending"),
            ("b.txt/README", "`b.txt/README` has no ending"),
        ] {
            let said = unsent(go!(client.create_attachment(new(Upload::bytes(name, "x")))));
            assert!(said.contains(expected), "{said}");
        }
        assert_eq!(uploads(&sandbox), 0);
        // Machines differ about these, so that the server has to say; its word is kept.
        for (name, expected) in [
            ("a.tex", "File type 'text/x-tex' is not allowed."),
            ("a.unheard-of", "File type could not be resolved."),
            ("a.py", "File type 'text/x-python' is not allowed."),
        ] {
            let error = go!(client.create_attachment(new(Upload::bytes(name, "x")))).unwrap_err();
            let (field, complaints) = error.field_errors().next().unwrap();
            assert_eq!((field, complaints), ("file", &[expected.to_owned()][..]), "{name}");
        }
        for name in ["a.PDF", "a.md", "a.jpeg", "a.docx", "a.svg"] {
            go!(client.create_attachment(new(Upload::bytes(name, "x")))).unwrap();
        }
    }

    fn a_file_that_changes_after_it_was_checked_is_not_sent() {
        type Change = fn(&PathBuf);
        let changes: [(Change, &str); 4] = [
            (|path| fs::remove_file(path).unwrap(), "does not exist"),
            (|path| fs::write(path, "more than before").unwrap(), "grew beyond 6 bytes"),
            (|path| fs::write(path, "less").unwrap(), "shrank from 6 to 4 bytes"),
            (|path| fs::write(path, "").unwrap(), "shrank from 6 to 0 bytes"),
        ];
        for (change, expected) in changes {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.txt");
            fs::write(&path, "before").unwrap();
            let (server, changed) = (sandbox(), path.clone());
            let sandbox = server.clone();
            // The client asks what the server takes between the check and the sending.
            let client = client!(from_fn(move |request| {
                if request.uri().path() == "/config/" {
                    change(&changed);
                }
                Ok(server.handle(request))
            }));
            go!(client.login("admin", "admin-password")).unwrap();
            let said = unsent(go!(client.create_attachment(new(Upload::path(&path)))));
            assert!(said.contains(expected), "{said}");
            assert_eq!(uploads(&sandbox), 0);
            // The same upload works once the file is what it seems to be.
            fs::write(&path, "as it was").unwrap();
        }
    }

    /// And anew for each call, as nothing of it is kept.
    fn a_file_is_read_once_for_all_attempts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "first").unwrap();
        let (server, bodies) = (sandbox(), Arc::new(Mutex::new(Vec::<Bytes>::new())));
        let (seen, changed) = (Arc::clone(&bodies), path.clone());
        let client = client!(from_fn(move |request| {
            if request.uri().path() == LIST {
                seen.lock().unwrap().push(request.body().clone());
                fs::write(&changed, "second, longer").unwrap();
                if seen.lock().unwrap().len() == 1 {
                    let mut busy = http::Response::new(Bytes::new());
                    *busy.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                    return Ok(busy);
                }
            }
            Ok(server.handle(request))
        }));
        go!(client.login("admin", "admin-password")).unwrap();
        let file = Upload::path(&path);
        let call = client.create_attachment(new(file.clone())).idempotent(true);
        go!(call.clone()).unwrap();
        go!(call).unwrap();
        let bodies = bodies.lock().unwrap();
        assert_eq!(bodies.len(), 3);
        assert_eq!(bodies[0], bodies[1]);
        let has = |body: &Bytes, text: &str| String::from_utf8_lossy(body).contains(text);
        assert!(has(&bodies[1], "first") && has(&bodies[2], "second, longer"));
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "x").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o0)).unwrap();
    if File::open(&path).is_ok() {
        return; // The user of the test may read anything.
    }
    let sandbox = sandbox();
    let client = sandbox.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    let said = unsent(client.create_attachment(new(Upload::path(&path))).send());
    assert!(said.contains("a.txt` may not be read by this user: Permission denied"), "{said}");
    assert_eq!(uploads(&sandbox), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn files_without_an_honest_length_are_read_to_the_limit() {
    let client = sandbox().blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    let made = Upload::path("/proc/self/status").with_file_name("status.txt");
    client.create_attachment(new(made)).send().unwrap();
    let endless = Upload::path("/dev/zero").with_file_name("zero.txt");
    let said = unsent(client.create_attachment(new(endless)).send());
    assert!(said.contains("`/dev/zero` has more than 2621440 bytes"), "{said}");
}

/// How many bytes this thread has read, of files and all else.
#[cfg(target_os = "linux")]
fn bytes_read() -> u64 {
    let counters = fs::read_to_string("/proc/thread-self/io").unwrap();
    let read = counters.lines().find_map(|line| line.strip_prefix("rchar: "));
    read.unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_gigabyte_is_refused_without_being_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.txt");
    File::create(&path).unwrap().set_len(1 << 30).unwrap();
    let sandbox = sandbox();
    let client = sandbox.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    let before = bytes_read();
    let said = unsent(client.create_attachment(new(Upload::path(&path))).send());
    let expected = "has 1073741824 bytes, and the server takes 2621440 at most; send a smaller one";
    assert!(said.contains(expected), "{said}");
    // Nor is it where no limit is known.
    let form = Multipart::new().file("file", Upload::path(&path));
    let said = client.http_post("files").multipart(form).send().unwrap_err().to_string();
    assert!(said.contains("has more than 104857600 bytes"), "{said}");
    assert_eq!(uploads(&sandbox), 0);
    let read = bytes_read() - before;
    assert!(read < 10_000, "{read} bytes were read");
}
