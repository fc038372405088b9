//! Reads single values of a body into cells, with the messages of the server.

use std::net::IpAddr;

use jiff::civil::{Date, ISOWeekDate};
use rust_decimal::Decimal;

use crate::sandbox::Database;
use crate::sandbox::cell::Cell;
use crate::sandbox::json::Json;
use crate::sandbox::schema::{Choices, Column, Kind, Resource};
use crate::sandbox::store::{LAST_ID, Store};
use crate::sandbox::validate::one;

/// Longer numbers are refused without being read.
const MAX_NUMBER_LENGTH: usize = 1000;

/// Why a value is no file.
pub(crate) const NO_FILE: &str =
    "The submitted data was not a file. Check the encoding type on the form.";

/// Reads a value that is not null.
pub(crate) fn read(store: &Store, column: &Column, value: &Json) -> Result<Cell, Vec<String>> {
    match column.kind {
        Kind::Id => integer(value, 1, LAST_ID).map(Cell::Integer),
        Kind::Text { max, trim } => text(column, value, max, trim).map(|it| Cell::text(&it)),
        Kind::Username { max } => username(column, value, max),
        Kind::Email { max } => email(column, value, max),
        Kind::Password { max } => text(column, value, Some(max), true).map(|it| Cell::text(&it)),
        Kind::Code(choices) => code(choices, value),
        Kind::Boolean => boolean(value).map(Cell::Boolean),
        Kind::Integer { min, max } => {
            let max = match store.database {
                Database::Sqlite => max,
                Database::Postgres => max.min(i64::from(i32::MAX)),
            };
            integer(value, min, max).map(Cell::Integer)
        }
        Kind::Decimal { digits, places } => decimal(value, digits, places).map(Cell::Decimal),
        Kind::Date => date(value).map(Cell::Date),
        Kind::Moment => moment(value).map(Cell::Moment),
        Kind::Reference { to, .. } => reference(store, to, value).map(Cell::Integer),
        Kind::References { to } => references(store, to, value).map(Cell::ids),
        Kind::File => Err(one(NO_FILE)),
        Kind::Json => Ok(Cell::Json(Box::new(value.clone()))),
    }
}

/// Python takes the separators of ASCII for blanks, too.
fn is_blank(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

fn text(
    column: &Column,
    value: &Json,
    max: Option<usize>,
    trim: bool,
) -> Result<String, Vec<String>> {
    let text = match value {
        Json::Text(text) => text.clone(),
        Json::Integer(_) | Json::Float(_) => value.python_text(),
        _ => return Err(one("Not a valid string.")),
    };
    let trimmed = text.trim_matches(is_blank);
    if trimmed.is_empty() && (trim || text.is_empty()) {
        return if column.blank {
            Ok(String::new())
        } else {
            Err(one("This field may not be blank."))
        };
    }
    let text = if trim { trimmed.to_owned() } else { text };
    let mut messages = Vec::new();
    if let Some(max) = max.filter(|&max| text.chars().count() > max) {
        messages.push(format!("Ensure this field has no more than {max} characters."));
    }
    if text.contains('\0') {
        messages.push("Null characters are not allowed.".to_owned());
    }
    if messages.is_empty() { Ok(text) } else { Err(messages) }
}

fn username(column: &Column, value: &Json, max: usize) -> Result<Cell, Vec<String>> {
    let name = text(column, value, Some(max), true)?;
    let fits = |character: char| character.is_alphanumeric() || "@.+-_".contains(character);
    if name.chars().all(fits) {
        Ok(Cell::text(&name))
    } else {
        Err(one(
            "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ \
             characters.",
        ))
    }
}

fn email(column: &Column, value: &Json, max: usize) -> Result<Cell, Vec<String>> {
    let checked = text(column, value, Some(max), true);
    let address = match (&checked, value) {
        (Ok(address), _) => address,
        // All that is wrong is reported, unless there is nothing to look at.
        (Err(_), Json::Text(text)) if !text.trim_matches(is_blank).is_empty() => text,
        (Err(_), Json::Text(_)) => return checked.map(|text| Cell::text(&text)),
        (Err(_), _) => return Err(one("Enter a valid email address.")),
    };
    if address.is_empty() || is_email(address.trim_matches(is_blank)) {
        checked.map(|text| Cell::text(&text))
    } else {
        let mut messages = checked.err().unwrap_or_default();
        messages.push("Enter a valid email address.".to_owned());
        Err(messages)
    }
}

fn is_email(address: &str) -> bool {
    let Some((user, domain)) = address.rsplit_once('@') else {
        return false;
    };
    let user_fits = |character: char| {
        character.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{}|~-".contains(character)
    };
    let quoted = user.strip_prefix('"').and_then(|user| user.strip_suffix('"'));
    let user = match quoted {
        Some(quoted) => quoted.chars().all(|it| it.is_ascii() && !matches!(it, '"' | '\\' | ' ')),
        None => user.split('.').all(|part| !part.is_empty() && part.chars().all(user_fits)),
    };
    let literal = domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']'));
    if let Some(address) = literal {
        return user && address.parse::<IpAddr>().is_ok();
    }
    let label_fits = |label: &str| {
        (1..=63).contains(&label.chars().count())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|character| character.is_alphanumeric() || character == '-')
    };
    let labels: Vec<_> = domain.split('.').collect();
    let top = labels.last().is_some_and(|label| label.chars().count() >= 2);
    let domain = domain == "localhost"
        || (labels.len() > 1 && top && labels.iter().all(|label| label_fits(label)));
    user && domain
}

