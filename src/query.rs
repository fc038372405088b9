//! Which records of a list, in which order: a plain value that either client can send.

mod params;

use std::fmt;

use http::Method;
use url::form_urlencoded;

use crate::capability::{Capability, FieldName};
use crate::error::{Error, ErrorKind};
use crate::field::{Comparand, Reading};
use crate::filter::{Condition, Filter, Lookup, MatchSemantics, Test, all_match};
use crate::id::Id;
use crate::order::OrderBy;
use crate::page::Page;
use crate::redact::redacted_query;
use crate::request::{CallOptions, Operation, Request};
use crate::resource::{Resource, Search, Summarize};

/// The server's cap: larger values are cut to it in silence.
pub(crate) const MAX_PAGE_SIZE: u32 = 1_000;

/// The server's own cap on what it reads of a URL is far away, but the proxy that usually stands
/// before it gives up at 8 KiB for method, address and version together.
const LONGEST_TARGET: usize = 8_000;

/// Conditions and order of a list of resource `R`.
///
/// A value that can be kept, printed and cloned. A [`List`](crate::List) is one that is bound to a client,
/// and [`Crud::query`](crate::Crud::query) binds it. The chapter [Filters and lists](crate::guide::lists)
/// says more.
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
pub struct Query<R: Resource> {
    conditions: Vec<Condition<R>>,
    /// Parameters by names that were learned at run time.
    params: Vec<(String, String)>,
    /// Whether `params` are sent whatever is known of them.
    unchecked: bool,
    order: Vec<OrderBy<R>>,
    search: Option<String>,
    page_size: u32,
    concurrency: usize,
    options: CallOptions,
}

impl<R: Resource> Clone for Query<R> {
    fn clone(&self) -> Self {
        Self {
            conditions: self.conditions.clone(),
            params: self.params.clone(),
            order: self.order.clone(),
            search: self.search.clone(),
            options: self.options.clone(),
            ..*self
        }
    }
}

impl<R: Resource> PartialEq for Query<R> {
    fn eq(&self, other: &Self) -> bool {
        self.conditions == other.conditions
            && self.params == other.params
            && self.unchecked == other.unchecked
            && self.order == other.order
            && self.search == other.search
            && self.page_size == other.page_size
            && self.concurrency == other.concurrency
            && self.options == other.options
    }
}

impl<R: Resource> Eq for Query<R> {}

impl<R: Resource> Default for Query<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Resource> fmt::Debug for Query<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = self.to_string();
        write!(f, "Query({})", redacted_query(&query, &[]).unwrap_or(query))
    }
}

/// The query string. What no record can match shows as an empty list, `id__in=`.
impl<R: Resource> fmt::Display for Query<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for condition in &self.conditions {
            let value = condition.value().ok().flatten().unwrap_or_default();
            pairs.append_pair(&condition.parameter(), &value);
        }
        pairs.extend_pairs(&self.params);
        if let Some(words) = &self.search {
            pairs.append_pair("_search", words);
        }
        if !self.order.is_empty() {
            let keys: Vec<String> = self.order.iter().map(OrderBy::to_string).collect();
            pairs.append_pair("_order", &keys.join(","));
        }
        f.write_str(&pairs.finish())
    }
}

impl<R: Resource> Query<R> {
    /// All records, in the order of their keys.
    pub fn new() -> Self {
        Self {
            conditions: Vec::new(),
            params: Vec::new(),
            unchecked: false,
            order: Vec::new(),
            search: None,
            page_size: MAX_PAGE_SIZE,
            concurrency: 1,
            options: CallOptions::default(),
        }
    }

