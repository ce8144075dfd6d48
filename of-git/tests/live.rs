//! What the pusher sees while the pipeline works.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{Host, Platform, Work, config, remote_lines, stderr, until};
use tokio::io::{AsyncBufReadExt, BufReader};

struct Place {
    data: tempfile::TempDir,
    platform: Platform,
    host: Host,
    work: Work,
}

async fn place_with(change: impl FnOnce(&mut of_git::Config)) -> Place {
    let data = tempfile::tempdir().unwrap();
    let platform = Platform::start().await;
    let mut config = config(data.path(), platform.address);
    change(&mut config);
    let host = Host::start(config).await;
    Place { data, platform, host, work: Work::new().await }
}

fn run(name: &str, sha: &str, status: &str, conclusion: Option<&str>, title: &str) -> Value {
    let mut body = json!({"name": name, "head_sha": sha, "status": status, "output": {"title": title, "summary": ""}});
    if let Some(conclusion) = conclusion {
        body["conclusion"] = conclusion.into();
    }
    body
}

impl Place {
    async fn update(&self, repo: &str, id: u64, body: Value) {
        let url = self.host.api(&format!("{repo}/check-runs/{id}"));
        let client = sdk::http::client();
        let response = client.patch(url).bearer_auth(support::PLATFORM_TOKEN).json(&body).send().await.unwrap();
        assert!(response.status().is_success());
    }
}

#[tokio::test]
async fn the_pipeline_is_shown_function_by_function() {
    let place = place_with(|_| ()).await;
    let sha = place.work.commit("stack.yml", "1").await;
    let url = place.host.url("alice", "alice/hello");
    let child = place.work.command(&["push", &url, "main"]).spawn().unwrap();
    place.platform.wait_for(1).await;
    let host = &place.host;
    let greet = host.check_run("alice/hello", run("greet", &sha, "in_progress", None, "building")).await;
    host.check_run("alice/hello", run("count", &sha, "completed", Some("neutral"), "unchanged")).await;
    let built = run("greet", &sha, "in_progress", None, "built in 3.2 s");
    place.update("alice/hello", greet, built.clone()).await;
    place.update("alice/hello", greet, built).await;
    let live = "live at http://alice.localhost:8000/greet";
    place.update("alice/hello", greet, run("greet", &sha, "completed", Some("success"), live)).await;
    let mut page = run("page", &sha, "completed", Some("failure"), "the image was not \u{1b}[1mbuilt");
    page["output"]["text"] = "\n```shell\nStep 1/2\n\u{1b}]0;owned\u{7}COPY: no such file\r\n```\n".into();
    host.check_run("alice/hello", page).await;
    let failed = run("stack-deploy", &sha, "completed", Some("failure"), "1 of 3 functions failed");
    host.check_run("alice/hello", failed).await;
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = remote_lines(&output);
    // Reports that come faster than they are shown may be passed over, the last of each may not.
    let expected = [
        "count   unchanged",
        "greet   live at http://alice.localhost:8000/greet",
        "page    FAILED: the image was not built",
        "          Step 1/2",
        "          COPY: no such file",
        "The deployment FAILED: 1 of 3 functions failed. What was live is untouched.",
    ];
    for line in expected {
        assert_eq!(said.iter().filter(|l| *l == line).count(), 1, "{line:?} in {said:#?}");
    }
    assert_eq!(said.last().unwrap(), expected[5]);
    assert!(!stderr(&output).contains("owned"));
}

#[tokio::test]
async fn lines_come_while_the_pipeline_works_not_after_it() {
    let place = place_with(|c| c.keep_alive = Duration::from_millis(5)).await;
    let sha = place.work.commit("stack.yml", "1").await;
    let url = place.host.url("alice", "alice/hello");
    let mut child = place.work.command(&["push", &url, "main"]).spawn().unwrap();
    place.platform.wait_for(1).await;
    place.host.check_run("alice/hello", run("greet", &sha, "in_progress", None, "building")).await;
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let seen = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("building") {
                return true;
            }
        }
        false
    };
    assert!(tokio::time::timeout(support::DEADLINE, seen).await.unwrap());
    assert!(child.try_wait().unwrap().is_none(), "the push is still open");
    place.host.check_run("alice/hello", run("stack-deploy", &sha, "completed", Some("success"), "Deployed")).await;
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_branch_of_no_matter_ends_the_push_at_once() {
    let place = place_with(|_| ()).await;
    let sha = place.work.commit("stack.yml", "1").await;
    let url = place.host.url("alice", "alice/hello");
    let child = place.work.command(&["push", &url, "main:feature"]).spawn().unwrap();
    place.platform.wait_for(1).await;
    let title = "feature is not the build branch; nothing is deployed";
    place.host.check_run("alice/hello", run("stack-deploy", &sha, "completed", Some("neutral"), title)).await;
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(remote_lines(&output), [title]);
}

