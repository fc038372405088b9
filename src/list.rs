//! A list of records, to be fetched by one of the clients.

use std::fmt;

use crate::batch::Place;
use crate::call::{Call, options_of_each_request};
use crate::capability::Capability;
use crate::error::{Error, ErrorKind};
use crate::filter::Filter;
use crate::order::OrderBy;
use crate::page::Page;
use crate::query::{MAX_PAGE_SIZE, Part, Query};
use crate::request::{CallOptions, Operation, Response};
use crate::resource::{Resource, Search, Summarize};

/// A [`Query`] bound to the client `C` that will send it.
///
/// `all` fetches every record; `stream` (async) and `iter` (blocking) hand them out one by one
/// with one page in memory, and `pages` page by page. All of them walk the whole list; none stops
/// after the first page.
///
/// The order is that of the keys, in which nothing that comes or goes meanwhile disturbs a walk. In
/// another order a walk keeps the keys that it has seen, so as to hand no record out twice, and what
/// the order has lost because the list moved comes in the end. The [guide](crate::guide::lists) says
/// more.
///
/// ```
/// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// for name in ["atlas", "borealis", "cygnus"] {
///     client.clusters().create(NewCluster::new(name)).send()?;
/// }
/// let all = client.clusters().list().all()?;
/// assert_eq!(all.len(), 3);
///
/// let some = client.clusters().filter(|c| c.name.contains("s")).order_by(|c| c.name.desc());
/// let names: Vec<String> = some.all()?.into_iter().map(|cluster| cluster.name).collect();
/// assert_eq!(names, ["cygnus", "borealis", "atlas"]);
/// # Ok(()) }
/// ```
#[must_use = "a list does nothing until it is fetched: `all`, `stream`, `iter`, `first`, …"]
pub struct List<R: Resource, C> {
    pub(crate) client: C,
    pub(crate) query: Query<R>,
}

impl<R: Resource, C> List<R, C> {
    pub(crate) fn new(client: C, query: Query<R>) -> Self {
        Self { client, query }
    }

    /// Keeps the records for which the condition holds, and all conditions before.
    pub fn filter(self, condition: impl FnOnce(&R::Fields) -> Filter<R>) -> Self {
        Self { query: self.query.filter(condition), ..self }
    }

    /// Keeps the records for which a filter made elsewhere holds.
    pub fn matching(self, filter: Filter<R>) -> Self {
        Self { query: self.query.matching(filter), ..self }
    }

    /// Keeps the records in which all of these words occur; see [`Query::search`].
    pub fn search(self, words: impl Into<String>) -> Self
    where
        R: Search,
    {
        Self { query: self.query.search(words), ..self }
    }

    /// Orders the records by one field, after the fields named before.
    pub fn order_by(self, key: impl FnOnce(&R::Fields) -> OrderBy<R>) -> Self {
        Self { query: self.query.order_by(key), ..self }
    }

    /// Narrows the list by a parameter whose name is learned at run time; see [`Query::param`].
    pub fn param(self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        Self { query: self.query.param(name, value), ..self }
    }

    /// Sends the parameters of [`param`](Self::param) whatever their names; see
    /// [`Query::unchecked`].
    pub fn unchecked(self) -> Self {
        Self { query: self.query.unchecked(), ..self }
    }

    /// Sets how many pages are asked for at a time; see [`Query::concurrency`].
    pub fn concurrency(self, pages: usize) -> Self {
        Self { query: self.query.concurrency(pages), ..self }
    }

    /// Sets how many records travel in one response, 1 to 1,000. Default: 1,000, which takes the
    /// fewest requests.
    pub fn page_size(self, records: u32) -> Self {
        Self { query: self.query.page_size(records), ..self }
    }

    options_of_each_request!();

    fn with_options(self, change: impl FnOnce(&mut CallOptions)) -> Self {
        Self { query: self.query.with_options(change), ..self }
    }

    /// The query by itself.
    pub fn into_query(self) -> Query<R> {
        self.query
    }

    /// The first record in the order of the list; `None` if there is none. One record travels.
    ///
    /// ```
    /// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # client.create_team(NewTeam::new("Folding")).send()?;
    /// let team = client.teams().filter(|t| t.slug.eq("folding")).first().send()?;
    /// assert_eq!(team.unwrap().name, "Folding");
    /// assert_eq!(client.teams().list().count().send()?, 1);
    /// # Ok(()) }
    /// ```
    pub fn first(self) -> Call<Option<R::Model>, C> {
        let key_order = self.query.key_order();
        let request = self.query.page_request(1, Part::Whole).map(|request| {
            request.adapt(move |response, decode| {
                let page = decode(response)?;
                let mut records = page.items.into_iter();
                Ok(match key_order {
                    // A server that does not page has sent the whole list, and may not order it.
                    Some(order) if page.total.is_none() => match order.descending {
                        false => records.min_by_key(R::id),
                        true => records.max_by_key(R::id),
                    },
                    _ => records.next(),
                })
            })
        });
        Call::new(self.client, request.map(|request| request.with_place(Place::Item(0))))
    }

