//! A journey over the sandbox, recorded, searched, and replayed with the real client.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::civil::date;
use keystone_client::Id;
use keystone_client::blocking::{self, KeystoneClient};
use keystone_client::resources::{
    MembershipRole, NewAllocationRequest, NewAttachment, NewComment, NewGrant, NewMembership,
    NewTeam, NewUser, legacy,
};
use keystone_client::sandbox::{Dialect, Sandbox};
use keystone_client::testing::{Recorder, Replay};
use keystone_client::upload::Upload;
use serde_json::Value;

use super::{PASSWORD, USERNAME, folder, sandbox};
use crate::support::{BASE, awaited, finished, retry};

/// What a program brings of its own.
struct Own {
    username: &'static str,
    password: &'static str,
    team: &'static str,
    member: &'static str,
    email: &'static str,
    title: &'static str,
    text: &'static str,
}

/// Data that must be in no cassette.
const TELLING: Own = Own {
    username: USERNAME,
    password: PASSWORD,
    team: "Zq7 Folding, Stars & Co",
    member: "Zq7babbage",
    email: "Zq7charles@example.edu",
    title: "Zq7 Difference engines",
    text: "Zq7 line one\nZq7 line two",
};

/// What another program, or the same one for somebody else, brings.
const OTHER: Own = Own {
    username: "somebody",
    password: "another password",
    team: "Unfolding",
    member: "anybody",
    email: "any@example.org",
    title: "Sums",
    text: "Of numbers",
};

/// Each journey asserts on what it brings itself, and on relations between what the server has.
macro_rules! session_journey {
    ($client:ident, $own:ident, $go:ident) => {{
        $go!($client.login($own.username, $own.password)).unwrap();
        let me = $go!($client.whoami()).unwrap().unwrap();
        assert_eq!(me.username, $own.username);
        let users = $go!($client.users().list().all()).unwrap();
        let turing = users.iter().find(|user| user.id != me.id).unwrap();
        let found = $client.users().filter(|u| u.username.eq(turing.username.as_str()));
        assert_eq!($go!(found.all()).unwrap()[0].id, turing.id);

        let team = $go!($client.create_team(NewTeam::new($own.team))).unwrap();
        assert_eq!(team.name, $own.team);
        let again = $go!($client.create_team(NewTeam::new($own.team))).unwrap_err();
        assert!(again.is_validation("name"), "{again}");
        assert!(again.to_string().contains("team with this name already exists."), "{again}");
        let new = NewUser::new($own.member, $own.password).email($own.email).first_name($own.team);
        let member = $go!($client.create_user(new)).unwrap();
        assert_eq!(member.email.as_deref(), Some($own.email));
        assert_eq!(member.first_name.as_deref(), Some($own.team));

        let mut batch = $client.batch();
        let member_of = NewMembership::new(member.id, team.id, MembershipRole::Owner);
        batch.add($client.create_membership(member_of));
        let grant = NewGrant::new(
            $own.title,
            "Zq7 Agency",
            "123.45".parse::<keystone_client::rust_decimal::Decimal>().unwrap(),
            date(2026, 1, 1),
            team.id,
        );
        let grant = batch.add($client.create_grant(grant));
        let outcome = $go!(batch.run()).unwrap();
        let grant = outcome.get(grant).unwrap();
        assert_eq!((grant.title.as_str(), grant.team), ($own.title, team.id));
        assert_eq!(grant.amount.to_string(), "123.45");
        assert_eq!(grant.start_date, date(2026, 1, 1));

        let new = NewAllocationRequest::new($own.title, $own.text, member.id, team.id);
        let request = $go!($client.create_request(new)).unwrap();
        assert_eq!(request.description, $own.text);
        let file = Upload::bytes("Zq7 plan.txt", "Zq7 fold, then fold again");
        $go!($client.create_attachment(NewAttachment::new(request.id, file))).unwrap();
        let comment = $go!($client.create_comment(NewComment::new($own.text, request.id))).unwrap();
        assert_eq!(comment.content, $own.text);
        let found = $client.requests().filter(|r| r.title.is_in([$own.title, "Zq7 nothing"]));
        assert_eq!($go!(found.all()).unwrap()[0].id, request.id);
        let searched = $client.requests().list().search($own.title);
        assert_eq!($go!(searched.all()).unwrap().len(), 1);
        assert!($go!($client.audit_log().list().all()).unwrap().len() > 3);
        $go!($client.update_request(request.id, |r| [r.title.set($own.team)])).unwrap();
        $go!($client.delete_request(request.id)).unwrap();
        assert!($go!($client.retrieve_request(request.id).optional()).unwrap().is_none());
        $go!($client.logout()).unwrap();
        assert_eq!($go!($client.whoami()).unwrap(), None);
    }};
}

