//! Clients that log in by themselves: when they do, how often, and what they say if they cannot.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use keystone_client::backend::BackendErrorKind;
use keystone_client::credentials::{
    CredentialChain, CredentialFile, CredentialRequest, CredentialSource, Credentials, Environment,
    Found, Netrc, SourceError, from_fn,
};
use keystone_client::resources::NewCluster;
use keystone_client::sandbox::{self, Sandbox};
use keystone_client::testing::Exchange;
use keystone_client::{Dialect, ErrorKind, Id, KeystoneClient, blocking};
use serde_json::json;

use crate::support::{
    both_colours, cluster, in_seconds, jwt_login, probe_absent, probe_present, script,
    session_login, token,
};

fn admin() -> Credentials {
    Credentials::new("admin", "admin-password")
}

fn ada() -> Credentials {
    Credentials::new("ada", "correct horse")
}

/// The paths of the requests that a sandbox has answered, with their methods.
fn paths(sandbox: &Sandbox) -> Vec<String> {
    let paths = sandbox.requests();
    paths.iter().map(|request| format!("{} {}", request.method(), request.path())).collect()
}

fn count(sandbox: &Sandbox, path: &str) -> usize {
    paths(sandbox).iter().filter(|seen| *seen == path).count()
}

fn jwt() -> Sandbox {
    Sandbox::builder().dialect(sandbox::Dialect::Jwt).staff("admin", "admin-password").build()
}

/// A source that counts how often it is asked.
struct Counted(Arc<AtomicUsize>, Credentials);

impl CredentialSource for Counted {
    fn name(&self) -> String {
        "the counted source".to_owned()
    }

    fn find(&self, request: &CredentialRequest<'_>) -> Result<Found, SourceError> {
        assert_eq!(request.base_url, "https://keystone.test/");
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Found::Credentials(self.1.clone()))
    }
}

/// A server whose login is gone, and how it says so.
fn unauthorized(method: Method, path: &str) -> Exchange {
    Exchange::new(method, path).reply_json(
        StatusCode::UNAUTHORIZED,
        &json!({ "detail": "Authentication credentials were not provided." }),
    )
}

