//! What the crate offers to those who test programs.

mod capture;
mod cassettes;
mod fixtures;
mod functions;
mod messages;
mod never;
mod placeholders;
mod redaction;
mod scripted;
mod secrets;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The message with which `action` panics.
#[track_caller]
fn message_of<T>(action: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(action)).err().expect("it does not panic");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().unwrap()).to_owned(),
    }
}

/// An error and all that it comes from, in words.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
