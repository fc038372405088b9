use std::fmt;

use crate::error::Error;

/// What has become of one row.
///
/// ```
/// use keystone_client::RowOutcome;
/// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// let names = ["Folding", "Folding"];
/// let report = client.teams().create_many(names.map(NewTeam::new)).send();
/// for (name, outcome) in names.iter().zip(report.rows()) {
///     match outcome {
///         RowOutcome::Done(team) => println!("{name}: {}", team.id),
///         RowOutcome::Failed(error) => println!("{name}: {error}"),
///         RowOutcome::InDoubt(error) => println!("{name}: look whether it is there: {error}"),
///         _ => println!("{name}: still to be written"),
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RowOutcome<T> {
    /// It was written; this is the server's answer.
    Done(T),
    /// It was refused, and nothing was written.
    Failed(Error),
    /// It may have been written: the answer was lost, or could not be read.
    InDoubt(Error),
    /// It was not written, and not for its own sake: the run had stopped, or the job that it was in
    /// was rolled back.
    NotAttempted,
}

/// What has become of many rows, in their order.
///
/// ```
/// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// let names = ["Folding", "Folding", "Knots"];
/// let report = client.teams().create_many(names.map(NewTeam::new)).send();
/// for (row, team) in report.done() {
///     println!("row {row}: {}", team.id);
/// }
/// for (row, error) in report.failed() {
///     println!("row {row}: {error}");
/// }
/// assert_eq!(report.to_string(), "2 of 3 rows done, 1 failed");
/// # Ok(()) }
/// ```
#[must_use = "rows may have failed: look at `failed`, or take `into_result`"]
#[derive(Debug, Clone)]
pub struct BulkReport<T> {
    pub(super) rows: Vec<RowOutcome<T>>,
    pub(super) stopped_by: Option<Error>,
}

impl<T> BulkReport<T> {
    /// What has become of each row.
    pub fn rows(&self) -> &[RowOutcome<T>] {
        &self.rows
    }

    /// The same by itself.
    pub fn into_rows(self) -> Vec<RowOutcome<T>> {
        self.rows
    }

    /// The rows that were written, by their places from 0.
    pub fn done(&self) -> impl Iterator<Item = (usize, &T)> {
        self.rows.iter().enumerate().filter_map(|(row, outcome)| match outcome {
            RowOutcome::Done(answer) => Some((row, answer)),
            _ => None,
        })
    }

    /// The rows that were refused, and why.
    pub fn failed(&self) -> impl Iterator<Item = (usize, &Error)> {
        self.rows.iter().enumerate().filter_map(|(row, outcome)| match outcome {
            RowOutcome::Failed(error) => Some((row, error)),
            _ => None,
        })
    }

    /// The rows that may have been written, and why nobody knows.
    pub fn in_doubt(&self) -> impl Iterator<Item = (usize, &Error)> {
        self.rows.iter().enumerate().filter_map(|(row, outcome)| match outcome {
            RowOutcome::InDoubt(error) => Some((row, error)),
            _ => None,
        })
    }

    /// The rows that were not written, through no fault of their own.
    pub fn not_attempted(&self) -> impl Iterator<Item = usize> {
        self.rows
            .iter()
            .enumerate()
            .filter_map(|(row, outcome)| matches!(outcome, RowOutcome::NotAttempted).then_some(row))
    }

    /// What stopped the run before its end, if anything did: the server could not be reached, the login
    /// had ended, or a row failed where that was to stop it.
    pub fn stopped_by(&self) -> Option<&Error> {
        self.stopped_by.as_ref()
    }

    /// Whether all rows are done.
    pub fn is_complete(&self) -> bool {
        self.rows.iter().all(|row| matches!(row, RowOutcome::Done(_)))
    }

    /// How far it has come.
    pub fn progress(&self) -> BulkProgress {
        BulkProgress::of(&self.rows)
    }

    /// The answers of all rows.
    ///
    /// # Errors
    ///
    /// What stopped the run, or the error of the first row that is not done. Rows before and after it
    /// may have been written.
    pub fn into_result(self) -> Result<Vec<T>, Error> {
        if let Some(error) = self.stopped_by {
            return Err(error);
        }
        self.rows
            .into_iter()
            // Without something that stopped the run, all rows have been attempted.
            .filter_map(|row| match row {
                RowOutcome::Done(answer) => Some(Ok(answer)),
                RowOutcome::Failed(error) | RowOutcome::InDoubt(error) => Some(Err(error)),
                RowOutcome::NotAttempted => None,
            })
            .collect()
    }
}

/// One line: how many rows have come to what.
impl<T> fmt::Display for BulkReport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.progress().fmt(f)?;
        let open = self.not_attempted().count();
        if open > 0 {
            write!(f, ", {open} not attempted")?;
        }
        match &self.stopped_by {
            Some(error) => write!(f, "; stopped by: {error}"),
            None => Ok(()),
        }
    }
}

/// How far a run over many rows has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkProgress {
    /// Rows written.
    pub done: usize,
    /// Rows refused.
    pub failed: usize,
    /// Rows that may have been written.
    pub in_doubt: usize,
    /// All rows.
    pub total: usize,
}

impl BulkProgress {
    /// Rows that nothing more will become of: written, refused, or in doubt.
    ///
    /// ```
    /// # use keystone_client::sandbox::Sandbox;
    /// # use keystone_client::resources::NewCluster;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let names = ["atlas", "atlas", "cygnus"]; // the second is refused
    /// let report = client.clusters().create_many(names.map(NewCluster::new)).send();
    /// let progress = report.progress();
    /// assert_eq!((progress.done, progress.settled(), progress.total), (2, 3, 3));
    /// # Ok(()) }
    /// ```
    pub fn settled(&self) -> usize {
        self.done + self.failed + self.in_doubt
    }

    pub(super) fn of<T>(rows: &[RowOutcome<T>]) -> Self {
        let mut progress = Self { total: rows.len(), ..Self::default() };
        for row in rows {
            progress.count(row);
        }
        progress
    }

    pub(super) fn count<T>(&mut self, row: &RowOutcome<T>) {
        if let Some(number) = self.number_of(row) {
            *number = number.saturating_add(1);
        }
    }

    /// Takes back that a row was counted.
    pub(super) fn uncount<T>(&mut self, row: &RowOutcome<T>) {
        if let Some(number) = self.number_of(row) {
            *number = number.saturating_sub(1);
        }
    }

    fn number_of<T>(&mut self, row: &RowOutcome<T>) -> Option<&mut usize> {
        match row {
            RowOutcome::Done(_) => Some(&mut self.done),
            RowOutcome::Failed(_) => Some(&mut self.failed),
            RowOutcome::InDoubt(_) => Some(&mut self.in_doubt),
            RowOutcome::NotAttempted => None,
        }
    }
}

impl fmt::Display for BulkProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} rows done", self.done, self.total)?;
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        if self.in_doubt > 0 {
            write!(f, ", {} in doubt", self.in_doubt)?;
        }
        Ok(())
    }
}
