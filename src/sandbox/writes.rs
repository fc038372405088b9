//! Creating, changing and deleting rows.

use std::hash::{DefaultHasher, Hash, Hasher};

use fastrand::Rng;

use crate::sandbox::access::Caller;
use crate::sandbox::cell::{self, Cell};
use crate::sandbox::files::{self, Files};
use crate::sandbox::history::{History, Origin, Stamp};
use crate::sandbox::incoming::Input;
use crate::sandbox::json::{Json, Name};
use crate::sandbox::json_parser;
use crate::sandbox::random;
use crate::sandbox::reply::{Failure, FieldErrors};
use crate::sandbox::restored::{self, Restored};
use crate::sandbox::rules;
use crate::sandbox::schema::{Column, Default, Kind, OnDelete, Resource, Table};
use crate::sandbox::store::{Row, Store};
use crate::sandbox::validate::{Given, Mode, Target};

/// What a write needs.
pub(crate) struct Pen<'a> {
    pub(crate) store: &'a mut Store,
    pub(crate) history: &'a mut History,
    pub(crate) secrets: &'a Secrets,
    pub(crate) random: &'a mut Rng,
    pub(crate) files: &'a mut Files,
    /// Microseconds since the epoch.
    pub(crate) now: i64,
    /// None for writes from the side of the test.
    pub(crate) caller: Option<&'a Caller>,
    pub(crate) origin: Option<&'a Origin>,
}

