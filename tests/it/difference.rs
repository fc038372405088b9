//! A change that is said to differ changes a record on the server, and no other does.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jiff::civil::date;
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::{AccessMode, Cluster, Grant, NewCluster, NewGrant, NewTeam, Team};
use keystone_client::rust_decimal::Decimal;
use keystone_client::sandbox::Sandbox;
use keystone_client::{Change, Id, Resource};
use proptest::prelude::*;

struct World {
    client: KeystoneClient,
    grant: Id<Grant>,
    cluster: Id<Cluster>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let client = Sandbox::new().blocking_client().unwrap();
    client.login("admin", "admin-password").unwrap();
    for name in ["Folding", "Knots", "Braids"] {
        client.create_team(NewTeam::new(name)).send().unwrap();
    }
    let new = NewGrant::new("Title", "NSF", 1, date(2026, 1, 1), Id::<Team>::new(1));
    let grant = client.create_grant(new).send().unwrap().id;
    let cluster = client.create_cluster(NewCluster::new("atlas")).send().unwrap().id;
    World { client, grant, cluster }
});

/// Texts that are the same to the server, and some that are not.
fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "x",
        " x",
        "x\n",
        "\u{1f}x\u{a0}",
        "X",
        "x y",
        "x  y",
        "Ü",
        "U\u{308}",
    ])
    .prop_map(str::to_owned)
}

fn optional_text() -> impl Strategy<Value = Option<String>> {
    prop_oneof![Just(None), Just(Some(String::new())), text().prop_map(Some)]
}

fn amount() -> impl Strategy<Value = Decimal> {
    (-2..3_i64, 0..3_u32, any::<bool>()).prop_map(|(units, scale, padded)| {
        let amount = Decimal::new(units, scale.min(2));
        if padded { amount.to_string().parse().unwrap_or(amount) } else { amount.normalize() }
    })
}

fn grant_change() -> impl Strategy<Value = Change<Grant>> {
    let g = || Grant::FIELDS;
    prop_oneof![
        text().prop_map(move |text| g().title.set(text)),
        optional_text().prop_map(move |text| g().description.set(text)),
        amount().prop_map(move |amount| g().amount.set(amount)),
        (1..3_i8).prop_map(move |day| g().start_date.set(date(2026, 1, day))),
        prop::option::of(1..3_i8)
            .prop_map(move |day| g().end_date.set(day.map(|day| date(2026, 1, day)))),
        (1..4_u64).prop_map(move |team| g().team.set(Id::new(team))),
    ]
}

fn cluster_change() -> impl Strategy<Value = Change<Cluster>> {
    let c = || Cluster::FIELDS;
    prop_oneof![
        any::<bool>().prop_map(move |enabled| c().enabled.set(enabled)),
        prop::collection::vec(1..4_u64, 0..4).prop_map(move |teams| {
            c().access_teams.set(teams.into_iter().map(Id::new).collect::<Vec<_>>())
        }),
        prop::sample::select(vec!["OP", "WL", "BL"])
            .prop_map(move |mode| c().access_mode.set(AccessMode::from(mode))),
    ]
}

fn same_grant(left: &Grant, right: &Grant) -> bool {
    (&left.title, &left.description, left.amount)
        == (&right.title, &right.description, right.amount)
        && (left.start_date, left.end_date, left.team)
            == (right.start_date, right.end_date, right.team)
}

fn same_cluster(left: &Cluster, right: &Cluster) -> bool {
    let teams = |cluster: &Cluster| cluster.access_teams.iter().copied().collect::<BTreeSet<_>>();
    (left.enabled, &left.access_mode, teams(left))
        == (right.enabled, &right.access_mode, teams(right))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn of_grants(first in grant_change(), second in grant_change()) {
        let World { client, grant, .. } = &*WORLD;
        let before = client.update_grant(*grant, |_| [first]).send().unwrap();
        let differs = second.differs_from(&before);
        let after = client.update_grant(*grant, |_| [second.clone()]).send().unwrap();
        prop_assert_eq!(differs, Some(!same_grant(&before, &after)), "{}", second);
        prop_assert_eq!(second.differs_from(&after), Some(false), "{}", second);
    }

    #[test]
    fn of_clusters(first in cluster_change(), second in cluster_change()) {
        let World { client, cluster, .. } = &*WORLD;
        let before = client.update_cluster(*cluster, |_| [first]).send().unwrap();
        let differs = second.differs_from(&before);
        let after = client.update_cluster(*cluster, |_| [second.clone()]).send().unwrap();
        prop_assert_eq!(differs, Some(!same_cluster(&before, &after)), "{}", second);
        prop_assert_eq!(second.differs_from(&after), Some(false), "{}", second);
    }
}

/// A text of another type than the standard one.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Label(String);

/// What is read of a user where a key is sent.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Person {
    name: String,
}

keystone_client::resource! {
    /// A thing with fields that are read otherwise than they are sent.
    pub struct Thing("thing", "things");
    fields ThingFields;
    verbs [Update];

    read_only {
        /// Primary key.
        id: Id<Thing>,
    }
    required {
        /// Read as a record.
        owner: Id<Thing> as Person,
        /// Read as text.
        keeper: Id<Thing> as String,
        /// Not read on every server.
        maker: Id<Thing> as Option<Id<Thing>>,
        /// A text.
        label: Label,
    }
    optional {
        /// A text or none.
        caption: Option<Label>,
        /// Lists of keys, one of which not every server has.
        parts: Option<Vec<Id<Thing>>>,
        /// The same, but sent always.
        tools: Vec<Id<Thing>> as Option<Vec<Id<Thing>>>,
    }
}

#[test]
fn unlike_types_tell_nothing_and_like_ones_all_there_is() {
    let ids = |ids: &[u64]| ids.iter().copied().map(Id::new).collect::<Vec<Id<Thing>>>();
    let thing = Thing {
        id: Id::new(1),
        owner: Person { name: "ada".to_owned() },
        keeper: "7".to_owned(),
        maker: Some(Id::new(7)),
        label: Label("x".to_owned()),
        caption: None,
        parts: Some(ids(&[1, 2])),
        tools: Some(ids(&[1, 2])),
    };
    let f = Thing::FIELDS;
    assert_eq!(f.owner.set(Id::new(7)).differs_from(&thing), None);
    assert_eq!(f.keeper.set(Id::new(7)).differs_from(&thing), None);
    assert_eq!(f.maker.set(Id::new(7)).differs_from(&thing), Some(false));
    assert_eq!(f.maker.set(Id::new(8)).differs_from(&thing), Some(true));
    assert_eq!(f.label.set(Label(" x\n".to_owned())).differs_from(&thing), Some(false));
    assert_eq!(f.label.set(Label("y".to_owned())).differs_from(&thing), Some(true));
    assert_eq!(f.caption.set(None).differs_from(&thing), Some(false));
    assert_eq!(f.caption.set(Label("x".to_owned())).differs_from(&thing), Some(true));
    assert_eq!(f.parts.set(ids(&[2, 1, 2])).differs_from(&thing), Some(false));
    assert_eq!(f.parts.set(ids(&[2])).differs_from(&thing), Some(true));
    assert_eq!(f.parts.set(None).differs_from(&thing), Some(true));
    assert_eq!(f.tools.set(ids(&[2, 1])).differs_from(&thing), Some(false));
    assert_eq!(f.tools.set(ids(&[3])).differs_from(&thing), Some(true));
}
