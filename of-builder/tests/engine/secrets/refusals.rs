//! Sealed secrets that cannot be opened: no build is begun, and the sentence says what to do.

use sdk::signing::sha256_header;

use super::*;
use crate::harness::SECRET;

/// The status and the sentence that this file of sealed secrets is answered with.
async fn refusal(builder: &Builder, sealed: &str) -> (u16, String) {
    let tar = sealed_archive(Image::new().order(), Some(sealed), "FROM scratch\nCOPY x /\n", &[("x", "x")]);
    let response = builder.post(tar, true).await;
    let status = response.status().as_u16();
    let report: Report = response.json().await.unwrap();
    assert!(!report.retry, "{report:?}");
    (status, report.error)
}

#[tokio::test]
async fn the_key_is_published_and_without_one_sealed_secrets_are_refused() {
    let with = builder(&[]).await;
    let answer = reqwest::get(format!("{}/publickey", with.url)).await.unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(answer, serde_json::json!({ "key_id": "elZ06m5w", "algorithm": "nacl/box", "public_key": PUBLIC }));
    let without = Builder::start(&[]).await;
    assert_eq!(reqwest::get(format!("{}/publickey", without.url)).await.unwrap().status(), 501);
    let (status, error) = refusal(&without, &seal(&[("a", "value")])).await;
    assert_eq!(status, 400);
    insta::assert_snapshot!(error, @"this builder has no key for sealed build secrets: its operator gives it one as builder-private-key");
}

#[tokio::test]
async fn what_is_damaged_too_large_or_for_another_builder_is_refused() {
    let builder = builder(&[]).await;
    let good = seal(&[("a", "value-of-a")]);
    let other = seal_for("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &[("a", "value-of-a")]);
    let (status, error) = refusal(&builder, &other).await;
    assert_eq!(status, 400);
    assert!(error.contains("sealed for the key 'AAECAwQF', and this builder's is elZ06m5w"), "{error}");
    for (bad, says) in [
        (good.replace("v1", "v7"), "has the version 'v7'"),
        (good.replace("nacl/box", "aes"), "is sealed by 'aes'"),
        (good.replace("  a: ", "  a: A"), "the build secret 'a' cannot be opened"),
        ("secrets: [".to_owned(), "is not the expected YAML"),
    ] {
        let (status, error) = refusal(&builder, &bad).await;
        assert!(status == 400 && error.contains(says), "{error}");
        assert!(!error.contains("value-of-a"));
    }
    let (status, error) = refusal(&builder, &format!("{good}#{}", "x".repeat(256 * 1024))).await;
    assert_eq!((status, error.as_str()), (413, "com.openfaas.secrets is larger than 262144 bytes"));
}

#[tokio::test]
async fn the_signature_covers_the_sealed_secrets() {
    let builder = builder(&[]).await;
    let tar = |sealed: &str| sealed_archive(Image::new().order(), Some(sealed), "FROM scratch\n", &[]);
    let signature = sha256_header(&SECRET.into(), &tar(&seal(&[("a", "value")])));
    let response = builder.post_signed(tar(&seal(&[("a", "value")])), &signature, true).await;
    assert_eq!(response.status(), 403);
}
