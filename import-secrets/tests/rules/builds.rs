//! Build-time secrets: an owner's own, sealed for the builder, and nobody else's.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::aead::Aead as _;
use crypto_box::{PublicKey, SalsaBox, SecretKey};
use sdk::event::PushEvent;
use sdk::secrets::{BuildWish, ForBuild, SecretRef, SecretsRequest};

use crate::setup::{Stage, push, sealed};

const PRIVATE: &str = "Px7hyZSojPu4ZVmjTJynIfLrKZ8afASgJqL7leTAFUE=";
const PUBLIC: &str = "elZ06m5w6Xg03qRiXr7lga91gbN38vXOZuhqUk04ghI=";

/// `id=secret` or `id=secret/key`.
fn wish(event: &PushEvent, wanted: &[&str]) -> SecretsRequest {
    let wanted = wanted.iter().map(|pair| {
        let (id, secret) = pair.split_once('=').unwrap();
        let (secret, key) = secret.split_once('/').map_or((secret, None), |(secret, key)| (secret, Some(key)));
        (id.to_owned(), SecretRef { secret: secret.parse().unwrap(), key: key.map(str::to_owned) })
    });
    SecretsRequest::SealForBuild(BuildWish { event: event.clone(), wanted: wanted.collect() })
}

/// What the builder opens.
fn opened(file: &str) -> BTreeMap<String, String> {
    let bytes = |text: &str| STANDARD.decode(text).unwrap();
    let sender = file.lines().find_map(|line| line.strip_prefix("public_key: ")).unwrap();
    let sender = PublicKey::from_slice(&bytes(sender)).unwrap();
    let opener = SalsaBox::new(&sender, &SecretKey::from_slice(&bytes(PRIVATE)).unwrap());
    let lines = file.lines().filter_map(|line| line.trim().strip_prefix('"')?.split_once("\": "));
    lines
        .map(|(id, sealed)| {
            let sealed = bytes(sealed);
            let value = opener.decrypt(sealed[..24].into(), &sealed[24..]).unwrap();
            (id.to_owned(), String::from_utf8(value).unwrap())
        })
        .collect()
}

async fn stage() -> Stage {
    let stage = Stage::with(&[("builder_public_key", PUBLIC)]).await;
    let file =
        sealed("alice-npm", &[("token", "npm_s3cr3t")]) + &sealed("alice-tls", &[("a.key", "one"), ("b", "two")]);
    stage.import(&push("alice", "secrets"), Some(&file), &[]).await;
    stage
}

#[tokio::test]
async fn a_build_is_given_the_owners_secrets_for_the_builder_alone() {
    let stage = stage().await;
    let (status, text) =
        stage.ask(&wish(&push("alice", "app"), &["npm_token=npm", "cert=tls/a.key", "x=npm/token"])).await;
    assert_eq!(status, 200, "{text}");
    let file = serde_json::from_str::<ForBuild>(&text).unwrap().file;
    let secrets = opened(&file);
    assert_eq!(
        (secrets["npm_token"].as_str(), secrets["cert"].as_str(), secrets["x"].as_str()),
        ("npm_s3cr3t", "one", "npm_s3cr3t")
    );
    assert_eq!(secrets.len(), 3);
    assert!(!text.contains("s3cr3t") && !text.contains(&STANDARD.encode("npm_s3cr3t")));
}

#[tokio::test]
async fn what_is_not_there_is_said_plainly() {
    let stage = stage().await;
    stage.gateway.put_secret("alice-hand", b"by hand");
    let mut said = Vec::new();
    for wanted in ["a=gone", "a=tls", "a=tls/c", "a=hand"] {
        let (status, text) = stage.ask(&wish(&push("alice", "app"), &[wanted])).await;
        assert_eq!(status, 422, "{text}");
        said.push(text.trim().to_owned());
    }
    insta::assert_snapshot!(said.join("\n"), @"
    the secret gone is in no repository's file: builds can have no others
    the secret tls has several keys: say which, as tls/<key>
    the secret tls has no key c
    the secret hand is in no repository's file: builds can have no others
    ");
}

#[tokio::test]
async fn nobody_is_given_anothers_secret() {
    let stage = stage().await;
    for event in [push("bob", "app"), push("alice-x", "app")] {
        let (status, text) = stage.ask(&wish(&event, &["npm_token=npm"])).await;
        assert_eq!(status, 422, "{text}");
    }
    // A login is not an owner: this one was made after alice left.
    let mut other = push("alice", "app");
    other.owner_id += 1000;
    assert_eq!(stage.ask(&wish(&other, &["npm_token=npm"])).await.0, 422);
}

#[tokio::test]
async fn without_a_builders_key_nothing_is_sealed() {
    let stage = Stage::start().await;
    stage.import(&push("alice", "secrets"), Some(&sealed("alice-npm", &[("token", "npm_s3cr3t")])), &[]).await;
    let (status, text) = stage.ask(&wish(&push("alice", "app"), &["npm_token=npm"])).await;
    assert_eq!(
        (status.as_u16(), text.trim()),
        (422, "this platform's builder takes no secrets: its operator gives it a builder-private-key")
    );
    let (status, _) = stage.ask(&wish(&push("alice", "app"), &["a\nb=npm"])).await;
    assert_eq!(status, 400);
}
