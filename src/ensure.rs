//! There is exactly this record: found, created, or changed as far as it differs.

use std::fmt;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use crate::call::Call;
use crate::change::Change;
use crate::crud::Crud;
use crate::difference::{contradiction, different};
use crate::edit::{options_of_each_request, verified, without_key};
use crate::error::{Error, ErrorKind};
use crate::filter::{Filter, MatchSemantics};
use crate::id::Id;
use crate::query::{Part, Query};
use crate::request::{CallOptions, Operation, Request};
use crate::resource::{Create, NaturalKey, Resource, Update};
use crate::retry::RetryPolicy;

/// What [`Crud::ensure`] had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// There was no such record.
    Created,
    /// There was one, and it differed.
    Changed,
    /// There was one, and it was as it should be.
    Unchanged,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        })
    }
}

/// The record that there is now, and what had to be done for it; see [`Crud::ensure`].
#[derive(Debug, Clone, PartialEq)]
pub enum Ensured<M> {
    /// There was none. It is what was given as new; the changes had no part in it.
    Created(M),
    /// There was one, and it differed.
    Changed {
        /// The record as it is now.
        record: M,
        /// The names on the wire of the fields that were sent.
        fields: Vec<&'static str>,
    },
    /// There was one, and it was as it should be. Nothing was sent.
    Unchanged(M),
}

impl<M> Ensured<M> {
    /// The record as it is now.
    pub fn record(&self) -> &M {
        match self {
            Self::Created(record) | Self::Changed { record, .. } | Self::Unchanged(record) => {
                record
            }
        }
    }

    /// The same by itself.
    pub fn into_record(self) -> M {
        match self {
            Self::Created(record) | Self::Changed { record, .. } | Self::Unchanged(record) => {
                record
            }
        }
    }

    /// What had to be done, to be counted or printed.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Created(_) => Outcome::Created,
            Self::Changed { .. } => Outcome::Changed,
            Self::Unchanged(_) => Outcome::Unchanged,
        }
    }

    /// The names on the wire of the fields that were changed of a record that was there.
    pub fn fields(&self) -> &[&'static str] {
        match self {
            Self::Changed { fields, .. } => fields,
            Self::Created(_) | Self::Unchanged(_) => &[],
        }
    }
}

/// A record that there shall be, not yet seen to; made by [`Crud::ensure`] and [`Crud::ensure_by`].
///
/// Send it with `.await` on the async client and with `.send()` on the blocking one.
#[must_use = "this does nothing until it is sent: `.await` it, or `.send()?` it"]
pub struct Ensure<R: Resource, C> {
    pub(crate) client: C,
    pub(crate) plan: Result<EnsurePlan<R>, Error>,
}

/// What is to be there, and by what it is found.
pub(crate) struct EnsurePlan<R: Resource> {
    key: Filter<R>,
    rivals: Option<Filter<R>>,
    create: Request<R::Model>,
    changes: Vec<Change<R>>,
    options: CallOptions,
}

impl<R: Resource, C: Clone> Crud<R, C> {
    /// Sees to it that there is exactly this record: looks for one with the
    /// [natural key](NaturalKey) of `new`, and creates it if there is none. Of one that is there, those
    /// of the changes that differ are sent; if none does, nothing is. It can be run again and again.
    ///
    /// Users are found by their names, teams by theirs, clusters by theirs, and memberships by user and
    /// team. For other keys there is [`ensure_by`](Self::ensure_by), whose rules hold here as well.
    ///
    /// ```
    /// # use keystone_client::sandbox::Sandbox;
    /// use keystone_client::Outcome;
    /// use keystone_client::resources::NewCluster;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// for expected in [Outcome::Created, Outcome::Unchanged] {
    ///     let new = NewCluster::new("atlas").description("CPU only");
    ///     let ensured = client.clusters().ensure(new, |c| [c.description.set("CPU only")]).send()?;
    ///     assert_eq!(ensured.outcome(), expected);
    /// }
    /// let ensured = client.clusters().ensure(NewCluster::new("atlas"), |c| c.enabled.set(false));
    /// assert_eq!(ensured.send()?.fields(), ["enabled"]);
    /// # Ok(()) }
    /// ```
    pub fn ensure<I>(&self, new: R::New, changes: impl FnOnce(&R::Fields) -> I) -> Ensure<R, C>
    where
        R: NaturalKey + Update,
        I: IntoIterator<Item = Change<R>>,
    {
        let (key, rivals) = (R::key(&new), R::rivals(&new));
        self.ensured(key, rivals, new, changes(&R::FIELDS))
    }

