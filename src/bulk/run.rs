use std::collections::VecDeque;
use std::time::Duration;

use http::StatusCode;

use super::{BulkProgress, BulkReport, Plan, Repeat, RowOutcome};
use crate::batch::{BatchFailure, BatchOutcome, Job};
use crate::error::{Error, ErrorKind};
use crate::request::{Cost, Operation, Request};

const OPERATION: Operation = Operation::new("write", "rows");

/// How often in a row the server may say that it was too much before the run is given up.
const MOST_REFUSALS: u32 = 5;

/// How long to wait where the server does not say it: the span over which it counts.
const WINDOW: Duration = Duration::from_secs(60);

/// What to do next.
pub(crate) enum Work<T> {
    /// Run a job, and give its outcome to [`Run::job_done`].
    Job(Request<BatchOutcome>),
    /// Send a call, and give its answer to [`Run::call_done`].
    Call(Request<T>),
    /// Wait this long.
    Wait(Duration),
}

/// Rows that are to be written together.
#[derive(Debug)]
struct Segment {
    rows: Vec<usize>,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Job,
    /// One call for each row.
    Calls,
    /// The same, after a job of unknown fate.
    CallsAfterDoubt,
}

/// A run over many rows: what has come of them so far, and what is left.
pub(crate) struct Run<T> {
    plan: Plan<T>,
    outcomes: Vec<RowOutcome<T>>,
    progress: BulkProgress,
    left: VecDeque<Segment>,
    /// What was asked for last, by the rows that it was for.
    asked: Vec<usize>,
    way: Way,
    wait: Option<Duration>,
    refusals: u32,
    stopped_by: Option<Error>,
}

