//! Lists: which rows, in which order, and which page of them.

use http::HeaderName;

use crate::sandbox::Database;
use crate::sandbox::access::{self, Caller};
use crate::sandbox::cell::Cell;
use crate::sandbox::era::ListForm;
use crate::sandbox::filters::{self, Filter};
use crate::sandbox::incoming::Incoming;
use crate::sandbox::json::Json;
use crate::sandbox::ordering;
use crate::sandbox::reply::{Failure, Reply};
use crate::sandbox::schema::{Condition, Search, Table};
use crate::sandbox::store::{Row, Store};
use crate::sandbox::values;

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// What a query asks of a table.
pub(crate) struct Query<'a> {
    store: &'a Store,
    table: &'static Table,
    filters: Vec<Filter>,
    terms: Vec<String>,
    searched: &'static [&'static [&'static str]],
}

impl<'a> Query<'a> {
    pub(crate) fn new(
        store: &'a Store,
        table: &'static Table,
        incoming: &Incoming,
    ) -> Result<Self, Failure> {
        let filters = filters::parse(store, table, &incoming.query)?;
        let searched = incoming.parameter("_search").filter(|_| store.schema.era.searches);
        let words = searched.unwrap_or_default();
        let (terms, searched) = match table.search {
            Search::Ignored => (Vec::new(), &[][..]),
            Search::Broken => {
                if !search_terms(words)?.is_empty() {
                    return Err(Failure::ServerError);
                }
                (Vec::new(), &[][..])
            }
            Search::Columns(columns) => (search_terms(words)?, columns),
        };
        let terms = terms.into_iter().map(|term| in_lower_case(store, &term)).collect();
        Ok(Self { store, table, filters, terms, searched })
    }

    /// The filters of a query alone.
    pub(crate) fn without_search(
        store: &'a Store,
        table: &'static Table,
        incoming: &Incoming,
    ) -> Result<Self, Failure> {
        let filters = filters::parse(store, table, &incoming.query)?;
        Ok(Self { store, table, filters, terms: Vec::new(), searched: &[] })
    }

    /// All rows.
    fn of_all(store: &'a Store, table: &'static Table) -> Self {
        Self { store, table, filters: Vec::new(), terms: Vec::new(), searched: &[] }
    }

    /// Whether a row passes the filters and the search.
    pub(crate) fn admits(&self, row: &Row) -> bool {
        self.filters.iter().all(|filter| filter.admits(row))
            && self.terms.iter().all(|term| {
                self.searched.iter().any(|path| self.reach(row, path).contains(term.as_str()))
            })
    }

    /// The text a path of columns leads to, in lower case.
    fn reach(&self, row: &Row, path: &[&str]) -> String {
        let Some((last, path)) = path.split_last() else {
            return String::new();
        };
        let (mut table, mut row) = (self.table, row);
        for column in path {
            match access::related(self.store, table, row, column) {
                Some(next) => (table, row) = next,
                None => return String::new(),
            }
        }
        match row.named(table, last) {
            Cell::Integer(number) => number.to_string(),
            cell => in_lower_case(self.store, cell.as_text().unwrap_or_default()),
        }
    }

    /// The rows a caller gets, in the order in which they are stored.
    pub(crate) fn rows(&self, caller: &Caller, scope: &[Condition]) -> Vec<&'a Row> {
        let mut rows = self.found(caller, scope);
        if self.store.database == Database::Postgres {
            rows.sort_by_key(|row| row.written());
        }
        self.store.disorder.shuffle(&mut rows);
        rows
    }

    fn found(&self, caller: &Caller, scope: &[Condition]) -> Vec<&'a Row> {
        let scoped =
            |row: &&Row| caller.satisfies(self.store, self.table, row, scope) && self.admits(row);
        let resource = self.table.resource;
        if let Some(ids) = filters::candidates(self.store, self.table, &self.filters) {
            let rows = ids.into_iter().filter_map(|id| self.store.get(resource, id));
            return rows.filter(scoped).collect();
        }
        let (mut first, mut last) = (i64::MIN, i64::MAX);
        for range in self.filters.iter().filter_map(Filter::id_range) {
            first = first.max(*range.start());
            last = last.min(*range.end());
        }
        self.store.range(resource, first..=last).filter(scoped).collect()
    }

    fn is_plain(&self, caller: &Caller, scope: &[Condition]) -> bool {
        self.filters.is_empty() && self.terms.is_empty() && (caller.staff || scope.is_empty())
    }
}

/// A page of rows, or all of them.
pub(crate) struct Page<'a> {
    pub(crate) rows: Vec<&'a Row>,
    pub(crate) frame: Frame,
}

/// What is said about a page beside its rows.
pub(crate) enum Frame {
    Nothing,
    Headers { limit: usize, offset: usize, count: usize },
    Envelope { count: usize, next: Option<String>, previous: Option<String> },
}

