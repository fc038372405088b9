//! Packages that are made, built and thrown away.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::programs::{Profile, Program};

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// A package of its own in a directory of its own.
pub struct Package {
    directory: PathBuf,
    name: &'static str,
}

pub struct Weight {
    /// Without the program.
    pub crates: usize,
    pub crates_with_build: usize,
    /// The median.
    pub build_seconds: f64,
    pub bytes: u64,
}

impl Package {
    /// Writes it, and fetches what it needs in the versions that this crate is locked to.
    pub fn of(program: &Program, profile: Profile) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("weight").join(format!(
            "{}-{}",
            program.name,
            profile.name()
        ));
        let package = Self { directory, name: program.name };
        package.write(program, profile).expect("the package can be written");
        run(package.cargo(&["fetch", "--quiet"]));
        package
    }

    fn write(&self, program: &Program, profile: Profile) -> io::Result<()> {
        let sources = self.directory.join("src");
        // What an earlier run has left may be of other versions.
        if self.directory.exists() {
            fs::remove_dir_all(&self.directory)?;
        }
        fs::create_dir_all(&sources)?;
        let mut main = String::new();
        for (module, text) in program.modules {
            fs::write(sources.join(format!("{module}.rs")), text)?;
            main.push_str(&format!("mod {module};\n"));
        }
        fs::write(sources.join("main.rs"), main + program.main)?;
        let manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\n{}\n[profile.release]\n{}",
            program.name,
            program.dependencies.trim_start().replace("KEYSTONE_CLIENT", &format!("{CRATE:?}")),
            profile.settings(),
        );
        fs::write(self.directory.join("Cargo.toml"), manifest)?;
        fs::copy(Path::new(CRATE).join("Cargo.lock"), self.directory.join("Cargo.lock"))?;
        Ok(())
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO"));
        command.args(arguments).current_dir(&self.directory).env_remove("CARGO_TARGET_DIR");
        for (name, _) in std::env::vars_os() {
            // Settings of this build are none of theirs.
            if name.to_string_lossy().starts_with("CARGO_PROFILE_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Builds it with nothing built before, and says how many seconds that took.
    pub fn build_from_nothing(&self) -> f64 {
        let target = self.directory.join("target");
        if target.exists() {
            fs::remove_dir_all(&target).expect("what was built can be removed");
        }
        let start = now();
        self.build();
        start.elapsed().as_secs_f64()
    }

    pub fn build(&self) {
        run(self.cargo(&["build", "--quiet", "--release", "--offline", "--locked"]));
    }

    pub fn executable(&self) -> PathBuf {
        let name = format!("{}{}", self.name, std::env::consts::EXE_SUFFIX);
        self.directory.join("target/release").join(name)
    }

    pub fn weigh(&self, mut build_seconds: Vec<f64>) -> Weight {
        build_seconds.sort_by(f64::total_cmp);
        let executable = fs::metadata(self.executable()).expect("it has been built");
        Weight {
            crates: self.crates("normal"),
            crates_with_build: self.crates("normal,build"),
            build_seconds: build_seconds[build_seconds.len() / 2],
            bytes: executable.len(),
        }
    }

    /// How many crates it is built of, proc macros included and the program not.
    fn crates(&self, edges: &str) -> usize {
        let arguments =
            ["tree", "--offline", "--locked", "--edges", edges, "--prefix", "none", "--no-dedupe"];
        let tree = run(self.cargo(&arguments));
        // `name version`, and then whether it is a proc macro, where it is from, or seen before.
        let crates: BTreeSet<Vec<&str>> =
            tree.lines().map(|line| line.split(' ').take(2).collect()).collect();
        crates.len() - 1
    }
}

#[allow(clippy::disallowed_methods, reason = "a bench measures real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// What a command prints that has to succeed.
pub fn run(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("programs print text")
}
