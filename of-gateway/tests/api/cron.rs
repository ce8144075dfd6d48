use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::routing::post;
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use http::HeaderMap;
use of_gateway::{Config, PlatformFunction};
use serde_json::json;
use tokio::sync::mpsc;

use crate::support::{Running, eventually};
use crate::without_engine;

type Calls = mpsc::UnboundedReceiver<(HeaderMap, String)>;

/// A configuration with one function that is called at certain times and tells of it.
fn scheduled(dir: &Path, schedule: &str) -> (Config, Calls) {
    let (sender, calls) = mpsc::unbounded_channel();
    let take = move |headers: HeaderMap, body: String| async move { drop(sender.send((headers, body))) };
    let annotations = [("topic", "other, cron-function"), ("schedule", schedule)];
    let annotations: BTreeMap<_, _> = annotations.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let function = PlatformFunction::new("clock", Router::new().route("/", post(take)));
    let platform = vec![PlatformFunction { annotations, ..function }];
    (Config { platform, ..without_engine(dir, []) }, calls)
}

/// Writes down that the function ran at this time, as a gateway of before would have.
#[expect(clippy::unwrap_used, reason = "test helper")]
fn remember(dir: &Path, schedule: &str, last: DateTime<Utc>) {
    let page = json!({"clock.openfaas-fn": {"schedule": schedule, "last": last}});
    std::fs::write(dir.join("cron.json"), page.to_string()).unwrap();
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn remembered(dir: &Path) -> Option<DateTime<Utc>> {
    let page: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.join("cron.json")).ok()?).ok()?;
    Some(page["clock.openfaas-fn"]["last"].as_str()?.parse().unwrap())
}

/// A schedule of one time a day, which was some minutes ago; and that time.
#[expect(clippy::unwrap_used, reason = "test helper")]
fn minutes_ago(minutes: i64) -> (String, DateTime<Utc>) {
    let at = (Utc::now() - TimeDelta::minutes(minutes)).with_second(0).unwrap().with_nanosecond(0).unwrap();
    (at.format("%M %H * * *").to_string(), at)
}

#[tokio::test]
async fn a_run_that_was_missed_is_made_once_and_not_again_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (schedule, at) = minutes_ago(5);
    remember(dir.path(), &schedule, at - TimeDelta::days(1));
    let (config, mut calls) = scheduled(dir.path(), &schedule);
    let gateway = Running::start(config).await;
    let (headers, body) = calls.recv().await.unwrap();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!((header("x-topic"), header("x-connector")), ("cron-function".into(), "cron-connector".into()));
    assert_eq!(header("x-call-id"), format!("cron-clock.openfaas-fn-{}", at.format("%Y%m%dT%H%M%SZ")));
    assert_eq!(body, "");
    let written = async || (remembered(dir.path())? == at).then_some(());
    eventually("the run to be written down", written).await;
    gateway.stop().await;

    let (config, mut calls) = scheduled(dir.path(), &schedule);
    let gateway = Running::start(config).await;
    // Made after whatever is due at the start, so it would come second.
    gateway.http.post(gateway.at("/async-function/clock")).body("other").send().await.unwrap();
    assert_eq!(calls.recv().await.unwrap().1, "other");
    gateway.stop().await;
    assert!(calls.recv().await.is_none(), "it was made again");
}

#[tokio::test]
async fn a_run_that_is_still_queued_is_not_queued_a_second_time() {
    let dir = tempfile::tempdir().unwrap();
    let (schedule, at) = minutes_ago(5);
    remember(dir.path(), &schedule, at - TimeDelta::days(1));
    let (mut config, _calls) = scheduled(dir.path(), &schedule);
    // It is queued, fails, and is to be tried again in an hour.
    config.platform[0].router = Router::new().fallback(|| async { http::StatusCode::SERVICE_UNAVAILABLE });
    config.platform[0].retry.first = std::time::Duration::from_secs(3600);
    config.platform[0].retry.cap = std::time::Duration::from_secs(3600);
    let gateway = Running::start(config).await;
    eventually("the run to be written down", async || (remembered(dir.path())? == at).then_some(())).await;
    gateway.stop().await;
    // As if it had been killed before it could write that down.
    remember(dir.path(), &schedule, at - TimeDelta::days(1));
    let (config, mut calls) = scheduled(dir.path(), &schedule);
    let gateway = Running::start(config).await;
    eventually("the run to be written down", async || (remembered(dir.path())? == at).then_some(())).await;
    gateway.stop().await;
    assert!(calls.recv().await.is_none(), "a second one did not wait");
}

#[tokio::test]
async fn what_was_missed_too_long_ago_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let (schedule, at) = minutes_ago(90);
    remember(dir.path(), &schedule, at - TimeDelta::days(1));
    let (config, mut calls) = scheduled(dir.path(), &schedule);
    let gateway = Running::start(config).await;
    eventually("the skipped run to be written down", async || (remembered(dir.path())? == at).then_some(())).await;
    gateway.stop().await;
    assert!(calls.recv().await.is_none());
}

#[tokio::test]
async fn a_deployment_with_a_schedule_that_cannot_be_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [])).await;
    for (annotations, words) in [
        (json!({"topic": "cron-function", "schedule": "*/5 * * *"}), "*/5 * * *"),
        (json!({"topic": "cron-function", "schedule": "0 0 31 2 *"}), "never comes"),
        (json!({"topic": "cron-function"}), "schedule"),
    ] {
        let spec = json!({"service": "f", "image": "debian:bookworm-slim", "annotations": annotations});
        let (status, text) = gateway.system_json(http::Method::POST, "/system/functions", spec).await;
        assert_eq!(status, 400, "{text}");
        assert!(text.contains(words), "{text}");
    }
    gateway.stop().await;
}
