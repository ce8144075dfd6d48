use end_to_end::{browser, until};

use crate::{Place, look_at};

#[test]
fn a_build_is_watched_live_and_goes_green_and_another_one_fails() {
    let place = Place::start();
    let browser = browser!();
    place.sign_in(&browser, &place.alice);
    let (repository, platform) = (&place.repository, &place.platform);

    // A build that prints for a while, and that the engine has not kept of another run.
    let print = r#"$| = 1; for (1 .. 40) { print "step $_ of 40\n"; select undef, undef, undef, 0.2 }"#;
    let step = format!("RUN perl -e '{print}' {}", platform.instance());
    let dockerfile = std::fs::read_to_string(repository.folder().join("greet/Dockerfile")).unwrap();
    repository.write("greet/Dockerfile", dockerfile.replacen('\n', &format!("\n{step}\n"), 1));
    let sha = repository.commit("Take your time");
    let push = repository.start_push(platform, &["main"]);
    let page = place.build_url("greet", &sha);
    until("the build has a page with a log", || {
        browser.open(&page);
        browser.text().contains("step 2 of 40")
    });
    assert!(!browser.text().contains("step 40 of 40"), "not at its end yet: {}", browser.text());
    assert!(browser.text().contains("Running"), "the step is listed: {}", browser.text());
    look_at(&browser, "build-live");
    // Without another look at the address.
    until("the end of the log comes by itself", || browser.text().contains("step 40 of 40"));
    until("and so does how it went", || browser.text().contains("Live"));
    let pushed = push.wait();
    assert!(pushed.ok, "{pushed}");
    browser.open(&page);
    let text = browser.text();
    let (steps, _) = text.split_once("Log\n").unwrap_or_else(|| panic!("no steps: {text}"));
    assert!(steps.contains("RUN perl") && steps.contains("Done"), "{text}");
    assert!(!steps.contains("Running") && !steps.contains("End not told"), "each has its end: {text}");
    look_at(&browser, "build");

    let broken = r#"RUN perl -e 'print "\e[31merror: <script>alert(1)</script>\e[0m\n"; exit 7'"#;
    repository.write("greet/Dockerfile", format!("FROM debian:bookworm-slim\n{broken}\n"));
    let sha = repository.commit("Break it");
    assert!(repository.push(platform).says("FAILED"));
    browser.open(&place.build_url("greet", &sha));
    let text = browser.text();
    assert!(text.contains("Failed"), "{text}");
    assert!(text.contains("error: <script>alert(1)</script>") && !text.contains('\u{1b}'), "{text}");
    let (steps, _) = text.split_once("\nLog\n").unwrap();
    assert!(steps.matches("Failed").count() >= 2, "the push and the step: {text}");
    look_at(&browser, "build-failed");
}