    /// The only record. Two records travel at most.
    ///
    /// No record is an error of kind [`ErrorKind::NotFound`], more than one are
    /// [`ErrorKind::Ambiguous`].
    ///
    /// ```
    /// # use keystone_client::{ErrorKind, resources::NewTeam, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # client.create_team(NewTeam::new("Folding")).send()?;
    /// # client.create_team(NewTeam::new("Knots")).send()?;
    /// let team = client.teams().filter(|t| t.slug.eq("folding")).one().send()?;
    /// assert_eq!(team.name, "Folding");
    /// let error = client.teams().list().one().send().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Ambiguous);
    /// assert!(client.teams().list().search("knots").exists().send()?);
    /// # Ok(()) }
    /// ```
    pub fn one(self) -> Call<R::Model, C> {
        let request = self.query.page_request(2, Part::Whole).map(|request| {
            request.adapt(|response, decode| {
                let (none, several) =
                    (response.error(ErrorKind::NotFound), response.error(ErrorKind::Ambiguous));
                let mut records = decode(response)?.items.into_iter();
                match (records.next(), records.next()) {
                    (Some(record), None) => Ok(record),
                    (None, _) => Err(none.with_note("no record matches")),
                    (Some(_), Some(_)) => Err(several.with_note("ask for `first` or `all`")),
                }
            })
        });
        // That it is the only one, nobody knows before the answer has come.
        Call::new(self.client, request.map(|request| request.with_place(Place::Unknown)))
    }

    /// Whether there is any record. One record travels, or all where the server does not page.
    pub fn exists(self) -> Call<bool, C> {
        let request = self.query.page_request(1, Part::Whole).map(|request| {
            request.adapt(|response, decode| decode(response).map(|page| !page.items.is_empty()))
        });
        Call::new(self.client, request)
    }

    /// How many records there are. One record travels, or all where the server does not page.
    pub fn count(self) -> Call<u64, C> {
        let request = self.query.page_request(1, Part::Whole).map(|request| {
            request.adapt(|response, decode| {
                let page = decode(response)?;
                Ok(page.total.unwrap_or(page.items.len() as u64))
            })
        });
        Call::new(self.client, request)
    }

    /// The server's figures over the records that match; the order has no part in it.
    ///
    /// ```
    /// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let stats = client.grants().filter(|g| g.agency.eq("NSF")).stats().send()?;
    /// assert_eq!(stats.grant_count, 0);
    /// # Ok(()) }
    /// ```
    // With `R::Stats` as its answer a resource without figures would be refused in other words than
    // those of the trait.
    pub fn stats<S>(self) -> Call<S, C>
    where
        R: Summarize<Stats = S>,
    {
        Call::new(self.client, self.query.stats_request())
    }

    /// One page of at most `limit` records (1 to 1,000), after skipping `offset`.
    ///
    /// Without an order the server may place records differently in each answer; key order is
    /// asked for then. A server before 0.7.4 does not page; the call fails there as
    /// [`ErrorKind::Unsupported`].
    pub fn page(self, limit: u32, offset: u64) -> Call<Page<R::Model>, C> {
        let request = if (1..=MAX_PAGE_SIZE).contains(&limit) {
            self.query.part_request(limit, Part::Offset(offset)).map(|request| {
                request.needing(Capability::Paging).adapt(move |response, decode| {
                    read_page(response, decode).map(|page| Page { offset, ..page })
                })
            })
        } else {
            Err(Error::new(ErrorKind::InvalidRequest, Operation::new("list", R::NAME))
                .with_note("the limit of a page is between 1 and 1,000"))
        };
        Call::new(self.client, request)
    }
}

/// Reads one page; a whole list in its place comes from a server that ignored the limit.
fn read_page<M>(
    response: Response,
    decode: &dyn Fn(Response) -> Result<Page<M>, Error>,
) -> Result<Page<M>, Error> {
    if response.is_whole_list() {
        let error = response.error(ErrorKind::Unsupported);
        return Err(error.with_note("this server does not page lists; ask for all records"));
    }
    decode(response)
}

// Written out because derives would ask for the same traits of `R`.
impl<R: Resource, C: Clone> Clone for List<R, C> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), query: self.query.clone() }
    }
}

impl<R: Resource, C: fmt::Debug> fmt::Debug for List<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("client", &self.client).field("query", &self.query).finish()
    }
}
