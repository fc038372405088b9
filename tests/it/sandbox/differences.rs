//! What real servers answered where the sandbox once did otherwise. Random requests to both have
//! shown it; each test says what the real server does.

use bytes::Bytes;
use http::Request;
use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin, body};

const FORBIDDEN: &str = "You do not have permission to perform this action.";

/// A server with a team of one owner, and someone without team.
pub fn sandbox() -> Sandbox {
    let sandbox = Sandbox::builder()
        .staff("admin", "admin-password")
        .user("owner", "p")
        .user("lone", "p")
        .build();
    sandbox.insert("users/teams", json!({"name": "Stars"})).unwrap();
    sandbox.insert("users/memberships", json!({"user": 2, "team": 1, "role": "OW"})).unwrap();
    sandbox.insert("allocations/clusters", json!({"name": "zeta"})).unwrap();
    sandbox.insert("allocations/clusters", json!({"name": "alpha"})).unwrap();
    let request = json!({"title": "t", "description": "d", "submitter": 2, "team": 1});
    sandbox.insert("allocations/requests", request).unwrap();
    sandbox
}

/// Sends a body as it is.
fn raw(client: &Client, method: &str, path: &str, kind: &str, text: &[u8]) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", kind);
    let response = client.handle(request.body(Bytes::copy_from_slice(text)).unwrap());
    (response.status().as_u16(), body(&response))
}

#[test]
fn records_are_looked_up_before_changes_are_refused() {
    let sandbox = sandbox();
    let owner = Client::session(&sandbox, "owner", "p");
    for resource in ["allocations/requests", "allocations/clusters", "allocations/reviews"] {
        for method in ["PUT", "PATCH", "DELETE"] {
            owner.expect(404, method, &format!("/{resource}/99/"), Some(json!({})));
            owner.expect(405, method, &format!("/{resource}/"), Some(json!({})));
        }
    }
    let refused = owner.expect(403, "PATCH", "/allocations/requests/1/", Some(json!({})));
    assert_eq!(refused["detail"], FORBIDDEN);
    owner.expect(405, "POST", "/notifications/notifications/", Some(json!({})));
    owner.expect(405, "DELETE", "/logs/tasks/", None);
    owner.expect(403, "GET", "/logs/tasks/", None);
}

