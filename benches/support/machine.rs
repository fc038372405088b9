//! On what was measured.

use std::fs;
use std::process::Command;
use std::thread;

use keystone_client::jiff::Zoned;

/// The date, the processor and the compiler.
pub fn describe() -> String {
    let date = Zoned::now().date();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processor
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let compiler = compiler.unwrap_or_else(|error| error.to_string());
    format!("{date}, {cores} cores of {processor}, {compiler}")
}
