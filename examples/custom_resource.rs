//! Resources of a program's own: a narrow view of a path that every Keystone has, made by the macro,
//! and a path that a site has added to its server, made by hand.
//!
//! ```text
//! cargo run --example custom_resource
//! cargo run --example custom_resource -- --disable beacon
//! ```

use std::env;

use anyhow::Context;
use clap::Parser;
use comfy_table::{Table, presets};
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::field::{Field, ReadOnly, read};
use keystone_client::http::Response;
use keystone_client::jiff::Zoned;
use keystone_client::jiff::civil::{Date, date};
use keystone_client::jiff::tz::TimeZone;
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::serde_json::json;
use keystone_client::{ErrorKind, Id, KeystoneClient, Resource};
use serde::Deserialize;

/// Lists clusters along with the next maintenance of each.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD; without
/// KEYSTONE_URL to a made-up centre in memory, in which it is 1 June 2026.
#[derive(Parser)]
struct Options {
    /// Take this cluster out of use first.
    #[arg(long, value_name = "CLUSTER")]
    disable: Option<String>,

    /// The day from which to look, if not today.
    #[arg(long, value_name = "YYYY-MM-DD")]
    today: Option<Date>,
}

keystone_client::resource! {
    /// A cluster, as far as this program is interested.
    struct Machine("machine", "allocations/clusters");
    fields MachineFields;
    verbs [Retrieve, Update];

    read_only {
        /// Primary key.
        id: Id<Machine>,
    }
    required {
        /// Unique name.
        name: String,
    }
    optional {
        /// Whether the cluster is in use.
        enabled: bool,
    }
}

/// A day on which a cluster is down. Keystone knows nothing of these; our site has a service for them
/// below the same address and with the same logins, which answers lists as Keystone does.
#[derive(Deserialize)]
struct Maintenance {
    id: Id<Maintenance>,
    cluster: Id<Machine>,
    day: Date,
    reason: String,
}

struct MaintenanceFields {
    day: Field<Maintenance, Date, ReadOnly>,
}

impl Resource for Maintenance {
    type Model = Self;
    type Fields = MaintenanceFields;
    const NAME: &'static str = "maintenance";
    const PATH: &'static str = "site/maintenance";
    const FIELDS: MaintenanceFields =
        MaintenanceFields { day: Field::new("day").reading(|window: &Self| read(&window.day)) };

    fn id(window: &Self) -> Option<Id<Self>> {
        Some(window.id)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (client, today) = connect()?;
    let today = options.today.unwrap_or(today);

    let machines = client.resource::<Machine>();
    if let Some(name) = options.disable {
        let machine = machines.filter(|m| m.name.eq(&name)).one().await;
        let machine = machine.with_context(|| format!("cannot disable `{name}`"))?;
        machines.edit(&machine, |m| [m.enabled.set(false)]).await?;
    }
    let windows = client.resource::<Maintenance>().list().all().await;
    let (windows, is_known) = match windows {
        Err(error) if error.kind() == ErrorKind::UnknownEndpoint => (Vec::new(), false),
        windows => (windows?, true),
    };

    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["CLUSTER", "IN USE", "NEXT MAINTENANCE"]);
    for machine in machines.order_by(|m| m.name.asc()).all().await? {
        // The same filter as for the server, asked about records at hand.
        let to_come = Maintenance::FIELDS.day.gte(today);
        let of_machine = windows.iter().filter(|window| window.cluster == machine.id);
        let next = of_machine
            .filter(|window| to_come.matches(window) == Some(true))
            .min_by_key(|window| window.day);
        table.add_row([
            machine.name,
            if machine.enabled { "yes" } else { "no" }.to_owned(),
            next.map_or_else(String::new, |window| format!("{}: {}", window.day, window.reason)),
        ]);
    }
    println!("{}", table.trim_fmt());
    if !is_known {
        println!("\nThis server knows nothing of maintenance: it has no {}.", Maintenance::PATH);
    }
    Ok(())
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
    // The service of the site; all else is answered by the centre.
    centre.set_middleware(|request, next| {
        if request.uri().path() != "/site/maintenance/" {
            return next(request);
        }
        let windows = json!([
            { "id": 1, "cluster": 1, "day": "2026-05-12", "reason": "new batteries" },
            { "id": 2, "cluster": 1, "day": "2026-06-09", "reason": "new batteries, for good" },
            { "id": 3, "cluster": 4, "day": "2026-07-01", "reason": "move to the other hall" },
        ]);
        let page = json!({ "count": 3, "next": null, "previous": null, "results": windows });
        Response::new(page.to_string().into())
    });
    let client = KeystoneClient::builder("https://keystone.example.edu")
        .credentials(Credentials::new("admin", "admin-password"))
        .backend(centre)
        .build()?;
    Ok((client, today))
}
