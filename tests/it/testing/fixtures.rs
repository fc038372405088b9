use keystone_client::resources::{Grant, Team, User};
use keystone_client::testing::Fixture;
use serde_json::json;

use super::message_of;

#[test]
fn members_may_have_other_values() {
    let grant = Grant::fixture_with(7, json!({ "title": "Slowly", "end_date": null }));
    assert_eq!((grant.id.get(), grant.title.as_str(), grant.end_date), (7, "Slowly", None));
    let team = Team::fixture_json_with(8, json!({ "_membership": [{ "id": 1 }] }));
    assert_eq!((&team["id"], &team["_membership"][0]["id"]), (&json!(8), &json!(1)));
    assert_eq!(User::fixture(9), User::fixture_with(9, json!({})));
}

#[test]
fn a_member_that_there_is_not_is_a_mistake() {
    let message = message_of(|| Grant::fixture_with(7, json!({ "titel": "Slowly" })));
    assert_eq!(message, "`titel` is no member of grant");
    let message = message_of(|| Grant::fixture_with(7, json!({ "title": 5 })));
    assert!(message.starts_with("this is no grant: "), "{message}");
    assert_eq!(message_of(|| Grant::fixture_json_with(7, json!(5))), "5 is no object");
}
