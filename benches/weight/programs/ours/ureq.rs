//! Blocking, over ureq.

use std::error::Error;

use keystone_client::backend::UreqBackend;
use keystone_client::blocking::KeystoneClient;
use keystone_client::{Dialect, Id};

pub fn user_name(url: &str, asks: bool) -> Result<String, Box<dyn Error>> {
    let builder = KeystoneClient::builder(url).backend(UreqBackend::new()?);
    let builder = if asks { builder } else { builder.dialect(Dialect::Session) };
    let client = builder.build()?;
    client.login("admin", "admin-password")?;
    Ok(client.retrieve_user(Id::new(1)).send()?.username)
}
