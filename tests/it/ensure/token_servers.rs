//! Servers up to 0.4.1, whose records and logins are others.

use keystone_client::Dialect;
use keystone_client::resources::legacy::{NewResearchGroup, NewUser, User};

use super::*;
use crate::support::both_colours;

fn server() -> Sandbox {
    Sandbox::builder().dialect(Dialect::Jwt).staff("admin", "admin-password").build()
}

both_colours! {
    fn users_and_groups_are_found_by_their_names() {
        let sandbox = server();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        for outcome in [Outcome::Created, Outcome::Unchanged] {
            let new = NewUser::new(" ada ", "correct horse battery");
            let ada = client.legacy().users().ensure(new, |u| u.department.set("Mathematics"));
            let ada = go!(ada).unwrap();
            assert_eq!((ada.outcome(), ada.record().username.as_str()), (outcome, "ada"));
            let (pi, members): (Id<User>, Vec<Id<User>>) = (ada.record().id, vec![]);
            let new = NewResearchGroup::new("Folding\n", pi);
            let group = client.legacy().research_groups().ensure(new, |g| [
                g.pi.set(pi),
                g.members.set(members),
            ]);
            let group = go!(group).unwrap();
            assert_eq!((group.outcome(), group.record().name.as_str()), (outcome, "Folding"));
        }
        assert_eq!(go!(client.legacy().research_groups().list().count()).unwrap(), 1);
        let other = NewUser::new("Ada", "correct horse battery");
        let other = go!(client.legacy().users().ensure(other, |_| [])).unwrap();
        assert_eq!(other.outcome(), Outcome::Created); // names are case-sensitive
    }

    fn records_are_edited_as_on_later_servers() {
        let sandbox = server();
        let client = client!(sandbox.clone());
        go!(client.login("admin", "admin-password")).unwrap();
        let pi: Id<User> = go!(client.whoami()).unwrap().unwrap().id.cast();
        let groups = client.legacy().research_groups();
        let group = go!(groups.create(NewResearchGroup::new("Folding", pi))).unwrap();
        sandbox.clear_requests();
        let edit = groups.edit(&group, |g| [g.name.set(" Folding "), g.pi.set(pi)]);
        assert!(!go!(edit.if_unmodified()).unwrap().is_changed());
        assert!(sandbox.requests().is_empty());
        let edit = groups.edit(&group, |g| [g.members.set([pi]), g.is_active.set(true)]);
        let edited = go!(edit.if_unmodified().verified()).unwrap();
        assert_eq!((edited.fields(), &edited.record().members), (["members"].as_slice(), &vec![pi]));
        // There are no histories, so only the fields tell.
        let edit = groups.edit(&group, |g| g.members.set([pi]));
        let error = go!(edit.if_unmodified()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().ends_with("changed since: members; nothing was written"), "{error}");
    }
}