impl<T: 'static> Run<T> {
    /// Begins; `most` is how many requests go within a minute.
    pub(crate) fn new(mut plan: Plan<T>, most: usize) -> Self {
        let mut outcomes: Vec<RowOutcome<T>> = Vec::with_capacity(plan.rows.len());
        let mut stopped_by = None;
        match plan.previous.take() {
            Some(previous) if previous.rows.len() == plan.rows.len() => outcomes = previous.rows,
            previous => {
                outcomes.resize_with(plan.rows.len(), || RowOutcome::NotAttempted);
                if previous.is_some() {
                    let note = "the report to go on from is one of another number of rows";
                    let error = Error::new(ErrorKind::InvalidRequest, OPERATION).with_note(note);
                    stopped_by = Some(error);
                }
            }
        }
        let mut open = Vec::new();
        for (row, (outcome, request)) in outcomes.iter_mut().zip(&plan.rows).enumerate() {
            let is_settled = match outcome {
                RowOutcome::Done(_) => true,
                RowOutcome::InDoubt(_) => plan.repeat == Repeat::Never,
                RowOutcome::Failed(_) | RowOutcome::NotAttempted => false,
            };
            match request {
                _ if is_settled => {}
                Ok(_) => {
                    *outcome = RowOutcome::NotAttempted;
                    open.push(row);
                }
                Err(error) => {
                    if plan.all_or_nothing || plan.stops_at_failure {
                        stopped_by.get_or_insert_with(|| error.clone());
                    }
                    *outcome = RowOutcome::Failed(error.clone());
                }
            }
        }
        let chunk = match plan.all_or_nothing {
            true => open.len().max(1),
            false => plan.chunk_size.min(most.saturating_sub(1)).max(1),
        };
        let segment = |rows: &[usize]| Segment { rows: rows.to_vec(), way: Way::Job };
        let left = open.chunks(chunk).map(segment).collect();
        let progress = BulkProgress::of(&outcomes);
        Self {
            plan,
            outcomes,
            progress,
            left,
            asked: Vec::new(),
            way: Way::Job,
            wait: None,
            refusals: 0,
            stopped_by,
        }
    }

    /// What to do next; `None` when the run is over.
    pub(crate) fn next(&mut self) -> Option<Work<T>> {
        loop {
            if self.stopped_by.is_some() {
                return None;
            }
            if let Some(wait) = self.wait.take() {
                return Some(Work::Wait(wait));
            }
            let Segment { rows, way } = self.left.pop_front()?;
            // Where there are no jobs, or nothing to gain by one.
            let is_single = rows.len() == 1 && !self.plan.all_or_nothing;
            let way = if way == Way::Job && is_single { Way::Calls } else { way };
            let work = match way {
                Way::Job => self.job(&rows),
                Way::Calls | Way::CallsAfterDoubt => self.call(&rows, way),
            };
            if work.is_some() {
                self.way = way;
                return work;
            }
        }
    }

    /// The job that writes these rows; none if some of them cannot be in one.
    fn job(&mut self, rows: &[usize]) -> Option<Work<T>> {
        let mut job = Job::new();
        let mut unfit = Vec::new();
        for &row in rows {
            if let Some(Ok(request)) = self.plan.rows.get(row) {
                match job.add(request.clone()) {
                    Ok(_) => {}
                    Err(error) => unfit.push((row, error)),
                }
            }
        }
        if let Some((row, error)) = unfit.pop() {
            if self.plan.all_or_nothing {
                self.refuse(row, error);
                return None;
            }
            unfit.push((row, error));
            // They may still be written by themselves.
            let unfit: Vec<usize> = unfit.into_iter().map(|(row, _)| row).collect();
            let (alone, together): (Vec<usize>, Vec<usize>) =
                rows.iter().partition(|row| unfit.contains(row));
            self.left.push_front(Segment { rows: together, way: Way::Job });
            self.left.push_front(Segment { rows: alone, way: Way::Calls });
            return None;
        }
        if job.is_empty() {
            return None;
        }
        match job.request(false) {
            Ok(request) => {
                self.asked = rows.to_vec();
                let is_harmless = self.plan.repeat == Repeat::Harmless;
                Some(Work::Job(request.with_idempotent(is_harmless)))
            }
            Err(error) => {
                self.stop(error);
                None
            }
        }
    }

    /// The call that writes the first of these rows; the others are left for later.
    fn call(&mut self, rows: &[usize], way: Way) -> Option<Work<T>> {
        let (&row, others) = rows.split_first()?;
        if !others.is_empty() {
            self.left.push_front(Segment { rows: others.to_vec(), way });
        }
        let request = self.plan.rows.get(row)?.as_ref().ok()?.clone();
        self.asked = vec![row];
        let is_again = way == Way::CallsAfterDoubt;
        let is_harmless = match self.plan.repeat {
            Repeat::Never => request.parts.idempotent,
            Repeat::Harmless => true,
            Repeat::FindsNothing => is_again,
        };
        let request = if is_again { (self.plan.again)(request) } else { request };
        let cost = Cost { requests: 1, planned: true };
        Some(Work::Call(request.with_idempotent(is_harmless).with_cost(cost)))
    }

    /// Takes over the outcome of a job.
    pub(crate) fn job_done(&mut self, outcome: Result<BatchOutcome, Error>) {
        let rows = std::mem::take(&mut self.asked);
        let error = match outcome {
            Ok(outcome) => {
                self.refusals = 0;
                for (place, row) in rows.into_iter().enumerate() {
                    self.settle(
                        row,
                        match outcome.answer(place) {
                            Ok(answer) => RowOutcome::Done(answer),
                            Err(error) => RowOutcome::InDoubt(error),
                        },
                    );
                }
                return self.tell();
            }
            Err(error) => error,
        };
        match error.batch_failure() {
            _ if error.is_throttled() => self.too_much(rows, Way::Job, error),
            Some(BatchFailure::Step(step)) => {
                let place = step.index;
                let Some(&row) = rows.get(place) else { return self.stop(error) };
                self.refuse(row, error.into_step());
                let (before, behind) = rows.split_at(place);
                // All steps before this one went well.
                self.put_back(behind.iter().skip(1).copied().collect(), Way::Job);
                self.put_back(before.to_vec(), Way::Job);
                self.tell();
            }
            Some(BatchFailure::Reference(_)) => self.stop(error),
            None => self.job_failed(rows, error),
        }
    }

    /// A job failed as a whole.
    fn job_failed(&mut self, rows: Vec<usize>, error: Error) {
        let has_no_jobs =
            matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::UnknownEndpoint);
        if self.plan.all_or_nothing || (!has_no_jobs && !error.may_have_been_sent()) {
            if error.may_have_been_sent() {
                self.doubt(&rows, &error);
            }
            return self.stop(error);
        }
        if has_no_jobs {
            for segment in &mut self.left {
                segment.way = Way::Calls;
            }
            return self.put_back(rows, Way::Calls);
        }
        // Keystone rolls a job back when one of its steps makes it fail, and does not say which. What
        // stands before it says other things.
        if error.status() == Some(StatusCode::INTERNAL_SERVER_ERROR) {
            let (first, second) = rows.split_at(rows.len() / 2);
            self.put_back(second.to_vec(), Way::Job);
            return self.put_back(first.to_vec(), Way::Job);
        }
        match self.plan.repeat {
            Repeat::Never => {
                self.doubt(&rows, &error);
                self.stop(error);
                self.tell();
            }
            Repeat::Harmless | Repeat::FindsNothing => {
                self.put_back(rows, Way::CallsAfterDoubt);
            }
        }
    }

    /// Takes over the answer of a call.
    pub(crate) fn call_done(&mut self, answer: Result<T, Error>) {
        let rows = std::mem::take(&mut self.asked);
        let Some(&row) = rows.first() else { return };
        let error = match answer {
            Ok(answer) => {
                self.refusals = 0;
                self.settle(row, RowOutcome::Done(answer));
                return self.tell();
            }
            Err(error) => error,
        };
        if error.is_throttled() {
            return self.too_much(rows, self.way, error);
        }
        let finds_nothing = self.plan.repeat == Repeat::FindsNothing && self.way == Way::Calls;
        if finds_nothing && error.may_have_been_sent() {
            return self.put_back(rows, Way::CallsAfterDoubt);
        }
        let is_about_row = matches!(
            error.kind(),
            ErrorKind::Validation
                | ErrorKind::NotFound
                | ErrorKind::Denied
                | ErrorKind::InvalidRequest
                | ErrorKind::Decode
        ) || error.status() == Some(StatusCode::INTERNAL_SERVER_ERROR);
        if error.may_have_been_sent() {
            self.doubt(&rows, &error);
            if self.plan.stops_at_failure || !is_about_row {
                self.stop(error);
            }
        } else if is_about_row {
            self.refuse(row, error);
        } else {
            self.stop(error);
        }
        self.tell();
    }

    /// The server has not carried it out because it was too much for it.
    fn too_much(&mut self, rows: Vec<usize>, way: Way, error: Error) {
        self.refusals += 1;
        if self.refusals >= MOST_REFUSALS {
            return self.stop(error);
        }
        self.wait = Some(error.retry_after().unwrap_or(WINDOW));
        // A job that does not fit into a minute never will.
        if way == Way::Job && rows.len() > 1 && !self.plan.all_or_nothing {
            let (first, second) = rows.split_at(rows.len() / 2);
            self.put_back(second.to_vec(), way);
            self.put_back(first.to_vec(), way);
        } else {
            self.put_back(rows, way);
        }
    }

    fn refuse(&mut self, row: usize, error: Error) {
        if self.plan.all_or_nothing || self.plan.stops_at_failure {
            self.stop(error.clone());
        }
        self.settle(row, RowOutcome::Failed(error));
    }

    fn doubt(&mut self, rows: &[usize], error: &Error) {
        for &row in rows {
            self.settle(row, RowOutcome::InDoubt(error.clone()));
        }
    }

    fn settle(&mut self, row: usize, outcome: RowOutcome<T>) {
        if let Some(place) = self.outcomes.get_mut(row) {
            self.progress.count(&outcome);
            *place = outcome;
        }
    }

    fn put_back(&mut self, rows: Vec<usize>, way: Way) {
        if !rows.is_empty() {
            self.left.push_front(Segment { rows, way });
        }
    }

    fn stop(&mut self, error: Error) {
        self.stopped_by.get_or_insert(error);
    }

    fn tell(&mut self) {
        if let Some(watch) = &mut self.plan.progress {
            watch(&self.progress);
        }
    }

    pub(crate) fn finish(self) -> BulkReport<T> {
        BulkReport { rows: self.outcomes, stopped_by: self.stopped_by }
    }
}