impl Pen<'_> {
    /// Writes an entry of the change log.
    fn note(
        &mut self,
        table: &Table,
        before: Option<&Row>,
        after: Option<&Row>,
    ) -> Result<(), Failure> {
        if table.history.is_some() && !self.store.has_room(Resource::AuditLog) {
            return Err(Failure::ServerError);
        }
        let actor = self.caller.and_then(|caller| caller.actor);
        let stamp = Stamp { moment: self.now, actor, origin: self.origin };
        self.history.note(self.store, table, stamp, before, after);
        Ok(())
    }

    fn target(&self, table: &'static Table, row: Option<i64>, mode: Mode) -> Target<'_> {
        Target {
            store: self.store,
            columns: table.columns,
            table: Some((table.resource, table.label)),
            row,
            caller: self.caller,
            mode,
        }
    }

    /// Creates a row and returns its id.
    pub(crate) fn create(
        &mut self,
        table: &'static Table,
        input: &Input,
        mode: Mode,
    ) -> Result<i64, Failure> {
        let given = self.target(table, None, mode).validate(input)?;
        let mut row = self.blank(table);
        self.fill(table, &mut row, given, mode);
        let mut errors = FieldErrors::new();
        for column in table.columns.iter().filter(|column| !column.null) {
            let is_reference = matches!(column.kind, Kind::Reference { .. });
            if is_reference && *row.named(table, column.name) == Cell::Null {
                let message = "This field is required.".to_owned();
                errors.push((Name::Borrowed(column.name), vec![message]));
            }
        }
        if !errors.is_empty() {
            return Err(Failure::Fields(errors));
        }
        rules::check(self.store, table, None, &row, self.caller)?;
        self.seal(table, &mut row);
        self.shelve(table, None, &mut row, mode);
        if row.id() == 0 {
            if !self.store.has_room(table.resource) {
                return Err(Failure::ServerError);
            }
            let id = self.store.next_id(table.resource);
            row.set(0, Cell::Integer(id));
        } else if self.store.get(table.resource, row.id()).is_some() {
            let text = format!("{} with this id already exists.", table.label);
            return Err(Failure::field("id", text));
        }
        let id = row.id();
        let entries = match input {
            Input::Json(json) if mode == Mode::Seed => restored::entries(table, id, json)?,
            _ => None,
        };
        if entries.is_none() {
            self.note(table, None, Some(&row))?;
        }
        self.store.put(table.resource, row);
        for entry in entries.into_iter().flatten() {
            self.history.restore(self.store, entry)?;
        }
        Ok(id)
    }

    /// Writes an entry of the change log as the API shows it, and returns its id.
    pub(crate) fn create_audit_entry(&mut self, input: &Input) -> Result<i64, Failure> {
        let Input::Json(json) = input else {
            return Err(Failure::non_field("No data provided"));
        };
        let entry = Restored::of_log(self.store.schema, json)?;
        self.history.restore(self.store, entry)
    }

    /// Changes a row.
    pub(crate) fn update(
        &mut self,
        table: &'static Table,
        id: i64,
        input: &Input,
        mode: Mode,
    ) -> Result<(), Failure> {
        let given = self.target(table, Some(id), mode).validate(input)?;
        let before = self.store.get(table.resource, id).cloned().ok_or_else(Failure::not_found)?;
        let mut row = before.clone();
        if mode == Mode::Replace {
            for (index, column) in table.columns.iter().enumerate() {
                if column.default_on_put {
                    row.set(index, self.default(column));
                }
            }
        }
        self.fill(table, &mut row, given, mode);
        rules::check(self.store, table, Some(&before), &row, self.caller)?;
        self.seal_changed(table, &before, &mut row);
        self.note(table, Some(&before), Some(&row))?;
        // The log names a new file as it was sent, not as it is stored.
        self.shelve(table, Some(&before), &mut row, mode);
        self.store.put(table.resource, row);
        Ok(())
    }

    /// Deletes a row with all that hangs on it. The caller of this function rolls back on failure.
    pub(crate) fn delete(&mut self, table: &'static Table, id: i64) -> Result<(), Failure> {
        let schema = self.store.schema;
        let Some(row) = self.store.get(table.resource, id).cloned() else {
            return Ok(());
        };
        for referring in schema.tables {
            for (index, column) in referring.columns.iter().enumerate() {
                match column.kind {
                    Kind::Reference { to, on_delete } if to == table.resource => {
                        self.let_go(referring, index, id, on_delete)?;
                    }
                    Kind::References { to } if to == table.resource => {
                        self.strike(referring, index, id);
                    }
                    _ => {}
                }
            }
        }
        self.note(table, Some(&row), None)?;
        self.store.remove(table.resource, id);
        Ok(())
    }

    /// Deals with the rows whose reference loses its target.
    fn let_go(
        &mut self,
        table: &'static Table,
        index: usize,
        target: i64,
        on_delete: OnDelete,
    ) -> Result<(), Failure> {
        let ids: Vec<i64> = self.store.referrers(table.resource, index, target).collect();
        for id in ids {
            match on_delete {
                OnDelete::Cascade => self.delete(table, id)?,
                OnDelete::Protect => return Err(Failure::ServerError),
                OnDelete::SetNull => {
                    let Some(mut row) = self.store.get(table.resource, id).cloned() else {
                        continue;
                    };
                    row.set(index, Cell::Null);
                    self.store.put(table.resource, row);
                }
            }
        }
        Ok(())
    }

    /// Takes an id out of lists of references.
    fn strike(&mut self, table: &'static Table, index: usize, target: i64) {
        let ids: Vec<i64> = self.store.referrers(table.resource, index, target).collect();
        for id in ids {
            let Some(mut row) = self.store.get(table.resource, id).cloned() else {
                continue;
            };
            let kept = row.cell(index).as_ids().iter().copied().filter(|&id| id != target);
            row.set(index, Cell::ids(kept.collect()));
            self.store.put(table.resource, row);
        }
    }

    /// A row of defaults.
    pub(crate) fn blank(&self, table: &'static Table) -> Row {
        let mut row = Row::new(table.columns.iter().map(|column| self.default(column)).collect());
        row.set(0, Cell::Integer(0));
        row
    }

    fn default(&self, column: &Column) -> Cell {
        match column.default {
            Default::Null | Default::SlugOf(_) | Default::NameOf(_) => Cell::Null,
            Default::Text(text) => Cell::text(text),
            Default::Boolean(value) => Cell::Boolean(value),
            Default::NoIds => Cell::ids(Vec::new()),
            Default::Json(text) => {
                Cell::Json(Box::new(json_parser::parse(text).unwrap_or(Json::Null)))
            }
            Default::Caller => self.caller.map_or(Cell::Null, |it| Cell::Integer(it.user)),
            Default::Now | Default::NowOnSave => Cell::Moment(self.now),
            Default::TodayOnSave => Cell::Date(cell::date_of(self.now)),
        }
    }

    /// Sets the given values and what follows from them.
    fn fill(&self, table: &'static Table, row: &mut Row, given: Given, mode: Mode) {
        let named: Vec<usize> = given.iter().map(|(index, _)| *index).collect();
        for (index, cell) in given {
            row.set(index, cell);
        }
        for (index, column) in table.columns.iter().enumerate() {
            let seeded = mode == Mode::Seed && named.contains(&index);
            match column.default {
                Default::SlugOf(of) if !seeded => {
                    let slug = slug(row.named(table, of).as_text().unwrap_or_default());
                    row.set(index, Cell::text(&slug));
                }
                Default::NameOf(of) if *row.cell(index) == Cell::Null => {
                    let path = row.named(table, of).as_text().unwrap_or_default();
                    let name = Cell::text(files::base_name(path));
                    row.set(index, name);
                }
                Default::NowOnSave | Default::TodayOnSave if !seeded => {
                    row.set(index, self.default(column));
                }
                _ => {}
            }
        }
    }

    /// Puts digests in the place of new passwords.
    fn seal(&mut self, table: &'static Table, row: &mut Row) {
        for (index, column) in table.columns.iter().enumerate() {
            if matches!(column.kind, Kind::Password { .. }) {
                let digest = match row.cell(index) {
                    Cell::Text(password) => self.secrets.digest(self.random, password),
                    // No password fits.
                    _ => format!("!{}", random::text(self.random, 40)),
                };
                row.set(index, Cell::text(&digest));
            }
        }
    }

    /// Stores new files, and puts their paths in the place of their names.
    fn shelve(&mut self, table: &'static Table, before: Option<&Row>, row: &mut Row, mode: Mode) {
        for (index, column) in table.columns.iter().enumerate() {
            let unchanged = before.is_some_and(|before| before.cell(index) == row.cell(index));
            let (Kind::File, false) = (column.kind, unchanged) else {
                continue;
            };
            let name = row.cell(index).as_text().unwrap_or_default().to_owned();
            if mode == Mode::Seed {
                self.files.keep(&name);
            } else {
                let path = self.files.store(self.random, &name);
                row.set(index, Cell::text(&path));
            }
        }
    }

    fn seal_changed(&mut self, table: &'static Table, before: &Row, row: &mut Row) {
        for (index, column) in table.columns.iter().enumerate() {
            if !matches!(column.kind, Kind::Password { .. })
                || row.cell(index) == before.cell(index)
            {
                continue;
            }
            if let Cell::Text(password) = row.cell(index) {
                let digest = self.secrets.digest(self.random, password);
                row.set(index, Cell::text(&digest));
            }
        }
    }

    /// Sets the time of the last login, which is no change worth an entry in the log.
    pub(crate) fn note_login(&mut self, user: i64) {
        let Some(table) = self.store.schema.table(Resource::Users) else {
            return;
        };
        let Some(index) = table.column_index("last_login") else {
            return;
        };
        let Some(mut row) = self.store.get(Resource::Users, user).cloned() else {
            return;
        };
        row.set(index, Cell::Moment(self.now));
        self.store.put(Resource::Users, row);
    }
}

