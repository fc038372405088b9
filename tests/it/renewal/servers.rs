//! Servers that change, old ones, clocks that are wrong, and proxies with logins of their own.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode, header};
use keystone_client::testing::Exchange;
use keystone_client::{Dialect, ErrorKind, Id, blocking};
use serde_json::json;

use super::ada;
use crate::support::{
    both_colours, cluster, in_seconds, jwt_login, probe_absent, probe_present, script,
    session_login, token,
};

both_colours! {
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
}

fn httpdate(time: std::time::SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap();
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
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
