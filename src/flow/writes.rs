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
        let EditWrite { fetch, before, named, fields, update } = plan.into_write();
        if let Some(fetch) = fetch {
            let (now, conflict) =
                self.send(effects, &fetch).await.map_err(Error::without_effect)?;
            if let Some(what) = modification(&before, &now, &named) {
                return Err(conflict.with_note(what));
            }
        }
        let record = self.send(effects, &update).await?;
        Ok(Edited::Changed { record, fields })
    }

    /// Looks for a record, and creates or changes it.
    pub(crate) async fn ensure<E: Effects, R: Create + Update>(
        &self,
        effects: &E,
        plan: EnsurePlan<R>,
    ) -> Result<Ensured<R::Model>, Error> {
        let mut doubt = Doubt::default();
        let mut found = self.look_up(effects, &plan, doubt).await?;
        // Each turn of luck is tried once: others may create and delete the record for ever.
        let (mut was_refused, mut has_vanished) = (false, false);
        let mut maker = Maker::Others;
        loop {
            let Some(record) = found else {
                match self.send(effects, &plan.create()).await {
                    Ok(record) => {
                        doubt = Doubt(Some("the record was created before"));
                        maker = Maker::This;
                        found = Some(record);
                    }
                    Err(error) if !was_refused && is_worth_a_look(&error) => {
                        was_refused = true;
                        maker = if is_refusal(&error) { Maker::Others } else { Maker::Unknown };
                        let before = doubt;
                        doubt.add(&error, "the record may have been created before");
                        let error = before.tell(error);
                        found = Some(self.look_again(effects, &plan, error).await?);
                    }
                    Err(error) => return Err(doubt.tell(error)),
                }
                continue;
            };
            let update = plan.update(&record).map_err(|error| doubt.tell(error))?;
            let Some((fields, update)) = update else {
                return Ok(match maker {
                    Maker::This | Maker::Unknown => Ensured::Created(record),
                    Maker::Others => Ensured::Unchanged(record),
                });
            };
            if maker == Maker::Unknown && !plan.may_have_created(&record) {
                maker = Maker::Others;
            }
            match self.send(effects, &update).await {
                Ok(record) => {
                    return Ok(match maker {
                        Maker::This | Maker::Unknown => Ensured::Created(record),
                        Maker::Others => Ensured::Changed { record, fields },
                    });
                }
                // What this call has just created is rather hidden from the user than gone.
                Err(error) if error.is_not_found() && !has_vanished && maker != Maker::This => {
                    has_vanished = true;
                    maker = Maker::Others;
                    doubt.add(&error, "the record may have been changed before");
                    found = self.look_up(effects, &plan, doubt).await?;
                }
                Err(error) => return Err(doubt.tell(error)),
            }
        }
    }

    async fn look_up<E: Effects, R: Create + Update>(
        &self,
        effects: &E,
        plan: &EnsurePlan<R>,
        doubt: Doubt,
    ) -> Result<Option<R::Model>, Error> {
        self.send(effects, &plan.look_up()?).await.map_err(|error| doubt.tell_of_a_look(error))
    }

    /// The record that could not be created, or of which that is not known.
    async fn look_again<E: Effects, R: Create + Update>(
        &self,
        effects: &E,
        plan: &EnsurePlan<R>,
        refusal: Error,
    ) -> Result<R::Model, Error> {
        match self.send(effects, &plan.look_up()?).await {
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

/// Who has created the record that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Maker {
    Others,
    /// The present call, or another program in the same moment.
    Unknown,
    This,
}

/// What the requests before the present one have done, or may have done, in words.
#[derive(Clone, Copy, Default)]
struct Doubt(Option<&'static str>);

impl Doubt {
    /// A write has failed; if it may have been carried out all the same, this is what it has done.
    fn add(&mut self, error: &Error, effect: &'static str) {
        if error.may_have_been_sent() {
            self.0 = self.0.or(Some(effect));
        }
    }

    /// The failure of a write.
    fn tell(self, error: Error) -> Error {
        match self.0 {
            Some(effect) => error.with_effect().with_remark(effect),
            None => error,
        }
    }

    /// The failure of a look-up, which has written nothing itself.
    fn tell_of_a_look(self, error: Error) -> Error {
        let error = error.without_effect();
        if self.0.is_some() {
            return self.tell(error);
        }
        match error.kind() {
            ErrorKind::Ambiguous => error.with_remark("nothing was written"),
            ErrorKind::Validation => error.with_remark(
                "nothing was written; if the key refers to another record, that has to exist",
            ),
            _ => error,
        }
    }
}
