//! Made-up data of any size, the same for the same seed.

use crate::sandbox::population::generator::Generator;
use crate::sandbox::schema::{Resource, Schema};
use crate::sandbox::server::Server;

mod clusters;
mod generator;
mod logs;
mod people;
mod requests;
mod research;
mod reviews;
mod words;

/// Realistic data for a [`Sandbox`](crate::sandbox::Sandbox), by size and seed.
///
/// It has users and teams, clusters of every access mode, five years of requests in every status
/// with what belongs to them, grants, publications, notifications, and whatever else the dialect
/// has tables for. All of it would be accepted by the server itself. Nothing of it is taken from
/// real people or centres.
///
/// The same seed and size on the same day of the sandbox's clock (in UTC) make the same records,
/// on either database. Days are counted from that day, and no record was made later than its
/// midnight.
///
/// | | session dialect | JWT dialect |
/// |---|---|---|
/// | users | `u` | `u` |
/// | of these staff, who belong to no team | `u / 20` | `u / 20` |
/// | of those who own no team some who are not active | one in 20 | one in 20 |
/// | teams (research groups), one in 15 not active | `t = u / 5` | `t = u / 5` |
/// | memberships: an owner for each team, a second team for one user in four | `5/4 · (u - staff)` | in the groups |
/// | clusters: open, on a whitelist, on a blacklist, one disabled | 6 to 12 | 6 to 12 |
/// | grants | `2 t` | `2 t` |
/// | publications | `4 t` | `4 t` |
/// | requests | `r = 6 t` | `r = 6 t` |
/// | allocations, on one to three clusters | `2 r` | `2 r` |
/// | attachments | `r` | |
/// | comments, a third of those by staff private | `2 r` | |
/// | reviews, of all requests but those that are pending | `r` | `r` |
/// | notification preferences | `u / 2` | |
/// | notifications | `4 u` | |
/// | results of tasks, where the server has them | `2 u` | `2 u` |
/// | application log, likewise | `2 u` | `2 u` |
/// | request log, likewise | `4 u` | `4 u` |
///
/// Of each 20 requests seven are past their end; one each ends within 30, within 60 and within 90
/// days; three end later; one has no end; one begins only in the days to come. These are approved.
/// Three are pending, one is declined, and for one changes are requested. `awarded` is null before
/// a decision, `final` before the end and, for one allocation in ten, after it.
///
/// The change log has an entry for each record, at the time when it was made. The password of all
/// users is [`Population::PASSWORD`].
///
/// ```
/// use keystone_client::resources::{AllocationRequest, RequestStatus};
/// use keystone_client::sandbox::{Population, Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sandbox = Sandbox::builder()
///     .staff("admin", "admin-password")
///     .population(Population::new(7).users(50))
///     .build();
/// let client = sandbox.blocking_client()?;
/// client.login("admin", "admin-password")?;
/// let pending = client.requests().list().filter(|r| r.status.eq(RequestStatus::Pending));
/// assert_eq!(pending.count().send()?, 9);
///
/// let researchers = client.users().filter(|u| u.is_staff.eq(false)).filter(|u| u.is_active.eq(true));
/// let researcher = researchers.first().send()?;
/// let name = researcher.expect("there is one").username;
/// sandbox.blocking_client()?.login(&name, Population::PASSWORD)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a population does nothing until it is put into a sandbox"]
pub struct Population {
    seed: u64,
    size: Size,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Size {
    Users(usize),
    Rows(usize),
}

impl Population {
    /// The password of every user that is made up.
    pub const PASSWORD: &'static str = "made-up-password";

    /// The fewest users there are.
    const FEWEST: usize = 10;

    /// The most users and rows there are: more than any centre has, and few enough to count with.
    const MOST: usize = 10_000_000;

    /// A population of 100 users, some 1,700 rows.
    pub const fn new(seed: u64) -> Self {
        Self { seed, size: Size::Users(100) }
    }

    /// A population of 20 users, some 350 rows.
    pub const fn small(seed: u64) -> Self {
        Self::new(seed).users(20)
    }

