use http::Method;
use uuid::Uuid;

use super::Core;
use crate::observe::{Event, EventKind};
use crate::request::{Operation, Origin};

impl Core {
    /// Tells whoever wants to know.
    pub(super) fn tell(
        &self,
        operation: Operation,
        method: &Method,
        attempt: u32,
        correlation_id: Uuid,
        kind: EventKind,
    ) {
        if self.observer.is_none() && cfg!(not(feature = "tracing")) {
            return;
        }
        let event = Event { operation, method: method.clone(), attempt, correlation_id, kind };
        #[cfg(feature = "tracing")]
        crate::observe::trace(&event);
        if let Some(observer) = &self.observer {
            observer.observe(&event);
        }
    }

    /// Tells what happened to a request of a call.
    pub(super) fn tell_of(&self, origin: &Origin, kind: EventKind) {
        self.tell(origin.operation, &origin.method, origin.attempts, origin.correlation_id, kind);
    }

    /// Tells what happened to the login.
    pub(super) fn tell_of_login(&self, operation: Operation, kind: EventKind) {
        self.tell(operation, &Method::POST, 0, self.settings.correlation_id, kind);
    }
}
