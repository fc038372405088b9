//! Who may come in: the socket, and the tasks of its connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
#[cfg(feature = "sandbox-tls")]
use tokio_rustls::TlsAcceptor;

use super::connection;
#[cfg(feature = "sandbox-tls")]
use super::connection::KEEP_ALIVE;
use crate::sandbox::Sandbox;

/// Takes connections and answers them for a sandbox.
pub(super) struct Acceptor {
    sandbox: Sandbox,
    https: bool,
    #[cfg(feature = "sandbox-tls")]
    tls: Option<TlsAcceptor>,
}

enum Next {
    Stop,
    Restart(Duration),
    Serve(io::Result<(TcpStream, SocketAddr)>),
}

impl Acceptor {
    pub(super) fn plain(sandbox: Sandbox) -> Self {
        let https = sandbox.shared.https;
        Self {
            sandbox,
            https,
            #[cfg(feature = "sandbox-tls")]
            tls: None,
        }
    }

    #[cfg(feature = "sandbox-tls")]
    pub(super) fn tls(sandbox: Sandbox, tls: TlsAcceptor) -> Self {
        Self { sandbox, https: true, tls: Some(tls) }
    }

    /// Serves until told to stop, or until nobody is left who could tell.
    pub(super) async fn run(
        self,
        mut listener: TcpListener,
        address: SocketAddr,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let (restart, mut restarts) = mpsc::unbounded_channel();
        let mut connections = JoinSet::new();
        loop {
            // What is over is let go of, so that the set does not grow.
            while connections.try_join_next().is_some() {}
            let next = tokio::select! {
                biased;
                _ = &mut stopped => Next::Stop,
                Some(pause) = restarts.recv() => Next::Restart(pause),
                accepted = listener.accept() => Next::Serve(accepted),
            };
            match next {
                Next::Stop => return,
                Next::Restart(pause) => {
                    connections.shutdown().await;
                    drop(listener);
                    // Nobody else shall get the port meanwhile.
                    let kept = bind(address);
                    let back = async {
                        tokio::time::sleep(pause).await;
                        listen_again(kept, address).await
                    };
                    listener = tokio::select! {
                        _ = &mut stopped => return,
                        listener = back => listener,
                    };
                    // Others that met the same fault meanwhile are content with one restart.
                    while restarts.try_recv().is_ok() {}
                }
                Next::Serve(Ok((stream, _))) => {
                    connections.spawn(self.serve(stream, restart.clone()));
                }
                // Out of file descriptors, perhaps: others may be closed meanwhile.
                Next::Serve(Err(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn serve(
        &self,
        stream: TcpStream,
        restart: mpsc::UnboundedSender<Duration>,
    ) -> impl Future<Output = ()> + Send + use<> {
        // Answers are small and come in one piece.
        let _ = stream.set_nodelay(true);
        let (sandbox, https) = (self.sandbox.clone(), self.https);
        #[cfg(feature = "sandbox-tls")]
        let tls = self.tls.clone();
        async move {
            #[cfg(feature = "sandbox-tls")]
            if let Some(tls) = tls {
                let handshake = tokio::time::timeout(KEEP_ALIVE, tls.accept(stream)).await;
                if let Ok(Ok(stream)) = handshake {
                    connection::serve(stream, sandbox, https, restart).await;
                }
                return;
            }
            connection::serve(stream, sandbox, https, restart).await;
        }
    }
}

/// Takes a port, which refuses connections as long as nobody listens.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Listens again, on the port that was kept or as soon as it is free.
async fn listen_again(kept: io::Result<TcpSocket>, address: SocketAddr) -> TcpListener {
    let mut bound = kept;
    loop {
        match bound.and_then(|socket| socket.listen(1024)) {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        bound = bind(address);
    }
}
