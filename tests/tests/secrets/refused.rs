//! Files that are not taken over.

use end_to_end::{Repository, login, platform};

use crate::{app_of, seal, secrets_of};

#[test]
fn what_is_sealed_for_another_stage_is_refused_and_the_old_value_stays() {
    let (platform, other) = (platform!(), platform!());
    let alice = login("alice");
    let secrets = secrets_of(&platform, &alice, &[("password", "one")]);
    app_of(&alice).deploy(&platform);
    seal(&other, &secrets, "db", &[("password", "the-other-stages")]);
    let pushed = secrets.commit_and_push(&platform);
    assert!(pushed.says("secrets.yml: ") && !pushed.says("imported 1 secret"), "{pushed}");
    assert!(!pushed.output.contains("the-other-stages"), "{pushed}");
    let report = platform.wait_for_end(&secrets, &secrets.head(), "failure");
    assert!(report.to_string().contains("secrets.yml"), "{report}");
    assert_eq!(platform.get(&alice, "/reader/secret/password").text, "one");
}

#[test]
fn a_second_repository_with_the_same_secret_and_a_neighbours_name_are_refused() {
    let platform = platform!();
    let alice = login("alice");
    secrets_of(&platform, &alice, &[("password", "one")]);
    app_of(&alice).deploy(&platform);
    let second = Repository::new(&alice, "more-secrets");
    seal(&platform, &second, "db", &[("password", "mine")]);
    let pushed = second.commit_and_push(&platform);
    assert!(pushed.says("secrets.yml: ") && pushed.says("secrets"), "{pushed}");
    platform.wait_for_end(&second, &second.head(), "failure");
    let thief = Repository::new(&login("thief"), "secrets");
    thief.write("secrets.yml", std::fs::read(second.folder().join("secrets.yml")).unwrap());
    let pushed = thief.commit_and_push(&platform);
    assert!(pushed.says("secrets.yml: ") && !pushed.says("imported"), "{pushed}");
    assert_eq!(platform.get(&alice, "/reader/secret/password").text, "one");
}
