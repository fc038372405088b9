//! When each approved proposal begins and ends, and where it stands.
//!
//! ```text
//! cargo run --example proposal_end_dates
//! cargo run --example proposal_end_dates -- --team kovac-cosmology-team --all
//! ```

use std::env;
use std::io;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use keystone_client::awards::Standing;
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::Zoned;
use keystone_client::jiff::civil::{Date, date};
use keystone_client::jiff::tz::TimeZone;
use keystone_client::resources::{AllocationRequest, RequestStatus};
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::{KeystoneClient, Query};
use serde::Serialize;

/// Lists approved proposals by the day on which they end.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD; without
/// KEYSTONE_URL to a made-up centre in memory, in which it is 1 June 2026.
#[derive(Parser)]
struct Options {
    /// Only those of the team with this short name.
    #[arg(long, value_name = "SLUG")]
    team: Option<String>,

    /// Those that have ended as well.
    #[arg(long)]
    all: bool,

    /// The day to look at, if not today.
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
struct Proposal {
    team: String,
    title: String,
    begins: Option<Date>,
    ends: Option<Date>,
    days_left: Option<i32>,
    standing: &'static str,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (client, today) = connect()?;
    let today = options.today.unwrap_or(today);

    let mut query =
        Query::<AllocationRequest>::new().filter(|r| r.status.eq(RequestStatus::Approved));
    if let Some(slug) = &options.team {
        let team = client.teams().filter(|t| t.slug.eq(slug)).first().await?;
        let team = team.with_context(|| format!("you see no team `{slug}`"))?;
        query = query.filter(|r| r.team.eq(team.id));
    }
    let mut requests = client.requests().query(query).all().await?;
    requests.retain(|request| options.all || request.standing_on(today) != Standing::Ended);
    // What has no end comes last.
    requests.sort_by_key(|request| request.expire.unwrap_or(Date::MAX));
    let proposals = requests.into_iter().map(|request| proposal(request, today));
    let proposals: Vec<Proposal> = proposals.collect();

    match options.format {
        Format::Table => print_table(&proposals, today),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(io::stdout());
            proposals.iter().try_for_each(|proposal| csv.serialize(proposal))?;
            csv.flush()?;
        }
        Format::Json => println!("{}", serde_json::to_string_pretty(&proposals)?),
    }
    Ok(())
}

fn proposal(request: AllocationRequest, today: Date) -> Proposal {
    Proposal {
        standing: match request.standing_on(today) {
            Standing::Upcoming => "upcoming",
            Standing::Active if request.expire.is_none() => "active, without an end",
            Standing::Active => "active",
            Standing::Ended => "ended",
            _ => "without a first day",
        },
        team: request.team_summary.map_or_else(|| request.team.to_string(), |team| team.name),
        title: request.title,
        begins: request.active,
        ends: request.expire,
        days_left: request.expire.map(|day| (day - today).get_days()),
    }
}

fn print_table(proposals: &[Proposal], today: Date) {
    let day = |day: Option<Date>| day.map_or_else(|| "–".to_owned(), |day| day.to_string());
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["ENDS", "DAYS", "BEGINS", "STANDING", "TEAM", "PROPOSAL"]);
    table.column_mut(1).expect("there are six").set_cell_alignment(CellAlignment::Right);
    for proposal in proposals {
        table.add_row([
            day(proposal.ends),
            proposal.days_left.map_or_else(|| "–".to_owned(), |days| days.to_string()),
            day(proposal.begins),
            proposal.standing.to_owned(),
            proposal.team.clone(),
            proposal.title.clone(),
        ]);
    }
    if !proposals.is_empty() {
        println!("{}\n", table.trim_fmt());
    }
    println!("{} approved proposals on {today}.", proposals.len());
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
