//! Records that a test puts into the tables.

use serde_json::{Value, json};

use crate::resources::MembershipRole;
use crate::sandbox::incoming::Input;
use crate::sandbox::json::Json;
use crate::sandbox::reply::Failure;
use crate::sandbox::schema::{Resource, Table};
use crate::sandbox::server::Server;
use crate::sandbox::validate::Mode;
use crate::sandbox::{InsertError, Sandbox};

/// The table of a path such as `users/teams`.
pub(crate) fn table(server: &Server, resource: &str) -> Result<&'static Table, InsertError> {
    let path = resource.trim_matches('/').split_once('/');
    let mut tables = server.schema.tables.iter().copied();
    let found = tables.find(|table| path.is_some_and(|it| it == (table.group, table.name)));
    let found = found.filter(|table| table.resource != Resource::Feed);
    found.ok_or_else(|| InsertError::unknown_resource(resource))
}

/// Stores a record and returns its id.
pub(crate) fn create(
    server: &mut Server,
    table: &'static Table,
    record: &Value,
) -> Result<u64, Failure> {
    let input = Input::Json(Json::from(record));
    let mut pen = server.pen(None, None);
    let id = match table.resource {
        Resource::AuditLog => pen.create_audit_entry(&input),
        _ => pen.create(table, &input, Mode::Seed),
    };
    // Ids count up from 1.
    id.map(i64::unsigned_abs)
}

impl Sandbox {
    /// Stores several records of one resource, all or none, and returns their ids.
    ///
    /// # Errors
    ///
    /// As for [`insert`](Self::insert), of the first record that is refused.
    ///
    /// ```
    /// # use keystone_client::sandbox::Sandbox;
    /// use serde_json::json;
    ///
    /// let sandbox = Sandbox::new();
    /// let names = ["gpu", "smp", "mpi"];
    /// let clusters = names.map(|name| json!({"name": name}));
    /// assert_eq!(sandbox.insert_all("allocations/clusters", clusters)?, [1, 2, 3]);
    /// # Ok::<(), keystone_client::sandbox::InsertError>(())
    /// ```
    pub fn insert_all(
        &self,
        resource: &str,
        records: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<u64>, InsertError> {
        let records: Vec<Value> = records.into_iter().collect();
        let mut server = self.server();
        let table = table(&server, resource)?;
        let create_all = |server: &mut Server| {
            records.iter().map(|record| create(server, table, record)).collect()
        };
        server.transaction(create_all).map_err(InsertError::refused)
    }

    /// Stores a team with members, who are named by their usernames, and returns its id. In the JWT
    /// dialect it is a research group, whose principal investigator is the owner.
    ///
    /// # Errors
    ///
    /// The name is taken, a user does not exist or is named twice, or a research group has not just
    /// one owner. Nothing is stored then.
    ///
    /// ```
    /// use keystone_client::Id;
    /// use keystone_client::resources::MembershipRole::{Member, Owner};
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let sandbox =
    ///     Sandbox::builder().user("ada", "a-password").user("grace", "a-password").build();
    /// let team = sandbox.insert_team("Folding", &[("ada", Owner), ("grace", Member)])?;
    ///
    /// let client = sandbox.blocking_client()?;
    /// client.login("grace", "a-password")?;
    /// assert_eq!(client.retrieve_team(Id::new(team)).send()?.users.len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn insert_team(
        &self,
        name: &str,
        members: &[(&str, MembershipRole)],
    ) -> Result<u64, InsertError> {
        let mut server = self.server();
        let mut users = Vec::with_capacity(members.len());
        for (username, role) in members {
            let user = server.user_named(username);
            let user = user.ok_or_else(|| InsertError::unknown_user(username))?;
            if users.iter().any(|(other, _)| *other == user) {
                return Err(InsertError::named_twice(username));
            }
            users.push((user, role));
        }
        let with = |role: &MembershipRole| -> Vec<i64> {
            users.iter().filter(|(_, it)| *it == role).map(|(user, _)| *user).collect()
        };
        if let Ok(groups) = table(&server, "users/researchgroups") {
            let owners = with(&MembershipRole::Owner);
            let [owner] = owners.as_slice() else {
                return Err(InsertError::without_owner(name));
            };
            let group = json!({
                "name": name,
                "pi": owner,
                "admins": with(&MembershipRole::Admin),
                "members": with(&MembershipRole::Member),
            });
            let create_group = |server: &mut Server| create(server, groups, &group);
            return server.transaction(create_group).map_err(InsertError::refused);
        }
        let teams = table(&server, "users/teams")?;
        let memberships = table(&server, "users/memberships")?;
        let create_team = |server: &mut Server| {
            let team = create(server, teams, &json!({ "name": name }))?;
            for (user, role) in &users {
                let membership = json!({ "user": user, "team": team, "role": role.code() });
                create(server, memberships, &membership)?;
            }
            Ok(team)
        };
        server.transaction(create_team).map_err(InsertError::refused)
    }
}
