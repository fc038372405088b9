use keystone_client::Id;
use keystone_client::blocking::KeystoneClient;

fn main() {}

fn filters(client: &KeystoneClient) {
    let _ = client.requests().filter(|r| r.assignees.eq([Id::new(1)])); //~ ERROR cannot be compared by the server
    let _ = client.preferences().filter(|p| p.user.eq(Id::new(1))); //~ ERROR the server does not filter by this field: it would ignore the filter
    let _ = client.requests().filter(|r| r.title.lt("m")); //~ ERROR so `lt` and its kin do not exist
    let _ = client.requests().filter(|r| r.title.is_null(true)); //~ ERROR is never null
    let _ = client.clusters().filter(|c| c.enabled.is_in([true])); //~ ERROR the server cannot look up lists of `bool`
    let _ = client.grants().filter(|g| g.amount.contains("7")); //~ ERROR is not text, so it contains nothing
}
