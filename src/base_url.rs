//! The address of a Keystone server, and how paths are put behind it.

use std::fmt;

use url::{Host, Url};

/// A base URL in normal form: scheme, lower-case authority, path prefix, trailing slash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    /// How much of `text` is scheme and authority.
    origin_length: usize,
    is_confidential: bool,
}

impl BaseUrl {
    /// Reads `text`; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        // What has an `@` in it may hold a password and is not repeated.
        if text.contains('@') {
            return Err("must not contain a user name or password, nor any `@`; use `login`".into());
        }
        let url = Url::parse(text.trim()).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => {
                format!("`{text}`: it must begin with http:// or https://")
            }
            error => format!("`{text}`: {error}"),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("`{text}`: the scheme must be http or https"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(format!("`{text}`: there is no host"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("`{text}`: a base URL has neither query nor fragment"));
        }
        let origin = url.origin().ascii_serialization();
        let path = url.path().trim_end_matches('/');
        Ok(Self {
            text: format!("{origin}{path}/"),
            origin_length: origin.len(),
            is_confidential: url.scheme() == "https" || is_loopback(&url),
        })
    }

    /// Whether nobody on the way can read what is sent: by https, or within this machine.
    pub(crate) fn is_confidential(&self) -> bool {
        self.is_confidential
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme and authority, without a trailing slash.
    pub(crate) fn origin(&self) -> &str {
        self.text.get(..self.origin_length).unwrap_or(&self.text)
    }

    /// The URL of `path`, which is relative, with `query` behind it if there is one.
    pub(crate) fn join(&self, path: &str, query: &str) -> Result<String, &'static str> {
        let mut url = String::with_capacity(self.text.len() + path.len() + query.len() + 1);
        url.push_str(&self.text);
        encode_path(path, &mut url)?;
        if !query.is_empty() {
            url.push('?');
            url.push_str(query);
        }
        Ok(url)
    }
}

/// Names below `localhost` are the machine's own as well (RFC 6761, section 6.3).
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "localhost" || name.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
        None => false,
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

/// Percent-encodes what cannot stand in a path. What already is encoded stays.
fn encode_path(path: &str, url: &mut String) -> Result<(), &'static str> {
    if path.starts_with('/') {
        return Err("a path that begins with two slashes names another server");
    }
    for segment in path.split('/') {
        let plain = segment.replace("%2e", ".").replace("%2E", ".");
        if matches!(plain.as_str(), "." | "..") {
            return Err("`.` and `..` lead out of the API");
        }
    }
    let bytes = path.as_bytes();
    for (index, byte) in path.bytes().enumerate() {
        let is_escape = byte == b'%'
            && bytes
                .get(index + 1..index + 3)
                .is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        if byte.is_ascii_alphanumeric() || b"-._~/:@!$&'()*+,;=".contains(&byte) || is_escape {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    Ok(())
}

/// An endpoint as people write it, split into a path with its trailing slash and query pairs.
pub(crate) fn parse_endpoint(
    endpoint: &str,
) -> Result<(String, Vec<(String, String)>), &'static str> {
    let endpoint = endpoint.trim();
    let (path, query) = endpoint.split_once('?').unwrap_or((endpoint, ""));
    if path.contains("://") || path.starts_with("//") {
        return Err("an endpoint is a path below the base URL, not an address");
    }
    if path.contains('#') {
        return Err("an endpoint has no fragment");
    }
    if path.contains('\\') || path.contains(char::is_control) {
        return Err("an endpoint has no backslashes and no control characters");
    }
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Err("the endpoint is empty");
    }
    let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Ok((format!("{path}/"), pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_prefixes_ports_and_case_are_put_right() {
        for (given, normal) in [
            ("https://keystone.example.edu", "https://keystone.example.edu/"),
            ("https://Keystone.Example.edu/", "https://keystone.example.edu/"),
            ("https://keystone.example.edu:443/api", "https://keystone.example.edu/api/"),
            ("http://localhost:8000/a/b//", "http://localhost:8000/a/b/"),
            ("http://[::1]:8000", "http://[::1]:8000/"),
            (" http://127.0.0.1 ", "http://127.0.0.1/"),
        ] {
            assert_eq!(BaseUrl::parse(given).unwrap().as_str(), normal, "{given}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        for given in [
            "",
            "keystone.example.edu",
            "ftp://host/",
            "https://",
            "https://h/?q=1",
            "https://h/#f",
        ] {
            assert!(BaseUrl::parse(given).is_err(), "{given}");
        }
        for given in
            ["https://user:hunter2@host/", "https://u:hunter2@host:99999/", "u:hunter2@host"]
        {
            let refusal = BaseUrl::parse(given).unwrap_err();
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn secrets_may_go_by_https_or_within_the_machine() {
        for (given, is_confidential) in [
            ("https://keystone.example.edu", true),
            ("http://keystone.example.edu", false),
            ("http://localhost:8000", true),
            ("http://LOCALHOST.", true),
            ("http://api.localhost", true),
            ("http://localhost.example.edu", false),
            ("http://notlocalhost", false),
            ("http://127.0.0.1:8000", true),
            ("http://127.8.9.10", true),
            ("http://0x7f.1", true),
            ("http://[::1]:8000", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
            ("http://[::]", false),
        ] {
            assert_eq!(
                BaseUrl::parse(given).unwrap().is_confidential(),
                is_confidential,
                "{given}"
            );
        }
    }

    #[test]
    fn paths_stay_below_the_base() {
        let base = BaseUrl::parse("https://host/api").unwrap();
        assert_eq!(base.join("users/teams/1/", "").unwrap(), "https://host/api/users/teams/1/");
        assert_eq!(
            base.join("a b/é/%20/%zz/", "x=1").unwrap(),
            "https://host/api/a%20b/%C3%A9/%20/%25zz/?x=1"
        );
        assert_eq!(base.origin(), "https://host");
        for path in ["/evil.example/", "../admin/", "a/../../b/", "%2e%2E/x/", "./x/"] {
            assert!(base.join(path, "").is_err(), "{path}");
        }
    }

    #[test]
    fn endpoints_may_be_written_any_way() {
        for given in ["users/teams", "/users/teams", "users/teams/", " /users/teams/ "] {
            assert_eq!(parse_endpoint(given).unwrap().0, "users/teams/", "{given}");
        }
        let (_, query) = parse_endpoint("users/users?homepage=http://x/#top").unwrap();
        assert_eq!(query, [("homepage".into(), "http://x/#top".into())]);
        let (path, query) = parse_endpoint("users/teams?name=a%20b&_limit=1").unwrap();
        assert_eq!(path, "users/teams/");
        assert_eq!(query, [("name".into(), "a b".into()), ("_limit".into(), "1".into())]);
        for given in ["", "/", "?a=1", "https://host/x", "//host/x", "a#b", "a\\b", "a\nb"] {
            assert!(parse_endpoint(given).is_err(), "{given}");
        }
    }
}
