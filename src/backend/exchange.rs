//! What the adapters share: the checks of the settings, and those before a request leaves.

#![cfg_attr(
    not(any(feature = "reqwest", feature = "isahc", feature = "ureq")),
    allow(dead_code, reason = "only adapters need it")
)]

#[cfg(any(feature = "reqwest", feature = "ureq"))]
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Extensions, HeaderValue, Method, Version, header, request};

use super::{BackendError, BackendErrorKind, RequestTimeout, TransportSettings};

/// libcurl counts a time-out in milliseconds, in a C `long` of 32 bits on some platforms.
const LONGEST_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// To libcurl a time-out of zero means none at all.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

/// Refuses settings that this build cannot keep, whatever the adapter.
pub(crate) fn check_settings(settings: &TransportSettings) -> Result<(), BackendError> {
    let has_tls = cfg!(any(feature = "rustls", feature = "native-tls"));
    let needs_tls = [
        ("root_certificates", !settings.root_certificates.is_empty()),
        ("identity", settings.identity.is_some()),
        ("http2", settings.http2),
    ];
    for (setting, is_set) in needs_tls {
        if is_set && !has_tls {
            return Err(refuse(format!(
                "`{setting}` is about TLS, which this build has not: enable the feature `rustls` \
                 or `native-tls` of keystone-client, or leave it out",
            )));
        }
    }
    for (setting, is_set, has_feature) in [
        ("http2", settings.http2, cfg!(feature = "http2")),
        ("gzip", settings.gzip, cfg!(feature = "gzip")),
    ] {
        if is_set && !has_feature {
            return Err(refuse(format!(
                "`{setting}` needs the feature `{setting}` of keystone-client: enable it, or leave \
                 `{setting}` off",
            )));
        }
    }
    Ok(())
}

/// Refuses settings about certificates, for adapters that take them with rustls only.
#[cfg(all(
    any(feature = "isahc", feature = "ureq"),
    feature = "native-tls",
    not(feature = "rustls")
))]
pub(crate) fn refuse_certificates(
    adapter: &str,
    settings: &TransportSettings,
) -> Result<(), BackendError> {
    for (setting, is_set) in [
        ("root_certificates", !settings.root_certificates.is_empty()),
        ("identity", settings.identity.is_some()),
    ] {
        if is_set {
            return Err(refuse(format!(
                "{adapter} takes no `{setting}` with `native-tls`: enable the feature `rustls`, or \
                 take `ReqwestBackend`",
            )));
        }
    }
    Ok(())
}

/// What has to be known of a request to read its response.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Whether gzip was asked for by the adapter, so that the caller does not expect it.
    #[cfg_attr(not(feature = "gzip"), allow(dead_code, reason = "it is refused then"))]
    pub(crate) gzip: bool,
}

/// Refuses what the adapters would send differently from one another, and drops the framing
/// headers, which each library writes itself.
pub(crate) fn prepare(
    request: http::Request<Bytes>,
    settings: &TransportSettings,
) -> Result<(request::Parts, Bytes, Asked), BackendError> {
    let (mut parts, body) = request.into_parts();
    check_uri(&parts.uri)?;
    if parts.method == Method::CONNECT {
        return Err(refuse("CONNECT opens a tunnel, which is not an exchange"));
    }
    if parts.method == Method::HEAD && !body.is_empty() {
        return Err(refuse("a HEAD request cannot carry a body"));
    }
    // One pass, as each look-up would take longer.
    let mut has_length = false;
    for (name, value) in &parts.headers {
        if [header::TRANSFER_ENCODING, header::EXPECT].contains(name) {
            return Err(refuse(format!("the transport sets `{name}` itself")));
        }
        if name == header::CONTENT_LENGTH {
            has_length = true;
            let announced = value.to_str().ok().and_then(|value| value.parse().ok());
            if announced != Some(body.len()) {
                return Err(refuse("`content-length` does not match the body"));
            }
        }
    }
    if has_length {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    // The version of the request is no demand: some libraries would try HTTP/2 in the clear.
    parts.version = Version::HTTP_11;
    // A range is one of the encoded body, of which a part cannot be decoded.
    let gzip = settings.gzip
        && ![header::ACCEPT_ENCODING, header::RANGE]
            .iter()
            .any(|name| parts.headers.contains_key(name));
    if gzip {
        parts.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
    let asked = Asked { method: parts.method.clone(), gzip };
    Ok((parts, body, asked))
}

fn check_uri(uri: &http::Uri) -> Result<(), BackendError> {
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") if cfg!(any(feature = "rustls", feature = "native-tls")) => {}
        Some("https") => {
            return Err(refuse("https needs the feature `rustls` or `native-tls`"));
        }
        _ => {
            return Err(refuse("the URL must be absolute, with the scheme http or https"));
        }
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err(refuse("the URL carries credentials; send an `authorization` header"));
    }
    Ok(())
}

/// Whether a library may resolve `segment` away, as URL parsers do with `.` and `..`, however
/// they are encoded.
#[cfg(feature = "isahc")]
pub(crate) fn has_dot_segment(path: &str) -> bool {
    // Most paths have neither a dot nor a percent sign.
    let may_have = path.bytes().any(|byte| matches!(byte, b'.' | b'%'));
    may_have
        && path.split('/').any(|segment| {
            let plain = segment.to_ascii_lowercase().replace("%2e", ".");
            plain == "." || plain == ".."
        })
}

pub(crate) fn refuse(reason: impl Into<String>) -> BackendError {
    BackendError::new(BackendErrorKind::Request, reason.into())
}

/// Whether a body goes out: an empty one only where it has a meaning, as `Content-Length: 0`.
pub(crate) fn sends_body(method: &Method, body: &Bytes) -> bool {
    !body.is_empty() || matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

/// The time-out of this exchange: the request's own, or that of the settings.
pub(crate) fn timeout_of(extensions: &Extensions, settings: &TransportSettings) -> Duration {
    let own = extensions.get::<RequestTimeout>().map(|timeout| timeout.0);
    bounded(own.unwrap_or(settings.timeout))
}

/// That the head of the response has not come. A connection may have been there.
#[cfg(any(feature = "reqwest", feature = "isahc"))]
pub(crate) fn no_response_within(limit: Duration) -> BackendError {
    BackendError::new(BackendErrorKind::Timeout, format!("no response within {limit:?}"))
}

/// `timeout` in the range that every library takes.
pub(crate) fn bounded(timeout: Duration) -> Duration {
    timeout.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT)
}

#[cfg(any(feature = "reqwest", feature = "ureq"))]
/// What an I/O error says about the connection.
pub(crate) fn kind_of_io(error: &io::Error) -> BackendErrorKind {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::ConnectionRefused
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::AddrNotAvailable => BackendErrorKind::Connect,
        Io::TimedOut | Io::WouldBlock => BackendErrorKind::Timeout,
        Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::BrokenPipe
        | Io::NotConnected
        | Io::UnexpectedEof
        | Io::WriteZero => BackendErrorKind::Closed,
        Io::InvalidData | Io::InvalidInput => BackendErrorKind::Protocol,
        _ => BackendErrorKind::Other,
    }
}
