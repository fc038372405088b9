//! What the placeholders of a cassette stand for in the program that is replayed.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use url::form_urlencoded;

use crate::redact::REDACTED;
use crate::testing::difference::structure;

/// Placeholders, and what the program has sent in their place.
#[derive(Default)]
pub(super) struct Bindings {
    placeholders: HashSet<String>,
    redacted_fields: HashSet<String>,
    values: HashMap<String, String>,
    placeholder_of: HashMap<String, String>,
}

/// What one request would add to the bindings, if it were the one.
#[derive(Default)]
pub(super) struct Added(Vec<(String, String)>);

impl Added {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn value(&self, placeholder: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == placeholder).map(|(_, value)| value.as_str())
    }

    fn has_value(&self, value: &str) -> bool {
        self.0.iter().any(|(_, known)| known == value)
    }
}

impl Bindings {
    pub(super) fn new(placeholders: &[String], redacted_fields: &[String]) -> Self {
        Self {
            placeholders: placeholders.iter().cloned().collect(),
            redacted_fields: redacted_fields.iter().cloned().collect(),
            ..Self::default()
        }
    }

    /// Whether what came may be what was recorded, with what is known of placeholders. What is not the
    /// same leaves nothing in `added`.
    pub(super) fn same(
        &self,
        name: &str,
        recorded: &Value,
        seen: &Value,
        added: &mut Added,
    ) -> bool {
        match (recorded, seen) {
            // A secret, or what else nothing is known of.
            (Value::String(recorded), _) if recorded == REDACTED => true,
            (Value::String(recorded), Value::String(seen)) => {
                self.same_text(name, recorded, seen, added)
            }
            (Value::Number(_), Value::Number(_))
            | (Value::Bool(_), Value::Bool(_))
            | (Value::Array(_), Value::Array(_))
            | (Value::Object(_), Value::Object(_))
                if self.redacted_fields.contains(name) =>
            {
                true
            }
            _ => recorded == seen,
        }
    }

    pub(super) fn same_text(
        &self,
        name: &str,
        recorded: &str,
        seen: &str,
        added: &mut Added,
    ) -> bool {
        let before = added.0.len();
        let is_same = self.same_text_or_part(name, recorded, seen, added);
        if !is_same {
            added.0.truncate(before);
        }
        is_same
    }

    fn same_text_or_part(&self, name: &str, recorded: &str, seen: &str, added: &mut Added) -> bool {
        if recorded == seen || recorded == REDACTED {
            return true;
        }
        if self.placeholders.contains(recorded) {
            return self.bind(recorded, seen, added);
        }
        if let (Some(recorded), Some(seen)) = (structure(recorded), structure(seen)) {
            return self.same_structure(name, &recorded, &seen, added);
        }
        match recorded {
            target if target.starts_with('/') => self.same_pieces(MARKS, recorded, seen, added),
            list if list.contains(',') => self.same_pieces(&[','], recorded, seen, added),
            _ => false,
        }
    }

    fn same_structure(
        &self,
        name: &str,
        recorded: &Value,
        seen: &Value,
        added: &mut Added,
    ) -> bool {
        match (recorded, seen) {
            (Value::Object(recorded), Value::Object(seen)) => {
                recorded.len() == seen.len()
                    && recorded.iter().all(|(name, recorded)| {
                        let seen = seen.get(name);
                        seen.is_some_and(|seen| self.same_structure(name, recorded, seen, added))
                    })
            }
            (Value::Array(recorded), Value::Array(seen)) => {
                recorded.len() == seen.len()
                    && recorded
                        .iter()
                        .zip(seen)
                        .all(|(recorded, seen)| self.same_structure(name, recorded, seen, added))
            }
            _ => self.same(name, recorded, seen, added),
        }
    }

