//! The webhooks of the last days, and sending one again.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::Value;

use crate::place::Place;

const DELIVERIES: &str = "/app/hook/deliveries";

async fn list(place: &Place, query: &str) -> Vec<Value> {
    let answer = place.app(Method::GET, &format!("{DELIVERIES}{query}"), None).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.body.as_array().unwrap().clone()
}

/// Waits until there are so many tries.
async fn tries(place: &Place, count: usize) -> Vec<Value> {
    loop {
        let all = list(place, "").await;
        if all.len() >= count {
            return all;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_refused_webhook_is_seen_and_sent_again() {
    let place = Place::new().await;
    place.platform.answer_with(StatusCode::FORBIDDEN, "alice is no customer");
    place.work.commit("stack.yml", "two").await;
    place.push("alice/hello", &["main"]).await;
    let all = tries(&place, 2).await;
    assert_eq!((&all[0]["status_code"], &all[0]["event"]), (&403.into(), &"push".into()));
    assert_eq!((&all[0]["status"], &all[1]["status"]), (&"Invalid HTTP Response: 403".into(), &"OK".into()));
    assert_eq!(
        (&all[0]["redelivery"], &all[0]["repository_id"], &all[0]["installation_id"]),
        (&false.into(), &1.into(), &1.into())
    );
    assert_eq!(list(&place, "?status=failure").await, [all[0].clone()]);
    let one = place.app(Method::GET, &format!("{DELIVERIES}/{}", all[0]["id"]), None).await.body;
    assert_eq!(
        (&one["response"]["payload"], &one["request"]["payload"]["ref"]),
        (&"alice is no customer".into(), &"refs/heads/main".into())
    );
    assert!(!one.to_string().to_lowercase().contains("x-hub-signature"));

    place.platform.answer_with(StatusCode::ACCEPTED, "");
    let again = place.app(Method::POST, &format!("{DELIVERIES}/{}/attempts", all[0]["id"]), None).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    let webhooks = place.platform.wait_for(3).await;
    assert_eq!(webhooks[2].raw, webhooks[1].raw);
    for header in ["x-github-delivery", "x-hub-signature-256"] {
        assert_eq!(webhooks[2].headers[header], webhooks[1].headers[header], "{header}");
    }
    let all = tries(&place, 3).await;
    assert_eq!(
        (&all[0]["redelivery"], &all[0]["status_code"], &all[0]["guid"]),
        (&true.into(), &202.into(), &all[1]["guid"])
    );
    let unknown = place.app(Method::POST, &format!("{DELIVERIES}/5/attempts"), None).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_that_waits_for_its_next_try_is_tried_at_once() {
    let place = Place::with(|config| config.first_retry = Duration::from_secs(3600)).await;
    place.platform.answer_with(StatusCode::SERVICE_UNAVAILABLE, "");
    place.work.commit("stack.yml", "two").await;
    place.push("alice/hello", &["main"]).await;
    let failed = tries(&place, 2).await.remove(0);
    assert_eq!((&failed["status_code"], &failed["event"]), (&503.into(), &"push".into()));
    place.platform.answer_with(StatusCode::ACCEPTED, "");
    let again = place.app(Method::POST, &format!("{DELIVERIES}/{}/attempts", failed["id"]), None).await;
    assert_eq!(again.status, StatusCode::ACCEPTED);
    place.platform.wait_for(3).await;
    let taken = |all: &[Value]| all[0]["guid"] == failed["guid"] && all[0]["status_code"] == 202;
    while !taken(&list(&place, "").await) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn tries_come_in_pages() {
    let place = Place::new().await;
    for number in 0..4 {
        place.work.commit("stack.yml", number.to_string()).await;
        place.push("alice/hello", &["main"]).await;
    }
    let all = tries(&place, 5).await;
    let mut path = format!("{DELIVERIES}?per_page=2&status=success");
    let mut seen = Vec::new();
    loop {
        let answer = place.app(Method::GET, &path, None).await;
        seen.extend(answer.body.as_array().unwrap().clone());
        match answer.next {
            Some(next) => path = next,
            None => break,
        }
    }
    assert_eq!(seen, all);
    let wrong = place.app(Method::GET, &format!("{DELIVERIES}?cursor=x"), None).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
}
