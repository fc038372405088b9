//! Proxies, and which hosts are reached without one.

use std::env;
use std::fmt;
use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::InvalidSetting;

/// The HTTP proxy that requests go through.
///
/// Which hosts need none is decided here, so it is the same with every adapter.
///
/// ```
/// use keystone_client::backend::{Proxy, TransportSettings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let proxy = Proxy::new("http://ada:secret@proxy.example.edu:3128")?
///     .with_no_proxy("localhost, .cluster.example.edu, 10.0.0.0/8")?;
/// assert!(!format!("{proxy:?}").contains("secret"));
///
/// let settings = TransportSettings::default().with_proxy(proxy);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    http: Option<ProxyUrl>,
    https: Option<ProxyUrl>,
    no_proxy: Vec<Exception>,
}

impl Proxy {
    /// The proxy at this URL, for http and https. A user and a password in it go to the proxy as
    /// `Proxy-Authorization`.
    ///
    /// # Errors
    ///
    /// If it is no URL with the scheme http.
    pub fn new(url: &str) -> Result<Self, InvalidSetting> {
        let url = ProxyUrl::parse(url, "proxy")?;
        Ok(Self { http: Some(url.clone()), https: Some(url), no_proxy: Vec::new() })
    }

    /// What the environment says, as read now; `None` if it names no proxy.
    ///
    /// For https it is `https_proxy`, for http `http_proxy`, for either `all_proxy` if there is no
    /// other, and `no_proxy` lists the exceptions. The same in capitals counts where the first is
    /// missing, but not `HTTP_PROXY` in a CGI program, where the client of the server sets it by a
    /// header `Proxy`. Empty ones count as missing.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new) and [`with_no_proxy`](Self::with_no_proxy). A value without
    /// scheme is taken for http.
    pub fn from_environment() -> Result<Option<Self>, InvalidSetting> {
        Self::from_variables(|name| env::var_os(name)?.into_string().ok())
    }

    /// The same with variables from elsewhere.
    ///
    /// ```
    /// use keystone_client::backend::Proxy;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let proxy = Proxy::from_variables(|name| {
    ///     (name == "https_proxy").then(|| "proxy.example.edu:3128".to_owned())
    /// })?;
    /// assert!(proxy.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`from_environment`](Self::from_environment).
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, InvalidSetting> {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let find = |names: &[&'static str]| {
            names.iter().find_map(|name| set(name).map(|value| (*name, value)))
        };
        let parse = |found: Option<(&'static str, String)>| {
            found.map(|(name, value)| ProxyUrl::parse(&value, name)).transpose()
        };
        let all = || find(&["all_proxy", "ALL_PROXY"]);
        let http: &[_] = match variable("REQUEST_METHOD") {
            None => &["http_proxy", "HTTP_PROXY"],
            Some(_) => &["http_proxy"],
        };
        let proxy = Self {
            http: parse(find(http).or_else(all))?,
            https: parse(find(&["https_proxy", "HTTPS_PROXY"]).or_else(all))?,
            no_proxy: Vec::new(),
        };
        if proxy.http.is_none() && proxy.https.is_none() {
            return Ok(None);
        }
        match find(&["no_proxy", "NO_PROXY"]) {
            Some((_, list)) => proxy.with_no_proxy(&list).map(Some),
            None => Ok(Some(proxy)),
        }
    }

    /// Sets which hosts are reached without the proxy, separated by commas or spaces: host names,
    /// which stand for their subdomains too, with or without a dot before them; addresses;
    /// networks such as `10.0.0.0/8` or `fd00::/8`; each but the last with `:` and a port or
    /// without; `*` for all. Names are not resolved.
    ///
    /// # Errors
    ///
    /// If something in it is none of these.
    pub fn with_no_proxy(mut self, list: &str) -> Result<Self, InvalidSetting> {
        self.no_proxy = list
            .split(|character: char| character == ',' || character.is_whitespace())
            .filter(|entry| !entry.is_empty())
            .map(Exception::parse)
            .collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// The URL of the proxy for a request to `scheme`, `host` and `port`, credentials in it.
    #[cfg_attr(
        not(any(feature = "reqwest", feature = "isahc", feature = "ureq")),
        allow(dead_code, reason = "only adapters need it")
    )]
    pub(crate) fn for_target(&self, scheme: &str, host: &str, port: Option<u16>) -> Option<&str> {
        let https = scheme == "https";
        let url = if https { self.https.as_ref() } else { self.http.as_ref() }?;
        let port = port.unwrap_or(if https { 443 } else { 80 });
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let excepted = self.no_proxy.iter().any(|exception| exception.covers(&host, port));
        (!excepted).then(|| url.full.expose_secret())
    }
}

