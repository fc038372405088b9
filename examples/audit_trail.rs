//! Everything that the audit log says about one record: who changed what, and when.
//!
//! ```text
//! cargo run --example audit_trail -- team 1
//! cargo run --example audit_trail -- request 70 --since 2026-01-01
//! ```

use std::env;

use clap::{Parser, ValueEnum};
use comfy_table::{Table, presets};
use keystone_client::KeystoneClient;
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::civil::{Date, date};
use keystone_client::jiff::tz::TimeZone;
use keystone_client::resources::AuditLogEntry;
use keystone_client::sandbox::{Population, Sandbox};

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

    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
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

    if options.json {
        for entry in &entries {
            println!("{}", serde_json::to_string(entry)?);
        }
    } else if entries.is_empty() {
        println!("The audit log has nothing about it.");
    } else {
        print_table(&entries);
    }
    Ok(())
}

fn print_table(entries: &[AuditLogEntry]) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["WHEN (UTC)", "WHO", "WHAT", "FIELD", "FROM", "TO"]);
    for entry in entries {
        let when = entry.timestamp.strftime("%F %T").to_string();
        let who = entry.actor_summary.as_ref().map_or("the server", |user| &user.username);
        let mut start = [when, who.to_owned(), entry.action.to_string()];
        let changes = entry.changes.iter();
        let mut changes = changes.flat_map(|changes| {
            changes.fields().map(|field| (field, changes.get(field).unwrap_or(("?", "?"))))
        });
        let mut next = changes.next();
        // One line at least, and one for each field.
        loop {
            let (field, (old, new)) = next.unwrap_or_default();
            // What the log has of passwords is a part of their hashes.
            let hidden = field == "password";
            let values = if hidden { ["…", "…"] } else { [old, new] }.map(shortened);
            let [from, to] = values;
            let [when, who, what] = std::mem::take(&mut start);
            table.add_row([when, who, what, field.to_owned(), from, to]);
            next = changes.next();
            if next.is_none() {
                break;
            }
        }
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
