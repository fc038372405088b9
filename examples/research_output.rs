//! Publications and grants by year, as a table and as a plot.
//!
//! ```text
//! cargo run --example research_output -- --plot output.svg
//! cargo run --example research_output -- --team kovac-cosmology-team --since 2022 --format csv
//! ```

use std::collections::BTreeMap;
use std::env;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::jiff::Zoned;
use keystone_client::jiff::civil::date;
use keystone_client::jiff::tz::TimeZone;
use keystone_client::resources::{Grant, Publication, Team};
use keystone_client::rust_decimal::Decimal;
use keystone_client::sandbox::{Population, Sandbox};
use keystone_client::{KeystoneClient, Query};
use plotters::coord::Shift;
use plotters::prelude::*;
use serde::Serialize;

/// Counts publications and grants by year.
///
/// A publication belongs to the year in which it was published, a grant with all of its amount to that
/// in which it begins.
///
/// Talks to the server that KEYSTONE_URL names, as KEYSTONE_USERNAME with KEYSTONE_PASSWORD; without
/// KEYSTONE_URL to a made-up centre in memory, in which it is 1 June 2026.
#[derive(Parser)]
struct Options {
    /// Only what belongs to the team with this short name.
    #[arg(long, value_name = "SLUG")]
    team: Option<String>,

    /// The first year, if not the one nine years before the last.
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1900..=2200))]
    since: Option<i16>,

    /// The last year, if not this one.
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1900..=2200))]
    until: Option<i16>,

    /// How to print what was found.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Draw it as well, as an SVG file.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

/// One line of the report.
#[derive(Serialize)]
struct Year {
    year: i16,
    publications: u32,
    grants: u32,
    amount: Decimal,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (client, this_year) = connect()?;
    let last = options.until.unwrap_or(this_year);
    let first = options.since.unwrap_or(last - 9);
    if first > last {
        bail!("{first} comes after {last}");
    }
    let team = match &options.team {
        Some(slug) => {
            let team = client.teams().filter(|t| t.slug.eq(slug)).first().await?;
            Some(team.with_context(|| format!("you see no team `{slug}`"))?)
        }
        None => None,
    };
    let years = count(&client, team.as_ref(), first, last).await?;

    match options.format {
        Format::Table => print_table(&years),
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(io::stdout());
            years.iter().try_for_each(|year| csv.serialize(year))?;
            csv.flush()?;
        }
        Format::Json => println!("{}", serde_json::to_string_pretty(&years)?),
    }
    if let Some(file) = options.plot {
        let owner = team.as_ref().map_or("all teams", |team| &team.name);
        draw(&file, owner, &years).with_context(|| format!("cannot draw {}", file.display()))?;
    }
    Ok(())
}

