//! What a walk over a long list gains from several pages at a time, and how much memory it takes. What it
//! costs beside a loop written by hand is part of the bench `calls`.
//!
//! `cargo bench --bench walk --features full` prints the figures.

#[path = "support/measure.rs"]
mod measure;

use std::thread;
use std::time::Duration;

use keystone_client::backend::UreqBackend;
use keystone_client::resources::Grant;
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::from_fn;
use keystone_client::{Id, List, blocking};
use serde_json::json;

use crate::measure::{in_turns, peak_of};

const ROWS: u64 = 50_000;
const TOKEN: &str = "a-token-for-the-bench";

fn sandbox() -> Sandbox {
    let sandbox =
        Sandbox::builder().staff("admin", "admin-password").api_token("admin", TOKEN).build();
    sandbox.insert("users/teams", json!({ "name": "Folding" })).expect("the team is one");
    for number in 1..=ROWS {
        let grant = json!({
            "title": format!("Grant {number}"), "agency": "NSF", "amount": "1234567.89",
            "start_date": "2026-01-31", "team": 1, "description": "What it is for, in some words.",
        });
        sandbox.insert("research/grants", grant).expect("the grant is one");
    }
    sandbox
}

fn iterate(list: List<Grant, blocking::KeystoneClient>) -> u64 {
    list.iter().map(|grant| grant.expect("the grant is one")).map(drop).count() as u64
}

fn main() {
    let sandbox = sandbox();
    let server = sandbox.serve().expect("the port is free");
    let url = format!("{}/", server.url().trim_end_matches('/'));
    let client = blocking::KeystoneClient::builder(&url)
        .api_token(TOKEN)
        .backend(UreqBackend::new().expect("the transport is there"))
        .build()
        .expect("the URL is one");
    let grants = || client.grants().list();
    sandbox.clear_requests();
    println!("{ROWS} grants in pages of 1,000");

    // The same rows with a way to the server that takes 20 ms, as on a wide network.
    let far = sandbox.clone();
    let backend = from_fn(move |request| {
        #[allow(clippy::disallowed_methods, reason = "the delay is what is looked at")]
        thread::sleep(Duration::from_millis(20));
        Ok(far.handle(request))
    });
    let far = blocking::KeystoneClient::builder("https://keystone.test")
        .api_token(TOKEN)
        .backend(backend)
        .build()
        .expect("the URL is one");
    for pages in [2, 4, 8] {
        let (one, several) = in_turns(
            3,
            || assert_eq!(iterate(far.grants().list()), ROWS),
            || assert_eq!(iterate(far.grants().list().concurrency(pages)), ROWS),
        );
        println!(
            "20 ms away, {pages} pages at a time:                {:.2} of the time of one at a time",
            several / one
        );
    }

    println!("memory at the most, the server's for a page included:");
    let some = ROWS / 10;
    for (name, concurrency) in [("one page at a time", 1), ("four pages at a time", 4)] {
        let peak = |rows: u64| {
            let list = || grants().filter(|g| g.id.lte(Id::new(rows))).concurrency(concurrency);
            peak_of(|| assert_eq!(iterate(list()), rows))
        };
        let (few, many) = (peak(some), peak(ROWS));
        println!(
            "{name:44} {:.2} ({:.2} MB for {some} rows, {:.2} MB for {ROWS})",
            many as f64 / few as f64,
            few as f64 / 1e6,
            many as f64 / 1e6
        );
    }
}
