//! Makes teams and their members what a table says: one row for each member of a team.
//!
//! ```text
//! cargo run --example roster_sync -- --current > roster.csv
//! cargo run --example roster_sync -- roster.csv --remove-others
//! cargo run --example roster_sync -- roster.csv --remove-others --apply
//! ```

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use comfy_table::{Table, presets};
use indicatif::ProgressBar;
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::civil::date;
use keystone_client::jiff::tz::TimeZone;
use keystone_client::resources::{Membership, MembershipRole, NewMembership, NewTeam, Team, User};
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::{Error, Id, KeystoneClient, Link};
use serde::{Deserialize, Serialize};

/// Makes teams and memberships what a CSV file with the columns team, username and role says.
///
/// Prints what differs, and changes it with --apply. Teams that the file does not name are left alone.
/// The exit code is 1 if a user is unknown or a team could not be changed; the others are.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD; without
/// KEYSTONE_URL to a made-up centre in memory, which forgets what was changed.
#[derive(Parser)]
struct Options {
    /// The CSV file; roles are owner, admin and member.
    #[arg(value_name = "FILE", required_unless_present = "current")]
    file: Option<PathBuf>,

    /// Print such a file of the teams as they are.
    #[arg(long, conflicts_with_all = ["file", "remove_others", "apply"])]
    current: bool,

    /// Remove members that the file does not name from the teams that it names; from none with an
    /// unknown user.
    #[arg(long)]
    remove_others: bool,

    /// Make the changes.
    #[arg(long)]
    apply: bool,
}

#[derive(Serialize, Deserialize)]
struct Row {
    team: String,
    username: String,
    role: String,
}

/// For each team its members, by their names.
type Roster = BTreeMap<String, BTreeMap<String, MembershipRole>>;

/// What differs in one team.
struct TeamPlan {
    name: String,
    /// `None` for one that there is not yet.
    id: Option<Id<Team>>,
    changes: Vec<(String, Change)>,
    /// Why it is not to be changed, if it is not.
    objection: Option<&'static str>,
}

/// What to do about a member.
enum Change {
    Add(Id<User>, MembershipRole),
    SetRole(Id<Membership>, MembershipRole),
    Remove(Id<Membership>),
}

