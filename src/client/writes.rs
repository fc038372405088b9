use std::future::IntoFuture;

use super::{CallFuture, KeystoneClient};
use crate::edit::{Edit, Edited};
use crate::ensure::{Ensure, Ensured};
use crate::error::Error;
use crate::resource::{Create, Update};

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
