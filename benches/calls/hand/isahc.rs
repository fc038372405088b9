//! By hand with `isahc`, in both colours.

use std::iter;
use std::time::Duration;

use isahc::config::{Configurable, ExpectContinue, RedirectPolicy, VersionNegotiation};
use isahc::http::{Request, StatusCode};
use isahc::{AsyncReadResponseExt, HttpClient, ReadResponseExt};

use super::{ACCEPT, BlockingClient, CORRELATION_ID, Client, Headers};

#[derive(Clone)]
pub struct Isahc {
    client: HttpClient,
    url: String,
}

/// The same library with the calls that block.
pub struct Blocking(pub Isahc);

impl Isahc {
    pub fn new(url: &str, headers: &Headers) -> Self {
        let client = HttpClient::builder()
            .default_header("accept", ACCEPT)
            .default_header("authorization", &headers.authorization)
            .default_header("user-agent", &headers.user_agent)
            .default_header(CORRELATION_ID, &headers.correlation_id)
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(60))
            .connection_cache_ttl(Duration::from_secs(4))
            .redirect_policy(RedirectPolicy::None)
            .automatic_decompression(false)
            .expect_continue(ExpectContinue::disabled())
            .version_negotiation(VersionNegotiation::http11())
            .metrics(false)
            .proxy(None)
            .proxy_blacklist(iter::empty::<String>())
            .build();
        Self { client: client.expect("the client is one"), url: url.to_owned() }
    }

    fn url_of(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn request(&self, method: &str, path: &str, body: Vec<u8>) -> Request<Vec<u8>> {
        let request = Request::builder()
            .method(method)
            .uri(self.url_of(path))
            .header("content-type", "application/json");
        request.body(body).expect("the request is one")
    }
}

fn check(status: StatusCode) {
    assert!(status.is_success(), "{status}");
}

impl Client for Isahc {
    type Body = Vec<u8>;

    async fn get(&self, path: &str) -> Vec<u8> {
        let response = self.client.get_async(self.url_of(path)).await;
        let mut response = response.expect("the server answers");
        check(response.status());
        response.bytes().await.expect("the body comes")
    }

    async fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Vec<u8> {
        let response = self.client.send_async(self.request(method, path, body)).await;
        let mut response = response.expect("the server answers");
        check(response.status());
        response.bytes().await.expect("the body comes")
    }
}

impl BlockingClient for Blocking {
    type Body = Vec<u8>;

    fn get(&self, path: &str) -> Vec<u8> {
        let response = self.0.client.get(self.0.url_of(path));
        let mut response = response.expect("the server answers");
        check(response.status());
        response.bytes().expect("the body comes")
    }

    fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Vec<u8> {
        let response = self.0.client.send(self.0.request(method, path, body));
        let mut response = response.expect("the server answers");
        check(response.status());
        response.bytes().expect("the body comes")
    }
}