    /// Sees to it that there is exactly one record that passes a filter: creates `new` if there is none;
    /// of one that is there, those of the changes that differ are sent. If none does, nothing is.
    ///
    /// ```
    /// # use keystone_client::sandbox::Sandbox;
    /// # use jiff::civil::date;
    /// use keystone_client::resources::{NewGrant, NewTeam};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// let new = NewGrant::new("Folding", "NSF", 1000, date(2026, 1, 1), team.id);
    /// let ensured = client.grants().ensure_by(
    ///     |g| g.grant_number.eq("X-1"),
    ///     new.grant_number("X-1"),
    ///     |g| [g.title.set("Folding"), g.amount.set(1000)],
    /// );
    /// println!("{}: grant {}", ensured.send()?.outcome(), "X-1"); // created: grant X-1
    /// # Ok(()) }
    /// ```
    ///
    /// What others do meanwhile:
    ///
    /// - If the server refuses the new record because there is one by now, that is taken for one that
    ///   was there. So is one that is there after the server has failed (500), as it does when two
    ///   create the same at the very same moment. This is certain for what the server keeps unique: user names, names of teams
    ///   and clusters, members of a team, DOIs. Of other keys two programs may create a record each at
    ///   the same moment; the next run says so ([`ErrorKind::Ambiguous`]).
    /// - If the answer to the creation is lost, the record is looked for. If it is there, and as it
    ///   should be, it counts as created: there was none before. If it is not, the error says that the
    ///   call [may have been sent](Error::may_have_been_sent).
    /// - A record that is deleted before it could be changed is looked for once more.
    /// - A change may be sent twice if its answer is lost, which sets the same values again.
    ///
    /// # Errors
    ///
    /// Sending it fails
    ///
    /// - with [`ErrorKind::Ambiguous`] if more than one record has the key; nothing was written;
    /// - with [`ErrorKind::InvalidRequest`], before anything is sent, if the new record or a change
    ///   contradicts the key, so that the next run would not find it, and for changes of what records do
    ///   not show, such as a password: whether that differs cannot be told, and a run that has nothing to
    ///   do would not do nothing. Set it in the new record;
    /// - with [`ErrorKind::Validation`] if the key names a record that does not exist, and as a creation
    ///   or an update does; if a name is taken by a record that is not found by the key, perhaps because
    ///   this user may not see it, the message says that;
    /// - with [`ErrorKind::NotApplied`] if the server returns a record that lacks what was sent, or that
    ///   the key does not find.
    pub fn ensure_by<I>(
        &self,
        key: impl FnOnce(&R::Fields) -> Filter<R>,
        new: R::New,
        changes: impl FnOnce(&R::Fields) -> I,
    ) -> Ensure<R, C>
    where
        R: Create + Update,
        I: IntoIterator<Item = Change<R>>,
    {
        self.ensured(key(&R::FIELDS), None, new, changes(&R::FIELDS))
    }

    fn ensured(
        &self,
        key: Filter<R>,
        rivals: Option<Filter<R>>,
        new: R::New,
        changes: impl IntoIterator<Item = Change<R>>,
    ) -> Ensure<R, C>
    where
        R: Create + Update,
    {
        let changes: Vec<Change<R>> = changes.into_iter().collect();
        let Call { client, request } = self.create(new);
        let plan = request.and_then(|create| {
            check(&key, &create, &changes)?;
            let create = found_by(create, key.clone());
            Ok(EnsurePlan { key, rivals, create, changes, options: CallOptions::default() })
        });
        Ensure { client, plan }
    }
}

