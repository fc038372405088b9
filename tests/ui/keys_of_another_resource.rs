use keystone_client::Id;
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::{Grant, Team};

fn main() {}

fn keys(client: &KeystoneClient, grant: Grant) {
    let _ = client.retrieve_user(grant.team); //~ ERROR cannot be used where a value of type
    let user = Id::<keystone_client::resources::User>::new(1);
    let _ = client.grants().filter(|g| g.team.eq(user)); //~ ERROR cannot be used where a value of type
    let _: Id<Team> = grant.id; //~ ERROR mismatched types
}
