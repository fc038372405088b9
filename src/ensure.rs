//! There is exactly this record: found, created, or changed as far as it differs.

mod check;

use std::fmt;
use std::slice;

use serde_json::{Map, Value};

use self::check::{fields_of, found_by};
use crate::call::{Call, options_of_each_request};
use crate::change::{Change, Changes};
use crate::crud::Crud;
use crate::difference::different;
use crate::edit::{verified, without_key};
use crate::error::{Error, ErrorKind};
use crate::filter::Filter;
use crate::query::{Part, Query};
use crate::request::{CallOptions, Operation, Request};
use crate::resource::{Create, NaturalKey, Resource, Update};

/// What [`Crud::ensure`] had to do.
///
/// ```
/// use std::collections::HashMap;
///
/// use keystone_client::Outcome;
/// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # client.create_cluster(NewCluster::new("atlas")).send()?;
/// let mut counts: HashMap<Outcome, u32> = HashMap::new();
/// for name in ["atlas", "borealis", "cygnus"] {
///     let ensured = client.clusters().ensure(NewCluster::new(name), |_| []).send()?;
///     *counts.entry(ensured.outcome()).or_default() += 1;
/// }
/// assert_eq!(counts[&Outcome::Created], 2);
/// assert_eq!(counts[&Outcome::Unchanged], 1);
/// # Ok(()) }
/// ```
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
///
/// ```
/// use keystone_client::Ensured;
/// # use keystone_client::{resources::{MembershipRole, NewMembership, NewTeam}, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # let user = client.whoami()?.expect("logged in").id;
/// # let team = client.create_team(NewTeam::new("Folding")).send()?.id;
/// # client.create_membership(NewMembership::new(user, team, MembershipRole::Member)).send()?;
/// let new = NewMembership::new(user, team, MembershipRole::Owner);
/// let ensured = client.memberships().ensure(new, |m| [m.role.set(MembershipRole::Owner)]).send()?;
/// match &ensured {
///     Ensured::Created(membership) => println!("+ {}", membership.id),
///     Ensured::Changed { record, fields } => println!("~ {} ({})", record.id, fields.join(", ")),
///     Ensured::Unchanged(membership) => println!("= {}", membership.id),
/// }
/// assert_eq!(ensured.fields(), ["role"]); // there was a membership with another role
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Ensured<M> {
    /// There was none before. It is what was given as new, with the changes that the new record lacked. If
    /// the answer to the creation was lost, it may also be what another program has created in the same
    /// moment: of the new record that is compared which the changes name as well, and the rest is not.
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
    /// The fields of the new record, as they are sent.
    new: Map<String, Value>,
    changes: Changes<R>,
    options: CallOptions,
}

impl<R: Resource, C: Clone> Crud<R, C> {
    /// Sees to it that there is exactly this record: looks for one with the
    /// [natural key](NaturalKey) of `new`, and creates it if there is none. Of one that is there, those
    /// of the changes that differ are sent; if none does, nothing is. It can be run again and again.
    ///
    /// Users, teams, clusters and the research groups of servers up to 0.4.1 are found by their names,
    /// memberships by user and team. For other keys there is [`ensure_by`](Self::ensure_by),
    /// whose rules hold here as well.
    ///
    /// Names of clusters are unique on servers since 0.6.4 only, so on older ones two programs may create
    /// the same. Users who are not staff do not see the teams that they have created before they are members,
    /// nor can they change them then: a program that ensures teams every night is one for staff.
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
    /// of one that is there, those of the changes that differ are sent. If none does, nothing is. A record
    /// that was just created gets what it lacks of the changes by an update in the same run, and still
    /// counts as created.
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
    /// - If the answer to the creation is lost, the record is looked for. If it is there, it counts as
    ///   created, as there was none before; unless it lacks something of the new record that the changes
    ///   name as well, and so is another's. If it is not there, the error says that the call
    ///   [may have been sent](Error::may_have_been_sent).
    /// - Whatever fails after a write that was carried out, or may have been, the error says so.
    /// - A record that is deleted before it could be changed is looked for once more, unless it was this
    ///   call that has created it: then it may be there and hidden from this user.
    /// - A change may be sent twice if its answer is lost, which sets the same values again.
    ///
    /// # Errors
    ///
    /// Sending it fails
    ///
    /// - with [`ErrorKind::Ambiguous`] if more than one record has the key;
    /// - with [`ErrorKind::InvalidRequest`], before anything is sent, if the new record or a change
    ///   contradicts the key, so that the next run would not find it; if the two contradict each other; if
    ///   the key finds no record whatever there is, or each; if something refers to a step of a batch job;
    ///   and for changes of what records do not show, such as a password: whether that differs cannot be
    ///   told, and a run that has nothing to do would not do nothing. Set it in the new record;
    /// - with [`ErrorKind::Unsupported`] if the server finds a record that has not the key, as one does that
    ///   ignores a filter which it does not know;
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
        let changes = Changes::checked(changes, operation::<R>());
        let Call { client, request } = self.create(new);
        let plan = request.and_then(|create| {
            let (new, changes) = (fields_of(create.body()), changes?);
            let create = found_by(create, key.clone(), "created");
            let options = CallOptions::default();
            let plan = EnsurePlan { key, rivals, create, new, changes, options };
            plan.check()?;
            Ok(plan)
        });
        Ensure { client, plan }
    }
}

