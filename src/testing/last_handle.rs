//! What happens when the last handle to a double goes.

use std::thread;

/// Fails the test with what was wrong, if anything was and the test does not fail already.
///
/// # Panics
///
/// If there is something to report.
#[allow(clippy::panic, reason = "what was not as expected has to fail the test")]
pub(super) fn fail_test(report: impl FnOnce() -> Option<String>) {
    // A second panic would abort the program.
    if thread::panicking() {
        return;
    }
    if let Some(wrong) = report() {
        panic!("{wrong}");
    }
}
