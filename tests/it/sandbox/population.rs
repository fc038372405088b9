//! Made-up data: always the same, of the size that is stated, and such as the server accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use keystone_client::sandbox::{Database, Dialect, Population, Sandbox, SandboxBuilder};
use serde_json::{Map, Value, json};

const TOKEN: &str = "token-of-the-admin";

/// All lists, each after those that its records refer to.
const LISTS: &[&str] = &[
    "users/users",
    "users/teams",
    "users/researchgroups",
    "users/memberships",
    "allocations/clusters",
    "research/grants",
    "research/publications",
    "allocations/requests",
    "allocations/allocations",
    "allocations/attachments",
    "allocations/comments",
    "allocations/reviews",
    "notifications/preferences",
    "notifications/notifications",
    "logs/tasks",
    "logs/apps",
    "logs/requests",
    "logs/audit",
];

type Lists = BTreeMap<&'static str, Vec<Map<String, Value>>>;

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_770_033_600)
}

fn builder(dialect: Dialect) -> SandboxBuilder {
    Sandbox::builder()
        .dialect(dialect)
        .staff("admin", "admin-password")
        .api_token("admin", TOKEN)
        .start_at(noon())
}

fn ask(sandbox: &Sandbox, login: &str, path: &str) -> Option<Value> {
    let request = http::Request::get(path).header("authorization", login);
    let response = sandbox.handle(request.body(Bytes::new()).unwrap());
    (response.status() == 200).then(|| serde_json::from_slice(response.body()).unwrap())
}

fn login(sandbox: &Sandbox) -> String {
    let request = http::Request::post("/authentication/new/")
        .header("content-type", "application/json")
        .body(Bytes::from_static(br#"{"username": "admin", "password": "admin-password"}"#));
    let response = sandbox.handle(request.unwrap());
    match serde_json::from_slice::<Value>(response.body()) {
        Ok(tokens) => format!("Bearer {}", tokens["access"].as_str().unwrap()),
        Err(_) => format!("Token {TOKEN}"),
    }
}

/// What all lists show, as it is sent.
fn lists(sandbox: &Sandbox) -> Lists {
    let login = login(sandbox);
    let mut lists = Lists::new();
    for &list in LISTS {
        let mut records = Vec::new();
        loop {
            let path = format!("/{list}/?_limit=1000&_offset={}", records.len());
            let Some(page) = ask(sandbox, &login, &path) else { break };
            let (page, whole) = match page {
                Value::Array(records) => (records, true),
                Value::Object(mut page) => match page["results"].take() {
                    Value::Array(records) => (records, page["next"].is_null()),
                    other => panic!("{list}: {other}"),
                },
                other => panic!("{list}: {other}"),
            };
            records.extend(page.into_iter().map(|record| match record {
                Value::Object(record) => record,
                other => panic!("{list}: {other}"),
            }));
            if whole {
                break;
            }
        }
        if !records.is_empty() {
            lists.insert(list, records);
        }
    }
    lists
}

/// What was made up, without the admin and what tells of him.
fn made_up(sandbox: &Sandbox) -> Lists {
    let mut lists = lists(sandbox);
    lists.remove("logs/audit");
    lists.get_mut("users/users").unwrap().retain(|user| user["username"] != "admin");
    if let Some(log) = lists.get_mut("logs/requests") {
        log.retain(|entry| entry["remote_address"] != "127.0.0.1");
    }
    lists
}

fn counts(lists: &Lists) -> BTreeMap<&'static str, usize> {
    lists.iter().map(|(list, records)| (*list, records.len())).collect()
}

#[test]
fn the_same_seed_makes_the_same_records_on_either_database() {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        let make = |seed, database, users| {
            let population = Population::new(seed).users(users);
            made_up(&builder(dialect).database(database).population(population).build())
        };
        let first = make(3, Database::Sqlite, 60);
        assert!(first["users/users"].len() == 60);
        let text = |lists: &Lists| serde_json::to_string(lists).unwrap();
        for database in [Database::Sqlite, Database::Postgres] {
            let same = text(&make(3, database, 60)) == text(&first);
            assert!(same, "{dialect:?} on {database:?}");
        }
        let other = make(4, Database::Sqlite, 60);
        assert_eq!(counts(&other), counts(&first));
        // Clusters are few, and have the same names everywhere.
        for (list, records) in first.iter().filter(|(list, _)| **list != "allocations/clusters") {
            assert!(&other[list] != records, "{list}");
        }
    }
}

