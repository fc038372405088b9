//! Secrets appear in nothing that this crate shows.
//!
//! A program is run through all that has to do with secrets, with one of everything that can be
//! shown at hand; then all of it is searched for every secret that was used.

use std::fmt::{Debug, Display};
use std::sync::{Arc, Mutex};

use http::{HeaderValue, StatusCode, header};
use keystone_client::blocking::KeystoneClient;
use keystone_client::credentials::{
    CredentialChain, CredentialFile, CredentialRequest, CredentialSource, Credentials, Environment,
    Found, Netrc, from_fn,
};
use keystone_client::observe::Event;
use keystone_client::resources::{NewUser, User};
use keystone_client::sandbox::{Dialect, Sandbox};
use keystone_client::session_store::FileSessionStore;
use keystone_client::testing::{Exchange, Scripted, from_fn as backend_from_fn};
use keystone_client::{Error, Id, Query, RetryPolicy};

use crate::support::BASE;
use crate::watch;

const PASSWORD: &str = "Zq7-vault-of-ada";
const WRONG: &str = "Zq7-wrong-guess";
const API_TOKEN: &str = "Zq7feedc0ffee0123456789";

/// Everything that was shown, by where it came from.
#[derive(Clone, Default)]
struct Shown(Arc<Mutex<Vec<(String, String)>>>);

impl Shown {
    fn text(&self, from: &str, text: String) {
        self.0.lock().unwrap().push((from.to_owned(), text));
    }

    fn debug(&self, from: &str, value: &dyn Debug) {
        self.text(from, format!("{value:?}\n{value:#?}"));
    }

    fn display(&self, from: &str, value: &dyn Display) {
        self.text(from, format!("{value}\n{value:#}"));
    }

    fn error(&self, from: &str, error: &Error) {
        self.debug(from, error);
        self.display(from, error);
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            self.debug(from, &error);
            self.display(from, &error);
            cause = error.source();
        }
    }
}

/// The secrets in what has travelled: cookies, tokens, and those that were given.
fn secrets_of(sandbox: &Sandbox, stored: &str) -> Vec<String> {
    let mut secrets = vec![PASSWORD.to_owned(), WRONG.to_owned(), API_TOKEN.to_owned()];
    for request in sandbox.requests() {
        for name in ["cookie", "x-csrftoken", "authorization"] {
            let Some(value) = request.headers().get(name) else { continue };
            let text = value.to_str().unwrap();
            secrets.extend(text.split([';', ' ', '=']).map(str::to_owned));
        }
    }
    let stored: serde_json::Value = serde_json::from_str(stored).unwrap();
    secrets
        .extend(stored.as_object().unwrap().values().filter_map(|it| it.as_str()).map(Into::into));
    secrets.retain(|secret| secret.len() > 12);
    secrets.sort();
    secrets.dedup();
    secrets
}

/// The text that a store keeps in this folder.
fn kept(folder: &std::path::Path) -> String {
    let entry = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    std::fs::read_to_string(entry.path()).unwrap()
}

fn program(dialect: Dialect, shown: &Shown) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let store = FileSessionStore::at(folder.path());
    let sandbox = Sandbox::builder().dialect(dialect).staff("ada", PASSWORD);
    shown.debug("sandbox builder", &sandbox);
    let sandbox = sandbox.build();
    let credentials = Credentials::new("ada", PASSWORD);
    shown.debug("credentials", &credentials);
    shown.debug("found", &credentials.find(&CredentialRequest::new(BASE)));
    let chain = CredentialChain::new()
        .then(Environment::named("KEYSTONE_TEST_UNSET_1", "KEYSTONE_TEST_UNSET_2"))
        .then(Netrc::at("/nonexistent"))
        .then(credentials);
    shown.debug("chain", &chain);
    shown.display("chain", &chain.name());
    let observer = shown.clone();
    let builder = KeystoneClient::builder(BASE)
        .credentials(chain)
        .session_store(store.clone(), "ada")
        .observer(move |event: &Event| observer.debug("event", event))
        .backend(sandbox.clone());
    shown.debug("builder", &builder);
    shown.debug("store", &store);
    let client = builder.build().unwrap();
    client.authenticate().unwrap();
    shown.debug("client", &client);

    let call = client.create_user(NewUser::new("bob", PASSWORD));
    shown.debug("call", &call);
    shown.display("explanation", &call.clone().explain().unwrap());
    shown.debug("request", &call.clone().into_request().unwrap());
    shown.debug("new user", &NewUser::new("bob", PASSWORD));
    let created = call.send();
    shown.debug("record", &created);
    let posted = client
        .http_post("users/users")
        .json(&serde_json::json!({ "username": "eve", "password": PASSWORD }));
    shown.debug("post", &posted);
    shown.display("post", &posted.clone().explain().unwrap());
    let asked = client.http_get("users/users").query("password", PASSWORD);
    shown.debug("get", &asked);
    shown.debug("request of a get", &asked.into_request().unwrap());
    let query = Query::<User>::new().param("password", PASSWORD).unchecked();
    shown.debug("query", &query);
    shown.debug("list", &client.users().query(query));
    let response = posted.with_meta().send().unwrap();
    shown.debug("response", &response);
    let found = client.users().list().param("password", PASSWORD).all().unwrap_err();
    shown.error("filter", &found);
    let missing = client.users().retrieve(Id::new(999)).send().unwrap_err();
    shown.error("missing", &missing);
    shown.debug("snapshot of requests", &sandbox.requests().len());
    let secrets = secrets_of(&sandbox, &kept(folder.path()));

    sandbox.expire_sessions();
    sandbox.expire_access_tokens();
    client.users().list().count().send().unwrap();
    shown.error("login", &client.login("ada", WRONG).unwrap_err());
    client.logout().unwrap();
    shown.error("logged out", &client.users().list().all().unwrap_err());

    let wrong = KeystoneClient::builder(BASE)
        .credentials(from_fn("the vault", |_| Ok(Some(Credentials::new("ada", WRONG)))))
        .backend(sandbox.clone())
        .build()
        .unwrap();
    shown.error("refused", &wrong.users().list().all().unwrap_err());
    secrets
}

