//! What kinds of errors there are.

/// What happened, for a program to decide by.
///
/// There will be more kinds, so a `match` needs a branch for the others:
///
/// ```
/// use keystone_client::{Error, ErrorKind};
///
/// /// The exit status of a program that runs every night.
/// fn exit_status(error: &Error) -> u8 {
///     match error.kind() {
///         _ if error.may_have_been_sent() => 70, // look before it runs again
///         _ if error.is_transient() => 75,       // try again later
///         ErrorKind::InvalidCredentials | ErrorKind::Denied => 77,
///         ErrorKind::Validation => 65,
///         _ => 70,
///     }
/// }
///
/// # let client = keystone_client::sandbox::Sandbox::new().blocking_client()?;
/// let error = client.login("admin", "another password").unwrap_err();
/// assert_eq!(exit_status(&error), 77);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client or the call was put together wrongly; nothing was sent.
    ///
    /// *What to do:* mend the program or its configuration; the message says what is wrong.
    InvalidRequest,
    /// The server is of a version that cannot do this, too old or too new; it did nothing. The
    /// message says what is missing, with which version it came or went, and what is known of the
    /// server.
    ///
    /// *What to do:* ask for less, or do it in the program. A server ignores without a word the
    /// parameters that it does not know.
    Unsupported,
    /// No connection to the server. Nothing was sent.
    ///
    /// *What to do:* check host, port, proxy and certificates; try again later.
    Connect,
    /// The server did not answer in time.
    ///
    /// *What to do:* ask [`may_have_been_sent`](crate::Error::may_have_been_sent) before repeating a
    /// write.
    Timeout,
    /// The connection broke, or what came was not HTTP.
    ///
    /// *What to do:* as for [`Timeout`](Self::Timeout).
    Transport,
    /// The response is larger than the client accepts.
    ///
    /// *What to do:* ask for smaller pages, or raise the limit in the transport settings.
    TooLarge,
    /// The answer could not be read as what was asked for. The status is kept.
    ///
    /// *What to do:* if the message names a field, the server is of a version that this crate
    /// does not know. The call itself was carried out if the status is a success.
    Decode,
    /// There is no Keystone API at this address: something else where the API should be. A success
    /// that is a page is one such, as portals send it that want a login of their own.
    ///
    /// *What to do:* check the base URL, its scheme and path prefix, and what stands before the server.
    NotKeystone,
    /// The server redirected. Redirects are never followed, as they may lose a body or carry
    /// credentials elsewhere.
    ///
    /// *What to do:* use the address that the message names as base URL.
    Redirected,
    /// The call needs a login, and there is none.
    ///
    /// *What to do:* log in.
    NotLoggedIn,
    /// The login has ended: expired, or ended by the server. Nothing was executed.
    ///
    /// *What to do:* log in again and repeat the call.
    SessionExpired,
    /// The place where logins are kept for other processes cannot be used; see
    /// [`session_store`](crate::session_store). The message says why.
    ///
    /// *What to do:* mend it, or remove what is kept there. After a logout that failed so, the client
    /// has forgotten the login all the same.
    SessionStore,
    /// The server refused the user name and password, or the API token.
    ///
    /// *What to do:* check them. Inactive users are refused with the same words.
    InvalidCredentials,
    /// The user may not do this.
    ///
    /// *What to do:* ask somebody with the rights; logging in again does not help.
    Denied,
    /// The server refused the proof that a write comes from this client.
    ///
    /// *What to do:* check that the base URL is the address under which the server knows itself,
    /// and see [`ClientBuilder::send_origin`](crate::ClientBuilder::send_origin).
    CsrfRejected,
    /// No such record, or none that the user may see.
    ///
    /// *What to do:* [`Call::optional`](crate::Call::optional) turns this into `None`.
    NotFound,
    /// More than one record where one was wanted.
    ///
    /// *What to do:* narrow the filter, or ask for the first or for all.
    Ambiguous,
    /// The list changed while it was walked, or since a walk over it was left off, so that there is no
    /// telling what is missing.
    ///
    /// *What to do:* walk it again, in the order of the keys if it has any: no change disturbs that.
    ListChanged,
    /// The server does not know this path.
    ///
    /// *What to do:* check the path; the endpoint may be missing in this version of the server.
    UnknownEndpoint,
    /// The server knows the path but not this method.
    ///
    /// *What to do:* check what the endpoint allows.
    MethodNotAllowed,
    /// The record has changed since it was fetched, so it was left alone; see
    /// [`Edit::if_unmodified`](crate::Edit::if_unmodified). The message says what is known of who
    /// changed it, and when.
    ///
    /// *What to do:* fetch it again, look at it, and decide anew.
    Conflict,
    /// The server answered a write with success, but the record that it returned does not have all that
    /// was sent. It drops in silence what the user may not set.
    ///
    /// *What to do:* the message names the fields, and what is known of the others. Ask somebody with the
    /// rights for these.
    NotApplied,
    /// The server rejected the data or a filter.
    ///
    /// *What to do:* [`field_errors`](crate::Error::field_errors) says what is wrong with which field.
    Validation,
    /// A reference of a batch job could not be resolved, and everything was rolled back;
    /// [`batch_failure`](crate::Error::batch_failure) says which and why.
    ///
    /// *What to do:* check what the step that it refers to answers, by itself or in a dry run.
    UnresolvedReference,
    /// Too many calls, by the server's word or by the client's own
    /// [budget](crate::ClientBuilder::requests_per_minute). Nothing was executed.
    ///
    /// *What to do:* wait; [`retry_after`](crate::Error::retry_after) says how long.
    Throttled,
    /// The server failed. Keystone answers so also for conflicts: deleting a record that others
    /// refer to is a 500.
    ///
    /// *What to do:* for a delete, look for records that still refer to this one. Otherwise tell
    /// the administrators, with the correlation id.
    Server,
    /// A status that has no kind of its own.
    ///
    /// *What to do:* look at [`status`](crate::Error::status) and
    /// [`body_text`](crate::Error::body_text).
    Status,
}

impl ErrorKind {
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid request",
            Self::Unsupported => "this server does not support it",
            Self::Connect => "no connection to the server",
            Self::Timeout => "the server did not answer in time",
            Self::Transport => "the connection broke",
            Self::TooLarge => "the response is over the size limit",
            Self::Decode => "the answer could not be read",
            Self::NotKeystone => "there is no Keystone API at this address",
            Self::Redirected => "the server redirected, which is not followed",
            Self::NotLoggedIn => "not logged in",
            Self::SessionExpired => "the login has ended",
            Self::SessionStore => "the session store cannot be used",
            Self::InvalidCredentials => "the server refused the credentials",
            Self::Denied => "permission denied",
            Self::CsrfRejected => "the server refused the CSRF proof",
            Self::NotFound => "no such record",
            Self::Ambiguous => "more than one record matches",
            Self::ListChanged => "the list has changed",
            Self::UnknownEndpoint => "the server does not know this path",
            Self::MethodNotAllowed => "method not allowed",
            Self::Conflict => "the record has changed since it was fetched",
            Self::NotApplied => "the server did not apply all that was sent",
            Self::Validation => "the server rejected the request",
            Self::UnresolvedReference => "a reference cannot be resolved",
            Self::Throttled => "too many calls",
            Self::Server => "the server failed",
            Self::Status => "unexpected status",
        }
    }
}
