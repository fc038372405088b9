use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::Pages;
use crate::error::Error;
use crate::resource::Resource;
use crate::walk::{Cursor, PageRows};

/// A stream of the records of a list.
///
/// It implements [`Stream`]; [`next`](Self::next) does without any crate of stream adaptors. After
/// an error it ends.
///
/// ```
/// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
/// # let client = Sandbox::new().client()?;
/// # client.login("admin", "admin-password").await?;
/// client.clusters().create(NewCluster::new("atlas")).await?;
/// let mut clusters = client.clusters().list().stream();
/// while let Some(cluster) = clusters.next().await {
///     println!("{}", cluster?.name);
/// }
/// # Ok(()) }) }
/// ```
#[must_use = "a stream does nothing until it is polled"]
pub struct Rows<R: Resource> {
    pages: Pages<R>,
    page: PageRows<R>,
}

impl<R: Resource> Rows<R> {
    pub(super) fn new(pages: Pages<R>) -> Self {
        Self { page: PageRows::new(pages.cursor()), pages }
    }

    /// The next record; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<R::Model, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Goes on where another walk over the same list was; see [`Cursor`].
    ///
    /// # Errors
    ///
    /// As for [`Pages::resume`].
    pub fn resume(self, cursor: &Cursor<R>) -> Result<Self, Error> {
        self.pages.resume(cursor).map(Self::new)
    }

    /// The place behind the last record that was handed out.
    pub fn cursor(&self) -> Cursor<R> {
        self.page.cursor().clone()
    }

    /// Whether the list was seen to change; see [`Pages::has_moved`].
    pub fn has_moved(&self) -> bool {
        self.pages.has_moved()
    }
}

// Nothing in it is pinned in place.
impl<R: Resource> Unpin for Rows<R> {}

impl<R: Resource> Stream for Rows<R> {
    type Item = Result<R::Model, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(record) = this.page.next() {
                return Poll::Ready(Some(Ok(record)));
            }
            match std::task::ready!(Pin::new(&mut this.pages).poll_next(context)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(page)) => this.page.put(page, this.pages.place()),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.page.len(), None)
    }
}

impl<R: Resource> fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("cursor", self.page.cursor()).finish_non_exhaustive()
    }
}
