//! Whatever a server points to, nothing goes to another host.

use std::time::Duration;

use http::{StatusCode, header};
use keystone_client::ErrorKind;
use keystone_client::sandbox::{Dialect, Fault, FaultRule, Sandbox};
use serde_json::json;

use super::{failing, with_each};
use crate::support::callers::Setup;
use crate::support::stranger::Stranger;

const DIALECTS: [Dialect; 2] = [Dialect::Session, Dialect::Jwt];

fn sandbox(dialect: Dialect) -> Sandbox {
    let sandbox = Sandbox::builder().dialect(dialect).staff("admin", "admin-password").build();
    for number in 0..25 {
        let cluster = json!({ "name": format!("cluster {number}") });
        sandbox.insert("allocations/clusters", cluster).unwrap();
    }
    sandbox
}

fn redirect(status: u16, location: &str) -> Fault {
    Fault::status(StatusCode::from_u16(status).unwrap())
        .with_header(header::LOCATION, location.parse().unwrap())
}

#[test]
fn redirects_are_followed_nowhere() {
    let stranger = Stranger::start();
    with_each(|make| {
        for dialect in DIALECTS {
            for status in [301, 302, 303, 307, 308] {
                for scheme in ["http", "https"] {
                    let fault = redirect(status, &stranger.url(scheme));
                    let server = failing(&sandbox(dialect), &fault);
                    let subject = make(&server.url(), &Setup::quick());
                    let at = format!("{}, {status}, {scheme}", subject.name);
                    subject.wait(subject.client.log_in()).unwrap();
                    let outcomes = [
                        subject.wait(subject.client.retrieve(1)).map(|_| ()),
                        subject.wait(subject.client.create("x")).map(|_| ()),
                        subject.wait(subject.client.rename(1, "x")).map(|_| ()),
                        subject.wait(subject.client.delete(1)),
                        subject.wait(subject.client.walk(5, 1)).map(|_| ()),
                    ];
                    for outcome in outcomes {
                        let error = outcome.unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Redirected, "{at}: {error:?}");
                        assert_eq!(error.attempts(), 1, "{at}: {error:?}");
                        // `303 See Other` is said by those who have carried the call out.
                        assert_eq!(error.may_have_been_sent(), status == 303, "{at}: {error:?}");
                    }
                }
            }
        }
    });
    assert_eq!(stranger.heard(), [""; 0]);
}

/// Not even the password, when it is the login that is redirected.
#[test]
fn a_login_is_taken_nowhere_else() {
    let stranger = Stranger::start();
    with_each(|make| {
        for path in ["/authentication/", "/authentication/login/", "/authentication/new/"] {
            let sandbox = sandbox(Dialect::Jwt);
            let fault = redirect(307, &stranger.url("http"));
            sandbox.inject(FaultRule::new(fault).path(path));
            let server = sandbox.serve().unwrap();
            let subject = make(&server.url(), &Setup::quick());
            let error = subject.wait(subject.client.log_in()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Redirected, "{}: {error:?}", subject.name);
            assert!(!subject.client.is_authenticated());
        }
    });
    assert_eq!(stranger.heard(), [""; 0]);
}

#[test]
fn links_to_other_pages_are_not_followed() {
    let stranger = Stranger::start();
    with_each(|make| {
        for dialect in DIALECTS {
            for concurrency in [1, 4] {
                let fault = Fault::foreign_links(stranger.url("http"));
                let server = failing(&sandbox(dialect), &fault);
                let subject = make(&server.url(), &Setup::quick());
                subject.wait(subject.client.log_in()).unwrap();
                let clusters = subject.wait(subject.client.walk(5, concurrency)).unwrap();
                let keys: Vec<u64> = clusters.iter().map(|cluster| cluster.id.get()).collect();
                assert_eq!(keys, (1..=25).collect::<Vec<u64>>(), "{}", subject.name);
            }
        }
    });
    assert_eq!(stranger.heard(), [""; 0]);
}

/// The stranger would hear of it.
#[test]
fn a_stranger_hears_what_is_said_to_it() {
    let stranger = Stranger::start();
    let url = stranger.url("http");
    let address = url.split('/').nth(2).unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n").unwrap();
    drop(stream);
    for _ in 0..500 {
        if stranger.heard() == ["GET / HTTP/1.1\r\n\r\n"] {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("{:?}", stranger.heard());
}
