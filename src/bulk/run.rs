use std::collections::VecDeque;
use std::time::Duration;

use http::StatusCode;

use super::{BulkProgress, BulkReport, Plan, Repeat, RowOutcome};
use crate::batch::{BatchFailure, BatchOutcome, Job};
use crate::body::MOST_FILES;
use crate::error::{Error, ErrorKind};
use crate::request::{Cost, Operation, Request};
use crate::retry::COUNTING_WINDOW;

const OPERATION: Operation = Operation::new("write", "rows");

/// How often in a row the server may say that it was too much before the run is given up.
const MOST_REFUSALS: u32 = 5;

/// After how many jobs in a row that fail at their first step the rest is sent in calls.
const MOST_EARLY_FAILURES: u32 = 3;

/// Whether the same row would fail so again, and others may not.
fn is_about_row(error: &Error) -> bool {
    let kinds = [
        ErrorKind::Validation,
        ErrorKind::NotFound,
        ErrorKind::Denied,
        ErrorKind::InvalidRequest,
        ErrorKind::Unsupported,
        ErrorKind::Decode,
    ];
    kinds.contains(&error.kind()) || error.status() == Some(StatusCode::PAYLOAD_TOO_LARGE)
}

/// Keystone rolls a job back when one of its steps makes it fail, and does not say which. What stands
/// before it says other things.
fn is_rolled_back(error: &Error) -> bool {
    error.attempts() == 1 && error.status() == Some(StatusCode::INTERNAL_SERVER_ERROR)
}

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

/// The rows of each job.
fn divide<T>(rows: &[usize], plan: &Plan<T>, most: usize) -> VecDeque<Segment> {
    let files = |row: usize| match plan.rows.get(row) {
        Some(Ok(request)) => request.parts.body.files(),
        _ => 0,
    };
    // The job itself counts for one, and so does the question what files the server takes.
    let others = if rows.iter().any(|row| files(*row) > 0) { 2 } else { 1 };
    let most = plan.chunk_size.min(most.saturating_sub(others)).max(1);
    let mut segments = VecDeque::new();
    let (mut chunk, mut files_in_it) = (Vec::new(), 0_usize);
    for &row in rows {
        let more = files(row);
        let is_full = chunk.len() >= most || files_in_it.saturating_add(more) > MOST_FILES;
        if is_full && !chunk.is_empty() {
            segments.push_back(Segment { rows: std::mem::take(&mut chunk), way: Way::Job });
            files_in_it = 0;
        }
        chunk.push(row);
        files_in_it = files_in_it.saturating_add(more);
    }
    if !chunk.is_empty() {
        segments.push_back(Segment { rows: chunk, way: Way::Job });
    }
    segments
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
    /// How many jobs in a row failed at their first step.
    early_failures: u32,
    /// How many calls go within a minute.
    most: usize,
    stopped_by: Option<Error>,
}

