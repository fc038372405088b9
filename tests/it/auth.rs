//! Logging in and out, and what requests carry, against scripted servers.

use http::{HeaderValue, StatusCode, header};
use keystone_client::backend::BackendErrorKind;
use keystone_client::resources::{Cluster, NewCluster};
use keystone_client::testing::Exchange;
use keystone_client::{Dialect, Error, ErrorKind, Id};
use serde_json::json;

use crate::support::{
    both_colours, cluster, in_seconds, jwt_login, probe_absent, probe_present, script,
    session_login, token,
};

fn bearer(token: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("Bearer {token}")).unwrap()
}

fn unauthorized(path: &str) -> Exchange {
    Exchange::get(path).reply_json(
        StatusCode::UNAUTHORIZED,
        &json!({ "detail": "Authentication credentials were not provided." }),
    )
}

fn token_not_valid(exchange: Exchange) -> Exchange {
    exchange.reply_json(
        StatusCode::UNAUTHORIZED,
        &json!({ "detail": "Given token not valid for any token type", "code": "token_not_valid" }),
    )
}

/// A call that is answered after so many seconds, by the clock of the script.
fn later(seconds: u32) -> [Exchange; 2] {
    [
        Exchange::get("/version/")
            .reply(StatusCode::BAD_GATEWAY, "")
            .reply_header(header::RETRY_AFTER, HeaderValue::from(seconds)),
        Exchange::get("/version/").reply(StatusCode::OK, "0.3.26"),
    ]
}

