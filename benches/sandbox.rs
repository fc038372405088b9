//! What the server in memory costs: round trips of typed calls, filling it, and copies of it.
//!
//! `cargo bench --bench sandbox --features sandbox` prints the times.

use std::time::Duration;

use criterion::{BatchSize, Criterion};
use keystone_client::jiff::civil::date;
use keystone_client::resources::{Cluster, NewGrant, Team};
use keystone_client::rust_decimal::Decimal;
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::serde_json::json;
use keystone_client::{Id, KeystoneClient, blocking};

const TOKEN: &str = "a-token-for-the-bench";
const ROWS: usize = 100_000;

fn populated(rows: usize) -> Sandbox {
    Sandbox::builder()
        .staff("admin", "admin-password")
        .api_token("admin", TOKEN)
        .population(Population::new(1).rows(rows))
        .build()
}

fn clients(sandbox: &Sandbox) -> (blocking::KeystoneClient, KeystoneClient) {
    const URL: &str = "https://keystone.test";
    let blocking = blocking::KeystoneClient::builder(URL).api_token(TOKEN);
    let asynchronous = KeystoneClient::builder(URL).api_token(TOKEN);
    (
        blocking.backend(sandbox.clone()).build().expect("the URL is one"),
        asynchronous.backend(sandbox.clone()).build().expect("the URL is one"),
    )
}

fn round_trips(criterion: &mut Criterion) {
    let sandbox = populated(10_000);
    let (client, async_client) = clients(&sandbox);
    let team: Id<Team> = Id::new(3);
    let mut group = criterion.benchmark_group("round trip");
    group.bench_function("retrieve a team, blocking", |bencher| {
        bencher.iter(|| client.retrieve_team(team).send().expect("there is one"));
    });
    group.bench_function("retrieve a team, async", |bencher| {
        let retrieve = async || async_client.retrieve_team(team).await.expect("there is one");
        bencher.iter(|| pollster::block_on(retrieve()));
    });
    let cluster: Id<Cluster> = Id::new(3);
    group.bench_function("retrieve a cluster, blocking", |bencher| {
        bencher.iter(|| client.retrieve_cluster(cluster).send().expect("there is one"));
    });
    group.bench_function("page of 100, blocking", |bencher| {
        bencher.iter(|| client.grants().list().page(100, 0).send().expect("there is one"));
    });
    group.bench_function("create, blocking", |bencher| {
        let grant = NewGrant::new(
            "A title",
            "An agency",
            Decimal::new(123_456_789, 2),
            date(2026, 1, 31),
            team,
        );
        let mut made = 0_u32;
        bencher.iter(|| {
            made += 1;
            if made % 1000 == 0 {
                sandbox.clear_requests();
            }
            client.create_grant(grant.clone()).send().expect("it is taken")
        });
    });
    group.finish();
}

fn whole_servers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("100,000 rows");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("populate", |bencher| {
        bencher.iter_batched(|| (), |()| populated(ROWS), BatchSize::PerIteration);
    });
    group.sample_size(100).measurement_time(Duration::from_secs(5));
    let sandbox = populated(ROWS);
    group.bench_function("fork", |bencher| bencher.iter_with_large_drop(|| sandbox.fork()));
    group.bench_function("fork, and a first write", |bencher| {
        let mut number = 0_u64;
        bencher.iter_with_large_drop(|| {
            number += 1;
            let fork = sandbox.fork();
            let team = json!({ "name": format!("Team {number}") });
            fork.insert("users/teams", team).expect("it is taken");
            fork
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    round_trips(&mut criterion);
    whole_servers(&mut criterion);
    criterion.final_summary();
}
