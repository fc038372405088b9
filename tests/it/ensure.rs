//! Records that there shall be: found, created, changed.

mod doubts;
mod keys;
mod options;
mod races;
mod token_servers;

use jiff::civil::date;
use keystone_client::field::Field;
use keystone_client::resource::{Create, Update};
use keystone_client::resources::{
    Cluster, MembershipRole, NewCluster, NewGrant, NewMembership, NewPublication, NewTeam, NewUser,
};
use keystone_client::rust_decimal::Decimal;
use keystone_client::sandbox::Sandbox;
use keystone_client::testing::from_fn;
use keystone_client::{Ensured, ErrorKind, Id, Outcome, Resource};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::both_colours;
use crate::support::target::{PASSWORD, Sent, Target};

/// The methods of all requests, as one text.
fn methods(requests: &[Sent]) -> String {
    let methods: Vec<&str> = requests.iter().map(|request| request.method().as_str()).collect();
    methods.join(" ")
}

/// What a sandbox was sent.
fn sent(sandbox: &Sandbox) -> Vec<Sent> {
    sandbox.requests().iter().map(Sent::from).collect()
}

both_colours! {
    fn a_record_is_created_once_and_changed_where_it_differs() {
        let Some(server) = Target::session() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        let team = go!(client.create_team(NewTeam::new(server.name("Folding")))).unwrap();
        let ensure = |title: &'static str| {
            let new = NewGrant::new(title, "NSF", 1000, date(2026, 1, 1), team.id);
            client.grants().ensure_by(
                |g| g.grant_number.eq(server.name("X-1")),
                new.grant_number(server.name("X-1")),
                move |g| [g.title.set(title), g.amount.set(Decimal::new(10_000, 1))],
            )
        };
        server.clear_requests();
        let created = go!(ensure("Folding")).unwrap();
        assert_eq!(created.outcome(), Outcome::Created);
        assert!(created.fields().is_empty());
        assert_eq!(methods(&server.requests()), "GET POST");

        server.clear_requests();
        let unchanged = go!(ensure("Folding")).unwrap();
        assert_eq!(unchanged, Ensured::Unchanged(created.into_record()));
        assert_eq!(methods(&server.requests()), "GET");

        server.clear_requests();
        let changed = go!(ensure("Knots")).unwrap();
        assert_eq!(changed.outcome().to_string(), "changed");
        assert_eq!(changed.fields(), ["title"]);
        assert_eq!(changed.record().title, "Knots");
        assert_eq!(methods(&server.requests()), "GET PATCH");
        assert_eq!(server.requests()[1].body(), br#"{"title":"Knots"}"#);
    }

    fn natural_keys_come_from_the_new_record() {
        let Some(server) = Target::session() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        for outcome in [Outcome::Created, Outcome::Unchanged] {
            let name = format!(" {} ", server.name("ada"));
            let new = NewUser::new(name, PASSWORD).department("Physics");
            let user = go!(client.users().ensure(new, |u| u.department.set("Physics"))).unwrap();
            assert_eq!(user.outcome(), outcome);
            let name = server.name("Folding");
            let new = NewTeam::new(format!("{name}\n"));
            let team = go!(client.teams().ensure(new, |_| [])).unwrap();
            assert_eq!((team.outcome(), &team.record().name), (outcome, &name));
            let (user, team) = (user.record().id, team.record().id);
            let new = NewMembership::new(user, team, MembershipRole::Owner);
            let membership =
                go!(client.memberships().ensure(new, |m| m.role.set(MembershipRole::Owner)));
            assert_eq!(membership.unwrap().outcome(), outcome);
            let cluster = go!(client.clusters().ensure(NewCluster::new(server.name("a,b&c")), |_| []));
            assert_eq!(cluster.unwrap().outcome(), outcome);
        }
        let other = NewUser::new(server.name("Ada"), PASSWORD);
        let other = go!(client.users().ensure(other, |_| [])).unwrap();
        assert_eq!(other.outcome(), Outcome::Created); // names are case-sensitive
    }

    fn more_than_one_is_an_error() {
        let Some(server) = Target::session() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        for name in ["atlas", "borealis", "cygnus"] {
            go!(client.create_cluster(NewCluster::new(server.name(name)))).unwrap();
        }
        server.clear_requests();
        let ensure = client.clusters().ensure_by(
            |c| c.enabled.eq(true).and(c.name.ends_with(server.name(""))),
            NewCluster::new(server.name("draco")).enabled(true),
            |c| c.description.set("CPU only"),
        );
        let error = go!(ensure).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ambiguous);
        assert!(!error.may_have_been_sent());
        assert!(error.to_string().ends_with("nothing was written"), "{error}");
        assert_eq!(methods(&server.requests()), "GET");
    }

    fn keys_that_refer_to_nothing_are_refused() {
        let Some(server) = Target::session() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        server.clear_requests();
        let me = go!(client.whoami()).unwrap().unwrap().id;
        server.clear_requests();
        let new = NewMembership::new(me, Id::new(999_999), MembershipRole::Owner);
        let error = go!(client.memberships().ensure(new, |_| [])).unwrap_err();
        assert!(error.is_validation("team"), "{error}");
        assert!(error.to_string().contains("nothing was written; if the key refers to"), "{error}");
        assert!(!error.may_have_been_sent());
        assert_eq!(methods(&server.requests()), "GET");
    }

    fn what_contradicts_the_key_is_not_sent() {
        let client = client!(from_fn(|_| panic!("nothing is to be sent")));
        let clusters = client.clusters();
        let atlas = || NewCluster::new("atlas");
        for ensure in [
            clusters.ensure_by(|c| c.name.eq("borealis"), atlas(), |_| vec![]),
            clusters.ensure_by(|c| c.name.is_in(["borealis"]), atlas(), |_| vec![]),
            clusters.ensure(atlas(), |c| vec![c.name.set("borealis")]),
            clusters.ensure_by(
                |c| c.description.is_null(true).and(c.name.eq("atlas")),
                atlas().description("CPU only"),
                |_| vec![],
            ),
            clusters.ensure(atlas(), |c| vec![c.enabled.set(true), c.enabled.set(true)]),
        ] {
            let error = go!(ensure).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
            let said = ["part of the key", "set twice"];
            assert!(said.iter().any(|said| error.to_string().contains(said)), "{error}");
        }
    }

    fn what_no_record_shows_is_refused() {
        let client = client!(from_fn(|_| panic!("nothing is to be sent")));
        let new = NewUser::new("ada", "correct horse");
        let ensure = client.users().ensure(new, |u| u.password.set("battery staple"));
        assert!(!format!("{ensure:?}").contains("battery"), "{ensure:?}");
        let error = go!(ensure).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        assert!(error.to_string().contains("`password` is never shown"), "{error}");
        assert!(!format!("{error:?}").contains("battery"), "{error:?}");

        let things = client.resource::<Thing>();
        let ensure = things.ensure_by(|t| t.name.eq("x"), NewThing::new("x"), |t| t.owner.set(Id::new(1)));
        let error = go!(ensure).unwrap_err();
        assert!(error.to_string().contains("whether `owner` differs"), "{error}");
        let sandboxed = client!(Sandbox::new());
        let things = sandboxed.resource::<Thing>();
        let ensure = things.ensure_by(|t| t.name.eq("x"), NewThing::new("x"), |t| t.maker.set(Id::new(1)));
        assert_eq!(go!(ensure).unwrap_err().kind(), ErrorKind::UnknownEndpoint); // it was sent

        let machines = client.resource::<Machine>();
        let new = NewMachine { name: "atlas".to_owned() };
        let ensure = machines.ensure_by(|m| m.name.eq("atlas"), new, |m| m.name.set("atlas"));
        let error = go!(ensure).unwrap_err();
        assert!(error.to_string().contains("`Field::reading`"), "{error}");
    }

    fn a_key_that_does_not_find_what_it_created_is_told() {
        let Some(server) = Target::session() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        let (new, only) = (NewCluster::new(server.name("atlas")), server.name("CPU only"));
        let ensure =
            client.clusters().ensure_by(|c| c.description.eq(&only), new, |_| []);
        server.clear_requests();
        let error = go!(ensure).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotApplied);
        assert!(error.may_have_been_sent());
        let text = error.to_string();
        assert!(text.contains(&format!("the key `description={only}` does not find it")), "{text}");
        assert_eq!(methods(&server.requests()), "GET POST");
    }

    fn what_the_server_drops_is_told() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, ada) = server.user("ada");
        let client = client!(server.clone());
        go!(client.login(ada.as_str(), PASSWORD)).unwrap();
        let new = NewUser::new(&ada, PASSWORD);
        let error = go!(client.users().ensure(new, |u| u.is_staff.set(true))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotApplied);
        assert!(error.to_string().contains("`is_staff`"), "{error}");
    }

    fn a_team_whose_slug_is_taken_is_another_one() {
        let Some(server) = Target::session() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        let team = go!(client.create_team(NewTeam::new(server.name("Team-1")))).unwrap();
        let twin = format!("{}!", team.name.replace('-', "  ").to_uppercase());
        server.clear_requests();
        let error = go!(client.teams().ensure(NewTeam::new(&twin), |_| [])).unwrap_err();
        assert!(error.is_validation("name"), "{error}");
        assert!(!error.may_have_been_sent());
        let text = error.to_string();
        let said = format!("team {} has another key than `name={twin}`", team.id);
        assert!(text.contains(&said), "{text}");
        assert!(text.ends_with("A team with this name already exists."), "{text}");
        assert_eq!(methods(&server.requests()), "GET POST GET GET");
    }

    fn a_record_that_is_hidden_from_the_user_is_spoken_of() {
        let Some(server) = Target::session() else {
            return;
        };
        let (_, ada) = server.user("ada");
        let admin = client!(server.clone());
        go!(admin.login(server.username(), server.password())).unwrap();
        go!(admin.create_team(NewTeam::new(server.name("Folding")))).unwrap();
        let client = client!(server.clone());
        go!(client.login(ada.as_str(), PASSWORD)).unwrap();
        let error = go!(client.teams().ensure(NewTeam::new(server.name("Folding")), |_| [])).unwrap_err();
        assert!(error.is_validation("name"), "{error}");
        assert!(error.to_string().contains("one that this user may not see"), "{error}");
    }

    fn a_refusal_about_something_else_stays_what_it_is() {
        let Some(server) = Target::session() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        let team = go!(client.create_team(NewTeam::new(server.name("Folding")))).unwrap();
        let doi = server.name("10.1000/182");
        let new = |title: &str| NewPublication::new(title, team.id).doi(&doi);
        go!(client.create_publication(new("Folding"))).unwrap();
        let ensure =
            client.publications().ensure_by(|p| p.title.eq("Knots").and(p.team.eq(team.id)), new("Knots"), |_| []);
        let error = go!(ensure).unwrap_err();
        assert!(error.is_validation("doi"), "{error}");
        assert!(error.to_string().contains("about something else"), "{error}");
        // What is not about uniqueness is not looked for.
        server.clear_requests();
        let error = go!(client.clusters().ensure(NewCluster::new("x".repeat(51).as_str()), |_| []));
        assert!(error.unwrap_err().is_validation("name"));
        assert_eq!(methods(&server.requests()), "GET POST");
    }
}

/// What is read where a key is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Person {
    name: String,
}

keystone_client::resource! {
    /// A thing with fields that are read as other types than they are sent as.
    pub struct Thing("thing", "things");
    fields ThingFields;
    new NewThing;
    verbs [Update];

    read_only {
        /// Primary key.
        id: Id<Thing>,
    }
    required {
        /// Name.
        name: String,
    }
    optional {
        /// Read as a record.
        owner: Id<Thing> as Person,
        /// Not known to every server.
        maker: Id<Thing> as Option<Id<Thing>>,
    }
}

/// A resource written by hand, whose field cannot be read off a record.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    id: Id<Machine>,
    name: String,
}

#[derive(Serialize)]
pub(crate) struct NewMachine {
    name: String,
}

pub(crate) struct MachineFields {
    name: Field<Machine, String>,
}

impl Resource for Machine {
    type Model = Self;
    type Fields = MachineFields;
    const NAME: &'static str = "machine";
    const PATH: &'static str = Cluster::PATH;
    const FIELDS: MachineFields = MachineFields { name: Field::new("name") };

    fn id(model: &Self) -> Option<Id<Self>> {
        Some(model.id)
    }
}

impl Create for Machine {
    type New = NewMachine;
}

impl Update for Machine {}
