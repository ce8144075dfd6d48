//! One set of expectations, kept by both stores: a directory, and S3 as two independent servers understand it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helpers")]

mod client;
mod follow;
mod records;
mod suite;
mod weaknesses;

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
    records::run(&Client::new(&vars)).await;
    follow::run(&Client::new(&vars)).await;
}

#[tokio::test]
async fn an_s3_bucket_keeps_logs() {
    let server = InProcess::start().await;
    suite::run(async |more| Client::new(&[&bucket(server.address())[..], more].concat())).await;
    records::run(&Client::new(&bucket(server.address()))).await;
    follow::run(&Client::new(&bucket(server.address()))).await;
}

#[tokio::test]
async fn another_s3_server_keeps_logs() {
    let server = Moto::start();
    suite::run(async |more| Client::new(&[&bucket(server.url())[..], more].concat())).await;
    records::run(&Client::new(&bucket(server.url()))).await;
    follow::run(&Client::new(&bucket(server.url()))).await;
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
    assert_eq!(client.record(&records::record(7, 1)).await.0, 502);
    assert_eq!(client.send("/history", Some("pipeline-log/history"), &records::request(7)).await.0, 502);
    assert_eq!(client.send("/follow", Some("pipeline-log/follow"), &suite::request("nowhere", None)).await.0, 502);
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
    let gzip = std::process::Command::new("gzip").arg("-dc").arg(place.join("build.log.gz")).output().unwrap();
    assert_eq!((gzip.status.success(), gzip.stdout.as_slice()), (true, &b"a\nb\n"[..]));
    assert_eq!(std::fs::read_dir(place).unwrap().count(), 1);
    client.record(&records::record(7, 1_700_000_000_000)).await;
    let name =
        std::fs::read_dir(folder.path().join("_records/github.com/7")).unwrap().next().unwrap().unwrap().file_name();
    assert!(name.to_str().unwrap().starts_with(&format!("8299999999999.{}.", suite::SHA)), "{name:?}");
    assert!(name.to_str().unwrap().ends_with(".Shop.js"), "{name:?}");
}

#[tokio::test]
async fn a_log_of_an_earlier_version_is_read_until_it_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("log_directory", folder.path().to_str().unwrap())]);
    let place = folder.path().join("alice/Shop.js").join(suite::SHA).join("plain");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::write(place.join("build.log"), "one\ntwo\nthree\n").unwrap();
    let (text, state, length, start) = client.range(&suite::request("plain", Some(6))).await;
    assert_eq!((text.as_str(), state.as_str(), length, start), ("three\n", "whole", 14, 8));
    assert_eq!(client.follow(&suite::request("plain", None)).await.rest().await, "one\ntwo\nthree\n");
    client.keep(&suite::part("plain", 0, "new\n", true)).await;
    assert_eq!(client.read(&suite::request("plain", None)).await, (200, "new\n".to_owned()));
    assert!(!place.join("build.log").exists());
}

#[tokio::test]
async fn a_log_that_somebody_broke_is_500_and_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("log_directory", folder.path().to_str().unwrap())]);
    client.keep(&suite::part("broken", 0, "x\n", true)).await;
    client.keep(&suite::part("good", 0, "x\n", true)).await;
    let place = folder.path().join("alice/Shop.js").join(suite::SHA).join("broken/build.log.gz");
    std::fs::write(place, "no gzip").unwrap();
    let answer = (500, "the log cannot be packed or unpacked\n".to_owned());
    assert_eq!(client.read(&suite::request("broken", None)).await, answer);
    assert_eq!(client.read(&suite::request("good", None)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_log_of_fifty_megabytes_is_read_without_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("log_directory", folder.path().to_str().unwrap())]);
    let lines: String =
        (0..40_000_u64).map(|n| format!("{n} {:016x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
    let parts = 50_000_000 / lines.len() as u32 + 1;
    for number in 0..parts {
        suite::keep(&client, suite::part("huge", number, &lines, number + 1 == parts)).await;
    }
    let begin = std::time::Instant::now();
    let (text, _, length, _) = client.range(&suite::request("huge", Some(65_536))).await;
    let took = begin.elapsed();
    assert!(length > 50_000_000 && lines.ends_with(&text) && text.len() > 65_000);
    println!("the end of {length} bytes: {took:?}");
    // The bench has the real bound; tests share the machine.
    assert!(took < std::time::Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_long_answer_comes_in_pieces_and_breaks_off_when_its_log_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("log_directory", folder.path().to_str().unwrap())]);
    let text = "one line of an earlier try\n".repeat(100_000);
    for (number, last) in [(0, false), (1, true)] {
        suite::keep(&client, suite::part("again", number, &text, last)).await;
    }
    let (mut reading, mut whole) = (client.read_on(&suite::request("again", None)).await, String::new());
    while let Some(piece) = reading.next().await {
        assert!(piece.len() <= 1024 * 1024, "{} bytes at once", piece.len());
        whole.push_str(&piece);
    }
    assert!(whole == text.repeat(2), "{} bytes", whole.len());
    let mut reading = client.read_on(&suite::request("again", None)).await;
    assert_eq!(reading.place().1, 2 * text.len() as u64);
    assert!(text.starts_with(&reading.next().await.unwrap()[..100]));
    suite::keep(&client, suite::part("again", 0, &text, false)).await;
    assert!(reading.breaks_off().await);
    // One that is joined meanwhile goes on.
    let mut reading = client.read_on(&suite::request("again", None)).await;
    reading.next().await.unwrap();
    suite::keep(&client, suite::part("again", 1, "the end\n", true)).await;
    assert!(text.ends_with(&reading.rest().await));
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
    let (record, ask) = (records::record(7, 1), records::request(7));
    for wrong in [None, Some("pipeline-log"), Some("pipeline-log/read")] {
        assert_eq!(client.send("/follow", wrong, &request).await.0, 401);
        assert_eq!(client.send("/record", wrong, &record).await.0, 401);
        assert_eq!(client.send("/history", wrong, &ask).await.0, 401);
    }
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
