//! Replays recordings of real servers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;
use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::{Value, json};

use super::compare::{Leeway, TOLERANCE};
use super::exceptions::Exception;
use super::recording::Recording;
use super::verdict;
use super::world::World;

/// A login of the session dialect.
#[derive(Clone)]
struct Login {
    session: String,
    csrf: String,
}

struct Replay<'a> {
    sandbox: &'a Sandbox,
    dialect: Dialect,
    world: &'a World,
    position: usize,
    recording: &'a Recording,
    logins: RefCell<BTreeMap<String, Login>>,
}

/// The id of a user by the name that recordings have for them.
pub fn user_id(who: &str) -> i64 {
    match who.split('-').next().unwrap_or(who) {
        "admin" => 1,
        "throttled" => 110,
        "owner" | "fresh" | "secure" => 102,
        "member" => 103,
        "outsider" => 106,
        "lone" => 893,
        "pwchange" => 894,
        other => {
            other.strip_prefix("user").and_then(|it| it.parse::<i64>().ok()).map_or(0, |it| it + 1)
        }
    }
}

fn send(sandbox: &Sandbox, request: http::request::Builder, body: &Value) -> Response<Bytes> {
    let body = serde_json::to_vec(body).unwrap();
    let request =
        request.header("content-type", "application/json").header("host", "keystone.test");
    sandbox.handle(request.body(Bytes::from(body)).unwrap())
}

