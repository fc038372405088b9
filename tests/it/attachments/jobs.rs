//! Files within jobs: which arrive whole, and which are refused because they would not.

use std::fs;
use std::io::Cursor;

use http::HeaderValue;
use http::header::AUTHORIZATION;
use keystone_client::ErrorKind;
use keystone_client::blocking::KeystoneClient;
use keystone_client::body::Multipart;
use keystone_client::upload::Upload;

use super::{LIST, asked, new, sandbox};
use crate::support::{BASE, both_colours};

const BOUNDARY: &str = "--BoUnDaRyStRiNg";

/// Names that arrive within a job as they are, which was tried on real servers.
pub(crate) const NAMES: [&str; 12] = [
    "R&D.pdf",
    "R&amp;D.pdf",
    "a\"; x=\"b.pdf",
    "\"q\".pdf",
    "é&é\"雪\".pdf",
    "&#47;x.pdf",
    "&quot;.pdf",
    "a%22b.pdf",
    "a;b.pdf",
    "a=b.pdf",
    "it's.pdf",
    " a .pdf",
];

both_colours! {
    fn names_arrive_as_they_are() {
        let client = client!(sandbox());
        go!(client.login("admin", "admin-password")).unwrap();
        let mut job = client.batch();
        let steps = NAMES.map(|name| job.add(client.attachments().create(new(Upload::bytes(name, "x")))));
        let outcome = go!(job.run()).unwrap();
        for (step, name) in steps.into_iter().zip(NAMES) {
            assert_eq!(outcome.get(step).unwrap().name, name);
        }
    }

    /// They would be cut short, or lost, without a word.
    fn what_would_not_arrive_is_refused() {
        let sandbox = sandbox();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let cut = format!("abc{BOUNDARY} def");
        let files = [
            (Upload::bytes("a.txt", cut.clone()), "`a.txt` contains `--BoUnDaRyStRiNg`"),
            (Upload::reader("a.txt", Cursor::new(BOUNDARY)), "`a.txt` contains `--BoUnDaRyStRiNg`"),
            (Upload::bytes(format!("{BOUNDARY}.txt"), "x"), "in its name"),
            (Upload::bytes(format!("{}.txt", "&".repeat(60)), "x"), "too long for a job"),
        ];
        for (file, problem) in files {
            let mut job = client.batch();
            job.add(client.attachments().create(new(file)));
            let error = go!(job.run()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert!(error.to_string().contains(problem), "{error}");
        }
        // Where the server does not say what it takes, such a name comes as far as that.
        let form = Multipart::new().text("job", "{}").file("x", Upload::bytes("a.txt/..", "x"));
        let call = client.http_post("batch").multipart(form).header(AUTHORIZATION, HeaderValue::from_static("Token x"));
        let error = go!(call).unwrap_err();
        assert!(error.to_string().contains("of which the server keeps nothing"), "{error}");
        for form in [
            Multipart::new().text("name", cut.as_str()).file("file", Upload::bytes("a.txt", "x")),
            Multipart::new().text("na\"me", "x").file("file", Upload::bytes("a.txt", "x")),
        ] {
            let mut job = client.batch();
            job.add(client.http_post("allocations/attachments").multipart(form));
            let error = go!(job.run()).unwrap_err();
            assert!(error.to_string().contains("send this call by itself"), "{error}");
        }
        assert!(!asked(&sandbox).contains(&"POST /batch/".to_owned()));

        // All of that goes by itself, and rows go so without being asked for.
        let rows = [
            new(Upload::bytes("a.txt", "x")),
            new(Upload::bytes("a.txt", "y")),
            new(Upload::bytes("b.txt", cut.clone())),
            new(Upload::bytes("c.txt", "x")).name(cut),
            new(Upload::bytes(format!("{BOUNDARY}.txt"), "x")),
            new(Upload::bytes("e.txt", "x")),
        ];
        let report = go!(client.attachments().create_many(rows));
        assert!(report.is_complete(), "{report}");
        let alone = asked(&sandbox).iter().filter(|it| **it == format!("POST {LIST}")).count();
        assert!((3..=5).contains(&alone), "{alone}");
        assert!(asked(&sandbox).contains(&"POST /batch/".to_owned()));
    }

    fn more_than_the_server_takes_in_one_request_is_not_sent() {
        let sandbox = sandbox();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let job = |files: usize| {
            let mut job = client.batch();
            for _ in 0..files {
                job.add(client.attachments().create(new(Upload::bytes("a.txt", "x"))));
            }
            job
        };
        go!(job(100).run()).unwrap();
        let before = asked(&sandbox).len();
        let error = go!(job(101).run()).unwrap_err();
        assert!(error.to_string().contains("there are 101 files, and the server takes 100"), "{error}");
        let text = Multipart::new().text("t", "x".repeat(2_621_440 - 2));
        let error = go!(client.http_post("batch").multipart(text)).unwrap_err();
        assert!(error.to_string().contains("there are 2621441 bytes of text"), "{error}");
        assert_eq!(asked(&sandbox).len(), before);
        // One more than a job has place for makes two of the rows.
        let rows = (0..130).map(|_| new(Upload::bytes("a.txt", "x")));
        let report = go!(client.attachments().create_many(rows).chunk_size(130));
        assert!(report.is_complete(), "{report}");
        assert_eq!(asked(&sandbox)[before..].iter().filter(|it| *it == "POST /batch/").count(), 2);
    }

    /// All files of a request are in memory at a time.
    fn large_files_travel_in_several_jobs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, vec![b'x'; 2_621_440]).unwrap();
        let sandbox = sandbox();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let rows = || (0..42).map(|_| new(Upload::path(&path)));
        let mut job = client.batch();
        for row in rows().take(41) {
            job.add(client.attachments().create(row));
        }
        let error = go!(job.run()).unwrap_err();
        assert!(error.to_string().contains("more than 104857600 bytes together"), "{error}");
        assert!(!asked(&sandbox).contains(&"POST /batch/".to_owned()));
        let report = go!(client.attachments().create_many(rows()));
        assert!(report.is_complete(), "{report}");
        let requests = sandbox.requests();
        let jobs = requests.iter().filter(|request| request.path() == "/batch/");
        let sizes: Vec<usize> = jobs.map(|job| job.body().len()).collect();
        assert_eq!(sizes.len(), 2);
        assert!(sizes.iter().all(|size| *size < 60 << 20), "{sizes:?}");
    }
}

