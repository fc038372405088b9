//! The sandbox behind a loopback socket.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::pin::pin;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::oneshot;

use crate::sandbox::Sandbox;

/// An idle connection is closed after this time, as the real server does.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

/// A sandbox that listens on a loopback socket; made by [`Sandbox::serve`].
///
/// Dropping it closes the socket and all connections. The sandbox itself lives on in its other
/// handles.
#[must_use = "dropping the server closes its socket"]
pub struct SandboxServer {
    address: SocketAddr,
    prefix: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Listens on a free port of 127.0.0.1, in a thread of its own.
    ///
    /// # Errors
    ///
    /// The socket or the thread could not be made.
    ///
    /// ```
    /// # use keystone_client::sandbox::Sandbox;
    /// let server = Sandbox::new().serve()?;
    /// assert!(server.url().starts_with("http://127.0.0.1:"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn serve(&self) -> io::Result<SandboxServer> {
        self.serve_on(0)
    }

    /// Listens on a port of 127.0.0.1, in a thread of its own; port 0 stands for any that is free.
    ///
    /// # Errors
    ///
    /// The port is taken, or the socket or the thread could not be made.
    pub fn serve_on(&self, port: u16) -> io::Result<SandboxServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _guard = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let sandbox = self.clone();
        let thread =
            thread::Builder::new().name("keystone-sandbox".to_owned()).spawn(move || {
                runtime.block_on(accept(listener, sandbox, stopped));
                // Connections that are still open are dropped with the runtime.
                runtime.shutdown_background();
            })?;
        let prefix = self.shared.prefix.clone();
        Ok(SandboxServer { address, prefix, stop: Some(stop), thread: Some(thread) })
    }
}

impl SandboxServer {
    /// The base URL for clients, without slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.prefix)
    }

    /// The address of the socket.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for SandboxServer {
    fn drop(&mut self) {
        // Dropping the sender tells the thread to stop; it waits for nothing but this signal and
        // the sockets, so joining it takes no time.
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic, and a drop could not report it.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for SandboxServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SandboxServer").field("url", &self.url()).finish_non_exhaustive()
    }
}

async fn accept(
    listener: tokio::net::TcpListener,
    sandbox: Sandbox,
    mut stopped: oneshot::Receiver<()>,
) {
    loop {
        let accepted = {
            let mut next = pin!(listener.accept());
            poll_fn(|context| {
                if pin!(&mut stopped).poll(context).is_ready() {
                    return Poll::Ready(None);
                }
                next.as_mut().poll(context).map(Some)
            })
            .await
        };
        match accepted {
            None => return,
            Some(Ok((stream, _))) => {
                tokio::spawn(serve_connection(stream, sandbox.clone()));
            }
            // Out of file descriptors, perhaps: others may be closed meanwhile.
            Some(Err(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn serve_connection(stream: tokio::net::TcpStream, sandbox: Sandbox) {
    let service = service_fn(move |request| answer(sandbox.clone(), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Covers the wait for the next request, too, and so ends idle connections.
        .header_read_timeout(KEEP_ALIVE)
        .serve_connection(TokioIo::new(stream), service);
    // A malformed request or a client that went away concerns this connection only.
    let _ = connection.await;
}

async fn answer(
    sandbox: Sandbox,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(sandbox.handle(Request::from_parts(parts, body)).map(Full::new))
}
