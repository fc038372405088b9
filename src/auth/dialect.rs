use http::StatusCode;

use crate::capability::Server;
use crate::request::Response;

/// How a server wants to be told who is asking.
///
/// The first login finds it out; [`ClientBuilder::dialect`](crate::ClientBuilder::dialect) states it.
///
/// ```
/// use keystone_client::Dialect;
/// # use keystone_client::sandbox::Sandbox;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// assert_eq!(client.dialect(), None); // nobody has asked the server yet
/// client.login("admin", "admin-password")?;
/// assert_eq!(client.dialect(), Some(Dialect::Session));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// Session cookie and CSRF token: servers 0.4 to 0.10.
    Session,
    /// JSON Web Tokens: servers up to 0.3.26.
    Jwt,
}

impl Dialect {
    /// What is known of a server that speaks it.
    pub(crate) const fn server(self) -> Server {
        match self {
            Self::Session => Server::SESSION,
            Self::Jwt => Server::JWT,
        }
    }

    /// The endpoint that takes user name and password.
    pub(crate) const fn login_path(self) -> &'static str {
        match self {
            Self::Session => "authentication/login/",
            Self::Jwt => "authentication/new/",
        }
    }

    /// The endpoint that ends a login.
    pub(crate) const fn logout_path(self) -> &'static str {
        match self {
            Self::Session => "authentication/logout/",
            Self::Jwt => "authentication/blacklist/",
        }
    }
}

/// What an anonymous GET of a login endpoint tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// The endpoint is there.
    Present,
    /// The server has no such path.
    Absent,
    /// What answered is not a Keystone API, or not well.
    Unclear,
}

/// Login endpoints take POST only, so their presence shows as 405. Unknown paths are not
/// throttled, so a 429 shows it as well.
pub(crate) fn probe_verdict(response: &Response) -> Probe {
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::TOO_MANY_REQUESTS if response.is_json() => {
            Probe::Present
        }
        StatusCode::NOT_FOUND => Probe::Absent,
        _ => Probe::Unclear,
    }
}
