//! Batch jobs: what a recording of one exchange cannot show.

mod files;

use keystone_client::sandbox::{Database, Dialect, Sandbox};
use serde_json::{Value, json};

use super::client::Client;
use crate::support::target::{PASSWORD, Target, uuid};

fn run(client: &Client, status: u16, steps: Value) -> Value {
    client.expect(status, "POST", "/batch/", Some(json!({"job": {"actions": steps}})))
}

fn step(method: &str, path: &str, payload: Value) -> Value {
    json!({"method": method, "path": path, "payload": payload})
}

fn get(path: &str) -> Value {
    json!({"method": "GET", "path": path})
}

/// A server with two teams, of which the second has a member: the staff user whose jobs run there.
struct Place {
    server: Target,
    client: Client,
    user: u64,
    teams: [u64; 2],
}

impl Place {
    fn on(server: Target) -> Self {
        let (user, name) = server.staff("boss");
        let client = Client::session(&server, &name, PASSWORD);
        let teams = ["Stars", "Moons"]
            .map(|name| server.insert("users/teams", json!({"name": server.name(name)})));
        let membership = json!({"user": user, "team": teams[1], "role": "OW"});
        server.insert("users/memberships", membership);
        Self { server, client, user, teams }
    }

    fn new() -> Option<Self> {
        Target::session().map(Self::on)
    }

    /// All that the server shows of the records that tests make there, and of the change log.
    fn everything(&self, cid: &str) -> Vec<Value> {
        let (end, user) = (self.server.name(""), self.user);
        let lists = [
            format!("/users/teams/?name__endswith={end}"),
            format!("/users/users/?id={user}"),
            format!("/users/memberships/?user={user}"),
            format!("/allocations/requests/?submitter={user}"),
            format!("/allocations/attachments/?{}", self.of_requests()),
            format!("/logs/audit/?cid={cid}"),
        ];
        lists.iter().map(|path| self.client.get(path)).collect()
    }

    /// What belongs to the requests that were made there. Filters take no keys of others.
    fn of_requests(&self) -> String {
        let found = self.client.get(&format!("/allocations/requests/?submitter={}", self.user));
        let ids = found["results"].as_array().unwrap().iter().map(|it| it["id"].to_string());
        match ids.collect::<Vec<_>>().join(",") {
            none if none.is_empty() => "id=0".to_owned(),
            ids => format!("request__in={ids}"),
        }
    }

    fn new_team(&self, name: &str) -> Value {
        step("POST", "/users/teams/", json!({"name": self.server.name(name)}))
    }

    /// Steps that create, change and delete, each with entries in the change log.
    fn writes(&self) -> Vec<Value> {
        let [first, second] = self.teams;
        let mut new = self.new_team("New");
        new["ref"] = json!("new");
        vec![
            new,
            step(
                "POST",
                "/users/memberships/",
                json!({"user": self.user, "team": "@ref{new.id}", "role": "MB"}),
            ),
            step("PATCH", &format!("/users/teams/{first}/"), json!({"is_active": false})),
            step("DELETE", &format!("/users/teams/{second}/"), json!({})),
        ]
    }
}

/// A server on this database with teams 1 and 2, whose memberships go with them.
fn furnished(database: Database) -> Place {
    let sandbox = Sandbox::builder().database(database).staff("admin", "admin-password").build();
    Place::on(Target::from_sandbox(&sandbox, Dialect::Session))
}

#[test]
fn a_job_that_fails_leaves_nothing() {
    for which in 0..7 {
        let Some(place) = Place::new() else {
            return;
        };
        let own = format!("/users/users/{}/", place.user);
        let failing = [
            (422, step("POST", "/users/teams/", json!({}))),
            (422, get("/nope/")),
            (422, get("/users/teams/@ref{new.nope}/")),
            // The log would name somebody who is gone.
            (500, step("DELETE", &own, json!({}))),
            (500, step("POST", "/authentication/logout/", json!({}))),
            (500, step("POST", "/users/teams/", json!({"name": "@ref{new._history.0.action}"}))),
            (422, step("POST", "/batch/", json!({"job": {"actions": [get("/nope/")]}}))),
        ];
        let (status, last) = &failing[which];
        let cid = uuid();
        let mut client = place.client.clone();
        client.headers.push(("x-keystone-cid", cid.clone()));
        let before = place.everything(&cid);
        let mut steps = place.writes();
        steps.push(last.clone());
        run(&client, *status, json!(steps));
        assert_eq!(place.everything(&cid), before, "{last}");
        // The login goes on, and new records get the ids that the job had given.
        let new = json!({"name": place.server.name("N")});
        let next = client.expect(201, "POST", "/users/teams/", Some(new))["id"].clone();
        assert_eq!(next, place.teams[1] + 1);
    }
}

