//! What recordings cannot show: several steps, time, other set-ups.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystone_client::sandbox::{Database, Dialect, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin, body, cookie};
use crate::support::target::{PASSWORD, Target};

#[test]
fn sessions_end_by_time() {
    let sandbox = Sandbox::new();
    let client = admin(&sandbox);
    client.get("/authentication/whoami/");
    sandbox.advance(Duration::from_secs(14 * 86_400 - 60));
    client.get("/authentication/whoami/");
    sandbox.advance(Duration::from_secs(120));
    let response = client.send("GET", "/authentication/whoami/", None);
    assert_eq!(response.status(), 401);
    assert_eq!(cookie(&response, "sessionid").as_deref(), Some("\"\""));
    let client = admin(&sandbox);
    sandbox.expire_sessions();
    client.expect(401, "GET", "/authentication/whoami/", None);
}

#[test]
fn sessions_end_by_logout_and_by_a_new_password() {
    let Some(server) = Target::session() else {
        return;
    };
    let (id, name) = server.user("ada");
    let client = Client::session(&server, &name, PASSWORD);
    let response = client.send("POST", "/authentication/logout/", None);
    assert_eq!((response.status().as_u16(), response.body().len()), (200, 0));
    assert!(!response.headers().contains_key("content-type"));
    client.expect(401, "GET", "/authentication/whoami/", None);

    let client = Client::session(&server, &name, PASSWORD);
    let other = Client::session(&server, &name, PASSWORD);
    let own = format!("/users/users/{id}/");
    client.expect(200, "PATCH", &own, Some(json!({"password": "An0ther!Pass"})));
    client.expect(401, "GET", "/authentication/whoami/", None);
    other.expect(401, "GET", "/authentication/whoami/", None);
    Client::session(&server, &name, "An0ther!Pass").get("/authentication/whoami/");
}

#[test]
fn logging_in_again_keeps_the_session_of_the_same_user() {
    let Some(server) = Target::session() else {
        return;
    };
    let (one, two) = (server.user("one").1, server.user("two").1);
    let client = Client::session(&server, &one, PASSWORD);
    let again = json!({"username": one, "password": PASSWORD});
    let response = client.send("POST", "/authentication/login/", Some(again));
    let session = cookie(&response, "sessionid").unwrap();
    assert!(client.headers[0].1.contains(&session));
    client.get("/authentication/whoami/");
    let other = json!({"username": two, "password": PASSWORD});
    let response = client.send("POST", "/authentication/login/", Some(other));
    assert_eq!(body(&response)["username"], two);
    client.expect(401, "GET", "/authentication/whoami/", None);
}

#[test]
fn a_malformed_csrf_cookie_is_replaced() {
    let Some(server) = Target::session() else {
        return;
    };
    let mut client = server.admin();
    let session = client.headers[0].1.split(';').next().unwrap().to_owned();
    client.headers[0].1 = format!("{session}; csrftoken=short");
    let response = client.send("POST", "/users/teams/", Some(json!({"name": "x"})));
    let detail = "CSRF Failed: CSRF cookie has incorrect length.";
    assert_eq!((response.status().as_u16(), &body(&response)["detail"]), (403, &json!(detail)));
    assert_eq!(cookie(&response, "csrftoken").map(|it| it.len()), Some(32));
}

fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn tokens_expire() {
    let sandbox = Sandbox::builder()
        .dialect(Dialect::Jwt)
        .staff("admin", "admin-password")
        .access_token_lifetime(Duration::from_secs(60))
        .build();
    let (client, pair) = Client::jwt(&sandbox, "admin", "admin-password");
    let access = claims(&pair["access"]);
    assert_eq!(access["exp"].as_u64().unwrap() - access["iat"].as_u64().unwrap(), 60);
    client.get("/users/users/1/");
    sandbox.advance(Duration::from_secs(61));
    let refused = client.expect(401, "GET", "/users/users/1/", None);
    assert_eq!(refused["code"], "token_not_valid");
    let refresh = json!({"refresh": pair["refresh"]});
    let fresh = client.expect(200, "POST", "/authentication/refresh/", Some(refresh.clone()));
    let fresh_claims = claims(&fresh["access"]);
    assert_eq!(fresh_claims["iat"], access["iat"]);
    assert!(fresh_claims["exp"].as_u64() > access["exp"].as_u64());
    let bearer = format!("Bearer {}", fresh["access"].as_str().unwrap());
    let client = Client { server: (&sandbox).into(), headers: vec![("authorization", bearer)] };
    client.get("/users/users/1/");
    sandbox.expire_access_tokens();
    client.expect(401, "GET", "/users/users/1/", None);
    client.expect(200, "POST", "/authentication/refresh/", Some(refresh));
}

