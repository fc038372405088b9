//! Writes that take several requests.

use http::StatusCode;

use super::{Core, Effects};
use crate::edit::{EditPlan, EditWrite, Edited, modification};
use crate::ensure::{EnsurePlan, Ensured};
use crate::error::{Error, ErrorKind};
use crate::resource::{Create, Update};

impl Core {
    /// Sends what differs, if anything does.
    pub(crate) async fn edit<E: Effects, R: Update>(
        &self,
        effects: &E,
        plan: EditPlan<R>,
    ) -> Result<Edited<R::Model>, Error> {
        if plan.is_empty() {
            return Ok(Edited::Unchanged(plan.into_record()));
        }
        let EditWrite { fetch, before, changes, update } = plan.into_write();
        if let Some(fetch) = fetch {
            let (now, conflict) =
                self.send(effects, &fetch).await.map_err(Error::without_effect)?;
            if let Some(what) = modification(&before, &now, &changes) {
                return Err(conflict.with_note(what));
            }
        }
        let record = self.send(effects, &update).await?;
        Ok(Edited::Changed {
            record,
            fields: changes.iter().map(|change| change.field()).collect(),
        })
    }

    /// Looks for a record, and creates or changes it.
    pub(crate) async fn ensure<E: Effects, R: Create + Update>(
        &self,
        effects: &E,
        plan: EnsurePlan<R>,
    ) -> Result<Ensured<R::Model>, Error> {
        let mut found = self.look_up(effects, &plan).await.map_err(unwritten)?;
        // Each turn of luck is tried once: others may create and delete the record for ever.
        let (mut was_refused, mut has_vanished) = (false, false);
        let mut is_perhaps_ours = false;
        loop {
            let Some(record) = found else {
                match self.send(effects, &plan.create()).await {
                    Ok(record) => return Ok(Ensured::Created(record)),
                    Err(error) if !was_refused && is_worth_a_look(&error) => {
                        was_refused = true;
                        is_perhaps_ours = !is_refusal(&error);
                        found = Some(self.look_again(effects, &plan, error).await?);
                    }
                    Err(error) => return Err(error),
                }
                continue;
            };
            let Some((fields, update)) = plan.update(&record)? else {
                return Ok(match is_perhaps_ours {
                    true => Ensured::Created(record),
                    false => Ensured::Unchanged(record),
                });
            };
            match self.send(effects, &update).await {
                Ok(record) => return Ok(Ensured::Changed { record, fields }),
                Err(error) if error.is_not_found() && !has_vanished => {
                    has_vanished = true;
                    is_perhaps_ours = false;
                    found = self.look_up(effects, &plan).await.map_err(unwritten)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn look_up<E: Effects, R: Create + Update>(
        &self,
        effects: &E,
        plan: &EnsurePlan<R>,
    ) -> Result<Option<R::Model>, Error> {
        self.send(effects, &plan.look_up()?).await
    }

    /// The record that could not be created, or of which that is not known.
    async fn look_again<E: Effects, R: Create + Update>(
        &self,
        effects: &E,
        plan: &EnsurePlan<R>,
        refusal: Error,
    ) -> Result<R::Model, Error> {
        match self.look_up(effects, plan).await {
            Ok(Some(record)) => return Ok(record),
            Ok(None) if refusal.is_not_unique() => {}
            Ok(None) => {
                return Err(refusal.with_remark("it was looked for afterwards and is not there"));
            }
            Err(error) => {
                let remark = format!("and it could not be looked for afterwards: {error}");
                return Err(refusal.with_remark(&remark));
            }
        }
        let rival = match plan.look_up_rival() {
            // It is asked for to say more; what is known is said anyway.
            Some(Ok(request)) => self.send(effects, &request).await.ok().flatten(),
            _ => None,
        };
        Err(refusal.with_remark(&plan.remark_on_refusal(rival.as_ref())))
    }
}

/// Whether the server has answered that it did not create the record. It fails when two create the
/// same at the very same moment.
fn is_refusal(error: &Error) -> bool {
    error.is_not_unique() || error.status() == Some(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Whether the record may be there although its creation failed.
fn is_worth_a_look(error: &Error) -> bool {
    // One that was created in another form than it was asked for is not found by looking.
    error.kind() != ErrorKind::NotApplied && (error.is_not_unique() || error.may_have_been_sent())
}

/// The failure of a look-up before which nothing was written.
fn unwritten(error: Error) -> Error {
    let error = error.without_effect();
    match error.kind() {
        ErrorKind::Ambiguous => error.with_remark("nothing was written"),
        ErrorKind::Validation => error
            .with_remark("nothing was written; the records that the key refers to have to exist"),
        _ => error,
    }
}