impl Replay<'_> {
    /// Lets the time come at which a user is known to have logged in. The log has a request of then.
    fn await_login(&self, user: i64) {
        let logs = self.recording.path.starts_with("/logs/");
        if let (Some(moment), false) = (self.world.last_login(user, self.position), logs) {
            self.sandbox.advance_to(moment.into());
        }
    }

    /// Lets the time come at which a token was handed out, which is also that of a login.
    fn await_issue(&self, user: i64, issued: i64) {
        let issued = Timestamp::from_second(issued).unwrap();
        let login = self.world.last_login(user, self.position);
        let login = login.filter(|login| login.duration_since(issued).abs() <= TOLERANCE);
        self.sandbox.advance_to(login.unwrap_or(issued).into());
    }

    fn login(&self, who: &str) -> Login {
        if let Some(login) = self.logins.borrow().get(who) {
            return login.clone();
        }
        if who == "stale" || who == "wrong" {
            return Login { session: "s".repeat(32), csrf: "w".repeat(32) };
        }
        self.await_login(user_id(who));
        let name = self.world.username(user_id(who), self.position);
        let body = json!({"username": name, "password": "password"});
        let response = send(self.sandbox, Request::post("/authentication/login/"), &body);
        assert_eq!(response.status(), 200, "login of {who} ({name})");
        let cookie = |name: &str| {
            let cookies = response.headers().get_all("set-cookie").iter();
            let mut values = cookies.filter_map(|it| it.to_str().unwrap().strip_prefix(name));
            values.next_back().unwrap().split(';').next().unwrap().to_owned()
        };
        let login = Login { session: cookie("sessionid="), csrf: cookie("csrftoken=") };
        self.logins.borrow_mut().insert(who.to_owned(), login.clone());
        login
    }

    /// Fills in sessions, CSRF tokens and API tokens, or JSON Web Tokens.
    fn fill(&self, name: &str, text: &str) -> String {
        match self.dialect {
            Dialect::Session => self.fill_sessions(text),
            _ => self.fill_tokens(name, text),
        }
    }

    fn fill_sessions(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            filled.push_str(before);
            let Some((inside, after)) = after.split_once('>') else {
                break;
            };
            match inside.split_once(':') {
                Some(("session", who)) => filled.push_str(&self.login(who).session),
                Some(("csrf", who)) => filled.push_str(&self.login(who).csrf),
                Some(("token", "inactive1")) => filled.push_str("token-of-inactive1"),
                Some(("token", who)) => filled.push_str(&format!("token-of-{}", user_id(who))),
                _ => filled.push_str(&format!("<{inside}>")),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }

    fn fill_tokens(&self, name: &str, text: &str) -> String {
        let parts: Vec<&str> = text.split_inclusive([' ', '"', '=', '&']).collect();
        parts.into_iter().map(|part| self.fill_token(name, part)).collect()
    }

    fn fill_token(&self, name: &str, part: &str) -> String {
        let token = part.trim_end_matches([' ', '"', '=', '&']);
        let pieces: Vec<&str> = token.split('.').collect();
        let genuine = pieces.last().is_some_and(|it| *it == "c2lnbmF0dXJlLXJlbW92ZWQ");
        if !token.starts_with("eyJ") || pieces.len() != 3 || !genuine {
            return part.to_owned();
        }
        let claims = URL_SAFE_NO_PAD.decode(pieces[1]).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        let Some(user) = claims["user_id"].as_i64() else {
            return part.to_owned();
        };
        if Exception::StrangeOwner.holds(name) {
            let username = self.world.username(user, self.position);
            let stranger =
                json!({"id": user, "username": username, "password": "placeholder-Passw0rd"});
            self.sandbox.insert("users/users", stranger).unwrap();
        }
        let kind = claims["token_type"].as_str().unwrap();
        if !Exception::ExpiredToken.holds(name) {
            self.await_issue(user, claims["iat"].as_i64().unwrap());
        }
        format!("{}{}", self.token(name, user, kind), &part[token.len()..])
    }

    fn token(&self, name: &str, user: i64, kind: &str) -> String {
        let request = |path: &str| Request::post(format!("/authentication/{path}/"));
        let password =
            if user == 1 { "placeholder-admin-password" } else { "placeholder-Passw0rd" };
        let username = self.world.username(user, self.position);
        let body = json!({"username": username, "password": password});
        let response = send(self.sandbox, request("new"), &body);
        let pair: Value = serde_json::from_slice(response.body()).unwrap();
        let token = pair[kind].as_str().unwrap_or_default().to_owned();
        if Exception::BlacklistedToken.holds(name) {
            send(self.sandbox, request("blacklist"), &json!({"refresh": token}));
        }
        let deletes = Exception::DeletedOwner.holds(name) || Exception::StrangeOwner.holds(name);
        if deletes || Exception::DeactivatedOwner.holds(name) {
            self.remove(user, deletes);
        }
        token
    }

    /// Does what has happened right before the recording.
    fn prepare(&self, recording: &Recording) {
        if Exception::PasswordChangedBefore.holds(&recording.name) {
            let login = self.login("pwchange");
            let cookies = format!("csrftoken={}; sessionid={}", login.csrf, login.session);
            let request = Request::patch(format!("/users/users/{}/", user_id("pwchange")))
                .header("cookie", cookies)
                .header("x-csrftoken", login.csrf);
            let changed = send(self.sandbox, request, &json!({"password": "another-password"}));
            assert_eq!(changed.status(), 200);
        }
        if Exception::ProtectedUser.holds(&recording.name) {
            let user = 105;
            let request = json!({"title": "A title", "description": "A description", "team": 1,
                "submitter": user});
            self.sandbox.insert("allocations/requests", request).unwrap();
        }
    }

    fn remove(&self, user: i64, delete: bool) {
        let inspector = json!({"id": 90_000, "username": "inspector",
            "password": "inspector-password", "is_staff": true});
        self.sandbox.insert("users/users", inspector).unwrap();
        let admin = json!({"username": "inspector", "password": "inspector-password"});
        let response = send(self.sandbox, Request::post("/authentication/new/"), &admin);
        let pair: Value = serde_json::from_slice(response.body()).unwrap();
        let bearer = format!("Bearer {}", pair["access"].as_str().unwrap());
        let path = format!("/users/users/{user}/");
        let (request, body) = if delete {
            (Request::delete(path), json!({}))
        } else {
            (Request::patch(path), json!({"is_active": false}))
        };
        let response = send(self.sandbox, request.header("authorization", bearer), &body);
        assert!(response.status().is_success());
    }
}

