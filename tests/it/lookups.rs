//! Every field of every resource with every lookup, against what the servers were seen to do.
//!
//! The table is written from the protocol, section 5.1 for the lookups and section 7 for the types,
//! not from the crate's own.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::date;
use keystone_client::field::FieldInfo;
use keystone_client::resources::{
    AccessMode, Allocation, AllocationRequest, Attachment, AuditAction, AuditLogEntry, Cluster,
    Comment, FeedEntry, FeedSource, Grant, Membership, MembershipRole, Notification,
    NotificationType, Preference, Publication, RequestLogEntry, RequestStatus, Review,
    ReviewStatus, TaskResult, TaskStatus, Team, User,
};
use keystone_client::testing::Fixture;
use keystone_client::{Id, Resource};
use rust_decimal::Decimal;

const EQUALITY: [&str; 2] = ["", "__not_eq"];
const LISTS: [&str; 2] = ["__in", "__not_in"];
const COMPARISONS: [&str; 4] = ["__lt", "__lte", "__gt", "__gte"];
const TEXT: [&str; 6] = [
    "__contains",
    "__not_contains",
    "__startswith",
    "__not_startswith",
    "__endswith",
    "__not_endswith",
];
const DAYS: [&str; 5] = ["__year", "__month", "__day", "__week", "__week_day"];
const TIMES: [&str; 3] = ["__hour", "__minute", "__second"];

/// What the server knows for each type of field, besides `isnull`.
fn known(kind: &str) -> Vec<&'static str> {
    let parts: &[&[&str]] = match kind {
        "number" => &[&EQUALITY, &LISTS, &COMPARISONS],
        "text" => &[&EQUALITY, &LISTS, &TEXT],
        "flag" => &[&EQUALITY],
        "date" => &[&EQUALITY, &LISTS, &COMPARISONS, &DAYS],
        "time" => &[&EQUALITY, &LISTS, &COMPARISONS, &DAYS, &TIMES],
        "key" | "address" | "choice" => &[&EQUALITY, &LISTS],
        "nothing" => &[],
        _ => panic!("{kind}"),
    };
    parts.concat()
}

/// The parameters of a field, each with this value, `1,2` standing for a list of two.
fn expected(name: &str, kind: &str, value: &str, nullable: bool) -> BTreeSet<String> {
    let of = |lookup: &&str| {
        let value = match *lookup {
            "__in" | "__not_in" => format!("{value},{value}"),
            "__year" => "2026".to_owned(),
            "__month" | "__day" | "__week" | "__week_day" | "__hour" | "__minute" | "__second" => {
                "7".to_owned()
            }
            _ => value.to_owned(),
        };
        format!("{name}{lookup}={value}")
    };
    let mut expected: BTreeSet<String> = known(kind).iter().map(of).collect();
    if nullable {
        expected.insert(format!("{name}__isnull=true"));
    }
    expected
}

/// What the handle of a field makes of each of its lookups.
macro_rules! made {
    (equality $f:ident $value:expr) => {
        vec![$f.eq($value).to_string(), $f.not_eq($value).to_string()]
    };
    (lists $f:ident $value:expr) => {
        vec![$f.is_in([$value, $value]).to_string(), $f.not_in([$value, $value]).to_string()]
    };
    (comparisons $f:ident $value:expr) => {
        vec![
            $f.lt($value).to_string(),
            $f.lte($value).to_string(),
            $f.gt($value).to_string(),
            $f.gte($value).to_string(),
        ]
    };
    (days $f:ident) => {
        vec![
            $f.year(2026).to_string(),
            $f.month(7).to_string(),
            $f.day(7).to_string(),
            $f.week(7).to_string(),
            $f.week_day(7).to_string(),
        ]
    };
    (number $f:ident $value:expr) => {
        [
            made!(equality $f $value),
            made!(lists $f $value),
            made!(comparisons $f $value),
        ].concat()
    };
    (text $f:ident $value:expr) => {
        [
            made!(equality $f $value),
            made!(lists $f $value),
            vec![
                $f.contains($value).to_string(),
                $f.not_contains($value).to_string(),
                $f.starts_with($value).to_string(),
                $f.not_starts_with($value).to_string(),
                $f.ends_with($value).to_string(),
                $f.not_ends_with($value).to_string(),
            ],
        ].concat()
    };
    (flag $f:ident $value:expr) => {
        made!(equality $f $value)
    };
    (date $f:ident $value:expr) => {
        [
            made!(equality $f $value),
            made!(lists $f $value),
            made!(comparisons $f $value),
            made!(days $f),
        ].concat()
    };
    (time $f:ident $value:expr) => {
        [
            made!(date $f $value),
            vec![$f.hour(7).to_string(), $f.minute(7).to_string(), $f.second(7).to_string()],
        ].concat()
    };
    (key $f:ident $value:expr) => {
        [made!(equality $f $value), made!(lists $f $value)].concat()
    };
    (choice $f:ident $value:expr) => {
        made!(key $f $value)
    };
    (address $f:ident $value:expr) => {
        made!(key $f $value)
    };
}

