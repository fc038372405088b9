//! What is odd about people and teams, before somebody notices.
//!
//! ```text
//! cargo run --example roster_audit
//! cargo run --example roster_audit -- --format csv --strict
//! ```

use std::collections::{BTreeMap, HashSet};
use std::env;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use comfy_table::{Table, presets};
use indicatif::ProgressBar;
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::civil::{Date, date};
use keystone_client::jiff::tz::TimeZone;
use keystone_client::jiff::{ToSpan, Zoned};
use keystone_client::resources::{AllocationRequest, MembershipRole, RequestStatus, Team, User};
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::{Id, KeystoneClient};
use serde::Serialize;

/// Looks for people and teams that somebody should look after.
///
/// That is: teams without an owner, or whose owners may not log in any more; awards of teams that are
/// not in use or have no members; users in no team; users who may not log in and are still members; and
/// those who have had an account for 90 days and never logged in.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD, who has to
/// be staff to see everybody; without KEYSTONE_URL to a made-up centre in memory, in which it is
/// 1 June 2026.
#[derive(Parser)]
struct Options {
    /// Exit with 1 when anything was found.
    #[arg(long)]
    strict: bool,

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

/// Something odd.
#[derive(Serialize)]
struct Finding {
    kind: &'static str,
    subject: String,
    detail: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let (client, today) = connect()?;
    let today = options.today.unwrap_or(today);

    let approved = client.requests().filter(|r| r.status.eq(RequestStatus::Approved));
    let begun = approved.filter(|r| r.active.lte(today));
    let bar = ProgressBar::new_spinner().with_message("reading users, teams and requests");
    bar.enable_steady_tick(Duration::from_millis(100));
    let (users, teams, mut awards) =
        tokio::try_join!(client.users().list().all(), client.teams().list().all(), begun.all())?;
    bar.finish_and_clear();
    awards.retain(|request| request.is_active_on(today));
    let findings = audit(&users, &teams, &awards, today);

    match options.format {
        Format::Table => print_table(&findings, users.len(), teams.len()),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(io::stdout());
            findings.iter().try_for_each(|finding| csv.serialize(finding))?;
            csv.flush()?;
        }
        Format::Json => println!("{}", serde_json::to_string_pretty(&findings)?),
    }
    let failed = options.strict && !findings.is_empty();
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Needs no server: it is told everything.
fn audit(
    users: &[User],
    teams: &[Team],
    awards: &[AllocationRequest],
    today: Date,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut found = |kind, subject: &str, detail: String| {
        findings.push(Finding { kind, subject: subject.to_owned(), detail });
    };
    let inactive = users.iter().filter(|user| !user.is_active).map(|user| user.id);
    let inactive: HashSet<Id<User>> = inactive.collect();
    let awarded: HashSet<Id<Team>> = awards.iter().map(|request| request.team).collect();
    let long_ago = today.saturating_sub(90.days());

    for team in teams {
        let members = &team.memberships;
        let owners: Vec<_> =
            members.iter().filter(|member| member.role == MembershipRole::Owner).collect();
        let left = owners.iter().filter(|owner| inactive.contains(&owner.user)).count();
        match (owners.len(), left) {
            (0, _) => found("team without an owner", &team.name, people(members.len())),
            (all, left) if all == left => {
                found("all owners inactive", &team.name, people(members.len()));
            }
            _ => {}
        }
        if awarded.contains(&team.id) && (!team.is_active || members.is_empty()) {
            let state = if team.is_active { "nobody in it" } else { "not active" };
            found("award that nobody can use", &team.name, state.to_owned());
        }
    }
    for user in users {
        let teams = user.memberships.len();
        if user.is_active && !user.is_staff && teams == 0 {
            found("active, in no team", &user.username, user.email.clone().unwrap_or_default());
        }
        if !user.is_active && teams > 0 {
            found("inactive, still in a team", &user.username, team_names(user));
        }
        let joined = user.date_joined.to_zoned(TimeZone::UTC).date();
        if user.is_active && user.last_login.is_none() && joined < long_ago {
            found("never logged in", &user.username, format!("joined on {joined}"));
        }
    }
    findings.sort_by(|left, right| (left.kind, &left.subject).cmp(&(right.kind, &right.subject)));
    findings
}

fn people(count: usize) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}

fn team_names(user: &User) -> String {
    let teams = user.memberships.iter().filter_map(|role| role.team_summary.as_ref());
    teams.map(|team| team.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn print_table(findings: &[Finding], users: usize, teams: usize) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["FINDING", "WHO", "DETAIL"]);
    let mut counts = BTreeMap::<_, usize>::new();
    for finding in findings {
        table.add_row([finding.kind, &finding.subject, &finding.detail]);
        *counts.entry(finding.kind).or_default() += 1;
    }
    if !findings.is_empty() {
        println!("{}\n", table.trim_fmt());
    }
    println!("{} findings among {users} users and {teams} teams.", findings.len());
    for (kind, count) in counts {
        println!("{count:>4}  {kind}");
    }
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
