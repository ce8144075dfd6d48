//! One set of expectations, kept by both stores: a directory, and S3 as two independent servers understand it.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod suite;

use sdk::Env;

use crate::test_servers::{ACCESS_KEY, Condition, InProcess, Moto, SECRET_KEY};
use crate::{AnyStore, Key, Place, Store as _, StoreError, Variables};

const NAMES: Variables = Variables { store: "record_store", directory: "record_directory", bucket: "records" };

fn open(vars: &[(&str, &str)]) -> AnyStore {
    open_with(vars, SECRET_KEY)
}

fn open_with(vars: &[(&str, &str)], secret_key: &str) -> AnyStore {
    let env = Env::from_map(vars.iter().copied(), [("s3-access-key", ACCESS_KEY), ("s3-secret-key", secret_key)]);
    Place::read(&env.reader(), NAMES).unwrap_or_else(|_| panic!("{vars:?} name no store")).open()
}

fn problems(vars: &[(&str, &str)]) -> Vec<String> {
    let env = Env::from_map(vars.iter().copied(), [("", "")]);
    let r = env.reader();
    assert!(Place::read(&r, NAMES).is_err());
    r.finish().unwrap_err().problems().iter().map(|problem| problem.name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_keeps_objects() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("made/when/needed");
    let open = || open(&[("record_directory", root.to_str().unwrap())]);
    suite::run(open).await;
    suite::race(open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_bucket_keeps_objects() {
    let server = InProcess::start().await;
    let open = || open(&[("record_store", "s3"), ("s3_url", server.address())]);
    suite::run(open).await;
    suite::race(open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_s3_server_keeps_objects() {
    let server = Moto::start();
    // No races: it checks a condition in one step and writes in another, with other threads between.
    suite::run(|| open(&[("record_store", "s3"), ("s3_url", server.url())])).await;
}

#[tokio::test]
async fn an_s3_that_is_not_there_and_wrong_keys_are_errors_without_a_word_about_keys() {
    let server = InProcess::start().await;
    let key = Key::new("a/b").unwrap();
    for (url, secret) in [("127.0.0.1:1", SECRET_KEY), (server.address(), "a wrong one")] {
        let store = open_with(&[("record_store", "s3"), ("s3_url", url)], secret);
        for error in [
            store.put(&key, "x".into()).await.unwrap_err(),
            store.get(&key, 9).await.unwrap_err(),
            store.get_range(&key, 1, 9).await.unwrap_err(),
            store.get_range(&key, 1, 0).await.unwrap_err(),
            store.list(&key, 9).await.unwrap_err(),
            store.delete(&key).await.unwrap_err(),
            store.put_if(&key, "x".into(), crate::Expected::Absent).await.unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::Failed { .. }), "{error:?}");
            let text = sdk::failure::chain(&error);
            assert!(!text.contains(secret) && !text.contains("Authorization"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_service_that_ignores_conditions_is_refused() {
    for ignored in [Condition::Match, Condition::NoneMatch] {
        let server = InProcess::start_without(ignored).await;
        let store = open(&[("record_store", "s3"), ("s3_url", server.address())]);
        let key = Key::new("a/b").unwrap();
        for _ in 0..2 {
            let error = store.put_if(&key, "x".into(), crate::Expected::Absent).await.unwrap_err();
            assert_eq!(
                error.to_string(),
                "the S3 service of bucket records ignores If-Match or If-None-Match: use one that honours both, or a directory"
            );
        }
        assert_eq!(store.get(&key, 10).await.unwrap(), None, "nothing is written");
    }
}

#[test]
fn everything_that_is_missing_or_wrong_is_named_at_once() {
    assert_eq!(problems(&[]), ["record_directory"]);
    assert_eq!(problems(&[("record_store", "tape")]), ["record_store"]);
    let vars = [("record_store", "s3"), ("s3_bucket", "No Bucket")];
    assert_eq!(problems(&vars), ["s3_url", "s3_bucket", "s3-access-key", "s3-secret-key"]);
}
