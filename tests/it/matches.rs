//! A filter that is evaluated here says what the server says: held against the sandbox for made-up
//! filters, and against recorded answers of real servers.

mod recorded;

use std::fmt::Debug;
use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use keystone_client::field::{
    Column, Dated, Field, Filterable, Listable, Nullable, Ordered, Textual, Timed,
};
use keystone_client::resources::{
    Allocation, AllocationRequest, AuditAction, AuditLogEntry, Grant, RequestStatus, User,
};
use keystone_client::sandbox::{Database, Sandbox};
use keystone_client::{Filter, Id, MatchSemantics, Query, Resource, blocking};
use proptest::prelude::*;
use proptest::strategy::Union;
use rust_decimal::Decimal;
use serde_json::{Value, json};

/// A server, a client of it, and how it compares.
struct World {
    client: blocking::KeystoneClient,
    semantics: MatchSemantics,
}

fn worlds() -> &'static [World; 2] {
    static WORLDS: OnceLock<[World; 2]> = OnceLock::new();
    WORLDS.get_or_init(|| {
        let sqlite = MatchSemantics::default().ignore_ascii_case(true);
        [world(Database::Sqlite, sqlite), world(Database::Postgres, MatchSemantics::default())]
    })
}

const TEXTS: [&str; 9] = ["a", "A", "ab", "Ab", "b,a", "é", "É", "100%_", ""];

fn world(database: Database, semantics: MatchSemantics) -> World {
    let sandbox = Sandbox::builder().database(database).staff("admin", "admin-password").build();
    let insert = |path: &str, record: Value| sandbox.insert(path, record).unwrap();
    let text = |number: usize| match number % 10 {
        9 => Value::Null,
        number => TEXTS[number].into(),
    };
    let day = |number: usize| match number % 5 {
        4 => Value::Null,
        number => format!("2026-{:02}-{:02}", number * 3 + 1, number * 7 + 1).into(),
    };
    for number in 0..24 {
        insert(
            "users/users",
            json!({
                "username": format!("user{number}"),
                "department": text(number), "last_name": text(number / 2),
                "is_staff": number % 3 == 0, "is_active": number % 4 != 0,
                "date_joined": format!("2026-0{}-1{}T{:02}:30:{:02}.00000{}Z",
                    number % 9 + 1, number % 10, number, number * 2, number % 3),
            }),
        );
    }
    for number in 0..4 {
        insert("users/teams", json!({ "name": format!("team {number}") }));
        insert("allocations/clusters", json!({ "name": format!("cluster {number}") }));
    }
    let codes = ["PD", "AP", "DC", "CR"];
    for number in 0..24 {
        let request = insert(
            "allocations/requests",
            json!({
                "title": format!("{}{number}", text(number).as_str().unwrap_or("x")),
                "description": "x", "submitter": number % 5 + 1, "team": number % 3 + 1,
                "status": codes[number % 4],
                "active": day(number), "expire": day(number / 3),
            }),
        );
        insert(
            "allocations/allocations",
            json!({
                "request": request, "cluster": number % 4 + 1, "requested": number * number,
                "awarded": if number % 3 == 0 { Value::Null } else { (number * 10).into() },
            }),
        );
        insert(
            "research/grants",
            json!({
                "title": "x", "agency": "NSF", "team": number % 3 + 1, "start_date": "2026-01-31",
                "end_date": day(number), "amount": format!("{}.{:02}", number as i64 - 5, number * 4),
                "pi": text(number),
            }),
        );
    }
    let client = sandbox.blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    World { client, semantics }
}

type Filters<R> = Vec<BoxedStrategy<Filter<R>>>;

/// Any value, so that lookups can be put together for fields of all types.
trait Sample: Clone + Debug + 'static {}
impl<T: Clone + Debug + 'static> Sample for T {}

fn of<V: Sample, R: Resource>(
    values: &BoxedStrategy<V>,
    lookup: impl Fn(V) -> Filter<R> + 'static,
) -> BoxedStrategy<Filter<R>> {
    values.clone().prop_map(lookup).boxed()
}

fn equality<R, V, A, S>(field: Field<R, V, A>, values: &BoxedStrategy<S>) -> Filters<R>
where
    R: Resource,
    V: Column<Scalar = S> + 'static,
    S: Sample + keystone_client::field::Scalar + keystone_client::IntoInput<S>,
    A: Filterable,
{
    vec![of(values, move |v| field.eq(v)), of(values, move |v| field.not_eq(v))]
}