#[tokio::test]
async fn an_old_report_about_the_same_commit_does_not_end_a_new_push() {
    let place = place_with(|_| ()).await;
    let sha = place.work.commit("stack.yml", "1").await;
    let url = place.host.url("alice", "alice/hello");
    for (number, branch) in ["main:a", "main:b"].into_iter().enumerate() {
        let child = place.work.command(&["push", &url, branch]).spawn().unwrap();
        place.platform.wait_for(number + 1).await;
        let title = format!("Deployed {branch}");
        place.host.check_run("alice/hello", run("stack-deploy", &sha, "completed", Some("success"), &title)).await;
        assert_eq!(remote_lines(&child.wait_with_output().await.unwrap()), [title]);
    }
}

#[tokio::test]
async fn a_second_push_of_a_commit_is_shown_though_its_queued_says_nothing_new() {
    let place = place_with(|_| ()).await;
    let sha = place.work.commit("stack.yml", "1").await;
    let url = place.host.url("alice", "alice/hello");
    let child = place.work.command(&["push", &url, "main:a"]).spawn().unwrap();
    place.platform.wait_for(1).await;
    let id =
        place.host.check_run("alice/hello", run("stack-deploy", &sha, "completed", Some("success"), "Deployed")).await;
    assert!(child.wait_with_output().await.unwrap().status.success());
    let child = place.work.command(&["push", &url, "main:b"]).spawn().unwrap();
    place.platform.wait_for(2).await;
    place.update("alice/hello", id, run("stack-deploy", &sha, "queued", None, "queued")).await;
    place.update("alice/hello", id, run("stack-deploy", &sha, "completed", Some("success"), "Deployed again")).await;
    assert_eq!(remote_lines(&child.wait_with_output().await.unwrap()), ["Deployed again"]);
}

#[tokio::test]
async fn a_commit_that_is_known_and_not_spoken_of_again_keeps_nobody_waiting() {
    let place = place_with(|_| ()).await;
    let sha = place.work.commit("stack.yml", "1").await;
    let url = place.host.url("alice", "alice/hello");
    let child = place.work.command(&["push", &url, "main"]).spawn().unwrap();
    place.platform.wait_for(1).await;
    place.host.check_run("alice/hello", run("stack-deploy", &sha, "completed", Some("success"), "Deployed")).await;
    assert!(child.wait_with_output().await.unwrap().status.success());
    let output = place.work.push(&url, &["main:feature"]).await;
    let told = format!("{} was deployed before, and nothing new is to be done for it.", &sha[..7]);
    assert_eq!(remote_lines(&output), [told]);
}

#[tokio::test]
async fn a_pusher_who_goes_away_stops_nothing() {
    let place = place_with(|_| ()).await;
    let sha = place.work.commit("stack.yml", "1").await;
    let url = place.host.url("alice", "alice/hello");
    let mut child = place.work.command(&["push", &url, "main"]).spawn().unwrap();
    place.platform.wait_for(1).await;
    child.kill().await.unwrap();
    let folder = place.data.path().join("git/deliveries");
    until(|| std::fs::read_dir(&folder).unwrap().all(|e| e.unwrap().file_name() == "past")).await;
    assert_eq!(place.platform.webhooks()[0].body["after"], sha);
    let mut refs = String::new();
    for _ in 0..2 {
        refs = place.work.git(&["ls-remote", &url]).await;
    }
    assert!(refs.contains(&sha));
    place.host.stop().await;
}

#[tokio::test]
async fn after_the_limit_the_pusher_is_told_where_to_look() {
    let place = place_with(|c| c.follow_timeout = Duration::from_millis(50)).await;
    let sha = place.work.commit("stack.yml", "1").await;
    let output = place.work.push(&place.host.url("alice", "alice/hello"), &["main"]).await;
    assert!(output.status.success());
    let said = remote_lines(&output).join("\n");
    assert!(said.contains("It goes on") && said.contains("`ofc ls`") && said.contains(&sha[..7]), "{said}");
    assert!(said.contains("ofc.log") && !said.contains("/api/"), "{said}");
}
