//! What the adapters share: the checks before a request leaves, and the bounded response body.

#![cfg_attr(
    not(any(feature = "reqwest", feature = "isahc", feature = "ureq")),
    allow(dead_code, reason = "only adapters need it")
)]

#[cfg(any(feature = "reqwest", feature = "ureq"))]
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Extensions, Method, StatusCode, Version, header, request, response};

use super::{BackendError, BackendErrorKind, RequestTimeout, TransportSettings};

/// libcurl counts a time-out in milliseconds, in a C `long` of 32 bits on some platforms.
const LONGEST_TIMEOUT: Duration = Duration::from_millis(i32::MAX as u64);

/// To libcurl a time-out of zero means none at all.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);

/// A server may announce any length, so memory is set aside in advance only up to here.
const LARGEST_RESERVE: usize = 1024 * 1024;

/// Refuses what the adapters would send differently from one another, and drops the framing
/// headers, which each library writes itself.
pub(crate) fn prepare(
    request: http::Request<Bytes>,
) -> Result<(request::Parts, Bytes), BackendError> {
    let (mut parts, body) = request.into_parts();
    check_uri(&parts.uri)?;
    if parts.method == Method::CONNECT {
        return Err(refuse("CONNECT opens a tunnel, which is not an exchange"));
    }
    if parts.method == Method::HEAD && !body.is_empty() {
        return Err(refuse("a HEAD request cannot carry a body"));
    }
    for name in [header::TRANSFER_ENCODING, header::EXPECT] {
        if parts.headers.contains_key(&name) {
            return Err(refuse(format!("the transport sets `{name}` itself")));
        }
    }
    for value in parts.headers.get_all(header::CONTENT_LENGTH) {
        let announced = value.to_str().ok().and_then(|value| value.parse().ok());
        if announced != Some(body.len()) {
            return Err(refuse("`content-length` does not match the body"));
        }
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    // The version of the request is no demand: some libraries would try HTTP/2 in the clear.
    parts.version = Version::HTTP_11;
    Ok((parts, body))
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
    path.split('/').any(|segment| {
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

/// `timeout` in the range that every library takes.
pub(crate) fn bounded(timeout: Duration) -> Duration {
    timeout.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT)
}

/// Collects a response body up to the size limit.
#[derive(Debug)]
pub(crate) struct BodyBuffer {
    bytes: BytesMut,
    limit: usize,
}

impl BodyBuffer {
    /// Fails at once if the response announces more than the limit.
    pub(crate) fn new(
        method: &Method,
        response: &response::Parts,
        settings: &TransportSettings,
    ) -> Result<Self, BackendError> {
        let limit = settings.max_response_bytes;
        let announced = announced_length(method, response);
        if announced.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        let reserve = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        Ok(Self { bytes: BytesMut::with_capacity(reserve.min(LARGEST_RESERVE)), limit })
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), BackendError> {
        if chunk.len() > self.limit - self.bytes.len() {
            return Err(too_large(self.limit));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    #[cfg(feature = "isahc")]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn finish(self) -> Bytes {
        self.bytes.freeze()
    }
}

/// Reads a blocking response body to its end.
#[cfg(any(feature = "ureq", all(feature = "reqwest", feature = "blocking")))]
pub(crate) fn read_to_end(
    reader: &mut impl io::Read,
    buffer: &mut BodyBuffer,
    failed: impl Fn(io::Error) -> BackendError,
) -> Result<(), BackendError> {
    let mut chunk = vec![0; 16 * 1024];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(length) => buffer.push(chunk.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// Whether no body can follow the head, whatever length it announces.
pub(crate) fn is_bodiless(method: &Method, response: &response::Parts) -> bool {
    *method == Method::HEAD
        || matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The length that the head announces, where a body follows the head at all.
pub(crate) fn announced_length(method: &Method, response: &response::Parts) -> Option<u64> {
    // A transfer coding overrides the length (RFC 9112, section 6.3).
    if is_bodiless(method, response) || response.headers.contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    response.headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> BackendError {
    let message = format!("the response body exceeds {limit} bytes");
    BackendError::new(BackendErrorKind::TooLarge, message)
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
