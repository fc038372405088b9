//! The figures about resources.

use std::time::{Duration, SystemTime};

use keystone_client::blocking::HttpBackend;
use keystone_client::sandbox::{Database, Sandbox};
use serde_json::{Value, json};

use super::client::{Client, admin};
use crate::support::target::{PASSWORD, Target};

/// A server on 15 June 2026, with two teams; the user `u` belongs to the first.
fn sandbox(database: Database) -> Sandbox {
    let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_781_524_800);
    let sandbox = Sandbox::builder()
        .database(database)
        .start_at(noon)
        .staff("admin", "admin-password")
        .user("u", "p")
        .build();
    for name in ["Stars", "Rocks"] {
        sandbox.insert("users/teams", json!({"name": name})).unwrap();
    }
    sandbox.insert("users/memberships", json!({"user": 2, "team": 1, "role": "MB"})).unwrap();
    sandbox.insert("allocations/clusters", json!({"name": "c"})).unwrap();
    sandbox
}

fn add_request(sandbox: &Sandbox, team: u64, more: Value, units: &[Value]) {
    let mut request = json!({"title": "t", "description": "d", "submitter": 1, "team": team,
        "submitted": "2026-06-01T12:00:00Z"});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let request = sandbox.insert("allocations/requests", request).unwrap();
    for units in units {
        let mut allocation = json!({"cluster": 1, "request": request});
        allocation.as_object_mut().unwrap().extend(units.as_object().unwrap().clone());
        sandbox.insert("allocations/allocations", allocation).unwrap();
    }
}

#[test]
fn figures_of_requests_follow_status_and_day() {
    let sandbox = sandbox(Database::Sqlite);
    let units = |awarded: u64| [json!({"requested": 100, "awarded": awarded, "final": 1})];
    let dates = |status: &str, active: Value, expire: Value| json!({"status": status, "active": active, "expire": expire});
    let days = ["2026-06-14", "2026-06-15", "2026-06-16"];
    let [yesterday, today, tomorrow] = days.map(Value::from);
    add_request(&sandbox, 1, dates("AP", tomorrow.clone(), Value::Null), &units(1));
    add_request(&sandbox, 1, dates("AP", today.clone(), today.clone()), &units(2));
    add_request(&sandbox, 1, dates("AP", yesterday.clone(), yesterday.clone()), &units(4));
    add_request(&sandbox, 2, dates("AP", yesterday.clone(), tomorrow.clone()), &units(8));
    add_request(&sandbox, 1, dates("AP", Value::Null, Value::Null), &units(16));
    add_request(&sandbox, 1, dates("DC", yesterday, tomorrow), &units(32));
    let pending = [json!({"requested": 1}), json!({"requested": 2, "awarded": 64})];
    add_request(&sandbox, 2, json!({"status": "PD"}), &pending);
    add_request(&sandbox, 1, json!({"status": "CR"}), &units(128));
    let client = admin(&sandbox);
    let expected = json!({
        "request_count": 8, "request_pending_count": 1, "request_approved_count": 5,
        "request_declined_count": 1, "request_upcoming_count": 1, "request_active_count": 2,
        "request_expired_count": 1, "su_pending_total": 64.0, "su_declined_total": 32.0,
        "su_approved_total": 31.0, "su_upcoming_total": 1.0, "su_active_total": 10.0,
        "su_expired_total": 4.0, "su_requested_total": 703.0, "su_awarded_total": 255.0,
        "su_finalized_total": 7.0, "days_pending_average": 0.0, "days_active_average": 1.0,
    });
    assert_eq!(client.get("/stats/requests/"), expected);
    assert_eq!(client.get("/stats/requests/?_limit=1&_search=x&_order=title"), expected);
    let filtered = client.get("/stats/requests/?status=AP&active__isnull=false&team=1");
    assert_eq!(
        (&filtered["request_count"], &filtered["su_awarded_total"]),
        (&json!(3), &json!(7.0))
    );
    let own = Client::session(&sandbox, "u", "p").get("/stats/requests/");
    assert_eq!((&own["request_count"], &own["su_pending_total"]), (&json!(6), &json!(0.0)));
    client.expect(500, "GET", "/stats/requests/?_order=title,-su_awarded_total", None);
    client.expect(400, "GET", "/stats/requests/?status=XX", None);
    client.expect(405, "POST", "/stats/requests/", Some(json!({})));
    sandbox.advance(Duration::from_secs(86_400));
    let later = client.get("/stats/requests/");
    let states = ["request_upcoming_count", "request_active_count", "request_expired_count"];
    assert_eq!(
        states.map(|name| later[name].as_u64().unwrap()),
        [0, 1, 2],
        "a request without end is in no state"
    );
    add_request(&sandbox, 1, json!({}), &[json!({"requested": i64::MAX})]);
    client.expect(500, "GET", "/stats/requests/", None);
}

