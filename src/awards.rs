//! What an award means on a day, and how its service units add up, by the rules of the server.
//!
//! Keystone hands out time by a job on the server that sets a limit on each cluster for each team.
//! What counts for it is nowhere in a record: it follows from the status and the two dates of a
//! request, and [`Standing`] says it. [`Balance`] adds up what was asked for, granted and used, where
//! any of it may be null or zero.
//!
//! Nothing here asks a server or a clock. The day is the caller's: the server takes that of its own
//! time zone. Records have the methods `standing_on` and `is_active_on`, such as
//! [`AllocationRequest::is_active_on`]; units are service units throughout.
//!
//! ```
//! use keystone_client::awards::Balance;
//! use keystone_client::jiff::civil::date;
//! use keystone_client::resources::RequestStatus;
//! use keystone_client::sandbox::{Population, Sandbox};
//!
//! # fn main() -> Result<(), keystone_client::Error> {
//! # let today = date(2026, 6, 1);
//! # let sandbox = Sandbox::builder()
//! #     .staff("admin", "admin-password")
//! #     .start_at(today.to_zoned(keystone_client::jiff::tz::TimeZone::UTC).unwrap().into())
//! #     .population(Population::new(1))
//! #     .build();
//! # let client = sandbox.blocking_client()?;
//! # client.login("admin", "admin-password")?;
//! // The server cannot be asked for "no end, or one to come". So it is asked for what has begun.
//! let mut requests = client
//!     .requests()
//!     .filter(|r| r.status.eq(RequestStatus::Approved))
//!     .filter(|r| r.active.lte(today))
//!     .all()?;
//! requests.retain(|request| request.is_active_on(today));
//! assert_eq!(requests.len(), 42);
//!
//! let allocations = requests.iter().flat_map(|request| &request.allocation_summaries);
//! let balance: Balance = allocations.map(Balance::from).sum();
//! assert_eq!(balance.used(), None); // what is active is not counted yet
//! assert_eq!(balance.remaining(), balance.awarded());
//! # Ok(()) }
//! ```

use std::iter::Sum;
use std::ops::{Add, AddAssign};

use jiff::civil::Date;

use crate::resources::{
    Allocation, AllocationRequest, AllocationSummary, RequestStatus, RequestSummary, legacy,
};

/// Where an allocation request stands on a day, by the rule with which the server limits the use of
/// its clusters.
///
/// The first day of an award is [`active`](AllocationRequest::active). The day of
/// [`expire`](AllocationRequest::expire) is the first on which it no longer counts, and without one it
/// never ends. That is the rule since 0.6.19. Before, an award without an end did not count at all, and
/// so it is with [`legacy::AllocationRequest`].
///
/// The [statistics](crate::resources::RequestStats) of the server have another rule: for them a
/// request is active on the day of `expire` too, and never without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Standing {
    /// It was not approved, or not yet.
    NotApproved,
    /// It is approved, but lacks a day without which it never counts: the first, or on old servers
    /// that of its end.
    Undated,
    /// It is approved and begins later.
    Upcoming,
    /// It counts: the team may use what it was awarded.
    Active,
    /// It is approved and has ended. What was used of it is counted by the server, which sets
    /// [`final`](Allocation::final) on its allocations.
    Ended,
}

impl Standing {
    /// Where a request with this status and these dates stands on `day`.
    ///
    /// ```
    /// use keystone_client::awards::Standing;
    /// use keystone_client::jiff::civil::date;
    /// use keystone_client::resources::RequestStatus;
    ///
    /// let (active, expire) = (Some(date(2026, 1, 1)), Some(date(2026, 7, 1)));
    /// let on = |day| Standing::on(day, &RequestStatus::Approved, active, expire);
    /// assert_eq!(on(date(2025, 12, 31)), Standing::Upcoming);
    /// assert_eq!(on(date(2026, 1, 1)), Standing::Active);
    /// assert_eq!(on(date(2026, 6, 30)), Standing::Active);
    /// assert_eq!(on(date(2026, 7, 1)), Standing::Ended);
    /// ```
    pub fn on(
        day: Date,
        status: &RequestStatus,
        active: Option<Date>,
        expire: Option<Date>,
    ) -> Self {
        if *status != RequestStatus::Approved {
            return Self::NotApproved;
        }
        match (active, expire) {
            (_, Some(expire)) if expire <= day => Self::Ended,
            (None, _) => Self::Undated,
            (Some(active), _) if active > day => Self::Upcoming,
            _ => Self::Active,
        }
    }
}

