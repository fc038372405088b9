//! A server over a sandbox that does to each request what a rule says, on a loopback socket.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, header};
use keystone_client::sandbox::Sandbox;

use super::fault::{Fault, Step};

/// After this time real servers close a connection on which nothing is asked.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// Between two bytes of a response that comes byte by byte.
const DRIP: Duration = Duration::from_millis(25);

/// More than this is sent to no client.
const ENDLESS: usize = 256 * 1024 * 1024;

/// No client waits that long for a silent server.
const SILENCE: Duration = Duration::from_secs(60);

/// A request as the rule sees it, before it is carried out.
pub(crate) struct RequestSeen {
    pub(crate) method: Method,
    /// The path with the query.
    pub(crate) target: String,
}

impl RequestSeen {
    pub(crate) fn of(request: &Request<Bytes>) -> Self {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        Self { method: request.method().clone(), target: target.to_owned() }
    }

    pub(crate) fn is_about(&self, path: &str) -> bool {
        self.target.starts_with(path)
    }
}

type Rule = dyn Fn(&RequestSeen) -> Fault + Send + Sync;
type Execute = dyn Fn(&Fault, Request<Bytes>) -> Response<Bytes> + Send + Sync;

/// Ends with all its connections when dropped.
pub(crate) struct Faulty {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    rule: Box<Rule>,
    execute: Box<Execute>,
    stopped: AtomicBool,
    /// Whether to come back, and after how long.
    restart: Mutex<Option<Duration>>,
    open: Mutex<HashMap<usize, TcpStream>>,
    connections: AtomicUsize,
}

impl Faulty {
    pub(crate) fn start(
        sandbox: &Sandbox,
        rule: impl Fn(&RequestSeen) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let sandbox = sandbox.clone();
        Self::start_with(rule, move |_, request| serve(&sandbox, request))
    }

    /// A server whose requests are carried out by `execute`.
    pub(crate) fn start_with(
        rule: impl Fn(&RequestSeen) -> Fault + Send + Sync + 'static,
        execute: impl Fn(&Fault, Request<Bytes>) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            rule: Box::new(rule),
            execute: Box::new(execute),
            stopped: AtomicBool::new(false),
            restart: Mutex::default(),
            open: Mutex::default(),
            connections: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || accepting.accept(listener, address));
        Self { address, shared }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        self.shared.close_all();
        // Wakes the thread that accepts; if it is gone, there is nothing to wake.
        let _ = TcpStream::connect(self.address);
    }
}

/// What a server answers that works.
pub(crate) fn serve(sandbox: &Sandbox, request: Request<Bytes>) -> Response<Bytes> {
    let mut response = sandbox.handle(request);
    let date = HeaderValue::try_from(httpdate::fmt_http_date(sandbox.now())).unwrap();
    response.headers_mut().insert(header::DATE, date);
    response
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    fn close_all(&self) {
        for stream in lock(&self.open).values() {
            // A connection that is over already needs no closing.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn accept(self: Arc<Self>, mut listener: TcpListener, address: SocketAddr) {
        while let Ok((stream, _)) = listener.accept() {
            let restart = lock(&self.restart).take();
            if let Some(pause) = restart {
                drop((listener, stream));
                self.close_all();
                wait(pause);
                listener = bind_again(address);
                continue;
            }
            if self.is_stopped() {
                return;
            }
            let number = self.connections.fetch_add(1, Ordering::SeqCst);
            lock(&self.open).insert(number, stream.try_clone().unwrap());
            let shared = Arc::clone(&self);
            thread::spawn(move || {
                // However the connection ends, the client is judged by what it reports.
                let _ = Connection { shared: &shared, stream, address, read: Vec::new() }.serve();
                lock(&shared.open).remove(&number);
            });
        }
    }
}

/// Somebody else may have the port for a moment.
fn bind_again(address: SocketAddr) -> TcpListener {
    for _ in 0..100 {
        match TcpListener::bind(address) {
            Ok(listener) => return listener,
            Err(_) => wait(Duration::from_millis(50)),
        }
    }
    panic!("{address} is taken");
}

#[allow(clippy::disallowed_methods, reason = "a server that is slow takes its time")]
fn wait(time: Duration) {
    thread::sleep(time);
}

struct Connection<'a> {
    shared: &'a Shared,
    stream: TcpStream,
    address: SocketAddr,
    /// Read and not yet used.
    read: Vec<u8>,
}

