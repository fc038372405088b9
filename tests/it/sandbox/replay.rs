//! Replays recordings of real servers and compares the answers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response};
use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::{Value, json};

use super::compare;
use super::recording::{self, Recording};
use super::world::World;

const UNSEEN: &str = "a total of generated records that no recording shows";

/// Recordings that a replay does not match, and why.
const DEVIATIONS: &[(&str, &str)] = &[
    ("health-prom-ok", "times taken differ"),
    ("health-prom-unhealthy", "times taken differ"),
    ("https-token-write-needs-no-referer", "ran on a copy of older data"),
    ("users-delete-protected-server-error", "no recording shows what protects the user"),
    ("whoami-after-own-password-change", "takes several steps; see the tests of sessions"),
    ("filter-boolean", "one of the clusters was deleted without being recorded"),
    ("stats-requests-staff", UNSEEN),
    ("stats-requests-member", UNSEEN),
    ("stats-requests-filtered", UNSEEN),
    ("stats-grants-staff", UNSEEN),
    ("stats-grants-member", UNSEEN),
    ("stats-publications-staff", UNSEEN),
    ("stats-publications-member", UNSEEN),
    ("reviews-retrieve-after-reviewer-deleted", "takes several steps; see the tests of records"),
];

/// When the recordings were made: some answers depend on the day.
const RECORDED: &str = "2026-11-23T00:43:00Z";

/// A login of the session dialect.
#[derive(Clone)]
struct Login {
    session: String,
    csrf: String,
}

struct Replay<'a> {
    sandbox: &'a Sandbox,
    dialect: Dialect,
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

fn username(sandbox: &Sandbox, api_token: &str, id: i64) -> String {
    let request = Request::get(format!("/users/users/{id}/"))
        .header("host", "keystone.test")
        .header("authorization", format!("Token {api_token}"));
    let response = sandbox.handle(request.body(Bytes::new()).unwrap());
    let user: Value = serde_json::from_slice(response.body()).unwrap();
    user["username"].as_str().unwrap_or_default().to_owned()
}

impl Replay<'_> {
    fn login(&self, who: &str) -> Login {
        if let Some(login) = self.logins.borrow().get(who) {
            return login.clone();
        }
        if who == "stale" || who == "wrong" {
            return Login { session: "s".repeat(32), csrf: "w".repeat(32) };
        }
        let name = username(self.sandbox, "inspector", user_id(who));
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
        let user = claims["user_id"].as_i64().unwrap();
        let kind = claims["token_type"].as_str().unwrap();
        let name = name.to_owned();
        format!("{}{}", self.token(&name, user, kind), &part[token.len()..])
    }

    fn token(&self, name: &str, user: i64, kind: &str) -> String {
        let request = |path: &str| Request::post(format!("/authentication/{path}/"));
        let password =
            if user == 1 { "placeholder-admin-password" } else { "placeholder-Passw0rd" };
        let list = self.username_jwt(user);
        let body = json!({"username": list, "password": password});
        let response = send(self.sandbox, request("new"), &body);
        let pair: Value = serde_json::from_slice(response.body()).unwrap();
        let token = pair[kind].as_str().unwrap_or_default().to_owned();
        if name.contains("blacklisted") || name.contains("blacklist-twice") {
            send(self.sandbox, request("blacklist"), &json!({"refresh": token}));
        }
        if name.ends_with("-expired") && !name.contains("after-access") {
            self.sandbox.advance(Duration::from_secs(90_000));
        }
        let removes = name.contains("deleted-user") || name.contains("inactive-user");
        if removes {
            self.remove(user, name.contains("deleted"));
        }
        token
    }

    fn username_jwt(&self, user: i64) -> String {
        let admin = json!({"username": "inspector", "password": "inspector-password"});
        let response = send(self.sandbox, Request::post("/authentication/new/"), &admin);
        let pair: Value = serde_json::from_slice(response.body()).unwrap();
        let request = Request::get(format!("/users/users/{user}/"))
            .header("authorization", format!("Bearer {}", pair["access"].as_str().unwrap()));
        let response = self.sandbox.handle(request.body(Bytes::new()).unwrap());
        let user: Value = serde_json::from_slice(response.body()).unwrap();
        user["username"].as_str().unwrap_or_default().to_owned()
    }

    fn remove(&self, user: i64, delete: bool) {
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
    match recording {
        "health-unhealthy" | "health-json-unhealthy" | "health-prom-unhealthy" => &[
            ("SMTP", "Unavailable: Connection refused error"),
            ("Celery", "Unavailable: Celery workers unavailable"),
        ],
        "health-failing" | "health-json" | "health-prometheus" => &[
            ("CeleryHealthCheckCelery", "unavailable: Unknown error"),
            ("CeleryPingHealthCheck", "unavailable: Unknown error"),
            ("RedisHealthCheck", "unavailable: Unable to connect to Redis: Connection Error"),
        ],
        _ => &[],
    }
}

