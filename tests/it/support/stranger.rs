//! A host that hears whatever comes to it.

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

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
                heard.lock().unwrap().push(String::from_utf8_lossy(&bytes[..length]).into_owned());
            }
        });
        stranger
    }

    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/allocations/clusters/?_limit=5", self.address)
    }

    /// Everything that came, one text for each connection.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}
