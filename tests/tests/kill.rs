//! `kill -9` at every hop of a push. After the next start the push ends live, with one container per function and
//! nothing left of the first try.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

use std::time::Instant;

use end_to_end::{Line, Platform, Push, Repository, login, platform, until};
use reqwest::Method;

/// The hops in their order, by what the platform's log says when it is there.
const HOPS: [&str; 12] = [
    "push accepted",
    "push queued for git-tar",
    "push received",
    "head checked",
    "commit fetched",
    "plan made",
    "build started",
    "image built",
    "deploying",
    "deployed",
    "garbage collection asked",
    "push finished",
];

struct Site {
    platform: Platform,
    repository: Repository,
    untouched: String,
}

impl Site {
    fn new() -> Self {
        let platform = platform!();
        let repository = Repository::with(&login("alice"), "hello", &[("a", "0"), ("b", "steady")]);
        repository.deploy(&platform);
        let untouched = platform.container(&format!("{}-b", repository.owner())).id;
        Self { platform, repository, untouched }
    }

    fn service(&self, function: &str) -> String {
        format!("{}-{function}", self.repository.owner())
    }

    /// Commits a new text of `a`, begins to push it, kills the platform at a moment, and starts it again.
    fn kill(&mut self, text: &str, at: impl FnOnce(&Platform, &str, &dyn Fn() -> Push) -> Push) -> String {
        self.repository.write("a/answer", text);
        let sha = self.repository.commit(text);
        let begin = || self.repository.start_push(&self.platform, &["main"]);
        let push = at(&self.platform, &sha, &begin);
        self.platform.kill();
        drop(push);
        self.platform.restart();
        sha
    }

    /// No webhook is unsent, no push half taken, and no call was given up.
    fn nothing_waits(&self) {
        let empty = |folder: &str| {
            let entries = std::fs::read_dir(self.platform.data().join("git").join(folder)).unwrap();
            entries.flatten().all(|entry| entry.path().extension().is_none_or(|end| end != "json"))
        };
        until("every webhook is delivered", || empty("deliveries") && empty("pushing"));
        let dead = self.platform.send(self.platform.to_gateway(Method::GET, "/system/async/dead"));
        assert_eq!(dead.json(), serde_json::json!([]), "no call may be given up");
    }

    /// The push is live as if nothing had happened.
    fn is_live(&self, text: &str, sha: &str) {
        self.platform.wait_for(self.repository.owner(), "a", text);
        self.platform.wait_for_containers(&[&self.service("a"), &self.service("b")]);
        assert_eq!(self.platform.container(&self.service("b")).id, self.untouched, "b was not to be touched");
        assert_eq!(self.platform.get(self.repository.owner(), "/b").text, "steady");
        until("the push is said to be deployed", || {
            let checks = self.platform.checks(&self.repository, sha);
            checks.len() == 3 && checks.values().all(|check| check.conclusion == "success")
        });
        self.platform.wait_for_no_work();
        self.nothing_waits();
        assert_eq!(self.platform.label(&self.service("a"), "com.openfaas.cloud.git-sha"), sha);
    }
}

fn is_about(line: &Line, sha: &str) -> bool {
    line.field("sha").is_some_and(|shown| shown.len() >= 7 && sha.starts_with(shown))
}

#[test]
fn a_platform_killed_at_any_hop_ends_the_push_after_its_restart() {
    let mut site = Site::new();
    for hop in HOPS {
        let start = Instant::now();
        let sha = site.kill(hop, |platform, sha, begin| {
            platform.watch_log(begin, |line| line.message() == hop && is_about(line, sha))
        });
        site.is_live(hop, &sha);
        println!("killed at '{hop}': live and settled after {:.1} s", start.elapsed().as_secs_f64());
    }
}

#[test]
fn a_platform_killed_before_its_webhook_was_taken_sends_it_after_its_restart() {
    let mut site = Site::new();
    let sha = site.kill("written down", |platform, _, begin| {
        platform.watch_folder(begin, &platform.data().join("git/deliveries"))
    });
    site.is_live("written down", &sha);
}

#[test]
fn a_platform_killed_while_git_receives_forgets_no_push_that_git_took() {
    let mut site = Site::new();
    let sha =
        site.kill("received", |platform, _, begin| platform.watch_folder(begin, &platform.data().join("git/pushing")));
    // Git may have been cut off before it took anything; then its user pushes again, as after any broken line.
    let again = site.repository.push(&site.platform);
    assert!(again.ok, "{again}");
    site.is_live("received", &sha);
}

#[test]
fn a_platform_killed_again_and_again_during_one_push_gets_there() {
    let mut site = Site::new();
    let sha = site.kill("stubborn", |platform, sha, begin| {
        platform.watch_log(begin, |line| line.message() == "plan made" && is_about(line, sha))
    });
    for hop in ["build started", "deploying"] {
        site.platform.watch_log(|| (), |line| line.message() == hop && is_about(line, &sha));
        site.platform.kill();
        site.platform.restart();
    }
    site.is_live("stubborn", &sha);
}