/// The limits that were in force when refusals were recorded.
const USER_LIMIT: usize = 5;
const ANONYMOUS_LIMIT: usize = 3;

/// The period of the limits, as the first request after they were used up shows it.
fn limited_period(recording: &Recording) -> Duration {
    let seconds = recording.answer_header("retry-after").map_or(60, |it| it.parse().unwrap());
    Duration::from_secs(seconds)
}

/// Replays one recording in a sandbox of its own; the result is the first difference.
fn replay(
    world: &World,
    dialect: Dialect,
    position: usize,
    recording: &Recording,
) -> Option<String> {
    let period = recording.name.starts_with("throttled-").then(|| limited_period(recording));
    let mut builder = Sandbox::builder()
        .dialect(dialect)
        .version("0.0.0")
        .start_at(RECORDED.parse::<jiff::Timestamp>().unwrap().into())
        .api_token("inspector", "inspector")
        .api_token("user109", "token-of-110")
        .api_token("inactive1", "token-of-inactive1")
        .https(recording.https)
        .trusted_origin("http://localhost:4200");
    if let Some(period) = period {
        builder = builder
            .user_rate_limit(USER_LIMIT, period)
            .anonymous_rate_limit(ANONYMOUS_LIMIT, period);
    }
    if recording.name == "unknown-host-server-error" {
        builder = builder.allowed_host("keystone.test");
    }
    for (name, message) in failing_checks(&recording.name) {
        builder = builder.failing_check(*name, *message);
    }
    let sandbox = builder.build();
    let inspector = json!({"id": 90_000, "username": "inspector", "password": "inspector-password",
        "is_staff": true});
    sandbox.insert("users/users", inspector).unwrap();
    if recording.name == "token-inactive-user" {
        let inactive = json!({"id": 90_001, "username": "inactive1", "is_active": false});
        sandbox.insert("users/users", inactive).unwrap();
    }
    world.furnish(&sandbox, position, recording);
    let replay = Replay { sandbox: &sandbox, dialect, logins: RefCell::default() };
    let request = recording.request(|text| replay.fill(&recording.name, text));
    let uses_up_limit = period.is_some() && recording.status == 429;
    for _ in (0..USER_LIMIT).filter(|_| uses_up_limit) {
        sandbox.handle(request.clone());
    }
    let response = sandbox.handle(request);
    let status = response.status().as_u16();
    let text = String::from_utf8_lossy(response.body()).into_owned();
    if status != recording.status {
        return Some(format!("recorded status {}, given {status} {text:.200}", recording.status));
    }
    for name in ["content-type", "allow", "location", "www-authenticate", "retry-after"] {
        let given = response.headers().get(name).map(|value| value.to_str().unwrap());
        let recorded = recording.answer_header(name);
        if recorded != given && !(name == "allow" && recorded.is_none() && status == 500) {
            return Some(format!("{name}: recorded {recorded:?}, given {given:?}"));
        }
    }
    let cookies = recording.answer_headers.iter().filter(|(name, _)| name == "set-cookie").count();
    if cookies != response.headers().get_all("set-cookie").iter().count() {
        return Some(format!("recorded {cookies} cookies"));
    }
    let json = recording.answer_header("content-type").is_some_and(|it| it.ends_with("json"));
    if !json {
        let recorded = recording.answer.as_str().unwrap_or_default();
        return (recorded != text).then(|| format!("given {text:?}"));
    }
    if recording.method == "HEAD" {
        return (!text.is_empty()).then(|| format!("given {text:?}"));
    }
    let mut given: Value = serde_json::from_str(&text).unwrap();
    let mut recorded = recording.answer.clone();
    if let Value::Array(items) = &mut given {
        items.retain(|item| item["id"] != 90_000);
    }
    if !recording.raw_query.contains("_order") {
        sort(&mut recorded);
        sort(&mut given);
    }
    if recorded.get("count").is_some() {
        trim_page(&mut recorded, &mut given);
    }
    if recording.path == "/batch/" {
        return batch_difference(recording, recorded, given);
    }
    compare::difference(&recorded, &given, status == 201)
        .or_else(|| history_difference(recording, &recorded, &given))
}

