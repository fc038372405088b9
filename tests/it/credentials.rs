//! Where credentials come from, and where they may go.

use std::time::Duration;

use keystone_client::credentials::{
    CredentialFile, CredentialRequest, CredentialSource, Credentials, Found, Netrc,
};
use keystone_client::{ErrorKind, KeystoneClient};

use crate::support::{script, session_login};

fn ada() -> Credentials {
    Credentials::new("ada", "correct horse")
}

#[test]
fn files_that_others_may_read_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    std::fs::write(&file, "# for the nightly report\n\nusername=ada\npassword=correct = horse \n")
        .unwrap();
    let netrc = folder.path().join("netrc");
    std::fs::write(&netrc, "machine keystone.test login ada password \"correct horse\"\n").unwrap();
    let sources: [(&std::path::Path, Box<dyn CredentialSource>, &str); 2] = [
        (&file, Box::new(CredentialFile::new(&file)), "correct = horse "),
        (&netrc, Box::new(Netrc::at(&netrc)), "correct horse"),
    ];
    for (path, source, password) in sources {
        set_mode(path, 0o640);
        let error = source
            .find(&CredentialRequest::new("https://keystone.test:8443/"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("mode 640") && error.contains("600"), "{error}");
        set_mode(path, 0o600);
        match source.find(&CredentialRequest::new("https://keystone.test:8443/")) {
            Ok(Found::Credentials(found)) => {
                use keystone_client::credentials::ExposeSecret;
                assert_eq!(found.username(), "ada");
                assert_eq!(found.password().expose_secret(), password);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        CredentialFile::new(folder.path()).find(&CredentialRequest::new("https://x/")).is_err(),
        "a folder"
    );
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Opening one waits for somebody to write into it.
#[cfg(unix)]
#[test]
fn pipes_are_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&path).status();
    assert!(made.unwrap().success());
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let found = CredentialFile::new(&path).find(&CredentialRequest::new("https://x/"));
        sender.send(found.unwrap_err().to_string()).unwrap();
    });
    let problem = receiver.recv_timeout(Duration::from_secs(10));
    assert_eq!(problem.unwrap(), "it is not a file");
}

#[test]
fn files_that_are_no_credentials_are_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials");
    for (text, problem) in [
        ("username=ada\n", "there is no line `password=…`"),
        ("password=hunter2\n", "there is no line `username=…`"),
        ("ada:hunter2\n", "line 1 should be `username=…` or `password=…`"),
        ("username=ada\n\npasswort=hunter2", "line 3 should be `username=…` or `password=…`"),
    ] {
        std::fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        let error = CredentialFile::new(&path)
            .find(&CredentialRequest::new("https://x/"))
            .unwrap_err()
            .to_string();
        assert_eq!(error, problem);
    }
}

/// Over plain http anybody on the way could read them.
#[test]
fn secrets_are_not_sent_in_the_clear() {
    let builder = || KeystoneClient::builder("http://keystone.test").backend(script([]));
    let folder = tempfile::tempdir().unwrap();
    let store = || keystone_client::session_store::FileSessionStore::at(folder.path());
    for refused in [
        builder().api_token("abc").build(),
        builder().credentials(ada()).build(),
        builder().session_store(store(), "ada").build(),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains("danger_allow_plain_http"), "{error}");
    }
    let client = builder().build().unwrap();
    let error = pollster::block_on(client.login("ada", "correct horse")).unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::InvalidRequest, 0));
    let both = KeystoneClient::builder("https://keystone.test").api_token("abc").credentials(ada());
    let error = both.backend(script([])).build().unwrap_err();
    assert!(error.to_string().contains("takes the place of a login"), "{error}");

    let allowed = KeystoneClient::builder("http://keystone.test")
        .danger_allow_plain_http(true)
        .backend(script(session_login()))
        .build()
        .unwrap();
    pollster::block_on(allowed.login("ada", "correct horse")).unwrap();
    for local in ["http://localhost:8000", "http://127.0.0.1:1", "http://[::1]:8000"] {
        KeystoneClient::builder(local).credentials(ada()).backend(script([])).build().unwrap();
    }
}
