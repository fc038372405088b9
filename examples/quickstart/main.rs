//! The main job from login to logout, step by step.
//!
//! Without arguments it starts a Keystone in memory on a loopback port and talks to it over real
//! sockets. With `KEYSTONE_URL`, `KEYSTONE_USERNAME` and `KEYSTONE_PASSWORD` set it does the same
//! on that server, and deletes what it made; the user has to be staff.
//!
//! ```text
//! cargo run --features full --example quickstart
//! cargo run --features full --example quickstart -- --blocking --backend ureq
//! ```

mod asynchronous;
mod blocking;
mod report;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use keystone_client::sandbox::{Sandbox, SandboxServer};

use crate::report::Report;

const USAGE: &str = "\
Walks through the main job of keystone-client: log in, create, retrieve, list, update, delete, \
log out.

Usage: quickstart [--blocking] [--backend reqwest|isahc|ureq]

  --blocking         use the blocking client
  --backend <NAME>   the HTTP library to use; ureq is for the blocking client only
  --help             show this text

Environment: KEYSTONE_URL, KEYSTONE_USERNAME and KEYSTONE_PASSWORD name a real server and a staff
user; without them a server in memory is used.";

/// What the command line asks for.
struct Options {
    blocking: bool,
    backend: String,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self { blocking: false, backend: "reqwest".to_owned() };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--blocking" => options.blocking = true,
                "--backend" => {
                    options.backend = arguments.next().ok_or("--backend needs a name")?;
                }
                other => return Err(format!("unknown argument `{other}`; see --help")),
            }
        }
        Ok(Some(options))
    }
}

/// Where to go, and as whom. Holds the server in memory, if it is that, for as long as it lasts.
struct Target {
    url: String,
    username: String,
    password: String,
    _server: Option<SandboxServer>,
}

impl Target {
    fn find() -> Result<Self, Box<dyn Error>> {
        let Ok(url) = env::var("KEYSTONE_URL") else {
            let server = Sandbox::new().serve()?;
            return Ok(Self {
                url: server.url(),
                username: "admin".to_owned(),
                password: "admin-password".to_owned(),
                _server: Some(server),
            });
        };
        let variable = |name| env::var(name).map_err(|_| format!("{name} is not set"));
        Ok(Self {
            url,
            username: variable("KEYSTONE_USERNAME")?,
            password: variable("KEYSTONE_PASSWORD")?,
            _server: None,
        })
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let target = Target::find()?;
    let report = Report::new();
    if options.blocking {
        blocking::run(&target, &options.backend, &report)
    } else {
        asynchronous::run(&target, &options.backend, &report)
    }
}

fn main() -> ExitCode {
    let outcome = match Options::read(env::args().skip(1)) {
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Ok(Some(options)) => run(&options),
        Err(problem) => Err(problem.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error:#}");
            ExitCode::FAILURE
        }
    }
}
