//! Writes all records to files of JSON lines, one file for each resource, and goes on where an earlier
//! run has stopped.
//!
//! ```text
//! cargo run --example export -- centre
//! cargo run --example export -- centre --page-size 50 --pages 3
//! ```
//!
//! Beside each file of records stands one with the place up to which it is complete. It is replaced
//! after each page, so that whatever ends the program, no record is lost and none comes twice: what
//! was written behind that place is cut off, and fetched again. The files hold whatever the user may
//! see, but for what histories have of passwords: keep them as you keep the server.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use keystone_client::capability::Capability;
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::civil::date;
use keystone_client::jiff::tz::TimeZone;
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::{Cursor, ErrorKind, KeystoneClient, Legacy, List, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Writes all records of the server to files of JSON lines, and goes on if it was interrupted.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD; without
/// KEYSTONE_URL to a made-up centre in memory.
#[derive(Parser)]
struct Options {
    /// The folder for the files; it is made if need be.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// How many records to have in memory at a time.
    #[arg(long, value_name = "RECORDS", default_value_t = 1000)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    page_size: u32,

    /// Stop after so many pages; the next run goes on.
    #[arg(long, value_name = "PAGES", default_value_t = u64::MAX, hide_default_value = true)]
    pages: u64,
}

/// How far the records of a resource are written.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct Place<R> {
    /// `None` at the beginning.
    cursor: Option<Cursor<R>>,
    records: u64,
    bytes: u64,
    is_complete: bool,
}

/// Whose records are in a folder.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Origin {
    server: String,
    username: String,
}

struct Export {
    options: Options,
    /// How many pages were fetched.
    pages: u64,
    is_complete: bool,
    table: Table,
    bar: ProgressBar,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let client = connect()?;
    // The client knows then which resources this server has.
    client.version().await?;
    let user = client.whoami().await?.context("nobody is logged in")?;
    fs::create_dir_all(&options.folder).context("the folder cannot be made")?;
    let origin = Origin { server: client.base_url().to_owned(), username: user.username };
    claim(&options.folder, &origin)?;

    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["RESOURCE", "RECORDS", "STATE"]);
    table.column_mut(1).expect("there are three").set_cell_alignment(CellAlignment::Right);
    let style = ProgressStyle::with_template("{msg:14} {wide_bar} {pos}/{len}")?;
    let bar = ProgressBar::new(0).with_style(style);
    let mut export = Export { options, pages: 0, is_complete: true, table, bar };

    if client.supports(Capability::TeamRecords) == Some(false) {
        export.run_legacy(&client.legacy()).await?;
    } else {
        export.run_all(&client).await?;
    }
    export.bar.finish_and_clear();
    println!("{}\n", export.table.trim_fmt());
    println!("Pages fetched: {}.", export.pages);
    println!(
        "{}",
        if export.is_complete { "The export is complete." } else { "The same command goes on." }
    );
    Ok(())
}

impl Export {
    async fn run_all(&mut self, client: &KeystoneClient) -> anyhow::Result<()> {
        self.run("clusters", client.clusters().list()).await?;
        self.run("users", client.users().list()).await?;
        self.run("teams", client.teams().list()).await?;
        self.run("memberships", client.memberships().list()).await?;
        self.run("requests", client.requests().list()).await?;
        self.run("allocations", client.allocations().list()).await?;
        self.run("reviews", client.reviews().list()).await?;
        self.run("comments", client.comments().list()).await?;
        self.run("attachments", client.attachments().list()).await?;
        self.run("grants", client.grants().list()).await?;
        self.run("publications", client.publications().list()).await?;
        self.run("notifications", client.notifications().list()).await?;
        self.run("preferences", client.preferences().list()).await?;
        self.run("task_results", client.task_results().list()).await?;
        self.run("audit_log", client.audit_log().list()).await?;
        // Last, as it grows with each page. The feed is these three logs once more.
        self.run("request_log", client.request_log().list()).await
    }

    /// All that servers up to 0.4.1 have.
    async fn run_legacy(&mut self, legacy: &Legacy<KeystoneClient>) -> anyhow::Result<()> {
        self.run("clusters", legacy.clusters().list()).await?;
        self.run("users", legacy.users().list()).await?;
        self.run("research_groups", legacy.research_groups().list()).await?;
        self.run("requests", legacy.requests().list()).await?;
        self.run("allocations", legacy.allocations().list()).await?;
        self.run("reviews", legacy.reviews().list()).await?;
        self.run("grants", legacy.grants().list()).await?;
        self.run("publications", legacy.publications().list()).await?;
        self.run("task_results", legacy.task_results().list()).await?;
        self.run("app_log", legacy.app_log().list()).await?;
        self.run("request_log", legacy.request_log().list()).await
    }

