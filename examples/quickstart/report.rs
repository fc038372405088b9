use std::cell::Cell;
use std::error::Error;
use std::fmt::Display;

/// Prints numbered steps and what came back.
pub struct Report {
    step: Cell<u32>,
    /// How many records could not be deleted.
    left_behind: Cell<u32>,
}

impl Report {
    pub fn new() -> Self {
        Self { step: Cell::new(0), left_behind: Cell::new(0) }
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

    pub fn deletion(
        &self,
        what: &str,
        id: impl Display,
        outcome: Result<(), keystone_client::Error>,
    ) {
        match outcome {
            Ok(()) => self.step(what, format!("#{id}")),
            Err(error) => {
                self.left_behind.set(self.left_behind.get() + 1);
                self.step(what, format!("#{id} is left behind: {error}"));
            }
        }
    }

    pub fn finish(&self) -> Result<(), Box<dyn Error>> {
        match self.left_behind.get() {
            0 => Ok(()),
            count => Err(format!("{count} records could not be deleted").into()),
        }
    }
}
