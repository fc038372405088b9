//! What the verbs ask for, looked at without sending anything.

use jiff::Timestamp;
use jiff::civil::date;
use keystone_client::resource::Retrieve;
use keystone_client::resources::{
    AccessMode, Allocation, AllocationRequest, Cluster, Grant, MembershipRole, NewAllocation,
    NewCluster, NewGrant, NewMembership, NewUser, RequestStatus, Team, User,
};
use keystone_client::testing::from_fn;
use keystone_client::{Call, ErrorKind, Id, KeystoneClient, Query, Resource};
use rust_decimal::Decimal;
use serde_json::json;

fn client() -> KeystoneClient {
    let unused = from_fn(|request| panic!("nothing is to be sent: {}", request.uri()));
    KeystoneClient::with_backend("https://keystone.test/api", unused).unwrap()
}

/// Method, path, query and body in one line.
fn line<T>(call: Call<T, KeystoneClient>) -> String {
    let request = call.into_request().unwrap();
    let query = request.query_string();
    let mark = if query.is_empty() { "" } else { "?" };
    let body = String::from_utf8(request.body().bytes().unwrap().to_vec()).unwrap();
    format!("{} {}{mark}{query} {body}", request.method(), request.path()).trim_end().to_owned()
}

#[test]
fn verbs() {
    let client = client();
    assert_eq!(
        line(client.clusters().create(NewCluster::new("atlas").access_mode(AccessMode::Whitelist))),
        r#"POST allocations/clusters/ {"name":"atlas","access_mode":"WL"}"#
    );
    assert_eq!(line(client.teams().retrieve(Id::new(7))), "GET users/teams/7/");
    assert_eq!(line(client.retrieve(Id::<Grant>::new(7))), "GET research/grants/7/");
    assert_eq!(
        line(client.requests().update(Id::new(7), |r| [
            r.status.set(RequestStatus::Approved),
            r.expire.set(None),
            r.active.set(date(2026, 1, 31)),
            r.assignees.set([Id::new(1), Id::new(2)]),
        ])),
        "PATCH allocations/requests/7/ \
         {\"status\":\"AP\",\"expire\":null,\"active\":\"2026-01-31\",\"assignees\":[1,2]}"
    );
    assert_eq!(line(client.users().update(Id::new(7), |_| [])), "PATCH users/users/7/ {}");
    assert_eq!(
        line(client.memberships().replace(
            Id::new(7),
            NewMembership::new(Id::<User>::new(1), Id::<Team>::new(2), MembershipRole::Admin),
        )),
        r#"PUT users/memberships/7/ {"user":1,"team":2,"role":"AD"}"#
    );
    assert_eq!(line(client.allocations().delete(Id::new(7))), "DELETE allocations/allocations/7/");
}

#[test]
fn dedicated_methods_are_the_verbs_by_another_name() {
    let client = client();
    let allocation = || {
        NewAllocation::new(1000, Id::<Cluster>::new(1), Id::<AllocationRequest>::new(2))
            .awarded(500)
    };
    assert_eq!(
        line(client.create_allocation(allocation())),
        line(client.allocations().create(allocation()))
    );
    assert_eq!(line(client.retrieve_user(Id::new(7))), line(client.users().retrieve(Id::new(7))));
    assert_eq!(
        line(client.update_team(Id::new(7), |t| [t.is_active.set(false)])),
        line(client.teams().update(Id::new(7), |t| [t.is_active.set(false)]))
    );
    assert_eq!(
        line(client.delete_research_group(Id::new(7))),
        line(client.research_groups().delete(Id::new(7)))
    );
    assert_eq!(
        client.retrieve_requests().filter(|r| r.title.eq("x")).into_query(),
        client.requests().filter(|r| r.title.eq("x")).into_query()
    );
}

#[test]
fn values_travel_exactly() {
    let client = client();
    let grant = NewGrant::new(
        "Title",
        "NSF",
        "1234567.89".parse::<Decimal>().unwrap(),
        date(2026, 1, 1),
        Id::<Team>::new(3),
    )
    .grant_number(None);
    assert_eq!(
        line(client.create_grant(grant)),
        "POST research/grants/ {\"title\":\"Title\",\"agency\":\"NSF\",\"amount\":\"1234567.89\",\
         \"start_date\":\"2026-01-01\",\"team\":3,\"grant_number\":null}"
    );
    assert_eq!(
        line(client.update_allocation(Id::new(1), |a| [
            a.r#final.set(9_223_372_036_854_775_807),
            a.awarded.set(None),
        ])),
        "PATCH allocations/allocations/1/ {\"final\":9223372036854775807,\"awarded\":null}"
    );
}

#[test]
fn passwords_are_sent_and_never_shown() {
    let client = client();
    let new = NewUser::new("ada", "correct horse").email("ada@example.edu");
    assert!(!format!("{new:?}").contains("correct horse"), "{new:?}");
    let call = client.create_user(new);
    assert!(!format!("{call:?}").contains("correct horse"));
    let explained = call.clone().explain().unwrap();
    assert!(!explained.contains("correct horse") && explained.contains("ada@example.edu"));
    assert!(line(call).contains("correct horse"));

    let own = client
        .http_get("x")
        .query("token", "s3cret")
        .header(http::header::AUTHORIZATION, http::HeaderValue::from_static("Bearer s3cret"))
        .json(&json!({ "deep": [{ "password": "s3cret" }] }));
    let explained = own.explain().unwrap();
    assert!(!explained.contains("s3cret"), "{explained}");

    let change = User::FIELDS.password.set("correct horse");
    assert!(!format!("{change} {change:?}").contains("correct horse"));
}

