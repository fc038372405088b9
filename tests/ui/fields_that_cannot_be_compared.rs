use keystone_client::Id;
use keystone_client::blocking::KeystoneClient;

fn main() {}

fn filters(client: &KeystoneClient) {
    let _ = client.requests().filter(|r| r.assignees.eq([Id::new(1)])); //~ ERROR cannot be compared by the server
    let _ = client.preferences().filter(|p| p.user.eq(Id::new(1))); //~ ERROR the server does not filter by this field: it would ignore the filter
    let _ = client.requests().filter(|r| r.title.lt("m")); //~ ERROR so `lt` and its kin do not exist
    let _ = client.requests().filter(|r| r.title.is_null(true)); //~ ERROR is never null
    let _ = client.clusters().filter(|c| c.enabled.is_in([true])); //~ ERROR the server cannot look up lists of `bool`
    let _ = client.requests().filter(|r| r.team.lt(Id::new(1))); //~ ERROR so `lt` and its kin do not exist
    let _ = client.requests().filter(|r| r.expire.hour(7)); //~ ERROR has no time parts
    let _ = client.users().filter(|u| u.username.year(2026)); //~ ERROR has no date parts
    let _ = client.users().filter(|u| u.password.eq("secret")); //~ ERROR the server does not filter by this field: it would ignore the filter
    let _ = client.users().filter(|u| u.usernme.eq("ada")); //~ ERROR no field `usernme`
    let _ = client.users().filter(|u| u.is_staff.eq("yes")); //~ ERROR cannot be used where a value of type
    let _ = client.audit_log().filter(|a| a.record_name.eq("users | Team")); //~ ERROR no field `record_name`
    let _ = client.grants().filter(|g| g.amount.contains("7")); //~ ERROR is not text, so it contains nothing
}
