//! A push that fails, as its author gets to see it.

use end_to_end::{Repository, login, platform};
use reqwest::Method;
use serde_json::Value;

use super::said;

#[test]
fn a_failing_dockerfile_has_a_failed_check_with_its_line_and_the_end_of_the_log() {
    let platform = platform!();
    let repository = Repository::with(&login("alice"), "hello", &[("a", "one"), ("b", "two")]);
    let step = r#"RUN perl -e '$| = 1; print "step $_\n" for 1 .. 50; exit 7'"#;
    repository.write("a/Dockerfile", format!("FROM debian:bookworm-slim\n\n{step}\n"));
    let sha = repository.commit("Break it");
    let pushed = repository.push(&platform);
    assert!(pushed.ok && pushed.says("at a/Dockerfile:3"), "the pusher sees the line: {pushed}");
    assert!(pushed.says("step 50") && pushed.last().contains("FAILED"), "{pushed}");

    let check = &platform.checks(&repository, &sha)["a"];
    assert_eq!((check.status.as_str(), check.conclusion.as_str()), ("completed", "failure"));
    assert!(check.text.contains("step 50"), "{}", check.text);
    let owner = repository.owner();
    let ask = |path: &str| -> Value {
        platform.send(platform.to_git_host(Method::GET, owner, &format!("/repos/{}{path}", repository.path()))).json()
    };
    let runs = ask(&format!("/commits/{sha}/check-runs?check_name=a"));
    assert_eq!(runs["total_count"], 1, "made once, and changed from then on: {runs}");
    let remarks = ask(&format!("/check-runs/{}/annotations", runs["check_runs"][0]["id"]));
    assert_eq!((&remarks[0]["path"], &remarks[0]["start_line"]), (&"a/Dockerfile".into(), &3.into()), "{remarks}");
    assert_eq!(remarks[0]["annotation_level"], "failure");

    let (code, report) = platform.status(&repository, &sha);
    assert_eq!((code, &report["outcome"]), (Some(1), &"failure".into()), "{report}");
    let checks = report["checks"].as_array().unwrap();
    let outcome = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap()["outcome"].clone();
    assert_eq!([outcome("a"), outcome("b"), outcome("stack-deploy")], ["failure", "success", "failure"]);
    let shown = said(&platform.ofc(&["status", &repository.path()], None));
    assert!(shown.contains("a/Dockerfile:3 ") && shown.contains("step 50"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "no colours where nobody looks: {shown}");

    repository.function("a", "mended");
    let pushed = repository.commit_and_push(&platform);
    assert!(pushed.last().starts_with("Deployed 2 functions"), "{pushed}");
    let (code, report) = platform.status(&repository, &repository.head());
    assert_eq!((code, &report["outcome"]), (Some(0), &"success".into()), "{report}");
    assert_eq!(report["deployments"][0]["state"], "success", "{report}");
}
