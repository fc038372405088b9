//! `/allocations/`: clusters, requests for computing time, and what is granted on each cluster.
//!
//! A team makes an [`AllocationRequest`] with an [`Allocation`] for each [`Cluster`] that it wants time
//! on, and gives its reasons in [`Attachment`]s. [`Review`]s and [`Comment`]s tell what others think of
//! it. The decision is the request's status, with the days on which the award begins and ends, and the
//! service units awarded of each allocation. What an award means on a day is in
//! [`awards`](crate::awards); files have a [chapter](crate::guide::attachments) of the guide.

use jiff::Timestamp;
use jiff::civil::Date;

use super::codes::codes;
use super::{
    AllocationSummary, AttachmentSummary, ClusterSummary, CommentSummary, Grant, GrantSummary,
    History, Publication, PublicationSummary, RequestSummary, Team, TeamSummary, User, UserSummary,
};
use crate::filter::{Filter, trimmed_input};
use crate::id::Id;
use crate::resource::{NaturalKey, Resource};

codes! {
    /// Where an allocation request stands.
    ///
    /// ```
    /// use keystone_client::resources::RequestStatus;
    ///
    /// assert_eq!(RequestStatus::Approved.code(), "AP"); // what travels
    /// assert_eq!(RequestStatus::Approved.label(), "Approved"); // what the web site shows
    /// assert_eq!(RequestStatus::from_label("approved"), Some(RequestStatus::Approved));
    /// assert_eq!(RequestStatus::KNOWN.len(), 4);
    /// // The code of a server newer than this crate is kept.
    /// assert_eq!(RequestStatus::from("WD"), RequestStatus::Other("WD".to_owned()));
    /// ```
    pub enum RequestStatus {
        /// Waits for a decision.
        Pending = "PD" "Pending",
        /// Granted.
        Approved = "AP" "Approved",
        /// Refused.
        Declined = "DC" "Declined",
        /// Sent back to its team.
        ChangesRequested = "CR" "Changes Requested",
    }
}

codes! {
    /// Who may request time on a cluster.
    #[derive(Default)]
    pub enum AccessMode {
        /// Every team.
        #[default]
        Open = "OP" "Open",
        /// The teams listed.
        Whitelist = "WL" "Whitelist",
        /// All teams but those listed.
        Blacklist = "BL" "Blacklist",
    }
}

codes! {
    /// What a reviewer has decided.
    pub enum ReviewStatus {
        /// Grant it.
        Approved = "AP" "Approved",
        /// Refuse it.
        Declined = "DC" "Declined",
        /// Send it back to its team.
        ChangesRequested = "CR" "Changes Requested",
    }
}

crate::resource! {
    /// A cluster on which time is granted.
    ///
    /// `GET POST /allocations/clusters/`, `GET PUT PATCH DELETE /allocations/clusters/{id}/`. Any
    /// user may read, staff write. A cluster with allocations cannot be deleted: the server
    /// answers 500. Servers up to 0.9.5 delete the allocations with it.
    ///
    /// ```
    /// use keystone_client::resources::{AccessMode, NewCluster, NewTeam};
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// let new = NewCluster::new("atlas").access_mode(AccessMode::Whitelist).access_teams([team.id]);
    /// let cluster = client.create_cluster(new).send()?;
    /// assert_eq!(cluster.access_team_summaries[0].name, "Folding");
    /// # Ok(()) }
    /// ```
    pub struct Cluster("cluster", "allocations/clusters");
    fields ClusterFields;
    new NewCluster;
    verbs [Retrieve, Update, Replace, Delete, Search];

    read_only {
        /// Primary key.
        id: Id<Cluster>,
    }
    required {
        /// Unique name, at most 50 characters.
        name: String,
    }
    optional {
        /// Description, at most 150 characters.
        description: Option<String>,
        /// Whether the cluster is in use.
        enabled: bool,
        /// Who may request time. Servers since 0.8.2; before that every cluster is open.
        #[since = "0.8.2"]
        access_mode: AccessMode [default],
        /// The teams that the access mode is about. The server cannot filter by it.
        #[since = "0.8.2"]
        access_teams: Vec<Id<Team>> [default],
    }
    computed {
        /// The teams that the access mode is about, in full.
        access_team_summaries = "_access_teams": Vec<TeamSummary> [default],
        /// Changes, newest first.
        history = "_history": History [default],
    }
}

