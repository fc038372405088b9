//! The example programs, run as a user runs them, against the centre in memory that each brings.
//!
//! What they print is compared with the files in `tests/it/examples/`. With `KEYSTONE_UPDATE_DOCS=1` they
//! are written anew instead; read the difference before it is committed.

mod reports;
mod session;
mod writes;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// An example, which `cargo test` has built beside this test.
fn program(name: &str) -> PathBuf {
    let tests = env::current_exe().unwrap();
    let target = tests.ancestors().nth(2).unwrap();
    let program = target.join("examples").join(name).with_extension(env::consts::EXE_EXTENSION);
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = match fs::read_dir(examples.join(name)) {
        Ok(files) => files.map(|file| file.unwrap().path()).collect(),
        Err(_) => vec![examples.join(format!("{name}.rs"))],
    };
    let changed = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    let newest = files.iter().map(|file| changed(file)).max().unwrap();
    assert!(
        program.exists() && changed(&program) > newest,
        "{} is not built, or older than its source; `cargo build --features full --examples` makes it",
        program.display()
    );
    program
}

/// What starts it in this folder, without anything that would lead it to a real server.
fn command(folder: &Path, name: &str) -> Command {
    let mut command = Command::new(program(name));
    for (variable, _) in env::vars_os() {
        if variable.to_string_lossy().starts_with("KEYSTONE_") {
            command.env_remove(variable);
        }
    }
    command.current_dir(folder);
    command
}

fn run_in(folder: &Path, name: &str, arguments: &[&str]) -> Output {
    command(folder, name).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs it, which has to succeed, and says what it printed.
fn prints(folder: &Path, name: &str, arguments: &[&str]) -> String {
    let output = run_in(folder, name, arguments);
    assert!(output.status.success(), "{name} {arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "", "{name} {arguments:?}");
    text(&output.stdout)
}

/// Compares a text with a file of expected output.
fn expect(file: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/examples").join(file);
    if env::var_os("KEYSTONE_UPDATE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    assert!(expected == actual, "{file} is\n{expected}\nand not\n{actual}");
}

#[test]
fn each_says_how_it_is_used() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut seen = 0;
    for entry in fs::read_dir(examples).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let help = prints(folder.path(), name, &["--help"]);
        assert!(help.contains("Usage: "), "{name}: {help}");
        let refused = run_in(folder.path(), name, &["--no-such-option"]);
        assert!(!refused.status.success(), "{name}");
        assert!(
            text(&refused.stderr).contains("--no-such-option"),
            "{name}: {}",
            text(&refused.stderr)
        );
        seen += 1;
    }
    assert!(seen >= 16, "only {seen} examples were found");
}

#[test]
fn expiring_allocations() {
    let folder = tempfile::tempdir().unwrap();
    let name = "expiring_allocations";
    expect("expiring_allocations.txt", &prints(folder.path(), name, &[]));
    let csv = prints(folder.path(), name, &["--within", "30", "--format", "csv"]);
    expect("expiring_allocations.csv", &csv);
    let json = prints(folder.path(), name, &["--today", "2026-08-10", "--format", "json"]);
    let endings: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(endings[0]["ends"], "2026-08-13", "what ends on the day itself has ended: {json}");
}
