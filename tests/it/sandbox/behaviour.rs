//! What recordings cannot show: several steps, time, other set-ups.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keystone_client::sandbox::{Database, Dialect, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin, body, cookie};

#[test]
fn sessions_end_by_time_by_logout_and_by_a_new_password() {
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
    let response = client.send("POST", "/authentication/logout/", None);
    assert_eq!((response.status().as_u16(), response.body().len()), (200, 0));
    assert!(!response.headers().contains_key("content-type"));
    client.expect(401, "GET", "/authentication/whoami/", None);

    let client = admin(&sandbox);
    let other = admin(&sandbox);
    client.expect(200, "PATCH", "/users/users/1/", Some(json!({"password": "An0ther!Pass"})));
    client.expect(401, "GET", "/authentication/whoami/", None);
    other.expect(401, "GET", "/authentication/whoami/", None);
    let client = Client::session(&sandbox, "admin", "An0ther!Pass");
    sandbox.expire_sessions();
    client.expect(401, "GET", "/authentication/whoami/", None);
}

#[test]
fn logging_in_again_keeps_the_session_of_the_same_user() {
    let sandbox = Sandbox::builder().staff("admin", "admin-password").user("u", "p").build();
    let client = admin(&sandbox);
    let again = json!({"username": "admin", "password": "admin-password"});
    let response = client.send("POST", "/authentication/login/", Some(again));
    let session = cookie(&response, "sessionid").unwrap();
    assert!(client.headers[0].1.contains(&session));
    client.get("/authentication/whoami/");
    let other = json!({"username": "u", "password": "p"});
    let response = client.send("POST", "/authentication/login/", Some(other));
    assert_eq!(body(&response)["username"], "u");
    client.expect(401, "GET", "/authentication/whoami/", None);
}

#[test]
fn a_malformed_csrf_cookie_is_replaced() {
    let sandbox = Sandbox::new();
    let mut client = admin(&sandbox);
    let session = client.headers[0].1.split(';').next().unwrap().to_owned();
    client.headers[0].1 = format!("{session}; csrftoken=short");
    let response = client.send("POST", "/users/teams/", Some(json!({"name": "x"})));
    let detail = "CSRF Failed: CSRF cookie has incorrect length.";
    assert_eq!((response.status().as_u16(), &body(&response)["detail"]), (403, &json!(detail)));
    assert_eq!(cookie(&response, "csrftoken").map(|it| it.len()), Some(32));
}

