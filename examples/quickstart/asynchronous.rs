use std::error::Error;
use std::process;

use keystone_client::backend::{IsahcBackend, ReqwestBackend};
use keystone_client::jiff::{ToSpan, Zoned};
use keystone_client::resources::{
    Allocation, AllocationRequest, Cluster, NewAllocation, NewAllocationRequest, NewCluster,
    NewTeam, RequestStatus, Team,
};
use keystone_client::{Dialect, Id, KeystoneClient};

use crate::Target;
use crate::report::Report;

/// Runs the walk on a runtime of its own.
pub fn run(target: &Target, backend: &str, report: &Report) -> Result<(), Box<dyn Error>> {
    let builder = KeystoneClient::builder(&target.url);
    let client = match backend {
        "reqwest" => builder.backend(ReqwestBackend::new()?).build()?,
        "isahc" => builder.backend(IsahcBackend::new()?).build()?,
        other => return Err(format!("the async client has no backend `{other}`").into()),
    };
    report.heading(format!("Keystone at {}, async client over {backend}", client.base_url()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        client.login(target.username.as_str(), target.password.as_str()).await?;
        if client.dialect() == Some(Dialect::Jwt) {
            client.logout().await?;
            return Err("this walk creates a team, which servers before 0.5 do not have".into());
        }
        let mut created = Created::default();
        let outcome = walk(&client, report, &mut created).await;
        created.delete(&client, report).await;
        let logout = client.logout().await;
        report.step("log out", format!("logged in: {}", client.is_authenticated()));
        outcome?;
        logout?;
        report.finish()
    })
}

/// What there is to delete in the end.
#[derive(Default)]
struct Created {
    cluster: Option<Id<Cluster>>,
    team: Option<Id<Team>>,
    request: Option<Id<AllocationRequest>>,
    allocation: Option<Id<Allocation>>,
}

impl Created {
    /// Deletes in the order in which the records depend on each other, whatever fails.
    async fn delete(self, client: &KeystoneClient, report: &Report) {
        if let Some(id) = self.allocation {
            let outcome = client.delete_allocation(id).await;
            report.deletion("delete the allocation", id, outcome);
        }
        if let Some(id) = self.request {
            report.deletion("delete the request", id, client.delete_request(id).await);
        }
        if let Some(id) = self.team {
            report.deletion("delete the team", id, client.delete_team(id).await);
        }
        if let Some(id) = self.cluster {
            report.deletion("delete the cluster", id, client.delete_cluster(id).await);
        }
    }
}

async fn walk(
    client: &KeystoneClient,
    report: &Report,
    created: &mut Created,
) -> Result<(), Box<dyn Error>> {
    let user = client.whoami().await?.ok_or("the server does not know who we are")?;
    report.step("log in", format!("{} (#{})", user.username, user.id));
    report.step("ask for the version", client.version().await?);

    // Names have to be unique on a server that others use as well.
    let tag = process::id();
    let today = Zoned::now().date();

    let cluster = client.create_cluster(NewCluster::new(format!("quickstart-{tag}"))).await?;
    created.cluster = Some(cluster.id);
    report.step("create a cluster", format!("#{} {}", cluster.id, cluster.name));

    let team = client.create_team(NewTeam::new(format!("Quickstart {tag}"))).await?;
    created.team = Some(team.id);
    report.step("create a team", format!("#{} {} ({})", team.id, team.name, team.slug));

    let request = NewAllocationRequest::new(
        "Folding at scale",
        "Ten million trajectories of a small protein.",
        user.id,
        team.id,
    );
    let request = client.create_request(request.expire(today + 60.days())).await?;
    created.request = Some(request.id);
    report.step("create a request", format!("#{} {:?}", request.id, request.title));

    let allocation = NewAllocation::new(50_000, cluster.id, request.id);
    let allocation = client.create_allocation(allocation).await?;
    created.allocation = Some(allocation.id);
    report.step(
        "create an allocation",
        format!("#{}, {} service units requested", allocation.id, allocation.requested),
    );

    let expiring = client
        .retrieve_requests()
        .filter(|r| r.team.eq(team.id))
        .filter(|r| r.expire.gte(today))
        .filter(|r| r.expire.lt(today + 90.days()))
        .order_by(|r| r.expire.asc())
        .all()
        .await?;
    report.step("list with a filter", format!("{} expire within 90 days", expiring.len()));
    for request in &expiring {
        let expire = request.expire.map_or("never".to_owned(), |date| date.to_string());
        report.detail(format!("{}: {expire}, {}", request.title, request.status));
    }

    let request = client
        .update_request(request.id, |r| {
            [r.status.set(RequestStatus::Approved), r.active.set(today), r.expire.set(None)]
        })
        .await?;
    report.step("approve the request", format!("status {}, no expiry", request.status));

    let award = client.update_allocation(allocation.id, |a| [a.awarded.set(40_000)]).await?;
    report.step(
        "award service units",
        format!("{} of {}", award.awarded.unwrap_or_default(), award.requested),
    );

    let raw = client.http_get("users/teams").query("slug", &team.slug).await?;
    report.step("call any endpoint", format!("{}, {} bytes", raw.status(), raw.bytes().len()));

    let gone = client.retrieve_allocation(Id::new(u64::from(u32::MAX))).optional().await?;
    report.step("ask for a missing record", format!("{:?}", gone.map(|record| record.id)));

    let error = client.create_team(NewTeam::new(team.name.as_str())).await.unwrap_err();
    report.step("make a mistake", error);
    Ok(())
}
