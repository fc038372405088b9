//! Lists: every lookup narrows, every walk is whole.

use std::collections::BTreeMap;
use std::fmt::Debug;

use keystone_client::backend::{ReqwestBackend, UreqBackend};
use keystone_client::field::FieldInfo;
use keystone_client::resources::{
    Allocation, AllocationRequest, Attachment, AuditLogEntry, Cluster, Comment, FeedEntry, Grant,
    Membership, Notification, Preference, Publication, RequestLogEntry, Review, TaskResult, Team,
    User, legacy,
};
use keystone_client::{
    Cursor, Dialect, ErrorKind, Filter, Id, KeystoneClient, MatchSemantics, Resource, blocking,
};
use serde::Serialize;
use serde_json::Value;

use crate::support::target::{Target, on_each_server};

fn client(server: &Target) -> blocking::KeystoneClient {
    let backend = UreqBackend::new().unwrap();
    let client = blocking::KeystoneClient::with_backend(&server.url(), backend).unwrap();
    client.login(server.username(), server.password()).unwrap();
    client
}

fn is_legacy(client: &blocking::KeystoneClient) -> bool {
    client.dialect() == Some(Dialect::Jwt)
}

/// Calls a macro or function for each resource of the server at hand. Lists that grow with each
/// request come last.
macro_rules! each_resource {
    ($client:expr, $function:ident) => {
        match is_legacy($client) {
            true => each_resource!(@call $client, $function:
                legacy::Allocation legacy::Cluster legacy::AllocationRequest legacy::Review
                legacy::ResearchGroup legacy::User legacy::Grant legacy::Publication
                legacy::TaskResult legacy::AppLogEntry),
            false => each_resource!(@call $client, $function:
                Allocation AllocationRequest Attachment Cluster Comment Review Grant Publication
                Team Membership User Notification Preference TaskResult AuditLogEntry
                RequestLogEntry),
        }
    };
    (@call $client:expr, $function:ident: $($resource:ty)+) => {{
        $($function::<$resource>($client, stringify!($resource));)+
    }};
}

/// A value of each field, of records of the first page.
fn samples<R: Resource<Model: Serialize>>(
    client: &blocking::KeystoneClient,
) -> BTreeMap<String, Value> {
    let records = match client.resource::<R>().list().page_size(50).pages().next() {
        Some(page) => page.unwrap().items,
        None => return BTreeMap::new(),
    };
    let mut samples = BTreeMap::new();
    for record in serde_json::to_value(records).unwrap().as_array().unwrap() {
        for (name, value) in record.as_object().unwrap() {
            let is_usable = match value {
                Value::String(text) => {
                    !text.is_empty() && text.trim() == text && !text.contains(',')
                }
                Value::Number(_) | Value::Bool(_) => true,
                _ => false,
            };
            if is_usable {
                samples.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        // What filters only know.
        if let Some(key) = record.get("record_id").filter(|key| key.is_number()) {
            samples.insert("object_pk".to_owned(), key.to_string().into());
            samples.insert("object_id".to_owned(), key.clone());
        }
    }
    samples
}

struct Lookups<'a, R: Resource> {
    client: &'a blocking::KeystoneClient,
    total: u64,
    /// Whether the list grows by itself.
    grows: bool,
    tried: u32,
    resource: std::marker::PhantomData<fn() -> R>,
}

impl<R: Resource> Lookups<'_, R> {
    /// How many records one parameter leaves; `None` where the server is too old for it.
    fn count(&mut self, name: &str, value: &str) -> Option<u64> {
        self.tried += 1;
        match self.client.resource::<R>().list().param(name, value).count().send() {
            Ok(count) => Some(count),
            Err(error) if error.kind() == ErrorKind::Unsupported => None,
            Err(error) => panic!("{name}={value}: {error:#}"),
        }
    }

    /// Together the two leave each record once; ignored ones would leave each twice.
    fn divide(&mut self, name: &str, (one, other): (&str, &str), value: &str, whole: u64) {
        let (Some(one), Some(other)) = (
            self.count(&format!("{name}{one}"), value),
            self.count(&format!("{name}{other}"), value),
        ) else {
            return;
        };
        self.check(name, one + other, whole);
    }

    fn check(&self, name: &str, found: u64, expected: u64) {
        let is_right = match self.grows {
            true => found < expected + expected / 2,
            false => found == expected,
        };
        assert!(is_right, "{} {name}: {found} of {expected}", R::NAME);
    }

    fn field(&mut self, info: &FieldInfo, sample: Option<&Value>) {
        let name = info.wire_name();
        let parameters: Vec<String> = info.parameters().collect();
        let has = |lookup: &str| parameters.contains(&format!("{name}{lookup}"));
        let null = format!("{name}__isnull");
        let (Some(nulls), Some(rest)) = (self.count(&null, "true"), self.count(&null, "false"))
        else {
            panic!("{null}");
        };
        self.check(&null, nulls + rest, self.total);
        if let Some(value) = sample {
            let mut value = match value {
                Value::String(text) => text.clone(),
                value => value.to_string(),
            };
            if name == "action" {
                value = "1".to_owned();
            }
            self.divide(name, ("", "__not_eq"), &value, self.total);
            if has("__in") {
                self.divide(name, ("__in", "__not_in"), &value, self.total);
            }
            if has("__lt") {
                self.divide(name, ("__lt", "__gte"), &value, rest);
                self.divide(name, ("__gt", "__lte"), &value, rest);
            }
            if has("__contains") {
                for (one, other) in [
                    ("__contains", "__not_contains"),
                    ("__startswith", "__not_startswith"),
                    ("__endswith", "__not_endswith"),
                ] {
                    self.divide(name, (one, other), &value, self.total);
                }
            }
        }
        for lookup in ["__contains", "__startswith", "__endswith"] {
            if has(lookup) {
                let found = self.count(&format!("{name}{lookup}"), "☃ nowhere ☃");
                assert_eq!(found, Some(0), "{} {name}{lookup}", R::NAME);
            }
        }
        for lookup in
            ["__year", "__month", "__day", "__week", "__week_day", "__hour", "__minute", "__second"]
        {
            if has(lookup) {
                let value = if lookup == "__year" { "1" } else { "77" };
                let found = self.count(&format!("{name}{lookup}"), value);
                assert_eq!(found, Some(0), "{} {name}{lookup}", R::NAME);
            }
        }
    }
}

