//! A small client for tests, which sends what it is told to a sandbox or to a [`Target`].

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use keystone_client::Dialect;
use keystone_client::sandbox::Sandbox;
use serde_json::{Value, json};

use crate::support::target::Target;

/// Talks to a server with the cookies or the token of a login.
#[derive(Clone)]
pub struct Client {
    pub server: Server,
    pub headers: Vec<(&'static str, String)>,
}

/// What a [`Client`] talks to.
#[derive(Clone)]
pub enum Server {
    Sandbox(Sandbox),
    Target(Target),
}

impl From<&Sandbox> for Server {
    fn from(sandbox: &Sandbox) -> Self {
        Self::Sandbox(sandbox.clone())
    }
}

impl From<&Target> for Server {
    fn from(target: &Target) -> Self {
        Self::Target(target.clone())
    }
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
    pub fn anonymous(server: impl Into<Server>) -> Self {
        Self { server: server.into(), headers: Vec::new() }
    }

    /// Logs in with a session.
    pub fn session(server: impl Into<Server>, username: &str, password: &str) -> Self {
        let mut client = Self::anonymous(server);
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
    pub fn jwt(server: impl Into<Server>, username: &str, password: &str) -> (Self, Value) {
        let mut client = Self::anonymous(server);
        let credentials = json!({"username": username, "password": password});
        let pair = body(&client.send("POST", "/authentication/new/", Some(credentials)));
        let access = pair["access"].as_str().unwrap();
        client.headers.push(("authorization", format!("Bearer {access}")));
        (client, pair)
    }

    /// Logs in at a server of either generation.
    pub fn log_in(target: &Target, username: &str, password: &str) -> Self {
        match target.dialect() {
            Dialect::Jwt => Self::jwt(target, username, password).0,
            _ => Self::session(target, username, password),
        }
    }

    pub fn send(&self, method: &str, path: &str, body: Option<Value>) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(path);
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Bytes::from(serde_json::to_vec(&body).unwrap())
            }
            None => Bytes::new(),
        };
        self.handle(request.body(body).unwrap())
    }

    /// Sends a form with files, or what only looks like one; its boundary is `x`.
    pub fn send_form(&self, method: &str, path: &str, body: impl Into<Bytes>) -> Response<Bytes> {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "multipart/form-data; boundary=x");
        self.handle(request.body(body.into()).unwrap())
    }

    /// Sends a request with the headers of the login.
    pub fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (mut parts, body) = request.into_parts();
        for (name, value) in &self.headers {
            parts.headers.append(*name, value.parse().unwrap());
        }
        let request = Request::from_parts(parts, body);
        match &self.server {
            Server::Sandbox(sandbox) => sandbox.handle(request),
            Server::Target(target) => target.handle(request),
        }
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
