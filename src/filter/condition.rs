use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::RangeInclusive;

use jiff::civil::DateTime;
use jiff::{Timestamp, Unit};
use serde_json::Value;

use super::{Lookup, MatchSemantics};
use crate::batch::as_key;
use crate::capability::FieldName;
use crate::field::{Comparand, Read, Reading, Scalar};
use crate::input::Input;
use crate::resource::Resource;

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Test {
    Value(Comparand<'static>),
    Values(Vec<Comparand<'static>>),
    /// A year, a month, …
    Part(u16),
    /// Keys, some or all of them by reference to steps of a batch job, as they travel.
    References(String),
    /// True of no record, as `is_in` without values is.
    Nothing,
    /// True of every record, as `not_in` without values is.
    Anything,
    /// The server would read it as something else.
    Invalid(&'static str),
}

impl Test {
    pub(crate) fn of_input<S: Scalar>(input: Input<S>) -> Self {
        match input.into_value() {
            Ok(value) => Self::one(value.comparand().into_owned()),
            Err(reference) if S::IS_KEY => Self::References(in_parameter(&reference)),
            Err(_) => Self::Invalid(ONLY_KEYS),
        }
    }

    pub(crate) fn of_inputs<S: Scalar>(inputs: impl Iterator<Item = Input<S>>) -> Self {
        let values: Vec<Result<S, Value>> = inputs.map(Input::into_value).collect();
        if values.iter().all(Result::is_ok) {
            let values = values.iter().flatten();
            return Self::list(values.map(|value| value.comparand().into_owned()));
        }
        if !S::IS_KEY {
            return Self::Invalid(ONLY_KEYS);
        }
        let texts = values.iter().map(|value| match value {
            Ok(value) => value.comparand().to_string(),
            Err(reference) => in_parameter(reference),
        });
        Self::References(texts.collect::<Vec<_>>().join(","))
    }

    pub(crate) fn one(value: Comparand<'static>) -> Self {
        Self::Value(value)
    }

    pub(crate) fn list(values: impl Iterator<Item = Comparand<'static>>) -> Self {
        Self::Values(values.collect())
    }

    /// A part of a date or time; what is out of `range` the server answers with a failure, or with
    /// nothing.
    pub(crate) fn part(value: u16, range: RangeInclusive<u16>) -> Self {
        match range.contains(&value) {
            true => Self::Part(value),
            false => Self::Invalid("there is no such date or time"),
        }
    }
}

/// The server puts what a reference stands for into the address as it is.
const ONLY_KEYS: &str = "a filter can refer to keys of earlier steps, and to nothing else of them";

/// A reference as it stands in a parameter.
fn in_parameter(reference: &Value) -> String {
    reference.as_str().map_or_else(|| reference.to_string(), as_key)
}

/// One comparison of one field.
#[derive(Debug)]
pub(crate) struct Condition<R: Resource> {
    pub(crate) field: FieldName,
    pub(crate) lookup: Lookup,
    test: Test,
    read: Read<R>,
}

impl<R: Resource> Condition<R> {
    pub(crate) fn new(field: FieldName, read: Read<R>, lookup: Lookup, test: Test) -> Self {
        let (lookup, test) = expressed(lookup, test);
        Self { field, lookup, test, read }
    }

    /// The name of the query parameter.
    pub(crate) fn parameter(&self) -> String {
        format!("{}{}", self.field.name, self.lookup.suffix())
    }

    /// The value of the query parameter; `None` where there is no need to ask.
    pub(crate) fn value(&self) -> Result<Option<String>, &'static str> {
        Ok(match &self.test {
            Test::Value(value) => Some(value.to_string()),
            Test::Part(part) => Some(part.to_string()),
            Test::References(references) => Some(references.clone()),
            Test::Values(values) => {
                let texts: Vec<String> = values.iter().map(Comparand::to_string).collect();
                let joined = texts.join(",");
                // Nothing would be no filter; nothing twice is a list of empty texts.
                Some(if joined.is_empty() { ",".to_owned() } else { joined })
            }
            Test::Nothing | Test::Anything => None,
            Test::Invalid(problem) => return Err(problem),
        })
    }

    /// Whether there are servers on which it does not hold for a record of which the field is set to this.
    /// Their databases differ; of their time zones nothing is said.
    pub(crate) fn excludes(&self, wanted: &Value) -> bool {
        let kind = match (self.lookup, &self.test) {
            // Any value will do that is not null.
            (Lookup::IsNull, _) => {
                return self.test == Test::Value(Comparand::Boolean(!wanted.is_null()));
            }
            (_, Test::Value(kind)) => Some(kind),
            (_, Test::Values(kinds)) => kinds.first(),
            _ => None,
        };
        let reading = match (wanted, kind, &self.test) {
            (Value::Null, ..) => Reading::Null,
            (_, Some(kind), _) => kind.read_alike(wanted).map_or(Reading::Unknown, Reading::Value),
            // Only a day has parts that are the same everywhere.
            (Value::String(day), None, Test::Part(_)) if day.len() == "2026-01-01".len() => {
                day.parse().map_or(Reading::Unknown, |day| Reading::Value(Comparand::Date(day)))
            }
            _ => Reading::Unknown,
        };
        self.fails(&reading).contains(&true)
    }

    /// Whether there is no server on which it holds for this record.
    pub(crate) fn rejects(&self, record: &R::Model) -> bool {
        !self.fails(&(self.read)(record)).contains(&false)
    }

    /// Whether it fails for a record that has this in the field, where the case of letters counts and
    /// where it does not.
    fn fails(&self, reading: &Reading<'_>) -> [bool; 2] {
        if let (Reading::Value(Comparand::Timestamp(_)), Test::Part(_)) = (reading, &self.test) {
            return [false, false];
        }
        [false, true].map(|ignored| {
            let semantics = MatchSemantics::default().ignore_ascii_case(ignored);
            self.holds_for(reading, &semantics) == Some(false)
        })
    }

    pub(crate) fn matches_nothing(&self) -> bool {
        self.test == Test::Nothing
    }

    /// Whether no record that a server can have is found by it.
    pub(crate) fn is_vain(&self) -> bool {
        let beyond = |number: i128| match self.lookup {
            Lookup::Equal => i64::try_from(number).is_err(),
            Lookup::Greater | Lookup::GreaterOrEqual => number > i64::MAX.into(),
            Lookup::Less | Lookup::LessOrEqual => number < i64::MIN.into(),
            _ => false,
        };
        match self.test {
            Test::Value(Comparand::Integer(number)) => beyond(number),
            _ => self.matches_nothing(),
        }
    }

    /// Whether every record is found by it.
    pub(crate) fn matches_anything(&self) -> bool {
        self.test == Test::Anything
    }

    /// Whether it holds for `record`; `None` where the record does not tell.
    pub(crate) fn matches(&self, record: &R::Model, semantics: &MatchSemantics) -> Option<bool> {
        self.holds_for(&(self.read)(record), semantics)
    }

    /// Whether it holds for a record that has this in the field.
    fn holds_for(&self, reading: &Reading<'_>, semantics: &MatchSemantics) -> Option<bool> {
        match self.test {
            Test::Nothing => return Some(false),
            Test::Anything => return Some(true),
            Test::Invalid(_) | Test::References(_) => return None,
            Test::Value(_) | Test::Values(_) | Test::Part(_) => {}
        }
        let value = match (reading, self.lookup) {
            (reading, Lookup::IsNull) if *reading != Reading::Unknown => {
                let is_null = *reading == Reading::Null;
                return Some(self.test == Test::Value(Comparand::Boolean(is_null)));
            }
            // What is null differs from everything.
            (Reading::Null, lookup) => return Some(lookup.is_negated()),
            (Reading::Value(value), _) => value,
            (Reading::Keys(_) | Reading::Json(_) | Reading::Unknown, _) => return None,
        };
        Some(self.holds(value, semantics) != self.lookup.is_negated())
    }

    /// Whether the lookup holds, or the one that it negates.
    fn holds(&self, value: &Comparand<'_>, semantics: &MatchSemantics) -> bool {
        let test = &self.test;
        let order = || match test {
            Test::Value(wanted) => compare(value, wanted),
            _ => None,
        };
        match self.lookup {
            Lookup::IsNull => false,
            Lookup::Equal | Lookup::NotEqual => order() == Some(Ordering::Equal),
            Lookup::In | Lookup::NotIn => match test {
                Test::Values(values) => {
                    values.iter().any(|wanted| compare(value, wanted) == Some(Ordering::Equal))
                }
                _ => false,
            },
            Lookup::Less => order().is_some_and(Ordering::is_lt),
            Lookup::LessOrEqual => order().is_some_and(Ordering::is_le),
            Lookup::Greater => order().is_some_and(Ordering::is_gt),
            Lookup::GreaterOrEqual => order().is_some_and(Ordering::is_ge),
            Lookup::Contains | Lookup::NotContains => {
                within(value, test, semantics, |text, part| text.contains(part))
            }
            Lookup::StartsWith | Lookup::NotStartsWith => {
                within(value, test, semantics, |text, part| text.starts_with(part))
            }
            Lookup::EndsWith | Lookup::NotEndsWith => {
                within(value, test, semantics, |text, part| text.ends_with(part))
            }
            Lookup::Year
            | Lookup::Month
            | Lookup::Day
            | Lookup::Week
            | Lookup::WeekDay
            | Lookup::Hour
            | Lookup::Minute
            | Lookup::Second => {
                let part = semantics.local(value).and_then(|time| part(self.lookup, time));
                part.is_some_and(|part| *test == Test::Part(part))
            }
        }
    }
}

// Written out because derives would ask for the same traits of `R`.
impl<R: Resource> Clone for Condition<R> {
    fn clone(&self) -> Self {
        Self { field: self.field, lookup: self.lookup, test: self.test.clone(), read: self.read }
    }
}

impl<R: Resource> PartialEq for Condition<R> {
    fn eq(&self, other: &Self) -> bool {
        (self.field, self.lookup, &self.test) == (other.field, other.lookup, &other.test)
    }
}

fn compare(value: &Comparand<'_>, wanted: &Comparand<'_>) -> Option<Ordering> {
    Some(match (value, wanted) {
        (Comparand::Boolean(value), Comparand::Boolean(wanted)) => value.cmp(wanted),
        (Comparand::Integer(value), Comparand::Integer(wanted)) => value.cmp(wanted),
        (Comparand::Decimal(value), Comparand::Decimal(wanted)) => value.cmp(wanted),
        (Comparand::Text(value), Comparand::Text(wanted)) => value.cmp(wanted),
        (Comparand::Date(value), Comparand::Date(wanted)) => value.cmp(wanted),
        (Comparand::Timestamp(value), Comparand::Timestamp(wanted)) => value.cmp(wanted),
        (Comparand::Address(value), Comparand::Address(wanted)) => value.cmp(wanted),
        _ => return None,
    })
}

fn within(
    value: &Comparand<'_>,
    test: &Test,
    semantics: &MatchSemantics,
    found: impl Fn(&str, &str) -> bool,
) -> bool {
    match (value, test) {
        (Comparand::Text(text), Test::Value(Comparand::Text(part))) => {
            found(&semantics.folded(text), &semantics.folded(part))
        }
        _ => false,
    }
}

/// The part of a date or time that a lookup is about.
fn part(lookup: Lookup, time: DateTime) -> Option<u16> {
    let part = match lookup {
        Lookup::Year => time.year(),
        Lookup::Month => time.month().into(),
        Lookup::Day => time.day().into(),
        Lookup::Week => time.date().iso_week_date().week().into(),
        Lookup::WeekDay => time.weekday().to_sunday_one_offset().into(),
        Lookup::Hour => time.hour().into(),
        Lookup::Minute => time.minute().into(),
        Lookup::Second => time.second().into(),
        _ => return None,
    };
    part.try_into().ok()
}

/// The comparison in a form that the server reads as what is meant.
fn expressed(lookup: Lookup, test: Test) -> (Lookup, Test) {
    match (lookup, test) {
        // The server drops empty parameters, but knows empty elements of lists.
        (Lookup::Equal, Test::Value(Comparand::Text(text))) if text.is_empty() => {
            (Lookup::In, Test::Values(vec![Comparand::Text(text)]))
        }
        (Lookup::NotEqual, Test::Value(Comparand::Text(text))) if text.is_empty() => {
            (Lookup::NotIn, Test::Values(vec![Comparand::Text(text)]))
        }
        (lookup, Test::Value(Comparand::Timestamp(time))) => (lookup, instant(lookup, time)),
        (lookup, Test::Value(value)) => match misread(&value) {
            Some(problem) => (lookup, Test::Invalid(problem)),
            None => (lookup, Test::Value(value)),
        },
        (lookup, Test::Values(values)) => list(lookup, values),
        other => other,
    }
}

fn list(lookup: Lookup, mut values: Vec<Comparand<'static>>) -> (Lookup, Test) {
    values.retain(|value| match value {
        // What is finer than the server's times equals none of them.
        Comparand::Timestamp(time) => is_whole(*time),
        // The server fails over what is larger than all of its numbers.
        Comparand::Integer(number) => i64::try_from(*number).is_ok(),
        _ => true,
    });
    if values.is_empty() {
        let all = if lookup == Lookup::NotIn { Test::Anything } else { Test::Nothing };
        return (lookup, all);
    }
    let is_empty = |value: &Comparand<'_>| *value == Comparand::Text(Cow::Borrowed(""));
    let problem = values.iter().filter(|value| !is_empty(value)).find_map(misread);
    if let Some(problem) = problem {
        return (lookup, Test::Invalid(problem));
    }
    let has_comma =
        |value: &Comparand<'_>| matches!(value, Comparand::Text(text) if text.contains(','));
    if values.iter().any(has_comma) {
        if values.len() == 1 {
            let lookup = if lookup == Lookup::NotIn { Lookup::NotEqual } else { Lookup::Equal };
            return (lookup, values.pop().map_or(Test::Nothing, Test::Value));
        }
        let problem = "the server splits lists at commas, so only a list of one may contain one";
        return (lookup, Test::Invalid(problem));
    }
    (lookup, Test::Values(values))
}

/// A comparison with a point in time to the microsecond, which is what the server keeps: what is
/// finer lies between two of its times.
fn instant(lookup: Lookup, time: Timestamp) -> Test {
    if let Some(problem) = misread(&Comparand::Timestamp(time)) {
        return Test::Invalid(problem);
    }
    if is_whole(time) {
        return Test::Value(Comparand::Timestamp(time));
    }
    let mode = match lookup {
        Lookup::Equal => return Test::Nothing,
        Lookup::NotEqual => return Test::Anything,
        Lookup::Less | Lookup::GreaterOrEqual => jiff::RoundMode::Ceil,
        _ => jiff::RoundMode::Floor,
    };
    let rounding = jiff::TimestampRound::new().smallest(Unit::Microsecond).mode(mode);
    match time.round(rounding) {
        Ok(time) => Test::Value(Comparand::Timestamp(time)),
        Err(_) => Test::Invalid(OUT_OF_RANGE),
    }
}

fn is_whole(time: Timestamp) -> bool {
    time.subsec_nanosecond() % 1_000 == 0
}

const OUT_OF_RANGE: &str = "the server's years are those from 1 to 9999";

/// Why the server would not compare with this value but with something else.
fn misread(value: &Comparand<'_>) -> Option<&'static str> {
    let years = 1..=9999;
    match value {
        Comparand::Date(date) => (!years.contains(&date.year())).then_some(OUT_OF_RANGE),
        Comparand::Timestamp(time) => {
            let year = time.to_zoned(jiff::tz::TimeZone::UTC).year();
            (!years.contains(&year)).then_some(OUT_OF_RANGE)
        }
        Comparand::Text(text) => misread_text(text),
        _ => None,
    }
}

/// Why the server would not compare with this text but with something else.
pub(crate) fn misread_text(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("the server ignores an empty value and would return every record")
    } else if trimmed(text) != text {
        Some("the server trims blanks at both ends of a value")
    } else if text.contains('\0') {
        Some("the server refuses NUL characters")
    } else {
        None
    }
}

/// The text as the server keeps it: without blanks at either end.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// The same of what a new record is to have.
pub(crate) fn trimmed_input(text: &Input<String>) -> Input<String> {
    text.clone().map(|text| trimmed(&text).to_owned())
}

/// What the server takes for blanks: more than Unicode does.
fn is_blank(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
}
