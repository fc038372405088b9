//! `/notifications/`: what the server has told its users, and when it tells them.

use jiff::Timestamp;
use serde_json::Value;

use super::codes::codes;
use super::{User, UserSummary};
use crate::id::Id;

codes! {
    /// What a notification is about.
    pub enum NotificationType {
        /// Anything.
        GeneralMessage = "GM" "General Message",
        /// An award that is about to end.
        UpcomingRequestExpiration = "RE" "Upcoming Request Expiration",
        /// An award that has ended.
        RequestPastExpiration = "RD" "Request Past Expiration",
    }
}

crate::resource! {
    /// A message of the server to a user. Servers since 0.6.8.
    ///
    /// `GET /notifications/notifications/`, `GET PATCH /notifications/notifications/{id}/`. Staff
    /// can list everybody's, but retrieve and update their own only, as everybody can.
    pub struct Notification("notification", "notifications/notifications");
    fields NotificationFields;
    needs Notifications;
    verbs [Retrieve, Update];

    read_only {
        /// Primary key.
        id: Id<Notification>,
        /// When it was sent.
        time: Timestamp [with = "crate::wire::timestamp"],
        /// Subject.
        subject: String,
        /// The message as HTML. On servers before 0.9.0 it may be plain text.
        #[since = "0.9.0"]
        message_html: String [alias = "message"],
        /// What it is about.
        notification_type: NotificationType,
        /// Who it was sent to.
        user: Id<User>,
    }
    hidden_unordered {
        /// The message as plain text. Servers since 0.9.0.
        #[since = "0.9.0"]
        message_text: String,
    }
    optional {
        /// Whether it has been read.
        read: bool,
    }
    computed {
        /// Who it was sent to, in full.
        user_summary = "_user": Option<UserSummary>,
    }
}

crate::resource! {
    /// When a user wants to be told of awards that end. Servers since 0.6.8. A user has one record
    /// at most, and need not have any.
    ///
    /// `GET POST /notifications/preferences/`, `GET PUT PATCH DELETE
    /// /notifications/preferences/{id}/`. Everybody has access to their own, staff to all.
    pub struct Preference("preference", "notifications/preferences");
    fields PreferenceFields;
    new NewPreference;
    needs Notifications;
    verbs [Retrieve, Update, Replace, Delete, Search];

    read_only {
        /// Primary key.
        id: Id<Preference>,
    }
    optional {
        /// Whether to tell of the end of an award itself.
        notify_on_expiration: bool,
    }
    unfiltered {
        /// The user: the caller if not set. Only staff may name others. The server cannot filter by it.
        user: Id<User>,
        /// How many days before the end to tell, normally a list such as `[30, 14]`. The server
        /// accepts any JSON but null, and cannot filter by it.
        request_expiry_thresholds: Value,
    }
    computed {
        /// The user in full.
        user_summary = "_user": Option<UserSummary>,
    }
}
