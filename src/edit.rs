//! Changes of a record that was fetched: only what differs is sent.

use std::collections::BTreeSet;
use std::fmt;

use crate::call::options_of_each_request;
use crate::change::{Change, Changes};
use crate::crud::Crud;
use crate::difference::{applied, different, moved};
use crate::error::{Error, ErrorKind};
use crate::request::{CallOptions, Operation, Request};
use crate::resource::{Resource, Retrieve, Update};
use crate::resources::{AuditAction, History, HistoryEntry};

/// What has become of an [edit](Crud::edit).
///
/// ```
/// use keystone_client::Edited;
/// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # let cluster = client.create_cluster(NewCluster::new("atlas")).send()?;
/// match client.clusters().edit(&cluster, |c| [c.enabled.set(false)]).send()? {
///     Edited::Changed { record, fields } => println!("{}: set {}", record.name, fields.join(", ")),
///     Edited::Unchanged(record) => println!("{}: as it was", record.name),
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Edited<M> {
    /// Something differed and was sent.
    Changed {
        /// The record as the server returned it.
        record: M,
        /// The names on the wire of the fields that were sent.
        fields: Vec<&'static str>,
    },
    /// Nothing differed, and nothing was sent. This is the record that was given.
    Unchanged(M),
}

impl<M> Edited<M> {
    /// The record as it is now, as far as is known.
    pub fn record(&self) -> &M {
        match self {
            Self::Changed { record, .. } | Self::Unchanged(record) => record,
        }
    }

    /// The same by itself.
    pub fn into_record(self) -> M {
        match self {
            Self::Changed { record, .. } | Self::Unchanged(record) => record,
        }
    }

    /// The names on the wire of the fields that were sent; none if nothing was.
    pub fn fields(&self) -> &[&'static str] {
        match self {
            Self::Changed { fields, .. } => fields,
            Self::Unchanged(_) => &[],
        }
    }

    /// Whether anything was sent.
    pub fn is_changed(&self) -> bool {
        matches!(self, Self::Changed { .. })
    }
}

/// Changes of a record at hand, not yet sent; made by [`Crud::edit`].
///
/// Send it with `.await` on the async client and with `.send()` on the blocking one.
#[must_use = "an edit does nothing until it is sent: `.await` it, or `.send()?` it"]
pub struct Edit<R: Resource, C> {
    pub(crate) client: C,
    pub(crate) plan: Result<EditPlan<R>, Error>,
}

/// What an edit comes down to.
pub(crate) struct EditPlan<R: Resource> {
    record: R::Model,
    /// All that was given.
    named: Vec<Change<R>>,
    /// Those that differ.
    changes: Vec<Change<R>>,
    fetch: Option<Request<R::Model>>,
    update: Request<R::Model>,
    is_verified: bool,
    options: CallOptions,
}

impl<R: Resource, C: Clone> Crud<R, C> {
    /// Changes a record that was fetched: sends those of the changes that differ from the record, and
    /// nothing if none does. See [`Change::differs_from`] for what differs; values that a record does
    /// not show, such as a password, are always sent.
    ///
    /// As it is the record at hand that is compared with, what others have changed meanwhile stays in
    /// the fields that are not sent; see [`Edit::if_unmodified`].
    ///
    /// ```
    /// # use keystone_client::{resources::{NewGrant, NewTeam}, sandbox::Sandbox};
    /// # use jiff::civil::date;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// # let new = NewGrant::new("Folding", "NSF", 1000, date(2026, 1, 1), team.id);
    /// let grant = client.create_grant(new).send()?;
    ///
    /// let edited = client.grants().edit(&grant, |g| [g.title.set("Knots"), g.agency.set("NSF")]);
    /// let edited = edited.send()?;
    /// assert_eq!(edited.fields(), ["title"]);
    ///
    /// let grant = edited.into_record();
    /// let edited = client.grants().edit(&grant, |g| [g.title.set("Knots")]).send()?;
    /// assert!(!edited.is_changed()); // nothing was sent
    /// # Ok(()) }
    /// ```
    pub fn edit<I>(&self, record: &R::Model, changes: impl FnOnce(&R::Fields) -> I) -> Edit<R, C>
    where
        R: Update<Model: Clone>,
        I: IntoIterator<Item = Change<R>>,
    {
        let plan = EditPlan::new(record, Changes::checked(changes(&R::FIELDS), operation::<R>()));
        Edit { client: self.client(), plan }
    }
}

