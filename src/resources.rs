//! The resources of Keystone, one module for each group of the server's paths.
//!
//! | record | of a client | path | who may write | servers |
//! |---|---|---|---|---|
//! | [`Cluster`] | [`clusters`](crate::KeystoneClient::clusters) | `allocations/clusters/` | staff | all |
//! | [`AllocationRequest`] | [`requests`](crate::KeystoneClient::requests) | `allocations/requests/` | staff; owners and admins of the team create | since 0.5.0 |
//! | [`Allocation`] | [`allocations`](crate::KeystoneClient::allocations) | `allocations/allocations/` | staff; owners and admins of the team create | all |
//! | [`Review`] | [`reviews`](crate::KeystoneClient::reviews) | `allocations/reviews/` | staff | since 0.5.0 |
//! | [`Attachment`] | [`attachments`](crate::KeystoneClient::attachments) | `allocations/attachments/` | staff; owners and admins of the team create | since 0.5.3 |
//! | [`Comment`] | [`comments`](crate::KeystoneClient::comments) | `allocations/comments/` | staff; members of the team, if it is not private | since 0.6.0 |
//! | [`User`] | [`users`](crate::KeystoneClient::users) | `users/users/` | staff; users update themselves | all |
//! | [`Team`] | [`teams`](crate::KeystoneClient::teams) | `users/teams/` | staff, owners and admins of the team; anybody creates | since 0.5.0 |
//! | [`Membership`] | [`memberships`](crate::KeystoneClient::memberships) | `users/memberships/` | staff, owners and admins of the team; users delete their own | since 0.5.0 |
//! | [`Grant`] | [`grants`](crate::KeystoneClient::grants) | `research/grants/` | staff and members of the team | since 0.5.0 |
//! | [`Publication`] | [`publications`](crate::KeystoneClient::publications) | `research/publications/` | staff and members of the team | since 0.5.0 |
//! | [`Notification`] | [`notifications`](crate::KeystoneClient::notifications) | `notifications/notifications/` | users update their own | since 0.6.8 |
//! | [`Preference`] | [`preferences`](crate::KeystoneClient::preferences) | `notifications/preferences/` | staff; users their own | since 0.6.8 |
//! | [`AuditLogEntry`] | [`audit_log`](crate::KeystoneClient::audit_log) | `logs/audit/` | nobody; staff read | since 0.6.5 |
//! | [`RequestLogEntry`] | [`request_log`](crate::KeystoneClient::request_log) | `logs/requests/` | nobody; staff read | all |
//! | [`TaskResult`] | [`task_results`](crate::KeystoneClient::task_results) | `logs/tasks/` | nobody; staff read | all |
//! | [`FeedEntry`] | [`feed`](crate::KeystoneClient::feed) | `logs/feed/` | nobody; staff read | since 0.10.7 |
//!
//! Each type says in full who may read and write it, and each of its fields what it holds. A type comes
//! with the table of its fields, such as [`ClusterFields`], for filters, orders and updates, and with what
//! it takes to create one, such as [`NewCluster`]. Records can only be received, not built: the models
//! grow with the server. For tests there is [`Fixture`](crate::testing::Fixture).
//!
//! Figures over records come from [`List::stats`](crate::List::stats): [`RequestStats`],
//! [`GrantStats`] and [`PublicationStats`] from servers since 0.8.4, [`NotificationStats`] since 0.8.7.
//! What the server says of itself is in [`system`], and the records of servers up to 0.4.1, which are
//! others, in [`legacy`]. The page
//! [Endpoints](https://docs.rs/crate/keystone-client/latest/source/docs/endpoints.md) has each path and
//! method with the versions that have it; the [guide](crate::guide) has [lists](crate::guide::lists) and
//! [changes](crate::guide::changing).
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
