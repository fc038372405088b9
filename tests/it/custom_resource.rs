//! Resources defined outside the crate, by macro and by hand.

use jiff::Timestamp;
use keystone_client::field::{Field, FieldInfo, ReadOnly, ReadWrite, read};
use keystone_client::resource::{Create, Delete, Retrieve, Update};
use keystone_client::resources::{AllocationRequest, NewAllocationRequest, NewTeam, User};
use keystone_client::sandbox::Sandbox;
use keystone_client::{Id, Resource, field_info};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::support::target::Target;

keystone_client::resource! {
    /// What has been changed on the server, and by whom.
    pub struct AuditLogEntry("audit log entry", "logs/audit");
    fields AuditLogEntryFields;
    verbs [Retrieve];

    read_only {
        /// Primary key.
        id: Id<AuditLogEntry>,
        /// When it happened.
        timestamp: Timestamp,
        /// Who did it; `None` for the system.
        actor: Option<Id<User>>,
    }
    computed {
        /// The kind of record, such as `users | Team`.
        record_name: String,
        /// What the server says of the actor.
        actor_summary = "_actor": Option<Value> [default],
    }
}

keystone_client::resource! {
    /// A comment under other names.
    pub struct Remark("remark", "allocations/comments");
    fields RemarkFields;
    new NewRemark;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<Remark>,
    }
    required {
        /// Text.
        text = "content": String,
        /// The request that it is about.
        about = "request": Id<AllocationRequest>,
    }
    optional {
        /// Whether only staff may read it.
        hidden = "private": bool,
    }
    write_only {
        /// Not a field of the server, which ignores it.
        r#match = "passphrase": String,
    }
}

/// A type of this crate, which keystone_client knows nothing of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Description(Option<String>);

keystone_client::resource! {
    /// A cluster with a field of a type that cannot be compared.
    pub struct Described("described cluster", "allocations/clusters");
    fields DescribedFields;
    new NewDescribed;
    verbs [Retrieve, Update];

    read_only {
        /// Primary key.
        id: Id<Described>,
    }
    required {
        /// Name.
        name: String,
    }
    optional {
        /// Description.
        description: Description,
    }
}

/// By hand, with a marker type that is not the model.
enum Slugs {}

#[derive(Debug, Deserialize)]
struct Slug {
    id: Id<Slugs>,
    slug: String,
}

#[derive(Serialize)]
struct NewSlug {
    name: String,
}

struct SlugFields {
    slug: Field<Slugs, String, ReadOnly>,
    is_active: Field<Slugs, bool, ReadWrite>,
}

impl Resource for Slugs {
    type Model = Slug;
    type Fields = SlugFields;
    const NAME: &'static str = "slug";
    const PATH: &'static str = "users/teams";
    const FIELDS: SlugFields = SlugFields {
        slug: Field::new("slug").reading(|team: &Slug| read(&team.slug)),
        is_active: Field::new("is_active"),
    };
    const FIELD_INFO: &'static [FieldInfo] = &[
        field_info!(Slugs, ReadOnly, String, "slug", since "0.8.0"),
        field_info!(Slugs, ReadWrite, bool, "is_active"),
    ];

    fn id(model: &Slug) -> Option<Id<Self>> {
        Some(model.id)
    }
}

impl Retrieve for Slugs {}
impl Create for Slugs {
    type New = NewSlug;
}
impl Update for Slugs {}
impl Delete for Slugs {}

#[test]
fn read_only_by_macro() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = server.client();
    client.create_team(NewTeam::new(server.name("Folding"))).send().unwrap();
    let admin = client.whoami().unwrap().unwrap();

    let entries = client.resource::<AuditLogEntry>();
    let all = entries.filter(|e| e.actor.eq(admin.id)).order_by(|e| e.id.desc()).all().unwrap();
    assert_eq!(all[0].record_name, "users | Team");
    assert_eq!(all[0].actor_summary.as_ref().unwrap()["username"], "admin");
    assert_eq!(entries.retrieve(all[0].id).send().unwrap(), all[0]);
}

