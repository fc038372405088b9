//! More of what real servers answered where the sandbox once did otherwise: rules, sessions, logs,
//! numbers and orders.

use keystone_client::sandbox::{Database, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin, cookie};
use super::differences::{jwt, sandbox};

#[test]
fn only_staff_fill_inactive_teams() {
    let sandbox = sandbox();
    let idle = json!({"name": "Idle", "is_active": false});
    sandbox.insert("users/teams", idle).unwrap();
    sandbox.insert("users/memberships", json!({"user": 2, "team": 2, "role": "OW"})).unwrap();
    let owner = Client::session(&sandbox, "owner", "p");
    let message = "Non-staff cannot create a membership for an inactive team.";
    let membership = json!({"user": 3, "team": 2, "role": "MB"});
    for (method, path) in [("POST", "/users/memberships/"), ("PUT", "/users/memberships/1/")] {
        let refused = owner.expect(400, method, path, Some(membership.clone()));
        assert_eq!(refused, json!({"team": [message]}), "{method}");
    }
    let moved = json!({"team": 2, "user": 3});
    let refused = owner.expect(400, "PATCH", "/users/memberships/1/", Some(moved));
    assert_eq!(refused, json!({"team": [message]}));
    admin(&sandbox).expect(201, "POST", "/users/memberships/", Some(membership));
}

#[test]
fn that_a_team_is_inactive_matters_before_its_name() {
    let sandbox = sandbox();
    let owner = Client::session(&sandbox, "owner", "p");
    let team = json!({"name": "stars!", "is_active": false});
    let refused = owner.expect(400, "POST", "/users/teams/", Some(team));
    assert!(refused.get("is_active").is_some(), "{refused}");
}

#[test]
fn a_login_renews_the_session() {
    let day = std::time::Duration::from_secs(86_400);
    let sandbox = Sandbox::builder().staff("admin", "p").session_lifetime(10 * day).build();
    let client = Client::session(&sandbox, "admin", "p");
    sandbox.advance(9 * day);
    let again = json!({"username": "admin", "password": "p"});
    let response = client.send("POST", "/authentication/login/", Some(again));
    assert_eq!(response.status(), 200);
    let key = cookie(&response, "sessionid").unwrap();
    assert!(client.headers[0].1.contains(&key));
    sandbox.advance(9 * day);
    client.get("/users/users/1/");
    sandbox.advance(2 * day);
    client.expect(401, "GET", "/users/users/1/", None);
}

#[test]
fn request_logs_with_bodies_have_them_in_every_release() {
    let sandbox = Sandbox::builder().version("0.5.3").staff("admin", "p").build();
    let client = Client::session(&sandbox, "admin", "p");
    client.get("/users/users/1/");
    let log = client.get("/logs/requests/");
    assert_eq!(
        (&log[0]["user"], &log[0]["endpoint"]),
        (&json!(1), &json!("/authentication/login/"))
    );
    assert!(log[1]["body_response"].as_str().unwrap().contains("admin"), "{log}");
    client.send("POST", "/authentication/logout/", None);
    let log = Client::session(&sandbox, "admin", "p").get("/logs/requests/");
    assert_eq!(log[3]["user"], json!(null), "{log}");
}

#[test]
fn permissions_go_with_the_tables() {
    let path = "/allocations/clusters/99/";
    for (version, status) in [("0.3.26", 403), ("0.4.1", 403), ("0.5.0", 404)] {
        let builder = Sandbox::builder().version(version).staff("admin", "p").user("lone", "p");
        let sandbox = builder.build();
        let lone = match version {
            "0.3.26" => Client::jwt(&sandbox, "lone", "p").0,
            _ => Client::session(&sandbox, "lone", "p"),
        };
        assert_eq!(lone.send("DELETE", path, None).status(), status, "{version}");
    }
}

#[test]
fn who_is_gone_cannot_be_logged() {
    let (sandbox, admin, _) = jwt();
    sandbox.insert("users/users", json!({"username": "x", "password": "p"})).unwrap();
    let staff = json!({"is_staff": true});
    admin.expect(200, "PATCH", "/users/users/3/", Some(staff));
    let (own, _) = Client::jwt(&sandbox, "x", "p");
    let logged = admin.get("/logs/requests/").as_array().unwrap().len();
    own.expect(500, "DELETE", "/users/users/3/", None);
    admin.expect(404, "GET", "/users/users/3/", None);
    own.expect(401, "GET", "/users/users/1/", None);
    // The list before, and the two refusals; not the deletion.
    assert_eq!(admin.get("/logs/requests/").as_array().unwrap().len(), logged + 3);
}

#[test]
fn logs_cut_titles_at_a_hundred_characters() {
    let sandbox = sandbox();
    for (length, title) in [(100, "é".repeat(100)), (101, "é".repeat(101))] {
        let request = json!({"title": title, "description": "d", "submitter": 2, "team": 1});
        let id = sandbox.insert("allocations/requests", request).unwrap();
        let shown = if length == 100 { title } else { "é".repeat(99) + "…" };
        let words = format!("Allocation Request #{id} - '{shown}' for Team #1 - Stars");
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("object_repr", &words)
            .finish();
        assert_eq!(admin(&sandbox).get(&format!("/logs/audit/?{query}"))["count"], 1, "{length}");
    }
}

