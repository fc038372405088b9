//! `/stats/`: figures over the records of a list, made by the server.
//!
//! They cover what the user may see: staff everything, others what belongs to their teams, and of
//! notifications their own. [`List::stats`](crate::List::stats) asks for them.

use jiff::SignedDuration;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{AllocationRequest, Grant, Notification, Publication};
use crate::capability::Capability;
use crate::resource::Summarize;

/// Figures over allocation requests.
///
/// Of approved requests some are upcoming (they begin after today), some active (today is from the
/// first to the last day), some expired; those without dates are none of these. Sums are of service
/// units and lose precision above 2⁵³.
///
/// ```
/// # use keystone_client::{resources::NewAllocationRequest, resources::NewTeam, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # let me = client.whoami()?.expect("logged in").id;
/// # let team = client.create_team(NewTeam::new("Folding")).send()?;
/// # let new = NewAllocationRequest::new("Folding at scale", "What it is for", me, team.id);
/// # client.create_request(new).send()?;
/// let stats = client.requests().filter(|r| r.team.eq(team.id)).stats().send()?;
/// assert_eq!((stats.request_count, stats.request_pending_count), (1, 1));
/// println!("{} of {} SU awarded", stats.su_awarded_total, stats.su_requested_total);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RequestStats {
    /// Requests in all, those with changes requested included.
    pub request_count: u64,
    /// Pending requests.
    pub request_pending_count: u64,
    /// Approved requests.
    pub request_approved_count: u64,
    /// Declined requests.
    pub request_declined_count: u64,
    /// Upcoming requests.
    pub request_upcoming_count: u64,
    /// Active requests.
    pub request_active_count: u64,
    /// Expired requests.
    pub request_expired_count: u64,
    /// Service units awarded in pending requests.
    pub su_pending_total: f64,
    /// Service units awarded in declined requests.
    pub su_declined_total: f64,
    /// Service units awarded in approved requests.
    pub su_approved_total: f64,
    /// Service units awarded in upcoming requests.
    pub su_upcoming_total: f64,
    /// Service units awarded in active requests.
    pub su_active_total: f64,
    /// Service units awarded in expired requests.
    pub su_expired_total: f64,
    /// Service units asked for, in all requests.
    pub su_requested_total: f64,
    /// Service units awarded, in all requests.
    pub su_awarded_total: f64,
    /// Service units used in the end, in all requests.
    pub su_finalized_total: f64,
    /// Days from submission to the first day of the award, on average; `None` without requests.
    /// Servers with SQLite say 0.
    pub days_pending_average: Option<f64>,
    /// Days from the first to the last day of the award, on average; `None` without requests.
    pub days_active_average: Option<f64>,
}

/// Figures over grants. Amounts are in the centre's currency.
///
/// Upcoming grants begin after today, active ones have begun and end after today, expired ones have
/// ended; those without a last day are none of these.
///
/// ```
/// use keystone_client::jiff::civil::date;
/// # use keystone_client::{resources::{NewGrant, NewTeam}, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # let team = client.create_team(NewTeam::new("Folding")).send()?.id;
/// # for (agency, amount) in [("NSF", 250_000), ("DFG", 80_000)] {
/// #     client.create_grant(NewGrant::new("Proteins", agency, amount, date(2026, 1, 1), team)).send()?;
/// # }
/// let stats = client.grants().filter(|g| g.start_date.gte(date(2026, 1, 1))).stats().send()?;
/// assert_eq!((stats.grant_count, stats.agency_count), (2, 2));
/// assert_eq!(stats.funding_total, 330_000.into());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GrantStats {
    /// Grants in all.
    pub grant_count: u64,
    /// Upcoming grants.
    pub upcoming_count: u64,
    /// Active grants.
    pub active_count: u64,
    /// Expired grants.
    pub expired_count: u64,
    /// Different agencies.
    pub agency_count: u64,
    /// Sum of the amounts.
    pub funding_total: Decimal,
    /// Sum of the amounts of upcoming grants.
    pub funding_upcoming: Decimal,
    /// Sum of the amounts of active grants.
    pub funding_active: Decimal,
    /// Sum of the amounts of expired grants.
    pub funding_expired: Decimal,
    /// Average of the amounts.
    pub funding_average: Decimal,
}

/// Figures over publications.
///
/// ```
/// use keystone_client::jiff::civil::date;
/// # use keystone_client::{resources::{NewPublication, NewTeam}, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # let team = client.create_team(NewTeam::new("Folding")).send()?.id;
/// let new = NewPublication::new("How Proteins Fold", team)
///     .submitted(date(2026, 1, 1))
///     .published(date(2026, 1, 31));
/// client.create_publication(new).send()?;
/// let stats = client.publications().list().stats().send()?;
/// assert_eq!(stats.accepted_count, 1);
/// let review = stats.review_average.expect("one was submitted and published");
/// assert_eq!(review.as_hours(), 30 * 24);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PublicationStats {
    /// Publications in all.
    pub publications_count: u64,
    /// Neither submitted nor published.
    pub draft_count: u64,
    /// Submitted and not published.
    pub submitted_count: u64,
    /// Published.
    pub accepted_count: u64,
    /// Different journals; an empty name counts as one.
    pub journals_count: u64,
    /// Time from submission to publication, on average; `None` without such publications.
    #[serde(with = "crate::wire::duration")]
    pub review_average: Option<SignedDuration>,
}

/// Figures over one's own notifications.
///
/// ```
/// # use keystone_client::sandbox::Sandbox;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// let stats = client.notifications().list().stats().send()?;
/// println!("{} of {} unread", stats.unread, stats.total);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NotificationStats {
    /// Notifications in all.
    pub total: u64,
    /// Unread notifications.
    pub unread: u64,
}

macro_rules! summarize {
    ($($resource:ident => $stats:ident, $name:literal, $path:literal, $capability:ident;)+) => {
        $(impl Summarize for $resource {
            type Stats = $stats;
            const STATS_NAME: &'static str = $name;
            const STATS_PATH: &'static str = $path;
            const STATS_CAPABILITY: Option<Capability> = Some(Capability::$capability);
        })+
    };
}

summarize! {
    AllocationRequest => RequestStats, "request statistics", "stats/requests", Stats;
    Grant => GrantStats, "grant statistics", "stats/grants", Stats;
    Publication => PublicationStats, "publication statistics", "stats/publications", Stats;
    Notification => NotificationStats, "notification statistics", "stats/notifications", NotificationStats;
}
