//! What the client makes of answers and files of any kind: values or errors, no panic, and no error
//! that repeats a body. The fuzz targets in `fuzz/` use the same functions.

use std::cell::RefCell;
use std::error::Error as StdError;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use keystone_client::backend::BackendError;
use keystone_client::blocking::KeystoneClient;
use keystone_client::bytes::Bytes;
use keystone_client::credentials::{
    CredentialFile, CredentialRequest, CredentialSource, ExposeSecret, Found, Netrc, SecretString,
};
use keystone_client::http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use keystone_client::session_store::{SessionKey, SessionStore};
use keystone_client::testing::from_fn;
use keystone_client::{Error, Id, RetryPolicy};

/// More than this no error says, in whatever form, so that it fits into a line of a log.
const LONGEST: usize = 16 * 1024;

/// More requests than this no walk takes over a list that stays the same.
const MOST_REQUESTS: usize = 10_000;

const SERVER: &str = "https://keystone.test";

/// What no message says by chance.
const SECRET: &str = "hunter2-7f3a9c51";

const STATUSES: [u16; 16] =
    [400, 200, 201, 401, 403, 404, 405, 409, 422, 429, 500, 503, 302, 204, 418, 599];

const CONTENT_TYPES: [&str; 4] =
    ["application/json", "text/html; charset=utf-8", "", "application/problem+json"];

type Answer = Result<Response<Bytes>, BackendError>;

fn client(answer: impl Fn(Request<Bytes>) -> Answer + Send + Sync + 'static) -> KeystoneClient {
    KeystoneClient::builder(SERVER)
        .retry(RetryPolicy::default().with_max_attempts(3))
        .backend(from_fn(answer))
        .build()
        .unwrap()
}

