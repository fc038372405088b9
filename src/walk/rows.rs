use std::vec;

use super::Cursor;
use crate::page::Page;
use crate::resource::Resource;

/// The records of the page at hand, and the place behind the last one that was handed out.
pub(crate) struct PageRows<R: Resource> {
    records: vec::IntoIter<R::Model>,
    cursor: Cursor<R>,
}

impl<R: Resource> PageRows<R> {
    pub(crate) fn new(cursor: Cursor<R>) -> Self {
        Self { records: Vec::new().into_iter(), cursor }
    }

    /// Takes over a page, behind which the walk is at `place`.
    pub(crate) fn put(&mut self, page: Page<R::Model>, place: &Cursor<R>) {
        self.records = page.items.into_iter();
        if place.is_displaced() {
            self.cursor.displace();
        }
    }

    pub(crate) fn next(&mut self) -> Option<R::Model> {
        let record = self.records.next()?;
        self.cursor.pass(std::slice::from_ref(&record));
        Some(record)
    }

    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn cursor(&self) -> &Cursor<R> {
        &self.cursor
    }
}