/// `field wire-name kind (value, as it travels)`, with `null` for what can be null.
macro_rules! resource {
    ($resource:ty, nothing [$($nothing:literal)*]:
        $($field:ident $name:literal $kind:ident ($value:expr, $sent:literal) $($null:ident)?;)+
    ) => {{
        let fields = <$resource as Resource>::FIELDS;
        let infos = <$resource as Resource>::FIELD_INFO;
        let mut names = BTreeSet::new();
        $({
            let field = fields.$field;
            let made = made!($kind field $value);
            #[allow(unused_mut)]
            let mut made: BTreeSet<String> = made.into_iter().collect();
            $(made.insert(resource!(@$null field));)?
            let nulls: &[&str] = &[$(stringify!($null))?];
            let expected = expected($name, stringify!($kind), $sent, !nulls.is_empty());
            assert_eq!(made, expected, "{}", stringify!($resource));
            known_by_table(infos, $name, &expected);
            names.insert($name);
        })+
        $({
            known_by_table(infos, $nothing, &BTreeSet::new());
            names.insert($nothing);
        })*
        let known: BTreeSet<&str> = infos.iter().map(FieldInfo::wire_name).collect();
        assert_eq!(known, names, "{}", stringify!($resource));
    }};
    (@null $field:ident) => {
        $field.is_null(true).to_string()
    };
}

// After the macros, which it uses.
mod old_servers;

/// The table for names that are learned at run time says the same. The server takes `isnull` also of
/// fields that never are.
fn known_by_table(infos: &[FieldInfo], name: &str, expected: &BTreeSet<String>) {
    let info = infos.iter().find(|info| info.wire_name() == name).unwrap();
    let known: BTreeSet<String> = info.parameters().collect();
    let mut names: BTreeSet<String> =
        expected.iter().map(|pair| pair.split_once('=').unwrap().0.to_owned()).collect();
    if !names.is_empty() {
        names.insert(format!("{name}__isnull"));
    }
    assert_eq!(known, names);
}

fn time() -> Timestamp {
    "2026-11-01T08:30:00.000007Z".parse().unwrap()
}

#[test]
fn users_and_teams() {
    resource! { User, nothing ["groups" "user_permissions" "password"]:
        id "id" number (Id::new(7), "7");
        username "username" text ("ada", "ada");
        first_name "first_name" text ("Zoë", "Zoë") null;
        last_name "last_name" text ("O'Neil & Söhne", "O'Neil & Söhne") null;
        email "email" text ("a+b@example.edu", "a+b@example.edu") null;
        department "department" text ("100%_x", "100%_x") null;
        role "role" text ("x", "x") null;
        is_active "is_active" flag (true, "true");
        is_staff "is_staff" flag (false, "false");
        is_ldap_user "is_ldap_user" flag (true, "true");
        is_superuser "is_superuser" flag (true, "true");
        date_joined "date_joined" time (time(), "2026-11-01T08:30:00.000007Z");
        last_login "last_login" time (time(), "2026-11-01T08:30:00.000007Z") null;
    }
    resource! { Team, nothing ["users"]:
        id "id" number (Id::new(7), "7");
        slug "slug" text ("x", "x");
        name "name" text ("x", "x");
        is_active "is_active" flag (true, "true");
    }
    resource! { Membership, nothing []:
        id "id" number (Id::new(7), "7");
        user "user" key (Id::new(7), "7");
        team "team" key (Id::new(7), "7");
        role "role" text (MembershipRole::Admin, "AD");
    }
}

/// Codes take parts of themselves too, as text.
#[test]
fn codes_are_text() {
    let role = Membership::FIELDS.role;
    assert_eq!(
        role.starts_with(MembershipRole::Other("A".into())).to_string(),
        "role__startswith=A"
    );
}