    /// The same for text of which the pieces between these marks may be placeholders.
    fn same_pieces(&self, marks: &[char], recorded: &str, seen: &str, added: &mut Added) -> bool {
        let of = |text: &str| -> (Vec<String>, Vec<String>) {
            let pieces = text.split(marks).map(|piece| match marks.len() {
                1 => piece.to_owned(),
                _ => decoded(piece),
            });
            (pieces.collect(), text.matches(marks).map(str::to_owned).collect())
        };
        let ((recorded, marks), (seen, seen_marks)) = (of(recorded), of(seen));
        marks == seen_marks
            && recorded.iter().zip(&seen).all(|(recorded, seen)| {
                recorded == seen
                    || recorded == REDACTED
                    || (self.placeholders.contains(recorded) && self.bind(recorded, seen, added))
            })
    }

    /// One placeholder stands for one value, and each value has one at most.
    fn bind(&self, placeholder: &str, seen: &str, added: &mut Added) -> bool {
        let known = self.values.get(placeholder).map(String::as_str);
        if let Some(value) = known.or_else(|| added.value(placeholder)) {
            return value == seen;
        }
        if self.placeholders.contains(seen)
            || self.placeholder_of.contains_key(seen)
            || added.has_value(seen)
        {
            return false;
        }
        added.0.push((placeholder.to_owned(), seen.to_owned()));
        true
    }

    pub(super) fn add(&mut self, added: Added) {
        for (placeholder, value) in added.0 {
            self.placeholder_of.insert(value.clone(), placeholder.clone());
            self.values.insert(placeholder, value);
        }
    }

    /// Why what came is not what was recorded, if it is for a placeholder.
    pub(super) fn reason(&self, recorded: &str, seen: Option<&str>) -> Option<String> {
        if let Some(value) = self.values.get(recorded) {
            return Some(match value == recorded {
                true => format!("{recorded:?} is what an answer had before"),
                false => format!("{recorded:?} stood for {value:?} before"),
            });
        }
        let seen = seen.filter(|_| self.placeholders.contains(recorded))?;
        let other = self.placeholder_of.get(seen)?;
        Some(format!("{seen:?} stands for {other:?} already"))
    }

    /// Puts what the program has sent in the place of the placeholders. Those for which it has sent
    /// nothing stand for themselves from now on: the program has them from here.
    pub(super) fn fill(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.filled(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::Object(members) => {
                let filled = std::mem::take(members).into_iter().map(|(name, mut value)| {
                    self.fill(&mut value);
                    (self.deliver(&name).unwrap_or(name), value)
                });
                *members = filled.collect();
            }
            _ => {}
        }
    }

    pub(super) fn filled(&mut self, text: &str) -> String {
        if let Some(value) = self.deliver(text) {
            return value;
        }
        if let Some(mut inside) = structure(text) {
            let before = inside.clone();
            self.fill(&mut inside);
            return if inside == before { text.to_owned() } else { inside.to_string() };
        }
        let is_target = text.starts_with('/') || text.starts_with("https://keystone.invalid/");
        if !is_target {
            return text.to_owned();
        }
        let pieces = text.split_inclusive(MARKS).map(|piece| {
            let (inside, mark) = match piece.char_indices().last() {
                Some((at, mark)) if MARKS.contains(&mark) => piece.split_at(at),
                _ => (piece, ""),
            };
            let inside = match self.deliver(&decoded(inside)) {
                Some(value) => form_urlencoded::byte_serialize(value.as_bytes()).collect(),
                None => inside.to_owned(),
            };
            inside + mark
        });
        pieces.collect()
    }

    /// What stands for a placeholder from now on; none if it is no placeholder.
    fn deliver(&mut self, placeholder: &str) -> Option<String> {
        if !self.placeholders.contains(placeholder) {
            return None;
        }
        let value = self.values.entry(placeholder.to_owned());
        let value = value.or_insert_with(|| placeholder.to_owned()).clone();
        self.placeholder_of.entry(value.clone()).or_insert_with(|| placeholder.to_owned());
        Some(value)
    }
}

/// What is between the pieces of a path with a query.
const MARKS: &[char] = &['/', '?', '&', '='];

fn decoded(piece: &str) -> String {
    let pair = form_urlencoded::parse(piece.as_bytes()).next();
    pair.map_or_else(String::new, |(text, _)| text.into_owned())
}