fn lookups_of<R: Resource<Model: Serialize>>(client: &blocking::KeystoneClient, name: &str) {
    let total = client.resource::<R>().list().count().send().unwrap();
    let grows = R::PATH.starts_with("logs/") && R::PATH != "logs/tasks";
    let samples = samples::<R>(client);
    let mut lookups =
        Lookups::<R> { client, total, grows, tried: 0, resource: std::marker::PhantomData };
    let mut fields = 0;
    for info in R::FIELD_INFO.iter().filter(|info| info.parameters().next().is_some()) {
        lookups.field(info, samples.get(info.wire_name()));
        fields += 1;
    }
    println!("{name:28} {fields:3} fields, {:4} lookups tried on {total} rows", lookups.tried);
}

/// What the crate takes for a filter the server takes for one: of each pair of opposites each row
/// passes one.
fn lookups(server: &Target) {
    let client = client(server);
    each_resource!(&client, lookups_of);
    if !is_legacy(&client) {
        lookups_of::<FeedEntry>(&client, "FeedEntry");
    }
}

/// All ways to walk a list give the same rows, as many as the server counts.
fn walks_of<R>(client: &blocking::KeystoneClient, name: &str)
where
    R: Resource<Model: Serialize + Clone + PartialEq + Debug>,
{
    let resource = client.resource::<R>();
    let Some(last) = resource.list().page_size(1_000).iter().last() else {
        println!("{name:28} no rows");
        return;
    };
    // What is logged meanwhile is not to be counted.
    let most = R::id(&last.unwrap()).unwrap();
    let whole = || resource.list().param("id__lte", most);
    let counted = whole().count().send().unwrap();
    let keys = |rows: &[R::Model]| -> Vec<u64> {
        rows.iter().map(|row| R::id(row).unwrap().get()).collect()
    };
    let by_key = whole().page_size(23).all().unwrap();
    assert_eq!(by_key.len() as u64, counted, "{name}");
    assert!(keys(&by_key).is_sorted_by(|left, right| left < right), "{name}");
    let at_once = whole().page_size(23).concurrency(4).all().unwrap();
    assert_eq!(keys(&at_once), keys(&by_key), "{name}");

    let mut rows = whole().page_size(23).iter();
    let half: Vec<R::Model> =
        rows.by_ref().take(by_key.len() / 2).collect::<Result<_, _>>().unwrap();
    let cursor: Cursor<R> =
        serde_json::from_str(&serde_json::to_string(&rows.cursor()).unwrap()).unwrap();
    let rest = whole().page_size(23).iter().resume(&cursor).unwrap();
    let rest: Vec<R::Model> = rest.collect::<Result<_, _>>().unwrap();
    assert_eq!([keys(&half), keys(&rest)].concat(), keys(&by_key), "{name}");

    let mut resolved = 0;
    if R::PATH != "logs/apps" {
        let ids = keys(&by_key).into_iter().rev().chain([999_999_999]).map(Id::<R>::new);
        let found = client.resolve_all(ids).unwrap();
        assert_eq!(found.missing(), [Id::new(999_999_999)], "{name}");
        resolved = found.records().len() as u64;
        assert_eq!(resolved, counted, "{name}");
    }
    println!(
        "{name:28} {counted:6} rows by key, four pages at a time, from a cursor; {resolved} by keys"
    );
}