fn operation<R: Resource>() -> Operation {
    Operation::new("ensure", R::NAME)
}

/// Records by their keys: `cluster 7`.
fn named<R: Resource>(records: &[R::Model]) -> String {
    let name = |record| match R::id(record) {
        Some(id) => format!("{} {id}", R::NAME),
        None => format!("a {} without a key", R::NAME),
    };
    records.iter().map(name).collect::<Vec<_>>().join(", ")
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
        let query = Query::new().matching(filter.clone());
        let mut request =
            query.page_request(limit, Part::Whole)?.with_options(self.options.clone());
        request.parts.operation = operation::<R>();
        Ok(request.adapt(move |response, decode| {
            let (several, ignored) =
                (response.error(ErrorKind::Ambiguous), response.error(ErrorKind::Unsupported));
            let records = decode(response)?.items;
            if let Some(other) = records.iter().find(|record| filter.rejects(record)) {
                let other = named::<R>(slice::from_ref(other));
                return Err(ignored.with_note(format!(
                    "asked for `{filter}`, the server has found {other}, which is another: it ignores \
                     part of that"
                )));
            }
            match records.as_slice() {
                [] | [_] => Ok(records.into_iter().next()),
                several_records => Err(several.with_note(format!(
                    "the key `{filter}` finds {}, and perhaps more",
                    named::<R>(several_records)
                ))),
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
        let changes = Changes(different(record, self.changes.0.iter().cloned()));
        if changes.0.is_empty() {
            return Ok(None);
        }
        let id = R::id(record).ok_or_else(|| without_key(operation::<R>()))?;
        let update = Crud::<R, ()>::new(()).write_changes(id, &changes).into_request()?;
        let fields = changes.0.iter().map(Change::field).collect();
        // What is to be so may be said twice.
        let update = update.with_idempotent(true).with_options(self.options.clone());
        Ok(Some((fields, found_by(verified(update, changes.0), self.key.clone(), "changed"))))
    }

    /// Whether the record may be one that was created as the new one is; of what the changes do not
    /// name it is not known how to read it.
    pub(crate) fn may_have_created(&self, record: &R::Model) -> bool {
        let mut given =
            self.changes.0.iter().filter(|change| self.new.contains_key(change.field()));
        given.all(|change| change.differs_from(record) != Some(true))
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

    fn with_options(mut self, change: impl FnOnce(&mut CallOptions)) -> Self {
        if let Ok(plan) = &mut self.plan {
            change(&mut plan.options);
        }
        self
    }
}

impl<R: Resource, C: fmt::Debug> fmt::Debug for Ensure<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = self.plan.as_ref().ok();
        f.debug_struct("Ensure")
            .field("client", &self.client)
            .field("key", &plan.map(|plan| &plan.key))
            .field("changes", &plan.map(|plan| &plan.changes.0))
            .finish()
    }
}
