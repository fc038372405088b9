use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::login::{LOG_IN, LOG_OUT};
use super::{Core, Effects};
use crate::auth::{Credential, Snapshot, StoredSession};
use crate::error::{Error, ErrorKind};
use crate::observe::EventKind;
use crate::session_store::{SessionKey, SessionStore};

/// Where a client keeps its login for others.
pub(crate) struct Store {
    place: Box<dyn SessionStore>,
    /// Whose login is taken over while nobody is logged in.
    username: Arc<str>,
    /// Held over a change here and in the store, so that both end up with the same.
    order: Mutex<()>,
}

impl Store {
    pub(crate) fn new(place: Box<dyn SessionStore>, username: Arc<str>) -> Self {
        Self { place, username, order: Mutex::new(()) }
    }

    fn order(&self) -> MutexGuard<'_, ()> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Who is to be logged in: the user whose login it was, or whose login is kept.
    pub(super) fn wanted_username(&self, seen: &Snapshot) -> Option<Arc<str>> {
        let kept = self.renewal.store.as_ref().map(|store| &store.username);
        seen.username.as_ref().or(kept).map(Arc::clone)
    }

    fn key<'a>(&'a self, username: &'a str) -> SessionKey<'a> {
        SessionKey::new(self.base.as_str(), username)
    }

    /// Makes `credential` the present one, here and in the store, unless `epoch` is over; whether it
    /// did.
    pub(super) fn adopt<E: Effects>(
        &self,
        effects: &E,
        epoch: Option<u64>,
        credential: Credential,
        username: Option<Arc<str>>,
    ) -> bool {
        let store = self.renewal.store.as_ref();
        let _order = store.map(Store::order);
        let text = store
            .and_then(|_| credential.to_stored(effects.now()))
            .and_then(|stored| stored.to_json());
        match epoch {
            None => self.auth.replace(credential, username.clone()),
            Some(epoch) if !self.auth.replace_if(epoch, credential, username.clone()) => {
                return false;
            }
            Some(_) => {}
        }
        if let (Some(store), Some(text), Some(username)) = (store, text, username) {
            if let Err(problem) = store.place.save(self.key(&username), &text) {
                self.tell_of_store(&problem);
            }
        }
        true
    }

    /// Takes over the login that another process has left, unless it is the one that is over.
    pub(super) fn take_over_kept<E: Effects>(
        &self,
        effects: &E,
        seen: &Snapshot,
    ) -> Result<bool, Error> {
        let (Some(store), Some(username)) = (&self.renewal.store, self.wanted_username(seen))
        else {
            return Ok(false);
        };
        let _order = store.order();
        let text = store.place.load(self.key(&username)).map_err(|problem| {
            self.tell_of_store(&problem);
            Error::new(ErrorKind::SessionStore, LOG_IN).with_note(problem.to_string())
        })?;
        let stored = text.and_then(|text| StoredSession::read(&text, effects.now()));
        let Some((dialect, credential)) = stored else {
            return Ok(false);
        };
        if credential.is_same_login(&seen.credential) {
            return Ok(false);
        }
        if self.auth.replace_if(seen.epoch, credential, Some(username)) {
            self.learn_dialect(dialect);
            self.tell_of_login(LOG_IN, EventKind::Login);
        }
        Ok(true)
    }

    /// Removes a login that is over from the store, unless there is another by now.
    pub(super) fn drop_kept(&self, over: &Snapshot) {
        let (Some(store), Some(username)) = (&self.renewal.store, self.wanted_username(over))
        else {
            return;
        };
        let _order = store.order();
        let key = self.key(&username);
        let Ok(Some(text)) = store.place.load(key) else { return };
        let kept = StoredSession::credential(&text);
        if kept.is_some_and(|kept| kept.is_same_login(&over.credential)) {
            // What cannot be removed does no harm: whoever tries it is told that it is over.
            let _ = store.place.remove(key);
        }
    }

    /// Forgets the present login, here and in the store, and hands out what is to be ended on the
    /// server: that login, and the one that was kept if it is another.
    pub(super) fn forget(&self) -> (Vec<Credential>, Result<(), Error>) {
        let store = self.renewal.store.as_ref();
        let _order = store.map(Store::order);
        let (present, username) = self.auth.take();
        let Some(store) = store else {
            return (vec![present], Ok(()));
        };
        let username = username.unwrap_or_else(|| Arc::clone(&store.username));
        let key = self.key(&username);
        // What cannot be read is removed all the same.
        let text = store.place.load(key).ok().flatten();
        let kept = text.and_then(|text| StoredSession::credential(&text));
        let other = kept.filter(|kept| !kept.is_same_login(&present));
        let removed = store.place.remove(key).map_err(|problem| {
            Error::new(ErrorKind::SessionStore, LOG_OUT)
                .with_note(format!("the login that is kept could not be removed: {problem}"))
        });
        ([present].into_iter().chain(other).collect(), removed)
    }

    fn tell_of_store(&self, problem: &io::Error) {
        let error = problem.kind();
        self.tell_of_login(LOG_IN, EventKind::SessionStoreFailed { error });
    }
}
