//! What is different between a request that was expected and one that came, in words without secrets.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

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
    pub(super) fn explain(&mut self, meaning: impl Fn(&str) -> Option<String>) {
        for line in &mut self.lines {
            let expected = line.split('"').nth(1).map(str::to_owned);
            let Some(expected) = expected else { continue };
            if let Some(meaning) = meaning(&expected) {
                // Writing to a `String` cannot fail.
                let _ = write!(line, " ({expected:?} stood for {meaning:?} before)");
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
}

impl<'a> Comparison<'a> {
    pub(super) fn new(same: &'a mut Same<'a>) -> Self {
        Self { same, contains: false, found: Differences::default() }
    }

    /// Compares JSON member by member. `place` is the way to it, `name` the member that it is in.
    pub(super) fn json(&mut self, place: &str, name: &str, expected: &Value, seen: &Value) {
        match (expected, seen) {
            (Value::Object(expected), Value::Object(seen)) => {
                for (name, expected) in expected {
                    let place = member(place, name);
                    match seen.get(name) {
                        Some(seen) => self.json(&place, name, expected, seen),
                        None => {
                            let shown = show(name, expected);
                            self.found.add(1, format!("{place}: missing, expected {shown}"));
                        }
                    }
                }
                for (name, seen) in seen.iter().filter(|(name, _)| !expected.contains_key(*name)) {
                    if !self.contains {
                        let place = member(place, name);
                        let shown = show(name, seen);
                        self.found.add(1, format!("{place}: not expected, seen {shown}"));
                    }
                }
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
            _ if (self.same)(name, expected, seen) => {}
            _ => self.differ(place, name, expected, seen),
        }
    }

    fn differ(&mut self, place: &str, name: &str, expected: &Value, seen: &Value) {
        let (shown, shown_seen) = (show(name, expected), show(name, seen));
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
        for (name, expected) in expected {
            let place = format!("{what} `{name}`");
            let mut seen = seen.remove(name).unwrap_or_default();
            let mut left = Vec::new();
            for value in expected {
                // What is the same need not stand at the same place.
                let same = &mut *self.same;
                let at = seen
                    .iter()
                    .position(|seen| *seen == value || same(name, &value.into(), &(*seen).into()));
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
                        let shown = show(name, &value.into());
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
                let shown = show(name, &value.into());
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
    if is_secret_name(name) && !value.is_null() {
        return REDACTED.to_owned();
    }
    let mut shown = value.clone();
    redact(&mut shown, &[]);
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