/// Answers and failures that repeat what was sent.
fn echoes(shown: &Shown) {
    let token = KeystoneClient::builder(BASE)
        .api_token(API_TOKEN)
        .retry(RetryPolicy::never())
        .backend(backend_from_fn(|request: http::Request<bytes::Bytes>| {
            let body = format!("{:?} {PASSWORD}", request.headers());
            let mut response = http::Response::new(bytes::Bytes::from(body));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            let cookie = HeaderValue::from_str(&format!("sessionid={PASSWORD}")).unwrap();
            response.headers_mut().insert(header::SET_COOKIE, cookie);
            let location = HeaderValue::from_str(&format!("https://x/?p={PASSWORD}")).unwrap();
            response.headers_mut().insert(header::LOCATION, location);
            Ok(response)
        }));
    shown.debug("builder with a token", &token);
    let token = token.build().unwrap();
    shown.debug("client with a token", &token);
    let list = token.users().filter(|u| u.username.eq(PASSWORD));
    shown.error("echo", &list.one().send().unwrap_err());
    let response = token.http_get("users/users").query("token", PASSWORD).with_meta().send();
    shown.debug("response", &response);
    let call = token.http_get("users/users").query("token", PASSWORD);
    shown.display("explanation", &call.explain().unwrap());

    for login in [
        Exchange::post("/authentication/login/")
            .reply(StatusCode::OK, format!("{{\"{PASSWORD}\": 1"))
            .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        Exchange::post("/authentication/login/")
            .reply_json(StatusCode::OK, &serde_json::json!({ "access": PASSWORD })),
        Exchange::post("/authentication/login/")
            .reply_json(StatusCode::FOUND, &serde_json::json!({})),
    ] {
        let script =
            Scripted::new([crate::support::probe_present("/authentication/login/"), login]);
        shown.debug("script", &script);
        let client = KeystoneClient::with_backend(BASE, script).unwrap();
        shown.error("login", &client.login("ada", PASSWORD).unwrap_err());
    }
    shown.error(
        "base url",
        &KeystoneClient::new(&format!("https://ada:{PASSWORD}@x/")).unwrap_err(),
    );
    let invalid = KeystoneClient::builder(BASE).api_token(format!("{API_TOKEN} {PASSWORD}"));
    shown.error("token", &invalid.build().unwrap_err());
}

/// Files with mistakes in them.
fn files(shown: &Shown) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for text in [
        format!("ada {PASSWORD}"),
        format!("username=ada\npassword {PASSWORD}"),
        format!("machine keystone.test login ada password {PASSWORD} {PASSWORD}"),
        format!("machine keystone.test login ada password \"{PASSWORD}"),
        format!("machine keystone.test login ada password {PASSWORD}"),
        format!("username=ada\npassword={PASSWORD}\n"),
    ] {
        std::fs::write(&path, text).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let sources: [Box<dyn CredentialSource>; 2] =
            [Box::new(CredentialFile::new(&path)), Box::new(Netrc::at(&path))];
        for source in sources {
            match source.find(&CredentialRequest::new("https://keystone.test/")) {
                Err(error) => shown.display("file", &error),
                Ok(found @ Found::Credentials(_)) => shown.debug("file", &found),
                Ok(found) => shown.debug("file", &found),
            }
        }
    }
}

#[test]
fn nothing_that_is_shown_contains_a_secret() {
    watch::take_lines();
    let shown = Shown::default();
    let mut secrets = program(Dialect::Session, &shown);
    secrets.extend(program(Dialect::Jwt, &shown));
    echoes(&shown);
    files(&shown);
    for line in watch::take_lines() {
        shown.text("log", line);
    }
    let shown = shown.0.lock().unwrap();
    assert!(shown.len() > 150, "only {} things were shown", shown.len());
    assert!(secrets.len() > 8, "{} secrets", secrets.len());
    for (from, text) in shown.iter() {
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{from} shows `{secret}`:\n{text}");
        }
    }
}
