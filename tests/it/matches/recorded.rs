//! Filters against the recorded answers of real servers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jiff::Timestamp;
use jiff::civil::date;
use keystone_client::resources::{
    Allocation, AllocationRequest, Comment, Grant, Membership, MembershipRole, RequestStatus, Team,
    User, legacy,
};
use keystone_client::{Filter, Id, MatchSemantics, Query, Resource};
use rust_decimal::Decimal;
use serde_json::Value;

/// Recordings of a version by their names.
fn recordings(version: &str) -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings").join(version);
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
        })
        .collect()
}

fn results(recording: &Value) -> &Vec<Value> {
    let body = &recording["response"]["body"];
    body["results"].as_array().or(body.as_array()).unwrap_or_else(|| panic!("{recording}"))
}

/// What was recorded under `name` is what `filter` asks for and what it finds, among all records of
/// the same list that filters were recorded with.
fn check<R: Resource>(recordings: &BTreeMap<String, Value>, name: &str, filter: Filter<R>) {
    let recording = &recordings[name];
    let parameters = |query: &str| -> BTreeSet<(String, String)> {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned();
        // Blanks behind the commas of a list are the recorder's.
        pairs
            .map(|(name, value)| (name, value.replace(", ", ",")))
            .filter(|(name, _)| !["_limit", "_order"].contains(&name.as_str()))
            .collect()
    };
    let recorded = match &recording["request"]["query"] {
        Value::String(query) => parameters(query),
        query => serde_json::from_value::<BTreeMap<String, String>>(query.clone())
            .unwrap()
            .into_iter()
            .collect(),
    };
    let own = parameters(&Query::<R>::new().matching(filter.clone()).to_string());
    assert_eq!(own, recorded, "{name}");

    let semantics = MatchSemantics::default().ignore_ascii_case(true);
    let matches = |record: &Value| {
        let record: R::Model = serde_json::from_value(record.clone()).unwrap();
        filter.matches_with(&record, &semantics)
    };
    let found = results(recording);
    for record in found {
        assert_eq!(matches(record), Some(true), "{name}: {record}");
    }
    let body = &recording["response"]["body"];
    let is_whole = body.is_array() || body["count"].as_u64() == Some(found.len() as u64);
    let path = &recording["request"]["path"];
    let others = recordings
        .iter()
        .filter(|(name, other)| {
            name.starts_with("filter-")
                && other["request"]["path"] == *path
                && other["response"]["status"] == 200
        })
        .flat_map(|(_, other)| {
            other["response"]["body"]["results"]
                .as_array()
                .or(other["response"]["body"].as_array())
                .into_iter()
                .flatten()
        });
    for other in others.filter(|_| is_whole) {
        if !found.iter().any(|record| record["id"] == other["id"]) {
            assert_eq!(matches(other), Some(false), "{name}: {other}");
        }
    }
}

