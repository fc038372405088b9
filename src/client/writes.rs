use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{CallFuture, KeystoneClient};
use crate::backend::BoxFuture;
use crate::bulk::{Bulk, BulkReport};
use crate::edit::{Edit, Edited};
use crate::ensure::{Ensure, Ensured};
use crate::error::Error;
use crate::resource::{Create, Update};

/// With the async client.
impl<R: Update> Edit<R, KeystoneClient> {
    /// Sends it; the same as awaiting it.
    pub fn send(self) -> CallFuture<Edited<R::Model>> {
        let Self { client, plan } = self;
        CallFuture(Box::pin(async move { client.inner.core.edit(&client, plan?).await }))
    }
}

impl<R: Update> IntoFuture for Edit<R, KeystoneClient> {
    type Output = Result<Edited<R::Model>, Error>;
    type IntoFuture = CallFuture<Edited<R::Model>>;

    fn into_future(self) -> Self::IntoFuture {
        self.send()
    }
}

/// With the async client.
impl<R: Create + Update> Ensure<R, KeystoneClient> {
    /// Sends it; the same as awaiting it.
    pub fn send(self) -> CallFuture<Ensured<R::Model>> {
        let Self { client, plan } = self;
        CallFuture(Box::pin(async move { client.inner.core.ensure(&client, plan?).await }))
    }
}

impl<R: Create + Update> IntoFuture for Ensure<R, KeystoneClient> {
    type Output = Result<Ensured<R::Model>, Error>;
    type IntoFuture = CallFuture<Ensured<R::Model>>;

    fn into_future(self) -> Self::IntoFuture {
        self.send()
    }
}

/// With the async client.
impl<T: Send + 'static> Bulk<T, KeystoneClient> {
    /// Writes the rows; the same as awaiting it.
    pub fn send(self) -> BulkFuture<T> {
        let Self { client, plan } = self;
        BulkFuture(Box::pin(async move { client.inner.core.run_bulk(&client, plan).await }))
    }
}

impl<T: Send + 'static> IntoFuture for Bulk<T, KeystoneClient> {
    type Output = BulkReport<T>;
    type IntoFuture = BulkFuture<T>;

    fn into_future(self) -> BulkFuture<T> {
        self.send()
    }
}

/// The future of the report on many rows. Dropping it leaves what was written so far.
#[must_use = "a future does nothing until it is awaited"]
pub struct BulkFuture<T>(BoxFuture<'static, BulkReport<T>>);

impl<T> Future for BulkFuture<T> {
    type Output = BulkReport<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for BulkFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkFuture").finish_non_exhaustive()
    }
}
