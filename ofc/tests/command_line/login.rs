//! Links and organisations.

use super::platform::Up;
use super::{Place, stderr, stdout};

#[test]
fn a_link_is_for_a_running_platform_and_another_one_each_time() {
    let place = Place::new();
    assert_eq!(place.run(&["login-link", "alice"]).status.code(), Some(1));
    let _up = Up::start(&place, &["--owner", "alice"]);
    // Who is named at the first start has the first number, and is a tenant.
    assert_eq!(std::fs::read_to_string(place.data().join("customers")).unwrap(), "alice\n");
    let make = || {
        let output = place.run(&["login-link", "Bob"]);
        assert!(output.status.success() && stderr(&output).contains("signed in as bob"), "{}", stderr(&output));
        stdout(&output)
    };
    let (first, second) = (make(), make());
    assert!(first.starts_with("http://git.localhost:") && first.contains("/login/link/bob."), "{first}");
    assert_ne!(first, second);
    assert_eq!(place.run(&["login-link", "git"]).status.code(), Some(2));
    assert_eq!(place.run(&["login-link", "../x"]).status.code(), Some(2));
}

#[test]
fn organisations_are_kept_without_a_running_platform() {
    let place = Place::new();
    drop(Up::start(&place, &[]));
    let run = |arguments: &[&str]| {
        let output = place.run(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    assert_eq!(
        run(&["org", "add", "Acme", "alice", "--role", "admin"]),
        "alice is admin of acme, from the next login on\n"
    );
    assert_eq!(run(&["org", "add", "acme", "bob"]), "bob is member of acme, from the next login on\n");
    assert_eq!(run(&["org", "add", "acme", "bob"]), "bob is member of acme, as before\n");
    assert_eq!(run(&["org", "remove", "acme", "alice"]), "alice is no member of acme, from the next login on\n");
    assert_eq!(run(&["org", "ls"]), "ORGANISATION  LOGIN  ROLE\nacme          bob    member\n");
    let wrong = [&["add", "system", "alice"][..], &["add", "acme", "a/b"], &["add", "acme", "bob", "--role", "king"]];
    for arguments in wrong {
        assert_eq!(place.run(&[&["org"], arguments].concat()).status.code(), Some(2), "{arguments:?}");
    }
    std::fs::write(place.data().join("git/organisations"), "acme alice\n").unwrap();
    let broken = place.run(&["org", "ls"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(stderr(&broken).contains("line 1 of"), "{}", stderr(&broken));
}