    async fn run<R>(&mut self, name: &str, list: List<R, KeystoneClient>) -> anyhow::Result<()>
    where
        R: Resource<Model: Serialize>,
    {
        let file = self.options.folder.join(format!("{name}.jsonl"));
        let place_file = self.options.folder.join(format!("{name}.place.json"));
        let mut place = read_place(&place_file)?;
        let mut pages = list.page_size(self.options.page_size).pages();
        if let Some(cursor) = &place.cursor {
            pages = pages.resume(cursor)?;
        }
        self.bar.set_message(name.to_owned());
        let mut lines = Vec::new();
        while !place.is_complete && self.pages < self.options.pages {
            lines.clear();
            match pages.next().await {
                Some(Ok(page)) => {
                    self.pages += 1;
                    for record in &page.items {
                        let mut record = serde_json::to_value(record)?;
                        leave_out_passwords(&mut record);
                        serde_json::to_writer(&mut lines, &record)?;
                        lines.push(b'\n');
                    }
                    place.records += page.items.len() as u64;
                    self.bar.set_length(page.total.unwrap_or(place.records));
                    self.bar.set_position(place.records);
                }
                // Half a file is no file that this server or user does not have.
                Some(Err(error)) if place.records > 0 => return Err(error.into()),
                Some(Err(error)) if error.kind() == ErrorKind::Unsupported => {
                    self.table.add_row([name, "", "not on this server"]);
                    return Ok(());
                }
                Some(Err(error)) if error.is_denied() => {
                    self.table.add_row([name, "", "not for this user"]);
                    return Ok(());
                }
                Some(Err(error)) => return Err(error.into()),
                None => place.is_complete = true,
            }
            append(&file, place.bytes, &lines)
                .with_context(|| format!("cannot write {}", file.display()))?;
            place.bytes += lines.len() as u64;
            place.cursor = Some(pages.cursor());
            write_place(&place_file, &place)
                .with_context(|| format!("cannot write {}", place_file.display()))?;
        }
        self.is_complete &= place.is_complete;
        let state = if place.is_complete { "complete" } else { "to be continued" };
        self.table.add_row([name, &place.records.to_string(), state]);
        Ok(())
    }
}

/// Sees to it that a folder has the records of one server, as one user sees them.
fn claim(folder: &Path, origin: &Origin) -> anyhow::Result<()> {
    let file = folder.join("origin.json");
    match fs::read(&file) {
        Ok(json) => {
            let before: Origin = serde_json::from_slice(&json).with_context(|| {
                format!("{} does not say whose records these are", file.display())
            })?;
            ensure!(
                before == *origin,
                "{} has records of {} as {} sees them; take another folder",
                folder.display(),
                before.server,
                before.username
            );
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(fs::write(&file, serde_json::to_vec(origin)?)?)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Histories and the audit log have parts of the hashes of passwords.
fn leave_out_passwords(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(leave_out_passwords),
        Value::Object(members) => {
            for (name, member) in members {
                if name == "password" {
                    *member = Value::Null;
                } else {
                    leave_out_passwords(member);
                }
            }
        }
        _ => {}
    }
}

/// Writes at this place of a file, and cuts off what an interrupted run has left behind it.
fn append(file: &Path, at: u64, lines: &[u8]) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    // Only its owner may read it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    ensure!(file.metadata()?.len() >= at, "it is shorter than it was");
    file.set_len(at)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(lines)?;
    // On the disk before the place says so.
    Ok(file.sync_data()?)
}

fn read_place<R>(file: &Path) -> anyhow::Result<Place<R>> {
    match fs::read(file) {
        Ok(json) => serde_json::from_slice(&json)
            .with_context(|| format!("{} does not say where to go on", file.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(Place { cursor: None, records: 0, bytes: 0, is_complete: false })
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Replaces the file at once, so that it is never half a place.
fn write_place<R>(file: &Path, place: &Place<R>) -> anyhow::Result<()> {
    let new = file.with_extension("new");
    let mut written = File::create(&new)?;
    serde_json::to_writer(&mut written, place)?;
    written.sync_data()?;
    Ok(fs::rename(new, file)?)
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
