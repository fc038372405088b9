//! `/notifications/`: what the server has told its users, and when it tells them.
//!
//! A [`Notification`] is what was sent, by e-mail as well; a [`Preference`] says how many days before the
//! end of an award its user wants one.

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
    ///
    /// ```
    /// # use keystone_client::sandbox::Sandbox;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::new();
    /// # sandbox.insert("notifications/notifications", serde_json::json!({
    /// #     "user": 1, "subject": "Your allocation expires soon", "message_html": "<p>…</p>",
    /// #     "message_text": "…", "notification_type": "RE",
    /// # }))?;
    /// # let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// let me = client.whoami()?.expect("logged in").id;
    /// // Staff list everybody's notifications if they do not say whose.
    /// let unread = client.notifications().filter(|n| n.user.eq(me)).filter(|n| n.read.eq(false));
    /// for notification in unread.clone().all()? {
    ///     println!("{} {}", notification.time, notification.subject);
    ///     client.update_notification(notification.id, |n| n.read.set(true)).send()?;
    /// }
    /// assert!(!unread.exists().send()?);
    /// # Ok(()) }
    /// ```
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
    ///
    /// ```
    /// use keystone_client::resources::NewPreference;
    /// use keystone_client::serde_json::json;
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = Sandbox::builder().user("ada", "secret").build();
    /// # let client = sandbox.blocking_client()?;
    /// client.login("ada", "secret")?;
    /// let days = json!([60, 30, 7]);
    /// // Users who are not staff see their own record alone.
    /// let preference = match client.preferences().list().first().send()? {
    ///     Some(own) => client
    ///         .update_preference(own.id, |p| p.request_expiry_thresholds.set(days.clone()))
    ///         .send()?,
    ///     None => {
    ///         let new = NewPreference::new().request_expiry_thresholds(days.clone());
    ///         client.create_preference(new).send()?
    ///     }
    /// };
    /// assert_eq!(preference.request_expiry_thresholds, days);
    /// # Ok(()) }
    /// ```
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
