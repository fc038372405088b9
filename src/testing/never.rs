use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::both_backends;
use super::clock::VirtualClock;
use super::last_handle::fail_test;
use crate::backend::{BackendError, BackendErrorKind, ExecuteResult};
use crate::recorded::RecordedRequest;

/// A backend for code that must not use the network.
///
/// A request gets an error that names it, and the last clone panics when it is dropped: an error
/// alone could be taken for a server that is down, and a panic at once could end in a task that
/// nobody asks how it ended. [`verify`](Never::verify) panics earlier.
///
/// ```
/// use keystone_client::Id;
/// use keystone_client::blocking::KeystoneClient;
/// use keystone_client::testing::Never;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = KeystoneClient::with_backend("https://keystone.example.edu", Never::new())?;
/// // Nothing can be in an empty list, so nobody is asked.
/// let none = client.teams().filter(|t| t.id.is_in([] as [Id<_>; 0]));
/// assert!(none.all()?.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Never {
    state: Arc<State>,
}

struct State {
    clock: VirtualClock,
    seen: Mutex<Vec<RecordedRequest>>,
}

impl Default for State {
    fn default() -> Self {
        Self { clock: VirtualClock::new(), seen: Mutex::default() }
    }
}

impl State {
    fn seen(&self) -> MutexGuard<'_, Vec<RecordedRequest>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong since this was asked last.
    fn report(&self) -> Option<String> {
        let seen = std::mem::take(&mut *self.seen());
        if seen.is_empty() {
            return None;
        }
        let lines: Vec<String> = seen
            .iter()
            .map(|request| format!("\n  {} {}", request.method(), request.path()))
            .collect();
        Some(format!("nothing was to be sent, but there was:{}", lines.concat()))
    }
}

impl Never {
    /// A backend that was sent nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fails the test if anything was sent since the last call.
    ///
    /// # Panics
    ///
    /// Then; the message names the requests.
    #[track_caller]
    #[allow(clippy::panic, reason = "an assertion")]
    pub fn verify(&self) {
        if let Some(wrong) = self.state.report() {
            panic!("{wrong}");
        }
    }

    fn clock(&self) -> &VirtualClock {
        &self.state.clock
    }

    fn answer(&self, request: &http::Request<Bytes>) -> ExecuteResult {
        let seen = RecordedRequest::new(request.clone());
        let problem =
            format!("nothing was to be sent, but there is {} {}", seen.method(), seen.path());
        self.state.seen().push(seen);
        Err(BackendError::new(BackendErrorKind::Request, problem))
    }
}

impl Drop for State {
    fn drop(&mut self) {
        fail_test(|| self.report());
    }
}

both_backends!(Never);

impl fmt::Debug for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Never").field("seen", &*self.state.seen()).finish_non_exhaustive()
    }
}