#[test]
fn tokens_carry_claims_and_expire() {
    let sandbox = Sandbox::builder()
        .dialect(Dialect::Jwt)
        .staff("admin", "admin-password")
        .access_token_lifetime(Duration::from_secs(60))
        .build();
    let (client, pair) = Client::jwt(&sandbox, "admin", "admin-password");
    let claims = |token: &Value| -> Value {
        let part = token.as_str().unwrap().split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let access = claims(&pair["access"]);
    assert_eq!(access["token_type"], "access");
    assert_eq!(access["user_id"], 1);
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
    client.expect(200, "POST", "/authentication/refresh/", Some(refresh.clone()));
    client.expect(200, "POST", "/authentication/blacklist/", Some(refresh.clone()));
    let refused = client.expect(401, "POST", "/authentication/refresh/", Some(refresh));
    assert_eq!(refused["detail"], "Token is blacklisted");
}

#[test]
fn deleting_drags_along_protects_and_strikes_out() {
    let sandbox = Sandbox::new();
    let client = admin(&sandbox);
    let insert = |resource: &str, record: Value| sandbox.insert(resource, record).unwrap();
    let user = insert("users/users", json!({"username": "someone"}));
    let team = insert("users/teams", json!({"name": "Stars"}));
    insert("users/memberships", json!({"user": user, "team": team, "role": "MB"}));
    let cluster = insert("allocations/clusters", json!({"name": "c", "access_teams": [team]}));
    let request = insert(
        "allocations/requests",
        json!({"title": "t", "description": "d", "submitter": user, "team": team}),
    );
    let allocation = json!({"requested": 1, "cluster": cluster, "request": request});
    insert("allocations/allocations", allocation);
    client.expect(500, "DELETE", &format!("/users/users/{user}/"), None);
    client.expect(500, "DELETE", &format!("/allocations/clusters/{cluster}/"), None);
    client.expect(500, "DELETE", "/users/users/1/", None);
    let members = format!("/users/teams/{team}/");
    assert_eq!(client.get(&members)["users"], json!([user]), "a failed delete changes nothing");
    client.expect(204, "DELETE", &members, None);
    client.expect(404, "DELETE", &members, None);
    for list in ["users/memberships", "allocations/requests", "allocations/allocations"] {
        assert_eq!(client.get(&format!("/{list}/"))["count"], 0, "{list}");
    }
    let cluster = client.get(&format!("/allocations/clusters/{cluster}/"));
    assert_eq!(cluster["access_teams"], json!([]));
    client.expect(204, "DELETE", &format!("/users/users/{user}/"), None);
}

#[test]
fn a_deleted_reviewer_leaves_a_review_without_reviewer() {
    let sandbox =
        Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "p").staff("other", "p").build();
    sandbox.insert("users/researchgroups", json!({"name": "g", "pi": 1})).unwrap();
    let request = json!({"title": "t", "description": "d", "group": 1});
    sandbox.insert("allocations/requests", request).unwrap();
    let review = json!({"status": "AP", "request": 1, "reviewer": 2});
    sandbox.insert("allocations/reviews", review).unwrap();
    let (client, _) = Client::jwt(&sandbox, "admin", "p");
    client.expect(500, "DELETE", "/users/users/1/", None);
    client.expect(204, "DELETE", "/users/users/2/", None);
    assert_eq!(client.get("/allocations/reviews/1/")["reviewer"], Value::Null);
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
fn changes_are_logged_with_the_id_of_the_request() {
    let sandbox = Sandbox::builder().staff("admin", "admin-password").user("u", "p").build();
    let mut client = admin(&sandbox);
    let cid = "0f8fad5b-d9cb-469f-a165-70867728950e";
    client.headers.push(("x-keystone-cid", cid.to_owned()));
    client.expect(201, "POST", "/users/teams/", Some(json!({"name": "Short lived"})));
    client.expect(200, "PATCH", "/users/teams/1/", Some(json!({})));
    client.expect(200, "PATCH", "/users/teams/1/", Some(json!({"is_active": false})));
    client.expect(400, "POST", "/users/teams/", Some(json!({"name": "Short lived"})));
    client.expect(204, "DELETE", "/users/teams/1/", None);
    let log = client.get(&format!("/logs/audit/?cid={cid}"));
    let entries = log["results"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["delete", "update", "create"]);
    assert_eq!(entries[1]["changes"], json!({"is_active": ["True", "False"]}));
    assert_eq!(entries[0]["record_name"], "users | Team");
    assert_eq!((&entries[0]["record_id"], &entries[0]["actor"]), (&json!(1), &json!(1)));
    assert_eq!(client.get("/logs/audit/?action=2")["count"], 1);
    client.expect(405, "DELETE", "/logs/audit/1/", None);
    Client::session(&sandbox, "u", "p").expect(403, "GET", "/logs/audit/", None);
    let unknown = sandbox.insert("logs/feed", json!({})).unwrap_err();
    assert_eq!(unknown.to_string(), "this server has no resource `logs/feed`");
}

#[test]
fn requests_are_logged_with_their_bodies_in_one_dialect() {
    let sandbox =
        Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "p").user("u", "p").build();
    let anonymous = Client::anonymous(&sandbox);
    let cluster = json!({"name": "c"});
    anonymous.expect(401, "POST", "/allocations/clusters/", Some(cluster.clone()));
    let (client, _) = Client::jwt(&sandbox, "admin", "p");
    client.expect(201, "POST", "/allocations/clusters/", Some(cluster));
    client.send("GET", "/users/users?id=1", None);
    client.send("GET", "/allocations/clusters/?id=1", None);
    let log = client.get("/logs/requests/");
    let shown: Vec<_> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            json!([
                entry["id"],
                entry["endpoint"],
                entry["response_code"],
                entry["body_request"],
                entry["user"]
            ])
        })
        .collect();
    let expected = [
        json!([1, "/allocations/clusters/", 401, "{\"name\":\"c\"}", null]),
        json!([2, "/authentication/new/", 200, "", null]),
        json!([3, "/allocations/clusters/", 201, "", 1]),
        json!([4, "/users/users?id=1", 404, "", null]),
        json!([5, "/allocations/clusters/?id=1", 200, "", 1]),
    ];
    assert_eq!(shown, expected);
    let response = log[4]["body_response"].as_str().unwrap();
    assert!(response.starts_with("[{\"id\":1,\"name\":\"c\""), "{response}");
    let listed: Value = client.get("/logs/requests/6/")["body_response"].clone();
    assert_eq!(serde_json::from_str::<Value>(listed.as_str().unwrap()).unwrap(), log);
    let (user, _) = Client::jwt(&sandbox, "u", "p");
    user.expect(403, "GET", "/logs/apps/", None);
    let tasks = [
        ("a", "2026-01-01T00:00:00Z"),
        ("b", "2026-01-03T00:00:00Z"),
        ("c", "2026-01-02T00:00:00Z"),
    ];
    for (task, done) in tasks {
        sandbox.insert("logs/tasks", json!({"task_id": task, "date_done": done})).unwrap();
    }
    let app = json!({"name": "a", "level": "ERROR", "lineno": 7, "message": " kept \n"});
    sandbox.insert("logs/apps", app).unwrap();
    let tasks = client.get("/logs/tasks/?status=PENDING");
    let tasks: Vec<_> = tasks.as_array().unwrap().iter().map(|task| &task["task_id"]).collect();
    assert_eq!(tasks, ["b", "c", "a"]);
    assert_eq!(client.get("/logs/apps/?level=ERROR")[0]["message"], " kept \n");
    let session = Sandbox::new();
    admin(&session).expect(404, "GET", "/logs/apps/", None);
}