#[test]
fn tokens_carry_claims_are_refreshed_and_blacklisted() {
    let Some(server) = Target::jwt() else {
        return;
    };
    let (id, name) = server.user("ada");
    let (client, pair) = Client::jwt(&server, &name, PASSWORD);
    let (access, refresh) = (claims(&pair["access"]), claims(&pair["refresh"]));
    assert_eq!((&access["token_type"], &access["user_id"]), (&json!("access"), &json!(id)));
    assert_eq!((&refresh["token_type"], &refresh["user_id"]), (&json!("refresh"), &json!(id)));
    assert!(access["exp"].as_u64() < refresh["exp"].as_u64());
    client.get(&format!("/users/users/{id}/"));
    let refresh = json!({"refresh": pair["refresh"]});
    let fresh = client.expect(200, "POST", "/authentication/refresh/", Some(refresh.clone()));
    assert_eq!(claims(&fresh["access"])["iat"], access["iat"]);
    let bearer = format!("Bearer {}", fresh["access"].as_str().unwrap());
    let again = Client { server: (&server).into(), headers: vec![("authorization", bearer)] };
    again.get(&format!("/users/users/{id}/"));
    client.expect(200, "POST", "/authentication/blacklist/", Some(refresh.clone()));
    let refused = client.expect(401, "POST", "/authentication/refresh/", Some(refresh));
    assert_eq!(refused["detail"], "Token is blacklisted");
    let spoilt = format!("{}x", again.headers[0].1);
    let spoilt = Client { server: (&server).into(), headers: vec![("authorization", spoilt)] };
    let refused = spoilt.expect(401, "GET", "/users/users/", None);
    assert_eq!(refused["code"], "token_not_valid");
}

#[test]
fn deleting_drags_along_protects_and_strikes_out() {
    let Some(server) = Target::session() else {
        return;
    };
    let (staff, name) = server.staff("boss");
    let client = Client::session(&server, &name, PASSWORD);
    let user = server.user("someone").0;
    let insert = |resource: &str, record: Value| server.insert(resource, record);
    let team = insert("users/teams", json!({"name": server.name("Stars")}));
    insert("users/memberships", json!({"user": user, "team": team, "role": "MB"}));
    let cluster =
        insert("allocations/clusters", json!({"name": server.name("c"), "access_teams": [team]}));
    let request = insert(
        "allocations/requests",
        json!({"title": "t", "description": "d", "submitter": user, "team": team}),
    );
    let allocation = json!({"requested": 1, "cluster": cluster, "request": request});
    insert("allocations/allocations", allocation);
    client.expect(500, "DELETE", &format!("/users/users/{user}/"), None);
    client.expect(500, "DELETE", &format!("/allocations/clusters/{cluster}/"), None);
    // The log would name somebody who is gone.
    client.expect(500, "DELETE", &format!("/users/users/{staff}/"), None);
    let members = format!("/users/teams/{team}/");
    assert_eq!(client.get(&members)["users"], json!([user]), "a failed delete changes nothing");
    client.expect(204, "DELETE", &members, None);
    client.expect(404, "DELETE", &members, None);
    for list in [
        format!("users/memberships/?user={user}"),
        format!("allocations/requests/?submitter={user}"),
        format!("allocations/allocations/?cluster={cluster}"),
    ] {
        assert_eq!(client.get(&format!("/{list}"))["count"], 0, "{list}");
    }
    let cluster = client.get(&format!("/allocations/clusters/{cluster}/"));
    assert_eq!(cluster["access_teams"], json!([]));
    client.expect(204, "DELETE", &format!("/users/users/{user}/"), None);
}

