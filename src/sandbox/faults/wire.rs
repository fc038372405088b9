//! What a fault is on a connection.

#[cfg(feature = "sandbox-server")]
use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
#[cfg(feature = "sandbox-server")]
use serde_json::json;

#[cfg(feature = "sandbox-server")]
use crate::sandbox::faults::fault::{Fault, Kind};

/// A part of what is done to a connection. After the last, it is open to further requests.
#[cfg(feature = "sandbox-server")]
#[derive(Debug)]
pub(in crate::sandbox) enum Step {
    Send(Vec<u8>),
    /// Byte by byte, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// So many blanks.
    Blanks(u64),
    /// Nothing, until the client goes away.
    Silence,
    Close,
    Restart(Duration),
}

/// More than this is sent to no client. It is more than clients take unless told otherwise.
#[cfg(feature = "sandbox-server")]
const ENDLESS: u64 = 320 * 1024 * 1024;

/// The head of a response as it goes over a connection.
pub(super) fn head(response: &Response<Bytes>) -> Vec<u8> {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).into_bytes();
    for (name, value) in response.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            head.extend_from_slice(part);
        }
    }
    let has_no_body = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !has_no_body && !response.headers().contains_key(header::CONTENT_LENGTH) {
        let length = format!("content-length: {}\r\n", response.body().len());
        head.extend_from_slice(length.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

#[cfg(feature = "sandbox-server")]
fn first_half(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().take(bytes.len() / 2).copied().collect()
}

#[cfg(feature = "sandbox-server")]
impl Fault {
    /// What goes over the connection; none where it is an ordinary response.
    pub(in crate::sandbox) fn steps(&self, response: &Response<Bytes>) -> Option<Vec<Step>> {
        let (head, body) = (head(response), response.body().to_vec());
        let whole = [head.as_slice(), &body].concat();
        let json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
        Some(match self.kind() {
            Kind::Status { .. } | Kind::Alter(..) | Kind::Delay(_) => return None,
            Kind::Disconnect => vec![Step::Close],
            Kind::Silence => vec![Step::Silence],
            Kind::CutHead => vec![Step::Send(first_half(&head)), Step::Close],
            Kind::CutBody => vec![Step::Send(head), Step::Send(first_half(&body)), Step::Close],
            Kind::StallBody => vec![Step::Send(head), Step::Send(first_half(&body)), Step::Silence],
            Kind::DripHead(pause) => vec![Step::Drip(whole, *pause)],
            Kind::DripBody(pause) => vec![Step::Send(head), Step::Drip(body, *pause)],
            Kind::ExcessBytes => vec![Step::Send([whole.as_slice(), b"and more"].concat())],
            Kind::SecondResponse => {
                let other = json!({ "id": 666, "name": "smuggled", "results": [], "count": 0 });
                let other = other.to_string();
                let second = format!("{json}Content-Length: {}\r\n\r\n{other}", other.len());
                vec![Step::Send([whole.as_slice(), second.as_bytes()].concat())]
            }
            Kind::MalformedChunks => {
                let reply =
                    format!("{json}Transfer-Encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n");
                vec![Step::Send(reply.into()), Step::Close]
            }
            Kind::OversizedBody(bytes) => {
                let head = format!("{json}Content-Length: {bytes}\r\n\r\n");
                vec![Step::Send(head.into()), Step::Blanks((*bytes).min(ENDLESS))]
            }
            Kind::EndlessBody => {
                let head = format!("{json}Connection: close\r\n\r\n");
                vec![Step::Send(head.into()), Step::Blanks(ENDLESS), Step::Close]
            }
            Kind::NotHttp => vec![Step::Send(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), Step::Close],
            Kind::Restart(pause) => vec![Step::Restart(*pause)],
        })
    }
}