#[test]
fn allocations() {
    resource! { Cluster, nothing ["access_teams"]:
        id "id" number (Id::new(7), "7");
        name "name" text ("x", "x");
        description "description" text ("x", "x") null;
        enabled "enabled" flag (true, "true");
        access_mode "access_mode" text (AccessMode::Whitelist, "WL");
    }
    resource! { AllocationRequest, nothing ["assignees" "publications" "grants"]:
        id "id" number (Id::new(7), "7");
        title "title" text ("x", "x");
        description "description" text ("x", "x");
        submitter "submitter" key (Id::new(7), "7");
        team "team" key (Id::new(7), "7");
        status "status" text (RequestStatus::Approved, "AP");
        submitted "submitted" time (time(), "2026-11-01T08:30:00.000007Z");
        active "active" date (date(2026, 1, 31), "2026-01-31") null;
        expire "expire" date (date(2026, 1, 31), "2026-01-31") null;
    }
    resource! { Allocation, nothing []:
        id "id" number (Id::new(7), "7");
        requested "requested" number (9_223_372_036_854_775_807, "9223372036854775807");
        awarded "awarded" number (7, "7") null;
        r#final "final" number (7, "7") null;
        cluster "cluster" key (Id::new(7), "7");
        request "request" key (Id::new(7), "7");
    }
    resource! { Review, nothing []:
        id "id" number (Id::new(7), "7");
        status "status" text (ReviewStatus::Declined, "DC");
        request "request" key (Id::new(7), "7");
        reviewer "reviewer" key (Id::new(7), "7");
        submitted "submitted" time (time(), "2026-11-01T08:30:00.000007Z");
    }
    resource! { Comment, nothing []:
        id "id" number (Id::new(7), "7");
        content "content" text ("x", "x");
        request "request" key (Id::new(7), "7");
        user "user" key (Id::new(7), "7");
        private "private" flag (true, "true");
        created "created" time (time(), "2026-11-01T08:30:00.000007Z");
    }
    resource! { Attachment, nothing []:
        id "id" number (Id::new(7), "7");
        name "name" text ("x", "x");
        request "request" key (Id::new(7), "7");
        uploaded "uploaded" time (time(), "2026-11-01T08:30:00.000007Z");
    }
}

#[test]
fn research() {
    resource! { Grant, nothing []:
        id "id" number (Id::new(7), "7");
        title "title" text ("x", "x");
        agency "agency" text ("x", "x");
        pi "pi" text ("x", "x") null;
        amount "amount" number (Decimal::new(-550, 2), "-5.50");
        grant_number "grant_number" text ("x", "x") null;
        start_date "start_date" date (date(1, 1, 1), "0001-01-01");
        end_date "end_date" date (date(9999, 12, 31), "9999-12-31") null;
        description "description" text ("x", "x") null;
        team "team" key (Id::new(7), "7");
    }
    resource! { Publication, nothing []:
        id "id" number (Id::new(7), "7");
        title "title" text ("x", "x");
        r#abstract "abstract" text ("x", "x") null;
        submitted "submitted" date (date(2026, 1, 31), "2026-01-31") null;
        published "published" date (date(2026, 1, 31), "2026-01-31") null;
        journal "journal" text ("x", "x") null;
        doi "doi" text ("10.1/x;y", "10.1/x;y") null;
        volume "volume" text ("x", "x") null;
        issue "issue" text ("x", "x") null;
        team "team" key (Id::new(7), "7");
    }
}

#[test]
fn notifications() {
    resource! { Notification, nothing []:
        id "id" number (Id::new(7), "7");
        time "time" time (time(), "2026-11-01T08:30:00.000007Z");
        read "read" flag (true, "true");
        subject "subject" text ("x", "x");
        message_html "message_html" text ("<b>x</b>", "<b>x</b>");
        message_text "message_text" text ("x", "x");
        notification_type "notification_type" text (NotificationType::GeneralMessage, "GM");
        user "user" key (Id::new(7), "7");
    }
    resource! { Preference, nothing ["user" "request_expiry_thresholds"]:
        id "id" number (Id::new(7), "7");
        notify_on_expiration "notify_on_expiration" flag (true, "true");
    }
}

