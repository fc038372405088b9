//! `docs/endpoints.md` and the crate say the same, and both leave out nothing that a server has.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;

use keystone_client::blocking::KeystoneClient;
use keystone_client::capability::Capability;
use keystone_client::resource::{Create, Delete, Replace, Resource, Retrieve, Summarize, Update};
use keystone_client::resources::{
    AccessMode, Allocation, AllocationRequest, Attachment, AuditLogEntry, Choices, Cluster,
    Comment, FeedEntry, Grant, Membership, MembershipRole, Notification, NotificationType,
    Preference, Publication, RequestLogEntry, RequestStatus, Review, ReviewStatus, TaskResult,
    Team, User, legacy,
};
use keystone_client::{Crud, List};

const VERBS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    path: String,
    verb: String,
    item: String,
    servers: String,
}

impl Row {
    fn new(verb: &str, path: String, item: String, capability: Option<Capability>) -> Self {
        let since = capability.and_then(Capability::since);
        let until = capability.and_then(Capability::until);
        let servers = match (since, until) {
            (Some(since), _) => format!("since {since}"),
            (None, Some(until)) => format!("up to {until}"),
            (None, None) => "all".to_owned(),
        };
        Self { path, verb: verb.to_owned(), item, servers }
    }

    fn write(&self) -> String {
        format!("| {} | `{}` | `{}` | {} |", self.verb, self.path, self.item, self.servers)
    }
}

/// The names of the items are checked by the compiler: a verb that a resource lacks, or a method
/// that a client lacks, does not compile here.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    macro_rules! resources {
        ($($($resource:ident)::+: $($verb:ident)*;)+) => {
            $(
                type R = $($resource)::+;
                let name = stringify!($($resource)::+).replace(' ', "");
                $(rows.push(resources!(@$verb R name));)*
                let _: fn(&Crud<R, KeystoneClient>) -> List<R, KeystoneClient> = Crud::list;
            )+
        };
        (@list $R:ident $name:ident) => {
            Row::new("GET", format!("/{}/", $R::PATH), format!("{}: list", $name), $R::CAPABILITY)
        };
        (@create $R:ident $name:ident) => {{
            fn has<T: Create>() {}
            has::<$R>();
            Row::new("POST", format!("/{}/", $R::PATH), format!("{}: create", $name), $R::CAPABILITY)
        }};
        (@retrieve $R:ident $name:ident) => {{
            fn has<T: Retrieve>() {}
            has::<$R>();
            resources!(@record "GET" $R $name "retrieve")
        }};
        (@update $R:ident $name:ident) => {{
            fn has<T: Update>() {}
            has::<$R>();
            resources!(@record "PATCH" $R $name "update")
        }};
        (@replace $R:ident $name:ident) => {{
            fn has<T: Replace>() {}
            has::<$R>();
            resources!(@record "PUT" $R $name "replace")
        }};
        (@delete $R:ident $name:ident) => {{
            fn has<T: Delete>() {}
            has::<$R>();
            resources!(@record "DELETE" $R $name "delete")
        }};
        (@stats $R:ident $name:ident) => {
            Row::new(
                "GET",
                format!("/{}/", <$R as Summarize>::STATS_PATH),
                format!("{}: stats", $name),
                <$R as Summarize>::STATS_CAPABILITY,
            )
        };
        (@record $verb:literal $R:ident $name:ident $item:literal) => {{
            let item = format!("{}: {}", $name, $item);
            Row::new($verb, format!("/{}/{{id}}/", $R::PATH), item, $R::CAPABILITY)
        }};
    }
    macro_rules! one_block { ($($line:tt)*) => { $({ resources! $line })* }; }
    one_block! {
        { Allocation: list create retrieve update replace delete; }
        { AllocationRequest: list create retrieve update replace delete stats; }
        { Attachment: list create retrieve update replace delete; }
        { Cluster: list create retrieve update replace delete; }
        { Comment: list create retrieve update replace delete; }
        { Review: list create retrieve update replace delete; }
        { Grant: list create retrieve update replace delete stats; }
        { Publication: list create retrieve update replace delete stats; }
        { Membership: list create retrieve update replace delete; }
        { Team: list create retrieve update delete; }
        { User: list create retrieve update delete; }
        { Notification: list retrieve update stats; }
        { Preference: list create retrieve update replace delete; }
        { AuditLogEntry: list retrieve; }
        { RequestLogEntry: list retrieve; }
        { TaskResult: list retrieve; }
        { FeedEntry: list; }
        { legacy::Allocation: list create retrieve update replace delete; }
        { legacy::AllocationRequest: list create retrieve update replace delete; }
        { legacy::AppLogEntry: list retrieve; }
        { legacy::Cluster: list create retrieve update replace delete; }
        { legacy::Grant: list create retrieve update replace delete; }
        { legacy::Publication: list create retrieve update replace delete; }
        { legacy::RequestLogEntry: list retrieve; }
        { legacy::ResearchGroup: list create retrieve update replace delete; }
        { legacy::Review: list create retrieve update replace delete; }
        { legacy::TaskResult: list retrieve; }
        { legacy::User: list create retrieve update replace delete; }
    }

    macro_rules! choices {
        ($($codes:ident)+) => {
            $(rows.push(Row::new(
                "GET",
                format!("/{}/", $codes::PATH),
                format!("choices::<{}>", stringify!($codes)),
                Some($codes::CAPABILITY),
            ));)+
        };
    }
    choices! { AccessMode MembershipRole NotificationType RequestStatus ReviewStatus }

    macro_rules! methods {
        ($($verb:literal $path:literal $method:ident $($capability:ident)?;)+) => {
            $(
                let _ = KeystoneClient::$method;
                let needed: &[Capability] = &[$(Capability::$capability)?];
                let item = stringify!($method).to_owned();
                rows.push(Row::new($verb, $path.into(), item, needed.first().copied()));
            )+
        };
    }
    macro_rules! authentication {
        ($($verb:literal $path:literal $method:ident $servers:literal;)+) => {
            $(rows.push(Row {
                path: $path.into(),
                verb: $verb.into(),
                item: stringify!($method).into(),
                servers: $servers.into(),
            });)+
        };
    }
    let _ = |client: &KeystoneClient| client.login("", "");
    let _ = (KeystoneClient::logout, KeystoneClient::whoami);
    authentication! {
        "POST" "/authentication/login/" login "since 0.4.0";
        "POST" "/authentication/logout/" logout "since 0.4.0";
        "GET" "/authentication/whoami/" whoami "since 0.4.0";
        "POST" "/authentication/new/" login "up to 0.3.26";
        "POST" "/authentication/blacklist/" logout "up to 0.3.26";
    }
    methods! {
        "GET" "/version/" version;
        "GET" "/config/" config Config;
        "GET" "/health/" is_healthy;
        "GET" "/health/json/" health;
        "GET" "/health/prom/" health_metrics;
        "GET" "/openapi/json/" openapi_json;
        "GET" "/openapi/yaml/" openapi_yaml;
        "POST" "/batch/" batch Batch;
        "PUT" "/users/teams/{id}/" http_put Teams;
        "PUT" "/users/users/{id}/" http_put;
    }
    rows.sort();
    rows
}