#[test]
fn records_come_to_the_numbers_that_are_stated() {
    let session = BTreeMap::from([
        ("users/users", 100),
        ("users/teams", 20),
        ("users/memberships", 118),
        ("allocations/clusters", 6),
        ("research/grants", 40),
        ("research/publications", 80),
        ("allocations/requests", 120),
        ("allocations/allocations", 240),
        ("allocations/attachments", 120),
        ("allocations/comments", 240),
        ("allocations/reviews", 120),
        ("notifications/preferences", 50),
        ("notifications/notifications", 400),
    ]);
    let jwt = BTreeMap::from([
        ("users/users", 100),
        ("users/researchgroups", 20),
        ("allocations/clusters", 6),
        ("research/grants", 40),
        ("research/publications", 80),
        ("allocations/requests", 120),
        ("allocations/allocations", 240),
        ("allocations/reviews", 120),
        ("logs/tasks", 200),
        ("logs/apps", 200),
        ("logs/requests", 400),
    ]);
    for (dialect, expected) in [(Dialect::Session, session), (Dialect::Jwt, jwt)] {
        let sandbox = builder(dialect).population(Population::new(1)).build();
        let mut counted = counts(&made_up(&sandbox));
        if dialect == Dialect::Session {
            // Not every server of the dialect has these.
            counted.retain(|list, _| !list.starts_with("logs/"));
        }
        assert_eq!(counted, expected);
        for rows in [400, 1000, 4321] {
            let sandbox = builder(dialect).population(Population::new(1).rows(rows)).build();
            let counts = counts(&made_up(&sandbox));
            assert_eq!(counts.values().sum::<usize>(), rows, "{dialect:?}: {counts:?}");
        }
    }
    let few = builder(Dialect::Session).population(Population::new(1).users(0)).build();
    assert_eq!(counts(&made_up(&few))["users/users"], 10);
}

/// Fields that are worked out, or that a server knows and does not take.
const DERIVED: &[&str] = &["display_name", "abbreviation", "users"];

#[test]
fn a_server_accepts_every_record() {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        for database in [Database::Sqlite, Database::Postgres] {
            let populated =
                builder(dialect).database(database).population(Population::new(11)).build();
            let made_up = made_up(&populated);
            let other = builder(dialect).database(database).build();
            for list in LISTS.iter().filter(|list| made_up.contains_key(*list)) {
                for record in &made_up[list] {
                    let mut record = record.clone();
                    record.retain(|name, _| {
                        !name.starts_with('_') && !DERIVED.contains(&name.as_str())
                    });
                    if *list == "notifications/notifications" {
                        record.insert("message_text".into(), json!("not shown"));
                    }
                    let shown = Value::Object(record.clone());
                    if let Err(error) = other.insert(list, shown.clone()) {
                        panic!("{list} {shown}: {error}");
                    }
                }
            }
            let stored = self::made_up(&other);
            for (list, records) in &made_up {
                for (record, stored) in records.iter().zip(&stored[list]) {
                    let plain = |record: &Map<String, Value>| {
                        let mut record = record.clone();
                        record.remove("_history");
                        // Nested records of the change log are of other moments.
                        serde_json::to_string(&record).unwrap()
                    };
                    assert_eq!(plain(record), plain(stored), "{list}");
                }
            }
        }
    }
}

#[test]
fn every_user_who_is_active_can_log_in() {
    let sandbox = builder(Dialect::Session).population(Population::new(5)).build();
    let users = &made_up(&sandbox)["users/users"];
    let inactive: Vec<_> = users.iter().filter(|user| user["is_active"] == false).collect();
    assert_eq!(inactive.len(), 3);
    assert_eq!(users.iter().filter(|user| user["is_staff"] == true).count(), 5);
    for user in users {
        let client = sandbox.blocking_client().unwrap();
        let result = client.login(user["username"].as_str().unwrap(), Population::PASSWORD);
        assert_eq!(result.is_ok(), user["is_active"] == true, "{user:?}");
    }
    let wrong = users[0]["username"].as_str().unwrap();
    assert!(sandbox.blocking_client().unwrap().login(wrong, "another-password").is_err());
}

