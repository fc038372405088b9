//! On what was measured, and when.

use std::fs;
use std::process::Command;
use std::thread;

use keystone_client::jiff::Zoned;

/// One line: date, processor, how many of them, compiler.
pub fn description() -> String {
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|line| line.split_once(": ")).map_or("", |(_, model)| model);
    let processors = thread::available_parallelism().map_or(0, usize::from);
    let compiler = Command::new("rustc").arg("--version").output();
    let compiler = compiler.map(|output| output.stdout).unwrap_or_default();
    format!(
        "{}, {processors} × {model}, {}",
        Zoned::now().date(),
        String::from_utf8_lossy(&compiler).trim()
    )
}
