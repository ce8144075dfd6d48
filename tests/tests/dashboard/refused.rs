use end_to_end::{Browser, browser, login};

use crate::{Place, look_at};

#[test]
fn somebody_else_sees_no_more_of_an_owner_than_of_nobody() {
    let place = Place::start();
    let (alice, sha) = (&place.alice, place.repository.head());
    let bob = login("bob");
    let browser = browser!();
    place.sign_in(&browser, &bob);
    place.open(&browser, &format!("/{bob}"), "Deploy your first function");
    assert!(browser.text().contains(&format!("ofc link {bob}/hello")), "{}", browser.text());
    look_at(&browser, "empty");
    let shown = |browser: &Browser, url: &str| {
        browser.open(url);
        browser.text()
    };
    let nobody = shown(&browser, &place.url("/nobody-has-this-login"));
    look_at(&browser, "not-found");
    for path in ["", "/greet", "/greet/logs", "/greet/invoke", "/-/deploys", "/-/secrets", "/-/audit"] {
        let text = shown(&browser, &place.url(&format!("/{alice}{path}")));
        assert_eq!(text, nobody, "{path}");
    }
    assert_eq!(shown(&browser, &place.build_url("greet", &sha)), nobody);
    assert_eq!(shown(&browser, &place.url("/-/operator")), nobody);
}
