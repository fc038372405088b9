//! How many requests a second a sandbox answers over loopback.
//!
//! `cargo bench --bench served --features sandbox-server` prints medians. The server has one thread, and
//! so has the load: sixteen connections, each of which asks again when it has its answer.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use keystone_client::sandbox::{Population, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const TOKEN: &str = "a-token-for-the-bench";
const CONNECTIONS: usize = 16;
const TURNS: usize = 9;
const TURN: Duration = Duration::from_secs(1);

/// The length of the answer of which the beginning is given, once that is known.
fn length_of(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&answer[..head]).to_lowercase();
    let body = text.split("content-length: ").nth(1)?.split("\r\n").next()?;
    Some(head + body.parse::<usize>().ok()?)
}

/// Asks as often as it can for a turn, and counts the answers.
async fn ask(address: SocketAddr, path: &str) -> io::Result<usize> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Token {TOKEN}\r\n\r\n");
    let mut answer = Vec::with_capacity(1 << 20);
    let mut answers = 0;
    let started = now();
    while started.elapsed() < TURN {
        stream.write_all(request.as_bytes()).await?;
        answer.clear();
        while length_of(&answer).is_none_or(|length| answer.len() < length) {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        answers += 1;
    }
    Ok(answers)
}

#[allow(clippy::disallowed_methods, reason = "a bench measures real time")]
fn now() -> Instant {
    Instant::now()
}

async fn turn(address: SocketAddr, path: &'static str) -> usize {
    let mut connections = JoinSet::new();
    for _ in 0..CONNECTIONS {
        connections.spawn(ask(address, path));
    }
    let answers = connections.join_all().await;
    answers.into_iter().map(|answers| answers.expect("the server answers")).sum()
}

fn main() {
    let sandbox = Sandbox::builder()
        .staff("admin", "admin-password")
        .api_token("admin", TOKEN)
        .population(Population::new(1).rows(10_000))
        .keep_requests(0)
        .build();
    let server = sandbox.serve().expect("there is a port");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("there is a runtime");
    println!("{CONNECTIONS} connections, {TURNS} turns of {TURN:?}, answers a second:");
    for (name, path) in [
        ("version", "/version/"),
        ("one team", "/users/teams/3/"),
        ("page of 20 grants", "/research/grants/?_limit=20&_order=id"),
    ] {
        let mut rates: Vec<usize> =
            (0..TURNS).map(|_| runtime.block_on(turn(server.address(), path))).collect();
        rates.sort_unstable();
        println!(
            "{name:<20} median {:>7}  least {:>7}  most {:>7}",
            rates[TURNS / 2],
            rates[0],
            rates[TURNS - 1],
        );
    }
}