/// Turns passwords into digests, so that none is kept.
#[derive(Clone)]
pub(crate) struct Secrets {
    keys: [u64; 4],
}

impl Secrets {
    pub(crate) fn new(random: &mut Rng) -> Self {
        Self { keys: std::array::from_fn(|_| random.u64(..)) }
    }

    pub(crate) fn digest(&self, random: &mut Rng, password: &str) -> String {
        self.salted(&random::text(random, 22), password)
    }

    fn salted(&self, salt: &str, password: &str) -> String {
        let part = |key: &u64| {
            let mut hasher = DefaultHasher::new();
            (key, salt, password).hash(&mut hasher);
            format!("{:016x}", hasher.finish())
        };
        let parts = self.keys.iter().map(part);
        format!("sandbox${salt}${}", parts.collect::<String>())
    }

    /// Whether a password belongs to a digest.
    pub(crate) fn fits(&self, password: &str, digest: &str) -> bool {
        let salt = digest.strip_prefix("sandbox$").and_then(|rest| rest.split_once('$'));
        salt.is_some_and(|(salt, _)| self.salted(salt, password) == digest)
    }
}

/// The short form of a name: lower-case ASCII letters and digits, joined by hyphens.
pub(crate) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars().flat_map(plain) {
        match character {
            'a'..='z' | '0'..='9' | '_' => slug.push(character),
            '-' if !slug.ends_with('-') => slug.push('-'),
            blank if blank.is_whitespace() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.trim_matches(['-', '_']).to_owned()
}

/// Letters without their accents, in lower case. The server takes characters apart as Unicode says
/// (NFKD); here this is done for the letters of European languages and Vietnamese, and for the most
/// common signs. What cannot be taken apart, such as `đ` and `ß`, is dropped by both.
fn plain(character: char) -> impl Iterator<Item = char> {
    const ACCENTED: &[(&str, &str)] = &[
        ("àáâãäåāăąǎạảấầẩẫậắằẳẵặªₐ", "a"),
        ("çćĉċč", "c"),
        ("ď", "d"),
        ("èéêëēĕėęěẹẻẽếềểễệ", "e"),
        ("ĝğġģǧ", "g"),
        ("ĥ", "h"),
        ("ìíîïĩīĭįǐỉị", "i"),
        ("ĵǰ", "j"),
        ("ķǩ", "k"),
        ("ĺļľŀ", "l"),
        ("ñńņňŉǹ", "n"),
        ("òóôõöōŏőơǒọỏốồổỗộớờởỡợº", "o"),
        ("ŕŗř", "r"),
        ("śŝşšșſ", "s"),
        ("ţťț", "t"),
        ("ùúûüũūŭůűųưǔụủứừửữự", "u"),
        ("ŵẁẃẅ", "w"),
        ("ýÿŷỳỵỷỹ", "y"),
        ("źżž", "z"),
        ("ĳ", "ij"),
        ("ﬀ", "ff"),
        ("ﬁ", "fi"),
        ("ﬂ", "fl"),
        ("⁰₀", "0"),
        ("¹₁", "1"),
        ("²₂", "2"),
        ("³₃", "3"),
        ("¼", "14"),
        ("½", "12"),
        ("¾", "34"),
        ("™", "tm"),
        ("№", "no"),
    ];
    let lower: String = character.to_lowercase().collect();
    let found = ACCENTED.iter().find(|(letters, _)| letters.contains(lower.as_str()));
    let plain = found.map_or(lower.clone(), |(_, plain)| (*plain).to_owned());
    plain.chars().collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::{Secrets, slug};

    #[test]
    fn slugs_are_short_forms_for_addresses() {
        let cases = [
            ("Team 1", "team-1"),
            ("team  1!", "team-1"),
            ("Équipe «Δelta» №7", "equipe-elta-no7"),
            ("☃☃", ""),
            ("Đorđe ﬁnds 10 m² in Ŵolfsburg", "ore-finds-10-m2-in-wolfsburg"),
            ("İstanbul\u{a0}Ağ", "istanbul-ag"),
            (" -Rec_Team- ", "rec_team"),
        ];
        for (name, expected) in cases {
            assert_eq!(slug(name), expected, "{name}");
        }
    }

    #[test]
    fn a_digest_fits_its_password_only() {
        let mut random = Rng::with_seed(1);
        let secrets = Secrets::new(&mut random);
        let digest = secrets.digest(&mut random, "open-sesame");
        assert!(!digest.contains("open-sesame"));
        assert!(secrets.fits("open-sesame", &digest));
        assert!(!secrets.fits("open sesame", &digest));
        assert!(!secrets.fits("", "!unusable"));
        assert_ne!(digest, secrets.digest(&mut random, "open-sesame"));
    }
}
