use keystone_client::jiff::civil::date;
use keystone_client::batch::StepRef;
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::{Cluster, NewGrant, NewTeam};

fn main() {}

fn steps(client: &KeystoneClient, cluster: StepRef<Cluster>, gone: StepRef<()>) {
    let _ = NewGrant::new("Title", "NSF", 1000, date(2026, 1, 1), cluster); //~ ERROR type mismatch resolving
    let _ = client.teams().retrieve(gone); //~ ERROR type mismatch resolving
    let _ = client.grants().filter(|g| g.team.eq(cluster)); //~ ERROR type mismatch resolving
    let _ = NewTeam::new(cluster.field(|c| c.enabled)); //~ ERROR cannot be used where a value of type
    let _ = client.grants().update(keystone_client::Id::new(1), |g| [g.team.set(cluster)]); //~ ERROR type mismatch resolving
}
