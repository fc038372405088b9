//! What must not compile does not, and says why in words.
//!
//! Each file in `tests/ui` is compiled as a program; behind each line that is wrong stands a part
//! of what the compiler has to say of it, `//~ ERROR …`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MARK: &str = "//~ ERROR ";

/// Messages by file and line.
type Messages = BTreeMap<(String, usize), String>;

fn programs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

fn expected() -> Messages {
    let mut messages = Messages::new();
    for path in programs() {
        for (number, line) in (1..).zip(fs::read_to_string(&path).unwrap().lines()) {
            if let Some((_, message)) = line.split_once(MARK) {
                messages.insert((name(&path), number), message.to_owned());
            }
        }
    }
    messages
}

/// What the compiler says, by way of a package that has the programs and this crate, without
/// features: a second build of the transports would take minutes.
fn seen() -> Messages {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ui");
    fs::create_dir_all(&folder).unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let mut manifest = format!(
        "[package]\nname = \"ui\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\nkeystone-client = {{ path = {root:?}, default-features = false }}\n"
    );
    for path in programs() {
        manifest += &format!("\n[[bin]]\nname = {:?}\npath = {path:?}\n", name(&path));
    }
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::copy(Path::new(root).join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--keep-going", "--quiet", "--message-format", "short"])
        .current_dir(&folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let mut messages = Messages::new();
    for line in text.lines() {
        let Some((place, message)) = line.split_once(": error") else { continue };
        let mut parts = place.rsplitn(3, ':').skip(1);
        let (number, path) = (parts.next().unwrap(), parts.next().unwrap());
        let place = (name(Path::new(path)), number.parse().unwrap());
        messages.entry(place).or_default().push_str(message);
    }
    assert!(!messages.is_empty(), "the compiler says nothing of the programs:\n{text}");
    messages
}

#[test]
fn what_must_not_compile_says_why() {
    let (expected, seen) = (expected(), seen());
    for (place, message) in &expected {
        let said = seen.get(place).unwrap_or_else(|| panic!("{place:?} compiles"));
        assert!(said.contains(message), "{place:?}: not `{message}`, but {said}");
    }
    for (place, message) in &seen {
        assert!(expected.contains_key(place), "{place:?}: {message}");
    }
    assert!(expected.len() >= 15, "only {} lines are wrong", expected.len());
}
