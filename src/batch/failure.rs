use std::fmt;

use http::StatusCode;

use crate::request::Operation;

/// What a batch job failed by. Everything that this attempt had done was taken back.
///
/// ```
/// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
/// use keystone_client::batch::BatchFailure;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// let mut batch = client.batch();
/// batch.add(client.teams().create(NewTeam::new("Folding")));
/// batch.add(client.teams().create(NewTeam::new("Folding")));
/// let error = batch.run().send().unwrap_err();
/// assert!(error.is_validation("name"));
/// match error.batch_failure() {
///     Some(BatchFailure::Step(step)) => {
///         assert_eq!((step.index, step.status.unwrap().as_u16()), (1, 400));
///     }
///     other => panic!("{other:?}"),
/// }
/// assert!(!client.teams().list().exists().send()?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchFailure {
    /// A step was refused. The error tells of it as it would of the same call by itself: its kind, its
    /// field errors, its detail.
    Step(FailedStep),
    /// A reference could not be resolved. The kind of the error is
    /// [`UnresolvedReference`](crate::ErrorKind::UnresolvedReference).
    Reference(UnresolvedReference),
}

/// The step by which a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedStep {
    /// Which step of the job, from 0, as [`StepRef::index`](super::StepRef::index).
    pub index: usize,
    /// What the step was to do.
    pub operation: Operation,
    /// The status that the server answered the step with; `None` where nothing was sent. The status of
    /// the job is the error's.
    pub status: Option<StatusCode>,
}

/// A reference that the server could not resolve.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnresolvedReference {
    /// The step that it refers to, from 0.
    pub step: Option<usize>,
    /// The reference as it was sent.
    pub token: String,
    /// Why, in the server's words.
    pub reason: String,
}

impl fmt::Display for BatchFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step(step) => {
                write!(f, "step {}, {}", step.index.saturating_add(1), step.operation)
            }
            Self::Reference(reference) => write!(f, "reference {}", reference.token),
        }
    }
}
