//! Signing in, in a real browser, with the platform's own git host as the provider.
#![expect(clippy::unwrap_used, reason = "what fails here is the test")]

use end_to_end::{Browser, Platform, Repository, browser, login, options, until};
use reqwest::Method;
use serde_json::{Value, json};

/// A platform whose first owner has two functions, one for everybody and one for members.
struct Place {
    platform: Platform,
    alice: String,
}

impl Place {
    fn start() -> Self {
        let alice = login("alice");
        let platform = Platform::start(options!().argument("--owner").argument(&alice));
        let repository = Repository::new(&alice, "hello");
        repository.stack(&[("open", ""), ("private", "annotations:\n      com.openfaas.cloud.access: members")]);
        repository.function("open", "for everybody");
        repository.function("private", "for members");
        repository.commit("Begin");
        let pushed = repository.push(&platform);
        assert!(pushed.ok, "{}", pushed.output);
        platform.wait_for(&alice, "open", "for everybody");
        Self { platform, alice }
    }

    fn url(&self, host: &str, path: &str) -> String {
        format!("http://{host}.localhost:{}{path}", self.platform.router().port())
    }

    fn private(&self) -> String {
        self.url(&self.alice, "/private")
    }

    /// The link in the first lines that `ofc up` prints.
    fn first_link(&self) -> String {
        let said = self.platform.said();
        let link = said.split_whitespace().find(|word| word.contains("/login/link/"));
        link.unwrap_or_else(|| panic!("there is no link in {said}")).to_owned()
    }

    fn link(&self, owner: &str) -> String {
        self.ofc(&["login-link", owner]).trim().to_owned()
    }