fn response(status: u16, content_type: &str, body: &[u8]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if !content_type.is_empty() {
        let value = HeaderValue::from_str(content_type).unwrap();
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

/// Two numbers to choose by, and the rest.
fn split(data: &[u8]) -> (usize, usize, &[u8]) {
    match data {
        [first, second, rest @ ..] => (usize::from(*first), usize::from(*second), rest),
        _ => (0, 0, data),
    }
}

/// Every form of an error is short, and shows none of these.
fn check_error(error: &Error, secrets: &[&str]) {
    let mut forms = vec![format!("{error}"), format!("{error:#}"), format!("{error:?}")];
    let mut cause = error.source();
    while let Some(error) = cause {
        forms.extend([error.to_string(), format!("{error:?}")]);
        cause = error.source();
    }
    for form in forms {
        assert!(form.len() < LONGEST, "{} bytes: {}", form.len(), &form[..200]);
        for secret in secrets {
            assert!(!form.contains(secret), "{form}");
        }
    }
    assert!(error.body_text().is_none_or(|text| text.len() < LONGEST));
}

fn check<T>(outcome: Result<T, Error>) {
    if let Err(error) = outcome {
        check_error(&error, &[]);
        // All of it can be asked for.
        let _ = (error.detail(), error.body_json(), error.field_errors().count());
    }
}

/// An answer of any status and content, to calls of several kinds.
pub fn error_body(data: &[u8]) {
    let (status, content_type, body) = split(data);
    let status = STATUSES[status % STATUSES.len()];
    let content_type = CONTENT_TYPES[content_type % CONTENT_TYPES.len()];
    let answer = response(status, content_type, body);
    let client = client(move |_| Ok(answer.clone()));
    check(client.login("ada", "correct horse"));
    check(client.retrieve_cluster(Id::new(1)).send());
    check(client.delete_cluster(Id::new(1)).send());
    check(client.update_cluster(Id::new(1), |c| c.name.set("atlas")).send());
    check(client.clusters().filter(|c| c.name.eq("atlas")).one().send());
    check(
        client.http_get("users/users").send().and_then(keystone_client::Response::error_for_status),
    );
    check(client.health().send());
    check(client.is_healthy().send());
    check(client.health_metrics().send());
    check(client.version().send());
    check(client.whoami());
}

/// Lines as the `Set-Cookie` headers of a login and of all answers after it.
pub fn cookies(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n');
    let cookies: Vec<HeaderValue> =
        lines.filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let client = client(move |request| {
        let mut answer = match request.uri().path() {
            "/authentication/login/" if *request.method() == "GET" => {
                return Ok(response(405, CONTENT_TYPES[0], b"{}"));
            }
            "/authentication/login/" => response(200, CONTENT_TYPES[0], b"{}"),
            _ => {
                check_cookies(&request);
                response(200, CONTENT_TYPES[0], br#"{"count":0,"results":[]}"#)
            }
        };
        for cookie in &cookies {
            answer.headers_mut().append(header::SET_COOKIE, cookie.clone());
        }
        Ok(answer)
    });
    let login = client.login("ada", "correct horse");
    let is_logged_in = login.is_ok();
    check(login);
    for _ in 0..2 {
        check(client.clusters().list().all());
        check(client.delete_cluster(Id::new(1)).send());
    }
    let _ = format!("{client:?}");
    assert!(is_logged_in || !client.is_authenticated());
    check(client.logout());
}

/// The two cookies are two, whatever the server called them.
fn check_cookies(request: &Request<Bytes>) {
    let Some(sent) = request.headers().get(header::COOKIE) else { return };
    let sent = sent.to_str().unwrap();
    let names: Vec<&str> =
        sent.split(';').map(|pair| pair.trim().split('=').next().unwrap()).collect();
    assert_eq!(names, ["csrftoken", "sessionid"], "{sent}");
}

/// The tokens of a login and of its refreshes: as text within JSON, or all of the answer.
pub fn tokens(data: &[u8]) {
    let (form, _, rest) = split(data);
    let mut parts = rest.split(|byte| *byte == b'\n').map(String::from_utf8_lossy);
    let (access, refresh) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let pair =
        keystone_client::serde_json::json!({ "access": access, "refresh": refresh }).to_string();
    let body = if form % 4 == 0 { rest.to_vec() } else { pair.into_bytes() };
    let client = client(move |request| {
        Ok(match (request.method().as_str(), request.uri().path()) {
            ("GET", "/authentication/login/") => response(404, "text/html", b""),
            ("GET", "/authentication/new/") => response(405, CONTENT_TYPES[0], b"{}"),
            ("POST", _) => response(200, CONTENT_TYPES[0], &body),
            _ => {
                let refusal = br#"{"detail":"no","code":"token_not_valid"}"#;
                response(401, CONTENT_TYPES[0], refusal)
            }
        })
    });
    let outcomes = [
        client.login("ada", "correct horse"),
        client.whoami().map(|_| ()),
        client.clusters().list().all().map(|_| ()),
    ];
    for error in outcomes.into_iter().filter_map(Result::err) {
        check_error(&error, &[SECRET]);
    }
    assert!(!format!("{client:?}").contains(SECRET));
    check(client.logout());
}

/// The same answer to every request for a page.
pub fn page(data: &[u8]) {
    let (content_type, total, body) = split(data);
    let mut answer = response(200, CONTENT_TYPES[content_type % 4], body);
    if total % 4 == 0 {
        let value = HeaderValue::from(total);
        answer.headers_mut().insert(HeaderName::from_static("x-total-count"), value);
    }
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let client = client(move |_| {
        let number = counted.fetch_add(1, Ordering::Relaxed);
        assert!(number < MOST_REQUESTS, "a walk without end");
        Ok(answer.clone())
    });
    check(client.clusters().list().all());
    check(client.clusters().list().page_size(1).concurrency(4).all());
    check(client.clusters().order_by(|c| c.name.asc()).page_size(2).all());
    check(client.grants().list().all());
    check(client.requests().list().first().send());
    check(client.users().list().count().send());
    check(client.teams().list().page(10, 5).send());
    check(client.clusters().list().iter().collect::<Result<Vec<_>, _>>());
}

/// The value of `Retry-After`.
pub fn retry_after(data: &[u8]) {
    let (status, _, value) = split(data);
    let Ok(value) = HeaderValue::from_bytes(value) else { return };
    let status = [429, 502, 503, 504][status % 4];
    let mut answer = response(status, CONTENT_TYPES[0], b"{}");
    answer.headers_mut().insert(header::RETRY_AFTER, value);
    let client = client(move |_| Ok(answer.clone()));
    let error = client.retrieve_cluster(Id::new(1)).send().unwrap_err();
    assert!((1..=3).contains(&error.attempts()), "{error}");
    check_error(&error, &[]);
    let error = client.create_cluster(keystone_client::resources::NewCluster::new("x")).send();
    let error = error.unwrap_err();
    assert!(error.attempts() == 1 || status == 429, "{error}");
    check_error(&error, &[]);
}

struct Kept(SecretString);

impl SessionStore for Kept {
    fn load(&self, _: SessionKey<'_>) -> io::Result<Option<SecretString>> {
        Ok(Some(self.0.clone()))
    }

    fn save(&self, _: SessionKey<'_>, _: &SecretString) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, _: SessionKey<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// What a session store has kept.
pub fn stored_session(data: &[u8]) {
    let text = SecretString::from(String::from_utf8_lossy(data).into_owned());
    let answer = response(200, CONTENT_TYPES[0], br#"{"count":0,"results":[]}"#);
    let client = KeystoneClient::builder(SERVER)
        .session_store(Kept(text), "ada")
        .backend(from_fn(move |_| Ok(answer.clone())))
        .build()
        .unwrap();
    check(client.authenticate());
    check(client.clusters().list().all());
    let _ = format!("{client:?}");
    check(client.logout());
}

thread_local! {
    /// A file of this thread's own.
    static FILE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// A file of credentials, and one of another kind.
pub fn credentials_files(data: &[u8]) {
    let path = FILE.with_borrow_mut(|path| {
        let new = || {
            let name = format!("keystone-robustness-{}-{}", std::process::id(), next_number());
            std::env::temp_dir().join(name)
        };
        path.get_or_insert_with(new).clone()
    });
    write_privately(&path, data);
    let request = CredentialRequest::new("https://keystone.test/");
    let outcomes = [CredentialFile::new(&path).find(&request), Netrc::at(&path).find(&request)];
    fs::remove_file(&path).unwrap();
    for outcome in outcomes {
        match outcome {
            Ok(Found::Credentials(credentials)) => {
                let password = credentials.password().expose_secret();
                let shown = format!("{credentials:?}");
                let is_part = credentials.username().contains(password);
                assert!(password.len() < 12 || is_part || !shown.contains(password));
            }
            Ok(_) => {}
            Err(error) => {
                for form in [error.to_string(), format!("{error:?}")] {
                    assert!(form.len() < 1_000, "{form}");
                }
            }
        }
    }
}

/// A number that no other thread has.
fn next_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn write_privately(path: &PathBuf, data: &[u8]) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    io::Write::write_all(&mut options.open(path).unwrap(), data).unwrap();
}
