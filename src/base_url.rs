//! The address of a Keystone server, and how paths are put behind it.

use std::fmt;
use std::fmt::Write as _;

use http::uri::{self, Authority, PathAndQuery, Scheme, Uri};
use url::{Host, Url, form_urlencoded};

/// A base URL in normal form: scheme, lower-case authority, path prefix, trailing slash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    text: String,
    /// How much of `text` is scheme and authority.
    origin_length: usize,
    /// The same, read once for all requests.
    scheme: Scheme,
    authority: Authority,
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
        let parsed = origin.parse::<Uri>().map(Uri::into_parts);
        let parsed = parsed.ok().and_then(|parts| parts.scheme.zip(parts.authority));
        let Some((scheme, authority)) = parsed else {
            return Err(format!("`{text}`: its host has a character that HTTP cannot carry"));
        };
        Ok(Self {
            text: format!("{origin}{path}/"),
            origin_length: origin.len(),
            scheme,
            authority,
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

    /// The path in front of all others, with a slash at both ends.
    fn prefix(&self) -> &str {
        self.text.get(self.origin_length..).unwrap_or("/")
    }

    /// The URL of `path`, which is relative, with `query` behind it if there is one; or what is wrong
    /// with it.
    pub(crate) fn join<N, V>(&self, path: &str, query: &[(N, V)]) -> Result<Uri, String>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let prefix = self.prefix();
        let lengths = query.iter().map(|(name, value)| name.as_ref().len() + value.as_ref().len());
        let query_length = lengths.map(|length| length + 2).sum::<usize>();
        let mut target = String::with_capacity(prefix.len() + path.len() + query_length);
        target.push_str(prefix);
        encode_path(path, &mut target)?;
        if !query.is_empty() {
            target.push('?');
            let start = target.len();
            target =
                form_urlencoded::Serializer::for_suffix(target, start).extend_pairs(query).finish();
        }
        // Not every version of `http` looks at the length here.
        if target.len() > LONGEST_TARGET {
            return Err("the URL is longer than HTTP libraries take".to_owned());
        }
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let target = PathAndQuery::try_from(target).map_err(|error| error.to_string())?;
        parts.path_and_query = Some(target);
        Uri::from_parts(parts).map_err(|error| error.to_string())
    }
}

/// What `http` can divide into path and query, and a good deal less than it takes as a URL.
const LONGEST_TARGET: usize = 65_000;

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
    let may_have_dots = path.bytes().any(|byte| matches!(byte, b'.' | b'%'));
    if may_have_dots && path.split('/').any(is_dot_segment) {
        return Err("`.` and `..` lead out of the API");
    }
    let mut rest = path;
    while let Some(index) = rest.bytes().position(|byte| !stands_for_itself(byte)) {
        let (plain, other) = rest.split_at(index);
        url.push_str(plain);
        let is_escape =
            other.as_bytes().get(1..3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let length = other.chars().next().map_or(0, char::len_utf8);
        let (letter, behind) = other.split_at(length);
        if letter == "%" && is_escape {
            url.push('%');
        } else {
            for byte in letter.bytes() {
                // Writing to a `String` cannot fail.
                let _ = write!(url, "%{byte:02X}");
            }
        }
        rest = behind;
    }
    url.push_str(rest);
    Ok(())
}

fn stands_for_itself(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b':' | b'@'
        | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=')
}

/// Whether it is `.` or `..`, however its dots are encoded.
fn is_dot_segment(segment: &str) -> bool {
    let after_dot = |text: &'_ str| -> Option<usize> {
        let dots = [".", "%2e", "%2E"];
        dots.iter().find(|dot| text.starts_with(**dot)).map(|dot| dot.len())
    };
    let Some(first) = after_dot(segment) else { return false };
    let rest = segment.get(first..).unwrap_or_default();
    rest.is_empty() || after_dot(rest) == Some(rest.len())
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
    let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
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
            "http://a{b}/",
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
        let none: [(&str, &str); 0] = [];
        let url = base.join("users/teams/1/", &none).unwrap();
        assert_eq!(url, "https://host/api/users/teams/1/");
        let url = base.join("a b/é/%20/%zz/%", &[("x", "1 é"), ("y", "")]).unwrap();
        assert_eq!(url, "https://host/api/a%20b/%C3%A9/%20/%25zz/%25?x=1+%C3%A9&y=");
        assert_eq!(base.origin(), "https://host");
        assert!(base.join(&"a".repeat(60_000), &none).is_ok());
        assert!(base.join(&"a".repeat(70_000), &none).is_err());
        assert!(base.join("a/", &[("q", "é".repeat(15_000))]).is_err());
        for path in ["a...b/", ".../", "..a/", "%2e%2e%2e/", "a./"] {
            assert!(base.join(path, &none).is_ok(), "{path}");
        }
        for path in [
            "/evil.example/",
            "../admin/",
            "a/../../b/",
            "%2e%2E/x/",
            ".%2e/",
            "%2E./",
            "%2e/",
            "./x/",
        ] {
            assert!(base.join(path, &none).is_err(), "{path}");
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
