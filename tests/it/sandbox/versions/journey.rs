//! Login, work, logout on servers of many versions.

use jiff::civil::date;
use keystone_client::resources::{
    Grant, MembershipRole, NewAllocation, NewAllocationRequest, NewCluster, NewComment,
    NewMembership, NewReview, NewTeam, RequestStatus, ReviewStatus, legacy,
};
use keystone_client::{Dialect, ErrorKind, Id};
use serde_json::json;

use super::{VERSIONS, server};
use crate::support::both_colours;

fn has_teams(version: &str) -> bool {
    !matches!(version, "0.3.26" | "0.4.1")
}

both_colours! {
    fn logins_and_logouts() {
        for version in VERSIONS {
            let sandbox = server(version);
            let client = client!(sandbox.clone());
            assert_eq!(go!(client.whoami()).unwrap(), None);
            let error = go!(client.login("admin", "wrong")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidCredentials, "{version}");
            let error = go!(client.users().list().all()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotLoggedIn, "{version} {error}");
            go!(client.login("admin", "admin-password")).unwrap();
            let dialect = if *version == "0.3.26" { Dialect::Jwt } else { Dialect::Session };
            assert_eq!(client.dialect(), Some(dialect));
            assert_eq!(go!(client.version()).unwrap(), *version);
            assert_eq!(go!(client.whoami()).unwrap().unwrap().username, "admin");

            // The login ends by the way, and what is sent then is refused in the words of the version.
            sandbox.expire_sessions();
            sandbox.advance(std::time::Duration::from_secs(86_401));
            let error = go!(client.users().list().all()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::SessionExpired, "{version} {error}");
            go!(client.login("admin", "admin-password")).unwrap();
            go!(client.logout()).unwrap();
            assert!(!client.is_authenticated());
            assert_eq!(go!(client.whoami()).unwrap(), None);
            let statuses: Vec<_> = sandbox.requests().iter().map(|it| it.status().unwrap().as_u16()).collect();
            assert!(statuses.iter().all(|status| *status < 500), "{version} {statuses:?}");
        }
    }

    fn users_and_clusters() {
        for version in VERSIONS {
            let client = client!(server(version));
            go!(client.login("admin", "admin-password")).unwrap();
            let ada = go!(client.users().filter(|u| u.username.eq("ada")).one()).unwrap();
            assert_eq!((ada.id, ada.is_staff), (Id::new(2), false));
            let ada = go!(client.update_user(ada.id, |u| [u.department.set("Physics")])).unwrap();
            assert_eq!(ada.department.as_deref(), Some("Physics"));
            assert_eq!(go!(client.users().list().count()).unwrap(), 2);

            let mut ids = Vec::new();
            for name in ["atlas", "borealis", "cygnus"] {
                ids.push(go!(client.create_cluster(NewCluster::new(name))).unwrap().id);
            }
            let all = go!(client.clusters().list().page_size(2).all()).unwrap();
            assert_eq!(all.iter().map(|it| it.id).collect::<Vec<_>>(), ids, "{version}");
            let some = go!(client.clusters().filter(|c| c.name.starts_with("b")).all()).unwrap();
            assert_eq!(some[0].name, "borealis");
            let cluster = go!(client.update_cluster(ids[0], |c| [c.enabled.set(false)])).unwrap();
            assert!(!cluster.enabled);
            let replaced = go!(client.clusters().replace(ids[1], NewCluster::new("draco"))).unwrap();
            assert_eq!(replaced.name, "draco");
            let descending = client.clusters().order_by(|c| c.name.desc());
            if has_teams(version) {
                let descending = go!(descending.all()).unwrap();
                assert_eq!(descending[0].name, "draco", "{version}");
                assert_eq!(go!(client.clusters().list().search("CYG").all()).unwrap().len(), 1);
            } else {
                assert_eq!(go!(descending.all()).unwrap_err().kind(), ErrorKind::Unsupported);
            }
            go!(client.delete_cluster(ids[0])).unwrap();
            assert!(go!(client.retrieve_cluster(ids[0])).unwrap_err().is_not_found());
            assert_eq!(go!(client.clusters().list().count()).unwrap(), 2);
        }
    }

    fn teams_and_their_requests() {
        for version in VERSIONS.iter().filter(|version| has_teams(version)) {
            let client = client!(server(version));
            go!(client.login("admin", "admin-password")).unwrap();
            let ada = Id::new(2);
            let team = go!(client.create_team(NewTeam::new("Folding"))).unwrap();
            let new = NewMembership::new(ada, team.id, MembershipRole::Member);
            let member = go!(client.create_membership(new)).unwrap();
            let member = go!(client.update_membership(member.id, |m| [
                m.role.set(MembershipRole::Owner),
            ]));
            assert_eq!(member.unwrap().role, MembershipRole::Owner, "{version}");
            let team = go!(client.retrieve_team(team.id)).unwrap();
            assert_eq!(team.users, [ada]);
            let shows_members = *version != "0.5.17";
            assert_eq!(team.memberships.len(), usize::from(shows_members), "{version}");

            let new = NewAllocationRequest::new("Title", "What for", ada, team.id);
            let request = go!(client.create_request(new.expire(date(2027, 1, 31)))).unwrap();
            assert_eq!(request.status, RequestStatus::Pending);
            assert_eq!(request.team_summary.is_some(), shows_members);
            assert_eq!(request.submitter, Some(ada));
            let cluster = go!(client.create_cluster(NewCluster::new("atlas"))).unwrap();
            let new = NewAllocation::new(5000, cluster.id, request.id);
            let allocation = go!(client.create_allocation(new)).unwrap();
            let review = go!(client.create_review(NewReview::new(ReviewStatus::Approved, request.id)));
            assert_eq!(review.unwrap().reviewer, Some(Id::new(1)));
            let request = go!(client.update_request(request.id, |r| [
                r.status.set(RequestStatus::Approved),
            ]));
            assert_eq!(request.unwrap().status, RequestStatus::Approved);
            let expiring = client
                .requests()
                .filter(|r| r.team.eq(team.id))
                .filter(|r| r.expire.lt(date(2027, 2, 1)))
                .order_by(|r| r.expire.asc());
            let expiring = go!(expiring.all()).unwrap();
            assert_eq!(expiring.len(), 1, "{version}");
            if shows_members {
                let comment = NewComment::new("Fine.", expiring[0].id);
                assert_eq!(go!(client.create_comment(comment)).unwrap().content, "Fine.");
                let history = &go!(client.retrieve_request(expiring[0].id)).unwrap().history;
                assert_eq!(history.is_empty(), *version == "0.6.3", "{version}");
            }
            go!(client.delete_allocation(allocation.id)).unwrap();
            go!(client.delete_request(expiring[0].id)).unwrap();
            go!(client.delete_team(team.id)).unwrap();
            assert_eq!(go!(client.memberships().list().count()).unwrap(), 0);
        }
    }

    fn grants_of_all_ages_are_read() {
        for version in VERSIONS.iter().filter(|version| has_teams(version)) {
            let sandbox = server(version);
            let team = sandbox.insert("users/teams", json!({ "name": "Folding" })).unwrap();
            let grant = json!({
                "title": "t", "agency": "NSF", "amount": "1.50", "grant_number": "7",
                "fiscal_year": 2026, "start_date": "2026-01-01", "end_date": "2026-12-31",
                "team": team,
            });
            let grant = sandbox.insert("research/grants", grant).unwrap();
            let publication = json!({
                "title": "t", "abstract": "a", "journal": "j", "date": "2026-01-01", "team": team,
            });
            sandbox.insert("research/publications", publication).unwrap();
            let request = json!({
                "title": "t", "description": "d", "submitter": 1, "team": team, "grants": [grant],
            });
            let request = sandbox.insert("allocations/requests", request).unwrap();
            let client = client!(sandbox);
            go!(client.login("ada", "ada-password")).unwrap();
            assert_eq!(go!(client.grants().list().all()).unwrap(), [], "for members of the team");
            go!(client.login("admin", "admin-password")).unwrap();
            let grants: Vec<Grant> = go!(client.grants().list().all()).unwrap();
            assert_eq!(grants[0].grant_number.as_deref(), Some("7"));
            assert_eq!(go!(client.publications().list().all()).unwrap().len(), 1);
            let request = go!(client.retrieve_request(Id::new(request))).unwrap();
            assert_eq!(request.grants, [Id::new(grant)], "{version}");
        }
    }

    fn research_groups_and_their_requests() {
        for version in VERSIONS.iter().filter(|version| !has_teams(version)) {
            let client = client!(server(version));
            go!(client.login("admin", "admin-password")).unwrap();
            let ada: Id<legacy::User> = Id::new(2);
            let group = legacy::NewResearchGroup::new("Folding", ada).members([ada]);
            let group = go!(client.create_research_group(group)).unwrap();
            let requests = client.legacy().requests();
            let new = legacy::NewAllocationRequest::new("Title", "What for", group.id);
            let request = go!(requests.create(new.expire(date(2027, 1, 31)))).unwrap();
            let listed = requests.filter(|r| r.expire.lt(date(2027, 2, 1)));
            assert_eq!(go!(listed.all()).unwrap()[0], request, "{version}");
            let request = go!(requests.update(request.id, |r| [r.title.set("New")])).unwrap();
            assert_eq!(request.title, "New");
            let error = go!(client.requests().list().all()).unwrap_err();
            assert!(error.to_string().contains("resources::legacy"), "{error}");
            go!(requests.delete(request.id)).unwrap();
            go!(client.delete_research_group(group.id)).unwrap();
        }
    }

    fn members_are_refused_what_is_not_theirs() {
        for version in VERSIONS {
            let client = client!(server(version));
            go!(client.login("ada", "ada-password")).unwrap();
            assert_eq!(go!(client.whoami()).unwrap().unwrap().username, "ada");
            let error = go!(client.create_cluster(NewCluster::new("atlas"))).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied, "{version} {error}");
        }
    }
}
