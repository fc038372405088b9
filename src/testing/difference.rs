//! What is different between a request that was expected and one that came, in words without secrets.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Map, Value};

use crate::redact::{REDACTED, is_secret_name, redact};

/// How much of a value is shown.
const LONGEST_VALUE: usize = 160;

/// What is different, one line for each place.
#[derive(Debug, Default, Clone)]
pub(super) struct Differences {
    lines: Vec<String>,
    weight: usize,
}

impl Differences {
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// How far apart the requests are.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Notes one that weighs as much as so many.
    pub(super) fn add(&mut self, weight: usize, line: impl Into<String>) {
        self.weight = self.weight.saturating_add(weight);
        self.lines.push(line.into());
    }

    /// The lines, each on a line of its own with so much before it.
    pub(super) fn write(&self, indent: &str, into: &mut String) {
        for line in &self.lines {
            // Writing to a `String` cannot fail.
            let _ = write!(into, "\n{indent}{line}");
        }
    }

    /// Adds what is known of a value that was expected, where it is.
    pub(super) fn explain(&mut self, meaning: impl Fn(&str, Option<&str>) -> Option<String>) {
        for line in &mut self.lines {
            let mut quoted = line.split('"').skip(1).step_by(2);
            let Some(expected) = quoted.next() else { continue };
            if let Some(meaning) = meaning(expected, quoted.next()) {
                // Writing to a `String` cannot fail.
                let _ = write!(line, " ({meaning})");
            }
        }
    }

    pub(super) fn method(&mut self, expected: &http::Method, seen: &http::Method) {
        if expected != seen {
            self.add(20, format!("method: expected {expected}, seen {seen}"));
        }
    }

    /// Segments that are `*` stand for any.
    pub(super) fn path(&mut self, expected: &str, seen: &str) {
        let (left, right) = (expected.split('/'), seen.split('/'));
        let missing = left.clone().count().abs_diff(right.clone().count());
        let different = left
            .zip(right)
            .filter(|(expected, seen)| {
                let is_any = *expected == "*" && !seen.is_empty();
                expected != seen && !is_any
            })
            .count();
        if missing + different > 0 {
            let weight = 10 * (missing + different);
            self.add(weight, format!("path: expected {expected}, seen {seen}"));
        }
    }
}

/// Whether two values that are neither objects nor lists are the same for the member of this name.
pub(super) type Same<'a> = dyn FnMut(&str, &Value, &Value) -> bool + 'a;

/// How values are compared.
pub(super) struct Comparison<'a> {
    pub(super) same: &'a mut Same<'a>,
    /// Whether objects, parameters and fields may have more than is expected.
    pub(super) contains: bool,
    pub(super) found: Differences,
    /// Names of secrets beside those that are known by themselves.
    secrets: &'a [&'static str],
}

