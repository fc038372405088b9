use keystone_client::Id;
use keystone_client::blocking::KeystoneClient;

fn main() {}

fn methods(client: &KeystoneClient) {
    let _ = client.delete_notification(Id::new(1)); //~ ERROR no method named `delete_notification`
}
