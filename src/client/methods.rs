use http::Method;

use crate::base_url::parse_endpoint;
use crate::error::{Error, ErrorKind};
use crate::request::{Operation, Request, Response};

/// Generates the methods that both clients have, word for word the same.
///
/// The second half is a table with one line for each resource; it makes the accessor
/// (`client.clusters()`) and the dedicated methods (`client.create_cluster(…)`).
macro_rules! client_methods {
    ($client:ident) => {
        impl $client {
            /// A client of the server at this address, over the default transport.
            ///
            /// The address may have a path prefix and may end in a slash or not. The default
            /// transport is that of the first feature enabled of `reqwest` (for the blocking
            /// client along with `blocking`), `isahc`, and, for the blocking client, `ureq`.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) for a URL that is
            /// none, and where the build has no transport.
            pub fn new(base_url: &str) -> Result<Self, $crate::Error> {
                Self::builder(base_url).build()
            }

            /// A client with other than the default settings.
            pub fn builder(base_url: &str) -> $crate::ClientBuilder<Self> {
                $crate::ClientBuilder::new(base_url)
            }

            /// The address of the server, with a trailing slash.
            pub fn base_url(&self) -> &str {
                $crate::client::Client::core(self).base.as_str()
            }

            /// The id under which the server logs the calls of this client: look for it with
            /// `?cid=` in the server's logs.
            pub fn correlation_id(&self) -> uuid::Uuid {
                $crate::client::Client::core(self).settings.correlation_id
            }

            /// Whether there is a login that has not expired, as far as this client knows. Asks
            /// nobody; [`whoami`](Self::whoami) asks the server.
            pub fn is_authenticated(&self) -> bool {
                let now = $crate::client::Client::now(self);
                $crate::client::Client::core(self).auth.is_authenticated(now.wall)
            }

            /// The way in which this server wants to be told who is asking; `None` before the
            /// first login.
            pub fn dialect(&self) -> Option<$crate::Dialect> {
                $crate::client::Client::core(self).auth.snapshot().dialect
            }

            /// The server's version, `0.0.0` for one that runs from a source tree:
            /// `GET /version/`. No login is needed, and none is sent along.
            pub fn version(&self) -> $crate::Call<String, Self> {
                self.request($crate::client::version_request())
            }

            /// The verbs of a resource, for resources defined elsewhere.
            pub fn resource<R: $crate::Resource>(&self) -> $crate::Crud<R, Self> {
                $crate::Crud::new(self.clone())
            }

            /// Reads the record that a key points to: the key knows its resource.
            pub fn retrieve<R: $crate::resource::Retrieve>(
                &self,
                id: $crate::Id<R>,
            ) -> $crate::Call<R::Model, Self> {
                self.resource::<R>().retrieve(id)
            }

            /// A call of a request that was put together elsewhere.
            pub fn request<T>(
                &self,
                request: $crate::request::Request<T>,
            ) -> $crate::Call<T, Self> {
                $crate::Call::new(self.clone(), Ok(request))
            }

            /// A GET of any endpoint; the answer is the response whatever its status.
            ///
            /// The endpoint is relative to the base URL; slashes at its ends are put right and a
            /// query in it is taken over. Login headers are added when logged in. For a path that
            /// must not end in a slash, such as `openapi/json` on servers before 0.8.2, there is
            /// [`request`](Self::request).
            pub fn http_get(&self, endpoint: &str) -> $crate::Call<$crate::Response, Self> {
                self.http(http::Method::GET, endpoint)
            }

            /// A POST of any endpoint; see [`http_get`](Self::http_get) and
            /// [`Call::json`](crate::Call::json).
            pub fn http_post(&self, endpoint: &str) -> $crate::Call<$crate::Response, Self> {
                self.http(http::Method::POST, endpoint)
            }

            /// A PUT of any endpoint; see [`http_get`](Self::http_get) and
            /// [`Call::json`](crate::Call::json).
            pub fn http_put(&self, endpoint: &str) -> $crate::Call<$crate::Response, Self> {
                self.http(http::Method::PUT, endpoint)
            }

            /// A PATCH of any endpoint; see [`http_get`](Self::http_get) and
            /// [`Call::json`](crate::Call::json).
            pub fn http_patch(&self, endpoint: &str) -> $crate::Call<$crate::Response, Self> {
                self.http(http::Method::PATCH, endpoint)
            }

            /// A DELETE of any endpoint; see [`http_get`](Self::http_get).
            pub fn http_delete(&self, endpoint: &str) -> $crate::Call<$crate::Response, Self> {
                self.http(http::Method::DELETE, endpoint)
            }

            fn http(
                &self,
                method: http::Method,
                endpoint: &str,
            ) -> $crate::Call<$crate::Response, Self> {
                $crate::Call::new(self.clone(), $crate::client::raw_request(method, endpoint))
            }
        }

        $crate::client::resource_methods! { $client:
            clusters: Cluster
                [create_cluster retrieve_cluster retrieve_clusters update_cluster delete_cluster];
            requests: AllocationRequest
                [create_request retrieve_request retrieve_requests update_request delete_request];
            allocations: Allocation
                [create_allocation retrieve_allocation retrieve_allocations update_allocation
                 delete_allocation];
            reviews: Review
                [create_review retrieve_review retrieve_reviews update_review delete_review];
            comments: Comment
                [create_comment retrieve_comment retrieve_comments update_comment delete_comment];
            users: User [create_user retrieve_user retrieve_users update_user delete_user];
            teams: Team [create_team retrieve_team retrieve_teams update_team delete_team];
            memberships: Membership
                [create_membership retrieve_membership retrieve_memberships update_membership
                 delete_membership];
            grants: Grant [create_grant retrieve_grant retrieve_grants update_grant delete_grant];
            publications: Publication
                [create_publication retrieve_publication retrieve_publications update_publication
                 delete_publication];
            research_groups: legacy::ResearchGroup
                [create_research_group retrieve_research_group retrieve_research_groups
                 update_research_group delete_research_group];
        }
    };
}

