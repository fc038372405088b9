//! The bounded response body, which the adapters share.

#![cfg_attr(
    not(any(feature = "reqwest", feature = "isahc", feature = "ureq")),
    allow(dead_code, reason = "only adapters need it")
)]

use std::fmt;
#[cfg(any(
    feature = "gzip",
    feature = "ureq",
    all(feature = "reqwest", feature = "blocking")
))]
use std::io;

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode, header, response};

use super::exchange::Asked;
use super::{BackendError, BackendErrorKind, TransportSettings};

/// A server may announce any length, so memory is set aside in advance only up to here.
const LARGEST_RESERVE: usize = 1024 * 1024;

/// A body that is copied sooner than that the much larger memory around it is kept.
const SMALL: usize = 4 * 1024;

/// How much is read at a time where no less is announced.
#[cfg(any(feature = "isahc", feature = "ureq", all(feature = "reqwest", feature = "blocking")))]
const LARGEST_CHUNK: usize = 16 * 1024;

/// Collects a response body up to the size limit, decoded if the adapter has asked for gzip.
pub(crate) struct BodyBuffer {
    content: Content,
    received: usize,
    /// How much is received at most, before decoding.
    most: usize,
    limit: usize,
    announced: Option<usize>,
}

enum Content {
    /// The first chunk as it came, which mostly is the only one.
    #[cfg_attr(not(feature = "reqwest"), allow(dead_code, reason = "others have no chunks"))]
    Whole(Bytes),
    Plain(Bounded),
    #[cfg(feature = "gzip")]
    Gzip(Box<flate2::write::MultiGzDecoder<Bounded>>),
}

impl BodyBuffer {
    /// Fails at once if the response announces more than the limit.
    pub(crate) fn new(
        asked: &Asked,
        response: &response::Parts,
        settings: &TransportSettings,
    ) -> Result<Self, BackendError> {
        let limit = settings.max_response_bytes;
        let announced = announced_length(&asked.method, response);
        #[cfg(feature = "gzip")]
        if asked.gzip && is_gzip(response) && !is_bodiless(&asked.method, response) {
            let bounded = Bounded { bytes: BytesMut::new(), limit };
            let decoder = Box::new(flate2::write::MultiGzDecoder::new(bounded));
            // What cannot be compressed grows by less than this.
            let most = limit.saturating_add(limit / 256).saturating_add(1024);
            let announced = announced.and_then(|length| usize::try_from(length).ok());
            return Ok(Self {
                content: Content::Gzip(decoder),
                received: 0,
                most,
                limit,
                announced,
            });
        }
        if announced.is_some_and(|length| length > limit as u64) {
            return Err(too_large(limit));
        }
        let announced = announced.and_then(|length| usize::try_from(length).ok());
        let content = Content::Plain(Bounded { bytes: BytesMut::new(), limit });
        Ok(Self { content, received: 0, most: limit, limit, announced })
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), BackendError> {
        self.count(chunk.len())?;
        if let Content::Whole(first) = &mut self.content {
            let first = std::mem::take(first);
            let mut bounded = Bounded { bytes: BytesMut::new(), limit: self.limit };
            bounded.bytes.reserve(reserve(self.announced).max(first.len()));
            bounded.push(&first)?;
            self.content = Content::Plain(bounded);
        }
        match &mut self.content {
            Content::Whole(_) => {}
            Content::Plain(bounded) => {
                if bounded.bytes.is_empty() {
                    bounded.bytes.reserve(reserve(self.announced));
                }
                bounded.push(chunk)?;
            }
            #[cfg(feature = "gzip")]
            Content::Gzip(decoder) => {
                io::Write::write_all(decoder, chunk)
                    .map_err(|error| undecodable(error, self.limit))?;
            }
        }
        Ok(())
    }

    /// As [`push`](Self::push), without a copy of a body that comes in one piece.
    #[cfg(feature = "reqwest")]
    pub(crate) fn push_owned(&mut self, chunk: Bytes) -> Result<(), BackendError> {
        let is_first = matches!(&self.content, Content::Plain(bounded) if bounded.bytes.is_empty());
        if !is_first {
            return self.push(&chunk);
        }
        self.count(chunk.len())?;
        self.content = Content::Whole(chunk);
        Ok(())
    }

