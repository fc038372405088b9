//! Many writes of one kind: what to do, and what has come of it.

mod report;
mod run;

use std::fmt;

pub use self::report::{BulkProgress, BulkReport, RowOutcome};
pub(crate) use self::run::{Run, Work};
use crate::call::options_of_each_request;
use crate::error::Error;
use crate::request::{CallOptions, Request};

/// Rows that travel in one job unless something else is said: three such jobs and a few calls beside
/// them are what servers usually answer within a minute, and larger jobs are hardly faster.
pub(crate) const USUAL_CHUNK: usize = 98;

/// What repeating a write of unknown fate does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Possibly a second record.
    Never,
    /// Nothing.
    Harmless,
    /// It does not find the record any more, which is what was wanted.
    FindsNothing,
}

/// Many rows to be written, bound to the client `C`; made by [`Crud::create_many`],
/// [`Crud::update_many`] and [`Crud::delete_many`]. `T` is what the server answers for a row.
///
/// On servers that have batch jobs, since 0.10.0, rows travel in jobs of about a hundred, each of which is
/// carried out whole or not at all. A row that is refused is left out, and the others of its job are
/// sent again without it. On older servers each row is a call. Either way the client keeps to what the
/// server answers within a minute: 300 calls, or what
/// [`requests_per_minute`](crate::ClientBuilder::requests_per_minute) says; a row counts for one, and a
/// job for one more. A run takes as long as that takes: the total time of a retry policy bounds each
/// job, not the run. A large job can take longer than the time-out that is good for calls.
///
/// Rows are written in their order, but for those that do not fit into a job, such as one with text that
/// the server would take for a reference, which go by themselves before the others of theirs.
///
/// Sending gives a [`BulkReport`], whatever happens, which says what has become of each row.
///
/// [`Crud::create_many`]: crate::Crud::create_many
/// [`Crud::update_many`]: crate::Crud::update_many
/// [`Crud::delete_many`]: crate::Crud::delete_many
///
/// ```
/// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// let rows = (1..=250).map(|number| NewCluster::new(format!("node-{number}")));
/// let report = client
///     .clusters()
///     .create_many(rows)
///     .chunk_size(50)
///     .on_progress(|progress| eprintln!("{progress}")) // "50 of 250 rows done", and so on
///     .send();
/// for (row, error) in report.failed() {
///     eprintln!("row {row}: {error}");
/// }
/// assert!(report.is_complete());
/// # Ok(()) }
/// ```
#[must_use = "nothing is written until it is sent: `.await` it, or `.send()` it"]
pub struct Bulk<T, C> {
    pub(crate) client: C,
    pub(crate) plan: Plan<T>,
}

pub(crate) struct Plan<T> {
    rows: Vec<Result<Request<T>, Error>>,
    repeat: Repeat,
    /// The same write where the record may be gone by an earlier attempt of it.
    again: fn(Request<T>) -> Request<T>,
    chunk_size: usize,
    all_or_nothing: bool,
    stops_at_failure: bool,
    progress: Option<Progress>,
    previous: Option<BulkReport<T>>,
    options: CallOptions,
}

type Progress = Box<dyn FnMut(&BulkProgress) + Send>;

impl<T, C> Bulk<T, C> {
    pub(crate) fn new(
        client: C,
        rows: Vec<Result<Request<T>, Error>>,
        repeat: Repeat,
        again: fn(Request<T>) -> Request<T>,
    ) -> Self {
        let plan = Plan {
            rows,
            repeat,
            again,
            chunk_size: USUAL_CHUNK,
            all_or_nothing: false,
            stops_at_failure: false,
            progress: None,
            previous: None,
            options: CallOptions::default(),
        };
        Self { client, plan }
    }

    /// Sets how many rows travel in one job; 0 counts as 1. Default: 98. A job cannot have more than the
    /// server answers within a minute, so more is brought down to that.
    pub fn chunk_size(mut self, rows: usize) -> Self {
        self.plan.chunk_size = rows.max(1);
        self
    }

    /// Writes all rows in one job, or none of them. On servers without batch jobs nothing is written.
    ///
    /// With the server's usual limit a job has 299 rows at most.
    ///
    /// ```
    /// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let names = ["Folding", "Knots", "Folding"];
    /// let report = client.teams().create_many(names.map(NewTeam::new)).all_or_nothing().send();
    /// let failed: Vec<usize> = report.failed().map(|(row, _)| row).collect();
    /// assert_eq!((failed, report.done().count()), (vec![2], 0));
    /// # Ok(()) }
    /// ```
    pub fn all_or_nothing(mut self) -> Self {
        self.plan.all_or_nothing = true;
        self
    }

    /// Stops at the first row that is refused: the rows of its job, and those after it, are not written.
    /// What is wrong with a row without asking the server is found before anything is sent, and then
    /// nothing is.
    pub fn stop_at_failure(mut self) -> Self {
        self.plan.stops_at_failure = true;
        self
    }

    options_of_each_request!();

    fn with_options(mut self, change: impl FnOnce(&mut CallOptions)) -> Self {
        change(&mut self.plan.options);
        self
    }

    /// Tells `watch` after each job, or each call, how far it has come.
    pub fn on_progress(mut self, watch: impl FnMut(&BulkProgress) + Send + 'static) -> Self {
        self.plan.progress = Some(Box::new(watch));
        self
    }

    /// Goes on from an earlier run over the same rows: those that are done are not written again, those
    /// that failed or were not attempted are. Rows in doubt are attempted again where that is harmless,
    /// as it is for updates and deletes, of which a record that is gone is the success; creates in doubt
    /// are left as they are, since a second record might come of them, and so are deletes that are to be
    /// all or nothing: look for these records, and leave the rows out of a run of the others.
    ///
    /// ```
    /// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let rows = |names: [&str; 3]| names.map(NewTeam::new);
    /// let report = client.teams().create_many(rows(["Folding", "Folding", "Knots"])).send();
    /// assert_eq!(report.failed().count(), 1);
    ///
    /// let mended = client.teams().create_many(rows(["Folding", "Origami", "Knots"]));
    /// let report = mended.resume(report).send();
    /// assert!(report.is_complete());
    /// # Ok(()) }
    /// ```
    pub fn resume(mut self, report: BulkReport<T>) -> Self {
        self.plan.previous = Some(report);
        self
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.plan.rows.len()
    }

    /// Whether there are no rows; then nothing is sent.
    pub fn is_empty(&self) -> bool {
        self.plan.rows.is_empty()
    }
}

impl<T, C: fmt::Debug> fmt::Debug for Bulk<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk")
            .field("client", &self.client)
            .field("rows", &self.plan.rows.len())
            .field("chunk_size", &self.plan.chunk_size)
            .field("all_or_nothing", &self.plan.all_or_nothing)
            .finish_non_exhaustive()
    }
}
