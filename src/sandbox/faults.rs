//! Faults that a sandbox makes on purpose, and the rules that say when.

mod fault;
mod rule;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};

pub use self::fault::Fault;
pub use self::rule::{FaultRule, InjectedFault};
#[cfg(feature = "sandbox-server")]
pub(super) use self::wire::Step;

use self::rule::ActiveRule;
use crate::backend::{BackendError, BackendErrorKind};
use crate::sandbox::{RecordedRequest, Sandbox, lock};

type Choose = dyn Fn(&Request<Bytes>) -> Option<Fault> + Send + Sync;

/// All rules of a sandbox.
#[derive(Default)]
pub(super) struct Faults {
    /// Whether there are rules at all, so that a server without them need not look.
    any: AtomicBool,
    rules: Mutex<Arc<Vec<Entry>>>,
    /// A server that restarts is away until a time of the clock of the sandbox, or for ever.
    down: Mutex<Option<Down>>,
}

#[derive(Clone, Copy)]
enum Down {
    Until(Instant),
    ForEver,
}

#[derive(Clone)]
enum Entry {
    Rule(Arc<ActiveRule>),
    Function(Arc<Choose>),
}

impl Entry {
    fn is_over(&self) -> bool {
        matches!(self, Self::Rule(rule) if rule.is_over())
    }
}

impl Faults {
    fn add(&self, rule: FaultRule) -> InjectedFault {
        let active = Arc::new(ActiveRule::new(rule));
        self.push(Entry::Rule(Arc::clone(&active)));
        InjectedFault::new(active)
    }

    fn push(&self, entry: Entry) {
        let mut rules = lock(&self.rules);
        Arc::make_mut(&mut rules).push(entry);
        self.any.store(true, Ordering::Release);
    }

    fn clear(&self) {
        let mut rules = lock(&self.rules);
        *rules = Arc::default();
        self.any.store(false, Ordering::Release);
        *lock(&self.down) = None;
    }

    /// What shall happen to a request: the fault of the first rule that strikes.
    fn strike(&self, request: &Request<Bytes>) -> Option<Fault> {
        if !self.any.load(Ordering::Acquire) {
            return None;
        }
        // Functions may turn to the sandbox, so the lock is not held meanwhile.
        let rules = Arc::clone(&lock(&self.rules));
        let struck = rules.iter().find_map(|entry| match entry {
            Entry::Rule(rule) => rule.strike(request),
            Entry::Function(choose) => choose(request),
        });
        if rules.iter().any(Entry::is_over) {
            self.prune();
        }
        struck
    }

    /// Lets go of the rules that strike no more.
    fn prune(&self) {
        let mut rules = lock(&self.rules);
        Arc::make_mut(&mut rules).retain(|entry| !entry.is_over());
        self.any.store(!rules.is_empty(), Ordering::Release);
    }
}

/// Faults. They happen between a client and the server, in memory and through sockets alike;
/// [`Sandbox::handle`] is behind them.
impl Sandbox {
    /// Lets requests meet a fault, by a rule. Of several rules the first that strikes counts; those
    /// behind it do not see the request.
    ///
    /// ```
    /// use std::time::Duration;
    /// use keystone_client::sandbox::{Fault, FaultRule, Sandbox};
    ///
    /// let sandbox = Sandbox::new();
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    ///
    /// // One request in ten finds the server overloaded. The client tries again.
    /// let overload = Fault::unavailable(Duration::from_secs(2));
    /// let injected = sandbox.inject(FaultRule::new(overload).probability(0.1, 7));
    /// for _ in 0..100 {
    ///     client.teams().list().count().send()?;
    /// }
    /// assert!(injected.count() > 0);
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn inject(&self, rule: FaultRule) -> InjectedFault {
        self.shared.faults.add(rule)
    }

    /// Asks a function for each request which fault it shall meet.
    ///
    /// It is called where the request is answered: behind a socket, everybody waits for it.
    ///
    /// ```
    /// use keystone_client::ErrorKind;
    /// use keystone_client::sandbox::{Fault, Sandbox};
    ///
    /// let sandbox = Sandbox::new();
    /// sandbox.inject_with(|request| {
    ///     request.uri().path().starts_with("/version").then(Fault::not_http)
    /// });
    /// let error = sandbox.blocking_client()?.version().send().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Transport);
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn inject_with(
        &self,
        choose: impl Fn(&Request<Bytes>) -> Option<Fault> + Send + Sync + 'static,
    ) {
        self.shared.faults.push(Entry::Function(Arc::new(choose)));
    }

    /// Puts all rules out of force, and ends a restart that clients without a connection wait for.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    pub(super) fn fault_for(&self, request: &Request<Bytes>) -> Option<Fault> {
        self.shared.faults.strike(request)
    }

    /// Carries out a request that meets a fault, as far as the fault lets.
    pub(super) fn meet(
        &self,
        fault: &Fault,
        mut request: Request<Bytes>,
        https: bool,
    ) -> Option<Response<Bytes>> {
        if fault.executes() {
            request.extensions_mut().insert(fault.clone());
            return Some(self.answer(request, https, Some(fault)));
        }
        let request = RecordedRequest::new(request);
        let request = match fault.status_shown() {
            Some(status) => request.answered(status),
            None => request,
        };
        self.record(request, Some(fault));
        None
    }

    /// Whether clients without a connection reach the server.
    pub(super) fn check_is_up(&self) -> Result<(), BackendError> {
        let mut down = lock(&self.shared.faults.down);
        let is_back = match *down {
            None => return Ok(()),
            Some(Down::ForEver) => false,
            Some(Down::Until(until)) => self.server().clock.read().monotonic >= until,
        };
        if !is_back {
            return Err(BackendError::new(BackendErrorKind::Connect, "the server restarts"));
        }
        *down = None;
        Ok(())
    }

    /// Takes the server down for clients without a connection.
    pub(super) fn go_down(&self, pause: Duration) {
        let until = self.server().clock.read().monotonic.checked_add(pause);
        *lock(&self.shared.faults.down) = Some(until.map_or(Down::ForEver, Down::Until));
    }
}
