//! A small client of a sandbox, for tests.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use keystone_client::sandbox::Sandbox;
use serde_json::{Value, json};

/// Talks to a sandbox with the cookies or the token of a login.
#[derive(Clone)]
pub struct Client {
    pub sandbox: Sandbox,
    pub headers: Vec<(&'static str, String)>,
}

/// A cookie that a response sets.
pub fn cookie(response: &Response<Bytes>, name: &str) -> Option<String> {
    let cookies = response.headers().get_all("set-cookie").iter();
    let mut cookies = cookies.map(|cookie| cookie.to_str().unwrap());
    let value = cookies.find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.split(';').next().unwrap().to_owned())
}

pub fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap_or(Value::Null)
}

impl Client {
    pub fn anonymous(sandbox: &Sandbox) -> Self {
        Self { sandbox: sandbox.clone(), headers: Vec::new() }
    }

    /// Logs in with a session.
    pub fn session(sandbox: &Sandbox, username: &str, password: &str) -> Self {
        let mut client = Self::anonymous(sandbox);
        let credentials = json!({"username": username, "password": password});
        let response = client.send("POST", "/authentication/login/", Some(credentials));
        assert_eq!(response.status(), StatusCode::OK);
        let (session, csrf) = (cookie(&response, "sessionid"), cookie(&response, "csrftoken"));
        let (session, csrf) = (session.unwrap(), csrf.unwrap());
        client.headers.push(("cookie", format!("sessionid={session}; csrftoken={csrf}")));
        client.headers.push(("x-csrftoken", csrf));
        client
    }

    /// Logs in with a pair of tokens.
    pub fn jwt(sandbox: &Sandbox, username: &str, password: &str) -> (Self, Value) {
        let mut client = Self::anonymous(sandbox);
        let credentials = json!({"username": username, "password": password});
        let pair = body(&client.send("POST", "/authentication/new/", Some(credentials)));
        let access = pair["access"].as_str().unwrap();
        client.headers.push(("authorization", format!("Bearer {access}")));
        (client, pair)
    }

    pub fn send(&self, method: &str, path: &str, body: Option<Value>) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Bytes::from(serde_json::to_vec(&body).unwrap())
            }
            None => Bytes::new(),
        };
        self.sandbox.handle(request.body(body).unwrap())
    }

    /// Sends and expects a status; the result is the body.
    pub fn expect(&self, status: u16, method: &str, path: &str, sent: Option<Value>) -> Value {
        let response = self.send(method, path, sent);
        let text = String::from_utf8_lossy(response.body());
        assert_eq!(response.status().as_u16(), status, "{method} {path}: {text}");
        body(&response)
    }

    pub fn get(&self, path: &str) -> Value {
        self.expect(200, "GET", path, None)
    }
}

/// Logs in the user of a default sandbox.
pub fn admin(sandbox: &Sandbox) -> Client {
    Client::session(sandbox, "admin", "admin-password")
}