fn day(record: &Map<String, Value>, name: &str) -> Option<i64> {
    let day: jiff::civil::Date = record[name].as_str()?.parse().unwrap();
    let today: jiff::civil::Date = "2026-02-02".parse().unwrap();
    Some(i64::from((day - today).get_days()))
}

#[test]
fn requests_are_of_all_ages_and_in_every_status() {
    let sandbox = builder(Dialect::Session).population(Population::new(8)).build();
    let made_up = made_up(&sandbox);
    let requests = &made_up["allocations/requests"];
    let with = |status: &str| requests.iter().filter(|it| it["status"] == status).count();
    assert_eq!(["AP", "PD", "DC", "CR"].map(with), [90, 18, 6, 6]);
    let approved = || requests.iter().filter(|it| it["status"] == "AP");
    let ends = |days: std::ops::RangeInclusive<i64>| {
        approved().filter(|it| day(it, "expire").is_some_and(|day| days.contains(&day))).count()
    };
    assert_eq!([ends(1..=30), ends(31..=60), ends(61..=90)], [6, 6, 6]);
    assert_eq!([ends(-2000..=-1), ends(91..=360)], [42, 18]);
    assert_eq!(approved().filter(|it| it["expire"].is_null()).count(), 6);
    assert_eq!(approved().filter(|it| day(it, "active").is_some_and(|it| it > 0)).count(), 6);
    let oldest = requests.iter().map(|it| it["submitted"].as_str().unwrap()).min().unwrap();
    assert!(oldest < "2024-01-01", "{oldest}");

    let teams: BTreeMap<i64, &Map<String, Value>> =
        made_up["users/teams"].iter().map(|team| (team["id"].as_i64().unwrap(), team)).collect();
    for request in requests {
        let submitter = &request["submitter"];
        let role = teams[&request["team"].as_i64().unwrap()]["_membership"]
            .as_array()
            .unwrap()
            .iter()
            .find(|membership| membership["_user"]["id"] == *submitter)
            .map(|membership| membership["role"].as_str().unwrap());
        assert!(matches!(role, Some("OW" | "AD")), "{request:?}");
        let allocations = request["_allocations"].as_array().unwrap();
        assert!((1..=3).contains(&allocations.len()));
        let clusters: BTreeSet<_> =
            allocations.iter().map(|it| it["_cluster"]["id"].as_i64().unwrap()).collect();
        assert_eq!(clusters.len(), allocations.len());
        for allocation in allocations {
            let decided = request["status"] == "AP";
            assert_eq!(allocation["awarded"].is_null(), !decided);
            let over = day(request, "expire").is_some_and(|day| day < 0);
            assert!(over || allocation["final"].is_null());
        }
    }
    let finals = made_up["allocations/allocations"].iter().filter(|it| !it["final"].is_null());
    assert!(finals.count() > 40);
    for comment in &made_up["allocations/comments"] {
        let author = made_up["users/users"].iter().find(|user| user["id"] == comment["user"]);
        assert!(comment["private"] == false || author.unwrap()["is_staff"] == true);
    }
    let private = made_up["allocations/comments"].iter().filter(|it| it["private"] == true);
    assert!((15..60).contains(&private.count()));
    for cluster in &made_up["allocations/clusters"] {
        let listed = cluster["access_teams"].as_array().unwrap().len();
        assert_eq!(listed > 0, cluster["access_mode"] != "OP", "{cluster:?}");
    }
    let modes: BTreeSet<_> =
        made_up["allocations/clusters"].iter().map(|it| it["access_mode"].to_string()).collect();
    assert_eq!(modes.len(), 3);
}

#[test]
fn the_change_log_tells_of_every_record_in_the_order_of_time() {
    let sandbox = builder(Dialect::Session).population(Population::small(2)).build();
    let lists = lists(&sandbox);
    let log = &lists["logs/audit"];
    let is_logged = |list: &str| !list.starts_with("notif") && !list.starts_with("logs");
    let logged = made_up(&sandbox).iter().filter(|(list, _)| is_logged(list)).fold(
        // Preferences and notifications are not logged, the admin is.
        1,
        |sum, (_, records)| sum + records.len(),
    );
    assert_eq!(log.len(), logged);
    let mut moments: Vec<&str> =
        log.iter().map(|entry| entry["timestamp"].as_str().unwrap()).collect();
    // The newest comes first; the admin came before all others and at noon.
    assert!(moments.pop().unwrap() > "2026-02-02T12");
    assert!(moments.is_sorted_by(|newer, older| newer >= older));
    assert!(moments[0] < "2026-02-02T00");
    for record in &lists["allocations/requests"] {
        let history = record["_history"].as_array().unwrap();
        assert_eq!(history.len(), 1);
        assert_eq!(history[0]["timestamp"], record["submitted"]);
        assert_eq!(history[0]["actor"], record["submitter"]);
    }
}

