//! What the server takes is asked once, and not believed for ever.

use std::io::Read;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use keystone_client::backend::{BackendError, BackendErrorKind, HttpBackend, Now, RequestTimeout};
use keystone_client::body::Multipart;
use keystone_client::sandbox::Sandbox;
use keystone_client::upload::Upload;
use keystone_client::{ErrorKind, KeystoneClient, RetryPolicy, blocking};
use serde_json::{Value, json};

use super::{LIST, asked, new, sandbox};
use crate::support::{BASE, both_colours};

/// A server whose limit can be changed, and whose configuration can be hidden.
#[derive(Clone)]
struct Tuned {
    sandbox: Sandbox,
    limit: Arc<AtomicU64>,
    /// With what it answers instead; 0 for an answer, 1 for none at all.
    status: Arc<AtomicUsize>,
    questions: Arc<AtomicUsize>,
    /// How many seconds it thinks about one.
    delay: Arc<AtomicU64>,
    /// How many seconds questions and uploads were given.
    times: Arc<Mutex<Vec<u64>>>,
}

impl Tuned {
    fn new(limit: u64) -> Self {
        Self {
            sandbox: sandbox(),
            limit: Arc::new(limit.into()),
            status: Arc::default(),
            questions: Arc::default(),
            delay: Arc::default(),
            times: Arc::default(),
        }
    }

    fn take(&self, limit: u64) {
        self.limit.store(limit, Ordering::SeqCst);
    }

    fn hide_behind(&self, status: usize) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn questions(&self) -> usize {
        self.questions.load(Ordering::SeqCst)
    }

    fn answer(&self, request: http::Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        let limit = self.limit.load(Ordering::SeqCst);
        let size = request.body().len() as u64;
        if matches!(request.uri().path(), "/config/" | LIST) {
            let time = RequestTimeout::of(&request).unwrap();
            self.times.lock().unwrap().push(time.as_secs());
        }
        match request.uri().path() {
            "/config/" => {
                self.sandbox.advance(Duration::from_secs(self.delay.load(Ordering::SeqCst)));
                self.questions.fetch_add(1, Ordering::SeqCst);
                // Whoever else would ask has the time to.
                for _ in 0..1_000 {
                    thread::yield_now();
                }
                let mut response = self.sandbox.handle(request);
                match self.status.load(Ordering::SeqCst) {
                    0 => {
                        let mut config: Value = serde_json::from_slice(response.body()).unwrap();
                        config["max_upload_size"] = json!(limit);
                        *response.body_mut() = config.to_string().into();
                    }
                    1 => return Err(BackendError::new(BackendErrorKind::Timeout, "late")),
                    status => {
                        let status = u16::try_from(status).unwrap();
                        *response.status_mut() = StatusCode::from_u16(status).unwrap();
                        *response.body_mut() = Bytes::from_static(b"<html>");
                        response.headers_mut().clear();
                    }
                }
                Ok(response)
            }
            LIST if size > limit + 500 => {
                let body = json!({ "file": ["File size should not exceed it."] });
                let response = Response::builder().status(400);
                let response = response.header("content-type", "application/json");
                Ok(response.body(body.to_string().into()).unwrap())
            }
            _ => Ok(self.sandbox.handle(request)),
        }
    }
}

impl HttpBackend for Tuned {
    async fn execute(&self, it: http::Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        self.answer(it)
    }

    async fn sleep(&self, duration: Duration) {
        self.sandbox.advance(duration);
    }

    fn now(&self) -> Now {
        HttpBackend::now(&self.sandbox)
    }
}

impl blocking::HttpBackend for Tuned {
    fn execute(&self, it: http::Request<Bytes>) -> Result<Response<Bytes>, BackendError> {
        self.answer(it)
    }

    fn sleep(&self, duration: Duration) {
        self.sandbox.advance(duration);
    }

    fn now(&self) -> Now {
        blocking::HttpBackend::now(&self.sandbox)
    }
}

/// May not be read.
struct Untouchable;

impl Read for Untouchable {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("it is read")
    }
}

fn file(bytes: usize) -> keystone_client::resources::NewAttachment {
    new(Upload::bytes("a.txt", "x".repeat(bytes)))
}

