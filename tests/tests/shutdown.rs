//! How a platform ends, and what is there afterwards.

use std::time::Duration;

use end_to_end::{Engine, Platform, Repository, login, options, platform, until};

#[test]
fn sigterm_ends_it_and_functions_go_on() {
    let mut platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    repository.deploy(&platform);
    let before = platform.containers();

    let (status, took) = platform.stop();
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
    assert!(!platform.data().join("running.json").exists());
    assert_eq!(platform.containers(), before, "containers are kept");

    platform.restart();
    platform.wait_for(repository.owner(), "a", "one");
    assert_eq!(platform.containers(), before, "and taken over as they are");
    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.says("1 function: 1 unchanged"), "{pushed}");
}

#[test]
fn a_container_that_was_removed_meanwhile_comes_back_with_the_next_push() {
    let mut platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    repository.deploy(&platform);
    platform.stop();
    platform.engine().remove(&platform.containers()[0].id);
    platform.restart();
    repository.commit_and_push(&platform);
    platform.wait_for(repository.owner(), "a", "one");
}

#[test]
fn rm_leaves_neither_container_nor_network_nor_image() {
    let mut platform = Platform::start(options!().argument("--rm"));
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    repository.deploy(&platform);
    let (engine, instance, owner) = (Engine::connect(), platform.instance(), repository.owner());
    assert!(engine.has_network_of(&instance) && !engine.images_of(owner).is_empty());
    let (status, _) = platform.stop();
    assert!(status.success(), "{status}");
    assert!(engine.containers(&instance).is_empty());
    assert!(!engine.has_network_of(&instance));
    assert_eq!(engine.images_of(owner), Vec::<String>::new());
}

#[test]
fn a_pusher_is_told_when_the_platform_stops() {
    let mut platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    repository.write(
        "a/Dockerfile",
        "FROM debian:bookworm-slim\nRUN sleep 3\nCOPY . /srv/\nCMD [\"perl\", \"/srv/serve.pl\"]\n",
    );
    let sha = repository.commit("Slow");
    let push = platform.watch_log(
        || repository.start_push(&platform, &["main"]),
        |line| line.message() == "build started" && line.field("sha") == Some(&sha),
    );
    let (status, took) = platform.stop();
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
    let pushed = push.wait();
    assert!(pushed.says("The platform is stopping. The deployment goes on when it is started again."), "{pushed}");
    platform.restart();
    platform.wait_for(repository.owner(), "a", "one");
    until("the push is said to be deployed", || {
        platform.checks(&repository, &sha).get("stack-deploy").is_some_and(|check| check.conclusion == "success")
    });
}
