//! The log of requests. Some releases keep it with all bodies, later ones with what ties an entry to
//! those of the change log.

use http::StatusCode;

use crate::sandbox::cell::Cell;
use crate::sandbox::incoming::Incoming;
use crate::sandbox::reply::Reply;
use crate::sandbox::schema::Resource;
use crate::sandbox::server::Server;
use crate::sandbox::store::Row;

/// Older entries than so many are forgotten, so that a server that runs for long does not grow for
/// ever. The real one forgets them by their age.
const MAX_ENTRIES: usize = 100_000;

/// The bytes of all entries together.
const MAX_BYTES: usize = 64_000_000;

/// More of a body is not kept: each list of the log would else be in the next one.
const MAX_BODY: usize = 1_000_000;

impl Server {
    /// Writes an entry about a request that was answered.
    pub(crate) fn log_request(&mut self, incoming: &Incoming, reply: &Reply, user: Option<i64>) {
        let Some(log) = self.schema.table(Resource::RequestLog) else {
            return;
        };
        if !self.store.has_room(Resource::RequestLog) {
            return;
        }
        let endpoint = match incoming.raw_query.as_str() {
            "" => incoming.path.clone(),
            query => format!("{}?{query}", incoming.path),
        };
        let keeps_bodies = log.column_index("body_response").is_some();
        // Where bodies are kept, the slash is missed by what comes after the log.
        let moved = keeps_bodies && reply.status == StatusCode::MOVED_PERMANENTLY;
        let not_found = moved.then(Reply::unknown_route);
        let reply = not_found.as_ref().unwrap_or(reply);
        let mut cells = vec![
            ("id", Cell::Integer(self.store.next_id(Resource::RequestLog))),
            ("method", Cell::text(incoming.method.as_str())),
            ("endpoint", Cell::text(&format!("{}{endpoint}", incoming.prefix))),
            ("response_code", Cell::Integer(i64::from(reply.status.as_u16()))),
            ("remote_address", Cell::text(&incoming.origin.remote_address)),
            // The name it had, and the one it has.
            ("time", Cell::Moment(self.clock.microseconds())),
            ("timestamp", Cell::Moment(self.clock.microseconds())),
            ("cid", Cell::text(&incoming.origin.cid)),
            ("user", user.map_or(Cell::Null, Cell::Integer)),
        ];
        if keeps_bodies {
            // Once the server has parsed a body, it cannot read it for the log.
            let sent = if incoming.is_parsed() { String::new() } else { text(&incoming.body) };
            cells.extend([
                ("body_request", Cell::text(&sent)),
                ("body_response", Cell::text(&text(&reply.bytes()))),
            ]);
        }
        let mut row = Row::new(vec![Cell::Null; log.columns.len()]);
        for (name, cell) in cells {
            if let Some(index) = log.column_index(name) {
                row.set(index, cell);
            }
        }
        self.logged_bytes = self.logged_bytes.saturating_add(size(&row));
        self.store.put(Resource::RequestLog, row);
        while self.logged_bytes > MAX_BYTES || self.store.count(Resource::RequestLog) > MAX_ENTRIES
        {
            let first = self.store.range(Resource::RequestLog, i64::MIN..=i64::MAX).next();
            let Some((id, bytes)) = first.map(|row| (row.id(), size(row))) else { break };
            self.logged_bytes = self.logged_bytes.saturating_sub(bytes);
            self.store.remove(Resource::RequestLog, id);
        }
    }
}

/// The bytes of the texts of an entry.
fn size(row: &Row) -> usize {
    row.cells().iter().filter_map(Cell::as_text).map(str::len).sum()
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..MAX_BODY).unwrap_or(body)).into_owned()
}