fn instant(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn as_recorded_of_0_10_9() {
    let all = recordings("v0.10.9");
    let (comment, grant, request) = (Comment::FIELDS, Grant::FIELDS, AllocationRequest::FIELDS);
    let (member, allocation, team, user) =
        (Membership::FIELDS, Allocation::FIELDS, Team::FIELDS, User::FIELDS);
    let private = comment.private.eq(true).and(comment.request.eq(Id::new(1225)));
    check(&all, "filter-boolean-true", private);
    check(&all, "filter-date-exact", grant.start_date.eq(date(2026, 1, 31)));
    let endless = grant.end_date.is_null(true).and(grant.id.eq(Id::new(1194)));
    check(&all, "filter-date-isnull", endless);
    let saturday = grant.start_date.week_day(7).and(grant.id.eq(Id::new(1194)));
    check(&all, "filter-date-week-day-sunday-is-one", saturday);
    let parts =
        grant.start_date.year(2026).and(grant.start_date.month(1)).and(grant.start_date.day(31));
    check(&all, "filter-date-year-month-day", parts);
    let parts = request.submitted.hour(8).and(request.submitted.minute(30));
    let parts = parts.and(request.submitted.second(0)).and(request.id.eq(Id::new(1226)));
    check(&all, "filter-datetime-parts", parts);
    check(&all, "filter-datetime-z", request.submitted.eq(instant("2026-11-01T09:30:00+01:00")));
    check(&all, "filter-decimal-exact", grant.amount.eq(Decimal::new(-55, 1)));
    let least = grant.amount.gte(0).and(grant.amount.lt(Decimal::new(1, 2)));
    check(&all, "filter-decimal-range", least);
    let admin = || member.role.eq(MembershipRole::Admin);
    check(&all, "filter-enum-exact", admin().and(member.team.eq(Id::new(1))));
    let roles = member.role.is_in([MembershipRole::Admin, MembershipRole::Other("XX".into())]);
    check(&all, "filter-enum-in-unknown-ignored-value", roles.and(member.team.eq(Id::new(1))));
    let both = member.team.eq(Id::new(1)).and(member.user.eq(Id::new(102)));
    check(&all, "filter-fk-exact", both);
    let teams = member.team.is_in([Id::new(1), Id::new(2)]);
    check(&all, "filter-fk-in", teams.and(admin()));
    check(&all, "filter-number-exact", member.id.eq(Id::new(1)));
    check(&all, "filter-number-in", member.id.is_in([1, 2, 3].map(Id::new)));
    let open = allocation.awarded.is_null(true).and(allocation.request.eq(Id::new(1224)));
    check(&all, "filter-number-isnull", open);
    let outside = member.id.not_in([1, 2].map(Id::new)).and(member.id.lte(Id::new(4)));
    check(&all, "filter-number-not-in-and-range", outside);
    check(&all, "filter-text-contains", team.name.contains("Équipe"));
    check(&all, "filter-text-exact-wrong-case", team.name.eq("team 1"));
    check(&all, "filter-text-exact", team.name.eq("Team 1"));
    check(&all, "filter-text-in", team.name.is_in(["Team 1", "Team 2"]));
    check(&all, "filter-text-isnull", user.first_name.is_null(true));
    let doctor = grant.pi.not_contains("Who").and(grant.id.is_in([1194, 1195, 1196].map(Id::new)));
    check(&all, "filter-text-not-contains-includes-null", doctor);
}

#[test]
fn as_recorded_of_0_3_26() {
    let all = recordings("v0.3.26");
    let (cluster, request, user) =
        (legacy::Cluster::FIELDS, legacy::AllocationRequest::FIELDS, legacy::User::FIELDS);
    let (grant, allocation) = (legacy::Grant::FIELDS, legacy::Allocation::FIELDS);
    check(&all, "filter-boolean", cluster.enabled.eq(false));
    let approved = || request.status.eq(RequestStatus::Approved);
    check(&all, "filter-combined", approved().and(request.group.eq(Id::new(1))));
    check(&all, "filter-date-day", request.active.day(30));
    check(&all, "filter-date-exact", request.active.eq(date(2024, 1, 1)));
    check(&all, "filter-date-gte", request.active.gte(date(2024, 2, 1)));
    check(&all, "filter-date-lt", request.expire.lt(date(2025, 1, 1)));
    check(&all, "filter-date-month", request.active.month(6));
    check(&all, "filter-date-week-day", request.active.week_day(2));
    check(&all, "filter-date-week", request.active.week(1));
    check(&all, "filter-date-year", request.expire.year(2025));
    check(&all, "filter-datetime-gt", user.date_joined.gt(instant("2020-01-01T00:00:00Z")));
    check(&all, "filter-datetime-year", user.date_joined.year(2001));
    check(&all, "filter-decimal-exact", grant.amount.eq(2500));
    check(&all, "filter-decimal", grant.amount.gt(1_000_000));
    check(&all, "filter-exact-choice", approved());
    check(&all, "filter-foreign-key-in", request.group.is_in([1, 2].map(Id::new)));
    check(&all, "filter-foreign-key", request.group.eq(Id::new(2)));
    check(&all, "filter-in-ids", request.id.is_in([1, 2].map(Id::new)));
    let open = request.status.is_in([RequestStatus::Pending, RequestStatus::Approved]);
    check(&all, "filter-in", open);
    check(&all, "filter-isnull-false", request.active.is_null(false));
    check(&all, "filter-isnull-true", request.active.is_null(true));
    check(&all, "filter-no-match", request.title.eq("nothing like this"));
    check(
        &all,
        "filter-range",
        allocation.requested.gte(5000).and(allocation.requested.lt(100_000)),
    );
    check(&all, "filter-text-contains", request.title.contains("dust"));
    check(&all, "filter-text-endswith", request.title.ends_with("proteins"));
    check(&all, "filter-text-exact", request.title.eq("Dust formation"));
    check(&all, "filter-text-startswith", request.title.starts_with("Stellar"));
    check(&all, "filter-username-startswith", user.username.starts_with("staff"));
}
