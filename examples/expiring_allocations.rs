//! Which approved requests end within the next 30, 60 and 90 days, and whether anybody has asked
//! for more.
//!
//! ```text
//! cargo run --example expiring_allocations
//! cargo run --example expiring_allocations -- --within 30 --format csv
//! ```

use std::collections::BTreeSet;
use std::env;
use std::io;

use clap::{Parser, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::civil::{Date, date};
use keystone_client::jiff::tz::TimeZone;
use keystone_client::jiff::{ToSpan, Zoned};
use keystone_client::resources::{AllocationRequest, MembershipRole, RequestStatus, Team};
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::{Id, KeystoneClient};
use serde::Serialize;

/// Lists the approved allocation requests that end soon.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD; without
/// KEYSTONE_URL to a made-up centre in memory, in which it is 1 June 2026.
#[derive(Parser)]
struct Options {
    /// How many days to look ahead.
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    within: u16,

    /// The day from which to look, if not today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,

    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

/// One line of the report.
#[derive(Serialize)]
struct Ending {
    ends: Date,
    days_left: i32,
    request: String,
    team: String,
    owners: String,
    clusters: String,
    successor_pending: bool,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (client, today) = connect()?;
    let today = options.today.unwrap_or(today);
    let endings = endings(&client, today, options.within).await?;
    match options.format {
        Format::Table => print_table(&endings, today, options.within),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(io::stdout());
            endings.iter().try_for_each(|ending| csv.serialize(ending))?;
            csv.flush()?;
        }
        Format::Json => println!("{}", serde_json::to_string_pretty(&endings)?),
    }
    Ok(())
}

async fn endings(
    client: &KeystoneClient,
    today: Date,
    within: u16,
) -> Result<Vec<Ending>, keystone_client::Error> {
    let last = today.saturating_add(i32::from(within).days());
    let requests = client
        .requests()
        .filter(|r| r.status.eq(RequestStatus::Approved))
        .filter(|r| r.expire.gt(today).and(r.expire.lte(last)))
        .order_by(|r| r.expire.asc())
        .all()
        .await?;
    let pending: BTreeSet<Id<Team>> = client
        .requests()
        .filter(|r| r.status.eq(RequestStatus::Pending))
        .all()
        .await?
        .into_iter()
        .map(|request| request.team)
        .collect();
    // The teams in full, as requests do not say who owns them.
    let teams = client.resolve_all(requests.iter().map(|request| request.team)).await?;
    Ok(requests
        .iter()
        .map(|request| ending(request, teams.get(request.team), &pending, today))
        .collect())
}

fn ending(
    request: &AllocationRequest,
    team: Option<&Team>,
    pending: &BTreeSet<Id<Team>>,
    today: Date,
) -> Ending {
    let ends = request.expire.unwrap_or(Date::MAX);
    let owners = team.into_iter().flat_map(|team| &team.memberships);
    let owners = owners.filter(|membership| membership.role == MembershipRole::Owner);
    let owners = owners.filter_map(|membership| membership.user_summary.as_ref());
    let clusters = request.allocation_summaries.iter();
    let clusters = clusters.filter_map(|allocation| allocation.cluster_summary.as_ref());
    let clusters: BTreeSet<&str> = clusters.map(|cluster| cluster.name.as_str()).collect();
    Ending {
        ends,
        days_left: (ends - today).get_days(),
        request: request.title.clone(),
        team: team.map_or_else(|| request.team.to_string(), |team| team.name.clone()),
        owners: owners.map(|user| user.username.as_str()).collect::<Vec<_>>().join(", "),
        clusters: clusters.into_iter().collect::<Vec<_>>().join(", "),
        successor_pending: pending.contains(&request.team),
    }
}

fn print_table(endings: &[Ending], today: Date, within: u16) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["ENDS", "DAYS", "REQUEST", "TEAM", "OWNERS", "CLUSTERS", "SUCCESSOR"]);
    table.column_mut(1).expect("there are seven").set_cell_alignment(CellAlignment::Right);
    for ending in endings {
        table.add_row([
            ending.ends.to_string(),
            ending.days_left.to_string(),
            ending.request.clone(),
            ending.team.clone(),
            ending.owners.clone(),
            ending.clusters.clone(),
            if ending.successor_pending { "pending" } else { "none" }.to_owned(),
        ]);
    }
    println!("{}\n", table.trim_fmt());
    let mut summary = format!("On {today}: {} end within {within} days", endings.len());
    for days in [60, 30].into_iter().filter(|&days| days < within) {
        let count = endings.iter().filter(|ending| ending.days_left <= i32::from(days)).count();
        summary.push_str(&format!(", {count} within {days}"));
    }
    println!("{summary}.");
}

/// The server of the environment and today, or a centre in memory and its day.
fn connect() -> anyhow::Result<(KeystoneClient, Date)> {
    if let Ok(url) = env::var("KEYSTONE_URL") {
        let client = KeystoneClient::builder(&url).credentials(Environment::new()).build()?;
        return Ok((client, Zoned::now().date()));
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
