//! Bulk writes and a server: all of them together, limits included.

use std::fs;

use jiff::civil::date;
use keystone_client::ErrorKind;
use keystone_client::Id;
use keystone_client::resources::{NewAttachment, NewGrant};
use keystone_client::sandbox::Sandbox;
use keystone_client::upload::Upload;
use serde_json::json;

use super::letters;
use crate::support::both_colours;
use crate::support::target::Target;

fn server(sandbox: Sandbox) -> Sandbox {
    let team = sandbox.insert("users/teams", json!({ "name": "Folding" })).unwrap();
    sandbox
        .insert(
            "allocations/requests",
            json!({ "id": 7, "title": "t", "description": "d", "submitter": 1, "team": team }),
        )
        .unwrap();
    sandbox
}

/// Statuses of the jobs that the server has got.
fn jobs(sandbox: &Sandbox) -> Vec<u16> {
    let requests = sandbox.requests();
    let jobs = requests.iter().filter(|request| request.path() == "/batch/");
    jobs.map(|request| request.status().unwrap().as_u16()).collect()
}

both_colours! {
    /// The client plans its pace, so that the server has nothing to refuse.
    fn a_server_with_its_usual_limit_refuses_nothing() {
        let sandbox = server(Sandbox::builder().staff("admin", "admin-password").default_rate_limits().build());
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let rows = (0..700).map(|row| NewGrant::new(format!("Grant {row}"), "NSF", row, date(2026, 1, 1), Id::new(1)));
        let report = go!(client.grants().create_many(rows));
        assert!(report.is_complete(), "{report}");
        assert_eq!(jobs(&sandbox), [200; 8]);
        assert_eq!(go!(client.grants().list().count()).unwrap(), 700);

        // Others have used up the minute: the job is refused, waited out, and then carried out.
        let other = client!(sandbox.clone());
        go!(other.login("admin", "admin-password")).unwrap();
        sandbox.advance(std::time::Duration::from_secs(61));
        for _ in 0..250 {
            go!(other.http_get("users/teams")).unwrap();
        }
        let rows = (0..98).map(|row| NewGrant::new(format!("More {row}"), "NSF", row, date(2026, 1, 1), Id::new(1)));
        let report = go!(client.grants().create_many(rows));
        assert!(report.is_complete(), "{report}");
        assert_eq!(jobs(&sandbox)[8..], [422, 200]);
    }

    /// One file that cannot be sent is the fault of its row alone.
    fn files_that_cannot_be_sent_fail_by_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["a.txt", "b.txt", "d.txt"] {
            fs::write(path(name), name).unwrap();
        }
        let sandbox = server(Sandbox::new());
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let rows = ["a.txt", "b.txt", "gone.txt", "d.txt"]
            .map(|name| NewAttachment::new(Id::new(7), Upload::path(path(name))));
        let report = go!(client.attachments().create_many(rows));
        assert_eq!(letters(&report), "ddfd");
        assert_eq!(report.failed().next().unwrap().1.kind(), ErrorKind::InvalidRequest);
        assert_eq!(go!(client.attachments().list().count()).unwrap(), 3);
    }

    fn many_are_created_changed_and_deleted() {
        let Some(server) = Target::session() else {
            return;
        };
        let team = server.insert("users/teams", json!({ "name": server.name("Folding") }));
        let team = Id::new(team);
        let client = client!(server.clone(), |builder| builder.requests_per_minute(1_000_000));
        go!(client.login(server.username(), server.password())).unwrap();
        let rows = (0..250).map(|row| {
            let title = if row % 100 == 99 { String::new() } else { format!("Grant {row}") };
            NewGrant::new(title, "NSF", row, date(2026, 1, 1), team)
        });
        let report = go!(client.grants().create_many(rows).chunk_size(40));
        assert_eq!(report.to_string(), "248 of 250 rows done, 2 failed");
        let failed: Vec<usize> = report.failed().map(|(row, _)| row).collect();
        assert_eq!(failed, [99, 199]);
        let grants = go!(client.grants().filter(|g| g.team.eq(team)).all()).unwrap();
        let same: Vec<_> = report.done().map(|(_, grant)| grant.id).collect();
        assert_eq!(grants.iter().map(|grant| grant.id).collect::<Vec<_>>(), same);

        let report = go!(client.grants().update_many(&grants, |grant, g| {
            (grant.id, [g.title.set(format!("{}!", grant.title))])
        }));
        let changed = report.into_result().unwrap();
        assert!(changed.iter().zip(&grants).all(|(new, old)| new.title == format!("{}!", old.title)));

        let report = go!(client.grants().delete_many(grants.iter().map(|grant| grant.id)));
        assert!(report.is_complete());
        assert_eq!(go!(client.grants().filter(|g| g.team.eq(team)).count()).unwrap(), 0);
    }
}
