//! What a server answers to a login and to a question for a user.

use http::{Response, StatusCode, header};

const LOGIN: &str = r#"{"detail":"Successfully logged in."}"#;
const NOT_ALLOWED: &str = r#"{"detail":"Method \"GET\" not allowed."}"#;
const USER: &str = r#"{"id":1,"display_name":"admin","abbreviation":"AD","_membership":[],
"_history":[],"last_login":"2026-11-23T00:42:52.165610Z","username":"admin","first_name":null,
"last_name":null,"email":null,"department":null,"role":null,"is_superuser":true,"is_staff":true,
"is_active":true,"is_ldap_user":false,"date_joined":"2026-11-23T00:42:50.165610Z","groups":[],
"user_permissions":[]}"#;

pub fn answer<B: From<&'static str>>(method: &str, path: &str) -> http::Result<Response<B>> {
    let (status, body) = match (method, path) {
        ("GET", "/authentication/login/") => (StatusCode::METHOD_NOT_ALLOWED, NOT_ALLOWED),
        ("POST", "/authentication/login/") => (StatusCode::OK, LOGIN),
        ("GET", "/users/users/1/") => (StatusCode::OK, USER),
        _ => (StatusCode::NOT_FOUND, "{}"),
    };
    let mut response =
        Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    if method == "POST" {
        for cookie in ["csrftoken=AAA; Max-Age=31449600", "sessionid=BBB; Max-Age=1209600"] {
            response = response.header(header::SET_COOKIE, cookie);
        }
    }
    response.body(B::from(body))
}
