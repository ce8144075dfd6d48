//! Repositories that go, are renamed, or deploy no more.

use end_to_end::{Repository, login, platform};

use super::ofc;

#[test]
fn an_uninstall_removes_exactly_that_repository_s_functions() {
    let platform = platform!();
    let alice = login("alice");
    let hello = Repository::with(&alice, "hello", &[("a", "one"), ("b", "two")]);
    let other = Repository::with(&alice, "other", &[("c", "three")]);
    let bob = Repository::with(&login("bob"), "hello", &[("a", "bob's")]);
    [&hello, &other, &bob].into_iter().for_each(|repository| drop(repository.deploy(&platform)));
    let (kept, bobs) = (format!("{alice}-c"), format!("{}-a", bob.owner()));

    ofc(&platform, &["repo", "uninstall", &hello.path()]);
    platform.wait_for_containers(&[&kept, &bobs]);
    hello.write("a/answer", "changed");
    hello.commit("Change");
    let pushed = hello.push(&platform);
    assert!(pushed.ok && pushed.says(&format!("ofc repo install {}", hello.path())), "{pushed}");
    assert_eq!(platform.get(&alice, "/a").status, 404);

    ofc(&platform, &["repo", "install", &hello.path()]);
    ofc(&platform, &["redeploy", &hello.path(), "--follow"]);
    assert_eq!(platform.get(&alice, "/a").text, "changed");

    ofc(&platform, &["repo", "uninstall", &alice]);
    platform.wait_for_containers(&[&bobs]);
    assert_eq!(platform.get(bob.owner(), "/a").text, "bob's");
    assert_eq!(platform.ofc(&["repo", "uninstall", &alice], None).status.code(), Some(1), "there is nothing left");
}

#[test]
fn a_renamed_repository_keeps_its_functions_and_a_removed_one_does_not() {
    let platform = platform!();
    let alice = login("alice");
    let hello = Repository::with(&alice, "hello", &[("a", "one")]);
    let other = Repository::with(&alice, "other", &[("b", "two")]);
    hello.deploy(&platform);
    other.deploy(&platform);
    let (a, b) = (format!("{alice}-a"), format!("{alice}-b"));
    let before = platform.containers();

    ofc(&platform, &["repo", "rename", &hello.path(), "world"]);
    let world = format!("{alice}/world");
    let linked = platform.ofc(&["link", &world, "--remote", "world"], Some(hello.folder()));
    assert!(linked.status.success());
    hello.write("a/answer", "renamed");
    hello.commit("Change");
    hello.git(&["push", "--quiet", "world", "main"]);
    platform.wait_for(&alice, "a", "renamed");
    platform.wait_for_containers(&[&a, &b]);
    assert_eq!(platform.container(&b), *before.iter().find(|container| container.function == b).unwrap());

    ofc(&platform, &["repo", "rm", "--yes", &world]);
    platform.wait_for_containers(&[&b]);
    assert_eq!(platform.ofc(&["status", &world], None).status.code(), Some(1));
    assert_eq!(platform.get(&alice, "/b").text, "two");
}
