//! How long a process runs that logs in and fetches one record, on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use keystone_client::sandbox::{Sandbox, SandboxServer};

use crate::package::{Package, now, run};
use crate::programs::{BARE_UREQ, OURS_UREQ, PROCESS, Profile};
use crate::table::Table;

/// Where systems keep the certificates that they trust.
const TRUSTED: [&str; 3] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
];

/// One way to start a program.
struct Start<'a> {
    what: &'static str,
    program: &'a Path,
    arguments: Vec<String>,
    milliseconds: Vec<f64>,
}

impl<'a> Start<'a> {
    fn new(what: &'static str, program: &'a Path, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { what, program, arguments, milliseconds: Vec::new() }
    }

    fn once(&self, trusted: &Path) -> f64 {
        let mut command = Command::new(self.program);
        command.args(&self.arguments).env("SSL_CERT_FILE", trusted).env_remove("SSL_CERT_DIR");
        let start = now();
        let printed = run(command);
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        assert_eq!(printed, "admin\n", "{} has done its work", self.what);
        milliseconds
    }

    fn median(&self) -> f64 {
        let mut milliseconds = self.milliseconds.clone();
        milliseconds.sort_by(f64::total_cmp);
        milliseconds[milliseconds.len() / 2]
    }
}

fn sandbox() -> Sandbox {
    Sandbox::builder().staff("admin", "admin-password").keep_requests(0).build()
}

/// The certificates that this system trusts, and that of the server.
fn trusted(server: &SandboxServer) -> (PathBuf, usize) {
    let system = TRUSTED.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let all = format!("{system}\n{}", server.certificate().unwrap_or_default());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("weight").join("trusted.pem");
    fs::write(&path, &all).expect("the certificates can be written");
    (path, all.matches("BEGIN CERTIFICATE").count())
}

/// A table of medians of so many starts each, taken in turns.
pub fn measure(starts: usize, profile: Profile) -> String {
    let packages = [&PROCESS, &BARE_UREQ, &OURS_UREQ].map(|program| Package::of(program, profile));
    packages.iter().for_each(Package::build);
    let [process, bare, ours] = packages.map(|package| package.executable());

    let plain = sandbox().serve().expect("there is a port");
    let secure = sandbox().serve_tls().expect("there is a port");
    let (trusted, certificates) = trusted(&secure);
    let mut table = Table::new(&["", "times bare", "ms more than bare", "ms", "bare, ms"]);
    for (scheme, server) in [("http", &plain), ("https", &secure)] {
        let url = server.url();
        let url = url.trim_end_matches('/');
        let mut all = [
            Start::new("a process that does nothing", &process, &[]),
            Start::new("bare, told the dialect", &bare, &[url]),
            Start::new("ours, told the dialect", &ours, &[url]),
            Start::new("bare, asking for the dialect", &bare, &[url, "ask"]),
            Start::new("ours, asking for the dialect", &ours, &[url, "ask"]),
        ];
        for _ in 0..starts {
            for start in &mut all {
                let milliseconds = start.once(&trusted);
                start.milliseconds.push(milliseconds);
            }
        }
        let [process, told_bare, told_ours, asking_bare, asking_ours] =
            all.each_ref().map(Start::median);
        for (what, ours, bare) in [
            ("the dialect is set: two requests", told_ours, told_bare),
            ("the dialect is asked for: three requests", asking_ours, asking_bare),
            ("asked for, beside a program that knows it", asking_ours, told_bare),
        ] {
            table.row(vec![
                format!("{scheme}: {what}"),
                format!("{:.2}", ours / bare),
                format!("{:+.2}", ours - bare),
                format!("{ours:.2}"),
                format!("{bare:.2}"),
            ]);
        }
        table.row(vec![
            format!("{scheme}: a process that does nothing"),
            String::new(),
            String::new(),
            format!("{process:.2}"),
            String::new(),
        ]);
    }
    format!(
        "The login-node program over loopback, medians of {starts} processes each, in turns; \
         {certificates} trusted certificates.\n\n{table}"
    )
}
