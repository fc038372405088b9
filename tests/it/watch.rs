//! The log of the whole suite: no test may write a secret into it.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Once;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, subscriber};

/// Passwords, cookies and tokens that tests use.
pub(crate) const SECRETS: &[&str] = &[
    "admin-password",
    "correct horse",
    "correct-horse",
    "hunter2",
    "CSRF1",
    "SESSION1",
    "c2lnbmF0dXJl",
];

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps each event of a thread as one line, and fails the test that logs a secret.
///
/// It is the subscriber of the whole process: one for a thread alone misses events when another
/// thread comes first to where they are made.
struct Watch;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Watch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("keystone_client")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        for secret in SECRETS {
            assert!(!line.0.contains(secret), "a secret is logged: {}", line.0);
        }
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Watches from now on. What most tests call calls it.
pub(crate) fn begin() {
    static BEGIN: Once = Once::new();
    BEGIN.call_once(|| subscriber::set_global_default(Watch).unwrap());
}

/// What this thread has logged since it asked last.
pub(crate) fn take_lines() -> Vec<String> {
    begin();
    LINES.take()
}
