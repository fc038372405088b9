//! How many recordings the sandbox answers as the recorded server did: the table in
//! `docs/sandbox.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use keystone_client::sandbox::Dialect;

use super::compare::Leeway;
use super::exceptions::{self, Exception};
use super::recording::{self, Recording};
use super::replay::replay;
use super::world::World;

/// Recordings that the sandbox does not match, and why.
const NOT_YET: &[(&str, &str)] = &[
    ("stats-requests-staff", UNSEEN),
    ("stats-requests-member", UNSEEN),
    ("stats-requests-filtered", UNSEEN),
    ("stats-grants-staff", UNSEEN),
    ("stats-grants-member", UNSEEN),
    ("stats-publications-staff", UNSEEN),
    ("stats-publications-member", UNSEEN),
    ("page-last", FAR),
    ("filter-boolean", "one of the clusters was deleted without being recorded"),
    (
        "auth-access-without-user-id",
        "the token is one that no server hands out, and the sandbox knows those it has handed out",
    ),
    ("users-retrieve-server-in-other-time-zone", "the clock of the sandbox goes by UTC"),
    ("openapi-yaml", "the description of the API has paths and methods, and no schemas"),
];

const FAR: &str = "a page far into a list of which the recordings show little";

const UNSEEN: &str = "sums over generated records that no recording shows";

/// The parts of the API, and where they are. What is nowhere else belongs to the system.
const AREAS: &[(&str, &[&str])] = &[
    ("authentication", &["/authentication/"]),
    ("users", &["/users/users"]),
    ("teams and research groups", &["/users/teams", "/users/researchgroups"]),
    ("memberships", &["/users/membership"]),
    ("requests", &["/allocations/request"]),
    ("allocations", &["/allocations/allocations"]),
    ("clusters", &["/allocations/cluster"]),
    ("reviews", &["/allocations/review"]),
    ("comments", &["/allocations/comments"]),
    ("attachments", &["/allocations/attachments"]),
    ("grants", &["/research/grants"]),
    ("publications", &["/research/publications"]),
    ("notifications and preferences", &["/notifications/"]),
    ("logs", &["/logs/"]),
    ("batch jobs", &["/batch/"]),
    ("statistics", &["/stats/"]),
];

const THROTTLING: &str = "throttling";
const SYSTEM: &str = "system";

fn area(recording: &Recording) -> &'static str {
    if Exception::LimitedRate.holds(&recording.name) {
        return THROTTLING;
    }
    let path = recording.path.as_str();
    let found = AREAS.iter().find(|(_, places)| places.iter().any(|it| path.starts_with(it)));
    found.map_or(SYSTEM, |(name, _)| name)
}

/// How many recordings came out how.
#[derive(Clone, Copy, Default)]
struct Tally {
    exact: usize,
    by_shape: usize,
    not_yet: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.exact += other.exact;
        self.by_shape += other.by_shape;
        self.not_yet += other.not_yet;
    }

    fn row(self, name: &str) -> String {
        format!("| {name} | {} | {} | {} |\n", self.exact, self.by_shape, self.not_yet)
    }
}

/// What came of all recordings of one version.
struct Survey {
    version: &'static str,
    areas: BTreeMap<&'static str, Tally>,
    leeways: BTreeMap<Leeway, usize>,
    not_yet: Vec<(String, &'static str)>,
    problems: Vec<String>,
}

impl Survey {
    fn new(version: &'static str, dialect: Dialect) -> Self {
        let recordings = recording::load(dialect);
        let world = World::new(dialect, &recordings);
        let mut survey = Self {
            version,
            areas: BTreeMap::new(),
            leeways: BTreeMap::new(),
            not_yet: Vec::new(),
            problems: Vec::new(),
        };
        for (position, recording) in recordings.iter().enumerate() {
            survey.note(recording, replay(&world, dialect, position, recording));
        }
        survey
    }

