//! Logins that outlive the client, in files and elsewhere.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keystone_client::blocking::KeystoneClient;
use keystone_client::credentials::{Credentials, ExposeSecret, SecretString};
use keystone_client::observe::{Event, EventKind};
use keystone_client::sandbox::{Dialect, Sandbox};
use keystone_client::session_store::{FileSessionStore, SessionKey, SessionStore};
use keystone_client::{ClientBuilder, ErrorKind};

use crate::support::BASE;

fn sandbox(dialect: Dialect) -> Sandbox {
    Sandbox::builder()
        .dialect(dialect)
        .staff("admin", "admin-password")
        .user("ada", "correct horse")
        .build()
}

fn builder(sandbox: &Sandbox, folder: &Path) -> ClientBuilder<KeystoneClient> {
    KeystoneClient::builder(BASE)
        .session_store(FileSessionStore::at(folder), "admin")
        .backend(sandbox.clone())
}

fn logins(sandbox: &Sandbox) -> usize {
    let is_login = |path: &str| path == "/authentication/login/" || path == "/authentication/new/";
    let requests = sandbox.requests();
    requests.iter().filter(|it| it.method() == "POST" && is_login(it.path())).count()
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).map(|it| it.collect::<Vec<_>>()).unwrap_or_default();
    entries.into_iter().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn one_client_logs_in_and_the_next_goes_on() {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        let (sandbox, folder) = (sandbox(dialect), tempfile::tempdir().unwrap());
        let folder = folder.path().join("not yet there");
        let first = builder(&sandbox, &folder).build().unwrap();
        first.login("admin", "admin-password").unwrap();

        let second = builder(&sandbox, &folder).build().unwrap();
        assert!(!second.is_authenticated(), "nothing has been asked of it yet");
        assert_eq!(second.users().list().count().send().unwrap(), 2);
        assert_eq!(second.dialect(), Some(dialect));
        second
            .users()
            .update(keystone_client::Id::new(2), |u| [u.email.set("a@b.example")])
            .send()
            .unwrap();
        assert_eq!(logins(&sandbox), 1);

        // A third ends it for all.
        let third = builder(&sandbox, &folder).build().unwrap();
        third.logout().unwrap();
        assert_eq!(files(&folder), [] as [&Path; 0]);
        let last = sandbox.requests().pop().unwrap();
        assert!(["/authentication/logout/", "/authentication/blacklist/"].contains(&last.path()));
        let fourth = builder(&sandbox, &folder).build().unwrap();
        assert_eq!(fourth.users().list().all().unwrap_err().kind(), ErrorKind::NotLoggedIn);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_files() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    let (sandbox, folder) = (sandbox(Dialect::Session), tempfile::tempdir().unwrap());
    let folder = folder.path().join("sessions");
    let client = builder(&sandbox, &folder).build().unwrap();
    client.login("admin", "admin-password").unwrap();
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
    let paths = files(&folder);
    assert_eq!(paths.len(), 1, "no draft is left behind: {paths:?}");
    assert_eq!((mode(&folder), mode(&paths[0])), (0o700, 0o600));

    std::fs::set_permissions(&paths[0], std::fs::Permissions::from_mode(0o644)).unwrap();
    let other = builder(&sandbox, &folder).build().unwrap();
    let error = other.users().list().all().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionStore);
    assert!(error.to_string().contains("mode 644"), "{error}");
    // Logging in replaces the file.
    other.login("admin", "admin-password").unwrap();
    assert_eq!(mode(&files(&folder)[0]), 0o600);
}

#[test]
fn users_and_servers_are_kept_apart() {
    let (sandbox, folder) = (sandbox(Dialect::Session), tempfile::tempdir().unwrap());
    builder(&sandbox, folder.path()).build().unwrap().login("admin", "admin-password").unwrap();
    builder(&sandbox, folder.path()).build().unwrap().login("ada", "correct horse").unwrap();
    assert_eq!(files(folder.path()).len(), 2);
    for username in ["admin", "ada"] {
        let client = KeystoneClient::builder(BASE)
            .session_store(FileSessionStore::at(folder.path()), username)
            .backend(sandbox.clone())
            .build()
            .unwrap();
        assert_eq!(client.whoami().unwrap().unwrap().username, username);
    }
    let elsewhere = KeystoneClient::builder("https://other.test")
        .session_store(FileSessionStore::at(folder.path()), "admin")
        .backend(sandbox.clone())
        .build()
        .unwrap();
    assert!(elsewhere.whoami().unwrap().is_none());
}

