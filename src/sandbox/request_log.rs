//! The log of requests, which one of the dialects keeps with all bodies.

use http::StatusCode;

use crate::sandbox::cell::Cell;
use crate::sandbox::incoming::Incoming;
use crate::sandbox::reply::Reply;
use crate::sandbox::schema::Resource;
use crate::sandbox::server::Server;
use crate::sandbox::store::Row;

/// More of a body is not kept: each list of the log would else be in the next one.
const MAX_BODY: usize = 1_000_000;

impl Server {
    /// Writes an entry about a request that was answered.
    pub(crate) fn log_request(&mut self, incoming: &Incoming, reply: &Reply, user: Option<i64>) {
        let Some(log) = self.schema.table(Resource::RequestLog) else {
            return;
        };
        // The slash is missed by what comes after the log.
        let moved = reply.status == StatusCode::MOVED_PERMANENTLY;
        let not_found = moved.then(Reply::unknown_route);
        let reply = not_found.as_ref().unwrap_or(reply);
        let endpoint = match incoming.raw_query.as_str() {
            "" => incoming.path.clone(),
            query => format!("{}?{query}", incoming.path),
        };
        // Once the server has parsed a body, it cannot read it for the log.
        let sent = if incoming.is_parsed() { String::new() } else { text(&incoming.body) };
        let mut row = Row::new(vec![Cell::Null; log.columns.len()]);
        let cells = [
            ("id", Cell::Integer(self.store.next_id(Resource::RequestLog))),
            ("method", Cell::text(incoming.method.as_str())),
            ("endpoint", Cell::text(&endpoint)),
            ("response_code", Cell::Integer(i64::from(reply.status.as_u16()))),
            ("body_request", Cell::text(&sent)),
            ("body_response", Cell::text(&text(&reply.bytes()))),
            ("remote_address", Cell::text(&incoming.origin.remote_address)),
            ("time", Cell::Moment(self.clock.microseconds())),
            ("timestamp", Cell::Moment(self.clock.microseconds())),
            ("user", user.map_or(Cell::Null, Cell::Integer)),
        ];
        for (name, cell) in cells {
            if let Some(index) = log.column_index(name) {
                row.set(index, cell);
            }
        }
        self.store.put(Resource::RequestLog, row);
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..MAX_BODY).unwrap_or(body)).into_owned()
}
