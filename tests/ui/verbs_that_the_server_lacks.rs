use keystone_client::Id;
use keystone_client::blocking::KeystoneClient;
use keystone_client::resources::NewTeam;

fn main() {}

fn verbs(client: &KeystoneClient, new: NewTeam) {
    let _ = client.audit_log().delete(Id::new(1)); //~ ERROR the server has no way to delete a
    let _ = client.task_results().update(Id::new(1), |_| []); //~ ERROR the server has no way to update a
    let _ = client.feed().retrieve(Id::new(1)); //~ ERROR the server has no way to retrieve a single
    let _ = client.teams().replace(Id::new(1), new); //~ ERROR the server has no way to replace a
    let _ = client.notifications().create(()); //~ ERROR the server has no way to create a
    let _ = client.attachments().list().search("budget"); //~ ERROR the server cannot search for records of
    let _ = client.clusters().list().stats(); //~ ERROR the server has no statistics over records of
}
