//! What a served sandbox does with input that is no request, or none that a server should take: it ends in
//! the status that real servers give, or in the end of the connection, and the server goes on.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use keystone_client::sandbox::{Dialect, Fault, FaultRule, Sandbox, SandboxServer};

const END: &str = "Host: 127.0.0.1\r\nConnection: close\r\n\r\n";

fn connect(server: &SandboxServer) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Everything that comes back; a reset counts as an end.
fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error}, after {:?}", String::from_utf8_lossy(&answer)),
    }
    answer
}

/// The status of the answer; 0 if the connection ends without one.
fn status(server: &SandboxServer, request: &[u8]) -> u16 {
    let mut stream = connect(server);
    // The server may close before it has taken everything.
    let _ = stream.write_all(request);
    let answer = read_all(&mut stream);
    let head = String::from_utf8_lossy(&answer).into_owned();
    head.split(' ').nth(1).map_or(0, |status| status.parse().unwrap())
}

fn is_alive(server: &SandboxServer) -> bool {
    status(server, format!("GET /version/ HTTP/1.1\r\n{END}").as_bytes()) == 200
}

fn serve(dialect: Dialect) -> SandboxServer {
    let builder = Sandbox::builder().dialect(dialect).staff("admin", "admin-password");
    builder.build().serve().unwrap()
}

/// What is sent, and what servers of the session dialect and of the JWT dialect answer.
fn cases() -> Vec<(&'static str, Vec<u8>, u16, u16)> {
    let get = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\n{headers}{END}").into_bytes()
    };
    let post = |path: &str, headers: &str, body: &str| {
        let kind = "Content-Type: application/json\r\n";
        format!("POST {path} HTTP/1.1\r\n{kind}{headers}{END}{body}").into_bytes()
    };
    let header = |length: usize| format!("X: {}\r\n", "a".repeat(length));
    let many = |number: usize| (0..number).map(|it| format!("X{it}: a\r\n")).collect::<String>();
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("no HTTP", text("nonsense\r\n\r\n"), 400, 400),
        ("bytes", (0..=255).cycle().take(1024).collect(), 400, 400),
        (
            "a TLS handshake",
            [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[0; 500]].concat(),
            400,
            400,
        ),
        ("no version", text("GET /version/\r\n\r\n"), 400, 400),
        ("HTTP/1.0", text("GET /version/ HTTP/1.0\r\n\r\n"), 200, 200),
        ("no host", text("GET /version/ HTTP/1.1\r\nConnection: close\r\n\r\n"), 400, 200),
        ("two hosts", get("/version/", "Host: a\r\n"), 400, 200),
        (
            "a host that is none",
            text("GET /version/ HTTP/1.1\r\nHost: a b/\r\nConnection: close\r\n\r\n"),
            500,
            400,
        ),
        ("a name with a blank", get("/version/", "Bad Name: x\r\n"), 400, 400),
        ("no colon", get("/version/", "BadName\r\n"), 400, 400),
        ("a NUL in a header", get("/version/", "X: a\0b\r\n"), 400, 400),
        ("a long header", get("/version/", &header(60_000)), 200, 431),
        ("a longer header", get("/version/", &header(200_000)), 400, 431),
        ("90 headers", get("/version/", &many(90)), 200, 200),
        ("1000 headers", get("/version/", &many(1000)), 200, 431),
        ("a long path", get(&format!("/{}", "a".repeat(20_000)), ""), 404, 400),
        ("a long query", get(&format!("/version/?a={}", "a".repeat(60_000)), ""), 200, 400),
        ("a path in UTF-8", get("/é/", ""), 400, 404),
        ("escapes that are none", get("/%zz/", ""), 404, 404),
        ("dots", get("/users/../version/", ""), 404, 404),
        ("two slashes", get("//version/", ""), 404, 404),
        ("no path", format!("OPTIONS * HTTP/1.1\r\n{END}").into_bytes(), 404, 404),
        ("a tunnel", format!("CONNECT k:80 HTTP/1.1\r\n{END}").into_bytes(), 404, 404),
        (
            "a method of small letters",
            format!("get /version/ HTTP/1.1\r\n{END}").into_bytes(),
            200,
            400,
        ),
        ("an unknown method", format!("BREW /version/ HTTP/1.1\r\n{END}").into_bytes(), 405, 403),
        ("a length that is none", post("/users/teams/", "Content-Length: x\r\n", ""), 400, 400),
        ("a negative length", post("/users/teams/", "Content-Length: -1\r\n", ""), 400, 400),
        (
            "two lengths",
            post("/users/teams/", "Content-Length: 1\r\nContent-Length: 2\r\n", "ab"),
            400,
            400,
        ),
        (
            "another coding",
            post("/users/teams/", "Transfer-Encoding: foo\r\n", "0\r\n\r\n"),
            400,
            400,
        ),
        (
            "JSON that is none",
            post("/authentication/login/", "Content-Length: 1\r\n", "{"),
            400,
            404,
        ),
        (
            "a chunk without size",
            post("/authentication/login/", "Transfer-Encoding: chunked\r\n", "zz\r\n"),
            0,
            0,
        ),
    ]
}

