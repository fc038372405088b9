//! The sandbox behind a loopback socket.

mod accept;
#[cfg(feature = "sandbox-tls")]
mod certificate;
mod connection;
mod head;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use self::accept::Acceptor;
#[cfg(feature = "sandbox-tls")]
use self::certificate::Certificate;
use crate::sandbox::Sandbox;

/// A sandbox that listens on a loopback socket; made by [`Sandbox::serve`].
///
/// Dropping it closes the socket and all connections. The sandbox itself lives on in its other
/// handles.
///
/// ```
/// # #[cfg(feature = "ureq")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keystone_client::blocking::KeystoneClient;
/// use keystone_client::sandbox::Sandbox;
///
/// let server = Sandbox::new().serve()?;
/// let client = KeystoneClient::new(&server.url())?; // or any other program: `curl`, a browser
/// client.login("admin", "admin-password")?;
/// assert_eq!(client.users().list().count().send()?, 1);
/// // What was asked for is seen from within.
/// assert_eq!(server.sandbox().requests().last().unwrap().path(), "/users/users/");
/// # Ok(()) }
/// # #[cfg(not(feature = "ureq"))]
/// # fn main() {}
/// ```
#[must_use = "dropping the server closes its socket"]
pub struct SandboxServer {
    sandbox: Sandbox,
    address: SocketAddr,
    scheme: &'static str,
    prefix: String,
    certificate: Option<String>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Listens on a free port of 127.0.0.1, in a thread of its own.
    ///
    /// Any HTTP client can talk to it. [Faults](Self::inject) happen to the connections.
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
        self.start(port, "http", None, |sandbox| Acceptor::plain(sandbox.clone()))
    }

    /// Listens with TLS, with a certificate made for the occasion.
    ///
    /// Clients have to trust [`SandboxServer::certificate`]. The server takes all requests to come over
    /// HTTPS: writes with a session need a matching `Referer` or `Origin`. Whether cookies are marked
    /// `Secure` is said [when the sandbox is built](super::SandboxBuilder::secure_cookies).
    ///
    /// # Errors
    ///
    /// The certificate, the socket or the thread could not be made.
    ///
    /// ```
    /// # #[cfg(all(feature = "ureq", feature = "rustls"))]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use keystone_client::backend::{RootCertificates, TransportSettings, UreqBackend};
    /// use keystone_client::blocking::KeystoneClient;
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let server = Sandbox::new().serve_tls()?;
    /// let certificate = server.certificate().unwrap_or_default();
    /// let trusted = RootCertificates::from_pem(certificate.as_bytes())?;
    /// let settings = TransportSettings::default().with_root_certificates(trusted);
    /// let backend = UreqBackend::with_settings(&settings)?;
    /// let client = KeystoneClient::with_backend(&server.url(), backend)?;
    /// client.login("admin", "admin-password")?;
    /// client.logout()?;
    /// # Ok(()) }
    /// # #[cfg(not(all(feature = "ureq", feature = "rustls")))]
    /// # fn main() {}
    /// ```
    #[cfg(feature = "sandbox-tls")]
    pub fn serve_tls(&self) -> io::Result<SandboxServer> {
        self.serve_tls_on(0)
    }

    /// Listens with TLS on a port of 127.0.0.1; port 0 stands for any that is free.
    ///
    /// # Errors
    ///
    /// The port is taken, or the certificate, the socket or the thread could not be made.
    #[cfg(feature = "sandbox-tls")]
    pub fn serve_tls_on(&self, port: u16) -> io::Result<SandboxServer> {
        let certificate = Certificate::generate()?;
        let authority = certificate.authority.clone();
        self.start(port, "https", Some(authority), move |sandbox| {
            Acceptor::tls(sandbox.clone(), certificate.tls)
        })
    }

    fn start(
        &self,
        port: u16,
        scheme: &'static str,
        certificate: Option<String>,
        acceptor: impl FnOnce(&Self) -> Acceptor,
    ) -> io::Result<SandboxServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _guard = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let acceptor = acceptor(self);
        let thread =
            thread::Builder::new().name("keystone-sandbox".to_owned()).spawn(move || {
                runtime.block_on(acceptor.run(listener, address, stopped));
                // Connections that are still open are dropped with the runtime.
                runtime.shutdown_background();
            })?;
        Ok(SandboxServer {
            sandbox: self.clone(),
            address,
            scheme,
            prefix: self.shared.prefix.clone(),
            certificate,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl SandboxServer {
    /// The base URL for clients, without slash at the end.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.address, self.prefix)
    }

    /// The sandbox that answers.
    ///
    /// ```
    /// use keystone_client::sandbox::{Fault, FaultRule, Sandbox};
    ///
    /// let server = Sandbox::new().serve()?;
    /// server.sandbox().inject(FaultRule::new(Fault::disconnect()).nth(1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The address of the socket.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the authority that vouches for this server, as PEM; `None` without TLS.
    ///
    /// It is good for `localhost` and `127.0.0.1`.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// Waits for the end of the server, which comes only with that of the process.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic.
            let _ = thread.join();
        }
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