#[test]
fn a_session_reads_the_body_of_a_post_before_permissions() {
    let sandbox = sandbox();
    let owner = Client::session(&sandbox, "owner", "p");
    let json = "application/json";
    for path in ["/notifications/notifications/", "/allocations/clusters/"] {
        assert_eq!(raw(&owner, "POST", path, json, b"{").0, 400);
        assert_eq!(raw(&owner, "POST", path, "text/plain", b"x").0, 415);
    }
    let (_, answer) = raw(&owner, "POST", "/users/teams/", json, br#"{"a":NaN}"#);
    let message = "JSON parse error - Out of range float values are not JSON compliant: 'NaN'";
    assert_eq!(answer, json!({"detail": message}));
    assert_eq!(raw(&owner, "PATCH", "/allocations/requests/1/", json, b"{").0, 403);
}

#[test]
fn memberships_of_unknown_teams_are_left_to_the_validation() {
    let sandbox = sandbox();
    let owner = Client::session(&sandbox, "owner", "p");
    let membership = json!({"user": 3, "team": 0, "role": "MB"});
    let refused = owner.expect(400, "POST", "/users/memberships/", Some(membership));
    assert_eq!(refused, json!({"team": ["Invalid pk \"0\" - object does not exist."]}));
    let huge = json!({"team": 9_223_372_036_854_775_808_u64});
    owner.expect(404, "PATCH", "/research/grants/9/", Some(huge));
}

#[test]
fn ids_are_read_as_python_reads_them() {
    let sandbox = sandbox();
    let client = admin(&sandbox);
    for id in ["01", "+1", "%D9%A1", "%201"] {
        assert_eq!(client.get(&format!("/users/teams/{id}/"))["id"], 1, "{id}");
    }
    for id in ["1.0", "1_", "x"] {
        let missing = client.expect(404, "GET", &format!("/users/teams/{id}/"), None);
        assert_eq!(missing, json!({"detail": "Not found."}), "{id}");
    }
    assert_eq!(client.get("/users/teams/1.json/")["id"], 1);
    let job = json!({"job": {"actions": [{"method": "GET", "path": "/users/teams/1.0/"}]}});
    let failed = client.expect(422, "POST", "/batch/", Some(job));
    assert_eq!(failed["body"], json!({"detail": "Not found."}));
    let wrong = client.expect(404, "GET", "/users/teams.xml", None);
    assert_eq!(wrong, json!({"detail": "Not found."}));
    assert_eq!(client.send("GET", "/logs/feed.json", None).status(), 404);
}

#[test]
fn only_items_without_any_character_are_passed_over_in_lists_of_numbers() {
    let sandbox = sandbox();
    let client = admin(&sandbox);
    assert_eq!(client.get("/users/teams/?id__in=1,,9")["count"], 1);
    for query in ["id__in=%20", "id__in=1,%20"] {
        let refused = client.expect(400, "GET", &format!("/users/teams/?{query}"), None);
        assert_eq!(refused, json!({"id__in": ["Enter a number."]}));
    }
    // Flags with blanks around them are no flags, and passed over.
    assert_eq!(client.get("/users/teams/?name__isnull=%20true%20")["count"], 1);
    assert_eq!(client.get("/users/teams/?is_active=false%20")["count"], 1);
    assert_eq!(client.get("/users/teams/?is_active=false")["count"], 0);
    let refused = client.expect(400, "GET", "/logs/audit/?action__in=create", None);
    assert_eq!(refused, json!({"action__in": ["Enter a number."]}));
    client.expect(500, "GET", "/research/grants/?start_date__year=0", None);
    let both = "/research/grants/?start_date__year=0&end_date=x";
    let refused = client.expect(400, "GET", both, None);
    assert_eq!(refused, json!({"end_date": ["Enter a valid date."]}));
    let nul = client.expect(400, "GET", "/stats/grants/?_search=a%00", None);
    assert_eq!(nul, json!(["Null characters are not allowed."]));
}

#[test]
fn addresses_may_be_quoted_and_name_a_host_by_its_number() {
    let sandbox = sandbox();
    let client = admin(&sandbox);
    for address in ["\"q\"@b.org", "a@[127.0.0.1]", "a@[::1]"] {
        client.expect(200, "PATCH", "/users/users/3/", Some(json!({"email": address})));
    }
    let (nul, invalid) = ("Null characters are not allowed.", "Enter a valid email address.");
    for (value, messages) in [
        (json!("nul\u{0}x"), json!([nul, invalid])),
        (json!([1]), json!([invalid])),
        (json!("a@[x]"), json!([invalid])),
    ] {
        let refused = client.expect(400, "PATCH", "/users/users/3/", Some(json!({"email": value})));
        assert_eq!(refused, json!({"email": messages}));
    }
}

#[test]
fn an_empty_form_unsets_what_it_does_not_name() {
    let sandbox = sandbox();
    let client = admin(&sandbox);
    sandbox.insert("notifications/preferences", json!({"user": 2})).unwrap();
    let path = "/notifications/preferences/1/";
    let (status, kept) = raw(&client, "PUT", path, "application/json", b"");
    assert_eq!((status, &kept["notify_on_expiration"]), (200, &json!(true)));
    let (status, unset) = raw(&client, "PUT", path, "application/x-www-form-urlencoded", b"");
    assert_eq!((status, &unset["notify_on_expiration"]), (200, &json!(false)));
    let form = "application/x-www-form-urlencoded";
    let (status, refused) = raw(&client, "PATCH", path, form, b"request_expiry_thresholds=x");
    let message = "Value must be valid JSON.";
    assert_eq!((status, refused), (400, json!({"request_expiry_thresholds": [message]})));
    let lone = Client::session(&sandbox, "lone", "p");
    let other = json!({"user": 1});
    let refused = lone.expect(400, "POST", "/notifications/preferences/", Some(other));
    let message = "User field cannot be set to a different user than the request submitter.";
    assert_eq!(refused, json!({"user": [message]}));
}

#[test]
fn texts_that_read_like_null_leave_no_trace_in_the_log() {
    let sandbox = sandbox();
    let client = admin(&sandbox);
    let cluster =
        client.expect(201, "POST", "/allocations/clusters/", Some(json!({"name": "None"})));
    assert!(cluster["_history"][0]["changes"].get("name").is_none());
    assert!(cluster["_history"][0]["changes"].get("enabled").is_some());
}

#[test]
fn the_answer_to_a_write_has_allocations_by_id() {
    let sandbox = sandbox();
    let client = admin(&sandbox);
    for cluster in [1, 2] {
        let allocation = json!({"request": 1, "cluster": cluster, "requested": 1});
        sandbox.insert("allocations/allocations", allocation).unwrap();
    }
    let ids = |request: &Value| -> Vec<Value> {
        let allocations = request["_allocations"].as_array().unwrap();
        allocations.iter().map(|it| it["id"].clone()).collect()
    };
    let path = "/allocations/requests/1/";
    assert_eq!(ids(&client.get(path)), [2, 1]);
    assert_eq!(ids(&client.expect(200, "PATCH", path, Some(json!({})))), [1, 2]);
}

#[test]
fn users_show_their_memberships_by_role() {
    let sandbox = sandbox();
    sandbox.insert("users/teams", json!({"name": "Zodiac"})).unwrap();
    sandbox.insert("users/memberships", json!({"user": 2, "team": 2, "role": "AD"})).unwrap();
    let user = admin(&sandbox).get("/users/users/2/");
    let roles = [&user["_membership"][0]["role"], &user["_membership"][1]["role"]];
    assert_eq!(roles, ["AD", "OW"]);
}

#[test]
fn grants_without_end_may_be_upcoming() {
    let sandbox = sandbox();
    let grant = json!({"title": "t", "agency": "a", "amount": "7.50", "team": 1,
        "start_date": "9999-01-01"});
    sandbox.insert("research/grants", grant).unwrap();
    let figures = admin(&sandbox).get("/stats/grants/");
    assert_eq!(
        (&figures["upcoming_count"], &figures["funding_upcoming"]),
        (&json!(1), &json!("7.50"))
    );
}

#[test]
fn whoever_takes_no_json_is_refused_even_a_plain_text() {
    let sandbox = sandbox();
    for (path, accept, status) in [
        ("/version/", "text/plain", 406),
        ("/version/", "application/*", 200),
        ("/health/prom/", "text/*", 406),
    ] {
        let mut client = Client::anonymous(&sandbox);
        client.headers.push(("accept", accept.to_owned()));
        assert_eq!(client.send("GET", path, None).status(), status, "{path} {accept}");
    }
}

#[test]
fn figures_of_days_reach_to_the_end_of_time() {
    let sandbox = sandbox();
    let client = admin(&sandbox);
    let figure = |name: &str| client.get("/stats/requests/")[name].clone();
    let dates = json!({"active": "9999-12-21", "expire": "9999-12-31"});
    client.expect(200, "PATCH", "/allocations/requests/1/", Some(dates));
    assert_eq!(
        (figure("days_active_average"), figure("days_pending_average")),
        (10.0.into(), 0.0.into())
    );
    // What this database makes of a day less a moment is the difference of the years.
    let dates = json!({"active": "2001-01-01", "expire": "2001-01-01"});
    client.expect(200, "PATCH", "/allocations/requests/1/", Some(dates));
    assert_eq!(
        (figure("days_active_average"), figure("days_pending_average")),
        (0.0.into(), (-1.0).into())
    );
}

#[test]
fn the_root_takes_any_method_that_is_not_forged() {
    let sandbox = sandbox();
    let client = admin(&sandbox);
    assert_eq!(client.send("DELETE", "/", None).status(), 200);
    assert_eq!(Client::anonymous(&sandbox).send("DELETE", "/", None).status(), 403);
}

#[test]
fn forms_are_offered_to_all_in_one_dialect() {
    let sandbox = sandbox();
    let lone = Client::session(&sandbox, "lone", "p");
    let options = |path: &str| lone.expect(200, "OPTIONS", path, None);
    let users = options("/users/users/");
    let form = &users["actions"]["POST"];
    assert_eq!(users["name"], "User List");
    assert_eq!(
        form["is_staff"],
        json!({"type": "boolean", "required": false, "read_only": true,
        "label": "Staff status"})
    );
    assert_eq!(form["username"]["max_length"], 150);
    assert!(options("/users/users/2/").get("actions").is_none());
    assert!(options("/users/users/3/")["actions"].get("PUT").is_some());
    assert!(options("/notifications/notifications/").get("actions").is_none());
    assert_eq!(options("/batch/")["parses"], json!(["multipart/form-data", "application/json"]));
    let choices = options("/allocations/request-choices/status/");
    assert_eq!(choices["name"], "Allocation Request Status Choices");
    assert_eq!(
        options("/allocations/requests/")["actions"]["POST"]["_comments"].get("child"),
        None
    );
    lone.expect(403, "OPTIONS", "/logs/feed/", None);
}

pub fn jwt() -> (Sandbox, Client, Client) {
    let sandbox = Sandbox::builder()
        .dialect(Dialect::Jwt)
        .staff("admin", "admin-password")
        .user("pi", "p")
        .build();
    sandbox.insert("users/researchgroups", json!({"name": "Stars", "pi": 2})).unwrap();
    let request = json!({"title": "t", "description": "d", "group": 1});
    sandbox.insert("allocations/requests", request).unwrap();
    let (admin, _) = Client::jwt(&sandbox, "admin", "admin-password");
    let (pi, _) = Client::jwt(&sandbox, "pi", "p");
    (sandbox, admin, pi)
}

#[test]
fn the_older_server_refuses_by_the_group_that_a_body_names() {
    let (sandbox, admin, pi) = jwt();
    let path = "/allocations/requests/";
    assert_eq!(raw(&pi, "POST", path, "application/json", b"{").0, 403);
    // True is 1, the id of the group.
    let flag = json!({"title": "t", "description": "d", "group": true});
    let refused = pi.expect(400, "POST", path, Some(flag));
    assert_eq!(refused, json!({"group": ["Incorrect type. Expected pk value, received bool."]}));
    pi.expect(404, "PATCH", "/allocations/requests/9/", Some(json!({"group": 1})));
    pi.expect(403, "PATCH", "/allocations/requests/9/", Some(json!({})));
    assert_eq!(raw(&Client::anonymous(&sandbox), "POST", path, "text/plain", b"\xff").0, 500);
    let review = json!({"status": "AP", "request": 1});
    admin.expect(201, "POST", "/allocations/reviews/", Some(review));
    let nobody = json!({"reviewer": null});
    let refused = admin.expect(400, "PATCH", "/allocations/reviews/1/", Some(nobody));
    let message = "Reviewer cannot be set to a different user than the submitter";
    assert_eq!(refused, json!({"reviewer": [message]}));
}

#[test]
fn the_older_server_trims_passwords_and_has_metrics() {
    let (sandbox, _, pi) = jwt();
    let anonymous = Client::anonymous(&sandbox);
    let path = "/authentication/new/";
    let blank =
        anonymous.expect(400, "POST", path, Some(json!({"username": "pi", "password": " "})));
    assert_eq!(blank, json!({"password": ["This field may not be blank."]}));
    anonymous.expect(200, "POST", path, Some(json!({"username": "pi", "password": " p "})));
    let metrics = anonymous.send("GET", "/metrics/", None);
    assert_eq!(metrics.headers()["content-type"], "text/plain; version=1.0.0; charset=utf-8");
    assert_eq!(anonymous.send("POST", "/metrics/", None).status(), 403);
    assert!(pi.expect(200, "OPTIONS", "/allocations/clusters/", None).get("actions").is_none());
    let options = pi.expect(200, "OPTIONS", "/users/researchgroups/", None);
    assert!(options["actions"].get("POST").is_some());
}
