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

            /// The id under which the server logs the calls of this client. Entries of
            /// [`request_log`](Self::request_log) and [`audit_log`](Self::audit_log) have it in their
            /// field `cid`.
            pub fn correlation_id(&self) -> uuid::Uuid {
                $crate::client::Client::core(self).settings.correlation_id
            }

            /// Whether there is a login that has not expired, as far as this client knows. Asks
            /// nobody; [`whoami`](Self::whoami) asks the server.
            pub fn is_authenticated(&self) -> bool {
                let now = $crate::client::Client::now(self);
                $crate::client::Client::core(self).auth.is_authenticated(now.monotonic)
            }

            /// The way in which this server wants to be told who is asking; `None` before the
            /// first login.
            pub fn dialect(&self) -> Option<$crate::Dialect> {
                $crate::client::Client::core(self).auth.dialect()
            }

            /// The server's version, `0.0.0` for one that runs from a source tree:
            /// `GET /version/`. No login is needed, and none is sent along.
            pub fn version(&self) -> $crate::Call<String, Self> {
                self.request($crate::resources::system::version_request())
            }

            /// The server's configuration: `GET /config/`. Servers since 0.9.5.
            ///
            /// ```
            /// # use keystone_client::sandbox::Sandbox;
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let client = Sandbox::new().blocking_client()?;
            /// # client.login("admin", "admin-password")?;
            /// let config = client.config().send()?;
            /// assert!(config.max_upload_size >= 1_000_000, "too small for posters");
            /// println!("a login lasts {} hours", config.session_age.as_secs() / 3600);
            /// # Ok(()) }
            /// ```
            pub fn config(&self) -> $crate::Call<$crate::resources::ServerConfig, Self> {
                self.request($crate::resources::system::config_request())
            }

            /// Whether all parts of the server are well: `GET /health/`. That they are not is an
            /// answer, not an error. No login is needed, and none is sent along.
            pub fn is_healthy(&self) -> $crate::Call<bool, Self> {
                self.request($crate::resources::system::is_healthy_request())
            }

            /// How each part of the server is: `GET /health/json/`. No login is needed, and none is
            /// sent along.
            ///
            /// ```
            /// # use keystone_client::sandbox::Sandbox;
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let client = Sandbox::new().blocking_client()?;
            /// let health = client.health().send()?;
            /// for check in health.checks.iter().filter(|check| !check.is_healthy) {
            ///     eprintln!("{}: {}", check.name, check.error.as_deref().unwrap_or("unwell"));
            /// }
            /// # Ok(()) }
            /// ```
            pub fn health(&self) -> $crate::Call<$crate::resources::Health, Self> {
                self.request($crate::resources::system::health_request())
            }

            /// How each part of the server is, in the text format of Prometheus:
            /// `GET /health/prom/`. No login is needed, and none is sent along.
            pub fn health_metrics(&self) -> $crate::Call<String, Self> {
                self.request($crate::resources::system::health_metrics_request())
            }

            /// The server's specification of itself as JSON: `GET /openapi/json/`. Servers before
            /// 0.8.2 want a login.
            pub fn openapi_json(&self) -> $crate::Call<bytes::Bytes, Self> {
                self.request($crate::resources::system::openapi_request("openapi/json/"))
            }

            /// The server's specification of itself as YAML: `GET /openapi/yaml/`. Servers before
            /// 0.8.2 want a login.
            pub fn openapi_yaml(&self) -> $crate::Call<bytes::Bytes, Self> {
                self.request($crate::resources::system::openapi_request("openapi/yaml/"))
            }

            /// The labels of all codes of a kind, in the server's words; see
            /// [`Choices`](crate::resources::Choices).
            pub fn choices<K: $crate::resources::Choices>(
                &self,
            ) -> $crate::Call<std::collections::BTreeMap<K, String>, Self> {
                self.request($crate::resources::system::choices_request())
            }

            /// The records of servers up to 0.4.1; see [`legacy`](mod@crate::resources::legacy).
            pub fn legacy(&self) -> $crate::Legacy<Self> {
                $crate::Legacy::new(self.clone())
            }

            /// Whether the server can do something; `None` where what is known of it does not tell.
            ///
            /// Asks nobody: what is known comes from the dialect, from
            /// [`ClientBuilder::server_version`](crate::ClientBuilder::server_version), and from a
            /// call of [`version`](Self::version).
            ///
            /// ```
            /// use keystone_client::capability::Capability;
            /// # use keystone_client::sandbox::Sandbox;
            ///
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let client = Sandbox::new().blocking_client()?;
            /// assert_eq!(client.supports(Capability::Batch), None);
            /// client.version().send()?;
            /// assert_eq!(client.supports(Capability::Batch), Some(true));
            /// # Ok(()) }
            /// ```
            pub fn supports(&self, capability: $crate::capability::Capability) -> Option<bool> {
                $crate::client::Client::core(self).server().offers(capability)
            }

            /// What the server has said so far that this crate does not know; nothing without
            /// [`ClientBuilder::watch_drift`](crate::ClientBuilder::watch_drift).
            pub fn drift(&self) -> $crate::drift::Drift {
                let drift = &$crate::client::Client::core(self).drift;
                drift.as_ref().map(|log| log.report()).unwrap_or_default()
            }

            /// The verbs of a resource, for resources defined elsewhere; see
            /// [`resource!`](crate::resource!).
            pub fn resource<R: $crate::Resource>(&self) -> $crate::Crud<R, Self> {
                $crate::Crud::new(self.clone())
            }

            /// Reads the record that a key points to: the key knows its resource.
            ///
            /// ```
            /// # use keystone_client::{resources::{NewGrant, NewTeam}, sandbox::Sandbox};
            /// # use jiff::civil::date;
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let client = Sandbox::new().blocking_client()?;
            /// # client.login("admin", "admin-password")?;
            /// # let team = client.create_team(NewTeam::new("Folding")).send()?.id;
            /// # client.create_grant(NewGrant::new("Proteins", "NSF", 1000, date(2026, 1, 1), team)).send()?;
            /// let grant = client.grants().list().one().send()?;
            /// let team = client.retrieve(grant.team).send()?; // a `Team`
            /// assert_eq!(team.name, "Folding");
            /// # Ok(()) }
            /// ```
            pub fn retrieve<R: $crate::resource::Retrieve>(
                &self,
                id: $crate::Id<R>,
            ) -> $crate::Call<R::Model, Self> {
                self.resource::<R>().retrieve(id)
            }

            /// A batch job, to be filled with steps; see [`Batch`](crate::Batch). Servers since 0.10.0.
            pub fn batch(&self) -> $crate::Batch<Self> {
                $crate::Batch::new(self.clone())
            }

            /// A call of a request that was put together elsewhere; see
            /// [`Request`](crate::request::Request).
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
            ///
            /// ```
            /// # use keystone_client::sandbox::Sandbox;
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let client = Sandbox::new().blocking_client()?;
            /// # client.login("admin", "admin-password")?;
            /// let response = client.http_get("users/users").query("_limit", 1).send()?;
            /// assert_eq!(response.headers()["content-type"], "application/json");
            /// // Whatever the status, it is an answer, until it is asked whether it is a success.
            /// let error = client.http_get("users/users/99").send()?.error_for_status().unwrap_err();
            /// assert!(error.is_not_found());
            /// # Ok(()) }
            /// ```
            pub fn http_get(&self, endpoint: &str) -> $crate::Call<$crate::Response, Self> {
                self.http(http::Method::GET, endpoint)
            }

            /// A POST of any endpoint; see [`http_get`](Self::http_get) and
            /// [`Call::json`](crate::Call::json).
            ///
            /// ```
            /// # use keystone_client::sandbox::Sandbox;
            /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
            /// # let client = Sandbox::new().blocking_client()?;
            /// # client.login("admin", "admin-password")?;
            /// use keystone_client::serde_json::{Value, json};
            ///
            /// let new = json!({ "name": "Folding" });
            /// let team: Value = client.http_post("users/teams").json(&new).send()?.error_for_status()?.json()?;
            /// assert_eq!(team["slug"], "folding");
            /// # Ok(()) }
            /// ```
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
            clusters: Cluster [
                create create_cluster, retrieve retrieve_cluster, list retrieve_clusters,
                update update_cluster, delete delete_cluster,
            ];
            requests: AllocationRequest [
                create create_request, retrieve retrieve_request, list retrieve_requests,
                update update_request, delete delete_request,
            ];
            allocations: Allocation [
                create create_allocation, retrieve retrieve_allocation,
                list retrieve_allocations, update update_allocation,
                delete delete_allocation,
            ];
            reviews: Review [
                create create_review, retrieve retrieve_review, list retrieve_reviews,
                update update_review, delete delete_review,
            ];
            attachments: Attachment [
                create create_attachment, retrieve retrieve_attachment, list retrieve_attachments,
                update update_attachment, delete delete_attachment,
            ];
            comments: Comment [
                create create_comment, retrieve retrieve_comment, list retrieve_comments,
                update update_comment, delete delete_comment,
            ];
            users: User [
                create create_user, retrieve retrieve_user, list retrieve_users,
                update update_user, delete delete_user,
            ];
            teams: Team [
                create create_team, retrieve retrieve_team, list retrieve_teams,
                update update_team, delete delete_team,
            ];
            memberships: Membership [
                create create_membership, retrieve retrieve_membership,
                list retrieve_memberships, update update_membership,
                delete delete_membership,
            ];
            grants: Grant [
                create create_grant, retrieve retrieve_grant, list retrieve_grants,
                update update_grant, delete delete_grant,
            ];
            publications: Publication [
                create create_publication, retrieve retrieve_publication,
                list retrieve_publications, update update_publication,
                delete delete_publication,
            ];
            notifications: Notification [
                retrieve retrieve_notification, list retrieve_notifications,
                update update_notification,
            ];
            preferences: Preference [
                create create_preference, retrieve retrieve_preference,
                list retrieve_preferences, update update_preference,
                delete delete_preference,
            ];
            audit_log: AuditLogEntry [];
            request_log: RequestLogEntry [];
            task_results: TaskResult [];
            feed: FeedEntry [];
            research_groups: legacy::ResearchGroup [
                create create_research_group, retrieve retrieve_research_group,
                list retrieve_research_groups, update update_research_group,
                delete delete_research_group,
            ];
        }
    };
}

