//! Which records of a list, in which order: a plain value that either client can send.

use std::fmt;
use std::marker::PhantomData;

use http::Method;
use url::form_urlencoded;

use crate::capability::{Capability, FieldName};
use crate::error::{Error, ErrorKind};
use crate::filter::{Condition, Filter};
use crate::order::OrderBy;
use crate::page::Page;
use crate::request::{Operation, Request};
use crate::resource::{Resource, Search, Summarize};

/// The server's cap: larger values are cut to it in silence.
pub(crate) const MAX_PAGE_SIZE: u32 = 1_000;

/// Conditions and order of a list of resource `R`.
///
/// ```
/// use keystone_client::Query;
/// use keystone_client::resources::{AllocationRequest, RequestStatus};
///
/// let expiring = Query::<AllocationRequest>::new()
///     .filter(|r| r.status.eq(RequestStatus::Approved))
///     .filter(|r| r.expire.gte(jiff::civil::date(2026, 12, 1)))
///     .filter(|r| r.expire.lt(jiff::civil::date(2027, 3, 1)))
///     .order_by(|r| r.expire.asc());
/// assert_eq!(
///     expiring.to_string(),
///     "status=AP&expire__gte=2026-12-01&expire__lt=2027-03-01&_order=expire",
/// );
/// ```
#[must_use = "a query does nothing until a client sends it"]
pub struct Query<R> {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) order: Vec<OrderBy<R>>,
    pub(crate) search: Option<String>,
    pub(crate) page_size: u32,
    resource: PhantomData<fn() -> R>,
}

impl<R> Clone for Query<R> {
    fn clone(&self) -> Self {
        Self {
            conditions: self.conditions.clone(),
            order: self.order.clone(),
            search: self.search.clone(),
            page_size: self.page_size,
            resource: PhantomData,
        }
    }
}

impl<R> PartialEq for Query<R> {
    fn eq(&self, other: &Self) -> bool {
        self.conditions == other.conditions
            && self.order == other.order
            && self.search == other.search
            && self.page_size == other.page_size
    }
}

impl<R> Eq for Query<R> {}

impl<R: Resource> Default for Query<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Query<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Query({self})")
    }
}

/// The query string.
impl<R> fmt::Display for Query<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for condition in &self.conditions {
            if let Ok(Some(value)) = condition.value() {
                pairs.append_pair(&condition.parameter(), value);
            }
        }
        if let Some(words) = &self.search {
            pairs.append_pair("_search", words);
        }
        if !self.order.is_empty() {
            pairs.append_pair("_order", &self.order_value());
        }
        f.write_str(&pairs.finish())
    }
}

impl<R> Query<R> {
    pub(crate) fn matches_nothing(&self) -> bool {
        self.conditions.iter().any(Condition::matches_nothing)
    }

    fn order_value(&self) -> String {
        self.order.iter().map(OrderBy::to_string).collect::<Vec<_>>().join(",")
    }
}

impl<R: Resource> Query<R> {
    /// All records, in the order of their keys.
    pub fn new() -> Self {
        Self {
            conditions: Vec::new(),
            order: Vec::new(),
            search: None,
            page_size: MAX_PAGE_SIZE,
            resource: PhantomData,
        }
    }

    /// Keeps the records for which the condition holds, and all conditions before.
    pub fn filter(mut self, condition: impl FnOnce(&R::Fields) -> Filter<R>) -> Self {
        self.conditions.extend(condition(&R::FIELDS).into_conditions());
        self
    }

    /// Keeps the records for which a filter made elsewhere holds.
    pub fn matching(mut self, filter: Filter<R>) -> Self {
        self.conditions.extend(filter.into_conditions());
        self
    }

    /// Keeps the records in which all of these words occur, in any case, in at least one of the texts
    /// that the server searches. Blanks and commas separate words, quotes hold them together. A
    /// second search replaces the first.
    ///
    /// ```
    /// use keystone_client::Query;
    /// use keystone_client::resources::Grant;
    ///
    /// let folding = Query::<Grant>::new().search("folding \"cell biology\"");
    /// assert_eq!(folding.to_string(), "_search=folding+%22cell+biology%22");
    /// ```
    pub fn search(mut self, words: impl Into<String>) -> Self
    where
        R: Search,
    {
        self.search = Some(words.into());
        self
    }

    /// Orders the records by one field, after the fields named before.
    pub fn order_by(mut self, key: impl FnOnce(&R::Fields) -> OrderBy<R>) -> Self {
        self.order.push(key(&R::FIELDS));
        self
    }

    /// Sets how many records travel in one response, 1 to 1,000; other values are brought into
    /// that range. Default: 1,000.
    pub fn page_size(mut self, records: u32) -> Self {
        self.page_size = records.clamp(1, MAX_PAGE_SIZE);
        self
    }

