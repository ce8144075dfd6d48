//! "Re-run": the commit is carried out again after a cause outside of the repository is gone.

use end_to_end::{Platform, Repository, login, platform, until};
use reqwest::Method;
use serde_json::{Value, json};

fn ask(platform: &Platform, repository: &Repository, method: Method, path: &str) -> Value {
    let path = format!("/repos/{}{path}", repository.path());
    let answer = platform.send(platform.to_git_host(method, repository.owner(), &path));
    assert!((200..300).contains(&answer.status), "{path}: {}", answer.text);
    answer.json()
}

fn check_runs(platform: &Platform, repository: &Repository, sha: &str) -> Vec<Value> {
    let list = ask(platform, repository, Method::GET, &format!("/commits/{sha}/check-runs"));
    list["check_runs"].as_array().unwrap().clone()
}

#[test]
fn a_rerun_turns_green_once_the_secret_is_there() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one"), ("b", "two")]);
    repository.stack(&[("a", "secrets: [api-key]"), ("b", "")]);
    let sha = repository.commit("Use a secret");
    let pushed = repository.push(&platform);
    assert!(pushed.says("FAILED") && pushed.says("api-key"), "{pushed}");
    let failed = check_runs(&platform, &repository, &sha);
    let stack = failed.iter().find(|run| run["name"] == "stack-deploy").unwrap();

    let secret = json!({"name": format!("{}-api-key", repository.owner()), "value": "opensesame"});
    let made = platform.send(platform.to_gateway(Method::POST, "/system/secrets").body(secret.to_string()));
    assert!((200..300).contains(&made.status), "{}", made.text);
    ask(&platform, &repository, Method::POST, &format!("/check-runs/{}/rerequest", stack["id"]));
    let report = platform.wait_for_end(&repository, &sha, "success");
    assert!(report["checks"].as_array().unwrap().iter().all(|check| check["outcome"] == "success"), "{report}");
    assert_eq!(platform.get(repository.owner(), "/a").text, "one");
    assert_eq!(platform.status(&repository, &sha).0, Some(0));
}

#[test]
fn a_rerun_of_all_checks_builds_again_once_the_base_image_is_there() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    // Nobody answers at that registry; the image can only be on the machine.
    let base = format!("nobody.localhost:1/{}", login("base"));
    let dockerfile = std::fs::read_to_string(repository.folder().join("a/Dockerfile")).unwrap();
    repository.write("a/Dockerfile", dockerfile.replace("debian:bookworm-slim", &base));
    let sha = repository.commit("Another base");
    let pushed = repository.push(&platform);
    assert!(pushed.says("FAILED"), "{pushed}");
    let suites = ask(&platform, &repository, Method::GET, &format!("/commits/{sha}/check-suites"));
    let suite = &suites["check_suites"][0];
    assert_eq!((&suite["status"], &suite["conclusion"]), (&"completed".into(), &"failure".into()), "{suites}");

    platform.engine().tag("debian:bookworm-slim", &base);
    ask(&platform, &repository, Method::POST, &format!("/check-suites/{}/rerequest", suite["id"]));
    platform.wait_for_end(&repository, &sha, "success");
    assert_eq!(platform.get(repository.owner(), "/a").text, "one");
    platform.engine().untag(&base);
}

#[test]
fn a_rerun_of_a_commit_that_a_newer_one_followed_changes_nothing() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one")]);
    repository.deploy(&platform);
    let old = repository.head();
    repository.write("a/answer", "two");
    repository.commit("Newer");
    repository.deploy(&platform);
    let runs = check_runs(&platform, &repository, &old);
    let stack = runs.iter().find(|run| run["name"] == "stack-deploy").unwrap();
    platform.wait_for_containers(&[&format!("{}-a", repository.owner())]);
    let containers = platform.containers();
    ask(&platform, &repository, Method::POST, &format!("/check-runs/{}/rerequest", stack["id"]));
    until("the old commit is superseded", || {
        platform.checks(&repository, &old)["stack-deploy"].conclusion == "neutral"
    });
    assert_eq!(platform.get(repository.owner(), "/a").text, "two");
    assert_eq!(platform.containers(), containers);
}