impl<T: 'static> Run<T> {
    /// Begins; `most` is how many requests go within a minute.
    pub(crate) fn new(mut plan: Plan<T>, most: usize) -> Self {
        let mut stopped_by = None;
        let mut outcomes = match plan.previous.take() {
            Some(previous) => {
                if previous.rows.len() != plan.rows.len() {
                    let note = "the report to go on from is one of another number of rows; it is as it was";
                    let error = Error::new(ErrorKind::InvalidRequest, OPERATION).with_note(note);
                    stopped_by = Some(error);
                    plan.rows.clear();
                }
                previous.rows
            }
            None => plan.rows.iter().map(|_| RowOutcome::NotAttempted).collect(),
        };
        let (mut open, mut doubted) = (Vec::new(), Vec::new());
        for (row, (outcome, request)) in outcomes.iter_mut().zip(&plan.rows).enumerate() {
            // That a record is gone can only be told of by a call of its own.
            let stays_in_doubt = plan.repeat == Repeat::Never
                || (plan.all_or_nothing && plan.repeat == Repeat::FindsNothing);
            match (&*outcome, request) {
                (RowOutcome::Done(_), _) => {}
                (RowOutcome::InDoubt(_), _) if stays_in_doubt => {}
                (RowOutcome::InDoubt(_), Ok(_)) if !plan.all_or_nothing => doubted.push(row),
                (_, Ok(_)) => {
                    *outcome = RowOutcome::NotAttempted;
                    open.push(row);
                }
                (_, Err(error)) => {
                    if plan.all_or_nothing || plan.stops_at_failure {
                        stopped_by.get_or_insert_with(|| error.clone());
                    }
                    *outcome = RowOutcome::Failed(error.clone());
                }
            }
        }
        let mut left: VecDeque<Segment> = match plan.all_or_nothing {
            true if open.is_empty() => VecDeque::new(),
            true => VecDeque::from([Segment { rows: open, way: Way::Job }]),
            false => divide(&open, &plan, most),
        };
        if !doubted.is_empty() {
            left.push_front(Segment { rows: doubted, way: Way::CallsAfterDoubt });
        }
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
            early_failures: 0,
            most,
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
            self.put_back(together, Way::Job);
            self.put_back(alone, Way::Calls);
            return None;
        }
        if job.is_empty() {
            return None;
        }
        match job.request(false) {
            Ok(request) => {
                self.asked = rows.to_vec();
                let is_harmless = self.plan.repeat == Repeat::Harmless;
                let request = request.with_options(self.plan.options.clone());
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
        let request = request.with_options(self.plan.options.clone());
        Some(Work::Call(request.with_idempotent(is_harmless).with_cost(cost)))
    }

    /// Takes over the outcome of a job, and whether the server is known to have jobs.
    pub(crate) fn job_done(
        &mut self,
        outcome: Result<BatchOutcome, Error>,
        has_jobs: Option<bool>,
    ) {
        let rows = std::mem::take(&mut self.asked);
        match outcome {
            Ok(outcome) => {
                (self.refusals, self.early_failures) = (0, 0);
                for (place, row) in rows.into_iter().enumerate() {
                    match outcome.answer(place) {
                        Ok(answer) => self.settle(row, RowOutcome::Done(answer)),
                        Err(error) => self.unread(row, error),
                    }
                }
            }
            Err(error) => self.job_failed(rows, error, has_jobs),
        }
        self.tell();
    }

    fn job_failed(&mut self, rows: Vec<usize>, error: Error, has_jobs: Option<bool>) {
        // An earlier attempt may have been carried out, whatever the last one was answered.
        if error.may_have_been_sent() && !is_rolled_back(&error) {
            return self.job_in_doubt(rows, error);
        }
        match error.batch_failure() {
            _ if error.is_throttled() => return self.too_much(rows, Way::Job, error),
            Some(BatchFailure::Step(step)) => {
                let place = step.index;
                return self.row_refused(&rows, place, error);
            }
            Some(BatchFailure::Reference(_)) => return self.stop(error),
            None => {}
        }
        if self.plan.all_or_nothing {
            return self.stop(error);
        }
        let is_old = matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::UnknownEndpoint);
        if is_old && has_jobs != Some(true) {
            for segment in self.left.iter_mut().filter(|segment| segment.way == Way::Job) {
                segment.way = Way::Calls;
            }
            return self.put_back(rows, Way::Calls);
        }
        // One of the rows is at fault, and nobody says which.
        if is_about_row(&error) || is_rolled_back(&error) {
            return self.halve(rows);
        }
        self.stop(error);
    }

    /// The server refused the row at this place of a job.
    fn row_refused(&mut self, rows: &[usize], place: usize, error: Error) {
        let Some(&row) = rows.get(place) else { return self.stop(error) };
        let error = match self.plan.rows.get(row) {
            Some(Ok(request)) => error.into_step(&request.parts),
            _ => error,
        };
        self.refuse(row, error);
        self.early_failures = if place == 0 { self.early_failures + 1 } else { 0 };
        // A job that fails at once costs twice what a call does.
        let is_hopeless = self.early_failures >= MOST_EARLY_FAILURES && !self.plan.all_or_nothing;
        let way = if is_hopeless { Way::Calls } else { Way::Job };
        let (before, behind) = rows.split_at(place);
        self.put_back(behind.iter().skip(1).copied().collect(), way);
        // All steps before it went well.
        self.put_back(before.to_vec(), Way::Job);
    }

    /// Nobody knows whether a job was carried out.
    fn job_in_doubt(&mut self, rows: Vec<usize>, error: Error) {
        self.doubt(&rows, &error);
        if self.plan.all_or_nothing || self.plan.repeat == Repeat::Never {
            return self.stop(error);
        }
        self.put_back(rows, Way::CallsAfterDoubt);
    }

    fn halve(&mut self, rows: Vec<usize>) {
        let (first, second) = rows.split_at(rows.len() / 2);
        self.put_back(second.to_vec(), Way::Job);
        self.put_back(first.to_vec(), Way::Job);
    }

    /// A row that was written, and of which the answer cannot be read.
    fn unread(&mut self, row: usize, error: Error) {
        if self.plan.stops_at_failure {
            self.stop(error.clone());
        }
        self.settle(row, RowOutcome::InDoubt(error));
    }

    /// Takes over the answer of a call.
    pub(crate) fn call_done(&mut self, answer: Result<T, Error>) {
        let rows = std::mem::take(&mut self.asked);
        let Some(&row) = rows.first() else { return };
        match answer {
            Ok(answer) => {
                self.refusals = 0;
                self.settle(row, RowOutcome::Done(answer));
            }
            Err(error) => self.call_failed(row, error),
        }
        self.tell();
    }

    fn call_failed(&mut self, row: usize, error: Error) {
        if error.is_throttled() {
            return self.too_much(vec![row], self.way, error);
        }
        if error.may_have_been_sent() {
            let is_answer = is_about_row(&error) || is_rolled_back(&error);
            self.doubt(&[row], &error);
            if self.plan.repeat == Repeat::FindsNothing && self.way == Way::Calls {
                self.put_back(vec![row], Way::CallsAfterDoubt);
            } else if self.plan.stops_at_failure || !is_answer {
                self.stop(error);
            }
        } else if is_about_row(&error) {
            self.refuse(row, error);
        } else {
            self.stop(error);
        }
    }

    /// The server has not carried it out because it was too much for it.
    fn too_much(&mut self, rows: Vec<usize>, way: Way, error: Error) {
        // More than that the server does not mean, and asking again is how to find out.
        self.wait = Some(error.retry_after().unwrap_or(COUNTING_WINDOW).min(COUNTING_WINDOW));
        // The client itself found it too early.
        if error.attempts() == 0 {
            return self.put_back(rows, way);
        }
        self.refusals += 1;
        let never_fits = self.plan.all_or_nothing && rows.len() >= self.most;
        if self.refusals >= MOST_REFUSALS || never_fits {
            return self.stop(error);
        }
        if way == Way::Job && rows.len() > 1 && !self.plan.all_or_nothing {
            return self.halve(rows);
        }
        self.put_back(rows, way);
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
            let before = std::mem::replace(place, outcome);
            self.progress.uncount(&before);
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