/// The question what files the server takes costs a call as well.
#[test]
fn a_job_of_files_leaves_room_for_the_question() {
    let sandbox = sandbox();
    let client = KeystoneClient::builder(BASE).backend(sandbox.clone());
    let client = client.requests_per_minute(10).build().unwrap();
    client.login("admin", "admin-password").unwrap();
    let rows = (0..8).map(|_| new(Upload::bytes("a.txt", "x")));
    let report = client.attachments().create_many(rows).send();
    assert!(report.is_complete(), "{report}");
    assert_eq!(asked(&sandbox).iter().filter(|it| *it == "POST /batch/").count(), 1);
    let rows = (0..9).map(|_| new(Upload::bytes("a.txt", "x")));
    client.attachments().create_many(rows).send().into_result().unwrap();
    let batches = asked(&sandbox).iter().filter(|it| *it == "POST /batch/").count();
    let alone = asked(&sandbox).iter().filter(|it| **it == format!("POST {LIST}")).count();
    assert_eq!((batches, alone), (2, 1));
}

#[test]
fn jobs_are_explained_without_what_is_secret() {
    let client = sandbox().blocking_client().unwrap();
    let mut job = client.batch();
    job.add(client.attachments().create(new(Upload::bytes("R&D \"1\".txt", "x"))));
    let nested = serde_json::json!({ "password": "hunter2" }).to_string();
    let body = serde_json::json!({ "list": [{ "token": "hunter2" }], "text": [nested] });
    job.add(client.http_post("x").json(&body));
    let line = job.run().explain().unwrap();
    assert!(!line.contains("hunter2"), "{line}");
    let expected =
        "'file1=[from memory or a reader];filename=\"R&amp;amp;D &amp;quot;1&amp;quot;.txt\";";
    assert!(line.contains(expected), "{line}");
    let form = Multipart::new()
        .text("data", r#"[{"password": "hunter2"}]"#)
        .file("file", Upload::path("/x/R&D.txt"));
    let line = client.http_post("x").multipart(form).explain().unwrap();
    assert!(!line.contains("hunter2"), "{line}");
    assert!(line.contains("'file=@\"/x/R&D.txt\";filename=\"R&amp;D.txt\";"), "{line}");
}