#[test]
fn the_audit_log_is_filtered_by_whole_addresses() {
    let sandbox = sandbox();
    let client = admin(&sandbox);
    client.expect(200, "PATCH", "/users/users/1/", Some(json!({"email": "a@b.org"})));
    client.expect(200, "PATCH", "/users/users/3/", Some(json!({"role": "x"})));
    let count = |query: &str| client.get(&format!("/logs/audit/?{query}"))["count"].clone();
    let all = count("");
    assert_eq!(count("remote_addr=127.0.0.1"), 2);
    assert_eq!(count("remote_addr__contains=nothing"), all);
    // The address is that of before the change.
    assert_eq!(count("actor_email__startswith=a@"), 1);
    assert_eq!(count("actor_email__isnull=false"), 1);
    assert!(client.get("/logs/audit/")["results"][0].get("actor_email").is_none());
}

#[test]
fn integers_are_read_as_python_reads_them() {
    let sandbox = sandbox();
    let client = admin(&sandbox);
    let path = "/allocations/allocations/";
    for (requested, request) in [("1_000", "0_1"), (" +1000.00 ", "١"), ("١٠٠٠", "+1")] {
        let allocation = json!({"request": request, "cluster": 1, "requested": requested});
        let created = client.expect(201, "POST", path, Some(allocation));
        assert_eq!((&created["requested"], &created["request"]), (&json!(1000), &json!(1)));
    }
    for requested in ["1__0", "_1", "1.5", ".0", "- 1"] {
        let allocation = json!({"request": 1, "cluster": 1, "requested": requested});
        let refused = client.expect(400, "POST", path, Some(allocation));
        assert_eq!(refused, json!({"requested": ["A valid integer is required."]}));
    }
    assert_eq!(client.get("/allocations/allocations/?request=0_1")["count"], 3);
    assert_eq!(client.get("/allocations/allocations/?requested=%D9%A1_000")["count"], 3);
    let page = client.get("/allocations/allocations/?_limit=0_2&_offset=-0");
    assert_eq!(page["results"].as_array().unwrap().len(), 2);
}

#[test]
fn orders_by_what_refers_to_a_record_repeat_it() {
    let sandbox = sandbox();
    sandbox.insert("users/memberships", json!({"user": 3, "team": 1, "role": "MB"})).unwrap();
    sandbox.insert("users/teams", json!({"name": "Alone"})).unwrap();
    let client = admin(&sandbox);
    client.expect(200, "PATCH", "/users/teams/1/", Some(json!({"is_active": false})));
    let ids = |order: &str| -> Vec<i64> {
        let page = client.get(&format!("/users/teams/?_order={order}"));
        assert_eq!(page["count"], 2);
        page["results"].as_array().unwrap().iter().map(|it| it["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids("membership"), [2, 1, 1]);
    assert_eq!(ids("-membership"), [1, 1, 2]);
    assert_eq!(ids("history"), [1, 2, 1]);
    assert_eq!(ids("-history"), [1, 2, 1]);
    assert_eq!(ids("-id"), [2, 1]);
    let request = "/allocations/requests/1/?_order=attachment_set";
    client.expect(500, "GET", request, None);
}

#[test]
fn databases_differ_in_order_and_case() {
    for (database, order, found) in [(Database::Sqlite, [2, 1], 0), (Database::Postgres, [1, 2], 1)]
    {
        let sandbox = Sandbox::builder().database(database).staff("admin", "p").build();
        for cluster in [json!({"name": "Élan", "description": "x"}), json!({"name": "b"})] {
            sandbox.insert("allocations/clusters", cluster).unwrap();
        }
        let client = Client::session(&sandbox, "admin", "p");
        let list = client.get("/allocations/clusters/?_order=description");
        let ids = [&list["results"][0]["id"], &list["results"][1]["id"]];
        assert_eq!(ids, order, "{database:?}");
        let list = client.get("/allocations/clusters/?_search=%C3%A9LAN");
        assert_eq!(list["count"], found, "{database:?}");
    }
}

#[test]
fn comments_within_requests_go_by_time() {
    let sandbox = sandbox();
    for day in ["02", "01"] {
        let created = format!("2026-01-{day}T00:00:00Z");
        let comment = json!({"request": 1, "user": 2, "content": day, "created": created});
        sandbox.insert("allocations/comments", comment).unwrap();
    }
    let client = admin(&sandbox);
    let first = |request: Value| request["_comments"][0]["content"].clone();
    assert_eq!(first(client.get("/allocations/requests/1/")), "01");
    let written = client.expect(200, "PATCH", "/allocations/requests/1/", Some(json!({})));
    assert_eq!(first(written), "02");
}

#[test]
fn forgery_is_found_by_hosts_and_by_the_form_of_cookies() {
    let sandbox = Sandbox::builder()
        .staff("admin", "p")
        .https(true)
        .trusted_origin("http://portal.example.edu")
        .build();
    let mut client = Client::session(&sandbox, "admin", "p");
    client.headers.push(("referer", "https://portal.example.edu/x".to_owned()));
    let team = json!({"name": "Stars"});
    client.expect(201, "POST", "/users/teams/", Some(team.clone()));
    let session = client.headers[0].1.split(';').next().unwrap().to_owned();
    client.headers[0].1 = format!("{session}; csrftoken=");
    let refused = client.expect(403, "POST", "/users/teams/", Some(team));
    assert_eq!(refused["detail"], "CSRF Failed: CSRF cookie has incorrect length.");
}

#[test]
fn changes_with_a_token_and_a_session_are_those_of_the_session() {
    let sandbox =
        Sandbox::builder().staff("admin", "p").staff("robot", "p").api_token("robot", "t").build();
    let mut client = Client::session(&sandbox, "admin", "p");
    client.headers.push(("authorization", "Token t".to_owned()));
    assert_eq!(client.get("/authentication/whoami/")["id"], 2);
    let team = client.expect(201, "POST", "/users/teams/", Some(json!({"name": "Stars"})));
    assert_eq!(team["_history"][0]["actor"], 1);
}
