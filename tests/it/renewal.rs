//! Clients that log in by themselves: when they do, how often, and what they say if they cannot.

mod servers;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use keystone_client::backend::BackendErrorKind;
use keystone_client::credentials::{
    CredentialChain, CredentialFile, CredentialRequest, CredentialSource, Credentials, Environment,
    ExposeSecret, Found, SourceError, from_fn,
};
use keystone_client::resources::NewCluster;
use keystone_client::sandbox::{self, Sandbox};
use keystone_client::testing::Exchange;
use keystone_client::{ErrorKind, Id, blocking};
use serde_json::json;

use crate::support::{
    both_colours, cluster, in_seconds, jwt_login, probe_present, script, session_login, token,
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

    /// A lost reply to a login is no reason to give up: another session harms nobody.
    fn a_login_is_repeated_when_its_reply_is_lost() {
        let [probe, login] = session_login();
        let lost = Exchange::post("/authentication/login/").fail(BackendErrorKind::Closed);
        let client = client!(script([probe, lost, login]));
        go!(client.login("ada", "correct horse")).unwrap();
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

/// A client over a sandbox, as which somebody logs in while its first refusal is on its way.
fn overtaken(sandbox: &Sandbox, by: Credentials) -> blocking::KeystoneClient {
    let client = Arc::new(OnceLock::<blocking::KeystoneClient>::new());
    let (server, other, by) = (sandbox.clone(), Arc::clone(&client), Mutex::new(Some(by)));
    let backend = keystone_client::testing::from_fn(move |request| {
        let response = server.handle(request);
        if response.status() == StatusCode::UNAUTHORIZED {
            if let Some(by) = by.lock().unwrap().take() {
                let client = other.get().unwrap();
                client.login(by.username(), by.password().expose_secret()).unwrap();
            }
        }
        Ok(response)
    });
    let built = blocking::KeystoneClient::builder("https://keystone.test").backend(backend);
    client.get_or_init(|| built.build().unwrap()).clone()
}

/// The old answer comes when there is a new login already.
#[test]
fn a_late_401_does_not_end_a_newer_login() {
    let sandbox = Sandbox::new();
    let client = overtaken(&sandbox, admin());
    client.login("admin", "admin-password").unwrap();
    sandbox.expire_sessions();
    client.create_cluster(NewCluster::new("atlas")).send().unwrap();
    assert!(client.is_authenticated());
    assert_eq!(count(&sandbox, "POST /authentication/login/"), 2);
}

#[test]
fn a_write_is_not_repeated_as_somebody_who_has_logged_in_meanwhile() {
    let sandbox =
        Sandbox::builder().staff("admin", "admin-password").staff("ada", "correct horse").build();
    let client = overtaken(&sandbox, admin());
    client.login("ada", "correct horse").unwrap();
    sandbox.expire_sessions();
    let error = client.create_cluster(NewCluster::new("atlas")).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SessionExpired);
    assert_eq!(count(&sandbox, "POST /allocations/clusters/"), 1);
    assert_eq!(client.whoami().unwrap().unwrap().username, "admin");
}
