//! Rebuilds, from the records that recordings show, the data a recorded server held.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::{Map, Value, json};

use super::compare::moment;
use super::exceptions::Exception;
use super::recording::Recording;
use super::replay::user_id;
use room::Room;

mod room;

/// A column that refers to other records, and where these are.
type References = &'static [(&'static str, &'static str)];

const REFERENCES: &[(&str, References)] = &[
    ("users/memberships", &[("user", "users/users"), ("team", "users/teams")]),
    (
        "users/researchgroups",
        &[("pi", "users/users"), ("admins", "users/users"), ("members", "users/users")],
    ),
    ("allocations/clusters", &[("access_teams", "users/teams")]),
    (
        "allocations/requests",
        &[
            ("submitter", "users/users"),
            ("team", "users/teams"),
            ("group", "users/researchgroups"),
            ("assignees", "users/users"),
            ("publications", "research/publications"),
            ("grants", "research/grants"),
        ],
    ),
    (
        "allocations/allocations",
        &[("cluster", "allocations/clusters"), ("request", "allocations/requests")],
    ),
    ("allocations/reviews", &[("request", "allocations/requests"), ("reviewer", "users/users")]),
    ("allocations/comments", &[("request", "allocations/requests"), ("user", "users/users")]),
    ("allocations/attachments", &[("request", "allocations/requests")]),
    ("research/grants", &[("team", "users/teams"), ("group", "users/researchgroups")]),
    ("research/publications", &[("team", "users/teams"), ("group", "users/researchgroups")]),
    ("notifications/preferences", &[("user", "users/users")]),
    ("notifications/notifications", &[("user", "users/users")]),
    ("logs/apps", &[]),
    ("logs/requests", &[("user", "users/users")]),
    ("logs/tasks", &[]),
    ("logs/audit", &[("actor", "users/users")]),
    ("users/users", &[]),
    ("users/teams", &[]),
];

/// Nested records by the name of the member.
const NESTED: &[(&str, &str)] = &[
    ("_user", "users/users"),
    ("_submitter", "users/users"),
    ("_reviewer", "users/users"),
    ("_actor", "users/users"),
    ("_assignees", "users/users"),
    ("_team", "users/teams"),
    ("_access_teams", "users/teams"),
    ("_cluster", "allocations/clusters"),
    ("_request", "allocations/requests"),
    ("_publications", "research/publications"),
    ("_grants", "research/grants"),
    ("_allocations", "allocations/allocations"),
    ("_comments", "allocations/comments"),
    ("_membership", "users/memberships"),
];

pub type Key = (String, i64);

/// The users of the session dialect who log in, or belong to the teams of those who do.
const EVERYONE: &[i64] = &[1, 102, 103, 106, 107, 110, 893, 894];

/// One sight of a record: the position of the recording, what was seen of the record itself, and
/// the records that hang on it.
struct Sight {
    at: usize,
    record: Map<String, Value>,
    children: Option<Vec<Key>>,
}

/// Every sight of every record.
pub struct World {
    dialect: Dialect,
    sights: BTreeMap<Key, Vec<Sight>>,
    /// The positions where records were made, and where they were deleted.
    made: BTreeMap<Key, usize>,
    gone: BTreeMap<Key, usize>,
}

/// The resource and the id a path names.
pub fn target(path: &str) -> Option<(String, Option<i64>)> {
    let path = path.trim_matches('/').trim_end_matches(".json");
    let mut segments = path.split('/');
    let resource = format!("{}/{}", segments.next()?, segments.next()?);
    REFERENCES.iter().find(|(known, _)| *known == resource)?;
    Some((resource, segments.next().and_then(|id| id.parse().ok())))
}

/// The resources that the figures at a path are about.
fn surveyed(path: &str) -> Option<&'static [&'static str]> {
    Some(match path {
        "/stats/requests/" => &["allocations/requests", "allocations/allocations"],
        "/stats/grants/" => &["research/grants"],
        "/stats/publications/" => &["research/publications"],
        "/logs/feed/" => &["logs/audit", "logs/requests", "logs/tasks"],
        _ => return None,
    })
}

fn references(resource: &str) -> References {
    REFERENCES.iter().find(|(known, _)| *known == resource).map_or(&[], |(_, found)| found)
}