fn dry_run_leaves_nothing(place: &Place, next: u64) {
    let cid = uuid();
    let mut client = place.client.clone();
    client.headers.push(("x-keystone-cid", cid.clone()));
    let before = place.everything(&cid);
    let job = json!({"job": {"actions": place.writes(), "dry_run": true}});
    let answer = client.expect(200, "POST", "/batch/", Some(job));
    let statuses: Vec<_> =
        answer["results"].as_array().unwrap().iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, [201, 201, 200, 204]);
    assert_eq!(answer["results"][1]["body"]["team"], place.teams[1] + 1);
    assert_eq!(place.everything(&cid), before);
    let new = json!({"name": place.server.name("New")});
    let team = client.expect(201, "POST", "/users/teams/", Some(new));
    assert_eq!(team["id"], place.teams[1] + next);
    assert_eq!(team["_history"].as_array().unwrap().len(), 1);
}

#[test]
fn a_dry_run_shows_results_and_leaves_nothing() {
    if let Some(place) = Place::new() {
        dry_run_leaves_nothing(&place, 1);
    }
}

#[test]
fn one_database_gives_no_key_twice() {
    dry_run_leaves_nothing(&furnished(Database::Postgres), 2);
}

#[test]
fn a_dry_run_within_a_job_takes_back_its_own_steps_only() {
    let Some(place) = Place::new() else {
        return;
    };
    let cid = uuid();
    let mut client = place.client.clone();
    client.headers.push(("x-keystone-cid", cid.clone()));
    let inner = json!({"job": {"actions": [place.new_team("Within")], "dry_run": true}});
    let steps =
        json!([place.new_team("Before"), step("POST", "/batch/", inner), place.new_team("After")]);
    let answer = run(&client, 200, steps);
    assert_eq!(answer["results"][1]["body"], Value::Null);
    let end = place.server.name("");
    let teams = client.get(&format!("/users/teams/?_order=id&name__endswith={end}"));
    let names: Vec<_> =
        teams["results"].as_array().unwrap().iter().map(|team| team["name"].clone()).collect();
    let expected = ["Stars", "Moons", "Before", "After"].map(|name| place.server.name(name));
    assert_eq!(names, expected);
    assert_eq!(client.get(&format!("/logs/audit/?action=0&cid={cid}"))["count"], 2);
}

#[test]
fn all_entries_of_a_job_have_one_correlation_id() {
    let Some(place) = Place::new() else {
        return;
    };
    let mut client = place.client.clone();
    let cid = uuid();
    client.headers.push(("x-keystone-cid", cid.clone()));
    client.headers.push(("x-forwarded-for", "192.0.2.7, 10.0.0.1".to_owned()));
    run(&client, 200, json!(place.writes()));
    let entries = client.get(&format!("/logs/audit/?cid={cid}"));
    let entries = entries["results"].as_array().unwrap();
    assert_eq!(entries.len(), 5, "the deleted team had a membership");
    let is_right = |it: &Value| it["remote_addr"] == "192.0.2.7" && it["actor"] == place.user;
    assert!(entries.iter().all(is_right), "{entries:?}");
    // Without one, the server makes one up for the whole job.
    client.headers.truncate(2);
    run(&client, 200, json!([place.new_team("A"), place.new_team("B")]));
    let newest = client.get(&format!("/logs/audit/?actor={}&_order=-id&_limit=2", place.user));
    let cids: Vec<_> = (0..2).map(|index| newest["results"][index]["cid"].clone()).collect();
    assert!(cids[0] == cids[1] && cids[0].is_string() && cids[0] != cid, "{cids:?}");
}

#[test]
fn each_step_is_checked_against_what_the_earlier_ones_left() {
    let Some(server) = Target::session() else {
        return;
    };
    let (user, name) = server.user("ada");
    let team = server.insert("users/teams", json!({"name": server.name("Stars")}));
    let membership = json!({"user": user, "team": team, "role": "OW"});
    let membership = server.insert("users/memberships", membership);
    let client = Client::session(&server, &name, PASSWORD);
    let grant = json!({"title": "t", "agency": "a", "amount": 1, "start_date": "2026-01-01",
        "team": team});
    let create = step("POST", "/research/grants/", grant);
    let leave = json!({"method": "DELETE", "path": format!("/users/memberships/{membership}/")});
    let refused = run(&client, 422, json!([create, leave, create]));
    assert_eq!((&refused["step"], &refused["status"]), (&json!(3), &json!(403)));
    run(&client, 200, json!([create, leave]));
    assert_eq!(client.get(&format!("/users/memberships/?user={user}"))["count"], 0);
}