fn walks(server: &Target) {
    let client = client(server);
    each_resource!(&client, walks_of);
    let async_client =
        KeystoneClient::with_backend(&server.url(), ReqwestBackend::new().unwrap()).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        async_client.login(server.username(), server.password()).await.unwrap();
        let blocking = client.users().list().all().unwrap();
        let users = async_client.users().list().page_size(10).concurrency(8).all().await.unwrap();
        let keys = |users: &[User]| users.iter().map(|user| user.id).collect::<Vec<_>>();
        assert_eq!(keys(&users), keys(&blocking));
    });
    if is_legacy(&client) {
        return;
    }
    // In orders of the caller's, and what has no key.
    let mut requests = client.requests().order_by(|r| r.title.desc()).page_size(9).iter();
    let rows: Vec<AllocationRequest> = requests.by_ref().collect::<Result<_, _>>().unwrap();
    assert_eq!(rows.len() as u64, client.requests().list().count().send().unwrap());
    assert!(!requests.has_moved());
    let start = jiff::Timestamp::now();
    let before = || client.feed().filter(|f| f.timestamp.lt(start));
    let entries = before().page_size(400).all().unwrap();
    assert_eq!(entries.len() as u64, before().count().send().unwrap());
    // Unbounded it grows with each page, and comes whole and without repeats all the same.
    let mut feed = client.feed().list().page_size(400).iter();
    let mut keys: Vec<String> = feed.by_ref().map(|entry| entry.unwrap().id).collect();
    let all = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), all);
    assert!(all >= entries.len() && feed.has_moved());
    println!("{:28} {all:6} entries", "FeedEntry");
}

/// What filters find on the server they find here.
fn agree<R>(client: &blocking::KeystoneClient, filter: Filter<R>)
where
    R: Resource<Model: Clone>,
{
    let resource = client.resource::<R>();
    let found = resource.list().matching(filter.clone()).all().unwrap();
    let sqlite = MatchSemantics::default().ignore_ascii_case(true);
    let all = resource.list().all().unwrap();
    let here: Vec<_> = all
        .iter()
        .filter(|row| filter.matches_with(row, &sqlite) == Some(true))
        .map(R::id)
        .collect();
    assert_eq!(found.iter().map(R::id).collect::<Vec<_>>(), here, "{filter}");
    println!("{:5} of {:5} {filter}", found.len(), all.len());
}

/// On SQLite, with which real servers are expected to run.
fn filters(server: &Target) {
    let client = client(server);
    if is_legacy(&client) {
        let (user, request) = (legacy::User::FIELDS, legacy::AllocationRequest::FIELDS);
        agree(&client, user.department.eq(""));
        agree(&client, user.username.contains("STAFF"));
        agree(&client, user.date_joined.week_day(4));
        agree(&client, request.expire.gte(jiff::civil::date(2026, 11, 25)));
        return;
    }
    let (user, request, grant) = (User::FIELDS, AllocationRequest::FIELDS, Grant::FIELDS);
    let first = client.users().list().first().send().unwrap().unwrap();
    let fine = first.date_joined + jiff::SignedDuration::from_nanos(500);
    for filter in [
        user.department.eq(""),
        user.department.not_eq(""),
        user.department.is_in(["", "Physics"]),
        user.department.contains("PHYS"),
        user.first_name.not_starts_with("a"),
        user.is_staff.not_eq(true),
        user.date_joined.eq(first.date_joined),
        user.date_joined.gte(fine),
        user.date_joined.gt(fine),
        user.date_joined.lte(fine),
        user.date_joined.week(10),
        user.date_joined.hour(12),
        user.last_login.is_null(true),
        user.last_login.not_eq(first.date_joined),
    ] {
        agree(&client, filter);
    }
    let today = jiff::civil::date(2026, 11, 25);
    for filter in [
        request.expire.gte(today),
        request.expire.not_in([today]),
        request.active.year(2026),
        request.active.week_day(1),
        request.status.starts_with(keystone_client::resources::RequestStatus::Approved),
        request.title.ends_with("e"),
    ] {
        agree(&client, filter);
    }
    for filter in
        [grant.amount.gte(100_000), grant.end_date.is_null(false), grant.pi.contains("dr")]
    {
        agree(&client, filter);
    }
}

on_each_server! {
    fn every_lookup_narrows(server) {
        lookups(server);
    }

    fn every_walk_is_whole(server) {
        walks(server);
    }

    fn filters_find_the_same_here(server) {
        filters(server);
    }
}
