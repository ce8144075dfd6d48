//! The dashboard in a real browser, of a platform with real builds.
#![expect(clippy::unwrap_used, reason = "what fails in a helper fails the test")]

mod build;
mod refused;
mod walk;

use end_to_end::{Browser, Platform, Repository, login, options};

/// A platform with an owner whose repository has two functions that are live.
struct Place {
    platform: Platform,
    alice: String,
    repository: Repository,
}

impl Place {
    fn start() -> Self {
        let alice = login("alice");
        let platform = Platform::start(options!().argument("--owner").argument(&alice));
        let repository = Repository::with(&alice, "hello", &[("greet", "hello from the greeter"), ("count", "42")]);
        repository.commit("Greet everybody <b>loudly</b>");
        repository.deploy(&platform);
        Self { platform, alice, repository }
    }

    /// A page of one of the platform's hosts.
    fn at(&self, host: &str, path: &str) -> String {
        format!("http://{host}.localhost:{}{path}", self.platform.router().port())
    }

    fn url(&self, path: &str) -> String {
        self.at("system", &format!("/dashboard{path}"))
    }

    fn git_host(&self) -> String {
        self.at("git", "/login")
    }

    /// The page of a function's build, as commit statuses link to it.
    fn build_url(&self, function: &str, sha: &str) -> String {
        self.url(&format!("/{}/{function}/build-log?repoPath={}&commitSHA={sha}", self.alice, self.repository.path()))
    }

    /// Goes to the dashboard as somebody who has to sign in first, and signs in.
    fn sign_in(&self, browser: &Browser, who: &str) {
        browser.open(&self.url("/"));
        browser.wait_for(&self.git_host());
        let output = self.platform.ofc(&["login-link", who], None);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        browser.open(String::from_utf8(output.stdout).unwrap().trim());
        browser.press(&format!("Sign in as {who}"));
        browser.wait_for(&self.url("/"));
    }

    /// Opens a page that shows some words.
    fn open(&self, browser: &Browser, path: &str, words: &str) {
        browser.open(&self.url(path));
        let text = browser.text();
        assert!(text.contains(words), "{path} does not show {words}: {text}");
    }
}

/// Everybody can use the page; and it is shown in the documentation.
fn look_at(browser: &Browser, name: &str) {
    let found = browser.accessibility();
    assert!(found.is_empty(), "{name}: {}", found.join("\n"));
    let name = format!("dashboard-{name}");
    browser.picture(&name);
    browser.picture_on_a_phone(&name);
}
