//! Whether a Keystone is well, for Nagios, Icinga and whatever else reads exit codes.
//!
//! It exits with 0 (OK), 1 (WARNING), 2 (CRITICAL) or 3 (UNKNOWN), and prints one line with the times
//! behind a bar.
//!
//! ```text
//! cargo run --features ureq --example health_probe
//! cargo run --features ureq --example health_probe -- --login --warning 200 --critical 1000
//! ```

use std::env;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use keystone_client::blocking::KeystoneClient;
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::sandbox::Sandbox;
use keystone_client::{Error, RetryPolicy};

/// Checks the health of a Keystone.
///
/// Asks the server that KEYSTONE_URL names; without it one in memory. Health and version need no
/// login; --login logs in as KEYSTONE_USERNAME with KEYSTONE_PASSWORD.
#[derive(Parser)]
struct Options {
    /// WARNING when the slowest call takes longer.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    warning: u64,

    /// CRITICAL when the slowest call takes longer.
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    critical: u64,

    /// Log in and out as well.
    #[arg(long)]
    login: bool,

    /// Do not mind this check of the server's, such as Celery. Can be given several times.
    #[arg(long, value_name = "CHECK")]
    ignore: Vec<String>,

    /// CRITICAL for a call that is not answered in this time.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,
}

/// What the probe comes to, in the order of the exit codes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Ok,
    Warning,
    Critical,
    Unknown,
}

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            // A monitor takes the 2 of a wrong command line for CRITICAL.
            let _ = error.print();
            return if error.use_stderr() { exit(State::Unknown) } else { ExitCode::SUCCESS };
        }
    };
    let mut times = Times::default();
    let (state, text) = match connect(&options) {
        Ok(client) => probe(&client, &options, &mut times)
            .unwrap_or_else(|error| (State::Critical, format!("{error:#}"))),
        Err(error) => (State::Unknown, format!("{error:#}")),
    };
    let name = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][state as usize];
    // A line of the plug-in ends at a line feed, and its text at a bar.
    let text = text.replace(['\n', '\r', '|'], " ");
    println!("KEYSTONE {name} - {text} | {}", times.performance_data(&options));
    exit(state)
}

fn exit(state: State) -> ExitCode {
    ExitCode::from(state as u8)
}

fn probe(
    client: &KeystoneClient,
    options: &Options,
    times: &mut Times,
) -> Result<(State, String), Error> {
    let version = times.measure("version", || client.version().send())?;
    let health = times.measure("health", || client.health().send())?;
    let checked =
        health.checks.iter().filter(|check| !options.ignore.contains(&check.name)).count();
    let failed: Vec<String> = health
        .checks
        .iter()
        .filter(|check| !check.is_healthy && !options.ignore.contains(&check.name))
        .map(|check| format!("{}: {}", check.name, check.error.as_deref().unwrap_or("failed")))
        .collect();
    if options.login {
        times.measure("login", || client.authenticate())?;
        client.logout()?;
    }
    let slowest = times.slowest().as_millis();
    let state = if !failed.is_empty() || slowest > u128::from(options.critical) {
        State::Critical
    } else if slowest > u128::from(options.warning) {
        State::Warning
    } else {
        State::Ok
    };
    let health = match failed.as_slice() {
        [] => format!("{checked} checks passed"),
        failed => failed.join("; "),
    };
    Ok((state, format!("{version}, {health}, slowest call {slowest} ms")))
}

/// How long each call took.
#[derive(Default)]
struct Times(Vec<(&'static str, Duration)>);

impl Times {
    #[expect(clippy::disallowed_methods, reason = "that rule is for the library")]
    fn measure<T>(&mut self, name: &'static str, call: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let outcome = call();
        self.0.push((name, start.elapsed()));
        outcome
    }

    fn slowest(&self) -> Duration {
        self.0.iter().map(|(_, time)| *time).max().unwrap_or_default()
    }

    fn performance_data(&self, options: &Options) -> String {
        let data = self.0.iter().map(|(name, time)| {
            let (warning, critical) = (options.warning, options.critical);
            format!("{name}={}ms;{warning};{critical};0", time.as_millis())
        });
        data.collect::<Vec<_>>().join(" ")
    }
}

/// A client that tries each call once, or one of a server in memory.
fn connect(options: &Options) -> Result<KeystoneClient, Error> {
    let timeout = Duration::from_secs(options.timeout);
    let builder = match env::var("KEYSTONE_URL") {
        Ok(url) => KeystoneClient::builder(&url).credentials(Environment::new()),
        Err(_) => KeystoneClient::builder("https://keystone.example.edu")
            .credentials(Credentials::new("admin", "admin-password"))
            .backend(Sandbox::new()),
    };
    builder.timeout(timeout).retry(RetryPolicy::never().with_total(timeout)).build()
}
