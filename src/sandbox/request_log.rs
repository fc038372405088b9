//! The log of requests. One of the dialects keeps it with all bodies, the other with what ties an entry
//! to those of the change log.

use http::StatusCode;

use crate::sandbox::Dialect;
use crate::sandbox::cell::Cell;
use crate::sandbox::incoming::Incoming;
use crate::sandbox::json::Json;
use crate::sandbox::reply::{Body, Reply};
use crate::sandbox::schema::Resource;
use crate::sandbox::server::Server;
use crate::sandbox::store::Row;

/// Older entries than so many are forgotten, so that a server that runs for long does not grow for ever. The real
/// one forgets them by their age.
const MAX_ENTRIES: usize = 100_000;

/// More of a body is not kept: each list of the log would else be in the next one.
const MAX_BODY: usize = 1_000_000;

impl Server {
    /// Writes an entry about a request that was answered.
    pub(crate) fn log_request(&mut self, incoming: &Incoming, reply: &Reply, user: Option<i64>) {
        let Some(log) = self.schema.table(Resource::RequestLog) else {
            return;
        };
        let endpoint = match incoming.raw_query.as_str() {
            "" => incoming.path.clone(),
            query => format!("{}?{query}", incoming.path),
        };
        let mut cells = vec![
            ("id", Cell::Integer(self.store.next_id(Resource::RequestLog))),
            ("method", Cell::text(incoming.method.as_str())),
            ("remote_address", Cell::text(&incoming.origin.remote_address)),
        ];
        match self.schema.dialect {
            Dialect::Session => {
                let user = user_after(incoming, reply, user);
                cells.extend([
                    ("endpoint", Cell::text(&format!("{}{endpoint}", incoming.prefix))),
                    ("response_code", Cell::Integer(i64::from(reply.status.as_u16()))),
                    ("timestamp", Cell::Moment(self.clock.microseconds())),
                    // In releases that are not so new.
                    ("time", Cell::Moment(self.clock.microseconds())),
                    ("cid", Cell::text(&incoming.origin.cid)),
                    ("user", user.map_or(Cell::Null, Cell::Integer)),
                ]);
            }
            Dialect::Jwt => {
                // The slash is missed by what comes after the log.
                let moved = reply.status == StatusCode::MOVED_PERMANENTLY;
                let not_found = moved.then(Reply::unknown_route);
                let reply = not_found.as_ref().unwrap_or(reply);
                // Once the server has parsed a body, it cannot read it for the log.
                let sent = if incoming.is_parsed() { String::new() } else { text(&incoming.body) };
                cells.extend([
                    ("endpoint", Cell::text(&endpoint)),
                    ("response_code", Cell::Integer(i64::from(reply.status.as_u16()))),
                    ("body_request", Cell::text(&sent)),
                    ("body_response", Cell::text(&text(&reply.bytes()))),
                    ("time", Cell::Moment(self.clock.microseconds())),
                    ("user", user.map_or(Cell::Null, Cell::Integer)),
                ]);
            }
        }
        let mut row = Row::new(vec![Cell::Null; log.columns.len()]);
        for (name, cell) in cells {
            if let Some(index) = log.column_index(name) {
                row.set(index, cell);
            }
        }
        self.store.put(Resource::RequestLog, row);
        if self.store.count(Resource::RequestLog) > MAX_ENTRIES {
            let first = self.store.range(Resource::RequestLog, i64::MIN..=i64::MAX).next();
            if let Some(id) = first.map(Row::id) {
                self.store.remove(Resource::RequestLog, id);
            }
        }
    }
}

/// The user once a request is answered: a login that succeeds makes one, a logout takes him away.
fn user_after(incoming: &Incoming, reply: &Reply, user: Option<i64>) -> Option<i64> {
    let succeeded = reply.status == StatusCode::OK;
    match (incoming.path.as_str(), &reply.body) {
        ("/authentication/login/", Body::Json(json)) if succeeded => match json.get("id") {
            Some(Json::Integer(id)) => i64::try_from(*id).ok(),
            _ => user,
        },
        ("/authentication/logout/", _) if succeeded => None,
        _ => user,
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..MAX_BODY).unwrap_or(body)).into_owned()
}
