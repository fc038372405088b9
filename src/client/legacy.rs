use crate::crud::Crud;
use crate::resources::legacy;

/// The resources of servers up to 0.4.1, by client `C`; see [`resources::legacy`](legacy).
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