/// Whatever the seed, nothing is from the future: the day of the server has not begun for what is made up.
#[test]
fn nothing_is_from_the_future() {
    for seed in 0..12 {
        let sandbox = builder(Dialect::Session).population(Population::new(seed)).build();
        let login = login(&sandbox);
        let page = ask(&sandbox, &login, "/logs/audit/?_order=-timestamp&_limit=5").unwrap();
        let results = page["results"].as_array().unwrap();
        // The admin was made at noon.
        let newest = results.iter().map(|it| it["timestamp"].as_str().unwrap());
        let newest: Vec<&str> = newest.filter(|it| *it < "2026-02-02T11").collect();
        assert_eq!(newest.len(), 4, "{page}");
        assert!(newest[0] < "2026-02-02T00", "{seed}: {newest:?}");
    }
}

#[test]
fn populations_go_side_by_side() {
    for dialect in [Dialect::Session, Dialect::Jwt] {
        let sandbox = builder(dialect).population(Population::small(1)).build();
        sandbox.populate(&Population::small(1));
        sandbox.populate(&Population::small(2));
        let users = made_up(&sandbox)["users/users"].clone();
        let names: BTreeSet<_> = users.iter().map(|it| it["username"].to_string()).collect();
        assert_eq!((users.len(), names.len()), (60, 60));
    }
}

#[test]
fn teams_are_stored_with_their_members_or_not_at_all() {
    use keystone_client::resources::MembershipRole::{Admin, Member, Owner};

    for (dialect, list) in
        [(Dialect::Session, "users/teams"), (Dialect::Jwt, "users/researchgroups")]
    {
        let sandbox =
            builder(dialect).user("ada", "a-password").user("grace", "a-password").build();
        let members = [("ada", Owner), ("admin", Admin), ("grace", Member)];
        assert_eq!(sandbox.insert_team("Folding", &members), Ok(1));
        for (name, members) in
            [("Folding", vec![("ada", Owner)]), ("Stars", vec![("ada", Owner), ("nobody", Member)])]
        {
            sandbox.insert_team(name, &members).unwrap_err();
        }
        let teams = lists(&sandbox)[list].clone();
        assert_eq!(teams.len(), 1, "{dialect:?}");
        if dialect == Dialect::Jwt {
            assert_eq!(teams[0]["pi"], 2);
            assert_eq!(teams[0]["admins"], json!([1]));
            assert_eq!(teams[0]["members"], json!([3]));
            sandbox.insert_team("Stars", &[("ada", Admin)]).unwrap_err();
        } else {
            let roles: Vec<_> = teams[0]["_membership"].as_array().unwrap().iter().collect();
            assert_eq!(roles.len(), 3);
            assert_eq!((&roles[0]["role"], &roles[1]["role"]), (&json!("AD"), &json!("OW")));
            sandbox.insert_team("Stars", &[("ada", Owner), ("ada", Member)]).unwrap_err();
            assert_eq!(lists(&sandbox)[list].len(), 1);
        }
    }
}

#[test]
fn several_records_are_stored_or_none() {
    let sandbox = Sandbox::new();
    let teams = |names: [&str; 2]| names.map(|name| json!({ "name": name }));
    assert_eq!(sandbox.insert_all("/users/teams/", teams(["Folding", "Stars"])), Ok(vec![1, 2]));
    let error = sandbox.insert_all("users/teams", teams(["Clouds", "Stars"])).unwrap_err();
    assert_eq!(error.to_string(), "name: team with this name already exists.");
    assert_eq!(sandbox.insert_all("users/teams", teams(["Clouds", "Waves"])), Ok(vec![3, 4]));
    sandbox.insert_all("users/nothing", []).unwrap_err();
}