    /// A population of 500 users, some 8,000 rows.
    pub const fn medium(seed: u64) -> Self {
        Self::new(seed).users(500)
    }

    /// Sets the number of users; everything else is in proportion. There are at least ten, and at
    /// most ten million.
    pub const fn users(mut self, users: usize) -> Self {
        self.size = Size::Users(users);
        self
    }

    /// Sets the number of rows of all tables together, without the change log. There are exactly
    /// so many: what is too little for one more user are notifications or, in the JWT dialect,
    /// entries of the request log. There are at least as many as ten users have, and at most
    /// ten million.
    ///
    /// ```
    /// use keystone_client::sandbox::{Population, Sandbox};
    ///
    /// let sandbox = Sandbox::builder().population(Population::new(1).rows(1_000)).build();
    /// # drop(sandbox);
    /// ```
    pub const fn rows(mut self, rows: usize) -> Self {
        self.size = Size::Rows(rows);
        self
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// Stores the records in a server beside those that are there.
    pub(crate) fn settle(&self, server: &mut Server) {
        let shape = Shape::of(server.schema, self.size);
        Generator::new(server, self.seed, shape).run();
    }
}

/// How many records of each kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shape {
    users: usize,
    staff: usize,
    teams: usize,
    memberships: usize,
    clusters: usize,
    grants: usize,
    publications: usize,
    requests: usize,
    allocations: usize,
    attachments: usize,
    comments: usize,
    reviews: usize,
    preferences: usize,
    notifications: usize,
    tasks: usize,
    app_log: usize,
    request_log: usize,
}

impl Shape {
    fn of(schema: &Schema, size: Size) -> Self {
        match size {
            Size::Users(users) => Self::of_users(schema, users.min(Population::MOST)),
            Size::Rows(rows) => {
                let rows = rows.min(Population::MOST);
                let (mut fits, mut too_many) = (Population::FEWEST, rows.max(Population::FEWEST));
                while too_many.saturating_sub(fits) > 1 {
                    let users = fits.midpoint(too_many);
                    let total = Self::of_users(schema, users).total();
                    *(if total <= rows { &mut fits } else { &mut too_many }) = users;
                }
                let mut shape = Self::of_users(schema, fits);
                let rest = rows.saturating_sub(shape.total());
                if schema.table(Resource::Notifications).is_some() {
                    shape.notifications += rest;
                } else {
                    shape.request_log += rest;
                }
                shape
            }
        }
    }

    fn of_users(schema: &Schema, users: usize) -> Self {
        let users = users.max(Population::FEWEST);
        let staff = (users / 20).max(1);
        let (teams, researchers) = (users / 5, users - staff);
        let requests = 6 * teams;
        let has = |resource, count: usize| schema.table(resource).map_or(0, |_| count);
        Self {
            users,
            staff,
            teams,
            memberships: has(Resource::Memberships, researchers + researchers / 4),
            clusters: has(Resource::Clusters, (6 + users / 500).min(12)),
            grants: has(Resource::Grants, 2 * teams),
            publications: has(Resource::Publications, 4 * teams),
            requests: has(Resource::Requests, requests),
            allocations: has(Resource::Allocations, 2 * requests),
            attachments: has(Resource::Attachments, requests),
            comments: has(Resource::Comments, 2 * requests),
            reviews: has(Resource::Reviews, requests),
            preferences: has(Resource::Preferences, users / 2),
            notifications: has(Resource::Notifications, 4 * users),
            tasks: has(Resource::TaskLog, 2 * users),
            app_log: has(Resource::AppLog, 2 * users),
            request_log: has(Resource::RequestLog, 4 * users),
        }
    }

    fn total(&self) -> usize {
        self.users
            + self.teams
            + self.memberships
            + self.clusters
            + self.grants
            + self.publications
            + self.requests
            + self.allocations
            + self.attachments
            + self.comments
            + self.reviews
            + self.preferences
            + self.notifications
            + self.tasks
            + self.app_log
            + self.request_log
    }
}