fn lists<R, V, A, S>(field: Field<R, V, A>, values: &BoxedStrategy<S>) -> Filters<R>
where
    R: Resource,
    V: Column<Scalar = S> + 'static,
    S: Sample + Listable + keystone_client::IntoInput<S>,
    A: Filterable,
{
    let values = prop::collection::vec(values.clone(), 0..4).boxed();
    vec![of(&values, move |v| field.is_in(v)), of(&values, move |v| field.not_in(v))]
}

fn comparisons<R, V, A, S>(field: Field<R, V, A>, values: &BoxedStrategy<S>) -> Filters<R>
where
    R: Resource,
    V: Column<Scalar = S> + 'static,
    S: Sample + Ordered<R> + keystone_client::IntoInput<S>,
    A: Filterable,
{
    vec![
        of(values, move |v| field.lt(v)),
        of(values, move |v| field.lte(v)),
        of(values, move |v| field.gt(v)),
        of(values, move |v| field.gte(v)),
    ]
}

fn texts<R, V, A, S>(field: Field<R, V, A>, values: &BoxedStrategy<S>) -> Filters<R>
where
    R: Resource,
    V: Column<Scalar = S> + 'static,
    S: Sample + Textual + keystone_client::IntoInput<S>,
    A: Filterable,
{
    vec![
        of(values, move |v| field.contains(v)),
        of(values, move |v| field.not_contains(v)),
        of(values, move |v| field.starts_with(v)),
        of(values, move |v| field.not_starts_with(v)),
        of(values, move |v| field.ends_with(v)),
        of(values, move |v| field.not_ends_with(v)),
    ]
}

fn null<R: Resource, V: Nullable + 'static, A: Filterable>(field: Field<R, V, A>) -> Filters<R> {
    vec![any::<bool>().prop_map(move |null| field.is_null(null)).boxed()]
}

fn days<R, V, A, S>(field: Field<R, V, A>) -> Filters<R>
where
    R: Resource,
    V: Column<Scalar = S> + 'static,
    S: Dated,
    A: Filterable,
{
    let small = (0..14_u8).boxed();
    vec![
        of(&(2024..2028_u16).boxed(), move |v| field.year(v)),
        of(&small, move |v| field.month(v)),
        of(&(0..33_u8).boxed(), move |v| field.day(v)),
        of(&(0..55_u8).boxed(), move |v| field.week(v)),
        of(&(0..9_u8).boxed(), move |v| field.week_day(v)),
    ]
}

fn times<R, V, A, S>(field: Field<R, V, A>) -> Filters<R>
where
    R: Resource,
    V: Column<Scalar = S> + 'static,
    S: Timed,
    A: Filterable,
{
    vec![
        of(&(0..25_u8).boxed(), move |v| field.hour(v)),
        of(&(0..61_u8).boxed(), move |v| field.minute(v)),
        of(&(0..61_u8).boxed(), move |v| field.second(v)),
    ]
}

fn text() -> BoxedStrategy<String> {
    let odd = prop::sample::select(vec![" a", "a ", "a\0", "\u{1f}a"]);
    let known = prop::sample::select(TEXTS.to_vec());
    prop_oneof![8 => known, 1 => odd, 2 => "[aAbé%_]{1,2}".prop_map(|text| &*text.leak())]
        .prop_map(str::to_owned)
        .boxed()
}

fn day() -> BoxedStrategy<Date> {
    let near = (1..13_i8, 1..29_i8).prop_map(|(month, day)| date(2026, month, day));
    prop_oneof![9 => near, 1 => prop::sample::select(vec![Date::MIN, Date::MAX])].boxed()
}

fn moment() -> BoxedStrategy<Timestamp> {
    let near =
        (1..10_i8, 10..20_i8, 0..24_i8, 0..2_500_i32).prop_map(|(month, day, hour, nanos)| {
            let time = date(2026, month, day).at(hour, 30, hour * 2, nanos);
            time.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
        });
    prop_oneof![9 => near, 1 => Just(Timestamp::MIN)].boxed()
}

fn key<R: 'static>(most: u64) -> BoxedStrategy<Id<R>> {
    (0..most).prop_map(Id::new).boxed()
}

