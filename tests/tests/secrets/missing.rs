//! A function whose secret is not there yet.

use end_to_end::{login, platform};

use crate::{app_of, seal, secrets_of};

#[test]
fn a_function_waits_for_its_secret_and_is_live_when_it_arrives() {
    let platform = platform!();
    let alice = login("alice");
    let app = app_of(&alice);
    let pushed = app.push(&platform);
    assert!(pushed.says("waits for the secret db") && pushed.says("ofc seal --name db"), "{pushed}");
    assert_eq!(platform.get(&alice, "/plain").text, "plain", "the other one is live");
    assert_eq!(platform.get(&alice, "/reader").status, 404);
    platform.wait_for_end(&app, &app.head(), "failure");

    secrets_of(&platform, &alice, &[("password", "one")]);
    platform.wait_for(&alice, "reader", "reads");
    assert_eq!(platform.get(&alice, "/reader/secret/password").text, "one");
    platform.wait_for_end(&app, &app.head(), "success");
}

#[test]
fn a_repository_with_both_needs_one_push_only() {
    let platform = platform!();
    let alice = login("alice");
    let app = app_of(&alice);
    seal(&platform, &app, "db", &[("password", "one")]);
    app.commit("Add the secret");
    let pushed = app.deploy(&platform);
    assert!(pushed.says("(2 built); imported 1 secret (1 key)"), "{pushed}");
    assert_eq!(platform.get(&alice, "/reader/secret/password").text, "one");
    seal(&platform, &app, "db", &[("password", "two")]);
    let pushed = app.commit_and_push(&platform);
    assert!(pushed.says("(1 redeployed, 1 unchanged)"), "{pushed}");
    assert_eq!(platform.get(&alice, "/reader/secret/password").text, "two");
}