#[test]
fn text_and_types_of_references() {
    let Some(place) = Place::new() else {
        return;
    };
    let client = &place.client;
    let list = format!("/users/teams/?_order=id&name__endswith={}", place.server.name(""));
    let text = format!(
        "{} @ref{{t.previous}} @ref{{t.results.0.is_active}} @ref{{t.results.0.users}}",
        place.server.name("")
    );
    let answer = run(
        client,
        200,
        json!([
            {"ref": "t", "method": "GET", "path": list},
            step("POST", "/users/teams/", json!({
                "name": text, "is_active": "@ref{t.results.01.is_active}",
            })),
        ]),
    );
    let team = &answer["results"][1]["body"];
    assert_eq!(team["name"], format!("{} None True []", place.server.name("")));
    assert_eq!(team["is_active"], true);
    let refused =
        run(client, 422, json!([step("POST", "/users/teams/", json!({"name": "@ref{é.id}"}))]));
    assert_eq!(refused["token"], "@ref{é.id}");
}

#[test]
fn what_goes_past_the_framework_is_not_shown() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = server.admin();
    // One that is not well fails the job.
    let is_well = client.send("GET", "/health/", None).status() == 200;
    let health = if is_well { "/health/" } else { "/health/json/" };
    let paths = ["/", "/version/", health, "/health/json/", "/health/prom/", "/config/"];
    let answer = run(&client, 200, json!(paths.map(get)));
    let shown: Vec<bool> =
        answer["results"].as_array().unwrap().iter().map(|it| !it["body"].is_null()).collect();
    assert_eq!(shown, [false, false, false, false, false, true]);
}

#[test]
fn one_dialect_has_no_batches() {
    let Some(server) = Target::jwt() else {
        return;
    };
    let client = server.admin();
    client.expect(404, "POST", "/batch/", Some(json!({"job": {"actions": []}})));
}

#[test]
fn a_job_that_runs_itself_ends() {
    let client = furnished(Database::Sqlite).client;
    let title = json!([
        {"ref": "g", "method": "GET", "path": "/research/grants/1/"},
        {"method": "POST", "path": "/batch/", "payload": {"job": "@ref{g.description}"}},
    ]);
    let job = json!({"actions": title}).to_string();
    let grant = json!({"title": "t", "agency": "a", "amount": 1, "start_date": "2026-01-01",
        "team": 1, "description": job});
    client.expect(201, "POST", "/research/grants/", Some(grant));
    client.expect(500, "POST", "/batch/", Some(json!({"job": job})));
}

/// Who asks is settled when the request comes; only teams are looked up anew.
#[test]
fn steps_know_their_caller_as_he_was() {
    let Some(server) = Target::session() else {
        return;
    };
    let (boss, name) = server.staff("boss");
    let client = Client::session(&server, &name, PASSWORD);
    let own = format!("/users/users/{boss}/");
    let demote = step("PATCH", &own, json!({"is_staff": false}));
    let cluster = json!({"name": server.name("c")});
    let answer =
        run(&client, 200, json!([demote, step("POST", "/allocations/clusters/", cluster)]));
    assert_eq!(answer["results"][1]["status"], 201);
    client.expect(403, "POST", "/allocations/clusters/", Some(json!({"name": "d"})));
    let (eve, name) = server.staff("eve");
    let client = Client::session(&server, &name, PASSWORD);
    let own = format!("/users/users/{eve}/");
    // The log would name somebody who is gone.
    let delete = step("DELETE", &own, json!({}));
    client.expect(
        500,
        "POST",
        "/batch/",
        Some(json!({"job": {"actions": [delete, get("/users/teams/")]}})),
    );
    let refused = run(&client, 422, json!([delete, get(&own)]));
    assert_eq!((refused["step"].clone(), refused["status"].clone()), (json!(2), json!(404)));
    client.get("/users/teams/");
}

#[test]
fn the_root_takes_every_method_within_a_job() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = server.admin();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let answer = run(&client, 200, json!([step(method, "/", json!({}))]));
        assert_eq!(answer["results"][0]["body"], Value::Null);
    }
}
