//! What follows from requests, and no recording shows.

use bytes::Bytes;
use http::{Request, StatusCode};
use keystone_client::resources::MembershipRole::{Member, Owner};
use keystone_client::sandbox::Sandbox;
use serde_json::{Value, json};

/// A sandbox in which staff, an owner and a member of a team have tokens of their names.
fn furnished() -> Sandbox {
    let mut builder = Sandbox::builder().staff("admin", "a-password");
    for user in ["owner", "member"] {
        builder = builder.user(user, "a-password");
    }
    for user in ["admin", "owner", "member"] {
        builder = builder.api_token(user, user);
    }
    let sandbox = builder.build();
    assert_eq!(sandbox.insert_team("Folding", &[("owner", Owner), ("member", Member)]), Ok(1));
    let records = [
        ("allocations/clusters", json!({"name": "gpu", "access_teams": [1]})),
        (
            "research/grants",
            json!({"title": "A grant", "agency": "An agency", "amount": "1.00",
            "grant_number": "G1", "start_date": "2026-01-01", "end_date": "2027-01-01", "team": 1}),
        ),
        ("research/publications", json!({"title": "A paper", "team": 1})),
        (
            "allocations/requests",
            json!({"title": "A title", "description": "More", "team": 1,
            "submitter": 2, "assignees": [1, 3], "grants": [1], "publications": [1]}),
        ),
        ("allocations/allocations", json!({"requested": 1, "cluster": 1, "request": 1})),
        ("allocations/reviews", json!({"status": "AP", "request": 1, "reviewer": 1})),
        ("allocations/comments", json!({"content": "For all", "request": 1, "user": 1})),
        (
            "allocations/comments",
            json!({"content": "For staff", "request": 1, "user": 1, "private": true}),
        ),
        ("allocations/attachments", json!({"file": "allocations/a.txt", "request": 1})),
    ];
    for (resource, record) in records {
        sandbox.insert(resource, record).unwrap();
    }
    sandbox
}

fn ask(sandbox: &Sandbox, user: &str, method: &str, path: &str) -> (StatusCode, Value) {
    let request = Request::builder().method(method).uri(path).header("host", "keystone.test");
    let request = request.header("authorization", format!("Token {user}"));
    let response = sandbox.handle(request.body(Bytes::new()).unwrap());
    (response.status(), serde_json::from_slice(response.body()).unwrap_or_default())
}

fn get(sandbox: &Sandbox, user: &str, path: &str) -> Value {
    let (status, body) = ask(sandbox, user, "GET", path);
    assert_eq!(status, 200, "{path}");
    body
}

#[test]
fn what_hangs_on_a_deleted_team_is_deleted_and_logged() {
    let sandbox = furnished();
    let hanging = [
        ("users/memberships/1", "users | Membership"),
        ("users/memberships/2", "users | Membership"),
        ("research/grants/1", "research_products | Grant"),
        ("research/publications/1", "research_products | Publication"),
        ("allocations/requests/1", "allocations | AllocationRequest"),
        ("allocations/allocations/1", "allocations | ResourceAllocation"),
        ("allocations/reviews/1", "allocations | AllocationReview"),
        ("allocations/comments/1", "allocations | Comment"),
        ("allocations/comments/2", "allocations | Comment"),
        ("allocations/attachments/1", "allocations | Attachment"),
    ];
    for (path, _) in hanging {
        get(&sandbox, "admin", &format!("/{path}/"));
    }
    assert_eq!(ask(&sandbox, "admin", "DELETE", "/users/teams/1/").0, 204);
    for (path, _) in hanging {
        assert_eq!(ask(&sandbox, "admin", "GET", &format!("/{path}/")).0, 404, "{path}");
    }
    let log = get(&sandbox, "admin", "/logs/audit/?_limit=1000");
    let deleted = |name: &str| {
        let mut entries = log["results"].as_array().unwrap().iter();
        entries.any(|entry| entry["action"] == "delete" && entry["record_name"] == name)
    };
    for (_, name) in hanging.into_iter().chain([("", "users | Team")]) {
        assert!(deleted(name), "{name}");
    }
    let cluster = get(&sandbox, "admin", "/allocations/clusters/1/");
    assert_eq!(cluster["access_teams"], json!([]));
    // Users belong to no team.
    assert_eq!(get(&sandbox, "admin", "/users/users/")["count"], 3);
}

#[test]
fn a_deleted_user_leaves_their_teams_and_lists() {
    let sandbox = furnished();
    sandbox.insert("notifications/notifications", json!({"user": 3, "subject": "News"})).unwrap();
    get(&sandbox, "member", "/users/teams/");
    let requests = "/logs/requests/?_limit=1000";
    let of = |user: Value| {
        let log = get(&sandbox, "admin", requests);
        log["results"].as_array().unwrap().iter().filter(|entry| entry["user"] == user).count()
    };
    assert_eq!((of(json!(3)), of(Value::Null)), (1, 0));
    assert_eq!(ask(&sandbox, "admin", "DELETE", "/users/users/3/").0, 204);
    assert_eq!(get(&sandbox, "admin", "/users/teams/1/")["users"], json!([2]));
    assert_eq!(get(&sandbox, "admin", "/allocations/requests/1/")["assignees"], json!([1]));
    assert_eq!(ask(&sandbox, "admin", "GET", "/users/memberships/2/").0, 404);
    assert_eq!((of(json!(3)), of(Value::Null)), (0, 1));
}

#[test]
fn private_comments_are_in_requests_for_staff_alone() {
    let sandbox = furnished();
    let comments = |user: &str, path: &str| -> Vec<String> {
        let answer = get(&sandbox, user, path);
        let request = answer["results"].get(0).unwrap_or(&answer);
        let comments = request["_comments"].as_array().unwrap().iter();
        comments.map(|it| it["content"].as_str().unwrap().to_owned()).collect()
    };
    for path in ["/allocations/requests/1/", "/allocations/requests/"] {
        assert_eq!(comments("admin", path), ["For all", "For staff"], "{path}");
        assert_eq!(comments("owner", path), ["For all"], "{path}");
        assert_eq!(comments("member", path), ["For all"], "{path}");
    }
}

#[test]
fn a_page_has_a_thousand_records_at_most() {
    let sandbox = furnished();
    let clusters = (0..1000).map(|number| json!({"name": format!("cluster {number}")}));
    sandbox.insert_all("allocations/clusters", clusters).unwrap();
    for limit in ["1000", "1001", "9999999999"] {
        let page = get(&sandbox, "admin", &format!("/allocations/clusters/?_limit={limit}"));
        assert_eq!(page["count"], 1001);
        assert_eq!(page["results"].as_array().unwrap().len(), 1000, "{limit}");
        let next = page["next"].as_str().unwrap();
        assert!(next.ends_with("?_limit=1000&_offset=1000"), "{next}");
    }
}

#[test]
fn members_delete_what_is_theirs_alone() {
    let sandbox = furnished();
    let delete = |user: &str, path: &str| ask(&sandbox, user, "DELETE", path).0.as_u16();
    for path in [
        "/users/users/1/",
        "/users/teams/1/",
        "/users/memberships/1/",
        "/allocations/clusters/1/",
        "/allocations/requests/1/",
        "/allocations/allocations/1/",
        "/allocations/reviews/1/",
        "/allocations/attachments/1/",
        "/allocations/comments/2/",
    ] {
        assert_eq!(delete("member", path), 403, "{path}");
        get(&sandbox, "admin", path);
    }
    assert_eq!(delete("member", "/users/memberships/2/"), 204);
    assert_eq!(delete("owner", "/users/teams/1/"), 204);
}