both_colours! {
    fn the_first_call_logs_in_and_the_next_does_not() {
        let sandbox = Sandbox::new();
        let client = client!(sandbox.clone(), |builder| builder.credentials(admin()));
        assert!(!client.is_authenticated());
        go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
        assert!(client.is_authenticated());
        go!(client.create_cluster(NewCluster::new("borealis"))).unwrap();
        assert_eq!(
            paths(&sandbox),
            [
                "GET /authentication/login/",
                "POST /authentication/login/",
                "POST /allocations/clusters/",
                "POST /allocations/clusters/",
            ]
        );
    }

    fn public_endpoints_need_no_login() {
        let sandbox = Sandbox::new();
        let client = client!(sandbox.clone(), |builder| builder.credentials(admin()));
        go!(client.version()).unwrap();
        assert_eq!(paths(&sandbox), ["GET /version/"]);
    }

    fn a_session_that_has_run_out_is_replaced_before_it_is_used() {
        let sandbox = Sandbox::new();
        let client = client!(sandbox.clone(), |builder| builder.credentials(admin()));
        go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
        sandbox.advance(Duration::from_secs(15 * 86_400));
        sandbox.clear_requests();
        go!(client.create_cluster(NewCluster::new("borealis"))).unwrap();
        assert_eq!(
            paths(&sandbox),
            ["POST /authentication/login/", "POST /allocations/clusters/"]
        );
    }

    fn a_session_that_the_server_ends_is_replaced_and_the_write_goes_through_once() {
        let sandbox = Sandbox::new();
        let client = client!(sandbox.clone(), |builder| builder.credentials(admin()));
        go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
        sandbox.expire_sessions();
        sandbox.clear_requests();
        go!(client.create_cluster(NewCluster::new("borealis"))).unwrap();
        assert_eq!(
            paths(&sandbox),
            [
                "POST /allocations/clusters/",
                "POST /authentication/login/",
                "POST /allocations/clusters/",
            ]
        );
        assert_eq!(go!(client.clusters().list().count()).unwrap(), 2);
    }

    fn when_even_the_refresh_token_has_expired_there_is_a_new_login() {
        let sandbox = jwt();
        let client = client!(sandbox.clone(), |builder| builder.credentials(admin()));
        go!(client.http_get("users/users")).unwrap();
        sandbox.advance(Duration::from_secs(2 * 86_400));
        sandbox.clear_requests();
        assert!(!client.is_authenticated());
        assert_eq!(go!(client.http_get("users/users")).unwrap().status(), 200);
        assert_eq!(paths(&sandbox), ["POST /authentication/new/", "GET /users/users/"]);
    }

    fn a_refresh_token_that_is_refused_leads_to_a_new_login() {
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let refused = json!({ "detail": "Token is blacklisted", "code": "token_not_valid" });
        let [_, _, login] = jwt_login(&access, &refresh);
        let client = client!(script(jwt_login(&access, &refresh).into_iter().chain([
            Exchange::new(Method::DELETE, "/allocations/clusters/3/")
                .reply_json(StatusCode::UNAUTHORIZED, &refused),
            Exchange::post("/authentication/refresh/")
                .reply_json(StatusCode::UNAUTHORIZED, &refused),
            login,
            Exchange::new(Method::DELETE, "/allocations/clusters/3/")
                .reply(StatusCode::NO_CONTENT, ""),
        ])), |builder| builder.credentials(ada()));
        go!(client.delete_cluster(Id::new(3))).unwrap();
    }

    fn who_logs_out_stays_out_until_told_otherwise() {
        let sandbox = Sandbox::new();
        let client = client!(sandbox.clone(), |builder| builder.credentials(admin()));
        go!(client.authenticate()).unwrap();
        go!(client.authenticate()).unwrap();
        assert_eq!(count(&sandbox, "POST /authentication/login/"), 1, "the second sends nothing");
        go!(client.logout()).unwrap();
        let error = go!(client.clusters().list().all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotLoggedIn);
        assert!(go!(client.whoami()).unwrap().is_none());
        go!(client.authenticate()).unwrap();
        assert_eq!(go!(client.whoami()).unwrap().unwrap().username, "admin");
    }

    /// A wrong password in a cron job must not lock the account.
    fn credentials_that_are_refused_are_not_tried_again_at_once() {
        let sandbox = Sandbox::new();
        let asked = Arc::new(AtomicUsize::new(0));
        let wrong = Counted(Arc::clone(&asked), Credentials::new("admin", "wrong"));
        let client = client!(sandbox.clone(), |builder| builder.credentials(wrong));
        for _ in 0..3 {
            let error = go!(client.clusters().list().all()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidCredentials);
            assert_eq!(error.operation().to_string(), "list cluster");
            assert!(!error.may_have_been_sent());
            let text = format!("{error:#}");
            assert!(text.contains("could not log in") && text.contains("admin"), "{text}");
        }
        assert_eq!(count(&sandbox, "POST /authentication/login/"), 1);
        sandbox.advance(Duration::from_secs(61));
        go!(client.clusters().list().all()).unwrap_err();
        assert_eq!(count(&sandbox, "POST /authentication/login/"), 2);
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        // A person may know better.
        go!(client.login("admin", "admin-password")).unwrap();
        go!(client.clusters().list().all()).unwrap();
    }

    fn a_failure_of_the_server_is_no_refusal() {
        let [probe, login] = session_login();
        let bad = || Exchange::post("/authentication/login/").reply(StatusCode::BAD_GATEWAY, "");
        let get = || Exchange::get("/allocations/clusters/3/");
        let client = client!(
            script([
                probe, bad(), bad(), bad(), bad(),
                probe_present("/authentication/login/"), login,
                get().reply_json(StatusCode::OK, &cluster(3, "atlas")),
            ]),
            |builder| builder.credentials(ada())
        );
        let error = go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert!(error.is_transient() && !error.may_have_been_sent());
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
    }

    fn the_error_lists_what_was_tried() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("credentials");
        let chain = CredentialChain::new()
            .then(Environment::named("KEYSTONE_TEST_UNSET_1", "KEYSTONE_TEST_UNSET_2"))
            .then(CredentialFile::new(&missing))
            .then(from_fn("the vault", |_| Ok(None)));
        let client = client!(script([]), |builder| builder.credentials(chain));
        let error = go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotLoggedIn);
        assert_eq!(error.attempts(), 0);
        assert_eq!(
            error.to_string(),
            format!(
                "retrieve cluster: not logged in: the client could not log in: no credentials: the \
                 environment: KEYSTONE_TEST_UNSET_1 is not set; {}: there is no such file; the \
                 vault: it has none",
                missing.display()
            )
        );
        assert!(go!(client.authenticate()).unwrap_err().is_unauthenticated());
    }

    fn without_any_source_there_is_no_login_to_be_had() {
        let client = client!(script([]));
        let error = go!(client.authenticate()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotLoggedIn);
    }

    /// The old answer comes when there is a new login already.
    fn a_late_401_does_not_end_a_newer_login() {
        let sandbox = Sandbox::new();
        let held = Mutex::new(None);
        let server = sandbox.clone();
        let client = Arc::new(Mutex::new(None::<blocking::KeystoneClient>));
        let other = Arc::clone(&client);
        let backend = keystone_client::testing::from_fn(move |request| {
            let response = server.handle(request);
            if response.status() == StatusCode::UNAUTHORIZED {
                // While this answer is on its way, somebody logs in.
                if let Some(client) = other.lock().unwrap().take() {
                    client.login("admin", "admin-password").unwrap();
                    *held.lock().unwrap() = Some(client);
                }
            }
            Ok(response)
        });
        let blocking = blocking::KeystoneClient::builder("https://keystone.test")
            .backend(backend)
            .build()
            .unwrap();
        blocking.login("admin", "admin-password").unwrap();
        sandbox.expire_sessions();
        *client.lock().unwrap() = Some(blocking.clone());
        blocking.create_cluster(NewCluster::new("atlas")).send().unwrap();
        assert!(blocking.is_authenticated());
        assert_eq!(count(&sandbox, "POST /authentication/login/"), 2);
    }

    fn a_server_that_was_upgraded_is_asked_anew_how_to_log_in() {
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let client = client!(script(
            jwt_login(&access, &refresh)
                .into_iter()
                .chain([
                    Exchange::post("/authentication/new/")
                        .reply(StatusCode::NOT_FOUND, "<html>Not Found</html>")
                        .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("text/html")),
                ])
                .chain(session_login()),
        ));
        go!(client.login("ada", "correct horse")).unwrap();
        assert_eq!(client.dialect(), Some(Dialect::Jwt));
        go!(client.login("ada", "correct horse")).unwrap();
        assert_eq!(client.dialect(), Some(Dialect::Session));
    }

    /// What it could do before says nothing of what it can do now.
    fn a_server_that_was_upgraded_is_asked_anew_for_its_version() {
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let version = |text: &'static str| {
            Exchange::get("/version/").reply(StatusCode::OK, text)
        };
        let empty = json!({ "count": 0, "results": [] });
        let client = client!(script(
            jwt_login(&access, &refresh)
                .into_iter()
                .chain([
                    version("0.3.26"),
                    Exchange::post("/authentication/new/")
                        .reply(StatusCode::NOT_FOUND, "<html>Not Found</html>")
                        .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("text/html")),
                ])
                .chain(session_login())
                .chain([
                    version("0.10.9"),
                    Exchange::get("/users/users/")
                        .with_any_query()
                        .reply_json(StatusCode::OK, &empty),
                ]),
        ));
        go!(client.login("ada", "correct horse")).unwrap();
        go!(client.version()).unwrap();
        go!(client.login("ada", "correct horse")).unwrap();
        let others = client.users().filter(|u| u.username.not_eq("ada"));
        assert_eq!(go!(others.count()).unwrap(), 0);
    }

    /// A lost reply to a login is no reason to give up: another session harms nobody.
    fn a_login_is_repeated_when_its_reply_is_lost() {
        let [probe, login] = session_login();
        let lost = Exchange::post("/authentication/login/").fail(BackendErrorKind::Closed);
        let client = client!(script([probe, lost, login]));
        go!(client.login("ada", "correct horse")).unwrap();
    }

    fn expiry_is_counted_by_the_clock_of_the_server() {
        // The server's clock is a day ahead of ours; by ours the token is good for a day.
        let ahead = 86_400;
        let date = |seconds: i64| {
            let time = std::time::UNIX_EPOCH
                + Duration::from_secs(in_seconds(seconds).try_into().unwrap());
            HeaderValue::try_from(httpdate(time)).unwrap()
        };
        let token_until =
            |seconds: i64| token(&json!({ "exp": in_seconds(seconds), "user_id": 7 }));
        let (old, new) = (token_until(ahead + 60), token_until(ahead + 600));
        let refresh = token_until(ahead + 86_400);
        let [first, second, login] = jwt_login(&old, &refresh);
        let get = || Exchange::get("/allocations/clusters/3/");
        let client = client!(script([
            first,
            second,
            login.reply_header(header::DATE, date(ahead)),
            get().reply_json(StatusCode::TOO_MANY_REQUESTS, &json!({}))
                .reply_header(header::RETRY_AFTER, HeaderValue::from_static("55")),
            get().reply_json(StatusCode::OK, &cluster(3, "atlas")),
            Exchange::post("/authentication/refresh/")
                .reply_json(StatusCode::OK, &json!({ "access": new }))
                .reply_header(header::DATE, date(ahead + 55)),
            get().reply_json(StatusCode::OK, &cluster(3, "atlas")),
            get().reply_json(StatusCode::OK, &cluster(3, "atlas")),
        ]));
        go!(client.login("ada", "correct horse")).unwrap();
        // It waits for 55 of the 60 seconds.
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
    }

    /// The credentials are those of another user, as whom nothing may be done.
    fn a_write_is_not_repeated_as_somebody_else() {
        let sandbox = Sandbox::builder()
            .staff("admin", "admin-password")
            .staff("ada", "correct horse")
            .build();
        let client = client!(sandbox.clone(), |builder| builder.credentials(admin()));
        go!(client.login("ada", "correct horse")).unwrap();
        sandbox.expire_sessions();
        let error = go!(client.create_cluster(NewCluster::new("atlas"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionExpired);
        assert!(error.to_string().contains("that of ada"), "{error}");
        assert_eq!(count(&sandbox, "POST /authentication/login/"), 1);
        go!(client.logout()).unwrap();
        go!(client.authenticate()).unwrap();
        assert_eq!(go!(client.whoami()).unwrap().unwrap().username, "admin");
    }

    fn nor_as_somebody_who_has_logged_in_meanwhile() {
        let sandbox = Sandbox::builder()
            .staff("admin", "admin-password")
            .staff("ada", "correct horse")
            .build();
        let client = Arc::new(Mutex::new(None::<blocking::KeystoneClient>));
        let (server, other) = (sandbox.clone(), Arc::clone(&client));
        let backend = keystone_client::testing::from_fn(move |request| {
            let response = server.handle(request);
            if response.status() == StatusCode::UNAUTHORIZED {
                if let Some(client) = other.lock().unwrap().take() {
                    client.login("admin", "admin-password").unwrap();
                }
            }
            Ok(response)
        });
        let blocking = blocking::KeystoneClient::builder("https://keystone.test")
            .backend(backend)
            .build()
            .unwrap();
        blocking.login("ada", "correct horse").unwrap();
        sandbox.expire_sessions();
        *client.lock().unwrap() = Some(blocking.clone());
        let error = blocking.create_cluster(NewCluster::new("atlas")).send().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionExpired);
        assert_eq!(count(&sandbox, "POST /allocations/clusters/"), 1);
        assert_eq!(blocking.whoami().unwrap().unwrap().username, "admin");
    }

    /// A probe that has two seconds does not wait for a login that takes twenty.
    fn a_renewal_takes_no_longer_than_its_call_has() {
        let busy = || {
            Exchange::post("/authentication/login/")
                .reply(StatusCode::SERVICE_UNAVAILABLE, "")
                .reply_header(header::RETRY_AFTER, HeaderValue::from_static("20"))
        };
        let [probe, login] = session_login();
        let get = || Exchange::get("/allocations/clusters/3/");
        let backend = script([
            probe, busy(), probe_present("/authentication/login/"), busy(), login,
            get().reply_json(StatusCode::OK, &cluster(3, "atlas")),
        ]);
        let client = client!(backend.clone(), |builder| builder.credentials(ada()));
        let hasty = crate::support::retry().with_total(Duration::from_secs(2));
        let error = go!(client.retrieve_cluster(Id::new(3)).retry(hasty)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Server);
        assert_eq!(backend.sleeps(), [] as [Duration; 0]);
        // Another has the time.
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
        assert_eq!(backend.sleeps(), [Duration::from_secs(20)]);
    }

    /// Its tokens are worth nothing any more.
    fn a_server_that_is_upgraded_to_sessions_is_logged_in_to_anew() {
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let unknown = |exchange: Exchange| {
            exchange
                .reply(StatusCode::NOT_FOUND, "<html>Not Found</html>")
                .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("text/html"))
        };
        let delete = || Exchange::new(Method::DELETE, "/allocations/clusters/3/");
        let refused = json!({ "detail": "Given token not valid", "code": "token_not_valid" });
        let client = client!(
            script(
                jwt_login(&access, &refresh)
                    .into_iter()
                    .chain([
                        delete().reply_json(StatusCode::UNAUTHORIZED, &refused),
                        unknown(Exchange::post("/authentication/refresh/")),
                        unknown(Exchange::post("/authentication/new/")),
                    ])
                    .chain(session_login())
                    .chain([delete().reply(StatusCode::NO_CONTENT, "")])
            ),
            |builder| builder.credentials(ada())
        );
        go!(client.authenticate()).unwrap();
        go!(client.delete_cluster(Id::new(3))).unwrap();
        assert_eq!(client.dialect(), Some(Dialect::Session));
    }

    fn a_page_of_a_proxy_does_not_end_a_login() {
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let refused = json!({ "detail": "Given token not valid", "code": "token_not_valid" });
        let page = |exchange: Exchange| {
            exchange
                .reply(StatusCode::UNAUTHORIZED, "<html>Who are you?</html>")
                .reply_header(header::CONTENT_TYPE, HeaderValue::from_static("text/html"))
        };
        let client = client!(script(jwt_login(&access, &refresh).into_iter().chain([
            Exchange::get("/allocations/clusters/3/")
                .reply_json(StatusCode::UNAUTHORIZED, &refused),
            page(Exchange::post("/authentication/refresh/")),
            Exchange::get("/allocations/clusters/3/").reply_json(StatusCode::OK, &cluster(3, "a")),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        let error = go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::SessionExpired);
        assert!(client.is_authenticated());
        go!(client.retrieve_cluster(Id::new(3))).unwrap();

        let client = client!(script([
            probe_absent("/authentication/login/"),
            probe_present("/authentication/new/"),
            page(Exchange::post("/authentication/new/")),
        ]));
        let error = go!(client.login("ada", "correct horse")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotKeystone);
    }

    fn an_early_refresh_that_failed_is_not_tried_at_each_call() {
        let access = token(&json!({ "exp": in_seconds(60), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let get = || {
            Exchange::get("/allocations/clusters/3/")
                .with_header(
                    header::AUTHORIZATION,
                    HeaderValue::from_str(&format!("Bearer {access}")).unwrap(),
                )
                .reply_json(StatusCode::OK, &cluster(3, "atlas"))
        };
        let client = client!(script(jwt_login(&access, &refresh).into_iter().chain([
            Exchange::get("/version/")
                .reply(StatusCode::BAD_GATEWAY, "")
                .reply_header(header::RETRY_AFTER, HeaderValue::from_static("50")),
            Exchange::get("/version/").reply(StatusCode::OK, "0.3.26"),
            Exchange::post("/authentication/refresh/").reply(StatusCode::BAD_GATEWAY, ""),
            get(),
            get(),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        go!(client.version()).unwrap();
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
    }

    fn whoami_is_nobody_when_the_login_has_run_out() {
        let sandbox = jwt();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.advance(Duration::from_secs(2 * 86_400));
        assert!(go!(client.whoami()).unwrap().is_none());
    }

    fn a_login_by_a_person_takes_back_that_the_credentials_were_refused() {
        let sandbox = Sandbox::new();
        let times = AtomicUsize::new(0);
        let source = from_fn("the vault", move |_| {
            let password = match times.fetch_add(1, Ordering::SeqCst) {
                0 => "wrong",
                _ => "admin-password",
            };
            Ok(Some(Credentials::new("admin", password)))
        });
        let client = client!(sandbox.clone(), |builder| builder.credentials(source));
        go!(client.users().list().all()).unwrap_err();
        go!(client.login("admin", "admin-password")).unwrap();
        sandbox.expire_sessions();
        go!(client.users().list().all()).unwrap();
    }

    fn a_login_that_the_server_forgot_stays_an_error_without_sources() {
        let client = client!(script(
            session_login()
                .into_iter()
                .chain([unauthorized(Method::DELETE, "/allocations/clusters/3/")])
        ));
        go!(client.login("ada", "correct horse")).unwrap();
        let error = go!(client.delete_cluster(Id::new(3))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionExpired);
    }
}

fn httpdate(time: std::time::SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
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

/// Servers 0.4 to 0.6.11 answer a login otherwise, and say otherwise that there is none.
#[test]
fn old_servers_of_the_session_dialect() {
    let login = Exchange::post("/authentication/login/")
        .reply_json(StatusCode::OK, &json!({ "key": "0123456789012345678901234567890123456789" }))
        .reply_header(header::SET_COOKIE, HeaderValue::from_static("csrftoken=C1; Path=/"))
        .reply_header(
            header::SET_COOKIE,
            HeaderValue::from_static("sessionid=S1; HttpOnly; Max-Age=1209600; Path=/"),
        );
    let forbidden = |method: Method| {
        Exchange::new(method, "/allocations/clusters/3/").reply_json(
            StatusCode::FORBIDDEN,
            &json!({ "detail": "Authentication credentials were not provided." }),
        )
    };
    let client = blocking::KeystoneClient::builder("https://keystone.test")
        .credentials(ada())
        .backend(script([
            probe_present("/authentication/login/"),
            login.clone(),
            forbidden(Method::DELETE),
            login,
            Exchange::new(Method::DELETE, "/allocations/clusters/3/")
                .with_header(header::COOKIE, HeaderValue::from_static("csrftoken=C1; sessionid=S1"))
                .reply(StatusCode::NO_CONTENT, ""),
            // 0.4 answers so whether or not anybody was logged in.
            Exchange::post("/authentication/logout/")
                .reply_json(StatusCode::OK, &json!({ "detail": "Successfully logged out." })),
        ]))
        .build()
        .unwrap();
    client.delete_cluster(Id::new(3)).send().unwrap();
    client.logout().unwrap();

    let wrong = blocking::KeystoneClient::builder("https://keystone.test")
        .backend(script([
            probe_absent("/authentication/login/"),
            probe_absent("/authentication/new/"),
            probe_present("/authentication/login/"),
            Exchange::post("/authentication/login/").reply_json(
                StatusCode::BAD_REQUEST,
                &json!({ "non_field_errors": ["Unable to log in with provided credentials."] }),
            ),
        ]))
        .build()
        .unwrap();
    assert_eq!(wrong.login("ada", "x").unwrap_err().kind(), ErrorKind::NotKeystone);
    assert_eq!(wrong.login("ada", "x").unwrap_err().kind(), ErrorKind::InvalidCredentials);
}
