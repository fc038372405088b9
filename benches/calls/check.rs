//! Whether calls have become clearly dearer.

use std::process::ExitCode;

pub fn check() -> ExitCode {
    ExitCode::SUCCESS
}
