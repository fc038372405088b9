//! Who is calling, and what the tables permit them.

use std::collections::HashSet;

use crate::sandbox::cell::Cell;
use crate::sandbox::incoming::Input;
use crate::sandbox::json::Json;
use crate::sandbox::reply::Failure;
use crate::sandbox::schema::{Belonging, BodyRule, Condition, Kind, Resource, Standing, Table};
use crate::sandbox::store::{Row, Store};
use crate::sandbox::values;

/// The user behind a request.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) user: i64,
    pub(crate) staff: bool,
    /// The user as the change log names them: tokens leave no name there.
    pub(crate) actor: Option<i64>,
    member: HashSet<i64>,
    privileged: HashSet<i64>,
}

impl Caller {
    /// None if the user does not exist.
    pub(crate) fn new(store: &Store, user: i64, named: bool) -> Option<Self> {
        let table = store.schema.table(Resource::Users)?;
        let staff = store.get(Resource::Users, user)?.named(table, "is_staff").is_true();
        let mut caller = Self {
            user,
            staff,
            actor: named.then_some(user),
            member: HashSet::new(),
            privileged: HashSet::new(),
        };
        if !staff {
            caller.find_teams(store);
        }
        Some(caller)
    }

    /// The same user, for whom the change log names another one or nobody.
    pub(crate) fn named(self, actor: Option<i64>) -> Self {
        Self { actor, ..self }
    }

    /// The same user with the memberships of now. What else is known of him is what was known when the
    /// request came.
    pub(crate) fn anew(&self, store: &Store) -> Self {
        let (member, privileged) = (HashSet::new(), HashSet::new());
        let mut caller =
            Self { user: self.user, staff: self.staff, actor: self.actor, member, privileged };
        if !caller.staff {
            caller.find_teams(store);
        }
        caller
    }

    fn find_teams(&mut self, store: &Store) {
        match store.schema.belonging {
            Belonging::Rows(resource) => {
                let Some(table) = store.schema.table(resource) else {
                    return;
                };
                let Some(column) = table.column_index("user") else {
                    return;
                };
                for id in store.referrers(resource, column, self.user) {
                    let Some(row) = store.get(resource, id) else {
                        continue;
                    };
                    let Some(team) = row.named(table, "team").as_integer() else {
                        continue;
                    };
                    self.member.insert(team);
                    if matches!(row.named(table, "role").as_text(), Some("OW" | "AD")) {
                        self.privileged.insert(team);
                    }
                }
            }
            Belonging::Columns { resource, privileged, members } => {
                let Some(table) = store.schema.table(resource) else {
                    return;
                };
                let standings = [(privileged, true), (members, false)];
                for (columns, is_privileged) in standings {
                    for column in columns.iter().filter_map(|name| table.column_index(name)) {
                        for team in store.referrers(resource, column, self.user) {
                            self.member.insert(team);
                            if is_privileged {
                                self.privileged.insert(team);
                            }
                        }
                    }
                }
            }
        }
    }

    fn stands(&self, team: i64, standing: Standing) -> bool {
        match standing {
            Standing::Member => self.member.contains(&team),
            Standing::Privileged => self.privileged.contains(&team),
        }
    }

    /// Whether all conditions hold for a row; for staff they always do.
    pub(crate) fn satisfies(
        &self,
        store: &Store,
        table: &Table,
        row: &Row,
        conditions: &[Condition],
    ) -> bool {
        self.staff || self.satisfies_as_user(store, table, row, conditions)
    }

    /// Whether all conditions hold for a row, without privilege for staff.
    pub(crate) fn satisfies_as_user(
        &self,
        store: &Store,
        table: &Table,
        row: &Row,
        conditions: &[Condition],
    ) -> bool {
        conditions.iter().all(|condition| self.holds(store, table, row, condition))
    }

    fn holds(&self, store: &Store, table: &Table, row: &Row, condition: &Condition) -> bool {
        match *condition {
            Condition::True(column) => row.named(table, column).is_true(),
            Condition::False(column) => !row.named(table, column).is_true(),
            Condition::RelatedTrue(column, flag) => related(store, table, row, column)
                .is_some_and(|(table, row)| row.named(table, flag).is_true()),
            Condition::Caller(column) => row.named(table, column).as_integer() == Some(self.user),
            Condition::Member => self.stands_for(store, table, row, Standing::Member),
            Condition::Privileged => self.stands_for(store, table, row, Standing::Privileged),
            Condition::ClusterAccess => admits(table, row, |team| self.member.contains(&team)),
            Condition::Any(conditions) => {
                conditions.iter().any(|condition| self.holds(store, table, row, condition))
            }
            Condition::Staff => false,
        }
    }