both_colours! {
    fn a_session_is_carried_by_cookies_and_writes_prove_their_origin() {
        let cookie = HeaderValue::from_static("csrftoken=CSRF1; sessionid=SESSION1");
        let client = client!(script(session_login().into_iter().chain([
            Exchange::get("/allocations/clusters/3/")
                .with_header(header::COOKIE, cookie.clone())
                .reply_json(StatusCode::OK, &cluster(3, "atlas")),
            Exchange::post("/allocations/clusters/")
                .with_header(header::COOKIE, cookie)
                .with_header("x-csrftoken".parse().unwrap(), HeaderValue::from_static("CSRF1"))
                .with_header(header::REFERER, HeaderValue::from_static("https://keystone.test/"))
                .with_json(json!({ "name": "borealis" }))
                .reply_json(StatusCode::CREATED, &cluster(4, "borealis")),
        ])));
        assert!(!client.is_authenticated());
        assert_eq!(client.dialect(), None);
        go!(client.login("ada", "correct horse")).unwrap();
        assert!(client.is_authenticated());
        assert_eq!(client.dialect(), Some(Dialect::Session));
        assert_eq!(go!(client.retrieve_cluster(Id::new(3))).unwrap().name, "atlas");
        assert_eq!(go!(client.create_cluster(NewCluster::new("borealis"))).unwrap().id, Id::new(4));
    }

    fn a_csrf_token_that_the_server_renews_is_used_from_then_on() {
        let client = client!(script(session_login().into_iter().chain([
            Exchange::get("/users/teams/").reply_header(
                header::SET_COOKIE,
                HeaderValue::from_static("csrftoken=CSRF2; Path=/"),
            ),
            Exchange::new(http::Method::DELETE, "/allocations/clusters/3/")
                .with_header("x-csrftoken".parse().unwrap(), HeaderValue::from_static("CSRF2"))
                .reply(StatusCode::NO_CONTENT, ""),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        go!(client.http_get("users/teams")).unwrap();
        go!(client.delete_cluster(Id::new(3))).unwrap();
    }

    fn a_session_that_ended_is_told_from_none() {
        let client = client!(script(
            [unauthorized("/allocations/clusters/3/")]
                .into_iter()
                .chain(session_login())
                .chain([
                    unauthorized("/allocations/clusters/3/"),
                    unauthorized("/allocations/clusters/3/"),
                ]),
        ));
        let never = go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_eq!(never.kind(), ErrorKind::NotLoggedIn);
        go!(client.login("ada", "correct horse")).unwrap();
        let ended = go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_eq!(ended.kind(), ErrorKind::SessionExpired);
        assert!(!ended.may_have_been_sent(), "a 401 comes before anything is executed");
        assert!(!client.is_authenticated());
        let still = go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_eq!(still.kind(), ErrorKind::SessionExpired);
    }

    fn servers_up_to_0_6_3_say_403_where_others_say_401() {
        let forbidden = Exchange::get("/allocations/clusters/3/").reply_json(
            StatusCode::FORBIDDEN,
            &json!({ "detail": "Authentication credentials were not provided." }),
        );
        let denied = Exchange::get("/allocations/clusters/3/").reply_json(
            StatusCode::FORBIDDEN,
            &json!({ "detail": "You do not have permission to perform this action." }),
        );
        let csrf = Exchange::get("/allocations/clusters/3/").reply_json(
            StatusCode::FORBIDDEN,
            &json!({ "detail": "CSRF Failed: CSRF token missing." }),
        );
        let client = client!(script([forbidden, denied, csrf]));
        let kind = |error: keystone_client::Error| error.kind();
        assert_eq!(
            go!(client.retrieve_cluster(Id::new(3))).map_err(kind).unwrap_err(),
            ErrorKind::NotLoggedIn
        );
        assert_eq!(
            go!(client.retrieve_cluster(Id::new(3))).map_err(kind).unwrap_err(),
            ErrorKind::Denied
        );
        assert_eq!(
            go!(client.retrieve_cluster(Id::new(3))).map_err(kind).unwrap_err(),
            ErrorKind::CsrfRejected
        );
    }

    fn a_wrong_password_is_400_here_and_401_there() {
        let client = client!(script([
            probe_present("/authentication/login/"),
            Exchange::post("/authentication/login/").reply_json(
                StatusCode::BAD_REQUEST,
                &json!({ "non_field_errors": ["Invalid username or password."] }),
            ),
        ]));
        let error = go!(client.login("ada", "wrong")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCredentials);
        assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST));
        assert!(!client.is_authenticated());

        let client = client!(script([
            probe_absent("/authentication/login/"),
            probe_present("/authentication/new/"),
            Exchange::post("/authentication/new/").reply_json(
                StatusCode::UNAUTHORIZED,
                &json!({ "detail": "No active account found with the given credentials" }),
            ),
        ]));
        let error = go!(client.login("ada", "wrong")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidCredentials);
        assert_eq!(
            error.to_string(),
            "log in: the server refused the credentials (401): \
             No active account found with the given credentials"
        );
    }

    fn an_access_token_refused_is_refreshed_and_the_write_goes_through() {
        let old = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let new = token(&json!({ "exp": in_seconds(301), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let client = client!(script(jwt_login(&old, &refresh).into_iter().chain([
            token_not_valid(
                Exchange::post("/allocations/clusters/")
                    .with_header(header::AUTHORIZATION, bearer(&old)),
            ),
            Exchange::post("/authentication/refresh/")
                .with_json(json!({ "refresh": refresh }))
                .reply_json(StatusCode::OK, &json!({ "access": new })),
            Exchange::post("/allocations/clusters/")
                .with_header(header::AUTHORIZATION, bearer(&new))
                .with_json(json!({ "name": "atlas" }))
                .reply_json(StatusCode::CREATED, &cluster(1, "atlas")),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        assert_eq!(client.dialect(), Some(Dialect::Jwt));
        assert_eq!(go!(client.create_cluster(NewCluster::new("atlas"))).unwrap().id, Id::new(1));
    }

    fn an_access_token_about_to_expire_is_refreshed_unasked() {
        let old = token(&json!({ "exp": in_seconds(10), "user_id": 7 }));
        let new = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let backend = script(jwt_login(&old, &refresh).into_iter().chain(later(9)).chain([
            Exchange::post("/authentication/refresh/")
                .reply_json(StatusCode::OK, &json!({ "access": new })),
            Exchange::get("/users/users/")
                .with_query("_limit", "1000")
                .with_query("_order", "id")
                .with_header(header::AUTHORIZATION, bearer(&new))
                .reply_json(StatusCode::OK, &json!([])),
        ]));
        let client = client!(backend);
        go!(client.login("ada", "correct horse")).unwrap();
        go!(client.version()).unwrap();
        assert!(go!(client.users().list().all()).unwrap().is_empty());
    }

    fn a_refresh_token_refused_ends_the_login() {
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let client = client!(script(jwt_login(&access, &refresh).into_iter().chain([
            token_not_valid(Exchange::get("/allocations/clusters/3/")),
            Exchange::post("/authentication/refresh/").reply_json(
                StatusCode::UNAUTHORIZED,
                &json!({ "detail": "Token is blacklisted", "code": "token_not_valid" }),
            ),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        let error = go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionExpired);
        assert!(!client.is_authenticated());
    }

    fn a_refresh_that_does_not_help_is_not_repeated() {
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let client = client!(script(jwt_login(&access, &refresh).into_iter().chain([
            token_not_valid(Exchange::get("/allocations/clusters/3/")),
            Exchange::post("/authentication/refresh/")
                .reply_json(StatusCode::OK, &json!({ "access": access })),
            token_not_valid(Exchange::get("/allocations/clusters/3/")),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        let error = go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionExpired);
    }

    fn a_refresh_that_cannot_be_sent_is_the_error_and_ends_nothing() {
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let failing = || {
            Exchange::post("/authentication/refresh/").fail(BackendErrorKind::Connect)
        };
        let client = client!(script(jwt_login(&access, &refresh).into_iter().chain([
            token_not_valid(Exchange::new(http::Method::DELETE, "/allocations/clusters/3/")),
            failing(), failing(), failing(), failing(),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        let error = go!(client.delete_cluster(Id::new(3))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert_eq!(error.attempts(), 1);
        let cause = std::error::Error::source(&error).unwrap().downcast_ref::<Error>().unwrap();
        assert_eq!(cause.attempts(), 4);
        assert_eq!(error.operation().to_string(), "delete cluster");
        assert!(!error.may_have_been_sent(), "the call was refused and not sent again");
        assert!(client.is_authenticated());
    }

    fn an_expired_refresh_token_is_not_even_tried() {
        let access = token(&json!({ "exp": in_seconds(5), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(5) }));
        let client = client!(script(jwt_login(&access, &refresh).into_iter().chain(later(10))));
        go!(client.login("ada", "correct horse")).unwrap();
        go!(client.version()).unwrap();
        assert!(!client.is_authenticated());
        let error = go!(client.retrieve_cluster(Id::new(3))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionExpired);
    }

    fn a_refresh_ahead_of_time_that_fails_does_no_harm() {
        let access = token(&json!({ "exp": in_seconds(60), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let client = client!(script(
            jwt_login(&access, &refresh).into_iter().chain(later(55)).chain([
                Exchange::post("/authentication/refresh/")
                    .reply_json(StatusCode::TOO_MANY_REQUESTS, &json!({ "detail": "Throttled." })),
                Exchange::get("/allocations/clusters/3/")
                    .with_header(header::AUTHORIZATION, bearer(&access))
                    .reply_json(StatusCode::OK, &cluster(3, "atlas")),
            ])
        ));
        go!(client.login("ada", "correct horse")).unwrap();
        go!(client.version()).unwrap();
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
    }

    fn a_token_that_expires_while_a_call_waits_is_refreshed_again() {
        let old = token(&json!({ "exp": in_seconds(10), "user_id": 7 }));
        let short = token(&json!({ "exp": in_seconds(30), "user_id": 7 }));
        let new = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let refreshed = |access: &str| {
            Exchange::post("/authentication/refresh/")
                .reply_json(StatusCode::OK, &json!({ "access": access }))
        };
        let client = client!(script(
            jwt_login(&old, &refresh).into_iter().chain(later(9)).chain([
                refreshed(&short),
                Exchange::get("/allocations/clusters/3/")
                    .reply_json(StatusCode::TOO_MANY_REQUESTS, &json!({ "detail": "Throttled." }))
                    .reply_header(header::RETRY_AFTER, HeaderValue::from_static("60")),
                token_not_valid(Exchange::get("/allocations/clusters/3/")),
                refreshed(&new),
                Exchange::get("/allocations/clusters/3/")
                    .with_header(header::AUTHORIZATION, bearer(&new))
                    .reply_json(StatusCode::OK, &cluster(3, "atlas")),
            ])
        ));
        go!(client.login("ada", "correct horse")).unwrap();
        go!(client.version()).unwrap();
        go!(client.retrieve_cluster(Id::new(3))).unwrap();
        assert!(client.is_authenticated());
    }

    fn doubt_outlives_a_refresh() {
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let delete = || Exchange::new(http::Method::DELETE, "/allocations/clusters/3/");
        let gone = json!({ "detail": "No Cluster matches the given query." });
        let client = client!(script(jwt_login(&access, &refresh).into_iter().chain([
            delete().fail(BackendErrorKind::Closed),
            token_not_valid(delete()),
            Exchange::post("/authentication/refresh/")
                .reply_json(StatusCode::OK, &json!({ "access": access })),
            delete().reply_json(StatusCode::NOT_FOUND, &gone),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        let error = go!(client.delete_cluster(Id::new(3))).unwrap_err();
        assert!(error.is_not_found() && error.may_have_been_sent());
        assert_eq!(error.attempts(), 3);
    }

    fn what_others_say_does_not_end_a_login() {
        let page = HeaderValue::from_static("text/html");
        let client = client!(script(session_login().into_iter().chain([
            // A proxy with a login of its own.
            Exchange::get("/users/teams/")
                .reply(StatusCode::UNAUTHORIZED, "<html>Proxy</html>")
                .reply_header(header::CONTENT_TYPE, page),
            // A credential that the caller has put in.
            Exchange::get("/users/teams/")
                .with_header(header::AUTHORIZATION, HeaderValue::from_static("Token other"))
                .reply_json(StatusCode::UNAUTHORIZED, &json!({ "detail": "Invalid token." })),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        assert_eq!(go!(client.http_get("users/teams")).unwrap().status(), 401);
        let other = HeaderValue::from_static("Token other");
        let call = client.http_get("users/teams").header(header::AUTHORIZATION, other);
        assert_eq!(go!(call).unwrap().status(), 401);
        assert!(client.is_authenticated());
    }

    fn whoami_asks_the_endpoint_or_follows_the_token() {
        let user = json!({
            "id": 7, "username": "ada", "is_superuser": false, "first_name": null,
            "last_name": null, "email": null, "department": null, "role": null,
            "is_active": true, "is_staff": false, "is_ldap_user": false,
            "date_joined": "2024-07-01T12:00:00Z", "last_login": null,
            "groups": [], "user_permissions": []
        });
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let client = client!(script(jwt_login(&access, &refresh).into_iter().chain([
            Exchange::get("/users/users/7/").reply_json(StatusCode::OK, &user),
        ])));
        assert_eq!(go!(client.whoami()).unwrap(), None, "nobody is asked");
        go!(client.login("ada", "correct horse")).unwrap();
        assert_eq!(go!(client.whoami()).unwrap().unwrap().username, "ada");

        let client = client!(script(session_login().into_iter().chain([
            Exchange::get("/authentication/whoami/").reply_json(StatusCode::OK, &user),
            unauthorized("/authentication/whoami/"),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        assert_eq!(go!(client.whoami()).unwrap().unwrap().id, Id::new(7));
        assert_eq!(go!(client.whoami()).unwrap(), None);
    }

    fn logout_tells_the_server_and_forgets_whatever_it_says() {
        let logout = || {
            Exchange::post("/authentication/logout/")
                .with_header("x-csrftoken".parse().unwrap(), HeaderValue::from_static("CSRF1"))
        };
        for (status, is_error) in [
            (StatusCode::OK, false),
            (StatusCode::UNAUTHORIZED, false),
            (StatusCode::INTERNAL_SERVER_ERROR, true),
        ] {
            let client = client!(script(session_login().into_iter().chain([
                logout().reply(status, ""),
            ])));
            go!(client.login("ada", "correct horse")).unwrap();
            assert_eq!(go!(client.logout()).is_err(), is_error, "{status}");
            assert!(!client.is_authenticated());
            go!(client.logout()).unwrap();
        }
    }

    fn logout_blacklists_the_refresh_token() {
        let access = token(&json!({ "exp": in_seconds(300), "user_id": 7 }));
        let refresh = token(&json!({ "exp": in_seconds(86_400) }));
        let client = client!(script(jwt_login(&access, &refresh).into_iter().chain([
            Exchange::post("/authentication/blacklist/")
                .with_json(json!({ "refresh": refresh }))
                .reply_json(StatusCode::OK, &json!({})),
        ])));
        go!(client.login("ada", "correct horse")).unwrap();
        go!(client.logout()).unwrap();
        assert!(!client.is_authenticated());
    }

    fn what_is_not_keystone_is_said_to_be_so() {
        let page = |status| {
            Exchange::get("/authentication/login/").reply(status, "<html>Welcome</html>")
        };
        let client = client!(script([page(StatusCode::OK)]));
        let error = go!(client.login("ada", "x")).unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::NotKeystone, Some(StatusCode::OK)));

        let client = client!(script([
            page(StatusCode::MOVED_PERMANENTLY)
                .reply_header(header::LOCATION, HeaderValue::from_static("https://other/?secret=1")),
        ]));
        let error = go!(client.login("ada", "x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirected);
        assert!(error.to_string().contains("https://other/"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");

        let client = client!(script([
            probe_absent("/authentication/login/"),
            probe_absent("/authentication/new/"),
        ]));
        let error = go!(client.login("ada", "x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotKeystone);
        assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));

        let client = client!(script([
            probe_present("/authentication/login/"),
            Exchange::post("/authentication/login/").reply(StatusCode::OK, "<html>Hi</html>"),
        ]));
        let error = go!(client.login("ada", "x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotKeystone);
        assert_eq!(error.status(), Some(StatusCode::OK));
    }
}

#[test]
fn an_api_token_goes_with_every_request_and_needs_no_login() {
    let backend = script([
        Exchange::get("/authentication/whoami/")
            .with_header(header::AUTHORIZATION, HeaderValue::from_static("Token abc123"))
            .reply_json(StatusCode::UNAUTHORIZED, &json!({ "detail": "Invalid token." })),
        Exchange::new(http::Method::DELETE, "/allocations/clusters/1/")
            .with_header(header::AUTHORIZATION, HeaderValue::from_static("Token abc123"))
            .reply_json(StatusCode::UNAUTHORIZED, &json!({ "detail": "Invalid token." })),
    ]);
    let client = keystone_client::blocking::KeystoneClient::builder("https://keystone.test")
        .api_token("abc123")
        .backend(backend)
        .build()
        .unwrap();
    assert!(client.is_authenticated());
    assert_eq!(client.whoami().unwrap_err().kind(), ErrorKind::InvalidCredentials);
    let error = client.resource::<Cluster>().delete(Id::new(1)).send().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidCredentials);
}