#[test]
fn days_until_activation_are_known_to_one_database_only() {
    for (database, days) in [(Database::Sqlite, 0.0), (Database::Postgres, 10.0)] {
        let sandbox = sandbox(database);
        let average =
            |client: &Client| client.get("/stats/requests/")["days_pending_average"].clone();
        let client = admin(&sandbox);
        add_request(&sandbox, 1, json!({}), &[]);
        assert_eq!(average(&client), Value::Null);
        // 8.5 days and 13.5 days make 11 days, and one of 8.5 more makes 10.2.
        for active in ["2026-06-10", "2026-06-15", "2026-06-10"] {
            add_request(&sandbox, 1, json!({"active": active}), &[]);
        }
        assert_eq!(average(&client), json!(days));
    }
}

/// A user with a team of his own, who sees nothing else, and the server's day with some around it.
struct Place {
    server: Target,
    client: Client,
    team: u64,
    today: jiff::civil::Date,
}

impl Place {
    fn new() -> Option<Self> {
        let server = Target::session()?;
        let (user, name) = server.user("u");
        let team = server.insert("users/teams", json!({"name": server.name("Stars")}));
        let membership = json!({"user": user, "team": team, "role": "MB"});
        server.insert("users/memberships", membership);
        let client = Client::session(&server, &name, PASSWORD);
        let now = jiff::Timestamp::try_from(HttpBackend::now(&server).wall).unwrap();
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        Some(Self { server, client, team, today })
    }

    /// Days from today on.
    fn day(&self, days: i64) -> String {
        self.today.checked_add(jiff::SignedDuration::from_hours(days * 24)).unwrap().to_string()
    }
}

#[test]
fn figures_of_grants_follow_the_day() {
    let Some(place) = Place::new() else {
        return;
    };
    let rocks = json!({"name": place.server.name("Rocks")});
    let rocks = place.server.insert("users/teams", rocks);
    let day = |days| json!(place.day(days));
    let add = |team: u64, agency: &str, amount: &str, start: Value, end: Value| {
        let grant = json!({"title": "g", "agency": agency, "amount": amount, "team": team,
            "start_date": start, "end_date": end});
        place.server.insert("research/grants", grant);
    };
    add(place.team, "A", "0.10", day(1), day(200));
    add(place.team, "A", "0.20", day(0), day(1));
    add(place.team, "B", "0.40", day(-14), day(0));
    add(place.team, "C", "0.85", day(-14), Value::Null);
    add(rocks, "D", "100000000000.00", day(-14), day(15));
    let expected = json!({
        "grant_count": 4, "upcoming_count": 1, "active_count": 1, "expired_count": 1,
        "agency_count": 3, "funding_total": "1.55", "funding_upcoming": "0.10",
        "funding_active": "0.20", "funding_expired": "0.40", "funding_average": "0.39",
    });
    assert_eq!(place.client.get("/stats/grants/"), expected);
    let teams = format!("/stats/grants/?team__in={},{rocks}", place.team);
    let all = place.server.admin().get(&teams);
    assert_eq!((&all["grant_count"], &all["active_count"]), (&json!(5), &json!(2)));
    assert_eq!(all["funding_total"], "100000000001.55");
    let none = place.client.get("/stats/grants/?agency=Z");
    assert_eq!((&none["grant_count"], &none["funding_average"]), (&json!(0), &json!("0.00")));
}

