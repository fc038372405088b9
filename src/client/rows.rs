use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use futures_core::Stream;

use super::KeystoneClient;
use crate::backend::BoxFuture;
use crate::error::Error;
use crate::query::Query;
use crate::resource::Resource;
use crate::walk::Walk;

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
    client: KeystoneClient,
    page: vec::IntoIter<R::Model>,
    state: State<R>,
}

enum State<R: Resource> {
    Ready(Walk<R>),
    Fetching(BoxFuture<'static, (Walk<R>, Option<Result<Vec<R::Model>, Error>>)>),
    Done,
}

impl<R: Resource> Rows<R> {
    pub(super) fn new(client: KeystoneClient, query: Query<R>) -> Self {
        Self { client, page: Vec::new().into_iter(), state: State::Ready(Walk::new(query)) }
    }

    /// The next record; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<R::Model, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

// Nothing in it is pinned in place: the future is boxed.
impl<R: Resource> Unpin for Rows<R> {}

impl<R: Resource> Stream for Rows<R> {
    type Item = Result<R::Model, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(record) = this.page.next() {
                return Poll::Ready(Some(Ok(record)));
            }
            match std::mem::replace(&mut this.state, State::Done) {
                State::Done => return Poll::Ready(None),
                State::Ready(mut walk) => {
                    let client = this.client.clone();
                    this.state = State::Fetching(Box::pin(async move {
                        let core = &client.inner.core;
                        let page = core.next_page(&client.effects(), &mut walk).await;
                        (walk, page)
                    }));
                }
                State::Fetching(mut fetching) => {
                    let Poll::Ready((walk, page)) = fetching.as_mut().poll(context) else {
                        this.state = State::Fetching(fetching);
                        return Poll::Pending;
                    };
                    match page {
                        None => return Poll::Ready(None),
                        Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                        Some(Ok(records)) => {
                            this.page = records.into_iter();
                            this.state = State::Ready(walk);
                        }
                    }
                }
            }
        }
    }
}

impl<R: Resource> fmt::Debug for Rows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("resource", &R::NAME).finish_non_exhaustive()
    }
}
