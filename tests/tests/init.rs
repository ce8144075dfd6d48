//! An installation as `ofc init` sets it up: `ofc up --config` with a GitHub in the place of the platform's own git host.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use end_to_end::{Platform, options, until};
use github_app::fake_github::{APP_ID, FakeGithub, INSTALLATION, REPO_ID, app_key};
use sdk::signing::sha256_header;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const SAMPLE: &str = include_str!("../../github-event/tests/data/push.json");

/// Runs `ofc` where nothing of the caller's is read.
fn ofc(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ofc-under-test"));
    command.current_dir(folder).args(arguments).env_remove("OFC_DATA").env_remove("OFC_CONFIG");
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

/// A configuration for this GitHub, and the App's key where `ofc init` expects it.
fn installation(folder: &Path, github: &FakeGithub) -> PathBuf {
    let (site, api) = (github.site(), github.url());
    let text = format!(
        "domain: localhost\ndata: data\nbuild_branch: master\ntenants: [codertocat]\nsign_in: {{provider: off}}\n\
         source:\n  host: github\n  url: {site}\n  api_url: {api}\n  app: {{id: {APP_ID}}}\n"
    );
    let path = folder.join("ofc.yml");
    fs::write(&path, text).unwrap();
    let (code, said) = ofc(folder, &["init", "--no-checks"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("private-key: the App's private key"), "{said}");
    fs::write(folder.join("data/secrets/private-key"), app_key().pkcs1()).unwrap();
    path
}

fn push() -> Value {
    let mut push: Value = serde_json::from_str(SAMPLE).unwrap();
    push["repository"]["id"] = json!(REPO_ID);
    push["repository"]["name"] = json!("hello");
    push["repository"]["full_name"] = json!("Codertocat/hello");
    push["repository"]["private"] = json!(true);
    push["installation"]["id"] = json!(INSTALLATION);
    push
}

#[test]
fn a_push_at_github_is_taken_and_its_end_is_told_there_by_the_app() {
    let runtime = Runtime::new().unwrap();
    let github = runtime.block_on(FakeGithub::start());
    let folder = tempfile::tempdir().unwrap();
    let config = installation(folder.path(), &github);
    let options = options!().argument("--config").argument(config.to_str().unwrap()).data(&folder.path().join("data"));
    let platform = Platform::start(options);
    // It serves a moment before it has said so.
    until("the first lines are there", || platform.said().contains("Webhooks are awaited"));
    let said = platform.said();
    assert!(said.contains(github.site()), "{said}");
    // There is no git host of the platform's own.
    let git = platform.to_router(reqwest::Method::GET, "git.localhost", "/alice/hello.git/info/refs");
    assert_eq!(platform.send(git).status, 404);

    let body = push().to_string();
    let wrong = sha256_header(&SecretString::from("of somebody else"), body.as_bytes());
    assert_eq!(platform.webhook("push", &body, Some(&wrong)).status, 401);
    let answer = platform.signed_push(&push());
    assert_eq!(answer.status, 202, "{}", answer.text);
    until("the App has told GitHub how the push ended", || {
        github.runs().iter().any(|run| run["status"] == "completed" && run["head_sha"] == push()["after"])
    });
    // This GitHub has no repositories behind its pages, and that is what is told.
    let runs = github.runs();
    let end = runs.iter().find(|run| run["status"] == "completed").unwrap();
    assert_eq!(end["conclusion"], "failure", "{end}");
    assert_eq!(github.faults(), [] as [&str; 0]);
    let calls = github.calls();
    assert!(calls.iter().any(|call| call == "POST access_tokens"), "{calls:?}");
}

#[test]
fn without_the_app_s_key_it_does_not_start_and_says_what_to_do() {
    let runtime = Runtime::new().unwrap();
    let github = runtime.block_on(FakeGithub::start());
    let folder = tempfile::tempdir().unwrap();
    let config = installation(folder.path(), &github);
    fs::remove_file(folder.path().join("data/secrets/private-key")).unwrap();
    let options = options!().argument("--config").argument(config.to_str().unwrap()).data(&folder.path().join("data"));
    let said = Platform::refused(options);
    assert!(said.contains("private-key is missing") && said.contains("ofc init"), "{said}");
}

#[test]
fn checks_find_what_is_wrong_and_lose_nothing() {
    let runtime = Runtime::new().unwrap();
    let github = runtime.block_on(FakeGithub::start());
    let folder = tempfile::tempdir().unwrap();
    installation(folder.path(), &github);
    let (code, said) = ofc(folder.path(), &["init", "--check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("GitHub App") && said.contains("1 on the list"), "{said}");
    fs::write(folder.path().join("data/secrets/private-key"), "no key").unwrap();
    let (code, said) = ofc(folder.path(), &["init"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is not a usable key") && said.contains("All that was made is kept"), "{said}");
    assert!(said.contains("Nothing was changed"), "{said}");
}

#[test]
fn nobody_to_ask_and_nothing_to_go_by_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = ofc(folder.path(), &["init"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there is no ofc.yml, and nobody to ask") && said.contains("--yes"), "{said}");
    fs::write(folder.path().join("ofc.yml"), "domian: localhost\n").unwrap();
    let (code, said) = ofc(folder.path(), &["init"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("line 1, column 1: domian is not known; did you mean 'domain'?"), "{said}");
}