#[test]
fn figures_of_requests_follow_the_day() {
    let Some(place) = Place::new() else {
        return;
    };
    let server = &place.server;
    let cluster = server.insert("allocations/clusters", json!({"name": server.name("c")}));
    let submitter = server.staff("boss").0;
    let add = |status: &str, active: Option<i64>, expire: Option<i64>, awarded: u64| {
        let day = |days: Option<i64>| days.map(|days| place.day(days));
        let request = json!({"title": "t", "description": "d", "submitter": submitter,
            "team": place.team, "status": status, "active": day(active), "expire": day(expire)});
        let request = server.insert("allocations/requests", request);
        let allocation = json!({"cluster": cluster, "request": request, "requested": 100,
            "awarded": awarded, "final": 1});
        server.insert("allocations/allocations", allocation);
    };
    add("AP", Some(1), None, 1);
    add("AP", Some(0), Some(0), 2);
    add("AP", Some(-1), Some(-1), 4);
    add("AP", Some(-1), Some(1), 8);
    add("AP", None, None, 16);
    add("DC", Some(-1), Some(1), 32);
    add("PD", None, None, 64);
    add("CR", None, None, 128);
    let mut found = place.client.get("/stats/requests/");
    // It depends on the time of the day.
    found.as_object_mut().unwrap().remove("days_pending_average");
    let expected = json!({
        "request_count": 8, "request_pending_count": 1, "request_approved_count": 5,
        "request_declined_count": 1, "request_upcoming_count": 1, "request_active_count": 2,
        "request_expired_count": 1, "su_pending_total": 64.0, "su_declined_total": 32.0,
        "su_approved_total": 31.0, "su_upcoming_total": 1.0, "su_active_total": 10.0,
        "su_expired_total": 4.0, "su_requested_total": 800.0, "su_awarded_total": 255.0,
        "su_finalized_total": 8.0, "days_active_average": 1.0,
    });
    assert_eq!(found, expected);
    let filtered = place.client.get("/stats/requests/?status=AP&active__isnull=false");
    assert_eq!(
        (&filtered["request_count"], &filtered["su_awarded_total"]),
        (&json!(4), &json!(15.0))
    );
    let client = &place.client;
    client.expect(500, "GET", "/stats/requests/?_order=title,-su_awarded_total", None);
    client.expect(400, "GET", "/stats/requests/?status=XX", None);
    client.expect(405, "POST", "/stats/requests/", Some(json!({})));
}

#[test]
fn figures_of_publications() {
    let Some(place) = Place::new() else {
        return;
    };
    let add = |journal: Value, submitted: Value, published: Value| {
        let publication = json!({"title": "p", "team": place.team, "journal": journal,
            "submitted": submitted, "published": published});
        place.server.insert("research/publications", publication);
    };
    add(json!("Nature"), Value::Null, Value::Null);
    add(json!(""), json!("2026-01-01"), Value::Null);
    add(Value::Null, json!("2026-01-01"), json!("2026-01-31"));
    add(json!("Nature"), json!("2026-01-01"), json!("2026-02-01"));
    add(json!("Cell"), Value::Null, json!("2026-02-01"));
    let client = &place.client;
    let expected = json!({
        "publications_count": 5, "draft_count": 1, "submitted_count": 1, "accepted_count": 3,
        "journals_count": 3, "review_average": "30 12:00:00",
    });
    assert_eq!(client.get("/stats/publications/"), expected);
    let drafts = client.get("/stats/publications/?submitted__isnull=true&published__isnull=true");
    assert_eq!((&drafts["draft_count"], &drafts["review_average"]), (&json!(1), &Value::Null));
    assert_eq!(client.get("/stats/notifications/"), json!({"total": 0, "unread": 0}));
    Client::anonymous(&place.server).expect(401, "GET", "/stats/publications/", None);
    client.expect(404, "GET", "/stats/", None);
}

#[test]
fn figures_of_notifications() {
    let sandbox = sandbox(Database::Sqlite);
    for (user, read) in [(1, false), (2, true), (2, false)] {
        let notification = json!({"user": user, "read": read});
        sandbox.insert("notifications/notifications", notification).unwrap();
    }
    let client = Client::session(&sandbox, "u", "p");
    assert_eq!(client.get("/stats/notifications/"), json!({"total": 2, "unread": 1}));
    let all = admin(&sandbox).get("/stats/notifications/?_search=x");
    assert_eq!(all, json!({"total": 3, "unread": 2}));
}
