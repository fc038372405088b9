//! What one writes by hand around an HTTP library.

use http::{HeaderMap, header};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
pub struct Login<'a> {
    pub username: &'a str,
    pub password: &'a str,
}

pub const LOGIN: Login<'_> = Login { username: "admin", password: "admin-password" };

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "the rest of the record is for other programs")]
pub struct User {
    pub id: u64,
    pub username: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub department: Option<String>,
    pub role: Option<String>,
    pub is_active: bool,
    pub is_staff: bool,
    pub date_joined: String,
    pub last_login: Option<String>,
}

/// The session and the CSRF token, for the header `Cookie`.
pub fn cookies(headers: &HeaderMap) -> String {
    let cookies = headers.get_all(header::SET_COOKIE).iter();
    let pairs = cookies.filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    pairs.collect::<Vec<_>>().join("; ")
}
