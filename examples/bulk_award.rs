//! Awards service units by a table: one row for each request and cluster.
//!
//! ```text
//! cargo run --example bulk_award -- --template > awards.csv
//! cargo run --example bulk_award -- awards.csv --dry-run
//! cargo run --example bulk_award -- awards.csv --report failed.csv
//! ```

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Parser;
use comfy_table::{Table, presets};
use indicatif::ProgressBar;
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::civil::date;
use keystone_client::jiff::tz::TimeZone;
use keystone_client::resources::{AllocationRequest, AllocationSummary, RequestStatus};
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::{Id, KeystoneClient, RowOutcome};
use serde::{Deserialize, Serialize};

/// Awards service units by a CSV file with the columns request, cluster and awarded.
///
/// What is awarded already is left alone, so that a file can be applied twice. Rows that cannot be
/// applied stop no others; the exit code is 1 then.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD; without
/// KEYSTONE_URL to a made-up centre in memory, which forgets what was awarded.
#[derive(Parser)]
struct Options {
    /// The CSV file; `-` for the standard input.
    #[arg(value_name = "FILE", required_unless_present = "template")]
    file: Option<PathBuf>,

    /// Print such a file for all pending requests, which awards what they ask for.
    #[arg(long, conflicts_with_all = ["file", "dry_run", "report"])]
    template: bool,

    /// Say what would be done, and leave it at that.
    #[arg(long)]
    dry_run: bool,

    /// Write the rows that were not applied, and why, to this CSV file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// A row of the file.
#[derive(Serialize, Deserialize)]
struct Row {
    request: Id<AllocationRequest>,
    cluster: String,
    awarded: u64,
}

/// A row of the report, which can be mended and applied.
#[derive(Serialize)]
struct Failure<'a> {
    request: Id<AllocationRequest>,
    cluster: &'a str,
    awarded: u64,
    reason: &'a str,
}

/// A row, and what becomes of it.
struct Award {
    row: Row,
    state: State,
}

enum State {
    /// To be awarded.
    Open(AllocationSummary),
    /// It was awarded already.
    Unchanged,
    Done,
    /// It cannot be, or was not, for this reason.
    Failed(String),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let client = connect()?;
    let Some(file) = options.file else {
        template(&client).await?;
        return Ok(ExitCode::SUCCESS);
    };
    let rows = read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    // Made before anything is awarded, lest there be nowhere to say what was not. It gets its name at
    // the end, as that may be the name of what has just been read.
    let mut report = options.report.as_deref().map(new_report).transpose()?;
    let mut awards = plan(&client, rows).await?;
    for Award { row, state } in &awards {
        let State::Open(AllocationSummary { requested, awarded, .. }) = state else { continue };
        let Row { request, cluster, .. } = row;
        if row.awarded > *requested {
            eprintln!("warning: request {request} on {cluster} asks for {requested} only");
        }
        if let Some(awarded) = awarded {
            eprintln!("warning: request {request} on {cluster} has {awarded} already");
        }
    }
    if options.dry_run {
        print_plan(&awards);
    } else {
        apply(&client, &mut awards).await;
    }
    let count = |is: fn(&State) -> bool| awards.iter().filter(|award| is(&award.state)).count();
    let verb = if options.dry_run { "to award" } else { "awarded" };
    println!(
        "Rows: {} {verb}, {} as they were, {} failed.",
        count(|state| matches!(state, State::Open(_) | State::Done)),
        count(|state| matches!(state, State::Unchanged)),
        count(|state| matches!(state, State::Failed(_))),
    );
    let mut exit = ExitCode::SUCCESS;
    for Award { row, state } in &awards {
        let State::Failed(reason) = state else { continue };
        let Row { request, ref cluster, awarded } = *row;
        eprintln!("request {request} on {cluster}: {reason}");
        if let Some(report) = &mut report {
            report.serialize(Failure { request, cluster, awarded, reason })?;
        }
        exit = ExitCode::FAILURE;
    }
    if let (Some(mut report), Some(name)) = (report, options.report) {
        report.flush()?;
        fs::rename(unfinished(&name), &name)?;
    }
    Ok(exit)
}

fn read(file: &Path) -> anyhow::Result<Vec<Row>> {
    let input: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(io::stdin()),
        _ => Box::new(File::open(file)?),
    };
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let rows = csv.deserialize().collect::<Result<Vec<_>, _>>()?;
    ensure!(!rows.is_empty(), "there are no rows in it");
    Ok(rows)
}

