//! What people change, and calls.

use std::time::Duration;

use axum::body::Body;
use http::StatusCode;
use sdk::audit::AuditEvent;
use sdk::identity::{Identity, Role};

use crate::setup::{Dashboard, EVIL, alice, request};

async fn audited(dashboard: &Dashboard, words: &str) -> AuditEvent {
    let has = |events: &[sdk::fake_gateway::Message]| {
        events.iter().any(|event| event.read::<AuditEvent>().message.contains(words))
    };
    let events = dashboard.fake.messages_when("audit-event", has).await;
    events
        .iter()
        .map(sdk::fake_gateway::Message::read::<AuditEvent>)
        .find(|event| event.message.contains(words))
        .unwrap()
}

#[tokio::test]
async fn a_member_scales_and_deploys_again_and_deletes() {
    let dashboard = Dashboard::start().await;
    let token = dashboard.token("/alice/cart").await;
    let scaled = dashboard.post(&alice(), "/alice/cart/scale", &format!("token={token}&replicas=3")).await;
    assert_eq!(
        (scaled.status, &scaled.headers["location"]),
        (StatusCode::SEE_OTHER, &"/dashboard/alice/cart?done=scaled".parse().unwrap())
    );
    assert_eq!(dashboard.fake.function("alice-cart").unwrap().replicas, 3);
    let event = audited(&dashboard, "scaled to 3").await;
    assert_eq!(
        (event.source.as_str(), event.actor.as_str(), event.repo.as_str()),
        ("system-dashboard", "alice (git.localhost/7)", "shop")
    );
    assert_eq!((event.owner_id.unwrap().id, event.function.as_str()), (7, "cart"));
    let too_many = dashboard.post(&alice(), "/alice/cart/scale", &format!("token={token}&replicas=999")).await;
    assert_eq!(too_many.status, StatusCode::BAD_REQUEST);

    let again = dashboard.post(&alice(), "/alice/cart/redeploy", &format!("token={token}")).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    let deployed = dashboard.fake.function("alice-cart").unwrap();
    assert!(
        deployed.annotations.contains_key("com.openfaas.cloud.redeployed-at") && deployed.env_vars.contains_key("MODE")
    );
    audited(&dashboard, "deployed again").await;

    let wrong = dashboard.post(&alice(), "/alice/cart/delete", &format!("token={token}&confirm=mail")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let gone = dashboard.post(&alice(), "/alice/cart/delete", &format!("token={token}&confirm=cart")).await;
    assert_eq!(gone.headers["location"], "/dashboard/alice?done=deleted");
    assert!(dashboard.fake.function("alice-cart").is_none());
    audited(&dashboard, "is deleted").await;
}

#[tokio::test]
async fn forms_of_others_and_of_other_sites_do_nothing() {
    let dashboard = Dashboard::start().await;
    let token = dashboard.token("/alice/cart").await;
    let other = Identity { id: 70, ..alice() };
    let elsewhere = || {
        let form = format!("token={token}&replicas=0");
        let mut sent = request("POST", "/alice/cart/scale", &alice(), Duration::from_secs(60), Body::from(form));
        sent.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
        sent
    };
    assert_eq!(dashboard.page(elsewhere()).await.status, StatusCode::FORBIDDEN);
    for form in ["replicas=0", "token=x.y&replicas=0"] {
        assert_eq!(dashboard.post(&alice(), "/alice/cart/scale", form).await.status, StatusCode::FORBIDDEN, "{form}");
    }
    let form = format!("token={token}&confirm=cart");
    let theirs = dashboard.post(&other, "/alice/cart/delete", &form).await;
    assert_eq!(theirs.status, StatusCode::FORBIDDEN, "made for somebody else of that login");
    assert_eq!(dashboard.get("/alice/cart/delete").await.status, StatusCode::NOT_FOUND);
    assert_eq!(dashboard.fake.function("alice-cart").unwrap().replicas, 1);
}

#[tokio::test]
async fn who_may_only_look_is_offered_nothing_and_changes_nothing() {
    let dashboard = Dashboard::start().await;
    dashboard.put("beta-shop", 8);
    let page = dashboard.get("/beta/shop").await;
    assert!(page.status == StatusCode::OK && !page.text.contains("name=\"token\""));
    let token = dashboard.token("/alice/cart").await;
    for action in ["scale", "redeploy", "delete", "invoke"] {
        let form = format!("token={token}&replicas=2&confirm=shop");
        let refused = dashboard.post(&alice(), &format!("/beta/shop/{action}"), &form).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{action}");
    }
    assert_eq!(alice().organisations[1].role, Role::Viewer);
}

#[tokio::test]
async fn a_call_shows_the_answer_as_text() {
    let dashboard = Dashboard::start().await;
    let token = dashboard.token("/alice/cart/invoke").await;
    dashboard.fake.answer_with("alice-cart", |body| {
        (StatusCode::IM_A_TEAPOT, format!("{EVIL} {}", String::from_utf8_lossy(body)))
    });
    let form = format!("token={token}&method=POST&kind=application%2Fjson&body=%7B%7D%3Cscript%3E");
    let page = dashboard.post(&alice(), "/alice/cart/invoke", &form).await.text;
    assert!(page.contains("418") && page.contains("{}&#60;script&#62;") && !page.contains("<script>"), "{page}");
    audited(&dashboard, "was called").await;
    let without = dashboard.post(&alice(), "/alice/cart/invoke", "body=x").await;
    assert_eq!(without.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_call_goes_to_no_other_place_whatever_its_path() {
    let dashboard = Dashboard::start().await;
    let token = dashboard.token("/alice/cart/invoke").await;
    for called in ["alice-cart", "alice-cart/", "alice-cart/items/1"] {
        dashboard.fake.answer_with(called, |_| (StatusCode::IM_A_TEAPOT, String::new()));
    }
    let call = async |path: &str| {
        let path = url::form_urlencoded::byte_serialize(path.as_bytes()).collect::<String>();
        dashboard.post(&alice(), "/alice/cart/invoke", &format!("token={token}&path={path}")).await.text
    };
    for good in ["", "/", "/?a=b", "?a=b", "/items/1?a=b", "/x/../items/1"] {
        assert!(call(good).await.contains("418"), "{good}");
    }
    for bad in [
        "/..",
        "/../alice-mail",
        "/../../system/functions",
        "/%2e%2e/%2E%2e/system/functions",
        "-x",
        "\\..\\x",
        "/a/../..",
    ] {
        assert!(call(bad).await.contains("does not lead out of the function"), "{bad}");
    }
}

#[tokio::test]
async fn a_gateway_that_refuses_is_told_of() {
    let dashboard = Dashboard::start().await;
    let token = dashboard.token("/alice/cart").await;
    let route = "POST /system/scale-function/alice-cart";
    dashboard.fake.refuse_next(route, StatusCode::INTERNAL_SERVER_ERROR, "secret cause");
    let page = dashboard.post(&alice(), "/alice/cart/scale", &format!("token={token}&replicas=2")).await;
    assert!(page.status == StatusCode::BAD_GATEWAY && !page.text.contains("secret cause"));
}
