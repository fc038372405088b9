//! `/research/`: grants and publications.
//!
//! A [`Grant`] and a [`Publication`] belong to a team, and may be named by its
//! [`AllocationRequest`](super::AllocationRequest)s. Figures over them are [`GrantStats`](super::GrantStats)
//! and [`PublicationStats`](super::PublicationStats).

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::{History, Team, TeamSummary};
use crate::id::Id;

crate::resource! {
    /// A grant that a team holds. Servers since 0.5.0; those before 0.7.2 want a fiscal year in new
    /// ones, which this type has not.
    ///
    /// `GET POST /research/grants/`, `GET PUT PATCH DELETE /research/grants/{id}/`. Staff and all
    /// members of the team may do everything.
    ///
    /// ```
    /// use keystone_client::jiff::civil::date;
    /// use keystone_client::resources::NewGrant;
    /// use keystone_client::rust_decimal::Decimal;
    /// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// let start = date(2026, 1, 1);
    /// let amount = Decimal::new(125_000_50, 2); // 125,000.50
    /// client.create_grant(NewGrant::new("Proteins", "NSF", amount, start, team.id)).send()?;
    /// // A whole amount may be an integer.
    /// client.create_grant(NewGrant::new("Knots", "DFG", 80_000, start, team.id)).send()?;
    ///
    /// let large = client.grants().filter(|g| g.amount.gte(50_000)).all()?;
    /// let total: Decimal = large.iter().map(|grant| grant.amount).sum();
    /// assert_eq!(total.to_string(), "205000.50");
    /// # Ok(()) }
    /// ```
    pub struct Grant("grant", "research/grants");
    fields GrantFields;
    new NewGrant;
    needs TeamRecords;
    verbs [Retrieve, Update, Replace, Delete, Search];

    read_only {
        /// Primary key.
        id: Id<Grant>,
    }
    required {
        /// Title, at most 250 characters.
        title: String,
        /// Funding agency, at most 100 characters.
        agency: String,
        /// Amount in the centre's currency: two decimal places, 14 digits in all. May be negative.
        amount: Decimal,
        /// First day.
        start_date: Date,
        /// The team that holds the grant.
        team: Id<Team>,
    }
    optional {
        /// Principal investigator, at most 100 characters. Servers since 0.10.6.
        #[since = "0.10.6"]
        pi: Option<String>,
        /// The agency's number, at most 250 characters.
        grant_number: Option<String>,
        /// Last day. The server does not check that it comes after the first.
        end_date: Option<Date>,
        /// Description. Servers since 0.8.2.
        #[since = "0.8.2"]
        description: Option<String>,
    }
    computed {
        /// The team in full.
        team_summary = "_team": Option<TeamSummary>,
        /// Changes, newest first.
        history = "_history": History [default],
    }
}

crate::resource! {
    /// A publication of a team. Servers since 0.5.0; those before 0.5.15 want other fields in new
    /// ones.
    ///
    /// `GET POST /research/publications/`, `GET PUT PATCH DELETE /research/publications/{id}/`.
    /// Staff and all members of the team may do everything.
    ///
    /// ```
    /// use keystone_client::jiff::civil::date;
    /// use keystone_client::resources::NewPublication;
    /// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// let new = NewPublication::new("How Proteins Fold", team.id)
    ///     .journal("Journal of Folds")
    ///     .doi("10.1000/182")
    ///     .published(date(2026, 3, 1));
    /// let publication = client.create_publication(new).send()?;
    ///
    /// let of_year = client.publications().filter(|p| p.published.year(2026)).all()?;
    /// assert_eq!(of_year, [publication]);
    /// let drafts = client.publications().filter(|p| p.published.is_null(true));
    /// assert_eq!(drafts.count().send()?, 0);
    /// # Ok(()) }
    /// ```
    pub struct Publication("publication", "research/publications");
    fields PublicationFields;
    new NewPublication;
    needs TeamRecords;
    verbs [Retrieve, Update, Replace, Delete, Search];

    read_only {
        /// Primary key.
        id: Id<Publication>,
    }
    required {
        /// Title, at most 250 characters.
        title: String,
        /// The team that published.
        team: Id<Team>,
    }
    optional {
        /// Abstract.
        r#abstract: Option<String>,
        /// Day of submission.
        #[since = "0.5.15"]
        submitted: Option<Date>,
        /// Day of publication.
        #[since = "0.5.15"]
        published: Option<Date>,
        /// Journal, at most 100 characters.
        journal: Option<String>,
        /// Digital object identifier, at most 50 characters, unique. Leave an unknown one null:
        /// empty text counts as a value.
        doi: Option<String>,
        /// Volume, at most 20 characters.
        #[since = "0.5.15"]
        volume: Option<String>,
        /// Issue, at most 20 characters.
        #[since = "0.5.15"]
        issue: Option<String>,
    }
    computed {
        /// The team in full.
        team_summary = "_team": Option<TeamSummary>,
        /// Changes, newest first.
        history = "_history": History [default],
    }
}