#[test]
fn a_deleted_reviewer_leaves_a_review_without_reviewer() {
    let Some(server) = Target::jwt() else {
        return;
    };
    let (pi, (reviewer, name)) = (server.user("pi").0, server.staff("reviewer"));
    let group = json!({"name": server.name("g"), "pi": pi});
    let group = server.insert("users/researchgroups", group);
    let request = json!({"title": "t", "description": "d", "group": group});
    let request = server.insert("allocations/requests", request);
    let review = json!({"status": "AP", "request": request, "reviewer": reviewer});
    let (of_reviewer, _) = Client::jwt(&server, &name, PASSWORD);
    let review = of_reviewer.expect(201, "POST", "/allocations/reviews/", Some(review));
    let client = server.admin();
    client.expect(500, "DELETE", &format!("/users/users/{pi}/"), None);
    client.expect(204, "DELETE", &format!("/users/users/{reviewer}/"), None);
    let review = client.get(&format!("/allocations/reviews/{}/", review["id"]));
    assert_eq!(review["reviewer"], Value::Null);
}

/// What follows the name of the server.
fn path(link: &Value) -> Option<&str> {
    let (_, rest) = link.as_str()?.split_once("://").unwrap();
    rest.find('/').map(|at| &rest[at..])
}

#[test]
fn pages_of_a_list() {
    let Some(server) = Target::session() else {
        return;
    };
    let made: Vec<u64> = (1..=12)
        .map(|number| {
            let name = server.name(&format!("Team {number}"));
            server.insert("users/teams", json!({"name": name}))
        })
        .collect();
    let (client, end) = (server.admin(), server.name(""));
    let page = |query: &str| client.get(&format!("/users/teams/?name__endswith={end}&{query}"));
    let ids = |page: &Value| -> Vec<u64> {
        let records = page["results"].as_array().unwrap().iter();
        records.map(|record| record["id"].as_u64().unwrap()).collect()
    };
    let first = page("_order=-id&x=a%20b&_limit=5");
    assert_eq!(ids(&first), made.iter().rev().take(5).copied().collect::<Vec<_>>());
    assert_eq!(first["count"], 12);
    let next = format!("/users/teams/?_limit=5&_offset=5&_order=-id&name__endswith={end}&x=a+b");
    assert_eq!(path(&first["next"]), Some(next.as_str()));
    assert_eq!(first["previous"], Value::Null);
    for (query, count) in [("_limit=5000", 12), ("_limit=0", 12), ("_limit=7&_limit=3", 3)] {
        assert_eq!(ids(&page(query)).len(), count, "{query}");
    }
    let last = page("_order=id&_limit=5&_offset=10");
    assert_eq!((ids(&last), &last["next"]), (made[10..].to_vec(), &Value::Null));
    let beyond = page("_limit=10&_offset=5000");
    assert_eq!((ids(&beyond).len(), &beyond["next"]), (0, &Value::Null));
    let previous = format!("/users/teams/?_limit=10&_offset=4990&name__endswith={end}");
    assert_eq!(path(&beyond["previous"]), Some(previous.as_str()));
    let rest = page(&format!("id__gt={}&_order=id&_limit=3", made[6]));
    assert_eq!((ids(&rest), &rest["count"]), (made[7..10].to_vec(), &json!(5)));
}

#[test]
fn pages_of_a_long_list() {
    let sandbox = Sandbox::new();
    for number in 1..=1050 {
        sandbox.insert("users/teams", json!({"name": format!("Team {number}")})).unwrap();
    }
    let client = admin(&sandbox);
    let page = |query: &str| client.get(&format!("/users/teams/?{query}"));
    let count = |page: &Value| page["results"].as_array().unwrap().len();
    let first = page("_order=-id&x=a%20b");
    assert_eq!((count(&first), first["count"].as_u64()), (100, Some(1050)));
    assert_eq!(first["results"][0]["id"], 1050);
    let next = "http://localhost/users/teams/?_limit=100&_offset=100&_order=-id&x=a+b";
    assert_eq!(first["next"], next);
    assert_eq!(first["previous"], Value::Null);
    assert_eq!(count(&page("_limit=5000")), 1000);
    assert_eq!(count(&page("_limit=0")), 100);
    assert_eq!(count(&page("_limit=7&_limit=3")), 3);
    let last = page("_limit=1000&_offset=1000");
    assert_eq!((count(&last), &last["next"]), (50, &Value::Null));
    assert_eq!(last["previous"], "http://localhost/users/teams/?_limit=1000");
    let exact = page("_limit=50&_offset=1000");
    assert_eq!((count(&exact), &exact["next"]), (50, &Value::Null));
    let beyond = page("_limit=10&_offset=5000");
    assert_eq!((count(&beyond), &beyond["next"]), (0, &Value::Null));
    assert_eq!(beyond["previous"], "http://localhost/users/teams/?_limit=10&_offset=4990");
    let rest = page("id__gt=1045&_order=id&_limit=3");
    assert_eq!((count(&rest), rest["count"].as_u64()), (3, Some(5)));
}