both_colours! {
    fn it_is_asked_once() {
        let server = Tuned::new(5_000);
        let client = client!(server.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        for _ in 0..3 {
            go!(client.create_attachment(file(5_000))).unwrap();
            go!(client.attachments().update_file(keystone_client::Id::new(1), file(10).file)).unwrap();
        }
        let error = go!(client.create_attachment(file(5_001))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert_eq!(server.questions(), 1);
    }

    fn nothing_is_refused_by_an_old_answer() {
        let server = Tuned::new(5_000);
        let client = client!(server.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        go!(client.create_attachment(file(10))).unwrap();
        server.take(20_000);
        server.sandbox.advance(Duration::from_secs(61));
        go!(client.create_attachment(file(20_000))).unwrap();
        assert_eq!(server.questions(), 2);
        // That goes for readers too, whose length shows when they are read.
        server.take(30_000);
        server.sandbox.advance(Duration::from_secs(61));
        let reader = std::io::Cursor::new("x".repeat(30_000));
        go!(client.create_attachment(new(Upload::reader("a.txt", reader)))).unwrap();
        assert_eq!(server.questions(), 3);
        // Whoever cannot ask again lets the server decide.
        server.hide_behind(503);
        server.sandbox.advance(Duration::from_secs(61));
        let error = go!(client.create_attachment(file(40_000))).unwrap_err();
        assert!(error.is_validation("file"), "{error}");
    }

    fn it_is_asked_again_after_an_hour_and_after_a_refusal() {
        let server = Tuned::new(20_000);
        let client = client!(server.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        go!(client.create_attachment(file(10))).unwrap();
        server.take(5_000);
        // It would only say again what it has just said.
        for _ in 0..2 {
            let error = go!(client.create_attachment(file(10_000))).unwrap_err();
            assert!(error.is_validation("file"), "{error}");
            assert_eq!(server.questions(), 1);
        }
        server.sandbox.advance(Duration::from_secs(60));
        let error = go!(client.create_attachment(file(10_000))).unwrap_err();
        assert!(error.is_validation("file"), "{error}");
        let error = go!(client.create_attachment(file(10_000))).unwrap_err();
        assert_eq!((error.kind(), server.questions()), (ErrorKind::InvalidRequest, 2));
        server.sandbox.advance(Duration::from_secs(3_500));
        go!(client.create_attachment(file(10))).unwrap();
        assert_eq!(server.questions(), 2);
        server.sandbox.advance(Duration::from_secs(100));
        go!(client.create_attachment(file(10))).unwrap();
        assert_eq!(server.questions(), 3);
    }

    /// What it has said before bounds what is read while it cannot be asked.
    fn an_answer_outlives_a_failed_question() {
        let server = Tuned::new(5_000);
        let client = client!(server.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        go!(client.create_attachment(file(10))).unwrap();
        server.hide_behind(503);
        server.sandbox.advance(Duration::from_secs(61));
        let endless = || new(Upload::reader("a.txt", std::io::repeat(b'x')));
        let error = go!(client.create_attachment(endless())).unwrap_err();
        assert!(error.to_string().contains("has more than 5000 bytes"), "{error}");
        assert_eq!(server.questions(), 2);
        // Nor is it asked at once again, whatever the server refuses.
        let error = go!(client.create_attachment(file(6_000))).unwrap_err();
        assert!(error.is_validation("file"), "{error}");
        go!(client.create_attachment(endless())).unwrap_err();
        assert_eq!(server.questions(), 2);
        server.hide_behind(0);
        server.sandbox.advance(Duration::from_secs(61));
        let error = go!(client.create_attachment(file(6_000))).unwrap_err();
        assert_eq!((error.kind(), server.questions()), (ErrorKind::InvalidRequest, 3));
    }

    fn refusals_that_are_not_about_files_say_nothing_about_them() {
        let server = Tuned::new(5_000);
        let client = client!(server.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        go!(client.create_attachment(file(10))).unwrap();
        server.sandbox.advance(Duration::from_secs(61));
        let missing = keystone_client::resources::NewAttachment::new(
            keystone_client::Id::new(999), file(10).file,
        );
        let error = go!(client.create_attachment(missing)).unwrap_err();
        assert!(error.is_validation("request"), "{error}");
        go!(client.create_attachment(file(10))).unwrap();
        assert_eq!(server.questions(), 1);
    }

    /// A question whose turn would come too late is not sent, and that says nothing about the server.
    fn a_question_that_is_not_sent_is_asked_later() {
        let server = Tuned::new(5_000);
        let client = client!(server.clone(), |builder| builder.requests_per_minute(2));
        go!(client.login("admin", "admin-password")).unwrap();
        for _ in 0..2 {
            go!(client.http_get("users/teams")).unwrap();
        }
        // The file can wait for fifteen seconds, the question not.
        server.sandbox.advance(Duration::from_secs(45));
        go!(client.create_attachment(file(10))).unwrap();
        assert_eq!(server.questions(), 0);
        let again = go!(client.create_attachment(file(5_001)));
        assert_eq!(again.unwrap_err().kind(), ErrorKind::InvalidRequest);
        assert_eq!(server.questions(), 1);
    }

    fn the_time_of_the_question_is_that_of_the_call() {
        let server = Tuned::new(5_000);
        server.delay.store(4, Ordering::SeqCst);
        let client = client!(server.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let policy = RetryPolicy::never().with_total(Duration::from_secs(10));
        let call = client.create_attachment(file(10)).timeout(Duration::from_secs(9)).retry(policy);
        go!(call).unwrap();
        // Half of the time, and what is left of it.
        let times = server.times.lock().unwrap();
        assert!(times.len() == 2 && times[0] <= 5 && times[1] <= 6, "{times:?}");
    }

    /// What is too much for a minute is found before files are read.
    fn what_costs_too_much_is_refused_before_it_is_asked_about() {
        let server = Tuned::new(5_000);
        let client = client!(server.clone(), |builder| builder.requests_per_minute(3));
        go!(client.login("admin", "admin-password")).unwrap();
        let mut job = client.batch();
        for _ in 0..3 {
            let reader = std::io::Cursor::new("x").chain(Untouchable);
            job.add(client.attachments().create(new(Upload::reader("a.txt", reader))));
        }
        let error = go!(job.run()).unwrap_err();
        assert!(error.to_string().contains("it counts for 4 calls"), "{error}");
        assert_eq!(server.questions(), 0);
    }

    fn a_server_that_does_not_say_is_no_obstacle() {
        // Unknown, refused, failing, no answer, an answer that is none.
        for status in [404, 403, 500, 1, 200] {
            let server = Tuned::new(5_000);
            server.hide_behind(status);
            let client = client!(server.clone());
            go!(client.login("admin", "admin-password")).unwrap();
            go!(client.create_attachment(file(10))).unwrap();
            go!(client.create_attachment(file(10))).unwrap();
            assert_eq!(server.questions(), 1, "{status}");
            // What it would refuse, the server refuses.
            let error = go!(client.create_attachment(new(Upload::bytes("README", "x"))));
            assert!(error.unwrap_err().is_validation("file"), "{status}");
            server.sandbox.advance(Duration::from_secs(61));
            go!(client.create_attachment(file(10))).unwrap();
        }
    }

    fn servers_before_the_configuration_are_not_asked() {
        let server = Tuned::new(5_000);
        let client = client!(server.clone(), |builder| builder.server_version("0.9.4"));
        go!(client.login("admin", "admin-password")).unwrap();
        go!(client.create_attachment(file(10))).unwrap();
        let error = go!(client.create_attachment(new(Upload::bytes("tool.exe", "x"))));
        assert!(error.unwrap_err().is_validation("file"));
        assert_eq!(server.questions(), 0);
    }

    fn the_limits_are_those_of_attachments_only() {
        let server = Tuned::new(5_000);
        let client = client!(server.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let form = |name: &str| {
            (0..16).fold(Multipart::new(), |form, number| {
                form.file(format!("f{number}"), Upload::bytes(name, "x"))
            })
        };
        go!(client.http_post("elsewhere").multipart(form("a.zip"))).unwrap();
        assert_eq!(server.questions(), 0);
        let error = go!(client.http_post("batch").multipart(form("a.zip"))).unwrap_err();
        assert!(error.to_string().contains("is of type application/zip"), "{error}");
        // How many files a request has the API does not count.
        go!(client.http_post("batch").multipart(form("a.txt"))).unwrap();
        go!(client.http_post(LIST).multipart(form("a.txt"))).unwrap();
        go!(client.http_post(LIST).multipart(Multipart::new().text("request", "7"))).unwrap();
    }
}

#[test]
fn many_threads_ask_once() {
    const CALLERS: usize = 16;
    let server = Tuned::new(5_000);
    let client = blocking::KeystoneClient::builder(BASE).backend(server.clone()).build().unwrap();
    client.login("admin", "admin-password").unwrap();
    let barrier = Barrier::new(CALLERS);
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                barrier.wait();
                client.create_attachment(file(10)).send().unwrap();
            });
        }
    });
    assert_eq!(server.questions(), 1);
    let uploads = asked(&server.sandbox).into_iter().filter(|request| request.ends_with(LIST));
    assert_eq!(uploads.count(), CALLERS);
}

#[test]
fn many_tasks_ask_once() {
    const CALLERS: usize = 16;
    let server = Tuned::new(5_000);
    let client = KeystoneClient::builder(BASE).backend(server.clone()).build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        client.login("admin", "admin-password").await.unwrap();
        let tasks: Vec<_> =
            (0..CALLERS).map(|_| tokio::spawn(client.create_attachment(file(10)).send())).collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
    assert_eq!(server.questions(), 1);
}
