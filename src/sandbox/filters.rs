//! Filters in the query: which parameters are filters, and which rows they let pass.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::sandbox::Database;
use crate::sandbox::cell::Cell;
use crate::sandbox::era::Negations;
use crate::sandbox::filter_values::{self, Invalid, Value};
use crate::sandbox::json::Name;
use crate::sandbox::reply::{Failure, FieldErrors};
use crate::sandbox::schema::{Column, Kind, Table};
use crate::sandbox::store::{Row, Store};

/// One condition on a column.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) column: usize,
    test: Test,
    negated: bool,
}

/// A part of a day or a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    Day,
    Week,
    WeekDay,
    Hour,
    Minute,
    Second,
}

/// Where a text has to occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Anywhere,
    Start,
    End,
}

/// What a parameter asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lookup {
    Equal,
    In,
    IsNull,
    Compare(Comparison),
    Text(Place),
    Part(Part),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug)]
enum Test {
    Equal(Value),
    In(Vec<Value>),
    IsNull(bool),
    Compare(Comparison, Value),
    /// With the case if the flag says so.
    Text(Place, String, bool),
    Part(Part, i128),
}

/// The filters of a query. Whatever is no filter is passed over; of a repeated parameter the last
/// counts.
pub(crate) fn parse(
    store: &Store,
    table: &'static Table,
    query: &[(String, String)],
) -> Result<Vec<Filter>, Failure> {
    let mut filters = Vec::new();
    let mut errors = FieldErrors::new();
    let mut fails = false;
    for (position, (name, text)) in query.iter().enumerate() {
        let repeated = query.iter().skip(position + 1).any(|(later, _)| later == name);
        let negations = store.schema.era.negations;
        let Some((index, column, lookup, negated)) = find(negations, table, name) else {
            continue;
        };
        // The items of a list are looked at one by one, and flags as they are.
        let flag = lookup == Lookup::IsNull || matches!(column.kind, Kind::Boolean);
        let text = if lookup == Lookup::In || flag { text.as_str() } else { text.trim() };
        if repeated || text.is_empty() {
            continue;
        }
        match read(store, column, lookup, text) {
            Ok(Some(test)) => filters.push(Filter { column: index, test, negated }),
            Ok(None) => {}
            Err(Invalid::Message(message)) => {
                errors.push((Name::Owned(name.clone()), vec![message]));
            }
            Err(Invalid::ServerError) => fails = true,
        }
    }
    // All values are checked before the database is asked.
    match (errors.is_empty(), fails) {
        (false, _) => Err(Failure::Fields(errors)),
        (true, true) => Err(Failure::ServerError),
        (true, false) => Ok(filters),
    }
}

/// The column and the lookup a parameter names.
fn find(
    negations: Negations,
    table: &'static Table,
    name: &str,
) -> Option<(usize, &'static Column, Lookup, bool)> {
    let (column, lookup) = name.split_once("__").unwrap_or((name, ""));
    let index = table.column_index(column)?;
    let column = table.columns.get(index).filter(|column| column.filterable)?;
    let (lookup, negated) = match (lookup.strip_prefix("not_"), negations) {
        (None, _) if name.ends_with("__") => return None,
        (None, _) => (lookup, false),
        (Some(positive @ ("in" | "contains")), Negations::Few | Negations::All) => (positive, true),
        (Some(positive @ "isnull"), Negations::Few) => (positive, true),
        (Some("eq"), Negations::All) => ("", true),
        (Some(positive @ ("startswith" | "endswith")), Negations::All) => (positive, true),
        _ => return None,
    };
    let kind = column.kind;
    let number = matches!(kind, Kind::Id | Kind::Integer { .. } | Kind::Decimal { .. });
    let day = matches!(kind, Kind::Date | Kind::Moment);
    let time = matches!(kind, Kind::Moment);
    let is_text = matches!(
        kind,
        Kind::Text { .. }
            | Kind::Username { .. }
            | Kind::Email { .. }
            | Kind::Password { .. }
            | Kind::Code(_)
    );
    let text = is_text && !column.whole;
    let lookup = match lookup {
        "" => Lookup::Equal,
        "in" => Lookup::In,
        "isnull" => Lookup::IsNull,
        "lt" if number || day => Lookup::Compare(Comparison::Less),
        "lte" if number || day => Lookup::Compare(Comparison::LessOrEqual),
        "gt" if number || day => Lookup::Compare(Comparison::Greater),
        "gte" if number || day => Lookup::Compare(Comparison::GreaterOrEqual),
        "contains" if text => Lookup::Text(Place::Anywhere),
        "startswith" if text => Lookup::Text(Place::Start),
        "endswith" if text => Lookup::Text(Place::End),
        "year" if day => Lookup::Part(Part::Year),
        "month" if day => Lookup::Part(Part::Month),
        "day" if day => Lookup::Part(Part::Day),
        "week" if day => Lookup::Part(Part::Week),
        "week_day" if day => Lookup::Part(Part::WeekDay),
        "hour" if time => Lookup::Part(Part::Hour),
        "minute" if time => Lookup::Part(Part::Minute),
        "second" if time => Lookup::Part(Part::Second),
        _ => return None,
    };
    Some((index, column, lookup, negated))
}

