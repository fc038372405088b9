//! `/users/`: users, teams and memberships.
//!
//! A [`User`] belongs to a [`Team`] by a [`Membership`], which says what the user may do in it. Requests,
//! grants and publications belong to teams. Programs that keep all three as a list elsewhere has them
//! are the matter of [`Crud::ensure`](crate::Crud::ensure) and of the chapter
//! [Changing records](crate::guide::changing).

use jiff::Timestamp;

use super::codes::codes;
use super::{History, TeamRole, TeamSummary, UserRole, UserSummary};
use crate::filter::{Filter, trimmed_input};
use crate::id::Id;
use crate::resource::{NaturalKey, Resource};

codes! {
    /// What a member may do in a team.
    pub enum MembershipRole {
        /// Owns the team.
        Owner = "OW" "Owner",
        /// Manages the team for its owner.
        Admin = "AD" "Admin",
        /// Takes part.
        Member = "MB" "Member",
    }
}

crate::resource! {
    /// A user account.
    ///
    /// `GET POST /users/users/`, `GET PUT PATCH DELETE /users/users/{id}/`. Any user may read,
    /// staff and oneself may update, staff create and delete.
    ///
    /// There is no replace: the server would demand the password again, and servers from 0.6.0 to
    /// 0.8.7 would end all memberships of the user.
    ///
    /// ```
    /// use keystone_client::resources::NewUser;
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let new = NewUser::new("ada", "a long password").first_name("Ada").last_name("Lovelace");
    /// assert!(!format!("{new:?}").contains("a long password")); // passwords are never shown
    /// let user = client.create_user(new).send()?;
    /// assert_eq!(user.display_name, "Ada Lovelace");
    ///
    /// // Who leaves cannot log in any more; what belongs to the account stays.
    /// client.update_user(user.id, |u| u.is_active.set(false)).send()?;
    /// let active = client.users().filter(|u| u.is_active.eq(true)).all()?;
    /// assert!(active.iter().all(|other| other.id != user.id));
    /// # Ok(()) }
    /// ```
    pub struct User("user", "users/users");
    fields UserFields;
    new NewUser;
    verbs [Retrieve, Update, Delete, Search];

    read_only {
        /// Primary key.
        id: Id<User>,
        /// When the account was made.
        date_joined: Timestamp [with = "crate::wire::timestamp"],
        /// When the user last logged in; `None` for never.
        last_login: Option<Timestamp> [default, with = "crate::wire::timestamp::optional"],
    }
    required {
        /// Login name, unique, case-sensitive, at most 150 letters, digits and `@ . + - _`.
        username: String,
    }
    optional {
        /// First name, at most 150 characters.
        first_name: Option<String>,
        /// Last name, at most 150 characters.
        last_name: Option<String>,
        /// E-mail address, at most 254 characters.
        email: Option<String>,
        /// Department, at most 1,000 characters.
        department: Option<String>,
        /// What the person does, in words, at most 1,000 characters.
        role: Option<String>,
        /// Whether the user may log in. Only staff may set it; from others it is ignored.
        is_active: bool,
        /// Whether the user is staff. Only staff may set it; from others it is ignored.
        is_staff: bool,
        /// Whether LDAP keeps the account. Only staff may set it; from others it is ignored.
        is_ldap_user: bool,
        /// Whether the user is a superuser of the web site; means nothing to the API.
        is_superuser: bool,
        /// Permission groups of the web site. The server cannot filter by it.
        groups: Vec<u64> [default],
        /// Permissions on the web site. The server cannot filter by it.
        user_permissions: Vec<u64> [default],
    }
    write_only {
        /// At least 8 characters, not common, not all digits, no blanks at either end.
        password: String,
    }
    computed {
        /// First and last name if both are set, else the first name, else the user name. Empty on
        /// servers before 0.8.7. The server cannot filter by it.
        display_name: String [default],
        /// Initials. Empty on servers before 0.8.7. The server cannot filter by it.
        abbreviation: String [default],
        /// The teams that the user belongs to.
        memberships = "_membership": Vec<TeamRole> [default, alias = "membership"],
        /// Changes, newest first.
        history = "_history": History [default],
    }
}

crate::resource! {
    /// A team of users, in whose name time is requested. Servers since 0.5.0; before that see
    /// [`ResearchGroup`](super::legacy::ResearchGroup).
    ///
    /// `GET POST /users/teams/`, `GET PUT PATCH DELETE /users/teams/{id}/`. Any user may create a
    /// team but does not become a member by it. Staff, owners and admins may update and delete.
    /// Deleting a team deletes its requests, grants, publications and memberships.
    ///
    /// There is no replace: the server would demand the name, ignore it, and set `is_active`.
    ///
    /// ```
    /// use keystone_client::resources::{MembershipRole, NewMembership, NewTeam};
    /// # use keystone_client::sandbox::Sandbox;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let me = client.whoami()?.expect("logged in");
    /// let team = client.create_team(NewTeam::new("Protein Folding")).send()?;
    /// assert_eq!(team.slug, "protein-folding");
    /// assert!(team.users.is_empty());
    ///
    /// client.create_membership(NewMembership::new(me.id, team.id, MembershipRole::Owner)).send()?;
    /// let team = client.retrieve_team(team.id).send()?;
    /// assert_eq!(team.users, [me.id]);
    /// # Ok(()) }
    /// ```
    pub struct Team("team", "users/teams");
    fields TeamFields;
    new NewTeam;
    needs Teams;
    verbs [Retrieve, Update, Delete, Search];

    read_only {
        /// Primary key.
        id: Id<Team>,
        /// The name in a form fit for URLs; may be empty. Servers since 0.8.0.
        #[since = "0.8.0"]
        slug: String [default],
        /// The members. Change it through memberships; the server cannot filter by it.
        users: Vec<Id<super::User>> [default],
    }
    create_only {
        /// Unique name, at most 255 characters. It cannot be changed later.
        name: String,
    }
    optional {
        /// Whether the team is in use.
        is_active: bool,
    }
    computed {
        /// The members with their roles.
        memberships = "_membership": Vec<UserRole> [default, alias = "membership"],
        /// Changes, newest first.
        history = "_history": History [default],
    }
}

