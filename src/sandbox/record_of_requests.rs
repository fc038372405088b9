//! The requests that were answered, the last ones of them with all they said.

use std::collections::VecDeque;

use http::Method;

use crate::sandbox::{RecordedRequest, Sandbox, lock};

/// The last requests, and how many there were.
#[derive(Debug)]
pub(crate) struct Recorded {
    last: VecDeque<RecordedRequest>,
    kept: usize,
    count: u64,
}

impl Recorded {
    pub(crate) fn new(kept: usize) -> Self {
        Self { last: VecDeque::new(), kept, count: 0 }
    }

    pub(crate) fn push(&mut self, request: RecordedRequest) {
        self.count = self.count.saturating_add(1);
        if self.last.len() >= self.kept {
            self.last.pop_front();
        }
        if self.kept > 0 {
            self.last.push_back(request);
        }
    }

    pub(crate) fn kept(&self) -> usize {
        self.kept
    }
}

impl Sandbox {
    /// The requests so far, in the order in which they were answered. They are kept, with their
    /// bodies, until [`Sandbox::clear_requests`] is called or there are more of them than
    /// [`SandboxBuilder::keep_requests`](crate::sandbox::SandboxBuilder::keep_requests) says.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.shared.requests).last.iter().cloned().collect()
    }

    /// Those of the [`requests`](Self::requests) that had a method and a path.
    ///
    /// ```
    /// use keystone_client::http::Method;
    /// use keystone_client::resources::NewTeam;
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::new();
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// client.create_team(NewTeam::new("Folding")).send()?;
    /// assert_eq!(sandbox.requests_to(Method::POST, "/users/teams/").len(), 1);
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn requests_to(&self, method: Method, path: &str) -> Vec<RecordedRequest> {
        let requests = lock(&self.shared.requests);
        let meant = |it: &&RecordedRequest| it.method() == method && it.path() == path;
        requests.last.iter().filter(meant).cloned().collect()
    }

    /// How many requests there were, also those that are no longer kept, since the sandbox was built
    /// or [`Sandbox::clear_requests`] was called.
    pub fn request_count(&self) -> u64 {
        lock(&self.shared.requests).count
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        let mut requests = lock(&self.shared.requests);
        requests.last.clear();
        requests.count = 0;
    }
}