impl Change {
    /// Whether it is one of this membership.
    fn is_of(&self, id: Id<Membership>) -> bool {
        matches!(self, Self::SetRole(membership, _) | Self::Remove(membership) if *membership == id)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let client = connect()?;
    let Some(file) = options.file else {
        print_current(&client).await?;
        return Ok(ExitCode::SUCCESS);
    };
    let roster = read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let teams = client.teams().list().all().await?;
    let users = client.users().list().all().await?;
    let users: HashMap<_, _> = users.into_iter().map(|user| (user.username, user.id)).collect();

    let mut problems = 0;
    for (team, members) in &roster {
        for username in members.keys().filter(|username| !users.contains_key(*username)) {
            eprintln!("{team}: there is no user `{username}`");
            problems += 1;
        }
    }
    let mut plans = plan(&roster, &teams, &users, options.remove_others);
    for plan in &plans {
        if let Some(objection) = plan.objection {
            eprintln!("{}: {objection}", plan.name);
            problems += 1;
        }
    }
    plans.retain(|plan| plan.objection.is_none());
    if plans.is_empty() {
        println!("Nothing to change.");
    } else {
        print_plan(&plans);
        if options.apply {
            let changed = apply_all(&client, &plans).await;
            problems += plans.len() - changed;
            println!("\nTeams changed: {changed} of {}.", plans.len());
        } else {
            println!("\nTeams to change: {}. With --apply they are.", plans.len());
        }
    }
    Ok(if problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read(file: &Path) -> anyhow::Result<Roster> {
    let mut roster = Roster::new();
    let mut csv = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(file)?;
    for row in csv.deserialize() {
        let Row { team, username, role } = row?;
        let known = MembershipRole::from_label(&role);
        let known = known.with_context(|| format!("`{role}` is not owner, admin or member"))?;
        let members = roster.entry(team.clone()).or_default();
        if members.insert(username.clone(), known).is_some() {
            bail!("`{username}` stands twice in `{team}`");
        }
    }
    ensure!(!roster.is_empty(), "there are no rows in it");
    Ok(roster)
}

/// What there is to do; nothing for teams that are as they shall be.
fn plan(
    roster: &Roster,
    teams: &[Team],
    users: &HashMap<String, Id<User>>,
    remove_others: bool,
) -> Vec<TeamPlan> {
    let plan = |(name, members): (&String, &BTreeMap<String, MembershipRole>)| {
        let team = teams.iter().find(|team| team.name == *name);
        let present = team.map_or(&[][..], |team| &team.memberships);
        let mut changes = Vec::new();
        for (username, role) in members {
            let Some(user) = users.get(username) else { continue };
            match present.iter().find(|membership| membership.user == *user) {
                None => changes.push((username.clone(), Change::Add(*user, role.clone()))),
                Some(membership) if membership.role != *role => {
                    changes.push((username.clone(), Change::SetRole(membership.id, role.clone())));
                }
                Some(_) => {}
            }
        }
        // Where a name is unknown, one of the others may be meant by it.
        let all_known = members.keys().all(|username| users.contains_key(username));
        if remove_others && all_known {
            let is_named = |user| members.keys().any(|username| users.get(username) == Some(user));
            for membership in present.iter().filter(|membership| !is_named(&membership.user)) {
                let user = membership.user_summary.as_ref();
                let username = user.map_or("?", |user| &user.username).to_owned();
                changes.push((username, Change::Remove(membership.id)));
            }
        }
        let has_owner = members
            .iter()
            .any(|(username, role)| *role == MembershipRole::Owner && users.contains_key(username))
            || present.iter().any(|membership| {
                membership.role == MembershipRole::Owner
                    && !changes.iter().any(|(_, change)| change.is_of(membership.id))
            });
        let objection = match team {
            None if !all_known => Some("it is not created without all of its members"),
            _ if !has_owner => Some("it would be without an owner"),
            _ => None,
        };
        TeamPlan { name: name.clone(), id: team.map(|team| team.id), changes, objection }
    };
    roster.iter().map(plan).filter(|plan| !plan.changes.is_empty()).collect()
}

fn print_plan(plans: &[TeamPlan]) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["TEAM", "USER", "CHANGE"]);
    for plan in plans {
        if plan.id.is_none() {
            table.add_row([&plan.name, "", "create the team"]);
        }
        for (username, change) in &plan.changes {
            let change = match change {
                Change::Add(_, role) => format!("add as {}", role.label()),
                Change::SetRole(_, role) => format!("make {}", role.label()),
                Change::Remove(_) => "remove".to_owned(),
            };
            table.add_row([&plan.name, username, &change]);
        }
    }
    println!("{}", table.trim_fmt());
}

/// Changes one team after the other, and returns how many could be.
async fn apply_all(client: &KeystoneClient, plans: &[TeamPlan]) -> usize {
    let mut changed = 0;
    let bar = ProgressBar::new(plans.len() as u64);
    for plan in plans {
        match apply(client, plan).await {
            Ok(()) => changed += 1,
            Err(error) => bar.suspend(|| eprintln!("{}: {error:#}", plan.name)),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    changed
}

/// Changes a team, its members and all, or not at all.
async fn apply(client: &KeystoneClient, plan: &TeamPlan) -> Result<(), Error> {
    let mut batch = client.batch();
    let team: Link<Team> = match plan.id {
        Some(id) => id.into(),
        None => batch.add(client.teams().create(NewTeam::new(&plan.name))).into(),
    };
    let memberships = client.memberships();
    for (_, change) in &plan.changes {
        match change {
            Change::Add(user, role) => {
                let new = NewMembership::new(*user, team.clone(), role.clone());
                batch.add(memberships.create(new));
            }
            Change::SetRole(membership, role) => {
                batch.add(memberships.update(*membership, |m| [m.role.set(role.clone())]));
            }
            Change::Remove(membership) => {
                batch.add(memberships.delete(*membership));
            }
        }
    }
    batch.run().await.map(drop)
}

async fn print_current(client: &KeystoneClient) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(io::stdout());
    let mut teams = client.teams().list().stream();
    while let Some(team) = teams.next().await.transpose()? {
        for membership in team.memberships {
            let Some(user) = membership.user_summary else { continue };
            csv.serialize(Row {
                team: team.name.clone(),
                username: user.username,
                role: membership.role.label().to_lowercase(),
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
