//! The change log. Its rows are in the table of the audit log; what changed is kept here.

use std::collections::HashMap;
use std::sync::Arc;

use fastrand::Rng;
use http::{HeaderMap, HeaderValue};

use crate::sandbox::access;
use crate::sandbox::cell::Cell;
use crate::sandbox::id_map::IdMap;
use crate::sandbox::json::{Json, Name};
use crate::sandbox::random;
use crate::sandbox::reply::Failure;
use crate::sandbox::restored::Restored;
use crate::sandbox::schema::{Column, Default, Kind, Resource, Table};
use crate::sandbox::store::{Row, Store};

/// A field, its old text and its new text.
type Change = (&'static str, Box<str>, Box<str>);

/// Where a write comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// What ties together the entries of one request.
    pub(crate) cid: String,
    pub(crate) remote_address: String,
}

impl Origin {
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        let text = |name| {
            headers.get(name).map(|value| String::from_utf8_lossy(HeaderValue::as_bytes(value)))
        };
        let given = text("x-keystone-cid").filter(|cid| is_uuid(cid));
        let forwarded = text("x-forwarded-for");
        let address = forwarded.as_deref().and_then(|it| it.split(',').next()).map(str::trim);
        Self {
            cid: given.map(|cid| cid.into_owned()).unwrap_or_default(),
            remote_address: address.unwrap_or("127.0.0.1").to_owned(),
        }
    }

    /// Gives a request that names no id one of its own.
    pub(crate) fn identify(&mut self, random: &mut Rng) {
        if self.cid.is_empty() {
            self.cid = random::uuid(random);
        }
    }
}

/// Whether a text is a UUID in one of the forms a lenient reader takes.
fn is_uuid(text: &str) -> bool {
    let text = text.trim_start_matches("urn:").trim_start_matches("uuid:");
    let digits: String = text.trim_matches(['{', '}']).replace('-', "");
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What one entry is about.
#[derive(Clone, Debug)]
struct Entry {
    resource: Resource,
    record: i64,
    changes: Changes,
}

/// What an entry says has changed.
#[derive(Clone, Debug)]
enum Changes {
    Noted(Arc<[Change]>),
    /// As a test gave it.
    Given(Arc<Json>),
}

/// The changes of every entry by its id.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    entries: IdMap<Entry>,
    /// The ids of entries by what they are about.
    of_record: HashMap<Resource, IdMap<Vec<i64>>>,
    /// The entries since the outermost transaction began.
    journal: Vec<i64>,
}

impl History {
    /// Writes an entry if anything that is logged changed.
    pub(crate) fn note(
        &mut self,
        store: &mut Store,
        table: &Table,
        stamp: Stamp<'_>,
        before: Option<&Row>,
        after: Option<&Row>,
    ) {
        let Some(history) = table.history else { return };
        let (action, record) = match (before, after) {
            (None, Some(row)) => ("0", row.id()),
            (Some(row), Some(_)) => ("1", row.id()),
            (Some(row), None) => ("2", row.id()),
            (None, None) => return,
        };
        let mut changes = Vec::new();
        for (index, column) in table.columns.iter().enumerate().filter(|(_, it)| it.logged) {
            let old = before.map_or(&Cell::Null, |row| row.cell(index));
            let new = after.map_or(&Cell::Null, |row| row.cell(index));
            // The log compares rows before the time of the change is set.
            let automatic = action == "1" && matches!(column.default, Default::NowOnSave);
            // Nor does it see a change between texts that read the same, such as null and "None".
            let same = old == new || old.history_text() == new.history_text();
            if !same && !automatic {
                changes.push((column.name, shown(column, old), shown(column, new)));
            }
        }
        for &(field, text) in history.relations {
            match action {
                "0" => changes.push((field, "None".into(), text.into())),
                "2" => changes.push((field, text.into(), "None".into())),
                _ => {}
            }
        }
        if changes.is_empty() {
            return;
        }
        let Some(log) = store.schema.table(Resource::AuditLog) else {
            return;
        };
        let id = store.next_id(Resource::AuditLog);
        let text = |text: &str| Cell::text(text);
        let words = before.or(after).map(|row| in_words(store, table, row));
        let cells = [
            ("id", Cell::Integer(id)),
            ("record_name", text(history.name)),
            ("object_pk", text(&record.to_string())),
            ("object_id", Cell::Integer(record)),
            ("object_repr", words.map_or(Cell::Null, |words| text(&words))),
            ("content_type", Cell::Integer(history.content_type)),
            ("changes_text", text("")),
            ("action", text(action)),
            ("cid", stamp.origin.map_or(Cell::Null, |origin| text(&origin.cid))),
            ("remote_addr", stamp.origin.map_or(Cell::Null, |it| text(&it.remote_address))),
            ("timestamp", Cell::Moment(stamp.moment)),
            ("actor", stamp.actor.map_or(Cell::Null, Cell::Integer)),
            ("actor_email", stamp.actor.map_or(Cell::Null, |actor| email_of(store, actor))),
        ];
        store.put(Resource::AuditLog, row_of(log, cells));
        let resource = table.resource;
        let changes = Changes::Noted(changes.into());
        self.keep(store, id, Entry { resource, record, changes });
    }

    fn keep(&mut self, store: &Store, id: i64, entry: Entry) {
        if store.is_in_transaction() {
            self.journal.push(id);
        }
        let of_table = self.of_record.entry(entry.resource).or_default();
        if let Some(ids) = of_table.entry(entry.record, Vec::new) {
            let place = ids.partition_point(|&earlier| earlier < id);
            ids.insert(place, id);
        }
        self.entries.insert(id, entry);
    }

