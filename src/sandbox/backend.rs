use std::time::Duration;

use bytes::Bytes;

use crate::backend::{BackendError, HttpBackend, Now};
use crate::sandbox::Sandbox;
use crate::{Error, KeystoneClient, blocking};

/// The address under which clients without sockets know a sandbox.
const BASE_URL: &str = "https://keystone.test";

/// The sandbox is a backend of either client, without sockets. Waiting advances its clock and
/// takes no time.
impl HttpBackend for Sandbox {
    async fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        Ok(self.handle(request))
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }

    fn now(&self) -> Now {
        self.server().clock.read()
    }
}

impl blocking::HttpBackend for Sandbox {
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        Ok(self.handle(request))
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }

    fn now(&self) -> Now {
        self.server().clock.read()
    }
}

impl Sandbox {
    /// An async client of this server, without sockets.
    ///
    /// # Errors
    ///
    /// None that a sandbox gives reason for; the signature is that of the other ways to a client.
    pub fn client(&self) -> Result<KeystoneClient, Error> {
        KeystoneClient::with_backend(&self.base_url(), self.clone())
    }

    /// A blocking client of this server, without sockets.
    ///
    /// # Errors
    ///
    /// As for [`client`](Self::client).
    pub fn blocking_client(&self) -> Result<blocking::KeystoneClient, Error> {
        blocking::KeystoneClient::with_backend(&self.base_url(), self.clone())
    }

    fn base_url(&self) -> String {
        format!("{BASE_URL}{}", self.shared.prefix)
    }
}