#[test]
fn a_login_that_is_over_is_forgotten() {
    let (sandbox, folder) = (sandbox(Dialect::Session), tempfile::tempdir().unwrap());
    builder(&sandbox, folder.path()).build().unwrap().login("admin", "admin-password").unwrap();
    sandbox.expire_sessions();
    let client = builder(&sandbox, folder.path()).build().unwrap();
    assert_eq!(client.users().list().all().unwrap_err().kind(), ErrorKind::SessionExpired);
    assert_eq!(files(folder.path()), [] as [&Path; 0]);
}

#[test]
fn with_credentials_a_login_that_is_over_is_replaced() {
    let (sandbox, folder) = (sandbox(Dialect::Session), tempfile::tempdir().unwrap());
    let make = || {
        let credentials = Credentials::new("admin", "admin-password");
        builder(&sandbox, folder.path()).credentials(credentials).build().unwrap()
    };
    make().users().list().all().unwrap();
    make().users().list().all().unwrap();
    assert_eq!(logins(&sandbox), 1);
    let (one, other) = (make(), make());
    one.authenticate().unwrap();
    other.authenticate().unwrap();
    sandbox.expire_sessions();
    one.users().list().all().unwrap();
    // The other finds the login that the first has left.
    other.users().list().all().unwrap();
    make().users().list().all().unwrap();
    assert_eq!(logins(&sandbox), 2);
    sandbox.advance(Duration::from_secs(15 * 86_400));
    make().users().list().all().unwrap();
    assert_eq!(logins(&sandbox), 3);
}

/// Another process has left a login that is over as well.
#[test]
fn with_credentials_no_number_of_dead_logins_is_an_error() {
    let (sandbox, folder) = (sandbox(Dialect::Session), tempfile::tempdir().unwrap());
    let make = || {
        let credentials = Credentials::new("admin", "admin-password");
        builder(&sandbox, folder.path()).credentials(credentials).build().unwrap()
    };
    let daemon = make();
    daemon.authenticate().unwrap();
    builder(&sandbox, folder.path()).build().unwrap().login("admin", "admin-password").unwrap();
    sandbox.expire_sessions();
    assert_eq!(daemon.users().list().count().send().unwrap(), 2);
    assert_eq!(logins(&sandbox), 3);
}

#[cfg(unix)]
#[test]
fn with_credentials_a_store_that_cannot_be_used_is_no_error() {
    use std::os::unix::fs::PermissionsExt;

    let (sandbox, folder) = (sandbox(Dialect::Session), tempfile::tempdir().unwrap());
    builder(&sandbox, folder.path()).build().unwrap().login("admin", "admin-password").unwrap();
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&files(folder.path())[0], 0o666);
    mode(folder.path(), 0o777);
    let failures = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&failures);
    let client = builder(&sandbox, folder.path())
        .credentials(Credentials::new("admin", "admin-password"))
        .observer(move |event: &Event| {
            if matches!(event.kind, EventKind::SessionStoreFailed { .. }) {
                *seen.lock().unwrap() += 1;
            }
        })
        .build()
        .unwrap();
    assert_eq!(client.users().list().count().send().unwrap(), 2);
    assert_eq!(*failures.lock().unwrap(), 2, "it can neither be read nor written");
}

/// The client has one login, and another process has left another.
#[test]
fn logging_out_ends_what_is_kept_too() {
    let (sandbox, folder) = (sandbox(Dialect::Session), tempfile::tempdir().unwrap());
    let client = builder(&sandbox, folder.path()).build().unwrap();
    client.login("admin", "admin-password").unwrap();
    builder(&sandbox, folder.path()).build().unwrap().login("admin", "admin-password").unwrap();
    sandbox.clear_requests();
    client.logout().unwrap();
    let requests = sandbox.requests();
    assert_eq!(requests.len(), 2);
    for request in &requests {
        assert_eq!(request.path(), "/authentication/logout/");
        assert_eq!(request.status(), Some(http::StatusCode::OK));
    }
}

#[test]
fn drafts_that_were_left_behind_are_removed() {
    let (sandbox, folder) = (sandbox(Dialect::Session), tempfile::tempdir().unwrap());
    let client = builder(&sandbox, folder.path()).build().unwrap();
    client.login("admin", "admin-password").unwrap();
    let kept = files(folder.path()).remove(0);
    let draft = kept.with_extension("0123456789abcdef.new");
    std::fs::write(&draft, "a login").unwrap();
    let other = folder.path().join("other.new");
    std::fs::write(&other, "something else").unwrap();
    client.logout().unwrap();
    assert_eq!(files(folder.path()), [other]);
}

