use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    Allocation, AllocationRequest, Cluster, Comment, Grant, Membership, MembershipRole,
    Publication, RequestStatus, Team, User,
};
use crate::id::Id;

macro_rules! summaries {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)+ }
    )+) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[non_exhaustive]
            pub struct $name { $($(#[$field_meta])* pub $field: $type,)+ }
        )+
    };
}

summaries! {
    /// A user as part of another record.
    pub struct UserSummary {
        /// Primary key; `None` on servers before 0.6.13 only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Id<User>>,
        /// Login name.
        username: String,
        /// First name.
        first_name: Option<String>,
        /// Last name.
        last_name: Option<String>,
        /// First and last name if both are set, else the first name, else the user name.
        #[serde(default)]
        display_name: String,
        /// Initials.
        #[serde(default)]
        abbreviation: String,
        /// E-mail address.
        email: Option<String>,
        /// Department.
        department: Option<String>,
        /// What the person does, in words; not the role in a team.
        role: Option<String>,
    }

    /// A team as part of another record.
    pub struct TeamSummary {
        /// Primary key; `None` on servers before 0.6.13 only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Id<Team>>,
        /// The name in a form fit for URLs.
        #[serde(default)]
        slug: String,
        /// Name.
        name: String,
        /// Whether the team is in use.
        is_active: bool,
    }

    /// A cluster as part of another record.
    pub struct ClusterSummary {
        /// Primary key; `None` on servers before 0.6.13 only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Id<Cluster>>,
        /// Name.
        name: String,
        /// Whether the cluster is in use.
        enabled: bool,
    }

    /// An allocation request as part of another record.
    pub struct RequestSummary {
        /// Primary key; `None` on servers before 0.6.13 only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Id<AllocationRequest>>,
        /// Title.
        title: String,
        /// Where the request stands.
        status: RequestStatus,
        /// First day of the award.
        active: Option<Date>,
        /// The day on which the award ends, itself no longer part of it.
        expire: Option<Date>,
    }

    /// A member of a team, as part of the team.
    ///
    /// ```
    /// use keystone_client::resources::MembershipRole;
    /// # use keystone_client::{resources::{NewMembership, NewTeam}, sandbox::Sandbox};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let me = client.whoami()?.expect("logged in");
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?.id;
    /// # client.create_membership(NewMembership::new(me.id, team, MembershipRole::Owner)).send()?;
    /// let team = client.retrieve_team(team).send()?;
    /// let owners = team.memberships.iter().filter(|member| member.role == MembershipRole::Owner);
    /// let names: Vec<&str> = owners
    ///     .filter_map(|owner| owner.user_summary.as_ref())
    ///     .map(|user| user.username.as_str())
    ///     .collect();
    /// assert_eq!(names, ["admin"]);
    /// # Ok(()) }
    /// ```
    pub struct UserRole {
        /// Primary key of the membership.
        id: Id<Membership>,
        /// The member.
        user: Id<User>,
        /// The member's role.
        role: MembershipRole,
        /// The member in full.
        #[serde(rename = "_user")]
        user_summary: Option<UserSummary>,
    }

    /// A team that a user belongs to, as part of the user.
    pub struct TeamRole {
        /// Primary key of the membership.
        id: Id<Membership>,
        /// The team.
        team: Id<Team>,
        /// The user's role in it.
        role: MembershipRole,
        /// The team in full.
        #[serde(rename = "_team")]
        team_summary: Option<TeamSummary>,
    }

    /// An allocation as part of its request.
    ///
    /// ```
    /// use keystone_client::resources::AllocationRequest;
    /// use keystone_client::testing::Fixture;
    ///
    /// // One call for a request brings what it asks for along, and on which cluster.
    /// let request = AllocationRequest::fixture(7); // stands for an answer of the server
    /// for allocation in &request.allocation_summaries {
    ///     let cluster = allocation.cluster_summary.as_ref().map_or("?", |cluster| &cluster.name);
    ///     println!("{cluster}: {} SU", allocation.awarded.unwrap_or(0));
    /// }
    /// ```
    pub struct AllocationSummary {
        /// Primary key.
        id: Id<Allocation>,
        /// The cluster.
        cluster: Id<Cluster>,
        /// Service units asked for.
        requested: u64,
        /// Service units granted.
        awarded: Option<u64>,
        /// Service units used in the end.
        r#final: Option<u64>,
        /// The cluster in full.
        #[serde(rename = "_cluster")]
        cluster_summary: Option<ClusterSummary>,
    }

    /// An attachment as part of its request. The server does not send its key.
    pub struct AttachmentSummary {
        /// Storage path; there is no URL that serves it.
        file: String,
        /// Name as uploaded.
        name: String,
    }

    /// A comment as part of its request.
    pub struct CommentSummary {
        /// Primary key; `None` on servers before 0.8.6 only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Id<Comment>>,
        /// The author.
        user: Id<User>,
        /// Text.
        content: String,
        /// When it was written.
        #[serde(with = "crate::wire::timestamp")]
        created: Timestamp,
        /// Whether only staff may read it.
        private: bool,
        /// The author in full.
        #[serde(rename = "_user")]
        user_summary: Option<UserSummary>,
    }

    /// A grant as part of a request: the record without its team and history.
    pub struct GrantSummary {
        /// Primary key; `None` on servers before 0.6.13 only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Id<Grant>>,
        /// Title.
        title: String,
        /// Funding agency.
        agency: String,
        /// Principal investigator.
        #[serde(default)]
        pi: Option<String>,
        /// Amount in the centre's currency.
        amount: Decimal,
        /// The agency's number.
        grant_number: Option<String>,
        /// First day.
        start_date: Date,
        /// Last day.
        end_date: Option<Date>,
        /// Description.
        #[serde(default)]
        description: Option<String>,
        /// The team that holds the grant.
        team: Id<Team>,
    }

    /// A publication as part of a request: the record without its team and history.
    pub struct PublicationSummary {
        /// Primary key; `None` on servers before 0.6.13 only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<Id<Publication>>,
        /// Title.
        title: String,
        /// Abstract.
        r#abstract: Option<String>,
        /// Day of submission.
        submitted: Option<Date>,
        /// Day of publication.
        published: Option<Date>,
        /// Journal.
        journal: Option<String>,
        /// Digital object identifier.
        doi: Option<String>,
        /// Volume.
        volume: Option<String>,
        /// Issue.
        issue: Option<String>,
        /// The team that published.
        team: Id<Team>,
    }
}