impl Frame {
    /// The answer with these records.
    pub(crate) fn reply(self, records: Vec<Json>) -> Reply {
        match self {
            Self::Nothing => Reply::ok(Json::List(records)),
            Self::Headers { limit, offset, count } => {
                let headers = [("x-limit", limit), ("x-offset", offset), ("x-total-count", count)];
                let reply = Reply::ok(Json::List(records));
                headers.into_iter().fold(reply, |reply, (name, number)| {
                    reply.with(HeaderName::from_static(name), &number.to_string())
                })
            }
            Self::Envelope { count, next, previous } => {
                let link = |link: Option<String>| link.map_or(Json::Null, Json::Text);
                Reply::ok(Json::object([
                    ("count", Json::Integer(i128::try_from(count).unwrap_or_default())),
                    ("next", link(next)),
                    ("previous", link(previous)),
                    ("results", Json::List(records)),
                ]))
            }
        }
    }
}

/// The rows a list answers with.
pub(crate) fn list<'a>(
    store: &'a Store,
    table: &'static Table,
    caller: &Caller,
    incoming: &Incoming,
) -> Result<Page<'a>, Failure> {
    let era = &store.schema.era;
    let scope = table.access.list;
    let is_deaf = era.deaf_lists && narrows_to_caller(scope);
    let query =
        if is_deaf { Query::of_all(store, table) } else { Query::new(store, table, incoming)? };
    let order = era.order.filter(|_| !is_deaf).and_then(|name| incoming.parameter(name));
    let keys = ordering::parse(table, order.unwrap_or_default())?;
    if era.lists == ListForm::Whole {
        let rows = query.rows(caller, scope);
        let rows = if keys.is_empty() { rows } else { ordering::sort(store, rows, &keys) };
        return Ok(Page { rows, frame: Frame::Nothing });
    }
    let limit = number(incoming.parameter("_limit"))
        .filter(|&limit| limit > 0)
        .unwrap_or(DEFAULT_LIMIT)
        .min(MAX_LIMIT);
    let offset = number(incoming.parameter("_offset")).unwrap_or_default();
    let by_id = match keys.first() {
        Some(key) => key.is_id(),
        None => store.database == Database::Sqlite && store.disorder.is_off(),
    };
    let (rows, count) = if by_id && query.is_plain(caller, scope) {
        let rows = store.range(table.resource, i64::MIN..=i64::MAX).skip(offset).take(limit);
        (rows.collect(), store.count(table.resource))
    } else {
        let rows = query.rows(caller, scope);
        let count = rows.len();
        let rows = if keys.is_empty() { rows } else { ordering::sort(store, rows, &keys) };
        (rows.into_iter().skip(offset).take(limit).collect(), count)
    };
    if era.lists == ListForm::Headers {
        return Ok(Page { rows, frame: Frame::Headers { limit, offset, count } });
    }
    let next = (offset.saturating_add(limit) < count)
        .then(|| link(incoming, limit, offset.saturating_add(limit)));
    let previous = (offset > 0).then(|| link(incoming, limit, offset.saturating_sub(limit)));
    Ok(Page { rows, frame: Frame::Envelope { count, next, previous } })
}

/// Whether a list shows what belongs to the caller's teams, or to the caller.
fn narrows_to_caller(scope: &[Condition]) -> bool {
    scope.iter().any(|it| matches!(it, Condition::Member | Condition::Caller(_)))
}

/// A whole number that is not negative; one that is too large becomes the largest.
fn number(text: Option<&str>) -> Option<usize> {
    let digits = values::python_integer(text?)?;
    match digits.strip_prefix('-') {
        Some(digits) => digits.bytes().all(|byte| byte == b'0').then_some(0),
        None => Some(digits.parse().unwrap_or(usize::MAX)),
    }
}

/// The URL of another page: all parameters again, sorted by name.
fn link(incoming: &Incoming, limit: usize, offset: usize) -> String {
    let mut pairs: Vec<(&str, String)> = incoming
        .query
        .iter()
        .filter(|(name, _)| name != "_limit" && name != "_offset")
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    pairs.push(("_limit", limit.to_string()));
    if offset > 0 {
        pairs.push(("_offset", offset.to_string()));
    }
    pairs.sort_by(|left, right| left.0.cmp(right.0));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs);
    format!("{}?{}", incoming.absolute(&incoming.path), query.finish())
}

/// A text without the differences of case that a search passes over.
fn in_lower_case(store: &Store, text: &str) -> String {
    match store.database {
        Database::Sqlite => text.to_ascii_lowercase(),
        Database::Postgres => text.to_lowercase(),
    }
}

/// The terms of a search: split at blanks and commas unless quoted.
pub(crate) fn search_terms(text: &str) -> Result<Vec<String>, Failure> {
    if text.contains('\0') {
        return Err(Failure::Messages(vec!["Null characters are not allowed.".to_owned()]));
    }
    let mut terms = Vec::new();
    let mut term = String::new();
    let mut quote = None;
    for character in text.chars() {
        match quote {
            Some(open) if character == open => quote = None,
            Some(_) => term.push(character),
            None if term.is_empty() && matches!(character, '"' | '\'') => quote = Some(character),
            None if character.is_whitespace() || character == ',' => {
                terms.push(std::mem::take(&mut term));
            }
            None => term.push(character),
        }
    }
    terms.push(term);
    terms.retain(|term| !term.trim().is_empty());
    Ok(terms)
}
