//! One sandbox being filled with what a recording needs.

use std::collections::BTreeSet;

use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::{Map, Value, json};

use super::super::compare::moment;
use super::super::recording::Recording;
use super::{Key, Sight, World, ids, references};

/// Gives a record the values that it had before what an entry tells of.
fn undo(entry: &Value, record: &mut Map<String, Value>) {
    for (name, texts) in entry["changes"].as_object().unwrap() {
        let old = texts[0].as_str().unwrap();
        let value = match (old, record.get(name)) {
            ("None", _) => Value::Null,
            ("True", _) => json!(true),
            ("False", _) => json!(false),
            (_, Some(Value::Number(_))) => old.parse::<i64>().map_or(json!(old), |it| json!(it)),
            _ => json!(old),
        };
        if !["password", "id"].contains(&name.as_str()) {
            record.insert(name.clone(), value);
        }
    }
}

/// A sandbox being filled.
pub struct Room<'a> {
    pub world: &'a World,
    pub sandbox: &'a Sandbox,
    pub position: usize,
    pub recording: &'a Recording,
    /// The record the recording is about, and where sights of later states of it begin.
    pub target: Option<Key>,
    pub limit: usize,
    /// Groups are taken as seen next: their members were changed without being recorded.
    pub later_groups: bool,
    /// Whether users are to be active whatever was seen.
    pub active: bool,
    pub placed: BTreeSet<Key>,
}

const AUDIT: &str = "logs/audit";