    fn count(&mut self, length: usize) -> Result<(), BackendError> {
        if length > self.most - self.received {
            return Err(too_large(self.limit));
        }
        self.received += length;
        Ok(())
    }

    /// How many bytes have been received, before decoding.
    #[cfg(feature = "isahc")]
    pub(crate) fn received(&self) -> usize {
        self.received
    }

    /// Whether it was announced how many bytes are going to be received, and they are kept as they come.
    #[cfg(all(feature = "reqwest", feature = "blocking"))]
    pub(crate) fn takes_whole(&self) -> bool {
        self.announced.is_some() && matches!(self.content, Content::Plain(_))
    }

    /// Room for what is read at a time.
    #[cfg(any(
        feature = "isahc",
        feature = "ureq",
        all(feature = "reqwest", feature = "blocking")
    ))]
    pub(crate) fn chunk(&self) -> Vec<u8> {
        vec![0; self.announced.unwrap_or(LARGEST_CHUNK).clamp(1, LARGEST_CHUNK)]
    }

    /// The body. What `head` says of its encoding is taken out if it is decoded.
    #[cfg_attr(not(feature = "gzip"), allow(unused_variables, reason = "only gzip changes it"))]
    pub(crate) fn finish(self, head: &mut response::Parts) -> Result<Bytes, BackendError> {
        match self.content {
            // It is part of what the connection reads into, which a small body is not to keep in memory.
            Content::Whole(bytes) if bytes.len() < SMALL => Ok(Bytes::copy_from_slice(&bytes)),
            Content::Whole(bytes) => Ok(bytes),
            Content::Plain(bounded) => Ok(bounded.bytes.freeze()),
            #[cfg(feature = "gzip")]
            Content::Gzip(decoder) => {
                head.headers.remove(header::CONTENT_ENCODING);
                head.headers.remove(header::CONTENT_LENGTH);
                if self.received == 0 {
                    return Ok(Bytes::new());
                }
                let bounded = decoder.finish().map_err(|error| undecodable(error, self.limit))?;
                Ok(bounded.bytes.freeze())
            }
        }
    }
}

fn reserve(announced: Option<usize>) -> usize {
    announced.unwrap_or_default().min(LARGEST_RESERVE)
}

impl fmt::Debug for BodyBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyBuffer").field("received", &self.received).finish_non_exhaustive()
    }
}

struct Bounded {
    bytes: BytesMut,
    limit: usize,
}

impl Bounded {
    fn push(&mut self, chunk: &[u8]) -> Result<(), BackendError> {
        if chunk.len() > self.limit - self.bytes.len() {
            return Err(too_large(self.limit));
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }
}

#[cfg(feature = "gzip")]
impl io::Write for Bounded {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        match self.push(chunk) {
            Ok(()) => Ok(chunk.len()),
            Err(_) => Err(io::ErrorKind::FileTooLarge.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "gzip")]
fn is_gzip(response: &response::Parts) -> bool {
    let mut encodings = response.headers.get_all(header::CONTENT_ENCODING).iter();
    let first = encodings.next().and_then(|value| value.to_str().ok()).map(str::trim);
    encodings.next().is_none()
        && first.is_some_and(|encoding| {
            encoding.eq_ignore_ascii_case("gzip") || encoding.eq_ignore_ascii_case("x-gzip")
        })
}

#[cfg(feature = "gzip")]
fn undecodable(error: io::Error, limit: usize) -> BackendError {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return too_large(limit);
    }
    let reason = "the body is not the gzip that it is announced as, or its end is missing";
    BackendError::new(BackendErrorKind::Protocol, reason)
}

/// Reads a blocking response body to its end.
#[cfg(any(feature = "ureq", all(feature = "reqwest", feature = "blocking")))]
pub(crate) fn read_to_end(
    reader: &mut impl io::Read,
    buffer: &mut BodyBuffer,
    failed: impl Fn(io::Error) -> BackendError,
) -> Result<(), BackendError> {
    let mut chunk = buffer.chunk();
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
