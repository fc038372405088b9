//! By hand with `reqwest`, in both colours.

use std::time::Duration;

use keystone_client::bytes::Bytes;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;

use super::{ACCEPT, BlockingClient, CORRELATION_ID, Client, Headers};

#[derive(Clone)]
pub struct Async {
    client: reqwest::Client,
    url: String,
}

pub struct Blocking {
    client: reqwest::blocking::Client,
    url: String,
}

fn default_headers(headers: &Headers) -> HeaderMap {
    let value = |text: &str| HeaderValue::from_str(text).expect("it is a header");
    HeaderMap::from_iter([
        (header::ACCEPT, value(ACCEPT)),
        (header::AUTHORIZATION, value(&headers.authorization)),
        (HeaderName::from_static(CORRELATION_ID), value(&headers.correlation_id)),
    ])
}

impl Async {
    pub fn new(url: &str, headers: &Headers) -> Self {
        let client = reqwest::Client::builder()
            .default_headers(default_headers(headers))
            .user_agent(&headers.user_agent)
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .pool_idle_timeout(Duration::from_secs(4))
            .http1_only()
            .no_proxy()
            .build();
        Self { client: client.expect("the client is one"), url: url.to_owned() }
    }
}

impl Client for Async {
    type Body = Bytes;

    async fn get(&self, path: &str) -> Bytes {
        let response = self.client.get(format!("{}{path}", self.url)).send().await;
        let response = response.and_then(reqwest::Response::error_for_status);
        response.expect("the server answers").bytes().await.expect("the body comes")
    }

    async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Bytes {
        let method = method.parse().expect("the method is one");
        let response = self
            .client
            .request(method, format!("{}{path}", self.url))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        response.expect("the server answers").bytes().await.expect("the body comes")
    }
}

impl Blocking {
    pub fn new(url: &str, headers: &Headers) -> Self {
        let client = reqwest::blocking::Client::builder()
            .default_headers(default_headers(headers))
            .user_agent(&headers.user_agent)
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .pool_idle_timeout(Duration::from_secs(4))
            .http1_only()
            .no_proxy()
            .build();
        Self { client: client.expect("the client is one"), url: url.to_owned() }
    }
}

impl BlockingClient for Blocking {
    type Body = Bytes;

    fn get(&self, path: &str) -> Bytes {
        let response = self.client.get(format!("{}{path}", self.url)).send();
        let response = response.and_then(reqwest::blocking::Response::error_for_status);
        response.expect("the server answers").bytes().expect("the body comes")
    }

    fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Bytes {
        let method = method.parse().expect("the method is one");
        let response = self
            .client
            .request(method, format!("{}{path}", self.url))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .and_then(reqwest::blocking::Response::error_for_status);
        response.expect("the server answers").bytes().expect("the body comes")
    }
}
