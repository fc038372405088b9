//! With ureq alone, trusting the same authorities.

use std::error::Error;
use std::time::Duration;

use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::model::{LOGIN, User, cookies};

pub fn user_name(url: &str, asks: bool) -> Result<String, Box<dyn Error>> {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .tls_config(tls)
        .build()
        .into();
    let login = format!("{url}/authentication/login/");
    if asks {
        let mut response = agent.get(&login).header("accept", "application/json").call()?;
        response.body_mut().read_to_vec()?;
        if response.status() != 405 {
            return Err("no Keystone".into());
        }
    }
    let mut response = agent
        .post(&login)
        .header("accept", "application/json")
        .content_type("application/json")
        .send(&serde_json::to_vec(&LOGIN)?)?;
    response.body_mut().read_to_vec()?;
    if !response.status().is_success() {
        return Err(format!("login: {}", response.status()).into());
    }
    let mut response = agent
        .get(format!("{url}/users/users/1/"))
        .header("accept", "application/json")
        .header("cookie", cookies(response.headers()))
        .call()?;
    if !response.status().is_success() {
        return Err(format!("user: {}", response.status()).into());
    }
    let user: User = serde_json::from_slice(&response.body_mut().read_to_vec()?)?;
    Ok(user.username)
}