fn read(
    store: &Store,
    column: &Column,
    lookup: Lookup,
    text: &str,
) -> Result<Option<Test>, Invalid> {
    Ok(match lookup {
        Lookup::Equal => filter_values::read(store, column, text, true)?.map(Test::Equal),
        Lookup::IsNull => filter_values::boolean(text).map(Test::IsNull),
        Lookup::Compare(comparison) => filter_values::read(store, column, text, true)?
            .map(|value| Test::Compare(comparison, value)),
        Lookup::Text(place) => {
            let text = filter_values::without_nul(text)?;
            Some(match store.database {
                Database::Sqlite => Test::Text(place, text.to_ascii_lowercase(), false),
                Database::Postgres => Test::Text(place, text.to_owned(), true),
            })
        }
        Lookup::Part(part) => {
            let number = filter_values::whole_number(text)?;
            if part == Part::Year && !(1..=9999).contains(&number) {
                return Err(Invalid::ServerError);
            }
            Some(Test::Part(part, number))
        }
        Lookup::In => read_list(store, column, text)?,
    })
}

/// Whether the codes of a column are numbers, which are checked as such in a list.
fn is_numbered(column: &Column) -> bool {
    let is_number = |code: &str| code.bytes().all(|byte| byte.is_ascii_digit());
    matches!(column.kind, Kind::Code(choices) if choices.iter().all(|(code, _)| is_number(code)))
}

fn read_list(store: &Store, column: &Column, text: &str) -> Result<Option<Test>, Invalid> {
    let items: Vec<&str> = text.split(',').collect();
    if let Kind::Boolean = column.kind {
        // The server cannot make a list out of a single flag.
        return match items.as_slice() {
            [item] if filter_values::boolean(item.trim()).is_some() => Err(Invalid::ServerError),
            _ => Ok(None),
        };
    }
    let blank_counts = matches!(
        column.kind,
        Kind::Text { .. } | Kind::Username { .. } | Kind::Email { .. } | Kind::Password { .. }
    );
    let mut values = Vec::with_capacity(items.len());
    for item in items.into_iter().filter(|item| blank_counts || !item.is_empty()) {
        if is_numbered(column) {
            filter_values::whole_number(item.trim())?;
        }
        let value = filter_values::read(store, column, item.trim(), false)?;
        // The database is handed what it has no type for.
        let is_too_large = |value: &Value| matches!(value, Value::Integer(number) if i64::try_from(*number).is_err());
        if store.database == Database::Sqlite && value.as_ref().is_some_and(is_too_large) {
            return Err(Invalid::ServerError);
        }
        values.extend(value);
    }
    Ok(Some(Test::In(values)))
}