crate::resource! {
    /// The membership of a user in a team.
    ///
    /// `GET POST /users/memberships/`, `GET PUT PATCH DELETE /users/memberships/{id}/`. A user has
    /// one membership in a team at most. Staff, owners and admins of the team may write, and
    /// anybody may delete their own.
    ///
    /// ```
    /// use keystone_client::resources::{MembershipRole, NewMembership};
    /// # use keystone_client::{resources::{NewTeam, NewUser}, sandbox::Sandbox};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// # let ada = client.create_user(NewUser::new("ada", "a long password")).send()?;
    /// # let team = client.create_team(NewTeam::new("Folding")).send()?;
    /// let new = NewMembership::new(ada.id, team.id, MembershipRole::Member);
    /// let membership = client.create_membership(new).send()?;
    /// client.update_membership(membership.id, |m| m.role.set(MembershipRole::Admin)).send()?;
    ///
    /// // Who may ask for time in the name of the team.
    /// let heads = client
    ///     .memberships()
    ///     .filter(|m| m.team.eq(team.id))
    ///     .filter(|m| m.role.is_in([MembershipRole::Owner, MembershipRole::Admin]))
    ///     .all()?;
    /// assert_eq!(heads[0].user_summary.as_ref().unwrap().username, "ada");
    /// # Ok(()) }
    /// ```
    pub struct Membership("membership", "users/memberships");
    fields MembershipFields;
    new NewMembership;
    needs Teams;
    verbs [Retrieve, Update, Replace, Delete, Search];

    read_only {
        /// Primary key.
        id: Id<Membership>,
    }
    required {
        /// The member.
        user: Id<super::User>,
        /// The team.
        team: Id<super::Team>,
        /// What the member may do.
        role: MembershipRole,
    }
    computed {
        /// The member in full.
        user_summary = "_user": Option<UserSummary>,
        /// The team in full.
        team_summary = "_team": Option<TeamSummary>,
        /// Changes, newest first.
        history = "_history": History [default],
    }
}

/// By user name, which is case-sensitive.
impl NaturalKey for User {
    fn key(new: &NewUser) -> Filter<Self> {
        Self::FIELDS.username.eq(trimmed_input(&new.username))
    }
}

/// By name, which is case-sensitive. A team whose name differs but makes the same slug, as `Team 1` and
/// `team-1` do, is another one; the server refuses to have both.
///
/// Users who are not staff see their own teams only, and are no members of a team for having created it.
/// What one of them has ensured is not found by the same user again before there is a membership.
impl NaturalKey for Team {
    fn key(new: &NewTeam) -> Filter<Self> {
        Self::FIELDS.name.eq(trimmed_input(&new.name))
    }

    fn rivals(new: &NewTeam) -> Option<Filter<Self>> {
        new.name.value().and_then(|name| slug(name)).map(|slug| Self::FIELDS.slug.eq(slug))
    }
}

/// By user and team, both of which have to exist.
impl NaturalKey for Membership {
    fn key(new: &NewMembership) -> Filter<Self> {
        Self::FIELDS.user.eq(new.user.clone()).and(Self::FIELDS.team.eq(new.team.clone()))
    }
}

/// The slug that the server makes of a name. It takes other letters than those of ASCII apart first, so
/// of names with such letters it is not known here.
fn slug(name: &str) -> Option<String> {
    if !name.is_ascii() {
        return None;
    }
    let mut slug = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '-' | '\t'..='\r' | '\x1c'..=' ' if !slug.ends_with('-') => slug.push('-'),
            '_' => slug.push('_'),
            _ if letter.is_ascii_alphanumeric() => slug.push(letter.to_ascii_lowercase()),
            _ => {}
        }
    }
    Some(slug.trim_matches(['-', '_']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn slugs_are_those_of_the_server() {
        for (name, expected) in [
            ("Team 1", "team-1"),
            ("team  1!", "team-1"),
            ("team -\t- 1", "team-1"),
            ("__Team_A__", "team_a"),
            ("a !b", "a-b"),
            ("a - ! - b", "a-b"),
            ("!?", ""),
            ("\x1fa\x0bb", "a-b"),
        ] {
            assert_eq!(slug(name).as_deref(), Some(expected), "{name}");
        }
        assert_eq!(slug("Équipe"), None);
    }
}
