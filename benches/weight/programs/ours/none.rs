//! With a transport of its own, which answers from memory.

use std::error::Error;
use std::time::Duration;

use keystone_client::backend::{BackendError, BackendErrorKind};
use keystone_client::blocking::{HttpBackend, KeystoneClient};
use keystone_client::bytes::Bytes;
use keystone_client::{Dialect, Id, http};

use crate::canned;

struct Canned;

impl HttpBackend for Canned {
    fn execute(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, BackendError> {
        canned::answer(request.method().as_str(), request.uri().path())
            .map_err(|error| BackendError::new(BackendErrorKind::Other, error))
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

pub fn user_name(url: &str, asks: bool) -> Result<String, Box<dyn Error>> {
    let builder = KeystoneClient::builder(url).backend(Canned);
    let builder = if asks { builder } else { builder.dialect(Dialect::Session) };
    let client = builder.build()?;
    client.login("admin", "admin-password")?;
    Ok(client.retrieve_user(Id::new(1)).send()?.username)
}
