//! Batch jobs: many calls in one transaction, of which later ones use what earlier ones have made.
//!
//! A [`Batch`] takes calls as its steps and gives a [`StepRef`] for each, which stands for the key of what
//! the step makes; a [`Reference`] stands for another of its values. Running it gives a
//! [`BatchOutcome`] with all answers, or an error with a [`BatchFailure`]. For many writes that need not
//! stand or fall together there is [`Bulk`](crate::Bulk).
//!
//! The chapter [Batch jobs and bulk writes](crate::guide::batch) says what holds when a step fails or an
//! answer is lost.

mod failure;
mod job;
mod outcome;
mod step;
mod token;

use std::fmt;

pub use self::failure::{BatchFailure, FailedStep, UnresolvedReference};
pub(crate) use self::job::{Job, PATH};
pub use self::outcome::BatchOutcome;
pub(crate) use self::outcome::StoppedJob;
pub(crate) use self::step::Place;
pub use self::step::{RecordRef, Reference, StepRef};
pub(crate) use self::token::{as_key, is_in as holds_reference};
use crate::call::Call;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::request::Request;

/// A batch job: calls that the server carries out one after another, all of them or none. Servers
/// since 0.10.0.
///
/// Steps are ordinary calls. Each gives a [`StepRef`], which later steps take where they want a key,
/// and by which the [`BatchOutcome`] gives the answer:
///
/// ```
/// use jiff::civil::date;
/// use keystone_client::resources::{MembershipRole, NewGrant, NewMembership, NewTeam};
/// # use keystone_client::sandbox::Sandbox;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// let me = client.whoami()?.expect("logged in");
///
/// let mut batch = client.batch();
/// let team = batch.add(client.teams().create(NewTeam::new("Folding")));
/// batch.add(client.memberships().create(NewMembership::new(me.id, team, MembershipRole::Owner)));
/// let new = NewGrant::new("Proteins", "NSF", 250_000, date(2026, 1, 1), team);
/// let grant = batch.add(client.grants().create(new));
///
/// batch.dry_run().send()?; // would it work?
/// let outcome = batch.run().send()?;
/// assert_eq!(outcome.get(grant)?.team, outcome.get(team)?.id);
/// # Ok(()) }
/// ```
///
/// If a step fails, everything is rolled back, and the error is that of the step along with
/// [where it is](crate::Error::batch_failure).
///
/// Each step counts as a call of the user who is logged in, and the job as one more, so that with the
/// server's usual limit of 300 calls a minute no job can have more than 299 steps. A job waits for its
/// turn; see [`requests_per_minute`](crate::ClientBuilder::requests_per_minute). Time-out, retries and
/// correlation id are those of the job, which [`run`](Self::run) returns as a call; what was said of
/// them for a step has no effect.
///
/// A job is repeated after a failure that leaves it in doubt only if it reads, or is a dry run without
/// files.
///
/// The server ends a job at the first step that is not a success. So
/// [`optional`](crate::Call::optional) does not help within a job: a record that may be missing is looked
/// for by [`first`](crate::List::first).
#[must_use = "a batch does nothing until it is run"]
pub struct Batch<C> {
    client: C,
    job: Job,
    /// The first that was wrong.
    problem: Option<Error>,
}

#[allow(private_bounds, reason = "there are two clients and no more")]
impl<C: Client> Batch<C> {
    pub(crate) fn new(client: C) -> Self {
        Self { client, job: Job::new(), problem: None }
    }

    /// Adds a step after all others. What is wrong with it surfaces when the job is run.
    pub fn add<T: 'static>(&mut self, call: Call<T, C>) -> StepRef<T> {
        let index = self.job.steps.len();
        let is_foreign = !std::ptr::eq(call.client.core(), self.client.core());
        let mut place = Place::Whole;
        let added = match call.request {
            Ok(request) if is_foreign => {
                Err(Error::new(ErrorKind::InvalidRequest, request.operation())
                    .with_note("the call belongs to another client than the job"))
            }
            Ok(request) => {
                place = request.parts.answers;
                self.job.add(request)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = added {
            let failed = FailedStep::unsent(index, error.operation());
            self.problem.get_or_insert(error.within_job(job::OPERATION, failed));
        }
        StepRef::new(self.job.id, index, place)
    }

    /// How many steps have been added.
    pub fn len(&self) -> usize {
        self.job.steps.len()
    }

    /// Whether there are no steps yet. A job without steps is an error when it is run.
    pub fn is_empty(&self) -> bool {
        self.job.is_empty()
    }

    /// Carries out all steps, or none of them.
    ///
    /// # Errors
    ///
    /// The call fails with the error of the first step that fails. [`ErrorKind::InvalidRequest`],
    /// before anything is sent, for what cannot be a step of this job: a reference to a step of another
    /// job, a body that is no JSON object, text that the server would take for a reference.
    pub fn run(&self) -> Call<BatchOutcome, C> {
        Call::new(self.client.clone(), self.request(false))
    }

    /// Carries out all steps and takes them back again: whether the job would work, and what it would
    /// answer. It fails as [`run`](Self::run) does. Files are not taken back, and keys of new records
    /// are not kept for later.
    pub fn dry_run(&self) -> Call<BatchOutcome, C> {
        Call::new(self.client.clone(), self.request(true))
    }

    fn request(&self, dry_run: bool) -> Result<Request<BatchOutcome>, Error> {
        match &self.problem {
            Some(problem) => Err(problem.clone()),
            None => self.job.request(dry_run),
        }
    }
}

impl<C: fmt::Debug> fmt::Debug for Batch<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("client", &self.client)
            .field("steps", &self.job.steps)
            .finish_non_exhaustive()
    }
}
