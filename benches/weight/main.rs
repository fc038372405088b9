//! What a program weighs that logs in and fetches one record, beside the same written by hand with the
//! HTTP library alone: crates, time of a clean build, size; and how long such a process runs.
//!
//! `cargo bench --bench weight --features sandbox-tls` builds throw-away packages below `target/` and
//! prints two tables in Markdown. It takes half an hour on two cores, of which nobody else should make
//! use meanwhile. `KEYSTONE_WEIGHT_BUILDS=1` makes one clean build of each instead of three, and
//! `KEYSTONE_WEIGHT_STARTS` says how often each process is started, 51 times if it is not set.

#[path = "../support/machine.rs"]
mod machine;
mod package;
mod programs;
mod start_up;
#[path = "../support/table.rs"]
mod table;

use std::env;

use crate::package::{Package, Weight};
use crate::programs::{BUILDS, Profile};
use crate::table::Table;

fn setting(name: &str, default: usize) -> usize {
    match env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")),
        Err(_) => default,
    }
}

/// Builds both programs so many times, in turns so that both meet the same disturbances.
fn weigh_in_turns(packages: &[Package], builds: usize) -> Vec<Weight> {
    let mut seconds = vec![Vec::new(); packages.len()];
    for _ in 0..builds {
        for (package, seconds) in packages.iter().zip(&mut seconds) {
            seconds.push(package.build_from_nothing());
        }
    }
    packages.iter().zip(seconds).map(|(package, seconds)| package.weigh(seconds)).collect()
}

fn main() {
    let builds = setting("KEYSTONE_WEIGHT_BUILDS", 3).max(1);
    let starts = setting("KEYSTONE_WEIGHT_STARTS", 51).max(1);
    println!("{}\n", machine::describe());

    let mut table = Table::new(&[
        "build",
        "clean build, times bare",
        "size, times bare",
        "crates more than bare",
        "crates",
        "with build dependencies",
        "clean build, s",
        "stripped, bytes",
        "bare: crates",
        "with build dependencies",
        "clean build, s",
        "stripped, bytes",
    ]);
    // All that is fetched is so before the first clock starts.
    let packages = BUILDS
        .iter()
        .map(|build| [&build.ours, &build.bare].map(|program| Package::of(program, build.profile)));
    let packages: Vec<_> = packages.collect();
    for (build, packages) in BUILDS.iter().zip(packages) {
        eprintln!("weighing: {}", build.name);
        let weights = weigh_in_turns(&packages, builds);
        let [ours, bare] = weights.as_slice() else { unreachable!("two packages") };
        table.row(vec![
            build.name.to_owned(),
            format!("{:.2}", ours.build_seconds / bare.build_seconds),
            format!("{:.2}", ours.bytes as f64 / bare.bytes as f64),
            format!("{:+}", ours.crates as isize - bare.crates as isize),
            ours.crates.to_string(),
            ours.crates_with_build.to_string(),
            format!("{:.1}", ours.build_seconds),
            ours.bytes.to_string(),
            bare.crates.to_string(),
            bare.crates_with_build.to_string(),
            format!("{:.1}", bare.build_seconds),
            bare.bytes.to_string(),
        ]);
    }
    println!("## Weight\n\nEach clean build is the median of {builds}.\n\n{table}");
    println!("## Start-up\n\n{}", start_up::measure(starts, Profile::Release));
}