crate::resource! {
    /// A team's request for computing time. Servers since 0.5.0; before that see
    /// [`legacy::AllocationRequest`](super::legacy::AllocationRequest).
    ///
    /// `GET POST /allocations/requests/`, `GET PUT PATCH DELETE /allocations/requests/{id}/`.
    /// Members of the team may read, its owners and admins create, staff do everything. Deleting
    /// a request deletes its allocations, reviews, comments and attachments.
    ///
    /// ```
    /// use keystone_client::jiff::civil::date;
    /// use keystone_client::resources::{NewAllocation, NewAllocationRequest, RequestStatus};
    /// # use keystone_client::resources::{NewCluster, NewTeam};
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let me = client.whoami()?.expect("logged in");
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// # let cluster = client.create_cluster(NewCluster::new("atlas")).send()?;
    /// let new = NewAllocationRequest::new("Folding at scale", "What it is for", me.id, team.id);
    /// let request = client.create_request(new).send()?;
    /// assert_eq!(request.status, RequestStatus::Pending);
    /// client.create_allocation(NewAllocation::new(50_000, cluster.id, request.id)).send()?;
    ///
    /// let approve = client.update_request(request.id, |r| {
    ///     [
    ///         r.status.set(RequestStatus::Approved),
    ///         r.active.set(date(2026, 7, 1)),
    ///         r.expire.set(date(2027, 7, 1)),
    ///     ]
    /// });
    /// let request = approve.send()?;
    /// assert_eq!(request.allocation_summaries[0].requested, 50_000);
    /// # Ok(()) }
    /// ```
    pub struct AllocationRequest("allocation request", "allocations/requests");
    fields AllocationRequestFields;
    new NewAllocationRequest;
    needs TeamRecords;
    verbs [Retrieve, Update, Replace, Delete, Search];

    read_only {
        /// Primary key.
        id: Id<AllocationRequest>,
        /// When the request was made.
        submitted: Timestamp [with = "crate::wire::timestamp"],
    }
    required {
        /// Title, at most 250 characters.
        title: String,
        /// What the time is for, at most 20,000 characters.
        description: String,
        /// Who makes the request; anyone may be named. `None` on servers before 0.10.4 only.
        submitter: Id<User> as Option<Id<User>>,
        /// The team in whose name it is made.
        team: Id<Team>,
    }
    optional {
        /// Where the request stands; pending at first.
        status: RequestStatus,
        /// First day of the award.
        active: Option<Date>,
        /// The day on which the award ends: the first on which the team may no longer use it, see
        /// [`Standing`](crate::awards::Standing). `None` for no end. The server does not check that it
        /// comes after the first day.
        expire: Option<Date>,
        /// The staff who look after the request. The server cannot filter by it.
        assignees: Vec<Id<User>>,
        /// Publications that support the request. The server cannot filter by it.
        #[since = "0.5.15"]
        publications: Vec<Id<Publication>> [default],
        /// Grants that support the request. The server cannot filter by it.
        #[since = "0.5.15"]
        grants: Vec<Id<Grant>> [default],
    }
    computed {
        /// Who makes the request, in full.
        submitter_summary = "_submitter": Option<UserSummary>,
        /// The team, in full.
        team_summary = "_team": Option<TeamSummary>,
        /// The staff who look after the request, in full.
        assignee_summaries = "_assignees": Vec<UserSummary> [default],
        /// Publications that support the request, in full, by title.
        publication_summaries = "_publications": Vec<PublicationSummary> [default],
        /// Grants that support the request, in full, by title.
        grant_summaries = "_grants": Vec<GrantSummary> [default],
        /// What is asked for and granted, by cluster name.
        allocation_summaries = "_allocations": Vec<AllocationSummary> [default],
        /// Files.
        attachment_summaries = "_attachments": Vec<AttachmentSummary> [default],
        /// Comments, oldest first; private ones are shown to staff only.
        comment_summaries = "_comments": Vec<CommentSummary> [default],
        /// Changes, newest first.
        history = "_history": History [default],
    }
}