#[test]
fn every_input_has_its_end() {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        let server = serve(dialect);
        for (name, request, session, jwt) in cases() {
            let expected = if dialect == Dialect::Session { session } else { jwt };
            assert_eq!(status(&server, &request), expected, "{name}, {dialect:?}");
        }
        assert!(is_alive(&server));
    }
}

#[test]
fn large_bodies_are_read_and_larger_ones_refused() {
    let server = serve(Dialect::Session);
    let login = |length: usize| {
        let body = format!("{{\"username\":\"{}\",\"password\":\"x\"}}", "a".repeat(length));
        let length = body.len();
        format!(
            "POST /authentication/login/ HTTP/1.1\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{END}{body}"
        )
    };
    assert_eq!(status(&server, login(20_000_000).as_bytes()), 400);
    // Before it comes.
    let announced =
        format!("POST /authentication/login/ HTTP/1.1\r\nContent-Length: 99999999999\r\n{END}");
    assert_eq!(status(&server, announced.as_bytes()), 413);
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "a".repeat(1 << 20));
    let head =
        format!("POST /authentication/login/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{END}");
    let endless = [head, chunk.repeat(70)].concat();
    assert!([413, 0].contains(&status(&server, endless.as_bytes())));
    assert!(is_alive(&server));
}

#[test]
fn clients_that_come_and_go_leave_others_alone() {
    let server = serve(Dialect::Session);
    let half = "POST /users/teams/ HTTP/1.1\r\nHost: k\r\nContent-Length: 100\r\n\r\n{";
    let mut open = Vec::new();
    thread::scope(|scope| {
        for number in 0..4 {
            let server = &server;
            scope.spawn(move || {
                for round in 0..100 {
                    let mut stream = connect(server);
                    match (number + round) % 4 {
                        0 => drop(stream),
                        1 => stream.write_all(half.as_bytes()).unwrap(),
                        2 => stream.shutdown(Shutdown::Write).unwrap(),
                        _ => assert!(is_alive(server)),
                    }
                }
            });
        }
    });
    for _ in 0..200 {
        let mut stream = connect(&server);
        stream.write_all(half.as_bytes()).unwrap();
        open.push(stream);
    }
    assert!(is_alive(&server));
}

/// Whatever a fault does at the moment, the server ends at once, and clients may leave at any time.
#[test]
fn faults_hold_up_neither_the_server_nor_its_end() {
    let slow = Duration::from_secs(60);
    for fault in [
        Fault::silence(),
        Fault::stall_body(),
        Fault::delay(slow),
        Fault::drip(slow),
        Fault::drip_body(slow),
        Fault::endless_body(),
        Fault::restart(slow),
    ] {
        let sandbox = Sandbox::new();
        sandbox.inject(FaultRule::new(fault.clone()).path("/config/"));
        let server = sandbox.serve().unwrap();
        let request = format!("GET /config/ HTTP/1.1\r\n{END}");
        let streams: Vec<TcpStream> = (0..3)
            .map(|_| {
                let mut stream = connect(&server);
                stream.write_all(request.as_bytes()).unwrap();
                stream
            })
            .collect();
        if fault.to_string() != Fault::restart(slow).to_string() {
            assert!(is_alive(&server), "{fault:?}");
        }
        let address = server.address();
        let (ended, waiting) = std::sync::mpsc::channel();
        thread::spawn(move || {
            drop(server);
            ended.send(()).unwrap();
        });
        assert!(waiting.recv_timeout(Duration::from_secs(5)).is_ok(), "{fault:?}");
        assert!(TcpStream::connect(address).is_err(), "{fault:?}");
        drop(streams);
    }
}
