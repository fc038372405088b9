//! Async, over reqwest, on a runtime of one thread.

use std::error::Error;

use keystone_client::backend::ReqwestBackend;
use keystone_client::{Dialect, Id, KeystoneClient};

pub fn user_name(url: &str, asks: bool) -> Result<String, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let builder = KeystoneClient::builder(url).backend(ReqwestBackend::new()?);
        let builder = if asks { builder } else { builder.dialect(Dialect::Session) };
        let client = builder.build()?;
        client.login("admin", "admin-password").await?;
        Ok(client.retrieve_user(Id::new(1)).await?.username)
    })
}
