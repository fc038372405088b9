//! Whether a Keystone is well, for Nagios, Icinga and whatever else reads exit codes.
//!
//! It exits with 0 (OK), 1 (WARNING), 2 (CRITICAL) or 3 (UNKNOWN), and prints one line with the times
//! behind a bar.
//!
//! ```text
//! cargo run --features ureq --example health_probe -- --demo
//! cargo run --features ureq --example health_probe -- --login --warning 200 --critical 1000
//! ```

use std::env;
use std::process::ExitCode;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use keystone_client::blocking::KeystoneClient;
use keystone_client::credentials::{Credentials, Environment};
use keystone_client::sandbox::Sandbox;
use keystone_client::{Error, ErrorKind, RetryPolicy};

/// Checks the health of a Keystone.
///
/// Asks the server that KEYSTONE_URL names; with --demo one in memory. Health and version need no
/// login; --login logs in as KEYSTONE_USERNAME with KEYSTONE_PASSWORD.
#[derive(Parser)]
struct Options {
    /// WARNING when the slowest call takes longer.
    #[arg(short, long, value_name = "MS", default_value_t = 1000)]
    warning: u64,

    /// CRITICAL when the slowest call takes longer.
    #[arg(short, long, value_name = "MS", default_value_t = 5000)]
    critical: u64,

    /// CRITICAL when not everything is done in this time.
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout: u64,

    /// Ask a server in memory, which is well.
    #[arg(long)]
    demo: bool,

    /// Log in and out as well.
    #[arg(long)]
    login: bool,

    /// Do not mind this check of the server's, such as Celery. Can be given several times.
    #[arg(long, value_name = "CHECK")]
    ignore: Vec<String>,
}

/// What the probe comes to.
#[derive(Clone, Copy)]
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
            return if error.use_stderr() { ExitCode::from(3) } else { ExitCode::SUCCESS };
        }
    };
    let timeout = Duration::from_secs(options.timeout);
    let (sender, receiver) = mpsc::channel();
    // What takes longer ends with the program, whatever it waits for.
    thread::spawn(move || sender.send(check(&options)));
    let (state, text) = receiver.recv_timeout(timeout).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => {
            (State::Critical, format!("not done within {} s", timeout.as_secs()))
        }
        RecvTimeoutError::Disconnected => (State::Unknown, "the probe has failed".to_owned()),
    });
    let (name, code) = match state {
        State::Ok => ("OK", 0),
        State::Warning => ("WARNING", 1),
        State::Critical => ("CRITICAL", 2),
        State::Unknown => ("UNKNOWN", 3),
    };
    println!("KEYSTONE {name} - {text}");
    ExitCode::from(code)
}

/// The state and the line that tells of it.
fn check(options: &Options) -> (State, String) {
    // A monitor must not be told for ever that all is well with a server that is made up.
    let url = env::var("KEYSTONE_URL").unwrap_or_default();
    if url.is_empty() && !options.demo {
        return (State::Unknown, "KEYSTONE_URL names no server; --demo needs none".to_owned());
    }
    if options.warning > options.critical {
        return (State::Unknown, "--warning is more than --critical".to_owned());
    }
    let mut times = Times::default();
    let outcome = connect(&url, options).and_then(|client| probe(&client, options, &mut times));
    let (state, text) = outcome.unwrap_or_else(|error| {
        let state = match error.kind() {
            // This says nothing of the server.
            ErrorKind::InvalidRequest | ErrorKind::NotLoggedIn => State::Unknown,
            _ => State::Critical,
        };
        (state, format!("{error:#}"))
    });
    // A line of a plug-in ends at a line feed, and its text at a bar.
    let text = text.replace(['\n', '\r', '|'], " ");
    match times.performance_data(options) {
        data if data.is_empty() => (state, text),
        data => (state, format!("{text} | {data}")),
    }
}

fn probe(
    client: &KeystoneClient,
    options: &Options,
    times: &mut Times,
) -> Result<(State, String), Error> {
    let version = times.measure("version", || client.version().send())?;
    let mut health = times.measure("health", || client.health().send())?;
    if options.login {
        times.measure("login", || client.authenticate())?;
        client.logout()?;
    }

    health.checks.retain(|check| !options.ignore.contains(&check.name));
    let failed = health.checks.iter().filter(|check| !check.is_healthy);
    let failed: Vec<String> = failed
        .map(|check| format!("{}: {}", check.name, check.error.as_deref().unwrap_or("failed")))
        .collect();
    let slowest = times.slowest().as_millis();
    let state = if !failed.is_empty() || slowest > u128::from(options.critical) {
        State::Critical
    } else if slowest > u128::from(options.warning) {
        State::Warning
    } else {
        State::Ok
    };
    let checks = match failed.as_slice() {
        [] => format!("{} checks passed", health.checks.len()),
        failed => failed.join("; "),
    };
    Ok((state, format!("{version}, {checks}, slowest call {slowest} ms")))
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

/// A client that tries each call once, of this server or of one in memory.
fn connect(url: &str, options: &Options) -> Result<KeystoneClient, Error> {
    let timeout = Duration::from_secs(options.timeout);
    let builder = if options.demo {
        KeystoneClient::builder("https://keystone.example.edu")
            .credentials(Credentials::new("admin", "admin-password"))
            .backend(Sandbox::new())
    } else {
        KeystoneClient::builder(url).credentials(Environment::new())
    };
    builder.timeout(timeout).retry(RetryPolicy::never().with_total(timeout)).build()
}
