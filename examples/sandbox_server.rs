//! A Keystone in memory behind a loopback socket, for any HTTP client.
//!
//! ```text
//! cargo run --features sandbox-tls --example sandbox_server -- --port 8000 --users ada:secret,bob:secret
//! ```

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use keystone_client::sandbox::{
    Dialect, Fault, FaultRule, Population, Sandbox, SandboxBuilder, SandboxServer,
};

const USAGE: &str = "\
Serves a Keystone in memory on 127.0.0.1, for any HTTP client. It forgets everything when it ends.

Usage: sandbox_server [OPTIONS]

  --port <NUMBER>        the port; any that is free if left out
  --users <USERS>        users without special rights, as name:password,name:password
  --staff <USERS>        users who are staff; admin:admin-password if neither is given
  --dialect <DIALECT>    session (0.10.9, the default) or jwt (0.3.26)
  --version <VERSION>    any release from 0.3.26 to 0.10.9
  --population <USERS>   made-up data of so many users and what belongs to them
  --seed <NUMBER>        which data; 1 if left out
  --prefix <PATH>        the path below which the server is mounted
  --tls                  serve HTTPS; the certificate to trust is printed
  --rate-limits          limit how often it may be asked, as a real server does
  --delay <MILLISECONDS> answer each request so much later
  --help                 show this text";

/// As the text of `--help` says.
const DEFAULT_STAFF: (&str, &str) = ("admin", "admin-password");

#[derive(Default)]
struct Options {
    port: u16,
    users: Vec<(String, String)>,
    staff: Vec<(String, String)>,
    is_default_staff: bool,
    dialect: Option<Dialect>,
    version: Option<String>,
    population: Option<usize>,
    seed: u64,
    prefix: String,
    tls: bool,
    rate_limits: bool,
    delay: Option<Duration>,
}

impl Options {
    /// Reads the command line; `None` if it asks for help.
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut options = Self { seed: 1, ..Self::default() };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--help" | "-h" => return Ok(None),
                "--port" => options.port = number(&argument, &value()?)?,
                "--users" => options.users.extend(users(&value()?)?),
                "--staff" => options.staff.extend(users(&value()?)?),
                "--dialect" => {
                    options.dialect = Some(match value()?.as_str() {
                        "session" => Dialect::Session,
                        "jwt" => Dialect::Jwt,
                        other => return Err(format!("no dialect `{other}`; session or jwt")),
                    });
                }
                "--version" => options.version = Some(value()?),
                "--population" => options.population = Some(number(&argument, &value()?)?),
                "--seed" => options.seed = number(&argument, &value()?)?,
                "--prefix" => options.prefix = value()?,
                "--tls" => options.tls = true,
                "--rate-limits" => options.rate_limits = true,
                "--delay" => {
                    let milliseconds = number(&argument, &value()?)?;
                    options.delay = Some(Duration::from_millis(milliseconds));
                }
                other => return Err(format!("unknown argument `{other}`; see --help")),
            }
        }
        if options.users.is_empty() && options.staff.is_empty() {
            let (name, password) = DEFAULT_STAFF;
            options.staff.push((name.to_owned(), password.to_owned()));
            options.is_default_staff = true;
        }
        Ok(Some(options))
    }

    fn builder(&self) -> SandboxBuilder {
        let mut builder =
            Sandbox::builder().path_prefix(&self.prefix).secure_cookies(self.tls).keep_requests(0);
        if let Some(dialect) = self.dialect {
            builder = builder.dialect(dialect);
        }
        if let Some(version) = &self.version {
            builder = builder.version(version);
        }
        if let Some(users) = self.population {
            builder = builder.population(Population::new(self.seed).users(users));
        }
        for (name, password) in &self.staff {
            builder = builder.staff(name, password);
        }
        for (name, password) in &self.users {
            builder = builder.user(name, password);
        }
        if self.rate_limits { builder.default_rate_limits() } else { builder }
    }

    fn serve(&self) -> Result<SandboxServer, Box<dyn Error>> {
        let sandbox = self.builder().build();
        if let Some(delay) = self.delay {
            sandbox.inject(FaultRule::new(Fault::delay(delay)));
        }
        let server = match self.tls {
            true => sandbox.serve_tls_on(self.port),
            false => sandbox.serve_on(self.port),
        };
        Ok(server.map_err(|error| format!("port {}: {error}", self.port))?)
    }
}

fn number<T: std::str::FromStr>(argument: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{argument}: `{text}` is no number that fits"))
}

fn users(text: &str) -> Result<Vec<(String, String)>, String> {
    let pair = |user: &str| match user.split_once(':') {
        Some((name, password)) if !name.is_empty() && !password.is_empty() => {
            Ok((name.to_owned(), password.to_owned()))
        }
        _ => Err(format!("`{user}` is not of the form name:password")),
    };
    text.split(',').map(pair).collect()
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let server = options.serve()?;
    println!("Keystone at {}", server.url());
    for (kind, users) in [("staff", &options.staff), ("user", &options.users)] {
        for (name, _) in users {
            println!("{kind:>5}: {name}");
        }
    }
    if options.is_default_staff {
        println!("password: {}", DEFAULT_STAFF.1);
    }
    if options.population.is_some() {
        println!("everybody made up has the password {}", Population::PASSWORD);
    }
    if let Some(certificate) = server.certificate() {
        println!("certificate to trust:\n{certificate}");
    }
    println!("It runs until it is interrupted.");
    server.wait();
    Ok(())
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
            eprintln!("sandbox_server: {error}");
            ExitCode::FAILURE
        }
    }
}