#[test]
fn pages() {
    let client = client();
    assert_eq!(
        line(client.users().filter(|u| u.is_staff.eq(true)).page(50, 100)),
        "GET users/users/?is_staff=true&_order=id&_limit=50&_offset=100"
    );
    for limit in [0, 1001] {
        let error = client.users().list().page(limit, 0).into_request().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    }
}

#[test]
fn filters_as_the_server_wants_them() {
    let r = AllocationRequest::FIELDS;
    let a = Allocation::FIELDS;
    let u = User::FIELDS;
    let g = Grant::FIELDS;
    for (filter, expected) in [
        (r.status.eq(RequestStatus::ChangesRequested).to_string(), "status=CR"),
        (
            r.status.is_in([RequestStatus::Pending, RequestStatus::Approved]).to_string(),
            "status__in=PD,AP",
        ),
        (r.expire.lt(date(2026, 12, 1)).to_string(), "expire__lt=2026-12-01"),
        (r.expire.is_null(true).to_string(), "expire__isnull=true"),
        (r.active.year(2026).to_string(), "active__year=2026"),
        (r.active.week_day(1).to_string(), "active__week_day=1"),
        (r.submitted.hour(8).to_string(), "submitted__hour=8"),
        (
            r.submitted
                .gte("2026-11-01T08:30:00.25-05:00".parse::<jiff::Timestamp>().unwrap())
                .to_string(),
            "submitted__gte=2026-11-01T13:30:00.25Z",
        ),
        (r.team.eq(Id::new(3)).to_string(), "team=3"),
        (r.team.not_in([Id::new(3), Id::new(4)]).to_string(), "team__not_in=3,4"),
        (r.title.not_contains("test").to_string(), "title__not_contains=test"),
        (a.awarded.gte(1000).to_string(), "awarded__gte=1000"),
        (a.r#final.is_null(false).to_string(), "final__isnull=false"),
        (u.is_active.eq(false).to_string(), "is_active=false"),
        (u.username.starts_with("adä&").to_string(), "username__startswith=adä&"),
        (u.email.not_ends_with("edu").to_string(), "email__not_endswith=edu"),
        (g.amount.gt(1000).to_string(), "amount__gt=1000"),
        (g.amount.lte(Decimal::new(1005, 1)).to_string(), "amount__lte=100.5"),
    ] {
        assert_eq!(filter, expected);
    }
}

#[test]
fn filters_that_the_server_would_misread_are_refused() {
    let refused = |query: Query<User>| {
        client().users().query(query).page(1, 0).into_request().unwrap_err().to_string()
    };
    let query = Query::<User>::new;
    for (query, reason) in [
        (query().filter(|u| u.username.contains("")), "empty"),
        (query().filter(|u| u.username.eq(" ada")), "trims"),
        (query().filter(|u| u.username.contains("a\0b")), "NUL"),
        (query().filter(|u| u.username.eq("ada\u{1f}")), "trims"),
        (query().filter(|u| u.username.is_in(["a,b", "c"])), "comma"),
        (query().filter(|u| u.date_joined.lt(Timestamp::MIN)), "years"),
        (query().filter(|u| u.date_joined.year(0)), "no such date"),
        (query().filter(|u| u.date_joined.month(13)), "no such date"),
        (query().filter(|u| u.username.eq("a")).filter(|u| u.username.eq("b")), "twice"),
    ] {
        let message = refused(query);
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn queries_are_percent_encoded() {
    let query = Query::<User>::new()
        .filter(|u| u.username.contains("a+b & c=ü"))
        .order_by(|u| u.last_login.desc())
        .order_by(|u| u.username.asc());
    assert_eq!(
        query.to_string(),
        "username__contains=a%2Bb+%26+c%3D%C3%BC&_order=-last_login%2Cusername"
    );
}

#[test]
fn generic_calls_take_endpoints_any_way_they_are_written() {
    let client = client();
    assert_eq!(line(client.http_get("/version")), "GET version/");
    assert_eq!(
        line(client.http_get("users/users?username=ada").query("_limit", 5)),
        "GET users/users/?username=ada&_limit=5"
    );
    assert_eq!(
        line(client.http_post("users/teams/").json(&json!({ "name": "x" }))),
        r#"POST users/teams/ {"name":"x"}"#
    );
    assert_eq!(line(client.http_put("a")), "PUT a/");
    assert_eq!(line(client.http_patch("a")), "PATCH a/");
    assert_eq!(line(client.http_delete("a")), "DELETE a/");
    let explained = client.http_get("users/users").query("q", "a b").explain().unwrap();
    assert!(
        explained.starts_with("curl --request GET 'https://keystone.test/api/users/users/?q=a+b'")
    );
}

#[test]
fn setting_a_field_twice_is_refused() {
    let call =
        client().clusters().update(Id::new(1), |c| [c.enabled.set(true), c.enabled.set(false)]);
    assert_eq!(call.into_request().unwrap_err().kind(), ErrorKind::InvalidRequest);
}

/// Names the bound that generic code needs; it compiles, which is the test.
#[test]
fn verbs_can_be_used_generically() {
    fn first<R: Retrieve>(client: &KeystoneClient) -> Call<R::Model, KeystoneClient> {
        client.resource::<R>().retrieve(Id::new(1))
    }
    assert_eq!(line(first::<Team>(&client())), "GET users/teams/1/");
}
