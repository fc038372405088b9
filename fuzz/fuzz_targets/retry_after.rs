#![no_main]

#[allow(dead_code, reason = "there are several targets")]
#[path = "../../tests/it/robustness/probes.rs"]
mod probes;

libfuzzer_sys::fuzz_target!(|data: &[u8]| probes::retry_after(data));