fn requests() -> Filters<AllocationRequest> {
    let r = AllocationRequest::FIELDS;
    let codes = ["PD", "AP", "DC", "CR", "XX"].map(RequestStatus::from).to_vec();
    let code = prop::sample::select(codes).boxed();
    [
        equality(r.id, &key(30)),
        lists(r.id, &key(30)),
        comparisons(r.id, &key(30)),
        texts(r.title, &text()),
        equality(r.status, &code),
        lists(r.status, &code),
        texts(r.status, &code),
        equality(r.team, &key(5)),
        lists(r.team, &key(5)),
        equality(r.active, &day()),
        lists(r.active, &day()),
        comparisons(r.active, &day()),
        null(r.active),
        days(r.active),
        comparisons(r.expire, &day()),
    ]
    .concat()
}

fn users() -> Filters<User> {
    let u = User::FIELDS;
    [
        equality(u.department, &text()),
        lists(u.department, &text()),
        texts(u.department, &text()),
        null(u.department),
        equality(u.last_name, &text()),
        equality(u.is_staff, &any::<bool>().boxed()),
        equality(u.date_joined, &moment()),
        lists(u.date_joined, &moment()),
        comparisons(u.date_joined, &moment()),
        days(u.date_joined),
        times(u.date_joined),
    ]
    .concat()
}

fn grants() -> Filters<Grant> {
    let g = Grant::FIELDS;
    let amount = (-800..2_400_i64, 0..3_u32).prop_map(|(n, scale)| Decimal::new(n, scale)).boxed();
    [
        equality(g.amount, &amount),
        lists(g.amount, &amount),
        comparisons(g.amount, &amount),
        texts(g.pi, &text()),
        lists(g.pi, &text()),
        null(g.end_date),
    ]
    .concat()
}

fn allocations() -> Filters<Allocation> {
    let a = Allocation::FIELDS;
    let units = prop_oneof![9 => 0..600_u64, 1 => Just(u64::MAX)].boxed();
    [
        equality(a.awarded, &units),
        lists(a.awarded, &units),
        comparisons(a.awarded, &units),
        null(a.awarded),
        comparisons(a.requested, &units),
        equality(a.cluster, &key(6)),
    ]
    .concat()
}

fn audit_log() -> Filters<AuditLogEntry> {
    let a = AuditLogEntry::FIELDS;
    let action = prop::sample::select(vec![AuditAction::Create, AuditAction::Update]).boxed();
    [equality(a.action, &action), lists(a.action, &action), null(a.remote_addr), null(a.actor)]
        .concat()
}

/// One filter, or several at once.
fn some<R: Resource>(filters: Filters<R>) -> impl Strategy<Value = Filter<R>> {
    prop::collection::vec(Union::new(filters), 1..4)
        .prop_map(|filters| filters.into_iter().reduce(Filter::and).unwrap())
}

fn agree<R: Resource<Model: PartialEq + Debug + Clone>>(filter: &Filter<R>) {
    for world in worlds() {
        let resource = world.client.resource::<R>();
        let all = resource.list().all().unwrap();
        let here: Vec<Option<bool>> =
            all.iter().map(|record| filter.matches_with(record, &world.semantics)).collect();
        match resource.query(Query::new().matching(filter.clone())).all() {
            Ok(found) => {
                let matching = all.iter().zip(&here).filter(|(_, here)| **here == Some(true));
                let matching: Vec<R::Model> = matching.map(|(record, _)| record.clone()).collect();
                assert_eq!(found, matching, "{filter}");
                assert!(here.iter().all(Option::is_some), "{filter}");
            }
            // Keys and codes that do not exist; other than that, what is not sent.
            Err(error) if error.status().is_some() => {
                let problem = error.body_json().map(Value::to_string).unwrap_or_default();
                assert!(problem.contains("Select a valid choice"), "{filter}: {error}");
            }
            Err(error) => {
                let is_repeated = error.to_string().contains("given twice");
                assert!(is_repeated || !here.contains(&Some(true)), "{filter}: {error}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn of_requests(filter in some(requests())) {
        agree(&filter);
    }

    #[test]
    fn of_users(filter in some(users())) {
        agree(&filter);
    }

    #[test]
    fn of_grants(filter in some(grants())) {
        agree(&filter);
    }

    #[test]
    fn of_allocations(filter in some(allocations())) {
        agree(&filter);
    }

    #[test]
    fn of_the_audit_log(filter in some(audit_log())) {
        agree(&filter);
    }
}