fn ledger() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/endpoints.md");
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_ledger_names_what_there_is() {
    let text = ledger();
    let written: Vec<&str> = text
        .lines()
        .filter(|line| VERBS.iter().any(|verb| line.starts_with(&format!("| {verb} |"))))
        .collect();
    let rows: Vec<String> = rows().iter().map(Row::write).collect();
    let surplus: Vec<_> = written.iter().filter(|line| !rows.iter().any(|r| r == *line)).collect();
    let missing: Vec<_> = rows.iter().filter(|row| !written.contains(&row.as_str())).collect();
    assert!(
        surplus.is_empty() && missing.is_empty(),
        "in docs/endpoints.md, but not in the crate:\n{}\nin the crate, but not there:\n{}",
        surplus.into_iter().map(|line| format!("{line}\n")).collect::<String>(),
        missing.into_iter().map(|line| format!("{line}\n")).collect::<String>(),
    );
    assert_eq!(written.len(), rows.len(), "a row stands there twice");
}

/// `KEYSTONE_SPECIFICATION` names the OpenAPI document of a server, as YAML.
#[test]
fn the_ledger_leaves_out_nothing_that_the_server_has() {
    let Ok(file) = env::var("KEYSTONE_SPECIFICATION") else {
        return;
    };
    let specification = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let listed: BTreeSet<(String, String)> =
        rows().into_iter().map(|row| (row.path, row.verb)).collect();
    let mut path = None;
    let mut methods = 0;
    for line in specification.lines() {
        if let Some(name) = line.strip_prefix("  /").and_then(|rest| rest.strip_suffix(':')) {
            path = Some(format!("/{name}"));
        }
        let method = line.strip_prefix("    ").and_then(|rest| rest.strip_suffix(':'));
        let method = method.map(str::to_uppercase);
        let method = method.filter(|method| VERBS.contains(&method.as_str()));
        if let (Some(path), Some(method)) = (&path, method) {
            methods += 1;
            let row = (path.clone(), method);
            assert!(listed.contains(&row), "{} {} has no row", row.1, row.0);
        }
    }
    assert!(methods >= 30, "only {methods} methods: is {file} an OpenAPI document as YAML?");
}
