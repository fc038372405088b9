//! The logs: what changes them, and what the audit log is filtered by without showing it.

use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin};
use crate::support::target::{PASSWORD, Target, uuid};

#[test]
fn records_in_words_and_by_numbers() {
    let Some(server) = Target::session() else {
        return;
    };
    let insert = |path: &str, record| server.insert(path, record);
    let (user, ada) = server.user("ada");
    let (stars, atlas) = (server.name("Stars"), server.name("atlas"));
    let team = insert("users/teams", json!({ "name": stars }));
    let membership = json!({ "user": user, "team": team, "role": "MB" });
    let membership = insert("users/memberships", membership);
    let cluster = insert("allocations/clusters", json!({ "name": atlas }));
    let request =
        json!({ "title": "More time", "description": "x", "submitter": user, "team": team });
    let request = insert("allocations/requests", request);
    let allocation = json!({ "request": request, "cluster": cluster, "requested": 5 });
    let allocation = insert("allocations/allocations", allocation);
    let comment = json!({ "request": request, "user": user, "content": "x" });
    let comment = insert("allocations/comments", comment);
    let (boss, reviewer) = server.staff("boss");
    let review = json!({ "request": request, "reviewer": boss, "status": "AP" });
    let of_reviewer = Client::session(&server, &reviewer, PASSWORD);
    let review = of_reviewer.expect(201, "POST", "/allocations/reviews/", Some(review));
    let review = review["id"].as_u64().unwrap();
    let grant = json!({ "title": "Folding", "agency": "NSF", "amount": 1, "team": team,
        "start_date": "2026-01-31" });
    let grant = insert("research/grants", grant);
    let publication =
        insert("research/publications", json!({ "title": "On folding", "team": team }));

    let client = server.admin();
    let count = |query: &str| client.get(&format!("/logs/audit/?{query}"))["count"].clone();
    let team_words = format!("Team #{team} - {stars}");
    for (content_type, key, words) in [
        (33, user, format!("User #{user} - {ada}")),
        (34, team, team_words.clone()),
        (35, membership, format!("Membership #{membership} - {ada} in {team_words}")),
        (20, cluster, format!("Cluster #{cluster} - {atlas}")),
        (19, request, format!("Allocation Request #{request} - 'More time' for {team_words}")),
        (
            24,
            allocation,
            format!(
                "Resource Allocation #{allocation} - Cluster #{cluster} - {atlas} allocation for \
                 {team_words}"
            ),
        ),
        (23, comment, format!("Comment #{comment} - by {ada} on request #{request}")),
        (
            22,
            review,
            format!("Allocation Review #{review} - {reviewer} review of request #{request}"),
        ),
        (31, grant, format!("Grant #{grant} - Folding")),
        (32, publication, format!("Publication #{publication} - On folding")),
    ] {
        let words: String = url::form_urlencoded::byte_serialize(words.as_bytes()).collect();
        let record = format!("object_repr={words}&content_type={content_type}&action=0");
        for query in [
            record.clone(),
            format!("{record}&object_pk={key}"),
            format!("{record}&object_id={key}"),
        ] {
            // Keys are given anew after the end of a record.
            assert_ne!(count(&query), 0, "{query}");
        }
        assert_eq!(count(&format!("{record}&object_id={}", key + 1)), 0);
    }
    assert_eq!(count("changes_text__contains=x"), 0);
    client.expect(400, "GET", "/logs/audit/?content_type=99", None);
    // It orders by one of them only.
    let first = |order: &str| {
        client.get(&format!("/logs/audit/?_order={order}&_limit=1"))["results"][0]["id"].clone()
    };
    let newest = first("");
    for ignored in ["object_id", "object_repr", "content_type", "changes_text"] {
        assert_eq!(first(ignored), newest, "{ignored}");
    }
    assert_ne!(first("object_pk"), newest);
}

#[test]
fn lists_of_numbers_that_no_column_can_hold() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = server.admin();
    client.expect(500, "GET", "/users/users/?id__in=18446744073709551615,1", None);
    client.expect(200, "GET", "/users/users/?id=18446744073709551615", None);
    client.expect(200, "GET", "/users/users/?id__lte=18446744073709551615", None);
}

#[test]
fn changes_are_logged_with_the_id_of_the_request() {
    let Some(server) = Target::session() else {
        return;
    };
    let (boss, name) = server.staff("boss");
    let mut client = Client::session(&server, &name, PASSWORD);
    let cid = uuid();
    client.headers.push(("x-keystone-cid", cid.clone()));
    let new = json!({"name": server.name("Short lived")});
    let team = client.expect(201, "POST", "/users/teams/", Some(new.clone()))["id"].clone();
    let path = format!("/users/teams/{team}/");
    client.expect(200, "PATCH", &path, Some(json!({})));
    client.expect(200, "PATCH", &path, Some(json!({"is_active": false})));
    client.expect(400, "POST", "/users/teams/", Some(new));
    client.expect(204, "DELETE", &path, None);
    let log = client.get(&format!("/logs/audit/?cid={cid}"));
    let entries = log["results"].as_array().unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["delete", "update", "create"]);
    assert_eq!(entries[1]["changes"], json!({"is_active": ["True", "False"]}));
    assert_eq!(entries[0]["record_name"], "users | Team");
    assert_eq!((&entries[0]["record_id"], &entries[0]["actor"]), (&team, &json!(boss)));
    assert_eq!(client.get(&format!("/logs/audit/?action=2&cid={cid}"))["count"], 1);
    client.expect(405, "DELETE", &format!("/logs/audit/{}/", entries[0]["id"]), None);
    let user = server.user("user").1;
    Client::session(&server, &user, PASSWORD).expect(403, "GET", "/logs/audit/", None);
}

/// Without keys of its own a log takes no records.
#[test]
fn the_feed_takes_no_records() {
    let unknown = Sandbox::new().insert("logs/feed", json!({})).unwrap_err();
    assert_eq!(unknown.to_string(), "this server has no resource `logs/feed`");
}

#[test]
fn bodies_of_requests_are_logged_in_one_dialect() {
    let Some(server) = Target::jwt() else {
        return;
    };
    let (id, name) = server.staff("boss");
    let (client, _) = Client::jwt(&server, &name, PASSWORD);
    let mark = server.name("mark");
    let endpoint = |path: &str| format!("/allocations/clusters/?{path}={mark}");
    let cluster = json!({"name": server.name("c")});
    client.expect(201, "POST", &endpoint("made"), Some(cluster.clone()));
    Client::anonymous(&server).expect(401, "POST", &endpoint("refused"), Some(cluster.clone()));
    client.get(&endpoint("name"));
    let logged = |path: &str| -> Value {
        let endpoint: String =
            url::form_urlencoded::byte_serialize(endpoint(path).as_bytes()).collect();
        let found = client.get(&format!("/logs/requests/?endpoint={endpoint}"));
        assert_eq!(found.as_array().unwrap().len(), 1, "{path}: {found}");
        found[0].clone()
    };
    let shown = |path: &str| {
        let entry = logged(path);
        json!([entry["method"], entry["response_code"], entry["body_request"], entry["user"]])
    };
    assert_eq!(shown("made"), json!(["POST", 201, "", id]));
    assert_eq!(shown("refused"), json!(["POST", 401, cluster.to_string(), null]));
    assert_eq!(shown("name"), json!(["GET", 200, "", id]));
    assert_eq!(logged("name")["body_response"], "[]");
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
