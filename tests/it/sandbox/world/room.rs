//! One sandbox being filled with what a recording needs.

use std::collections::BTreeSet;

use keystone_client::sandbox::{Dialect, Sandbox};
use serde_json::{Map, Value, json};

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

impl Room<'_> {
    /// Whether a record exists at the position.
    pub fn is_known(&self, key: &Key) -> bool {
        let seen = self.world.sights(key).iter().any(|sight| sight.at < self.limit);
        seen && !self.world.is_gone(key, self.position)
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
        let is_target = self.target.as_ref() == Some(key);
        let history = |sight: &Sight| sight.record.get("_history").cloned().unwrap_or_default();
        let earlier = sights.clone().rfind(|it| it.at < self.limit.max(self.position));
        let now = sights.find(|sight| sight.at == self.position);
        let writes = matches!(self.recording.method.as_str(), "PUT" | "PATCH");
        let mut entries = match (now, earlier) {
            (Some(now), _) if is_target && writes => {
                let mut entries = history(now);
                let entries_of = entries.as_array_mut().unwrap();
                let written = entries_of.first().is_some_and(|entry| self.has_written(entry));
                if written {
                    undo(&entries_of.remove(0), record);
                }
                entries
            }
            (Some(now), _) => history(now),
            (None, Some(earlier)) => history(earlier),
            (None, None) => json!([]),
        };
        // Its author may be gone by now.
        for entry in entries.as_array_mut().into_iter().flatten() {
            entry.as_object_mut().unwrap().remove("_actor");
        }
        record.insert("_history".to_owned(), entries);
    }

    /// Whether an entry is the work of the recorded write: it changes what was sent.
    fn has_written(&self, entry: &Value) -> bool {
        let changes = entry["changes"].as_object();
        entry["action"] == "update"
            && changes.is_some_and(|changes| {
                changes.iter().all(|(name, texts)| {
                    self.recording.sent(name).is_some_and(|sent| {
                        let sent = sent.as_str().map_or(sent.to_string(), str::to_owned);
                        let text = texts[1].as_str().unwrap_or_default().to_lowercase();
                        sent.trim().to_lowercase() == text
                            || name == "password"
                            || sent == "null" && text == "none"
                    }) || ["is_active", "file"].contains(&name.as_str())
                })
            })
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
        if let Err(error) = self.sandbox.insert(resource, Value::Object(record)) {
            eprintln!("cannot place {resource} {id}: {error}");
        }
        self.place_attachments(&key);
        let mut sights = self.world.sights(&key).iter();
        let sight = sights.rfind(|it| it.at <= self.position && it.children.is_some());
        for (resource, id) in sight.and_then(|it| it.children.clone()).unwrap_or_default() {
            if !self.world.is_gone(&(resource.clone(), id), self.position) {
                self.place(&resource, id);
            }
        }
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
