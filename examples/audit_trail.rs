//! Everything that the audit log says about one record: who changed what, and when.
//!
//! ```text
//! cargo run --example audit_trail -- team 1
//! cargo run --example audit_trail -- request 70 --since 2026-01-01
//! ```

use std::env;
use std::io;

use clap::{Parser, ValueEnum};
use comfy_table::{Table, presets};
use keystone_client::KeystoneClient;
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::Timestamp;
use keystone_client::jiff::civil::{Date, date};
use keystone_client::jiff::tz::TimeZone;
use keystone_client::resources::AuditLogEntry;
use keystone_client::sandbox::{Population, Sandbox};
use serde::Serialize;

/// Shows who changed a record, in the order in which it happened.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD, who has to
/// be staff; without KEYSTONE_URL to a made-up centre in memory, in which it is 1 June 2026. Servers
/// keep the audit log for 30 days unless they are told otherwise.
#[derive(Parser)]
struct Options {
    /// The kind of record.
    #[arg(value_enum)]
    kind: Kind,

    /// Its number.
    id: u64,

    /// Nothing that happened before this day, in UTC.
    #[arg(long, value_name = "YYYY-MM-DD")]
    since: Option<Date>,

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

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Allocation,
    Attachment,
    Cluster,
    Comment,
    Grant,
    Membership,
    Publication,
    Request,
    Review,
    Team,
    User,
}

impl Kind {
    /// What the log calls it, after the name of the application.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Allocation => &["Allocation", "ResourceAllocation"],
            Self::Attachment => &["Attachment"],
            Self::Cluster => &["Cluster"],
            Self::Comment => &["Comment"],
            Self::Grant => &["Grant"],
            Self::Membership => &["Membership"],
            Self::Publication => &["Publication"],
            Self::Request => &["AllocationRequest"],
            Self::Review => &["AllocationReview"],
            Self::Team => &["Team"],
            Self::User => &["User"],
        }
    }

    fn is_of(self, entry: &AuditLogEntry) -> bool {
        let name = entry.record_name.rsplit('|').next().unwrap_or_default();
        self.names().contains(&name.trim())
    }
}

/// One line of the report: what became of one field.
#[derive(Serialize)]
struct Change {
    entry: u64,
    time: Timestamp,
    actor: Option<String>,
    action: String,
    field: String,
    old: String,
    new: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let client = connect()?;

    // Keys are the same from kind to kind, and the log cannot be asked for a kind.
    let mut entries = client.audit_log().filter(|e| e.object_pk.eq(options.id.to_string()));
    if let Some(day) = options.since {
        let first = day.to_zoned(TimeZone::UTC)?.timestamp();
        entries = entries.filter(|e| e.timestamp.gte(first));
    }
    let mut entries = entries.all().await?;
    entries.retain(|entry| options.kind.is_of(entry));
    entries.sort_by_key(|entry| (entry.timestamp, entry.id));
    let changes: Vec<Change> = entries.iter().flat_map(changes).collect();

    match options.format {
        Format::Table => print_table(&changes),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(io::stdout());
            changes.iter().try_for_each(|change| csv.serialize(change))?;
            csv.flush()?;
        }
        Format::Json => println!("{}", serde_json::to_string_pretty(&changes)?),
    }
    Ok(())
}

/// A line for each field that an entry tells of, or one without a field.
fn changes(entry: &AuditLogEntry) -> Vec<Change> {
    let change = |field: &str, (old, new): (&str, &str)| Change {
        entry: entry.id.get(),
        time: entry.timestamp,
        actor: entry.actor_summary.as_ref().map(|user| user.username.clone()),
        action: entry.action.to_string(),
        field: field.to_owned(),
        old: old.to_owned(),
        new: new.to_owned(),
    };
    let Some(changed) = entry.changes.as_ref().filter(|it| it.fields().next().is_some()) else {
        return vec![change("", ("", ""))];
    };
    let values = |field| match field {
        // What the log has of passwords is a part of their hashes.
        "password" => ("…", "…"),
        _ => changed.get(field).unwrap_or(("?", "?")),
    };
    changed.fields().map(|field| change(field, values(field))).collect()
}

fn print_table(changes: &[Change]) {
    if changes.is_empty() {
        println!("The audit log has nothing about it.");
        return;
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["WHEN (UTC)", "WHO", "WHAT", "FIELD", "FROM", "TO"]);
    let mut shown = None;
    for change in changes {
        let mut row = [
            change.time.strftime("%F %T").to_string(),
            change.actor.clone().unwrap_or_else(|| "–".to_owned()),
            change.action.clone(),
            change.field.clone(),
            shortened(&change.old),
            shortened(&change.new),
        ];
        // The fields of one entry stand below each other.
        if shown == Some(change.entry) {
            row[..3].fill(String::new());
        }
        shown = Some(change.entry);
        table.add_row(row);
    }
    println!("{}", table.trim_fmt());
}

/// A value on one line of at most 40 characters.
fn shortened(value: &str) -> String {
    let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(39) {
        Some((end, _)) if line[end..].chars().count() > 1 => format!("{}…", &line[..end]),
        _ => line,
    }
}

/// The server of the environment, or a centre in memory.
fn connect() -> anyhow::Result<KeystoneClient> {
    if let Ok(url) = env::var("KEYSTONE_URL") {
        return Ok(KeystoneClient::builder(&url).credentials(Environment::new()).build()?);
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
    Ok(client)
}