    /// Writes an entry as the API shows it: one of a record, or one of the log itself.
    pub(crate) fn restore(&mut self, store: &mut Store, entry: Restored) -> Result<i64, Failure> {
        let Restored { id, table, record, words, mut cells, changes } = entry;
        let Some((log, history)) = store.schema.table(Resource::AuditLog).zip(table.history) else {
            return Ok(0);
        };
        let id = match id {
            Some(id) if store.get(Resource::AuditLog, id).is_some() => {
                let text = format!("{} with this id already exists.", log.label);
                return Err(Failure::field("id", text));
            }
            Some(id) => id,
            None if store.has_room(Resource::AuditLog) => store.next_id(Resource::AuditLog),
            None => return Err(Failure::ServerError),
        };
        let shown = store.get(table.resource, record).map(|row| in_words(store, table, row));
        let words = words.or(shown).unwrap_or_default();
        let actor = cells.iter().find(|(name, _)| *name == "actor");
        let actor = actor.and_then(|(_, cell)| cell.as_integer());
        cells.extend([
            ("actor_email", actor.map_or(Cell::Null, |actor| email_of(store, actor))),
            ("id", Cell::Integer(id)),
            ("record_name", Cell::text(history.name)),
            ("object_pk", Cell::text(&record.to_string())),
            ("object_id", Cell::Integer(record)),
            ("object_repr", Cell::text(&words)),
            ("content_type", Cell::Integer(history.content_type)),
            ("changes_text", Cell::text("")),
        ]);
        store.put(Resource::AuditLog, row_of(log, cells));
        let changes = Changes::Given(Arc::new(changes));
        self.keep(store, id, Entry { resource: table.resource, record, changes });
        Ok(id)
    }

    /// The ids of the entries about a record, newest first.
    pub(crate) fn of(&self, resource: Resource, record: i64) -> impl Iterator<Item = i64> {
        let ids = self.of_record.get(&resource).and_then(|ids| ids.get(record));
        let ids = ids.map_or(&[][..], Vec::as_slice);
        ids.iter().rev().copied()
    }

    /// What an entry says has changed.
    pub(crate) fn changes(&self, id: i64) -> Json {
        let pair = |old: &str, new: &str| Json::List(vec![Json::text(old), Json::text(new)]);
        match self.entries.get(id).map(|entry| &entry.changes) {
            None => Json::Null,
            Some(Changes::Given(changes)) => (**changes).clone(),
            Some(Changes::Noted(changes)) => {
                let changes = changes.iter();
                let changes =
                    changes.map(|(field, old, new)| (Name::Borrowed(*field), pair(old, new)));
                Json::Object(changes.collect())
            }
        }
    }

    /// How many entries the transactions that run have written.
    pub(crate) fn mark(&self) -> usize {
        self.journal.len()
    }

    /// Takes back the entries since a mark. Their rows go with the transaction.
    pub(crate) fn roll_back(&mut self, mark: usize) {
        for id in self.journal.split_off(mark.min(self.journal.len())) {
            let Some(Entry { resource, record, .. }) = self.entries.remove(id) else { continue };
            let of_table = self.of_record.get_mut(&resource);
            if let Some(ids) = of_table.and_then(|ids| ids.get_mut(record)) {
                ids.retain(|&other| other != id);
            }
        }
    }

    /// Keeps what the outermost transaction has written.
    pub(crate) fn settle(&mut self) {
        self.journal.clear();
    }
}

/// The address that a user has now.
fn email_of(store: &Store, user: i64) -> Cell {
    let users = store.schema.table(Resource::Users);
    let found = users.zip(store.get(Resource::Users, user));
    found.map_or(Cell::Null, |(users, row)| row.named(users, "email").clone())
}

fn row_of(table: &Table, cells: impl IntoIterator<Item = (&'static str, Cell)>) -> Row {
    let mut row = Row::new(vec![Cell::Null; table.columns.len()]);
    for (name, cell) in cells {
        if let Some(index) = table.column_index(name) {
            row.set(index, cell);
        }
    }
    row
}

/// A record in words, as its table says it. Values may have a greatest length, as in `{title|100}`.
fn in_words(store: &Store, table: &Table, row: &Row) -> String {
    let mut rest = table.history.map_or("", |history| history.text);
    let mut words = String::new();
    while let Some((before, (path, after))) =
        rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        words.push_str(before);
        let (path, length) = path.split_once('|').unwrap_or((path, ""));
        let value = value_in_words(store, table, row, path);
        words.push_str(&truncated(value, length.parse().unwrap_or(usize::MAX)));
        rest = after;
    }
    words.push_str(rest);
    words
}

/// A text of at most so many characters, the last of which stands for what is left out.
fn truncated(text: String, length: usize) -> String {
    if text.chars().nth(length).is_none() {
        return text;
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}

/// The value that a path of columns leads to; a record where it ends at one.
fn value_in_words(store: &Store, table: &Table, row: &Row, path: &str) -> String {
    let (column, rest) = path.split_once('.').unwrap_or((path, ""));
    match access::related(store, table, row, column) {
        Some((table, row)) if rest.is_empty() => in_words(store, table, row),
        Some((table, row)) => value_in_words(store, table, row, rest),
        None => row.named(table, column).history_text(),
    }
}

/// Who writes, when and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp<'a> {
    pub(crate) moment: i64,
    pub(crate) actor: Option<i64>,
    pub(crate) origin: Option<&'a Origin>,
}

/// The text of a value; the first half of a password is masked.
fn shown(column: &Column, cell: &Cell) -> Box<str> {
    let text = cell.history_text();
    if !matches!(column.kind, Kind::Password { .. }) {
        return text.into();
    }
    let masked = text.chars().count() / 2;
    let stars = "*".repeat(masked);
    stars.chars().chain(text.chars().skip(masked)).collect::<String>().into()
}