fn new_report(file: &Path) -> anyhow::Result<csv::Writer<File>> {
    csv::Writer::from_path(unfinished(file))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Where a report stands until it is complete.
fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Finds the allocation of each row, and what is wrong with it.
async fn plan(client: &KeystoneClient, rows: Vec<Row>) -> anyhow::Result<Vec<Award>> {
    let requests = client.resolve_all(rows.iter().map(|row| row.request)).await?;
    let clusters = client.clusters().list().all().await?;
    let clusters: BTreeSet<String> = clusters.into_iter().map(|cluster| cluster.name).collect();
    let mut seen = BTreeSet::new();
    let mut state = |row: &Row| {
        let request = requests.get(row.request).ok_or("there is no such request")?;
        if ![RequestStatus::Pending, RequestStatus::Approved].contains(&request.status) {
            return Err("the request is neither pending nor approved");
        }
        if !clusters.contains(&row.cluster) {
            return Err("there is no such cluster");
        }
        let on_cluster = |allocation: &&AllocationSummary| {
            allocation.cluster_summary.as_ref().is_some_and(|cluster| cluster.name == row.cluster)
        };
        let mut allocations = request.allocation_summaries.iter().filter(on_cluster);
        match (allocations.next(), allocations.next()) {
            (None, _) => Err("the request asks for nothing there"),
            (_, Some(_)) => Err("the request asks for it more than once"),
            (Some(allocation), None) if !seen.insert(allocation.id) => {
                Err("an earlier row is about the same")
            }
            (Some(allocation), None) if allocation.awarded == Some(row.awarded) => {
                Ok(State::Unchanged)
            }
            (Some(allocation), None) => Ok(State::Open(allocation.clone())),
        }
    };
    let award = |row| {
        let state = state(&row).unwrap_or_else(|reason| State::Failed(reason.to_owned()));
        Award { row, state }
    };
    Ok(rows.into_iter().map(award).collect())
}

fn print_plan(awards: &[Award]) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["REQUEST", "CLUSTER", "ASKED FOR", "AWARDED", "AWARD", ""]);
    for Award { row, state } in awards {
        let (asked, awarded, note) = match state {
            State::Open(allocation) => (
                allocation.requested.to_string(),
                allocation.awarded.map_or("nothing".to_owned(), |units| units.to_string()),
                "",
            ),
            State::Failed(reason) => (String::new(), String::new(), reason.as_str()),
            State::Unchanged | State::Done => (String::new(), row.awarded.to_string(), "as it is"),
        };
        table.add_row([
            row.request.to_string(),
            row.cluster.clone(),
            asked,
            awarded,
            row.awarded.to_string(),
            note.to_owned(),
        ]);
    }
    println!("{}\n", table.trim_fmt());
}

async fn apply(client: &KeystoneClient, awards: &mut [Award]) {
    let mut open: Vec<_> = awards
        .iter_mut()
        .filter_map(|Award { row, state }| match state {
            State::Open(allocation) => Some((allocation.id, row.awarded, state)),
            _ => None,
        })
        .collect();
    let bar = ProgressBar::new(open.len() as u64);
    let shown = bar.clone();
    let report = client
        .allocations()
        .update_many(&open, |(id, units, _), a| (*id, [a.awarded.set(*units)]))
        .on_progress(move |progress| shown.set_position(progress.settled() as u64))
        .await;
    bar.finish_and_clear();
    let stopped_by = report.stopped_by().map(ToString::to_string).unwrap_or_default();
    for ((_, _, state), outcome) in open.iter_mut().zip(report.into_rows()) {
        **state = match outcome {
            RowOutcome::Done(_) => State::Done,
            RowOutcome::Failed(error) => State::Failed(error.to_string()),
            RowOutcome::InDoubt(error) => State::Failed(format!("it may be awarded: {error}")),
            _ => State::Failed(format!("not attempted: {stopped_by}")),
        };
    }
}

async fn template(client: &KeystoneClient) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(io::stdout());
    let mut pending = client.requests().filter(|r| r.status.eq(RequestStatus::Pending)).stream();
    while let Some(request) = pending.next().await.transpose()? {
        for allocation in request.allocation_summaries {
            let Some(cluster) = allocation.cluster_summary else { continue };
            csv.serialize(Row {
                request: request.id,
                cluster: cluster.name,
                awarded: allocation.requested,
            })?;
        }
    }
    Ok(csv.flush()?)
}

/// The server of the environment, or a centre in memory.
fn connect() -> anyhow::Result<KeystoneClient> {
    if let Ok(url) = env::var("KEYSTONE_URL") {
        return Ok(KeystoneClient::builder(&url).credentials(Environment::new()).build()?);
    }
    let centre = Sandbox::builder()
        .start_at(date(2026, 6, 1).to_zoned(TimeZone::UTC)?.into())
        .staff("admin", "admin-password")
        .population(Population::new(1).users(60))
        .build();
    let client = KeystoneClient::builder("https://keystone.example.edu")
        .credentials(Credentials::new("admin", "admin-password"))
        .backend(centre)
        .build()?;
    Ok(client)
}
