//! Names that belong to somebody else.

use end_to_end::{Repository, login, platform};

#[test]
fn a_name_held_by_someone_else_stays_theirs() {
    let platform = platform!();
    let alice = Repository::with(&login("alice"), "app", &[("x-fn", "alice's")]);
    let longer = format!("{}-x", alice.owner());
    let other = Repository::with(&longer, "app", &[("fn", "the other's")]);
    alice.deploy(&platform);
    let before = platform.containers();
    let pushed = other.push(&platform);
    assert!(pushed.says("is held by someone else: rename the function"), "{pushed}");
    platform.wait_for_audit(&other.head(), "is held by someone else");
    assert_eq!(platform.get(alice.owner(), "/x-fn").text, "alice's");
    assert_eq!(platform.get(&longer, "/fn").status, 404, "and the other's address does not lead to it");
    assert_eq!(platform.containers(), before);
}

#[test]
fn a_name_of_the_platform_is_nobodys() {
    let platform = platform!();
    let repository = Repository::with("github", "app", &[("event", "mine now")]);
    let pushed = repository.push(&platform);
    assert!(pushed.says("the name 'github-event' belongs to the platform: rename the function"), "{pushed}");
    platform.wait_for_audit(&repository.head(), "belongs to the platform");
    assert!(platform.containers().is_empty());
    let git = Repository::with("git", "app", &[("tar", "mine now")]);
    for command in [&["link", "git/app"][..], &["token", "git"]] {
        let refused = platform.ofc(command, Some(git.folder()));
        assert!(!refused.status.success(), "{command:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("'git' is a name of the platform"), "{refused:?}");
    }
    assert_eq!(platform.webhook("ping", "{}", None).status, 401, "github-event is what it was");
}

#[test]
fn another_owners_repository_takes_no_push() {
    let platform = platform!();
    let alice = Repository::with(&login("alice"), "app", &[("a", "alice's")]);
    alice.deploy(&platform);
    let mallory = Repository::with(&login("mallory"), "app", &[("a", "mallory's")]);
    mallory.connect(&platform);
    let token = platform.ofc(&["token", mallory.owner()], None);
    let token = String::from_utf8(token.stdout).unwrap();
    let port = platform.router().port();
    let url = format!("http://{}:{}@git.localhost:{port}/{}.git", mallory.owner(), token.trim(), alice.path());
    let output = mallory.command(&["-c", "http.proxy=", "push", "--force", &url, "main"]).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    let fetched = mallory.command(&["-c", "http.proxy=", "fetch", &url, "main"]).output().unwrap();
    assert!(!fetched.status.success(), "{fetched:?}");
    assert_eq!(platform.get(alice.owner(), "/a").text, "alice's");
}
