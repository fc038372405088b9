//! What somebody does with an example, kept as a session: each command, what it printed, what it printed on
//! stderr behind a `!`, and how it ended if not well.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use keystone_client::blocking::KeystoneClient;
use keystone_client::jiff::civil::date;
use keystone_client::jiff::tz::TimeZone;
use keystone_client::sandbox::{Population, Sandbox, SandboxServer};
use tempfile::TempDir;

use super::{command, expect, text};

/// What somebody does with an example in a folder of its own.
pub(super) struct Session {
    name: &'static str,
    pub(super) folder: TempDir,
    /// The server of the environment, if there is one.
    pub(super) server: Option<SandboxServer>,
    /// What else the environment says.
    variables: Vec<(&'static str, String)>,
    pub(super) transcript: String,
}

impl Session {
    /// With the centre that each run makes for itself.
    pub(super) fn new(name: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { name, folder, server: None, variables: Vec::new(), transcript: String::new() }
    }

    /// With the same centre behind a socket, for runs that build on one another.
    pub(super) fn served(name: &'static str) -> Self {
        let centre = Sandbox::builder()
            .start_at(date(2026, 6, 1).to_zoned(TimeZone::UTC).unwrap().into())
            .freeze_clock()
            .staff("admin", "admin-password")
            .population(Population::new(1).users(60))
            .build();
        Self::served_by(name, &centre)
    }

    /// With a centre of the test's own behind a socket. It has to have the usual administrator.
    pub(super) fn served_by(name: &'static str, centre: &Sandbox) -> Self {
        Self { server: Some(centre.serve().unwrap()), ..Self::new(name) }
    }

    /// Sets a variable of the environment for what is run from now on.
    pub(super) fn set(&mut self, variable: &'static str, value: &str) {
        self.variables.push((variable, value.to_owned()));
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        self.server.as_ref().unwrap().sandbox()
    }

    /// A client of the same centre, to see what has come of it.
    pub(super) fn client(&self) -> KeystoneClient {
        let client = self.sandbox().blocking_client().unwrap();
        client.login("admin", "admin-password").unwrap();
        client
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(super) fn write(&self, file: &str, content: &str) {
        fs::write(self.path(file), content).unwrap();
    }

    pub(super) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    pub(super) fn run(&mut self, arguments: &str) -> String {
        self.run_with(arguments, "")
    }

    /// Runs the example, puts all that it printed into the transcript, and returns what went to stdout.
    pub(super) fn run_with(&mut self, arguments: &str, input: &str) -> String {
        let mut command = command(self.folder.path(), self.name);
        if let Some(server) = &self.server {
            command.env("KEYSTONE_URL", server.url());
            command.env("KEYSTONE_USERNAME", "admin").env("KEYSTONE_PASSWORD", "admin-password");
        }
        let mut child = command
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .args(words(arguments))
            // Where logins are kept, and where `.netrc` is.
            .env("HOME", self.folder.path())
            .env_remove("XDG_STATE_HOME")
            .env_remove("NETRC")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let command = format!("{} {arguments}", self.name);
        write!(self.transcript, "$ {}\n{stdout}", command.trim_end()).unwrap();
        for line in stderr.lines() {
            writeln!(self.transcript, "{}", format!("! {line}").trim_end()).unwrap();
        }
        if !output.status.success() {
            writeln!(self.transcript, "exit code {}", output.status.code().unwrap()).unwrap();
        }
        self.transcript.push('\n');
        stdout
    }

    pub(super) fn expect(&self, file: &str) {
        expect(file, &self.transcript);
    }
}

/// Splits at blanks, as a shell does, but for those between quotation marks.
pub(super) fn words(arguments: &str) -> Vec<String> {
    let parts = arguments.split('\'').enumerate();
    parts
        .flat_map(|(place, part)| match place % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}
