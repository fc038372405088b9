//! Checks over several columns, made once each of them is fine.

use crate::sandbox::Database;
use crate::sandbox::access::{self, Caller};
use crate::sandbox::cell::Cell;
use crate::sandbox::json::Name;
use crate::sandbox::reply::Failure;
use crate::sandbox::schema::{Rule, Table};
use crate::sandbox::store::{Row, Store};

const SHORTEST_PASSWORD: usize = 8;

/// A few of the twenty thousand passwords the server knows as common.
const COMMON_PASSWORDS: &[&str] = &[
    "password",
    "password1",
    "password123",
    "passw0rd",
    "12345678",
    "123456789",
    "1234567890",
    "qwertyuiop",
    "qwerty123",
    "iloveyou",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "trustno1",
    "welcome1",
    "letmein1",
    "computer",
    "11111111",
    "00000000",
];

/// Checks a row that is about to be stored.
pub(crate) fn check(
    store: &Store,
    table: &Table,
    before: Option<&Row>,
    row: &Row,
    caller: Option<&Caller>,
) -> Result<(), Failure> {
    for rule in table.rules {
        check_rule(store, table, before, row, caller, rule)?;
    }
    Ok(())
}

fn check_rule(
    store: &Store,
    table: &Table,
    before: Option<&Row>,
    row: &Row,
    caller: Option<&Caller>,
    rule: &Rule,
) -> Result<(), Failure> {
    let own = before.map(Row::id);
    match *rule {
        Rule::StaffOnlyValue { column, value, create_only, message } => {
            let bound = caller.is_some_and(|caller| !caller.staff);
            let concerned = !create_only || before.is_none();
            if bound && concerned && *row.named(table, column) == Cell::Boolean(value) {
                return Err(Failure::field(column, message));
            }
        }
        Rule::StaffOnlyUnlessTrue { column, flag, message } => {
            let bound = caller.is_some_and(|caller| !caller.staff);
            let named = access::related(store, table, row, column);
            if bound && named.is_some_and(|(table, row)| !row.named(table, flag).is_true()) {
                return Err(Failure::field(column, message));
            }
        }
        Rule::UniqueTogether { columns, message } => {
            let Some((first, rest)) = columns.split_first() else {
                return Ok(());
            };
            let Some(index) = table.column_index(first) else {
                return Ok(());
            };
            let Some(target) = row.cell(index).as_integer() else {
                return Ok(());
            };
            let twin = store.referrers(table.resource, index, target).any(|id| {
                let other = store.get(table.resource, id);
                let agrees = |column: &&str| {
                    other.is_some_and(|it| it.named(table, column) == row.named(table, column))
                };
                Some(id) != own && rest.iter().all(agrees)
            });
            if twin {
                return Err(Failure::non_field(message));
            }
        }
        Rule::UniqueSlug { column, of, message } => {
            let slug = row.named(table, column);
            let unchanged = before.is_some_and(|before| before.named(table, column) == slug);
            let found = table.column_index(column).and_then(|index| {
                store.find(table.resource, index, slug.as_text().unwrap_or_default())
            });
            let taken = found.is_some_and(|found| Some(found) != own);
            if !unchanged && taken {
                return Err(Failure::field(of, message));
            }
        }
        Rule::Password(column) => {
            let unchanged = before
                .is_some_and(|before| before.named(table, column) == row.named(table, column));
            if let (Some(password), false) = (row.named(table, column).as_text(), unchanged) {
                // Accounts set up by a test may have any password.
                if caller.is_some() {
                    check_password(password)?;
                }
            }
        }
        Rule::ShortOnPostgres { column, max } => {
            let length = row.named(table, column).as_text().map_or(0, |it| it.chars().count());
            if store.database == Database::Postgres && length > max {
                return Err(Failure::ServerError);
            }
        }
        Rule::BlankOnce(column) => {
            let Some(index) = table.column_index(column) else {
                return Ok(());
            };
            let blank = row.cell(index).as_text() == Some("");
            let found = store.find(table.resource, index, "");
            if blank && found.is_some_and(|found| Some(found) != own) {
                return Err(Failure::ServerError);
            }
        }
    }
    Ok(())
}

fn check_password(password: &str) -> Result<(), Failure> {
    let mut messages = Vec::new();
    if password.chars().count() < SHORTEST_PASSWORD {
        messages.push(format!(
            "This password is too short. It must contain at least {SHORTEST_PASSWORD} characters."
        ));
    }
    let lower = password.to_lowercase();
    let ascending = "123456789".starts_with(lower.as_str());
    if COMMON_PASSWORDS.contains(&lower.as_str()) || ascending {
        messages.push("This password is too common.".to_owned());
    }
    if password.chars().all(char::is_numeric) {
        messages.push("This password is entirely numeric.".to_owned());
    }
    if messages.is_empty() {
        Ok(())
    } else {
        Err(Failure::Fields(vec![(Name::Borrowed("non_field_errors"), messages)]))
    }
}