/// Generates an accessor for each resource, and its dedicated methods.
macro_rules! resource_methods {
    ($client:ident: $(
        $accessor:ident: $($resource:ident)::+ [$($methods:tt)*];
    )+) => {
        /// Resources: for each the method that gives its verbs, and short forms of some of them.
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

                $crate::client::resource_methods! {
                    @all $accessor [$crate::resources::$($resource)::+] [$($methods)*]
                }
            )+
        }
    };

    (@all $accessor:ident [$resource:path] [$($verb:ident $method:ident),* $(,)?]) => {
        $($crate::client::resource_methods! { @$verb $method $accessor $resource })*
    };

    (@create $method:ident $accessor:ident $resource:path) => {
        #[doc = concat!(
            "Short for `", stringify!($accessor), "().create(new)`: see [`Crud::create`]",
            "(crate::Crud::create)."
        )]
        pub fn $method(
            &self,
            new: <$resource as $crate::resource::Create>::New,
        ) -> $crate::Call<$resource, Self> {
            self.$accessor().create(new)
        }
    };

    (@retrieve $method:ident $accessor:ident $resource:path) => {
        #[doc = concat!(
            "Short for `", stringify!($accessor), "().retrieve(id)`: see [`Crud::retrieve`]",
            "(crate::Crud::retrieve)."
        )]
        pub fn $method(
            &self,
            id: impl $crate::IntoInput<$crate::Id<$resource>>,
        ) -> $crate::Call<$resource, Self> {
            self.$accessor().retrieve(id)
        }
    };

    (@list $method:ident $accessor:ident $resource:path) => {
        #[doc = concat!(
            "Short for `", stringify!($accessor), "().list()`: see [`Crud::list`]",
            "(crate::Crud::list)."
        )]
        pub fn $method(&self) -> $crate::List<$resource, Self> {
            self.$accessor().list()
        }
    };

    (@update $method:ident $accessor:ident $resource:path) => {
        #[doc = concat!(
            "Short for `", stringify!($accessor), "().update(id, changes)`: see ",
            "[`Crud::update`](crate::Crud::update)."
        )]
        pub fn $method<I>(
            &self,
            id: impl $crate::IntoInput<$crate::Id<$resource>>,
            changes: impl FnOnce(&<$resource as $crate::Resource>::Fields) -> I,
        ) -> $crate::Call<$resource, Self>
        where
            I: IntoIterator<Item = $crate::Change<$resource>>,
        {
            self.$accessor().update(id, changes)
        }
    };

    (@delete $method:ident $accessor:ident $resource:path) => {
        #[doc = concat!(
            "Short for `", stringify!($accessor), "().delete(id)`: see [`Crud::delete`]",
            "(crate::Crud::delete)."
        )]
        pub fn $method(
            &self,
            id: impl $crate::IntoInput<$crate::Id<$resource>>,
        ) -> $crate::Call<(), Self> {
            self.$accessor().delete(id)
        }
    };
}

pub(crate) use {client_methods, resource_methods};

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
    let request = Request::raw(operation, method, path).verbatim();
    Ok(query.into_iter().fold(request, |request, (name, value)| request.with_query(name, value)))
}