crate::resource! {
    /// Service units on one cluster, asked for by one request.
    ///
    /// `GET POST /allocations/allocations/`, `GET PUT PATCH DELETE
    /// /allocations/allocations/{id}/`. Members of the team may read, its owners and admins
    /// create, staff do everything. A request may hold several allocations on one cluster.
    ///
    /// Service units are whole numbers from 0; the largest is 2⁶³−1 on servers with SQLite and
    /// 2³¹−1 on PostgreSQL.
    ///
    /// ```
    /// # use keystone_client::resources::{NewAllocation, NewAllocationRequest, NewCluster, NewTeam};
    /// # use keystone_client::sandbox::Sandbox;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let me = client.whoami()?.expect("logged in");
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// # let cluster = client.create_cluster(NewCluster::new("atlas")).send()?;
    /// # let new = NewAllocationRequest::new("Folding at scale", "What it is for", me.id, team.id);
    /// # let request = client.create_request(new).send()?;
    /// let new = NewAllocation::new(50_000, cluster.id, request.id);
    /// let allocation = client.create_allocation(new).send()?;
    /// let undecided = client.allocations().filter(|a| a.awarded.is_null(true));
    /// assert_eq!(undecided.all()?, [allocation.clone()]);
    ///
    /// // Less than was asked for.
    /// let allocation = client.update_allocation(allocation.id, |a| a.awarded.set(30_000)).send()?;
    /// assert_eq!((allocation.requested, allocation.awarded), (50_000, Some(30_000)));
    /// # Ok(()) }
    /// ```
    pub struct Allocation("allocation", "allocations/allocations");
    fields AllocationFields;
    new NewAllocation;
    verbs [Retrieve, Update, Replace, Delete, Search];

    read_only {
        /// Primary key.
        id: Id<Allocation>,
    }
    required {
        /// Service units asked for.
        requested: u64,
        /// The cluster.
        cluster: Id<Cluster>,
        /// The request.
        request: Id<AllocationRequest>,
    }
    optional {
        /// Service units granted; `None` before a decision.
        awarded: Option<u64>,
        /// Service units used in the end; `None` before the award has expired and the server has
        /// counted them.
        r#final: Option<u64>,
    }
    computed {
        /// The cluster in full.
        cluster_summary = "_cluster": Option<ClusterSummary>,
        /// The request in full.
        request_summary = "_request": Option<RequestSummary>,
        /// Changes, newest first.
        history = "_history": History [default],
    }
}

crate::resource! {
    /// A reviewer's verdict on a request. Servers since 0.5.0. It does not change the status of the request.
    ///
    /// `GET POST /allocations/reviews/`, `GET PUT PATCH DELETE /allocations/reviews/{id}/`. Members
    /// of the team may read, staff write. A request may have several reviews by one reviewer.
    ///
    /// ```
    /// use keystone_client::resources::{NewReview, RequestStatus, ReviewStatus};
    /// # use keystone_client::resources::{NewAllocationRequest, NewTeam};
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let me = client.whoami()?.expect("logged in");
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// # let new = NewAllocationRequest::new("Folding at scale", "What it is for", me.id, team.id);
    /// # let request = client.create_request(new).send()?;
    /// let review = client.create_review(NewReview::new(ReviewStatus::Approved, request.id)).send()?;
    /// assert_eq!(review.reviewer, Some(me.id));
    /// let request = client.retrieve(review.request).send()?;
    /// assert_eq!(request.status, RequestStatus::Pending); // to approve it is another call
    /// # Ok(()) }
    /// ```
    pub struct Review("review", "allocations/reviews");
    fields ReviewFields;
    new NewReview;
    needs TeamRecords;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<Review>,
        /// When the review was made. On servers before 0.6.14, when it was last changed.
        #[since = "0.6.14"]
        submitted: Timestamp [alias = "last_modified", with = "crate::wire::timestamp"],
    }
    required {
        /// What the reviewer has decided.
        status: ReviewStatus,
        /// The request.
        request: Id<AllocationRequest>,
    }
    optional {
        /// Who decided: the caller. The server rejects any other value, also in a replace of
        /// somebody else's review, where it is best left out. `None` on servers before 0.10.4 only.
        reviewer: Id<User> as Option<Id<User>>,
    }
    computed {
        /// The request in full.
        request_summary = "_request": Option<RequestSummary>,
        /// The reviewer in full.
        reviewer_summary = "_reviewer": Option<UserSummary>,
        /// Changes, newest first.
        history = "_history": History [default],
    }
}

