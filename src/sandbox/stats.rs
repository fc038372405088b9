//! Figures about all records of a resource that the caller may see.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::sandbox::Database;
use crate::sandbox::access::Caller;
use crate::sandbox::cell::{self, Cell};
use crate::sandbox::incoming::Incoming;
use crate::sandbox::json::Json;
use crate::sandbox::lists::{self, Query};
use crate::sandbox::reply::{Failure, Reply};
use crate::sandbox::schema::{Kind, Measure, Resource, Statistic, Table, Test};
use crate::sandbox::server::Server;
use crate::sandbox::store::{Row, Store};

const DAY: i64 = 86_400_000_000;

impl Server {
    /// Answers with the figures about a resource. The filters of its list hold, its search does not.
    pub(crate) fn statistics(
        &self,
        statistic: &'static Statistic,
        caller: &Caller,
        incoming: &Incoming,
    ) -> Result<Reply, Failure> {
        let table = self.schema.table(statistic.resource).ok_or_else(Failure::not_found)?;
        let query = Query::without_search(&self.store, table, incoming)?;
        lists::search_terms(incoming.parameter("_search").unwrap_or_default())?;
        let order = incoming.parameter("_order").unwrap_or_default();
        let names = order.split(',').map(|name| name.trim().trim_start_matches('-'));
        // The server takes the names of the figures for columns that it could order by.
        if names.into_iter().any(|it| statistic.figures.iter().any(|(name, _)| *name == it)) {
            return Err(Failure::ServerError);
        }
        let rows = query.rows(caller, table.access.list);
        let today = cell::date_of(self.clock.microseconds());
        let survey = Survey { store: &self.store, table, rows, today };
        let mut figures = Vec::with_capacity(statistic.figures.len());
        for (name, measure) in statistic.figures {
            figures.push((Cow::Borrowed(*name), survey.measure(measure)?));
        }
        Ok(Reply::ok(Json::Object(figures)))
    }
}

/// The records that figures are about.
struct Survey<'a> {
    store: &'a Store,
    table: &'static Table,
    rows: Vec<&'a Row>,
    today: Date,
}

impl<'a> Survey<'a> {
    fn measure(&self, measure: &Measure) -> Result<Json, Failure> {
        Ok(match *measure {
            Measure::Count(tests) => Json::Integer(to_integer(self.passing(tests).count())),
            Measure::Distinct(column) => {
                let texts =
                    self.rows.iter().filter_map(|row| row.named(self.table, column).as_text());
                Json::Integer(to_integer(texts.collect::<BTreeSet<_>>().len()))
            }
            Measure::Units { column, tests } => Json::Float(self.units(column, tests)?),
            Measure::Amount { column, tests } => {
                Json::Text(format!("{:.2}", self.amounts(column, tests).sum::<Decimal>()))
            }
            Measure::MeanAmount(column) => {
                let total: Decimal = self.amounts(column, &[]).sum();
                let count = Decimal::from(self.amounts(column, &[]).count());
                let mean = total.checked_div(count).unwrap_or_default();
                Json::Text(format!("{:.2}", mean.round_dp(2)))
            }
            Measure::MeanDays { from, to } => self.mean_days(from, to),
            Measure::MeanDuration { from, to } => {
                let mean = self.mean_time(from, to);
                mean.map_or(Json::Null, |mean| Json::Text(duration_text(mean)))
            }
        })
    }

