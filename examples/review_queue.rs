//! Which requests wait for a decision; and the decision on one of them, with its review, its awards,
//! its dates and a comment, in one transaction.
//!
//! ```text
//! cargo run --example review_queue
//! cargo run --example review_queue -- decide 59 --approve --award ember=104000 \
//!     --active 2026-07-01 --expire 2027-07-01 --dry-run
//! ```

use std::collections::BTreeSet;
use std::env;

use anyhow::{Context, bail, ensure};
use clap::{Args, Parser, Subcommand};
use comfy_table::{Table, presets};
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::Zoned;
use keystone_client::jiff::civil::{Date, date};
use keystone_client::jiff::tz::TimeZone;
use keystone_client::resources::{
    Allocation, AllocationRequest, AllocationSummary, NewComment, NewReview, RequestStatus, Review,
    ReviewStatus,
};
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::{ErrorKind, Id, KeystoneClient};

/// Lists the pending allocation requests, and decides on them.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD; without
/// KEYSTONE_URL to a made-up centre in memory, in which it is 1 June 2026 and which forgets what was
/// decided.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,

    /// The day by which to count how long requests have waited, if not today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
}

#[derive(Subcommand)]
enum Command {
    /// Decides on a pending request: all that is said here, or nothing.
    Decide(Decision),
}

#[derive(Args)]
struct Decision {
    /// The number of the request.
    #[arg(value_name = "ID")]
    request: Id<AllocationRequest>,

    #[command(flatten)]
    verdict: Verdict,

    /// Service units to award on a cluster; once for each cluster.
    #[arg(long = "award", value_name = "CLUSTER=UNITS", value_parser = award)]
    #[arg(conflicts_with_all = ["decline", "send_back"])]
    awards: Vec<(String, u64)>,

    /// The first day of the award, which has to be known when it is approved.
    #[arg(long, value_name = "DATE")]
    #[arg(conflicts_with_all = ["decline", "send_back"])]
    active: Option<Date>,

    /// The day on which the award ends, itself no longer part of it; without it there is no end.
    #[arg(long, value_name = "DATE")]
    #[arg(conflicts_with_all = ["decline", "send_back"])]
    expire: Option<Date>,

    /// What to tell the team.
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,

    /// Let the server try it, and keep nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Verdict {
    /// Grant it.
    #[arg(long)]
    approve: bool,

    /// Refuse it.
    #[arg(long)]
    decline: bool,

    /// Ask the team for changes.
    #[arg(long)]
    send_back: bool,
}

impl Verdict {
    fn statuses(&self) -> (ReviewStatus, RequestStatus) {
        match self {
            Self { approve: true, .. } => (ReviewStatus::Approved, RequestStatus::Approved),
            Self { decline: true, .. } => (ReviewStatus::Declined, RequestStatus::Declined),
            _ => (ReviewStatus::ChangesRequested, RequestStatus::ChangesRequested),
        }
    }
}

fn award(text: &str) -> Result<(String, u64), String> {
    let (cluster, units) = text.split_once('=').ok_or("it is not of the form CLUSTER=UNITS")?;
    let units = units.parse().map_err(|_| format!("`{units}` is no number of service units"))?;
    Ok((cluster.to_owned(), units))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (client, today) = connect()?;
    match options.command {
        None => list(&client, options.today.unwrap_or(today)).await,
        Some(Command::Decide(decision)) => decide(&client, decision).await,
    }
}

async fn list(client: &KeystoneClient, today: Date) -> anyhow::Result<()> {
    let pending = client.requests().filter(|r| r.status.eq(RequestStatus::Pending));
    let pending = pending.order_by(|r| r.submitted.asc()).all().await?;
    let mut reviews: Vec<Review> = Vec::new();
    // As many keys at a time as the address of a request has room for.
    for requests in pending.chunks(500) {
        let of_these = requests.iter().map(|request| request.id);
        reviews.extend(client.reviews().filter(|r| r.request.is_in(of_these)).all().await?);
    }
    let mut table = table(["ID", "DAYS", "TEAM", "REQUEST", "ASKS FOR", "REVIEWS"]);
    for request in &pending {
        let submitted = request.submitted.to_zoned(TimeZone::UTC).date();
        let team = request.team_summary.as_ref();
        let asked = request.allocation_summaries.iter();
        let asked = asked.map(|asked| format!("{} on {}", asked.requested, name_of(asked)));
        let reviews = reviews.iter().filter(|review| review.request == request.id);
        let reviews = reviews.map(verdict_of).collect::<Vec<_>>();
        table.add_row([
            request.id.to_string(),
            (today - submitted).get_days().to_string(),
            team.map_or_else(|| request.team.to_string(), |team| team.name.clone()),
            request.title.clone(),
            asked.collect::<Vec<_>>().join(", "),
            if reviews.is_empty() { "none".to_owned() } else { reviews.join(", ") },
        ]);
    }
    println!("{}\n\n{} pending on {today}.", table.trim_fmt(), pending.len());
    Ok(())
}

