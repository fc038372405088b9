//! The server: a process of its own that answers from memory, so that little but the client is measured.

use std::collections::HashMap;
use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use keystone_client::bytes::Bytes;
use keystone_client::http;
use keystone_client::sandbox::{Population, Sandbox};

use crate::cases::WALKED;

pub const TOKEN: &str = "a-token-for-the-bench";

/// Answers with all requests since the last time, and takes note of those that follow. Nothing is noted
/// before this is asked for the first time, or after [`FORGET`].
const TAKE: &str = "GET /-/requests HTTP/1.1";
const FORGET: &str = "DELETE /-/requests HTTP/1.1";

/// The server process; it ends with this value.
pub struct Peer {
    child: Child,
    pub url: String,
}

impl Peer {
    pub fn start() -> Self {
        let mut child = Command::new(env::current_exe().expect("this program is a file"))
            .arg("serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("it is piped"))
            .read_line(&mut address)
            .expect("the server says where it is");
        assert!(address.starts_with("http://"), "the server has not started");
        Self { child, url: address.trim().to_owned() }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends with its input; what remains to do is to wait for it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Serves until the input is closed.
pub fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let shared = Arc::new(Shared::new());
    println!("http://{}/", listener.local_addr().expect("it is bound"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let shared = Arc::clone(&shared);
            thread::spawn(move || Connection::new(stream, &shared).run());
        }
    });
    // Its parent holds the other end, and closes it when it ends, however it ends.
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    process::exit(0);
}

/// What all connections know: each request is worked out once.
struct Shared {
    sandbox: Sandbox,
    answers: Mutex<HashMap<Vec<u8>, Arc<[u8]>>>,
    /// Looked at for each request, and so by itself.
    takes_note: AtomicBool,
    requests: Mutex<Vec<String>>,
}

impl Shared {
    fn new() -> Self {
        // Two and two fifths allocations for each user.
        let users = WALKED * 5 / 12 + 100;
        let sandbox = Sandbox::builder()
            .staff("admin", "admin-password")
            .api_token("admin", TOKEN)
            .population(Population::new(1).users(users))
            .keep_requests(0)
            .build();
        Self {
            sandbox,
            answers: Mutex::default(),
            takes_note: AtomicBool::new(false),
            requests: Mutex::default(),
        }
    }

    fn answer(&self, head: &str, body: &[u8]) -> Arc<[u8]> {
        let line = head.lines().next().unwrap_or_default();
        let mut key = line.as_bytes().to_vec();
        key.extend_from_slice(body);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.entry(key).or_insert_with(|| self.work_out(head, body));
        Arc::clone(answer)
    }

    fn note(&self, request: String) {
        // Not those for the notes themselves.
        if !request.contains(" /-/") {
            self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        }
    }

    /// All requests since the last time, in order of their text: some are sent at the same time.
    fn take_notes(&self, takes_note: bool) -> String {
        self.takes_note.store(takes_note, Ordering::Relaxed);
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let mut requests = mem::take(&mut *requests);
        requests.sort();
        requests.join("\n\n")
    }

    fn work_out(&self, head: &str, body: &[u8]) -> Arc<[u8]> {
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut request =
            http::Request::builder().method(method).uri(format!("http://127.0.0.1{target}"));
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
        let request = request.body(Bytes::copy_from_slice(body)).expect("the request is one");
        let response = self.sandbox.handle(request);
        assert!(response.status().is_success(), "{head}: {:?}", response.body());
        let (head, body) = response.into_parts();
        let mut answer = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
        for (name, value) in &head.headers {
            answer.extend_from_slice(name.as_str().as_bytes());
            answer.extend_from_slice(b": ");
            answer.extend_from_slice(value.as_bytes());
            answer.extend_from_slice(b"\r\n");
        }
        if !head.headers.contains_key(http::header::CONTENT_LENGTH) {
            answer.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(&body);
        answer.into()
    }
}

struct Connection<'a> {
    stream: TcpStream,
    received: Vec<u8>,
    shared: &'a Shared,
    /// Those that were given on this connection, for which nothing has to be locked.
    known: HashMap<Vec<u8>, Arc<[u8]>>,
}

impl<'a> Connection<'a> {
    fn new(stream: TcpStream, shared: &'a Shared) -> Self {
        stream.set_nodelay(true).expect("the stream is open");
        Self { stream, received: Vec::new(), shared, known: HashMap::new() }
    }

    fn run(mut self) {
        // A client that goes is none of the server's business.
        while let Ok(true) = self.answer_one() {}
    }

    /// Whether there was a request to answer.
    fn answer_one(&mut self) -> io::Result<bool> {
        let head = loop {
            match find(&self.received, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None if !self.receive()? => return Ok(false),
                None => {}
            }
        };
        let length = length_of(&self.received[..head]);
        while self.received.len() < head + length {
            if !self.receive()? {
                return Ok(false);
            }
        }
        let request: Vec<u8> = self.received.drain(..head + length).collect();
        let (text, body) = request.split_at(head);
        if self.shared.takes_note.load(Ordering::Relaxed) {
            self.shared.note(normal(&String::from_utf8_lossy(text), body));
        }
        if let Some(answer) = self.known.get(&request) {
            self.stream.write_all(answer)?;
            return Ok(true);
        }
        let text = String::from_utf8_lossy(text);
        if text.starts_with(TAKE) || text.starts_with(FORGET) {
            let text = self.shared.take_notes(text.starts_with(TAKE));
            write!(self.stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len())?;
            return Ok(true);
        }
        let answer = self.shared.answer(&text, body);
        self.stream.write_all(&answer)?;
        self.known.insert(request, answer);
        Ok(true)
    }

    fn receive(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        let length = self.stream.read(&mut chunk)?;
        self.received.extend_from_slice(&chunk[..length]);
        Ok(length > 0)
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn length_of(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    length.map_or(0, |length| length.trim().parse().expect("the length is a number"))
}

/// A request in a form in which two can be compared: names in lower case, in order.
fn normal(head: &str, body: &[u8]) -> String {
    let mut lines = head.lines().filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let mut headers: Vec<String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| format!("{}: {}", name.to_ascii_lowercase(), value.trim()))
        .collect();
    headers.sort();
    format!("{first}\n{}\n\n{}", headers.join("\n"), String::from_utf8_lossy(body))
}

/// What the server was asked since this was called before.
pub fn take_requests(url: &str) -> String {
    ask(url, TAKE)
}

/// Has the server take no more note.
pub fn forget_requests(url: &str) {
    ask(url, FORGET);
}

fn ask(url: &str, line: &str) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).expect("the server is there");
    let patience = Duration::from_secs(10);
    stream.set_read_timeout(Some(patience)).expect("the stream is open");
    stream.write_all(format!("{line}\r\n\r\n").as_bytes()).expect("the server reads");
    stream.shutdown(Shutdown::Write).expect("the stream is open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("the server answers");
    let (_, requests) = answer.split_once("\r\n\r\n").expect("the answer has a head");
    requests.to_owned()
}
