use keystone_client::Id;
use keystone_client::blocking::KeystoneClient;
use keystone_client::testing::Never;

use super::{message_of, whole};
use crate::support::{BASE, both_colours};

both_colours! {
    fn nothing_is_sent_where_nothing_has_to_be() {
        let never = Never::new();
        let client = client!(never.clone());
        let none = client.teams().filter(|t| t.id.is_in([] as [Id<_>; 0]));
        assert!(go!(none.all()).unwrap().is_empty());
        assert!(!client.is_authenticated());
        never.verify();
    }

    fn a_request_gets_an_error_and_fails_the_test() {
        let never = Never::new();
        let client = client!(never.clone());
        let error = go!(client.login("ada", "correct horse")).unwrap_err();
        let said = "nothing was to be sent, but there is GET /authentication/login/";
        assert!(whole(&error).contains(said), "{}", whole(&error));
        let message = message_of(|| never.verify());
        assert_eq!(message, "nothing was to be sent, but there was:\n  GET /authentication/login/");
    }
}

#[test]
fn the_last_clone_panics() {
    let client = KeystoneClient::with_backend(BASE, Never::new()).unwrap();
    let _ = client.version().send();
    assert!(message_of(|| drop(client)).contains("GET /version/"));
}

#[test]
fn what_was_told_is_not_told_again() {
    let never = Never::new();
    let client = KeystoneClient::with_backend(BASE, never.clone()).unwrap();
    let _ = client.version().send();
    message_of(|| never.verify());
    drop((client, never));
}

#[test]
fn a_test_that_fails_by_itself_does_not_fail_twice() {
    let message = message_of(|| {
        let client = KeystoneClient::with_backend(BASE, Never::new()).unwrap();
        let _ = client.version().send();
        panic!("what the test says");
    });
    assert_eq!(message, "what the test says");
}
