//! What reading a page costs, beside `serde_json` with the same model, and beside reading the same bytes
//! into a struct of six integers.
//!
//! `cargo bench --bench decode` prints the times; the ratios, and the memory that a page takes,
//! follow at the end.

#[path = "support/measure.rs"]
mod measure;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use keystone_client::Resource;
use keystone_client::blocking::KeystoneClient;
use keystone_client::bytes::Bytes;
use keystone_client::http;
use keystone_client::resources::{Allocation, AllocationRequest};
use keystone_client::testing::{Fixture, from_fn};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::measure::{held_by, in_turns, turns};

const RECORDS: u64 = 1_000;

/// An allocation for a program that is interested in its numbers only.
#[derive(Deserialize)]
#[allow(dead_code, reason = "read for the time that it takes")]
struct Numbers {
    id: u64,
    requested: u64,
    awarded: Option<u64>,
    r#final: Option<u64>,
    cluster: u64,
    request: u64,
}

/// The same of a request.
#[derive(Deserialize)]
#[allow(dead_code, reason = "read for the time that it takes")]
struct Keys {
    id: u64,
    team: u64,
}

#[derive(Deserialize)]
struct Page<T> {
    results: Vec<T>,
}

/// As a program without this crate does it.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Vec<T> {
    let page: Page<T> = serde_json::from_slice(bytes).expect("the page is one");
    page.results
}

/// The whole way through a client whose server answers at once.
fn fetch<R: Resource>(client: &KeystoneClient) -> Vec<R::Model> {
    let page = client.resource::<R>().list().page(1_000, 0);
    page.send().expect("the page is one").items
}

fn client(page: &[u8]) -> KeystoneClient {
    let mut reply = http::Response::new(Bytes::copy_from_slice(page));
    let json = http::HeaderValue::from_static("application/json");
    reply.headers_mut().insert(http::header::CONTENT_TYPE, json);
    let backend = from_fn(move |_| Ok(reply.clone()));
    KeystoneClient::with_backend("https://keystone.test", backend).expect("the URL is one")
}

/// A history as the server sends it: each entry names its author in full.
fn history(entries: u64) -> Value {
    let entry = |id: u64| {
        json!({
            "id": id, "timestamp": "2026-11-23T00:42:53.356302Z", "action": "update", "actor": 102,
            "_actor": {
                "id": 102, "username": "user101", "first_name": "Mark", "last_name": "Campbell",
                "display_name": "Mark Campbell", "abbreviation": "MC",
                "email": "user101@example.com", "department": "Chemistry", "role": "Faculty"
            },
            "changes": { "awarded": ["None", "80000"], "final": ["None", "75000"] }
        })
    };
    (0..entries).map(entry).collect()
}

fn page<R: Fixture>(entries: u64) -> Vec<u8> {
    let record = |id| {
        let mut record = R::fixture_json(id);
        record["_history"] = history(entries);
        record
    };
    let results: Vec<Value> = (1..=RECORDS).map(record).collect();
    let page = json!({ "count": RECORDS, "next": null, "previous": null, "results": results });
    page.to_string().into_bytes()
}

fn compare<Bare: DeserializeOwned, Full: Resource>(name: &str, bytes: &[u8]) {
    let client = client(bytes);
    let (bare, full) = in_turns(
        101,
        || drop(black_box(read::<Bare>(black_box(bytes)))),
        || drop(black_box(fetch::<Full>(black_box(&client)))),
    );
    println!(
        "{name}: {} KB; bare {:.2} ms, full {:.2} ms, ratio {:.2}; held: {} KB as full records, {} KB as `Value`s",
        bytes.len() / 1_000,
        bare / 1e6,
        full / 1e6,
        full / bare,
        held_by(|| fetch::<Full>(&client)) / 1_000,
        held_by(|| read::<Value>(bytes)) / 1_000,
    );
}

/// Reading and the way through the client, beside reading alone.
fn compare_same<R: Resource>(name: &str, bytes: &[u8]) {
    let client = client(bytes);
    let of_slice = turns(
        101,
        || drop(black_box(read::<R::Model>(black_box(bytes)))),
        || drop(black_box(fetch::<R>(black_box(&client)))),
    );
    let text = std::str::from_utf8(bytes).expect("the page is text");
    let of_text = turns(
        101,
        || drop(black_box(serde_json::from_str::<Page<R::Model>>(black_box(text)))),
        || drop(black_box(fetch::<R>(black_box(&client)))),
    );
    println!(
        "{name}: the same model by `from_slice` {:.2} ms, ours {:.2} ms, ratio {:.3}; by `from_str` {:.2} ms, ratio {:.3}",
        of_slice.first / 1e6,
        of_slice.second / 1e6,
        of_slice.ratio,
        of_text.first / 1e6,
        of_text.ratio,
    );
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let pages = [
        ("allocations, 1 change each", page::<Allocation>(1)),
        ("allocations, 5 changes each", page::<Allocation>(5)),
    ];
    for (name, bytes) in &pages {
        let mut group = criterion.benchmark_group(*name);
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function("six integers", |b| b.iter(|| read::<Numbers>(black_box(bytes))));
        let client = client(bytes);
        group.bench_function("full record", |b| b.iter(|| fetch::<Allocation>(&client)));
        group.finish();
    }
    for (name, bytes) in &pages {
        compare::<Numbers, Allocation>(name, bytes);
    }
    for (name, bytes) in &pages {
        compare_same::<Allocation>(name, bytes);
    }
    compare_same::<AllocationRequest>("requests, 5 changes each", &page::<AllocationRequest>(5));
    compare::<Keys, AllocationRequest>("requests, 5 changes each", &page::<AllocationRequest>(5));
    criterion.final_summary();
}