    /// The records with these keys.
    pub(crate) fn of_keys(keys: impl Iterator<Item = Id<R>>) -> Self {
        let keys = keys.map(|key| Comparand::Integer(key.get().into()));
        let test = Test::list(keys);
        Self::new().matching(Filter::new(
            FieldName::new(KEY),
            |_| Reading::Unknown,
            Lookup::In,
            test,
        ))
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

    /// Narrows the list by a parameter whose name is learned at run time: the name of a field on
    /// the wire, alone or with a lookup, such as `expire__lt`.
    ///
    /// The server ignores names that it does not know and returns everything. So a name that is not
    /// in the [table of the resource](Resource::FIELD_INFO) is an error when the list is sent, as is a
    /// value that the server would pass over; [`unchecked`](Self::unchecked) lets both through.
    ///
    /// ```
    /// use keystone_client::Query;
    /// use keystone_client::resources::Cluster;
    ///
    /// let query = Query::<Cluster>::new().param("enabled", true).param("name__startswith", "gpu");
    /// assert_eq!(query.to_string(), "enabled=true&name__startswith=gpu");
    /// ```
    pub fn param(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.params.push((name.into(), value.to_string()));
        self
    }

    /// Sends the parameters of [`param`](Self::param) whatever their names and values, to servers
    /// that understand more than this crate.
    pub fn unchecked(mut self) -> Self {
        self.unchecked = true;
        self
    }

    /// Sets how many records travel in one response, 1 to 1,000; other values are brought into
    /// that range. Default: 1,000, which takes the fewest requests.
    pub fn page_size(mut self, records: u32) -> Self {
        self.page_size = records.clamp(1, MAX_PAGE_SIZE);
        self
    }

    /// Sets how many pages are asked for at a time when the list is walked; 0 counts as 1, which is
    /// the default.
    ///
    /// The walk divides the keys into ranges by what the server counts, and hands the records out in
    /// the order of the keys all the same. At most this many pages wait in memory, beside the one
    /// that is being handed out. Lists in another order, and those without keys, are walked one page
    /// after the other whatever is said here.
    pub fn concurrency(mut self, pages: usize) -> Self {
        self.concurrency = pages.max(1);
        self
    }

    /// Whether a record that is at hand belongs to the list, by the rules of a server on PostgreSQL
    /// in UTC; see [`Filter::matches`]. `None` where there is more to it than typed filters: a
    /// search, or parameters by name.
    pub fn matches(&self, record: &R::Model) -> Option<bool> {
        self.matches_with(record, &MatchSemantics::default())
    }

    /// The same by the rules of a server of this kind.
    pub fn matches_with(&self, record: &R::Model, semantics: &MatchSemantics) -> Option<bool> {
        match all_match(&self.conditions, record, semantics) {
            Some(true) if self.search.is_some() || !self.params.is_empty() => None,
            told => told,
        }
    }

    /// The same with other options for each of its requests.
    pub(crate) fn with_options(mut self, change: impl FnOnce(&mut CallOptions)) -> Self {
        change(&mut self.options);
        self
    }

    pub(crate) fn matches_nothing(&self) -> bool {
        self.conditions.iter().any(Condition::matches_nothing)
    }

    /// The same records in the order of their keys, one page after the other.
    pub(crate) fn by_key(&self) -> Self {
        Self { order: Vec::new(), concurrency: 1, ..self.clone() }
    }

    /// The same with at most this many pages at a time.
    pub(crate) fn at_most(mut self, pages: usize) -> Self {
        self.concurrency = self.concurrency.min(pages);
        self
    }

    /// How many records a page of a walk has, and how many pages are asked for at a time.
    pub(crate) fn pace(&self) -> (u32, usize) {
        (self.page_size, self.concurrency)
    }

    /// The order of the key, if that is what the list comes in; what else is asked for then has no
    /// effect, as keys do not repeat. `None` for any other order.
    pub(crate) fn key_order(&self) -> Option<OrderBy<R>> {
        let order = self.order.first().copied().unwrap_or(OrderBy::new(FieldName::new(KEY), false));
        (R::HAS_ID && order.field.name == KEY).then_some(order)
    }

    /// The request for at most `limit` records of a part of the list, whose answer says where it is.
    pub(crate) fn page_request(
        &self,
        limit: u32,
        part: Part,
    ) -> Result<Request<Page<R::Model>>, Error> {
        let request = self.part_request(limit, part)?;
        Ok(match part {
            Part::Offset(offset) => request.adapt(move |response, decode| {
                decode(response).map(|page| Page { offset, ..page })
            }),
            _ => request,
        })
    }

    /// The same, whose answer is read as the beginning of the list.
    pub(crate) fn part_request(
        &self,
        limit: u32,
        part: Part,
    ) -> Result<Request<Page<R::Model>>, Error> {
        let operation = Operation::new("list", R::NAME);
        let invalid = |problem: String| invalid(operation, problem);
        let path = [R::PATH, "/"].concat();
        let mut request = Request::new(operation, Method::GET, path, Page::read)
            .with_options(self.options.clone());
        if let Some(capability) = R::CAPABILITY {
            request = request.needing(capability);
        }
        // The bounds of the part stand within those of the caller, whose place they take.
        let bounds = part.bounds();
        let replaced: Vec<&str> = bounds.iter().map(|(name, _)| *name).collect();
        request = self.add_conditions(request, &replaced)?;
        if let Some(words) = &self.search {
            if let Some(problem) = unsearchable(words) {
                return Err(invalid(problem.to_owned()));
            }
            request = request.needing(Capability::Search).with_query("_search", words.clone());
        }
        if self.matches_nothing() {
            request = request.settled(r#"{"count":0,"results":[]}"#);
        }
        // Without a unique key last, the server may place records differently on each page.
        if let Some(order) = self.key_order() {
            let reversed = matches!(part, Part::Last);
            let order = OrderBy::<R>::new(order.field, order.descending != reversed);
            request = request.with_query("_order", order.to_string());
        } else if !self.order.is_empty() {
            let mut order: Vec<String> = self.order.iter().map(ToString::to_string).collect();
            request = request.needing(Capability::Order);
            for key in &self.order {
                request = request.needing_field(key.field);
            }
            if R::HAS_ID && !self.order.iter().any(|key| key.field.name == KEY) {
                order.push(KEY.to_owned());
            }
            request = request.with_query("_order", order.join(","));
        }
        request = request.with_query("_limit", limit.to_string());
        request = bounds
            .into_iter()
            .fold(request, |request, (name, key)| request.with_query(name, key.to_string()));
        if let Part::Offset(offset) = part {
            request = request.with_query("_offset", offset.to_string());
        }
        if let Some(length) = request.parts.length_above(LONGEST_TARGET) {
            return Err(invalid(format!(
                "the filters make an address of {length} bytes, and what stands before a server \
                 takes some {LONGEST_TARGET}; ask for the list in parts, and for records by their \
                 keys with `resolve_all`"
            )));
        }
        Ok(request)
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
        let mut request = Request::json(operation, Method::GET, format!("{}/", R::STATS_PATH))
            .with_options(self.options.clone());
        if let Some(capability) = R::STATS_CAPABILITY {
            request = request.needing(capability);
        }
        self.add_conditions(request, &[])
    }
}

impl<R: Resource> Query<R> {
    /// Adds the conditions as parameters, without those that are `replaced`.
    fn add_conditions<T>(
        &self,
        mut request: Request<T>,
        replaced: &[&str],
    ) -> Result<Request<T>, Error> {
        let operation = request.operation();
        let mut names: Vec<String> = Vec::with_capacity(self.conditions.len() + self.params.len());
        let mut add = |request: Request<T>, name: String, value: Option<String>| {
            if names.contains(&name) {
                let problem =
                    format!("filter `{name}` is given twice; the server would use the last only");
                return Err(invalid(operation, problem));
            }
            names.push(name.clone());
            Ok(match value {
                Some(value) if !replaced.contains(&name.as_str()) => {
                    request.with_query(name, value)
                }
                _ => request,
            })
        };
        for condition in &self.conditions {
            let name = condition.parameter();
            let value = condition
                .value()
                .map_err(|problem| invalid(operation, format!("filter `{name}`: {problem}")))?;
            request = needing(request, condition.field, condition.lookup);
            request = add(request, name, value)?;
        }
        for (name, value) in &self.params {
            if !self.unchecked {
                let (field, lookup) = params::checked::<R>(name, value)
                    .map_err(|problem| invalid(operation, problem))?;
                request = needing(request, field, lookup);
            }
            request = add(request, name.clone(), Some(value.clone()))?;
        }
        Ok(request)
    }
}

fn invalid(operation: Operation, problem: String) -> Error {
    Error::new(ErrorKind::InvalidRequest, operation).with_note(problem)
}

fn needing<T>(request: Request<T>, field: FieldName, lookup: Lookup) -> Request<T> {
    let request = request.needing(Capability::Filters).needing_field(field);
    match lookup.capability() {
        Some(capability) => request.needing(capability),
        None => request,
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

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// From the beginning on.
    Whole,
    /// From behind one key, up to and with the other, in the order of the keys that the list has.
    Keys { after: Option<u64>, until: Option<u64>, descending: bool },
    /// The end, backwards; of lists in the order of keys.
    Last,
    /// From behind this many records on.
    Offset(u64),
}

impl Part {
    /// The parameters that cut it out, and their values.
    fn bounds(self) -> Vec<(&'static str, u64)> {
        let Self::Keys { after, until, descending } = self else { return Vec::new() };
        let (beyond, up_to) =
            if descending { ("id__lt", "id__gte") } else { ("id__gt", "id__lte") };
        let after = after.map(|key| (beyond, key));
        let until = until.map(|key| (up_to, key));
        after.into_iter().chain(until).collect()
    }
}
