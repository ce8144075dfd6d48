//! The trail that is read: in a directory, and in S3 as two independent servers understand it.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod client;
mod refusals;
mod suite;
mod thinning;

use object_store::test_servers::{InProcess, Moto};
use sdk::audit::{AuditEvent, Auditor};
use sdk::call::{CallId, Functions};
use sdk::fake_gateway::FakeGateway;

use client::{Client, event, request};

fn bucket(url: &str) -> [(&str, &str); 3] {
    [("audit_store", "s3"), ("s3_url", url), ("s3_bucket", "trail")]
}

#[tokio::test]
async fn a_directory_keeps_the_trail() {
    let folder = tempfile::tempdir().unwrap();
    suite::run(&Client::new(&[("audit_directory", folder.path().to_str().unwrap())])).await;
}

#[tokio::test]
async fn an_s3_bucket_keeps_the_trail() {
    let server = InProcess::start().await;
    suite::run(&Client::new(&bucket(server.address()))).await;
}

#[tokio::test]
async fn another_s3_server_keeps_the_trail() {
    let server = Moto::start();
    suite::run(&Client::new(&bucket(server.url()))).await;
}

#[tokio::test]
async fn what_a_function_reports_is_read_with_its_time_and_owner() {
    let gateway = FakeGateway::start().await;
    let env = gateway.env(&[], &[]);
    let auditor = Auditor::new("git-tar", Functions::read(&env.reader()).unwrap());
    let (folder, call) = (tempfile::tempdir().unwrap(), CallId::random());
    auditor.send(AuditEvent { at: None, source: String::new(), ..event(7, 0) }, &call).await;
    let sent: AuditEvent = gateway.messages("audit-event")[0].read();
    let client = Client::new(&[("audit_directory", folder.path().to_str().unwrap())]);
    client.keep(&sent).await;
    let read = client.read(&request(7)).await.events.remove(0);
    let now = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    assert!((now - 60_000..=now).contains(&read.at.unwrap()), "{:?}", read.at);
    assert_eq!((read.source.as_str(), read.call_id), ("git-tar", call.to_string()));
}

#[tokio::test]
async fn events_lie_where_the_readme_says_and_a_broken_one_hides_none() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("audit_directory", folder.path().to_str().unwrap())]);
    client.keep(&event(7, 1_700_000_000_000)).await;
    let place = folder.path().join("_audit/github.com/7");
    let path = std::fs::read_dir(&place).unwrap().next().unwrap().unwrap().path();
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("8299999999999.") && name.ends_with(".shop"), "{name}");
    client.keep(&event(7, 2)).await;
    std::fs::write(&path, "{").unwrap();
    std::fs::write(place.join("somebody-elses"), "x").unwrap();
    assert_eq!(client.read(&request(7)).await.events, [event(7, 2)]);
    // What lies in the wrong place is still another's.
    std::fs::write(&path, serde_json::to_vec(&event(8, 1_700_000_000_000)).unwrap()).unwrap();
    assert_eq!(client.read(&request(7)).await.events, [event(7, 2)]);
}
