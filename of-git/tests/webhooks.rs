//! The webhooks that pushes send.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::Value;
use support::{Host, Platform, WEBHOOK_SECRET, Work, config, deploy_everything, remote_lines, stderr, until};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStderr;

/// Waits until the outbox is empty.
async fn until_sent(data: &std::path::Path) {
    let folder = data.join("git/deliveries");
    until(|| waiting(&folder) == 0).await;
}

fn waiting(folder: &std::path::Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".json")).count()
}

#[tokio::test]
async fn a_webhook_is_signed_and_says_what_was_pushed() {
    let data = tempfile::tempdir().unwrap();
    let platform = Platform::start().await;
    let host = Host::start(config(data.path(), platform.address)).await;
    deploy_everything(&platform, &host);
    let work = Work::new().await;
    let url = host.url("alice", "alice/Hello");
    let first = work.commit("stack.yml", "a").await;
    assert!(work.push(&url, &["main"]).await.status.success());
    work.commit("extra", "b").await;
    std::fs::remove_file(work.path().join("extra")).unwrap();
    let last = work.commit("stack.yml", "c").await;
    assert!(work.push(&url, &["main"]).await.status.success());

    let webhooks = platform.wait_for(2).await;
    for webhook in &webhooks {
        assert_eq!(webhook.headers["x-github-event"], "push");
        assert!(uuid::Uuid::parse_str(webhook.headers["x-github-delivery"].to_str().unwrap()).is_ok());
        let openssl = sign_with_openssl(&webhook.raw);
        assert_eq!(webhook.headers["x-hub-signature-256"], format!("sha256={openssl}"));
    }
    assert_ne!(webhooks[0].headers["x-github-delivery"], webhooks[1].headers["x-github-delivery"]);
    let (created, grown) = (&webhooks[0].body, &webhooks[1].body);
    assert_eq!((&created["created"], &created["before"]), (&true.into(), &"0".repeat(40).into()));
    assert_eq!((&created["after"], &created["ref"]), (&first.clone().into(), &"refs/heads/main".into()));
    assert_eq!((&grown["before"], &grown["after"]), (&first.into(), &last.clone().into()));
    assert_eq!((&grown["forced"], &grown["deleted"]), (&false.into(), &false.into()));
    assert_eq!(grown["head_commit"]["id"], last);
    let commits = grown["commits"].as_array().unwrap();
    assert_eq!(commits.len(), 2);
    assert_eq!(commits[0]["added"], serde_json::json!(["extra"]));
    assert_eq!((&commits[1]["removed"][0], &commits[1]["modified"][0]), (&"extra".into(), &"stack.yml".into()));
    let repository = &grown["repository"];
    assert_eq!(repository["full_name"], "alice/Hello");
    assert_eq!(repository["clone_url"], "http://git.localhost:8000/alice/Hello.git");
    assert_eq!(repository["default_branch"], "main");
    assert_eq!(repository["owner"]["login"], "alice");
    assert_eq!(repository["owner"]["id"], grown["sender"]["id"]);
    assert!(grown["installation"]["id"].as_u64().unwrap() > 0);
    host.stop().await;
}

/// Another program's opinion of the signature.
fn sign_with_openssl(body: &[u8]) -> String {
    use std::io::Write;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(body).unwrap();
    let output = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", WEBHOOK_SECRET, "-r"])
        .arg(file.path())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

/// GitHub's published sample of a push has no field that ours lacks, apart from accounts' names, which git does not know.
#[tokio::test]
async fn a_webhook_has_the_fields_of_the_published_sample() {
    let data = tempfile::tempdir().unwrap();
    let platform = Platform::start().await;
    let host = Host::start(config(data.path(), platform.address)).await;
    deploy_everything(&platform, &host);
    let work = Work::new().await;
    work.commit("stack.yml", "a").await;
    assert!(work.push(&host.url("alice", "alice/hello"), &["main"]).await.status.success());
    let ours = platform.wait_for(1).await.remove(0).body;
    let sample: BTreeSet<&str> = include_str!("push_sample_fields.txt").lines().collect();
    let mut fields = BTreeSet::new();
    collect("", &ours, &mut fields);
    let missing: Vec<_> = sample.iter().filter(|field| !fields.contains(**field)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn collect(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                into.insert(format!("{prefix}{name}"));
                collect(&format!("{prefix}{name}."), inner, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(&format!("{prefix}[]."), item, into)),
        _ => {}
    }
}

#[tokio::test]
async fn force_pushes_tags_and_deletions_are_told_as_such() {
    let data = tempfile::tempdir().unwrap();
    let platform = Platform::start().await;
    let host = Host::start(config(data.path(), platform.address)).await;
    let deploying = deploy_everything(&platform, &host);
    let work = Work::new().await;
    let url = host.url("alice", "alice/hello");
    let first = work.commit("a", "1").await;
    assert!(work.push(&url, &["main", "main:feature"]).await.status.success());
    platform.wait_for(2).await;
    work.git(&["commit", "-q", "--amend", "-m", "other"]).await;
    assert!(work.push(&url, &["--force", "main"]).await.status.success());
    let forced = platform.wait_for(3).await.remove(2).body;
    assert_eq!((&forced["forced"], &forced["before"]), (&true.into(), &first.clone().into()));

    deploying.abort();
    work.git(&["tag", "-a", "-m", "one", "v1"]).await;
    let tag = work.push(&url, &["v1"]).await;
    assert!(tag.status.success() && remote_lines(&tag).is_empty(), "a tag is not waited for: {}", stderr(&tag));
    let tagged = platform.wait_for(4).await.remove(3).body;
    assert_eq!(tagged["ref"], "refs/tags/v1");
    assert_eq!(tagged["head_commit"]["id"], work.git(&["rev-parse", "HEAD"]).await);
    let deletion = work.push(&url, &[":feature"]).await;
    assert!(deletion.status.success(), "{}", stderr(&deletion));
    let deleted = platform.wait_for(5).await.remove(4).body;
    assert_eq!((&deleted["deleted"], &deleted["after"]), (&true.into(), &"0".repeat(40).into()));
    assert_eq!((&deleted["before"], &deleted["ref"]), (&first.into(), &"refs/heads/feature".into()));
}

async fn next_line_with(lines: &mut Lines<BufReader<ChildStderr>>, text: &str) -> bool {
    let found = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(text) {
                return true;
            }
        }
        false
    };
    tokio::time::timeout(support::DEADLINE, found).await.unwrap()
}

