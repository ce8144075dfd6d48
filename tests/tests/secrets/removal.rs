//! Secrets that go.

use end_to_end::{login, platform, until};

use crate::{app_of, secret_names, secrets_of};

#[test]
fn a_secret_that_is_removed_in_use_stays_and_says_who_has_it() {
    let platform = platform!();
    let alice = login("alice");
    let secrets = secrets_of(&platform, &alice, &[("password", "one")]);
    let app = app_of(&alice);
    app.deploy(&platform);
    let name = format!("{alice}-db");
    secrets.write("secrets.yml", "# none any more\n");
    let pushed = secrets.commit_and_push(&platform);
    assert!(pushed.says("the secret db was removed") && pushed.says(&format!("{alice}-reader")), "{pushed}");
    assert_eq!(platform.get(&alice, "/reader/secret/password").text, "one");
    assert!(secret_names(&platform).contains(&name));

    // Who has it lets it go: it is gone with the end of that push.
    app.stack(&[("reader", ""), ("plain", "")]);
    let pushed = app.commit_and_push(&platform);
    assert!(pushed.says("(1 redeployed, 1 unchanged)"), "{pushed}");
    until("the secret is gone", || !secret_names(&platform).contains(&name));
    assert_eq!(platform.get(&alice, "/reader/secret/password").text, "");
}

#[test]
fn the_secrets_of_a_repository_that_leaves_go() {
    let platform = platform!();
    let (alice, bob) = (login("alice"), login("bob"));
    let secrets = secrets_of(&platform, &alice, &[("password", "one")]);
    secrets_of(&platform, &bob, &[("password", "bobs")]);
    let app = app_of(&alice);
    app.deploy(&platform);
    for repository in [&app, &secrets] {
        let left = platform.ofc(&["repo", "uninstall", &repository.path()], None);
        assert!(left.status.success(), "{}", String::from_utf8_lossy(&left.stderr));
    }
    until("the secret is gone", || !secret_names(&platform).contains(&format!("{alice}-db")));
    assert!(secret_names(&platform).contains(&format!("{bob}-db")), "and nobody else's");
    platform.wait_for_containers(&[]);
}
