//! Parameters by names that are learned at run time, and what is known of the fields.

use std::collections::BTreeSet;

use keystone_client::field::FieldInfo;
use keystone_client::resources::{
    AllocationRequest, AuditLogEntry, Cluster, FeedEntry, Grant, Preference, User,
};
use keystone_client::testing::{Fixture, from_fn};
use keystone_client::{ErrorKind, Id, Query, Resource, blocking};

use crate::support::BASE;

fn refused<R: Resource>(query: Query<R>) -> String {
    let unused = from_fn(|request| panic!("nothing is to be sent: {}", request.uri()));
    let client = blocking::KeystoneClient::with_backend(BASE, unused).unwrap();
    let error = client.resource::<R>().query(query).page(1, 0).into_request().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidRequest);
    error.to_string()
}

fn sent<R: Resource>(query: Query<R>) -> String {
    let unused = from_fn(|request| panic!("nothing is to be sent: {}", request.uri()));
    let client = blocking::KeystoneClient::with_backend(BASE, unused).unwrap();
    client.resource::<R>().query(query).page(1, 0).into_request().unwrap().query_string()
}

#[test]
fn known_names_are_sent() {
    let query = Query::<AllocationRequest>::new()
        .param("status__in", "AP,PD")
        .param("team", 7)
        .param("expire__week_day", 1)
        .filter(|r| r.title.contains("genome"));
    assert_eq!(
        sent(query),
        "title__contains=genome&status__in=AP%2CPD&team=7&expire__week_day=1&_order=id&_limit=1\
         &_offset=0"
    );
    assert_eq!(
        sent(Query::<AuditLogEntry>::new().param("object_pk", 3)),
        "object_pk=3&_order=id&_limit=1&_offset=0"
    );
}

#[test]
fn unknown_names_are_refused_and_say_what_is_known() {
    let query = Query::<Cluster>::new;
    for (name, value, reason) in [
        ("enbled", "true", "of cluster it knows id, name, description, enabled, access_mode"),
        ("access_teams", "1", "does not filter by field `access_teams`"),
        ("name__icontains", "x", "of field `name` it knows name, name__not_eq, name__in"),
        ("name__exact", "x", "would ignore it"),
        ("name__lt", "x", "would ignore it"),
        ("enabled__in", "true", "would ignore it"),
        ("access_teams__name", "x", "does not filter by field `access_teams`"),
        ("pk", "1", "would ignore it"),
        ("", "1", "would ignore it"),
        ("__in", "1", "would ignore it"),
        ("id__", "1", "would ignore it"),
        ("_order", "name", "use `order_by`"),
        ("_limit", "5", "use `page_size` or `page`"),
        ("_search", "x", "use `search`"),
        ("enabled", "yes", "ignores all but `true` and `false`"),
        ("description__isnull", "null", "ignores all but `true` and `false`"),
        ("name", "", "empty value"),
        ("name", " x", "trims"),
        ("name", "a\0", "NUL"),
    ] {
        let message = refused(query().param(name, value));
        assert!(message.contains(reason), "{name}: {message}");
    }
    let message = refused(query().filter(|c| c.name.eq("x")).param("name", "y"));
    assert!(message.contains("given twice"), "{message}");
    let message = refused(Query::<User>::new().param("password", "x"));
    assert!(message.contains("does not filter by field `password`"), "{message}");
    let message = refused(Query::<Preference>::new().param("user", "1"));
    assert!(message.contains("does not filter by field `user`"), "{message}");
}

#[test]
fn what_is_unchecked_goes_as_it_is() {
    let query = Query::<Cluster>::new().param("site", "").param("enabled", "yes").unchecked();
    assert_eq!(sent(query), "site=&enabled=yes&_order=id&_limit=1&_offset=0");
}

#[test]
fn an_address_that_nobody_takes_is_refused() {
    let ids = |count: u64| (1..=count).map(keystone_client::Id::new);
    let message = refused(Query::<Cluster>::new().filter(|c| c.id.is_in(ids(10_000))));
    assert!(message.contains("resolve_all"), "{message}");
    assert!(sent(Query::<Cluster>::new().filter(|c| c.id.is_in(ids(1_000)))).len() < 8_000);
    let message = refused(Query::<Cluster>::new().param("name", "x".repeat(8_000)));
    assert!(message.contains("bytes"), "{message}");
}

#[test]
fn a_resource_written_by_hand_without_a_table_says_so() {
    struct Bare;
    struct NoFields;
    #[derive(serde::Deserialize)]
    struct Model {}
    impl Resource for Bare {
        type Model = Model;
        type Fields = NoFields;
        const NAME: &'static str = "bare";
        const PATH: &'static str = "a/b";
        const FIELDS: NoFields = NoFields;
        fn id(_: &Model) -> Option<keystone_client::Id<Self>> {
            None
        }
    }
    let message = refused(Query::<Bare>::new().param("x", 1));
    assert!(message.contains("no table of its fields"), "{message}");
    assert!(sent(Query::<Bare>::new().param("x", 1).unchecked()).starts_with("x=1&"));
}

/// What can be ordered by, by the table in section 4 of the protocol.
#[test]
fn fields_that_order() {
    fn orderable(infos: &[FieldInfo]) -> BTreeSet<&'static str> {
        infos.iter().filter(|info| info.is_orderable()).map(FieldInfo::wire_name).collect()
    }
    assert_eq!(
        orderable(AllocationRequest::FIELD_INFO),
        [
            "active",
            "description",
            "expire",
            "id",
            "status",
            "submitted",
            "submitter",
            "team",
            "title",
        ]
        .into()
    );
    assert_eq!(
        orderable(AuditLogEntry::FIELD_INFO),
        ["actor", "cid", "id", "object_pk", "remote_addr", "remote_port", "timestamp"].into()
    );
    assert_eq!(orderable(Preference::FIELD_INFO), ["id", "notify_on_expiration"].into());
    assert!(
        orderable(User::FIELD_INFO).is_disjoint(&["password", "groups", "display_name"].into())
    );
    assert_eq!(orderable(FeedEntry::FIELD_INFO).len(), 8);
    assert!(orderable(Grant::FIELD_INFO).contains("team"));
}

#[test]
fn debug_shows_the_parameters() {
    let shown = format!("{:?}", Cluster::FIELD_INFO[0]);
    assert!(shown.contains("id__gte"), "{shown}");
}

#[test]
fn queries_that_say_more_than_filters_match_nothing_for_sure() {
    let cluster = Cluster::fixture(1);
    let query = || Query::<Cluster>::new().filter(|c| c.id.eq(Id::new(1)));
    assert_eq!(query().matches(&cluster), Some(true));
    assert_eq!(query().search("atlas").matches(&cluster), None);
    assert_eq!(query().param("enabled", true).matches(&cluster), None);
    let other = query().filter(|c| c.name.eq("nobody's")).param("enabled", true);
    assert_eq!(other.matches(&cluster), Some(false));
    assert_ne!(query(), query().param("enabled", true));
    assert_ne!(query(), query().page_size(7));
    assert_eq!(query(), query());
}
