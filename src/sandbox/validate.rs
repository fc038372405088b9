//! Checks a body against the columns of a table.

use std::borrow::Cow;

use crate::sandbox::access::Caller;
use crate::sandbox::cell::Cell;
use crate::sandbox::incoming::Input;
use crate::sandbox::json::{Json, Name};
use crate::sandbox::json_parser;
use crate::sandbox::reply::{Failure, FieldErrors};
use crate::sandbox::schema::{Column, Default, Kind, Own, Resource, Writable};
use crate::sandbox::store::Store;
use crate::sandbox::values;

/// The kind of write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// POST.
    Create,
    /// PUT.
    Replace,
    /// PATCH.
    Modify,
    /// From the side of the test: read-only columns may be given, too.
    Seed,
}

/// Values by the position of their column.
pub(crate) type Given = Vec<(usize, Cell)>;

/// Where the values are to be stored.
pub(crate) struct Target<'a> {
    pub(crate) store: &'a Store,
    pub(crate) columns: &'static [Column],
    /// The table and its label in messages, for columns that have to be unique.
    pub(crate) table: Option<(Resource, &'static str)>,
    /// The row that is changed.
    pub(crate) row: Option<i64>,
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) mode: Mode,
}

impl Target<'_> {
    /// The values that were given, or all that is wrong with them.
    pub(crate) fn validate(&self, input: &Input) -> Result<Given, Failure> {
        if let Input::Json(json) = input {
            match json {
                Json::Object(_) => {}
                Json::Null => return Err(Failure::non_field("No data provided")),
                other => {
                    let found = other.type_name();
                    let text = format!("Invalid data. Expected a dictionary, but got {found}.");
                    return Err(Failure::non_field(text));
                }
            }
        }
        let mut given = Given::new();
        let mut errors = FieldErrors::new();
        for (index, column) in self.columns.iter().enumerate() {
            if !self.may_write(column) {
                continue;
            }
            let value = match input {
                Input::Json(json) => json.get(column.name).map(Cow::Borrowed),
                Input::Form(form) => form.value(column, self.mode == Mode::Modify).map(Cow::Owned),
            };
            let checked = match column.kind {
                Kind::Json if is_broken(input, column) => Err(one("Value must be valid JSON.")),
                Kind::File => self.check_file(column, input, value.as_deref()),
                _ => self.check(index, column, value.as_deref()),
            };
            match checked {
                Ok(Some(cell)) => given.push((index, cell)),
                Ok(None) => {}
                Err(messages) => errors.push((Name::Borrowed(column.name), messages)),
            }
        }
        if errors.is_empty() { Ok(given) } else { Err(Failure::Fields(errors)) }
    }

    fn may_write(&self, column: &Column) -> bool {
        match column.writable {
            _ if self.mode == Mode::Seed => true,
            Writable::ByAll => true,
            Writable::ByStaff => self.caller.is_none_or(|caller| caller.staff),
            Writable::OnCreate => self.mode == Mode::Create,
            Writable::Never => false,
        }
    }

    fn check(
        &self,
        index: usize,
        column: &Column,
        value: Option<&Json>,
    ) -> Result<Option<Cell>, Vec<String>> {
        let Some(value) = value else {
            let demanded = match self.mode {
                Mode::Create | Mode::Replace => column.required,
                Mode::Modify => false,
                Mode::Seed => column.required && !matches!(column.kind, Kind::Password { .. }),
            };
            if demanded {
                return Err(one("This field is required."));
            }
            return self.check_defaulted(index, column).map(|()| None);
        };
        let value = match (value, column.kind) {
            // A blank reference counts as none.
            (Json::Text(text), Kind::Reference { .. }) if text.is_empty() => &Json::Null,
            (value, _) => value,
        };
        if *value == Json::Null {
            if let (true, Own::Only(message)) = (column.null, column.own) {
                if self.mode != Mode::Seed {
                    return Err(one(message));
                }
            }
            return if column.null {
                Ok(Some(Cell::Null))
            } else {
                Err(one("This field may not be null."))
            };
        }
        let cell = values::read(self.store, column, value)?;
        self.check_unique(index, column, &cell)?;
        self.check_own(column, &cell)?;
        Ok(Some(cell))
    }

    /// A file is given by the name under which it was sent; a test gives the path of a stored one.
    fn check_file(
        &self,
        column: &Column,
        input: &Input,
        value: Option<&Json>,
    ) -> Result<Option<Cell>, Vec<String>> {
        let uploaded = match input {
            Input::Form(form) => form.file(column.name),
            Input::Json(_) => None,
        };
        if let Some(file) = uploaded {
            return file.check().map(|()| Some(Cell::text(&file.name))).map_err(|text| vec![text]);
        }
        match value {
            None if self.mode == Mode::Modify => Ok(None),
            None => Err(one("No file was submitted.")),
            Some(Json::Text(path)) if self.mode == Mode::Seed => Ok(Some(Cell::text(path))),
            Some(Json::Null) => Err(one("This field may not be null.")),
            Some(_) => Err(one(values::NO_FILE)),
        }
    }

    /// A reference that becomes the caller has to be unique, too.
    fn check_defaulted(&self, index: usize, column: &Column) -> Result<(), Vec<String>> {
        match (column.default, self.caller) {
            (Default::Caller, Some(caller)) if self.mode == Mode::Create => {
                self.check_unique(index, column, &Cell::Integer(caller.user))
            }
            _ => Ok(()),
        }
    }

    fn check_unique(&self, index: usize, column: &Column, cell: &Cell) -> Result<(), Vec<String>> {
        if !column.unique || !self.is_taken(index, cell) {
            return Ok(());
        }
        let label = self.table.map_or("", |(_, label)| label);
        Err(vec![format!("{label} with this {} already exists.", column.name)])
    }

    fn check_own(&self, column: &Column, cell: &Cell) -> Result<(), Vec<String>> {
        let Some(caller) = self.caller else {
            return Ok(());
        };
        let message = match column.own {
            Own::Only(message) => message,
            Own::OnlyUnlessStaff(message) if !caller.staff => message,
            _ => return Ok(()),
        };
        if *cell == Cell::Integer(caller.user) { Ok(()) } else { Err(one(message)) }
    }

    fn is_taken(&self, index: usize, cell: &Cell) -> bool {
        let Some((resource, _)) = self.table else {
            return false;
        };
        match cell {
            // A blank passes here, and the database refuses the second one.
            Cell::Text(text) if text.is_empty() => false,
            Cell::Text(text) => {
                self.store.find(resource, index, text).is_some_and(|found| Some(found) != self.row)
            }
            Cell::Integer(id) => {
                self.store.referrers(resource, index, *id).any(|found| Some(found) != self.row)
            }
            _ => false,
        }
    }
}

/// Whether a form has a text in a column of JSON that is none.
fn is_broken(input: &Input, column: &Column) -> bool {
    let Input::Form(form) = input else {
        return false;
    };
    form.last(column.name).is_some_and(|text| !text.is_empty() && json_parser::parse(text).is_err())
}

pub(crate) fn one(message: &str) -> Vec<String> {
    vec![message.to_owned()]
}