#[test]
fn a_refreshed_token_is_kept_too() {
    let (sandbox, folder) = (sandbox(Dialect::Jwt), tempfile::tempdir().unwrap());
    let client = builder(&sandbox, folder.path()).build().unwrap();
    client.login("admin", "admin-password").unwrap();
    let kept = || std::fs::read_to_string(&files(folder.path())[0]).unwrap();
    let before = kept();
    sandbox.advance(Duration::from_secs(299));
    client.users().list().all().unwrap();
    assert_ne!(before, kept());
    sandbox.clear_requests();
    builder(&sandbox, folder.path()).build().unwrap().users().list().all().unwrap();
    assert_eq!(sandbox.requests().len(), 1);
}

#[test]
fn what_is_no_login_is_passed_over() {
    let (sandbox, folder) = (sandbox(Dialect::Session), tempfile::tempdir().unwrap());
    builder(&sandbox, folder.path()).build().unwrap().login("admin", "admin-password").unwrap();
    let path = files(folder.path()).remove(0);
    for text in ["", "{", "[]", "{\"dialect\":\"session\"}", "hunter2"] {
        std::fs::write(&path, text).unwrap();
        let client = builder(&sandbox, folder.path()).build().unwrap();
        let error = client.users().list().all().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotLoggedIn, "{text}");
    }
}

/// A store of our own, which can be full.
#[derive(Clone, Default)]
struct Keyring {
    entries: Arc<Mutex<HashMap<(String, String), SecretString>>>,
    is_full: bool,
    is_sealed: bool,
}

fn owned(key: SessionKey<'_>) -> (String, String) {
    (key.base_url.to_owned(), key.username.to_owned())
}

impl SessionStore for Keyring {
    fn load(&self, key: SessionKey<'_>) -> io::Result<Option<SecretString>> {
        Ok(self.entries.lock().unwrap().get(&owned(key)).cloned())
    }

    fn save(&self, key: SessionKey<'_>, session: &SecretString) -> io::Result<()> {
        if self.is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.entries.lock().unwrap().insert(owned(key), session.clone());
        Ok(())
    }

    fn remove(&self, key: SessionKey<'_>) -> io::Result<()> {
        if self.is_sealed {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.entries.lock().unwrap().remove(&owned(key));
        Ok(())
    }
}

fn with_keyring(sandbox: &Sandbox, keyring: &Keyring) -> ClientBuilder<KeystoneClient> {
    KeystoneClient::builder(BASE).session_store(keyring.clone(), "admin").backend(sandbox.clone())
}

#[test]
fn other_places_will_do() {
    let (sandbox, keyring) = (sandbox(Dialect::Session), Keyring::default());
    with_keyring(&sandbox, &keyring).build().unwrap().login("admin", "admin-password").unwrap();
    let key = (format!("{BASE}/"), "admin".to_owned());
    let text = keyring.entries.lock().unwrap()[&key].clone();
    assert!(text.expose_secret().contains("session_id"));
    let client = with_keyring(&sandbox, &keyring).build().unwrap();
    assert!(client.whoami().unwrap().is_some());
}

#[test]
fn a_login_that_cannot_be_kept_is_good_all_the_same() {
    let sandbox = sandbox(Dialect::Session);
    let keyring = Keyring { is_full: true, ..Keyring::default() };
    let kinds = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&kinds);
    let client = with_keyring(&sandbox, &keyring)
        .observer(move |event: &Event| seen.lock().unwrap().push(event.kind.clone()))
        .build()
        .unwrap();
    client.login("admin", "admin-password").unwrap();
    assert!(client.whoami().unwrap().is_some());
    let failed = EventKind::SessionStoreFailed { error: io::ErrorKind::StorageFull };
    assert!(kinds.lock().unwrap().contains(&failed));
}

#[test]
fn a_login_that_cannot_be_removed_is_an_error_after_it_was_ended() {
    let sandbox = sandbox(Dialect::Session);
    let keyring = Keyring { is_sealed: true, ..Keyring::default() };
    let client = with_keyring(&sandbox, &keyring).build().unwrap();
    client.login("admin", "admin-password").unwrap();
    let error = client.logout().unwrap_err();
    assert!(error.to_string().contains("could not be removed"), "{error}");
    assert!(!client.is_authenticated());
    assert_eq!(sandbox.requests().pop().unwrap().path(), "/authentication/logout/");
}
