//! What is left on a team's account, cluster by cluster: the question of login nodes.
//!
//! It blocks and needs no runtime. Copied into a crate of its own it is a program of 3 MB.
//!
//! ```text
//! cargo run --no-default-features --features ureq,rustls --example remaining_units
//! cargo run --features ureq --example remaining_units -- kovac-cosmology-team --used cascade=120000
//! ```

use std::collections::BTreeMap;
use std::env;

use anyhow::{Context, bail};
use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use keystone_client::awards::Balance;
use keystone_client::blocking::KeystoneClient;
use keystone_client::credentials::{CredentialChain, Credentials, Environment, Netrc};
use keystone_client::jiff::Zoned;
use keystone_client::jiff::civil::{Date, date};
use keystone_client::jiff::tz::TimeZone;
use keystone_client::resources::{RequestStatus, Team};
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::session_store::FileSessionStore;

/// Shows what a team may still use on each cluster.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD or as
/// ~/.netrc says, and keeps the login for the next time; without KEYSTONE_URL to a made-up centre in
/// memory, in which it is 1 June 2026.
#[derive(Parser)]
struct Options {
    /// The short name of the team, which is its Slurm account; without it, your teams are listed.
    team: Option<String>,

    /// What was used on a cluster, as the scheduler counts it: Keystone knows it only when an award
    /// has ended. Can be given several times.
    #[arg(long, value_name = "CLUSTER=UNITS", value_parser = used)]
    used: Vec<(String, u64)>,

    /// The day to look at, if not today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
}

fn used(text: &str) -> anyhow::Result<(String, u64)> {
    let (cluster, units) = text.split_once('=').context("it has no `=`")?;
    Ok((cluster.to_owned(), units.parse().context("the units are no number")?))
}

/// What a team may use on one cluster.
#[derive(Default)]
struct Account {
    balance: Balance,
    /// When the first of the awards ends that make it up.
    next_end: Option<Date>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (client, today) = connect()?;
    let today = options.today.unwrap_or(today);
    let Some(slug) = options.team else {
        return print_teams(&client);
    };
    let team = client.teams().filter(|t| t.slug.eq(&slug)).first().send()?.with_context(|| {
        format!("you see no team `{slug}`; without a name, your teams are listed")
    })?;
    let mut accounts = accounts(&client, &team, today)?;
    for (cluster, used) in options.used {
        let Some(account) = accounts.get_mut(&cluster) else {
            bail!("`{slug}` has no active award on `{cluster}`");
        };
        account.balance = account.balance.with_used(used);
    }
    print_accounts(&team, &accounts, today);
    Ok(())
}

/// The awards of a team that count on a day, by the name of their cluster.
fn accounts(
    client: &KeystoneClient,
    team: &Team,
    today: Date,
) -> Result<BTreeMap<String, Account>, keystone_client::Error> {
    let mut accounts = BTreeMap::<_, Account>::new();
    let begun = client
        .requests()
        .filter(|r| r.team.eq(team.id))
        .filter(|r| r.status.eq(RequestStatus::Approved))
        .filter(|r| r.active.lte(today));
    for request in begun.iter() {
        let request = request?;
        if !request.is_active_on(today) {
            continue;
        }
        for allocation in &request.allocation_summaries {
            let cluster = allocation.cluster_summary.as_ref();
            let name = cluster.map_or_else(|| "?".to_owned(), |cluster| cluster.name.clone());
            let account = accounts.entry(name).or_default();
            account.balance += allocation.balance();
            // No end comes after every other.
            let ends = [account.next_end, request.expire];
            account.next_end = ends.into_iter().flatten().min();
        }
    }
    Ok(accounts)
}

fn print_accounts(team: &Team, accounts: &BTreeMap<String, Account>, today: Date) {
    if accounts.is_empty() {
        println!("{} has no active award on {today}.", team.name);
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["CLUSTER", "AWARDED", "USED", "LEFT", "SHARE USED", "NEXT END"]);
    for column in table.column_iter_mut().skip(1).take(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (cluster, Account { balance, next_end }) in accounts {
        table.add_row([
            cluster.clone(),
            balance.awarded().to_string(),
            balance.used().to_string(),
            match balance.overdrawn() {
                0 => balance.remaining().to_string(),
                more => format!("-{more}"),
            },
            balance
                .used_share()
                .map_or("–".to_owned(), |share| format!("{:.0} %", 100.0 * share)),
            next_end.map_or("none".to_owned(), |day| day.to_string()),
        ]);
    }
    println!("{} on {today}, in service units\n\n{}", team.name, table.trim_fmt());
}

fn print_teams(client: &KeystoneClient) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["TEAM", "NAME"]);
    for team in client.teams().filter(|t| t.is_active.eq(true)).iter() {
        let team = team?;
        table.add_row([team.slug, team.name]);
    }
    println!("{}", table.trim_fmt());
    Ok(())
}

/// The server of the environment and today, or a centre in memory and its day.
fn connect() -> anyhow::Result<(KeystoneClient, Date)> {
    if let Ok(url) = env::var("KEYSTONE_URL") {
        let mut builder = KeystoneClient::builder(&url)
            .credentials(CredentialChain::new().then(Environment::new()).then(Netrc::new()));
        // The password is asked for, and hashed by the server, once in two weeks.
        if let Ok(username) = env::var("KEYSTONE_USERNAME") {
            builder = builder.session_store(FileSessionStore::new()?, username);
        }
        return Ok((builder.build()?, Zoned::now().date()));
    }
    let today = date(2026, 6, 1);
    let centre = Sandbox::builder()
        .start_at(today.to_zoned(TimeZone::UTC)?.into())
        .staff("admin", "admin-password")
        .population(Population::new(1).users(60))
        .build();
    let client = KeystoneClient::builder("https://keystone.example.edu")
        .credentials(Credentials::new("admin", "admin-password"))
        .backend(centre)
        .build()?;
    Ok((client, today))
}
