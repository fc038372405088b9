//! With reqwest alone, on a runtime of one thread.

use std::error::Error;

use reqwest::Client;

use crate::model::{LOGIN, User, cookies};

pub fn user_name(url: &str, asks: bool) -> Result<String, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::builder().build()?;
        let login = format!("{url}/authentication/login/");
        if asks {
            let response = client.get(&login).header("accept", "application/json").send().await?;
            let status = response.status();
            response.bytes().await?;
            if status != 405 {
                return Err("no Keystone".into());
            }
        }
        let response = client
            .post(&login)
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(serde_json::to_vec(&LOGIN)?)
            .send()
            .await?
            .error_for_status()?;
        let cookies = cookies(response.headers());
        response.bytes().await?;
        let response = client
            .get(format!("{url}/users/users/1/"))
            .header("accept", "application/json")
            .header("cookie", cookies)
            .send()
            .await?
            .error_for_status()?;
        let user: User = serde_json::from_slice(&response.bytes().await?)?;
        Ok(user.username)
    })
}
