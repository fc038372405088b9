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

impl Source {
    fn entry(&self, log: &Table, feed: &Table, row: &Row, number: i64) -> Row {
        let status = match row.named(log, self.status) {
            Cell::Integer(code) => Cell::text(&code.to_string()),
            status => status.clone(),
        };
        let cells = [
            ("row", Cell::Integer(number)),
            ("id", Cell::text(&format!("{}{}", self.mark, row.id()))),
            ("record_id", Cell::Integer(row.id())),
            ("record_type", Cell::text(self.record_type)),
            ("timestamp", row.named(log, self.timestamp).clone()),
            ("summary", row.named(log, self.summary).clone()),
            ("cid", row.named(log, self.cid).clone()),
            ("status", status),
            ("user", row.named(log, self.user).clone()),
        ];
        let mut entry = Row::new(vec![Cell::Null; feed.columns.len()]);
        for (name, cell) in cells {
            if let Some(index) = feed.column_index(name) {
                entry.set(index, cell);
            }
        }
        entry
    }
}

impl Server {
    /// Makes the rows of the feed out of the logs as they are now.
    pub(crate) fn write_feed(&mut self) {
        let Some(feed) = self.schema.table(Resource::Feed) else {
            return;
        };
        let mut entries = Vec::new();
        for source in SOURCES {
            let Some(log) = self.schema.table(source.resource) else {
                continue;
            };
            for row in self.store.range(source.resource, i64::MIN..=i64::MAX) {
                let number = i64::try_from(entries.len()).unwrap_or(i64::MAX - 1) + 1;
                entries.push(source.entry(log, feed, row, number));
            }
        }
        for entry in entries {
            self.store.put(Resource::Feed, entry);
        }
    }

    /// Forgets the rows of the feed.
    pub(crate) fn clear_feed(&mut self) {
        let rows = self.store.range(Resource::Feed, i64::MIN..=i64::MAX);
        let ids: Vec<i64> = rows.map(Row::id).collect();
        for id in ids {
            self.store.remove(Resource::Feed, id);
        }
    }
}