/// The first difference in the answer to a batch.
fn batch_difference(
    recording: &Recording,
    mut recorded: Value,
    mut given: Value,
) -> Option<String> {
    for answer in [&mut recorded, &mut given] {
        for result in answer["results"].as_array_mut().into_iter().flatten() {
            // No recording shows as many records as these counts tell of.
            if let Some(page) = result["body"].as_object_mut().filter(|it| it.contains_key("next"))
            {
                page.remove("count");
            }
        }
    }
    compare::difference(&recorded, &given, false).or_else(|| {
        recording.steps().iter().enumerate().find_map(|(index, step)| {
            let body = |answer: &Value| answer["results"][index]["body"].clone();
            history_difference(step, &body(&recorded), &body(&given))
        })
    })
}

/// The first difference in what the change log says about the recorded write.
fn history_difference(recording: &Recording, recorded: &Value, given: &Value) -> Option<String> {
    let newest = |answer: &Value| answer.get("_history")?.as_array()?.first().cloned();
    let (mut recorded, mut given) = (newest(recorded)?, newest(given)?);
    let expected = match (recording.method.as_str(), recording.status) {
        ("POST", 201) => "create",
        ("PUT" | "PATCH", 200) if recorded["action"] == "update" => "update",
        _ => return None,
    };
    if recorded["action"] != expected || given["action"] != expected {
        // A write without effect leaves no entry, and the older ones are not compared.
        return None;
    }
    for entry in [&mut recorded, &mut given] {
        for name in ["id", "timestamp", "_actor"] {
            entry.as_object_mut().unwrap().remove(name);
        }
        let changes = entry["changes"].as_object_mut().unwrap();
        changes.remove("id");
        for (name, texts) in changes {
            if ["password", "submitted", "created", "uploaded", "date_joined"]
                .contains(&name.as_str())
            {
                *texts = Value::Null;
            }
        }
    }
    compare::difference(&recorded, &given, false).map(|found| format!("_history{found}"))
}

/// Brings the records of a list whose order is not promised in one.
fn sort(answer: &mut Value) {
    let list = match answer {
        Value::Object(page) => page.get_mut("results"),
        list => Some(list),
    };
    if let Some(Value::Array(records)) = list {
        records.sort_by_key(|record| record["id"].as_i64());
    }
}

/// A recorded page of a longer list shows too little of the data to rebuild the list: what is
/// compared is then only each record that is in both.
fn trim_page(recorded: &mut Value, given: &mut Value) {
    let results = recorded["results"].as_array().unwrap();
    if recorded["count"] == results.len() {
        return;
    }
    let ids: Vec<Value> = results.iter().map(|record| record["id"].clone()).collect();
    let both: Vec<Value> = given["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["id"].clone())
        .filter(|id| ids.contains(id))
        .collect();
    for page in [recorded, given] {
        let kept = page["results"].as_array().unwrap().iter();
        let kept: Vec<Value> = kept.filter(|it| both.contains(&it["id"])).cloned().collect();
        // The way back depends on the query alone.
        *page = json!({"previous": page["previous"], "results": kept});
    }
}

fn replay_all(dialect: Dialect) {
    let recordings = recording::load(dialect);
    let world = World::new(dialect, &recordings);
    let mut matched = 0;
    let mut problems = Vec::new();
    for (position, recording) in recordings.iter().enumerate() {
        let known = DEVIATIONS.iter().find(|(name, _)| *name == recording.name);
        match (replay(&world, dialect, position, recording), known) {
            (None, None) => matched += 1,
            (Some(_), Some(_)) => {}
            (None, Some(_)) => problems.push(format!("{}: matches by now", recording.name)),
            (Some(found), None) => problems.push(format!("{}: {found}", recording.name)),
        }
    }
    println!("{matched} of {} recordings match", recordings.len());
    assert!(problems.is_empty(), "{} differ:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn answers_like_recorded_servers_with_sessions() {
    replay_all(Dialect::Session);
}

#[test]
fn answers_like_recorded_servers_with_json_web_tokens() {
    replay_all(Dialect::Jwt);
}