fn code(choices: Choices, value: &Json) -> Result<Cell, Vec<String>> {
    let given = value.python_text();
    if choices.iter().any(|(code, _)| *code == given) {
        Ok(Cell::text(&given))
    } else {
        Err(vec![format!("\"{given}\" is not a valid choice.")])
    }
}

fn boolean(value: &Json) -> Result<bool, Vec<String>> {
    let word = match value {
        Json::Boolean(value) => return Ok(*value),
        Json::Integer(1) => return Ok(true),
        Json::Integer(0) => return Ok(false),
        Json::Float(number) if *number == 1.0 => return Ok(true),
        Json::Float(number) if *number == 0.0 => return Ok(false),
        Json::Text(text) => text.trim().to_lowercase(),
        _ => String::new(),
    };
    match word.as_str() {
        "t" | "y" | "yes" | "true" | "on" | "1" => Ok(true),
        "f" | "n" | "no" | "false" | "off" | "0" => Ok(false),
        _ => Err(one("Must be a valid boolean.")),
    }
}

fn integer(value: &Json, min: i64, max: i64) -> Result<i64, Vec<String>> {
    let text = value.python_text();
    if matches!(value, Json::Text(_)) && text.len() > MAX_NUMBER_LENGTH {
        return Err(one("String value too large."));
    }
    let invalid = || one("A valid integer is required.");
    let text = text.trim_end_matches(is_blank);
    let text = text.trim_end_matches('0').strip_suffix('.').unwrap_or(text);
    let digits = python_integer(text).ok_or_else(invalid)?;
    // Digits that do not fit are beyond any limit.
    let limit = if digits.starts_with('-') { i128::MIN } else { i128::MAX };
    let number = digits.parse::<i128>().unwrap_or(limit);
    if number < i128::from(min) {
        return Err(vec![format!("Ensure this value is greater than or equal to {min}.")]);
    }
    if number > i128::from(max) {
        return Err(vec![format!("Ensure this value is less than or equal to {max}.")]);
    }
    i64::try_from(number).map_err(|_| invalid())
}

fn decimal(value: &Json, max_digits: usize, max_places: usize) -> Result<Decimal, Vec<String>> {
    let text = value.python_text();
    let text = text.trim();
    if text.len() > MAX_NUMBER_LENGTH {
        return Err(one("String value too large."));
    }
    let invalid = || one("A valid number is required.");
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| invalid())?),
        None => (text, 0),
    };
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits: String = format!("{whole}{fraction}").chars().filter(|&it| it != '_').collect();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    let digits = digits.trim_start_matches('0');
    let count = i64::try_from(digits.len().max(1)).unwrap_or(i64::MAX);
    let scale = i64::from(exponent) - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let (total, places) = match scale {
        0.. => (count.saturating_add(scale), 0),
        _ => (count.max(-scale), -scale),
    };
    let (limit, places_limit) = (to_count(max_digits), to_count(max_places));
    if total > limit {
        return Err(vec![format!(
            "Ensure that there are no more than {max_digits} digits in total."
        )]);
    }
    if places > places_limit {
        return Err(vec![format!(
            "Ensure that there are no more than {max_places} decimal places."
        )]);
    }
    if total - places > limit - places_limit {
        let whole = max_digits.saturating_sub(max_places);
        let text =
            format!("Ensure that there are no more than {whole} digits before the decimal point.");
        return Err(vec![text]);
    }
    let plain = match scale {
        0.. => format!("{digits}{}", "0".repeat(usize::try_from(scale).unwrap_or_default())),
        _ => {
            let places = usize::try_from(places).unwrap_or_default();
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            format!("{whole}.{fraction}")
        }
    };
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let plain = if plain.is_empty() { "0".to_owned() } else { plain };
    let mut number: Decimal = format!("{sign}{plain}").parse().map_err(|_| invalid())?;
    number.rescale(u32::try_from(max_places).unwrap_or_default());
    Ok(number)
}

