use keystone_client::Id;
use keystone_client::blocking::KeystoneClient;

fn main() {}

fn changes(client: &KeystoneClient) {
    let _ = client.teams().update(Id::new(1), |t| [t.slug.set("folding")]); //~ ERROR this field is read-only: the server sets it
    let _ = client.teams().update(Id::new(1), |t| [t.name.set("Folding")]); //~ ERROR this field is read-only: the server sets it
    let _ = client.clusters().update(Id::new(1), |c| [c.name.set(None)]); //~ ERROR cannot be used where a value of type
}