#[test]
fn logs() {
    resource! { AuditLogEntry, nothing []:
        id "id" number (Id::new(7), "7");
        action "action" choice (AuditAction::Delete, "2");
        cid "cid" text ("x", "x") null;
        remote_addr "remote_addr" address ("2001:db8::1".parse::<std::net::IpAddr>().unwrap(), "2001:db8::1") null;
        remote_port "remote_port" number (7, "7") null;
        timestamp "timestamp" time (time(), "2026-11-01T08:30:00.000007Z");
        actor "actor" key (Id::new(7), "7") null;
        object_pk "object_pk" text ("7", "7");
        object_id "object_id" number (7, "7") null;
        object_repr "object_repr" text ("x", "x");
        content_type "content_type" key (Id::new(7), "7");
        changes_text "changes_text" text ("x", "x");
    }
    resource! { RequestLogEntry, nothing []:
        id "id" number (Id::new(7), "7");
        method "method" text ("GET", "GET");
        endpoint "endpoint" text ("/x/?a=b&c", "/x/?a=b&c");
        response_code "response_code" number (404, "404");
        remote_address "remote_address" text ("x", "x") null;
        timestamp "timestamp" time (time(), "2026-11-01T08:30:00.000007Z");
        cid "cid" text ("x", "x") null;
        user "user" key (Id::new(7), "7") null;
    }
    resource! { TaskResult, nothing []:
        id "id" number (Id::new(7), "7");
        task_id "task_id" text ("x", "x");
        periodic_task_name "periodic_task_name" text ("x", "x") null;
        task_name "task_name" text ("x", "x") null;
        task_args "task_args" text ("x", "x") null;
        task_kwargs "task_kwargs" text ("x", "x") null;
        status "status" text (TaskStatus::Failure, "FAILURE");
        worker "worker" text ("x", "x") null;
        content_type "content_type" text ("x", "x");
        content_encoding "content_encoding" text ("x", "x");
        result "result" text ("x", "x") null;
        date_created "date_created" time (time(), "2026-11-01T08:30:00.000007Z");
        date_started "date_started" time (time(), "2026-11-01T08:30:00.000007Z") null;
        date_done "date_done" time (time(), "2026-11-01T08:30:00.000007Z");
        traceback "traceback" text ("x", "x") null;
        meta "meta" text ("x", "x") null;
    }
    resource! { FeedEntry, nothing []:
        id "id" text ("r7", "r7");
        record_id "record_id" number (7, "7");
        record_type "record_type" text (FeedSource::Audit, "audit");
        timestamp "timestamp" time (time(), "2026-11-01T08:30:00.000007Z");
        summary "summary" text ("x", "x") null;
        cid "cid" text ("x", "x") null;
        status "status" text ("x", "x") null;
        user "user" key (Id::new(7), "7") null;
    }
}

/// What is compared with that the server would not read as it stands.
#[test]
fn values_that_take_another_form() {
    let user = User::FIELDS;
    for (filter, expected) in [
        // An empty parameter would be dropped, an empty element of a list is not.
        (user.department.eq(""), "department__in=,"),
        (user.department.not_eq(""), "department__not_in=,"),
        (user.department.is_in([""]), "department__in=,"),
        (user.department.is_in(["", "x"]), "department__in=,x"),
        (user.department.is_in(["x", ""]), "department__in=x,"),
        // A comma would split a list, but not a value.
        (user.department.eq("a,b"), "department=a,b"),
        (user.department.is_in(["a,b"]), "department=a,b"),
        (user.department.not_in(["a,b"]), "department__not_eq=a,b"),
        (user.department.contains("a,b"), "department__contains=a,b"),
        (user.department.is_in([] as [&str; 0]), "department__in="),
        // The server fails over numbers that no column can hold.
        (user.id.is_in([Id::new(u64::MAX), Id::new(1)]), "id__in=1"),
        (user.id.not_in([Id::new(u64::MAX)]), "id__not_in="),
        (user.id.lte(Id::new(u64::MAX)), "id__lte=18446744073709551615"),
    ] {
        assert_eq!(filter.to_string(), expected);
    }
}

/// The server keeps microseconds; what is finer lies between two of its times.
#[test]
fn times_between_those_of_the_server() {
    let fine: Timestamp = "2026-11-01T08:30:00.0000075Z".parse().unwrap();
    let before = "2026-11-01T08:30:00.000007Z";
    let behind = "2026-11-01T08:30:00.000008Z";
    let user = User::FIELDS;
    for (filter, expected) in [
        (user.date_joined.lt(fine), format!("date_joined__lt={behind}")),
        (user.date_joined.lte(fine), format!("date_joined__lte={before}")),
        (user.date_joined.gt(fine), format!("date_joined__gt={before}")),
        (user.date_joined.gte(fine), format!("date_joined__gte={behind}")),
        (user.date_joined.eq(fine), "date_joined=".to_owned()),
        (user.date_joined.is_in([fine, time()]), format!("date_joined__in={before}")),
    ] {
        assert_eq!(filter.to_string(), expected);
    }
    let mut ada = User::fixture(1);
    ada.date_joined = time();
    for (filter, expected) in [
        (user.date_joined.eq(fine), false),
        (user.date_joined.not_eq(fine), true),
        (user.date_joined.is_in([fine]), false),
        (user.date_joined.not_in([fine]), true),
        (user.id.is_in([Id::new(u64::MAX)]), false),
        (user.id.not_in([Id::new(u64::MAX)]), true),
        (user.department.is_in([] as [&str; 0]), false),
        (user.department.not_in([] as [&str; 0]), true),
    ] {
        assert_eq!(filter.matches(&ada), Some(expected), "{filter}");
    }
}
