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

impl Server {
    /// Whether a caller may use a method at all, before any record is looked up.
    pub(crate) fn permit(
        &self,
        table: &'static Table,
        caller: &Caller,
        incoming: &Incoming,
    ) -> Result<(), Failure> {
        if caller.staff {
            return Ok(());
        }
        let access = &table.access;
        let for_staff = |conditions: &[Condition]| matches!(conditions, [Condition::Staff]);
        let (permitted, body) = match incoming.method {
            Method::GET | Method::HEAD | Method::OPTIONS => {
                (!for_staff(access.list), BodyRule::None)
            }
            Method::POST => (access.create, access.create_body),
            Method::DELETE => (!for_staff(access.delete), BodyRule::None),
            _ => (!for_staff(access.update), access.update_body),
        };
        if !permitted {
            // A resource nobody can write to refuses the method, not the user.
            return if is_written_by_none(table, &incoming.method) {
                Ok(())
            } else {
                Err(Failure::forbidden())
            };
        }
        if matches!(body, BodyRule::None) {
            return Ok(());
        }
        caller.check_body(&self.store, table, body, &incoming.input()?)
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
    fn look_up(
        &self,
        table: &'static Table,
        text: &str,
        caller: &Caller,
        incoming: &Incoming,
    ) -> Result<i64, Failure> {
        let access = &table.access;
        // The filters of a list hold for single records, too.
        let query = Query::new(&self.store, table, incoming)?;
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Failure::not_found());
        }
        let row = text.parse().ok().and_then(|id| self.store.get(table.resource, id));
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
        Methods::All | Methods::ReadOnly => false,
        Methods::ReadAndPatch => method != Method::PATCH,
    }
}
