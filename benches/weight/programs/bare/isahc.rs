//! With isahc alone.

use std::error::Error;

use isahc::{HttpClient, ReadResponseExt, Request};

use crate::model::{LOGIN, User, cookies};

pub fn user_name(url: &str, asks: bool) -> Result<String, Box<dyn Error>> {
    let client = HttpClient::new()?;
    let login = format!("{url}/authentication/login/");
    if asks {
        let request = Request::get(&login).header("accept", "application/json").body(())?;
        let mut response = client.send(request)?;
        response.bytes()?;
        if response.status() != 405 {
            return Err("no Keystone".into());
        }
    }
    let request = Request::post(&login)
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&LOGIN)?)?;
    let mut response = client.send(request)?;
    response.bytes()?;
    if !response.status().is_success() {
        return Err(format!("login: {}", response.status()).into());
    }
    let request = Request::get(format!("{url}/users/users/1/"))
        .header("accept", "application/json")
        .header("cookie", cookies(response.headers()))
        .body(())?;
    let mut response = client.send(request)?;
    if !response.status().is_success() {
        return Err(format!("user: {}", response.status()).into());
    }
    let user: User = serde_json::from_slice(&response.bytes()?)?;
    Ok(user.username)
}