#[derive(Clone)]
struct ProxyUrl {
    full: SecretString,
    /// Without user and password.
    shown: String,
}

impl ProxyUrl {
    /// `what` is the setting or variable that the URL comes from.
    fn parse(text: &str, what: &str) -> Result<Self, InvalidSetting> {
        let invalid = |reason: &str| InvalidSetting::new(format!("{what}: {reason}"));
        let text = text.trim();
        let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        // The error of the parser may be about a password, so it is left out.
        let url = Url::parse(&text).map_err(|_| invalid("not a URL"))?;
        if url.scheme() != "http" {
            let reason = format!(
                "a proxy by {} is not supported, only one by http (through which https goes too)",
                url.scheme(),
            );
            return Err(invalid(&reason));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("the URL of a proxy ends with its port"));
        }
        let host = url.host_str().ok_or_else(|| invalid("not a URL"))?;
        let port = url.port_or_known_default().unwrap_or(80);
        let shown = format!("http://{host}:{port}");
        let user_info = match (url.username(), url.password()) {
            ("", None) => String::new(),
            (user, None) => format!("{user}@"),
            (user, Some(password)) => format!("{user}:{password}@"),
        };
        // The port is always in it: to libcurl a proxy without one listens on 1080.
        Ok(Self { full: format!("http://{user_info}{host}:{port}/").into(), shown })
    }
}

impl PartialEq for ProxyUrl {
    fn eq(&self, other: &Self) -> bool {
        self.full.expose_secret() == other.full.expose_secret()
    }
}

impl Eq for ProxyUrl {}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// One entry of the list of hosts without proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    host: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    /// A host and its subdomains.
    Domain(String),
    Network(IpAddr, u8),
}

