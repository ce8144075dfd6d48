//! `ofc redeploy`: an older commit, or the newest once more.

use end_to_end::{Repository, login, platform};

use super::{ofc, said};

const SHA: &str = "com.openfaas.cloud.git-sha";

#[test]
fn an_older_commit_is_rolled_back_to_and_the_newest_comes_back() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one"), ("b", "steady")]);
    let (owner, path) = (repository.owner(), repository.path());
    repository.deploy(&platform);
    let old = repository.head();
    repository.write("a/answer", "two");
    let new = repository.commit("Change");
    repository.deploy(&platform);
    let service = format!("{owner}-a");

    let shown = ofc(&platform, &["redeploy", &path, &old[..10], "--follow"]);
    assert!(shown.contains("stack-deploy") && shown.contains("success"), "{shown}");
    assert_eq!(platform.get(owner, "/a").text, "one");
    assert_eq!(platform.label(&service, SHA), old);
    platform.wait_for_containers(&[&service, &format!("{owner}-b")]);
    let (_, report) = platform.status(&repository, &old);
    let tasks = report["deployments"].as_array().unwrap().iter().filter(|one| one["task"] == "deploy").count();
    assert_eq!(tasks, 1, "{report}");

    ofc(&platform, &["redeploy", &path, "--follow"]);
    assert_eq!((platform.get(owner, "/a").text.as_str(), platform.label(&service, SHA)), ("two", new.clone()));

    platform.wait_for_containers(&[&service, &format!("{owner}-b")]);
    let before = platform.container(&service);
    ofc(&platform, &["redeploy", &path, "main", "--rebuild", "--follow"]);
    platform.wait_for_containers(&[&service, &format!("{owner}-b")]);
    assert_ne!(platform.container(&service).id, before.id, "it was deployed anew, though nothing changed");
    assert_eq!(platform.get(owner, "/a").text, "two");
}

#[test]
fn what_cannot_be_redeployed_is_said() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    repository.deploy(&platform);
    for (arguments, words) in [
        (&["redeploy", "alice-nobody/hello"][..], "there is no repository"),
        (&["redeploy", &repository.path(), "nothing"], "there is no commit nothing"),
        (&["status", "alice-nobody/hello"], "there is no repository"),
    ] {
        let output = platform.ofc(arguments, None);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", said(&output));
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    repository.write("a/Dockerfile", "FROM debian:bookworm-slim\nRUN exit 1\n");
    repository.commit("Break it");
    repository.push(&platform);
    let failed = platform.ofc(&["redeploy", &repository.path(), "--follow"], None);
    assert_eq!(failed.status.code(), Some(1), "{}", said(&failed));
    assert!(said(&failed).contains("a/Dockerfile:2 "), "{}", said(&failed));
    assert_eq!(platform.get(repository.owner(), "/a").text, "one");
}
