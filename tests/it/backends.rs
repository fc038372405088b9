//! What the adapters promise beyond the contract: where they may be used, and what they ignore.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use bytes::Bytes;

/// The URL of a server that says `ok` to each of so many connections.
fn server(connections: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().take(connections) {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut head = [0; 4096];
                assert!(stream.read(&mut head).unwrap() > 0);
                let reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
                stream.write_all(reply).unwrap();
            });
        }
    });
    url
}

fn get(url: &str) -> http::Request<Bytes> {
    http::Request::get(url).body(Bytes::new()).unwrap()
}

fn assert_backend<B: Clone + std::fmt::Debug + Send + Sync + 'static>() {}

#[test]
fn backends_are_clone_debug_send_and_sync() {
    assert_backend::<keystone_client::backend::ReqwestBackend>();
    assert_backend::<keystone_client::blocking::ReqwestBackend>();
    assert_backend::<keystone_client::backend::IsahcBackend>();
    assert_backend::<keystone_client::backend::UreqBackend>();
}

/// One exchange with each adapter, each on a new connection.
fn exchange_with_each() {
    let url = server(5);
    {
        use keystone_client::backend::{HttpBackend, ReqwestBackend};

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let response = runtime.block_on(ReqwestBackend::new().unwrap().execute(get(&url)));
        assert_eq!(response.unwrap().body(), "ok");
    }
    {
        use keystone_client::blocking::{HttpBackend, ReqwestBackend};

        let response = ReqwestBackend::new().unwrap().execute(get(&url)).unwrap();
        assert_eq!(response.body(), "ok");
    }
    {
        use keystone_client::backend::{HttpBackend, IsahcBackend};
        use keystone_client::blocking;

        let backend = IsahcBackend::new().unwrap();
        let response = pollster::block_on(HttpBackend::execute(&backend, get(&url))).unwrap();
        assert_eq!(response.body(), "ok");
        let response = blocking::HttpBackend::execute(&backend, get(&url)).unwrap();
        assert_eq!(response.body(), "ok");
    }
    {
        use keystone_client::backend::UreqBackend;
        use keystone_client::blocking::HttpBackend;

        let response = UreqBackend::new().unwrap().execute(get(&url)).unwrap();
        assert_eq!(response.body(), "ok");
    }
}

#[test]
fn proxies_of_the_environment_are_ignored() {
    const IN_CHILD: &str = "KEYSTONE_TEST_IN_CHILD";

    if std::env::var_os(IN_CHILD).is_some() {
        return exchange_with_each();
    }
    // The environment of a running process cannot be changed safely, so a second one gets it.
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "backends::proxies_of_the_environment_are_ignored"]).env(IN_CHILD, "1");
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    {
        // Nothing listens on the port for discarding.
        child.env(name, "http://127.0.0.1:9");
    }
    child.env_remove("no_proxy").env_remove("NO_PROXY");
    let output = child.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

mod reqwest {
    use std::time::{Duration, Instant};

    use keystone_client::backend::{BackendErrorKind, HttpBackend, ReqwestBackend};

    use super::{get, server};

    #[test]
    fn without_a_runtime_there_is_an_error_that_says_so() {
        let backend = ReqwestBackend::new().unwrap();
        let error = pollster::block_on(backend.execute(get("http://127.0.0.1:9/"))).unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Request);
        assert!(!error.may_have_been_sent());
        let reason = std::error::Error::source(&error).unwrap().to_string();
        assert!(reason.contains("Tokio runtime"), "{reason}");
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "measures a real wait")]
    fn sleeping_without_a_runtime_waits() {
        let backend = ReqwestBackend::new().unwrap();
        let started = Instant::now();
        pollster::block_on(backend.sleep(Duration::from_millis(50)));
        assert!(started.elapsed() >= Duration::from_millis(50));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn clones_work_on_many_tasks_of_many_threads() {
        let (backend, url) = (ReqwestBackend::new().unwrap(), server(32));
        let calls: Vec<_> = (0..32)
            .map(|_| {
                let (backend, url) = (backend.clone(), url.clone());
                tokio::spawn(async move { backend.execute(get(&url)).await })
            })
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap().unwrap().body(), "ok");
        }
    }
}

mod blocking_reqwest {
    use keystone_client::backend::{BackendError, BackendErrorKind};
    use keystone_client::blocking::{HttpBackend, ReqwestBackend};

    use super::{get, server};

    fn assert_refused<T>(result: Result<T, BackendError>) {
        let error = result.err().expect("an error");
        assert_eq!(error.kind(), BackendErrorKind::Request);
        assert!(!error.may_have_been_sent());
        let reason = std::error::Error::source(&error).unwrap().to_string();
        assert!(reason.contains("inside a Tokio runtime"), "{reason}");
    }

    /// Makes, uses and drops a backend within a runtime, and uses it afterwards.
    fn use_within(runtime: &tokio::runtime::Runtime) {
        let outside = ReqwestBackend::new().unwrap();
        let inside = outside.clone();
        let url = server(1);
        runtime.block_on(async move {
            assert_refused(ReqwestBackend::new());
            assert_refused(inside.execute(get("http://127.0.0.1:9/")));
            drop(inside);
        });
        assert_eq!(outside.execute(get(&url)).unwrap().body(), "ok");
        runtime.block_on(async move { drop(outside) });
    }

    #[test]
    fn within_a_runtime_of_one_thread_there_is_an_error_and_no_panic() {
        use_within(&tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
    }

    #[test]
    fn within_a_runtime_of_many_threads_there_is_an_error_and_no_panic() {
        use_within(&tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());
    }
}
