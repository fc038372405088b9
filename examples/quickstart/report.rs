use std::cell::Cell;
use std::error::Error;
use std::fmt::Display;

/// Prints numbered steps and what came back.
pub struct Report {
    step: Cell<u32>,
}

impl Report {
    pub fn new() -> Self {
        Self { step: Cell::new(0) }
    }

    pub fn heading(&self, text: impl Display) {
        println!("{text}\n");
    }

    pub fn step(&self, what: &str, outcome: impl Display) {
        self.step.set(self.step.get() + 1);
        println!("{:>3}. {what:<24} {outcome}", self.step.get());
    }

    pub fn detail(&self, text: impl Display) {
        println!("{:29} {text}", "");
    }
}

/// An error with everything that caused it.
pub fn failure(error: &dyn Error) {
    eprintln!("quickstart: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        eprintln!("  because: {error}");
        cause = error.source();
    }
}
