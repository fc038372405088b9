//! What is left on a team's account, cluster by cluster: the question of login nodes.
//!
//! It blocks and needs no runtime, so that a small build without one is enough for it.
//!
//! ```text
//! cargo run --no-default-features --features ureq,rustls --example remaining_units
//! cargo run --features ureq --example remaining_units -- kovac-cosmology-team --used cascade=120000
//! ```

use std::collections::BTreeMap;
use std::env;
use std::io;

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
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
use keystone_client::{Error, ErrorKind};
use serde::Serialize;

/// Shows what a team may still use on each cluster.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD or as
/// ~/.netrc says, and keeps the login for the next time; without KEYSTONE_URL to a made-up centre in
/// memory, in which it is 1 June 2026.
#[derive(Parser)]
struct Options {
    /// The short name of the team, which is its Slurm account; without it, your teams are listed.
    /// Servers before 0.8.0 have no short names: there it is the name.
    team: Option<String>,

    /// What was used on a cluster, as the scheduler counts it: Keystone knows it only when an award
    /// has ended. Can be given several times.
    #[arg(long, value_name = "CLUSTER=UNITS", value_parser = used)]
    used: Vec<(String, u64)>,

    /// The day to look at, if not today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,

    /// How to print what is left.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
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

/// One line of the report, in service units.
#[derive(Serialize)]
struct Line {
    cluster: String,
    awarded: u64,
    used: Option<u64>,
    used_share: Option<f64>,
    remaining: u64,
    overdrawn: u64,
    next_end: Option<Date>,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (client, today) = connect()?;
    let today = options.today.unwrap_or(today);
    let Some(name) = options.team else {
        return print_teams(&client);
    };
    let team = find_team(&client, &name)?.with_context(|| {
        format!("you see no team `{name}`; without a name, your teams are listed")
    })?;
    let mut accounts = accounts(&client, &team, today)?;
    for (cluster, used) in options.used {
        let Some(account) = accounts.get_mut(&cluster) else {
            bail!("`{name}` has no active award on `{cluster}`");
        };
        account.balance = account.balance.with_used(used);
    }
    let lines: Vec<Line> = accounts.into_iter().map(line).collect();

    match options.format {
        Format::Table => print_table(&team, &lines, today),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(io::stdout());
            lines.iter().try_for_each(|line| csv.serialize(line))?;
            csv.flush()?;
        }
        Format::Json => println!("{}", serde_json::to_string_pretty(&lines)?),
    }
    Ok(())
}

fn find_team(client: &KeystoneClient, name: &str) -> Result<Option<Team>, Error> {
    match client.teams().filter(|t| t.slug.eq(name)).first().send() {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            client.teams().filter(|t| t.name.eq(name)).first().send()
        }
        found => found,
    }
}

/// The awards of a team that count on a day, by the name of their cluster.
fn accounts(
    client: &KeystoneClient,
    team: &Team,
    today: Date,
) -> Result<BTreeMap<String, Account>, Error> {
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

fn line((cluster, account): (String, Account)) -> Line {
    let Account { balance, next_end } = account;
    Line {
        cluster,
        awarded: balance.awarded(),
        used: balance.used(),
        used_share: balance.used_share(),
        remaining: balance.remaining(),
        overdrawn: balance.overdrawn(),
        next_end,
    }
}

fn print_table(team: &Team, lines: &[Line], today: Date) {
    if lines.is_empty() {
        println!("{} has no active award on {today}.", team.name);
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["CLUSTER", "AWARDED", "USED", "SHARE", "LEFT", "NEXT END"]);
    let unknown = || "–".to_owned();
    for line in lines {
        table.add_row([
            line.cluster.clone(),
            line.awarded.to_string(),
            line.used.map_or_else(unknown, |units| units.to_string()),
            line.used_share.map_or_else(unknown, |share| format!("{:.0} %", 100.0 * share)),
            match line.overdrawn {
                0 => line.remaining.to_string(),
                more => format!("-{more}"),
            },
            line.next_end.map_or("none".to_owned(), |day| day.to_string()),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{} on {today}, in service units\n\n{}", team.name, table.trim_fmt());
    if lines.iter().any(|line| line.used.is_none()) {
        println!("\nWhat is in use Keystone does not know before an award ends; see --used.");
    }
}

fn print_teams(client: &KeystoneClient) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["TEAM", "NAME"]);
    for team in client.teams().filter(|t| t.is_active.eq(true)).iter() {
        let team = team?;
        let account = if team.slug.is_empty() { &team.name } else { &team.slug };
        table.add_row([account, &team.name]);
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