macro_rules! resource_methods {
    ($client:ident: $(
        $accessor:ident: $($resource:ident)::+
            [$create:ident $retrieve:ident $list:ident $update:ident $delete:ident];
    )+) => {
        /// Resources.
        impl $client {
            $(
                #[doc = concat!(
                    "The verbs of [`", stringify!($($resource)::+), "`](crate::resources::",
                    stringify!($($resource)::+), ")."
                )]
                pub fn $accessor(
                    &self,
                ) -> $crate::Crud<$crate::resources::$($resource)::+, Self> {
                    self.resource()
                }

                #[doc = concat!(
                    "Short for `", stringify!($accessor), "().create(new)`: see [`Crud::create`]",
                    "(crate::Crud::create)."
                )]
                pub fn $create(
                    &self,
                    new: <$crate::resources::$($resource)::+ as $crate::resource::Create>::New,
                ) -> $crate::Call<$crate::resources::$($resource)::+, Self> {
                    self.$accessor().create(new)
                }

                #[doc = concat!(
                    "Short for `", stringify!($accessor), "().retrieve(id)`: see ",
                    "[`Crud::retrieve`](crate::Crud::retrieve)."
                )]
                pub fn $retrieve(
                    &self,
                    id: $crate::Id<$crate::resources::$($resource)::+>,
                ) -> $crate::Call<$crate::resources::$($resource)::+, Self> {
                    self.$accessor().retrieve(id)
                }

                #[doc = concat!(
                    "Short for `", stringify!($accessor), "().list()`: see [`Crud::list`]",
                    "(crate::Crud::list)."
                )]
                pub fn $list(
                    &self,
                ) -> $crate::List<$crate::resources::$($resource)::+, Self> {
                    self.$accessor().list()
                }

                #[doc = concat!(
                    "Short for `", stringify!($accessor), "().update(id, changes)`: see ",
                    "[`Crud::update`](crate::Crud::update)."
                )]
                pub fn $update<I>(
                    &self,
                    id: $crate::Id<$crate::resources::$($resource)::+>,
                    changes: impl FnOnce(
                        &<$crate::resources::$($resource)::+ as $crate::Resource>::Fields,
                    ) -> I,
                ) -> $crate::Call<$crate::resources::$($resource)::+, Self>
                where
                    I: IntoIterator<
                        Item = $crate::Change<$crate::resources::$($resource)::+>,
                    >,
                {
                    self.$accessor().update(id, changes)
                }

                #[doc = concat!(
                    "Short for `", stringify!($accessor), "().delete(id)`: see [`Crud::delete`]",
                    "(crate::Crud::delete)."
                )]
                pub fn $delete(
                    &self,
                    id: $crate::Id<$crate::resources::$($resource)::+>,
                ) -> $crate::Call<(), Self> {
                    self.$accessor().delete(id)
                }
            )+
        }
    };
}

pub(crate) use {client_methods, resource_methods};

/// The longest text that a version is taken to be.
const LONGEST_VERSION: usize = 100;

/// The request for the server's version, which is plain text in all versions.
pub(crate) fn version_request() -> Request<String> {
    let operation = Operation::new("retrieve", "version");
    let request = Request::new(operation, Method::GET, "version/", |response| {
        let response = response.error_for_status()?;
        let version = response.text()?.trim();
        if version.is_empty() || version.len() > LONGEST_VERSION || version.contains(['<', '\n']) {
            return Err(response
                .error(ErrorKind::NotKeystone)
                .with_note("the answer is not a version"));
        }
        Ok(version.to_owned())
    });
    request.without_login()
}

/// The request of a generic HTTP call.
pub(crate) fn raw_request(method: Method, endpoint: &str) -> Result<Request<Response>, Error> {
    let operation = match method {
        Method::POST => Operation::new("POST", ""),
        Method::PUT => Operation::new("PUT", ""),
        Method::PATCH => Operation::new("PATCH", ""),
        Method::DELETE => Operation::new("DELETE", ""),
        _ => Operation::new("GET", ""),
    };
    let (path, query) = parse_endpoint(endpoint).map_err(|problem| {
        // An endpoint that is none may be an address with a password in it; it is not repeated.
        Error::new(ErrorKind::InvalidRequest, operation).with_note(problem)
    })?;
    let request = Request::raw(operation, method, path);
    Ok(query.into_iter().fold(request, |request, (name, value)| request.with_query(name, value)))
}
