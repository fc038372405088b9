//! What calls of this crate cost beside the same calls written by hand: same HTTP library, settings,
//! headers, model and runtime, against the same server on loopback.
//!
//! `cargo bench --bench calls --features full` prints wall times; with `-- instructions` behind it what
//! callgrind counts, with `-- allocations` how often and how much is allocated, and with `-- check` it
//! fails if a call has become clearly dearer. `docs/performance.md` has the tables.

mod allocations;
mod cases;
mod check;
mod faces;
mod hand;
mod instructions;
mod peer;
mod typed;
mod wall;

#[path = "../support/machine.rs"]
mod machine;
#[path = "../support/measure.rs"]
mod measure;
#[path = "../support/table.rs"]
mod table;

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Cargo adds an argument of its own.
    let arguments: Vec<String> = env::args().skip(1).filter(|text| text != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => wall::print(None),
        [only @ ("reqwest" | "isahc" | "ureq")] => wall::print(Some(only)),
        ["allocations"] => allocations::print(),
        ["instructions"] => instructions::print(),
        ["check"] => return check::check(),
        // The two roles in which this program starts itself.
        ["serve"] => peer::serve(),
        ["perform", face, side, case, times, url] => {
            faces::perform(face, side, case, times, url);
        }
        _ => {
            eprintln!(
                "arguments: none, `reqwest`, `isahc`, `ureq`, `allocations`, `instructions`, `check`"
            );
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