/// What did not work when the health of a server was recorded.
fn failing_checks(recording: &str) -> &'static [(&'static str, &'static str)] {
    if Exception::FewServices.holds(recording) {
        return &[
            ("SMTP", "Unavailable: Connection refused error"),
            ("Celery", "Unavailable: Celery workers unavailable"),
        ];
    }
    if Exception::NoServices.holds(recording) {
        return &[
            ("CeleryHealthCheckCelery", "unavailable: Unknown error"),
            ("CeleryPingHealthCheck", "unavailable: Unknown error"),
            ("RedisHealthCheck", "unavailable: Unable to connect to Redis: Connection Error"),
        ];
    }
    &[]
}

/// The limits that were in force when refusals were recorded.
const USER_LIMIT: usize = 5;
const ANONYMOUS_LIMIT: usize = 3;

/// The period of the limits, as the first request after they were used up shows it.
fn limited_period(recording: &Recording) -> Duration {
    let seconds = recording.answer_header("retry-after").map_or(60, |it| it.parse().unwrap());
    Duration::from_secs(seconds)
}

/// When a sandbox starts: early enough for the logins and for tokens to expire.
fn begin(dialect: Dialect, recording: &Recording) -> Timestamp {
    let lead = match dialect {
        Dialect::Jwt if Exception::ExpiredToken.holds(&recording.name) => EXPIRY,
        _ if Exception::LimitedRate.holds(&recording.name) => Duration::ZERO,
        _ => Duration::from_secs(60),
    };
    recording.at - lead
}

/// After this long the tokens of the JWT dialect are of no use.
const EXPIRY: Duration = Duration::from_secs(90_000);

/// Replays one recording in a sandbox of its own: the leeways it took, or the first difference.
pub fn replay(
    world: &World,
    dialect: Dialect,
    position: usize,
    recording: &Recording,
) -> Result<BTreeSet<Leeway>, String> {
    let is = |exception: Exception| exception.holds(&recording.name);
    let period = is(Exception::LimitedRate).then(|| limited_period(recording));
    let mut builder = Sandbox::builder()
        .dialect(dialect)
        .version("0.0.0")
        .start_at(begin(dialect, recording).into())
        .freeze_clock()
        .api_token("user109", "token-of-110")
        .api_token("inactive1", "token-of-inactive1")
        .https(recording.https)
        .secure_cookies(is(Exception::SecureCookies))
        .trusted_origin("http://localhost:4200");
    if let Some(period) = period {
        builder = builder
            .user_rate_limit(USER_LIMIT, period)
            .anonymous_rate_limit(ANONYMOUS_LIMIT, period);
    }
    if is(Exception::UnknownHost) {
        builder = builder.allowed_host("keystone.test");
    }
    if is(Exception::ShortAccess) {
        builder = builder.access_token_lifetime(Duration::from_secs(5));
    }
    for (name, message) in failing_checks(&recording.name) {
        builder = builder.failing_check(*name, *message);
    }
    let sandbox = builder.build();
    if is(Exception::InactiveOwnerOfToken) {
        let inactive =
            json!({"id": 90_001, "username": "inactive1", "is_active": false, "_history": []});
        sandbox.insert("users/users", inactive).unwrap();
    }
    let replay = Replay {
        sandbox: &sandbox,
        dialect,
        world,
        position,
        recording,
        logins: RefCell::default(),
    };
    let request = match dialect {
        // Who asks logs in first: what is logged of that is not among what is then placed.
        Dialect::Session => {
            let placed = world.place_users(&sandbox, position, recording);
            let request = recording.request(|text| replay.fill(&recording.name, text));
            world.furnish(&sandbox, position, recording, placed);
            replay.prepare(recording);
            request
        }
        _ => {
            world.furnish(&sandbox, position, recording, BTreeSet::new());
            recording.request(|text| replay.fill(&recording.name, text))
        }
    };
    sandbox.advance_to(recording.at.into());
    let uses_up_limit = period.is_some() && recording.status == 429;
    for _ in (0..USER_LIMIT).filter(|_| uses_up_limit) {
        sandbox.handle(request.clone());
    }
    verdict::judge(recording, &sandbox.handle(request))
}