fn operation<R: Resource>() -> Operation {
    Operation::new("edit", R::NAME)
}

pub(crate) fn without_key(operation: Operation) -> Error {
    Error::new(ErrorKind::InvalidRequest, operation)
        .with_note("the record has no key to change it by")
}

impl<R: Update, C> Edit<R, C> {
    options_of_each_request!();

    fn with_options(mut self, change: impl FnOnce(&mut CallOptions)) -> Self {
        if let Ok(plan) = &mut self.plan {
            change(&mut plan.options);
        }
        self
    }

    /// Leaves the record alone if it has changed since it was fetched: it is fetched again right before
    /// the write and compared with the one given, by the newest entry of its history where the resource
    /// has one, and by the fields named, also those that need no change. If none does there is nothing to
    /// write, and the record is not fetched.
    ///
    /// This narrows the time in which another's change can be overwritten to that between two requests;
    /// it does not close it, as the server knows no conditional requests.
    ///
    /// ```
    /// # use keystone_client::{ErrorKind, resources::NewCluster, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let cluster = client.create_cluster(NewCluster::new("atlas")).send()?;
    /// client.update_cluster(cluster.id, |c| [c.enabled.set(false)]).send()?;
    ///
    /// let edit = client.clusters().edit(&cluster, |c| [c.description.set("CPU only")]);
    /// let error = edit.if_unmodified().send().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Conflict);
    /// assert!(error.to_string().contains("by admin; changed since: enabled"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Sending it fails with [`ErrorKind::Conflict`] if the record has changed, and with
    /// [`ErrorKind::NotFound`] if it is gone. Nothing was written then.
    pub fn if_unmodified(mut self) -> Self
    where
        R: Retrieve,
    {
        let fetch = |plan: EditPlan<R>| {
            let id = R::id(&plan.record).ok_or_else(|| without_key(plan.update.operation()))?;
            let mut fetch = Crud::<R, ()>::new(()).retrieve(id).into_request()?;
            fetch.parts.operation = operation::<R>();
            Ok(EditPlan { fetch: Some(fetch), ..plan })
        };
        self.plan = self.plan.and_then(fetch);
        self
    }

    /// Checks that the server has done what it was told: it drops without a word what the user may
    /// not set, such as `is_staff` for users who are not staff.
    ///
    /// ```
    /// use keystone_client::ErrorKind;
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::builder().user("ada", "secret").build().blocking_client()?;
    /// client.login("ada", "secret")?; // who is not staff
    /// let me = client.whoami()?.expect("logged in");
    /// let edit = client.users().edit(&me, |u| [u.is_staff.set(true)]);
    /// let error = edit.verified().send().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NotApplied);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Sending it fails with [`ErrorKind::NotApplied`] if the record that the server returns does not have
    /// all that was sent. The message names the fields, and those that were taken over. Values that no record
    /// shows, such as a password, are not checked.
    pub fn verified(mut self) -> Self {
        if let Ok(plan) = &mut self.plan {
            plan.is_verified = true;
        }
        self
    }
}

/// What an edit sends.
pub(crate) struct EditWrite<R: Resource> {
    /// The record as it is now, and the error that it is if that is not what it was.
    pub(crate) fetch: Option<Request<(R::Model, Error)>>,
    pub(crate) before: R::Model,
    /// In which the record as it is now is not to differ from that.
    pub(crate) named: Vec<Change<R>>,
    /// The names of what is sent.
    pub(crate) fields: Vec<&'static str>,
    pub(crate) update: Request<R::Model>,
}

impl<R: Update<Model: Clone>> EditPlan<R> {
    fn new(record: &R::Model, named: Result<Changes<R>, Error>) -> Result<Self, Error> {
        let Changes(named) = named?;
        let id = R::id(record).ok_or_else(|| without_key(operation::<R>()))?;
        let differing = Changes(different(record, named.iter().cloned()));
        let update = Crud::<R, ()>::new(()).write_changes(id, &differing).into_request()?;
        // Here, as nothing is to be fetched for what cannot be sent.
        update.parts.refuse_reference(operation::<R>())?;
        Ok(Self {
            record: record.clone(),
            named,
            changes: differing.0,
            fetch: None,
            update,
            is_verified: false,
            options: CallOptions::default(),
        })
    }
}

