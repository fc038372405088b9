//! A scripted HTTP/1.1 server on the loopback interface, from the standard library alone.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::timer;

/// How often a waiting connection looks whether the server still runs.
const TICK: Duration = Duration::from_millis(20);

/// The first byte of a TLS handshake, which no HTTP request starts with.
const TLS_HANDSHAKE: u8 = 0x16;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) method: String,
    pub(super) target: String,
    headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Received {
    /// The values of a header, in order.
    pub(super) fn values(&self, name: &str) -> Vec<&[u8]> {
        let named = self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_slice()).collect()
    }

    /// The names of all headers, in lower case.
    pub(super) fn header_names(&self) -> BTreeSet<String> {
        self.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect()
    }
}

/// One step of an answer. After the last, the connection waits for the next request.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Send(Vec<u8>),
    /// Sends the same bytes again and again, with a pause between, until the client goes away.
    Repeat(Vec<u8>, Duration),
    Pause(Duration),
    /// Says nothing until the client goes away.
    Silence,
    Close,
}

/// `status` is such as `200 OK`; each header is one line without its end.
pub(super) fn head(status: &str, headers: &[&str]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// A whole response with its `Content-Length`.
pub(super) fn reply(status: &str, headers: &[&str], body: &[u8]) -> Vec<Step> {
    let length = format!("Content-Length: {}", body.len());
    let mut headers = headers.to_vec();
    headers.push(&length);
    let mut bytes = head(status, &headers);
    bytes.extend_from_slice(body);
    vec![Step::Send(bytes)]
}

pub(super) fn ok() -> Vec<Step> {
    reply("200 OK", &[], b"ok")
}

/// Stops when dropped.
pub(super) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

type Answer = dyn Fn(&Received) -> Vec<Step> + Send + Sync;

struct Shared {
    answer: Box<Answer>,
    stopped: AtomicBool,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    connections: usize,
    open: usize,
    requests: Vec<Received>,
    sent: u64,
}

impl Server {
    pub(super) fn start(
        answer: impl Fn(&Received) -> Vec<Step> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            stopped: AtomicBool::new(false),
            log: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(&listener));
        Ok(Self { address, shared })
    }

    /// An absolute URL; `target` starts with a slash.
    pub(super) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn requests(&self) -> Vec<Received> {
        self.shared.log().requests.clone()
    }

    /// How many connections there were.
    pub(super) fn connections(&self) -> usize {
        self.shared.log().connections
    }

    /// How many connections there are.
    pub(super) fn open_connections(&self) -> usize {
        self.shared.log().open
    }

    /// How many bytes were written to clients.
    pub(super) fn sent(&self) -> u64 {
        self.shared.log().sent
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts; if it is gone, there is nothing to wake.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopped() {
                return;
            }
            let Ok(stream) = stream else { continue };
            {
                let mut log = self.log();
                log.connections += 1;
                log.open += 1;
            }
            let shared = Arc::clone(&self);
            thread::spawn(move || {
                // However the connection ends, the backend is judged by what it reports.
                let _ = Connection { shared: &shared, stream, read: Vec::new() }.serve();
                shared.log().open -= 1;
            });
        }
    }
}

struct Connection<'a> {
    shared: &'a Shared,
    stream: TcpStream,
    /// Read and not yet used.
    read: Vec<u8>,
}

impl Connection<'_> {
    fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(TICK))?;
        self.stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        while let Some(request) = self.receive()? {
            let steps = (self.shared.answer)(&request);
            self.shared.log().requests.push(request);
            for step in steps {
                if !self.perform(step)? {
                    return self.stream.shutdown(Shutdown::Both);
                }
            }
        }
        Ok(())
    }

    /// Whether the connection goes on.
    fn perform(&mut self, step: Step) -> io::Result<bool> {
        match step {
            Step::Send(bytes) => self.send(&bytes)?,
            Step::Repeat(bytes, pause) => {
                while !self.shared.stopped() {
                    self.send(&bytes)?;
                    timer::pause(pause);
                }
            }
            Step::Pause(duration) => timer::pause(duration),
            Step::Silence => while self.fill()? {},
            Step::Close => return Ok(false),
        }
        Ok(true)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.shared.log().sent += bytes.len() as u64;
        Ok(())
    }

    /// Reads more. False at the end of the stream, and when the server stops.
    fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        loop {
            if self.shared.stopped() {
                return Ok(false);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(length) => {
                    self.read.extend_from_slice(chunk.get(..length).unwrap_or_default());
                    return Ok(true);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock
                    | io::ErrorKind::TimedOut
                    | io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// Takes bytes up to and including `end`.
    fn take_through(&mut self, end: &[u8]) -> io::Result<Option<Vec<u8>>> {
        loop {
            let found = self.read.windows(end.len()).position(|window| window == end);
            if let Some(start) = found {
                return Ok(Some(self.read.drain(..start + end.len()).collect()));
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Option<Vec<u8>>> {
        while self.read.len() < length {
            if !self.fill()? {
                return Ok(None);
            }
        }
        Ok(Some(self.read.drain(..length).collect()))
    }

    fn receive(&mut self) -> io::Result<Option<Received>> {
        if self.read.is_empty() && !self.fill()? {
            return Ok(None);
        }
        if self.read.first() == Some(&TLS_HANDSHAKE) {
            self.read.clear();
            return Ok(Some(Self::request("TLS handshake", Vec::new())));
        }
        let Some(head) = self.take_through(b"\r\n\r\n")? else {
            return Ok(None);
        };
        let mut lines = head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        let line = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
        let headers = lines.filter_map(|line| {
            let colon = line.iter().position(|&byte| byte == b':')?;
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            Some((String::from_utf8_lossy(name).into_owned(), value.to_vec()))
        });
        let mut request = Self::request(&line, headers.collect());
        match self.receive_body(&request)? {
            Some(body) => request.body = body,
            None => return Ok(None),
        }
        Ok(Some(request))
    }

    fn request(line: &str, headers: Vec<(String, Vec<u8>)>) -> Received {
        let mut words = line.split(' ').map(String::from);
        let method = words.next().unwrap_or_default();
        let target = words.next().unwrap_or_default();
        Received { method, target, headers, body: Vec::new() }
    }

    fn receive_body(&mut self, request: &Received) -> io::Result<Option<Vec<u8>>> {
        if !request.values("transfer-encoding").is_empty() {
            return self.receive_chunks();
        }
        let lengths = request.values("content-length");
        let length =
            lengths.first().and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        self.take(length.unwrap_or(0))
    }

    fn receive_chunks(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut body = Vec::new();
        loop {
            let Some(line) = self.take_through(b"\r\n")? else {
                return Ok(None);
            };
            let line = String::from_utf8_lossy(&line).into_owned();
            let length = usize::from_str_radix(line.trim(), 16).unwrap_or(0);
            let Some(mut chunk) = self.take(length + 2)? else {
                return Ok(None);
            };
            chunk.truncate(length);
            if chunk.is_empty() {
                return Ok(Some(body));
            }
            body.append(&mut chunk);
        }
    }
}