#[test]
fn the_description_of_the_api_names_paths_and_methods() {
    let sandbox = Sandbox::builder().version("1.2.3").build();
    let client = Client::anonymous(&sandbox);
    let response = client.send("GET", "/openapi/json/", None);
    assert_eq!(response.headers()["content-type"], "application/vnd.oai.openapi+json");
    let document = body(&response);
    assert_eq!(
        (&document["openapi"], &document["info"]["version"]),
        (&json!("3.0.3"), &json!("1.2.3"))
    );
    let paths = document["paths"].as_object().unwrap();
    let methods = |path: &str| paths[path].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
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
    for path in paths.keys() {
        let path = path.replace("{id}", "1");
        let status = client.send("GET", &path, None).status().as_u16();
        assert!([200, 401, 405].contains(&status), "{path}: {status}");
    }
    let response = client.send("GET", "/openapi/yaml/", None);
    assert_eq!(response.headers()["content-type"], "application/vnd.oai.openapi; charset=utf-8");
    let text = String::from_utf8_lossy(response.body());
    let begin = "openapi: \"3.0.3\"\ninfo:\n  title: \"Keystone API\"\n  version: \"1.2.3\"\n";
    assert!(text.starts_with(begin), "{text}");
    let path = "  /authentication/login/:\n    post:\n      operationId: authentication_login_create\n      \
        security: []\n      responses:\n        \"200\":\n          description: \"\"\n";
    assert!(text.contains(path), "{text}");
    assert_eq!(client.send("GET", "/openapi/json", None).status(), 301);
}

#[test]
fn the_older_server_describes_its_api_to_users_without_slash() {
    let sandbox = Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "p").build();
    let anonymous = Client::anonymous(&sandbox);
    anonymous.expect(401, "GET", "/openapi/yaml", None);
    let (client, _) = Client::jwt(&sandbox, "admin", "p");
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
