use crate::crud::Crud;
use crate::resources::legacy;

/// The resources of servers up to 0.4.1, by client `C`; see [`resources::legacy`](legacy).
///
/// ```
/// use keystone_client::{Dialect, ErrorKind};
/// # use keystone_client::sandbox::Sandbox;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let old = Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "admin-password").build();
/// # let (old, new) = (old.blocking_client()?, Sandbox::new().blocking_client()?);
/// old.login("admin", "admin-password")?; // at a server of version 0.3.26
/// assert!(old.legacy().research_groups().list().all()?.is_empty());
///
/// new.login("admin", "admin-password")?; // at one of version 0.10.9
/// let error = new.legacy().research_groups().list().all().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Unsupported);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "this does nothing by itself"]
pub struct Legacy<C> {
    client: C,
}

macro_rules! accessors {
    ($($accessor:ident: $resource:ident;)+) => {
        impl<C: Clone> Legacy<C> {
            pub(crate) fn new(client: C) -> Self {
                Self { client }
            }

            $(
                #[doc = concat!(
                    "The verbs of [`", stringify!($resource), "`](legacy::", stringify!($resource),
                    ")."
                )]
                pub fn $accessor(&self) -> Crud<legacy::$resource, C> {
                    Crud::new(self.client.clone())
                }
            )+
        }
    };
}

accessors! {
    allocations: Allocation;
    app_log: AppLogEntry;
    clusters: Cluster;
    grants: Grant;
    publications: Publication;
    request_log: RequestLogEntry;
    requests: AllocationRequest;
    research_groups: ResearchGroup;
    reviews: Review;
    task_results: TaskResult;
    users: User;
}
