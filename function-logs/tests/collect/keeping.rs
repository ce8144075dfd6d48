//! What is kept, and for how long.

use std::io::Read as _;

use axum::http::StatusCode;
use object_store::test_servers::InProcess;
use object_store::{AnyStore, Store as _};

use crate::site::{Site, eventually, files, kept, request};

#[tokio::test]
async fn a_log_outlives_its_replica() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    site.gateway.write("alice-a", "abc", 100, "before");
    site.kept_when("before").await;
    site.gateway.write("alice-a", "abc", 101, "last words");
    site.kept_when("last words").await;
    site.gateway.lose_replicas("alice-a", "def");
    site.gateway.write("alice-a", "def", 102, "again");
    site.kept_when("again").await;
    assert_eq!(site.texts(&request(7, "alice-a")).await, ["before", "last words", "again"]);
    let folder = site.logs().join("function_logs/git.localhost/7/alice-a");
    assert!(folder.join("0000000000-open.ndjson.gz").exists());
}

#[tokio::test]
async fn a_restart_loses_and_doubles_nothing() {
    let mut site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    for second in 1..=50 {
        site.gateway.write("alice-a", "abc", second, &format!("line {second}"));
        if second % 10 == 0 {
            site.kept_when(&format!("line {second}\"")).await;
            site.restart();
        }
    }
    site.stop();
    site.gateway.write("alice-a", "abc", 51, "while nobody looked");
    site.restart();
    site.kept_when("while nobody looked").await;
    let texts = site.texts(&request(7, "alice-a")).await;
    let expected: Vec<_> = (1..=50).map(|n| format!("line {n}")).chain(["while nobody looked".to_owned()]).collect();
    assert_eq!(texts, expected);
    assert_eq!(kept(&site.logs()).len(), 51);
}

#[tokio::test]
async fn a_new_replica_is_read_from_its_first_line_and_the_others_go_on() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    site.gateway.write("alice-a", "abc", 100, "one");
    site.kept_when("one").await;
    site.gateway.write("alice-a", "def", 90, "earlier by its own clock");
    site.gateway.add_replica("alice-a", "def");
    site.kept_when("earlier by its own clock").await;
    site.gateway.write("alice-a", "abc", 101, "two");
    site.kept_when("two").await;
    assert_eq!(site.texts(&request(7, "alice-a")).await, ["earlier by its own clock", "one", "two"]);
    assert_eq!(kept(&site.logs()).len(), 3);
}

#[tokio::test]
async fn more_functions_than_are_followed_are_read_in_turns() {
    let site = Site::start(&[("function_log_followed", "1")]).await;
    let names: Vec<_> = (0..6).map(|number| format!("alice-{number}")).collect();
    for name in &names {
        site.gateway.deploy(name, 7, "abc");
        site.gateway.write(name, "abc", 100, &format!("first of {name}"));
    }
    for name in &names {
        site.kept_when(&format!("first of {name}")).await;
        site.gateway.write(name, "abc", 101, &format!("second of {name}"));
    }
    for name in &names {
        site.kept_when(&format!("second of {name}")).await;
    }
    assert_eq!(kept(&site.logs()).len(), 12);
}

#[tokio::test]
async fn functions_without_an_owner_are_nobodys_business() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("system", 0, "abc");
    site.gateway.write("system", "abc", 100, "of the platform");
    site.gateway.deploy("alice-a", 7, "abc");
    site.gateway.write("alice-a", "abc", 100, "of alice");
    site.kept_when("of alice").await;
    assert_eq!(kept(&site.logs()).len(), 1);
}

#[tokio::test]
async fn a_gateway_that_fails_for_a_while_costs_nothing() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    site.gateway.write("alice-a", "abc", 100, "one");
    site.kept_when("one").await;
    site.gateway.refuse_logs(Some(StatusCode::TOO_MANY_REQUESTS));
    site.gateway.write("alice-a", "abc", 101, "two");
    let before = site.gateway.readings();
    eventually("it is tried again", async || site.gateway.readings() > before + 2).await;
    assert_eq!(
        site.texts(&request(7, "alice-a")).await,
        ["one"],
        "what is kept is answered without the gateway's part"
    );
    site.gateway.refuse_logs(None);
    site.kept_when("two").await;
    assert_eq!(site.texts(&request(7, "alice-a")).await, ["one", "two"]);
}