fn ids(value: Option<&Value>) -> Vec<i64> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_i64).collect(),
        Some(Value::String(text)) => text.parse().into_iter().collect(),
        Some(value) => value.as_i64().into_iter().collect(),
        None => Vec::new(),
    }
}

impl World {
    pub fn new(dialect: Dialect, recordings: &[Recording]) -> Self {
        let mut world =
            Self { dialect, sights: BTreeMap::new(), made: BTreeMap::new(), gone: BTreeMap::new() };
        for (position, recording) in recordings.iter().enumerate() {
            world.learn(position, recording);
            for step in recording.steps().iter().filter(|_| !recording.is_dry_run()) {
                world.learn(position, step);
            }
        }
        world
    }

    fn learn(&mut self, position: usize, recording: &Recording) {
        let found = target(&recording.path);
        if let (204, Some((resource, Some(id)))) = (recording.status, &found) {
            self.gone.insert((resource.clone(), *id), position);
        }
        if let Some(key) = created(recording) {
            self.made.entry(key).or_insert(position);
        }
        if !(200..300).contains(&recording.status) {
            return;
        }
        let resource = match (recording.path.as_str(), found) {
            ("/authentication/login/" | "/authentication/whoami/", _) => "users/users".into(),
            (_, Some((resource, _))) => resource,
            ("/logs/feed/", _) => {
                for entry in records(&recording.answer) {
                    self.learn_feed(position, entry);
                }
                return;
            }
            _ => return,
        };
        for record in records(&recording.answer) {
            self.see(position, &resource, record);
        }
    }

    /// Learns from an entry of the feed what it shows of an entry of a log.
    fn learn_feed(&mut self, position: usize, entry: &Map<String, Value>) {
        let shown: &[(&str, &str)] = match entry["record_type"].as_str().unwrap() {
            "request" => &[
                ("summary", "endpoint"),
                ("status", "response_code"),
                ("timestamp", "timestamp"),
                ("cid", "cid"),
                ("user", "user"),
            ],
            "task" => {
                &[("summary", "task_name"), ("status", "status"), ("timestamp", "date_created")]
            }
            _ => &[
                ("summary", "object_repr"),
                ("timestamp", "timestamp"),
                ("cid", "cid"),
                ("user", "actor"),
            ],
        };
        let log = match entry["record_type"].as_str().unwrap() {
            "request" => "logs/requests",
            "task" => "logs/tasks",
            _ => "logs/audit",
        };
        let mut record = Map::new();
        record.insert("id".to_owned(), entry["record_id"].clone());
        for (name, column) in shown {
            record.insert((*column).to_owned(), entry[*name].clone());
        }
        self.see(position, log, &record);
        if let Some(user) = entry["_user"].as_object() {
            self.see(position, "users/users", user);
        }
    }

    fn see(&mut self, position: usize, resource: &str, record: &Map<String, Value>) -> Option<Key> {
        let id = record.get("id").and_then(Value::as_i64)?;
        let mut plain = Map::new();
        let mut children = None;
        for entry in record.get("_history").and_then(Value::as_array).into_iter().flatten() {
            if let Some(actor) = entry["_actor"].as_object() {
                self.see(position, "users/users", actor);
            }
        }
        for (name, value) in record {
            if let Some((_, nested)) = NESTED.iter().find(|(known, _)| known == name) {
                let items = match value {
                    Value::Array(items) => items.as_slice(),
                    one => std::slice::from_ref(one),
                };
                let parent = match (resource, *nested) {
                    ("users/teams", "users/memberships") => Some("team"),
                    ("users/users", "users/memberships") => Some("user"),
                    (_, "allocations/allocations" | "allocations/comments") => Some("request"),
                    _ => None,
                };
                for item in items.iter().filter_map(Value::as_object) {
                    let mut item = item.clone();
                    if let Some(parent) = parent {
                        item.insert(parent.to_owned(), json!(id));
                    }
                    let child = self.see(position, nested, &item);
                    if parent.is_some() {
                        children.get_or_insert_with(Vec::new).extend(child);
                    }
                }
                if parent.is_some() {
                    children.get_or_insert_with(Vec::new);
                }
            }
            let computed = name.starts_with('_')
                && !["_history", "_attachments"].contains(&name.as_str())
                || ["display_name", "abbreviation", "password"].contains(&name.as_str())
                || resource == "users/teams" && name == "users";
            if !computed {
                plain.insert(name.clone(), value.clone());
            }
        }
        let key = (resource.to_owned(), id);
        let sight = Sight { at: position, record: plain, children };
        self.sights.entry(key.clone()).or_default().push(sight);
        Some(key)
    }

