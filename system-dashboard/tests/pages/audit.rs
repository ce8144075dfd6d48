//! The audit trail.

use http::StatusCode;
use sdk::audit::AuditRequest;
use serde_json::{Value, json};

use crate::setup::{Dashboard, EVIL, SHA, alice};

/// An event of alice's.
fn event(message: &str) -> Value {
    json!({"source": "buildshiprun", "message": message, "owner": "alice", "owner_id": {"host": "git.localhost", "id": 7},
           "repo": "shop", "sha": SHA, "function": "cart", "actor": "bob", "call_id": "c", "at": 1_790_000_000_000_u64})
}

/// The same with other values.
fn but(message: &str, other: Value) -> Value {
    let mut event = event(message);
    event.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    event
}

async fn trail(events: &[Value], older: Option<&str>) -> Dashboard {
    let dashboard = Dashboard::start().await;
    dashboard.says("audit-event/read", json!({"events": events, "older": older}));
    dashboard
}

/// What the trail was asked last.
fn asked(dashboard: &Dashboard) -> AuditRequest {
    dashboard.fake.messages("audit-event/read").last().unwrap().read()
}

#[tokio::test]
async fn it_shows_who_did_what_when_and_leads_to_the_build() {
    let events = [
        event("deployed cart"),
        but("Deployed 2 functions", json!({"source": "git-tar", "function": "", "actor": ""})),
        but("the app was uninstalled", json!({"source": "github-event", "function": "", "repo": "*", "sha": ""})),
    ];
    let dashboard = trail(&events, None).await;
    let page = dashboard.get("/alice/-/audit").await;
    assert_eq!(page.status, StatusCode::OK);
    let build = format!("/dashboard/alice/cart/build-log?repoPath=alice/shop&#38;commitSHA={SHA}");
    for shown in [
        "deployed cart",
        ">bob<",
        ">buildshiprun<",
        "21 Sep 2026, 14:13:20 UTC",
        "href=\"?repo=shop\"",
        &build,
        ">a1b2c3d<",
        "/dashboard/alice/-/deploys?repo=shop",
        ">the platform<",
        ">all repositories<",
        "aria-current=\"page\">Audit<",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    assert!(!page.text.contains("rel=\"next\"") && !page.text.contains("Newest</a>"));
    let request = asked(&dashboard);
    assert_eq!((request.owner_id.id, request.repo, request.before), (7, None, None));
}

#[tokio::test]
async fn pages_and_a_repository_are_asked_for() {
    let mark = "1790000000000-00000000000000ff";
    let dashboard = trail(&[event("deployed cart")], Some(mark)).await;
    let page = dashboard.get("/alice/-/audit?repo=%20shop").await.text;
    assert!(page.contains(&format!("?repo=shop&amp;before={mark}")) && page.contains("Audit trail of shop"), "{page}");
    assert!(page.contains("All repositories") && !page.contains(">Newest<"));
    let page = dashboard.get(&format!("/alice/-/audit?repo=shop&before={mark}")).await.text;
    assert!(page.contains(">Newest<"));
    let request = asked(&dashboard);
    assert_eq!((request.repo.unwrap().as_str(), request.before.unwrap().to_string().as_str()), ("shop", mark));
    for nonsense in ["repo=..%2Fx", "before=yesterday", "before=-1", "repo=%00"] {
        let page = dashboard.get(&format!("/alice/-/audit?{nonsense}")).await;
        assert!(page.status == StatusCode::OK && !page.text.contains("yesterday"), "{nonsense}");
        assert_eq!((asked(&dashboard).repo, asked(&dashboard).before), (None, None), "{nonsense}");
    }
}

#[tokio::test]
async fn nothing_yet_nothing_older_and_nothing_kept_are_told_apart() {
    let dashboard = trail(&[], None).await;
    assert!(dashboard.get("/alice/-/audit").await.text.contains("Nothing has happened yet"));
    assert!(dashboard.get("/alice/-/audit?repo=shop").await.text.contains("Nothing has happened to shop yet"));
    let page = dashboard.get("/alice/-/audit?before=1-0000000000000000").await.text;
    assert!(page.contains("There is nothing older") && page.contains(">Newest<"));
    dashboard.fake.answer_with("audit-event/read", |_| (StatusCode::NOT_IMPLEMENTED, "secret cause".to_owned()));
    let page = dashboard.get("/alice/-/audit").await;
    assert!(page.text.contains("keeps no trail that can be read") && !page.text.contains("secret cause"));
}

#[tokio::test]
async fn a_trail_that_does_not_answer_is_said_to_be_missing() {
    let dashboard = Dashboard::start().await;
    for answer in
        [(StatusCode::INTERNAL_SERVER_ERROR, "secret cause"), (StatusCode::OK, "<html>"), (StatusCode::NOT_FOUND, "")]
    {
        dashboard.fake.answer_with("audit-event/read", move |_| (answer.0, answer.1.to_owned()));
        let page = dashboard.get("/alice/-/audit").await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text.contains("The audit trail cannot be shown at the moment"), "{answer:?}");
        assert!(!page.text.contains("secret cause") && !page.text.contains("Nothing has happened"), "{answer:?}");
    }
}

#[tokio::test]
async fn anothers_events_are_not_shown_whatever_is_answered() {
    let others = [
        but("another number", json!({"owner_id": {"host": "git.localhost", "id": 6}})),
        but("another host", json!({"owner_id": {"host": "github.com", "id": 7}})),
        but("no number", json!({"owner_id": null})),
        event("alice's own"),
    ];
    let page = trail(&others, None).await.get("/alice/-/audit").await.text;
    assert!(page.contains("alice&#39;s own") && !page.contains("another") && !page.contains("no number"), "{page}");
}

#[tokio::test]
async fn who_may_only_look_sees_no_names_of_secrets() {
    let of = |id: u64| json!({"source": "import-secrets", "owner_id": {"host": "git.localhost", "id": id}});
    let dashboard = trail(&[but("secrets made: pin-code", of(8)), but("secrets made: db", of(9))], None).await;
    assert!(dashboard.get("/acme/-/audit").await.text.contains("secrets made: db"));
    assert!(!dashboard.get("/beta/-/audit").await.text.contains("pin-code"));
    assert_eq!(dashboard.get_as(&crate::setup::operator(), "/alice/-/audit").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn long_and_hostile_events_are_text_and_lead_nowhere_else() {
    let long = format!("{EVIL} {}", "x".repeat(4000));
    let evil =
        json!({"repo": EVIL, "sha": "\"><script>", "function": "../..", "actor": EVIL, "source": EVIL, "owner": EVIL});
    let mean = json!({"sha": "a".repeat(40), "function": "cart?x=\"", "owner": "//evil.example"});
    let dashboard = trail(&[but(&long, evil), but("mean", mean)], None).await;
    let page = dashboard.get_as(&alice(), "/alice/-/audit").await.text;
    assert!(!page.contains("<script>") && !page.contains("<img") && !page.contains("evil.example"), "{page}");
    assert!(page.contains("Whole sentence") && page.contains(&"x".repeat(4000)));
    assert!(page.contains("&#60;script&#62;"));
    let (_, heading) = page.split_once("<h2 class=\"subject\">").unwrap();
    let heading = heading.split("</h2>").next().unwrap();
    assert!(heading.ends_with('…') && heading.len() < 500, "{heading}");
}
