//! Lists and records of each version, as they are sent.

use keystone_client::sandbox::Sandbox;
use serde_json::{Value, json};

use super::super::client::Client;
use super::{VERSIONS, builder, server};

fn admin(sandbox: &Sandbox) -> Client {
    if Client::anonymous(sandbox).send("GET", "/authentication/login/", None).status() == 404 {
        Client::jwt(sandbox, "admin", "admin-password").0
    } else {
        Client::session(sandbox, "admin", "admin-password")
    }
}

fn clusters(version: &str, names: &[&str]) -> Client {
    let sandbox = server(version);
    for name in names {
        sandbox.insert("allocations/clusters", json!({ "name": name })).unwrap();
    }
    admin(&sandbox)
}

/// The records of a list in any of its forms.
fn records(list: Value) -> Vec<Value> {
    match list {
        Value::Array(records) => records,
        Value::Object(mut envelope) => match envelope.remove("results") {
            Some(Value::Array(records)) => records,
            other => panic!("{other:?}"),
        },
        other => panic!("{other}"),
    }
}

fn names(list: Value) -> Vec<String> {
    records(list).iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

fn keys(record: &Value) -> Vec<&str> {
    record.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn lists_come_whole_then_with_headers_then_in_an_envelope() {
    let many: Vec<String> = (0..150).map(|number| format!("c{number:03}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (version, expected) in [
        ("0.3.26", None),
        ("0.4.1", None),
        ("0.7.3", None),
        ("0.7.4", Some(false)),
        ("0.7.5", Some(false)),
        ("0.8.0", Some(true)),
        ("0.10.9", Some(true)),
    ] {
        let client = clusters(version, &many);
        let response = client.send("GET", "/allocations/clusters/?_limit=20&_offset=140", None);
        let list: Value = serde_json::from_slice(response.body()).unwrap();
        let header = |name: &str| Some(response.headers().get(name)?.to_str().unwrap().to_owned());
        let count = header("x-total-count");
        match expected {
            None => assert_eq!((list.as_array().unwrap().len(), count), (150, None), "{version}"),
            Some(false) => {
                assert_eq!(list.as_array().unwrap().len(), 10, "{version}");
                let headers = [header("x-limit"), header("x-offset"), count].map(Option::unwrap);
                assert_eq!(headers, ["20", "140", "150"]);
                let default = client.get("/allocations/clusters/");
                assert_eq!(default.as_array().unwrap().len(), 100);
            }
            Some(true) => {
                assert_eq!((&list["count"], count), (&json!(150), None), "{version}");
                assert_eq!(list["results"].as_array().unwrap().len(), 10);
            }
        }
    }
}

#[test]
fn orders_and_searches_have_their_times() {
    for (version, order, search) in [
        ("0.3.26", None, false),
        ("0.4.1", None, false),
        ("0.5.0", Some("ordering"), false),
        ("0.5.8", Some("ordering"), false),
        ("0.5.9", Some("_order"), true),
        ("0.7.5", Some("_order"), true),
        ("0.10.9", Some("_order"), true),
    ] {
        let client = clusters(version, &["b", "c", "a"]);
        let list = |query: &str| names(client.get(&format!("/allocations/clusters/?{query}")));
        for parameter in ["ordering", "_order"] {
            let is_known = order == Some(parameter);
            let expected = if is_known { ["c", "b", "a"] } else { ["b", "c", "a"] };
            assert_eq!(list(&format!("{parameter}=-name")), expected, "{version} {parameter}");
        }
        assert_eq!(list("_search=a").len(), if search { 1 } else { 3 }, "{version}");
        assert_eq!(list("name=a"), ["a"], "{version}");
    }
}

#[test]
fn unknown_lookups_are_passed_over() {
    for (version, known) in [
        ("0.3.26", [].as_slice()),
        ("0.9.2", &[]),
        ("0.9.3", &["not_in", "not_contains"]),
        ("0.10.6", &["not_in", "not_contains"]),
        ("0.10.7", &["not_in", "not_contains", "not_eq", "not_startswith", "not_endswith"]),
    ] {
        let client = clusters(version, &["a", "b"]);
        for lookup in ["not_in", "not_contains", "not_eq", "not_startswith", "not_endswith"] {
            let list = names(client.get(&format!("/allocations/clusters/?name__{lookup}=a")));
            let expected = if known.contains(&lookup) { &["b"][..] } else { &["a", "b"] };
            assert_eq!(list, expected, "{version} {lookup}");
        }
        // It came and went again.
        let list = client.get("/allocations/clusters/?description__not_isnull=true");
        let is_known = matches!(version, "0.9.3" | "0.10.6");
        assert_eq!(records(list).is_empty(), is_known, "{version}");
    }
}

#[test]
fn some_lists_were_deaf_for_a_while() {
    for (version, deaf) in
        [("0.6.6", false), ("0.6.7", true), ("0.6.9", true), ("0.6.9.1", false), ("0.6.10", false)]
    {
        let sandbox = server(version);
        for team in ["Stars", "Moons"] {
            sandbox.insert("users/teams", json!({ "name": team })).unwrap();
            let grant = json!({
                "title": team, "agency": "NSF", "amount": 1, "grant_number": "1", "fiscal_year": 2026,
                "start_date": "2026-01-01", "end_date": "2026-12-31", "team": 1,
            });
            sandbox.insert("research/grants", grant).unwrap();
            sandbox.insert("allocations/clusters", json!({ "name": team })).unwrap();
        }
        let client = admin(&sandbox);
        for query in ["title=Moons", "_search=moons"] {
            let list = records(client.get(&format!("/research/grants/?{query}")));
            assert_eq!(list.len(), if deaf { 2 } else { 1 }, "{version} {query}");
        }
        let list = records(client.get("/research/grants/?_order=title"));
        assert_eq!(list[0]["title"], if deaf { "Stars" } else { "Moons" }, "{version}");
        assert_eq!(names(client.get("/allocations/clusters/?name=Moons")), ["Moons"]);
        let error = client.send("GET", "/research/grants/?start_date=never", None);
        assert_eq!(error.status().as_u16(), if deaf { 200 } else { 400 });
    }
}

/// A server with a record of every kind that can be made through its API.
fn populated(version: &str) -> Client {
    let sandbox = server(version);
    let client = admin(&sandbox);
    let since = |numbers: [u32; 3]| {
        let mut given = version.split('.').map(|it| it.parse::<u32>().unwrap());
        std::array::from_fn(|_| given.next().unwrap_or(0)) >= numbers
    };
    let post = |path: &str, body: Value| client.expect(201, "POST", path, Some(body));
    let teams = since([0, 5, 0]);
    let owner = if teams { "team" } else { "group" };
    let memberships = if since([0, 7, 4]) { "/users/memberships/" } else { "/users/membership/" };
    if teams {
        post("/users/teams/", json!({ "name": "Stars" }));
        post(memberships, json!({ "user": 2, "team": 1, "role": "OW" }));
    } else {
        post("/users/researchgroups/", json!({ "name": "Stars", "pi": 2 }));
    }
    post("/allocations/clusters/", json!({ "name": "atlas" }));
    let request = json!({ "title": "t", "description": "d", owner: 1, "submitter": 1 });
    post("/allocations/requests/", request);
    post("/allocations/allocations/", json!({ "requested": 7, "cluster": 1, "request": 1 }));
    post("/allocations/reviews/", json!({ "status": "AP", "request": 1 }));
    if since([0, 6, 0]) {
        post("/allocations/comments/", json!({ "content": "c", "request": 1 }));
    }
    let grant = json!({
        "title": "t", "agency": "NSF", "amount": 1, "currency": "USD", "grant_number": "1",
        "fiscal_year": 2026,
        "start_date": "2026-01-01", "end_date": "2026-12-31", owner: 1,
    });
    post("/research/grants/", grant);
    let publication = json!({
        "title": "t", "abstract": "a", "journal": "j", "date": "2026-01-01", owner: 1,
    });
    post("/research/publications/", publication);
    client
}

#[test]
fn records_have_what_their_version_has() {
    // Of each record a part, the versions that have it, and those that do not.
    #[rustfmt::skip]
    let parts: &[(&str, &str, &[&str], &[&str])] = &[
        ("/users/users/2/", "profile_image", &["0.4.1", "0.5.17", "0.10.1"], &["0.3.26", "0.10.2", "0.10.9"]),
        ("/users/users/2/", "membership", &["0.6.0", "0.8.7"], &["0.3.26", "0.5.17", "0.9.0"]),
        ("/users/users/2/", "_membership", &["0.9.0", "0.10.9"], &["0.5.17", "0.8.7"]),
        ("/users/users/2/", "display_name", &["0.8.7"], &["0.8.6"]),
        ("/users/users/2/", "_history", &["0.6.5"], &["0.6.4", "0.3.26"]),
        ("/users/teams/1/", "slug", &["0.8.0"], &["0.7.5", "0.5.0"]),
        ("/users/teams/1/", "users", &["0.5.0", "0.10.9"], &[]),
        ("/allocations/clusters/1/", "access_mode", &["0.8.2"], &["0.8.1", "0.3.26"]),
        ("/allocations/clusters/1/", "_access_teams", &["0.10.4"], &["0.10.3"]),
        ("/allocations/requests/1/", "group", &["0.3.26", "0.4.1"], &["0.5.0"]),
        ("/allocations/requests/1/", "submitter", &["0.5.0"], &["0.4.1"]),
        ("/allocations/requests/1/", "grants", &["0.5.15"], &["0.5.14"]),
        ("/allocations/requests/1/", "_team", &["0.6.0"], &["0.5.17"]),
        ("/allocations/requests/1/", "_submitter", &["0.6.8"], &["0.6.7"]),
        ("/allocations/requests/1/", "_allocations", &["0.6.12"], &["0.6.11"]),
        ("/allocations/requests/1/", "_comments", &["0.7.2"], &["0.7.1"]),
        ("/allocations/requests/1/", "_attachments", &["0.10.0"], &["0.9.5"]),
        ("/allocations/reviews/1/", "date_modified", &["0.4.1"], &["0.5.0"]),
        ("/allocations/reviews/1/", "last_modified", &["0.5.0", "0.6.13"], &["0.4.1", "0.6.14"]),
        ("/allocations/reviews/1/", "submitted", &["0.6.14"], &["0.6.13"]),
        ("/allocations/reviews/1/", "public_comments", &["0.3.26", "0.5.17"], &["0.6.0"]),
        ("/research/grants/1/", "fiscal_year", &["0.3.26", "0.5.0", "0.7.1"], &["0.7.2"]),
        ("/research/grants/1/", "description", &["0.8.2"], &["0.8.1"]),
        ("/research/grants/1/", "pi", &["0.10.6"], &["0.10.5"]),
        ("/research/publications/1/", "date", &["0.3.26", "0.5.14"], &["0.5.15"]),
        ("/research/publications/1/", "volume", &["0.5.15"], &["0.5.14"]),
        ("/research/publications/1/", "preparation", &["0.5.15", "0.7.1"], &["0.5.14", "0.7.2"]),
    ];
    for (path, part, having, lacking) in parts {
        for (versions, expected) in [(having, true), (lacking, false)] {
            for version in *versions {
                let record = populated(version).get(path);
                assert_eq!(record.get(part).is_some(), expected, "{path} {part} {version}");
            }
        }
    }
}

#[test]
fn records_within_others_have_what_their_version_has() {
    #[rustfmt::skip]
    let parts: &[(&str, &str, &str, &str)] = &[
        ("/allocations/requests/1/", "/_submitter/id", "0.6.12", "0.6.13"),
        ("/allocations/requests/1/", "/_submitter/department", "0.7.1", "0.7.2"),
        ("/allocations/requests/1/", "/_submitter/display_name", "0.8.6", "0.8.7"),
        ("/allocations/requests/1/", "/_team/id", "0.6.12", "0.6.13"),
        ("/allocations/requests/1/", "/_team/slug", "0.8.3", "0.8.4"),
        ("/allocations/requests/1/", "/_comments/0/id", "0.8.5", "0.8.6"),
        ("/allocations/requests/1/", "/_allocations/0/_cluster/id", "0.6.12", "0.6.13"),
        ("/allocations/allocations/1/", "/_request/id", "0.6.12", "0.6.13"),
        ("/allocations/requests/1/", "/_history/0/_actor", "0.6.15", "0.6.16"),
        ("/users/users/2/", "/membership/0/_team/name", "0.5.17", "0.6.0"),
        ("/users/teams/1/", "/_membership/0/_user/username", "0.8.7", "0.9.0"),
    ];
    for (path, part, before, since) in parts {
        assert!(populated(before).get(path).pointer(part).is_none(), "{part} {before}");
        assert!(populated(since).get(path).pointer(part).is_some(), "{part} {since}");
    }
}

#[test]
fn grants_within_requests_were_whole_at_first() {
    for (version, team, history) in [
        ("0.6.0", true, false),
        ("0.6.5", true, true),
        ("0.6.13", true, true),
        ("0.6.14", false, false),
    ] {
        let client = populated(version);
        client.expect(200, "PATCH", "/allocations/requests/1/", Some(json!({ "grants": [1] })));
        let grant = client.get("/allocations/requests/1/")["_grants"][0].take();
        assert_eq!(grant["fiscal_year"], 2026);
        assert_eq!(grant.get("_team").is_some(), team, "{version}");
        assert_eq!(grant.get("_history").is_some(), history, "{version}");
    }
}

#[test]
fn records_before_0_6_0_are_flat() {
    for version in ["0.3.26", "0.4.1", "0.5.0", "0.5.17"] {
        let client = populated(version);
        for path in ["requests", "allocations", "reviews", "clusters"] {
            let record = client.get(&format!("/allocations/{path}/1/"));
            assert!(keys(&record).iter().all(|key| !key.starts_with('_')), "{version} {record}");
        }
    }
    let request = populated("0.5.17").get("/allocations/requests/1/");
    assert_eq!(request["submitted"].as_str().unwrap().len(), "2026-11-22".len());
    let request = populated("0.6.14").get("/allocations/requests/1/");
    assert!(request["submitted"].as_str().unwrap().contains('T'));
}

#[test]
fn indexes_name_what_is_there() {
    let index = |version: &str, group: &str| {
        let index = admin(&server(version)).get(&format!("/{group}/"));
        index.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(index("0.7.3", "users"), ["membership", "teams", "users"]);
    assert_eq!(index("0.7.4", "users"), ["memberships", "teams", "users"]);
    assert_eq!(index("0.4.1", "users"), ["researchgroups", "users"]);
    assert_eq!(index("0.6.21", "logs"), ["apps", "audit", "requests", "tasks"]);
    assert_eq!(index("0.7.0", "logs"), ["audit", "requests", "tasks"]);
    assert_eq!(index("0.5.2", "allocations"), ["allocations", "clusters", "requests", "reviews"]);
}

#[test]
fn what_is_required_depends_on_the_version() {
    let errors = |version: &str, path: &str, body: Value| {
        let client = admin(&server(version));
        let errors = client.expect(400, "POST", path, Some(body));
        errors.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    let grants = |version| errors(version, "/research/grants/", json!({ "title": "t" }));
    let common =
        ["agency", "amount", "end_date", "fiscal_year", "grant_number", "start_date", "team"];
    assert_eq!(grants("0.7.1"), common);
    assert_eq!(
        grants("0.8.1"),
        ["agency", "amount", "end_date", "grant_number", "start_date", "team"]
    );
    assert_eq!(grants("0.8.2"), ["agency", "amount", "grant_number", "start_date", "team"]);
    assert_eq!(grants("0.10.6"), ["agency", "amount", "start_date", "team"]);
    let requests = |version| errors(version, "/allocations/requests/", json!({ "title": "t" }));
    assert_eq!(requests("0.9.5"), ["description", "team"]);
    assert_eq!(requests("0.10.0"), ["description", "submitter", "team"]);
}

#[test]
fn updates_and_deletions_depend_on_the_version() {
    // The name of a team is fixed since 0.10.3, and for a while only it could be set.
    for (version, name, active) in [
        ("0.5.17", "New", false),
        ("0.6.0", "New", true),
        ("0.7.5", "New", true),
        ("0.8.0", "New", false),
        ("0.10.2", "New", false),
        ("0.10.3", "Stars", false),
    ] {
        let client = populated(version);
        let changes = json!({ "name": "New", "is_active": false });
        let team = client.expect(200, "PATCH", "/users/teams/1/", Some(changes));
        assert_eq!(
            (&team["name"], &team["is_active"]),
            (&json!(name), &json!(active)),
            "{version}"
        );
    }
    for (version, status) in [("0.3.26", 204), ("0.5.17", 204), ("0.10.3", 204), ("0.10.4", 500)] {
        let client = populated(version);
        client.expect(status, "DELETE", "/allocations/clusters/1/", None);
        let allocation = if status == 204 { 404 } else { 200 };
        client.expect(allocation, "GET", "/allocations/allocations/1/", None);
    }
    for (version, status) in [("0.6.3.1", 201), ("0.6.4", 400)] {
        let twin = Some(json!({ "name": "atlas" }));
        populated(version).expect(status, "POST", "/allocations/clusters/", twin);
    }
}

#[test]
fn others_records_are_hidden_or_refused() {
    for (version, status) in [("0.4.1", 404), ("0.5.17", 404), ("0.6.6", 404), ("0.6.7", 403)] {
        let admin = populated(version);
        let eve = json!({ "username": "eve", "password": "correct horse battery",
            "first_name": "E", "last_name": "V", "email": "eve@example.org" });
        admin.expect(201, "POST", "/users/users/", Some(eve));
        let client = Client::session(admin.server, "eve", "correct horse battery");
        client.expect(status, "GET", "/allocations/requests/1/", None);
    }
    for (version, teams) in [("0.8.4", 1), ("0.8.5", 0)] {
        let sandbox = builder(version).build();
        sandbox.insert("users/teams", json!({ "name": "Stars" })).unwrap();
        let client = Client::session(&sandbox, "ada", "ada-password");
        assert_eq!(records(client.get("/users/teams/")).len(), teams, "{version}");
    }
}

#[test]
fn every_version_can_be_populated() {
    for version in VERSIONS {
        let client = populated(version);
        for path in
            ["allocations/requests", "allocations/reviews", "research/grants", "users/users"]
        {
            assert!(!records(client.get(&format!("/{path}/"))).is_empty(), "{version} {path}");
        }
    }
}