async fn count(
    client: &KeystoneClient,
    team: Option<&Team>,
    first: i16,
    last: i16,
) -> anyhow::Result<Vec<Year>> {
    let (from, to) = (date(first, 1, 1), date(last, 12, 31));
    let mut publications =
        Query::<Publication>::new().filter(|p| p.published.gte(from).and(p.published.lte(to)));
    let mut grants =
        Query::<Grant>::new().filter(|g| g.start_date.gte(from).and(g.start_date.lte(to)));
    if let Some(team) = team {
        publications = publications.filter(|p| p.team.eq(team.id));
        grants = grants.filter(|g| g.team.eq(team.id));
    }

    // Years without anything are lines of the report too.
    let nothing = |year| Year { year, publications: 0, grants: 0, amount: Decimal::ZERO };
    let mut years: BTreeMap<i16, Year> = (first..=last).map(|year| (year, nothing(year))).collect();
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{spinner} {pos} records")?);

    let mut publications = client.publications().query(publications).concurrency(4).stream();
    while let Some(publication) = publications.next().await {
        let published = publication?.published;
        if let Some(year) = published.and_then(|day| years.get_mut(&day.year())) {
            year.publications += 1;
        }
        bar.inc(1);
    }
    let mut grants = client.grants().query(grants).concurrency(4).stream();
    while let Some(grant) = grants.next().await {
        let grant = grant?;
        if let Some(year) = years.get_mut(&grant.start_date.year()) {
            year.grants += 1;
            year.amount += grant.amount;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(years.into_values().collect())
}

fn print_table(years: &[Year]) {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["YEAR", "PUBLICATIONS", "GRANTS", "AMOUNT"]);
    let line = |year: &str, publications: u32, grants: u32, amount: Decimal| {
        [year.to_owned(), publications.to_string(), grants.to_string(), format!("{amount:.2}")]
    };
    for year in years {
        table.add_row(line(&year.year.to_string(), year.publications, year.grants, year.amount));
    }
    table.add_row(line(
        "all",
        years.iter().map(|year| year.publications).sum(),
        years.iter().map(|year| year.grants).sum(),
        years.iter().map(|year| year.amount).sum(),
    ));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{}", table.trim_fmt());
}

/// Draws the publications above the amounts of the grants.
fn draw(file: &Path, owner: &str, years: &[Year]) -> anyhow::Result<()> {
    let page = SVGBackend::new(file, (800, 640)).into_drawing_area();
    page.fill(&WHITE)?;
    let (above, below) = page.split_vertically(320);
    // A caption has one line.
    let owner: String = owner.chars().take(60).collect();
    let publications: Vec<_> =
        years.iter().map(|year| (i32::from(year.year), i64::from(year.publications))).collect();
    draw_bars(&above, &format!("Publications of {owner}"), &publications, RGBColor(64, 105, 160))?;
    let amounts = years.iter().map(|year| {
        let amount = i64::try_from(year.amount.round()).context("an amount is too large")?;
        Ok((i32::from(year.year), amount))
    });
    let amounts: Vec<_> = amounts.collect::<anyhow::Result<_>>()?;
    draw_bars(
        &below,
        &format!("Grants of {owner}, amounts by first year"),
        &amounts,
        RGBColor(84, 140, 84),
    )?;
    page.present()?;
    Ok(())
}

/// Draws a bar for each year, between axes of whole numbers.
fn draw_bars(
    area: &DrawingArea<SVGBackend, Shift>,
    caption: &str,
    bars: &[(i32, i64)],
    colour: RGBColor,
) -> anyhow::Result<()> {
    let (Some(&(first, _)), Some(&(last, _))) = (bars.first(), bars.last()) else {
        bail!("there are no years");
    };
    // An axis of one year has no length.
    let years = if first == last { first - 1..last + 1 } else { first..last };
    // Nothing at all has an axis as well, and amounts can be below zero.
    let lowest = bars.iter().map(|bar| bar.1).min().unwrap_or(0).min(0);
    let highest = bars.iter().map(|bar| bar.1).max().unwrap_or(0).max(1);
    let headroom = (highest - lowest) / 10 + 1;
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(30)
        .y_label_area_size(110)
        .build_cartesian_2d(years.into_segmented(), lowest..highest + headroom)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(12)
        .y_labels(6)
        .max_light_lines(1)
        .label_style(("sans-serif", 16))
        .x_label_formatter(&|year| match year {
            SegmentValue::Exact(year) | SegmentValue::CenterOf(year) => year.to_string(),
            SegmentValue::Last => String::new(),
        })
        .y_label_formatter(&|number| grouped(*number))
        .draw()?;
    // Bars of many years are too narrow for anything between them.
    let margin = if bars.len() > 40 { 0 } else { 4 };
    let bars = bars.iter().copied();
    chart.draw_series(
        Histogram::vertical(&chart).style(colour.filled()).margin(margin).data(bars),
    )?;
    Ok(())
}

/// A number with its thousands apart.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The server of the environment and this year, or a centre in memory and its year.
fn connect() -> anyhow::Result<(KeystoneClient, i16)> {
    if let Ok(url) = env::var("KEYSTONE_URL") {
        let client = KeystoneClient::builder(&url).credentials(Environment::new()).build()?;
        return Ok((client, Zoned::now().year()));
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
    Ok((client, today.year()))
}