/// The methods of records that have a status and two dates.
macro_rules! standings {
    ($($record:ty),*) => {$(
        impl $record {
            /// Where it stands on a day, by the rule of the server's limits: see
            /// [`Standing`](crate::awards::Standing).
            ///
            /// ```
            /// use keystone_client::awards::Standing;
            /// use keystone_client::jiff::civil::date;
            /// use keystone_client::resources::{AllocationRequest, RequestStatus};
            /// use keystone_client::testing::Fixture;
            ///
            /// let mut request = AllocationRequest::fixture(7);
            /// request.status = RequestStatus::Approved;
            /// request.active = Some(date(2026, 1, 1));
            /// request.expire = None;
            /// assert_eq!(request.standing_on(date(2099, 1, 1)), Standing::Active);
            /// assert!(request.is_active_on(date(2099, 1, 1)));
            /// ```
            pub fn standing_on(&self, day: Date) -> Standing {
                Standing::on(day, &self.status, self.active, self.expire)
            }

            /// Whether it is approved, has begun and has not ended on a day: whether the server
            /// lets its team use what was awarded. The day of `expire` is no longer one of these;
            /// without `expire` there is no end.
            pub fn is_active_on(&self, day: Date) -> bool {
                self.standing_on(day) == Standing::Active
            }
        }
    )*};
}

standings!(AllocationRequest, RequestSummary);

impl legacy::AllocationRequest {
    /// Where it stands on a day, by the rule of old servers: see [`Standing`]. Without
    /// [`expire`](Self::expire) it never counts.
    pub fn standing_on(&self, day: Date) -> Standing {
        match Standing::on(day, &self.status, self.active, self.expire) {
            Standing::Upcoming | Standing::Active if self.expire.is_none() => Standing::Undated,
            standing => standing,
        }
    }

    /// Whether it is approved, has begun and ends later than on a day: whether the server lets its
    /// group use what was awarded.
    pub fn is_active_on(&self, day: Date) -> bool {
        self.standing_on(day) == Standing::Active
    }
}

/// Service units, those of one allocation or of several together.
///
/// What is null adds nothing, and no sum is more than [`u64::MAX`]. The teams' budget is one for
/// each cluster, so that what one allocation has left makes up for what another has overdrawn.
///
/// ```
/// use keystone_client::awards::Balance;
/// use keystone_client::resources::Allocation;
/// use keystone_client::testing::Fixture;
/// use serde_json::json;
///
/// let allocation = |awarded, used| {
///     let units = json!({ "requested": 1000, "awarded": awarded, "final": used });
///     Allocation::fixture_with(7, units)
/// };
/// let ended = allocation(json!(800), json!(600));
/// let active = allocation(json!(500), json!(null));
/// let pending = allocation(json!(null), json!(null));
///
/// assert_eq!(ended.balance().remaining(), 200);
/// assert_eq!(ended.balance().used_share(), Some(0.75));
/// assert_eq!(pending.balance().used_share(), None); // nothing to have a share of
///
/// let together: Balance = [ended, active, pending].iter().map(Balance::from).sum();
/// assert_eq!(together.requested(), 3000);
/// assert_eq!(together.awarded(), 1300);
/// assert_eq!((together.used(), together.remaining()), (Some(600), 700));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Balance {
    requested: u64,
    awarded: u64,
    /// `None` as long as nobody has counted.
    used: Option<u64>,
}

impl Balance {
    /// Of these service units.
    pub const fn new(requested: u64, awarded: Option<u64>, used: Option<u64>) -> Self {
        let awarded = match awarded {
            Some(awarded) => awarded,
            None => 0,
        };
        Self { requested, awarded, used }
    }

    /// The same with another use, as the scheduler of the cluster tells it. The server itself counts
    /// what was used only when an award has ended.
    ///
    /// ```
    /// use keystone_client::awards::Balance;
    ///
    /// let active = Balance::new(1000, Some(800), None);
    /// assert_eq!(active.with_used(200).remaining(), 600);
    /// ```
    #[must_use = "the balance itself does not change"]
    pub const fn with_used(self, used: u64) -> Self {
        Self { used: Some(used), ..self }
    }

    /// What was asked for.
    pub const fn requested(self) -> u64 {
        self.requested
    }

    /// What was granted.
    pub const fn awarded(self) -> u64 {
        self.awarded
    }

    /// What was used, as far as it was counted; `None` where none of it was.
    pub const fn used(self) -> Option<u64> {
        self.used
    }

    /// What is left of what was granted, by what was counted; 0 where more was used.
    pub const fn remaining(self) -> u64 {
        self.awarded.saturating_sub(self.counted())
    }

    /// How much more was used than granted; 0 where something is left.
    pub const fn overdrawn(self) -> u64 {
        self.counted().saturating_sub(self.awarded)
    }

    const fn counted(self) -> u64 {
        match self.used {
            Some(used) => used,
            None => 0,
        }
    }

    /// What was used of what was granted, 1 being all of it. More than 1 where it is overdrawn, and
    /// `None` where nothing was granted, or nothing of it was counted.
    pub fn used_share(self) -> Option<f64> {
        share(self.used?, self.awarded)
    }