impl Exception {
    fn parse(entry: &str) -> Result<Self, InvalidSetting> {
        let invalid =
            || InvalidSetting::new(format!("no_proxy: `{entry}` is no host, address or network"));
        if entry == "*" {
            return Ok(Self { host: Hosts::All, port: None });
        }
        if let Some((network, length)) = entry.split_once('/') {
            let address: IpAddr = network.parse().map_err(|_| invalid())?;
            let length = length.parse().map_err(|_| invalid())?;
            if length > bits(address) {
                return Err(invalid());
            }
            return Ok(Self { host: Hosts::Network(address, length), port: None });
        }
        if let Ok(address) = entry.parse::<IpAddr>() {
            return Ok(Self { host: Hosts::Network(address, bits(address)), port: None });
        }
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| invalid())?)),
            None => (entry, None),
        };
        if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            let address: IpAddr = address.parse().map_err(|_| invalid())?;
            return Ok(Self { host: Hosts::Network(address, bits(address)), port });
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Self { host: Hosts::Network(address, bits(address)), port });
        }
        let host = host.strip_prefix('*').unwrap_or(host);
        let host = host.strip_prefix('.').unwrap_or(host);
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_name = !host.is_empty()
            && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !is_name {
            return Err(invalid());
        }
        Ok(Self { host: Hosts::Domain(host), port })
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|own| own != port) {
            return false;
        }
        match &self.host {
            Hosts::All => true,
            Hosts::Domain(domain) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            Hosts::Network(network, length) => {
                host.parse().is_ok_and(|address| contains(*network, *length, address))
            }
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn contains(network: IpAddr, length: u8, address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32 - u32::from(length);
            let differ = network.to_bits() ^ address.to_bits();
            differ.checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128 - u32::from(length);
            let differ = network.to_bits() ^ address.to_bits();
            differ.checked_shr(shift).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(list: &str, url: &str) -> bool {
        let proxy = Proxy::new("http://proxy:3128").unwrap().with_no_proxy(list).unwrap();
        let uri: http::Uri = url.parse().unwrap();
        let (scheme, host) = (uri.scheme_str().unwrap(), uri.host().unwrap());
        proxy.for_target(scheme, host, uri.port_u16()).is_some()
    }

    #[test]
    fn exceptions_of_each_form() {
        let cases = [
            ("", "http://keystone.test/", true),
            ("*", "http://keystone.test/", false),
            ("keystone.test", "http://KEYSTONE.test/", false),
            ("keystone.test", "https://api.keystone.test./", false),
            ("keystone.test", "https://notkeystone.test/", true),
            (".keystone.test", "http://keystone.test/", false),
            ("*.test", "http://keystone.test/", false),
            ("other, keystone.test:443", "https://keystone.test/", false),
            ("keystone.test:443", "http://keystone.test/", true),
            ("10.1.2.3", "http://10.1.2.3/", false),
            ("10.1.2.3", "http://10.1.2.30/", true),
            ("10.1.2.3:80", "http://10.1.2.3/", false),
            ("10.0.0.0/8", "http://10.200.1.1/", false),
            ("10.0.0.0/8", "http://11.0.0.1/", true),
            ("0.0.0.0/0", "http://11.0.0.1/", false),
            ("::1", "http://[::1]/", false),
            ("[::1]:81", "http://[::1]/", true),
            ("fd00::/8", "http://[fd12::1]/", false),
            ("::/0", "http://10.0.0.1/", true),
        ];
        for (list, url, expected) in cases {
            assert_eq!(through(list, url), expected, "{list} {url}");
        }
    }

    #[test]
    fn exceptions_that_are_none() {
        for list in ["10.0.0.0/33", "a/b", "host:port", "[::1", "a@b", ".", "::/129"] {
            let error = Proxy::new("http://proxy").unwrap().with_no_proxy(list).unwrap_err();
            assert!(error.to_string().contains(list), "{error}");
        }
    }

    fn of(variables: &[(&str, &str)]) -> Result<Option<Proxy>, InvalidSetting> {
        Proxy::from_variables(|name| {
            let found = variables.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn urls(variables: &[(&str, &str)]) -> [Option<String>; 2] {
        let proxy = of(variables).unwrap().unwrap();
        ["http", "https"].map(|scheme| proxy.for_target(scheme, "h", None).map(str::to_owned))
    }

    #[test]
    fn variables_of_the_environment() {
        let url = |host: &str| Some(format!("http://{host}/"));
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("https_proxy", " "), ("no_proxy", "*")]), Ok(None));
        assert_eq!(urls(&[("https_proxy", "p:1")]), [None, url("p:1")]);
        assert_eq!(urls(&[("HTTPS_PROXY", "http://p:1")]), [None, url("p:1")]);
        assert_eq!(urls(&[("http_proxy", "p"), ("HTTP_PROXY", "q")]), [url("p:80"), None]);
        assert_eq!(
            urls(&[("ALL_PROXY", "u:w@a:1"), ("HTTP_PROXY", "p:2")]),
            [url("p:2"), url("u:w@a:1")]
        );
        assert_eq!(urls(&[("all_proxy", "a:1"), ("NO_PROXY", "g")]), [url("a:1"), url("a:1")]);
        assert_eq!(urls(&[("all_proxy", "a:1"), ("NO_PROXY", "h")]), [None, None]);
    }

    #[test]
    fn a_header_of_a_cgi_request_is_no_proxy() {
        let cgi = ("REQUEST_METHOD", "GET");
        assert_eq!(of(&[cgi, ("HTTP_PROXY", "evil:1")]), Ok(None));
        assert_eq!(urls(&[cgi, ("http_proxy", "p:1")]), [Some("http://p:1/".into()), None]);
    }

    #[test]
    fn passwords_are_not_shown() {
        let proxy = Proxy::new("http://ada:se%63ret@proxy:3128").unwrap();
        assert_eq!(proxy.for_target("http", "h", None), Some("http://ada:se%63ret@proxy:3128/"));
        assert!(format!("{proxy:?}").contains("http://proxy:3128"));
        assert!(!format!("{proxy:?}").contains("ada"));
        for url in ["socks5://ada:secret@p", "http://ada:secret@p:x", "http://ada:secret@p/path"] {
            let error = Proxy::new(url).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("ada") && !shown.contains("secret"), "{shown}");
        }
        let error = of(&[("https_proxy", "socks5h://ada:secret@p")]).unwrap_err();
        assert!(error.to_string().starts_with("https_proxy: a proxy by socks5h"), "{error}");
    }
}