crate::resource! {
    /// A file that goes with a request. Servers since 0.5.3.
    ///
    /// `GET POST /allocations/attachments/`, `GET PUT PATCH DELETE /allocations/attachments/{id}/`.
    /// Members of the team may read, its owners and admins create, staff do everything.
    ///
    /// The API hands out no contents: keep what you attach, or ask the administrators of the server
    /// for the file at the path in [`file`](Self::file).
    ///
    /// How files are sent is told at [`NewAttachment`](super::NewAttachment).
    ///
    /// ```
    /// # use keystone_client::resources::{NewAllocationRequest, NewAttachment, NewTeam};
    /// # use keystone_client::{sandbox::Sandbox, upload::Upload};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let me = client.whoami()?.expect("logged in");
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// # let new = NewAllocationRequest::new("Folding at scale", "What it is for", me.id, team.id);
    /// # let request = client.create_request(new).send()?;
    /// # client.create_attachment(NewAttachment::new(request.id, Upload::bytes("p.txt", "p"))).send()?;
    /// let files = client.attachments().filter(|a| a.request.eq(request.id)).all()?;
    /// for file in &files {
    ///     println!("{} of {}", file.name, file.uploaded);
    /// }
    /// // The name of the record; the file is as it was.
    /// let file = client.update_attachment(files[0].id, |a| a.name.set("Plan")).send()?;
    /// assert_eq!((file.name.as_str(), &file.file), ("Plan", &files[0].file));
    /// # Ok(()) }
    /// ```
    pub struct Attachment("attachment", "allocations/attachments");
    fields AttachmentFields;
    needs Attachments;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<Attachment>,
        /// When the record was last changed, its name included.
        uploaded: Timestamp [with = "crate::wire::timestamp"],
    }
    optional {
        /// Name of the file as uploaded, at most 250 characters. Servers since 0.6.1.
        #[since = "0.6.1"]
        name: String [default],
        /// The request.
        request: Id<AllocationRequest>,
    }
    computed {
        /// Storage path; there is no URL that serves it. `None` where nothing was stored, on
        /// servers before 0.6.1, which call it `path`. The server cannot filter by it.
        file: Option<String> [alias = "path"],
        /// The request in full.
        request_summary = "_request": Option<RequestSummary>,
        /// Changes, newest first.
        history = "_history": History [default],
    }
}

crate::resource! {
    /// A comment on a request. Servers since 0.6.0.
    ///
    /// `GET POST /allocations/comments/`, `GET PUT PATCH DELETE /allocations/comments/{id}/`.
    /// Members of the team may create public comments, and change and delete all public ones of the
    /// team, not only their own. Private ones are for staff.
    ///
    /// ```
    /// use keystone_client::resources::NewComment;
    /// # use keystone_client::resources::{MembershipRole, NewAllocationRequest, NewMembership, NewTeam};
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::builder().staff("admin", "admin-password").user("ada", "secret").build();
    /// # let (staff, ada) = (sandbox.blocking_client()?, sandbox.blocking_client()?);
    /// # staff.login("admin", "admin-password")?;
    /// # ada.login("ada", "secret")?;
    /// # let me = ada.whoami()?.expect("logged in").id;
    /// # let team = staff.create_team(NewTeam::new("Folding")).send()?.id;
    /// # staff.create_membership(NewMembership::new(me, team, MembershipRole::Owner)).send()?;
    /// # let new = NewAllocationRequest::new("Folding at scale", "What it is for", me, team);
    /// # let request = staff.create_request(new).send()?;
    /// staff.create_comment(NewComment::new("How many runs?", request.id)).send()?;
    /// staff.create_comment(NewComment::new("Ask for half.", request.id).private(true)).send()?;
    ///
    /// let read = ada.comments().filter(|c| c.request.eq(request.id)).all()?;
    /// assert_eq!(read.len(), 1); // the private one is for staff
    /// # Ok(()) }
    /// ```
    pub struct Comment("comment", "allocations/comments");
    fields CommentFields;
    new NewComment;
    needs Comments;
    verbs [Retrieve, Update, Replace, Delete, Search];

    read_only {
        /// Primary key.
        id: Id<Comment>,
        /// When it was written.
        created: Timestamp [with = "crate::wire::timestamp"],
    }
    required {
        /// Text, at most 2,000 characters.
        content: String,
        /// The request.
        request: Id<AllocationRequest>,
    }
    optional {
        /// The author: the caller if not set, in a replace too. Any user may be named.
        user: Id<User>,
        /// Whether only staff may read it. Only staff may set it.
        private: bool,
    }
    computed {
        /// The author in full.
        user_summary = "_user": Option<UserSummary>,
        /// The request in full.
        request_summary = "_request": Option<RequestSummary>,
        /// Changes, newest first.
        history = "_history": History [default],
    }
}

/// By name, which is case-sensitive.
impl NaturalKey for Cluster {
    fn key(new: &NewCluster) -> Filter<Self> {
        Self::FIELDS.name.eq(trimmed_input(&new.name))
    }
}
