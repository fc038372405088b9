//! By hand with `ureq`, which knows no default headers but one.

use std::time::Duration;

use ureq::{Agent, Body, http};

use super::{ACCEPT, BlockingClient, CORRELATION_ID, Headers};

/// More than any answer has; left to itself, ureq reads 10 MB.
const MOST: u64 = 256 * 1024 * 1024;

/// Enough for all who call at the same time; left to itself, ureq keeps three.
const IDLE: usize = 64;

pub struct Ureq {
    agent: Agent,
    url: String,
    headers: Headers,
}

impl Ureq {
    pub fn new(url: &str, headers: Headers) -> Self {
        let agent = Agent::config_builder()
            .user_agent(&headers.user_agent)
            .accept(ACCEPT)
            .accept_encoding("")
            .max_redirects(0)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_resolve(Some(Duration::from_secs(10)))
            .timeout_global(Some(Duration::from_secs(60)))
            .max_idle_age(Duration::from_secs(4))
            .max_idle_connections(IDLE)
            .max_idle_connections_per_host(IDLE)
            .proxy(None)
            .build()
            .new_agent();
        Self { agent, url: url.to_owned(), headers }
    }
}

fn bytes(response: Result<http::Response<Body>, ureq::Error>) -> Vec<u8> {
    let mut response = response.expect("the server answers");
    response.body_mut().with_config().limit(MOST).read_to_vec().expect("the body comes")
}

impl BlockingClient for Ureq {
    type Body = Vec<u8>;

    fn get(&self, path: &str) -> Vec<u8> {
        let response = self
            .agent
            .get(format!("{}{path}", self.url))
            .header("authorization", &self.headers.authorization)
            .header(CORRELATION_ID, &self.headers.correlation_id)
            .call();
        bytes(response)
    }

    fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Vec<u8> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", &self.headers.authorization)
            .header(CORRELATION_ID, &self.headers.correlation_id)
            .header("content-type", "application/json")
            .body(body)
            .expect("the request is one");
        bytes(self.agent.run(request))
    }
}