    /// What was granted of what was asked for, 1 being all of it. `None` where nothing was asked for.
    pub fn awarded_share(self) -> Option<f64> {
        share(self.awarded, self.requested)
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Add for Balance {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            requested: self.requested.saturating_add(other.requested),
            awarded: self.awarded.saturating_add(other.awarded),
            used: match (self.used, other.used) {
                (Some(this), Some(that)) => Some(this.saturating_add(that)),
                (this, that) => this.or(that),
            },
        }
    }
}

impl AddAssign for Balance {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Balance {
    fn sum<I: Iterator<Item = Self>>(balances: I) -> Self {
        balances.fold(Self::default(), Self::add)
    }
}

/// A way from each record that has service units.
macro_rules! balances {
    ($($record:ty),*) => {$(
        impl $record {
            /// What was asked for, granted and used, in a form that can be added up.
            pub fn balance(&self) -> Balance {
                Balance::new(self.requested, self.awarded, self.r#final)
            }
        }

        impl From<&$record> for Balance {
            fn from(record: &$record) -> Self {
                record.balance()
            }
        }
    )*};
}

balances!(Allocation, AllocationSummary, legacy::Allocation);

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    const DAY: Date = date(2026, 6, 1);

    fn on(active: Option<Date>, expire: Option<Date>) -> Standing {
        Standing::on(DAY, &RequestStatus::Approved, active, expire)
    }

    #[test]
    fn the_first_day_counts_and_that_of_the_end_does_not() {
        let (before, after) = (date(2026, 5, 31), date(2026, 6, 2));
        assert_eq!(on(Some(DAY), Some(after)), Standing::Active);
        assert_eq!(on(Some(after), Some(date(2027, 1, 1))), Standing::Upcoming);
        assert_eq!(on(Some(before), Some(DAY)), Standing::Ended);
        assert_eq!(on(Some(before), Some(after)), Standing::Active);
    }

    #[test]
    fn dates_that_are_missing_or_the_wrong_way_round() {
        assert_eq!(on(Some(DAY), None), Standing::Active);
        assert_eq!(on(Some(date(2026, 6, 2)), None), Standing::Upcoming);
        assert_eq!(on(None, None), Standing::Undated);
        assert_eq!(on(None, Some(date(2026, 6, 2))), Standing::Undated);
        // The server counts the use of whatever has an end in the past.
        assert_eq!(on(None, Some(DAY)), Standing::Ended);
        assert_eq!(on(Some(date(2026, 7, 1)), Some(date(2026, 5, 1))), Standing::Ended);
    }

    #[test]
    fn only_what_is_approved_has_a_standing() {
        let others = ["PD", "DC", "CR", "XX"];
        for code in others.map(|code| serde_json::from_value(code.into()).unwrap()) {
            let standing = Standing::on(DAY, &code, Some(DAY), None);
            assert_eq!(standing, Standing::NotApproved, "{code:?}");
        }
    }

    #[test]
    fn on_old_servers_what_has_no_end_does_not_count() {
        let mut request: legacy::AllocationRequest = serde_json::from_value(serde_json::json!({
            "id": 7, "submitted": "2026-01-01", "title": "Folding", "description": "…", "group": 1,
            "status": "AP", "active": "2026-01-01", "expire": "2026-06-02", "assignees": [],
            "publications": [], "grants": [],
        }))
        .unwrap();
        assert!(request.is_active_on(DAY));
        request.expire = Some(DAY);
        assert_eq!(request.standing_on(DAY), Standing::Ended);
        request.expire = None;
        assert_eq!(request.standing_on(DAY), Standing::Undated);
        request.active = None;
        assert_eq!(request.standing_on(DAY), Standing::Undated);
    }

    proptest! {
        #[test]
        fn a_balance_adds_up(units in prop::collection::vec(
            (any::<u64>(), any::<Option<u64>>(), any::<Option<u64>>()), 0..6,
        )) {
            let total: Balance =
                units.iter().map(|&(asked, awarded, used)| Balance::new(asked, awarded, used)).sum();
            let exact = |units: &mut dyn Iterator<Item = u64>| {
                u64::try_from(units.map(u128::from).sum::<u128>()).unwrap_or(u64::MAX)
            };
            prop_assert_eq!(total.requested(), exact(&mut units.iter().map(|row| row.0)));
            prop_assert_eq!(total.awarded(), exact(&mut units.iter().filter_map(|row| row.1)));
            let counted = units.iter().any(|row| row.2.is_some());
            let used = exact(&mut units.iter().filter_map(|row| row.2));
            prop_assert_eq!(total.used(), counted.then_some(used));
            prop_assert!(total.remaining() == 0 || total.overdrawn() == 0);
            for share in [total.used_share(), total.awarded_share()].into_iter().flatten() {
                prop_assert!(share.is_finite() && share >= 0.0);
            }
        }
    }
}
