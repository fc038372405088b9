use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};

use crate::backend::{BackendError, HttpBackend, Now, RequestTimeout};
use crate::sandbox::Sandbox;
use crate::{Error, KeystoneClient, blocking, http_date};

/// The address under which clients without sockets know a sandbox.
const BASE_URL: &str = "https://keystone.test";

/// The sandbox is a backend of either client, without sockets. Waiting advances its clock and
/// takes no time.
impl HttpBackend for Sandbox {
    async fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        self.deliver(request)
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
        self.deliver(request)
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }

    fn now(&self) -> Now {
        self.server().clock.read()
    }
}

impl Sandbox {
    /// What a client without a connection gets for a request, faults included.
    fn deliver(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        self.check_is_up()?;
        let Some(fault) = self.fault_for(&request) else {
            return Ok(self.dated(self.handle(request)));
        };
        let timeout = RequestTimeout::of(&request);
        let made = self.meet(&fault, request, self.shared.https);
        let (wait, outcome) = fault.outcome(made, timeout);
        self.advance(wait);
        if let Some(pause) = fault.pause() {
            self.go_down(pause);
        }
        outcome.map(|response| self.dated(response))
    }

    /// Servers date their answers, and clients set their clocks by it.
    pub(super) fn dated(&self, mut response: http::Response<Bytes>) -> http::Response<Bytes> {
        let date = http_date::format(self.now()).and_then(|date| HeaderValue::try_from(date).ok());
        if let Some(date) = date {
            response.headers_mut().insert(header::DATE, date);
        }
        response
    }

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
