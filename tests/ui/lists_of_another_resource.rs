use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::{Allocation, Cluster, User};
use keystone_client::{Cursor, Filter, Id, Query, Resource};

fn main() {}

fn lists(client: &KeystoneClient, filter: Filter<Cluster>, query: Query<Cluster>, cursor: &Cursor<Cluster>) {
    let _ = client.users().list().matching(filter.clone()); //~ ERROR mismatched types
    let _ = client.users().query(query); //~ ERROR mismatched types
    let _ = client.users().list().iter().resume(cursor); //~ ERROR mismatched types
    let enabled = Cluster::FIELDS.enabled;
    let _ = client.users().filter(|_| enabled.eq(true)); //~ ERROR mismatched types
    let _ = client.users().order_by(|_| enabled.asc()); //~ ERROR mismatched types
    let ids: Vec<Id<User>> = Vec::new();
    let _ = client.clusters().filter(|c| c.id.is_in(ids)); //~ ERROR cannot be used where a value of type
    let resolved = client.resolve_all([Id::<Allocation>::new(1)]);
    let _ = resolved.map(|resolved| resolved.get(Id::<Cluster>::new(1)).is_some()); //~ ERROR mismatched types
}
