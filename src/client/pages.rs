use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::{KeystoneClient, Rows};
use crate::backend::BoxFuture;
use crate::error::Error;
use crate::page::Page;
use crate::query::Query;
use crate::resource::Resource;
use crate::walk::{Cursor, Ticket, Walk};

/// A stream of the pages of a list, as they travel; none is empty.
///
/// It implements [`Stream`]; [`next`](Self::next) does without any crate of stream adaptors. After
/// an error it ends. Pages that were asked for ahead are on their way as long as the stream is
/// polled.
///
/// ```
/// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
/// # let client = Sandbox::new().client()?;
/// # client.login("admin", "admin-password").await?;
/// # for name in ["atlas", "borealis", "cygnus"] {
/// #     client.clusters().create(NewCluster::new(name)).await?;
/// # }
/// let mut pages = client.clusters().list().page_size(2).pages();
/// while let Some(page) = pages.next().await {
///     let page = page?;
///     println!("{} of {}", page.offset + page.items.len() as u64, page.total.unwrap_or_default());
/// }
/// # Ok(()) }) }
/// ```
#[must_use = "a stream does nothing until it is polled"]
pub struct Pages<R: Resource> {
    client: KeystoneClient,
    walk: Walk<R>,
    under_way: Vec<(Ticket, BoxFuture<'static, Answer<R>>)>,
}

type Answer<R> = Result<Page<<R as Resource>::Model>, Error>;

impl<R: Resource> Pages<R> {
    pub(super) fn new(client: KeystoneClient, query: Query<R>) -> Self {
        let query = query.at_most(client.inner.core.pace.most_at_once());
        Self { client, walk: Walk::new(query), under_way: Vec::new() }
    }

    /// The next page; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Page<R::Model>, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The records one by one.
    pub fn rows(self) -> Rows<R> {
        Rows::new(self)
    }

    /// Goes on where another walk over the same list was.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a cursor of another list.
    pub fn resume(self, cursor: &Cursor<R>) -> Result<Self, Error> {
        Ok(Self { walk: self.walk.resume(cursor)?, under_way: Vec::new(), client: self.client })
    }

    /// The place behind the last page that was handed out.
    pub fn cursor(&self) -> Cursor<R> {
        self.walk.cursor().clone()
    }

    pub(super) fn place(&self) -> &Cursor<R> {
        self.walk.cursor()
    }

    /// Whether the list was seen to change in a way that shifts the pages, so that records may have
    /// been handed out in another place than theirs. Never true of a walk in the order of the keys,
    /// which nothing shifts.
    pub fn has_moved(&self) -> bool {
        self.walk.has_moved()
    }

    /// Puts all requests on their way that there is room for.
    fn ask(&mut self) {
        while let Some((ticket, request)) = self.walk.next_request() {
            let client = self.client.clone();
            let answer = async move {
                let core = &client.inner.core;
                core.send(&client, &request?).await
            };
            self.under_way.push((ticket, Box::pin(answer)));
        }
    }

    /// Takes over what has been answered; whether anything has.
    fn take_answers(&mut self, context: &mut Context<'_>) -> bool {
        let before = self.under_way.len();
        let walk = &mut self.walk;
        self.under_way.retain_mut(|(ticket, answer)| match answer.as_mut().poll(context) {
            Poll::Pending => true,
            Poll::Ready(answer) => {
                walk.accept(*ticket, answer);
                false
            }
        });
        self.under_way.len() < before
    }
}

// Nothing in it is pinned in place: the futures are boxed.
impl<R: Resource> Unpin for Pages<R> {}

impl<R: Resource> Stream for Pages<R> {
    type Item = Result<Page<R::Model>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match this.walk.take() {
                Some(Ok(page)) => {
                    if this.walk.asks_ahead() {
                        this.ask();
                        this.take_answers(context);
                    }
                    return Poll::Ready(Some(Ok(page)));
                }
                Some(Err(error)) => {
                    this.under_way.clear();
                    return Poll::Ready(Some(Err(error)));
                }
                None => {}
            }
            this.ask();
            if this.under_way.is_empty() {
                return Poll::Ready(None);
            }
            if !this.take_answers(context) {
                return Poll::Pending;
            }
        }
    }
}

impl<R: Resource> fmt::Debug for Pages<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("cursor", self.walk.cursor()).finish_non_exhaustive()
    }
}
