/// The options of what takes several requests, which hold for each of them. The type says by a
/// method `with_options` where they are kept.
macro_rules! options_of_each_request {
    () => {
        /// Bounds each attempt of each request; see [`Call::timeout`](crate::Call::timeout).
        pub fn timeout(self, timeout: ::std::time::Duration) -> Self {
            self.with_options(|options| options.timeout = Some(timeout))
        }

        /// Sets how often and how patiently each request is repeated; see
        /// [`Call::retry`](crate::Call::retry).
        pub fn retry(self, policy: $crate::RetryPolicy) -> Self {
            self.with_options(|options| options.retry = Some(policy))
        }

        /// Sets the id under which the server logs the requests; see
        /// [`Call::correlation_id`](crate::Call::correlation_id).
        pub fn correlation_id(self, id: ::uuid::Uuid) -> Self {
            self.with_options(|options| options.correlation_id = Some(id))
        }
    };
}

pub(crate) use options_of_each_request;