    fn passing(&self, tests: &[Test]) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().copied().filter(move |row| tests.iter().all(|test| self.holds(row, *test)))
    }

    fn holds(&self, row: &Row, test: Test) -> bool {
        let day = |column, fits: fn(&Date, &Date) -> bool| match row.named(self.table, column) {
            Cell::Date(date) => fits(date, &self.today),
            _ => false,
        };
        match test {
            Test::Is(column, code) => row.named(self.table, column).as_text() == Some(code),
            Test::False(column) => !row.named(self.table, column).is_true(),
            Test::Missing(column) => *row.named(self.table, column) == Cell::Null,
            Test::Given(column) => *row.named(self.table, column) != Cell::Null,
            Test::Past(column) => day(column, Date::lt),
            Test::PastOrToday(column) => day(column, Date::le),
            Test::TodayOrFuture(column) => day(column, Date::ge),
            Test::Future(column) => day(column, Date::gt),
        }
    }

    /// The sum of a column of the allocations that belong to the requests that pass.
    fn units(&self, column: &str, tests: &[Test]) -> Result<f64, Failure> {
        let Some(allocations) = self.store.schema.table(Resource::Allocations) else {
            return Ok(0.0);
        };
        let Some(reference) = allocations.column_index("request") else {
            return Ok(0.0);
        };
        let mut total = 0_i64;
        for request in self.passing(tests) {
            for id in self.store.referrers(Resource::Allocations, reference, request.id()) {
                let row = self.store.get(Resource::Allocations, id);
                let units = row.and_then(|row| row.named(allocations, column).as_integer());
                // The database adds integers, and cannot hold a larger sum.
                let sum = total.checked_add(units.unwrap_or_default());
                total = sum.ok_or(Failure::ServerError)?;
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "the server sends doubles, too")]
        Ok(total as f64)
    }

    fn amounts(&self, column: &str, tests: &[Test]) -> impl Iterator<Item = Decimal> {
        self.passing(tests).filter_map(move |row| match row.named(self.table, column) {
            Cell::Decimal(amount) => Some(*amount),
            _ => None,
        })
    }

    /// The mean time between two columns in microseconds, over the rows that have both.
    fn mean_time(&self, from: &str, to: &str) -> Option<i64> {
        let spans = self.rows.iter().filter_map(|row| {
            let from = microseconds(row.named(self.table, from))?;
            let to = microseconds(row.named(self.table, to))?;
            Some(i128::from(to) - i128::from(from))
        });
        let spans: Vec<i128> = spans.collect();
        let count = to_integer(spans.len());
        // To the nearest microsecond.
        let sum = spans.iter().sum::<i128>().saturating_add(count / 2);
        sum.checked_div_euclid(count).and_then(|mean| i64::try_from(mean).ok())
    }

    fn mean_days(&self, from: &str, to: &str) -> Json {
        let kind = |name: &str| {
            let index = self.table.column_index(name)?;
            self.table.columns.get(index).map(|column| column.kind)
        };
        // SQLite cannot subtract a moment from a day.
        let unknown = self.store.database == Database::Sqlite
            && matches!((kind(from), kind(to)), (Some(Kind::Moment), Some(Kind::Date)));
        let mean = if unknown { self.mean_years(from, to) } else { self.mean_time(from, to) };
        #[allow(clippy::cast_precision_loss, reason = "numbers of days are small")]
        mean.map_or(Json::Null, |mean| Json::Float(mean.div_euclid(DAY) as f64))
    }

    /// The mean difference of the years of two columns: what SQLite makes of their texts. The server
    /// takes it for microseconds.
    fn mean_years(&self, from: &str, to: &str) -> Option<i64> {
        let year = |row: &Row, name: &str| match row.named(self.table, name) {
            Cell::Date(date) => Some(i64::from(date.year())),
            Cell::Moment(moment) => Some(i64::from(cell::date_of(*moment).year())),
            _ => None,
        };
        let spans = self.rows.iter().filter_map(|row| Some(year(row, to)? - year(row, from)?));
        let spans: Vec<i64> = spans.collect();
        let count = i64::try_from(spans.len()).ok().filter(|&count| count > 0)?;
        let (sum, half) = (spans.iter().sum::<i64>(), count / 2);
        // Less than half a microsecond is nothing.
        Some((sum + half - i64::from(sum < 0 && count % 2 == 0)).div_euclid(count))
    }
}

fn to_integer(count: usize) -> i128 {
    i128::try_from(count).unwrap_or(i128::MAX)
}

/// A day, by its beginning, or a moment.
fn microseconds(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Date(date) => {
            let days = date.duration_since(Date::new(1970, 1, 1).ok()?).as_hours() / 24;
            Some(days * DAY)
        }
        Cell::Moment(moment) => Some(*moment),
        _ => None,
    }
}

/// Days, if any, hours, minutes and seconds, and the fraction of a second if there is one.
fn duration_text(microseconds: i64) -> String {
    let (days, rest) = (microseconds.div_euclid(DAY), microseconds.rem_euclid(DAY));
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let days = if days == 0 { String::new() } else { format!("{days} ") };
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
    format!("{days}{time}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::{DAY, duration_text};

    #[test]
    fn durations_have_days_and_fractions_only_when_needed() {
        let cases = [
            (0, "00:00:00"),
            (44 * DAY + DAY / 2, "44 12:00:00"),
            (DAY / 3 + 1, "08:00:00.000001"),
            (-DAY / 4, "-1 18:00:00"),
        ];
        for (microseconds, expected) in cases {
            assert_eq!(duration_text(microseconds), expected);
        }
    }
}