impl Connection<'_> {
    fn serve(mut self) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(KEEP_ALIVE))?;
        self.stream.set_write_timeout(Some(KEEP_ALIVE))?;
        while !self.shared.is_stopped() {
            let Some(request) = self.receive()? else { break };
            let fault = (self.shared.rule)(&RequestSeen::of(&request));
            let response = fault.executes().then(|| (self.shared.execute)(&fault, request));
            for step in fault.steps(response) {
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
            Step::Send(bytes) => self.stream.write_all(&bytes)?,
            Step::Drip(bytes) => {
                for byte in bytes {
                    if self.shared.is_stopped() {
                        return Ok(false);
                    }
                    self.stream.write_all(&[byte])?;
                    wait(DRIP);
                }
            }
            Step::Repeat(bytes) => {
                for _ in 0..ENDLESS / bytes.len() {
                    self.stream.write_all(&bytes)?;
                }
                return Ok(false);
            }
            Step::Silence => {
                self.stream.set_read_timeout(Some(SILENCE))?;
                // Ends when the client closes the connection, or the server stops.
                let _ = self.stream.read(&mut [0; 1]);
                return Ok(false);
            }
            Step::Close => return Ok(false),
            Step::Restart(pause) => {
                *lock(&self.shared.restart) = Some(pause);
                // Wakes the thread that accepts.
                drop(TcpStream::connect(self.address)?);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The next request; `None` when there is none to come.
    fn receive(&mut self) -> io::Result<Option<Request<Bytes>>> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.read_more()? {
                return Ok(None);
            }
        };
        let invalid = || io::Error::from(ErrorKind::InvalidData);
        let head = String::from_utf8(self.read.drain(..end).collect()).map_err(|_| invalid())?;
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let mut request = Request::builder()
            .method(words.next().ok_or_else(invalid)?)
            .uri(words.next().ok_or_else(invalid)?);
        let mut length = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| invalid())?;
            }
            request = request.header(name, value.trim());
        }
        while self.read.len() < length {
            if !self.read_more()? {
                return Ok(None);
            }
        }
        let body = self.read.drain(..length).collect::<Vec<u8>>();
        request.body(body.into()).map(Some).map_err(|_| invalid())
    }

    fn read_more(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        let length = self.stream.read(&mut chunk)?;
        self.read.extend_from_slice(&chunk[..length]);
        Ok(length > 0)
    }
}

/// A host that nobody should ever turn to, and what it hears all the same.
pub(crate) struct Stranger {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Stranger {
    pub(crate) fn start() -> Self {
        // Another host, where the system has more than one address of its own.
        let listener = TcpListener::bind(("127.0.0.2", 0))
            .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
            .unwrap();
        let stranger = Self { address: listener.local_addr().unwrap(), heard: Arc::default() };
        let heard = Arc::clone(&stranger.heard);
        thread::spawn(move || {
            // One is too many; the thread ends with the process.
            for stream in listener.incoming().flatten().take(100) {
                let mut bytes = [0; 4096];
                let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                let length = (&stream).read(&mut bytes).unwrap_or_default();
                lock(&heard).push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            }
        });
        stranger
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/allocations/clusters/?_limit=5", self.address)
    }

    /// Everything that came, one text for each connection.
    pub(crate) fn heard(&self) -> Vec<String> {
        lock(&self.heard).clone()
    }
}
