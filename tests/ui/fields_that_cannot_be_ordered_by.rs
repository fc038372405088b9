use keystone_client::blocking::KeystoneClient;

fn main() {}

fn orders(client: &KeystoneClient) {
    let _ = client.audit_log().order_by(|a| a.action.asc()); //~ ERROR the server does not order by this field: it would ignore that
    let _ = client.audit_log().order_by(|a| a.object_repr.desc()); //~ ERROR the server does not order by this field: it would ignore that
    let _ = client.clusters().order_by(|c| c.access_teams.asc()); //~ ERROR cannot be compared by the server
    let _ = client.users().order_by(|u| u.password.asc()); //~ ERROR the server does not order by this field: it would ignore that
    let _ = client.users().order_by(|u| u.display_name.asc()); //~ ERROR no field `display_name`
    let _ = client.preferences().order_by(|p| p.user.asc()); //~ ERROR the server does not order by this field: it would ignore that
}
