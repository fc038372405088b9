//! A lower layer never names a higher one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// All modules from the bottom up; those of one layer may name each other.
#[rustfmt::skip]
const LAYERS: &[&[&str]] = &[
    // Pure: what to ask. Of `backend` they may name what crosses its boundary, see `IMPURE`.
    &[
        "awards", "backend", "base_url", "batch", "body", "bulk", "call", "capability", "change", "crud", "difference", "drift", "edit", "ensure", "error", "field", "filter", "http_date", "id", "input",
        "list", "order", "page", "query", "redact", "request", "resolve", "resource", "resources", "retry", "upload", "walk", "wire",
    ],
    // Pure: what to do next.
    &["auth", "credentials", "flow", "observe", "session_store"],
    // The faces.
    &["client", "blocking", "guide"],
    // Doubles, which stand where a server or a transport stands.
    &["recorded", "sandbox", "testing"],
];

/// Uses that cross the order, each for a reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("batch", "client", "a step has to be a call of the client that runs the job"),
    ("call/explain", "client", "explaining needs the base URL and login of the client"),
    ("backend/isahc", "blocking", "the blocking trait lives with the blocking client"),
    ("backend/ureq", "blocking", "the blocking trait lives with the blocking client"),
];

/// What only backends and clients may name: transports, sockets, runtimes, clocks, threads.
const IMPURE: &[&str] = &[
    "HttpBackend",
    "IsahcBackend",
    "ReqwestBackend",
    "UreqBackend",
    "isahc::",
    "reqwest::",
    "ureq::",
    "TcpStream",
    "TcpListener",
    "ToSocketAddrs",
    "tokio",
    "SystemTime::now",
    "Instant::now",
    "thread::",
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// Each file of the crate by its path without ending, as code without comments and tests.
fn crate_files() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().with_extension("");
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            let code: Vec<&str> =
                text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            (name.to_str().unwrap().replace('\\', "/"), code.join("\n"))
        })
        .collect()
}

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules of the crate that `code` names.
fn named(code: &str) -> Vec<String> {
    let identifier = |text: &str| -> String {
        text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
    };
    code.match_indices("crate::")
        .map(|(at, pattern)| identifier(&code[at + pattern.len()..]))
        .filter(|module| rank(module).is_some())
        .collect()
}

#[test]
fn uses_point_downwards() {
    let mut seen = 0;
    for (file, code) in crate_files() {
        let module = file.split('/').next().unwrap();
        if module == "lib" {
            continue;
        }
        let own = rank(module).unwrap_or_else(|| panic!("`{module}` is in no layer"));
        for module in named(&code) {
            seen += 1;
            let excepted =
                EXCEPTIONS.iter().any(|(from, to, _)| (*from, *to) == (file.as_str(), &module));
            assert!(
                rank(&module).unwrap() <= own || excepted,
                "src/{file}.rs names `{module}`, which is above it"
            );
        }
    }
    assert!(seen > 100, "only {seen} uses were found, so the test looks in the wrong place");
}

#[test]
fn pure_layers_name_no_transport_runtime_or_clock() {
    for (file, code) in crate_files() {
        let module = file.split('/').next().unwrap();
        if module != "backend" && rank(module).is_some_and(|rank| rank <= 1) {
            for name in IMPURE {
                assert!(!code.contains(name), "src/{file}.rs names `{name}`");
            }
        }
    }
}

/// The folders below this one, of any depth.
fn folders(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            folders(&path, into);
            into.push(path);
        }
    }
}

#[test]
fn the_map_of_the_architecture_is_true_and_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let (life, map) = text.split_once("## Where things are").unwrap();
    let quoted = |text: &str| -> Vec<String> {
        text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };

    let map = quoted(map);
    let named: Vec<&str> =
        map.iter().map(String::as_str).filter(|name| name.contains('/')).collect();
    for name in &named {
        let path = root.join(name.trim_end_matches("*.rs"));
        assert!(path.exists(), "the map names `{name}`, which is not there");
    }
    // There a file is named without `src/`.
    for name in quoted(life).iter().filter(|name| name.ends_with(".rs") && !name.contains(' ')) {
        let is_there = root.join("src").join(name).exists() || root.join(name).exists();
        assert!(is_there, "the text names `{name}`, which is not there");
    }

    let mut all = Vec::new();
    folders(&root.join("src"), &mut all);
    let modules = crate_files().into_keys().filter(|file| !file.contains('/'));
    let places = all.iter().map(|folder| folder.strip_prefix(root).unwrap().to_str().unwrap());
    let places = places.map(|place| place.replace('\\', "/"));
    for place in places.chain(modules.map(|module| format!("src/{module}"))) {
        let is_named = named.iter().any(|name| {
            name.strip_prefix(place.as_str()).is_some_and(|rest| rest.starts_with(['/', '.']))
        });
        assert!(is_named, "no row of the map names `{place}`");
    }
}
