//! The logs of the session dialect in one list.

use crate::sandbox::cell::Cell;
use crate::sandbox::schema::{Resource, Table};
use crate::sandbox::server::Server;
use crate::sandbox::store::Row;

/// One of the logs: the mark of its ids and its type, and the columns that the feed shows.
struct Source {
    resource: Resource,
    mark: &'static str,
    record_type: &'static str,
    timestamp: &'static str,
    summary: &'static str,
    user: &'static str,
    cid: &'static str,
    status: &'static str,
}

/// A column of this name does not exist, and stands for null.
const NONE: &str = "";

static SOURCES: &[Source] = &[
    Source {
        resource: Resource::RequestLog,
        mark: "r",
        record_type: "request",
        timestamp: "timestamp",
        summary: "endpoint",
        user: "user",
        cid: "cid",
        status: "response_code",
    },
    Source {
        resource: Resource::TaskLog,
        mark: "t",
        record_type: "task",
        timestamp: "date_created",
        summary: "task_name",
        user: NONE,
        cid: NONE,
        status: "status",
    },
    Source {
        resource: Resource::AuditLog,
        mark: "a",
        record_type: "audit",
        timestamp: "timestamp",
        summary: "object_repr",
        user: "actor",
        cid: "cid",
        status: NONE,
    },
];

/// The columns of the feed, in the order in which [`Source::cells`] gives their values.
const COLUMNS: [&str; 9] =
    ["row", "id", "record_id", "record_type", "timestamp", "summary", "cid", "status", "user"];

impl Source {
    /// Where the values of an entry are in the log.
    fn places(&self, log: &Table) -> [Option<usize>; 5] {
        [self.timestamp, self.summary, self.cid, self.status, self.user]
            .map(|name| log.column_index(name))
    }

    fn cells(&self, places: [Option<usize>; 5], row: &Row, number: i64) -> [Cell; 9] {
        let [timestamp, summary, cid, status, user] =
            places.map(|place| place.map_or(Cell::Null, |index| row.cell(index).clone()));
        let status = match status {
            Cell::Integer(code) => Cell::text(&code.to_string()),
            status => status,
        };
        [
            Cell::Integer(number),
            Cell::text(&format!("{}{}", self.mark, row.id())),
            Cell::Integer(row.id()),
            Cell::text(self.record_type),
            timestamp,
            summary,
            cid,
            status,
            user,
        ]
    }
}

impl Server {
    /// Makes the rows of the feed out of the logs as they are now.
    pub(crate) fn write_feed(&mut self) {
        let Some(feed) = self.schema.table(Resource::Feed) else {
            return;
        };
        let columns = COLUMNS.map(|name| feed.column_index(name));
        let mut entries = Vec::new();
        for source in SOURCES {
            let Some(log) = self.schema.table(source.resource) else {
                continue;
            };
            let places = source.places(log);
            for row in self.store.range(source.resource, i64::MIN..=i64::MAX) {
                let number = i64::try_from(entries.len()).unwrap_or(i64::MAX - 1) + 1;
                let mut cells = vec![Cell::Null; feed.columns.len()];
                for (index, cell) in columns.into_iter().zip(source.cells(places, row, number)) {
                    if let Some(place) = index.and_then(|index| cells.get_mut(index)) {
                        *place = cell;
                    }
                }
                entries.push(Row::new(cells));
            }
        }
        for entry in entries {
            self.store.put(Resource::Feed, entry);
        }
    }

    /// Forgets the rows of the feed.
    pub(crate) fn clear_feed(&mut self) {
        self.store.reset(Resource::Feed);
    }
}