impl Filter {
    /// Whether a row passes. Negated filters let rows without value pass, the others do not.
    pub(crate) fn admits(&self, row: &Row) -> bool {
        let cell = row.cell(self.column);
        if let Test::IsNull(expected) = self.test {
            return (*cell == Cell::Null) == (expected != self.negated);
        }
        if *cell == Cell::Null {
            return self.negated;
        }
        let found = match &self.test {
            Test::Equal(value) => value.compare(cell) == Some(Ordering::Equal),
            Test::In(values) => {
                values.iter().any(|value| value.compare(cell) == Some(Ordering::Equal))
            }
            Test::IsNull(_) => false,
            Test::Compare(comparison, value) => {
                value.compare(cell).is_some_and(|value| comparison.holds(value.reverse()))
            }
            Test::Text(place, needle, with_case) => {
                let text = cell.as_text().unwrap_or_default();
                let text = match with_case {
                    true => Cow::Borrowed(text),
                    false => Cow::Owned(text.to_ascii_lowercase()),
                };
                match place {
                    Place::Anywhere => text.contains(needle.as_str()),
                    Place::Start => text.starts_with(needle.as_str()),
                    Place::End => text.ends_with(needle.as_str()),
                }
            }
            Test::Part(part, number) => part.of(cell).is_some_and(|part| part == *number),
        };
        found != self.negated
    }

    /// The ids a filter on the id leaves, if that is a range.
    pub(crate) fn id_range(&self) -> Option<RangeInclusive<i64>> {
        if self.column != 0 || self.negated {
            return None;
        }
        let clamp = |value: &Value| match value {
            Value::Integer(value) => Some(filter_values::clamp(*value)),
            _ => None,
        };
        Some(match &self.test {
            Test::Equal(value) => {
                let id = clamp(value)?;
                id..=id
            }
            Test::Compare(comparison, value) => {
                let bound = clamp(value)?;
                match comparison {
                    Comparison::Less | Comparison::LessOrEqual => i64::MIN..=bound,
                    Comparison::Greater | Comparison::GreaterOrEqual => bound..=i64::MAX,
                }
            }
            Test::In(values) => {
                let ids = || values.iter().filter_map(clamp);
                ids().min()?..=ids().max()?
            }
            _ => return None,
        })
    }

    /// The targets a filter on a reference leaves.
    pub(crate) fn targets(&self) -> Option<Vec<i64>> {
        let clamp = |value: &Value| match value {
            Value::Integer(value) => Some(filter_values::clamp(*value)),
            _ => None,
        };
        match &self.test {
            _ if self.negated => None,
            Test::Equal(value) => clamp(value).map(|id| vec![id]),
            Test::In(values) => Some(values.iter().filter_map(clamp).collect()),
            _ => None,
        }
    }
}

impl Comparison {
    fn holds(self, found: Ordering) -> bool {
        match self {
            Self::Less => found == Ordering::Less,
            Self::LessOrEqual => found != Ordering::Greater,
            Self::Greater => found == Ordering::Greater,
            Self::GreaterOrEqual => found != Ordering::Less,
        }
    }
}

impl Part {
    fn of(self, cell: &Cell) -> Option<i128> {
        let moment: DateTime = match cell {
            Cell::Date(date) => date.to_datetime(jiff::civil::Time::midnight()),
            Cell::Moment(microseconds) => {
                let moment = Timestamp::from_microsecond(*microseconds).ok()?;
                moment.to_zoned(TimeZone::UTC).datetime()
            }
            _ => return None,
        };
        Some(i128::from(match self {
            Self::Year => moment.year(),
            Self::Month => i16::from(moment.month()),
            Self::Day => i16::from(moment.day()),
            Self::Week => i16::from(moment.date().iso_week_date().week()),
            Self::WeekDay => i16::from(moment.weekday().to_sunday_one_offset()),
            Self::Hour => i16::from(moment.hour()),
            Self::Minute => i16::from(moment.minute()),
            Self::Second => i16::from(moment.second()),
        }))
    }
}

/// Whether a filter can look rows up by what they refer to.
fn refers(table: &Table, filter: &Filter) -> bool {
    let column = table.columns.get(filter.column);
    column.is_some_and(|column| matches!(column.kind, Kind::Reference { .. }))
}

/// The ids that a filter on a reference leaves, if there is one. As in the database, which takes
/// them from an index, they come grouped by what they refer to.
pub(crate) fn candidates(store: &Store, table: &Table, filters: &[Filter]) -> Option<Vec<i64>> {
    let (filter, mut targets) = filters
        .iter()
        .filter(|filter| refers(table, filter))
        .find_map(|filter| Some((filter, filter.targets()?)))?;
    targets.sort_unstable();
    targets.dedup();
    let ids = |target| store.referrers(table.resource, filter.column, target);
    Some(targets.into_iter().flat_map(ids).collect())
}
