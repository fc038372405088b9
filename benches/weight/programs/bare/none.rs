//! No transport: answers come from memory.

use std::error::Error;

use crate::canned;
use crate::model::{LOGIN, User, cookies};

fn send(request: http::Request<Vec<u8>>) -> Result<http::Response<String>, Box<dyn Error>> {
    Ok(canned::answer(request.method().as_str(), request.uri().path())?)
}

pub fn user_name(url: &str, asks: bool) -> Result<String, Box<dyn Error>> {
    let login = format!("{url}/authentication/login/");
    if asks && send(http::Request::get(&login).body(Vec::new())?)?.status() != 405 {
        return Err("no Keystone".into());
    }
    let request = http::Request::post(&login)
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&LOGIN)?)?;
    let response = send(request)?;
    if !response.status().is_success() {
        return Err(format!("login: {}", response.status()).into());
    }
    let request = http::Request::get(format!("{url}/users/users/1/"))
        .header("accept", "application/json")
        .header("cookie", cookies(response.headers()))
        .body(Vec::new())?;
    let response = send(request)?;
    if !response.status().is_success() {
        return Err(format!("user: {}", response.status()).into());
    }
    let user: User = serde_json::from_str(response.body())?;
    Ok(user.username)
}