#[test]
fn databases_differ_in_order_case_and_range() {
    for database in [Database::Sqlite, Database::Postgres] {
        let postgres = database == Database::Postgres;
        let sandbox =
            Sandbox::builder().database(database).staff("admin", "admin-password").build();
        let client = admin(&sandbox);
        for name in ["One", "Two", "Three"] {
            sandbox.insert("allocations/clusters", json!({"name": name})).unwrap();
        }
        client.expect(200, "PATCH", "/allocations/clusters/1/", Some(json!({"enabled": false})));
        let ids = |query: &str| -> Vec<i64> {
            let page = client.get(&format!("/allocations/clusters/?{query}"));
            let records = page["results"].as_array().unwrap().iter();
            records.map(|record| record["id"].as_i64().unwrap()).collect()
        };
        let moved = if postgres { [2, 3, 1] } else { [1, 2, 3] };
        assert_eq!(ids(""), moved);
        assert_eq!(ids("_order=id"), [1, 2, 3]);
        assert_eq!(ids("_order=enabled,-id"), [1, 3, 2]);
        assert_eq!(ids("name__startswith=t").is_empty(), postgres);
        client.expect(201, "POST", "/users/teams/", Some(json!({"name": "Team"})));
        let request = json!({"title": "t", "description": "d", "submitter": 1, "team": 1});
        client.expect(201, "POST", "/allocations/requests/", Some(request));
        let much = json!({"requested": 2_147_483_648_i64, "cluster": 1, "request": 1});
        let status = if postgres { 400 } else { 201 };
        client.expect(status, "POST", "/allocations/allocations/", Some(much));
    }
}

#[test]
fn the_description_of_the_api_names_paths_and_methods() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = Client::anonymous(&server);
    let response = client.send("GET", "/openapi/json/", None);
    assert_eq!(response.headers()["content-type"], "application/vnd.oai.openapi+json");
    let document = body(&response);
    assert_eq!(document["openapi"], "3.0.3");
    let version = client.send("GET", "/version/", None);
    assert_eq!(document["info"]["version"], String::from_utf8_lossy(version.body()).trim());
    let paths = document["paths"].as_object().unwrap();
    let methods = |path: &str| {
        let mut methods: Vec<_> = paths[path].as_object().unwrap().keys().cloned().collect();
        methods.sort();
        methods
    };
    assert_eq!(methods("/users/teams/"), ["get", "post"]);
    assert_eq!(methods("/users/teams/{id}/"), ["delete", "get", "patch", "put"]);
    assert_eq!(methods("/notifications/notifications/{id}/"), ["get", "patch"]);
    assert_eq!(methods("/stats/grants/"), ["get"]);
    assert!(!paths.contains_key("/logs/apps/") && !paths.contains_key("/"));
    let mut ids: Vec<_> = paths.values().flat_map(|it| it.as_object().unwrap().values()).collect();
    ids.sort_by_key(|operation| operation["operationId"].to_string());
    let count = ids.len();
    ids.dedup_by_key(|operation| operation["operationId"].to_string());
    assert_eq!(ids.len(), count);
    for path in paths.keys().filter(|path| !path.contains("health")) {
        let path = path.replace("{id}", "1");
        let status = client.send("GET", &path, None).status().as_u16();
        assert!([200, 401, 405].contains(&status), "{path}: {status}");
    }
    let response = client.send("GET", "/openapi/yaml/", None);
    assert_eq!(response.headers()["content-type"], "application/vnd.oai.openapi; charset=utf-8");
    assert_eq!(client.send("GET", "/openapi/json", None).status(), 301);
}