    /// The order of the key, if that is what the list comes in; what else is asked for then has no
    /// effect, as keys do not repeat. `None` for any other order.
    pub(crate) fn key_order(&self) -> Option<OrderBy<R>> {
        let order = self.order.first().copied().unwrap_or(OrderBy::new(FieldName::new(KEY), false));
        (R::HAS_ID && order.field.name == KEY).then_some(order)
    }

    /// The request for at most `limit` records from a place in the list on.
    pub(crate) fn page_request(
        &self,
        limit: u32,
        start: Start,
    ) -> Result<Request<Page<R::Model>>, Error> {
        let operation = Operation::new("list", R::NAME);
        let mut request =
            Request::new(operation, Method::GET, format!("{}/", R::PATH), |response| {
                Page::read(response)
            });
        if let Some(capability) = R::CAPABILITY {
            request = request.needing(capability);
        }
        let key_order = self.key_order();
        let after_key = match key_order {
            Some(order) if order.descending => "id__lt",
            _ => "id__gt",
        };
        // A walk continues from behind the caller's own bound, which the key replaces.
        let replaced = matches!(start, Start::AfterKey(_)).then_some(after_key);
        request = self.add_conditions(request, replaced)?;
        if let Some(words) = &self.search {
            if let Some(problem) = unsearchable(words) {
                return Err(Error::new(ErrorKind::InvalidRequest, operation).with_note(problem));
            }
            request = request.needing(Capability::Search).with_query("_search", words.clone());
        }
        if self.matches_nothing() {
            request = request.settled(r#"{"count":0,"results":[]}"#);
        }
        // Without a unique key last, the server may place records differently on each page.
        let mut order: Vec<String> = match key_order {
            Some(order) => vec![order.to_string()],
            None => self.order.iter().map(ToString::to_string).collect(),
        };
        if key_order.is_none() && !order.is_empty() {
            request = request.needing(Capability::Order);
            for key in &self.order {
                request = request.needing_field(key.field);
            }
            if R::HAS_ID && !self.order.iter().any(|key| key.field.name == KEY) {
                order.push(KEY.to_owned());
            }
        }
        if !order.is_empty() {
            request = request.with_query("_order", order.join(","));
        }
        request = request.with_query("_limit", limit.to_string());
        Ok(match start {
            Start::Beginning => request,
            Start::AfterKey(key) => request.with_query(after_key, key.to_string()),
            Start::Offset(offset) => {
                request.with_query("_offset", offset.to_string()).adapt(move |response, decode| {
                    decode(response).map(|page| Page { offset, ..page })
                })
            }
        })
    }
}

impl<R: Summarize> Query<R> {
    /// The request for the figures over the records that match.
    pub(crate) fn stats_request(&self) -> Result<Request<R::Stats>, Error> {
        let operation = Operation::new("retrieve", R::STATS_NAME);
        if self.search.is_some() {
            return Err(Error::new(ErrorKind::InvalidRequest, operation)
                .with_note("figures disregard a search; narrow them by filters"));
        }
        if self.matches_nothing() {
            // An empty list as a parameter would be ignored, and the figures those of everything.
            return Err(Error::new(ErrorKind::InvalidRequest, operation)
                .with_note("a filter by an empty list matches nothing, so there are no figures"));
        }
        let mut request = Request::json(operation, Method::GET, format!("{}/", R::STATS_PATH));
        if let Some(capability) = R::STATS_CAPABILITY {
            request = request.needing(capability);
        }
        self.add_conditions(request, None)
    }
}

impl<R> Query<R> {
    /// Adds the conditions as parameters, without the one that is `replaced`.
    fn add_conditions<T>(
        &self,
        mut request: Request<T>,
        replaced: Option<&str>,
    ) -> Result<Request<T>, Error> {
        let operation = request.operation();
        let invalid =
            |problem: String| Error::new(ErrorKind::InvalidRequest, operation).with_note(problem);
        let mut names: Vec<String> = Vec::with_capacity(self.conditions.len());
        for condition in &self.conditions {
            let name = condition.parameter();
            let value = condition
                .value()
                .map_err(|problem| invalid(format!("filter `{name}`: {problem}")))?;
            if names.contains(&name) {
                return Err(invalid(format!(
                    "filter `{name}` is given twice; the server would use the last only"
                )));
            }
            request = request.needing(Capability::Filters).needing_field(condition.field);
            if let Some(capability) = condition.lookup.capability() {
                request = request.needing(capability);
            }
            if let (Some(value), false) = (value, replaced == Some(&name)) {
                request = request.with_query(name.clone(), value);
            }
            names.push(name);
        }
        Ok(request)
    }
}

/// Why the server would not search for this.
fn unsearchable(words: &str) -> Option<&'static str> {
    let separates = |letter: char| letter.is_whitespace() || "\"',".contains(letter);
    if words.chars().all(separates) {
        Some("a search for no words would be ignored and return every record")
    } else if words.contains('\0') {
        Some("the server refuses NUL characters")
    } else {
        None
    }
}

const KEY: &str = "id";

/// Where in a list a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Beginning,
    AfterKey(u64),
    Offset(u64),
}