    /// When a user has last logged in, as it was seen up to a recording.
    pub fn last_login(&self, user: i64, position: usize) -> Option<Timestamp> {
        let sights = self.sights(&("users/users".to_owned(), user)).iter().rev();
        let mut sights = sights.filter(|sight| sight.at <= position);
        sights.find_map(|sight| Some(moment(sight.record.get("last_login")?.as_str()?)?.1))
    }

    /// The name of a user at a recording.
    pub fn username(&self, user: i64, position: usize) -> String {
        let sights = self.sights(&("users/users".to_owned(), user));
        let name = |sight: &Sight| Some(sight.record.get("username")?.as_str()?.to_owned());
        let earlier = sights.iter().rev().filter(|it| it.at <= position).find_map(name);
        let found = earlier.or_else(|| sights.iter().find_map(name));
        found.unwrap_or_else(|| format!("someone-{user}"))
    }

    fn sights(&self, key: &Key) -> &[Sight] {
        self.sights.get(key).map_or(&[], Vec::as_slice)
    }

    fn is_gone(&self, key: &Key, position: usize) -> bool {
        self.gone.get(key).is_some_and(|&gone| gone < position)
    }

    fn room<'a>(
        &'a self,
        sandbox: &'a Sandbox,
        position: usize,
        recording: &'a Recording,
        placed: BTreeSet<Key>,
    ) -> Room<'a> {
        let reads = matches!(recording.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let batch = recording.path == "/batch/";
        let resource = target(&recording.path);
        Room {
            world: self,
            sandbox,
            position,
            recording,
            limit: if reads || batch { position + 1 } else { position },
            target: resource.clone().and_then(|(resource, id)| Some((resource, id?))),
            later_groups: resource.as_ref().is_none_or(|(it, _)| it != "users/researchgroups")
                && !Exception::EarlierGroups.holds(&recording.name),
            active: Exception::ActiveUsers.holds(&recording.name),
            placed,
        }
    }

    /// Puts the users who log in into a sandbox, and says what was put there.
    pub fn place_users(
        &self,
        sandbox: &Sandbox,
        position: usize,
        recording: &Recording,
    ) -> BTreeSet<Key> {
        let mut room = self.room(sandbox, position, recording, BTreeSet::new());
        // The first entries of the log: later ones get the ids that follow.
        for id in 1..=2 {
            let key = ("logs/requests".to_owned(), id);
            if room.is_known(&key) {
                room.place("logs/requests", id);
            }
        }
        for id in EVERYONE {
            room.place("users/users", *id);
        }
        room.placed
    }

    /// Puts into a sandbox what a recording needs.
    pub fn furnish(
        &self,
        sandbox: &Sandbox,
        position: usize,
        recording: &Recording,
        mut placed: BTreeSet<Key>,
    ) {
        let steps = recording.steps();
        let created: Vec<Key> = steps.iter().filter_map(created).collect();
        placed.extend(created.iter().cloned());
        let resource = target(&recording.path);
        let mut room = self.room(sandbox, position, recording, placed);
        let session = self.dialect == Dialect::Session;
        let everyone = if session { EVERYONE.to_vec() } else { (1..=9).collect() };
        for id in everyone {
            let key = ("users/users".to_owned(), id);
            if session || id == 1 || room.active || room.is_known(&key) {
                room.place("users/users", id);
            }
        }
        let groups = if session { "users/teams" } else { "users/researchgroups" };
        for id in [1, 2] {
            let key = (groups.to_owned(), id);
            if room.is_there_in_session(&key) {
                room.place(groups, id);
            }
        }
        if let Some(resources) = surveyed(&recording.path) {
            let keys = self.sights.keys().filter(|key| resources.contains(&key.0.as_str()));
            // An entry of a log was there before it was seen.
            let logged = |key: &Key| {
                let timed = |sight: &Sight| {
                    let logged = sight.record.get("timestamp").and_then(Value::as_str);
                    logged.and_then(moment).is_none_or(|(_, logged)| logged <= recording.at)
                };
                key.0.starts_with("logs/") && self.sights(key).iter().all(timed)
            };
            let keys = keys.filter(|key| logged(key) || room.is_known(key));
            for (resource, id) in keys.cloned().collect::<Vec<_>>() {
                room.place(&resource, id);
            }
        }
        if let Some((resource, id)) = resource {
            self.furnish_for(&mut room, &resource, id, recording);
        }
        for (resource, id) in &created {
            // So that the server gives new records the recorded ids.
            room.place(resource, id - 1);
        }
        for figures in [recording].into_iter().chain(&steps).filter(|it| notifies(it)) {
            stock_notifications(sandbox, figures);
        }
        for step in &steps {
            if let Some((resource, id)) = target(&step.path) {
                self.furnish_for(&mut room, &resource, id, step);
            }
        }
    }

    fn furnish_for(
        &self,
        room: &mut Room<'_>,
        resource: &str,
        id: Option<i64>,
        recording: &Recording,
    ) {
        for (column, to) in references(resource) {
            for id in ids(recording.sent(column).as_ref())
                .into_iter()
                .filter(|&id| id > 0 && id != 999 && id < 9_999)
            {
                room.place(to, id);
            }
            for (name, value) in &recording.query {
                if name.split("__").next() == Some(column) {
                    for id in value.split(',').filter_map(|id| id.trim().parse().ok()) {
                        if self.sights.contains_key(&((*to).to_owned(), id)) {
                            room.place(to, id);
                        }
                    }
                }
            }
        }
        // What is not found may be there, and hidden.
        let hidden = |id| room.is_known(&(resource.to_owned(), id));
        if let Some(id) = id.filter(|&id| recording.status != 404 || hidden(id)) {
            room.place(resource, id);
        }
        let known = |room: &Room<'_>, key: &Key| key.0 == resource && room.is_known(key);
        let keys: Vec<Key> = match (recording.method.as_str(), id, recording.status) {
            // What the list shows, and all that it has to leave out.
            ("GET", None, 200) => {
                let shown = records(&recording.answer);
                let shown = shown.iter().filter_map(|record| record.get("id")?.as_i64());
                let shown = shown.map(|id| (resource.to_owned(), id));
                // What is seen later in logs came later.
                let logs = resource.starts_with("logs/");
                let there = |key: &Key| {
                    if logs { room.is_known(key) } else { room.is_there_in_session(key) }
                };
                let there = |key: &&Key| key.0 == resource && there(key);
                shown.chain(self.sights.keys().filter(there).cloned()).collect()
            }
            // What it may collide with.
            ("POST", None, 201) if resource != "allocations/attachments" => Vec::new(),
            ("POST", None, 201 | 400 | 500) => {
                self.sights.keys().filter(|key| known(room, key)).cloned().collect()
            }
            // What refers to the record.
            ("DELETE", Some(id), 500) => {
                let refers = |key: &&Key, sight: &Sight| {
                    references(&key.0).iter().any(|(column, to)| {
                        *to == resource && sight.record.get(*column) == Some(&json!(id))
                    })
                };
                let refers = |key: &&Key| self.sights(key).iter().any(|sight| refers(key, sight));
                self.sights.keys().filter(refers).cloned().collect()
            }
            _ => Vec::new(),
        };
        for (resource, id) in keys {
            room.place(&resource, id);
        }
    }
}

fn notifies(recording: &Recording) -> bool {
    recording.path == "/stats/notifications/" && recording.status == 200
}

/// Stores as many notifications as recorded figures count. Staff see those of others, too.
fn stock_notifications(sandbox: &Sandbox, figures: &Recording) {
    let count = |name: &str| figures.answer[name].as_u64().unwrap();
    let user =
        if figures.sender() == Some("admin") { 102 } else { user_id(figures.sender().unwrap()) };
    for number in 0..count("total") {
        let read = number >= count("unread");
        let notification = json!({"user": user, "read": read});
        sandbox.insert("notifications/notifications", notification).unwrap();
    }
}

/// The record that an exchange brought about.
fn created(recording: &Recording) -> Option<Key> {
    let (resource, _) = target(&recording.path)?;
    let id = recording.answer["id"].as_i64().filter(|_| recording.status == 201)?;
    Some((resource, id))
}

fn records(answer: &Value) -> Vec<&Map<String, Value>> {
    let list = answer.as_array().or_else(|| answer.get("results").and_then(Value::as_array));
    match list {
        Some(items) => items.iter().filter_map(Value::as_object).collect(),
        None => answer.as_object().into_iter().collect(),
    }
}
