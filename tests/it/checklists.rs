//! What names every resource or every adapter by hand leaves out none.

use std::fs;
use std::path::Path;

/// A file without its imports, which are no use of what they name.
fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let mut parts = text.split("\nuse ");
    let head = parts.next().map(str::to_owned);
    let rest = parts.filter_map(|part| part.split_once(';')).map(|(_, rest)| rest.to_owned());
    head.into_iter().chain(rest).collect()
}

/// The files of a folder that end in `.rs`, and what is in them.
fn sources(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let sources = paths.filter(|path| path.extension().is_some_and(|it| it == "rs"));
    sources
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// Whether `text` has this name by itself, and not within another or behind the name of a module.
fn names(text: &str, name: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    text.match_indices(name).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !before.is_some_and(is_part)
            && !after.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

/// The names of the resources that are made by tables, as seen from `resources`, with their paths.
fn tables() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (module, text) in sources("src/resources") {
        for line in text.lines() {
            let Some(rest) = line.trim().strip_prefix("pub struct ") else { continue };
            let Some((name, rest)) = rest.split_once("(\"") else { continue };
            let path = rest.rsplit('"').nth(1).unwrap();
            let name = if module == "legacy" { format!("legacy::{name}") } else { name.to_owned() };
            found.push((name, path.to_owned()));
        }
    }
    assert!(found.len() >= 27, "only {} tables were found: {found:?}", found.len());
    found
}

#[test]
fn every_resource_has_what_is_written_by_hand() {
    let methods = read("src/client/methods.rs");
    let methods_of_old_ones = read("src/client/legacy.rs");
    let fixtures = read("src/testing/fixtures.rs");
    let ledger = read("tests/it/ledger.rs");
    let lookups = read("tests/it/lookups.rs") + &read("tests/it/lookups/old_servers.rs");
    let recordings = read("tests/it/recordings.rs");
    let servers = read("tests/it/servers.rs");
    let lists = read("tests/it/servers/lists.rs");
    let words = read("src/testing/cassette/harmless/words.rs");
    let segments = words.split("PATH_WORDS").nth(1).unwrap().split("const").next().unwrap();
    let sandbox = sources("src/sandbox/tables").into_iter().map(|(_, text)| text);
    let sandbox: String = sandbox.collect();

    let mut missing = Vec::new();
    for (name, path) in tables() {
        let last = path.split_once('/').unwrap().1;
        let in_client = match name.strip_prefix("legacy::") {
            Some(name) => ("src/client/legacy.rs", names(&methods_of_old_ones, name)),
            None => ("src/client/methods.rs", names(&methods, &name)),
        };
        let is_there = [
            in_client,
            ("src/testing/fixtures.rs", names(&fixtures, &name)),
            ("tests/it/ledger.rs", names(&ledger, &name)),
            ("tests/it/lookups", names(&lookups, &name)),
            ("tests/it/recordings.rs", names(&recordings, &name)),
            ("tests/it/servers.rs", names(&servers, &name)),
            // It holds the lists of itself that the test makes.
            (
                "tests/it/servers/lists.rs",
                names(&lists, &name) || name == "legacy::RequestLogEntry",
            ),
            ("src/testing/cassette/harmless/words.rs", names(segments, last)),
            ("src/sandbox/tables/", sandbox.contains(&format!("name: \"{last}\",\n    model:"))),
        ];
        let lacking = is_there.into_iter().filter(|(_, is_there)| !is_there);
        missing.extend(lacking.map(|(place, _)| format!("`{name}` is not in {place}")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The index of a group is what the sandbox answers at its root.
#[test]
fn the_sandbox_lists_every_resource_in_its_group() {
    let tables_of_servers = read("src/sandbox/tables.rs");
    for (name, path) in tables() {
        let last = path.split_once('/').unwrap().1;
        let count = tables_of_servers.matches(&format!("\"{last}\"")).count();
        assert!(count > 0, "`{name}` is in no group of src/sandbox/tables.rs");
    }
}

#[test]
fn every_adapter_is_tested_and_documented() {
    let blocking = ("reqwest".to_owned(), read("src/blocking/reqwest.rs"));
    let mut adapters = Vec::new();
    for (file, text) in sources("src/backend").into_iter().chain([blocking]) {
        let structs = text.lines().filter_map(|line| line.strip_prefix("pub struct "));
        let names = structs.filter_map(|rest| rest.split_once(' ')).map(|(name, _)| name);
        let backends = names.filter(|name| name.ends_with("Backend"));
        adapters.extend(backends.map(|name| (name.to_owned(), file.clone())));
    }
    assert!(adapters.len() >= 4, "only {adapters:?} were found");

    let mut missing = Vec::new();
    for (adapter, file) in adapters {
        for place in [
            "docs/backends.md",
            "tests/it/backends.rs",
            "tests/it/conformance.rs",
            "tests/it/layers.rs",
            "tests/it/support/callers.rs",
            "tests/it/transport.rs",
        ] {
            if !read(place).contains(&adapter) {
                missing.push(format!("`{adapter}` is not in {place}"));
            }
        }
        for place in ["README.md", "justfile", "examples/quickstart/main.rs"] {
            if !read(place).contains(&file) && file != "reqwest" {
                missing.push(format!("{file} is not in {place}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
