use super::{KeystoneClient, run};
use crate::bulk::{Bulk, BulkReport};
use crate::edit::{Edit, Edited};
use crate::ensure::{Ensure, Ensured};
use crate::error::Error;
use crate::resource::{Create, Update};

/// With the blocking client.
impl<R: Update> Edit<R, KeystoneClient> {
    /// Sends it and waits for the end.
    ///
    /// # Errors
    ///
    /// What is wrong with the call, what happened on the way, or what the server refused; and what
    /// [`if_unmodified`](Self::if_unmodified) and [`verified`](Self::verified) say.
    pub fn send(self) -> Result<Edited<R::Model>, Error> {
        run(self.client.inner.core.edit(&self.client, self.plan?))
    }
}

/// With the blocking client.
impl<R: Create + Update> Ensure<R, KeystoneClient> {
    /// Sends it and waits for the end.
    ///
    /// # Errors
    ///
    /// What [`Crud::ensure_by`](crate::Crud::ensure_by) says.
    pub fn send(self) -> Result<Ensured<R::Model>, Error> {
        run(self.client.inner.core.ensure(&self.client, self.plan?))
    }
}

/// With the blocking client.
impl<T: 'static> Bulk<T, KeystoneClient> {
    /// Writes the rows and waits for the end of it.
    pub fn send(self) -> BulkReport<T> {
        run(self.client.inner.core.run_bulk(&self.client, self.plan))
    }
}