#[test]
fn the_description_of_the_api_in_lines() {
    let client = Client::anonymous(&Sandbox::builder().version("1.2.3").build());
    let response = client.send("GET", "/openapi/yaml/", None);
    let text = String::from_utf8_lossy(response.body());
    let begin = "openapi: \"3.0.3\"\ninfo:\n  title: \"Keystone API\"\n  version: \"1.2.3\"\n";
    assert!(text.starts_with(begin), "{text}");
    let path = "  /authentication/login/:\n    post:\n      operationId: authentication_login_create\n      \
        security: []\n      responses:\n        \"200\":\n          description: \"\"\n";
    assert!(text.contains(path), "{text}");
}

#[test]
fn the_older_server_describes_its_api_to_users_without_slash() {
    let Some(server) = Target::jwt() else {
        return;
    };
    let anonymous = Client::anonymous(&server);
    anonymous.expect(401, "GET", "/openapi/yaml", None);
    let client = server.admin();
    let document = client.get("/openapi/json");
    assert!(document["paths"]["/users/researchgroups/"]["post"].is_object());
    assert!(document["paths"].get("/version/").is_none(), "a page outside the API");
    client.expect(404, "GET", "/openapi/json/", None);
    let mut picky = client.clone();
    picky.headers.push(("accept", "text/html".to_owned()));
    let response = picky.send("GET", "/openapi/json", None);
    assert_eq!(response.status(), 406);
    assert_eq!(response.headers()["content-type"], "application/vnd.oai.openapi+json");
    picky.headers.pop();
    picky.headers.push(("accept", "application/json".to_owned()));
    let response = picky.send("GET", "/openapi/json", None);
    assert_eq!(response.headers()["content-type"], "application/json");
}

#[test]
fn failing_checks_show_in_every_health_report() {
    let sandbox = Sandbox::builder()
        .failing_check("Redis", "Down: \"no\" answer")
        .failing_check("LDAP", "Down")
        .build();
    let client = Client::anonymous(&sandbox);
    let response = client.send("GET", "/health/", None);
    assert_eq!((response.status().as_u16(), response.body().len()), (500, 0));
    let report = client.get("/health/json/");
    let checks = report["data"].as_array().unwrap().iter();
    let failing: Vec<_> = checks.filter(|check| check["healthy"] == false).collect();
    let names: Vec<_> = failing.iter().map(|check| &check["check"]).collect();
    assert_eq!(names, ["Redis", "LDAP"]);
    assert_eq!(failing[0]["error"], "Down: \"no\" answer");
    let gauges = client.send("GET", "/health/prom/", None);
    let gauges = String::from_utf8_lossy(gauges.body()).into_owned();
    let lines = gauges.lines().filter(|line| line.starts_with("keystone_health_check_status{"));
    let values: Vec<_> = lines.map(|line| line.split_once("check=").unwrap().1).collect();
    let expected = [
        "\"SMTP\"} 200.0",
        "\"Database\"} 200.0",
        "\"Storage\"} 200.0",
        "\"Redis\"} 500.0",
        "\"Celery\"} 200.0",
        "\"LDAP\"} 500.0",
    ];
    assert_eq!(values, expected);

    let legacy = Sandbox::builder().dialect(Dialect::Jwt);
    let legacy = legacy.failing_check("DatabaseBackend", "Down: \"no\" answer").build();
    let client = Client::anonymous(&legacy);
    client.expect(500, "GET", "/health/", None);
    assert_eq!(client.get("/health/json/")["DatabaseBackend"]["status"], 500);
    assert_eq!(client.get("/health/json/")["RedisHealthCheck"]["message"], "working");
    let gauges = client.send("GET", "/health/prom/", None);
    let gauges = String::from_utf8_lossy(gauges.body()).into_owned();
    assert!(gauges.contains("message=\"Down: \\\"no\\\" answer\"} 500.0"), "{gauges}");
}

#[test]
fn a_server_below_a_prefix() {
    let sandbox = Sandbox::builder().staff("admin", "p").path_prefix("keystone/").build();
    let client = Client::anonymous(&sandbox);
    client.expect(404, "GET", "/version/", None);
    client.expect(404, "GET", "/keystoneversion/", None);
    client.expect(200, "GET", "/keystone/version/", None);
    let moved = client.send("GET", "/keystone/users/teams?a=b", None);
    assert_eq!(moved.headers()["location"], "/keystone/users/teams/?a=b");
}