impl<R: Update> EditPlan<R> {
    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(crate) fn into_record(self) -> R::Model {
        self.record
    }

    pub(crate) fn into_write(self) -> EditWrite<R> {
        let fetch = self.fetch.map(|request| {
            request.with_options(self.options.clone()).adapt(|response, decode| {
                let conflict = response.error(ErrorKind::Conflict).without_effect();
                decode(response).map(|record| (record, conflict))
            })
        });
        let update = match self.is_verified {
            true => verified(self.update, self.changes.clone()),
            false => self.update,
        };
        EditWrite {
            fetch,
            before: self.record,
            named: self.named,
            fields: self.changes.iter().map(Change::field).collect(),
            update: update.with_options(self.options),
        }
    }
}

/// The same update, which fails if what is returned lacks what was sent.
pub(crate) fn verified<R: Resource>(
    request: Request<R::Model>,
    sent: Vec<Change<R>>,
) -> Request<R::Model> {
    request.adapt(move |response, decode| {
        let error = response.error(ErrorKind::NotApplied);
        let record = decode(response)?;
        let applied = applied(&record, &sent);
        if applied.lost.is_empty() {
            return Ok(record);
        }
        let mut note =
            format!("the record does not have what was sent for {}", quoted(&applied.lost));
        if !applied.kept.is_empty() {
            note.push_str(&format!("; it has what was sent for {}", quoted(&applied.kept)));
        }
        if !applied.untold.is_empty() {
            note.push_str(&format!("; it does not tell of {}", quoted(&applied.untold)));
        }
        Err(error.with_note(note))
    })
}

fn quoted(fields: &[&str]) -> String {
    format!("`{}`", fields.join("`, `"))
}

/// What has happened to a record between two looks at it, in words; `None` if nothing is known to
/// have.
pub(crate) fn modification<R: Resource>(
    before: &R::Model,
    after: &R::Model,
    changes: &[Change<R>],
) -> Option<String> {
    let mut fields: BTreeSet<String> =
        moved(before, after, changes).into_iter().map(str::to_owned).collect();
    let mut by = String::new();
    if let (Some(before), Some(after)) = (R::history(before), R::history(after)) {
        match (writes(before), writes(after)) {
            (Ok(known), Ok(entries)) => {
                let last = known.iter().map(|entry| entry.id).max();
                let newer: Vec<_> =
                    entries.into_iter().filter(|entry| Some(entry.id) > last).collect();
                if let Some(newest) = newer.first() {
                    by = authorship(newest);
                }
                let changes = newer.iter().filter_map(|entry| entry.changes.as_ref());
                fields.extend(changes.flat_map(|changes| changes.fields().map(str::to_owned)));
            }
            _ if before != after => by = "its history is another".to_owned(),
            _ => {}
        }
    }
    if fields.is_empty() && by.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    if !by.is_empty() {
        parts.push(by);
    }
    if !fields.is_empty() {
        let fields = fields.into_iter().collect::<Vec<_>>();
        parts.push(format!("changed since: {}", fields.join(", ")));
    }
    parts.push("nothing was written".to_owned());
    Some(parts.join("; "))
}

/// The entries that stand for writes, newest first.
fn writes(history: &History) -> Result<Vec<HistoryEntry>, Error> {
    let mut entries = history.entries()?;
    entries.retain(|entry| entry.action != AuditAction::Access);
    Ok(entries)
}

fn authorship(entry: &HistoryEntry) -> String {
    let actor = match &entry.actor_summary {
        Some(actor) if !actor.display_name.is_empty() => &actor.display_name,
        Some(actor) => &actor.username,
        None => "somebody unknown",
    };
    format!("last at {} by {actor}", entry.timestamp)
}

impl<R: Resource, C: fmt::Debug> fmt::Debug for Edit<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes = self.plan.as_ref().map(|plan| &plan.changes);
        f.debug_struct("Edit").field("client", &self.client).field("changes", &changes).finish()
    }
}
