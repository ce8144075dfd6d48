use end_to_end::{browser, until};
use reqwest::Method;

use crate::{Place, look_at};

#[test]
fn an_owner_finds_everything_about_a_function_and_signs_out() {
    let place = Place::start();
    let alice = &place.alice;
    let browser = browser!();
    place.sign_in(&browser, alice);
    until("home shows the owner", || browser.text().contains(alice.as_str()));
    look_at(&browser, "home");

    for _ in 0..40 {
        assert_eq!(place.platform.get(alice, "/greet").status, 200);
    }
    for _ in 0..3 {
        assert_eq!(place.platform.get(alice, "/greet/fail").status, 500);
    }
    until("the calls are counted", || {
        browser.open(&place.url(&format!("/{alice}")));
        browser.text().contains("43") && browser.text().contains("7.0 %")
    });
    assert!(browser.text().contains("Greet everybody <b>loudly</b>"), "shown as it is: {}", browser.text());
    look_at(&browser, "owner");
    place.open(&browser, &format!("/{alice}?filter=nothing-like-it"), "No function has");
    place.open(&browser, &format!("/{alice}/-/deploys"), "Greet everybody");
    look_at(&browser, "deploys");
    place.open(&browser, &format!("/{alice}/-/secrets"), "ofc seal");
    assert!(browser.source().contains("BEGIN CERTIFICATE"), "the certificate is there to copy");
    look_at(&browser, "secrets");
    until("the trail tells of the deployment", || {
        browser.open(&place.url(&format!("/{alice}/-/audit")));
        browser.text().contains("deployed greet as")
    });
    look_at(&browser, "audit");

    // Called from the page, and seen in its log.
    place.open(&browser, &format!("/{alice}/greet/invoke"), "Call greet");
    browser.press_button("Call");
    until("the function answers", || browser.text().contains("hello from the greeter"));
    look_at(&browser, "invoke");
    place.open(&browser, &format!("/{alice}/greet/logs"), "Logs");
    until("the call is in the log", || browser.text().contains("asked for /"));
    look_at(&browser, "logs");

    place.open(&browser, &format!("/{alice}/greet"), "Running");
    assert!(browser.text().contains("p99"), "its latencies are shown: {}", browser.text());
    look_at(&browser, "function");
    the_badge_is_read_without_a_session(&place, &browser.text());
    let service = format!("{alice}-greet");
    let before = place.platform.container(&service);
    browser.press("Deploy again");
    until("other replicas have taken its place", || {
        let all = place.platform.containers();
        let of_it: Vec<_> = all.iter().filter(|container| container.function == service).collect();
        !of_it.is_empty() && of_it.iter().all(|container| container.id != before.id)
    });
    place.platform.wait_for(alice, "greet", "hello from the greeter");

    browser.open(&place.url("/"));
    browser.press("Sign out");
    browser.press_button("Sign out");
    until("the browser is signed out", || browser.text().contains("signed out"));
    // The git host would let it in again unasked.
    browser.open(&place.at("git", "/logout"));
    browser.press("Sign out");
    until("nobody is signed in at the git host", || browser.text().contains("Nobody is signed in"));
    browser.open(&place.url(&format!("/{alice}")));
    browser.wait_for(&place.git_host());
}

/// By the address that the page has for a README.
fn the_badge_is_read_without_a_session(place: &Place, page: &str) {
    let system = format!("http://system.localhost:{}", place.platform.router().port());
    let (_, address) = page.split_once(&format!("[![greet]({system}")).unwrap_or_else(|| panic!("no Markdown: {page}"));
    let (path, rest) = address.split_once(")](").unwrap();
    assert!(rest.starts_with(&format!("http://{}.localhost", place.alice)), "{rest}");
    let ask = |path: &str| place.platform.send(place.platform.to_router(Method::GET, "system.localhost", path));
    let badge = ask(path);
    assert_eq!((badge.status, &badge.headers["content-type"]), (200, &"image/svg+xml".parse().unwrap()));
    assert!(
        badge.text.contains("Running") && badge.headers["cache-control"] == "no-cache, max-age=0",
        "{}",
        badge.text
    );
    let (begin, proof) = path.rsplit_once('/').unwrap();
    for wrong in [format!("{begin}/{}.svg", "0".repeat(32)), path.replace("/greet/", "/other/")] {
        assert_eq!(ask(&wrong).status, 404, "{wrong}");
    }
    let posted = place.platform.send(place.platform.to_router(Method::POST, "system.localhost", path));
    assert_eq!((posted.status, proof.len()), (405, 36));
}

#[test]
fn an_operator_sees_how_the_platform_is() {
    let place = Place::start();
    let browser = browser!();
    place.sign_in(&browser, &place.alice);
    place.open(&browser, "/-/operator", "Operator");
    let text = browser.text();
    for shown in ["Calls waiting", "free of", "Ready", "0 of 4 at most", &place.alice, "2 functions"] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    look_at(&browser, "operator");
}
