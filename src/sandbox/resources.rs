//! Lists and records: one implementation for every table.

use http::{Method, StatusCode};

use crate::sandbox::access::Caller;
use crate::sandbox::incoming::{Incoming, Input};
use crate::sandbox::json::Json;
use crate::sandbox::lists::{self, Query};
use crate::sandbox::records::Writer;
use crate::sandbox::reply::{Body, Failure, Reply};
use crate::sandbox::schema::{BodyRule, Condition, Methods, Resource, Table};
use crate::sandbox::server::Server;
use crate::sandbox::store::Row;
use crate::sandbox::validate::Mode;
use crate::sandbox::{ordering, routes, values};

impl Server {
    /// Whether a caller may use a method at all, before any record is looked up.
    pub(crate) fn permit(
        &self,
        table: &'static Table,
        caller: &Caller,
        incoming: &Incoming,
        at_list: bool,
    ) -> Result<(), Failure> {
        if caller.staff {
            return Ok(());
        }
        let (permitted, body) = self.asks_of(table, incoming, at_list);
        if !permitted {
            // A resource nobody can write to refuses the method, not the user.
            return if is_written_by_none(table, &incoming.method) {
                Ok(())
            } else {
                Err(Failure::forbidden())
            };
        }
        let refuses = match body {
            BodyRule::None => return Ok(()),
            // Whatever keeps the server from finding the team is a reason to refuse.
            BodyRule::Team { lenient, fragile, .. } => !lenient && !fragile,
            BodyRule::TeamAndCluster { .. } => true,
        };
        let input = match incoming.input() {
            Err(_) if refuses => return Err(Failure::forbidden()),
            input => input?,
        };
        caller.check_body(&self.store, table, body, &input)
    }

    /// Whether users who are not staff may use a method at all, and what its body has to name.
    fn asks_of(
        &self,
        table: &'static Table,
        incoming: &Incoming,
        at_list: bool,
    ) -> (bool, BodyRule) {
        let access = &table.access;
        let for_staff = |conditions: &[Condition]| matches!(conditions, [Condition::Staff]);
        match (&incoming.method, self.schema.era.looks_up_first) {
            (&Method::GET | &Method::HEAD | &Method::OPTIONS, _) => {
                (!for_staff(access.list), BodyRule::None)
            }
            (&Method::POST, true) if at_list && table.methods == Methods::All => {
                (access.create, access.create_body)
            }
            // The rest is settled once it is clear whether there is such a record and method.
            (_, true) => (true, access.update_body),
            (&Method::POST, false) => (access.create, access.create_body),
            // The same permission stands before creating and changing.
            (_, false) if access.create && for_staff(access.update) => (true, access.create_body),
            (&Method::DELETE, false) => (!for_staff(access.delete), BodyRule::None),
            (_, false) => (!for_staff(access.update), access.update_body),
        }
    }

    pub(crate) fn at_list(
        &mut self,
        table: &'static Table,
        caller: &Caller,
        incoming: &Incoming,
    ) -> Result<Reply, Failure> {
        if incoming.method == Method::POST {
            let input = incoming.input()?;
            let object = matches!(input, Input::Form(_) | Input::Json(Json::Object(_)));
            if table.fragile_create && !object {
                return Err(Failure::ServerError);
            }
            let create = |server: &mut Self| {
                server.pen(Some(caller), Some(&incoming.origin)).create(table, &input, Mode::Create)
            };
            let id = self.transaction(create)?;
            return Ok(Reply::json(StatusCode::CREATED, self.record(table, id, caller, false)?));
        }
        if table.resource == Resource::Feed {
            self.write_feed();
            let list = self.list(table, caller, incoming);
            self.clear_feed();
            return list;
        }
        self.list(table, caller, incoming)
    }

    fn list(
        &self,
        table: &'static Table,
        caller: &Caller,
        incoming: &Incoming,
    ) -> Result<Reply, Failure> {
        let page = lists::list(&self.store, table, caller, incoming)?;
        let writer = self.writer(caller, true);
        let records = page.rows.iter().map(|row| writer.record(table, row)).collect();
        Ok(page.frame.reply(records))
    }

