//! Values of filters, and how they compare with cells.

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::sandbox::cell::Cell;
use crate::sandbox::schema::{Column, Kind};
use crate::sandbox::store::Store;
use crate::sandbox::values;

/// A value to compare cells with.
#[derive(Debug)]
pub(crate) enum Value {
    Integer(i128),
    Decimal(Decimal),
    Text(Box<str>),
    Boolean(bool),
    Date(Date),
    Moment(i64),
}

/// Why a value is refused.
#[derive(Debug)]
pub(crate) enum Invalid {
    Message(String),
    ServerError,
}

fn invalid(message: &str) -> Invalid {
    Invalid::Message(message.to_owned())
}

impl Value {
    /// How this value stands to a cell; none if it cannot be compared.
    pub(crate) fn compare(&self, cell: &Cell) -> Option<Ordering> {
        Some(match (self, cell) {
            (Self::Integer(value), Cell::Integer(cell)) => value.cmp(&i128::from(*cell)),
            (Self::Decimal(value), Cell::Decimal(cell)) => value.cmp(cell),
            (Self::Text(value), Cell::Text(cell)) => value.cmp(cell),
            (Self::Boolean(value), Cell::Boolean(cell)) => value.cmp(cell),
            (Self::Date(value), Cell::Date(cell)) => value.cmp(cell),
            (Self::Moment(value), Cell::Moment(cell)) => value.cmp(cell),
            _ => return None,
        })
    }
}

/// Reads a value for a column; none means that the filter is passed over. A single code has to
/// exist, one in a list does not.
pub(crate) fn read(
    store: &Store,
    column: &Column,
    text: &str,
    single: bool,
) -> Result<Option<Value>, Invalid> {
    Ok(Some(match column.kind {
        Kind::Id | Kind::Integer { .. } => Value::Integer(whole_number(text)?),
        Kind::Decimal { .. } => Value::Decimal(number(text)?),
        Kind::Text { .. } | Kind::Username { .. } | Kind::Email { .. } | Kind::Password { .. } => {
            Value::Text(without_nul(text)?.into())
        }
        Kind::Code(choices) => {
            if single && !choices.iter().any(|(code, _)| *code == text) {
                return Err(Invalid::Message(format!(
                    "Select a valid choice. {text} is not one of the available choices."
                )));
            }
            Value::Text(text.into())
        }
        Kind::Boolean => return Ok(boolean(text).map(Value::Boolean)),
        Kind::Date => Value::Date(date(text).ok_or_else(|| invalid("Enter a valid date."))?),
        Kind::Moment => {
            Value::Moment(moment(text).ok_or_else(|| invalid("Enter a valid date/time."))?)
        }
        Kind::Reference { to, .. } => {
            let id = values::python_integer(text).and_then(|digits| digits.parse().ok());
            let id = id.filter(|&id| store.exists(to, id));
            Value::Integer(i128::from(id.ok_or_else(|| {
                invalid("Select a valid choice. That choice is not one of the available choices.")
            })?))
        }
        Kind::References { .. } | Kind::Json | Kind::File => return Ok(None),
    }))
}

pub(crate) fn without_nul(text: &str) -> Result<&str, Invalid> {
    if text.contains('\0') { Err(invalid("Null characters are not allowed.")) } else { Ok(text) }
}

/// `true`, `false`, `1`, `0`; anything else does not count.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// A number with its fraction cut off.
pub(crate) fn whole_number(text: &str) -> Result<i128, Invalid> {
    if let Ok(whole) = text.parse::<i128>() {
        return if whole.unsigned_abs() > LARGEST { Err(not_a_number()) } else { Ok(whole) };
    }
    Ok(number(text)?.trunc().to_i128().unwrap_or_default())
}

/// A number larger than this fits no column; the server refuses only those beyond 1e50.
const LARGEST: u128 = 10_u128.pow(38);

fn not_a_number() -> Invalid {
    invalid("Enter a number.")
}

fn number(text: &str) -> Result<Decimal, Invalid> {
    let plain = |it| values::plain_digit(it).unwrap_or(it);
    let clean: String = text.chars().filter(|&it| it != '_').map(plain).collect();
    let (mantissa, exponent) = match clean.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.parse::<i32>().map_err(|_| not_a_number())?)
        }
        None => (clean.as_str(), 0),
    };
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let digits = unsigned.chars().filter(char::is_ascii_digit).count();
    let points = unsigned.chars().filter(|&character| character == '.').count();
    if digits == 0 || points > 1 || digits + points != unsigned.chars().count() {
        return Err(not_a_number());
    }
    let magnitude: f64 = clean.parse().map_err(|_| not_a_number())?;
    if magnitude.abs() > 1e50 {
        return Err(not_a_number());
    }
    let limit = if magnitude < 0.0 { Decimal::MIN } else { Decimal::MAX };
    if exponent == 0 {
        return Ok(mantissa.parse().unwrap_or(limit));
    }
    Ok(Decimal::from_scientific(&clean).unwrap_or(if magnitude.abs() < 1.0 {
        Decimal::ZERO
    } else {
        limit
    }))
}

/// The nearest id.
pub(crate) fn clamp(value: i128) -> i64 {
    let limit = if value < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(value).unwrap_or(limit)
}

fn date(text: &str) -> Option<Date> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if text.contains('-') {
        let iso_week = text.contains('W');
        return values::parse_date(text).filter(|_| !iso_week);
    }
    let mut parts = text.split('/');
    let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || ![month, day, year].into_iter().all(digits) {
        return None;
    }
    let number: i16 = year.parse().ok()?;
    let year = match year.len() {
        4 => number,
        2 if number < 69 => 2000 + number,
        2 => 1900 + number,
        _ => return None,
    };
    Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()
}

/// A moment; without zone it is in the zone of the server, which is UTC.
fn moment(text: &str) -> Option<i64> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.as_microsecond());
    }
    if let Some(day) = date(text) {
        return microseconds(day.to_datetime(jiff::civil::Time::midnight()));
    }
    let dashes = text.chars().filter(|&character| character == '-').count();
    let zoned = text.contains('+') || dashes != 2;
    text.parse::<DateTime>().ok().filter(|_| !zoned).and_then(microseconds)
}

fn microseconds(moment: DateTime) -> Option<i64> {
    Some(moment.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond())
}
