//! Servers up to 0.4.1, whose records and logins are others.

use keystone_client::resources::legacy::{NewResearchGroup, NewUser, User};

use super::*;
use crate::support::both_colours;

both_colours! {
    fn users_and_groups_are_found_by_their_names() {
        let Some(server) = Target::jwt() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        for outcome in [Outcome::Created, Outcome::Unchanged] {
            let name = server.name("ada");
            let new = NewUser::new(format!(" {name} "), PASSWORD).first_name("A").last_name("B").email("a@example.org");
            let ada = client.legacy().users().ensure(new, |u| u.department.set("Mathematics"));
            let ada = go!(ada).unwrap();
            assert_eq!((ada.outcome(), &ada.record().username), (outcome, &name));
            let (pi, members): (Id<User>, Vec<Id<User>>) = (ada.record().id, vec![]);
            let new = NewResearchGroup::new(format!("{}\n", server.name("Folding")), pi);
            let group = client.legacy().research_groups().ensure(new, |g| [
                g.pi.set(pi),
                g.members.set(members),
            ]);
            let group = go!(group).unwrap();
            assert_eq!((group.outcome(), &group.record().name), (outcome, &server.name("Folding")));
        }
        let found = client.legacy().research_groups().filter(|g| g.name.eq(server.name("Folding")));
        assert_eq!(go!(found.count()).unwrap(), 1);
        let other = NewUser::new(server.name("Ada"), PASSWORD).first_name("A").last_name("B").email("b@example.org");
        let other = go!(client.legacy().users().ensure(other, |_| [])).unwrap();
        assert_eq!(other.outcome(), Outcome::Created); // names are case-sensitive
    }

    fn records_are_edited_as_on_later_servers() {
        let Some(server) = Target::jwt() else {
            return;
        };
        let client = client!(server.clone());
        go!(client.login(server.username(), server.password())).unwrap();
        let pi: Id<User> = go!(client.whoami()).unwrap().unwrap().id.cast();
        let groups = client.legacy().research_groups();
        let group = go!(groups.create(NewResearchGroup::new(server.name("Folding"), pi))).unwrap();
        server.clear_requests();
        let edit = groups.edit(&group, |g| [g.name.set(format!(" {} ", server.name("Folding"))), g.pi.set(pi)]);
        assert!(!go!(edit.if_unmodified()).unwrap().is_changed());
        assert!(server.requests().is_empty());
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