async fn decide(client: &KeystoneClient, decision: Decision) -> anyhow::Result<()> {
    let request = client.retrieve(decision.request).await?;
    let id = request.id;
    ensure!(
        request.status == RequestStatus::Pending,
        "request {id} is not pending but {}",
        request.status.label().to_lowercase()
    );
    let active = decision.active.or(request.active);
    let expire = decision.expire.or(request.expire);
    // The server would take it, and never count it.
    ensure!(!decision.verdict.approve || active.is_some(), "without --active it would never begin");
    let is_empty = matches!((active, expire), (Some(active), Some(expire)) if expire <= active);
    ensure!(!is_empty, "the award would end before it begins");
    let (review, status) = decision.verdict.statuses();

    let mut batch = client.batch();
    // All steps refer to this one. If somebody else decides first, it finds nothing, and nothing is done.
    let is_pending =
        client.requests().filter(|r| r.id.eq(id).and(r.status.eq(RequestStatus::Pending)));
    let pending = batch.add(is_pending.first()).record();
    let review = batch.add(client.reviews().create(NewReview::new(review, pending)));
    batch.add(client.requests().update(pending, |r| {
        let mut changes = vec![r.status.set(status)];
        changes.extend(decision.active.map(|day| r.active.set(day)));
        changes.extend(decision.expire.map(|day| r.expire.set(day)));
        changes
    }));
    let mut clusters = BTreeSet::new();
    for (cluster, units) in &decision.awards {
        ensure!(clusters.insert(cluster), "`{cluster}` has two awards");
        let allocation = allocation_on(&request, cluster)?;
        batch.add(client.allocations().update(allocation, |a| [a.awarded.set(*units)]));
    }
    let comment = decision
        .comment
        .map(|text| batch.add(client.comments().create(NewComment::new(text, pending))));
    // What the awards have come to.
    let after = batch.add(client.requests().retrieve(pending));

    let job = if decision.dry_run { batch.dry_run() } else { batch.run() };
    let outcome = match job.await {
        Err(error) if error.kind() == ErrorKind::UnresolvedReference => {
            bail!("request {id} has been decided by somebody else; nothing was done")
        }
        outcome => outcome?,
    };
    if outcome.is_dry_run() {
        println!("What would be done; the server has taken it back again.\n");
    }
    let (after, review) = (outcome.get(after)?, outcome.get(review)?);
    println!("Request {id}, {}: {}", after.title, after.status.label());
    if let (true, Some(active)) = (decision.verdict.approve, after.active) {
        let end = after.expire.map_or("without an end".to_owned(), |day| format!("ends on {day}"));
        println!("Award: begins on {active}, {end}");
    }
    println!("Review: {}", verdict_of(&review));
    if let Some(comment) = comment {
        println!("Comment: {}", outcome.get(comment)?.content);
    }
    let mut table = table(["CLUSTER", "ASKED FOR", "AWARDED"]);
    for allocation in &after.allocation_summaries {
        let awarded = allocation.awarded.map_or("nothing".to_owned(), |units| units.to_string());
        table.add_row([name_of(allocation).to_owned(), allocation.requested.to_string(), awarded]);
    }
    println!("\n{}", table.trim_fmt());
    Ok(())
}

/// The only allocation of a request on a cluster.
fn allocation_on(request: &AllocationRequest, cluster: &str) -> anyhow::Result<Id<Allocation>> {
    let on_cluster = |allocation: &&AllocationSummary| name_of(allocation) == cluster;
    let mut allocations = request.allocation_summaries.iter().filter(on_cluster);
    let first = allocations.next();
    let first =
        first.with_context(|| format!("request {} asks for nothing on `{cluster}`", request.id))?;
    ensure!(allocations.next().is_none(), "request {} asks twice for `{cluster}`", request.id);
    Ok(first.id)
}

fn name_of(allocation: &AllocationSummary) -> &str {
    allocation.cluster_summary.as_ref().map_or("?", |cluster| &cluster.name)
}

fn verdict_of(review: &Review) -> String {
    let reviewer = review.reviewer_summary.as_ref();
    format!("{} by {}", review.status.label(), reviewer.map_or("?", |reviewer| &reviewer.username))
}

fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header);
    table
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
