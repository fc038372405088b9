//! What a server remembers, kept and brought back.

use std::fmt;

use crate::sandbox::server::Server;
use crate::sandbox::{Sandbox, lock};

/// What a sandbox remembered at one time; made by [`Sandbox::snapshot`].
///
/// It shares with the sandbox whatever has not changed since, so that it takes little time and memory.
///
/// ```
/// use keystone_client::sandbox::{Population, Sandbox};
///
/// let filled = Sandbox::builder().staff("admin", "secret").population(Population::small(1)).build();
/// let as_filled = filled.snapshot();
///
/// // Each round begins with what was there at first.
/// let client = filled.blocking_client()?;
/// for _ in 0..2 {
///     filled.restore(&as_filled);
///     client.login("admin", "secret")?;
///     let comment = client.comments().list().first().send()?.expect("there are some");
///     client.delete_comment(comment.id).send()?;
/// }
/// # Ok::<(), keystone_client::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a snapshot is good for `Sandbox::restore`"]
pub struct Snapshot {
    server: Server,
}

impl Sandbox {
    /// Keeps what the server remembers: records and the change log, sessions and tokens, the paths of
    /// files, what counts towards rate limits, the time, and the state of what it leaves to chance.
    ///
    /// The [`requests`](Self::requests) that it answered are what was seen of it, and are not kept.
    ///
    /// ```
    /// use keystone_client::resources::NewTeam;
    /// use keystone_client::sandbox::Sandbox;
    ///
    /// let sandbox = Sandbox::new();
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// let before = sandbox.snapshot();
    /// client.create_team(NewTeam::new("Folding")).send()?;
    /// sandbox.restore(&before);
    /// assert_eq!(client.teams().list().count().send()?, 0);
    /// # Ok::<(), keystone_client::Error>(())
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        let mut server = self.server().clone();
        server.clock = server.clock.stopped();
        Snapshot { server }
    }

    /// Brings back what a snapshot kept, as often as one likes. The server's clock shows the time of
    /// the snapshot again, and runs on from there unless it is frozen; the time by which clients
    /// measure how long to wait, and how long their tokens are valid, does not go back.
    ///
    /// The snapshot may be that of another sandbox, and then brings the settings of that one along.
    /// The path below which this one is mounted, and whether it believes in HTTPS, stay; so do faults,
    /// how often they have struck, and middleware.
    pub fn restore(&self, snapshot: &Snapshot) {
        let mut restored = snapshot.server.clone();
        let mut server = self.server();
        let mut clock = server.clock;
        clock.set_back(&restored.clock);
        restored.clock = clock;
        restored.config.prefix = server.config.prefix.clone();
        restored.config.https = server.config.https;
        *server = restored;
    }

    /// Another server that begins with all that this one remembers, its time included. From then on
    /// neither sees what becomes of the other. No requests are recorded of it yet, and it has neither
    /// [faults](Self::inject) nor [middleware](Self::set_middleware). What is left to chance goes on alike in
    /// both, so that their next session keys are the same.
    ///
    /// It shares with this one whatever neither has changed, so that many tests can each have their
    /// own out of one that was filled once.
    ///
    /// ```
    /// use std::sync::LazyLock;
    /// use keystone_client::sandbox::{Population, Sandbox};
    ///
    /// static FILLED: LazyLock<Sandbox> =
    ///     LazyLock::new(|| Sandbox::builder().population(Population::small(1)).build());
    ///
    /// let sandbox = FILLED.fork();
    /// # drop(sandbox);
    /// ```
    pub fn fork(&self) -> Self {
        let server = self.server().clone();
        let kept_requests = lock(&self.shared.requests).kept();
        Self::from_server(server, kept_requests)
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Snapshot")
            .field("dialect", &self.server.schema.dialect)
            .field("version", &self.server.config.version)
            .finish_non_exhaustive()
    }
}