    fn ofc(&self, arguments: &[&str]) -> String {
        let output = self.platform.ofc(arguments, None);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The status of the function for members, for who sends this header.
    fn status_with(&self, name: &str, value: &str) -> u16 {
        let host = format!("{}.localhost", self.alice);
        let request = self.platform.to_router(Method::GET, &host, "/private").header(name, value);
        self.platform.send(request).status
    }

    /// Goes to the function for members as somebody who has to sign in first, and stops before that.
    fn come_to_the_login(&self, browser: &Browser) {
        browser.open(&self.private());
        browser.wait_for(&self.url("git", "/login"));
    }

    /// Signs in with a link, and comes out at the function.
    fn sign_in(&self, browser: &Browser, link: &str, owner: &str) {
        browser.open(link);
        browser.press(&format!("Sign in as {owner}"));
        browser.wait_for(&self.private());
    }
}

#[test]
fn a_function_for_members_opens_for_members_in_a_browser_and_closes_behind_them() {
    let place = Place::start();
    assert_eq!(place.platform.get(&place.alice, "/open").status, 200);
    let closed = place.platform.get(&place.alice, "/private");
    assert_eq!((closed.status, &closed.headers["www-authenticate"]), (401, &"Bearer".parse().unwrap()));

    let browser = browser!();
    browser.open(&place.url(&place.alice, "/open"));
    assert_eq!(browser.text(), "for everybody");
    place.come_to_the_login(&browser);
    assert!(browser.text().contains("Sign in"), "{}", browser.text());
    browser.picture("git-login");

    // The link of the first lines, and then back to what was wanted.
    let link = place.first_link();
    browser.open(&link);
    browser.picture("git-link");
    place.sign_in(&browser, &link, &place.alice);
    until("the function answers", || browser.text() == "for members");
    assert_eq!(browser.address(), place.private());
    browser.open(&link);
    assert!(browser.text().contains("This link has been used"), "{}", browser.text());
    browser.picture("git-link-used");
    let secret = link.rsplit('.').next().unwrap();
    let log = std::fs::read_to_string(place.platform.data().join("ofc.log")).unwrap();
    assert!(log.contains("/login/link/") && !log.contains(secret), "links stay out of the log");
    look_around(&place, &browser);

    // Signed out at one host is signed out at all, and what was kept of the session is worth nothing.
    browser.open(&place.private());
    until("the function answers", || browser.text() == "for members");
    let cookie = format!("ofc_session={}", browser.cookie("ofc_session").unwrap());
    assert_eq!(place.status_with("cookie", &cookie), 200);
    browser.open(&place.url(&place.alice, "/.ofc/logout"));
    browser.picture("auth-sign-out");
    browser.press("Sign out");
    until("the browser is signed out", || browser.text().contains("signed out"));
    browser.picture("auth-signed-out");
    until("the session is closed", || place.status_with("cookie", &cookie) == 401);
    browser.open(&place.url("git", "/logout"));
    browser.picture("git-logout");
    browser.press("Sign out");
    until("nobody is signed in at the git host", || browser.text().contains("Nobody is signed in"));
    browser.picture("git-signed-out");
    place.come_to_the_login(&browser);
}

/// The pages of who is signed in.
fn look_around(place: &Place, browser: &Browser) {
    for (host, path, name) in [
        ("auth.system", "/", "auth-account"),
        ("auth.system", "/tokens", "auth-tokens"),
        ("auth.system", "/device", "auth-device"),
        ("git", "/login", "git-signed-in"),
    ] {
        browser.open(&place.url(host, path));
        assert!(browser.address().starts_with(&place.url(host, path)), "{}", browser.address());
        browser.picture(name);
    }
}

#[test]
fn somebody_else_is_refused_and_a_session_ends_while_it_is_used() {
    let place = Place::start();
    let bob = login("bob");
    let others = browser!();
    place.come_to_the_login(&others);
    others.open(&place.link(&bob));
    others.press(&format!("Sign in as {bob}"));
    others.wait_for(&place.private());
    until("bob is refused", || others.text().contains(&bob));
    assert!(!others.text().contains("for members"), "{}", others.text());
    others.picture("router-forbidden");
    let cookie = format!("ofc_session={}", others.cookie("ofc_session").unwrap());
    assert_eq!(place.status_with("cookie", &cookie), 403);

    // With login and token instead of a link, by the operator's own session.
    let browser = browser!();
    place.come_to_the_login(&browser);
    browser.fill("login", &place.alice);
    browser.fill("token", "ofg_wrong");
    browser.press("Sign in");
    until("a wrong token is refused", || browser.text().contains("wrong"));
    browser.picture("git-login-wrong");
    browser.fill("token", place.ofc(&["token", &place.alice]).trim());
    browser.press("Sign in");
    browser.wait_for(&place.private());
    until("the function answers", || browser.text() == "for members");
    let cookie = format!("ofc_session={}", browser.cookie("ofc_session").unwrap());
    assert_eq!(place.status_with("cookie", &cookie), 200);

    let token = sign_in_from_the_command_line(&place, &browser);
    let bearer = format!("Bearer {token}");
    assert_eq!(place.status_with("authorization", &bearer), 200);
    let request = place.platform.to_router(Method::POST, "auth.system.localhost", "/api/sessions/revoke");
    let request = request.header("authorization", &bearer).json(&json!({ "all": true }));
    let answer = place.platform.send(request);
    assert_eq!(answer.status, 200, "{}", answer.text);
    until("the session is closed during use", || place.status_with("cookie", &cookie) == 401);
    browser.open(&place.url("git", "/logout"));
    browser.press("Sign out");
    until("nobody is signed in at the git host", || browser.text().contains("Nobody is signed in"));
    place.come_to_the_login(&browser);

    let said = place.ofc(&["logout"]);
    assert!(said.contains("signed out"), "{said}");
    until("the API token is closed", || place.status_with("authorization", &bearer) == 401);
    assert_eq!(place.platform.ofc(&["whoami"], None).status.code(), Some(1));
}

/// `ofc login`, confirmed in the browser; the API token that comes of it.
fn sign_in_from_the_command_line(place: &Place, browser: &Browser) -> String {
    let mut login = place.platform.start_ofc(&["login"]);
    let address = login.line("/device?user_code=").trim().to_owned();
    browser.open(&address);
    browser.picture("auth-device-confirm");
    browser.press("Yes, sign it in");
    browser.picture("auth-device-done");
    let said = login.end();
    assert!(said.contains(&format!("signed in as {}", place.alice)), "{said}");
    let me = place.ofc(&["whoami"]);
    assert!(me.contains("(git.localhost/1)") && me.contains("operator"), "{me}");
    let kept: Value = serde_json::from_str(&place.platform.user_file("config/ofc/credentials.json")).unwrap();
    let token = kept[place.url("auth.system", "")]["token"].as_str();
    token.unwrap_or_else(|| panic!("no token")).to_owned()
}
