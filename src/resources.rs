//! The resources of Keystone, one module for each group of the server's paths.
//!
//! Fields whose names begin with an underscore on the wire are read-only expansions of other
//! fields. Here `_team` is `team_summary`, `_membership` is `memberships` and `_history` is
//! `history`; servers before 0.6 do not send them.

pub mod allocations;
mod attachments;
mod codes;
mod history;
pub mod legacy;
pub mod logs;
pub mod notifications;
pub mod research;
pub mod stats;
mod summaries;
pub mod system;
pub mod users;

pub use self::allocations::{
    AccessMode, Allocation, AllocationFields, AllocationRequest, AllocationRequestFields,
    Attachment, AttachmentFields, Cluster, ClusterFields, Comment, CommentFields, NewAllocation,
    NewAllocationRequest, NewCluster, NewComment, NewReview, RequestStatus, Review, ReviewFields,
    ReviewStatus,
};
pub use self::attachments::NewAttachment;
pub use self::history::{History, HistoryChanges, HistoryEntry};
pub use self::logs::{
    AuditAction, AuditLogEntry, AuditLogEntryFields, FeedEntry, FeedEntryFields, FeedSource,
    RequestLogEntry, RequestLogEntryFields, TaskResult, TaskResultFields, TaskStatus,
};
pub use self::notifications::{
    NewPreference, Notification, NotificationFields, NotificationType, Preference, PreferenceFields,
};
pub use self::research::{
    Grant, GrantFields, NewGrant, NewPublication, Publication, PublicationFields,
};
pub use self::stats::{GrantStats, NotificationStats, PublicationStats, RequestStats};
pub use self::summaries::{
    AllocationSummary, AttachmentSummary, ClusterSummary, CommentSummary, GrantSummary,
    PublicationSummary, RequestSummary, TeamRole, TeamSummary, UserRole, UserSummary,
};
pub use self::system::{Choices, Health, HealthCheck, ServerConfig};
pub use self::users::{
    Membership, MembershipFields, MembershipRole, NewMembership, NewTeam, NewUser, Team,
    TeamFields, User, UserFields,
};