    pub(crate) fn at_detail(
        &mut self,
        table: &'static Table,
        id: &str,
        caller: &Caller,
        incoming: &Incoming,
    ) -> Result<Reply, Failure> {
        let id = self.look_up(table, id, caller, incoming)?;
        match incoming.method {
            Method::PUT | Method::PATCH => {
                let input = incoming.input()?;
                let whole = incoming.method == Method::PUT;
                let mode = if whole { Mode::Replace } else { Mode::Modify };
                self.transaction(|server| {
                    server.pen(Some(caller), Some(&incoming.origin)).update(table, id, &input, mode)
                })?;
                Ok(Reply::ok(self.record(table, id, caller, false)?))
            }
            Method::DELETE => {
                let own = table.resource == Resource::Users && id == caller.user;
                // A job fails for it at its end.
                if own && table.self_delete_fails && incoming.depth == 0 {
                    return Err(Failure::ServerError);
                }
                self.transaction(|server| {
                    server.pen(Some(caller), Some(&incoming.origin)).delete(table, id)
                })?;
                Ok(Reply::new(StatusCode::NO_CONTENT, Body::Empty))
            }
            _ => Ok(Reply::ok(self.record(table, id, caller, true)?)),
        }
    }

    /// The id of a record that exists for a caller and that the caller may treat so.
    pub(crate) fn look_up(
        &self,
        table: &'static Table,
        text: &str,
        caller: &Caller,
        incoming: &Incoming,
    ) -> Result<i64, Failure> {
        let access = &table.access;
        // The filters of a list hold for single records, too, and its order is read.
        let query = Query::new(&self.store, table, incoming)?;
        let order = self.schema.era.order.and_then(|name| incoming.parameter(name));
        ordering::parse(table, order.unwrap_or_default())?;
        // Steps of a batch name their paths as they are.
        let text = if incoming.depth == 0 { routes::decoded(text) } else { text.to_owned() };
        let number = values::python_integer(&text).ok_or_else(Failure::not_found)?;
        let row = number.parse().ok().and_then(|id| self.store.get(table.resource, id));
        let row = row.filter(|row| {
            query.admits(row) && caller.satisfies(&self.store, table, row, access.visible)
        });
        let Some(row) = row else {
            let text = format!("No {} matches the given query.", table.model);
            return Err(Failure::detail(StatusCode::NOT_FOUND, text));
        };
        let conditions = match incoming.method {
            Method::PUT | Method::PATCH => access.update,
            Method::DELETE => access.delete,
            _ => access.read,
        };
        if self.allows(table, caller, row, conditions) {
            Ok(row.id())
        } else {
            Err(Failure::forbidden())
        }
    }

    fn allows(&self, table: &Table, caller: &Caller, row: &Row, conditions: &[Condition]) -> bool {
        if table.access.binds_staff {
            caller.satisfies_as_user(&self.store, table, row, conditions)
        } else {
            caller.satisfies(&self.store, table, row, conditions)
        }
    }

    fn writer(&self, caller: &Caller, sorted: bool) -> Writer<'_> {
        Writer { store: &self.store, history: &self.history, staff: caller.staff, sorted }
    }

    /// A record as a caller sees it, with its nested records in order or by id.
    pub(crate) fn record(
        &self,
        table: &'static Table,
        id: i64,
        caller: &Caller,
        sorted: bool,
    ) -> Result<Json, Failure> {
        let row = self.store.get(table.resource, id).ok_or_else(Failure::not_found)?;
        Ok(self.writer(caller, sorted).record(table, row))
    }
}

/// Whether no user, staff or not, can use a method on a table.
fn is_written_by_none(table: &Table, method: &Method) -> bool {
    match table.methods {
        Methods::All | Methods::ReadOnly | Methods::ListOnly => false,
        Methods::ReadAndPatch => method != Method::PATCH,
    }
}
