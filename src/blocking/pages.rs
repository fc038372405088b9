use std::fmt;
use std::iter::FusedIterator;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::{KeystoneClient, Rows, run};
use crate::error::{Error, ErrorKind};
use crate::page::Page;
use crate::query::Query;
use crate::request::Operation;
use crate::resource::Resource;
use crate::walk::{Cursor, NextPage, Ticket, Walk};

/// An iterator over the pages of a list, as they travel; none is empty. After an error it ends.
///
/// Pages that are asked for ahead travel on threads of their own, one for each. Where the iterator is
/// dropped, those that are under way end with their requests.
///
/// ```
/// # use keystone_client::{resources::NewCluster, sandbox::Sandbox};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = Sandbox::new().blocking_client()?;
/// # client.login("admin", "admin-password")?;
/// # for name in ["atlas", "borealis", "cygnus"] {
/// #     client.clusters().create(NewCluster::new(name)).send()?;
/// # }
/// for page in client.clusters().list().page_size(2).pages() {
///     let page = page?;
///     println!("{} of {}", page.offset + page.items.len() as u64, page.total.unwrap_or_default());
/// }
/// # Ok(()) }
/// ```
#[must_use = "an iterator does nothing until it is asked for its next item"]
pub struct Pages<R: Resource> {
    client: KeystoneClient,
    walk: Walk<R>,
    /// Requests on threads of their own.
    under_way: usize,
    answers: (Sender<Answer<R>>, Receiver<Answer<R>>),
}

type Answer<R> = (Ticket, Result<Page<<R as Resource>::Model>, Error>);

impl<R: Resource> Pages<R> {
    pub(super) fn new(client: KeystoneClient, query: Query<R>) -> Self {
        let query = query.at_most(client.inner.core.pace.most_at_once());
        Self::over(client, Walk::new(query))
    }

    fn over(client: KeystoneClient, walk: Walk<R>) -> Self {
        Self { client, walk, under_way: 0, answers: channel() }
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
        // Answers to what was asked before go nowhere.
        Ok(Self::over(self.client, self.walk.resume(cursor)?))
    }

    /// The place behind the last page that was handed out.
    pub fn cursor(&self) -> Cursor<R> {
        self.walk.cursor().clone()
    }

    pub(super) fn place(&self) -> &Cursor<R> {
        self.walk.cursor()
    }

    /// Whether the list was seen to change; see [`Pages::has_moved`](crate::Pages::has_moved).
    pub fn has_moved(&self) -> bool {
        self.walk.has_moved()
    }

    /// Puts all requests on their way that there is room for.
    fn ask_ahead(&mut self) {
        while let Some((ticket, request)) = self.walk.next_request() {
            self.ask(ticket, request);
        }
    }

    /// Sends a request on a thread of its own, or on this one if no other can be had.
    fn ask(&mut self, ticket: Ticket, request: NextPage<R>) {
        let reply = Reply::<R> { to: self.answers.0.clone(), ticket, answer: None };
        let (client, job) = (self.client.clone(), request.clone());
        let thread = thread::Builder::new().spawn(move || reply.give(send::<R>(&client, job)));
        match thread {
            Ok(_) => self.under_way += 1,
            Err(_) => self.walk.accept(ticket, send::<R>(&self.client, request)),
        }
    }

    /// Gets an answer to whatever is to be asked next; `false` if nothing is.
    fn wait(&mut self) -> bool {
        if self.under_way == 0 {
            let Some((ticket, request)) = self.walk.next_request() else { return false };
            let Some((other, another)) = self.walk.next_request() else {
                // A single one needs no thread.
                self.walk.accept(ticket, send::<R>(&self.client, request));
                return true;
            };
            self.ask(ticket, request);
            self.ask(other, another);
        }
        self.ask_ahead();
        if self.under_way > 0 {
            if let Ok((ticket, answer)) = self.answers.1.recv() {
                self.under_way -= 1;
                self.walk.accept(ticket, answer);
            }
        }
        true
    }
}

fn send<R: Resource>(
    client: &KeystoneClient,
    request: NextPage<R>,
) -> Result<Page<R::Model>, Error> {
    run(client.inner.core.send(client, &request?))
}

/// Sends the answer when it is dropped, so that there is one if the backend panics.
struct Reply<R: Resource> {
    to: Sender<Answer<R>>,
    ticket: Ticket,
    answer: Option<Result<Page<R::Model>, Error>>,
}

impl<R: Resource> Reply<R> {
    fn give(mut self, answer: Result<Page<R::Model>, Error>) {
        self.answer = Some(answer);
    }
}

impl<R: Resource> Drop for Reply<R> {
    fn drop(&mut self) {
        let panicked = || {
            Err(Error::new(ErrorKind::Transport, Operation::new("list", R::NAME))
                .with_note("the backend panicked"))
        };
        if let Some(answer) = self.answer.take().or_else(|| thread::panicking().then(panicked)) {
            // Nobody waits for it if the iterator is gone.
            let _ = self.to.send((self.ticket, answer));
        }
    }
}

impl<R: Resource> Iterator for Pages<R> {
    type Item = Result<Page<R::Model>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.walk.take() {
                Some(Ok(page)) => {
                    if self.walk.asks_ahead() {
                        self.ask_ahead();
                    }
                    return Some(Ok(page));
                }
                Some(Err(error)) => {
                    self.under_way = 0;
                    return Some(Err(error));
                }
                None => {}
            }
            if !self.wait() {
                return None;
            }
        }
    }
}

impl<R: Resource> FusedIterator for Pages<R> {}

impl<R: Resource> fmt::Debug for Pages<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("cursor", self.walk.cursor()).finish_non_exhaustive()
    }
}
