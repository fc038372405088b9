//! What a walk over a long list costs, beside a loop written by hand with the same HTTP library, page
//! size and model, against the same server on loopback; and how much memory it takes.
//!
//! `cargo bench --bench walk --features full` prints the ratios.

#[path = "support/measure.rs"]
mod measure;

use std::thread;
use std::time::Duration;

use keystone_client::backend::{ReqwestBackend, UreqBackend};
use keystone_client::resources::Grant;
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::from_fn;
use keystone_client::{Id, KeystoneClient, List, blocking};
use serde::Deserialize;
use serde_json::json;

use crate::measure::{in_turns, peak_of};

const ROWS: u64 = 50_000;
const TOKEN: &str = "a-token-for-the-bench";
const TURNS: usize = 9;

#[derive(Deserialize)]
struct Page {
    count: u64,
    results: Vec<Grant>,
}

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

/// A walk as one writes it by hand: by key, until nothing is left.
fn loop_with_ureq(agent: &ureq::Agent, url: &str) -> u64 {
    let (mut rows, mut last) = (0, 0);
    loop {
        let url = format!("{url}research/grants/?_order=id&_limit=1000&id__gt={last}");
        let bytes = agent
            .get(&url)
            .header("Authorization", format!("Token {TOKEN}"))
            .header("Accept", "application/json")
            .call()
            .and_then(|mut response| response.body_mut().with_config().limit(1 << 28).read_to_vec())
            .expect("the server answers");
        let page: Page = serde_json::from_slice(&bytes).expect("the page is one");
        let length = page.results.len() as u64;
        rows += length;
        match page.results.last() {
            Some(grant) if page.count > length => last = grant.id.get(),
            _ => return rows,
        }
    }
}

async fn loop_with_reqwest(client: &reqwest::Client, url: &str) -> u64 {
    let (mut rows, mut last) = (0, 0);
    loop {
        let url = format!("{url}research/grants/?_order=id&_limit=1000&id__gt={last}");
        let request = client
            .get(url)
            .header("Authorization", format!("Token {TOKEN}"))
            .header("Accept", "application/json");
        let response = request.send().await.expect("the server answers");
        let bytes = response.bytes().await.expect("the body comes");
        let page: Page = serde_json::from_slice(&bytes).expect("the page is one");
        let length = page.results.len() as u64;
        rows += length;
        match page.results.last() {
            Some(grant) if page.count > length => last = grant.id.get(),
            _ => return rows,
        }
    }
}

fn iterate(list: List<Grant, blocking::KeystoneClient>) -> u64 {
    list.iter().map(|grant| grant.expect("the grant is one")).map(drop).count() as u64
}

async fn stream(client: &KeystoneClient) -> u64 {
    let (mut rows, mut grants) = (0, client.grants().list().stream());
    while let Some(grant) = grants.next().await {
        drop(grant.expect("the grant is one"));
        rows += 1;
    }
    rows
}

fn report(name: &str, (by_hand, ours): (f64, f64)) {
    println!(
        "{name:44} {:.3} (by hand {:.0} ms, ours {:.0} ms; medians of {TURNS})",
        ours / by_hand,
        by_hand / 1e6,
        ours / 1e6
    );
}

fn main() {
    let sandbox = sandbox();
    let server = sandbox.serve().expect("the port is free");
    let url = format!("{}/", server.url().trim_end_matches('/'));
    println!("{ROWS} grants in pages of 1,000; wall time, ours / by hand:");

    let agent = ureq::Agent::new_with_defaults();
    let client = blocking::KeystoneClient::builder(&url)
        .api_token(TOKEN)
        .backend(UreqBackend::new().expect("the transport is there"))
        .build()
        .expect("the URL is one");
    let grants = || client.grants().list();
    sandbox.clear_requests();
    let ratio = in_turns(
        TURNS,
        || assert_eq!(loop_with_ureq(&agent, &url), ROWS),
        || assert_eq!(iterate(grants()), ROWS),
    );
    report("ureq, iter", ratio);

    let runtime = tokio::runtime::Runtime::new().expect("the runtime starts");
    let bare = reqwest::Client::new();
    let async_client = KeystoneClient::builder(&url)
        .api_token(TOKEN)
        .backend(ReqwestBackend::new().expect("the transport is there"))
        .build()
        .expect("the URL is one");
    let ratio = in_turns(
        TURNS,
        || assert_eq!(runtime.block_on(loop_with_reqwest(&bare, &url)), ROWS),
        || assert_eq!(runtime.block_on(stream(&async_client)), ROWS),
    );
    report("reqwest, stream", ratio);

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