impl<'a> Comparison<'a> {
    pub(super) fn new(same: &'a mut Same<'a>, secrets: &'a [&'static str]) -> Self {
        Self { same, contains: false, found: Differences::default(), secrets }
    }

    /// Compares JSON member by member. `place` is the way to it, `name` the member that it is in; what
    /// is in a secret keeps the name of the secret, whatever members there are in it.
    pub(super) fn json(&mut self, place: &str, name: &str, expected: &Value, seen: &Value) {
        if (self.same)(name, expected, seen) {
            return;
        }
        match (expected, seen) {
            (Value::Object(expected), Value::Object(seen)) => {
                self.members(place, name, expected, seen);
            }
            (Value::Array(expected), Value::Array(seen)) => {
                if expected.len() != seen.len() {
                    let (expected, seen) = (expected.len(), seen.len());
                    self.found.add(1, format!("{place}: expected {expected} items, seen {seen}"));
                }
                for (index, (expected, seen)) in expected.iter().zip(seen).enumerate() {
                    self.json(&format!("{place}[{index}]"), name, expected, seen);
                }
            }
            _ => self.differ(place, name, expected, seen),
        }
    }

    fn members(
        &mut self,
        place: &str,
        name: &str,
        expected: &Map<String, Value>,
        seen: &Map<String, Value>,
    ) {
        let is_secret = self.is_secret(name);
        let inside = |member: &'_ str| if is_secret { name.to_owned() } else { member.to_owned() };
        let mut surplus: Vec<(&String, &Value)> =
            seen.iter().filter(|(name, _)| !expected.contains_key(*name)).collect();
        for (name, expected) in expected {
            let place = member(place, name);
            let found = seen.get(name).or_else(|| {
                // A name may be a placeholder.
                let at = surplus.iter().position(|(seen, _)| self.same_name(name, seen))?;
                Some(surplus.remove(at).1)
            });
            match found {
                Some(seen) => self.json(&place, &inside(name), expected, seen),
                None => {
                    let shown = self.show(&inside(name), expected);
                    self.found.add(1, format!("{place}: missing, expected {shown}"));
                }
            }
        }
        for (name, seen) in surplus.into_iter().filter(|_| !self.contains) {
            let shown = self.show(&inside(name), seen);
            self.found.add(1, format!("{}: not expected, seen {shown}", member(place, name)));
        }
    }

    fn is_secret(&self, name: &str) -> bool {
        is_secret_name(name) || self.secrets.contains(&name)
    }

    fn show(&self, name: &str, value: &Value) -> String {
        match self.is_secret(name) && !value.is_null() {
            true => REDACTED.to_owned(),
            false => show_without(name, value, self.secrets),
        }
    }

    fn same_name(&mut self, expected: &str, seen: &str) -> bool {
        expected != seen && (self.same)("key", &expected.into(), &seen.into())
    }

    fn differ(&mut self, place: &str, name: &str, expected: &Value, seen: &Value) {
        let (shown, shown_seen) = (self.show(name, expected), self.show(name, seen));
        self.found.add(
            1,
            match shown == shown_seen {
                true => format!("{place}: expected {shown}, seen another"),
                false => format!("{place}: expected {shown}, seen {shown_seen}"),
            },
        );
    }

    /// Compares pairs of names and values in any order. Text that is JSON is compared as such.
    pub(super) fn pairs(
        &mut self,
        what: &str,
        expected: &[(String, String)],
        seen: &[(String, String)],
    ) {
        let (expected, mut seen) = (by_name(expected), by_name(seen));
        for (&name, values) in &expected {
            let place = format!("{what} `{name}`");
            let key = match seen.contains_key(name) {
                true => name,
                // A name may be a placeholder.
                false => {
                    let mut others = seen.keys().filter(|other| !expected.contains_key(**other));
                    others.find(|other| self.same_name(name, other)).copied().unwrap_or(name)
                }
            };
            let mut seen = seen.remove(key).unwrap_or_default();
            let mut left = Vec::new();
            for &value in values {
                // What is the same need not stand at the same place.
                let same = &mut *self.same;
                let at = seen.iter().position(|seen| *seen == value).or_else(|| {
                    seen.iter().position(|seen| same(name, &value.into(), &(*seen).into()))
                });
                match at {
                    Some(at) => drop(seen.remove(at)),
                    None => left.push(value),
                }
            }
            let mut seen = seen.into_iter();
            for value in left {
                match seen.next() {
                    Some(seen) => self.text(&place, name, value, seen),
                    None => {
                        let shown = self.show(name, &value.into());
                        self.found.add(1, format!("{place}: missing, expected {shown}"));
                    }
                }
            }
            self.surplus(&place, name, seen);
        }
        for (name, seen) in seen {
            self.surplus(&format!("{what} `{name}`"), name, seen.into_iter());
        }
    }

    fn surplus<'t>(&mut self, place: &str, name: &str, seen: impl Iterator<Item = &'t str>) {
        if !self.contains {
            for value in seen {
                let shown = self.show(name, &value.into());
                self.found.add(1, format!("{place}: not expected, seen {shown}"));
            }
        }
    }

    fn text(&mut self, place: &str, name: &str, expected: &str, seen: &str) {
        match (structure(expected), structure(seen)) {
            (Some(expected), Some(seen)) => self.json(place, name, &expected, &seen),
            _ => self.differ(place, name, &expected.into(), &seen.into()),
        }
    }
}

/// An object or a list that is written in a text.
pub(super) fn structure(text: &str) -> Option<Value> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    serde_json::from_str(text).ok()
}

fn by_name(pairs: &[(String, String)]) -> BTreeMap<&str, Vec<&str>> {
    let mut names = BTreeMap::<&str, Vec<&str>>::new();
    for (name, value) in pairs {
        names.entry(name).or_default().push(value);
    }
    names
}

fn member(place: &str, name: &str) -> String {
    let is_plain = name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    match is_plain && !name.is_empty() {
        true => format!("{place}.{name}"),
        false => format!("{place}[{name:?}]"),
    }
}

/// A value for a message: without secrets, and not longer than can be read.
pub(super) fn show(name: &str, value: &Value) -> String {
    show_without(name, value, &[])
}

pub(super) fn show_without(name: &str, value: &Value, secrets: &[&str]) -> String {
    if is_secret_name(name) && !value.is_null() {
        return REDACTED.to_owned();
    }
    let mut shown = value.clone();
    redact(&mut shown, secrets);
    shorten(shown.to_string())
}

pub(super) fn shorten(text: String) -> String {
    match text.char_indices().nth(LONGEST_VALUE) {
        None => text,
        Some((end, _)) => {
            let more = text.chars().count() - LONGEST_VALUE;
            format!("{}… ({more} more characters)", text.get(..end).unwrap_or_default())
        }
    }
}