fn to_count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn date(value: &Json) -> Result<Date, Vec<String>> {
    let parsed = match value {
        Json::Text(text) => parse_date(text),
        _ => None,
    };
    parsed
        .ok_or_else(|| one("Date has wrong format. Use one of these formats instead: YYYY-MM-DD."))
}

/// A day in the ISO forms the server takes: `2026-01-02`, `2026-1-2`, `20260102`, `2026-W01-1`.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    let is_number = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if is_number(text, 8..=8) {
        let (year, rest) = text.split_at(4);
        let (month, day) = rest.split_at(2);
        return Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok();
    }
    let mut parts = text.splitn(3, '-');
    let (year, middle, last) = (parts.next()?, parts.next()?, parts.next()?);
    if !is_number(year, 4..=4) {
        return None;
    }
    if let Some(week) = middle.strip_prefix('W') {
        if !is_number(week, 2..=2) || !is_number(last, 1..=1) {
            return None;
        }
        let weekday = jiff::civil::Weekday::from_monday_one_offset(last.parse().ok()?).ok()?;
        let day = ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, weekday).ok()?;
        return Some(day.date());
    }
    if !is_number(middle, 1..=2) || !is_number(last, 1..=2) {
        return None;
    }
    Date::new(year.parse().ok()?, middle.parse().ok()?, last.parse().ok()?).ok()
}

pub(crate) fn moment(value: &Json) -> Result<i64, Vec<String>> {
    let parsed = match value {
        Json::Text(text) => text.parse::<jiff::Timestamp>().ok(),
        _ => None,
    };
    parsed.map(|moment| moment.as_microsecond()).ok_or_else(|| {
        one("Datetime has wrong format. Use one of these formats instead: \
             YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z].")
    })
}

/// Python reads no integer with more digits.
const MAX_DIGITS: usize = 4300;

/// The zeros of a few scripts whose digits Python reads as well.
const ZEROS: &[char] = &['0', '٠', '۰', '०', '０'];

/// An integer as Python reads it, in plain digits: there may be blanks around it, and underscores
/// between its digits.
pub(crate) fn python_integer(text: &str) -> Option<String> {
    let text = text.trim_matches(is_blank);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.starts_with('_') || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let digits = digits.chars().filter(|&it| it != '_').map(plain_digit);
    let digits = digits.collect::<Option<String>>()?;
    let length = digits.len();
    (1..=MAX_DIGITS).contains(&length).then(|| format!("{sign}{digits}"))
}

/// A digit of any of these scripts as one of ASCII.
pub(crate) fn plain_digit(digit: char) -> Option<char> {
    let values = ZEROS.iter().map(|&zero| u32::from(digit).wrapping_sub(u32::from(zero)));
    values.into_iter().find(|&value| value < 10).and_then(|value| char::from_digit(value, 10))
}

fn reference(store: &Store, to: Resource, value: &Json) -> Result<i64, Vec<String>> {
    let wrong_type = || {
        let found = value.type_name();
        vec![format!("Incorrect type. Expected pk value, received {found}.")]
    };
    let id = match value {
        Json::Integer(id) => i64::try_from(*id).ok(),
        Json::Null => None,
        #[allow(clippy::cast_possible_truncation, reason = "the fraction is cut off on purpose")]
        Json::Float(number) => Some(*number as i64),
        Json::Text(text) => python_integer(text).ok_or_else(wrong_type)?.parse().ok(),
        _ => return Err(wrong_type()),
    };
    id.filter(|&id| store.exists(to, id)).ok_or_else(|| {
        vec![format!("Invalid pk \"{}\" - object does not exist.", value.python_text())]
    })
}

fn references(store: &Store, to: Resource, value: &Json) -> Result<Vec<i64>, Vec<String>> {
    match value {
        Json::List(items) => items.iter().map(|item| reference(store, to, item)).collect(),
        Json::Object(members) => members
            .iter()
            .map(|(name, _)| reference(store, to, &Json::text(name.as_ref())))
            .collect(),
        other => {
            let found = other.type_name();
            Err(vec![format!("Expected a list of items but got type \"{found}\".")])
        }
    }
}