    fn stands_for(&self, store: &Store, table: &Table, row: &Row, standing: Standing) -> bool {
        team_of(store, table, row).is_some_and(|team| self.stands(team, standing))
    }

    /// Checks what the body of a write names.
    pub(crate) fn check_body(
        &self,
        store: &Store,
        table: &Table,
        rule: BodyRule,
        input: &Input,
    ) -> Result<(), Failure> {
        if self.staff {
            return Ok(());
        }
        match rule {
            BodyRule::None => Ok(()),
            BodyRule::Team { column, standing, lenient, fragile } => {
                let named = named_record(store, table, column, input, lenient, fragile)?;
                let Some((target, row)) = named else {
                    return Ok(());
                };
                let stands = self.stands_for(store, target, row, standing);
                if stands { Ok(()) } else { Err(Failure::forbidden()) }
            }
            BodyRule::TeamAndCluster { column, standing, cluster } => {
                let of_team = named_record(store, table, column, input, false, false)?;
                let of_cluster = named_record(store, table, cluster, input, false, false)?;
                let team = of_team.and_then(|(table, row)| team_of(store, table, row));
                let admitted = match (team, of_cluster) {
                    (Some(team), Some((table, row))) => {
                        self.stands(team, standing) && admits(table, row, |it| it == team)
                    }
                    _ => false,
                };
                if admitted { Ok(()) } else { Err(Failure::forbidden()) }
            }
        }
    }
}

/// Whether a cluster's access mode lets one of some teams in.
fn admits(table: &Table, cluster: &Row, is_mine: impl Fn(i64) -> bool) -> bool {
    let listed = cluster.named(table, "access_teams").as_ids().iter().any(|&team| is_mine(team));
    match cluster.named(table, "access_mode").as_text() {
        Some("WL") => listed,
        Some("BL") => !listed,
        _ => true,
    }
}

/// The team a row belongs to.
pub(crate) fn team_of(store: &Store, table: &Table, row: &Row) -> Option<i64> {
    let (last, path) = table.team.split_last()?;
    let (mut table, mut row) = (store.schema.table(table.resource)?, row);
    for column in path {
        (table, row) = related(store, table, row, column)?;
    }
    row.named(table, last).as_integer()
}

/// The record a column of a row refers to.
pub(crate) fn related<'a>(
    store: &'a Store,
    table: &Table,
    row: &Row,
    column: &str,
) -> Option<(&'static Table, &'a Row)> {
    let index = table.column_index(column)?;
    let Kind::Reference { to, .. } = table.columns.get(index)?.kind else {
        return None;
    };
    let id = row.cell(index).as_integer()?;
    Some((store.schema.table(to)?, store.get(to, id)?))
}

/// The record that a column of a body refers to, read before any validation.
fn named_record<'a>(
    store: &'a Store,
    table: &Table,
    column: &str,
    input: &Input,
    lenient: bool,
    fragile: bool,
) -> Result<Option<(&'static Table, &'a Row)>, Failure> {
    let refused = || {
        if lenient { Ok(None) } else { Err(Failure::forbidden()) }
    };
    let value = match input {
        Input::Json(json @ Json::Object(_)) => json.get(column).cloned(),
        Input::Json(_) if fragile => return Err(Failure::ServerError),
        Input::Json(_) => return Err(Failure::forbidden()),
        Input::Form(form) => form.last(column).map(Json::text),
    };
    let id = match value {
        None | Some(Json::Null) => return refused(),
        // An id that fits no column is that of no record.
        Some(Json::Integer(id)) => Some(i64::try_from(id).unwrap_or_default()),
        Some(Json::Text(text)) => {
            values::python_integer(&text).map(|digits| digits.parse().unwrap_or_default())
        }
        Some(Json::Boolean(flag)) => Some(i64::from(flag)),
        #[allow(clippy::cast_possible_truncation, reason = "the fraction is cut off on purpose")]
        Some(Json::Float(number)) => Some(number as i64),
        Some(_) => None,
    };
    let Some(id) = id else {
        return Err(if fragile { Failure::ServerError } else { Failure::forbidden() });
    };
    let kind = table.column_index(column).and_then(|index| table.columns.get(index));
    let Some(Kind::Reference { to, .. }) = kind.map(|column| column.kind) else {
        return refused();
    };
    match (store.schema.table(to), store.get(to, id)) {
        (Some(table), Some(row)) => Ok(Some((table, row))),
        _ => refused(),
    }
}

/// Whether a user exists and may log in.
pub(crate) fn is_active(store: &Store, user: i64) -> Option<bool> {
    let table = store.schema.table(Resource::Users)?;
    let row = store.get(Resource::Users, user)?;
    Some(*row.named(table, "is_active") == Cell::Boolean(true))
}