#[test]
fn fields_of_types_from_elsewhere() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = server.client();
    let clusters = client.resource::<Described>();
    let description = Description(Some("CPU only".to_owned()));
    let new = NewDescribed::new(server.name("atlas")).description(description.clone());
    let atlas = clusters.create(new).send().unwrap();
    assert_eq!(atlas.description, description);
    let none = Description(None);
    let atlas = clusters.update(atlas.id, |c| c.description.set(none.clone())).send().unwrap();
    assert_eq!(atlas.description, none);
    assert_eq!(Described::FIELDS.name.eq(server.name("atlas")).matches(&atlas), Some(true));
    let error = clusters.list().param("description", "x").all().unwrap_err();
    assert!(error.to_string().contains("does not filter by field `description`"), "{error}");
}

#[test]
fn by_hand() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = server.client();
    let slugs = client.resource::<Slugs>();
    let slug = slugs.create(NewSlug { name: server.name("Protein Folding") }).send().unwrap();
    let own = server.name("protein-folding");
    assert_eq!(slug.slug, own);
    slugs.update(slug.id, |s| [s.is_active.set(false)]).send().unwrap();
    let inactive =
        slugs.filter(|s| s.is_active.eq(false).and(s.slug.eq(&own))).order_by(|s| s.slug.asc());
    assert_eq!(inactive.all().unwrap().len(), 1);
    let named = slugs.list().param("slug__startswith", &own).param("is_active", false);
    assert_eq!(named.count().send().unwrap(), 1);
    assert!(slugs.list().param("is_active__in", "true").all().is_err());
    assert!(slugs.list().param("name", "Protein Folding").all().is_err());
    // One field says how it is read, the other does not.
    let fields = Slugs::FIELDS;
    assert_eq!(fields.slug.contains("fold").matches(&slug), Some(true));
    assert_eq!(fields.is_active.eq(true).matches(&slug), None);
    assert_eq!(fields.is_active.eq(true).and(fields.slug.eq("x")).matches(&slug), Some(false));
    assert_eq!(slugs.retrieve(slug.id).send().unwrap().slug, own);
    slugs.delete(slug.id).send().unwrap();
}

#[test]
fn names_on_the_wire_are_used_throughout() {
    let Some(server) = Target::session() else {
        return;
    };
    let client = server.client();
    let admin = client.whoami().unwrap().unwrap();
    let team = client.create_team(NewTeam::new(server.name("Folding"))).send().unwrap();
    let request = NewAllocationRequest::new("Title", "What for", admin.id, team.id);
    let request = client.create_request(request).send().unwrap();

    let remarks = client.resource::<Remark>();
    let new = NewRemark::new("Looks good", request.id, "s3cret").hidden(true);
    assert!(!format!("{new:?}").contains("s3cret"));
    let call = remarks.create(new);
    let explained = call.clone().explain().unwrap();
    assert!(explained.contains(r#""passphrase":"[redacted]""#), "{explained}");
    let remark = call.send().unwrap();
    assert_eq!((remark.text.as_str(), remark.hidden), ("Looks good", true));
    let remark = remarks.update(remark.id, |r| [r.text.set("Better")]).send().unwrap();
    assert_eq!(remark.text, "Better");
    assert_eq!(
        remarks.filter(|r| r.text.eq("Better").and(r.about.eq(request.id))).all().unwrap().len(),
        1
    );
    assert_eq!(
        remarks
            .filter(|r| r.text.eq("Looks good").and(r.about.eq(request.id)))
            .all()
            .unwrap()
            .len(),
        0
    );
    let replaced = remarks.replace(remark.id, NewRemark::new("Best", request.id, "s3cret")).send();
    assert_eq!(replaced.unwrap().text, "Best");
    assert_eq!(client.retrieve(remark.id).send().unwrap().text, "Best");
    remarks.delete(remark.id).send().unwrap();
    assert!(client.retrieve(remark.id).optional().send().unwrap().is_none());
}

#[test]
fn calls_of_markers_can_be_cloned_and_shown() {
    let client = Sandbox::new().blocking_client().unwrap();
    let slugs = client.resource::<Slugs>();
    let _ = (slugs.clone(), slugs.list().clone(), slugs.retrieve(Id::new(1)).clone());
    assert!(
        format!("{slugs:?} {:?} {:?}", slugs.list(), slugs.retrieve(Id::new(1))).contains("slug")
    );
}
