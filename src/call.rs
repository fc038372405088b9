//! A call of a client, not yet sent.

mod explain;
mod options;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::Serialize;
use uuid::Uuid;

pub(crate) use self::options::options_of_each_request;
use crate::body::{Body, Multipart};
use crate::error::Error;
use crate::request::{Request, Response, WithMeta};
use crate::retry::RetryPolicy;

/// A request bound to the client `C` that will send it, with an answer of type `T`.
///
/// Made by the methods of [`Crud`](crate::Crud), [`List`](crate::List) and the clients. Send it with
/// `.await` on the async client and with `.send()` on the blocking one. What is
/// wrong with the call surfaces then, so that calls can be put together without a `?` at each
/// step.
///
/// ```
/// use std::time::Duration;
///
/// use keystone_client::Id;
/// # use keystone_client::{resources::NewTeam, sandbox::Sandbox};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> { pollster::block_on(async {
/// # let client = Sandbox::new().client()?;
/// # client.login("admin", "admin-password").await?;
/// let call = client.retrieve_team(Id::new(7)).optional().timeout(Duration::from_secs(5));
/// assert!(call.clone().await?.is_none()); // it can be sent again
///
/// // What is wrong with a call is an error when it is sent.
/// let call = client.update_team(Id::new(7), |t| [t.is_active.set(true), t.is_active.set(false)]);
/// assert!(call.await.unwrap_err().to_string().ends_with("field `is_active` is set twice"));
/// # Ok(()) }) }
/// ```
#[must_use = "a call does nothing until it is sent: `.await` it, or `.send()?` it"]
pub struct Call<T, C> {
    pub(crate) client: C,
    pub(crate) request: Result<Request<T>, Error>,
}

impl<T, C> Call<T, C> {
    pub(crate) fn new(client: C, request: Result<Request<T>, Error>) -> Self {
        Self { client, request }
    }

    /// The bare request, as tests look at it.
    ///
    /// ```
    /// # use keystone_client::{Id, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().client()?;
    /// let request = client.clusters().retrieve(Id::new(3)).into_request()?;
    /// assert_eq!(request.path(), "allocations/clusters/3/");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong with the call.
    pub fn into_request(self) -> Result<Request<T>, Error> {
        self.request
    }

    /// Says whether sending the call twice does no harm. A call of which it is true is repeated
    /// also after failures in which the server may have carried it out.
    ///
    /// ```
    /// use keystone_client::resources::NewTeam;
    /// use keystone_client::sandbox::{Fault, FaultRule, Sandbox};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sandbox = Sandbox::new();
    /// let client = sandbox.blocking_client()?;
    /// client.login("admin", "admin-password")?;
    /// sandbox.inject(FaultRule::new(Fault::disconnect()).path("/users/teams/").nth(1));
    /// // Nobody knows what the server has done, but two teams of one name it would refuse.
    /// let team = client.create_team(NewTeam::new("Folding")).idempotent(true).with_meta().send()?;
    /// assert_eq!(team.meta.attempts, 2);
    /// # Ok(()) }
    /// ```
    pub fn idempotent(self, idempotent: bool) -> Self {
        self.map(|request| request.with_idempotent(idempotent))
    }

    /// Bounds each attempt, in place of the client's own
    /// [time-out](crate::ClientBuilder::timeout). If it is longer than the total time of the
    /// [retry policy](RetryPolicy), 120 s unless something else is set, it takes the place of that too.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.map(|request| request.with_timeout(timeout))
    }

    /// Sets how often and how patiently this call is repeated, in place of the client's own policy.
    ///
    /// ```
    /// # use keystone_client::{RetryPolicy, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// // A health probe asks once.
    /// assert!(client.is_healthy().retry(RetryPolicy::never()).send()?);
    /// # Ok(()) }
    /// ```
    pub fn retry(self, policy: RetryPolicy) -> Self {
        self.map(|request| request.with_retry(policy))
    }

    /// Sets the id under which the server logs this call, in place of the client's own. Errors and
    /// events of the call have it too.
    pub fn correlation_id(self, id: Uuid) -> Self {
        self.map(|request| request.with_correlation_id(id))
    }

    /// Turns "no such record" into `None`. A path that the server does not know stays an error.
    ///
    /// ```
    /// # use keystone_client::{Id, sandbox::Sandbox};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// # client.login("admin", "admin-password")?;
    /// let gone = client.clusters().retrieve(Id::new(999)).optional().send()?;
    /// assert!(gone.is_none());
    /// # Ok(()) }
    /// ```
    pub fn optional(self) -> Call<Option<T>, C>
    where
        T: 'static,
    {
        self.map(|request| {
            request.adapt(|response, decode| match response.is_missing_record() {
                true => Ok(None),
                false => decode(response).map(Some),
            })
        })
    }

    /// Gives status, headers, correlation id and number of attempts along with the answer.
    ///
    /// ```
    /// # use keystone_client::sandbox::Sandbox;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Sandbox::new().blocking_client()?;
    /// let version = client.version().with_meta().send()?;
    /// println!("{}, by call {}", version.value, version.meta.correlation_id);
    /// assert_eq!((version.meta.status.as_u16(), version.meta.attempts), (200, 1));
    /// # Ok(()) }
    /// ```
    pub fn with_meta(self) -> Call<WithMeta<T>, C>
    where
        T: 'static,
    {
        self.map(|request| {
            request.adapt(|response, decode| {
                let meta = response.meta();
                decode(response).map(|value| WithMeta::new(value, meta))
            })
        })
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(Request<T>) -> Request<U>) -> Call<U, C> {
        Call { client: self.client, request: self.request.map(change) }
    }
}

/// The generic HTTP calls take a query, a body and headers.
impl<C> Call<Response, C> {
    /// Adds a query parameter, which is encoded as it has to be.
    pub fn query(self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        self.map(|request| request.with_query(name, value.to_string()))
    }

    /// Sends `value` as JSON body.
    pub fn json<V: Serialize + ?Sized>(self, value: &V) -> Self {
        Self { client: self.client, request: self.request.and_then(|r| r.with_json(value)) }
    }

    /// Sends fields and files: `multipart/form-data`. Files are read when the call is sent.
    pub fn multipart(self, multipart: Multipart) -> Self {
        self.body(Body::Multipart(multipart))
    }

    /// Sends this body, of any media type.
    pub fn body(self, body: Body) -> Self {
        self.map(|request| request.with_body(body))
    }

    /// Adds a header, in place of the client's own header of that name.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.map(|request| request.with_header(name, value))
    }
}

// Written out because derives would ask for the same traits of `T`.
impl<T, C: Clone> Clone for Call<T, C> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), request: self.request.clone() }
    }
}

impl<T, C: fmt::Debug> fmt::Debug for Call<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("client", &self.client)
            .field("request", &self.request)
            .finish()
    }
}