impl Room<'_> {
    /// Whether a record exists at the position.
    pub fn is_known(&self, key: &Key) -> bool {
        self.world.sights(key).iter().any(|sight| sight.at < self.limit) && !self.is_gone(key)
    }

    /// Whether a record exists at the position, also if it was seen later only.
    pub fn is_there(&self, key: &Key) -> bool {
        let made = self.world.made.get(key).is_none_or(|&made| made < self.position);
        made && !self.is_gone(key)
    }

    /// The same, where the data did not grow with the recordings.
    pub fn is_there_in_session(&self, key: &Key) -> bool {
        match self.world.dialect {
            Dialect::Session => self.is_there(key),
            _ => self.is_known(key),
        }
    }

    /// Whether a record was deleted, or one that it refers to.
    fn is_gone(&self, key: &Key) -> bool {
        let gone = |to: &str, id| self.world.is_gone(&(to.to_owned(), id), self.position);
        let lost = |sight: &Sight| {
            references(&key.0).iter().any(|(column, to)| match sight.record.get(*column) {
                Some(Value::Number(id)) => gone(to, id.as_i64().unwrap()),
                _ => false,
            })
        };
        gone(&key.0, key.1) || self.world.sights(key).iter().any(lost)
    }

    /// What is known of a record: older sights are completed by newer ones.
    fn record(&self, key: &Key) -> Map<String, Value> {
        let sights = self.world.sights(key);
        let limit = if self.target.as_ref() == Some(key) { self.limit } else { self.position + 1 };
        let mut record = Map::new();
        for sight in sights.iter().rev().filter(|sight| sight.at >= limit) {
            record.extend(sight.record.clone());
        }
        for sight in sights.iter().filter(|sight| sight.at < limit) {
            record.extend(sight.record.clone());
        }
        self.settle_history(key, &mut record);
        if self.later_groups && key.0 == "users/researchgroups" {
            if let Some(sight) = sights.iter().find(|sight| sight.at >= limit) {
                record.extend(sight.record.clone());
            }
        }
        record
    }

    /// The history of a record as it was before the recording: what is seen later is longer.
    fn settle_history(&self, key: &Key, record: &mut Map<String, Value>) {
        let seen = |sight: &&Sight| sight.record.contains_key("_history");
        let mut sights = self.world.sights(key).iter().filter(seen);
        let history = |sight: &Sight| sight.record.get("_history").cloned().unwrap_or_default();
        let earlier = sights.clone().rfind(|it| it.at < self.limit.max(self.position));
        let now = sights.find(|sight| sight.at == self.position);
        let mut entries = match (now, earlier) {
            (Some(now), _) => history(now),
            (None, Some(earlier)) => history(earlier),
            (None, None) => json!([]),
        };
        let reads = matches!(self.recording.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        // What was logged since the recording before is the work of this one.
        let entries_of = entries.as_array_mut().unwrap();
        while entries_of.first().is_some_and(|entry| !reads && self.is_new(entry)) {
            undo(&entries_of.remove(0), record);
        }
        // Its author may be gone by now.
        for entry in entries.as_array_mut().into_iter().flatten() {
            entry.as_object_mut().unwrap().remove("_actor");
        }
        record.insert("_history".to_owned(), entries);
    }

    fn is_new(&self, entry: &Value) -> bool {
        let (_, logged) = moment(entry["timestamp"].as_str().unwrap()).unwrap();
        logged > self.recording.before
    }

    pub fn place(&mut self, resource: &str, id: i64) {
        let key = (resource.to_owned(), id);
        if !self.placed.insert(key.clone()) {
            return;
        }
        let mut record = self.record(&key);
        if self.active && resource == "users/users" {
            record.insert("is_active".to_owned(), json!(true));
        }
        self.complete(resource, id, &mut record);
        for (column, to) in references(resource) {
            for id in ids(record.get(*column)) {
                self.place(to, id);
            }
        }
        for entry in record["_history"].clone().as_array().into_iter().flatten() {
            for actor in ids(entry.get("actor")) {
                self.place("users/users", actor);
            }
        }
        let logged = self.take_logged(&mut record);
        if let Err(error) = self.sandbox.insert(resource, Value::Object(record)) {
            panic!("{}: cannot place {resource} {id}: {error}", self.recording.name);
        }
        for entry in logged {
            self.place(AUDIT, entry);
        }
        self.place_attachments(&key);
        let parents = |sight: &&Sight| sight.children.is_some();
        let sights = self.world.sights(&key).iter().filter(parents);
        let earlier = sights.clone().rfind(|sight| sight.at <= self.position);
        let later = sights.clone().find(|sight| sight.at > self.position);
        let children = earlier.or(later).and_then(|sight| sight.children.clone());
        for key in children.unwrap_or_default() {
            let there = if earlier.is_some() { !self.is_gone(&key) } else { self.is_there(&key) };
            if there {
                self.place(&key.0, key.1);
            }
        }
    }

    /// Takes the entries out of a history that recordings show in the audit log too, where they say more,
    /// and returns their ids.
    fn take_logged(&self, record: &mut Map<String, Value>) -> Vec<i64> {
        let Some(Value::Array(history)) = record.get_mut("_history") else {
            return Vec::new();
        };
        let mut logged = Vec::new();
        history.retain(|entry| {
            let id = entry["id"].as_i64().unwrap();
            let is_known = !self.world.sights(&(AUDIT.to_owned(), id)).is_empty();
            logged.extend(is_known.then_some(id));
            !is_known
        });
        logged
    }

    /// Requests show their attachments without ids.
    fn place_attachments(&mut self, request: &Key) {
        if !self.recording.path.starts_with("/allocations/requests/") {
            return;
        }
        let shown = |sight: &&Sight| sight.record.contains_key("_attachments");
        let mut sights = self.world.sights(request).iter().filter(shown);
        let sight =
            sights.rfind(|it| it.at <= self.position && it.at < self.limit.max(self.position + 1));
        let shown = sight.map(|sight| sight.record["_attachments"].clone());
        for attachment in shown.iter().filter_map(Value::as_array).flatten() {
            let attachment = json!({"file": attachment["file"], "name": attachment["name"],
                "request": request.1, "_history": []});
            self.sandbox.insert("allocations/attachments", attachment).unwrap();
        }
    }

    /// Adds what a record needs and no recording shows.
    fn complete(&self, resource: &str, id: i64, record: &mut Map<String, Value>) {
        let mut set = |name: &str, value: Value| {
            record.entry(name.to_owned()).or_insert(value);
        };
        set("id", json!(id));
        let session = self.world.dialect == Dialect::Session;
        match resource {
            "users/users" => {
                set("username", json!(format!("someone-{id}")));
                let password = match (session, id) {
                    (true, _) => "password",
                    (false, 1) => "placeholder-admin-password",
                    (false, _) => "placeholder-Passw0rd",
                };
                set("password", json!(password));
                if id == 1 {
                    set("is_staff", json!(true));
                }
            }
            "users/teams" | "users/researchgroups" | "allocations/clusters" => {
                set("name", json!(format!("Something {id}")));
                if resource == "users/researchgroups" {
                    set("pi", json!(1));
                }
            }
            "allocations/requests" => {
                set("title", json!("A title"));
                set("description", json!("A description"));
                if session {
                    set("submitter", json!(1));
                    set("team", json!(1));
                } else {
                    set("group", json!(1));
                }
            }
            "allocations/allocations" => {
                set("requested", json!(1));
                set("cluster", json!(1));
                set("request", json!(1));
            }
            "allocations/attachments" => {
                set("file", json!("allocations/a.txt"));
                set("request", json!(1));
            }
            "allocations/comments" => {
                set("content", json!("A comment"));
                set("request", json!(1));
                set("user", json!(1));
            }
            "allocations/reviews" => {
                set("status", json!("AP"));
                set("request", json!(1));
                set("reviewer", json!(1));
            }
            "users/memberships" => {
                set("role", json!("MB"));
                set("user", json!(1));
                set("team", json!(1));
            }
            "logs/requests" if session => {
                set("method", json!("GET"));
                set("endpoint", json!("/"));
                set("response_code", json!(200));
            }
            "logs/tasks" => set("task_id", json!(format!("task-{id}"))),
            "logs/audit" => {
                set("record_name", json!("users | Team"));
                set("record_id", json!(id));
                set("action", json!("update"));
            }
            "notifications/preferences" | "notifications/notifications" => set("user", json!(1)),
            "research/grants" | "research/publications" => {
                set("title", json!("A title"));
                set(if session { "team" } else { "group" }, json!(1));
                set("agency", json!("An agency"));
                set("amount", json!("1.00"));
                set("start_date", json!("2026-01-01"));
            }
            _ => {}
        }
    }
}