#[tokio::test]
async fn a_store_that_fails_for_a_while_costs_nothing() {
    let site = Site::start(&[]).await;
    std::fs::write(site.logs(), "in the way").unwrap();
    site.gateway.deploy("alice-a", 7, "abc");
    site.gateway.write("alice-a", "abc", 100, "one");
    eventually("the function is known", async || site.ask(&request(7, "alice-a")).await.0 == 502).await;
    std::fs::remove_file(site.logs()).unwrap();
    site.kept_when("one").await;
    assert_eq!(site.texts(&request(7, "alice-a")).await, ["one"]);
}

/// Text that does not get much shorter when it is packed.
fn noise(seed: i64) -> String {
    let mut state = seed.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    };
    (0..200_000).map(|_| next()).collect()
}

#[tokio::test]
async fn an_owner_has_so_much_and_the_oldest_goes_first() {
    let site = Site::start(&[("function_log_max_bytes", "1048576")]).await;
    site.gateway.deploy("bob-quiet", 8, "abc");
    site.gateway.write("bob-quiet", "abc", 1, "of another owner, and old");
    site.gateway.deploy("alice-old", 7, "abc");
    site.gateway.write("alice-old", "abc", 2, "the oldest of all");
    site.kept_when("the oldest of all").await;
    site.kept_when("of another owner").await;
    site.gateway.deploy("alice-loud", 7, "abc");
    for second in 10..30 {
        site.gateway.write("alice-loud", "abc", second, &noise(second));
        if second % 5 == 0 {
            site.kept_when(&noise(second)[..100]).await;
        }
    }
    site.gateway.write("alice-loud", "abc", 60, "the newest of all");
    site.kept_when("the newest of all").await;
    let size = || -> u64 {
        let owner = site.logs().join("function_logs/git.localhost/7");
        files(&owner).iter().filter_map(|file| std::fs::metadata(file).ok()).map(|data| data.len()).sum()
    };
    eventually("there is no more than there may be", async || size() <= 1_200_000).await;
    let left = kept(&site.logs());
    assert!(left.iter().any(|line| line.contains("the newest of all")));
    assert!(left.iter().any(|line| line.contains("of another owner, and old")));
    assert!(!left.iter().any(|line| line.contains("the oldest of all")));
}

#[tokio::test]
async fn a_bucket_keeps_logs() {
    let server = InProcess::start().await;
    let vars = [("function_log_store", "s3"), ("s3_url", server.address()), ("s3_bucket", "function-logs")];
    let mut site = Site::start(&vars).await;
    site.gateway.deploy("alice-a", 7, "abc");
    site.gateway.write("alice-a", "abc", 100, "one");
    let store = site.store();
    eventually("the line is kept", async || kept_in(&store).await.contains("one")).await;
    site.gateway.write("alice-a", "abc", 101, "two");
    eventually("both lines are kept", async || kept_in(&store).await.contains("two")).await;
    site.gateway.lose_replicas("alice-a", "def");
    site.restart();
    site.gateway.write("alice-a", "def", 102, "three");
    let wanted = request(7, "alice-a");
    eventually("the third is there", async || site.texts(&wanted).await == ["one", "two", "three"]).await;
    eventually("all are kept", async || kept_in(&store).await.contains("three")).await;
    assert_eq!(kept_in(&store).await.lines().count(), 3);
}

/// The lines of all objects.
async fn kept_in(store: &AnyStore) -> String {
    let mut text = String::new();
    // The bucket is made with the first object.
    for object in store.list(&"function_logs".parse().unwrap(), 100).await.unwrap_or_default() {
        let Some(object) = store.get(&object.key, 1 << 20).await.unwrap() else { continue };
        flate2::read::MultiGzDecoder::new(&object.bytes[..]).read_to_string(&mut text).unwrap();
    }
    text
}
