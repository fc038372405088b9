//! Records of servers up to 0.4.1 that later servers do not have, or have in another shape.
//!
//! Clusters, allocations and users kept their shape and are the same types for all servers. Where
//! such a record names a request, [`Id::cast`] turns the key into one of this module's type.

use jiff::civil::Date;

use super::{RequestStatus, User};
use crate::id::Id;

crate::resource! {
    /// A group of users, in whose name time is requested. Servers up to 0.4.1; later ones have
    /// [`Team`](super::Team)s.
    ///
    /// `GET POST /users/researchgroups/`, `GET PUT PATCH DELETE /users/researchgroups/{id}/`.
    /// Any user may read and create; staff, the principal investigator and the admins may change
    /// and delete. Deleting a group deletes its requests, grants and publications.
    pub struct ResearchGroup("research group", "users/researchgroups");
    fields ResearchGroupFields;
    new NewResearchGroup;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<ResearchGroup>,
    }
    required {
        /// Unique name, at most 255 characters.
        name: String,
        /// Principal investigator.
        pi: Id<User>,
    }
    optional {
        /// Whether the group is in use.
        is_active: bool,
        /// Who manages the group. The server cannot filter by it.
        admins: Vec<Id<User>>,
        /// Who else belongs to the group. The server cannot filter by it.
        members: Vec<Id<User>>,
    }
}

crate::resource! {
    /// A research group's request for computing time, in the shape of servers up to 0.4.1.
    ///
    /// `GET POST /allocations/requests/`, `GET PUT PATCH DELETE /allocations/requests/{id}/`.
    pub struct AllocationRequest("allocation request", "allocations/requests");
    fields AllocationRequestFields;
    new NewAllocationRequest;
    verbs [Retrieve, Update, Replace, Delete];

    read_only {
        /// Primary key.
        id: Id<AllocationRequest>,
        /// The day of the last change, whatever the name says.
        submitted: Date,
    }
    required {
        /// Title, at most 250 characters.
        title: String,
        /// What the time is for, at most 20,000 characters.
        description: String,
        /// The group in whose name the request is made.
        group: Id<ResearchGroup>,
    }
    optional {
        /// Where the request stands; pending at first.
        status: RequestStatus,
        /// First day of the award.
        active: Option<Date>,
        /// Last day of the award.
        expire: Option<Date>,
        /// The staff who look after the request. The server cannot filter by it.
        assignees: Vec<Id<User>>,
    }
}