    fn note(&mut self, recording: &Recording, result: Result<BTreeSet<Leeway>, String>) {
        let known = NOT_YET.iter().find(|(name, _)| *name == recording.name);
        let tally = self.areas.entry(area(recording)).or_default();
        match (result, known) {
            (Ok(leeways), None) => {
                if leeways.is_empty() {
                    tally.exact += 1;
                } else {
                    tally.by_shape += 1;
                }
                for leeway in leeways {
                    *self.leeways.entry(leeway).or_default() += 1;
                }
            }
            (Err(_), Some((name, reason))) => {
                tally.not_yet += 1;
                self.not_yet.push(((*name).to_owned(), reason));
            }
            (Ok(_), Some(_)) => self.problems.push(format!("{}: matches by now", recording.name)),
            (Err(found), None) => self.problems.push(format!("{}: {found}", recording.name)),
        }
    }

    fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.areas.values().for_each(|tally| total.add(*tally));
        total
    }

    fn table(&self) -> String {
        let head = "| area | exact | by shape | not yet |\n|---|---:|---:|---:|\n";
        let names = AREAS.iter().map(|(name, _)| *name).chain([THROTTLING, SYSTEM]);
        let rows = names.filter_map(|name| Some(self.areas.get(name)?.row(name)));
        let rows = rows.collect::<String>();
        let total = self.total().row("**all**");
        format!("### {}\n\n{head}{rows}{total}", self.version)
    }
}

fn report(surveys: &[Survey]) -> String {
    let mut text = String::new();
    for survey in surveys {
        text.push_str(&survey.table());
        text.push('\n');
    }
    text.push_str("### Leeways\n\n");
    let heads: Vec<String> =
        surveys.iter().map(|survey| format!(" {} |", survey.version)).collect();
    text.push_str(&format!("| what may differ |{}\n|---|", heads.concat()));
    text.push_str(&format!("{}\n", "---:|".repeat(surveys.len())));
    for (leeway, meaning) in Leeway::ALL {
        let counts = surveys.iter().map(|it| it.leeways.get(leeway).copied().unwrap_or_default());
        let counts = counts.map(|count| format!(" {count} |")).collect::<String>();
        text.push_str(&format!("| {meaning} |{counts}\n"));
    }
    text.push_str("\n### Not yet\n\n");
    let mut missing = surveys.iter().flat_map(|survey| {
        survey.not_yet.iter().map(|(name, reason)| format!("- `{name}`: {reason}\n"))
    });
    text.push_str(&missing.next().unwrap_or_else(|| "None.\n".to_owned()));
    missing.for_each(|line| text.push_str(&line));
    text.push_str(
        "\n### Exceptions\n\nRecordings that need something of their own before they are sent:\n\n",
    );
    text.push_str(&exceptions::report());
    text
}

const BEGIN: &str = "<!-- begin of what the tests write -->\n";
const END: &str = "<!-- end of what the tests write -->\n";

#[test]
fn the_sandbox_answers_as_recorded_servers_did() {
    let surveys = [Survey::new("0.10.9", Dialect::Session), Survey::new("0.3.26", Dialect::Jwt)];
    let problems: Vec<&String> = surveys.iter().flat_map(|survey| &survey.problems).collect();
    for problem in &problems {
        println!("{problem}");
    }
    assert!(problems.is_empty(), "{} recordings differ", problems.len());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/sandbox.md");
    let document = fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let report = format!("\n{}\n", report(&surveys));
    if std::env::var_os("KEYSTONE_UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{report}{END}{after}")).unwrap();
    } else {
        assert!(
            report == written,
            "docs/sandbox.md is out of date: KEYSTONE_UPDATE_DOCS=1 renews it"
        );
    }
}

#[test]
fn exceptions_and_gaps_are_those_of_recordings() {
    let sessions = recording::load(Dialect::Session);
    let recordings: Vec<Recording> =
        sessions.into_iter().chain(recording::load(Dialect::Jwt)).collect();
    let known = |name: &str| recordings.iter().any(|recording| recording.name == name);
    assert_eq!(exceptions::unknown(known), [""; 0]);
    for (name, _) in NOT_YET {
        assert!(known(name), "{name}");
    }
}