macro_rules! jwt_journey {
    ($client:ident, $own:ident, $advance:ident, $go:ident) => {{
        $go!($client.login($own.username, $own.password)).unwrap();
        assert_eq!($go!($client.whoami()).unwrap().unwrap().username, $own.username);
        let users = $go!($client.users().list().all()).unwrap();
        let ids: Vec<Id<legacy::User>> = users.iter().map(|user| user.id.cast()).collect();
        let group = legacy::NewResearchGroup::new($own.team, ids[0]).members([ids[1]]);
        let group = $go!($client.create_research_group(group)).unwrap();
        assert_eq!((group.name.as_str(), group.members.len()), ($own.team, 1));
        // The access token is over after five minutes, and refreshed.
        $advance(Duration::from_secs(301));
        let requests = $client.legacy().requests();
        let new = legacy::NewAllocationRequest::new($own.title, $own.text, group.id);
        let request = $go!(requests.create(new)).unwrap();
        assert_eq!(request.title, $own.title);
        assert_eq!($go!(requests.list().all()).unwrap(), [request]);
        assert!($go!($client.legacy().request_log().list().all()).unwrap().len() > 3);
        $go!($client.delete_research_group(group.id)).unwrap();
        $go!($client.logout()).unwrap();
        assert!(!$client.is_authenticated());
    }};
}

async fn walk(
    client: keystone_client::KeystoneClient,
    own: &Own,
    dialect: Dialect,
    advance: impl Fn(Duration),
) {
    match dialect {
        Dialect::Jwt => jwt_journey!(client, own, advance, awaited),
        _ => session_journey!(client, own, awaited),
    }
}

fn walk_blocking(client: KeystoneClient, own: &Own, dialect: Dialect, advance: impl Fn(Duration)) {
    match dialect {
        Dialect::Jwt => jwt_journey!(client, own, advance, finished),
        _ => session_journey!(client, own, finished),
    }
}

/// Records the journey in one of the colours, and returns the text of the cassette.
fn record(path: &Path, dialect: Dialect, is_async: bool) -> (String, Sandbox) {
    let sandbox = sandbox(dialect);
    let recorder = Recorder::new(sandbox.clone(), path);
    let advance = |by| sandbox.advance(by);
    match is_async {
        true => {
            let client = keystone_client::KeystoneClient::builder(BASE).retry(retry());
            let client = client.backend(recorder.clone()).build().unwrap();
            pollster::block_on(walk(client, &TELLING, dialect, advance));
        }
        false => {
            let client = KeystoneClient::builder(BASE).retry(retry());
            let client = client.backend(recorder.clone()).build().unwrap();
            walk_blocking(client, &TELLING, dialect, advance);
        }
    }
    assert!(!path.exists());
    recorder.save().unwrap();
    (fs::read_to_string(path).unwrap(), sandbox)
}

fn replay(text: &str, own: &Own, dialect: Dialect, is_async: bool) {
    let replay = Replay::from_json(text).unwrap();
    match is_async {
        true => {
            let client = keystone_client::KeystoneClient::builder(BASE).retry(retry());
            let client = client.backend(replay.clone()).build().unwrap();
            pollster::block_on(walk(client, own, dialect, drop));
        }
        false => {
            let client = KeystoneClient::builder(BASE).retry(retry());
            let client = client.backend(replay.clone()).build().unwrap();
            walk_blocking(client, own, dialect, drop);
        }
    }
    replay.verify();
}