/// What is wrong with the call, whatever there is on the server.
fn check<R: Update>(
    key: &Filter<R>,
    create: &Request<R::Model>,
    changes: &[Change<R>],
) -> Result<(), Error> {
    let operation = Operation::new("ensure", R::NAME);
    let invalid =
        |note: String| Err(Error::new(ErrorKind::InvalidRequest, operation).with_note(note));
    for change in changes {
        let field = change.field();
        if change.is_secret() {
            return invalid(format!(
                "`{field}` is never shown, so there is no telling whether it differs; set it in the \
                 new record, and change it by an update"
            ));
        }
        if !change.is_readable() {
            return invalid(format!(
                "whether `{field}` differs cannot be read off a record; say how with `Field::reading`"
            ));
        }
    }
    // A field that is set twice.
    let _ = Crud::<R, ()>::new(()).update(Id::new(0), |_| changes.to_vec()).into_request()?;
    let body: Value =
        serde_json::from_slice(&create.body().bytes().unwrap_or_default()).unwrap_or_default();
    match contradiction(key, &body, changes) {
        Some(field) => invalid(format!(
            "`{field}` is part of the key `{key}` and is to have another value, so that the next run \
             would not find the record"
        )),
        None => Ok(()),
    }
}

/// The same creation, which fails if the key does not find what was created.
fn found_by<R: Resource>(create: Request<R::Model>, key: Filter<R>) -> Request<R::Model> {
    create.adapt(move |response, decode| {
        let astray = response.error(ErrorKind::NotApplied);
        let record = decode(response)?;
        // Some servers find more, none finds less.
        let semantics = MatchSemantics::default().ignore_ascii_case(true);
        match key.matches_with(&record, &semantics) {
            Some(false) => Err(astray.with_note(format!(
                "the record was created, but the key `{key}` does not find it, so that the next run \
                 would create another"
            ))),
            _ => Ok(record),
        }
    })
}

/// The one record that a filter finds.
type Lookup<R> = Request<Option<<R as Resource>::Model>>;

impl<R: Create + Update> EnsurePlan<R> {
    pub(crate) fn look_up(&self) -> Result<Lookup<R>, Error> {
        self.look_up_by(self.key.clone(), 2)
    }

    /// The request for a record that the server would take for the same, if there may be any.
    pub(crate) fn look_up_rival(&self) -> Option<Result<Lookup<R>, Error>> {
        let rivals = self.rivals.clone()?;
        Some(self.look_up_by(rivals, 1))
    }

    fn look_up_by(&self, filter: Filter<R>, limit: u32) -> Result<Lookup<R>, Error> {
        let query = Query::new().matching(filter);
        let mut request =
            query.page_request(limit, Part::Whole)?.with_options(self.options.clone());
        request.parts.operation = Operation::new("ensure", R::NAME);
        Ok(request.adapt(|response, decode| {
            let several = response.error(ErrorKind::Ambiguous);
            let mut records = decode(response)?.items.into_iter();
            match (records.next(), records.next()) {
                (found, None) => Ok(found),
                (_, Some(_)) => Err(several.with_note("the key is not that of one record alone")),
            }
        }))
    }

    pub(crate) fn create(&self) -> Request<R::Model> {
        self.create.clone().with_options(self.options.clone())
    }

    /// The fields in which the record is not as it should be, and the request that changes them.
    pub(crate) fn update(
        &self,
        record: &R::Model,
    ) -> Result<Option<(Vec<&'static str>, Request<R::Model>)>, Error> {
        let changes = different(record, self.changes.iter().cloned());
        if changes.is_empty() {
            return Ok(None);
        }
        let id = R::id(record).ok_or_else(|| without_key(Operation::new("ensure", R::NAME)))?;
        let update = Crud::<R, ()>::new(()).update(id, |_| changes.clone()).into_request()?;
        let fields = changes.iter().map(Change::field).collect();
        // What is to be so may be said twice.
        let update = update.with_idempotent(true).with_options(self.options.clone());
        Ok(Some((fields, verified(update, changes))))
    }

    /// What to add to the refusal of a record that the key does not find.
    pub(crate) fn remark_on_refusal(&self, rival: Option<&R::Model>) -> String {
        match rival.and_then(|rival| R::id(rival)) {
            Some(id) => format!(
                "{} {id} has another key than `{}`, but the server takes them for the same",
                R::NAME,
                self.key
            ),
            None => format!(
                "no record is found by `{}`: it may be one that this user may not see, or the refusal \
                 is about something else",
                self.key
            ),
        }
    }
}

impl<R: Resource, C> Ensure<R, C> {
    options_of_each_request!();
}

impl<R: Resource, C: fmt::Debug> fmt::Debug for Ensure<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan.as_ref().ok();
        f.debug_struct("Ensure")
            .field("client", &self.client)
            .field("key", &plan.map(|plan| &plan.key))
            .field("changes", &plan.map(|plan| &plan.changes))
            .finish()
    }
}
