//! One set of expectations, kept by both stores: a directory, and S3 as two independent servers understand it.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod client;
mod suite;

use client::Client;
use object_store::test_servers::{InProcess, Moto};

fn bucket(url: &str) -> [(&str, &str); 3] {
    [("log_store", "s3"), ("s3_url", url), ("s3_bucket", "build-logs")]
}

#[tokio::test]
async fn a_directory_keeps_logs() {
    let folder = tempfile::tempdir().unwrap();
    let vars = [("log_directory", folder.path().to_str().unwrap())];
    suite::run(async |more| Client::new(&[&vars[..], more].concat())).await;
}

#[tokio::test]
async fn an_s3_bucket_keeps_logs() {
    let server = InProcess::start().await;
    suite::run(async |more| Client::new(&[&bucket(server.address())[..], more].concat())).await;
}

#[tokio::test]
async fn another_s3_server_keeps_logs() {
    let server = Moto::start();
    suite::run(async |more| Client::new(&[&bucket(server.url())[..], more].concat())).await;
}

#[tokio::test]
async fn wrong_s3_keys_are_502_without_a_word_about_them() {
    let server = InProcess::start().await;
    let client = Client::with_s3_secret(&bucket(server.address()), "a wrong one");
    let (status, text) = client.keep(&suite::part("wrong-keys", 0, "x\n", true)).await;
    assert_eq!((status, text.as_str()), (502, "the log store does not work right now\n"));
}

#[tokio::test]
async fn an_s3_that_is_not_there_is_502() {
    let vars = [("log_store", "s3"), ("s3_url", "127.0.0.1:1")];
    let client = Client::new(&vars);
    assert_eq!(client.keep(&suite::part("nowhere", 0, "x\n", true)).await.0, 502);
    assert_eq!(client.read(&suite::request("nowhere", None)).await.0, 502);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_502() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let client = Client::new(&[("log_directory", file.path().to_str().unwrap())]);
    assert_eq!(client.keep(&suite::part("full", 0, "x\n", true)).await.0, 502);
}

#[tokio::test]
async fn logs_lie_where_the_readme_says() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("log_directory", folder.path().to_str().unwrap())]);
    client.keep(&suite::part("place", 0, "a\n", false)).await;
    let place = folder.path().join("alice/Shop.js").join(suite::SHA).join("place");
    assert_eq!(std::fs::read_to_string(place.join("part-0000000000")).unwrap(), "a\n");
    client.keep(&suite::part("place", 1, "b\n", true)).await;
    assert_eq!(std::fs::read_to_string(place.join("build.log")).unwrap(), "a\nb\n");
    assert_eq!(std::fs::read_dir(place).unwrap().count(), 1);
}

#[tokio::test]
async fn nothing_is_kept_or_read_without_a_signature_for_just_that() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("log_directory", folder.path().to_str().unwrap())]);
    let (part, request) = (suite::part("signed", 0, "secret\n", true), suite::request("signed", None));
    assert_eq!(client.send("/", None, &part).await.0, 401);
    assert_eq!(client.send("/", Some("pipeline-log/read"), &part).await.0, 401);
    assert_eq!(client.send("/read", None, &request).await.0, 401);
    assert_eq!(client.send("/read", Some("pipeline-log"), &request).await.0, 401);
    assert_eq!(client.send("/read", Some("github-status"), &request).await.0, 401);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn names_that_lead_elsewhere_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("log_directory", folder.path().to_str().unwrap())]);
    for (field, value) in [
        ("owner", ".."),
        ("owner", "a/b"),
        ("repo", "../../x"),
        ("repo", ".."),
        ("repo", "a\0b"),
        ("sha", "main"),
        ("sha", "../../../etc"),
        ("function", "../signed"),
        ("function", ""),
        ("function", "build.log"),
    ] {
        let mut part = serde_json::to_value(suite::part("names", 0, "x\n", true)).unwrap();
        part[field] = value.into();
        let (status, text) = client.keep(&part).await;
        assert_eq!(status, 400, "{field}={value:?}: {text}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