/// Every secret that has travelled, and every word that was marked.
fn telling(sandbox: &Sandbox) -> Vec<String> {
    let mut telling = vec!["Zq7".to_owned(), "zq7".to_owned()];
    for request in sandbox.requests() {
        for name in ["cookie", "x-csrftoken", "authorization"] {
            let Some(value) = request.headers().get(name) else { continue };
            telling.extend(value.to_str().unwrap().split([';', ' ', '=']).map(str::to_owned));
        }
        if let Some(refresh) =
            request.json().and_then(|it| Some(it["refresh"].as_str()?.to_owned()))
        {
            // The claims say who it is for; what makes it good is the signature.
            telling.extend(refresh.rsplit('.').next().map(str::to_owned));
        }
    }
    telling.retain(|it| it.len() > 12 || it.eq_ignore_ascii_case("zq7"));
    assert!(telling.len() > 3);
    telling
}

#[test]
fn a_journey_is_recorded_without_secrets_and_personal_data_and_replayed() {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        for is_async in [true, false] {
            let (_folder, path) = folder();
            let (text, sandbox) = record(&path, dialect, is_async);
            for word in telling(&sandbox) {
                let line = text.lines().find(|line| line.contains(&word));
                assert_eq!(line, None, "{dialect:?}: {word} is in the cassette");
            }
            for own in [&TELLING, &OTHER] {
                for is_async in [true, false] {
                    replay(&text, own, dialect, is_async);
                }
            }
        }
    }
}

#[test]
fn what_is_harmless_is_still_there() {
    let (_folder, path) = folder();
    let (text, _) = record(&path, Dialect::Session, false);
    for kept in [
        "\"format\": \"keystone-client cassette\"",
        "\"123.45\"",
        "\"2026-01-01\"",
        "\"role\": \"OW\"",
        "\"password\": \"[redacted]\"",
        "\"team with this name already exists.\"",
        "\"path\": \"/allocations/requests/1/\"",
        "set-cookie: sessionid=redacted-",
        "@example.invalid\"",
        "\"id\": 1",
    ] {
        assert!(text.contains(kept), "{kept} is not in the cassette:\n{text}");
    }
    assert!(text.ends_with("}\n"));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a draft is left");
}

#[test]
fn the_same_journey_gives_the_same_cassette_in_both_colours() {
    // Times and what the server draws by lot differ.
    let plain = |text: &str| -> Value {
        let mut cassette: Value = serde_json::from_str(text).unwrap();
        let entries = cassette["entries"].as_array_mut().unwrap();
        entries.iter().map(|entry| entry["request"].clone()).collect()
    };
    for dialect in [Dialect::Session, Dialect::Jwt] {
        let (_folder, path) = folder();
        let asynchronous = plain(&record(&path, dialect, true).0);
        fs::remove_file(&path).unwrap();
        assert_eq!(asynchronous, plain(&record(&path, dialect, false).0));
    }
}

#[test]
fn the_clock_is_that_of_the_recording() {
    let (_folder, path) = folder();
    let sandbox = sandbox(Dialect::Jwt);
    let recorded = sandbox.now();
    let (text, _) = record(&path, Dialect::Jwt, false);
    let replay = Replay::from_json(&text).unwrap().allow_unused();
    let before = replay.recorded_at();
    assert!(before.duration_since(recorded).unwrap() < Duration::from_secs(60));
    // Years later nothing has expired, and sessions end when they ended.
    let now = blocking::HttpBackend::now(&replay);
    assert_eq!(now.wall, before);
    blocking::HttpBackend::sleep(&replay, Duration::from_secs(5));
    assert_eq!(blocking::HttpBackend::now(&replay).wall, before + Duration::from_secs(5));
}
