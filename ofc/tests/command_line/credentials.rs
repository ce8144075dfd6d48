//! `ofc link` and the credential helper, asked by the real git.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use super::platform::Up;
use super::{Place, stderr, stdout};

#[expect(clippy::unwrap_used, reason = "test helper")]
fn git(place: &Place, arguments: &[&str], input: &str) -> Output {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(place.path());
    git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn git_gets_the_owners_token_and_nothing_keeps_it() {
    let place = Place::new();
    let up = Up::start(&place, &[]);
    assert!(git(&place, &["init", "--quiet", "--initial-branch=main"], "").status.success());
    let linked = place.run(&["link", "alice/hello"]);
    assert!(linked.status.success(), "{}", stderr(&linked));
    assert!(stdout(&linked).contains("git push ofc main"), "{}", stdout(&linked));
    let port = up.router.rsplit(':').next().unwrap();
    let question = |path: &str| format!("protocol=http\nhost=git.localhost:{port}\npath={path}\n\n");
    let answer = stdout(&git(&place, &["credential", "fill"], &question("alice/hello.git")));
    let token = stdout(&place.run(&["token", "alice"])).trim().to_owned();
    assert!(token.starts_with("ofg_"));
    assert!(answer.contains(&format!("username=alice\npassword={token}\n")), "{answer}");
    let config = std::fs::read_to_string(place.path().join(".git/config")).unwrap();
    assert!(!config.contains(&token) && !config.contains("ofg_"), "{config}");
    // Another host's question goes unanswered, so git would ask the terminal, and there is none.
    let other = git(&place, &["credential", "fill"], "protocol=https\nhost=example.com\npath=a/b.git\n\n");
    assert!(!other.status.success());
    // What git is told to store or to forget changes nothing.
    let stored = git(&place, &["credential", "approve"], &format!("{}\n", answer.trim_end()));
    assert!(stored.status.success());
    assert!(!std::fs::read_to_string(place.path().join(".git/config")).unwrap().contains("ofg_"));
}

#[test]
fn the_git_host_takes_the_token_and_no_other() {
    let place = Place::new();
    let _up = Up::start(&place, &[]);
    assert!(git(&place, &["init", "--quiet", "--initial-branch=main"], "").status.success());
    let identity = ["-c", "user.name=Alice", "-c", "user.email=alice@localhost"];
    let commit = [&identity[..], &["commit", "--quiet", "--allow-empty", "--message", "Begin"]].concat();
    assert!(git(&place, &commit, "").status.success());
    assert!(place.run(&["link", "alice/hello"]).status.success());
    // Not a push to a branch that is deployed: this is about who may come in.
    let push = git(&place, &["push", "ofc", "main:refs/heads/draft"], "");
    assert!(push.status.success(), "{}", stderr(&push));
    let url = stdout(&git(&place, &["remote", "get-url", "ofc"], "")).trim().replace("://", "://alice:wrong@");
    let refused = git(&place, &["-c", "http.proxy=", "push", &url, "main"], "");
    assert!(!refused.status.success(), "a wrong token was taken");
}