#[tokio::test]
async fn a_webhook_waits_until_the_platform_is_there() {
    let data = tempfile::tempdir().unwrap();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let host = Host::start(config(data.path(), free)).await;
    let work = Work::new().await;
    work.commit("a", "1").await;
    let url = host.url("alice", "alice/hello");
    let mut child = work.command(&["push", &url, "main"]).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let told = next_line_with(&mut said, "the platform does not answer").await;
    assert!(told, "the pusher is told why nothing happens");
    let platform = Platform::start_on(free).await;
    deploy_everything(&platform, &host);
    assert!(next_line_with(&mut said, "Deployed").await);
    assert!(child.wait().await.unwrap().success());
    until_sent(data.path()).await;
    assert_eq!(platform.webhooks().len(), 1);
}

#[tokio::test]
async fn an_answer_that_means_later_is_tried_again_and_a_refusal_is_said() {
    let data = tempfile::tempdir().unwrap();
    let platform = Platform::start().await;
    let host = Host::start(config(data.path(), platform.address)).await;
    let deploying = deploy_everything(&platform, &host);
    let work = Work::new().await;
    let url = host.url("alice", "alice/hello");
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::NOT_FOUND, StatusCode::TOO_MANY_REQUESTS] {
        platform.answer_with(status, "later");
        work.commit("a", status.to_string()).await;
        let before = platform.webhooks().len();
        assert!(work.push(&url, &["main"]).await.status.success());
        platform.wait_for(before + 2).await;
    }
    platform.answer_with(StatusCode::ACCEPTED, "");
    until_sent(data.path()).await;
    deploying.abort();

    platform.answer_with(StatusCode::FORBIDDEN, "\u{1b}[31malice is not a customer.\nsecond line");
    work.commit("a", "refused").await;
    let output = work.push(&url, &["main"]).await;
    assert!(output.status.success(), "git has it all the same");
    assert_eq!(
        remote_lines(&output),
        ["Your push is stored, but the platform refused to deploy it: alice is not a customer."]
    );
    until_sent(data.path()).await;
    let past = std::fs::read_dir(data.path().join("git/deliveries/past")).unwrap();
    let refused = past.filter(|record| {
        let record: Value = serde_json::from_slice(&std::fs::read(record.as_ref().unwrap().path()).unwrap()).unwrap();
        record["tries"][0]["code"] == 403
    });
    assert_eq!(refused.count(), 1, "it is kept to be looked at");
}

#[tokio::test]
async fn what_was_not_delivered_is_sent_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let nowhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nowhere.local_addr().unwrap();
    drop(nowhere);
    let host = Host::start(config(data.path(), address)).await;
    let work = Work::new().await;
    let sha = work.commit("a", "1").await;
    let url = host.url("alice", "alice/hello");
    let child = work.command(&["push", &url, "main"]).spawn().unwrap();
    let folder = data.path().join("git/deliveries");
    until(|| folder.exists() && waiting(&folder) == 1).await;
    host.stop().await;
    let output = child.wait_with_output().await.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(remote_lines(&output).iter().any(|l| l.contains("is stopping")), "{}", stderr(&output));

    let platform = Platform::start_on(address).await;
    let again = Host::start(config(data.path(), address)).await;
    let webhooks = platform.wait_for(1).await;
    assert_eq!(webhooks[0].body["after"], sha);
    until_sent(data.path()).await;
    again.stop().await;
}

/// Git had moved the branch, and the process died before it wrote the webhook down.
#[tokio::test]
async fn a_push_that_only_git_remembers_is_told_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let platform = Platform::start().await;
    let host = Host::start(config(data.path(), platform.address)).await;
    let deploying = deploy_everything(&platform, &host);
    let work = Work::new().await;
    let first = work.commit("a", "1").await;
    assert!(work.push(&host.url("alice", "alice/hello"), &["main"]).await.status.success());
    deploying.abort();
    host.stop().await;

    let second = work.commit("a", "2").await;
    let repository = data.path().join("git/repositories/alice/hello.git");
    work.git(&["push", "-q", repository.to_str().unwrap(), "main"]).await;
    let note = serde_json::json!({
        "path": {"owner": "alice", "repo": "hello"}, "before": {"refs/heads/main": first}, "process": 4_000_000
    });
    std::fs::write(data.path().join("git/pushing/alice.hello.json"), note.to_string()).unwrap();
    let again = Host::start(config(data.path(), platform.address)).await;
    let told = platform.wait_for(2).await.remove(1).body;
    assert_eq!((&told["before"], &told["after"]), (&first.into(), &second.into()));
    until(|| std::fs::read_dir(data.path().join("git/pushing")).unwrap().count() == 0).await;
    again.stop().await;
}
