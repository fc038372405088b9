//! Entries of the change log that a test gives, in the form in which the API shows them.

use crate::sandbox::cell::Cell;
use crate::sandbox::json::Json;
use crate::sandbox::reply::Failure;
use crate::sandbox::schema::{Schema, Table};
use crate::sandbox::store::LAST_ID;
use crate::sandbox::tables::ACTION;
use crate::sandbox::values;

/// An entry that has been read.
pub(crate) struct Restored {
    pub(crate) id: Option<i64>,
    pub(crate) table: &'static Table,
    pub(crate) record: i64,
    /// The record in words; those of now if not said.
    pub(crate) words: Option<String>,
    /// The columns that the API shows as they are.
    pub(crate) cells: Vec<(&'static str, Cell)>,
    pub(crate) changes: Json,
}

/// The history that a record is given with; none if it is given without.
pub(crate) fn entries(
    table: &'static Table,
    record: i64,
    json: &Json,
) -> Result<Option<Vec<Restored>>, Failure> {
    match json.get("_history").filter(|_| table.history.is_some()) {
        None => Ok(None),
        Some(Json::List(entries)) => {
            let entries = entries.iter().map(|entry| Restored::read(table, record, entry));
            entries.collect::<Result<_, _>>().map(Some)
        }
        Some(_) => Err(Failure::field("_history", "A list of entries is required.")),
    }
}

impl Restored {
    /// Reads an entry of the log, which names its record.
    pub(crate) fn of_log(schema: &'static Schema, json: &Json) -> Result<Self, Failure> {
        let name = text(json, "record_name").unwrap_or_default();
        let logged = |table: &&Table| table.history.is_some_and(|history| history.name == name);
        let table = schema.tables.iter().copied().find(logged).ok_or_else(|| {
            Failure::field("record_name", format!("\"{name}\" is not a valid choice."))
        })?;
        let record = integer(json, "record_id")
            .ok_or_else(|| Failure::field("record_id", "A valid integer is required."))?;
        Self::read(table, record, json)
    }

    fn read(table: &'static Table, record: i64, json: &Json) -> Result<Self, Failure> {
        let action = text(json, "action").unwrap_or_default();
        let code = ACTION.iter().find(|(_, label)| *label == action);
        let (code, _) = code.ok_or_else(|| {
            Failure::field("action", format!("\"{action}\" is not a valid choice."))
        })?;
        let moment = json.get("timestamp").unwrap_or(&Json::Null);
        let moment = values::moment(moment)
            .map_err(|messages| Failure::Fields(vec![("timestamp".into(), messages)]))?;
        let whole = |name| integer(json, name).map_or(Cell::Null, Cell::Integer);
        let words = |name| text(json, name).map_or(Cell::Null, Cell::text);
        let id = integer(json, "id");
        if id.is_some_and(|id| !(1..=LAST_ID).contains(&id)) {
            return Err(Failure::field("id", "A valid integer is required."));
        }
        Ok(Self {
            id,
            table,
            record,
            words: text(json, "object_repr").map(str::to_owned),
            cells: vec![
                ("action", Cell::text(code)),
                ("timestamp", Cell::Moment(moment)),
                ("cid", words("cid")),
                ("remote_addr", words("remote_addr")),
                ("remote_port", whole("remote_port")),
                ("actor", whole("actor")),
            ],
            changes: json.get("changes").cloned().unwrap_or(Json::Null),
        })
    }
}

fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    match json.get(name) {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }
}

fn integer(json: &Json, name: &str) -> Option<i64> {
    match json.get(name) {
        Some(Json::Integer(value)) => i64::try_from(*value).ok(),
        _ => None,
    }
}
